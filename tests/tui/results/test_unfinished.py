"""A simulation with a run that was stopped: marked in the screens, and in no mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.model import GRID, Contract
from scenarios.load import load_scenario
from scenarios.metrics.kpis import DEFAULT_INTERVAL_S
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.run_end import RecordedEnd
from scenarios.results.writer import RunWriter
from scenarios.scenario import planned_end_s
from tests.scenarios.neighbourhoods import agreed
from tui.results.energy_sheet import house_sheet, neighbourhood_sheet
from tui.results.runs import runs_sheet


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The street, everything on the grid; the second of two runs was stopped after 31 % of its time."""
    scenario = load_scenario("street")
    path = create_results(SimulationSpec(scenario, "insertion", (1, 2), "memory"), out=tmp_path / "r.sqlite")
    end_s = planned_end_s(scenario, None)
    for number in (1, 2):
        with RunWriter(path, scenario, run=number, run_id=f"r{number}", seed=number, start_s=scenario.start_s) as run:
            for job in scenario.jobs if number == 1 else scenario.jobs[:3]:
                run.entry(agreed(Contract(contract_id=f"{job.job_id}/1", job_id=job.job_id, producer=GRID,
                    start_s=job.latest_start_s, agreed_s=job.registered_s, energy_wh=job.energy_wh)))  # fmt: skip
            if number == 1:
                run.finish(RecordedEnd("done", end_s))
            else:
                run.finish(RecordedEnd("interrupted", scenario.start_s + round(0.31 * (end_s - scenario.start_s))))
    return path


def test_the_mean_of_all_runs_leaves_out_the_stopped_one(stopped: Path) -> None:
    """The run is marked at its number."""
    with ResultsReader(stopped) as results:
        rows = runs_sheet(results, DEFAULT_INTERVAL_S).rows

    assert [row.title for row in rows] == ["1", "2*", "mean", "± sd"]
    assert rows[2].figures["consumed_wh"] == rows[0].figures["consumed_wh"]
    assert rows[1].figures["consumed_wh"] != rows[0].figures["consumed_wh"]
    assert rows[3].figures["consumed_wh"] is None


def test_a_sheet_of_a_stopped_run_says_first_what_it_covers(stopped: Path) -> None:
    """Before its self-sufficiency, so that it is read where there is room for little."""
    with ResultsReader(stopped) as results:
        house = results.scenario.houses[0].id
        sheets = neighbourhood_sheet(results, 2, DEFAULT_INTERVAL_S), house_sheet(results, 2, house, DEFAULT_INTERVAL_S)
        whole = neighbourhood_sheet(results, 1, DEFAULT_INTERVAL_S)

    for sheet in sheets:
        assert sheet.figures[0] == ("Part of a run", "interrupted at 31 %; figures cover that part")
    assert whole.figures[0][0] == "Self-sufficiency"
    assert whole.figures[2] == ("Share of the possible", "0.0 % of 31.02 kWh")
