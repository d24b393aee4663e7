"""A folder with results of real runs: the street twice with one algorithm, once with another."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from agents.scheduling.settings import AlgorithmSettings
from scenarios.files import load_scenario
from scenarios.simulation import Plan, open_simulation
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
        with sqlite3.connect(folder / name) as connection:
            connection.execute("UPDATE simulation SET created_utc = ?", (MADE_UTC[name],))
            connection.execute("UPDATE runs SET wall_s = run * 0.5")
        connection.close()
    return folder


@pytest.fixture
def results_folder(street_results: Path, tmp_path: Path) -> Path:
    """Results where the application looks for them, to be changed at will."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name in (INSERTION, FIFTY):
        shutil.copy(street_results / name, folder / name)
    return folder
