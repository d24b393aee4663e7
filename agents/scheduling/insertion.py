"""Insertion, the default scheduler: the first feasible start; if there is none, unstarted tasks are moved.

Why the first feasible start: production that has passed is lost, while future production may still serve jobs that are
not known yet. On generated neighbourhoods with scarce production, this covered as much energy as starts selected by the
production that they leave around them (least, most, weighted by power or by time: all within 1 %, the noise level) and
3 % more than the latest start. For the same reason, after tasks had to be moved, all are moved as early as possible:
0.5 % more on thirty generated neighbourhoods. Rejecting small or uneven tasks to reserve the hours around noon lost
energy at every threshold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from agents.energy import FloatArray
from agents.model import Starts
from agents.scheduling.blas_threads import one_blas_thread
from agents.scheduling.compulsory_draw import CompulsoryDraw
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Replanning, Schedule, Task
from agents.scheduling.rescheduling import replan
from agents.scheduling.tabu_search import TentativeSchedule, insert_with_repair
from agents.scheduling.time_grid import BIN_S, Grid, explain_rejection, first_feasible_s

MAX_EVALUATIONS = 80
"""Limit on evaluations of task windows per decision by `rebuild`; an order that could exceed it is not tried."""
MAX_ADVANCE_EVALUATIONS = 30
"""Limit on evaluations of task windows per decision when tasks are moved earlier; more gained no energy."""
MAX_TASKS_OF_A_PROOF = 6
"""With more unstarted tasks, a proof that there is no schedule succeeds too rarely to be worth its time."""
_ORDERS: tuple[Callable[[Task], float], ...] = (
    lambda task: task.latest_start_s,
    lambda task: task.latest_start_s - task.earliest_start_s,
    lambda task: -task.load.duration_s,
    lambda task: -float(task.load.per_minute_wh(0).max()),
)
"""Orders in which tasks are inserted: earliest deadline, narrowest window, longest duration, highest peak power."""


class ListSchedule:
    """Unstarted tasks placed one after the other in one order, as far as there is room: how each list schedule begins.

    It is computed only as far as it is asked for, and serves all new tasks that are tried on one state.
    """

    def __init__(self, grid: Grid, unstarted: Sequence[Commitment], key: Callable[[Task], float]) -> None:
        """Create a schedule in which nothing is placed yet.

        Args:
            grid: The production that is left, by the bin.
            unstarted: Commitments that may be placed again.
            key: Tasks are placed in ascending order of it.
        """
        self._grid = grid
        self._key = key
        keyed = sorted(((key(commitment.task), commitment.task) for commitment in unstarted), key=lambda pair: pair[0])
        self._tasks = [task for _, task in keyed]
        self._keys = [value for value, _ in keyed]
        self._starts_s: list[int] = []
        self._left_wh = [grid.free_wh]
        """What is left before each of them is placed."""
        self._is_stuck = False

    def in_order(self, task: Task) -> list[Task]:
        """Return all tasks and a new one, which follows those with the same key, in their order."""
        place = self._place_of(task)
        return [*self._tasks[:place], task, *self._tasks[place:]]

    def _place_of(self, task: Task) -> int:
        return bisect_right(self._keys, self._key(task))

    def starts_with(self, task: Task) -> list[int]:
        """Return the starts of these tasks, UNIX seconds, up to the first one that there is no room for."""
        place = self._place_of(task)
        known = self._extended(place)
        starts_s = self._starts_s[:known]
        if known == place:
            left_wh = self._left_wh[known].copy()
            for one in (task, *self._tasks[place:]):
                if (start_s := _place(self._grid, one, left_wh)) is None:
                    break
                starts_s.append(start_s)
        return starts_s

    def _extended(self, count: int) -> int:
        """Place the first `count` tasks, or as many as there is room for, without a new one; return how many."""
        while len(self._starts_s) < count and not self._is_stuck:
            left_wh = self._left_wh[-1].copy()
            start_s = _place(self._grid, self._tasks[len(self._starts_s)], left_wh)
            if start_s is None:
                self._is_stuck = True
            else:
                self._starts_s.append(start_s)
                self._left_wh.append(left_wh)
        return min(count, len(self._starts_s))


def _place(grid: Grid, task: Task, left_wh: FloatArray) -> int | None:
    """Return the first feasible start of a task, UNIX seconds, and subtract what it draws; None: there is none."""
    start_s = first_feasible_s(grid.candidates(task), left_wh)
    if start_s is not None:
        load_wh = task.load.per_minute_wh(start_s % BIN_S)
        first_bin = (start_s - grid.first_s) // BIN_S
        left_wh[first_bin : first_bin + len(load_wh)] -= load_wh
    return start_s


def list_schedules(grid: Grid, unstarted: Sequence[Commitment]) -> tuple[ListSchedule, ...]:
    """Return how list schedules begin, in each of the orders."""
    return tuple(ListSchedule(grid, unstarted, order) for order in _ORDERS)


def rebuild(
    grid: Grid,
    unstarted: Sequence[Commitment],
    task: Task,
    max_evaluations: int = MAX_EVALUATIONS,
    begun: Sequence[ListSchedule] | None = None,
) -> TentativeSchedule | None:
    """Schedule the new task and all unstarted ones from scratch by list scheduling, in several orders.

    Args:
        grid: The producer's time grid.
        unstarted: Commitments that have not started.
        task: The new task.
        max_evaluations: Limit on evaluations of task windows.
        begun: What `list_schedules` returned for them; None: it is called.

    Returns:
        A feasible schedule; None if no order leads to one.
    """
    evaluations = 0
    failed: list[list[str]] = []
    """How orders began that led to no schedule, up to the task for which there was no room."""
    for listed in begun or list_schedules(grid, unstarted):
        in_order = listed.in_order(task)
        if evaluations + len(in_order) > max_evaluations:
            return None
        ids = [candidate.job_id for candidate in in_order]
        if (alike := next((begin for begin in failed if ids[: len(begin)] == begin), None)) is not None:
            evaluations += len(alike)
            continue
        starts_s = listed.starts_with(task)
        if len(starts_s) == len(in_order):
            return TentativeSchedule(grid, map(Commitment, in_order, starts_s))
        failed.append(ids[: len(starts_s) + 1])
        evaluations += len(failed[-1])
    return None


class PreparedState:
    """What decisions on all new tasks have in common, as long as the producer's state does not change."""

    def __init__(self, state: ProducerState, tasks: Sequence[Task]) -> None:
        self.grid = Grid.of(state, *tasks)
        self.unstarted = [c for c in state.committed if c.start_s > state.now_s]
        self._begun: tuple[ListSchedule, ...] = ()
        self.rejected: dict[tuple[str, Starts], Rejection] = {}
        """By load and allowed starts of a new task; nothing else decides."""
        self._tentative: TentativeSchedule | None = None
        self._left_wh = self.grid.free_wh

    @classmethod
    def of(cls, state: ProducerState, *tasks: Task) -> PreparedState:
        """Return what is prepared for new tasks on a state, which keeps it for the next ones."""
        known = state.kept(cls)
        if known is None or not known.grid.holds(tasks):
            return state.keep(cls(state, tasks))
        return known

    def begun(self) -> tuple[ListSchedule, ...]:
        """Return how list schedules begin; most states need none."""
        self._begun = self._begun or list_schedules(self.grid, self.unstarted)
        return self._begun

    @cached_property
    def compulsory_draw(self) -> CompulsoryDraw:
        """What unstarted tasks draw wherever they start."""
        grid = self.grid
        return CompulsoryDraw(grid.free_wh, [c.task for c in self.unstarted], grid.first_s, grid.now_s)

    def tentative(self) -> TentativeSchedule:
        """Return the schedule as it stands, the same object each time: a search that fails puts all tasks back.

        After a search that succeeds, call `renew`.
        """
        if self._tentative is None:
            self._tentative = TentativeSchedule(self.grid, self.unstarted)
            self._left_wh = self._tentative.left_wh.copy()
        else:
            self._tentative.left_wh[:] = self._left_wh  # without what moves there and back have rounded
        return self._tentative

    def renew(self) -> None:
        """Let the next schedule be a new one, because tasks of this one have moved."""
        self._tentative = None


