"""What a job is offered: the producers that have energy left for it, and how much of it in each minute."""

from __future__ import annotations

from collections.abc import Mapping

from agents.job_needs import JobNeeds
from agents.job_register import RegisteredJob
from agents.messages import MAX_OFFERS, Offer
from agents.ranking import Scores
from agents.shares import MINUTE_S
from agents.sharing.board import MAX_RUNS_OF_OFFER, EnergyBoard, most_mwh
from agents.sharing.signed_shares import SignedShares

MOST_OFFERS = 12
"""Maximum number of producers in an offer, besides those of the job's household and those that supply it."""
MOST_RUNS_OF_OFFERS = MOST_OFFERS * MAX_RUNS_OF_OFFER
"""Maximum number of runs in all offers of a message: a job with a hundred suppliers sees less detail of each."""
MAX_TO_MAKE_ROOM = 4
"""Jobs learn what others could give up only where at most this many producers take part. With more, several of them
would have to make room at the same time: on a hundred houses with forty roofs and a demand of 1.5 times the production,
a fifth of all messages were about room, without an effect on coverage."""
LEAST_LEFT = 0.02
"""Other producers are named only if they have at least this share of the job's energy left in its window."""


class JobOffers:
    """Reads from the board what producers have left for a job."""

    def __init__(self, scores: Scores, board: EnergyBoard, shares: SignedShares, house_of: Mapping[str, str]) -> None:
        """Read for all jobs of a run.

        Args:
            scores: The producers that take part, in the order in which equal ones are offered.
            board: What each has left.
            shares: Who supplies a job already.
            house_of: By producer, its house.
        """
        self._scores = scores
        self._board = board
        self._shares = shares
        self._house_of = house_of
        self._own: dict[str, frozenset[int]] = {}
        """By house, the numbers of its producers."""

    def take_newcomer(self) -> None:
        """Note that a producer has joined: a house may have one more."""
        self._own.clear()

    def of(
        self, job: RegisteredJob, need: JobNeeds, now_s: int, but: frozenset[str] = frozenset()
    ) -> tuple[int, tuple[Offer, ...]]:
        """Return the UNIX minute with which a job's offers begin, and the offers, best first.

        Args:
            job: The job.
            need: When it can run.
            now_s: Virtual time, UNIX seconds.
            but: Producers that it does not trust.
        """
        job_id = job.sent.job_id
        number_of, ids = self._scores.number_of, self._scores.ids
        ranked = self._scores.ranked().tolist()
        numbers = [n for n in ranked if ids[n] not in but] if but else ranked
        supplying = [number_of[p] for p in self._shares.suppliers(job_id) if p not in but]
        first = self._own_of(job.house) | frozenset(supplying)
        most = min(MOST_OFFERS + len(first), MAX_OFFERS)
        order = self._board.ranked(numbers, need, first, LEAST_LEFT * job.sent_energy_wh, most)
        first_minute = need.begin_s // MINUTE_S
        minutes = max(1, -(-need.end_s // MINUTE_S) - first_minute)
        most_runs = min(MAX_RUNS_OF_OFFER, MOST_RUNS_OF_OFFERS // max(1, len(order)))
        in_minute_mwh = most_mwh(job.sent)
        movable_after_s = now_s if len(numbers) <= MAX_TO_MAKE_ROOM else None
        if movable_after_s is not None:  # those that have nothing left, too: others may make room there
            order += [n for n in numbers if n not in order and self._board.knows(n)]
        offers = []
        for number in order:
            left, movable = self._board.offer(
                number, job_id, first_minute, minutes, in_minute_mwh, movable_after_s, most_runs
            )
            if left or movable:
                offers.append(Offer(producer=ids[number], minutes_mwh=left, movable_mwh=movable))
        return first_minute, tuple(offers)

    def _own_of(self, house: str) -> frozenset[int]:
        """Return the numbers of the producers of a house."""
        own = self._own.get(house)
        if own is None:
            numbers = self._scores.number_of.items()
            own = frozenset(number for producer, number in numbers if self._house_of.get(producer) == house)
            self._own[house] = own
        return own
