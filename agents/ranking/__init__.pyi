from .rankings import (
    Places as Places,
    Question as Question,
    Ranking as Ranking,
    ranking_for as ranking_for,
)
from .scores import (
    NEW_PRODUCER as NEW_PRODUCER,
    Scores as Scores,
)
from .short_list import (
    FIRST_PORTION as FIRST_PORTION,
    ROUNDS_TO_ASK as ROUNDS_TO_ASK,
    Board as Board,
    Negotiation as Negotiation,
    WaitingJobs as WaitingJobs,
)

__all__ = [
    "FIRST_PORTION",
    "NEW_PRODUCER",
    "ROUNDS_TO_ASK",
    "Board",
    "Negotiation",
    "Places",
    "Question",
    "Ranking",
    "Scores",
    "WaitingJobs",
    "ranking_for",
]
