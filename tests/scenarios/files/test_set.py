"""`--set` reaches every key of the format, also those that a file does not have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scenarios import ScenarioError
from scenarios.files.schema import schema_text
from scenarios.load import load_content, load_scenario

TEXT = """\
version: 1
name: small
start: 2026-06-21T00:00:00+02:00
seed: 1
load_profiles:
  dish: {points: [[0, 0], [3600, 900]]}
houses:
  - id: adler
    devices:
      - {id: dishwasher, type: consumer, load_profile: dish}
      - id: pv
        type: producer
        predictions: [{issued: "00:00", points: [["04:00", 0], ["12:00", 12000]]}]
jobs:
  - {house: adler, device: dishwasher, registered: "06:00", earliest_start: "08:00", latest_start: "16:00"}
tariff: {import_eur_per_kwh: 0.3, feed_in_eur_per_kwh: 0.08, neighbour_eur_per_kwh: 0.2, grid_kg_co2_per_kwh: 0.4}
timeline:
  - {at: "12:00", do: note, text: Lunch}
expect:
  - {that: "contracts.all >= 0"}
faults:
  - {device: adler/dishwasher, fault: dead}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small scenario, which has a list of each kind and few of the optional keys."""
    path = tmp_path / "small.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def _keys(node: dict[str, Any], definitions: dict[str, Any], content: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every key that the JSON schema has at the values of a file and below."""
    if "$ref" in node:
        yield from _keys(definitions[node["$ref"].rpartition("/")[2]], definitions, content, path)
    for one in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _keys(one, definitions, content, path)
    if "items" in node and isinstance(content, list):
        for i, item in enumerate(content):
            yield from _keys(node["items"], definitions, item, f"{path}[{i}]")
    if isinstance(content, str | int | float):
        return  # a value of another form, such as a constant price
    tags = {key: one.get("const") for key, one in node.get("properties", {}).items() if key in ("type", "do")}
    if isinstance(content, dict) and any(tag is not None and content.get(key) != tag for key, tag in tags.items()):
        return
    for key, inner in node.get("properties", {}).items():
        below = f"{path}.{key}" if path else key
        yield below
        yield from _keys(inner, definitions, content.get(key) if isinstance(content, dict) else None, below)


def test_every_key_of_the_schema_can_be_set(small: Path) -> None:
    """No key is refused as unknown; its value may still be invalid."""
    whole = json.loads(schema_text())
    keys = sorted({key for key in _keys(whole, whole["$defs"], load_content(small).data) if key != "vars"})
    assert {"community.key", "houses[0].devices[0].gateway.waiting.above_w", "timeline[0].when.job"} <= set(keys)
    assert len(keys) > 100
    assert [key for key in keys if any("has no variable or key" in said for said in _problems(small, {key: "1"}))] == []


def _problems(path: Path, chosen: dict[str, str]) -> list[str]:
    try:
        load_scenario(path, chosen)
    except ScenarioError as error:
        return [problem.what for problem in error.problems]
    return []


def test_values_within_a_file_are_replaced_and_added(small: Path) -> None:
    """Items are named by their id or number, and lists are written in brackets."""
    chosen = {
        "community.key": "static",
        "community.coefficients.adler": "0.5",
        "houses[adler].devices[dishwasher].name": "Dishes",
        "jobs[0].latest_start": "10:00",
        "tariff.import_eur_per_kwh": "0.4",
        "tariff.feed_in_eur_per_kwh": '{points: [["00:00", 0.08], ["12:00", 0.03]]}',
        "description": "Tried out",
    }
    scenario = load_scenario(small, chosen)
    assert scenario.community is not None
    assert scenario.community.key == "static"
    assert scenario.community.coefficients == {"adler": 0.5}
    assert scenario.houses[0].devices[0].name == "Dishes"
    assert scenario.jobs[0].latest_start_s - scenario.start_s == 10 * 3600
    assert scenario.tariff is not None
    assert scenario.tariff.import_eur_per_kwh == 0.4


def test_problems_of_a_set_value_are_reported_at_its_key(small: Path) -> None:
    """The message names the option, not a line of the file, and the nearest key."""
    with pytest.raises(ScenarioError) as refused:
        load_scenario(small, {"community.kee": "static", "jobs[1].latest_start": "10:00", "houses[nobody].name": "x"})
    said = [str(problem) for problem in refused.value.problems]
    assert any("--set community.kee" in one and "did you mean 'key'?" in one for one in said)
    assert any("--set jobs[1].latest_start" in one and "there is no '1' in jobs" in one for one in said)
    assert any("--set houses[nobody].name" in one and "known: adler" in one for one in said)
    with pytest.raises(ScenarioError) as refused:
        load_scenario(small, {"community.key": "fair", "community.interval_s": "7"})
    assert {problem.where for problem in refused.value.problems} == {
        "--set community.key",
        "--set community.interval_s",
    }
