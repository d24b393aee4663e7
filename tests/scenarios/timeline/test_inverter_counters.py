"""The counters of simulated inverters: what they know of a timeline before the run, and learn during it."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.scenario import Scenario
from scenarios.timeline.inverter_counters import InverterCounter, counters_of
from tests.scenarios.timeline.two_roofs import scripted

HOUR_S = 3600
CLOUD = {
    "do": "cloud",
    "producers": ["pv-a"],
    "factor": 0.5,
    "ramp_s": 0,
    "duration_s": 2 * HOUR_S,
    "travel_s": 0,
    "announced": False,
}
PLANNED = "{at: '10:00', do: cloud, producers: [pv-a], factor: 0.5, ramp: 0, duration: 2h, announced: false}"


def counted_wh(counter: InverterCounter, scenario: Scenario, first_h: int, last_h: int) -> float:
    """Return what a counter counts between two hours of the day."""
    assert counter.production is not None
    edges_s = [scenario.start_s + HOUR_S * hour for hour in (first_h, last_h)]
    return float(counter.production.energy_per_bin_wh(edges_s)[0])


def test_a_roof_without_actual_production_has_nothing_to_count_until_an_event_changes_it() -> None:
    """It produces what it forecasts."""
    scenario = scripted()
    counter = counters_of(scenario)["pv-a"]
    assert counter.production is None

    counter.follow(CLOUD, scenario.start_s + 10 * HOUR_S)

    assert counter.differs_from_s == scenario.start_s + 10 * HOUR_S
    assert counted_wh(counter, scenario, 9, 10) == pytest.approx(2000)
    assert counted_wh(counter, scenario, 10, 12) == pytest.approx(0.5 * 5500)


def test_an_unexpected_event_counts_like_a_planned_one_also_beside_others() -> None:
    """So a script and its recording decide alike."""
    both = scripted(f"{PLANNED}\n{PLANNED.replace('10:00', '11:00')}")
    planned = counters_of(both)["pv-a"]
    one = scripted(PLANNED.replace("10:00", "11:00"))
    counter = counters_of(one)["pv-a"]

    counter.follow(CLOUD, one.start_s + 10 * HOUR_S)

    assert counter.production == planned.production
    assert counter.differs_from_s == planned.differs_from_s == one.start_s + 10 * HOUR_S


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "do"),
        ({"do": "note", "text": "x"}, "note does not change what pv-a produces"),
        ({**CLOUD, "producers": ["pv-b"]}, "cloud does not change what pv-a produces"),
        ({**CLOUD, "factor": "much"}, "factor"),
    ],
)
def test_what_changes_nothing_is_refused(event: dict[str, Any], message: str) -> None:
    """It comes over the network."""
    scenario = scripted()
    counter = counters_of(scenario)["pv-a"]
    with pytest.raises(ValueError, match=message):
        counter.follow(event, scenario.start_s)
    assert counter.production is None


def test_a_cloud_of_a_million_years_takes_no_memory() -> None:
    """Only the part in which the roof produces counts."""
    scenario = scripted()
    counter = counters_of(scenario)["pv-a"]
    counter.follow({**CLOUD, "duration_s": 10**13}, scenario.start_s + 10 * HOUR_S)
    assert counted_wh(counter, scenario, 12, 13) == pytest.approx(1500)
