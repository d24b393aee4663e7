"""Jobs that wait because no producer could serve them: which of them to inform of a producer that has more to offer.

Only producers that a job has asked know of it. If one that was left out of its list (`agents.ranking.producer_lists`)
has more to offer later, the manager informs the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from agents.energy import FloatArray, IntArray, LoadProfile
from agents.job_needs import JobNeeds
from agents.ranking.headroom_board import MAX_LOOK, HeadroomBoard
from agents.ranking.scores import BoolArray

JOBS_A_GROUP = 3
"""Minimum number of waiting jobs with the same load that are first checked as a group."""


@dataclass(slots=True)
class _Waiting:
    """A job that no producer could serve."""

    consumer: str
    need: JobNeeds
    asked: set[int]
    """Producers that it has asked, or that were named to it while it waited: they inform it of openings themselves."""
    told_s: int | None = None
    """The second in which it was informed of a producer with more to offer, if it has not answered yet."""
    told_of: int = -1
    """Which producer that is."""
    views: int | None = None
    """How many views there were when it was last given the next producer after a refusal; None: it never was."""
    found: int | None = None
    """Which producer that was: those before it have too little for the job, unless they have published a view since.
    None: there was none."""


def _first_that_may_run(board: HeadroomBoard, job: _Waiting, numbers: IntArray, places: IntArray) -> int | None:
    """Return the first place whose producer the job has not asked, and has enough for it in each slot; None: none has.

    Args:
        board: All views.
        job: The job.
        numbers: The producers by place, shape (producers,).
        places: The places to look at, in order.
    """
    count, pairs = 1, zip(places.tolist(), numbers[places].tolist(), strict=True)
    new = (place for place, number in pairs if number not in job.asked)
    while some := list(islice(new, count)):
        found = np.flatnonzero(board.may_run(job.need, numbers[some]))
        if len(found):
            return int(some[found[0]])
        count = min(4 * count, MAX_LOOK)
    return None


def _places_to_look_at(board: HeadroomBoard, job: _Waiting, producers: IntArray) -> IntArray:
    """Return the places of all producers but those that had too little for a job and have published no view since.

    The order of the producers never changes, and one that joins is named to all waiting jobs.
    """
    if job.views is None:
        return np.arange(len(producers))
    is_to_look_at = board.has_new_view(producers, job.views)
    if job.found is not None:
        after = (producers == job.found).nonzero()[0]
        is_to_look_at[int(after[0]) if len(after) else 0 :] = True
    return is_to_look_at.nonzero()[0]


def _alike(needs: Sequence[JobNeeds]) -> list[tuple[LoadProfile, IntArray]]:
    """Return each load that at least `JOBS_A_GROUP` jobs share, and the places of these jobs, shape (jobs,)."""
    found: dict[str, tuple[LoadProfile, list[int]]] = {}
    for place, need in enumerate(needs):
        # `may_run` leaves out no producer of a job without any start.
        if need.load is not None and need.begin_s <= need.last_start_s:
            found.setdefault(need.load.digest, (need.load, []))[1].append(place)
    return [(load, np.array(places, dtype=np.int64)) for load, places in found.values() if len(places) >= JOBS_A_GROUP]


class WaitingJobs:
    """Jobs that no producer could serve, and the producers that do not know of them."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Waiting] = {}
        self._columns: tuple[IntArray, IntArray, FloatArray, FloatArray] | None = None
        """What the jobs need, in their order: begin, end, energy, peak; None: to be rebuilt."""
        self._alike: list[tuple[LoadProfile, IntArray]] = []
        """Each load that several jobs share, and the places of these jobs; rebuilt with `_columns`."""

    def add(self, job_id: str, consumer: str, need: JobNeeds, asked: Iterable[int]) -> None:
        """Add a waiting job, or replace its earlier entry.

        Args:
            job_id: The job.
            consumer: Id of the agent that is informed.
            need: What the job needs, and when.
            asked: Numbers of the producers that it knows already.
        """
        self._jobs[job_id] = _Waiting(consumer, need, set(asked))
        self._columns = None

    def remove(self, job_id: str) -> None:
        """Remove a job that no longer waits; unknown ones are ignored."""
        if self._jobs.pop(job_id, None) is not None:
            self._columns = None

    def remove_of(self, consumers: frozenset[str]) -> None:
        """Remove the jobs of lost consumers."""
        self._jobs = {job_id: job for job_id, job in self._jobs.items() if job.consumer not in consumers}
        self._columns = None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield each job with its consumer."""
        return iter([(job_id, job.consumer) for job_id, job in self._jobs.items()])

    def learn_of(self, number: int) -> None:
        """Record that all jobs know a producer."""
        for job in self._jobs.values():
            job.asked.add(number)

    def to_tell(self, producers: Sequence[int], board: HeadroomBoard, now_s: int) -> list[tuple[str, str, int]]:
        """Return the jobs to inform of producers with more to offer, and record it.

        A job is informed of one producer at a time.

        Args:
            producers: Numbers of producers with a new view, in the order in which jobs are to ask them.
            board: All views.
            now_s: Virtual time, UNIX seconds.

        Returns:
            Job, its consumer, and the producer.
        """
        if not self._jobs or not producers:
            return []
        ids = list(self._jobs)
        numbers = np.array(producers, dtype=np.int64)
        may_serve = np.stack([board.may_be_served(number, *self._needs()) for number in producers])
        self._rule_out_groups(board, numbers, may_serve)
        told: list[tuple[int, int]] = []
        for i in np.flatnonzero(may_serve.any(axis=0)).tolist():
            job = self._jobs[ids[i]]
            if job.told_s == now_s:
                continue
            place = _first_that_may_run(board, job, numbers, np.flatnonzero(may_serve[:, i]))
            if place is not None:
                told.append((place, i))
        # Each job has the first producer for it; jobs are informed producer by producer.
        return [self._tell(ids[i], self._jobs[ids[i]], producers[place], now_s) for place, i in sorted(told)]

    def _rule_out_groups(self, board: HeadroomBoard, numbers: IntArray, may_serve: BoolArray) -> None:
        """Remove pairs from `may_serve` whose producer has too little for every job with a load.

        Usually a single producer publishes a new view, and none of the many waiting jobs fits. If the load does not fit
        between the earliest begin and the latest end of the jobs' windows, it fits into none of the windows, so one
        check replaces a check of each job.

        Args:
            board: All views.
            numbers: The producers, shape (producers,).
            may_serve: Which jobs each of them may serve, shape (producers, jobs).
        """
        begin_s, end_s, _, _ = self._needs()
        for load, alike in self._alike:
            jobs = alike[may_serve[:, alike].any(axis=0)]
            some = np.flatnonzero(may_serve[:, jobs].any(axis=1))
            # With more producers than jobs, single checks are cheaper: each job soon finds a producer that has enough.
            if len(jobs) >= max(JOBS_A_GROUP, len(some)):
                any_of_them = JobNeeds(int(begin_s[jobs].min()), int(end_s[jobs].max()), 0.0, 0.0, load)
                have_too_little = some[~board.may_run(any_of_them, numbers[some])]
                may_serve[np.ix_(have_too_little, jobs)] = False

    def was_told(self, job_id: str, number: int, now_s: int) -> bool:
        """Return whether a job asks a producer only because the manager named it in this second.

        Args:
            job_id: The job.
            number: The producer's.
            now_s: Virtual time, UNIX seconds.
        """
        job = self._jobs.get(job_id)
        return job is not None and job.told_s == now_s and job.told_of == number

    def tell_next(
        self, job_id: str, producers: IntArray, board: HeadroomBoard, now_s: int
    ) -> tuple[str, str, int] | None:
        """Return the next producer to name to a job after another one has declined it; None: there is none.

        Args:
            job_id: The job, which waits.
            producers: All producers that take part, in the order in which it is to ask them.
            board: All views.
            now_s: Virtual time, UNIX seconds.
        """
        job = self._jobs[job_id]
        job.told_s = None
        places = _places_to_look_at(board, job, producers)
        places = places[board.may_serve(job.need, producers[places])]
        place = _first_that_may_run(board, job, producers, places)
        job.views, job.found = board.views, None if place is None else int(producers[place])
        return None if job.found is None else self._tell(job_id, job, job.found, now_s)

    @staticmethod
    def _tell(job_id: str, job: _Waiting, number: int, now_s: int) -> tuple[str, str, int]:
        job.asked.add(number)
        job.told_s, job.told_of = now_s, number
        return job_id, job.consumer, number

    def _needs(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        if self._columns is None:
            needs = [job.need for job in self._jobs.values()]
            self._columns = (
                np.array([need.begin_s for need in needs], dtype=np.int64),
                np.array([need.end_s for need in needs], dtype=np.int64),
                np.array([need.energy_wh for need in needs]),
                np.array([need.peak_wh for need in needs]),
            )
            self._alike = _alike(needs)
        return self._columns
