"""Late promises: until shortly before its start, a task may be pushed out by others that use the production better.

Where another scheduler would reject a task, this one looks, if asked to, for a selection of tasks that includes the new
one and has more energy in total than before. Tasks that are left out lose their place, and their consumers look for
another producer. If the new task fits without that, tasks that have not started move so that production is used as
early as possible. Every push-out raises the energy that the producer supplies by at least `MIN_GAIN_WH`. This ends a
chain of push-outs from producer to producer: together they never supply less, and never more than all tasks need.

The selection is found by a large neighbourhood search. A round forces a task in at one of its starts, removes the tasks
that then overdraw the production (with some randomness, those with the least energy first) and perhaps a few more, and
fills the room again. Simulated annealing decides whether the result is kept. Effort is counted in rounds, and all
random numbers come from one generator. Later energy is discounted: past production is lost, while later production may
still serve tasks that are not known yet. On ten generated neighbourhoods, a discount of 20 % per hour delivered most,
and 10 % and 30 % nearly as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from agents.energy import FloatArray
from agents.scheduling.blas_threads import one_blas_thread
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Replanning, Schedule, Scheduler, Task
from agents.scheduling.time_grid import BIN_S, SEARCH_TOLERANCE_WH, Grid, StartGroup, add, first_feasible_s, fits

DISCOUNT_PER_S = 0.2 / 3600
"""How much less a Wh counts for each second that it is used later."""
HOT = 0.1
"""Initial temperature, as a share of the mean energy of a task."""
AT_FIRST_START = 0.3
"""Share of rounds in which the forced task gets its first start instead of any."""
OF_ALL = 0.4
"""Share of rounds that force in any task, not one that is left out."""
ALSO_OUT = (0, 0, 1, 2, 3)
"""How many further tasks a round takes out; the number is drawn uniformly."""
BACK_ANYWHERE = 0.25
"""Share of rounds in which tasks come back at any feasible start instead of the first one."""
MIN_GAIN_WH = 1.0
"""Least gain in the energy that a producer supplies, with each push, Wh."""
ROUNDS = 300
"""Search rounds before a task is rejected."""
COMPACTING_ROUNDS = 100
"""Search rounds that move tasks after one was accepted."""
TRIAL_ROUNDS = 30
"""Search rounds that decide whether a rejected task should ask again."""


class Selection:
    """Starts of tasks on one producer; those that are firm stay as they are."""

    def __init__(self, state: ProducerState, newcomers: Iterable[Task]) -> None:
        """Begin with the commitments of a producer.

        Args:
            state: The producer's state; started and firm commitments stay as they are.
            newcomers: Tasks that it may supply besides.
        """
        unstarted = [c for c in state.committed if c.start_s > state.now_s]
        others = [*newcomers]
        self._grid = Grid.of(state, *others)
        firm_wh = np.zeros_like(self._grid.free_wh)
        self.starts_s: dict[str, int] = {}
        """By job id, the start of each task that is supplied and is not firm, UNIX seconds."""
        self._tasks: dict[str, Task] = {}
        self._known_cells: dict[tuple[str, int], tuple[slice, FloatArray]] = {}
        for commitment in unstarted:
            if commitment.task.job_id in state.firm:
                add(firm_wh, self._grid.first_s, commitment.task.load, commitment.start_s)
        self._free_wh = self._grid.free_wh - firm_wh
        self._left_wh = self._free_wh.copy()
        for commitment in (c for c in unstarted if c.task.job_id not in state.firm):
            self._tasks[commitment.task.job_id] = commitment.task
            self._insert(commitment.task.job_id, commitment.start_s)
        self._tasks |= {task.job_id: task for task in others}
        self._ids = sorted(self._tasks)
        self._energy_wh = {job_id: task.load.energy_wh for job_id, task in self._tasks.items()}
        self._groups: dict[str, tuple[StartGroup, ...]] = {}
        self._possible_s: dict[str, list[int]] = {}

    def may_hold(self, job_id: str) -> bool:
        """Return whether any selection can include a task; if not, a search for one that does is in vain."""
        return bool(self._possible(job_id))

    def improve(
        self, rounds: int, rng: Random, is_wanted: Callable[[Collection[str]], bool]
    ) -> Mapping[str, int] | None:
        """Search for a selection of high value.

        Args:
            rounds: How many rounds.
            rng: The only source of randomness.
            is_wanted: Whether a selection, given by its job ids, may be the result.

        Returns:
            The best selection found that is wanted: starts by job id, UNIX seconds; None: there is none.
        """
        best = dict(self.starts_s) if is_wanted(self.starts_s) else None
        best_value = current = self._value()
        best_value = best_value if best is not None else -math.inf
        candidates = [job_id for job_id in self._ids if self._possible(job_id)]
        hot = HOT * sum(self._energy_wh.values()) / max(1, len(self._energy_wh)) + 1e-9
        for n in range(rounds if candidates else 0):
            before_s, before_wh = dict(self.starts_s), self._left_wh.copy()
            self._force(candidates, rng)
            value = self._value()
            heat = hot * (1.0 - n / rounds)
            if value < current and rng.random() >= math.exp((value - current) / heat):
                self.starts_s, self._left_wh = before_s, before_wh
                continue
            current = value
            if value > best_value + 1e-6 and is_wanted(self.starts_s):
                best, best_value = dict(self.starts_s), value
        return best

    def _force(self, candidates: list[str], rng: Random) -> None:
        """Force a task in, remove the tasks that no longer fit, and fill the room again."""
        out = [job_id for job_id in candidates if job_id not in self.starts_s]
        forced = rng.choice(candidates if not out or rng.random() < OF_ALL else out)
        if forced in self.starts_s:
            self._remove(forced)
        possible_s = self._possible(forced)
        self._insert(forced, possible_s[0] if rng.random() < AT_FIRST_START else rng.choice(possible_s))
        back = self._clear(forced, rng)
        more = [job_id for job_id in self._ids if job_id in self.starts_s and job_id != forced]
        for job_id in rng.sample(more, min(rng.choice(ALSO_OUT), len(more))):
            self._remove(job_id)
            back.append(job_id)
        back += [job_id for job_id in out if job_id != forced]
        order = rng.random()
        if order < 0.5:
            back.sort(key=lambda job_id: (-self._energy_wh[job_id], job_id))
        elif order < 0.75:
            back.sort(key=lambda job_id: (self._tasks[job_id].latest_start_s, job_id))
        else:
            rng.shuffle(back)
        is_anywhere = rng.random() < BACK_ANYWHERE
        for job_id in back:
            start_s = self._any_s(job_id, rng) if is_anywhere else first_feasible_s(self._starts(job_id), self._left_wh)
            if start_s is not None:
                self._insert(job_id, start_s)

    def _clear(self, forced: str, rng: Random) -> list[str]:
        """Take out tasks until no minute is overdrawn; return their ids."""
        removed: list[str] = []
        while True:
            over = self._left_wh < -SEARCH_TOLERANCE_WH
            if not over.any():
                return removed
            span = range(int(over.argmax()), len(over) - int(over[::-1].argmax()))
            weights = over.astype(np.float64)
            drawing = [
                (self._energy_wh[job_id] * (0.5 + rng.random()), job_id)
                for job_id in self._ids
                if job_id in self.starts_s and job_id != forced and self._draws_in(job_id, span, weights)
            ]
            if not drawing:  # by a rounding error of the forced task itself
                return removed
            job_id = min(drawing)[1]
            self._remove(job_id)
            removed.append(job_id)

    def _draws_in(self, job_id: str, span: range, weights: FloatArray) -> bool:
        """Return whether a task draws in a minute with a positive weight; all of them are in the span."""
        bins, load_wh = self._cells(job_id, self.starts_s[job_id])
        if bins.stop <= span.start or bins.start >= span.stop:
            return False
        return bool(load_wh @ weights[bins] > 0.0)

    def _value(self) -> float:
        now_s = self._grid.now_s
        return sum(
            self._energy_wh[job_id] * math.exp(-DISCOUNT_PER_S * (start_s - now_s))
            for job_id, start_s in self.starts_s.items()
        )

    def _possible(self, job_id: str) -> list[int]:
        """Return the starts at which production covers a task if all others that are not firm make way."""
        if job_id not in self._possible_s:
            self._possible_s[job_id] = _feasible_s(self._starts(job_id), self._free_wh)
        return self._possible_s[job_id]

    def _any_s(self, job_id: str, rng: Random) -> int | None:
        found_s = _feasible_s(self._starts(job_id), self._left_wh)
        return rng.choice(found_s) if found_s else None

    def _starts(self, job_id: str) -> tuple[StartGroup, ...]:
        if job_id not in self._groups:
            self._groups[job_id] = self._grid.candidates(self._tasks[job_id])
        return self._groups[job_id]

    def _cells(self, job_id: str, start_s: int) -> tuple[slice, FloatArray]:
        cells = self._known_cells.get((job_id, start_s))
        if cells is None:
            load_wh = self._tasks[job_id].load.per_minute_wh(start_s % BIN_S)
            first = (start_s - self._grid.first_s) // BIN_S
            cells = self._known_cells[job_id, start_s] = slice(first, first + len(load_wh)), load_wh
        return cells

    def _insert(self, job_id: str, start_s: int) -> None:
        bins, load_wh = self._cells(job_id, start_s)
        self._left_wh[bins] -= load_wh
        self.starts_s[job_id] = start_s

    def _remove(self, job_id: str) -> None:
        bins, load_wh = self._cells(job_id, self.starts_s.pop(job_id))
        self._left_wh[bins] += load_wh


def _feasible_s(groups: Iterable[StartGroup], left_wh: FloatArray) -> list[int]:
    return [
        group.first_s + BIN_S * place for group in groups for place in np.flatnonzero(group.feasible(left_wh)).tolist()
    ]


@dataclass(frozen=True, slots=True)
class LatePromises:
    """A scheduler that pushes tasks out for better ones."""

    base: Scheduler
    """Schedules tasks that fit beside the others, and fits commitments to a new forecast."""

    @property
    def is_heavy(self) -> bool:
        """See `Scheduler.is_heavy`."""
        return True

    @one_blas_thread()
    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:
        """See `Scheduler.place` (`state`, `task`, `rng`); the schedule lacks the commitments that are pushed out."""
        decision = self.base.place(state, task, rng)
        if isinstance(decision, Schedule):
            return _compacted(state, task, decision, rng)
        if not state.may_push:
            return decision
        waiting = [other for other in state.waiting if other.job_id != task.job_id]
        return _pushing(state, task, (task, *waiting), ROUNDS, rng) or decision

    @one_blas_thread()
    def have_room(self, state: ProducerState, tasks: Sequence[Task]) -> list[bool]:
        """See `Scheduler.have_room`; by generators of their own, as others must not notice the trials."""
        beside = self.base.have_room(state, tasks)
        return [has_room or _may_push(state, task) for task, has_room in zip(tasks, beside, strict=True)]

    def replan(self, state: ProducerState) -> Replanning:
        """See `Scheduler.replan`."""
        return self.base.replan(state)


def _may_push(state: ProducerState, task: Task) -> bool:
    """Return whether a trial finds room for a task by pushing others out.

    Nothing is tried if the task would not fit even without all tasks that may be pushed out.
    """
    if not Selection(state, (task,)).may_hold(task.job_id):
        return False
    return _pushing(state, task, (task,), TRIAL_ROUNDS, Random(task.job_id)) is not None


def _pushing(
    state: ProducerState, task: Task, newcomers: Collection[Task], rounds: int, rng: Random
) -> Schedule | None:
    """Return a schedule with the new task and more energy in total, without the commitments that it pushes out."""
    energy_wh = {c.task.job_id: c.task.load.energy_wh for c in state.committed}
    energy_wh[task.job_id] = task.load.energy_wh
    selection = Selection(state, newcomers)
    least_wh = sum(energy_wh[job_id] for job_id in selection.starts_s) + MIN_GAIN_WH

    def is_wanted(job_ids: Collection[str]) -> bool:
        return task.job_id in job_ids and sum(energy_wh.get(job_id, 0.0) for job_id in job_ids) >= least_wh

    found_s = selection.improve(rounds, rng, is_wanted)
    if found_s is None:
        return None
    stay_s = {c.task.job_id: c.start_s for c in state.committed if _stays(state, c)}
    starts_s = {job_id: start_s for job_id, start_s in found_s.items() if job_id in energy_wh}
    kept = ProducerState(
        state.production,
        tuple(c for c in state.committed if c.task.job_id in stay_s or c.task.job_id in starts_s),
        state.now_s,
    )
    return Schedule(stay_s | starts_s) if fits(kept, task, stay_s | starts_s) else None


def _compacted(state: ProducerState, task: Task, schedule: Schedule, rng: Random) -> Schedule:
    """Return a schedule of the same tasks that uses production earlier."""
    committed = [Commitment(c.task, schedule.starts_s[c.task.job_id]) for c in state.committed]
    accepted = Commitment(task, schedule.starts_s[task.job_id])
    moved = ProducerState(state.production, (*committed, accepted), state.now_s, firm=state.firm)
    selection = Selection(moved, ())
    wanted = len(selection.starts_s)
    found_s = selection.improve(COMPACTING_ROUNDS, rng, lambda job_ids: len(job_ids) == wanted)
    starts_s = {**schedule.starts_s, **(found_s or {})}
    return Schedule(starts_s) if fits(state, task, starts_s) else schedule


def _stays(state: ProducerState, commitment: Commitment) -> bool:
    return commitment.start_s <= state.now_s or commitment.task.job_id in state.firm
