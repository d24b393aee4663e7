"""A schedule under construction: the placement of each task, and the production that is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents import FloatArray, Starts, covers, open_starts
from scenarios.optimum.instance import Instance
from scenarios.optimum.starts import BIN_S, TOLERANCE_WH, IntArray, StartGrid, draw_from

MAX_KEPT = 100_000
"""Entries of a device's caches before they are cleared."""
MAX_EDGES = 16
"""Ends of intervals of free starts that are tried in addition to whole minutes."""
FIRST_INDEX: IntArray = np.zeros(1, dtype=np.int64)
"""The only start of a grid with a single start."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One start of one task on one producer."""

    producer: int
    """Index in the instance."""
    start_grid: StartGrid
    index: int
    """Which start of the grid."""

    @property
    def bins(self) -> slice:
        """The bins in which it draws."""
        first = self.start_grid.first_bin + self.index
        return slice(first, first + len(self.start_grid.draw_wh))

    def draws_in(self, bin_: int) -> bool:
        """Return whether it draws energy in a bin of the instance."""
        own = bin_ - self.start_grid.first_bin - self.index
        return 0 <= own < len(self.start_grid.draw_wh) and bool(self.start_grid.draw_wh[own] > 0.0)

    def start_s(self, instance: Instance) -> int:
        """Return the start, UNIX seconds."""
        return instance.start_s + BIN_S * (self.start_grid.first_bin + self.index) + self.start_grid.offset_s


@dataclass(frozen=True)
class StartCandidates:
    """The starts of a grid that fit on a producer without other tasks."""

    producer: int
    start_grid: StartGrid
    indices: IntArray
    """Indices of those starts in the grid, rising, shape (starts,)."""


Freed = dict[int, tuple[int, int]]
"""By producer, the range of bins in which energy was freed: the first bin and the one after the last."""


