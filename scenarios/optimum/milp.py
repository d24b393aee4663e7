"""Mixed-integer program that maximises delivered energy by choosing a producer and a start for each job (HiGHS).

There is one binary variable per aggregated column: all starts of a job that draw the same energy in a sample of
minutes. Each job starts at most once, and in no sampled minute may a producer be asked for more than its limit. Over
all minutes at once HiGHS hardly closes the gap for a hundred jobs. Over every sixteenth minute it takes a moment, and
because dropping minutes only relaxes the program, the bound holds for every plan. So the sample is refined step by
step: each model is warm-started from the best known plan and may stop as soon as that plan is proven optimal.

Three reductions keep the model small. Jobs and starts that fit nowhere have no column. Minutes in which every job
could be served have no row. Symmetry between identical producers is broken: the first job may use only the first of
them, the second job the first two, and so on. On request, a device runs at most one job at the beginning of each
sampled minute; an aggregated column occupies the device only where all of its starts do. Jobs on grid power do not
occupy their device, which again only relaxes the program.

Energy is in kWh and draw is a share of the limit, so that HiGHS's tolerances mean the same in every row.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from agents import FloatArray
from scenarios.optimum.instance import Instance, OptimumTask
from scenarios.optimum.partial_schedule import PartialSchedule, Placement
from scenarios.optimum.starts import BIN_S, TOLERANCE_WH, BoolArray, FeasiblePieces, IntArray, StartGrid

ROUNDED_WH = 1e-6
"""Draws are rounded down to multiples of this, so that draws that differ by rounding errors only are merged."""


@dataclass(frozen=True, eq=False)
class AggregatedColumn:
    """Starts of one task on one class of producers that draw the same in the sampled minutes."""

    draw_wh: FloatArray
    """Draw in each sampled minute, Wh, shape (sampled minutes,): a lower bound for all starts; with a slope, the
    first one's."""
    slope_wh: FloatArray | None
    """Draw of the last start less that of the first, Wh, shape (sampled minutes,); None if they are equal or not
    needed."""
    feasible: FeasiblePieces
    piece: int
    """Index of the representative piece in its family."""
    occupies: BoolArray
    """Sampled minutes at whose beginning the task runs whichever of the starts is chosen, shape (sampled minutes,)."""

    def share_at(self, draw_wh: FloatArray) -> float | None:
        """Return the share of the way from the first to the last start at which the column draws at most `draw_wh`.

        Args:
            draw_wh: Draw in each sampled minute, Wh, shape (sampled minutes,).

        Returns:
            A share from 0 to 1; None where every start draws more in some sampled minute.
        """
        share = 0.0
        if self.slope_wh is not None:
            steepest = int(np.abs(self.slope_wh).argmax())
            share = float(np.clip((draw_wh - self.draw_wh)[steepest] / self.slope_wh[steepest], 0.0, 1.0))
        own_wh = self.draw_wh if self.slope_wh is None else self.draw_wh + share * self.slope_wh
        return share if (own_wh <= draw_wh + ROUNDED_WH).all() else None

    def start_grid(self, share: float) -> StartGrid:
        """Return the whole second at this share of the way from the piece's first start to its last, as a grid."""
        family = self.feasible.family
        first_s, last_s = self.feasible.first_s[self.piece], self.feasible.last_s[self.piece]
        second_s = round(float(first_s + share * (last_s - first_s)))
        late, offset_s = divmod(family.offset_s + second_s, BIN_S)
        draw_wh = self.feasible.draw_wh(second_s)[late:]
        return StartGrid(draw_wh, offset_s, family.first_bin + self.piece + late, 1)


def aggregated_columns(
    task: OptimumTask, limit_wh: FloatArray, minutes: IntArray, *, sloped: bool, tied: bool = False
) -> list[AggregatedColumn]:
    """Return the aggregated columns of a task on a producer, those with the least draw first.

    Args:
        task: The task.
        limit_wh: Energy that the producer may be asked for in each bin of the instance, Wh, shape (bins,).
        minutes: The sampled bins, rising, shape (sampled minutes,).
        sloped: Whether each piece becomes a separate column, with its slope.
        tied: Whether occupation of the device matters; starts that occupy it at different times are then kept apart.
    """
    duration_s = task.run.duration_s if tied else 0
    found = [
        _pieces(feasible, minutes, duration_s, sloped=sloped)
        for family in task.piece_families
        if (feasible := family.within(limit_wh)).mask.any()
    ]
    columns = [column for pieces in found for column in pieces]
    if sloped or not columns:
        return columns
    draws = np.array([np.concatenate((column.draw_wh, column.occupies)) for column in columns])
    _, first = np.unique(draws, axis=0, return_index=True)
    rising = first[np.argsort(draws[first].sum(axis=1), kind="stable")]
    touched = np.flatnonzero(draws.any(axis=0))
    least = draws[np.ix_(rising, touched)]
    kept: list[int] = []
    for i in range(len(rising)):
        if not (least[kept] <= least[i]).all(axis=1).any():
            kept.append(i)
    return [columns[rising[i]] for i in kept]


