"""Search for good plans under shared supply: ruin and recreate with simulated annealing.

A round removes a few jobs that run at about the same time from the plan, and reinserts each where it gains most,
occasionally one of them at a random start. All random numbers come from one seeded generator, so the same number of
rounds gives the same plan.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from agents import PendingRun, Starts, covers, open_starts
from scenarios.optimum.shared_instance import SharedInstance, windows_of
from scenarios.optimum.starts import BIN_S, BoolArray, StartGrid, single_start

CYCLE = 3000
"""Rounds of one annealing cycle; each begins with the best plan."""
TEMPERATURE = 0.05
"""Initial temperature of a cycle, as a share of the mean energy of a job."""
TAKEN_OUT = (1, 2, 3, 4, 6)
"""How many jobs a round takes out; the number is drawn uniformly."""
ANYWHERE = 0.25
"""Share of rounds in which one of them is put at any start."""
SCATTER_BINS = 120.0
"""How much later than the nearest jobs others may run to be taken out in their place, minutes."""
EPSILON_WH = 1e-9


@dataclass(frozen=True, slots=True)
class SharedStart:
    """A start of a task: its grid, and the index in it."""

    grid: StartGrid
    index: int
    """Which start of the grid."""

    @property
    def first_bin(self) -> int:
        """Bin in which the task starts."""
        return self.grid.first_bin + self.index

    @property
    def bins(self) -> slice:
        """The bins in which it draws."""
        return slice(self.first_bin, self.first_bin + len(self.grid.draw_wh))

    def start_s(self, instance: SharedInstance) -> int:
        """Return the start, UNIX seconds."""
        return instance.start_s + BIN_S * self.first_bin + self.grid.offset_s


class SharedSchedule:
    """A start for each task, or for some of them while they are being placed."""

    def __init__(self, instance: SharedInstance) -> None:
        self.instance = instance
        self.value_wh = 0.0
        """Energy that the plan delivers."""
        self.placed: list[SharedStart | None] = [None] * len(instance.tasks)
        self.first_bins = np.zeros(len(instance.tasks))
        self._left_wh = instance.production_wh.copy()
        """Production less draw, Wh, negative where the grid helps, shape (bins,)."""
        self._room_wh = np.maximum(self._left_wh, 0.0)
        self.together: frozenset[str] = frozenset()
        """Ids of the jobs that may run at the same time as others of their device because no sequence is known."""
        self._beside = _beside(instance)

    def copy(self) -> tuple[float, list[SharedStart | None]]:
        """Return the value and the starts, for `restore`."""
        return self.value_wh, list(self.placed)

    def restore(self, saved: tuple[float, list[SharedStart | None]]) -> None:
        """Return to a plan that `copy` returned."""
        for task in range(len(self.placed)):
            if self.placed[task] is not saved[1][task]:
                self.remove(task)
                if (start := saved[1][task]) is not None:
                    self.insert(task, start)
        self.value_wh = saved[0]

    def insert(self, task: int, start: SharedStart) -> None:
        """Place a task at a start, and update the delivered energy."""
        before_wh = self._covered_wh(start.bins)
        self._left_wh[start.bins] -= start.grid.draw_wh
        self._update(start.bins)
        self.value_wh += before_wh - self._covered_wh(start.bins)
        self.placed[task] = start
        self.first_bins[task] = start.first_bin

    def remove(self, task: int) -> None:
        """Take a task out, if it is placed."""
        start = self.placed[task]
        if start is None:
            return
        before_wh = self._covered_wh(start.bins)
        self._left_wh[start.bins] += start.grid.draw_wh
        self._update(start.bins)
        self.value_wh += before_wh - self._covered_wh(start.bins)
        self.placed[task] = None

    def best_start(self, task: int) -> SharedStart | None:
        """Return the candidate start at which a task gains most, in each grid the earliest of equal ones.

        If its device is free at none of them, another second at which it is free; None: there is none.
        """
        allowed = self._allowed(task)
        best = self._best_in(self.instance.tasks[task].start_grids, allowed)
        if best is None and allowed:
            load, begin_s = self.instance.tasks[task].load, self.instance.start_s
            singles_s = [start_s for stretch in allowed for start_s in stretch]
            best = self._best_in([single_start(load, begin_s, start_s) for start_s in singles_s], allowed)
        return best

    def _best_in(self, grids: Iterable[StartGrid], allowed: Starts | None) -> SharedStart | None:
        best: tuple[float, SharedStart] | None = None
        for grid in grids:
            under_wh = windows_of(self._room_wh, grid.first_bin, grid.count, len(grid.draw_wh))
            gain_wh = np.minimum(under_wh, grid.draw_wh).sum(axis=1)
            if allowed is not None:
                gain_wh = np.where(_mask(grid, allowed, self.instance.start_s), gain_wh, -1.0)
            index = int(gain_wh.argmax())
            if gain_wh[index] >= 0.0 and (best is None or gain_wh[index] > best[0] + EPSILON_WH):
                best = float(gain_wh[index]), SharedStart(grid, index)
        return None if best is None else best[1]

    def best_start_beside_others(self, task: int) -> SharedStart:
        """Let a task run at the same time as others of its device from now on, and return its best start.

        That there is a sequence of all jobs is known, but the search for it is limited (`agents.job_sequencing`).
        """
        for other in self._beside.pop(task, ()):
            self._beside[other] = [beside for beside in self._beside.get(other, ()) if beside != task]
        self.together |= {self.instance.tasks[task].job_id}
        start = self.best_start(task)
        assert start is not None  # noqa: S101 - nothing restricts it, and every task has a start
        return start

    def any_start(self, task: int, rng: Random) -> SharedStart | None:
        """Draw a start of a task at which its device is free; None: the one drawn is not free."""
        place = rng.randrange(self.instance.tasks[task].starts)
        for grid in self.instance.tasks[task].start_grids:
            if place < grid.count:
                start = SharedStart(grid, place)
                allowed = self._allowed(task)
                return start if allowed is None or covers(allowed, start.start_s(self.instance)) else None
            place -= grid.count
        return None

    def find(self, task: int, start_s: int) -> SharedStart | None:
        """Return a task's candidate start at a time, UNIX seconds; None if it has none there."""
        bin_, offset_s = divmod(start_s - self.instance.start_s, BIN_S)
        for grid in self.instance.tasks[task].start_grids:
            if grid.offset_s == offset_s and 0 <= bin_ - grid.first_bin < grid.count:
                return SharedStart(grid, bin_ - grid.first_bin)
        return None

    def is_free(self, task: int, start: SharedStart) -> bool:
        """Return whether a task's device is free at a start, and has room for its other jobs."""
        allowed = self._allowed(task)
        return allowed is None or covers(allowed, start.start_s(self.instance))

    def _covered_wh(self, bins: slice) -> float:
        """Return the room left in some bins, Wh; every Wh that it loses, the plan gains."""
        return float(self._room_wh[bins].sum())

    def _update(self, bins: slice) -> None:
        np.maximum(self._left_wh[bins], 0.0, out=self._room_wh[bins])

    def _allowed(self, task: int) -> Starts | None:
        """Return the starts at which a task leaves room for the others of its device; None: all."""
        beside = self._beside.get(task)
        if beside is None:
            return None
        tasks, busy, waiting = self.instance.tasks, [], []
        for other in beside:
            start = self.placed[other]
            if start is None:
                waiting.append(tasks[other].run)
            else:
                start_s = start.start_s(self.instance)
                busy.append((start_s, start_s + tasks[other].run.duration_s))
        return open_starts(tasks[task].run, waiting, busy)


