"""Progress of a run: when a time is reported, the results file has what happened before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.load import load_scenario
from scenarios.results import ResultsReader
from scenarios.simulation import Plan, open_simulation


async def test_the_file_has_all_messages_before_the_time_that_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expectations that are due during a run are judged by the file."""
    monkeypatch.setattr("scenarios.simulation.recorded_run.PROGRESS_EVERY_WALL_S", 0.0)
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
