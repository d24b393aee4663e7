"""What people ask of the clock: how far a step goes."""

from __future__ import annotations

import pytest

from broker.clock.pacing import HOUR_S, Moment, Pace, RunControl
from broker.protocol.wire import Control


def paused() -> RunControl:
    """Return the gate of a run that somebody paused."""
    gate = RunControl(Pace(), 0)
    gate.take(Control(command="pause"), at(0))
    return gate


def at(time_s: int, round_: int = 0) -> Moment:
    """Return a moment of a run."""
    return Moment(time_s, round_, 0)


async def test_a_step_of_an_hour_ends_with_the_hour() -> None:
    """What happens in it happens, what comes later waits."""
    gate = paused()
    assert not gate.is_open(at(10), at(0))
    gate.take(Control(command="step", until="hour"), at(0))
    assert gate.is_open(at(10), at(0))
    assert gate.is_open(at(HOUR_S, 3), at(10))
    assert not gate.is_open(at(HOUR_S + 1), at(HOUR_S, 3))


@pytest.mark.parametrize(("until", "rounds_left"), [("event", False), ("hour", False), ("hour", True)])
async def test_a_step_through_a_quiet_night_gets_to_the_morning(until: str, *, rounds_left: bool) -> None:
    """Time moves by what happens; a step that led to nothing would lead nowhere, however often it is asked for."""
    gate = paused()
    gate.take(Control.model_validate({"command": "step", "until": until}), at(0))
    if rounds_left:
        assert gate.is_open(at(0, 1), at(0))
    assert gate.is_open(at(5 * HOUR_S), at(0, 1))
    assert gate.is_open(at(5 * HOUR_S, 1), at(5 * HOUR_S))
    assert not gate.is_open(at(5 * HOUR_S + 60), at(5 * HOUR_S, 1))
