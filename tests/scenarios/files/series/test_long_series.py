"""Meter data of days, weeks and years: it loads, in each form and wherever energy over time stands."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest

from scenarios.files.scenario_from_text import load_text

MINUTES = 525_600
"""Of a year."""
HEAD = """\
version: 1
name: year
start: 2026-01-01T00:00:00Z
seed: 1
load_profiles:
  measured: %s
houses:
  - id: a
    devices:
      - {id: meter, type: consumer, load_profile: measured}
      - id: pv
        type: producer
        predictions: [%s]
        actual: %s
jobs:
  - {house: a, device: meter, registered: "00:00", earliest_start: "00:00", latest_start: "01:00"}
"""
SHORT_LOAD = "{step_s: 60, power_w: [60]}"
SHORT_SUN = '{start: "00:00", step_s: 60, power_w: [60]}'
SHORT_FORECAST = '{issued: "00:00", start: "00:00", step_s: 60, power_w: [60]}'


def powers(minutes: int) -> str:
    """Return a number of powers, each different from the one before."""
    return ", ".join(str(60 + i % 7) for i in range(minutes))


@pytest.mark.parametrize("minutes", [7 * 1440, pytest.param(MINUTES, marks=pytest.mark.long)])
def test_measured_production_may_be_of_any_length(minutes: int) -> None:
    """A week of minutes has 10,081 points, which were too many; a year has 525,601."""
    text = HEAD % (SHORT_LOAD, SHORT_FORECAST, f'{{start: "00:00", step_s: 60, power_w: [{powers(minutes)}]}}')

    actual = load_text(text, "s.yaml", None).producers["pv"].actual

    assert actual is not None
    assert len(actual.times_s) == minutes + 1
    assert actual.energy_wh == pytest.approx(sum(60 + i % 7 for i in range(minutes)) / 60)


def test_forecasts_and_load_profiles_may_be_as_long() -> None:
    """The limit of a message does not limit a file."""
    forecast = f'{{issued: "00:00", start: "00:00", step_s: 60, power_w: [{powers(20_000)}]}}'
    scenario = load_text(HEAD % (f"{{step_s: 60, power_w: [{powers(20_000)}]}}", forecast, SHORT_SUN), "s.yaml", None)

    assert len(scenario.producers["pv"].predictions[0].production.times_s) == 20_001
    assert len(scenario.jobs[0].load_profile.times_s) == 20_001


def test_points_may_be_as_many() -> None:
    """The limit for points is that for powers."""
    points = ", ".join(f"[{i * 60}, {i}]" for i in range(20_001))

    scenario = load_text(HEAD % (f"{{points: [{points}]}}", SHORT_FORECAST, SHORT_SUN), "s.yaml", None)

    assert scenario.jobs[0].energy_wh == 20_000


@pytest.mark.long
@pytest.mark.parametrize(
    "between", [" ", *(pytest.param(other, marks=pytest.mark.long) for other in ("\t", ", ", ";"))]
)
def test_a_file_may_hold_a_year_of_minutes(tmp_path: Path, between: str) -> None:
    """Any usual separator of columns works."""
    energies_wh = list(accumulate((i % 7 / 2 for i in range(MINUTES)), initial=0.0))
    lines = (f"{1_767_225_600 + 60 * i}{between}{wh:.1f}" for i, wh in enumerate(energies_wh))
    (tmp_path / "meter.csv").write_text("\n".join(lines))

    scenario = load_text(HEAD % (SHORT_LOAD, SHORT_FORECAST, "{file: meter.csv}"), "s.yaml", tmp_path)

    actual = scenario.producers["pv"].actual
    assert actual is not None
    assert len(actual.times_s) == MINUTES + 1
    assert actual.cumulative_wh[-1] == pytest.approx(energies_wh[-1])


@pytest.mark.long
def test_one_wrong_value_in_a_year_is_named_with_its_line(tmp_path: Path) -> None:
    """Reading a long file at once hides no mistake in it."""
    lines = [f"{1_767_225_600 + 60 * i} {i}" for i in range(MINUTES)]
    lines[300_000] = lines[300_000].replace(" 300000", " 3")
    (tmp_path / "meter.txt").write_text("\n".join(lines))

    with pytest.raises(Exception, match=r"meter\.txt:300001: 3 Wh is less than 299999 Wh before"):
        load_text(HEAD % (SHORT_LOAD, SHORT_FORECAST, "{file: meter.txt}"), "s.yaml", tmp_path)
