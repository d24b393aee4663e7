"""The views of all households, one household and all runs; the list of simulations; the JSON object."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from agents.manager.ledger import LedgerEntry
from agents.model import GRID
from scenarios.metrics.kpis import IntervalError
from scenarios.results.connection import ResultsError
from scenarios.results.files import SimulationSpec, create_results, list_results
from scenarios.results.power_profiles import average_power_profile
from scenarios.results.reader import ResultsReader
from scenarios.results.run_end import RecordedEnd
from scenarios.results.summary import simulation_json
from scenarios.results.views import view_house, view_neighbourhood, view_runs
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import START_S, agreed, contract, forecast, job, load, neighbourhood, sun

HOUR_S = 3600


def test_the_json_object_has_the_promised_fields(results_file: Path, scenario: Scenario) -> None:
    """Times are in UNIX seconds, and each job has one standing contract."""
    with ResultsReader(results_file) as results:
        whole = json.loads(json.dumps(simulation_json(results)))

    assert {"scenario", "algorithm", "broker", "results_file", "runs"} <= whole.keys()
    assert (whole["scenario"], whole["algorithm"], whole["results_file"]) == ("sample", "insertion", str(results_file))
    run = whole["runs"][0]
    assert {"seed", "ledger_sha256", "kpis", "contracts", "not_registered"} <= run.keys()
    assert {
        "consumed_wh",
        "contracted_wh",
        "delivered_wh",
        "grid_wh",
        "produced_wh",
        "self_consumption",
        "self_sufficiency",
    } <= run["kpis"].keys()
    contracts = {of["job_id"]: of for of in run["contracts"]}
    assert len(contracts) == len(run["contracts"]) == len(scenario.jobs)
    assert contracts["dry"] == {
        "contract_id": "dry/2",
        "job_id": "dry",
        "source_id": "dry",
        "house": "b",
        "device": "machine",
        "producer": "grid",
        "registered": START_S,
        "earliest_start": START_S,
        "latest_start": START_S + 7200,
        "start": START_S + 7200,
        "agreed": START_S + 1800,
        "energy_wh": 900.0,
        "profile": "load",
    }
    assert whole["runs"][1]["not_registered"] == ["late"]
    spread = whole["statistics"]["grid_wh"]
    assert spread["mean"] == pytest.approx(sum(of["kpis"]["grid_wh"] for of in whole["runs"]) / 2)
    assert run["kpis"]["bill_eur"] == pytest.approx(sum(bill["with_eur"] for bill in run["bills"].values()))


def test_all_households(results_file: Path) -> None:
    """Contracts are ordered by start, with their coverage; power contains all energy."""
    with ResultsReader(results_file) as results:
        view = view_neighbourhood(results, 1, interval_s=HOUR_S)

    assert [c.start_s for c in view.contracts] == [START_S + HOUR_S, START_S + HOUR_S, START_S + 2 * HOUR_S]
    by_job = {c.job_id: c for c in view.contracts}
    assert (by_job["wash"].amended, by_job["dry"].cancelled_before) == (1, 1)
    assert (by_job["wash"].producer_house, by_job["dry"].producer_house) == ("a", None)
    assert sum(c.delivered_wh for c in view.contracts) == pytest.approx(view.kpis.delivered_wh)
    assert view.day.production_w.sum() == pytest.approx(view.kpis.produced_wh)
    assert view.day.consumption_w.sum() == pytest.approx(view.kpis.consumed_wh)
    assert view.day.times_s.tolist() == [START_S + i * HOUR_S for i in range(3)]
    assert list(view.bills) == ["a", "b"]


def test_one_household(results_file: Path) -> None:
    """Its own jobs, what its roof supplied to others, its share, its bill."""
    with ResultsReader(results_file) as results:
        everything = view_neighbourhood(results, 1)
        roof, tenant = view_house(results, 1, "a"), view_house(results, 1, "b")
        with pytest.raises(ResultsError, match="has no house 'c'; there are a, b"):
            view_house(results, 1, "c")

    assert roof.name == "House a"
    assert [c.job_id for c in roof.contracts] == ["wash"]
    assert [c.house for c in roof.supplied] == ["b"]
    assert roof.sold_wh == pytest.approx(tenant.breakdown.neighbours_wh)
    assert roof.produced_wh == pytest.approx(everything.kpis.produced_wh)
    assert {c.producer for c in tenant.contracts} == {"pv", GRID}
    assert tenant.produced_wh == 0
    assert tenant.production_peak_to_average is None
    assert tenant.bill == everything.bills["b"]
    assert tenant.breakdown.grid_wh + roof.breakdown.grid_wh == pytest.approx(everything.kpis.grid_wh)


def test_all_runs(results_file: Path) -> None:
    """They have each run's figures, their mean, and the average power with its deviation."""
    with ResultsReader(results_file) as results:
        view = view_runs(results, HOUR_S)
        days = [view_neighbourhood(results, run, HOUR_S).day for run in (1, 2)]
        average = average_power_profile(results, HOUR_S)

    assert [info.seed for info, _ in view.runs] == [1, 2]
    figures = [of.grid_wh for _, of in view.runs]
    assert view.statistics["grid_wh"].mean == pytest.approx(sum(figures) / 2)
    assert average.runs == 2
    local_w = [day.local_w[: len(average.times_s)] for day in days]
    assert average.local.mean_w == pytest.approx((local_w[0] + local_w[1]) / 2)
    assert average.local.deviation_w == pytest.approx(abs(local_w[0] - local_w[1]) / 2**0.5)
    assert average.production.deviation_w == pytest.approx([0] * len(average.times_s))


