"""A job from its registration until it has run, by hand-made neighbourhoods: what the ledger says is what must happen.

PySSMic got most of this wrong; each test here fails in the way that it did.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agents.energy import Prediction
from agents.model import GRID, Contract, Job
from agents.scheduling.settings import AlgorithmSettings
from broker.transport.memory import MemoryBroker
from scenarios.files.scenario_from_text import load_text
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.ended import Ssmic
from tests.integration.conftest import SLOW
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun
from tests.virtual_time import new_virtual_loop

HOUR_S = 3600
KW_FOR_AN_HOUR = load((0, 0.0), (HOUR_S, 1000.0))


def play(
    scenario: Scenario, algorithm: str = "insertion", *, patient: bool = True, days: int | None = None
) -> RunOutcome:
    """Run in memory."""
    settings = RunSettings(1, "run", AlgorithmSettings(algorithm), days=days, patient=patient)
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(run_scenario(scenario, settings, MemoryBroker()))


def standing(outcome: RunOutcome) -> dict[str, Contract]:
    """Return the standing contract of each job; no job has two."""
    contracts = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
    found = {contract.job_id: contract for contract in contracts}
    assert len(found) == len(contracts)
    return found


def histories(outcome: RunOutcome, job_id: str) -> list[list[tuple[str, int]]]:
    """Return what happened to each contract of a job, starts in seconds since the run's."""
    return [
        [(event.what, event.start_s - START_S) for event in entry.history]
        for entry in outcome.ledger
        if entry.contract.job_id == job_id
    ]


def registered(of: Job, at_s: int) -> Job:
    """Return a job that is registered later."""
    return of.model_copy(update={"registered_s": START_S + at_s})


def shine(*hours: int) -> tuple[tuple[int, float], ...]:
    """Return the points of a kW in these hours of a day, and nothing else."""
    return tuple((hour * HOUR_S, 1000.0 * sum(h < hour for h in hours)) for hour in range(25))


def panel(*forecasts: tuple[int, tuple[tuple[int, float], ...]]) -> ProducerSeries:
    """Return a panel with forecasts, each with the time of its issue."""
    return ProducerSeries(
        predictions=tuple(
            Prediction(issued_s=START_S + issued_s, production=sun(*points)) for issued_s, points in forecasts
        )
    )


@pytest.mark.parametrize("algorithm", ["insertion", "exact", "SLSQP"])
def test_the_start_that_was_found_is_the_start_that_is_agreed(algorithm: str) -> None:
    """The contract does not use a start that was drawn earlier."""
    scenario = neighbourhood({"a": {"pv": forecast(sun(*shine(5)))}}, [job("wash", "a", KW_FOR_AN_HOUR)])
    contract = standing(play(scenario, algorithm))["wash"]
    assert (contract.producer, contract.start_s) == ("pv", START_S + 5 * HOUR_S)


def test_points_count_by_their_time_and_energy_by_its_interval() -> None:
    """A steep minute between long flat stretches is the only place for a load that is steep."""
    uneven = sun((0, 0.0), (600, 1.0), (660, 101.0), (7200, 300.0), (9000, 310.0))
    steep = job("boil", "a", load((0, 0.0), (60, 100.0)), (0, 8000))
    contract = standing(play(neighbourhood({"a": {"pv": forecast(uneven)}}, [steep])))["boil"]
    assert (contract.producer, contract.start_s) == ("pv", START_S + 600)


