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

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, IntArray, LoadProfile
from agents.headroom import (
    MARGIN_WH,
    MAX_BLOCKS,
    MIN_BLOCK_S,
    SLOTS_A_BLOCK,
    Need,
    View,
    coarse_slots_wh,
    may_run,
    may_run_at,
)
from agents.ranking.scores import BoolArray, Scores
from agents.scheduling import BIN_S

FIRST_PORTION = 2
"""Size of the first portion of a list; each further portion is as large as all before together."""
MAX_PORTION = 64
ROUNDS_TO_ASK = 2
"""Rounds from one request of a job to its next one: for the request and for the answer."""
ROUNDS_TO_HEAR = 4
"""Rounds from a job's question to the manager until it receives the first producer's answer."""
JOBS_A_GROUP = 3
"""Minimum number of waiting jobs with the same load that are first checked as a group."""
FIRST_LOOK = 8
"""How many producers are first checked slot by slot; most jobs need no more."""
MAX_LOOK = 512
FEW_VIEWS = 3
"""Up to this many fine views are compared one by one, which takes less time than preparing a common comparison."""
MANY_PRODUCERS = 256
"""With fewer, it takes no longer to look at all of them for each job."""
MAX_STRETCHES = 256
"""For how many pairs of hours the most that producers may have is kept."""
_SHARE = 1e-6
"""By how much a bound may be exceeded besides the margin, as a share: bounds are kept in single precision."""


