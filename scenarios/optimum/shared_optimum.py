"""The clairvoyant optimum for shared supply: the most that production and time windows allow.

With shared supply the panels cover jobs together, minute by minute, and the grid supplies the rest. The objective is
the energy that panels deliver to jobs: in each minute the lesser of what all panels produce and what all jobs draw.
Only the starts remain to be chosen. `best_wh` is the best plan found, `bound_wh` is proven for every run under either
supply rule, because the delivery of whole contracts is also a delivery from panels to jobs. It holds for any forecasts,
because it depends only on the actual production.

In every plan the jobs of one device follow one another, unless their windows make that impossible. The bound does not
require it, because it holds for runs, which learn of jobs one by one.

The bound is the lower of two: what panels could supply to jobs that may be interrupted, and what prices of the panels'
minutes (`scenarios.optimum.shared_bound`) prove. Measured on the bundled `scarce` and
on ten generated neighbourhoods, it is 1.2 % above the best plan on average, so no integer program follows.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from agents.scheduling import one_blas_thread
from scenarios.base_load import net_of_base_loads
from scenarios.optimum.feasibility import overlapping_jobs, pooled_wh, start_problems
from scenarios.optimum.shared_bound import STEPS, SharedBound, lower_prices
from scenarios.optimum.shared_instance import SharedInstance, shared_instance_of
from scenarios.optimum.shared_search import SharedSchedule, construct, improve
from scenarios.scenario import Scenario

ROUNDS = 30_000
"""Search rounds. They make the answer reproducible on any machine that completes them within the time limit."""
SEARCH_UNTIL = 0.6
"""Share of the time limit at which the search ends; the rest is for the bound."""
FIRST_STEPS = 60
"""Steps for a first bound, before the search."""
FIRST_STEPS_UNTIL = 0.15
"""Share of the time limit at which they end."""
FIRST_PRICE = 0.3
PROVEN_WH = 0.02
"""A gap below this is rounding."""


@dataclass(frozen=True, slots=True)
class SharedOptimum:
    """The best plan found under shared supply, and a bound on how good any run could be."""

    best_wh: float
    """Energy that the best known plan delivers."""
    bound_wh: float
    """Proven upper bound for every run, with shared or whole contracts."""
    plan: Mapping[str, int]
    """Start of each job, UNIX seconds, by job id."""
    wall_s: float
    """Wall-clock time that it took."""

    @property
    def gap(self) -> float:
        """Relative gap between `best_wh` and `bound_wh`, 0 to 1."""
        return max(0.0, self.bound_wh - self.best_wh) / self.bound_wh if self.bound_wh > 0.0 else 0.0

    @property
    def proven(self) -> bool:
        """Whether no plan is better."""
        return self.bound_wh - self.best_wh <= PROVEN_WH

    def share(self, delivered_wh: float) -> float | None:
        """Return the share of the best plan that a run delivered.

        Args:
            delivered_wh: Energy that the run delivered, Wh.

        Returns:
            The share; None where even the best plan delivers nothing.
        """
        return delivered_wh / self.best_wh if self.best_wh > 0.0 else None


@one_blas_thread()
def shared_optimum_of(
    scenario: Scenario,
    given_plans: Sequence[Mapping[str, int]] = (),
    time_limit_wall_s: float = 60.0,
    progress: Callable[[float, float], None] | None = None,
    *,
    end_s: int | None = None,
    rounds: int = ROUNDS,
    steps: int = STEPS,
) -> SharedOptimum:
    """Find the best plan for a scenario under shared supply, and bound it.

    Args:
        scenario: Neighbourhood, jobs and production.
        given_plans: Initial plans, such as a run's: starts by job id, UNIX seconds; jobs may be missing. The best plan
            delivers no less than any of them. Those of their jobs that overlap another job of their device, because
            the run had no other way, may do so in every plan.
        time_limit_wall_s: Wall-clock seconds after which the best plan found so far is returned. If the search ends
            earlier, the same arguments give the same answer.
        progress: Called now and then with the energy of the best plan and the bound, Wh.
        end_s: End of the run, UNIX seconds; None: the scenario's own. Jobs registered later are left out.
        rounds: Search rounds at most.
        steps: Steps of the search for prices at most.
    """
    started_wall_s = time.monotonic()
    scenario = net_of_base_loads(scenario, end_s)
    given: dict[str, set[int]] = defaultdict(set)
    for starts_s in given_plans:
        for job_id, start_s in starts_s.items():
            given[job_id].add(start_s)
    together = frozenset[str]().union(*(overlapping_jobs(scenario, starts_s) for starts_s in given_plans))
    instance = shared_instance_of(scenario, end_s=end_s, given_starts_s=given, together=together)
    search = _Search(instance, started_wall_s, time_limit_wall_s, progress)
    search.begin(given_plans)
    search.prove(min(FIRST_STEPS, steps), FIRST_STEPS_UNTIL)
    search.improve(Random(scenario.seed), rounds)
    search.prove(steps, 1.0)
    plan = {
        task.job_id: start.start_s(instance)
        for task, start in zip(instance.tasks, search.best.placed, strict=True)
        if start is not None
    }
    problems = start_problems(
        scenario, plan, end_s=end_s, together=together | search.best.together, given_starts_s=given
    )
    if problems:
        raise AssertionError(f"the optimum's own plan breaks the rules: {'; '.join(problems)}")
    best_wh = pooled_wh(scenario, plan, end_s=end_s)
    return SharedOptimum(
        best_wh=best_wh,
        bound_wh=max(search.bound_wh, best_wh),  # they may cross by a rounding error
        plan=plan,
        wall_s=time.monotonic() - started_wall_s,
    )


class _Search:
    """The best plan and the lowest bound so far, and the time that is left."""

    def __init__(
        self,
        instance: SharedInstance,
        started_wall_s: float,
        limit_wall_s: float,
        progress: Callable[[float, float], None] | None,
    ) -> None:
        self._bound = SharedBound(instance)
        self._instance = instance
        self._price = np.full_like(instance.production_wh, FIRST_PRICE)
        self._started_wall_s = started_wall_s
        self._limit_wall_s = limit_wall_s
        self._progress = progress
        self.best = SharedSchedule(instance)
        self.bound_wh = instance.possible_wh

    def begin(self, given_plans: Sequence[Mapping[str, int]]) -> None:
        """Construct plans, from scratch and around the given ones, and keep the best."""
        self.best = max(
            (construct(self._instance, starts_s) for starts_s in ({}, *given_plans)), key=lambda plan: plan.value_wh
        )

    def prove(self, steps: int, until: float) -> None:
        """Lower the bound.

        Args:
            steps: Steps of the search for prices at most.
            until: Share of the time limit at which it ends.
        """
        if self._done():
            return

        def stop(bound_wh: float) -> bool:
            self._report(min(self.bound_wh, bound_wh))
            return bound_wh - self.best.value_wh <= PROVEN_WH or self._used() >= until

        self._price = lower_prices(self._bound, self._price, self.best.value_wh, steps, stop)
        self.bound_wh = min(self.bound_wh, self._bound.everywhere(self._price))
        self._report(self.bound_wh)

    def improve(self, rng: Random, rounds: int) -> None:
        """Search from the best plan."""

        def stop(best_wh: float) -> bool:
            self._report(self.bound_wh, best_wh)
            return self.bound_wh - best_wh <= PROVEN_WH or self._used() >= SEARCH_UNTIL

        if not self._done():
            improve(self.best, rng, rounds, stop)

    def _done(self) -> bool:
        return self.bound_wh - self.best.value_wh <= PROVEN_WH

    def _used(self) -> float:
        return (time.monotonic() - self._started_wall_s) / self._limit_wall_s

    def _report(self, bound_wh: float, best_wh: float | None = None) -> None:
        if self._progress is not None:
            self._progress(self.best.value_wh if best_wh is None else best_wh, bound_wh)
