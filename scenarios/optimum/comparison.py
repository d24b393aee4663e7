"""Compares runs with what was possible: the clairvoyant optimum, and baselines without negotiation.

The optimum is that of whole contracts, that of shared supply, which no run under either rule can exceed, or both. All
are stored with each run in its results file. Runs that ended at different moments but knew the same jobs and forecasts
have the same optimum; it is searched for once, starting from the best of their plans.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from agents import SHARED
from scenarios.optimum.baselines import Baseline, baselines
from scenarios.optimum.optimum import Optimum, clairvoyant_optimum
from scenarios.optimum.shared_optimum import SharedOptimum, shared_optimum_of
from scenarios.results import ResultsReader, record_comparison, seal
from scenarios.scenario import SCENARIO, Scenario

TIME_LIMIT_WALL_S = 30.0
"""Time limit for all optima of a simulation together."""
SupplyRules = Literal["whole", "shared", "both"]
"""The rules of supply that a plan keeps: a job is supplied by one panel in full, by all panels together minute by
minute, or both in turn."""


def compare(
    results_file: Path,
    time_limit_wall_s: float = TIME_LIMIT_WALL_S,
    progress: Callable[[float, float], None] | None = None,
    *,
    supply: SupplyRules | None = None,
) -> None:
    """Find optimum and baselines of every completed run of a simulation and store them in its results file.

    What the file holds already of another rule of supply is kept.

    Args:
        results_file: The simulation's results.
        time_limit_wall_s: Wall-clock seconds for all optima together; then the best plans found so far count.
        progress: Called now and then with the energy of the best plan and the bound, Wh.
        supply: Which optima are sought; None: that of the runs' own rule. Baselines belong to whole contracts.

    Raises:
        ResultsError: The file cannot be read or written.
    """
    with ResultsReader(results_file) as results:
        shares = results.info.settings.get("supply") == "shared"
        if supply is None:
            supply = "shared" if shares else "whole"
        kept = {run.run: run.comparison for run in results.runs()}
        scenarios = {run.run: _scenario_of(results, run.run) for run in results.runs()}
        delivered_wh: dict[int, float] = {}
        end_s: dict[int, int] = {}
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for run in results.runs():
            if run.state == "done":
                delivered_wh[run.run] = float(results.settlement(run.run).delivered_wh.sum())
                end_s[run.run] = run.end_s
                alike[_known_by(scenarios[run.run], run.end_s, scenarios)].append(run.run)
        plans = {
            known: {
                contract.job_id: (contract.producer, contract.start_s)
                for contract in (
                    entry.contract
                    for entry in results.ledger(max(runs, key=lambda run: (delivered_wh[run], -run)))
                    if entry.state == "standing" and entry.contract.producer != SHARED
                )
            }
            for known, runs in alike.items()
        }
    limit_wall_s = time_limit_wall_s / max(1, len(alike)) / (2 if supply == "both" else 1)
    for known, runs in alike.items():
        scenario, plan = scenarios[runs[0]], plans[known]
        last_s = max(end_s[run] for run in runs)
        inputs = {"inputs_sha256": _inputs_sha256(scenario, known)}
        of_run: dict[int, dict[str, Any]] = {number: dict(kept[number]) for number in runs}
        starts_s = [{job: start_s for job, (_, start_s) in plan.items()}]
        if supply != "shared":
            rules = baselines(scenario, end_s=last_s)
            # Runs that share supply have no plan for whole jobs that could be the best one.
            reached_wh = 0.0 if shares else max(delivered_wh[run] for run in runs)
            better = [drawn for rule in rules for drawn in rule.plans_above(reached_wh)]
            optimum = clairvoyant_optimum(scenario, plan, limit_wall_s, progress, end_s=last_s, also_known=better)
            without = [baseline_json(baseline, optimum) for baseline in rules]
            for number, found in of_run.items():
                found |= {"optimum": optimum_json(optimum, delivered_wh[number]) | inputs, "baselines": without}
            starts_s.append({job: start_s for job, (_, start_s) in optimum.plan.items()})
        if supply != "whole":
            shared = shared_optimum_of(scenario, starts_s, limit_wall_s, progress, end_s=last_s)
            for number, found in of_run.items():
                found["shared_optimum"] = optimum_json(shared, delivered_wh[number]) | inputs
        for number, found in of_run.items():
            record_comparison(results_file, number, found)
    seal(results_file)


def _scenario_of(results: ResultsReader, run: int) -> Scenario:
    """Return the scenario as a run observed it, without jobs that were not to run."""
    realised = results.realised(run)
    scenario, optional = realised.scenario, realised.optional
    if not optional:
        return scenario
    ran = {entry.contract.job_id for entry in results.ledger(run) if entry.state == "standing"}
    return replace(scenario, jobs=tuple(j for j in scenario.jobs if j.job_id in ran or j.job_id not in optional))


def _known_by(scenario: Scenario, end_s: int, scenarios: Mapping[int, Scenario]) -> tuple[int, ...]:
    """Return how many jobs and forecasts a run that ended then knew; equal numbers share an optimum."""
    forecasts = (forecast for producer in scenario.producers.values() for forecast in producer.predictions)
    return (
        sum(job.registered_s <= end_s for job in scenario.jobs),
        sum(forecast.issued_s <= end_s for forecast in forecasts),
        next(run for run, known in scenarios.items() if known == scenario),
    )


def _inputs_sha256(scenario: Scenario, known: tuple[int, ...]) -> str:
    """Return a hash of what an optimum depends on; optima of several simulations with equal hashes are the same.

    Args:
        scenario: As the runs observed it.
        known: What `_known_by` returns for them.
    """
    jobs, forecasts, _ = known
    content = SCENARIO.dump_json(scenario, include={"start_s", "houses", "jobs", "producers", "base_loads"})
    return hashlib.sha256(f"{jobs} {forecasts} ".encode() + content).hexdigest()


def optimum_json(optimum: Optimum | SharedOptimum, delivered_wh: float | None = None) -> dict[str, Any]:
    """Return an optimum, for whole jobs or for shared supply, as a JSON object.

    Args:
        optimum: The optimum.
        delivered_wh: Energy that a run delivered, to state its share; None: no run.
    """
    found: dict[str, Any] = {"best_wh": optimum.best_wh, "bound_wh": optimum.bound_wh}
    if delivered_wh is not None:
        found["share"] = optimum.share(delivered_wh)
    if isinstance(optimum, Optimum):
        found["carried_bound_wh"] = optimum.carried_bound_wh
    return {**found, "gap": optimum.gap, "proven": optimum.proven, "wall_s": optimum.wall_s}


def baseline_json(baseline: Baseline, optimum: Optimum) -> dict[str, Any]:
    """Return a baseline as a JSON object, with its share of the best known plan."""
    return {
        "name": baseline.name,
        "delivered_wh": baseline.delivered_wh,
        "deviation_wh": baseline.deviation_wh,
        "share": optimum.share(baseline.delivered_wh),
    }