def is_hopeless(prepared: PreparedState, task: Task) -> bool:
    """Return whether it is certain that there is no schedule of the new task and all unstarted ones.

    This takes a fraction of the search that it makes needless: most tasks are rejected by producers with few others.

    Args:
        prepared: The producer's state.
        task: The new task.
    """
    if len(prepared.unstarted) > MAX_TASKS_OF_A_PROOF:
        return False
    return not prepared.compulsory_draw.leaves_room_for(task)


def place_by_insertion(state: ProducerState, task: Task) -> Schedule | Rejection:
    """Place a task at its first feasible start; if there is none, move unstarted tasks within their windows.

    Args:
        state: The producer's state.
        task: The new task.
    """
    prepared = PreparedState.of(state, task)
    terms = task.load.digest, task.open_starts
    rejection = prepared.rejected.get(terms)
    if rejection is None:
        decision = _decide(prepared, task)
        if isinstance(decision, dict):
            return Schedule({c.task.job_id: c.start_s for c in state.committed} | decision)
        prepared.rejected[terms] = rejection = decision
    return rejection


def _decide(prepared: PreparedState, task: Task) -> dict[str, int] | Rejection:
    """Return the start of a new task and of those that move for it, UNIX seconds, or why it is rejected."""
    grid, unstarted, tentative = prepared.grid, prepared.unstarted, prepared.tentative()
    groups = grid.candidates(task)
    start_s = first_feasible_s(groups, tentative.left_wh)
    if start_s is not None:
        return {task.job_id: start_s}
    if first_feasible_s(groups, grid.free_wh) is None or is_hopeless(prepared, task):
        return explain_rejection(grid, tentative.left_wh, task)
    if insert_with_repair(tentative, task):
        prepared.renew()
    else:
        rebuilt = rebuild(grid, unstarted, task, begun=prepared.begun())
        if rebuilt is None:
            return explain_rejection(grid, tentative.left_wh, task)
        tentative = rebuilt
    tentative.advance(MAX_ADVANCE_EVALUATIONS)
    return tentative.starts_s()


