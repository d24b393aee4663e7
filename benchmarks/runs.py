"""Whole runs: over Mosquitto against in memory, and agents' messages against bare aiomqtt, side by side.

    python benchmarks/runs.py [SCENARIO...]

A scenario is a file, a PySSMic folder or a bundled name. Needs Mosquitto. See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Callable

from round_trips import bare

from broker.servers.mosquitto import managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Broker
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tui.logs import configure_logs

REPEATS = 5
"""Alternating, so that a machine that becomes slower or faster does so for all."""


async def measure(name: str) -> None:
    """Run a scenario in memory and over Mosquitto, by turns, and print what it took."""
    scenario = load_scenario(name)
    async with managed_mosquitto() as running:
        brokers: dict[str, Callable[[], Broker]] = {
            "memory": MemoryBroker,
            "Mosquitto": lambda: MqttBroker(running.url),
        }
        outcomes: dict[str, list[RunOutcome]] = {kind: [] for kind in brokers}
        bare_wall_s: list[float] = []
        for repeat in range(REPEATS):
            for kind, make in brokers.items():
                outcomes[kind].append(await run(scenario, make(), f"{scenario.name}-{kind}-{repeat}"))
            bare_wall_s.append(await bare(running.url, outcomes["Mosquitto"][-1].messages, 1))
    hashes = {outcome.ledger_sha256 for runs in outcomes.values() for outcome in runs}
    if len(hashes) != 1:
        raise SystemExit(f"{name}: {len(hashes)} different ledgers")
    took = {kind: statistics.median(outcome.wall_s for outcome in runs) for kind, runs in outcomes.items()}
    once = outcomes["memory"][0]
    bare_wall = statistics.median(bare_wall_s)
    print(f"{name}: {len(scenario.houses)} houses, {len(once.ledger)} contracts, {once.messages} messages, ", end="")
    print(f"{once.rounds} rounds; median of {REPEATS} alternating runs")
    for kind, wall_s in took.items():
        print(f"  {kind:10} {wall_s:7.3f} s   {once.messages / wall_s:8.0f} agent messages a second")
    print(f"  bare       {bare_wall:7.3f} s   {once.messages / bare_wall:8.0f} round trips a second, aiomqtt as it is")
    print(f"  run time, Mosquitto to memory                 {took['Mosquitto'] / took['memory']:6.2f}")
    print(f"  agent messages to bare round trips, a second  {bare_wall / took['Mosquitto']:6.2f}")


async def run(scenario: Scenario, broker: Broker, run_id: str) -> RunOutcome:
    """Run once, one host a household."""
    return await run_scenario(scenario, RunSettings(seed=1, run_id=run_id), broker)


async def main(names: list[str]) -> None:
    """Measure one after the other."""
    for name in names:
        await measure(name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", default=["street"])
    configure_logs("warning")
    asyncio.run(main(parser.parse_args().scenarios))
