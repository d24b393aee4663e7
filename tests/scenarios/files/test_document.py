"""Editing a file: the change goes into the text at its place, and everything else stays, to the byte."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from scenarios.errors import ScenarioError
from scenarios.files.document import Document
from scenarios.files.problems import KeyPath
from scenarios.files.yaml_nodes import parse_yaml

TEXT = """\
# Our street 🌞.
version: 1
name: street   # short
start: 2026-06-21T00:00:00+02:00
seed: 1

# What the dishwasher draws.
load_profiles:
  dish: {points: [[0, 0], [60, 15.30]]}  # measured
  kettle:
    step_s: 60
    power_w:
      [1800, 900,
       0]

houses:
  # The Adlers live at the corner.
  - id: "1"
    name: Adler
    devices:
      - {id: dishwasher, type: consumer, load_profile: dish}
      # On the roof.
      - id: pv
        type: producer
        predictions:
        - {issued: "00:00", points: [["04:00", 0], ["05:00", 120.5]]}
        - issued: "06:00"
          start: "06:00"   # sunrise
          step_s: 3600
          power_w: [1]
  -
    id: "2"
    name: >
      Folded

jobs:
  # Breakfast.
  - {house: "1", device: dishwasher, registered: "06:00", earliest_start: "08:00", latest_start: "16:00"}
  # Dinner.
  - {house: "1", device: dishwasher, registered: "16:00", earliest_start: "18:00", latest_start: "20:00"}
