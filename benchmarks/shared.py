"""What shared supply costs beside whole jobs, and how that grows with the neighbourhood.

    python -m benchmarks.shared [--houses 30,100,300,1000] [--demand 1.5] [--runs 1]

The neighbourhoods are those of benchmarks/growth.py with another demand, in multiples of production: with 0.3 one roof
can supply most jobs, with 1.5 hardly any. Both rules run in turn, over the memory bus, with all agents on one host.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from dataclasses import dataclass

import structlog

from agents.sharing import SupplyRule, SupplySettings
from benchmarks.growth import grown
from broker.transport import MemoryBroker
from scenarios.metrics import settle
from scenarios.scenario import Scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run took and gave."""

    messages: int
    cpu_s: float
    delivered_wh: float


def measure(scenario: Scenario, rule: SupplyRule) -> RunCost:
    """Run a neighbourhood by a rule of supply."""
    settings = RunSettings(seed=1, run_id="shared", hosts=1, supply=SupplySettings(rule))
    began_s = time.process_time()
    outcome = asyncio.run(run_scenario(scenario, settings, MemoryBroker()))
    cpu_s = time.process_time() - began_s
    standing = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
    settled = settle(scenario, standing, outcome.start_s, outcome.end_s)
    return RunCost(outcome.messages, cpu_s, float(settled.delivered_wh.sum()))


def main() -> None:
    """Print a table: sizes, both rules, and the multiples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--houses", default="30,100,300,1000", help="sizes, separated by commas")
    parser.add_argument("--demand", type=float, default=1.5, help="demand as a multiple of production")
    parser.add_argument("--runs", type=int, default=1, help="of each; the least processor time counts")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print("| houses | jobs | messages a job | multiple | processor ms a job | multiple | kWh |")
    print("| --: | --: | --: | --: | --: | --: | --: |")
    for houses in (int(size) for size in chosen.houses.split(",")):
        scenario = grown(houses, chosen.demand)
        jobs = len(scenario.jobs)
        runs = [(measure(scenario, "whole"), measure(scenario, "shared")) for _ in range(chosen.runs)]
        whole, shared = (min(costs, key=lambda cost: cost.cpu_s) for costs in zip(*runs, strict=True))
        print(
            f"| {houses:,} | {jobs:,} | {whole.messages / jobs:.1f}, {shared.messages / jobs:.1f} | "
            f"{shared.messages / whole.messages:.2f} | {1_000 * whole.cpu_s / jobs:.1f}, "
            f"{1_000 * shared.cpu_s / jobs:.1f} | {shared.cpu_s / whole.cpu_s:.2f} | "
            f"{whole.delivered_wh / 1_000:.1f}, {shared.delivered_wh / 1_000:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
