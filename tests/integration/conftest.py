"""The command line as users have it: real processes, real files, a real broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ssmic = Callable[..., Ended]


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which `python -m tui` is this project's, and nothing is set that changes it."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("SSMIC_")}
    return {**ours, "PYTHONPATH": str(PROJECT), "NO_COLOR": "1", **more}


@pytest.fixture
def ssmic(tmp_path: Path) -> Ssmic:
    """Runs `ssmic` with arguments, in an empty folder."""

    def run(*arguments: str | Path, **more: str) -> Ended:
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "tui", *map(str, arguments)],
            cwd=tmp_path,
            env=environment(**more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return run
