"""The clairvoyant optimum: how much energy the production could have delivered had everything been known in advance.

The objective is a run's `delivered_wh`: actual production that reaches jobs, minute by minute, each producer serving
the jobs that it has contracts with. Contracts follow a rule: a producer takes only jobs that its production covers in
full in every minute, and a clairvoyant makes no promise that it knows will be broken. `best_wh` is the best such plan
found, and `carried_bound_wh` is an upper bound for all such plans.

A run knows less: if a forecast was too high, its contracts deliver only in part. By luck such a run may deliver more
than any fully covered plan. So there is a second bound, `bound_wh`, over all plans in which no producer is asked for
more, in any minute, than it could have promised at some time, by a forecast or by its actual production. No run that
keeps the rule of contracts can exceed it. If a plan that is known (the run's own, or that of a baseline) keeps this
rule and delivers more than the best fully covered one, it is the best known plan, so the share of `best_wh` of none of
them exceeds 1. If the forecasts are correct, both bounds coincide. PySSMic's rule promises more than any forecast, so
its share may exceed 1 nevertheless. (The alternative of counting only those contracts that were kept in full was
rejected: a single cloudy minute during a wash would count as the loss of the whole wash.)

In every plan the jobs of one device follow one another, including those on grid power, unless their windows make that
impossible. `bound_wh` does not require this, because it holds for runs, which learn of jobs one by one and may have had
to run some of them at the same time.

Jobs of a run may start at any second of their windows, so both bounds hold for any second as well. Each is the lowest
of three: what panels could supply to jobs that may be interrupted (`possible_wh` of a run); the Lagrangian bound
(`scenarios.optimum.column_generation`), which a single evaluation proves; and that of the mixed-integer program
(`scenarios.optimum.milp`), which relies on HiGHS and includes a margin for its tolerances.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from agents import GRID
from agents.scheduling import one_blas_thread
from scenarios.base_load import net_of_base_loads
from scenarios.optimum.column_generation import Bound, prove_bound
from scenarios.optimum.feasibility import delivered_wh, overlapping_jobs, plan_problems
from scenarios.optimum.instance import Instance, instance_of
from scenarios.optimum.large_neighbourhood_search import earliest, fill, greedy, improve, lowest_price, tightest
from scenarios.optimum.milp import solve_refined
from scenarios.optimum.partial_schedule import PartialSchedule, Placement, PlacementOptions, StartCandidates
from scenarios.optimum.starts import IntArray
from scenarios.scenario import Scenario

ROUNDS = 30_000
"""Search rounds. They make the answer reproducible on any machine that completes them within the time limit."""
FIRST_ROUNDS = 0.2
"""Share of the search rounds that run before the integer program, which is warm-started from the plan that they
find."""
PROVEN_WH = 0.02
"""A gap below this is rounding, including the margin of the integer program."""
PRICES_UNTIL, ANY_PRICES_UNTIL, SEARCH_UNTIL, PROGRAM_UNTIL, ANY_PROGRAM_UNTIL = 0.25, 0.35, 0.5, 0.75, 0.85
"""Shares of the time limit at which each part ends. Prices come first, as they guide the search, which also runs
last."""
DEVICES_SHARE = 0.05
"""Share of the time limit for the integer program with exclusive devices."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best plan found, and bounds on how good any plan could be."""

    best_wh: float
    """Energy that the best known plan delivers."""
    bound_wh: float
    """Proven upper bound for every run that obeys the rule of contracts, for any promises due to its forecasts."""
    carried_bound_wh: float
    """Proven upper bound for every plan that production covers in full."""
    plan: Mapping[str, tuple[str, int]]
    """Producer and start (UNIX seconds) by job id; jobs without an entry run on grid power."""
    proven: bool
    """Whether no fully covered plan is better."""
    wall_s: float
    """Wall-clock time that it took."""

    @property
    def gap(self) -> float:
        """Relative gap between `best_wh` and `carried_bound_wh`, 0 to 1."""
        most_wh = self.carried_bound_wh
        return max(0.0, most_wh - self.best_wh) / most_wh if most_wh > 0.0 else 0.0

    def share(self, delivered: float) -> float | None:
        """Return the share of the best plan that a run delivered.

        Args:
            delivered: Energy that the run delivered, Wh.

        Returns:
            The share; None where even the best plan delivers nothing.
        """
        return delivered / self.best_wh if self.best_wh > 0.0 else None


