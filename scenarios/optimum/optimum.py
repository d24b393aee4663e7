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

from agents import GRID, Contract, one_blas_thread
from scenarios.device_overlaps import overlapping
from scenarios.optimum.column_generation import Bound, prove_bound
from scenarios.optimum.feasibility import delivered_wh, plan_problems
from scenarios.optimum.instance import Instance, instance_of
from scenarios.optimum.large_neighbourhood_search import early, fill, greedy, improve, priced, tight
from scenarios.optimum.milp import answers
from scenarios.optimum.partial_schedule import Choice, Menu, Packing, Place
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


@one_blas_thread()
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
    begun_wall_s = time.monotonic()
    given = {job: place for job, place in (start_plan or {}).items() if place[0] != GRID}
    together = _together(scenario, start_plan or {})
    extra_starts_s = {job: start_s for job, (_, start_s) in given.items()}
    instance = instance_of(scenario, end_s=end_s, extra_starts_s=extra_starts_s, together=together)
    search = _Search(Menu(instance), begun_wall_s, time_limit_wall_s, progress)
    search.offer(_kept(search.menu, given))
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
        bound_wh=max(search.any_bound_wh, best_wh),  # they may cross by a rounding error
        carried_bound_wh=search.bound_wh,
        plan=plan,
        proven=search.bound_wh - best_wh <= PROVEN_WH,
        wall_s=time.monotonic() - begun_wall_s,
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
        self, menu: Menu, begun_wall_s: float, limit_wall_s: float, progress: Callable[[float, float], None] | None
    ) -> None:
        self.menu = menu
        self.best = Packing(menu)
        self._starts: list[Packing] = []
        self.bound_wh = self.any_bound_wh = sum(task.energy_wh for task in menu.instance.tasks)
        self._price = np.zeros_like(menu.instance.sun_wh)
        self._begun_wall_s = begun_wall_s
        self._limit_wall_s = limit_wall_s
        self._progress = progress

    def offer(self, packing: Packing) -> None:
        """Take a packing if it is better."""
        if packing.value_wh > self.best.value_wh:
            self.best = packing

    def begin(self) -> None:
        """Make some plans in one go."""
        for taste in (early, priced(self.menu.instance.sun_wh), tight):
            if self._used() >= 1.0:
                break
            self._starts.append(greedy(self.menu, taste))
            self.offer(self._starts[-1])

    def prove(self) -> None:
        """Lower both bounds."""

        def stop(bound_wh: float) -> bool:
            self.bound_wh = min(self.bound_wh, bound_wh)
            self._tell()
            return self._done() or self._used() >= PRICES_UNTIL

        instance = self.menu.instance
        bound = prove_bound(instance, instance.sun_wh, stop)
        self.bound_wh = self.any_bound_wh = min(self.bound_wh, bound.bound_wh)
        self._price = _by_producer(instance, bound)
        if not instance.forecasts_hold:
            any_ = prove_bound(instance, instance.limit_wh, lambda _: self._used() >= ANY_PRICES_UNTIL)
            self.any_bound_wh = max(self.bound_wh, any_.bound_wh)

    def program(self) -> None:
        """Lower both bounds further, and search from what the program would like."""
        instance = self.menu.instance

        def carried_ends() -> bool:
            self._tell()
            return self._done() or self._used() >= PROGRAM_UNTIL

        for answer in answers(
            instance, instance.sun_wh, lambda: self.best, carried_ends, lambda: self._left_wall_s(PROGRAM_UNTIL)
        ):
            # Less than a plan that there is would be the solver's mistake.
            if answer.bound_wh >= self.best.value_wh:
                self.bound_wh = min(self.bound_wh, answer.bound_wh)
            wished = _wished(self.menu, answer.places)
            self._starts.append(wished)
            self.offer(wished)
        if instance.forecasts_hold:
            self.any_bound_wh = self.bound_wh
            self._one_at_a_time()
            return
        for answer in answers(
            instance,
            instance.limit_wh,
            lambda: self.best,
            lambda: self._used() >= ANY_PROGRAM_UNTIL,
            lambda: self._left_wall_s(ANY_PROGRAM_UNTIL),
        ):
            self.any_bound_wh = max(self.bound_wh, min(self.any_bound_wh, answer.bound_wh))
        self._one_at_a_time()

    def _one_at_a_time(self) -> None:
        """Where a gap is left, lower the bound on plans by what devices can do; runs are not bound by it."""
        if self._done() or not any(self.menu.mates):
            return
        until = self._used() + DEVICES_SHARE

        def ends() -> bool:
            self._tell()
            return self._done() or self._used() >= until

        for answer in answers(
            self.menu.instance,
            self.menu.instance.sun_wh,
            lambda: self.best,
            ends,
            lambda: self._left_wall_s(until),
            one_at_a_time=True,
        ):
            # Its wishes are left alone: how far it comes in its short time must not decide on the plan.
            if answer.bound_wh >= self.best.value_wh:
                self.bound_wh = min(self.bound_wh, answer.bound_wh)

    def improve(self, rng: Random, rounds: int, *, until: float) -> None:
        """Search from the best plan on, for so many rounds, until that share of the time is used."""
        left = rounds

        def stop(best: Packing) -> bool:
            nonlocal left
            left -= 1
            self.offer(best)
            self._tell()
            return left < 0 or self._done() or self._used() >= until

        self.offer(improve([self.best, *reversed(self._starts)], self._price, rng, stop=stop))

    def _done(self) -> bool:
        return self.bound_wh - self.best.value_wh <= PROVEN_WH

    def _used(self) -> float:
        return (time.monotonic() - self._begun_wall_s) / self._limit_wall_s

    def _left_wall_s(self, until: float) -> float:
        return (until - self._used()) * self._limit_wall_s

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.best.value_wh, self.bound_wh)