def test_energy_is_committed_until_a_job_has_run() -> None:
    """A job registered while another runs does not get the energy that the running job draws."""
    first = job("first", "a", KW_FOR_AN_HOUR, (0, 0))
    second = registered(job("second", "b", load((0, 0.0), (600, 100.0)), (0, 86400)), HOUR_S // 2)
    scenario = neighbourhood({"a": {"pv": forecast(sun(*shine(0, 2)))}, "b": {}}, [first, second])
    contracts = standing(play(scenario))
    assert contracts["first"].start_s == START_S
    assert contracts["second"].producer == "pv"
    assert contracts["second"].start_s >= START_S + 2 * HOUR_S


def test_a_new_forecast_moves_what_has_not_started() -> None:
    """Inside its window; the contract is amended, not a second one made."""
    moving = panel((0, shine(5)), (HOUR_S, shine(9)))
    outcome = play(neighbourhood({"a": {"pv": moving}}, [job("wash", "a", KW_FOR_AN_HOUR)]))
    assert histories(outcome, "wash") == [[("agreed", 5 * HOUR_S), ("amended", 9 * HOUR_S)]]
    assert standing(outcome)["wash"].start_s == START_S + 9 * HOUR_S


def test_a_job_that_no_longer_fits_is_cancelled_and_negotiated_again() -> None:
    """It finds another producer."""
    fading = panel((0, shine(5)), (HOUR_S, shine()))
    steady = panel((2 * HOUR_S, shine(5)))
    outcome = play(neighbourhood({"a": {"pv": fading}, "b": {"pv-b": steady}}, [job("wash", "a", KW_FOR_AN_HOUR)]))
    first, second = histories(outcome, "wash")
    assert [what for what, _ in first] == ["agreed", "cancelled"]
    assert second == [("agreed", 5 * HOUR_S)]
    assert standing(outcome)["wash"].producer == "pv-b"


def test_a_running_job_is_never_interrupted() -> None:
    """This holds for any new forecast."""
    fading = panel((0, shine(0, 1)), (HOUR_S // 2, shine()))
    outcome = play(neighbourhood({"a": {"pv": fading}}, [job("wash", "a", KW_FOR_AN_HOUR, (0, 0))]))
    assert histories(outcome, "wash") == [[("agreed", 0)]]


def test_a_producer_that_appears_during_the_run_is_asked() -> None:
    """Waiting jobs ask it, too."""
    late = panel((3 * HOUR_S, shine(5)))
    contract = standing(play(neighbourhood({"a": {"pv": late}}, [job("wash", "a", KW_FOR_AN_HOUR)])))["wash"]
    assert (contract.producer, contract.agreed_s) == ("pv", START_S + 3 * HOUR_S)


@pytest.mark.parametrize(("patient", "start_s"), [(False, 2 * HOUR_S), (True, 7 * HOUR_S)])
def test_a_job_that_no_producer_can_serve_takes_grid_power(*, patient: bool, start_s: int) -> None:
    """An impatient job starts at its earliest remaining start, a patient one at its latest."""
    late = registered(job("wash", "a", KW_FOR_AN_HOUR, (HOUR_S, 7 * HOUR_S)), 2 * HOUR_S)
    scenario = neighbourhood({"a": {"pv": forecast(sun(*shine()))}}, [late])
    contract = standing(play(scenario, patient=patient))["wash"]
    assert (contract.producer, contract.start_s) == (GRID, START_S + start_s)


@pytest.mark.parametrize("window_s", [(HOUR_S + 7, HOUR_S + 7), (HOUR_S + 7, HOUR_S + 8), (HOUR_S + 59, HOUR_S + 79)])
def test_a_load_with_hardly_any_window_starts_inside_it(window_s: tuple[int, int]) -> None:
    """The start may be at any second."""
    background = job("fridge", "a", load((0, 0.0), (600, 10.0)), window_s)
    contract = standing(play(neighbourhood({"a": {"pv": forecast(sun(*shine(1)))}}, [background])))["fridge"]
    assert contract.producer == "pv"
    assert window_s[0] <= contract.start_s - START_S <= window_s[1]


def test_jobs_that_share_an_id_all_run() -> None:
    """Each has its own contract."""
    text = SLOW
    for job_id in "bcd":
        text = text.replace(f"id: {job_id},", "id: a,")
    outcome = play(load_text(text, "slow.yaml", None))
    assert set(standing(outcome)) == {"a", "a#2", "a#3", "a#4"}


def test_a_job_that_is_not_over_at_the_end_keeps_its_contract() -> None:
    """A job registered only after the end is reported, not dropped."""
    late = job("late", "a", KW_FOR_AN_HOUR, (86_000, 86_000))
    next_day = registered(job("next day", "a", KW_FOR_AN_HOUR, (90_000, 90_000)), 90_000)
    outcome = play(neighbourhood({"a": {"pv": forecast(sun(*shine(5)))}}, [late, next_day]), days=1)
    assert set(standing(outcome)) == {"late"}
    assert outcome.not_registered == ("next day",)


@pytest.mark.long
def test_the_machines_time_zone_changes_nothing(ssmic: Ssmic) -> None:
    """It affects neither the ledger nor displayed dates."""
    shown = []
    for zone, out in (("Pacific/Kiritimati", "east.sqlite"), ("America/Adak", "west.sqlite")):
        ended = ssmic("run", "street", "--bus", "memory", "--json", "--out", out, TZ=zone)
        table = ssmic("results", "show", out, "--house", "adler", TZ=zone)
        shown.append((ended.json["runs"][0]["ledger_sha256"], table.out))
    assert shown[0] == shown[1]
    assert "start times +02:00 on 2026-06-21" in shown[0][1]


@pytest.mark.parametrize("name", ["small_test", pytest.param("test", marks=pytest.mark.long)])
def test_insertion_runs_pyssmics_inputs_on_solar_energy(ssmic: Ssmic, pyssmic_inputs: Path, name: str) -> None:
    """It covers 99.9 % of the energy, twice as much as PySSMic's optimisers; each job runs within its window."""
    (run,) = ssmic("run", pyssmic_inputs / name, "--bus", "memory", "--json").json["runs"]
    assert run["kpis"]["delivered_wh"] >= 0.999 * run["kpis"]["consumed_wh"]
    assert all(one["earliest_start"] <= one["start"] <= one["latest_start"] for one in run["contracts"])
    assert len({one["job_id"] for one in run["contracts"]}) == len(run["contracts"])
