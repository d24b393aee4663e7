"""Generated neighbourhoods: the same from the same seed, plausible, and scarce where they have to be."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from agents.energy import Production
from scenarios.generate.one_day_neighbourhood import NeighbourhoodSpec, neighbourhood, scarce
from scenarios.scenario import ProducerSeries, Scenario

SEEDS = range(1, 11)
MINUTE = 60
HOUR = 3600


@cache
def _scarce(seed: int) -> Scenario:
    return scarce(seed)


def _actual(producer: ProducerSeries) -> Production:
    assert producer.actual is not None
    return producer.actual


def _sun_wh(scenario: Scenario) -> float:
    return sum(_actual(producer).energy_wh for producer in scenario.producers.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_scarce_neighbourhoods_are_scarce(seed: int) -> None:
    """Producers, jobs, demand and windows stay between the bounds."""
    scenario = _scarce(seed)

    assert 1 <= len(scenario.producers) <= 3
    assert 40 <= len(scenario.jobs) <= 100
    assert 0.7 <= sum(job.energy_wh for job in scenario.jobs) / _sun_wh(scenario) <= 1.5
    waits_s = [job.latest_start_s - job.earliest_start_s for job in scenario.jobs]
    assert max(waits_s) <= 8 * HOUR
    assert all(wait_s <= MINUTE or wait_s >= 5 * MINUTE for wait_s in waits_s)
    assert min(waits_s) <= MINUTE
    assert max(waits_s) >= HOUR


def test_the_scarce_ones_differ() -> None:
    """All numbers of producers occur, demand below and above production, and no two seeds are equal."""
    scenarios = [_scarce(seed) for seed in SEEDS]

    assert {len(scenario.producers) for scenario in scenarios} == {1, 2, 3}
    ratios = [sum(job.energy_wh for job in scenario.jobs) / _sun_wh(scenario) for scenario in scenarios]
    assert min(ratios) < 0.9
    assert max(ratios) > 1.2
    assert len({scenario.jobs for scenario in scenarios}) == len(scenarios)


def test_the_same_seed_gives_the_same_neighbourhood() -> None:
    """Down to the last minute; another seed gives another."""
    assert scarce(7) == _scarce(7)
    assert scarce(7) != _scarce(8)


def test_a_seed_means_the_same_on_every_machine() -> None:
    """These figures were written down once."""
    scenario = _scarce(1)

    assert (len(scenario.houses), len(scenario.jobs), scenario.start_s) == (13, 67, 1789941600)
    assert [round(_actual(producer).energy_wh) for producer in scenario.producers.values()] == [63675]
    assert scenario.jobs[20].job_id == "ahorn-2-mower-1"


@pytest.mark.parametrize("seed", SEEDS)
def test_ids_are_unique_and_jobs_in_order(seed: int) -> None:
    """Scenarios require this."""
    scenario = _scarce(seed)

    assert len({job.job_id for job in scenario.jobs}) == len(scenario.jobs)
    assert list(scenario.jobs) == sorted(scenario.jobs, key=lambda job: (job.registered_s, job.job_id))
    consumers = {(d.house, d.id) for house in scenario.houses for d in house.devices if d.type == "consumer"}
    assert {(job.house, job.device) for job in scenario.jobs} == consumers
    assert set(scenario.producers) == {
        device.id for house in scenario.houses for device in house.devices if device.type == "producer"
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_jobs_are_registered_in_time_and_devices_run_once_at_a_time(seed: int) -> None:
    """Never after the latest start, some after the earliest; one machine washes one load."""
    scenario = _scarce(seed)

    for job in scenario.jobs:
        assert scenario.start_s <= job.registered_s <= job.latest_start_s
    for one, other in combinations(scenario.jobs, 2):
        if (one.house, one.device) == (other.house, other.device):
            first, second = sorted((one, other), key=lambda job: job.earliest_start_s)
            assert first.latest_start_s + first.duration_s <= second.earliest_start_s


def test_some_jobs_are_registered_late() -> None:
    """Over all seeds more than one in thirty, fewer than one in five."""
    jobs = [job for seed in SEEDS for job in _scarce(seed).jobs]
    late = [job for job in jobs if job.registered_s > job.earliest_start_s]

    assert 1 / 30 < len(late) / len(jobs) < 1 / 5


@pytest.mark.parametrize("seed", SEEDS)
def test_four_forecasts_a_day_and_dark_nights(seed: int) -> None:
    """Each is issued at its hour and valid from then; production is zero before five and after ten."""
    scenario = _scarce(seed)
    night_s = [scenario.start_s + hour * HOUR for hour in (0, 4.9, 22, 24)]

    for producer in scenario.producers.values():
        assert [(p.issued_s - scenario.start_s) / HOUR for p in producer.predictions] == [0, 6, 12, 18]
        for prediction in producer.predictions:
            assert prediction.production.start_s >= prediction.issued_s
        for series in (_actual(producer), *(p.production for p in producer.predictions)):
            before_wh, after_wh = series.energy_per_bin_wh(night_s)[[0, 2]]
            assert before_wh == 0
            assert after_wh == 0


def test_newer_forecasts_are_closer() -> None:
    """For the afternoon, over many days, the mean absolute error falls with each forecast."""
    errors: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for seed in range(40):
        scenario = neighbourhood(
            NeighbourhoodSpec(
                name="one", seed=seed, houses=2, roofs=1, jobs=2, demand_per_production=0.5, date=date(2026, 6, 1)
            )
        )
        (producer,) = scenario.producers.values()
        afternoon = scenario.start_s + np.arange(12, 18.5, 0.5) * HOUR
        actual_wh = _actual(producer).energy_per_bin_wh(afternoon)
        for n, found in errors.items():
            expected_wh = producer.predictions[n].production.energy_per_bin_wh(afternoon)
            found.append(float(np.abs(expected_wh - actual_wh).sum() / actual_wh.sum()))

    means = [float(np.mean(found)) for found in errors.values()]
    assert means[0] > means[1] > means[2]
    assert means[0] < 0.2


@pytest.mark.parametrize(
    ("weather", "kwh_per_kwp"), [("clear", (6, 8)), ("fair", (5.5, 7.5)), ("changeable", (3.5, 6.5))]
)
def test_a_june_day_yields_what_its_weather_lets_through(weather: str, kwh_per_kwp: tuple[float, float]) -> None:
    """KWh per kWp on a roof that is drawn; clouds pass in steps of five minutes."""
    scenario = neighbourhood(
        NeighbourhoodSpec(
            name="june",
            seed=5,
            houses=3,
            roofs=3,
            jobs=10,
            demand_per_production=0.5,
            date=date(2026, 6, 21),
            weather=weather,
        )
    )
    peaks_kw = {
        device.id: float(device.name.split()[1])
        for house in scenario.houses
        for device in house.devices
        if device.type == "producer"
    }
    for producer_id, producer in scenario.producers.items():
        actual = _actual(producer)
        assert set(np.diff(actual.times_array)) == {300}
        assert kwh_per_kwp[0] <= actual.energy_wh / 1000 / peaks_kw[producer_id] <= kwh_per_kwp[1]


def test_cold_days_have_space_heating_and_summer_has_none() -> None:
    """Season decides what runs."""
    for month, heats in ((1, True), (7, False)):
        scenario = neighbourhood(
            NeighbourhoodSpec(
                name="x", seed=1, houses=10, roofs=2, jobs=60, demand_per_production=1, date=date(2026, month, 10)
            )
        )
        assert any(job.profile == "space-heating" for job in scenario.jobs) is heats
        assert datetime.fromtimestamp(scenario.start_s, tz=UTC).hour == (23 if heats else 22)


@pytest.mark.parametrize(
    "wrong",
    [
        {"houses": 0},
        {"houses": 101},
        {"roofs": 0},
        {"roofs": 6},
        {"jobs": 0},
        {"demand_per_production": 0.0},
        {"wait_factor": -1.0},
        {"weather": "hail"},
    ],
)
def test_impossible_neighbourhoods_are_refused(wrong: dict[str, int | float | str]) -> None:
    """The message contains the bounds."""
    good = {
        "name": "x",
        "seed": 1,
        "houses": 5,
        "roofs": 1,
        "jobs": 10,
        "demand_per_production": 1.0,
        "date": date(2026, 6, 1),
    }

    with pytest.raises(ValueError, match=r"from 1 to|positive|weather is one of"):
        NeighbourhoodSpec(**{**good, **wrong})  # type: ignore[arg-type]  # wrong on purpose


def test_more_jobs_than_the_houses_can_run_are_refused() -> None:
    """Rather than a machine that washes two loads at once."""
    with pytest.raises(ValueError, match="too many"):
        neighbourhood(
            NeighbourhoodSpec(
                name="x", seed=1, houses=1, roofs=1, jobs=200, demand_per_production=1, date=date(2026, 6, 1)
            )
        )