class PlacementOptions:
    """The placements of each task without other tasks; tasks that fit nowhere have no candidates."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.candidates: list[list[StartCandidates]] = [
            [
                StartCandidates(p, start_grid, indices)
                for p in range(len(instance.producers))
                for start_grid in task.start_grids
                if len(indices := start_grid.fits(instance.production_wh[p], start_grid.indices))
            ]
            for task in instance.tasks
        ]
        self.placeable = [i for i, candidates in enumerate(self.candidates) if candidates]
        by_device: dict[str, list[int]] = defaultdict(list)
        for i, task in enumerate(instance.tasks):
            if task.device:
                by_device[task.device].append(i)
        self.same_device: list[tuple[int, ...]] = [
            tuple(other for other in by_device[task.device] if other != i) if task.device else ()
            for i, task in enumerate(instance.tasks)
        ]
        """By task, the other tasks of its device, which must not overlap it."""
        self._open_starts: dict[tuple[int, tuple[tuple[int, int], ...]], Starts] = {}
        self._single_starts: dict[tuple[int, int], StartGrid] = {}

    def find(self, task: int, producer: str, start_s: int) -> Placement | None:
        """Return the placement of a task at a given start; None if it does not fit there even without other tasks.

        Args:
            task: Index of the task.
            producer: Id of the producer.
            start_s: The start, UNIX seconds.
        """
        for candidate in self.candidates[task]:
            start_grid = candidate.start_grid
            since_s = start_s - self.instance.start_s - BIN_S * start_grid.first_bin - start_grid.offset_s
            index, rest_s = divmod(since_s, BIN_S)
            if self.instance.producers[candidate.producer] == producer and rest_s == 0 and index in candidate.indices:
                return Placement(candidate.producer, start_grid, index)
        return None

    def is_constrained(self, task: int) -> bool:
        """Return whether its device can keep a task from some starts."""
        of = self.instance.tasks[task]
        return bool(self.same_device[task] or (of.device and self.instance.busy.get(of.device)))

    def open_starts(self, task: int, placed_s: tuple[tuple[int, int], ...]) -> Starts:
        """Return the starts that leave room for all tasks of the device that are not placed yet.

        Args:
            task: Index of the task.
            placed_s: Placed tasks of the same device with their starts (UNIX seconds), in the order of `same_device`.

        Returns:
            Intervals of starts, UNIX seconds.
        """
        key = (task, placed_s)
        if key not in self._open_starts:
            if len(self._open_starts) >= MAX_KEPT:
                self._open_starts.clear()
            tasks, at_s = self.instance.tasks, dict(placed_s)
            busy = [*self.instance.busy.get(tasks[task].device, ())]
            busy += [(start_s, start_s + tasks[mate].run.duration_s) for mate, start_s in placed_s]
            others = [tasks[mate].run for mate in self.same_device[task] if mate not in at_s]
            self._open_starts[key] = open_starts(tasks[task].run, others, busy)
        return self._open_starts[key]

    def single_start(self, task: int, start_s: int) -> StartGrid:
        """Return a grid that has only this start, UNIX seconds."""
        key = (task, start_s)
        if key not in self._single_starts:
            if len(self._single_starts) >= MAX_KEPT:
                self._single_starts.clear()
            bin_, offset_s = divmod(start_s - self.instance.start_s, BIN_S)
            self._single_starts[key] = StartGrid(draw_from(self.instance.tasks[task].load, offset_s), offset_s, bin_, 1)
        return self._single_starts[key]


class PartialSchedule:
    """Placed tasks, each fully covered by production in every minute, and the production that is left."""

    def __init__(self, options: PlacementOptions) -> None:
        self.options = options
        self.room_wh: FloatArray = options.instance.production_wh.copy()
        self.placed: dict[int, Placement] = {}
        self.value_wh = 0.0

    def copy(self) -> PartialSchedule:
        """Return an independent copy."""
        twin = PartialSchedule.__new__(PartialSchedule)
        twin.options, twin.room_wh = self.options, self.room_wh.copy()
        twin.placed, twin.value_wh = dict(self.placed), self.value_wh
        return twin

    def insert(self, task: int, placement: Placement) -> None:
        """Place a task; the caller has made sure that it fits."""
        self.room_wh[placement.producer, placement.bins] -= placement.start_grid.draw_wh
        self.placed[task] = placement
        self.value_wh += self.options.instance.tasks[task].energy_wh

    def remove(self, task: int) -> Placement:
        """Remove a task and return where it was placed."""
        placement = self.placed.pop(task)
        self.room_wh[placement.producer, placement.bins] += placement.start_grid.draw_wh
        self.value_wh -= self.options.instance.tasks[task].energy_wh
        return placement

    def is_free(self, task: int, start_s: int) -> bool:
        """Return whether the device is free at this start (UNIX seconds) and its other tasks still find room."""
        return not self.options.is_constrained(task) or covers(
            self.options.open_starts(task, self._placed_mates(task)), start_s
        )

    def _placed_mates(self, task: int) -> tuple[tuple[int, int], ...]:
        instance = self.options.instance
        return tuple(
            (mate, self.placed[mate].start_s(instance))
            for mate in self.options.same_device[task]
            if mate in self.placed
        )

    def has_room(self, task: int, placement: Placement) -> bool:
        """Return whether a placement is feasible: the device is free, and the production left covers every bin."""
        return self.is_free(task, placement.start_s(self.options.instance)) and self.has_production(placement)

    def has_production(self, placement: Placement) -> bool:
        """Return whether the production left covers a placement in every bin."""
        room_wh = self.room_wh[placement.producer, placement.bins]
        return bool((placement.start_grid.draw_wh <= room_wh + TOLERANCE_WH).all())

    def feasible_starts(self, task: int, freed: Freed | None = None) -> list[tuple[StartCandidates, IntArray]]:
        """Return the candidates of a task that fit now, grid by grid, with the indices of the starts that fit.

        Args:
            task: Index of the task.
            freed: Bins, by producer, in which energy was freed since the task last had no feasible start; None: all
                bins.
        """
        if not self.options.is_constrained(task):
            return self._feasible_starts(self.options.candidates[task], freed)
        starts = self.options.open_starts(task, self._placed_mates(task))
        instance = self.options.instance
        candidates = []
        for candidate in self.options.candidates[task]:
            first_s = Placement(candidate.producer, candidate.start_grid, 0).start_s(instance)
            at_s = first_s + BIN_S * candidate.indices
            free = np.zeros(len(at_s), dtype=np.bool_)
            for begin_s, end_s in starts:
                low, high = np.searchsorted(at_s, (begin_s, end_s + 1))
                free[low:high] = True
            if free.any():
                candidates.append(StartCandidates(candidate.producer, candidate.start_grid, candidate.indices[free]))
        # Where a job must begin when another ends, that is seldom on a whole minute.
        edges_s = sorted({s for stretch in starts for s in stretch if (s - instance.start_s) % BIN_S})[:MAX_EDGES]
        producers = sorted({candidate.producer for candidate in self.options.candidates[task]})
        candidates += [
            StartCandidates(p, self.options.single_start(task, s), FIRST_INDEX) for s in edges_s for p in producers
        ]
        return self._feasible_starts(candidates, freed)

    def _feasible_starts(
        self, candidates: Sequence[StartCandidates], freed: Freed | None
    ) -> list[tuple[StartCandidates, IntArray]]:
        found = []
        for candidate in candidates:
            indices = candidate.indices
            if freed is not None:
                if candidate.producer not in freed:
                    continue
                begin, end = freed[candidate.producer]
                first = begin - candidate.start_grid.first_bin - len(candidate.start_grid.draw_wh) + 1
                low, high = np.searchsorted(indices, (first, end - candidate.start_grid.first_bin))
                indices = indices[low:high]
            if len(indices):
                indices = candidate.start_grid.fits(self.room_wh[candidate.producer], indices)
                if len(indices):
                    found.append((candidate, indices))
        return found
