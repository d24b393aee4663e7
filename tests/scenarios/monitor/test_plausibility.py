"""No message of a household can stop a watcher: impossible values are rejected and counted on receipt."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from broker.protocol import topics
from broker.protocol.wire import TimeReport
from broker.transport.base import Delivery
from broker.transport.memory import MemoryBroker
from scenarios.monitor.feed import RunFinder
from scenarios.monitor.message_log import IN_MEMORY
from scenarios.monitor.run_state import ObservedRun, natural
from scenarios.zone import Zone

RUN = "r"
NOW_S = 1_782_012_600
HUGE = 10**400


def message(**wrong: Any) -> bytes:
    """Return a message between agents with given values."""
    body = {"kind": "Decline", "job_id": "j", "reason": "r"}
    said: dict[str, Any] = {"sender": "brandt/d", "seq": 0, "to": "x", "re": None, "body": body}
    round_ = {"step": 1, "time": NOW_S, "round": 0, "messages": [said]}
    for holder in (said, round_):
        holder.update((key, value) for key, value in wrong.items() if key in holder)
    return json.dumps({"v": 6, "session": "s", "rounds": [round_]}).encode()


def job(**wrong: Any) -> bytes:
    """Return a request for a job with given values."""
    profile = {"times_s": [0, 60], "cumulative_wh": [0, 1]}
    asked = {"job_id": "j", "house": "h", "device": "d", "earliest_start_s": NOW_S, "latest_start_s": NOW_S}
    return message(body={"kind": "Request", "patient": True, "job": asked | {"load_profile": profile} | wrong})


@pytest.mark.parametrize(
    "payload",
    [
        message(seq=HUGE),
        message(seq=2**63),
        message(round=2**70),
        message(time=2**70),
        message(time=-(10**30)),
        message(sender="9" * 5000),
        message(body={"kind": "Decline", "job_id": "J" * 400_000, "reason": "r"}),
        message(body={"kind": "Accept", "job_id": "j", "start_s": HUGE}),
        message(body=[]),
        message(body={}),
        message(body={"kind": ["Decline"]}),
    ],
)
def test_impossible_messages_are_refused(payload: bytes) -> None:
    """Numbers no database takes, times no calendar has, ids as long as books, bodies of another kind."""
    watched = ObservedRun(RUN)
    watched.take(topics.inbox(RUN, "adler", "brandt"), payload)
    assert (watched.refused, watched.lines.total) == (1, 0)


@pytest.mark.parametrize(
    "payload",
    [
        job(latest_start_s=HUGE),
        job(load_profile={"times_s": [0, HUGE], "cumulative_wh": [0, 1]}),
        job(load_profile={"times_s": [0, 60], "cumulative_wh": [0, 1.7e308]}),
    ],
)
def test_an_impossible_job_is_not_drawn(payload: bytes) -> None:
    """Its producers' day is still computed."""
    watched = ObservedRun(RUN)
    watched.take(topics.inbox(RUN, "adler", "brandt"), payload)
    assert watched.refused == 1
    negotiation = watched.jobs.get("j")
    assert negotiation is None or negotiation.load_profile is None


@pytest.mark.parametrize(
    ("topic", "content"),
    [
        ("hosts/brandt", {"v": 6, "host": "b", "session": "x", "agents": ["9" * 5000 + "/x"], "state": "there"}),
        ("forecast/brandt/x", {"issued_s": HUGE, "production": {"times_s": [0, 1], "cumulative_wh": [0, 1]}}),
        ("forecast/brandt/x", {"issued_s": 0, "production": {"times_s": [0, HUGE], "cumulative_wh": [0, 1]}}),
        ("forecast/brandt/x", {"issued_s": 0, "production": {"times_s": [0, 1], "cumulative_wh": [0, 1e308]}}),
        ("time", {"v": 6, "time": HUGE, "round": 0, "step": 1, "pace": "max", "lag_wall_s": 0, "state": "running"}),
        ("roster", {"v": 6, "hosts": {"9" * 5000: {"session": "x", "agents": []}}}),
    ],
)
def test_impossible_retained_messages_are_refused(topic: str, content: dict[str, Any]) -> None:
    """Attacks 61 and 62: they come again at each start, and would end each watcher."""
    watched = ObservedRun(RUN)
    watched.take(f"ssmic/{RUN}/{topic}", json.dumps(content).encode())
    assert watched.refused == 1
    assert not watched.houses()
    assert not watched.ends_of_plans()
    assert watched.time is None


def test_the_archive_takes_what_the_watcher_takes() -> None:
    """Messages at the bounds are moved to the temporary file and read from it."""
    watched = ObservedRun(RUN)
    for seq in range(IN_MEMORY + 600):
        watched.take(topics.inbox(RUN, "adler", "brandt"), message(seq=seq, round=2**53 - 1, time=253_402_214_400))
    with closing(watched.lines) as lines:
        assert watched.refused == 0
        assert lines.get(0).round == 2**53 - 1
        assert lines.get(0).said(Zone(86_399))


def test_numbers_of_any_length_are_sorted() -> None:
    """Natural order, without converting digits to a number."""
    assert sorted(["b10", "b2", "10", "2", "9" * 5000], key=natural) == ["2", "10", "9" * 5000, "b2", "b10"]


def test_the_list_of_runs_ignores_impossible_times() -> None:
    """A clock's report that no calendar has is not offered."""
    finder = RunFinder(MemoryBroker(), "memory")
    report = TimeReport(time=0, round=0, step=0, pace="max", lag_wall_s=0.0, state="running").encoded()
    finder.take(Delivery(topics.time("r"), report.replace(b'"time":0', b'"time":1' + b"0" * 30), retain=True))
    assert not finder.runs


@pytest.mark.parametrize("time_s", [-(10**30), 10**400, -62_135_596_801])
@pytest.mark.parametrize("offset_s", [0, 86_399, -86_399])
def test_a_zone_shows_any_time(time_s: int, offset_s: int) -> None:
    """A time beyond the calendar is shown as the calendar's end."""
    assert Zone(offset_s).iso(time_s)
