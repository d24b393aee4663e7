"""Journals of a run of many days: how they grow, and how long a household takes to come back from one.

Run from the project's root: `.venv/bin/python -m benchmarks.journals --days 30`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import structlog

from agents import MANAGER
from broker.transport import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation import RunSettings, run_hosts, run_scenario
from scenarios.simulation.agents import AgentSet, agents_by_host
from scenarios.simulation.run import _host
from tests.operation.months import repeated


async def run_all(street: Scenario, settings: RunSettings) -> None:
    """Run the street, each household with a journal of its own."""
    broker = MemoryBroker()
    async with asyncio.TaskGroup() as tasks:
        for house in street.houses:
            tasks.create_task(run_hosts(street, settings, broker, [house.id]))
        await run_scenario(street, settings, broker, [MANAGER])


async def replay(street: Scenario, settings: RunSettings, house: str) -> float:
    """Return how much processor time a household takes to replay its journal, seconds."""
    setup = settings.fingerprint(street, [house])
    journal = settings.host_journal(house, setup)
    homes = agents_by_host(street)
    assert journal is not None
    with journal:
        host = _host(house, AgentSet(street, settings, set(homes[house])), homes[house], settings, journal, setup=setup)
        began = time.process_time()
        async with asyncio.TaskGroup() as tasks:
            await host._replay(tasks)  # noqa: SLF001 - what a restart does first
            took = time.process_time() - began
            host._group.stop()  # noqa: SLF001 - as a crash leaves it
    return took


def main() -> None:
    """Print the growth of each journal and the time of its replay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    days = parser.parse_args().days
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    street = repeated(load_scenario("street"), days)
    with tempfile.TemporaryDirectory() as folder:
        settings = RunSettings(1, "journals", journals=Path(folder))
        asyncio.run(run_all(street, settings))
        print(f"{days} days of the street:")
        asyncio.run(replay(street, settings, street.houses[0].id))  # imports what it needs
        for house in street.houses:
            size = settings.journal_file(house.id).stat().st_size
            took = asyncio.run(replay(street, settings, house.id))
            year = f"a year: {size / days * 365 / 1e6:5.1f} MB, {took / days * 365:4.1f} s"
            print(
                f"{house.id:10} {size / days / 1000:6.1f} kB a day, replay {took / days * 1000:5.1f} ms a day; {year}"
            )


if __name__ == "__main__":
    main()
