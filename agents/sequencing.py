"""One device, one job at a time: which starts leave room for the device's other jobs.

Single-machine sequencing with release times and deadlines. A device has few jobs that could meet, so all orders are
searched, by dynamic programming over the sets of jobs that come first: of each set only the earliest end matters. Jobs
of equal duration keep the order of their windows, which loses nothing and leaves few sets. Effort is counted; where
there are too many sets, jobs are taken in a few orders: what is found then is right, but some starts may be missed.

Times are whole seconds. A job that starts at s takes the device from s to before s + duration.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Starts = tuple[tuple[int, int], ...]
"""Seconds at which a job may start: stretches from a first to a last second, both included, rising, apart."""
Busy = Sequence[tuple[int, int]]
"""Times at which a device runs: from a second to before another one, in any order."""

MAX_SETS = 2_000
"""Of jobs that come first, in one search: about 20 ms."""


@dataclass(frozen=True, slots=True)
class Run:
    """A job that has not started, as its device sees it."""

    job_id: str
    earliest_start_s: int
    latest_start_s: int
    duration_s: int
    before_s: int | None = None
    """Its start in a sequence that was found before; where there are too many orders to try, that one is tried too."""


def free_starts(run: Run, busy: Busy) -> Starts:
    """Return the starts in a job's window at which it meets nothing that takes the device."""
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


def open_starts(run: Run, others: Iterable[Run], busy: Busy = ()) -> Starts:
    """Return the starts of a job after which all others still find room, one after the other.

    Args:
        run: The job.
        others: Jobs of the same device that have no start yet. Those that cannot meet it, directly or through others,
            do not count.
        busy: When the device is taken.
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


def can_follow(runs: Iterable[Run], busy: Busy = ()) -> bool:
    """Say whether all jobs find room, one after the other."""
    for group in _groups(list(runs)):
        slots = [_slot(run, busy) for run in group]
        if all(_placed_late(order) is None for order in _orders(slots)) and _latest_s(_slots(group, busy)) is None:
            return False
    return True


def latest_starts_s(runs: Iterable[Run], busy: Busy = ()) -> Mapping[str, int] | None:
    """Return starts, by job id, with which all jobs follow one another as late as they can; None if they cannot."""
    starts_s: dict[str, int] = {}
    for group in _groups(list(runs)):
        slots = _slots(group, busy)
        found_s = _latest_s(slots)
        if found_s is None:
            return None
        starts_s |= found_s
    return starts_s


def that_follow(runs: Sequence[Run], busy: Busy = ()) -> frozenset[str]:
    """Return as many jobs as were found that can run one after the other, by id; the first ones where it is the same.

    Args:
        runs: Those that matter most first.
        busy: When the device is taken.
    """
    kept: set[str] = set()
    for group in _groups(list(runs)):
        if can_follow(group, busy):
            kept |= {run.job_id for run in group}
            continue
        in_turn = _kept_in_turn(group, busy)
        slots = _slots(group, busy)
        sets = _ends_s(slots, whole=False)
        if sets is not None:
            # The set of most jobs; of several, the one with the first jobs.
            best = max(
                sets, key=lambda chosen: (chosen.bit_count(), [-(chosen >> i & 1 ^ 1) for i in range(len(slots))])
            )
            chosen = {slot.run.job_id for i, slot in enumerate(slots) if best >> i & 1}
            in_turn = chosen if len(chosen) > len(in_turn) else in_turn
        kept |= in_turn
    return frozenset(kept)


def shares(runs: Sequence[tuple[Run, int]], waiting: Sequence[Run], busy: Busy = ()) -> dict[str, Starts]:
    """Return where jobs may move without meeting each other, whoever moves: their device's time, divided.

    A gap between two of them is halved. What would take room from a job that has no start yet is not given away.

    Args:
        runs: Jobs and their starts; they follow one another.
        waiting: Jobs that have no start yet.
        busy: When the device is taken beside them.
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
        if can_follow(waiting, [*busy, *spans[:i], (first_s, last_s + run.duration_s), *spans[i + 1 :]]):
            spans[i] = first_s, last_s + run.duration_s
        else:
            first_s = last_s = start_s
        shared[run.job_id] = ((first_s, last_s),)
    return shared


