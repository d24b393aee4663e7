"""Shared supply with forecasts that producers correct by their own production (`forecast: corrected`)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import Prediction, Production
from agents.sharing import SupplySettings
from broker.servers.embedded import embedded_broker
from broker.transport import MqttBroker
from broker.transport.memory import MemoryBroker
from scenarios.events import CloudFront, TimelineEvent
from scenarios.generate.one_day_neighbourhood import scarce
from scenarios.load import load_scenario
from scenarios.metrics import settle
from scenarios.optimum.feasibility import pooled_wh
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from scenarios.timeline import counters_of
from tests.faults.network import Faults, FaultyBroker
from tests.integration.test_shared_supply import BAD_NETWORK, run

CORRECTED = SupplySettings("shared")
ISSUED = SupplySettings("shared", forecast="issued")


def delivered_wh(scenario: Scenario, outcome: RunOutcome) -> float:
    """Return what the panels delivered by contract."""
    contracts = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
    return float(settle(scenario, contracts, outcome.start_s, outcome.end_s).delivered_wh.sum())


def used_wh(scenario: Scenario, outcome: RunOutcome) -> float:
    """Return what all panels gave to all jobs, whatever the contracts say."""
    contracts = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
    return pooled_wh(scenario, {of.job_id: of.start_s for of in contracts}, end_s=outcome.end_s)


@pytest.mark.parametrize(("name", "least"), [("wrong-forecast", 1.3), pytest.param("29", 1.04, marks=pytest.mark.long)])
def test_more_is_delivered_where_forecasts_are_wrong_for_hours(name: str, least: float) -> None:
    """They promise three times the production, or 12 % too little; late corrections would gain little."""
    scenario = scarce(int(name)) if name.isdigit() else load_scenario(name)
    issued, corrected = run(scenario, supply=ISSUED), run(scenario, supply=CORRECTED)
    assert delivered_wh(scenario, corrected) > least * delivered_wh(scenario, issued)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("wrong-forecast", 1.0),
        *(pytest.param(*case, marks=pytest.mark.long) for case in (("10", 3.0), ("5", 3.0), ("6", 1.25))),
    ],
)
def test_no_less_sun_is_used_than_with_whole_jobs_where_forecasts_are_too_high(name: str, factor: float) -> None:
    """With forecasts as issued it would be: jobs start before there is enough sun."""
    scenario = scarce(int(name)) if name.isdigit() else load_scenario(name)
    forecast = _with_forecasts_times(scenario, factor)
    whole, shared = run(forecast, supply=SupplySettings("whole")), run(forecast, supply=CORRECTED)
    assert used_wh(scenario, shared) >= used_wh(scenario, whole) > used_wh(scenario, run(forecast, supply=ISSUED))


def _with_forecasts_times(scenario: Scenario, factor: float) -> Scenario:
    """Return a scenario whose forecasts are a multiple of what they were."""
    producers = {
        of: replace(series, predictions=tuple(_times(prediction, factor) for prediction in series.predictions))
        for of, series in scenario.producers.items()
    }
    return replace(scenario, producers=producers)


def _times(prediction: Prediction, factor: float) -> Prediction:
    cumulative_wh = tuple(factor * energy_wh for energy_wh in prediction.production.cumulative_wh)
    production = Production(times_s=prediction.production.times_s, cumulative_wh=cumulative_wh)
    return Prediction(issued_s=prediction.issued_s, production=production)


@pytest.mark.parametrize("name", [pytest.param("street", marks=pytest.mark.long), "late-joiner"])
def test_nothing_changes_where_forecasts_are_nearly_right_or_a_roof_was_not_there(name: str) -> None:
    """A roof that has not joined yet produces nothing, which says nothing about its forecast."""
    scenario = load_scenario(name)
    assert run(scenario, supply=CORRECTED).ledger_sha256 == run(scenario, supply=ISSUED).ledger_sha256


def test_whole_jobs_are_decided_by_forecasts_as_issued() -> None:
    """The setting belongs to shared supply."""
    scenario = load_scenario("wrong-forecast")
    issued, corrected = SupplySettings("whole", forecast="issued"), SupplySettings("whole", forecast="corrected")
    assert run(scenario, supply=corrected).ledger_sha256 == run(scenario, supply=issued).ledger_sha256


@pytest.mark.parametrize(
    "name",
    ["wrong-forecast", *(pytest.param(name, marks=pytest.mark.long) for name in ("cloud-front", "late-joiner"))],
)
def test_the_ledger_is_the_same_on_every_spread_and_on_a_bad_network(name: str) -> None:
    """Each household reads only its own counter, with the events that concern it."""
    scenario = load_scenario(name)
    expected = run(scenario, supply=CORRECTED).ledger_sha256
    assert run(scenario, hosts=None, supply=CORRECTED).ledger_sha256 == expected
    bad = FaultyBroker(MemoryBroker(), BAD_NETWORK, 3)
    assert run(scenario, bad, hosts=3, supply=CORRECTED).ledger_sha256 == expected
    counted = {of: counter.production for of, counter in counters_of(scenario).items()}
    for house in scenario.houses:
        own = {device.id for device in house.devices}
        part = counters_of(scenario.part_of([house.id]))
        assert {of: counter.production for of, counter in part.items()} == {
            of: counted[of] for of in own & set(counted)
        }


def test_an_event_that_waits_for_a_job_changes_the_counter_like_one_with_that_time() -> None:
    """Its time is known only once the job starts, so the timeline tells the producers."""
    scenario = load_scenario("scarce")
    scenario = replace(scenario, jobs=scenario.jobs[:30])
    cloud = CloudFront(
        producers=tuple(scenario.producers), factor=0.2, ramp_s=600, duration_s=14_400, travel_s=300, announced=False
    )
    waiting = TimelineEvent(at_s=None, job="ahorn-9-washing-machine-1", turn="starts", after_s=60, action=cloud)
    scripted = replace(scenario, timeline=(waiting,))

    outcome = run(scripted, supply=CORRECTED)

    standing = (entry.contract for entry in outcome.ledger if entry.state == "standing")
    start_s = next(contract.start_s for contract in standing if contract.job_id == waiting.job)
    timed = replace(scenario, timeline=(TimelineEvent(at_s=start_s + 60, action=cloud),))
    assert outcome.ledger_sha256 == run(timed, supply=CORRECTED).ledger_sha256
    assert outcome.ledger_sha256 != run(timed, supply=ISSUED).ledger_sha256
    assert run(scripted, hosts=None, supply=CORRECTED).ledger_sha256 == outcome.ledger_sha256


@pytest.mark.long
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    seed=st.integers(1, 40),
    jobs=st.integers(5, 25),
    hosts=st.sampled_from([1, 3, None]),
    faults=st.builds(Faults, drop=st.floats(0, 0.2), double=st.floats(0, 0.2), delay_most_wall_s=st.floats(0, 3)),
)
def test_any_neighbourhood_spread_and_network_gives_one_ledger(
    seed: int, jobs: int, hosts: int | None, faults: Faults
) -> None:
    """The run itself checks that no roof gives more than its corrected forecast."""
    scenario = scarce(seed)
    scenario = replace(scenario, jobs=scenario.jobs[:jobs])
    expected = run(scenario, supply=CORRECTED).ledger_sha256
    faulty = FaultyBroker(MemoryBroker(), faults, 1)
    assert run(scenario, faulty, hosts=hosts, supply=CORRECTED).ledger_sha256 == expected


@pytest.mark.long
async def test_the_ledger_is_the_same_over_mqtt() -> None:
    """A real broker, one host a household."""
    scenario = load_scenario("wrong-forecast")
    in_memory = RunSettings(seed=1, run_id="memory", hosts=1, supply=CORRECTED)
    expected = (await run_scenario(scenario, in_memory, MemoryBroker())).ledger_sha256
    async with embedded_broker() as broker:
        over_mqtt = RunSettings(seed=1, run_id="mqtt", supply=CORRECTED)
        assert (await run_scenario(scenario, over_mqtt, MqttBroker(broker.url))).ledger_sha256 == expected


def test_processes_of_a_run_must_agree_on_production_only_where_forecasts_are_corrected_by_it() -> None:
    """It decides nothing otherwise."""
    scenario = load_scenario("wrong-forecast")
    other = replace(scenario, producers={of: replace(s, actual=None) for of, s in scenario.producers.items()})
    for supply, is_equal in ((ISSUED, True), (CORRECTED, False)):
        chosen = RunSettings(seed=1, run_id="run", supply=supply)
        assert (chosen.fingerprint_of_all(scenario) == chosen.fingerprint_of_all(other)) is is_equal