def _kept(menu: Menu, plan: Mapping[str, tuple[str, int]]) -> Packing:
    """Return what of a plan the sun carries in full, large jobs first, and what else fits beside it."""
    instance = menu.instance
    packing = Packing(menu)
    for task in sorted(menu.fitting, key=lambda i: (-instance.tasks[i].energy_wh, i)):
        place = menu.find(task, *plan.get(instance.tasks[task].job_id, (GRID, 0)))
        if place is not None and packing.has_room(task, place):
            packing.put(task, place)
    fill(packing, [task for task in menu.fitting if task not in packing.placed], early)
    return packing


def _wished(menu: Menu, places: Mapping[int, Place]) -> Packing:
    """Return a plan with tasks where they are wished or near by, large ones first, and what else fits beside them."""
    packing = Packing(menu)
    for task, wish in sorted(places.items(), key=lambda item: (-menu.instance.tasks[item[0]].energy_wh, item[0])):
        place = wish if packing.has_room(task, wish) else _nearest(wish, packing.openings(task))
        if place is not None:
            packing.put(task, place)
    fill(packing, [task for task in menu.fitting if task not in packing.placed], early)
    return packing


def _nearest(wish: Place, openings: list[tuple[Choice, IntArray]]) -> Place | None:
    near = [
        (
            abs(choice.ladder.first_bin + rung - wish.bins.start),
            choice.producer,
            Place(choice.producer, choice.ladder, rung),
        )
        for choice, rungs in openings
        if choice.producer == wish.producer
        for rung in rungs.tolist()
    ]
    return min(near, key=lambda found: found[:2])[2] if near else None


def _plan(packing: Packing) -> dict[str, tuple[str, int]]:
    instance = packing.menu.instance
    return {
        instance.tasks[task].job_id: (instance.producers[place.producer], place.start_s(instance))
        for task, place in sorted(packing.placed.items())
    }


def _by_producer(instance: Instance, bound: Bound) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    price = np.zeros_like(instance.sun_wh)
    for class_, members in enumerate(instance.classes):
        price[list(members)] = bound.prices.by_bin[class_]
    return price
