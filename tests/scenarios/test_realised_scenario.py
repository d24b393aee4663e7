"""A scenario as a run realised it, from messages of households' processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents import Contract, ProductionMeasured
from scenarios.files.scenario_from_text import load_text
from scenarios.gateways import Gateway
from scenarios.metrics import settle
from scenarios.realised_scenario import realise
from tests.scenarios.devices.session import STREET
from tests.scenarios.neighbourhoods import START_S, forecast, neighbourhood, sun

WASHER = "adler/washer"
HALF_H_S = 1800
LOAD = {"times_s": [0, 60], "cumulative_wh": [0.0, 5.0]}


def added(**changes: Any) -> dict[str, Any]:
    """Return what a gateway says when its device asks for a job."""
    job = {
        "job_id": "adler/washer/1",
        "source_id": "1",
        "house": "adler",
        "device": "washer",
        "profile": "eco40",
        "load_profile": LOAD,
        "registered_s": 1782021600,
        "earliest_start_s": 1782021600,
        "latest_start_s": 1782025200,
    }
    return {"kind": "AddJob", "job": {**job, **changes}}


def test_jobs_that_the_manager_refuses_as_too_many_are_no_jobs_of_the_run() -> None:
    """A member that adds thousands of jobs would have figures count them, and readers keep them."""
    fine = {"times_s": list(range(10_000)), "cumulative_wh": [0.01 * n for n in range(10_000)]}
    said = [(WASHER, added(job_id=f"adler/washer/{n}", load_profile=fine)) for n in range(27)]
    realised = realise(load_text(STREET, "street", None), said)
    assert sum(job.house == "adler" for job in realised.agreed.jobs) == 25


@pytest.mark.parametrize(
    "nonsense",
    [
        {"kind": "AddJob"},
        {"kind": "AddJob", "job": 5},
        added(latest_start_s="soon"),
        added(load_profile={"times_s": [0, 10**12], "cumulative_wh": [0.0, 1.0]}),
        added(house="brandt", device="dryer", job_id="brandt/dryer/1"),
        added(latest_start_s=1782021600 + 367 * 86_400),
        added(load_profile={"times_s": [0, 32 * 86_400], "cumulative_wh": [0.0, 1.0]}),
        added(load_profile={"times_s": [0, 60], "cumulative_wh": [0.0, 1e6]}),
        {"kind": "JobExecuted", "job_id": "brandt/dryer"},
        {"kind": "ProductionMeasured", "producer": "pv", "production": LOAD},
    ],
    ids=str,
)
def test_nonsense_of_a_household_adds_nothing_and_ends_nothing(nonsense: dict[str, Any]) -> None:
    """The clock reads messages of other processes as they are."""
    street = load_text(STREET, "street", None)
    realised = realise(street, [(WASHER, nonsense), (WASHER, added())])
    assert [job.job_id for job in realised.agreed.jobs] == ["adler/washer/1", "brandt/dryer"]
    assert realised.scenario.producers == street.producers


@pytest.mark.parametrize(
    ("started_s", "expected_s"), [(1782021660, {"adler/washer/1": 1782021660}), (0, {}), (10**12, {}), (-(10**12), {})]
)
def test_a_start_that_no_device_can_have_had_is_passed_over(started_s: int, expected_s: dict[str, int]) -> None:
    """Results are settled from there on, in minutes: a clock in 1970 would fill the memory."""
    executed = {
        "kind": "JobExecuted",
        "contract_id": "adler/washer/1/1",
        "job_id": "adler/washer/1",
        "state": "FINISHED",
        "outcome": "on_time",
        "started_s": started_s,
    }
    realised = realise(load_text(STREET, "street", None), [(WASHER, added()), (WASHER, executed)])
    assert dict(realised.started_s) == expected_s


def test_no_device_has_started_after_the_end_of_the_run() -> None:
    """A member that said so stretched all figures of the neighbourhood over a year."""
    executed = {
        "kind": "JobExecuted",
        "contract_id": "adler/washer/1/1",
        "job_id": "adler/washer/1",
        "state": "FINISHED",
        "outcome": "on_time",
        "started_s": 1782025200 + 365 * 86_400,
    }
    said = [(WASHER, added()), (WASHER, executed)]
    realised = realise(load_text(STREET, "street", None), said, known_until_s=1782021600 + 86_400)
    assert realised.started_s == ()


def test_production_that_no_meter_can_show_is_passed_over() -> None:
    """It made figures so large that nobody could read the results."""
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (8 * HALF_H_S, 8000)))}}, [])
    scenario = replace(scenario, gateways={"pv": Gateway(id="pv", house="a", device="pv", type="producer", agent="pv")})
    said = [
        ("pv", measured((HALF_H_S, 0.0), (HALF_H_S + 60, 1e12))),
        ("pv", measured((2 * HALF_H_S, 0.0), (3 * HALF_H_S, 100.0))),
    ]
    actual = realise(scenario, said).scenario.producers["pv"].actual
    assert actual is not None
    assert actual.energy_wh == pytest.approx(8000 - 1000 + 100)


def test_a_counter_shows_at_once_what_a_roof_gave_while_it_was_not_heard() -> None:
    """A roof of 9 kW was offline for two hours, and its counter came a second after its power: 65 MW."""
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (8 * HALF_H_S, 8000)))}}, [])
    scenario = replace(scenario, gateways={"pv": Gateway(id="pv", house="a", device="pv", type="producer", agent="pv")})
    behind = measured((HALF_H_S, 0.0), (HALF_H_S + 1, 18_150.0), (2 * HALF_H_S, 22_000.0))
    actual = realise(scenario, [("pv", behind)]).scenario.producers["pv"].actual
    assert actual is not None
    assert actual.energy_wh == pytest.approx(8000 - 1000 + 22_000)


def measured(*points: tuple[int, float]) -> dict[str, Any]:
    """Return what a gateway says of its producer, at seconds since the start."""
    series = {"times_s": [START_S + at_s for at_s, _ in points], "cumulative_wh": [wh for _, wh in points]}
    return {"kind": "ProductionMeasured", "producer": "pv", "production": series}


def test_production_is_what_was_measured_and_else_what_was_assumed() -> None:
    """Where two measurements overlap, the first one counts; a gap between them has the assumed production."""
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (8 * HALF_H_S, 8000)))}}, [])
    gateway = Gateway(id="pv", house="a", device="pv", type="producer", agent="pv")
    measured = [
        sun((2 * HALF_H_S, 0), (3 * HALF_H_S, 100), (4 * HALF_H_S, 300)),
        sun((3 * HALF_H_S, 0), (5 * HALF_H_S, 50)),
        sun((6 * HALF_H_S, 70), (7 * HALF_H_S, 80)),
    ]
    said = [
        ("pv", ProductionMeasured(producer="pv", production=part).model_dump(mode="json", exclude_none=True))
        for part in measured
    ]

    actual = realise(replace(scenario, gateways={"pv": gateway}), said).scenario.producers["pv"].actual

    assert actual is not None
    edges_s = [START_S + n * HALF_H_S for n in range(9)]
    assert actual.energy_per_bin_wh(edges_s).tolist() == [1000, 1000, 100, 200, 25, 1000, 10, 1000]


def test_production_that_was_assumed_between_two_measurements_is_produced_when_it_was_assumed() -> None:
    """A roof that was offline from the evening until the morning gave nothing at night."""
    night = sun((0, 0), (HALF_H_S, 100), (7 * HALF_H_S, 100), (8 * HALF_H_S, 200))
    scenario = neighbourhood({"a": {"pv": forecast(night)}}, [])
    gateway = Gateway(id="pv", house="a", device="pv", type="producer", agent="pv")
    scenario = replace(scenario, gateways={"pv": gateway})
    parts = (sun((0, 0), (HALF_H_S // 2, 30)), sun((int(7.5 * HALF_H_S), 30), (8 * HALF_H_S, 90)))
    said = [
        ("pv", ProductionMeasured(producer="pv", production=part).model_dump(mode="json", exclude_none=True))
        for part in parts
    ]
    actual = realise(scenario, said).scenario.producers["pv"].actual
    assert actual is not None
    ends_s = [START_S + int(half_h * HALF_H_S) for half_h in (0, 0.5, 1, 7, 7.5, 8)]
    assert actual.energy_per_bin_wh(ends_s).tolist() == pytest.approx([30, 50, 0, 50, 60])


STREET_WITH_TWO_WASHERS = """\
version: 1
name: two-washers
start: 2026-06-21T06:00:00+00:00
seed: 1
load_profiles: {flat: {step_s: 3600, power_w: [1000]}}
houses:
  - id: sunny
    devices:
      - {id: pv, type: producer, predictions: [{issued: "00:00", points: [["00:00", 0], ["10:00", 20000]]}]}
  - {id: honest, devices: [{id: washer, type: consumer, load_profile: flat}]}
  - {id: other, devices: [{id: washer, type: consumer, load_profile: flat, gateway: {}}]}
