"""Producer scores, which determine whom jobs ask first.

As in PySSMic: the lowest score first; accepting a job lowers a producer's score by 1, declining raises it by 1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

NEW_PRODUCER = 10
"""Initial score of a producer."""


class Scores:
    """The scores of the producers that take part."""

    def __init__(self, earlier: Mapping[str, int]) -> None:
        """Start from the scores of earlier simulations.

        Args:
            earlier: By producer id; scores of producers that do not join are kept for later simulations.
        """
        self._scores = dict(earlier)
        self._present: set[str] = set()

    def add(self, producer: str) -> None:
        """Add a producer to those that take part."""
        self._scores.setdefault(producer, NEW_PRODUCER)
        self._present.add(producer)

    def remove(self, producers: Collection[str]) -> None:
        """Remove producers from those that take part; their scores are kept."""
        self._present.difference_update(producers)

    def accepted(self, producer: str) -> None:
        """Lower the score of a producer that accepted a job."""
        if producer in self._present:
            self._scores[producer] -= 1

    def declined(self, producer: str) -> None:
        """Raise the score of a producer that declined a job."""
        if producer in self._present:
            self._scores[producer] += 1

    def ranking(self) -> list[str]:
        """Return the producers that take part, lowest score first, ties by id."""
        return sorted(self._present, key=lambda producer: (self._scores[producer], producer))

    def by_producer(self) -> dict[str, int]:
        """Return all scores, sorted by producer id."""
        return dict(sorted(self._scores.items()))
