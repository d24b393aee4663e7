"""A folder with results of real runs: the street twice with one algorithm, once with another."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agents.manager.ledger import LedgerEntry, LedgerEvent
from agents.model import GRID, Contract
from agents.scheduling.settings import AlgorithmSettings
from scenarios.load import load_scenario
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.run_end import RecordedEnd, end_without_days_s
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from scenarios.simulation.plan import Plan
from scenarios.simulation.simulation import open_simulation
from tests.tui.results.driving import FIFTY, INSERTION

MADE_UTC = {INSERTION: "2026-06-22T08:15:00+00:00", FIFTY: "2026-06-22T08:20:00+00:00"}


async def _run(plan: Plan) -> None:
    async with open_simulation(plan) as simulation:
        await simulation.run()


@pytest.fixture(scope="session")
def street_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run it once for all tests; what differs from run to run is set, so that pictures stay the same."""
    folder = tmp_path_factory.mktemp("street")
    scenario = load_scenario("street")
    for name, algorithm, seeds in ((INSERTION, "insertion", (1, 2)), (FIFTY, "fifty_fifty", (1,))):
        settings = AlgorithmSettings(name=algorithm)
        plan = Plan(scenario, seeds, settings, bus="memory", workers=1, out=folder / name, folder=folder)
        asyncio.run(_run(plan))
        with closing(sqlite3.connect(folder / name)) as connection, connection:
            connection.execute("UPDATE simulation SET created_utc = ?", (MADE_UTC[name],))
            connection.execute("UPDATE runs SET wall_s = run * 0.5")
        connection.close()
    return folder


def _plan(scenario: Scenario, later_s: int) -> list[LedgerEntry]:
    """Return contracts by a rule that no algorithm's progress changes: producers in turn, every fifth job on the grid.

    Args:
        scenario: Whose jobs are planned.
        later_s: So long after its window opens a job starts, where the window lets it.
    """
    suppliers = [*sorted(scenario.producers), GRID]
    entries = []
    for number, job in enumerate(scenario.jobs):
        supplier = suppliers[number % len(suppliers)]
        opens_s = max(job.registered_s, job.earliest_start_s)
        start_s = max(opens_s, min(job.latest_start_s, opens_s + later_s))
        contract = Contract(
            contract_id=f"{job.job_id}/1",
            job_id=job.job_id,
            producer=supplier,
            start_s=start_s,
            agreed_s=job.registered_s,
            energy_wh=job.energy_wh,
        )
        agreed = LedgerEvent(at_s=job.registered_s, what="agreed", start_s=start_s)
        entries.append(LedgerEntry(contract=contract, state="standing", history=(agreed,)))
    return entries


@pytest.fixture(scope="session")
def told_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results that look the same for all algorithms, for pictures."""
    folder = tmp_path_factory.mktemp("told")
    scenario = load_scenario("street")
    for name, algorithm, seeds in ((INSERTION, "insertion", (1, 2)), (FIFTY, "fifty_fifty", (1,))):
        plan = SimulationSpec(scenario=scenario, algorithm=algorithm, seeds=seeds, broker="memory")
        path = create_results(plan, folder / name)
        for run, seed in enumerate(seeds, start=1):
            with RunWriter(path, scenario, run=run, run_id=f"r{run}", seed=seed, start_s=scenario.start_s) as writer:
                entries = _plan(scenario, 3600 * (run if name == INSERTION else 4))
                for entry in entries:
                    writer.entry(entry)
                end_s = end_without_days_s(scenario.start_s, scenario.jobs, entries)
                writer.finish(RecordedEnd("done", end_s, negotiations=len(scenario.jobs), wall_s=run * 0.5))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE simulation SET created_utc = ?", (MADE_UTC[name],))
        connection.close()
    return folder


@pytest.fixture
def told_folder(told_results: Path, tmp_path: Path) -> Path:
    """Those, where the application looks for them."""
    folder = tmp_path / "results"
    shutil.copytree(told_results, folder)
    return folder


@pytest.fixture
def results_folder(street_results: Path, tmp_path: Path) -> Path:
    """Results where the application looks for them, to be changed at will."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name in (INSERTION, FIFTY):
        shutil.copy(street_results / name, folder / name)
    return folder


@pytest.fixture
def newest(results_folder: Path) -> Path:
    """Return a simulation of two runs, the only one in the folder."""
    for path in results_folder.iterdir():
        if path.name != INSERTION:
            path.unlink()
    return results_folder / INSERTION