def test_intervals_are_whole_minutes_in_every_view(results_file: Path) -> None:
    """The message is the same in all of them."""
    with ResultsReader(results_file) as results:
        for ask in (
            lambda: view_neighbourhood(results, 1, 7),
            lambda: view_house(results, 1, "a", 7),
            lambda: view_runs(results, 7),
            lambda: average_power_profile(results, 7),
            lambda: simulation_json(results, 7),
        ):
            with pytest.raises(IntervalError, match="not 7 s"):
                ask()


def test_a_simulation_without_runs_has_views_that_say_so(tmp_path: Path, simulation: SimulationSpec) -> None:
    """It has just begun."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    with ResultsReader(path) as results:
        assert view_runs(results).runs == ()
        assert simulation_json(results)["runs"] == []
        with pytest.raises(ResultsError, match="has no run yet"):
            average_power_profile(results)
        with pytest.raises(ResultsError, match="no run 1; none has begun"):
            view_neighbourhood(results, 1)


def test_the_list_shows_every_file_and_its_problem(
    results_file: Path, simulation: SimulationSpec, ledger: tuple[LedgerEntry, ...]
) -> None:
    """Finished, running, not begun, broken; other files and drafts are omitted."""
    folder = results_file.parent
    begun = create_results(simulation, out=folder / "begun.sqlite")
    running = create_results(simulation, out=folder / "running.sqlite")
    (folder / "broken.sqlite").write_bytes(results_file.read_bytes()[:1500])
    (folder / "empty.sqlite").touch()
    (folder / "notes.txt").write_text("hello")
    (folder / ".draft.sqlite").touch()
    with RunWriter(running, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.entry(ledger[0])
        writer.commit()
        listed = {of.path.name: of for of in list_results(folder)}

    assert listed.keys() == {results_file.name, "begun.sqlite", "running.sqlite", "broken.sqlite", "empty.sqlite"}
    done = listed[results_file.name]
    assert (done.scenario, done.algorithm, done.planned_runs, done.done_runs) == ("sample", "insertion", 2, 2)
    assert done.self_sufficiency is not None
    assert 0 < done.self_sufficiency < 1
    assert listed["running.sqlite"].states == (("running", 1),)
    assert listed[begun.name].states == ()
    assert listed["broken.sqlite"].problem.startswith("is damaged")
    assert listed["empty.sqlite"].problem.startswith("is empty")


def test_no_folder_is_an_empty_list(tmp_path: Path) -> None:
    """No simulation has been run yet; a file in its place is an error."""
    assert list_results(tmp_path / "results") == ()
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="is a file"):
        list_results(tmp_path / "file")


def test_figures_of_a_run_in_progress_are_those_so_far(tmp_path: Path, simulation: SimulationSpec) -> None:
    """Views do not wait for its end."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    wash = simulation.scenario.jobs[0]
    with (
        RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer,
        ResultsReader(path) as results,
    ):
        writer.entry(agreed(contract(wash, "pv", 0)))
        writer.commit()
        view = view_neighbourhood(results, 1)

    assert view.run.state == "running"
    assert asdict(view.breakdown.by_house["a"])["consumed_wh"] == pytest.approx(500)


def test_a_job_without_energy_has_the_supplier_that_its_contract_names(tmp_path: Path) -> None:
    """The grid gives it nothing either."""
    idle = job("idle", "a", load((0, 0.0), (600, 0.0)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (3600, 1000)))}}, [idle])
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=tmp_path / "r.sqlite")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.entry(agreed(contract(idle, "pv", 0)))
        writer.finish(RecordedEnd("done", START_S + 3600))
    with ResultsReader(path) as results:
        (row,) = view_house(results, 1, "a").contracts
    assert row.suppliers == row.producer == "pv"
