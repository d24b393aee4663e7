"""Schedulers: pure functions that decide when a producer supplies tasks, given its forecast."""

from agents.scheduling.algorithms import scheduler_for
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Replanning, Schedule, Scheduler, Task
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
    "ProducerState",
    "Rejection",
    "Replanning",
    "Schedule",
    "Scheduler",
    "Task",
    "scheduler_for",
    "settings_of",
]
