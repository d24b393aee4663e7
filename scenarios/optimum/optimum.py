"""The clairvoyant optimum: what the neighbourhood's sun could have carried, had everything been known in advance.

What is maximised is what a run's `delivered_wh` counts: the real sun that reaches jobs, minute by minute, each producer
serving the jobs that it has contracts with. The rule is the rule of contracts: a producer takes only jobs that its sun
carries in full in every minute; a clairvoyant makes no promise that it knows will not be kept. `best_wh` is the best
such plan found, and `carried_bound_wh` is what no such plan can exceed.

A run knows less, and where a forecast was too high its contracts deliver a part. Such a run may deliver more than any
plan that is carried in full, by luck. So there is a second bound, `bound_wh`, over all plans in which no producer is
asked for more, in any minute, than it could have promised at some time, by a forecast or by its real sun: no run that
keeps the rule of contracts can exceed it. And if the plan to begin with, the run's own, delivers more than any other
plan known, it is the best plan known. So a run's share of `best_wh` never exceeds 1, and where forecasts come true
both bounds are one. (The other way round, counting only those contracts of a run that were kept in full, was dropped: a
minute's cloud over a whole wash would count as a whole wash lost.)

Jobs of one device follow one another in every plan, those on grid power too, save where windows leave no way.
`bound_wh` does not ask for that: it holds for runs, which learn of jobs one by one and may have had to run some
together.

Jobs of a run may start at any second of their windows, so both bounds hold for any second, too. Each is the lower of
two: that of prices (`bounding`), which one evaluation proves, and that of the mixed-integer program (`program`), which
is HiGHS's word, with a margin for its tolerances.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import numpy as np

from agents import GRID, Contract
from scenarios.device_overlaps import overlapping
from scenarios.optimum.column_generation import Bound, prove_bound
from scenarios.optimum.feasibility import delivered_wh, plan_problems
from scenarios.optimum.instance import Instance, instance_of
from scenarios.optimum.large_neighbourhood_search import earliest, fill, greedy, improve, lowest_price, tightest
from scenarios.optimum.milp import solve_refined
from scenarios.optimum.partial_schedule import PartialSchedule, Placement, PlacementOptions, StartCandidates
from scenarios.optimum.start_grid import IntArray
from scenarios.scenario import Scenario

ROUNDS = 30_000
"""Of the search; with them the answer repeats on any machine that needs less than the time limit for them."""
FIRST_ROUNDS = 0.2
"""Of the rounds, before the program, which begins from the plan that they find."""
PROVEN_WH = 0.02
"""A gap below this is rounding, that of the program's margin too."""
PRICES_UNTIL, ANY_PRICES_UNTIL, SEARCH_UNTIL, PROGRAM_UNTIL, ANY_PROGRAM_UNTIL = 0.25, 0.35, 0.5, 0.75, 0.85
"""Of the time, by when each part ends; prices come first, for they guide the search, which goes on at the end."""
DEVICES_SHARE = 0.05
"""Of the time, for the program that asks for one job of a device at a time."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best plan found, and how good any plan could be."""

    best_wh: float
    """What the best plan known delivers."""
    bound_wh: float
    """What no run can exceed that keeps the rule of contracts, whatever it was led to promise; proven."""
    carried_bound_wh: float
    """What no plan can exceed that the sun carries in full; proven."""
    plan: Mapping[str, tuple[str, int]]
    """Producer and start (UNIX seconds) by job id; jobs that are not in it run on grid power."""
    proven: bool
    """Whether no plan that the sun carries in full is better."""
    wall_s: float
    """How long it took, real seconds."""

    @property
    def gap(self) -> float:
        """How far the best plan may be from the best that is carried in full, as a share of that bound."""
        most_wh = self.carried_bound_wh
        return max(0.0, most_wh - self.best_wh) / most_wh if most_wh > 0.0 else 0.0

    def share(self, delivered: float) -> float | None:
        """Return the share of the best plan that a run delivered, Wh; None where no plan delivers anything."""
        return delivered / self.best_wh if self.best_wh > 0.0 else None


