from .algorithms import (
    is_heavy as is_heavy,
    scheduler_for as scheduler_for,
)
from .insertion import (
    place_by_insertion as place_by_insertion,
)
from .problem import (
    Commitment as Commitment,
    Plan as Plan,
    Problem as Problem,
    Scheduler as Scheduler,
    Task as Task,
)
from .rescheduling import (
    replan as replan,
)
from .settings import (
    ABOUT_ALGORITHM as ABOUT_ALGORITHM,
    ALGORITHMS as ALGORITHMS,
    ALGORITHMS_WITH as ALGORITHMS_WITH,
    INSERTION as INSERTION,
    MAX_STEP_S as MAX_STEP_S,
    AlgorithmSettings as AlgorithmSettings,
    settings_of as settings_of,
)

__all__ = [
    "ABOUT_ALGORITHM",
    "ALGORITHMS",
    "ALGORITHMS_WITH",
    "INSERTION",
    "MAX_STEP_S",
    "AlgorithmSettings",
    "Commitment",
    "Plan",
    "Problem",
    "Scheduler",
    "Task",
    "is_heavy",
    "place_by_insertion",
    "replan",
    "scheduler_for",
    "settings_of",
]
