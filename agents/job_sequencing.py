"""One device, one job at a time: which starts leave room for the device's other jobs.

Single-machine scheduling with release times and deadlines, 1|r_j, d_j|- in Graham's notation. A device has few jobs
that could overlap, so all orders are searched by dynamic programming over the set of jobs that come first: of each set,
only the earliest end matters (Held and Karp, 1962). Jobs of equal duration keep the order of their windows, which loses
no solution and leaves few sets. Effort is limited by counting. If there are too many sets, only a few orders are tried:
the starts found are then correct, but some may be missed.

Times are whole seconds. A job that starts at s occupies the device from s until just before s + duration.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.model import Starts

Busy = Sequence[tuple[int, int]]
"""Times at which a device runs: intervals from a second until just before another one, in any order."""

MAX_SETS = 2_000
"""Limit on sets of first jobs per search, about 20 ms."""


@dataclass(frozen=True, slots=True)
class PendingRun:
    """A job that has not started, as its device sees it. Times in UNIX seconds."""

    job_id: str
    earliest_start_s: int
    latest_start_s: int
    duration_s: int
    before_s: int | None = None
    """Its start in a sequence found earlier, which is one of the orders tried if there are too many."""


def free_starts(run: PendingRun, busy: Busy) -> Starts:
    """Return the starts within a job's window at which the device is free."""
    first_s, found = run.earliest_start_s, []
    for begin_s, end_s in sorted(busy):
        if end_s <= first_s:
            continue
        last_s = min(begin_s - run.duration_s, run.latest_start_s)
        if first_s <= last_s:
            found.append((first_s, last_s))
        if begin_s - run.duration_s < run.latest_start_s:
            first_s = max(first_s, end_s)
        else:
            return tuple(found)
    if first_s <= run.latest_start_s:
        found.append((first_s, run.latest_start_s))
    return tuple(found)


def open_starts(run: PendingRun, others: Iterable[PendingRun], busy: Busy = ()) -> Starts:
    """Return the starts of a job that leave enough time for all others to run in sequence.

    Args:
        run: The job.
        others: Jobs of the same device that have no start yet. Those that cannot overlap with it, directly or through
            others, are ignored.
        busy: Times at which the device is occupied.
    """
    near = next(group for group in _groups([run, *others]) if run in group)
    slots = _slots([other for other in near if other is not run], busy)
    own = free_starts(run, busy)
    ends_s, begins_s = _ends_s(slots), _begins_s(slots)
    if ends_s is None or begins_s is None:
        pairs = _around(slots)
    else:
        everyone = (1 << len(slots)) - 1
        pairs = [
            (end_s, begins_s[everyone & ~before]) for before, end_s in ends_s.items() if everyone & ~before in begins_s
        ]
    between = [
        (max(first_s, end_s), min(last_s, begin_s - run.duration_s))
        for end_s, begin_s in pairs
        for first_s, last_s in own
    ]
    return _joined(stretch for stretch in between if stretch[0] <= stretch[1])


def can_run_in_sequence(runs: Iterable[PendingRun], busy: Busy = ()) -> bool:
    """Return whether all jobs can run in sequence outside the busy times."""
    for group in _groups(list(runs)):
        slots = [_slot(run, busy) for run in group]
        if all(_placed_late(order) is None for order in _orders(slots)) and _latest_s(_slots(group, busy)) is None:
            return False
    return True


def latest_starts_s(runs: Iterable[PendingRun], busy: Busy) -> Mapping[str, int] | None:
    """Return starts by job id with which all jobs run in sequence as late as possible; None if they cannot."""
    starts_s: dict[str, int] = {}
    for group in _groups(list(runs)):
        slots = _slots(group, busy)
        found_s = _latest_s(slots)
        if found_s is None:
            return None
        starts_s |= found_s
    return starts_s


def largest_sequence(runs: Sequence[PendingRun], busy: Busy) -> frozenset[str]:
    """Return the largest set of jobs found that can run in sequence, by id; of equal ones, the one with the first jobs.

    Args:
        runs: Jobs in order of priority.
        busy: Times at which the device is occupied.
    """
    kept: set[str] = set()
    for group in _groups(list(runs)):
        if can_run_in_sequence(group, busy):
            kept |= {run.job_id for run in group}
            continue
        in_turn = _kept_in_turn(group, busy)
        slots = _slots(group, busy)
        sets = _ends_s(slots, whole=False)
        if sets is not None:
            # The largest set; of several, the one with the first jobs.
            best = max(
                sets, key=lambda chosen: (chosen.bit_count(), [-(chosen >> i & 1 ^ 1) for i in range(len(slots))])
            )
            chosen = {slot.run.job_id for i, slot in enumerate(slots) if best >> i & 1}
            in_turn = chosen if len(chosen) > len(in_turn) else in_turn
        kept |= in_turn
    return frozenset(kept)


