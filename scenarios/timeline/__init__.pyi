from .effects import (
    absent_at_start as absent_at_start,
    as_happened as as_happened,
    as_planned as as_planned,
    job_added as job_added,
    optional_jobs as optional_jobs,
    run_event_of as run_event_of,
)
from .inverter_counters import (
    counters_of as counters_of,
)
from .network_faults import (
    DisturbedBroker as DisturbedBroker,
    NetworkFaults as NetworkFaults,
)
from .timeline_agent import (
    ScriptControl as ScriptControl,
    TimelineAgent as TimelineAgent,
)

__all__ = [
    "DisturbedBroker",
    "NetworkFaults",
    "ScriptControl",
    "TimelineAgent",
    "absent_at_start",
    "as_happened",
    "as_planned",
    "counters_of",
    "job_added",
    "optional_jobs",
    "run_event_of",
]