jobs:
  - {house: honest, device: washer, registered: "00:00", earliest_start: "02:00", latest_start: "02:00"}
  - {house: other, device: washer, registered: "00:00", earliest_start: "02:00", latest_start: "02:00"}
"""


@pytest.mark.parametrize(
    ("late_s", "drawn_wh", "expected_wh"),
    [
        pytest.param(0, 90_000.0, 1_000.0, id="it draws too much"),
        pytest.param(0, 500.0, 500.0, id="it draws less"),
        pytest.param(1_800, 1_500.0, 1_250.0, id="it is late"),
        pytest.param(-1_800, 1_500.0, 1_250.0, id="it is early"),
        pytest.param(-HALF_H_S * 2, 3_000.0, 2_000.0, id="it runs an hour before, when nothing was promised"),
    ],
)
def test_a_device_that_draws_more_or_at_another_time_takes_nothing_promised_to_others(
    late_s: int, drawn_wh: float, expected_wh: float
) -> None:
    """A panel gives 2 kW, and promised 1 kW to each of two jobs. What it has left goes to the device's other draw."""
    street = load_text(STREET_WITH_TWO_WASHERS, "two-washers", None)
    start_s = street.start_s + 7200
    contracts = [
        Contract(
            contract_id=f"{job.job_id}/1",
            job_id=job.job_id,
            producer="pv",
            start_s=start_s,
            agreed_s=street.start_s,
            energy_wh=job.energy_wh,
        )
        for job in street.jobs
    ]
    executed = {
        "kind": "JobExecuted",
        "contract_id": "other/washer/1",
        "job_id": "other/washer",
        "state": "FINISHED",
        "outcome": "on_time",
        "started_s": start_s + late_s,
        "measured": {"times_s": [0, 3600], "cumulative_wh": [0.0, drawn_wh]},
    }
    realised = realise(street, [("other/washer", executed)])

    settled = settle(
        realised.scenario,
        realised.settled(contracts),
        street.start_s,
        street.start_s + 36_000,
        realised.promises(contracts),
    )

    given_wh = dict(zip([job.job_id for job in settled.jobs], settled.job_delivered_wh.tolist(), strict=True))
    assert given_wh == {"honest/washer": pytest.approx(1_000.0), "other/washer": pytest.approx(expected_wh)}
    assert settled.delivered_wh.sum() == pytest.approx(sum(given_wh.values()))