def _pieces(feasible: FeasiblePieces, minutes: IntArray, duration_s: int, *, sloped: bool) -> list[AggregatedColumn]:
    family = feasible.family
    pieces = np.flatnonzero(feasible.mask)
    place = minutes[np.newaxis, :] - (family.first_bin + pieces)[:, np.newaxis]
    meets = (place >= 0) & (place < len(family.left_wh))
    place = np.where(meets, place, 0)
    left_wh, rise_wh = family.left_wh[place], (family.right_wh - family.left_wh)[place]
    length_s = max(1, family.length_s)
    first_wh = np.where(meets, left_wh + rise_wh * (feasible.first_s[pieces] / length_s)[:, np.newaxis], 0.0)
    last_wh = np.where(meets, left_wh + rise_wh * (feasible.last_s[pieces] / length_s)[:, np.newaxis], 0.0)
    begin_s = BIN_S * (family.first_bin + pieces) + family.offset_s
    at_s = BIN_S * minutes[np.newaxis, :]
    after_last = at_s >= (begin_s + feasible.last_s[pieces])[:, np.newaxis]
    occupies = after_last & (at_s < (begin_s + feasible.first_s[pieces] + duration_s)[:, np.newaxis])
    if sloped:
        slopes = last_wh - first_wh
        return [
            AggregatedColumn(draw, slope if slope.any() else None, feasible, int(piece), taken)
            for draw, slope, piece, taken in zip(first_wh, slopes, pieces, occupies, strict=True)
        ]
    least_wh = np.maximum(np.floor(np.minimum(first_wh, last_wh) / ROUNDED_WH) * ROUNDED_WH, 0.0)
    return [
        AggregatedColumn(draw, None, feasible, int(piece), taken)
        for draw, piece, taken in zip(least_wh, pieces, occupies, strict=True)
    ]


SAMPLE_STEPS = (16, 8, 4, 2, 1)
"""Distance between sampled minutes, from one model to the next."""
GROWTH = 3.0
"""Least factor by which the next model takes longer; most often it is more."""
MOST_ENTRIES = 1_000_000
"""Largest number of matrix entries; larger models are not solved."""
WH_PER_KWH = 1000.0
MARGIN_WH = 0.01
"""Added to the bound that HiGHS reports, to cover its tolerances: a millionth of all that it compares."""
NEGLIGIBLE_WH = 1e-3
"""Minutes with a lower limit have no row, as shares of next to nothing would be meaningless."""
POLL_WALL_S = 0.05
"""How often the caller is asked whether to stop while HiGHS runs."""


@dataclass(frozen=True)
class MilpResult:
    """The solution and the bound of one model."""

    bound_wh: float
    """Upper bound for every plan, Wh."""
    solved: bool
    """Whether HiGHS ran to optimality."""
    placements: Mapping[int, Placement]
    """Approximate placement of each task in the best solution found; they may exceed limits in minutes not sampled."""


