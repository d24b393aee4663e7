"""Late promises: until shortly before its start, a task may be pushed out by others that use the production better.

Where another scheduler would reject a task, this one looks, if asked to, for a selection of tasks with the new one and
more energy in all than before (`agents.scheduling.selection`). Tasks that are left out lose their place; their
consumers look for another producer. Where the new task fits, unstarted ones move so that production is used as early as
possible.

That every push raises the energy that its producer supplies, by at least `MIN_GAIN_WH`, is what ends a chain of pushes
from producer to producer: together they never supply less, and never more than all tasks need.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from agents.linear_algebra import one_blas_thread
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Replanning, Schedule, Scheduler, Task
from agents.scheduling.selection import Selection
from agents.scheduling.time_grid import fits

MIN_GAIN_WH = 1.0
"""How much more energy a producer supplies at least after each push."""
ROUNDS = 300
"""Search rounds before a task is rejected."""
COMPACTING_ROUNDS = 100
"""Search rounds that move tasks after one was accepted."""
TRIAL_ROUNDS = 30
"""Search rounds that decide whether a rejected task should ask again."""


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
        fit = self.base.have_room(state, tasks)
        return [
            fits or _pushing(state, task, (task,), TRIAL_ROUNDS, Random(task.job_id)) is not None
            for task, fits in zip(tasks, fit, strict=True)
        ]

    def replan(self, state: ProducerState) -> Replanning:
        """See `Scheduler.replan`."""
        return self.base.replan(state)


def _pushing(
    state: ProducerState, task: Task, newcomers: Collection[Task], rounds: int, rng: Random
) -> Schedule | None:
    """Return a schedule with the new task and more energy in all, without the commitments that it pushes out."""
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
