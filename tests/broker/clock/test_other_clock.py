"""Whether a run with the same id takes place already: what a report proves, live or left behind."""

from __future__ import annotations

import asyncio

import pytest

from broker.clock.other_clock import RETAINED_WALL_S, check_alone
from broker.errors import ClockTakenError
from broker.protocol.bounds import MAX_TIME_S
from broker.protocol.topics import time
from broker.protocol.wire import LONGEST_VALID_WALL_S, RunPhase, TimeReport
from broker.transport.memory import MemoryBroker

pytestmark = pytest.mark.looptime


def reported(state: RunPhase = "running", every_wall_s: float = 2.0) -> TimeReport:
    """Return what a clock reports."""
    said = {"time": 0, "round": 0, "step": 1, "pace": "60x", "lag_wall_s": 0.0}
    return TimeReport.model_validate({**said, "state": state, "every_wall_s": every_wall_s})


async def waited_wall_s(*leftovers: TimeReport) -> float:
    """Return how long a starting run waits where these reports were left at the broker."""
    broker = MemoryBroker()
    for leftover in leftovers:
        broker.deliver(time("r"), leftover, retain=True)
    begun_wall_s = asyncio.get_running_loop().time()
    await check_alone(broker, "r")
    return asyncio.get_running_loop().time() - begun_wall_s


@pytest.mark.parametrize("state", ["ended", "failed", "gone"])
async def test_a_run_that_has_ended_is_no_obstacle(state: RunPhase) -> None:
    """Its last report says so."""
    assert await waited_wall_s(reported(state)) == pytest.approx(RETAINED_WALL_S, abs=0.1)
    assert await waited_wall_s() == pytest.approx(RETAINED_WALL_S, abs=0.1)


@pytest.mark.parametrize(("every_wall_s", "expected_wall_s"), [(2.0, 5.0), (MAX_TIME_S, LONGEST_VALID_WALL_S)])
async def test_a_report_that_was_left_behind_delays_a_run_by_a_minute_at_most(
    every_wall_s: float, expected_wall_s: float
) -> None:
    """Its clock may be alive until the next report is overdue; a report may promise the next one for any time."""
    assert await waited_wall_s(reported(every_wall_s=every_wall_s)) == pytest.approx(expected_wall_s, abs=0.1)


async def test_a_run_that_reports_is_not_joined_by_another_clock() -> None:
    """The report comes while the new clock listens."""
    broker = MemoryBroker()
    broker.deliver(time("r"), reported(), retain=True)

    async def report_later() -> None:
        await asyncio.sleep(2)
        broker.deliver(time("r"), reported(), retain=True)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(report_later())
        with pytest.raises(ClockTakenError, match="is already active"):
            await check_alone(broker, "r")
