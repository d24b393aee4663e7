"""Short lists: the producers that a job should ask, with the same result as asking all producers in order.

When a job looks for a supplier, the manager ranks all producers that take part, and leaves out those that cannot serve
the job according to their view (`agents.headroom`). The job receives the others in portions; the manager continues
where the job is. The job behaves as if it asked all producers:

- It asks each producer in the same round as without short lists: the list states how many producers were left out
  before each one, and the job skips two rounds for each of them. Rounds in which no agent acts cost nothing, and each
  producer receives the requests of one second in the same order.
- A producer that was left out is scored as if it had declined, from the round in which the job would have received the
  refusal, and only if the job got that far.

Two things differ, because only producers that were asked know a job. If a producer that was left out has more to offer
later, the manager informs waiting jobs; this happens later in the same second than if the producer did it itself. And
refusals that follow are not scored, because without an opening the job would not have asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agents.energy import IntArray
from agents.ranking.scores import BoolArray, Scores

FIRST_PORTION = 2
"""Size of the first portion of a list; each further portion is as large as all before together."""
MAX_PORTION = 64
ROUNDS_TO_ASK = 2
"""Rounds from one request of a job to its next one: for the request and for the answer."""
ROUNDS_TO_HEAR = 4
"""Rounds from a job's question to the manager until it receives the first producer's answer."""
FIRST_LOOK = 8
"""How many producers are first checked slot by slot; most jobs need no more."""
MAX_LOOK = 512


@dataclass(frozen=True, slots=True)
class Portion:
    """The next producers that a job may ask."""

    producers: tuple[int, ...]
    left_out: tuple[int, ...]
    """How many were left out before each of them, and after the last one if no more follow."""


@dataclass(slots=True)
class Negotiation:
    """A job that looks for a supplier, from its question to the manager until it has a contract or waits."""

    job_id: str
    consumer: str
    at_s: int
    step: int
    """The step in which it asked the manager."""
    order: IntArray
    """All producers that it would ask, in order."""
    is_listed: BoolArray
    """Which of them are listed; a later check of their slots may show that they cannot serve the job."""
    considered: IntArray
    """All producers that it would have asked by its end, those of earlier lists included."""
    portion: int
    """Size of the next portion."""
    look: Callable[[IntArray], BoolArray] | None = None
    """Tells which producers have enough in each slot; None: all. It is called only as far as the job gets in the
    list."""
    _looked: int = 0
    """Up to which place it has been asked."""
    _scored: int = 0
    """Up to which place those that were left out have been scored."""
    _told: int = 0
    """The place up to which they have been named."""
    _named: int = 0
    """How many have been named."""

    def next_portion(self) -> Portion:
        """Return the next producers to ask."""
        self._look_for(self.portion + 1)
        places = np.flatnonzero(self.is_listed[self._told :])[: self.portion] + self._told
        before = np.concatenate([[self._told - 1], places[:-1]]) if len(places) else places
        left_out = (places - before - 1).tolist()
        self._told = int(places[-1]) + 1 if len(places) else self._told
        if not self.is_listed[self._told :].any():
            left_out.append(len(self.order) - self._told)
            self._told = len(self.order)
        self._named += len(places)
        self.portion = min(MAX_PORTION, max(self.portion, self._named))
        return Portion(tuple(self.order[places].tolist()), tuple(left_out))

    def _look_for(self, count: int) -> None:
        """Check producers until this many more that may serve the job are found, or all have been checked."""
        step = FIRST_LOOK
        while self.look is not None and self._looked < len(self.order):
            if np.count_nonzero(self.is_listed[self._told : self._looked]) >= count:
                return
            listed = np.flatnonzero(self.is_listed[self._looked :])[:step] + self._looked
            self._look_until(int(listed[-1]) + 1 if len(listed) == step else len(self.order))
            step = min(4 * step, MAX_LOOK)

    def _look_until(self, end: int) -> None:
        """Look at all producers before a place in the order."""
        if self.look is not None and end > self._looked:
            listed = np.flatnonzero(self.is_listed[self._looked : end]) + self._looked
            self.is_listed[listed] = self.look(self.order[listed])
            self._looked = end

    def score_until(self, step: int, sender: str, scores: Scores) -> None:
        """Score those left out whose refusal the job would have received before a message of another agent was sent.

        Args:
            step: The step in which that message was sent.
            sender: The other agent.
            scores: The producers' scores.
        """
        reached = (step - self.step - ROUNDS_TO_HEAR) // ROUNDS_TO_ASK + 1
        at_place_step = self.step + ROUNDS_TO_HEAR + ROUNDS_TO_ASK * (reached - 1)
        if at_place_step == step and self.consumer > sender:
            reached -= 1
        self.score_places(reached, scores)

    def score_places(self, end: int, scores: Scores) -> None:
        """Score those left out before a place in the order."""
        end = min(end, len(self.order))
        if end <= self._scored:
            return
        self._look_until(end)
        places = slice(self._scored, end)
        scores.would_have_declined(self.order[places][~self.is_listed[places]], self.job_id, self.at_s)
        self._scored = end

    def place_of(self, number: int) -> int:
        """Return a producer's place in the order; the end if it is not in it."""
        found = np.flatnonzero(self.order == number)
        return int(found[0]) if len(found) else len(self.order)
