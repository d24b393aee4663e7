"""Base loads of houses in scenario files."""

# ruff: noqa: E501 - a message stands in one line, as users see it

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.errors import ScenarioError
from scenarios.files.dump import to_yaml
from scenarios.files.scenario_from_text import load_text
from scenarios.files.series.coverage_notes import coverage_notes
from scenarios.scenario import SCENARIO, Scenario, scenario_of

FILE = """\
version: 1
name: base
start: 2026-06-21T00:00:00+02:00
seed: 1
houses:
  - id: a
    base_load: {LOAD}
  - {id: b}
"""
START_S = 1_781_992_800


def loaded(load: str, folder: Path | None = None) -> Scenario:
    """Return the scenario in which house a has a base load."""
    return load_text(FILE.replace("{LOAD}", load), "s.yaml", folder)


def hours_wh(load: str, folder: Path | None = None, hours: int = 3) -> list[float]:
    """Return the base load of the first hours, Wh."""
    series = loaded(load, folder).base_loads["a"]
    return [round(wh, 6) for wh in series.energy_per_bin_wh([START_S + 3600 * n for n in range(hours + 1)]).tolist()]


def test_a_base_load_is_constant_points_steps_or_a_file(tmp_path: Path) -> None:
    """It has all forms of a producer's `actual`, and a constant; tables are read as elsewhere."""
    table = "time,light,fridge (W)\n2026-06-21 00:00,1,120\n2026-06-21 01:00,1,180\n2026-06-21 02:00,1,90\n"
    (tmp_path / "meter.csv").write_text(table, encoding="utf-8")

    assert hours_wh("{constant_w: 150}") == [150, 150, 150]
    assert hours_wh("{constant_w: 150}", hours=24 * 3660)[-1] == 150
    assert hours_wh('{points: [["00:00", 0], ["02:00", 500]]}') == [250, 250, 0]
    assert hours_wh('{start: "01:00", step_s: 1800, power_w: [100, 300]}') == [0, 200, 0]
    assert hours_wh("{file: meter.csv, columns: {value: fridge (W)}, zone: Europe/Berlin}", tmp_path) == [120, 180, 90]


def test_a_constant_base_load_has_a_limit() -> None:
    """Beyond it, its energy in a run of ten years was infinite, which was an internal error."""
    with pytest.raises(ScenarioError, match=r"constant_w: at most 10,000,000 is expected, not 1e\+300"):
        loaded("{constant_w: 1e300}")


def test_a_base_load_that_does_not_cover_the_run_is_noted() -> None:
    """It is probably a table of another year; a constant load always covers the run."""
    (note,) = coverage_notes(loaded('{points: [["01:00", 0], ["02:00", 5]]}'), days=1)

    assert note.what == (
        "the base load of a does not cover the run: it is from 2026-06-21 01:00 to 02:00 (+02:00), and the run is "
        "from 2026-06-21 00:00 to 2026-06-22 00:00 (+02:00); outside it counts as 0"
    )
    assert note.path == ("houses", 0, "base_load")
    assert coverage_notes(loaded("{constant_w: 3}"), days=3660) == ()


@pytest.mark.parametrize("load", ["{constant_w: 0.1}", '{points: [["00:00", 0], ["02:00", 500.5]]}'])
def test_a_base_load_survives_writing_and_the_results_file(load: str) -> None:
    """A constant one stays constant."""
    scenario = loaded(load)
    written = to_yaml(scenario)

    assert load_text(written, "written.yaml", None) == scenario
    assert load.partition(":")[0].strip("{") in written
    assert scenario_of(SCENARIO.dump_json(scenario).decode()) == scenario


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ("{constant_w: -3}", "s.yaml:7: houses[0].base_load.constant_w: at least 0 is expected, not -3"),
        ("{}", "s.yaml:7: houses[0].base_load: exactly one of 'constant_w', 'points', 'file', or 'power_w' with 'start' and 'step_s' is expected; found none"),
        ("{constant_w: 3, start: '06:00'}", "s.yaml:7: houses[0].base_load: exactly one of 'constant_w', 'points', 'file', or 'power_w' with 'start' and 'step_s' is expected; found 'constant_w' and 'start'"),
        ("{constant_w: 3, points: [[0, 1], [1, 2]]}", "s.yaml:7: houses[0].base_load: exactly one of 'constant_w', 'points', 'file', or 'power_w' with 'start' and 'step_s' is expected; found 'constant_w' and 'points'"),
        ("{constant_w: 3, unit: W}", "s.yaml:7: houses[0].base_load.unit: describes a table of measurements; only valid with 'file'"),
        ("{constant: 3}", "s.yaml:7: houses[0].base_load.constant: unknown key; did you mean 'constant_w'?"),
        ('{points: [["00:00", 5], ["01:00", 2]]}', "s.yaml:7: houses[0].base_load.points[1]: 2 Wh is less than 5 Wh before; cumulative energy must not decrease"),
        ("{file: gone.csv}", "s.yaml:7: houses[0].base_load.file: a file cannot be referred to here"),
        ("100", "s.yaml:7: houses[0].base_load: keys and their values are expected, not 100"),
    ],
)  # fmt: skip
def test_one_mistake_one_message(load: str, message: str) -> None:
    """The message names line, key and what was expected."""
    with pytest.raises(ScenarioError) as caught:
        loaded(load)
    assert message in str(caught.value).splitlines()
