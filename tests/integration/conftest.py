"""The command line as users have it: real processes, real files, a real broker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ended import Ended, Ssmic
from tests.patience import PATIENCE_WALL_S

PROJECT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which `python -m tui` is this project's, and nothing is set that changes it."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("SSMIC_")}
    return {**ours, "PYTHONPATH": str(PROJECT), "NO_COLOR": "1", **more}


@pytest.fixture
def ssmic(tmp_path: Path) -> Ssmic:
    """Runs `ssmic` with arguments, in an empty folder."""

    def run(*arguments: str | Path, **more: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "tui", *map(str, arguments)],
            cwd=tmp_path,
            env=environment(**more),
            capture_output=True,
            text=True,
            timeout=PATIENCE_WALL_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


SLOW = """\
version: 1
name: slow
start: 2026-06-21T00:00:00+00:00
seed: 1
load_profiles:
  wash: {points: [[0, 0], [3600, 500]]}
houses:
  - id: "1"
    devices:
      - {id: washer, type: consumer, load_profile: wash}
      - id: pv-1
        type: producer
        predictions:
          - {issued: "00:00", points: [["06:00", 0], ["18:00", 6000]]}
  - id: "2"
    devices:
      - {id: dryer, type: consumer, load_profile: wash}
      - id: pv-2
        type: producer
        predictions:
          - {issued: "00:00", points: [["06:00", 0], ["18:00", 6000]]}
jobs:
  - {house: "1", device: washer, id: a, registered: "00:00", earliest_start: "08:00", latest_start: "14:00"}
  - {house: "2", device: dryer, id: b, registered: "00:00", earliest_start: "08:00", latest_start: "14:00"}
  - {house: "1", device: washer, id: c, registered: "12:00", earliest_start: "13:00", latest_start: "16:00"}
  - {house: "2", device: dryer, id: d, registered: "12:00", earliest_start: "13:00", latest_start: "16:00"}
"""
"""Half of its jobs are agreed on at once; at 60x the other half takes twelve minutes: it is always caught between."""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A scenario that at `--pace 60x` has contracts at once, and takes long after that."""
    file = tmp_path / "slow.yaml"
    file.write_text(SLOW, encoding="utf-8")
    return file
