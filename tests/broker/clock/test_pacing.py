"""User commands to the clock: how far a step goes."""

from __future__ import annotations

import asyncio

import pytest

from broker.clock.pacing import HOUR_S, CatchUp, Moment, Pace, PaceError, RunControl
from broker.protocol.bounds import MAX_TIME_S
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


@pytest.mark.parametrize("pace", ["1e300x", "1e-300x", "2000000000x", "0.0001x", "infx", "nanx", "-1x", "0x", "fast"])
def test_a_pace_at_which_times_would_not_fit_into_a_report_is_refused(pace: str) -> None:
    """Anyone who may command a run can send it; the run would end with the first report."""
    with pytest.raises(PaceError, match="expected 'max' or a factor"):
        Pace.parse(pace)


@pytest.mark.looptime
async def test_a_run_that_waits_for_input_at_the_highest_pace_stops_at_the_latest_time() -> None:
    """It has no end and no timers, so nothing else would stop virtual time."""
    control = RunControl(Pace.parse("1000000000x"), 0)
    control.start()
    waiting = asyncio.create_task(control.wait_for_others())
    await asyncio.sleep(HOUR_S)
    assert control.reached_s(at(0)) == MAX_TIME_S
    control.apply(Control(command="stop"), at(0))
    await waiting
    assert control.stopped_at_s == MAX_TIME_S


@pytest.mark.looptime
@pytest.mark.parametrize(("catch_up", "owed_s"), [("none", 0.0), ("2x", 6_000.0), ("max", 0.0)])
async def test_time_owed_is_reported_within_its_limit_at_any_pace(catch_up: str, owed_s: float) -> None:
    """A hundred seconds at 60x are owed, made up for at once, or lost; at the lowest pace, 6000 s take months."""
    control = RunControl(Pace.parse("60x"), 0, catch_up=CatchUp.parse(catch_up))
    control.start()
    loop = asyncio.get_running_loop()
    await asyncio.sleep(100)
    control.leave_out(loop.time() - 100, loop.time())
    assert control.state.owed_s == pytest.approx(owed_s)
    assert control.state.reached_s == pytest.approx(6_000.0 if catch_up == "max" else 0.0)
    control.apply(Control(command="pace", pace="0.001x"), at(0))
    assert control.lag_wall_s(at(round(control.state.reached_s))) == pytest.approx(1_000 * owed_s)
    control.leave_out(loop.time(), loop.time() + 10**12)
    assert control.lag_wall_s(at(0)) <= MAX_TIME_S


@pytest.mark.looptime
@pytest.mark.parametrize("command", [Control(command="pace", pace="max"), Control(command="pause")], ids=str)
async def test_time_that_has_passed_does_not_come_again_for_input_from_outside(command: Control) -> None:
    """After a quiet hour, a device's message at the pace `max` counted as one of a second after the last event."""
    control = RunControl(Pace.parse("60x"), 0)
    control.start()
    waiting = asyncio.create_task(control.wait_for_others())
    await asyncio.sleep(60)
    assert control.reached_s(at(0)) == control.paced_time_s(0) == HOUR_S
    control.apply(command, at(0))
    await asyncio.sleep(60)
    await waiting
    assert control.reached_s(at(0)) == control.paced_time_s(0) == HOUR_S
