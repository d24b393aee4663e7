"""The benchmarks say what they do, and refuse what they do not know, before they measure anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import environment
from tests.patience import PATIENCE_WALL_S

PROJECT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path for path in (PROJECT / "benchmarks").glob("*.py") if path.stem != "keyboard")
HELP = """\
import runpy, sys
for path in sys.argv[1:]:
    sys.argv = [path, "--help"]
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        print(path, "ended with", end.code)
"""


@pytest.mark.long
def test_each_benchmark_describes_itself() -> None:
    """One process asks all of them, as importing what they need takes longest."""
    done = subprocess.run(  # noqa: S603 - our own scripts
        [sys.executable, "-c", HELP, *map(str, SCRIPTS)],
        cwd=PROJECT,
        env=environment(PYTHONPATH=f"{PROJECT}:{PROJECT / 'benchmarks'}"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_WALL_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if " ended with " in line] == [
        f"{path} ended with 0" for path in SCRIPTS
    ]
    assert done.stdout.count("usage: ") == len(SCRIPTS)