def fit_beside(state: ProducerState, tasks: Sequence[Task]) -> list[bool]:
    """Return for each task whether `place_by_insertion` would accept it, without the plan that it would make.

    Args:
        state: The producer's state.
        tasks: Tasks that are tried one by one, each as if it were the only one.
    """
    if not tasks:
        return []
    prepared = PreparedState.of(state, *tasks)
    grid, unstarted = prepared.grid, prepared.unstarted

    def fits(task: Task) -> bool:
        groups, tentative = grid.candidates(task), prepared.tentative()
        if first_feasible_s(groups, tentative.left_wh) is not None:
            return True
        if first_feasible_s(groups, grid.free_wh) is None or is_hopeless(prepared, task):
            return False
        if insert_with_repair(tentative, task):
            prepared.renew()
            return True
        return rebuild(grid, unstarted, task, begun=prepared.begun()) is not None

    return [fits(task) for task in tasks]


@dataclass(frozen=True, slots=True)
class Insertion:
    """The default scheduler; other schedulers derive from it and place new tasks in another way."""

    @property
    def is_heavy(self) -> bool:
        """See `Scheduler.is_heavy`."""
        return False

    @one_blas_thread()
    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:  # noqa: ARG002 - not random
        """See `Scheduler.place` for `state` and `task`; `rng` is unused."""
        return place_by_insertion(state, task)

    @one_blas_thread()
    def have_room(self, state: ProducerState, tasks: Sequence[Task]) -> list[bool]:
        """See `Scheduler.have_room`."""
        return fit_beside(state, tasks)

    def replan(self, state: ProducerState) -> Replanning:
        """See `Scheduler.replan`."""
        return replan(state)
