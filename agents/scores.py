"""Producers' scores: who is asked first. As in PySSMic, the lowest is; accepting lowers it, declining raises it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

NEW_PRODUCER = 10
"""The score that a producer starts with."""


class Scores:
    """The scores of the producers that take part."""

    def __init__(self, earlier: Mapping[str, int]) -> None:
        """Start from earlier scores.

        Args:
            earlier: By producer id; those that do not join are kept for another time.
        """
        self._scores = dict(earlier)
        self._present: set[str] = set()

    def add(self, producer: str) -> None:
        """Let a producer take part."""
        self._scores.setdefault(producer, NEW_PRODUCER)
        self._present.add(producer)

    def remove(self, producers: Collection[str]) -> None:
        """Let producers take part no more; their scores are kept."""
        self._present.difference_update(producers)

    def accepted(self, producer: str) -> None:
        """Note that a producer accepted a job."""
        if producer in self._present:
            self._scores[producer] -= 1

    def declined(self, producer: str) -> None:
        """Note that a producer declined a job."""
        if producer in self._present:
            self._scores[producer] += 1

    def ranking(self) -> list[str]:
        """Return those that take part, the lowest score first, ties by id."""
        return sorted(self._present, key=lambda producer: (self._scores[producer], producer))

    def by_producer(self) -> dict[str, int]:
        """Return all scores, sorted by producer id."""
        return dict(sorted(self._scores.items()))
