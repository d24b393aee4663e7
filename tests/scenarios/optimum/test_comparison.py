"""Runs of a results file compared with the optimum."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agents.energy import Prediction
from agents.model import GRID
from agents.sharing import SupplySettings
from scenarios.optimum import compare
from scenarios.results import (
    RecordedEnd,
    ResultsReader,
    RunWriter,
    SimulationSpec,
    create_results,
    record_comparison,
)
from scenarios.results.comparison import compare_simulations
from scenarios.results.summary import simulation_json
from scenarios.results.views import view_neighbourhood
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.simulation.plan import Plan
from scenarios.simulation.settings import RunSettings
from scenarios.simulation.simulation import open_simulation
from scenarios.sweep.one_run import SweepRun, perform
from tests.scenarios.neighbourhoods import START_S, agreed, contract, sun
from tests.scenarios.optimum.tiny import DAY, HOUR_S, at_hours, street
from tests.scenarios.timeline.two_roofs import scripted


def simulate(
    scenario: Scenario, path: Path, seeds: tuple[int, ...] = (1,), supply: SupplySettings | None = None
) -> None:
    """Run a simulation to its end."""
    plan = Plan(scenario, seeds, bus="memory", workers=1, supply=supply, out=path, folder=path.parent)

    async def run() -> None:
        async with open_simulation(plan) as simulation:
            await simulation.run()

    asyncio.run(run())


def test_all_runs_are_compared_with_the_best_of_their_plans_and_nothing_known_is_lost(tmp_path: Path) -> None:
    """Only a run that was lucky knows it: the forecast was 1 kW, production 800 W; another run broke off."""
    producer = ProducerSeries((Prediction(issued_s=START_S, production=DAY),), sun((0, 0.0), (24 * HOUR_S, 24 * 800.0)))
    scenario = street({"pv": producer}, *at_hours((1, 1)))
    spec = SimulationSpec(scenario, "insertion", seeds=(1, 2, 3), broker="memory")
    path = create_results(spec, out=tmp_path / "r.sqlite")
    for run, (supplier, state) in enumerate((("pv", "done"), (GRID, "done"), ("pv", "failed")), start=1):
        with RunWriter(path, scenario, run=run, run_id=f"r{run}", seed=run, start_s=START_S) as writer:
            writer.entry(agreed(contract(scenario.jobs[0], supplier, HOUR_S)))
            writer.finish(RecordedEnd(state, START_S + 4 * HOUR_S))  # type: ignore[arg-type]  # one of its states

    compare(path, 4.0, supply="whole")
    compare(path, 4.0, supply="shared")

    with ResultsReader(path) as results:
        lucky, unlucky, failed = (run.comparison for run in results.runs())
    assert failed == {}
    assert lucky.keys() == unlucky.keys() == {"optimum", "baselines", "shared_optimum"}
    assert lucky["optimum"]["best_wh"] == unlucky["optimum"]["best_wh"] == pytest.approx(800.0)
    assert [one["optimum"]["share"] for one in (lucky, unlucky)] == pytest.approx([1.0, 0.0])
    assert [one["shared_optimum"]["share"] for one in (lucky, unlucky)] == pytest.approx([1.0, 0.0])


def test_a_lucky_baseline_is_known_beside_a_run_that_shares_supply_and_delivers_no_less(tmp_path: Path) -> None:
    """The run has no plan for whole jobs; what it delivered kept the baseline's plan from being considered."""
    producer = ProducerSeries((Prediction(issued_s=START_S, production=DAY),), sun((0, 0.0), (24 * HOUR_S, 24 * 800.0)))
    scenario = street({"pv": producer}, *at_hours((1, 1), (2, 2)))
    path = tmp_path / "r.sqlite"
    simulate(scenario, path, supply=SupplySettings("shared"))
    compare(path, 2.0, supply="both")
    with ResultsReader(path) as results:
        (run,) = results.runs()
        delivered_wh = results.kpis(1).delivered_wh
    optimum, rule = run.comparison["optimum"], run.comparison["baselines"][-1]
    assert rule["name"] == "PySSMic's rule"
    assert delivered_wh == pytest.approx(rule["delivered_wh"]) == pytest.approx(1600.0)
    assert (optimum["best_wh"], rule["share"]) == pytest.approx((1600.0, 1.0))


