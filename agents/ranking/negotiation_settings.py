"""Settings of the negotiation: which producers a job may ask, in which order, and how many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agents.errors import SettingsError
from agents.plugins import plugins

SHORT_LIST: Final = "short-list"
"""A job asks only producers that may have enough left: the same contracts as `RANKED`, with fewer messages."""
RANKED: Final = "ranked"
"""A job asks all producers in order until one accepts, as in PySSMic."""
NEGOTIATIONS: Final = (SHORT_LIST, RANKED)
MAX_AT_ONCE: Final = 64
RANKINGS = "ssmic.rankings"
"""Group of the entry points by which packages add rankings."""
ABOUT_RANKING: Final = {
    "scores": "those that have accepted more and declined less come first, as in PySSMic",
    "own-roof": "panels of the job's own house first",
    "price": "lowest price first: the feed-in forgone for the house's own panels, the neighbour price for all others",
    "nearest": "fewest houses in between first, in the scenario's order of houses",
    "learning": "order drawn by a learning automaton of each consumer, as in CoSSMic",
}
"""One-sentence descriptions."""


def known_rankings() -> tuple[str, ...]:
    """Return the names of all rankings, those of other packages last."""
    return (*ABOUT_RANKING, *(name for name in plugins(RANKINGS) if name not in ABOUT_RANKING))


@dataclass(frozen=True, slots=True)
class NegotiationSettings:
    """How jobs find a supplier. All agents of a run share these settings.

    Raises:
        SettingsError: Values are out of range; lists all of them.
    """

    negotiation: str = SHORT_LIST
    ask_at_once: int = 1
    """How many producers a job asks at the same time; of those that accept, it takes the one that ranks first."""
    ranking: str = "scores"
    """In which order; see `agents.ranking.rankings`."""

    def __post_init__(self) -> None:
        problems = []
        if self.negotiation not in NEGOTIATIONS:
            problems.append(f"unknown negotiation {self.negotiation!r}: expected one of {', '.join(NEGOTIATIONS)}")
        if not 1 <= self.ask_at_once <= MAX_AT_ONCE:
            problems.append(
                f"{self.ask_at_once} producers asked at once: expected a whole number from 1 to {MAX_AT_ONCE}"
            )
        if self.ranking not in known_rankings():
            problems.append(f"unknown ranking {self.ranking!r}: expected one of {', '.join(known_rankings())}")
        if problems:
            raise SettingsError(tuple(problems))

    @property
    def leaves_out(self) -> bool:
        """Whether producers that cannot serve a job are left out."""
        return self.negotiation == SHORT_LIST
