from .simulation_states import (
    ListedSimulation as ListedSimulation,
    ResultsFolder as ResultsFolder,
    entry_of as entry_of,
)

__all__ = [
    "ListedSimulation",
    "ResultsFolder",
    "entry_of",
]
