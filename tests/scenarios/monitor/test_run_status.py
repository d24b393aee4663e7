"""One state of a run for all screens, for each report and each absence of reports."""

from __future__ import annotations

from typing import Any

import pytest

from broker.protocol.wire import TimeReport
from scenarios.monitor.run_status import status_of_run


def report(**more: Any) -> TimeReport:
    """Return a report of a run in progress, with changes."""
    said = {"time": 0, "round": 0, "step": 5, "pace": "60x", "lag_wall_s": 0.0, "state": "running", "every_wall_s": 2.0}
    return TimeReport.model_validate({**said, **more})


@pytest.mark.parametrize(
    ("said", "seen", "kind", "words"),
    [
        ({}, {}, "running", "running"),
        ({}, {"silent_wall_s": 7.9}, "running", "running"),
        ({}, {"silent_wall_s": 26.0}, "stalled", "stalled, no sign of the clock (26 s)"),
        ({"every_wall_s": 0.0}, {"silent_wall_s": 3600.0}, "running", "running"),
        ({"waiting_for": ["adler"], "waiting_wall_s": 2.0}, {}, "running", "running"),
        (
            {"waiting_for": ["adler"], "waiting_wall_s": 25.0},
            {"silent_wall_s": 1.0},
            "stalled",
            "stalled, waiting for adler (26 s)",
        ),
        (
            {"waiting_for": ["a", "b", "c", "d"], "waiting_more": 6, "waiting_wall_s": 75.0},
            {},
            "stalled",
            "stalled, waiting for a, b, c and 7 more (1 min 15 s)",
        ),
        ({"state": "waiting", "waiting_for": ["a", "b"], "waiting_wall_s": 1.0}, {}, "waiting", "waiting for a and b"),
        ({"state": "waiting", "waiting_for": ["a"], "waiting_wall_s": 9.0}, {}, "waiting", "waiting for a (9 s)"),
        ({"state": "paused"}, {}, "paused", "paused"),
        ({"state": "paused", "paused_by": "ann@desk"}, {}, "paused", "paused by ann@desk"),
        ({"state": "paused", "paused_by": "ann@desk"}, {"me": "ann@desk"}, "paused", "paused by you"),
        (
            {"state": "paused", "paused_by": "ann@desk", "waiting_for": ["a"], "waiting_wall_s": 9.0},
            {},
            "paused",
            "paused by ann@desk, waiting for a",
        ),
        ({"waiting_for": ["a"], "busy": ["a"], "waiting_wall_s": 9.0}, {}, "running", "running, a is still busy"),
        (
            {"waiting_for": ["a", "b", "c"], "busy": ["a", "c"], "waiting_wall_s": 9.0},
            {},
            "stalled",
            "stalled, waiting for b (9 s)",
        ),
        ({"state": "paused"}, {"silent_wall_s": 60.0}, "stalled", "stalled, no sign of the clock (1 min 0 s)"),
        ({"state": "ended"}, {"link": "unreachable", "silent_wall_s": 1e6}, "ended", "ended"),
        ({"state": "ended", "stopped_by": "ann@desk"}, {}, "ended", "ended, stopped by ann@desk"),
        ({}, {"is_over": True, "link": "unreachable"}, "ended", "ended"),
        ({"state": "ended"}, {"has_clock_left": True, "link": "unreachable"}, "ended", "ended"),
        ({}, {"has_clock_left": True, "link": "unreachable"}, "ended", "interrupted, the clock has left"),
        ({"state": "failed"}, {"link": "reconnecting"}, "failed", "failed"),
        ({}, {"link": "reconnecting"}, "disconnected", "disconnected, trying again"),
        ({}, {"link": "unreachable", "problem": "no route"}, "disconnected", "disconnected, trying again: no route"),
        ({"state": "paused"}, {"link": "connecting"}, "connecting", "connecting to the broker"),
    ],
)
def test_the_description_of_a_report(said: dict[str, Any], seen: dict[str, Any], kind: str, words: str) -> None:
    """An estimate is given only for a run that advances."""
    standing = status_of_run(report(**said), **seen)
    assert (standing.kind, standing.words) == (kind, words)
    assert standing.moves == (kind == "running")


def test_a_run_without_a_report() -> None:
    """It has not begun, or there is no connection."""
    assert status_of_run(None).words == "waiting for the run to begin"
    assert status_of_run(None, link="unreachable", problem="no such host").kind == "disconnected"


def test_a_run_whose_clock_has_disappeared_is_not_running() -> None:
    """Its last will says so."""
    status = status_of_run(TimeReport(time=0, round=0, step=0, pace="", lag_wall_s=0.0, state="gone"))
    assert (status.kind, status.awaited) == ("stalled", ("clock",))
    assert not status.moves
