"""The producers that take part, and their scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agents.ranking import Scores


class JoinedProducers:
    """Producers that have joined and are not lost; those that have left may still have to end promises."""

    __slots__ = ("_joined", "_known", "scores")

    def __init__(self, known: Collection[str], scores: Mapping[str, int]) -> None:
        """Begin with none.

        Args:
            known: The producers of the neighbourhood: only these may join.
            scores: Scores from earlier simulations, by producer id.
        """
        self.scores = Scores(scores)
        """The scores of all that have ever joined, or have earlier scores; they tell who takes part at present."""
        self._known = known
        self._joined: set[str] = set()

    def __contains__(self, agent: str) -> bool:
        """Return whether an agent may report as a producer."""
        return agent in self._joined

    def may_join(self, sender: str, producer: str) -> bool:
        """Return whether a message may announce a producer: each announces itself, and is part of the neighbourhood."""
        return producer == sender and producer in self._known

    def add(self, producer: str) -> bool:
        """Let a producer take part, for the first time or again; return False if it already does."""
        if self.scores.takes_part(producer):
            return False
        self.scores.add(producer)
        self._joined.add(producer)
        return True

    def leave(self, producer: str) -> None:
        """Ask a producer no more; what it reports on its promises still counts."""
        self.scores.remove({producer})

    def lose(self, agents: Collection[str]) -> None:
        """Remove producers that are lost: they report no more."""
        self.scores.remove(agents)
        self._joined.difference_update(agents)
