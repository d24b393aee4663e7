"""From an algorithm's settings to the scheduler that they describe."""

from __future__ import annotations

from agents.scheduling.fifty_fifty import fifty_fifty
from agents.scheduling.insertion import insertion
from agents.scheduling.problem import Scheduler
from agents.scheduling.settings import FIFTY_FIFTY, AlgorithmSettings


def scheduler_for(settings: AlgorithmSettings) -> Scheduler:
    """Return the scheduler that the settings describe; SciPy is imported only if it is one that needs it."""
    if settings.name == FIFTY_FIFTY:
        return fifty_fifty
    return insertion


def is_heavy(settings: AlgorithmSettings) -> bool:
    """Say whether a decision takes long enough to belong in a thread."""
    return settings.name not in {FIFTY_FIFTY, "insertion"}
