"""How much of the clairvoyant optimum the negotiation reaches, and what the rest is for.

    python benchmarks/optimum.py [--time-limit S] [--rounds N] [--algorithm NAME] [--promise late] [SCENARIO...]

A scenario is a file, a PySSMic folder, a bundled name, or a number: that generated scarce neighbourhood. Without any:
the bundled street and scarce, and the scarce neighbourhoods 1 to 10. See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass, replace
from statistics import fmean

from rolling_horizon import plan_rolling_horizon

from agents import Promise
from agents.model import GRID
from agents.scheduling.settings import ALGORITHMS, INSERTION, AlgorithmSettings
from broker.transport.memory import MemoryBroker
from scenarios.generate.one_day_neighbourhood import scarce
from scenarios.load import load_scenario
from scenarios.optimum.baselines import baselines
from scenarios.optimum.feasibility import delivered_wh
from scenarios.optimum.optimum import clairvoyant_optimum
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tui.logs import configure_logs

DEFAULT = ("street", "scarce", *(str(seed) for seed in range(1, 11)))
HEAD = (
    f"{'scenario':14} {'jobs':>4} {'panels':>6} {'demand/sun':>10} {'best Wh':>9} {'gap':>6} {'any run':>7} "
    f"{'reached':>8} {'search':>7} {'knowl.':>7} {'earliest':>8} {'random':>7} {'PySSMic':>7}"
)


@dataclass(frozen=True, slots=True)
class OptimumRow:
    """What was found for a scenario; shares of the best plan known."""

    reached: float
    search: float
    knowledge: float
    gap: float
    without: tuple[float, ...]


def measure(name: str, algorithm: str, promise: Promise, time_limit_wall_s: float, rounds: int) -> OptimumRow:
    """Run a scenario once, look for its optimum, print a line and return it."""
    scenario = replace(scarce(int(name)) if name.isdigit() else load_scenario(name), promise=promise)
    outcome = asyncio.run(_run(scenario, algorithm))
    contracts = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
    run = {c.job_id: (c.producer, c.start_s) for c in contracts if c.producer != GRID}
    planned = plan_rolling_horizon(scenario, rounds=rounds, end_s=outcome.end_s)
    run_wh, planned_wh = (delivered_wh(scenario, plan, end_s=outcome.end_s) for plan in (run, planned))
    start = run if run_wh >= planned_wh else planned
    best = clairvoyant_optimum(scenario, start, time_limit_wall_s, end_s=outcome.end_s)
    of = best.best_wh or 1.0
    line = OptimumRow(
        reached=run_wh / of,
        search=max(0.0, planned_wh - run_wh) / of,
        knowledge=(best.best_wh - max(planned_wh, run_wh)) / of,
        gap=best.gap,
        without=tuple(baseline.delivered_wh / of for baseline in baselines(scenario, end_s=outcome.end_s)),
    )
    demand_wh = sum(job.energy_wh for job in scenario.jobs)
    any_run = (best.bound_wh - best.best_wh) / best.bound_wh if best.bound_wh else 0.0
    print(
        f"{scenario.name:14} {len(scenario.jobs):4} {len(scenario.producers):6} {_demand(scenario, demand_wh):10.2f} "
        f"{best.best_wh:9.0f} {best.gap:6.1%} {any_run:7.1%} {line.reached:8.1%} {line.search:7.1%} "
        f"{line.knowledge:7.1%} " + " ".join(f"{share:7.1%}" for share in line.without),
        flush=True,
    )
    return line


async def _run(scenario: Scenario, algorithm: str) -> RunOutcome:
    settings = RunSettings(seed=scenario.seed, run_id="benchmark", algorithm=AlgorithmSettings(algorithm))
    return await run_scenario(scenario, settings, MemoryBroker())


def _demand(scenario: Scenario, demand_wh: float) -> float:
    sun_wh = sum(
        (of.actual or of.predictions[-1].production).energy_wh for of in scenario.producers.values() if of.predictions
    )
    return demand_wh / sun_wh if sun_wh else 0.0


def main() -> None:
    """Measure the chosen scenarios, one line each, and the means of the generated ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", default=DEFAULT)
    parser.add_argument("--algorithm", choices=ALGORITHMS, default=INSERTION)
    parser.add_argument("--promise", choices=("early", "late"), default="early")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S", help="for each optimum")
    parser.add_argument("--rounds", type=int, default=60, metavar="N", help="of search, each time the planner plans")
    asked = parser.parse_args()
    configure_logs("error")
    print(HEAD)
    lines = {
        name: measure(name, asked.algorithm, asked.promise, asked.time_limit, asked.rounds) for name in asked.scenario
    }
    generated = [line for name, line in lines.items() if name.isdigit()]
    if generated:
        print(
            f"mean of the {len(generated)} generated: reached {fmean(line.reached for line in generated):.1%}, "
            f"missed by search {fmean(line.search for line in generated):.1%}, "
            f"for lack of knowledge {fmean(line.knowledge for line in generated):.1%}, "
            f"gap {fmean(line.gap for line in generated):.1%}"
        )


if __name__ == "__main__":
    main()
