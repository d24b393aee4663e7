"""Asking a short list is asking all in order: the same contracts and the same scores, with fewer messages."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import LoadProfile, Prediction, Production
from agents.model import Job
from agents.ranking import NegotiationSettings
from agents.scheduling.settings import AlgorithmSettings
from benchmarks.growth import grown
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun
from tests.virtual_time import new_virtual_loop

HOUR_S = 3600
HOURS = 12
MESSAGES_OF_A_JOB_ON_GRID_POWER = 5
"""Two questions to the manager with their answers, and the contract."""


def run(scenario: Scenario, negotiation: str, *, algorithm: str = "insertion", patient: bool = True) -> RunOutcome:
    """Run a scenario once, by one rule of asking."""
    run_settings = RunSettings(
        seed=1,
        run_id="run",
        hosts=1,
        algorithm=AlgorithmSettings(algorithm),
        patient=patient,
        negotiating=NegotiationSettings(negotiation),
        patience=Timeouts(limit_wall_s=1e6),
    )
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(run_scenario(scenario, run_settings, MemoryBroker()))


def random_sun(random: Random, from_h: int) -> Production:
    """Return a production of some hours from one hour on: dark, weak and strong ones, in steps of half an hour."""
    times_s = [START_S + from_h * HOUR_S + i * HOUR_S // 2 for i in range(2 * (HOURS + 6 - from_h))]
    energy_wh, cumulative_wh = 0.0, []
    for _ in times_s:
        cumulative_wh.append(energy_wh)
        energy_wh += random.choice([0, 0, 5, 100, 400, 900]) * random.random()
    return Production(times_s=tuple(times_s), cumulative_wh=tuple(cumulative_wh))


def random_job(random: Random, number: int, house: str) -> Job:
    """Return a job, registered in one of a few seconds so that several look for a supplier at the same time."""
    registered_s = random.choice([0, 0, 1800, 3 * HOUR_S, random.randrange(6 * HOUR_S)])
    earliest_s = registered_s + random.choice([0, 0, random.randrange(3 * HOUR_S)])
    points = [(0, 0.0)]
    for _ in range(random.randint(1, 3)):
        points.append(
            (points[-1][0] + random.randint(300, HOUR_S), points[-1][1] + random.choice([20.0, 200.0, 700.0]))
        )
    return Job(
        job_id=f"job-{number}",
        source_id="job",
        house=house,
        device="machine",
        profile="load",
        load_profile=LoadProfile(times_s=tuple(t for t, _ in points), cumulative_wh=tuple(wh for _, wh in points)),
        registered_s=START_S + registered_s,
        earliest_start_s=START_S + earliest_s,
        latest_start_s=START_S + earliest_s + random.choice([0, HOUR_S, random.randrange(8 * HOUR_S)]),
    )


def random_neighbourhood(number: int, *, forecasts: int) -> Scenario:
    """Return a neighbourhood in which supply is scarce and jobs come together.

    Args:
        number: Which one.
        forecasts: How many each producer gets.
    """
    random = Random(number)
    names = [f"house-{i}" for i in range(random.randint(2, 7))]
    houses: dict[str, dict[str, ProducerSeries]] = {name: {} for name in names}
    for i in range(random.randint(2, 8)):
        issued_h = [0, *sorted(random.sample([1, 2, 3, 5], forecasts - 1))]
        predictions = tuple(
            Prediction(issued_s=START_S + h * HOUR_S, production=random_sun(random, h)) for h in issued_h
        )
        houses[random.choice(names)][f"pv-{i}"] = ProducerSeries(predictions=predictions)
    jobs = [random_job(random, i, random.choice(names)) for i in range(random.randint(4, 24))]
    return neighbourhood(houses, jobs)


def both(scenario: Scenario, *, algorithm: str = "insertion", patient: bool = True) -> tuple[RunOutcome, RunOutcome]:
    """Run a scenario by both rules."""
    return (
        run(scenario, "short-list", algorithm=algorithm, patient=patient),
        run(scenario, "ranked", algorithm=algorithm, patient=patient),
    )


def assert_same(scenario: Scenario, *, algorithm: str = "insertion", patient: bool = True) -> None:
    """Assert that both rules give the same result."""
    short, ranked = both(scenario, algorithm=algorithm, patient=patient)
    assert short.ledger_sha256 == ranked.ledger_sha256
    assert short.scores == ranked.scores


@settings(max_examples=3, derandomize=True, deadline=None)
@given(number=st.integers(0, 10**6))
def test_a_short_list_leads_to_the_same_contracts_and_scores(number: int) -> None:
    """Jobs registered in the same second receive the same answers in the same order."""
    assert_same(random_neighbourhood(number, forecasts=1))


@pytest.mark.long
@settings(max_examples=15, derandomize=True, deadline=None)
@given(number=st.integers(0, 10**6), algorithm=st.sampled_from(["insertion", "fifty_fifty"]))
def test_a_short_list_leads_to_the_same_contracts_with_other_algorithms(number: int, algorithm: str) -> None:
    """This also holds if jobs do not wait and forecasts change."""
    assert_same(random_neighbourhood(number, forecasts=1), algorithm=algorithm)
    assert_same(random_neighbourhood(number, forecasts=3), algorithm=algorithm, patient=False)


@pytest.mark.parametrize("name", ["scarce", pytest.param("village", marks=pytest.mark.long)])
def test_a_short_list_saves_messages_and_changes_no_contract(name: str) -> None:
    """This is shown on bundled scenarios."""
    scenario = load_scenario(name)
    short, ranked = both(scenario)
    assert (short.ledger_sha256, short.scores) == (ranked.ledger_sha256, ranked.scores)
    assert short.messages < ranked.messages


def test_a_panel_that_has_declined_a_job_is_not_asked_by_others_that_fit_no_better() -> None:
    """Its sun is enough for two washes, but not one after the other; each further wash asks only the manager."""
    panel = sun((HOUR_S, 0.0), (HOUR_S + 5400, 2000.0), (6 * HOUR_S, 2000.0))
    wash = load((0, 0.0), (HOUR_S, 900.0))

    def messages(washes: int) -> int:
        jobs = [
            job(f"wash-{i}", f"house-{i}", wash, (HOUR_S, 5 * HOUR_S)).model_copy(
                update={"registered_s": START_S + 60 * i}
            )
            for i in range(washes)
        ]
        houses = {f"house-{i}": {"pv": forecast(panel)} if i == 0 else {} for i in range(washes)}
        return run(neighbourhood(houses, jobs), "short-list").messages

    few, many = messages(2), messages(12)
    scored = 1  # one report of the scores of producers left out
    assert many - few == 10 * MESSAGES_OF_A_JOB_ON_GRID_POWER + scored


@pytest.mark.long
def test_messages_a_job_hardly_grow_with_the_neighbourhood() -> None:
    """A tenfold neighbourhood has ten times the producers; a job still asks the few that may serve it."""
    few, many = grown(30), grown(300)
    messages = {scenario.name: run(scenario, "short-list").messages / len(scenario.jobs) for scenario in (few, many)}
    assert messages[many.name] <= 1.3 * messages[few.name]
