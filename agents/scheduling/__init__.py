"""Schedulers: pure functions that place tasks on a producer's forecast."""

from agents.scheduling.algorithms import is_heavy, scheduler_for
from agents.scheduling.insertion import place_by_insertion
from agents.scheduling.problem import Commitment, Plan, Problem, Scheduler, Task
from agents.scheduling.rescheduling import replan
from agents.scheduling.settings import (
    ABOUT_ALGORITHM,
    ALGORITHMS,
    ALGORITHMS_WITH,
    INSERTION,
    MAX_STEP_S,
    AlgorithmSettings,
    settings_of,
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
