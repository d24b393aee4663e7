"""The benchmarks say what they do, and refuse what they do not know, before they measure anything."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from defusedxml import ElementTree

from benchmarks.flame import ROW, WIDTH, Bar, drawn
from tests.integration.conftest import environment
from tests.patience import PATIENCE_WALL_S

PROJECT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(
    path for path in (PROJECT / "benchmarks").glob("*.py") if path.stem not in {"keyboard", "rolling_horizon"}
)
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
    done = subprocess.run(
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


def test_a_program_to_compare_with_that_is_not_installed_is_left_out_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says how to install it; all else is measured."""
    peers = importlib.import_module("benchmarks.peers")
    monkeypatch.setattr(peers, "PACKAGES", {"Nobody": "no_such_module", "JSON": "json"})
    assert peers.missing_peers() == {
        "Nobody": "Nobody is not installed and was left out: pip install 'ssmic[bench]'",
    }


def test_a_bar_of_a_flame_graph_is_as_wide_as_its_share() -> None:
    """It stands on its caller; what takes next to nothing is left out."""
    bars = Bar("", "all")
    for _ in range(750):
        bars.add((("agents", "Producer.run"), ("numpy", "numpy")))
    for _ in range(249):
        bars.add((("broker", "Host.run"),))
    bars.add((("broker", "Clock.run"),))
    picture = ElementTree.fromstring(drawn(bars, "a <day>"))
    found = {}
    for group in picture.iter("{http://www.w3.org/2000/svg}g"):
        title, rect = group[0].text or "", group[1]
        found[title] = (float(rect.get("x", "")), float(rect.get("y", "")), float(rect.get("width", "")))
    floor = found["all 100.0%"][1]
    assert found == {
        "all 100.0%": (0.0, floor, WIDTH),
        "Producer.run 75.0%": (0.0, floor - ROW, 0.75 * WIDTH),
        "numpy 75.0%": (0.0, floor - 2 * ROW, 0.75 * WIDTH),
        "Host.run 24.9%": (0.75 * WIDTH, floor - ROW, round(0.249 * WIDTH, 1)),
    }
