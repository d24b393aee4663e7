from .director import (
    Director as Director,
    ScriptControl as ScriptControl,
)
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

__all__ = [
    "Director",
    "DisturbedBroker",
    "NetworkFaults",
    "ScriptControl",
    "absent_at_start",
    "as_happened",
    "as_planned",
    "counters_of",
    "job_added",
    "optional_jobs",
    "run_event_of",
]
