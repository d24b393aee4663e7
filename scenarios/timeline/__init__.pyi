from .director import (
    Director as Director,
    Script as Script,
)
from .effects import (
    absent_at_start as absent_at_start,
    as_happened as as_happened,
    as_planned as as_planned,
    happening_of as happening_of,
    job_added as job_added,
    optional_jobs as optional_jobs,
)
from .inverter_counters import (
    counters_of as counters_of,
)
from .network_faults import (
    Disturbances as Disturbances,
    DisturbedBroker as DisturbedBroker,
)

__all__ = [
    "Director",
    "Disturbances",
    "DisturbedBroker",
    "Script",
    "absent_at_start",
    "as_happened",
    "as_planned",
    "counters_of",
    "happening_of",
    "job_added",
    "optional_jobs",
]
