"""The mixed-integer program: which job starts when on which producer, so that the sun delivers most; solved by HiGHS.

One variable for each cell (`cells`): a job's starts that draw the same in a sample of minutes. Each job starts once at
most; in no sampled minute may a producer be asked for more than it has. Over all minutes at once HiGHS closes little
on a hundred jobs; over every sixteenth it takes a moment, and what it proves there, every plan keeps. So the sample is
refined step by step: each program begins from the best plan known and may end as soon as that is proven.

What else makes it small: jobs and starts that fit nowhere have no cells, minutes in which all could be served have no
row, and of producers that are alike the first job may choose only the first, the second the first two, and so on.
Where asked for, a device runs one of its jobs at the beginning of each sampled minute; a cell counts where all of its
starts do. Jobs on grid power take no time then, which can only make the optimum higher, too.

Energies are counted in kWh and draws in shares of the sun, so that HiGHS's tolerances mean the same in every row.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from agents import FloatArray
from scenarios.optimum.instance import Instance, Task
from scenarios.optimum.linear_pieces import Open
from scenarios.optimum.partial_schedule import Packing, Place
from scenarios.optimum.start_grid import BIN_S, TOLERANCE_WH, BoolArray, IntArray, Ladder

ROUNDED_WH = 1e-6
"""Draws are rounded down to this, so that those that differ by arithmetic only are one."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Some starts of one task on one class of producers."""

    draw_wh: FloatArray
    """What is drawn in each sampled minute: by all of its starts, or by the first if it has a slope."""
    slope_wh: FloatArray | None
    """How much more the last start draws than the first, if that counts; shape (sampled minutes,)."""
    open_: Open
    piece: int
    """Of the stretch: the one that stands for the cell."""
    occupies: BoolArray
    """At the beginning of which sampled minutes the task runs, whichever of the cell's starts it has."""

    def share_at(self, draw_wh: FloatArray) -> float | None:
        """Return how far towards its last start it draws no more than this in any sampled minute; None if nowhere."""
        share = 0.0
        if self.slope_wh is not None:
            steepest = int(np.abs(self.slope_wh).argmax())
            share = float(np.clip((draw_wh - self.draw_wh)[steepest] / self.slope_wh[steepest], 0.0, 1.0))
        own_wh = self.draw_wh if self.slope_wh is None else self.draw_wh + share * self.slope_wh
        return share if (own_wh <= draw_wh + ROUNDED_WH).all() else None

    def ladder(self, share: float) -> Ladder:
        """Return the piece's whole second at this share of the way from its first to its last, as a start of a plan."""
        stretch = self.open_.stretch
        first_s, last_s = self.open_.first_s[self.piece], self.open_.last_s[self.piece]
        second_s = round(float(first_s + share * (last_s - first_s)))
        late, offset_s = divmod(stretch.offset_s + second_s, BIN_S)
        draw_wh = self.open_.draw_wh(second_s)[late:]
        return Ladder(draw_wh, offset_s, stretch.first_bin + self.piece + late, 1)


def cells_of(task: Task, limit_wh: FloatArray, minutes: IntArray, *, sloped: bool, tied: bool = False) -> list[Cell]:
    """Return the cells of a task on a producer, those that draw least first.

    Args:
        task: Which.
        limit_wh: The most that the producer may be asked for, by bin.
        minutes: The sample, rising: bins.
        sloped: Whether each piece is a cell of its own, with its slope.
        tied: Whether it counts when the task's device is taken; starts that take it at other times then differ.
    """
    duration_s = task.run.duration_s if tied else 0
    found = [
        _pieces(open_, minutes, duration_s, sloped=sloped)
        for stretch in task.stretches
        if (open_ := stretch.within(limit_wh)).mask.any()
    ]
    cells = [cell for pieces in found for cell in pieces]
    if sloped or not cells:
        return cells
    draws = np.array([np.concatenate((cell.draw_wh, cell.occupies)) for cell in cells])
    _, first = np.unique(draws, axis=0, return_index=True)
    rising = first[np.argsort(draws[first].sum(axis=1), kind="stable")]
    touched = np.flatnonzero(draws.any(axis=0))
    least = draws[np.ix_(rising, touched)]
    kept: list[int] = []
    for i in range(len(rising)):
        if not (least[kept] <= least[i]).all(axis=1).any():
            kept.append(i)
    return [cells[rising[i]] for i in kept]


