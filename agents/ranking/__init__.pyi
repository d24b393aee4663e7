from .negotiation_settings import (
    ABOUT_RANKING as ABOUT_RANKING,
    MAX_AT_ONCE as MAX_AT_ONCE,
    NEGOTIATIONS as NEGOTIATIONS,
    RANKED as RANKED,
    RANKINGS as RANKINGS,
    NegotiationSettings as NegotiationSettings,
    known_rankings as known_rankings,
)
from .producer_lists import (
    ROUNDS_TO_ASK as ROUNDS_TO_ASK,
    ProducerLists as ProducerLists,
)
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

__all__ = [
    "ABOUT_RANKING",
    "MAX_AT_ONCE",
    "NEGOTIATIONS",
    "NEW_PRODUCER",
    "RANKED",
    "RANKINGS",
    "ROUNDS_TO_ASK",
    "NegotiationSettings",
    "Places",
    "ProducerLists",
    "Question",
    "Ranking",
    "Scores",
    "known_rankings",
    "ranking_for",
]
