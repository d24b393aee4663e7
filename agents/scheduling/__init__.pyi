from .algorithms import (
    scheduler_for as scheduler_for,
)
from .blas_threads import (
    one_blas_thread as one_blas_thread,
)
from .compulsory_draw import (
    MAX_COMPULSORY_TASKS as MAX_COMPULSORY_TASKS,
    CompulsoryDraw as CompulsoryDraw,
)
from .insertion import (
    Insertion as Insertion,
)
from .problem import (
    Commitment as Commitment,
    ProducerState as ProducerState,
    Rejection as Rejection,
    Replanning as Replanning,
    Schedule as Schedule,
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
    algorithm_name as algorithm_name,
    known_algorithms as known_algorithms,
    settings_of as settings_of,
)
from .time_grid import (
    BIN_S as BIN_S,
    TOLERANCE_WH as TOLERANCE_WH,
    add as add,
    first_covered as first_covered,
)

__all__ = [
    "ABOUT_ALGORITHM",
    "ALGORITHMS",
    "ALGORITHMS_WITH",
    "BIN_S",
    "INSERTION",
    "MAX_COMPULSORY_TASKS",
    "MAX_STEP_S",
    "TOLERANCE_WH",
    "AlgorithmSettings",
    "Commitment",
    "Insertion",
    "ProducerState",
    "Rejection",
    "Replanning",
    "Schedule",
    "Scheduler",
    "Task",
    "add",
    "algorithm_name",
    "first_covered",
    "known_algorithms",
    "one_blas_thread",
    "replan",
    "scheduler_for",
    "settings_of",
]
