"""An operator's day at a small size; at full size: `make operate`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.servers.mosquitto import find_mosquitto
from tests.operation.day import operate
from tests.operation.machine_clock import MachineClock


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="needs Mosquitto: apt-get install mosquitto")
async def test_a_day_on_which_everything_happens_changes_no_ledger() -> None:
    """Every state is reported while it lasts, and every process ends with the right code."""
    result = await operate(days=2, pace="36000x", seed=1)
    assert not result.problems, "\n".join(result.problems)
    assert all(codes[-1] == 0 for codes in result.codes.values())


def test_the_machine_clock_of_the_day_jumps(tmp_path: Path) -> None:
    """For the processes that see it, and for nobody else."""
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
