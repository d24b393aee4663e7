from .timeline_build import (
    EventTargets as EventTargets,
    build_expectations as build_expectations,
    build_timeline as build_timeline,
    event_action as event_action,
    strategy_problem as strategy_problem,
)
from .timeline_dump import (
    expect_entries as expect_entries,
    timeline_entries as timeline_entries,
)
from .timeline_model import (
    EVENT_ENTRIES as EVENT_ENTRIES,
    MAX_SPAN_S as MAX_SPAN_S,
    ExpectEntry as ExpectEntry,
    TimelineEntry as TimelineEntry,
    after_start_s as after_start_s,
    duration_s as duration_s,
)

__all__ = [
    "EVENT_ENTRIES",
    "MAX_SPAN_S",
    "EventTargets",
    "ExpectEntry",
    "TimelineEntry",
    "after_start_s",
    "build_expectations",
    "build_timeline",
    "duration_s",
    "event_action",
    "expect_entries",
    "strategy_problem",
    "timeline_entries",
]