def test_a_job_that_was_withdrawn_counts_neither_in_the_optimum_nor_in_what_was_possible(tmp_path: Path) -> None:
    """The run then reached all of the optimum, and half of what it called possible."""
    scenario = scripted("{at: '08:00', do: withdraw_job, job: wash-b}")
    path = tmp_path / "r.sqlite"
    simulate(scenario, path)
    compare(path, 1.0, supply="shared")
    with ResultsReader(path) as results:
        (run,) = simulation_json(results)["runs"]
        figures = results.kpis(1), view_neighbourhood(results, 1).kpis
    assert run["shared_optimum"]["share"] == pytest.approx(1.0)
    assert (
        [one.share_of_possible for one in figures] == [run["kpis"]["share_of_possible"]] * 2 == pytest.approx([1.0] * 2)
    )
    swept = perform(scenario, SweepRun(1, 1, 0, RunSettings(seed=1, run_id="r")))
    assert swept.figures["share_of_possible"] == pytest.approx(1.0)


def test_runs_to_which_the_timeline_adds_a_job_are_compared_with_one_optimum(tmp_path: Path) -> None:
    """Two seeds of the same day; comparing their scenarios ended in a RecursionError."""
    scenario = scripted("{at: '07:00', do: add_job, house: a, device: washer, id: extra, latest_start: 9h}")
    path = tmp_path / "r.sqlite"
    simulate(scenario, path, seeds=(1, 2))
    compare(path, 1.0, supply="both")
    with ResultsReader(path) as results:
        hashes = {run.comparison["shared_optimum"]["inputs_sha256"] for run in results.runs()}
    assert len(hashes) == 1


def test_simulations_are_compared_with_one_best_plan_unless_they_knew_other_jobs(tmp_path: Path) -> None:
    """Each had 30 s for its own search, which ended with plans of 900 and of 1800 Wh: half as good is not equal."""

    def simulated(name: str, scenario: Scenario, best_wh: float) -> Path:
        path = create_results(SimulationSpec(scenario, name, seeds=(1,), broker="memory"), out=tmp_path / name)
        with RunWriter(path, scenario, run=1, run_id=name, seed=1, start_s=START_S) as writer:
            writer.entry(agreed(contract(scenario.jobs[0], "pv", HOUR_S)))
            writer.finish(RecordedEnd("done", START_S + 4 * HOUR_S))
        compare(path, 2.0, supply="both")
        with ResultsReader(path) as results:
            found = results.runs()[0].comparison
        for optimum in (found["optimum"], found["shared_optimum"]):
            optimum |= {"best_wh": best_wh, "share": 900.0 / best_wh, "proven": False}
        record_comparison(path, 1, found)
        return path

    pv = {"pv": ProducerSeries((Prediction(issued_s=START_S, production=DAY),), DAY)}
    two, three = (street(pv, *at_hours(*((i, i) for i in range(1, n)))) for n in (3, 4))
    paths = [simulated("TNC", two, 900.0), simulated("SLSQP", two, 1800.0), simulated("exact", three, 2700.0)]
    comparison = compare_simulations(paths)
    for figure in ("share_of_best", "share_of_shared_best"):
        shares = [comparison.statistics_of(i, figure).mean for i in comparison.indexes]
        assert shares == pytest.approx([0.5, 0.5, 1 / 3])
        difference = comparison.difference(0, 1)
        assert difference is not None
        assert difference.figures[figure].mean == pytest.approx(0.0)
