"""Producer scores: jobs ask the producers with the lowest scores first.

As in PySSMic: the lowest score first; accepting a job lowers a producer's score by 1, declining raises it by 1. Only
confirmed events count: contracts that both sides reported, once per job and producer, and refusals that a producer
reports about itself, once per job and second. So no agent can change another producer's score.

If the manager leaves a producer out of a job's list, the producer would have declined. This counts as a refusal too, at
the moment at which the job would have asked the producer (`agents.ranking.producer_lists`), so leaving it out changes
no score.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from agents.energy import IntArray

NEW_PRODUCER = 10
"""Initial score of a producer."""

MANY_SCORES = 256
"""Fewer scores are not worth the conversion."""
LARGEST_NARROW = 32_767
"""Largest score, either way, that is sorted in 16 bits."""

BoolArray = npt.NDArray[np.bool_]


def _narrow(scores: IntArray) -> npt.NDArray[np.integer]:
    """Return many scores in 16 bits if they fit: then they are sorted by digits, in a fifth of the time."""
    if len(scores) < MANY_SCORES or not -LARGEST_NARROW <= scores.min() <= scores.max() <= LARGEST_NARROW:
        return scores
    return scores.astype(np.int16)


class Scores:
    """The scores of the producers that take part. Producers are numbered in the order in which they became known."""

    def __init__(self, earlier: Mapping[str, int]) -> None:
        """Start from the scores of earlier simulations.

        Args:
            earlier: By producer id; scores of producers that do not join are kept for later simulations.
        """
        self.ids: list[str] = []
        """By number, the producers' ids."""
        self.number_of: dict[str, int] = {}
        self._scores: IntArray = np.zeros(0, dtype=np.int64)
        self._present: BoolArray = np.zeros(0, dtype=np.bool_)
        self._by_id: IntArray | None = None
        """All numbers, in the order of ids; None: not sorted since a producer became known."""
        self._there: IntArray | None = None
        """The numbers of those that take part, in the order of ids; None: to be selected again."""
        self._ranked: IntArray | None = None
        """Their numbers by score; None: to be sorted again. Jobs that become known at once get the same order."""
        self._accepted: set[tuple[str, str]] = set()
        self._declined_s = 0
        self._declined: dict[str, BoolArray] = {}
        """By job, which producers declined it in the second `_declined_s`, by number."""
        self._unheard: dict[int, int] = {}
        """By producer, how many of its refusals have not reached their consumers yet."""
        self._left_out: IntArray = np.zeros(0, dtype=np.int64)
        """By number, how often a producer was scored while left out of a list, since the last report."""
        self._know(earlier)

    def _know(self, scores: Mapping[str, int]) -> None:
        new = {producer: score for producer, score in scores.items() if producer not in self.number_of}
        self.number_of |= {producer: len(self.ids) + i for i, producer in enumerate(new)}
        self.ids += new
        self._scores = np.concatenate([self._scores, np.array(list(new.values()), dtype=np.int64)])
        self._present = np.concatenate([self._present, np.zeros(len(new), dtype=np.bool_)])
        self._by_id = self._there = self._ranked = None

    def add(self, producer: str) -> None:
        """Add a producer to those that take part."""
        if producer not in self.number_of:
            self._know({producer: NEW_PRODUCER})
        self._present[self.number_of[producer]] = True
        self._there = self._ranked = None

    @property
    def _in_order(self) -> IntArray:
        if self._by_id is None:
            self._by_id = np.array(sorted(range(len(self.ids)), key=self.ids.__getitem__), dtype=np.int64)
        return self._by_id

    def takes_part(self, producer: str) -> bool:
        """Return whether a producer takes part."""
        return producer in self.number_of and bool(self._present[self.number_of[producer]])

    def remove(self, producers: Collection[str]) -> None:
        """Remove producers from those that take part; their scores are kept."""
        self._there = self._ranked = None
        for producer in producers:
            if producer in self.number_of:
                self._present[self.number_of[producer]] = False

    def accepted(self, producer: str, job_id: str) -> None:
        """Lower the score of a producer that accepted a job."""
        if self.takes_part(producer) and (producer, job_id) not in self._accepted:
            self._accepted.add((producer, job_id))
            self._scores[self.number_of[producer]] -= 1
            self._ranked = None

    def declined(self, producer: str, job_id: str, at_s: int) -> bool:
        """Raise the score of a producer that declined a job; the ranking changes with `heard`.

        Args:
            producer: The producer.
            job_id: The job.
            at_s: Virtual time, UNIX seconds.

        Returns:
            Whether the score changed.
        """
        if not self.takes_part(producer):
            return False
        number, before = self.number_of[producer], self._declined_by(job_id, at_s)
        if before[number]:
            return False
        before[number] = True
        self._scores[number] += 1
        self._unheard[number] = self._unheard.get(number, 0) + 1
        return True

    def would_have_declined(self, numbers: IntArray, job_id: str, at_s: int) -> None:
        """Raise the scores of producers that were left out, as if the job had received a refusal of each.

        Args:
            numbers: The producers, each once.
            job_id: The job.
            at_s: Virtual time, UNIX seconds.
        """
        numbers = numbers[self._present[numbers]]
        if not len(numbers):
            return
        before = self._declined_by(job_id, at_s)
        numbers = numbers[~before[numbers]]
        before[numbers] = True
        self._scores[numbers] += 1
        self._ranked = None
        if len(self._left_out) < len(self._scores):
            missing = len(self._scores) - len(self._left_out)
            self._left_out = np.concatenate([self._left_out, np.zeros(missing, dtype=np.int64)])
        self._left_out[numbers] += 1

    def take_left_out(self) -> dict[str, int]:
        """Return, by producer, how often it was scored while left out of a list since the last call."""
        counts = {self.ids[number]: int(self._left_out[number]) for number in np.flatnonzero(self._left_out).tolist()}
        self._left_out[:] = 0
        return counts

    def _declined_by(self, job_id: str, at_s: int) -> BoolArray:
        if at_s != self._declined_s:
            self._declined_s = at_s
            self._declined.clear()
        known, count = self._declined.get(job_id), len(self._scores)
        if known is None or len(known) < count:
            grown = np.zeros(count, dtype=np.bool_)
            if known is not None:
                grown[: len(known)] = known
            self._declined[job_id] = known = grown
        return known

    def heard(self, producer: str) -> None:
        """Apply a refusal to the ranking, because its consumer has now received it."""
        number = self.number_of[producer]
        self._unheard[number] -= 1
        if not self._unheard[number]:
            del self._unheard[number]
        self._ranked = None

    def taking_part(self) -> IntArray:
        """Return the producers that take part, in the order of their ids: their numbers, read-only."""
        if self._there is None:
            self._there = self._in_order[self._present[self._in_order]]
            self._there.setflags(write=False)
        return self._there

    def ranked(self, keys: npt.NDArray[np.float64] | None = None) -> IntArray:
        """Return the numbers of the producers that take part, in order.

        Args:
            keys: By number, what counts before the score, lowest first; None: nothing does.

        Returns:
            Lowest key first, then lowest score, ties by id; shape (producers,). Read-only.
        """
        if self._ranked is None:
            self._ranked = self._by_score()
            self._ranked.setflags(write=False)
        return self._ranked if keys is None else self._ranked[np.argsort(keys[self._ranked], kind="stable")]

    def _by_score(self) -> IntArray:
        there, known = self.taking_part(), self._scores
        if self._unheard:
            known = known.copy()
            known[list(self._unheard)] -= np.array(list(self._unheard.values()), dtype=np.int64)
        return there[np.argsort(_narrow(known[there]), kind="stable")]

    def are_among(self, some: Sequence[int] | IntArray, order: IntArray) -> BoolArray:
        """Return which producers of an order are among some producers; all are given by their numbers."""
        is_one = np.zeros(len(self.ids), dtype=np.bool_)
        is_one[some] = True
        return is_one[order]

    def ranking(self) -> list[str]:
        """Return the producers that take part, lowest score first, ties by id."""
        return [self.ids[number] for number in self.ranked().tolist()]

    def by_producer(self) -> dict[str, int]:
        """Return all scores, sorted by producer id."""
        return {self.ids[number]: int(self._scores[number]) for number in self._in_order.tolist()}