def near(run_id: str, runs: Sequence[Run]) -> list[Run]:
    """Return the jobs that one of them could meet, directly or through others, itself too; in the order given."""
    return next(group for group in _groups(runs) if any(run.job_id == run_id for run in group))


def overlap(begin_s: int, end_s: int, busy: Busy) -> bool:
    """Say whether the time from a second to before another one meets any of these times."""
    return any(begin_s < other_end_s and other_begin_s < end_s for other_begin_s, other_end_s in busy)


def covers(starts: Starts, start_s: int) -> bool:
    """Say whether a start is one of these."""
    return any(first_s <= start_s <= last_s for first_s, last_s in starts)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A job and where it can start beside what takes the device."""

    run: Run
    firsts_s: tuple[int, ...]
    lasts_s: tuple[int, ...]
    before: int
    """The set of jobs that come before it in some best order."""
    after: int
    """The set of jobs that come after it."""

    def end_from_s(self, from_s: float) -> float | None:
        """Return the earliest end if it starts no sooner than that; None if it cannot."""
        i = bisect_left(self.lasts_s, from_s)
        return max(from_s, self.firsts_s[i]) + self.run.duration_s if i < len(self.lasts_s) else None

    def start_until_s(self, until_s: float) -> float | None:
        """Return the latest start if it ends no later than that; None if it cannot."""
        latest_s = until_s - self.run.duration_s
        i = bisect_right(self.firsts_s, latest_s) - 1
        return min(latest_s, self.lasts_s[i]) if i >= 0 else None


def _slot(run: Run, busy: Busy, before: int = 0, after: int = 0) -> _Slot:
    starts = free_starts(run, busy)
    return _Slot(run, tuple(s for s, _ in starts), tuple(s for _, s in starts), before, after)


def _slots(runs: Sequence[Run], busy: Busy) -> list[_Slot]:
    slots = []
    for i, run in enumerate(runs):
        before = sum(1 << j for j, other in enumerate(runs) if _comes_first(other, run, first=j < i))
        after = sum(1 << j for j, other in enumerate(runs) if _comes_first(run, other, first=i < j))
        slots.append(_slot(run, busy, before, after))
    return slots


def _comes_first(run: Run, other: Run, *, first: bool) -> bool:
    """Say whether a job may always come before another one: swapped, both would still be in their windows."""
    if run.duration_s != other.duration_s:
        return False
    mine, others = (run.earliest_start_s, run.latest_start_s), (other.earliest_start_s, other.latest_start_s)
    return first if mine == others else mine[0] <= others[0] and mine[1] <= others[1]


def _ends_s(slots: Sequence[_Slot], *, whole: bool = True) -> dict[int, float] | None:
    """Return by each set of jobs that can come first the earliest end of its last; None where there are too many.

    Args:
        slots: The jobs.
        whole: Leave out sets after which another job has no room.
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
                # In whole sequences whoever must come first has to be there; in parts he may be left out altogether.
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
    """Return by each set of jobs that can come last the latest start of its first; None where there are too many."""
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
    """Return the starts of one sequence that are as late as they can be."""
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
    """Return ends and begins between which one more job may run, where the others keep one of a few orders."""
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
    """Return a few orders: by the end that is due, by the latest start, by the earliest, as it was found before."""
    keys: tuple[Callable[[_Slot], int], ...] = (
        lambda slot: slot.run.latest_start_s + slot.run.duration_s,
        lambda slot: slot.run.latest_start_s,
        lambda slot: slot.run.earliest_start_s,
        lambda slot: slot.run.latest_start_s if slot.run.before_s is None else slot.run.before_s,
    )
    return [sorted(slots, key=key) for key in keys]


def _kept_in_turn(group: Sequence[Run], busy: Busy) -> set[str]:
    """Return the jobs of a group that follow one another if each is taken that can be, in the order given."""
    kept: list[Run] = []
    for run in group:
        if can_follow([*kept, run], busy):
            kept.append(run)
    return {run.job_id for run in kept}


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
    """Return the jobs in groups that cannot meet each other; in each as they were given."""
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