@one_blas_thread()
def clairvoyant_optimum(
    scenario: Scenario,
    start_plan: Mapping[str, tuple[str, int]] | None = None,
    time_limit_wall_s: float = 60.0,
    progress: Callable[[float, float], None] | None = None,
    *,
    end_s: int | None = None,
    rounds: int = ROUNDS,
    also_known: Sequence[Mapping[str, tuple[str, int]]] = (),
) -> Optimum:
    """Find the best plan for a scenario, and bound it.

    Args:
        scenario: Neighbourhood, jobs and production.
        start_plan: An initial plan such as a run's contracts: producer and start (UNIX seconds) by job id; jobs on grid
            power may be included. Those of its jobs that overlap another job of their device, because the run had no
            other way, may do so in every plan.
        time_limit_wall_s: Wall-clock seconds after which the best plan found so far is returned. If the search ends
            earlier, the same arguments give the same answer.
        progress: Called now and then with the energy of the best plan and the bound, Wh.
        end_s: End of the run, UNIX seconds; None: the scenario's own. Jobs registered later are left out.
        rounds: Search rounds at most.
        also_known: Further plans, such as those of baselines. The search does not begin with them, but one that keeps
            the rule of contracts is the best known plan if it delivers most.
    """
    started_wall_s = time.monotonic()
    given = {job: placement for job, placement in (start_plan or {}).items() if placement[0] != GRID}
    scenario = net_of_base_loads(scenario, end_s)
    together = overlapping_jobs(scenario, {job: start_s for job, (_, start_s) in (start_plan or {}).items()})
    extra_starts_s = {job: start_s for job, (_, start_s) in given.items()}
    instance = instance_of(scenario, end_s=end_s, extra_starts_s=extra_starts_s, together=together)
    search = _Search(PlacementOptions(instance), started_wall_s, time_limit_wall_s, progress)
    search.offer(_feasible_part(search.options, given))
    search.begin()
    search.prove()
    rng = Random(scenario.seed)
    search.improve(rng, first := round(FIRST_ROUNDS * rounds), until=SEARCH_UNTIL)
    search.program()
    search.improve(rng, rounds - first, until=1.0)
    plan = _plan(search.best)
    best_wh = delivered_wh(scenario, plan, end_s=end_s)
    for known in (start_plan or {}, *also_known):
        placed = {job: placement for job, placement in known.items() if placement[0] != GRID}
        beside = overlapping_jobs(scenario, {job: start_s for job, (_, start_s) in known.items()})
        if (known_wh := delivered_wh(scenario, placed, end_s=end_s)) > best_wh and not plan_problems(
            scenario, placed, end_s=end_s, together=beside
        ):
            plan, best_wh, together = placed, known_wh, beside
    problems = plan_problems(scenario, plan, end_s=end_s, together=together)
    if problems:
        raise AssertionError(f"the optimum's own plan breaks the rules: {'; '.join(problems)}")
    return Optimum(
        best_wh=best_wh,
        bound_wh=max(min(search.run_bound_wh, instance.possible_wh), best_wh),  # they may cross by a rounding error
        carried_bound_wh=search.bound_wh,
        plan=plan,
        proven=search.bound_wh - best_wh <= PROVEN_WH,
        wall_s=time.monotonic() - started_wall_s,
    )