def solve_refined(
    instance: Instance,
    limit_wh: FloatArray,
    best: Callable[[], PartialSchedule],
    stop: Callable[[], bool],
    remaining_wall_s: Callable[[], float],
    *,
    exclusive_devices: bool = False,
) -> Iterator[MilpResult]:
    """Solve models over ever finer samples of minutes and yield each result.

    Args:
        instance: The instance to bound.
        limit_wh: Energy that each producer may be asked for, Wh, shape (producers, bins); at least its production.
        best: Returns the best known schedule, used as a warm start.
        stop: Polled while HiGHS runs; True ends the iteration.
        remaining_wall_s: Returns the remaining time budget, wall-clock seconds.
        exclusive_devices: Whether a device runs at most one job at a time; the bound then holds for plans but not for
            runs, which may have had to run jobs together.
    """
    for step in (*SAMPLE_STEPS, None):
        minutes = np.arange(instance.bins) if step is None else np.arange(step // 2, instance.bins, step)
        program = MilpModel(instance, limit_wh, minutes, sloped=step is None, exclusive_devices=exclusive_devices)
        if not program.build(stop):
            return
        started_wall_s = time.monotonic()
        result = program.solve(best(), stop, remaining_wall_s())
        took_wall_s = time.monotonic() - started_wall_s
        yield result
        # A model that would not finish anyway leaves its time to the search for plans.
        if not result.solved or GROWTH * took_wall_s > remaining_wall_s():
            return


@dataclass(frozen=True)
class _Option:
    """An aggregated column on a producer."""

    task: int
    producer: int
    column: AggregatedColumn
    variable: int
    """Index of the variable that says whether it is chosen; with a slope, the next variable is its share."""


@dataclass(frozen=True)
class _Variable:
    """A variable of the model: its column of the constraint matrix."""

    rows: IntArray
    entries: FloatArray
    worth_kwh: float = 0.0
    kind: highspy.HighsVarType = highspy.HighsVarType.kContinuous


class MilpModel:
    """One mixed-integer program."""

    def __init__(
        self,
        instance: Instance,
        limit_wh: FloatArray,
        minutes: IntArray,
        *,
        sloped: bool,
        exclusive_devices: bool,
    ) -> None:
        """Prepare an empty model.

        Args:
            instance: The instance to bound.
            limit_wh: Energy that each producer may be asked for, Wh, shape (producers, bins); at least its production.
            minutes: The sampled bins, rising, shape (sampled minutes,).
            sloped: Whether each linear piece becomes a separate column, with its slope.
            exclusive_devices: Whether a device runs at most one job at a time.
        """
        self._instance = instance
        self._limit_wh = limit_wh
        self._minutes = minutes
        self._sloped = sloped
        self._options: list[_Option] = []
        self._variables: list[_Variable] = []
        self._most = [1.0] * len(instance.tasks)
        """Upper bound of each row. The first rows are the tasks': each starts at most once."""
        self._device_rows: dict[str, int] = {}
        """By device with several tasks, the row of its first sampled minute; it runs at most one of them then."""
        if exclusive_devices:
            wanted = Counter(task.device for task in instance.tasks if task.device)
            for device in sorted(device for device, count in wanted.items() if count > 1):
                self._device_rows[device] = len(self._most)
                self._most += [1.0] * len(minutes)

    def build(self, stop: Callable[[], bool]) -> bool:
        """Collect variables and rows; return False if stopped or if the model is too large."""
        for members in self._instance.classes:
            limit_wh = self._limit_wh[members[0]]
            columns: list[list[AggregatedColumn]] = []
            for of in self._instance.tasks:
                if stop():
                    return False
                tied = of.device in self._device_rows
                columns.append(aggregated_columns(of, limit_wh, self._minutes, sloped=self._sloped, tied=tied))
            contested = self._contested(columns, limit_wh)
            limits_wh = limit_wh[self._minutes[contested]] + TOLERANCE_WH
            placeable = [task for task, found in enumerate(columns) if found]
            for copy, producer in enumerate(members):
                for task in placeable[copy:]:
                    for column in columns[task]:
                        self._add(task, producer, column, contested, limits_wh)
                self._most += [1.0] * len(contested)
            if sum(len(variable.rows) for variable in self._variables) > MOST_ENTRIES:
                return False
        return True

    def solve(self, best: PartialSchedule, stop: Callable[[], bool], remaining_wall_s: float) -> MilpResult:
        """Solve the model.

        Args:
            best: The best known schedule, used as a warm start.
            stop: Polled while HiGHS runs; True ends it.
            remaining_wall_s: Time limit, wall-clock seconds.
        """
        if not self._variables:
            return MilpResult(0.0, solved=True, placements={})
        solver = self._make_solver(remaining_wall_s)
        solver.setSolution(self._warm_start(best))
        _solve_interruptibly(solver, stop)
        solution = solver.getSolution()
        value = solution.col_value
        return MilpResult(
            bound_wh=MARGIN_WH - WH_PER_KWH * float(solver.getInfo().mip_dual_bound),
            solved=solver.getModelStatus() == highspy.HighsModelStatus.kOptimal,
            placements={
                option.task: Placement(option.producer, option.column.start_grid(self._share(option, value)), 0)
                for option in self._options
                if solution.value_valid and value[option.variable] > 0.5
            },
        )

    def _share(self, option: _Option, value: Sequence[float]) -> float:
        return 0.0 if option.column.slope_wh is None else min(1.0, max(0.0, float(value[option.variable + 1])))

    def _contested(self, columns: list[list[AggregatedColumn]], limit_wh: FloatArray) -> IntArray:
        """Return the indices of sampled minutes with production, but too little for all tasks that could draw."""
        most_wh = np.zeros(len(self._minutes))
        for of in columns:
            if of:
                ends = [
                    column.draw_wh if column.slope_wh is None else column.draw_wh + column.slope_wh for column in of
                ]
                most_wh += np.max([*(column.draw_wh for column in of), *ends], axis=0)
        there_wh = limit_wh[self._minutes]
        return np.flatnonzero((there_wh > NEGLIGIBLE_WH) & (most_wh > there_wh))

    def _add(
        self, task: int, producer: int, column: AggregatedColumn, contested: IntArray, limits_wh: FloatArray
    ) -> None:
        """Add an aggregated column; its capacity rows are the next to be added."""
        self._options.append(_Option(task, producer, column, len(self._variables)))
        draw = column.draw_wh[contested] / limits_wh
        rows = np.flatnonzero(draw)
        device_row = self._device_rows.get(self._instance.tasks[task].device)
        taken = np.empty(0, dtype=np.int64) if device_row is None else device_row + np.flatnonzero(column.occupies)
        self._variables.append(
            _Variable(
                np.concatenate(([task], taken, len(self._most) + rows)),
                np.concatenate(([1.0], np.ones(len(taken)), draw[rows])),
                self._instance.tasks[task].energy_wh / WH_PER_KWH,
                highspy.HighsVarType.kInteger,
            )
        )
        if column.slope_wh is not None:
            slope = column.slope_wh[contested] / limits_wh
            rows = np.flatnonzero(slope)
            self._variables.append(_Variable(len(self._most) + rows, slope[rows]))

    def _make_solver(self, remaining_wall_s: float) -> highspy.Highs:
        """Return a solver loaded with the model."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy has no types
        options = {"output_flag": False, "threads": 1, "mip_rel_gap": 0.0, "time_limit": max(0.0, remaining_wall_s)}
        for name, setting in options.items():
            solver.setOptionValue(name, setting)
        none = np.empty(0, dtype=np.int32)
        count = len(self._most)
        solver.addRows(count, np.full(count, -highspy.kHighsInf), np.array(self._most), 0, none, none, np.empty(0))
        starts = np.cumsum([0, *(len(variable.rows) for variable in self._variables)])
        count = len(self._variables)
        solver.addCols(
            count,
            np.array([-variable.worth_kwh for variable in self._variables]),
            np.zeros(count),
            np.ones(count),
            int(starts[-1]),
            starts[:-1].astype(np.int32),
            np.concatenate([variable.rows for variable in self._variables]).astype(np.int32),
            np.concatenate([variable.entries for variable in self._variables]),
        )
        kinds = np.array([variable.kind for variable in self._variables])
        solver.changeColsIntegrality(count, np.arange(count, dtype=np.int32), kinds)
        for option in self._options:
            if option.column.slope_wh is not None:
                both = np.array([option.variable, option.variable + 1], dtype=np.int32)
                solver.addRow(-highspy.kHighsInf, 0.0, 2, both, np.array([-1.0, 1.0]))
        return solver

    def _warm_start(self, best: PartialSchedule) -> highspy.HighsSolution:
        """Return a schedule in the model's variables, leaving out placements for which it has none."""
        value = np.zeros(len(self._variables))
        copies = self._copies(best)
        begun: set[int] = set()
        for option in self._options:
            place = best.placed.get(option.task)
            if place is None or option.task in begun or copies[place.producer] != option.producer:
                continue
            draw_wh = np.zeros(self._instance.bins)
            draw_wh[place.bins] = place.start_grid.draw_wh
            share = option.column.share_at(draw_wh[self._minutes])
            if share is not None:
                begun.add(option.task)
                value[option.variable] = 1.0
                if option.column.slope_wh is not None:
                    value[option.variable + 1] = share
        solution = highspy.HighsSolution()
        solution.col_value = value.tolist()
        return solution

    def _copies(self, best: PartialSchedule) -> dict[int, int]:
        """Map producers to identical ones so that lower tasks use lower producers, as the model requires."""
        first = {producer: len(self._instance.tasks) for producer in range(len(self._instance.producers))}
        for task, place in best.placed.items():
            first[place.producer] = min(first[place.producer], task)
        return {
            producer: members[i]
            for members in self._instance.classes
            for i, producer in enumerate(sorted(members, key=lambda p: first[p]))
        }


def _solve_interruptibly(solver: highspy.Highs, stop: Callable[[], bool]) -> None:
    """Solve until done or stopped. HiGHS runs in a separate thread, because it cannot be interrupted otherwise."""
    solver.HandleUserInterrupt = True
    solver.startSolve()
    try:
        while not solver.wait(POLL_WALL_S)[0]:
            if stop():
                solver.cancelSolve()  # type: ignore[no-untyped-call]  # highspy has no types
    finally:
        solver.cancelSolve()  # type: ignore[no-untyped-call]  # highspy has no types
        solver.wait()