# The end.
"""
DOCUMENT = Document(TEXT)


def lines_of(document: Document) -> tuple[list[str], list[str]]:
    """Return the removed and the added lines."""
    before, after = TEXT.splitlines(), document.text.splitlines()
    return [line for line in before if line not in after], [line for line in after if line not in before]


def test_a_value_changes_where_it_stands() -> None:
    """Its comment stays, and so do spaces, quotes and the way numbers are written."""
    assert lines_of(DOCUMENT.with_value(("name",), "my-street")) == (
        ["name: street   # short"], ["name: my-street   # short"],
    )  # fmt: skip
    later = DOCUMENT.with_value(("jobs", 1, "latest_start"), "21:30")
    assert later.text == TEXT.replace('"20:00"', '"21:30"')
    deep = DOCUMENT.with_value(("houses", 0, "devices", 1, "predictions", 1, "start"), "06:30")
    assert deep.text == TEXT.replace('start: "06:00"   # sunrise', 'start: "06:30"   # sunrise')
    assert DOCUMENT.with_value(("load_profiles", "dish", "points", 1, 1), 16.0).text == TEXT.replace("15.30", "16")


def test_a_key_is_added_where_the_format_has_it() -> None:
    """It is added at the top level, in a block, and in braces."""
    assert DOCUMENT.with_value(("days",), 2).text == TEXT.replace("+02:00\n", "+02:00\ndays: 2\n")
    named = DOCUMENT.with_value(("houses", 0, "devices", 1, "template"), "roof")
    assert named.text == TEXT.replace("type: producer\n", "type: producer\n        template: roof\n")
    job = DOCUMENT.with_value(("jobs", 0, "load_profile"), "kettle")
    assert job.text == TEXT.replace('dishwasher, registered: "06', 'dishwasher, load_profile: kettle, registered: "06')
    profile = {"points": [[0, 0], [60, 1.5]]}
    added = DOCUMENT.with_value(("load_profiles", "new one"), profile)
    assert added.text == TEXT.replace("       0]\n", "       0]\n  new one: {points: [[0, 0], [60, 1.5]]}\n")


def test_items_are_added_before_and_behind() -> None:
    """The others stay, with their comments."""
    house = {"id": "3", "devices": [{"id": "car", "type": "consumer"}]}
    added = DOCUMENT.with_items(("houses",), 2, [house])
    assert added.text == TEXT.replace(
        "      Folded\n", '      Folded\n  - id: "3"\n    devices:\n      - {id: car, type: consumer}\n'
    )
    first = DOCUMENT.with_items(("jobs",), 0, [{"house": "2", "device": "car"}])
    assert first.text == TEXT.replace("# Breakfast.\n", '# Breakfast.\n  - {house: "2", device: car}\n')
    point = DOCUMENT.with_items(("load_profiles", "dish", "points"), 2, [[120, 20.5]])
    assert point.text == TEXT.replace("[60, 15.30]]", "[60, 15.30], [120, 20.5]]")
    device = DOCUMENT.with_items(("houses", 1, "devices"), 0, [{"id": "car", "type": "consumer"}])
    assert device.text == TEXT.replace(
        "      Folded\n", "      Folded\n    devices:\n      - {id: car, type: consumer}\n"
    )


def test_removing_a_part_keeps_the_rest_of_the_text() -> None:
    """A job, a device, a point, a key; the last job leaves an empty list."""
    assert DOCUMENT.without(("seed",)).text == TEXT.replace("seed: 1\n", "")
    assert DOCUMENT.without(("load_profiles", "dish", "points", 0)).text == TEXT.replace("[0, 0], [60", "[60")
    assert DOCUMENT.without(("load_profiles", "dish", "points", 1)).text == TEXT.replace(", [60, 15.30]", "")
    start, end = TEXT.index("      - id: pv"), TEXT.index("  -\n")
    assert DOCUMENT.without(("houses", 0, "devices", 1)).text == TEXT[:start] + TEXT[end:]
    one = DOCUMENT.without(("jobs", 0))
    assert "# Breakfast.\n  # Dinner.\n" in one.text
    assert one.without(("jobs", 0)).value(("jobs",)) == []
    assert "\njobs: []\n" in one.without(("jobs", 0)).text
    assert DOCUMENT.without(("houses", 0, "id")).text == TEXT.replace('- id: "1"\n    name', "- name")


def test_problems_come_with_their_path(tmp_path: Path) -> None:
    """So an editor can show each at its field while the user types."""
    wrong = DOCUMENT.with_value(("jobs", 1, "latest_start"), "17:00").with_value(("houses", 0, "nme"), "x")

    assert [(problem.path, problem.what) for problem in wrong.problems("s.yaml", tmp_path)] == [
        (("houses", 0, "nme"), "unknown key; did you mean 'name'?"),
        (("jobs", 1, "latest_start"), "17:00 is before the earliest start 18:00"),
    ]
    assert DOCUMENT.problems("s.yaml", tmp_path) == []
    assert wrong.value(("jobs", 1, "latest_start")) == "17:00"
    assert wrong.value(("jobs", 7)) is None


def test_a_document_is_opened_and_saved_unchanged(tmp_path: Path) -> None:
    """Windows line ends too."""
    path = tmp_path / "s.yaml"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())

    document = Document.open(path)
    document.save(path)
    assert path.read_bytes() == TEXT.replace("\n", "\r\n").encode()
    document.with_value(("days",), 2).save(path)
    assert path.read_bytes() == TEXT.replace("+02:00\n", "+02:00\ndays: 2\n").replace("\n", "\r\n").encode()


def test_what_cannot_be_edited_says_so(tmp_path: Path) -> None:
    """Aliases, places that are not there, broken files."""
    alias = Document("a: &x {b: 1}\nc: *x\n")
    with pytest.raises(ScenarioError, match=r"c: stands for something elsewhere"):
        alias.with_value(("c", "b"), 2)
    with pytest.raises(ScenarioError, match=r"jobs\[5\]: there is no such item"):
        DOCUMENT.with_value(("jobs", 5), {})
    with pytest.raises(ScenarioError, match=r"jobs\[5\]: there is no such value"):
        DOCUMENT.without(("jobs", 5))
    (tmp_path / "s.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(ScenarioError, match="invalid YAML"):
        Document.open(tmp_path / "s.yaml")


def containers(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of all lists and mappings."""
    if not isinstance(value, dict | list):
        return []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(inner for key, item in items for inner in containers(item, (*path, key)))]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab:#-{[ \n'\"🌞,", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:# ", max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_edits_come_out_as_if_made_in_the_values(data: st.DataObject) -> None:
    """Values are set, added and removed in any order, in blocks and in brackets."""
    document = DOCUMENT
    expected = json.loads(json.dumps(parse_yaml(TEXT, "s.yaml")))
    for _ in range(data.draw(st.integers(1, 5))):
        path = data.draw(st.sampled_from(containers(expected)))
        node = expected
        for part in path:
            node = node[part]
        value = data.draw(VALUES)
        kind = data.draw(st.sampled_from(["set", "add", "remove"]))
        if kind == "add" and isinstance(node, list) and path:
            index = data.draw(st.integers(0, len(node)))
            document = document.with_items(path, index, [value])
            node.insert(index, deepcopy(value))
        elif kind == "add" and isinstance(node, dict) and path[:1] != ("houses",):
            document = document.with_value((*path, "zz"), value)
            node["zz"] = deepcopy(value)
        elif node and (path or len(node) > 1):
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if kind == "remove":
                document = document.without((*path, key))
                del node[key]
            else:
                document = document.with_value((*path, key), value)
                node[key] = deepcopy(value)

        assert json.loads(json.dumps(parse_yaml(document.text, "s.yaml"))) == expected, document.text


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_several_values_are_set_as_if_one_after_the_other(data: st.DataObject) -> None:
    """Values that are apart, or within each other, or new: the text is the same to the byte."""
    tree = json.loads(json.dumps(parse_yaml(TEXT, "s.yaml")))
    paths = [path for path in containers(tree) if path]
    keys = st.sampled_from(["zz", "name", "id", 0])
    values = data.draw(st.lists(st.tuples(st.sampled_from(paths), st.none() | keys, VALUES), max_size=6))
    expected, together, rest = DOCUMENT, DOCUMENT, list[tuple[KeyPath, object]]()
    for path, key, value in values:
        place = path if key is None else (*path, key)
        try:
            expected = expected.with_value(place, value)
        except ScenarioError:
            continue  # there is no such item, or it is not a mapping any more
        rest.append((place, value))
    while rest:
        together, count = together.with_first_values(rest)
        del rest[:count]
    assert together.text == expected.text


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_several_items_are_added_and_removed_as_if_one_after_the_other(data: st.DataObject) -> None:
    """In blocks and in brackets, up to the last one."""
    places: list[KeyPath] = [("houses",), ("jobs",), ("load_profiles", "dish", "points"), ("houses", 0, "devices")]
    path = data.draw(st.sampled_from(places))
    values = data.draw(st.lists(VALUES, min_size=1, max_size=3))
    index = data.draw(st.integers(0, 3))
    expected = DOCUMENT
    for offset, value in enumerate(values):
        expected = expected.with_items(path, index + offset, [value])
    added = DOCUMENT.with_items(path, index, values)
    assert added.text == expected.text
    found = added.value(path)
    assert isinstance(found, list)
    gone = data.draw(st.sets(st.integers(0, len(found) - 1)))
    for position in sorted(gone, reverse=True):
        expected = expected.without((*path, position))
    assert added.without_items(path, gone).text == expected.text


def test_what_aliases_stand_for_is_not_taken_away() -> None:
    """An edit that would leave an alias without its anchor is refused, with its name; a merged key is set afresh."""
    jobs = "jobs:\n  - &wash {id: a, device: washer}\n  - {<<: *wash, id: b}\n"
    document = Document(jobs)
    with pytest.raises(ScenarioError, match=r"\*wash elsewhere in the file stands for it"):
        document.without(("jobs", 0))
    with pytest.raises(ScenarioError, match="comes from elsewhere in the file"):
        document.without(("jobs", 1, "device"))
    assert document.with_value(("jobs", 1, "device"), "dryer").value(("jobs", 1)) == {"id": "b", "device": "dryer"}
    assert document.without(("jobs", 1)).value(("jobs",)) == [{"id": "a", "device": "washer"}]
