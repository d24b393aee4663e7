"""What a lab does when, and how late that was."""

from __future__ import annotations

import pytest

from broker.clock.pacing import Pace, PaceError
from scenarios.lab.lab import LabSettings
from scenarios.lab.virtual_clock import Agenda, VirtualClock

START_S = 1_782_021_600


async def test_what_was_to_happen_before_the_lab_began_happens_at_once_and_is_not_late() -> None:
    """A fault that holds all day counts from `--from` on; the hours before do not count as lag."""
    clock = VirtualClock(Pace(60.0), START_S)
    clock.set_paused(paused=False)
    agenda = Agenda(clock)
    done: list[int] = []
    agenda.add(START_S + 1, lambda _now_s: agenda.end())
    agenda.add(START_S - 6 * 3600, done.append)
    await agenda.run()
    assert done == [START_S]
    assert max(agenda.lags_wall_s) < 360


def test_a_pace_that_no_controller_can_follow_is_refused_before_a_broker_is_started() -> None:
    """A private Mosquitto was started first, only to be ended at once."""
    with pytest.raises(PaceError, match="a lab follows the wall clock"):
        LabSettings("street", pace=Pace.parse("max"))
