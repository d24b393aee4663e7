"""The JSON schema: committed, and what the model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scenarios import ScenarioError
from scenarios.files.model import ScenarioFile
from scenarios.files.schema import SCHEMA_FILE, schema_text
from scenarios.files.yaml_nodes import parse_yaml
from scenarios.load import bundled_text, load_scenario

_NUMBERS = """
version: 1
name: numbers
start: 1782000000
days: 2
seed: 1
load_profiles:
  dish: {points: [[0, 0], [3600, 900]]}
houses:
  - id: adler
    guests: 1
    base_load: {constant_w: 150}
    devices:
      - id: dishwasher
        type: consumer
        load_profile: dish
        gateway:
          {answer_s: 60, tries: 3, idle_w: 5, waiting: {above_w: 1, below_w: 5, for_s: 60, within_s: 36000}}
      - id: pv
        type: producer
        predictions: [{issued: 1782000000, points: [[1782000000, 0], [1782040000, 12000]]}]
        actual: {start: 1782000000, step_s: 3600, power_w: [100, 200]}
  - {id: brandt, base_load: {file: meter.csv, columns: {time: 1, value: 2}}}
jobs:
  - {house: adler, device: dishwasher, registered: 1782010000, earliest_start: 1782010000, latest_start: 1782020000}
tariff:
  import_eur_per_kwh: 0.3
  feed_in_eur_per_kwh: {points: [[1782000000, 0.1], [1782003600, 0.2]]}
  neighbour_eur_per_kwh: {start: 1782000000, step_s: 3600, eur_per_kwh: [0.1, 0.2]}
  grid_kg_co2_per_kwh: 0.4
timeline:
  - at: 1782010000
    do: cloud
    factor: 0.3
    duration: 600
    ramp: 600
    travel: 60
    repeat: {every: 7200, times: 2, until: 1782030000}
  - {at: 1782010000, do: forecast_error, growth_per_h: 0.1, most: 0.5, every: 3600, duration: 7200, seed: 3}
  - {when: {job: adler/dishwasher, turn: ends, after: 60}, do: note, text: x}
  - {at: 1782010000, do: add_job, house: adler, device: dishwasher, earliest_start: 60, latest_start: 7200}
faults:
  - {device: adler/dishwasher, fault: late, delay_s: 30, at: 1782010000, until: 1782020000}
"""
_YEAR_9999_S = 253_402_300_799


def test_the_committed_schema_is_up_to_date() -> None:
    """It equals the generated one to the byte."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run `python -m scenarios.files.schema`"


def test_it_knows_every_key_and_explains_it() -> None:
    """Editors complete keys by it, and show what they mean."""
    schema = json.loads(schema_text())

    assert set(schema["properties"]) == set(ScenarioFile.model_fields)
    assert set(schema["required"]) == {"version", "name", "start", "seed", "houses"}
    assert schema["additionalProperties"] is False
    parts = [schema, *schema["$defs"].values()]
    unexplained = [
        key
        for part in parts
        for key, value in part["properties"].items()
        if key != "type" and "description" not in value
    ]
    assert unexplained == []


def test_a_variable_may_stand_for_every_value() -> None:
    """Editors flag neither it nor lists among the variables; other text in the place of a number is flagged."""
    text = bundled_text("cloud-front")
    for old, new in (
        ("days: 1", "days: ${x}"), ("factor: 0.15", 'factor: "${x}"'), ('"08:00"', '"${x}"'), ("0.35", "${x}"),
        ("[2000, 400,", '[2000, "${x}",'), ("patient: true", "patient: ${x}"),
    ):  # fmt: skip
        text = text.replace(old, new)
    validator = Draft202012Validator(json.loads(schema_text()))
    assert [error.message for error in validator.iter_errors(parse_yaml(text + "vars: {x: [1]}\n", "x"))] == []
    assert not validator.is_valid(parse_yaml(text.replace("days: ${x}", "days: soon"), "x"))