def _beside(instance: SharedInstance) -> dict[int, list[int]]:
    """Return by task the others of its device, if it can overlap with any of them."""
    by_device: dict[str, list[int]] = defaultdict(list)
    for task, of in enumerate(instance.tasks):
        if of.device:
            by_device[of.device].append(task)
    beside = {}
    for tasks in by_device.values():
        for task in tasks:
            others = [other for other in tasks if other != task]
            if any(_can_overlap(instance.tasks[task].run, instance.tasks[other].run) for other in others):
                beside[task] = others
    return beside


def _can_overlap(run: PendingRun, other: PendingRun) -> bool:
    return (
        run.earliest_start_s < other.latest_start_s + other.duration_s
        and other.earliest_start_s < run.latest_start_s + run.duration_s
    )


def construct(instance: SharedInstance, starts_s: Mapping[str, int]) -> SharedSchedule:
    """Return a plan with given starts where the device allows, and all other tasks at their best, large ones first.

    Args:
        instance: The optimisation problem.
        starts_s: Starts to keep, by job id, UNIX seconds.
    """
    schedule = SharedSchedule(instance)
    ordered = sorted(range(len(instance.tasks)), key=lambda task: (-instance.tasks[task].energy_wh, task))
    for task in ordered:
        wish_s = starts_s.get(instance.tasks[task].job_id)
        wish = None if wish_s is None else schedule.find(task, wish_s)
        if wish is not None and schedule.is_free(task, wish):
            schedule.insert(task, wish)
    for task in ordered:
        if schedule.placed[task] is None:
            start = schedule.best_start(task)
            if start is None:
                start = schedule.best_start_beside_others(task)
            schedule.insert(task, start)
    return schedule


