"""A device's calendar: the times of its jobs, and the starts that remain for a job that looks for a supplier.

Jobs run in sequence if their windows allow it. So a job gets only starts that leave room for all other known jobs. If a
job that has a contract but has not started occupies the only time at which another job can run, it is displaced. If the
windows do not allow a sequence, as many jobs as possible run in sequence, and the others overlap with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from agents.job_sequencing import (
    Busy,
    PendingRun,
    divide_time,
    largest_sequence,
    latest_starts_s,
    near,
    open_starts,
    overlap,
)
from agents.model import GRID, Contract, Job, Starts

MAX_DISPLACED = 6
"""Up to this many jobs, all combinations to displace are tried; with more, each single job, then all."""


@dataclass(frozen=True, slots=True)
class FreeTime:
    """The starts at which a device is free for a job that looks for a supplier."""

    starts: Starts
    held: bool
    """Whether the device has other jobs, so that the job must not move at first."""


class Calendar:
    """The known jobs of one device that have not ended."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = {job.job_id: job for job in jobs}
        self._to_come = sorted(jobs, key=lambda job: job.registered_s, reverse=True)
        self._open: dict[str, Job] = {}
        self._placed: dict[str, Contract] = {}
        self._movable: dict[str, Starts] = {}
        self._latest_s: dict[str, int | None] = {}
        """By waiting job: its start in the latest possible sequence; None if it is not part of the sequence."""
        self._before_s: dict[str, int | None] = {}
        """The starts in the previous sequence, which may still be valid."""
        self._affected: set[str] = set()
        """Ids of the jobs whose part of the device's time may have changed since it was divided last."""
        self._was_freed = False
        """Whether a contract has ended since then."""

    # Events.

    def place(self, contract: Contract, movable: Starts) -> None:
        """Record that a job has a contract.

        Args:
            contract: The contract.
            movable: The starts among which its producer may move it.
        """
        self._open.pop(contract.job_id, None)
        self._placed[contract.job_id] = contract
        self._movable[contract.job_id] = movable

    def add(self, job: Job) -> None:
        """Add a job of the device that was not known before."""
        self._jobs[job.job_id] = job
        self._to_come.append(job)
        self._to_come.sort(key=lambda job: job.registered_s, reverse=True)

    def drop(self, job_id: str) -> None:
        """Forget a job that will not run."""
        self._to_come = [job for job in self._to_come if job.job_id != job_id]
        for known in (self._open, self._placed, self._movable, self._latest_s, self._before_s):
            known.pop(job_id, None)

    def replace(self, contract: Contract) -> None:
        """Record the new version of a contract: its producer has moved the job, or it has other shares."""
        self._placed[contract.job_id] = contract

    def hold(self, job_id: str) -> None:
        """Record that a job is fixed at its start."""
        start_s = self._placed[job_id].start_s
        self._movable[job_id] = ((start_s, start_s),)

    def free(self, job_id: str) -> None:
        """Record that a job no longer has a contract."""
        self._reopen(job_id)
        self._was_freed = True

    def _reopen(self, job_id: str) -> None:
        del self._placed[job_id], self._movable[job_id]
        self._open[job_id] = self._jobs[job_id]

    def affect(self, job: Job, now_s: int) -> None:
        """Record that the time of a job, and of those that could overlap with it, is to be divided again."""
        self._affected |= {job.job_id, *self.near(job, now_s)}

    def take_changes(self) -> tuple[Collection[str], bool]:
        """Return what has changed since the last call: ids of the jobs that are affected, and whether time was freed.

        Those of them that wait get a new, latest possible sequence; what relies on the old one must be asked for again.
        """
        affected, was_freed = self._affected, self._was_freed
        self._affected, self._was_freed = set(), False
        for job_id in affected:
            if job_id in self._latest_s:
                self._before_s[job_id] = self._latest_s.pop(job_id)
            if job_id not in self._open:
                self._before_s.pop(job_id, None)
        return affected, was_freed

    # Queries.

    def movable(self, job_id: str) -> Starts:
        """Return the starts among which a job's producer may move it."""
        return self._movable[job_id]

    def unstarted(self, now_s: int) -> list[Contract]:
        """Return the contracts of jobs that have not started."""
        self._update(now_s)
        return [contract for contract in self._placed.values() if contract.start_s > now_s]

    def near(self, job: Job, now_s: int) -> frozenset[str]:
        """Return the other unstarted jobs, by id, that could overlap with a job, directly or through others."""
        return frozenset(run.job_id for run in self._near(job, now_s)) - {job.job_id}

    def to_be_held(self, job: Job, now_s: int) -> list[Contract]:
        """Return the contracts of other jobs that their producers could move while this one looks for a supplier."""
        ids = self.near(job, now_s)
        return [contract for contract in self.unstarted(now_s) if contract.job_id in ids and not self._stays(contract)]

    def meets_another(self, contract: Contract, now_s: int) -> bool:
        """Return whether another job runs at the time of a contract's job."""
        self._update(now_s)
        busy = [self._span(other) for other in self._placed.values() if other.job_id != contract.job_id]
        return overlap(*self._span(contract), busy)

    def open_starts(self, job: Job, now_s: int) -> Starts:
        """Return the starts at which a job overlaps with no other one, wherever producers move those."""
        busy = self._moving_spans(now_s)
        others = [run for run in self._open_near(job, now_s) if run.job_id != job.job_id]
        following = largest_sequence(others, busy)
        return open_starts(self._run(job, now_s), [run for run in others if run.job_id in following], busy)

    def has_more_time(self, job: Job, starts: Starts, now_s: int) -> bool:
        """Return whether the device is free for a job at any start besides these.

        Args:
            job: The job.
            starts: Where it could start before.
            now_s: Current time, UNIX seconds.
        """
        return any(
            not any(a <= first_s and last_s <= b for a, b in starts) for first_s, last_s in self.open_starts(job, now_s)
        )

    def starts_of(self, contract: Contract, now_s: int) -> Starts:
        """Return the starts at which the device is free for a job that has a contract and has not started."""
        movable = self._movable[contract.job_id]
        self._reopen(contract.job_id)
        starts, displaced = self.find_starts(self._jobs[contract.job_id], now_s)
        self.place(contract, movable)
        return ((contract.start_s, contract.start_s),) if displaced else starts

    def deadline_s(self, job: Job, now_s: int) -> int:
        """Return the latest start with which a job and all other waiting ones still run in sequence, UNIX seconds.

        A sequence found earlier is kept while it is valid, because other jobs rely on it.

        Args:
            job: The job.
            now_s: Current time, UNIX seconds.
        """
        runs, busy = self._open_near(job, now_s), self._moving_spans(now_s)
        if not self._still_follow(runs, busy):
            latest_s = latest_starts_s(runs, busy)
            if latest_s is None:
                following = largest_sequence(runs, busy)
                latest_s = latest_starts_s([run for run in runs if run.job_id in following], busy) or {}
            for run in runs:
                self._latest_s[run.job_id] = latest_s.get(run.job_id)
        latest = self._latest_s[job.job_id]
        return max(now_s, job.latest_start_s if latest is None else latest)

    def _still_follow(self, runs: Sequence[PendingRun], busy: Busy) -> bool:
        """Return whether the previous sequence is valid for these jobs; jobs outside of it do not count."""
        taken = list(busy)
        for run in runs:
            latest_s = self._latest_s.get(run.job_id, -1)
            if latest_s is None:
                continue
            span = latest_s, latest_s + run.duration_s
            if not run.earliest_start_s <= latest_s <= run.latest_start_s or overlap(*span, taken):
                return False
            taken.append(span)
        return True

    def find_starts(self, job: Job, now_s: int) -> tuple[Starts, list[str]]:
        """Return the starts at which the device is free for a job, and the ids of jobs to displace for it.

        All jobs that could overlap with it must be held meanwhile.

        Args:
            job: The job.
            now_s: Current time, UNIX seconds.
        """
        ids = self.near(job, now_s)
        mine = self._run(job, now_s)
        standing = [contract for contract in self.unstarted(now_s) if contract.job_id in ids]
        started = [self._span(contract) for contract in self._placed.values() if contract.start_s <= now_s]
        kept = [self._run(self._jobs[contract.job_id], now_s) for contract in standing]
        unplaced = self._open_near(job, now_s)
        following = largest_sequence([*kept, *unplaced], started)
        waiting = [run for run in unplaced if run.job_id in following and run.job_id != job.job_id]
        starts = open_starts(mine, waiting, [*started, *map(self._span, standing)])
        if starts:
            return starts, []
        if job.job_id in following:
            may_move = [contract.job_id for contract in standing if contract.job_id in following]
            beside = [self._span(contract) for contract in standing if contract.job_id not in following]
            for fixed in (beside, []) if beside else ([],):
                for displaced in _choices(may_move):
                    stay = [self._span(c) for c in standing if c.job_id in may_move and c.job_id not in displaced]
                    moving = [run for run in kept if run.job_id in displaced]
                    starts = open_starts(mine, [*waiting, *moving], [*started, *fixed, *stay])
                    if starts:
                        return starts, list(displaced)
        return ((mine.earliest_start_s, mine.latest_start_s),), []

    def release_held(self, now_s: int) -> list[tuple[Contract, Starts]]:
        """Assign each held job its share of the time to move in; return the contracts whose share changed."""
        standing = self.unstarted(now_s)
        held = [c for c in standing if c.producer != GRID and self._stays(c) and not self.meets_another(c, now_s)]
        if not held:
            return []
        ids = {contract.job_id for contract in held}
        busy = self._moving_spans(now_s, but=ids)
        unplaced = self._in_order(self._open.values(), now_s)
        following = largest_sequence(unplaced, self._moving_spans(now_s))
        waiting = [run for run in unplaced if run.job_id in following]
        runs = [(self._run(self._jobs[c.job_id], now_s), c.start_s) for c in held]
        shared = divide_time(runs, waiting, busy)
        divided = [(contract, shared[contract.job_id]) for contract in held]
        changed = [(contract, starts) for contract, starts in divided if starts != self._movable[contract.job_id]]
        for contract, starts in changed:
            self._movable[contract.job_id] = starts
        return changed

    def _update(self, now_s: int) -> None:
        """Add jobs that are registered by now, and remove those that have ended."""
        while self._to_come and self._to_come[-1].registered_s <= now_s:
            job = self._to_come.pop()
            self._open[job.job_id] = job
        ended = [contract.job_id for contract in self._placed.values() if self._span(contract)[1] <= now_s]
        for job_id in ended:
            del self._placed[job_id], self._movable[job_id]

    def _near(self, job: Job, now_s: int) -> list[PendingRun]:
        """Return the jobs of `near`, and the job itself."""
        self._update(now_s)
        standing = [self._jobs[contract.job_id] for contract in self.unstarted(now_s)]
        known = {other.job_id: other for other in (*standing, *self._open.values(), job)}
        return near(job.job_id, self._in_order(known.values(), now_s))

    def _open_near(self, job: Job, now_s: int) -> list[PendingRun]:
        """Return those of them that have no contract, and the job itself."""
        return [run for run in self._near(job, now_s) if run.job_id == job.job_id or run.job_id in self._open]

    def _in_order(self, jobs: Iterable[Job], now_s: int) -> list[PendingRun]:
        """Return jobs in the order of registration, then of id, so that the result does not depend on who asks."""
        ordered = sorted(jobs, key=lambda job: (job.registered_s, job.job_id))
        return [self._run(job, now_s) for job in ordered]

    def _moving_spans(self, now_s: int, but: Collection[str] = ()) -> list[tuple[int, int]]:
        """Return the times that jobs with a contract may occupy, wherever their producers move them."""
        spans = []
        for contract in self._placed.values():
            if contract.start_s <= now_s:
                spans.append(self._span(contract))
            elif contract.job_id not in but:
                duration_s = self._jobs[contract.job_id].duration_s
                spans += [(first_s, last_s + duration_s) for first_s, last_s in self._movable[contract.job_id]]
        return spans

    def _stays(self, contract: Contract) -> bool:
        return self._movable[contract.job_id] == ((contract.start_s, contract.start_s),)

    def _span(self, contract: Contract) -> tuple[int, int]:
        return contract.start_s, contract.start_s + self._jobs[contract.job_id].duration_s

    def _run(self, job: Job, now_s: int) -> PendingRun:
        earliest_s = max(job.earliest_start_s, now_s)
        before_s = self._latest_s.get(job.job_id, self._before_s.get(job.job_id))
        return PendingRun(job.job_id, earliest_s, job.latest_start_s, job.duration_s, before_s)


def _choices(job_ids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield sets of jobs to displace, smallest first."""
    sizes = range(len(job_ids) + 1) if len(job_ids) <= MAX_DISPLACED else (0, 1, len(job_ids))
    for size in sizes:
        yield from combinations(job_ids, size)
