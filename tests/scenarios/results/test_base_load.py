"""Base loads in the results file, views, exports, frames and the report."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agents.energy import CumulativeSeries
from agents.manager.ledger import LedgerEntry
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.frames import load_frames
from scenarios.results.reader import ResultsReader
from scenarios.results.report.page import report_contents
from scenarios.results.run_end import RecordedEnd
from scenarios.results.summary import simulation_json
from scenarios.results.views import household_rows, view_house, view_neighbourhood
from scenarios.results.writer import RunWriter
from tests.scenarios.neighbourhoods import START_S


@pytest.fixture
def base_load_file(tmp_path: Path, simulation: SimulationSpec, ledger: tuple[LedgerEntry, ...]) -> Path:
    """One finished run of three hours; house b, without a roof, always draws 60 W, house a 100 W."""
    powers_w = {"a": 100.0, "b": 60.0}
    times_s = (START_S, START_S + 86_400)
    loads = {h: CumulativeSeries(times_s=times_s, cumulative_wh=(0, 24 * power_w)) for h, power_w in powers_w.items()}
    scenario = replace(simulation.scenario, base_loads=loads)
    path = create_results(replace(simulation, scenario=scenario, seeds=(1,)), folder=tmp_path / "results")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        for entry in ledger:
            writer.entry(entry)
        writer.finish(RecordedEnd("done", START_S + 10_800))
    return path


def test_base_loads_are_in_every_table_and_sum(base_load_file: Path) -> None:
    """Three hours of 160 W, all served: A's roof gives 500 W, and half of it is left for B."""
    with ResultsReader(base_load_file) as results:
        figures = results.kpis(1)
        view = view_neighbourhood(results, 1)
        b = view_house(results, 1, "b")
        (run,) = simulation_json(results)["runs"]
        page = report_contents(results)["runs"][0]
    with closing(sqlite3.connect(base_load_file)) as connection, connection:
        query = "SELECT house, SUM(consumed_wh), SUM(own_wh) FROM base_loads JOIN houses ON id = house_id GROUP BY 1"
        stored = {house: tuple(energies) for house, *energies in connection.execute(query)}
    connection.close()
    frames = load_frames(base_load_file)

    assert figures.base_load_wh == pytest.approx(480)
    assert figures.consumed_wh == pytest.approx(1600 + 480)
    assert stored["a"] == pytest.approx((300, 300))
    assert stored["b"] == pytest.approx((180, 0))
    assert frames.base_loads.consumed_wh.sum() == pytest.approx(480)
    assert frames.base_loads.bought_wh.sum() == pytest.approx(figures.base_load_local_wh - 300)
    assert frames.minutes.base_load_local_wh.sum() == pytest.approx(figures.base_load_local_wh)
    assert frames.consumption.consumed_wh.sum() == pytest.approx(figures.consumed_wh)
    assert view.day.local_w.sum() / 4 == pytest.approx(figures.delivered_wh + figures.base_load_local_wh)
    assert view.day.grid_w.sum() / 4 == pytest.approx(figures.grid_wh)
    assert b.breakdown.base_load_wh == pytest.approx(180)
    assert next(row.sold_wh for row in household_rows(view)) == pytest.approx(b.breakdown.neighbours_wh)
    assert run["by_house"]["b"]["base_load_wh"] == pytest.approx(180)
    assert sum(of["base_load_wh"] for of in run["by_producer"].values()) == pytest.approx(figures.base_load_local_wh)
    hours = 0.25
    local_wh = sum(sum(of[9]) for of in page["contracts"]) * hours + sum(page["base"]["all"][0]) * hours
    grid_wh = sum(sum(of[10]) for of in page["contracts"]) * hours + sum(page["base"]["all"][1]) * hours
    assert local_wh == pytest.approx(figures.delivered_wh + figures.base_load_local_wh, abs=10)
    assert grid_wh == pytest.approx(figures.grid_wh, abs=10)
    assert sum(sum(pair) for pair in page["given"]) == pytest.approx(figures.base_load_local_wh, abs=1)