class _Search:
    """The best plan and the lowest bounds so far, and the time that is left."""

    def __init__(
        self,
        options: PlacementOptions,
        started_wall_s: float,
        limit_wall_s: float,
        progress: Callable[[float, float], None] | None,
    ) -> None:
        self.options = options
        self.best = PartialSchedule(options)
        self._starts: list[PartialSchedule] = []
        self.bound_wh = self.run_bound_wh = options.instance.possible_wh
        self._price = np.zeros_like(options.instance.production_wh)
        self._started_wall_s = started_wall_s
        self._limit_wall_s = limit_wall_s
        self._progress = progress

    def offer(self, schedule: PartialSchedule) -> None:
        """Keep a schedule if it is better than the best one."""
        if schedule.value_wh > self.best.value_wh:
            self.best = schedule

    def begin(self) -> None:
        """Construct initial schedules."""
        for rule in (earliest, lowest_price(self.options.instance.production_wh), tightest):
            if self._used() >= 1.0:
                break
            self._starts.append(greedy(self.options, rule))
            self.offer(self._starts[-1])

    def prove(self) -> None:
        """Lower both bounds by column generation."""

        def stop(bound_wh: float) -> bool:
            self.bound_wh = min(self.bound_wh, bound_wh)
            self._report_progress()
            return self._done() or self._used() >= PRICES_UNTIL

        instance = self.options.instance
        bound = prove_bound(instance, instance.production_wh, stop)
        self.bound_wh = self.run_bound_wh = min(self.bound_wh, bound.bound_wh)
        self._price = _by_producer(instance, bound)
        if not instance.forecasts_hold:
            any_ = prove_bound(instance, instance.limit_wh, lambda _: self._used() >= ANY_PRICES_UNTIL)
            self.run_bound_wh = max(self.bound_wh, any_.bound_wh)

    def program(self) -> None:
        """Lower both bounds by the integer program, and repair its solutions into schedules."""
        instance = self.options.instance

        def carried_ends() -> bool:
            self._report_progress()
            return self._done() or self._used() >= PROGRAM_UNTIL

        for result in solve_refined(
            instance,
            instance.production_wh,
            lambda: self.best,
            carried_ends,
            lambda: self._remaining_wall_s(PROGRAM_UNTIL),
        ):
            # A bound below a known plan would be an error of the solver.
            if result.bound_wh >= self.best.value_wh:
                self.bound_wh = min(self.bound_wh, result.bound_wh)
            wished = _repaired(self.options, result.placements)
            self._starts.append(wished)
            self.offer(wished)
        if instance.forecasts_hold:
            self.run_bound_wh = self.bound_wh
            self._tighten_with_devices()
            return
        for result in solve_refined(
            instance,
            instance.limit_wh,
            lambda: self.best,
            lambda: self._used() >= ANY_PROGRAM_UNTIL,
            lambda: self._remaining_wall_s(ANY_PROGRAM_UNTIL),
        ):
            self.run_bound_wh = max(self.bound_wh, min(self.run_bound_wh, result.bound_wh))
        self._tighten_with_devices()

    def _tighten_with_devices(self) -> None:
        """If a gap remains, lower the bound for plans by one job at a time per device; runs are not bound by it."""
        if self._done() or not any(self.options.same_device):
            return
        until = self._used() + DEVICES_SHARE

        def ends() -> bool:
            self._report_progress()
            return self._done() or self._used() >= until

        for result in solve_refined(
            self.options.instance,
            self.options.instance.production_wh,
            lambda: self.best,
            ends,
            lambda: self._remaining_wall_s(until),
            exclusive_devices=True,
        ):
            # Its solution is not used: how far it gets in its short time must not decide the plan.
            if result.bound_wh >= self.best.value_wh:
                self.bound_wh = min(self.bound_wh, result.bound_wh)

    def improve(self, rng: Random, rounds: int, *, until: float) -> None:
        """Search from the best schedule.

        Args:
            rng: The random number generator.
            rounds: Search rounds at most.
            until: Share of the time limit at which the search ends.
        """
        left = rounds

        def stop(best: PartialSchedule) -> bool:
            nonlocal left
            left -= 1
            self.offer(best)
            self._report_progress()
            return left < 0 or self._done() or self._used() >= until

        self.offer(improve([self.best, *reversed(self._starts)], self._price, rng, stop=stop))

    def _done(self) -> bool:
        return self.bound_wh - self.best.value_wh <= PROVEN_WH

    def _used(self) -> float:
        return (time.monotonic() - self._started_wall_s) / self._limit_wall_s

    def _remaining_wall_s(self, until: float) -> float:
        return (until - self._used()) * self._limit_wall_s

    def _report_progress(self) -> None:
        if self._progress is not None:
            self._progress(self.best.value_wh, self.bound_wh)


def _feasible_part(options: PlacementOptions, plan: Mapping[str, tuple[str, int]]) -> PartialSchedule:
    """Return the part of a plan that production covers, large jobs first, and further jobs that fit."""
    instance = options.instance
    schedule = PartialSchedule(options)
    for task in sorted(options.placeable, key=lambda i: (-instance.tasks[i].energy_wh, i)):
        placement = options.find(task, *plan.get(instance.tasks[task].job_id, (GRID, 0)))
        if placement is not None and schedule.has_room(task, placement):
            schedule.insert(task, placement)
    fill(schedule, [task for task in options.placeable if task not in schedule.placed], earliest)
    return schedule


def _repaired(options: PlacementOptions, placements: Mapping[int, Placement]) -> PartialSchedule:
    """Return a schedule with tasks at or near the desired placements, large ones first, and further tasks that fit."""
    schedule = PartialSchedule(options)
    for task, wish in sorted(
        placements.items(), key=lambda item: (-options.instance.tasks[item[0]].energy_wh, item[0])
    ):
        placement = wish if schedule.has_room(task, wish) else _nearest(wish, schedule.feasible_starts(task))
        if placement is not None:
            schedule.insert(task, placement)
    fill(schedule, [task for task in options.placeable if task not in schedule.placed], earliest)
    return schedule


def _nearest(wish: Placement, feasible_starts: list[tuple[StartCandidates, IntArray]]) -> Placement | None:
    near = [
        (
            abs(candidate.start_grid.first_bin + index - wish.bins.start),
            candidate.producer,
            Placement(candidate.producer, candidate.start_grid, index),
        )
        for candidate, indices in feasible_starts
        if candidate.producer == wish.producer
        for index in indices.tolist()
    ]
    return min(near, key=lambda found: found[:2])[2] if near else None


def _plan(schedule: PartialSchedule) -> dict[str, tuple[str, int]]:
    instance = schedule.options.instance
    return {
        instance.tasks[task].job_id: (instance.producers[placement.producer], placement.start_s(instance))
        for task, placement in sorted(schedule.placed.items())
    }


def _by_producer(instance: Instance, bound: Bound) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    price = np.zeros_like(instance.production_wh)
    for class_, members in enumerate(instance.classes):
        price[list(members)] = bound.prices.by_bin[class_]
    return price