def clairvoyant_optimum(
    scenario: Scenario,
    start_plan: Mapping[str, tuple[str, int]] | None = None,
    time_limit_wall_s: float = 60.0,
    progress: Callable[[float, float], None] | None = None,
    *,
    end_s: int | None = None,
    rounds: int = ROUNDS,
) -> Optimum:
    """Find the best plan for a scenario, and bound it.

    Args:
        scenario: Neighbourhood, jobs and sun.
        start_plan: A plan to begin with, such as a run's contracts; jobs on grid power may be in it or not. Its jobs
            that run at the same time as another job of their device, as the run had no other way, may do so in
            every plan.
        time_limit_wall_s: After so many real seconds the best found so far is returned. Below it, the same arguments
            give the same answer.
        progress: Told the best plan's energy and the bound, Wh, now and then.
        end_s: Where the run ended, if not where the scenario says; jobs registered later do not count.
        rounds: Of the search, at most.
    """
    started_wall_s = time.monotonic()
    given = {job: placement for job, placement in (start_plan or {}).items() if placement[0] != GRID}
    together = _together(scenario, start_plan or {})
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
    if (
        not plan_problems(scenario, given, end_s=end_s, together=together)
        and (given_wh := delivered_wh(scenario, given, end_s=end_s)) > best_wh
    ):
        plan, best_wh = given, given_wh
    problems = plan_problems(scenario, plan, end_s=end_s, together=together)
    if problems:
        raise AssertionError(f"the optimum's own plan breaks the rules: {'; '.join(problems)}")
    return Optimum(
        best_wh=best_wh,
        bound_wh=max(search.run_bound_wh, best_wh),  # they may cross by a rounding error
        carried_bound_wh=search.bound_wh,
        plan=plan,
        proven=search.bound_wh - best_wh <= PROVEN_WH,
        wall_s=time.monotonic() - started_wall_s,
    )


def _together(scenario: Scenario, plan: Mapping[str, tuple[str, int]]) -> frozenset[str]:
    """Return the jobs that start, in a plan, while another job of their device runs."""
    jobs = {job.job_id: job for job in scenario.jobs}
    placed = [
        Contract(contract_id="", job_id=job_id, producer=producer, start_s=start_s, agreed_s=0, energy_wh=0.0)
        for job_id, (producer, start_s) in plan.items()
    ]
    return frozenset(later.job_id for _, later in overlapping(jobs, placed))


class _Search:
    """The best plan and the lowest bound so far, and the time that is left."""

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
        self.bound_wh = self.run_bound_wh = sum(task.energy_wh for task in options.instance.tasks)
        self._price = np.zeros_like(options.instance.production_wh)
        self._started_wall_s = started_wall_s
        self._limit_wall_s = limit_wall_s
        self._progress = progress

    def offer(self, schedule: PartialSchedule) -> None:
        """Take a packing if it is better."""
        if schedule.value_wh > self.best.value_wh:
            self.best = schedule

    def begin(self) -> None:
        """Make some plans in one go."""
        for rule in (earliest, lowest_price(self.options.instance.production_wh), tightest):
            if self._used() >= 1.0:
                break
            self._starts.append(greedy(self.options, rule))
            self.offer(self._starts[-1])

    def prove(self) -> None:
        """Lower both bounds."""

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
        """Lower both bounds further, and search from what the program would like."""
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
            # Less than a plan that there is would be the solver's mistake.
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
        """Where a gap is left, lower the bound on plans by what devices can do; runs are not bound by it."""
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
            # Its wishes are left alone: how far it comes in its short time must not decide on the plan.
            if result.bound_wh >= self.best.value_wh:
                self.bound_wh = min(self.bound_wh, result.bound_wh)

    def improve(self, rng: Random, rounds: int, *, until: float) -> None:
        """Search from the best plan on, for so many rounds, until that share of the time is used."""
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
    """Return what of a plan the sun carries in full, large jobs first, and what else fits beside it."""
    instance = options.instance
    schedule = PartialSchedule(options)
    for task in sorted(options.placeable, key=lambda i: (-instance.tasks[i].energy_wh, i)):
        placement = options.find(task, *plan.get(instance.tasks[task].job_id, (GRID, 0)))
        if placement is not None and schedule.has_room(task, placement):
            schedule.insert(task, placement)
    fill(schedule, [task for task in options.placeable if task not in schedule.placed], earliest)
    return schedule


def _repaired(options: PlacementOptions, placements: Mapping[int, Placement]) -> PartialSchedule:
    """Return a plan with tasks where they are wished or near by, large ones first, and what else fits beside them."""
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
