"""Selects the scheduler for an algorithm's settings.

What a scheduler of another package returns is checked, so that its mistakes are reported as its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np

from agents.errors import SettingsError
from agents.plugins import SCHEDULERS, calling, make_from_plugin, plugin_name, refusing, wrong_result
from agents.scheduling.basin_hopping import BasinHopping
from agents.scheduling.coin_flip import CoinFlip
from agents.scheduling.insertion import Insertion
from agents.scheduling.milp import Exact
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Replanning, Schedule, Scheduler, Task
from agents.scheduling.push_out import LatePromises
from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings


def scheduler_for(settings: AlgorithmSettings, *, pushes_out: bool = False) -> Scheduler:
    """Return the scheduler for an algorithm; those that need SciPy import it at their first decision.

    Args:
        settings: The algorithm and its settings.
        pushes_out: Whether tasks that have not started may be pushed out by others that use the production better.
    """
    base = _base(settings)
    return LatePromises(base) if pushes_out else base


def _base(settings: AlgorithmSettings) -> Scheduler:
    match settings.name:
        case "fifty_fifty":
            return CoinFlip()
        case "exact":
            return Exact(settings.node_limit)
        case "L-BFGS-B" | "SLSQP" | "TNC":
            return BasinHopping(settings.name, settings.penalty, settings.step_size, settings.tolerance)
        case name if name in ALGORITHMS:
            return Insertion()
        case name:
            return _from_plugin(name)


def _from_plugin(name: str) -> Scheduler:
    """Return the scheduler that a plug-in makes.

    Raises:
        SettingsError: There is no such plug-in, or it makes none.
    """
    made = make_from_plugin(SCHEDULERS, name, "scheduler", ("place", "have_room", "replan"))
    plugin = plugin_name(SCHEDULERS, name)
    with refusing(f"{plugin} failed in is_heavy"):
        is_heavy = getattr(made, "is_heavy", None)
    if not isinstance(is_heavy, bool):
        raise SettingsError((f"{plugin}: expected a scheduler, whose 'is_heavy' is True or False",))
    return PluginScheduler(plugin, made, is_heavy=is_heavy)


class PluginScheduler:
    """A scheduler that calls a plug-in's, and raises `PluginError` if that fails or returns something invalid."""

    def __init__(self, plugin: str, made: Scheduler, *, is_heavy: bool) -> None:
        """Create a scheduler.

        Args:
            plugin: The plug-in, as messages name it.
            made: Its scheduler.
            is_heavy: See `Scheduler`.
        """
        self._plugin = plugin
        self._made: Any = made
        self._is_heavy = is_heavy

    @property
    def is_heavy(self) -> bool:
        """See `Scheduler`."""
        return self._is_heavy

    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:
        """See `Scheduler.place`."""
        with calling(self._plugin, "place"):
            decision: Schedule | Rejection = self._made.place(state, task, rng)
        if isinstance(decision, Schedule):
            self._check_starts("place", decision.starts_s, (*state.committed, Commitment(task, state.now_s + 1)), state)
        elif isinstance(decision, Rejection):
            self._check_reason("place", decision.reason)
        else:
            raise wrong_result(
                self._plugin, "place", f"a {type(decision).__name__}: expected a Schedule or a Rejection"
            )
        return decision

    def have_room(self, state: ProducerState, tasks: Sequence[Task]) -> list[bool]:
        """See `Scheduler.have_room`."""
        with calling(self._plugin, "have_room"):
            have_room: object = self._made.have_room(state, tuple(tasks))
        if not isinstance(have_room, list) or len(have_room) != len(tasks):
            many = f" of {len(have_room)}" if isinstance(have_room, list) else ""
            what = f"a {type(have_room).__name__}{many}: expected a list of {len(tasks)}, one for each task"
            raise wrong_result(self._plugin, "have_room", what)
        for has_room in have_room:
            if not isinstance(has_room, bool | np.bool_):
                raise wrong_result(self._plugin, "have_room", f"{has_room!r:.40} for a task: expected True or False")
        return have_room

    def replan(self, state: ProducerState) -> Replanning:
        """See `Scheduler.replan`."""
        with calling(self._plugin, "replan"):
            replanning = self._made.replan(state)
        if not isinstance(replanning, Replanning):
            raise wrong_result(self._plugin, "replan", f"a {type(replanning).__name__}: expected a Replanning")
        cancelled = replanning.cancelled
        if not isinstance(cancelled, Mapping):
            what = f"a {type(cancelled).__name__} as cancelled jobs: expected a mapping, by job id"
            raise wrong_result(self._plugin, "replan", what)
        known = {c.task.job_id for c in state.committed}
        for job_id in cancelled:
            if job_id not in known:
                what = f"a cancellation of job {job_id!r:.40}, which the producer does not supply"
                raise wrong_result(self._plugin, "replan", what)
        for reason in cancelled.values():
            self._check_reason("replan", reason)
        kept = [c for c in state.committed if c.task.job_id not in cancelled]
        self._check_starts("replan", replanning.starts_s, kept, state)
        return replanning

    def _check_starts(
        self, method: str, starts_s: Mapping[str, int], needed: Sequence[Commitment], state: ProducerState
    ) -> None:
        """Check that there is a valid start for each of these, and for nothing else."""
        if not isinstance(starts_s, Mapping):
            what = f"a {type(starts_s).__name__} as starts: expected a mapping, by job id"
            raise wrong_result(self._plugin, method, what)
        known = {commitment.task.job_id for commitment in needed}
        for job_id in starts_s:
            if job_id not in known:
                raise wrong_result(self._plugin, method, f"a start for job {job_id!r:.40}, which needs none")
        for commitment in needed:
            job_id = commitment.task.job_id
            start_s = starts_s.get(job_id)
            if start_s is None:
                raise wrong_result(self._plugin, method, f"no start for job {job_id!r}")
            if not isinstance(start_s, int):
                what = f"{start_s!r:.40} as the start of job {job_id!r}: expected UNIX seconds as an int of Python"
                raise wrong_result(self._plugin, method, what)
            if not commitment.may_start_at(start_s, state.now_s):
                raise wrong_result(
                    self._plugin, method, f"{start_s} as the start of job {job_id!r}, which cannot start then"
                )

    def _check_reason(self, method: str, reason: str) -> None:
        if not isinstance(reason, str):
            raise wrong_result(self._plugin, method, f"{reason!r:.40} as a reason: expected a string")
        try:
            reason.encode()
        except UnicodeEncodeError:
            what = f"{reason!r:.40} as a reason: expected a string without half a surrogate pair"
            raise wrong_result(self._plugin, method, what) from None
