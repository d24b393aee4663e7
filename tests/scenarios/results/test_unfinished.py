"""Runs that did not finish: their figures say so wherever they are shown, and are excluded from means."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.manager.ledger import LedgerEntry
from scenarios.results.export import tables
from scenarios.results.files import SimulationSpec, create_results, list_results
from scenarios.results.power_profiles import average_power_profile
from scenarios.results.reader import ResultsReader
from scenarios.results.report.page import report_contents
from scenarios.results.run_end import RecordedEnd
from scenarios.results.summary import simulation_json
from scenarios.results.views import view_house, view_runs
from scenarios.results.writer import RunWriter
from tests.scenarios.neighbourhoods import START_S, agreed, contract

PLANNED_S = 14_400 + 3_600
"""The last job may start after four hours and takes one."""


@pytest.fixture
def half_done(results_file: Path, simulation: SimulationSpec) -> Path:
    """Two runs that are complete, and one that was stopped after a quarter of its time."""
    wash = simulation.scenario.jobs[0]
    with RunWriter(results_file, simulation.scenario, run=3, run_id="r3", seed=3, start_s=START_S) as writer:
        writer.entry(agreed(contract(wash, "pv", 3600)))
        writer.finish(RecordedEnd("interrupted", START_S + PLANNED_S // 4))
    return results_file


def test_means_and_intervals_are_of_complete_runs(half_done: Path) -> None:
    """This holds for JSON, the view of all runs, the report's page and the list."""
    with ResultsReader(half_done) as results:
        whole = simulation_json(results)
        view, report = view_runs(results), report_contents(results)
        (listed,) = list_results(half_done.parent)

    complete = [run["kpis"]["self_sufficiency"] for run in whole["runs"] if run["state"] == "done"]
    for spread in (whole["statistics"]["self_sufficiency"], report["spread"]["self_sufficiency"]):
        assert (spread["runs"], spread["mean"]) == (2, pytest.approx(sum(complete) / 2))
        assert spread["maximum"] == max(complete)
    assert view.statistics["consumed_wh"].runs == 2
    assert listed.self_sufficiency == pytest.approx(sum(complete) / 2)


def test_each_run_says_how_much_of_it_its_figures_cover(half_done: Path) -> None:
    """A run that was stopped at 25 % has a self-sufficiency of that quarter."""
    with ResultsReader(half_done) as results:
        runs = simulation_json(results)["runs"]
        house = view_house(results, 3, "a")
        covered = [run["covered"] for run in report_contents(results)["runs"]]
        rows = {table.name: (table.columns, list(table.rows())) for table in tables(results)}

    assert [(run["complete"], run["covered_share"]) for run in runs] == [(True, 1.0), (True, 1.0), (False, 0.25)]
    assert (house.covered_share, covered) == (0.25, [1.0, 1.0, 0.25])
    for name in ("runs", "kpis"):
        columns, (*_, last) = rows[name]
        said = dict(zip((column.name for column in columns), last, strict=True))
        assert (said["state"], said["covered_share"]) == ("interrupted", 0.25)


def test_the_average_day_is_of_complete_runs(half_done: Path) -> None:
    """Half a run would draw less in every later hour."""
    with ResultsReader(half_done) as results:
        assert average_power_profile(results).runs == 2


def test_a_simulation_without_a_complete_run_has_no_mean(
    tmp_path: Path, simulation: SimulationSpec, ledger: tuple[LedgerEntry, ...]
) -> None:
    """It has neither a mean nor an interval."""
    path = create_results(simulation, folder=tmp_path / "results")
    for number in (1, 2):
        with RunWriter(path, simulation.scenario, run=number, run_id=f"r{number}", seed=number, start_s=START_S) as run:
            for entry in ledger:
                run.entry(entry)
            run.finish(RecordedEnd("interrupted" if number == 1 else "failed", START_S + number * 1800))
    with ResultsReader(path) as results:
        spread = simulation_json(results)["statistics"]["grid_wh"]
        assert average_power_profile(results).runs == 1

    assert (spread["runs"], spread["mean"], spread["high_95"]) == (0, None, None)
    assert list_results(path.parent)[0].self_sufficiency is None
