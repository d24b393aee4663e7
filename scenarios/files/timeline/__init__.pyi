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
    ExpectEntry as ExpectEntry,
    TimelineEntry as TimelineEntry,
)

__all__ = [
    "EVENT_ENTRIES",
    "EventTargets",
    "ExpectEntry",
    "TimelineEntry",
    "build_expectations",
    "build_timeline",
    "event_action",
    "expect_entries",
    "strategy_problem",
    "timeline_entries",
]