def _pieces(open_: Open, minutes: IntArray, duration_s: int, *, sloped: bool) -> list[Cell]:
    stretch = open_.stretch
    pieces = np.flatnonzero(open_.mask)
    place = minutes[np.newaxis, :] - (stretch.first_bin + pieces)[:, np.newaxis]
    meets = (place >= 0) & (place < len(stretch.left_wh))
    place = np.where(meets, place, 0)
    left_wh, rise_wh = stretch.left_wh[place], (stretch.right_wh - stretch.left_wh)[place]
    length_s = max(1, stretch.length_s)
    first_wh = np.where(meets, left_wh + rise_wh * (open_.first_s[pieces] / length_s)[:, np.newaxis], 0.0)
    last_wh = np.where(meets, left_wh + rise_wh * (open_.last_s[pieces] / length_s)[:, np.newaxis], 0.0)
    begin_s = BIN_S * (stretch.first_bin + pieces) + stretch.offset_s
    at_s = BIN_S * minutes[np.newaxis, :]
    after_last = at_s >= (begin_s + open_.last_s[pieces])[:, np.newaxis]
    occupies = after_last & (at_s < (begin_s + open_.first_s[pieces] + duration_s)[:, np.newaxis])
    if sloped:
        slopes = last_wh - first_wh
        return [
            Cell(draw, slope if slope.any() else None, open_, int(piece), taken)
            for draw, slope, piece, taken in zip(first_wh, slopes, pieces, occupies, strict=True)
        ]
    least_wh = np.maximum(np.floor(np.minimum(first_wh, last_wh) / ROUNDED_WH) * ROUNDED_WH, 0.0)
    return [
        Cell(draw, None, open_, int(piece), taken)
        for draw, piece, taken in zip(least_wh, pieces, occupies, strict=True)
    ]


SAMPLES = (16, 8, 4, 2, 1)
"""Minutes from one that is looked at to the next."""
GROWTH = 3.0
"""How many times as long the next program takes, at least; most often more."""
MOST_ENTRIES = 1_000_000
"""Of the matrix; a larger program is not begun."""
WH_PER_KWH = 1000.0
MARGIN_WH = 0.01
"""Added to what HiGHS proves, for its tolerances: a millionth of everything that it compares."""
DARK_WH = 1e-3
"""Of a minute: with less sun it has no row; a share of next to nothing would mean nothing."""
LOOK_WALL_S = 0.05
"""How often whoever waits for HiGHS is asked whether to go on."""


@dataclass(frozen=True)
class Answer:
    """What a program says."""

    bound_wh: float
    """What no plan exceeds."""
    solved: bool
    """Whether it was solved to its end."""
    places: Mapping[int, Place]
    """By task: about where it would like to have it. They may overdraw minutes that were not looked at."""