def improve(schedule: SharedSchedule, rng: Random, rounds: int, stop: Callable[[float], bool]) -> None:
    """Improve a plan in place; it ends with the best one found.

    Args:
        schedule: A plan with a start for each task.
        rng: The random number generator.
        rounds: Rounds at most.
        stop: Called after each round with the value of the best plan, Wh; True ends the search.
    """
    count = len(schedule.placed)
    movable = [task for task in range(count) if schedule.instance.tasks[task].starts > 1]
    best = schedule.copy()
    hot_wh = TEMPERATURE * schedule.instance.demand_wh / max(1, count)
    scatter = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
    for n in range(rounds if movable else 0):
        if n % CYCLE == 0:
            schedule.restore(best)
        heat_wh = hot_wh * (1.0 - n % CYCLE / CYCLE) + EPSILON_WH
        before_wh = schedule.value_wh
        taken = _nearby(schedule, movable, rng, scatter)
        old = [(task, schedule.placed[task]) for task in taken]
        is_complete = _replace(schedule, taken, rng)
        loss_wh = before_wh - schedule.value_wh
        if not is_complete or (loss_wh > 0.0 and rng.random() >= math.exp(-loss_wh / heat_wh)):
            for task in taken:
                schedule.remove(task)
            for task, start in old:
                if start is not None:
                    schedule.insert(task, start)
            schedule.value_wh = before_wh
        elif schedule.value_wh > best[0] + 1e-6:
            best = schedule.copy()
        if stop(best[0]):
            break
    schedule.restore(best)


def _nearby(schedule: SharedSchedule, movable: Sequence[int], rng: Random, scatter: np.random.Generator) -> list[int]:
    """Draw some tasks that start at about the same time, in random order."""
    size = min(rng.choice(TAKEN_OUT), len(movable))
    first = schedule.first_bins[rng.choice(movable)]
    distance = np.abs(schedule.first_bins[movable] - first) + SCATTER_BINS * scatter.random(len(movable))
    taken = [movable[i] for i in np.argsort(distance, kind="stable")[:size].tolist()]
    rng.shuffle(taken)
    return taken


def _replace(schedule: SharedSchedule, taken: Sequence[int], rng: Random) -> bool:
    """Take tasks out and put them back at other starts; return whether all found one."""
    for task in taken:
        schedule.remove(task)
    is_anywhere = rng.random() < ANYWHERE
    for n, task in enumerate(taken):
        start = schedule.any_start(task, rng) if is_anywhere and n == 0 else schedule.best_start(task)
        if start is None:
            return False
        schedule.insert(task, start)
    return True


def _mask(grid: StartGrid, allowed: Starts, begin_s: int) -> BoolArray:
    """Return which starts of a grid are allowed, shape (count,)."""
    times_s = begin_s + BIN_S * (grid.first_bin + grid.indices) + grid.offset_s
    mask = np.zeros(grid.count, dtype=np.bool_)
    for first_s, last_s in allowed:
        mask |= (first_s <= times_s) & (times_s <= last_s)
    return mask