def divide_time(
    runs: Sequence[tuple[PendingRun, int]], waiting: Sequence[PendingRun], busy: Busy = ()
) -> dict[str, Starts]:
    """Divide a device's time among its jobs, so that each may move within its share without overlapping with others.

    Gaps between two jobs are halved. Time that jobs without a start need is not given away.

    Args:
        runs: Jobs with their starts, UNIX seconds; they do not overlap.
        waiting: Jobs that have no start yet.
        busy: Further times at which the device is occupied.

    Returns:
        The allowed starts, by job id.
    """
    placed = sorted(runs, key=lambda placed: placed[1])
    spans = [(start_s, start_s + run.duration_s) for run, start_s in placed]
    shared: dict[str, Starts] = {}
    for i, (run, start_s) in enumerate(placed):
        end_s = spans[i][1]
        begins_s = [run.earliest_start_s, *(other_s for _, other_s in [*busy, *spans[:i]] if other_s <= start_s)]
        stops_s = [run.latest_start_s + run.duration_s, *(other_s for other_s, _ in busy if other_s >= end_s)]
        if i + 1 < len(placed):
            stops_s.append(end_s + (spans[i + 1][0] - end_s) // 2)
        first_s, last_s = max(begins_s), min(stops_s) - run.duration_s
        if can_run_in_sequence(waiting, [*busy, *spans[:i], (first_s, last_s + run.duration_s), *spans[i + 1 :]]):
            spans[i] = first_s, last_s + run.duration_s
        else:
            first_s = last_s = start_s
        shared[run.job_id] = ((first_s, last_s),)
    return shared


def near(run_id: str, runs: Sequence[PendingRun]) -> list[PendingRun]:
    """Return the jobs that could overlap with one of them, directly or through others, including itself.

    Args:
        run_id: The job's id.
        runs: The jobs; their order is kept.
    """
    return next(group for group in _groups(runs) if any(run.job_id == run_id for run in group))


def overlap(begin_s: int, end_s: int, busy: Busy) -> bool:
    """Return whether an interval overlaps with any busy time.

    Args:
        begin_s: First second of the interval.
        end_s: Second after the interval.
        busy: The busy times.
    """
    return any(begin_s < other_end_s and other_begin_s < end_s for other_begin_s, other_end_s in busy)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A job and its possible starts outside the busy times."""

    run: PendingRun
    firsts_s: tuple[int, ...]
    lasts_s: tuple[int, ...]
    before: int
    """The set of jobs that come before it in some optimal order, as a bit mask."""
    after: int
    """The set of jobs that come after it, as a bit mask."""

    def end_from_s(self, from_s: float) -> float | None:
        """Return the earliest end if it does not start before a time; None if it cannot."""
        i = bisect_left(self.lasts_s, from_s)
        return max(from_s, self.firsts_s[i]) + self.run.duration_s if i < len(self.lasts_s) else None

    def start_until_s(self, until_s: float) -> float | None:
        """Return the latest start if it ends by a time; None if it cannot."""
        latest_s = until_s - self.run.duration_s
        i = bisect_right(self.firsts_s, latest_s) - 1
        return min(latest_s, self.lasts_s[i]) if i >= 0 else None


def _slot(run: PendingRun, busy: Busy, before: int = 0, after: int = 0) -> _Slot:
    starts = free_starts(run, busy)
    return _Slot(run, tuple(s for s, _ in starts), tuple(s for _, s in starts), before, after)


def _slots(runs: Sequence[PendingRun], busy: Busy) -> list[_Slot]:
    slots = []
    for i, run in enumerate(runs):
        before = sum(1 << j for j, other in enumerate(runs) if _comes_first(other, run, first=j < i))
        after = sum(1 << j for j, other in enumerate(runs) if _comes_first(run, other, first=i < j))
        slots.append(_slot(run, busy, before, after))
    return slots


def _comes_first(run: PendingRun, other: PendingRun, *, first: bool) -> bool:
    """Return whether a job may always precede another one: if swapped, both would still be within their windows."""
    if run.duration_s != other.duration_s:
        return False
    mine, others = (run.earliest_start_s, run.latest_start_s), (other.earliest_start_s, other.latest_start_s)
    return first if mine == others else mine[0] <= others[0] and mine[1] <= others[1]


def _ends_s(slots: Sequence[_Slot], *, whole: bool = True) -> dict[int, float] | None:
    """Return, by each set of jobs that can come first, the earliest end of its last one; None if there are too many.

    Args:
        slots: The jobs.
        whole: Exclude sets after which another job has no room.
    """
    known: dict[int, float] = {0: float("-inf")}
    layer = [0]
    while layer:
        following: dict[int, float] = {}
        for chosen in layer:
            ends = [(i, slot.end_from_s(known[chosen])) for i, slot in enumerate(slots) if not chosen >> i & 1]
            if whole and any(end_s is None for _, end_s in ends):
                del known[chosen]
                continue
            for i, end_s in ends:
                # In complete sequences, all jobs that must come first are required; in partial ones they may be left
                # out.
                out_of_order = slots[i].before & ~chosen if whole else slots[i].after & chosen
                if end_s is None or out_of_order:
                    continue
                more = chosen | 1 << i
                following[more] = min(end_s, following.get(more, end_s))
        known |= following
        layer = list(following)
        if len(known) > MAX_SETS:
            return None
    return known


def _begins_s(slots: Sequence[_Slot]) -> dict[int, float] | None:
    """Return, by each set of jobs that can come last, the latest start of its first one; None if there are too many."""
    known: dict[int, float] = {0: float("inf")}
    layer = [0]
    while layer:
        following: dict[int, float] = {}
        for chosen in layer:
            starts = [(i, slot.start_until_s(known[chosen])) for i, slot in enumerate(slots) if not chosen >> i & 1]
            if any(start_s is None for _, start_s in starts):
                del known[chosen]
                continue
            for i, start_s in starts:
                if start_s is None or slots[i].after & ~chosen:
                    continue
                more = chosen | 1 << i
                following[more] = max(start_s, following.get(more, start_s))
        known |= following
        layer = list(following)
        if len(known) > MAX_SETS:
            return None
    return known


def _latest_s(slots: Sequence[_Slot]) -> dict[str, int] | None:
    """Return the starts of one sequence that is as late as possible."""
    begins_s = _begins_s(slots)
    if begins_s is None:
        return next((late_s for order in _orders(slots) if (late_s := _placed_late(order)) is not None), None)
    chosen = (1 << len(slots)) - 1
    if chosen not in begins_s:
        return None
    starts_s: dict[str, int] = {}
    while chosen:
        begin_s = begins_s[chosen]
        for i, slot in enumerate(slots):
            rest = chosen & ~(1 << i)
            if chosen >> i & 1 and rest in begins_s and slot.start_until_s(begins_s[rest]) == begin_s:
                starts_s[slot.run.job_id] = int(begin_s)
                chosen = rest
                break
    return starts_s


def _placed_late(order: Sequence[_Slot]) -> dict[str, int] | None:
    starts_s: dict[str, int] = {}
    until_s: float = float("inf")
    for slot in reversed(order):
        start_s = slot.start_until_s(until_s)
        if start_s is None:
            return None
        starts_s[slot.run.job_id] = int(start_s)
        until_s = start_s
    return starts_s


def _around(slots: Sequence[_Slot]) -> list[tuple[float, float]]:
    """Return ends and begins between which one more job may run, if the others keep one of a few orders."""
    found: list[tuple[float, float]] = []
    for order in _orders(slots):
        ends: list[float | None] = [float("-inf")]
        begins: list[float | None] = [float("inf")]
        for slot in order:
            ends.append(None if ends[-1] is None else slot.end_from_s(ends[-1]))
        for slot in reversed(order):
            begins.append(None if begins[-1] is None else slot.start_until_s(begins[-1]))
        found += [
            (end_s, begin_s)
            for end_s, begin_s in zip(ends, reversed(begins), strict=True)
            if end_s is not None and begin_s is not None
        ]
    return found


def _orders(slots: Sequence[_Slot]) -> list[list[_Slot]]:
    """Return a few orders: by deadline, by latest start, by earliest start, and as found before."""
    keys: tuple[Callable[[_Slot], int], ...] = (
        lambda slot: slot.run.latest_start_s + slot.run.duration_s,
        lambda slot: slot.run.latest_start_s,
        lambda slot: slot.run.earliest_start_s,
        lambda slot: slot.run.latest_start_s if slot.run.before_s is None else slot.run.before_s,
    )
    return [sorted(slots, key=key) for key in keys]


def _kept_in_turn(group: Sequence[PendingRun], busy: Busy) -> set[str]:
    """Return the jobs of a group that run in sequence if each is added greedily, in the given order."""
    kept: list[PendingRun] = []
    for run in group:
        if can_run_in_sequence([*kept, run], busy):
            kept.append(run)
    return {run.job_id for run in kept}


def _groups(runs: Sequence[PendingRun]) -> list[list[PendingRun]]:
    """Return the jobs in groups that cannot overlap with each other; the order within each is kept."""
    groups: list[list[int]] = []
    end_s = float("-inf")
    for i in sorted(range(len(runs)), key=lambda i: runs[i].earliest_start_s):
        run = runs[i]
        if run.earliest_start_s >= end_s:
            groups.append([])
        groups[-1].append(i)
        end_s = max(end_s, run.latest_start_s + run.duration_s)
    return [[runs[i] for i in sorted(group)] for group in groups]


def _joined(stretches: Iterable[tuple[float, float]]) -> Starts:
    found: list[tuple[int, int]] = []
    for first_s, last_s in sorted((int(first_s), int(last_s)) for first_s, last_s in stretches):
        if found and first_s <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last_s))
        else:
            found.append((first_s, last_s))
    return tuple(found)