def answers(
    instance: Instance,
    limit_wh: FloatArray,
    best: Callable[[], Packing],
    stop: Callable[[], bool],
    left_wall_s: Callable[[], float],
    *,
    one_at_a_time: bool = False,
) -> Iterator[Answer]:
    """Solve ever finer programs; yield what each says.

    Args:
        instance: The data.
        limit_wh: The most that each producer may be asked for, shape (producers, bins): its sun, or more.
        best: Returns the best plan known, to begin from.
        stop: Asked now and then; true ends it all.
        left_wall_s: How long it may still take, real seconds.
        one_at_a_time: Whether devices run one job at a time: what is proven then holds for plans, not for runs.
    """
    for step in (*SAMPLES, None):
        minutes = np.arange(instance.bins) if step is None else np.arange(step // 2, instance.bins, step)
        program = Program(instance, limit_wh, minutes, sloped=step is None, one_at_a_time=one_at_a_time)
        if not program.build(stop):
            return
        begun_wall_s = time.monotonic()
        answer = program.solve(best(), stop, left_wall_s())
        took_wall_s = time.monotonic() - begun_wall_s
        yield answer
        # What would not end anyway leaves its time to the search for plans.
        if not answer.solved or GROWTH * took_wall_s > left_wall_s():
            return


@dataclass(frozen=True)
class _Option:
    """A cell on a producer."""

    task: int
    producer: int
    cell: Cell
    variable: int
    """The one that says whether it is chosen; the next one is its share, if it has a slope."""


@dataclass(frozen=True)
class _Variable:
    """A column of the program."""

    rows: IntArray
    entries: FloatArray
    worth_kwh: float = 0.0
    kind: highspy.HighsVarType = highspy.HighsVarType.kContinuous


class Program:
    """One mixed-integer program."""

    def __init__(
        self,
        instance: Instance,
        limit_wh: FloatArray,
        minutes: IntArray,
        *,
        sloped: bool,
        one_at_a_time: bool,
    ) -> None:
        """Begin; see `answers` and `cells_of`."""
        self._instance = instance
        self._limit_wh = limit_wh
        self._minutes = minutes
        self._sloped = sloped
        self._options: list[_Option] = []
        self._variables: list[_Variable] = []
        self._most = [1.0] * len(instance.tasks)
        """Of each row: what its entries may sum up to. The first are of the tasks: each starts once."""
        self._device_rows: dict[str, int] = {}
        """Of each device that several tasks want, the row of its first sampled minute: it runs one of them then."""
        if one_at_a_time:
            wanted = Counter(task.device for task in instance.tasks if task.device)
            for device in sorted(device for device, count in wanted.items() if count > 1):
                self._device_rows[device] = len(self._most)
                self._most += [1.0] * len(minutes)

    def build(self, stop: Callable[[], bool]) -> bool:
        """Collect variables and rows; return False if told to stop, or if they are too many."""
        for members in self._instance.classes:
            limit_wh = self._limit_wh[members[0]]
            cells: list[list[Cell]] = []
            for of in self._instance.tasks:
                if stop():
                    return False
                tied = of.device in self._device_rows
                cells.append(cells_of(of, limit_wh, self._minutes, sloped=self._sloped, tied=tied))
            looked_at = self._contested(cells, limit_wh)
            limits_wh = limit_wh[self._minutes[looked_at]] + TOLERANCE_WH
            fitting = [task for task, found in enumerate(cells) if found]
            for copy, producer in enumerate(members):
                for task in fitting[copy:]:
                    for cell in cells[task]:
                        self._add(task, producer, cell, looked_at, limits_wh)
                self._most += [1.0] * len(looked_at)
            if sum(len(variable.rows) for variable in self._variables) > MOST_ENTRIES:
                return False
        return True

    def solve(self, best: Packing, stop: Callable[[], bool], left_wall_s: float) -> Answer:
        """Solve it, from a plan on."""
        if not self._variables:
            return Answer(0.0, solved=True, places={})
        solver = self._loaded(left_wall_s)
        solver.setSolution(self._begun(best))
        _run(solver, stop)
        solution = solver.getSolution()
        value = solution.col_value
        return Answer(
            bound_wh=MARGIN_WH - WH_PER_KWH * float(solver.getInfo().mip_dual_bound),
            solved=solver.getModelStatus() == highspy.HighsModelStatus.kOptimal,
            places={
                option.task: Place(option.producer, option.cell.ladder(self._share(option, value)), 0)
                for option in self._options
                if solution.value_valid and value[option.variable] > 0.5
            },
        )

    def _share(self, option: _Option, value: Sequence[float]) -> float:
        return 0.0 if option.cell.slope_wh is None else min(1.0, max(0.0, float(value[option.variable + 1])))

    def _contested(self, cells: list[list[Cell]], limit_wh: FloatArray) -> IntArray:
        """Return which of the sampled minutes have sun, but not for all tasks that could draw in them."""
        most_wh = np.zeros(len(self._minutes))
        for of in cells:
            if of:
                ends = [cell.draw_wh if cell.slope_wh is None else cell.draw_wh + cell.slope_wh for cell in of]
                most_wh += np.max([*(cell.draw_wh for cell in of), *ends], axis=0)
        there_wh = limit_wh[self._minutes]
        return np.flatnonzero((there_wh > DARK_WH) & (most_wh > there_wh))

    def _add(self, task: int, producer: int, cell: Cell, looked_at: IntArray, limits_wh: FloatArray) -> None:
        """Add a cell; its rows are the next to come."""
        self._options.append(_Option(task, producer, cell, len(self._variables)))
        draw = cell.draw_wh[looked_at] / limits_wh
        rows = np.flatnonzero(draw)
        device_row = self._device_rows.get(self._instance.tasks[task].device)
        taken = np.empty(0, dtype=np.int64) if device_row is None else device_row + np.flatnonzero(cell.occupies)
        self._variables.append(
            _Variable(
                np.concatenate(([task], taken, len(self._most) + rows)),
                np.concatenate(([1.0], np.ones(len(taken)), draw[rows])),
                self._instance.tasks[task].energy_wh / WH_PER_KWH,
                highspy.HighsVarType.kInteger,
            )
        )
        if cell.slope_wh is not None:
            slope = cell.slope_wh[looked_at] / limits_wh
            rows = np.flatnonzero(slope)
            self._variables.append(_Variable(len(self._most) + rows, slope[rows]))

    def _loaded(self, left_wall_s: float) -> highspy.Highs:
        """Return a solver that knows the program."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        options = {"output_flag": False, "threads": 1, "mip_rel_gap": 0.0, "time_limit": max(0.0, left_wall_s)}
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
            if option.cell.slope_wh is not None:
                both = np.array([option.variable, option.variable + 1], dtype=np.int32)
                solver.addRow(-highspy.kHighsInf, 0.0, 2, both, np.array([-1.0, 1.0]))
        return solver

    def _begun(self, best: Packing) -> highspy.HighsSolution:
        """Return a plan in the program's variables; what of it the program has no variables for is left out."""
        value = np.zeros(len(self._variables))
        copies = self._copies(best)
        begun: set[int] = set()
        for option in self._options:
            place = best.placed.get(option.task)
            if place is None or option.task in begun or copies[place.producer] != option.producer:
                continue
            draw_wh = np.zeros(self._instance.bins)
            draw_wh[place.bins] = place.ladder.draw_wh
            share = option.cell.share_at(draw_wh[self._minutes])
            if share is not None:
                begun.add(option.task)
                value[option.variable] = 1.0
                if option.cell.slope_wh is not None:
                    value[option.variable + 1] = share
        solution = highspy.HighsSolution()
        solution.col_value = value.tolist()
        return solution

    def _copies(self, best: Packing) -> dict[int, int]:
        """Return which producer's jobs a plan may give to which alike one, so that first jobs have first producers."""
        first = {producer: len(self._instance.tasks) for producer in range(len(self._instance.producers))}
        for task, place in best.placed.items():
            first[place.producer] = min(first[place.producer], task)
        return {
            producer: members[i]
            for members in self._instance.classes
            for i, producer in enumerate(sorted(members, key=lambda p: first[p]))
        }


def _run(solver: highspy.Highs, stop: Callable[[], bool]) -> None:
    """Let it solve until it is done or told to stop; in a thread of its own, for nothing else can interrupt it."""
    solver.HandleUserInterrupt = True
    solver.startSolve()
    try:
        while not solver.wait(LOOK_WALL_S)[0]:
            if stop():
                solver.cancelSolve()  # type: ignore[no-untyped-call]
    finally:
        solver.cancelSolve()  # type: ignore[no-untyped-call]
        solver.wait()
