"""Random scenarios, run in several ways: part of `make soak`.

Every seed draws a scenario (`tests.faults.scenarios`). On one host, on several, over a bad network, and deployed with
processes that are interrupted and come back, it gives the same ledger and the same results; and its energy and bills
are those that a second computation finds (`tests.faults.energy`).
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog

from agents.scheduling import AlgorithmSettings
from broker.protocol import Timeouts
from broker.transport import Broker, MemoryBroker
from scenarios.results import ResultsReader, RunWriter, SimulationSpec, create_results
from scenarios.results.summary import run_json
from scenarios.simulation import RunOutcome, RunSettings, run_scenario
from scenarios.simulation.settings import described
from tests.faults.energy import energy_problems
from tests.faults.network import Faults, FaultyBroker
from tests.faults.ram import folder_for_a_run
from tests.faults.scenarios import RandomRun, random_run
from tests.faults.seeds import seeds_wanted
from tests.faults.soak import Disturbance, run_disturbed
from tests.virtual_time import new_virtual_loop

INDEPENDENT_OF_THE_END = ("ledger_sha256", "contracts", "events", "messages", "not_registered")
BAD_NETWORK = Faults(drop=0.05, double=0.2, delay_most_wall_s=0.5, reconnect=0.01)


def settings_of(run: RandomRun, hosts: int | None) -> RunSettings:
    """Return the settings of a run that is spread over some hosts."""
    return RunSettings(
        seed=run.scenario.seed,
        run_id="whole",
        algorithm=AlgorithmSettings(run.scenario.algorithm),
        supply=run.scenario.supply_settings,
        patient=run.patient,
        negotiating=run.negotiating,
        hosts=hosts,
        patience=Timeouts(limit_wall_s=1e6),
    )


def new_results(run: RandomRun, settings: RunSettings, path: Path) -> Path:
    """Create a results file for a run."""
    scenario = run.scenario
    chosen = described(scenario, settings, "memory", settings.days_of(scenario), {})
    spec = SimulationSpec(scenario, scenario.algorithm, (settings.seed,), "memory", settings.hosts, chosen)
    return create_results(spec, path)


def recorded(run: RandomRun, hosts: int | None, broker: Broker, path: Path) -> RunOutcome:
    """Run a scenario in one process; record it in a new results file."""
    scenario, settings = run.scenario, settings_of(run, hosts)
    new_results(run, settings, path)

    async def perform() -> RunOutcome:
        with RunWriter(
            path, scenario, run=1, run_id=settings.run_id, seed=settings.seed, start_s=scenario.start_s
        ) as writer:
            return await run_scenario(scenario, settings, broker, recorder=writer)

    return _run(perform())


def recorded_disturbed(run: RandomRun, steps: int, seed: int, folder: Path, path: Path) -> None:
    """Run a scenario deployed, while processes are interrupted and come back; record it in a new results file."""
    houses = tuple(house.id for house in run.scenario.houses if house.devices)
    settings, disturbance = settings_of(run, None), Disturbance.draw(seed, houses, steps)
    new_results(run, settings, path)
    _run(run_disturbed(run.scenario, disturbance, seed, folder, settings=settings, results_file=path))


def _run(what: Coroutine[Any, Any, RunOutcome]) -> RunOutcome:
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        runner.get_loop().set_debug(False)  # it would take most of the time
        return runner.run(what)


def said_of(path: Path) -> dict[str, Any]:
    """Return what a results file says of its run, without how long it took."""
    with ResultsReader(path) as results:
        said = run_json(results, results.run(1))
    del said["wall_s"]
    return said


def problems_of(seed: int) -> list[str]:
    """Run the scenario of a seed in several ways; return what is wrong."""
    run = random_run(seed)
    with folder_for_a_run() as name:
        folder = Path(name)
        rounds = recorded(run, 1, MemoryBroker(), folder / "one.sqlite").rounds
        said = said_of(folder / "one.sqlite")
        with ResultsReader(folder / "one.sqlite") as results:
            standing = [entry.contract for entry in results.ledger(1) if entry.state == "standing"]
            problems = energy_problems(results.scenario_of(1), standing, said)
        if seed % 2:
            way, compared = f"{seed % 3 + 2} hosts", list(said)
            recorded(run, seed % 3 + 2, MemoryBroker(), folder / "other.sqlite")
        elif seed % 4:
            way, compared = "a host each, over a bad network", list(said)
            recorded(run, None, FaultyBroker(MemoryBroker(), BAD_NETWORK, seed), folder / "other.sqlite")
        else:
            # Where the scenario sets no end, the record of a deployment ends with its last job or message.
            way, compared = "deployed, with crashes", list(said) if run.scenario.days else [*INDEPENDENT_OF_THE_END]
            recorded_disturbed(run, rounds, seed, folder, folder / "other.sqlite")
        other = said_of(folder / "other.sqlite")
        return problems + [f"{way}: another {key!r}" for key in compared if said[key] != other[key]]


def main() -> int:
    """Run many seeds; exit with 1 if any shows a problem."""
    seeds = seeds_wanted(__doc__, 300)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

    def shown(seed: int) -> list[str]:
        try:
            return problems_of(seed)
        except Exception:
            return [traceback.format_exc()]

    return seeds.run(shown, target="soak", progress_every=20)


if __name__ == "__main__":
    sys.exit(main())
