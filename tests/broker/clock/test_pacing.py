"""User commands to the clock: how far a step goes."""

from __future__ import annotations

import asyncio

import pytest

from broker.clock.pacing import HOUR_S, Moment, Pace, RunControl
from broker.protocol.wire import Control


def paused() -> RunControl:
    """Return the control of a paused run."""
    control = RunControl(Pace(), 0)
    control.start()
    control.apply(Control(command="pause"), at(0))
    return control


def at(time_s: int, round_: int = 0) -> Moment:
    """Return a moment of a run."""
    return Moment(time_s, round_, 0)


async def test_a_step_of_an_hour_ends_with_the_hour() -> None:
    """Events within the hour take place, later ones wait."""
    control = paused()
    assert not control.permits(at(10), at(0))
    control.apply(Control(command="step", until="hour"), at(0))
    assert control.permits(at(10), at(0))
    assert control.permits(at(HOUR_S, 3), at(10))
    assert not control.permits(at(HOUR_S + 1), at(HOUR_S, 3))


@pytest.mark.parametrize(("until", "rounds_left"), [("event", False), ("hour", False), ("hour", True)])
async def test_a_step_through_a_quiet_night_gets_to_the_morning(until: str, *, rounds_left: bool) -> None:
    """Time moves by what happens; a step without an event would lead nowhere, however often it is requested."""
    control = paused()
    control.apply(Control.model_validate({"command": "step", "until": until}), at(0))
    if rounds_left:
        assert control.permits(at(0, 1), at(0))
    assert control.permits(at(5 * HOUR_S), at(0, 1))
    assert control.permits(at(5 * HOUR_S, 1), at(5 * HOUR_S))
    assert not control.permits(at(5 * HOUR_S + 60), at(5 * HOUR_S, 1))


@pytest.mark.looptime
async def test_a_run_that_waits_for_its_pace_does_not_lag() -> None:
    """If the next event is hours away, the run is on time until that event is overdue."""
    control = RunControl(Pace.parse("60x"), 0)
    control.start()
    waiting = asyncio.create_task(control.wait_due(at(HOUR_S)))
    await asyncio.sleep(59)
    assert control.lag_wall_s(at(0)) == 0
    await waiting
    assert control.is_due(at(HOUR_S))
    await asyncio.sleep(5)
    assert control.lag_wall_s(at(HOUR_S)) == pytest.approx(5, abs=0.1), "hosts take longer than the pace allows"
    control.apply(Control(command="pause"), at(HOUR_S))
    assert control.lag_wall_s(at(HOUR_S)) == 0