def _differences(folder: Path, where: str, values: list[object]) -> list[tuple[object, bool, bool]]:
    """Return values for which the schema and the check of a file differ, and whether each of the two accepts them."""
    rows = "".join(f"2026-06-21T{hour:02}:00Z,{hour % 3}\n" for hour in range(24))
    (folder / "meter.csv").write_text(f"time,kWh\n{rows}", encoding="utf-8")
    validator = Draft202012Validator(json.loads(schema_text()))
    *path, last = [int(key) if key.isdigit() else key for key in where.split(".")]
    found: list[tuple[object, bool, bool]] = []
    for value in values:
        content = parse_yaml(_NUMBERS, "n")
        node: Any = content
        for key in path:
            node = node[key]
        node[last] = value
        (folder / "s.yaml").write_text(json.dumps(content), encoding="utf-8")
        try:
            load_scenario(folder / "s.yaml")
        except ScenarioError:
            is_read = False
        else:
            is_read = True
        if (is_valid := validator.is_valid(content)) != is_read:
            found.append((value, is_valid, is_read))
    return found


@pytest.mark.parametrize(
    ("where", "values"),
    [
        ("houses.0.base_load.constant_w", [-0.1, 0, 1e7, 1.1e7]),
        ("houses.1.base_load.columns.value", [-1, 0, 2, 1.5, "kWh", []]),
        ("houses.0.guests", [-1, 0, 100, 101]),
        ("houses.0.devices.0.gateway.idle_w", [-1, 0, 1e6]),
        ("houses.0.devices.0.gateway.waiting.for_s", [-1, 0, 90, "90", True, 1.5]),
        ("houses.0.devices.0.gateway.waiting.above_w", [-1, 0, 4.9, "4", True]),
        ("houses.0.devices.1.predictions.0.points.1.0", [_YEAR_9999_S, _YEAR_9999_S + 1]),
        ("houses.0.devices.1.predictions.0.points.1.1", [1e12, 1.1e12]),
        ("houses.0.devices.1.actual.start", [0, _YEAR_9999_S + 1]),
        ("load_profiles.dish.points.0.0", [-1, 0]),
        ("load_profiles.dish.points.1.0", [31_622_400, 31_622_401]),
        ("load_profiles.dish.points.1.1", [1e12, 1.1e12]),
        ("load_profiles.dish.points.0.1", [-1e11, -1.1e12]),
        ("tariff.feed_in_eur_per_kwh.points.1.0", [_YEAR_9999_S, _YEAR_9999_S + 1, 10**15]),
        ("tariff.feed_in_eur_per_kwh.points.0.0", [-1, 0]),
        ("tariff.import_eur_per_kwh", [-1e6, -1.1e6, 1e6, 1.1e6]),
        ("timeline.0.at", [-1, _YEAR_9999_S + 1]),
        ("timeline.0.duration", [0, 1, 316_224_000, 316_224_001, "5", "1h30m", "2 d", ""]),
        ("timeline.0.ramp", [-1, 0, 316_224_000, 316_224_001]),
        ("timeline.0.repeat.every", [0, 1, 316_224_000, 316_224_001]),
        ("timeline.0.repeat.until", [-1, _YEAR_9999_S, _YEAR_9999_S + 1]),
        ("timeline.1.every", [0, 59, 60, 316_224_000, 316_224_001]),
        ("timeline.2.when.after", [-1, 0, 316_224_000, 316_224_001]),
        ("timeline.3.latest_start", [-1, 316_224_000, 316_224_001]),
    ],
)
def test_a_value_that_the_schema_allows_is_no_error_by_itself(where: str, values: list[object], tmp_path: Path) -> None:
    """Many limits were checked by `ssmic check` only; editors showed `constant_w: 1e12` as correct."""
    assert _differences(tmp_path, where, values) == []
