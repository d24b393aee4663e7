"""The bundled files: what the generator writes, and sound neighbourhoods."""

from __future__ import annotations

from functools import cache

import pytest

from scenarios.generate.bundle import FOLDER, SCENARIOS, bundled_text
from scenarios.load import bundled_names, load_scenario
from scenarios.scenario import Scenario

SIZES = {"street": (6, 32, 4), "scarce": (12, 70, 2), "village": (100, 360, 40)}
"""Houses, jobs, producers."""


@cache
def _loaded(name: str) -> Scenario:
    return load_scenario(name)


def _demand_per_production(scenario: Scenario) -> float:
    sun_wh = sum(producer.actual.energy_wh for producer in scenario.producers.values() if producer.actual)
    return sum(job.energy_wh for job in scenario.jobs) / sun_wh


def test_every_generator_has_a_file() -> None:
    """Those of the gallery are written by hand."""
    assert set(bundled_names()) == {path.stem for path in FOLDER.glob("*.yaml")}
    assert set(SCENARIOS) < set(bundled_names())


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long) if name == "village" else name for name in sorted(SCENARIOS)],
)
def test_the_file_is_what_the_generator_writes(name: str) -> None:
    """It is equal to the byte, on every machine."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")

    assert text == bundled_text(name), "run `python -m scenarios.generate`"


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_file_loads_as_what_was_generated(name: str) -> None:
    """Writing and reading neither lose nor round values."""
    assert _loaded(name) == SCENARIOS[name]()


@pytest.mark.parametrize("name", sorted(SIZES))
def test_sizes_are_as_announced(name: str) -> None:
    """Six houses, a scarce one, a hundred; and no file that is a burden."""
    scenario = _loaded(name)

    assert (len(scenario.houses), len(scenario.jobs), len(scenario.producers)) == SIZES[name]
    assert (FOLDER / f"{name}.yaml").stat().st_size < 400_000
    assert scenario.tariff is not None
    assert scenario.description
    for producer in scenario.producers.values():
        assert len(producer.predictions) == 4
        assert producer.actual is not None


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_house_takes_part(name: str) -> None:
    """A house without a device would be counted and never seen."""
    assert all(house.devices for house in _loaded(name).houses)


def test_the_street_has_enough_production_and_the_scarce_one_has_not() -> None:
    """Demand is compared with production."""
    assert _demand_per_production(_loaded("street")) < 0.5
    assert _demand_per_production(_loaded("scarce")) > 1
    assert _demand_per_production(_loaded("village")) < 0.5


def test_the_street_can_be_read_in_one_sitting() -> None:
    """Each family is introduced, and the scenario starts at midnight in its zone."""
    text = (FOLDER / "street.yaml").read_text(encoding="utf-8")

    assert text.startswith("# A street of six households")
    assert "start: 2026-06-21T00:00:00+02:00" in text
    assert "  # Dahl. A retired couple without panels." in text
    assert len(text.splitlines()) < 500


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_load_can_be_carried_by_some_roof(name: str) -> None:
    """A job that draws more than the best minute of the largest roof could never be served."""
    scenario = _loaded(name)
    most_w = max(
        power_w
        for producer in scenario.producers.values()
        if producer.actual
        for power_w in producer.actual.energy_per_bin_wh(producer.actual.times_array) * 12
    )

    for job in scenario.jobs:
        assert max(job.load_profile.energy_per_bin_wh(job.load_profile.times_array)) * 60 <= most_w
