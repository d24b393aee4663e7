"""Producer scores, which determine whom jobs ask first.

As in PySSMic: the lowest score first; accepting a job lowers a producer's score by 1, declining raises it by 1. Only
confirmed facts count: contracts that both sides reported, once for each job and producer, and what a producer says that
it declined, once for each job and second. So nobody can change another producer's score.
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
        self._accepted: set[tuple[str, str]] = set()
        self._declined_s: dict[tuple[str, str], int] = {}
        """By producer and job, when it was declined last, UNIX seconds."""
        self._unheard: dict[str, int] = {}
        """By producer, how many of its refusals have not reached their consumers yet."""

    def add(self, producer: str) -> None:
        """Add a producer to those that take part."""
        self._scores.setdefault(producer, NEW_PRODUCER)
        self._present.add(producer)

    def takes_part(self, producer: str) -> bool:
        """Return whether a producer takes part."""
        return producer in self._present

    def remove(self, producers: Collection[str]) -> None:
        """Remove producers from those that take part; their scores are kept."""
        self._present.difference_update(producers)

    def accepted(self, producer: str, job_id: str) -> None:
        """Lower the score of a producer that accepted a job."""
        if producer in self._present and (producer, job_id) not in self._accepted:
            self._accepted.add((producer, job_id))
            self._scores[producer] -= 1

    def declined(self, producer: str, job_id: str, at_s: int) -> bool:
        """Raise the score of a producer that declined a job; the ranking follows with `heard`.

        Args:
            producer: The producer.
            job_id: The job.
            at_s: Virtual time, UNIX seconds.

        Returns:
            Whether the score changed.
        """
        if producer not in self._present or self._declined_s.get((producer, job_id)) == at_s:
            return False
        self._declined_s[producer, job_id] = at_s
        self._scores[producer] += 1
        self._unheard[producer] = self._unheard.get(producer, 0) + 1
        return True

    def heard(self, producer: str) -> None:
        """Let a refusal count in the ranking: its consumer has heard it by now."""
        self._unheard[producer] -= 1

    def ranking(self) -> list[str]:
        """Return the producers that take part, lowest score first, ties by id."""
        return sorted(
            self._present, key=lambda producer: (self._scores[producer] - self._unheard.get(producer, 0), producer)
        )

    def by_producer(self) -> dict[str, int]:
        """Return all scores, sorted by producer id."""
        return dict(sorted(self._scores.items()))
