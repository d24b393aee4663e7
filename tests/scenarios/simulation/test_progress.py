"""Progress of a run: when a time is reported, the results file has what happened before it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker.clock import Moment
from scenarios.load import load_scenario
from scenarios.results import ResultsReader, SimulationSpec, create_results
from scenarios.simulation import Plan, PlannedRun, RunSettings, open_simulation, record_run
from tests.patience import PATIENCE_WALL_S


async def test_the_file_has_all_messages_before_the_time_that_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expectations that are due during a run are judged by the file."""
    monkeypatch.setattr("scenarios.simulation.recording.PROGRESS_EVERY_WALL_S", 0.0)
    found: dict[int, int] = {}

    def reached(run: int, time_s: int) -> None:
        with ResultsReader(simulation.results_file) as results:
            found[time_s] = sum(message.time_s < time_s for message in results.messages(run))

    async with open_simulation(Plan(load_scenario("night"), (1,), bus="memory", folder=tmp_path)) as simulation:
        await simulation.run(on_progress=reached)
    with ResultsReader(simulation.results_file) as results:
        times_s = [message.time_s for message in results.messages(1)]
    assert len(found) > 3
    assert found == {now_s: sum(time_s < now_s for time_s in times_s) for now_s in found}


async def test_the_last_step_before_a_pause_is_reported(tmp_path: Path) -> None:
    """A run that paused within a tenth of a second of a report left its last time unreported, and what was due then."""
    scenario = load_scenario("night")
    told: asyncio.Queue[int] = asyncio.Queue()
    file = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), tmp_path / "paused.sqlite")
    planned = PlannedRun(1, RunSettings(run_id="paused", seed=1), file)
    with record_run(scenario, planned, told.put_nowait) as record:
        for step in range(3):
            record.moment(Moment(scenario.start_s + step * 3_600, 0, step))
        async with asyncio.timeout(PATIENCE_WALL_S):
            assert await told.get() == scenario.start_s
            assert await told.get() == scenario.start_s + 2 * 3_600
    assert told.empty()