@dataclass(frozen=True, slots=True)
class _FineSlots:
    """The slots of a fine view."""

    from_s: int
    slot_s: int
    slots_wh: npt.NDArray[np.float32]
    """In the best minute of each, Wh, shape (slots,)."""

    def within(self, need: Need) -> tuple[int, npt.NDArray[np.float32]]:
        """Return the begin, UNIX seconds, and the energies of the slots that a job's runs can touch."""
        first = min(max((need.begin_s - self.from_s) // self.slot_s, 0), len(self.slots_wh))
        end = min(max(-(-(need.end_s - self.from_s) // self.slot_s), first), len(self.slots_wh))
        return self.from_s + first * self.slot_s, self.slots_wh[first:end]


@dataclass(slots=True)
class _Most:
    """The most that producers may have for jobs which run between two times, shape (producers,)."""

    energy_wh: npt.NDArray[np.float32]
    peak_wh: npt.NDArray[np.float32]
    """In one minute."""
    views: int
    """How many views have been taken into account."""

    def covers(self, need: Need) -> BoolArray:
        """Return which producers have enough for a job."""
        found: BoolArray = (self.energy_wh >= need.energy_wh) & (self.peak_wh >= need.peak_wh)
        return found


class Board:
    """The producers' views, by number, in arrays, so that one operation finds all producers that may serve a job."""

    def __init__(self) -> None:
        self._energy_wh = np.zeros((0, 1, 1), dtype=np.float32)
        self._peak_wh = np.zeros((0, 1, 1), dtype=np.float32)
        self._from_s: IntArray = np.zeros(0, dtype=np.int64)
        self._block_s: IntArray = np.zeros(0, dtype=np.int64)
        self._blocks: IntArray = np.zeros(0, dtype=np.int64)
        """-1: no view, so the producer is always asked."""
        self._slot_s: IntArray = np.zeros(0, dtype=np.int64)
        self._slots_wh = np.zeros((0, MAX_BLOCKS * SLOTS_A_BLOCK), dtype=np.float32)
        self._fine: dict[int, _FineSlots] = {}
        """By number, the minutes of producers whose views are fine; the arrays above have their coarse slots."""
        self.views = 0
        """How many views it has taken."""
        self._newest: IntArray = np.zeros(0, dtype=np.int64)
        """By number, which of them the producer's newest one is, counted from 1; 0: it has published none."""
        self._has_odd_blocks: BoolArray = np.zeros(0, dtype=np.bool_)
        """By number, whether the blocks of the producer's view begin or end within an hour."""
        self._within: dict[tuple[int, int], _Most] = {}
        """By the hours between which jobs run: the first one, and the one after the last. Those used last are kept."""

    def put(self, number: int, view: View) -> None:
        """Take a producer's new view."""
        bounds = view.bounds
        self._reserve(number + 1, bounds.blocks + 1)
        self.views += 1
        self._newest[number] = self.views
        self._energy_wh[number], self._peak_wh[number] = 0.0, 0.0
        edges = bounds.blocks + 1
        self._energy_wh[number, :edges, :edges] = bounds.energy_wh
        self._peak_wh[number, :edges, :edges] = bounds.peak_wh
        self._from_s[number], self._block_s[number], self._blocks[number] = bounds.from_s, bounds.block_s, bounds.blocks
        self._has_odd_blocks[number] = bounds.from_s % MIN_BLOCK_S > 0 or bounds.block_s % MIN_BLOCK_S > 0
        slots_wh, slot_s = bounds.slots_wh * (1 + _SHARE), bounds.slot_s
        self._fine.pop(number, None)
        if view.is_fine:
            self._fine[number] = _FineSlots(bounds.from_s, slot_s, slots_wh.astype(np.float32))
            slots_wh, slot_s = coarse_slots_wh(slots_wh, bounds.blocks), bounds.block_s // SLOTS_A_BLOCK
        self._slot_s[number], self._slots_wh[number] = slot_s, 0.0
        self._slots_wh[number, : len(slots_wh)] = slots_wh

    def may_serve(self, need: Need, producers: IntArray) -> BoolArray:
        """Return which producers may serve a job; all that have published no view.

        Args:
            need: The job's needs.
            producers: The producers' numbers, shape (producers,).
        """
        self._reserve(int(producers.max(initial=-1)) + 1, 1)
        if len(producers) < MANY_PRODUCERS:
            return self._most(need, producers).covers(need)
        return self._most_of_all(need).covers(need)[producers]

    def _most_of_all(self, need: Need) -> _Most:
        """Return the most that each producer may have for a job, by number.

        The many jobs that run between the same hours share the result, because reading the arrays of all hours takes
        a slow memory access for each producer. Only new views are looked at again.
        """
        hours = need.begin_s // MIN_BLOCK_S, -(-need.end_s // MIN_BLOCK_S)
        most, count = self._within.pop(hours, None), len(self._newest)
        if most is None or len(most.energy_wh) < count:
            most = _Most(np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32), views=-1)
            while len(self._within) >= MAX_STRETCHES:
                del self._within[next(iter(self._within))]
        numbers = ((self._newest > most.views) | self._has_odd_blocks).nonzero()[0]
        if len(numbers):
            newer = self._most(need, numbers)
            most.energy_wh[numbers], most.peak_wh[numbers] = newer.energy_wh, newer.peak_wh
        most.views = self.views
        self._within[hours] = most
        return most

    def _most(self, need: Need, producers: IntArray) -> _Most:
        """Return the most that some producers may have for a job; infinite for those that have published no view."""
        blocks = self._blocks[producers]
        from_s, block_s = self._from_s[producers], self._block_s[producers]
        most = np.maximum(blocks, 0)
        rows = np.minimum(np.maximum((need.begin_s - from_s) // block_s, 0), most)
        columns = np.minimum(np.maximum(-(-(need.end_s - from_s) // block_s), 0), most)
        energy_wh = self._energy_wh[producers, rows, columns] * (1 + _SHARE) + MARGIN_WH
        peak_wh = self._peak_wh[producers, rows, columns] * (1 + _SHARE) + MARGIN_WH
        energy_wh[blocks < 0] = peak_wh[blocks < 0] = np.inf
        return _Most(energy_wh, peak_wh, self.views)

    def may_run(self, need: Need, producers: IntArray) -> BoolArray:
        """Return which producers have enough for a job in each slot, for some start; all that have published no view.

        This takes longer than `may_serve`, which leaves out most; so it is for producers that may serve the job.

        Args:
            need: The job's needs.
            producers: The producers' numbers, shape (producers,).
        """
        found = np.ones(len(producers), dtype=np.bool_)
        has_view = self._blocks[producers] >= 0
        slots_s, from_s = self._slot_s[producers], self._from_s[producers]
        phases_s = from_s % slots_s
        for slot_s, phase_s in set(zip(slots_s.tolist(), phases_s.tolist(), strict=True)):
            alike = (has_view & (slots_s == slot_s) & (phases_s == phase_s)).nonzero()[0]
            found[alike] = may_run(need, from_s[alike], slot_s, self._slots_wh[producers[alike]])
        self._look_at_minutes(need, producers, found)
        return found

    def _look_at_minutes(self, need: Need, producers: IntArray, found: BoolArray) -> None:
        """Remove the producers from those `found` whose fine views show that they have too little for a job."""
        fine: dict[tuple[int, int], list[int]] = {}
        for place in np.flatnonzero(found).tolist():
            slots = self._fine.get(int(producers[place]))
            if slots is not None:
                fine.setdefault((slots.slot_s, slots.from_s % slots.slot_s), []).append(place)
        for (slot_s, _), places in fine.items():
            if len(places) <= FEW_VIEWS:
                for place in places:
                    part_s, part_wh = self._fine[int(producers[place])].within(need)
                    found[place] = may_run_at(need, part_s, slot_s, part_wh)
                continue
            parts = [self._fine[int(producers[place])].within(need) for place in places]
            from_s = np.array([part_s for part_s, _ in parts], dtype=np.int64)
            there_wh = np.zeros((len(parts), max(1, *(len(part_wh) for _, part_wh in parts))), dtype=np.float32)
            for row, (_, part_wh) in enumerate(parts):
                there_wh[row, : len(part_wh)] = part_wh
            found[places] = may_run(need, from_s, slot_s, there_wh)

    def has_new_view(self, producers: IntArray, views: int) -> BoolArray:
        """Return which producers have published a view since `views` were taken.

        Args:
            producers: The producers' numbers, shape (producers,).
            views: A former value of `views`.
        """
        self._reserve(int(producers.max(initial=-1)) + 1, 1)
        newer: BoolArray = self._newest[producers] > views
        return newer

    def may_be_served(
        self, number: int, begin_s: IntArray, end_s: IntArray, energy_wh: FloatArray, peak_wh: FloatArray
    ) -> BoolArray:
        """Return which jobs a producer may serve.

        Args:
            number: The producer, which has published a view.
            begin_s: The jobs' earliest starts, shape (jobs,); all in UNIX seconds.
            end_s: The ends of their runs from their latest starts.
            energy_wh: Their energy.
            peak_wh: Lower bound of the draw of each in its strongest minute.
        """
        from_s, block_s, blocks = int(self._from_s[number]), int(self._block_s[number]), int(self._blocks[number])
        rows = np.clip((begin_s - from_s) // block_s, 0, blocks)
        columns = np.clip(-(-(end_s - from_s) // block_s), 0, blocks)
        found: BoolArray = (self._energy_wh[number, rows, columns] * (1 + _SHARE) + MARGIN_WH >= energy_wh) & (
            self._peak_wh[number, rows, columns] * (1 + _SHARE) + MARGIN_WH >= peak_wh
        )
        return found

    def _reserve(self, producers: int, size: int) -> None:
        known, before = self._energy_wh.shape[:2]
        if producers <= known and size <= before:
            return
        count, size = max(known, 2 * producers if producers > known else 0), max(before, size)
        for name in ("_energy_wh", "_peak_wh"):
            bigger = np.zeros((count, size, size), dtype=np.float32)
            bigger[:known, :before, :before] = getattr(self, name)
            setattr(self, name, bigger)
        new = count - known
        self._from_s = np.concatenate([self._from_s, np.zeros(new, dtype=np.int64)])
        self._block_s = np.concatenate([self._block_s, np.ones(new, dtype=np.int64)])
        self._blocks = np.concatenate([self._blocks, np.full(new, -1, dtype=np.int64)])
        self._newest = np.concatenate([self._newest, np.zeros(new, dtype=np.int64)])
        self._has_odd_blocks = np.concatenate([self._has_odd_blocks, np.zeros(new, dtype=np.bool_)])
        self._slot_s = np.concatenate([self._slot_s, np.full(new, BIN_S, dtype=np.int64)])
        self._slots_wh = np.concatenate([self._slots_wh, np.zeros((new, self._slots_wh.shape[1]), dtype=np.float32)])


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


@dataclass(slots=True)
class _Waiting:
    """A job that no producer could serve."""

    consumer: str
    need: Need
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


def _first_that_may_run(board: Board, job: _Waiting, numbers: IntArray, places: IntArray) -> int | None:
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


def _places_to_look_at(board: Board, job: _Waiting, producers: IntArray) -> IntArray:
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


def _alike(needs: Sequence[Need]) -> list[tuple[LoadProfile, IntArray]]:
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

    def add(self, job_id: str, consumer: str, need: Need, asked: Iterable[int]) -> None:
        """Add a waiting job, or replace its earlier entry.

        Args:
            job_id: The job.
            consumer: Id of the agent that is informed.
            need: What the job needs, and when.
            asked: Numbers of the producers that it knows already.
        """
        self._jobs[job_id] = _Waiting(consumer, need, set(asked))
        self._columns = None

    def asked(self, job_id: str) -> set[int]:
        """Return the producers that a waiting job knows, to which others can be added."""
        return self._jobs[job_id].asked

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

    def to_tell(self, producers: Sequence[int], board: Board, now_s: int) -> list[tuple[str, str, int]]:
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

    def _rule_out_groups(self, board: Board, numbers: IntArray, may_serve: BoolArray) -> None:
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
                any_of_them = Need(int(begin_s[jobs].min()), int(end_s[jobs].max()), 0.0, 0.0, load)
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

    def tell_next(self, job_id: str, producers: IntArray, board: Board, now_s: int) -> tuple[str, str, int] | None:
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
