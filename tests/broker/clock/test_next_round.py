"""Which round follows which: a pure function of what the last one has left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.clock.next_round import Counts, PendingWork, RunEnd, ScheduledRound, first_round, next_round

HOSTS = ("a", "b")
LAST = replace(first_round(60, HOSTS), phase="run", step=7, round=2)
"""The third round of second 60."""


def following(
    last: ScheduledRound = LAST, addressed: Counts | None = None, end: RunEnd | None = None, **left: Any
) -> ScheduledRound | None:
    """Return the round that follows, where nothing is left to do unless `left` says so."""
    pending = PendingWork(**{"timers_s": {}, **left})
    return next_round(last, HOSTS, addressed or {}, pending, end or RunEnd())


def test_unanswered_requests_lapse_once_and_before_time_advances() -> None:
    """An agent that asks the same again in the round of the lapse does not hold the run up for ever."""
    lapse = following(asking=("a",), timers_s={"b": 90})
    assert lapse is not None
    assert (lapse.time_s, lapse.round, lapse.step, lapse.lapse, lapse.counts) == (60, 3, 8, True, {"a": {}})
    after = following(lapse, asking=("a",), timers_s={"b": 90})
    assert after is not None
    assert (after.time_s, after.round, after.step, after.lapse, after.counts) == (90, 0, 9, False, {"b": {}})


def test_messages_in_flight_come_before_skipped_rounds_and_these_before_time_advances() -> None:
    """Skipped rounds are counted and not run."""
    in_flight = following(addressed={"b": {"a": 2}}, resumes={"a": 10}, timers_s={"b": 90})
    assert in_flight is not None
    assert (in_flight.step, in_flight.round, in_flight.counts) == (8, 3, {"b": {"a": 2}})
    skipped = following(resumes={"a": 10, "b": 12}, timers_s={"b": 90})
    assert skipped is not None
    assert (skipped.time_s, skipped.step, skipped.round, skipped.counts) == (60, 10, 5, {"a": {}})


@pytest.mark.parametrize(
    ("stopped_at_s", "timer_s", "ends_s"), [(75, 90, 75), (95, 90, 89), (75, None, 75), (30, 90, 60)]
)
def test_a_run_that_is_stopped_ends_before_its_next_timer(stopped_at_s: int, timer_s: int | None, ends_s: int) -> None:
    """It ends where virtual time was, which may have passed the last event, and never the next one."""
    closing = following(end=RunEnd(stopped_at_s=stopped_at_s), timers_s={"a": timer_s})
    assert closing is not None
    assert (closing.phase, closing.time_s, closing.acted_until_s) == ("closing", ends_s, ends_s)


@pytest.mark.parametrize(
    ("timer_s", "phase", "time_s"), [(99, "run", 99), (100, "closing", 100), (None, "closing", 100)]
)
def test_a_run_ends_at_its_end_and_timers_of_that_second_no_longer_fire(
    timer_s: int | None, phase: str, time_s: int
) -> None:
    """The end is exclusive."""
    found = following(end=RunEnd(end_s=100), timers_s={"a": timer_s})
    assert found is not None
    assert (found.phase, found.time_s) == (phase, time_s)


def test_a_run_that_is_repeated_stops_after_the_last_second_of_the_first_one() -> None:
    """Timers of that second fire."""
    fires = following(end=RunEnd(stop_after_s=90), timers_s={"a": 90})
    assert fires is not None
    assert (fires.phase, fires.time_s) == ("run", 90)
    stops = following(end=RunEnd(stop_after_s=89), timers_s={"a": 90})
    assert stops is not None
    assert (stops.phase, stops.time_s) == ("closing", 89)


def test_hosts_leave_in_a_last_round_once_nothing_is_in_flight() -> None:
    """The rounds that the closing round causes come first; no round follows the last one."""
    closing = following()
    assert closing is not None
    busy = following(closing, addressed={"a": {"b": 1}})
    assert busy is not None
    assert (closing.phase, busy.phase, busy.counts) == ("closing", "closing", {"a": {"b": 1}})
    last = following(busy)
    assert last is not None
    assert (last.phase, last.counts) == ("end", {"a": {}, "b": {}})
    assert following(last, timers_s={"a": 90}, asking=("a",)) is None
