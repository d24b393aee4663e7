"""An operator's day at a small size; at full size: `make operate`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.servers.mosquitto import find_mosquitto
from tests.operation.machine_clock import MachineClock

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="needs Mosquitto: apt-get install mosquitto")
def test_a_day_on_which_everything_happens_changes_no_ledger() -> None:
    """Every state is reported while it lasts, and every process ends with the right code."""
    command = [sys.executable, "-m", "tests.operation.day", "--days", "1", "--pace", "14400x"]
    ended = subprocess.run(command, capture_output=True, check=False, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "passed" in ended.stdout


def test_the_machine_clock_of_the_day_jumps(tmp_path: Path) -> None:
    """Only processes started with it see the jump."""
    clock = MachineClock(tmp_path)
    if not clock.can_jump:
        pytest.skip("no C compiler")
    clock.jump(3600)
    printed = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time(), time.monotonic())"],
        env=clock.environment,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    assert float(printed[0]) - time.time() > 3000
    assert abs(float(printed[1]) - time.monotonic()) < 600
