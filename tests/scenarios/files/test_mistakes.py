"""YAML files that are wrong: one clear message for each mistake, all of a file's at once, each with line and key."""

# ruff: noqa: E501 - a message stands in one line, as users see it

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agents.errors import SettingsError
from scenarios.devices import with_guests
from scenarios.errors import ScenarioError
from scenarios.files.scenario_from_text import load_text
from scenarios.files.yaml_nodes import parse_yaml
from tests.scenarios.problems import problems_of

GOOD = """\
version: 1
name: street
start: 2026-06-21T00:00:00+02:00
seed: 1
load_profiles:
  dish: {points: [[0, 0], [60, 15.3]]}
houses:
  - id: "1"
    devices:
      - {id: dishwasher, type: consumer, load_profile: dish}
      - id: pv
        type: producer
        predictions:
          - {issued: "00:00", points: [["04:00", 0], ["05:00", 120.5]]}
jobs:
  - {house: "1", device: dishwasher, registered: "06:00", earliest_start: "08:00", latest_start: "16:00"}
tariff: {import_eur_per_kwh: 0.35, feed_in_eur_per_kwh: 0.08, neighbour_eur_per_kwh: 0.2, grid_kg_co2_per_kwh: 0.4}
"""
POINTS = "points: [[0, 0], [60, 15.3]]"
SUN = 'points: [["04:00", 0], ["05:00", 120.5]]'
DISH = "{id: dishwasher, type: consumer, load_profile: dish}"
NAIVE = "'2026-06-21T06:00' has no UTC offset; write for example 2026-06-21T06:00:00+02:00, or ...Z for UTC"
A_TIME = 'a time is expected: UNIX seconds, an ISO time with its offset, or "HH:MM" after the start'
START = "an ISO time such as 2026-06-21T06:00:00+02:00 (without an offset if the file has a zone), or UNIX seconds"
TIME = 'UNIX seconds, an ISO time with its offset (2026-06-21T06:00:00+02:00), or "HH:MM" after the start'


def mistakes(text: str, folder: Path | None = None) -> list[str]:
    """Return the messages for a text."""
    try:
        load_text(text, "s.yaml", folder)
    except ScenarioError as error:
        return str(error).splitlines()
    return []


def changed(old: str, new: str) -> list[str]:
    """Return the messages for the good file with something replaced."""
    assert GOOD.count(old) == 1
    return mistakes(GOOD.replace(old, new))


def test_the_good_file_is_good() -> None:
    """Otherwise the tests below would prove nothing."""
    assert mistakes(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 1\n", "sead: 1\n", "s.yaml:1: seed: required (makes runs reproducible)"),
        ("seed: 1\n", "seed: 1\nday: 2\n", "s.yaml:5: day: unknown key; did you mean 'days'?"),
        ("id: pv\n", "id: pv\n        tmplate: x\n", "s.yaml:12: houses[0].devices[1].tmplate: unknown key; did you mean 'template'?"),
        (", load_profile: dish}", ", load_profle: dish}", "s.yaml:10: houses[0].devices[0].load_profle: unknown key; did you mean 'load_profile'?"),
        ("registered:", "zzz: 1, registered:", "s.yaml:16: jobs[0].zzz: unknown key; known: device, earliest_start, house, id, latest_start, load_profile, registered"),
        ("issued: ", "isued: 1, issued: ", "s.yaml:14: houses[0].devices[1].predictions[0].isued: unknown key; did you mean 'issued'?"),
        (POINTS, "poitns: []", "s.yaml:6: load_profiles.dish.poitns: unknown key; did you mean 'points'?"),
        ("{import_eur", "{co2: 1, import_eur", "s.yaml:17: tariff.co2: unknown key; known: feed_in_eur_per_kwh, grid_kg_co2_per_kwh, import_eur_per_kwh, neighbour_eur_per_kwh"),
        ("type: consumer", "type: consumr", "s.yaml:10: houses[0].devices[0].type: 'consumer' or 'producer' is expected, not 'consumr'; did you mean 'consumer'?"),
        ("type: consumer, ", "type: consumer, gateway: {adapter: tasmota, topic: t, waiting: {above_w: 8, below_w: 1, within_s: 60}}, ", "s.yaml:10: houses[0].devices[0].gateway.waiting.below_w: more than above_w is expected: no power is between them"),
        ("type: consumer, ", "", "s.yaml:10: houses[0].devices[0].type: required ('consumer' or 'producer')"),
        ("consumer, ", "consumer, predictions: [], ", "s.yaml:10: houses[0].devices[0].predictions: a consumer has no predictions; a panel is 'type: producer'"),
        ("type: producer", "type: producer\n        load_profile: dish", "s.yaml:13: houses[0].devices[1].load_profile: a producer has no load profile; a device that draws energy is 'type: consumer'"),
        ("name: street", "name: my street", "s.yaml:2: name: at most 100 letters, digits, - and _ are expected, not 'my street'"),
        ("seed: 1", "seed: -1", "s.yaml:4: seed: at least 0 is expected, not -1"),
        ("seed: 1", "seed: one", "s.yaml:4: seed: a whole number is expected, not 'one'"),
        ("seed: 1", "seed: 1.5", "s.yaml:4: seed: a whole number is expected, not 1.5"),
        ("seed: 1", "seed: 1e400", "s.yaml:4: seed: a whole number is expected, not '1e400'"),
        ("seed: 1", "seed: true", "s.yaml:4: seed: a whole number is expected, not true"),
        ("seed: 1", "seed:", "s.yaml:4: seed: a whole number is expected, not nothing"),
        ("seed: 1", "seed: 1\ndays: 0", "s.yaml:5: days: at least 1 is expected, not 0"),
        ("seed: 1", "seed: 1\ndays: 1.5", "s.yaml:5: days: a whole number is expected, not 1.5"),
        ("seed: 1", "seed: 1\ndescription: [x]", "s.yaml:5: description: text is expected, not a list"),
        ("seed: 1", "seed: 1\nalgorithm: 7", "s.yaml:5: algorithm: text is expected, not 7"),
        ("seed: 1", "seed: 1\nalgorithm: insert", "s.yaml:5: algorithm: there is no algorithm 'insert'; did you mean 'insertion'?"),
        ("0.35", "cheap", "s.yaml:17: tariff.import_eur_per_kwh: a number is expected, not 'cheap'"),
        ("grid_kg_co2_per_kwh: 0.4", "grid_kg_co2_per_kwh: -1", "s.yaml:17: tariff.grid_kg_co2_per_kwh: at least 0 is expected, not -1"),
        (", grid_kg_co2_per_kwh: 0.4", "", "s.yaml:17: tariff.grid_kg_co2_per_kwh: required (emissions of a kWh from the grid)"),
        ("version: 1", "version: one", "s.yaml:1: version: 1 is expected, not 'one'"),
        ("version: 1\n", "", "s.yaml:1: version: required (version of this format)"),
        ("import_eur_per_kwh: 0.35", "import_eur_per_kwh: 0,35", "s.yaml:17: tariff.35: unknown key; a number has a decimal point, not a comma"),
        ("tariff: {", "tariff: {35: 1, ", "s.yaml:17: tariff.35: unknown key; known: feed_in_eur_per_kwh, grid_kg_co2_per_kwh, import_eur_per_kwh, neighbour_eur_per_kwh"),
        ("version: 1", "version: 2", "s.yaml:1: version: written for a newer ssmic: format version 2; this one reads version 1"),
    ],
)  # fmt: skip
def test_keys_and_values(old: str, new: str, message: str) -> None:
    """Unknown keys are refused with the nearest known one; nothing is guessed from a value of the wrong kind."""
    assert message in changed(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2026-06-21T00:00:00+02:00", "2026-06-21T06:00", f"s.yaml:3: start: {NAIVE}"),
        ("2026-06-21T00:00:00+02:00", "2026-06-21", "s.yaml:3: start: '2026-06-21' has no UTC offset; write for example 2026-06-21T00:00:00+02:00, or ...Z for UTC"),
        ("2026-06-21T00:00:00+02:00", '"06:00"', 's.yaml:3: start: "06:00" counts from the start, which itself needs a date'),
        ("2026-06-21T00:00:00+02:00", "monday", f"s.yaml:3: start: 'monday' is not a time; expected {START}"),
        ("2026-06-21T00:00:00+02:00", "2026-06-21T00:00:00+02:60", f"s.yaml:3: start: '2026-06-21T00:00:00+02:60' is not a time; expected {START}"),
        ("2026-06-21T00:00:00+02:00", "-5", "s.yaml:3: start: -5 is not a time between the years 1970 and 9999"),
        ("2026-06-21T00:00:00+02:00", "[]", 's.yaml:3: start: a time is expected: UNIX seconds, an ISO time with its offset, or "HH:MM" after the start, not a list'),
        ('"06:00"', "2026-06-21T06:00", f"s.yaml:16: jobs[0].registered: {NAIVE}"),
        ('"06:00"', "2026-06-21T06:00:00.5Z", "s.yaml:16: jobs[0].registered: '2026-06-21T06:00:00.5Z' has a fraction of a second; times are whole seconds"),
        ('"06:00"', "06:60", f"s.yaml:16: jobs[0].registered: '06:60' is not a time; expected {TIME}"),
        ('"06:00"', "1.5", 's.yaml:16: jobs[0].registered: a time is expected: UNIX seconds, an ISO time with its offset, or "HH:MM" after the start, not 1.5'),
        ('"06:00"', "3600", "s.yaml:16: jobs[0].registered: 1970-01-01T01:00:00Z is before the run starts (2026-06-20T22:00:00Z)"),
        ('"06:00"', "17:00", "s.yaml:16: jobs[0].latest_start: 16:00 is before the job is registered (17:00)"),
        ('"08:00"', "2062-06-21T08:00Z", "s.yaml:16: jobs[0].earliest_start: 2062-06-21T08:00:00Z is more than 3660 days after the run starts (2026-06-20T22:00:00Z)"),
        ('"00:00"', "2062-06-21T08:00Z", "s.yaml:14: houses[0].devices[1].predictions[0].issued: 2062-06-21T08:00:00Z is more than 3660 days after the run starts (2026-06-20T22:00:00Z)"),
        ('"08:00"', "16:01", "s.yaml:16: jobs[0].latest_start: 16:00 is before the earliest start 16:01"),
        ('"08:00"', "1782050401", "s.yaml:16: jobs[0].latest_start: 16:00 is before the earliest start 1782050401 (2026-06-21T14:00:01Z)"),
        ('"00:00"', "2026-06-20T21:59:59Z", 's.yaml:14: houses[0].devices[1].predictions[0].issued: 2026-06-20T21:59:59Z is before the run starts (2026-06-20T22:00:00Z); what is known from the beginning is issued at "00:00"'),
        ('["05:00", 120.5]', '["5 o\'clock", 120.5]', f"s.yaml:14: houses[0].devices[1].predictions[0].points[1][0]: \"5 o'clock\" is not a time; expected {TIME}"),
    ],
)  # fmt: skip
def test_times(old: str, new: str, message: str) -> None:
    """No time zone is guessed, and jobs have a window that exists."""
    assert message in changed(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("15.3", "x", "s.yaml:6: load_profiles.dish.points[1][1]: a number is expected, not 'x'"),
        ("15.3", '"15.3"', "s.yaml:6: load_profiles.dish.points[1][1]: a number is expected, not '15.3'"),
        ("15.3", ".nan", "s.yaml:6: load_profiles.dish.points[1][1]: a finite number is expected, not nan"),
        ("15.3", "-.inf", "s.yaml:6: load_profiles.dish.points[1][1]: a finite number is expected, not -inf"),
        ("15.3", "-1", "s.yaml:6: load_profiles.dish.points[1]: -1 Wh is less than 0 Wh before; cumulative energy must not decrease"),
        ("15.3", "1e15", "s.yaml:6: load_profiles.dish.points[1]: 1e+15 Wh is out of range; at most 1e+12 are possible"),
        ("[[0, 0], [60, 15.3]]", "[[0, -1e12], [60, 1e12]]", "s.yaml:6: load_profiles.dish.points[1]: 2e+12 Wh in all are out of range; at most 1e+12 are possible"),
        (POINTS, "step_s: 3600, power_w: [1.7e308, 1.7e308]", "s.yaml:6: load_profiles.dish.power_w: inf Wh is out of range; at most 1e+12 are possible"),
        ("[60, 15.3]", "[31622401, 15.3]", "s.yaml:6: load_profiles.dish.points[1]: a load profile lasts at most 31622400 s, not 31622401 s"),
        ("[60, 15.3]", "[0, 15.3]", "s.yaml:6: load_profiles.dish.points[1]: the time 0 is not after 0; times must increase"),
        ("[0, 0], ", "[90, 0], ", "s.yaml:6: load_profiles.dish.points[0]: the first point of a load profile is at 0 s, not at 90 s"),
        (", [60, 15.3]", "", "s.yaml:6: load_profiles.dish.points: at least two points are needed, found one"),
        (POINTS, "points: []", "s.yaml:6: load_profiles.dish.points: at least two points are needed, found none"),
        ("[60, 15.3]", "[60]", "s.yaml:6: load_profiles.dish.points[1]: a point is two numbers: [time, cumulative Wh]"),
        ("[60, 15.3]", "[60, 1, 2]", "s.yaml:6: load_profiles.dish.points[1]: a point is two numbers: [time, cumulative Wh]"),
        ("[60, 15.3]", "60", "s.yaml:6: load_profiles.dish.points[1]: a point is two numbers: [time, cumulative Wh], not 60"),
        (f"{{{POINTS}}}", "{}", "s.yaml:6: load_profiles.dish: exactly one of 'points', 'file', or 'power_w' with 'step_s' is expected; found none"),
        (POINTS, f"{POINTS}, file: x.csv", "s.yaml:6: load_profiles.dish: exactly one of 'points', 'file', or 'power_w' with 'step_s' is expected; found 'points' and 'file'"),
        (POINTS, "power_w: [1]", "s.yaml:6: load_profiles.dish: 'step_s' and 'power_w' go together; 'step_s' is missing"),
        (POINTS, "step_s: 0, power_w: [1]", "s.yaml:6: load_profiles.dish.step_s: at least 1 is expected, not 0"),
        (POINTS, "step_s: 60, power_w: [1, -2]", "s.yaml:6: load_profiles.dish.power_w[1]: at least 0 is expected, not -2"),
        (POINTS, "step_s: 60, power_w: []", "s.yaml:6: load_profiles.dish.power_w: is empty; at least one is needed"),
        (POINTS, "file: x.csv", "s.yaml:6: load_profiles.dish.file: a file cannot be referred to here"),
        (SUN, "power_w: [1]", "s.yaml:14: houses[0].devices[1].predictions[0]: 'start' and 'step_s' and 'power_w' go together; 'start' and 'step_s' are missing"),
        (SUN, "step_s: 60, power_w: [1]", "s.yaml:14: houses[0].devices[1].predictions[0]: 'start' and 'step_s' and 'power_w' go together; 'start' is missing"),
        (SUN, 'points: [["05:00", 0], ["04:00", 1]]', "s.yaml:14: houses[0].devices[1].predictions[0].points[1]: the time 1782007200 is not after 1782010800; times must increase"),
    ],
)  # fmt: skip
def test_energy_over_time(old: str, new: str, message: str) -> None:
    """A series is at least two points, its times rise, its energy never falls, its numbers are finite."""
    assert message in changed(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("load_profile: dish}", "load_profile: disc}", "s.yaml:10: houses[0].devices[0].load_profile: there is no load profile 'disc'; did you mean 'dish'?"),
        (", load_profile: dish}", "}", "s.yaml:16: jobs[0].load_profile: required; neither the job nor device 'dishwasher' names one"),
        ('house: "1"', 'house: "2"', "s.yaml:16: jobs[0].house: there is no house '2'; known: 1"),
        ("device: dishwasher", "device: dishwashr", "s.yaml:16: jobs[0].device: house '1' has no device 'dishwashr'; did you mean 'dishwasher'?"),
        ("device: dishwasher", "device: pv", "s.yaml:16: jobs[0].device: 'pv' is a producer; a job runs on a consumer"),
        (DISH, f"{DISH}\n      - {DISH}", "s.yaml:11: houses[0].devices[1].id: house '1' already has a device 'dishwasher'"),
        ("jobs:", '  - id: "1"\njobs:', "s.yaml:15: houses[1].id: house '1' already exists"),
        ("jobs:", '  - {id: "2", devices: [{id: pv, type: producer, predictions: [{issued: 0:00, start: 0:00, step_s: 9, power_w: [1]}]}]}\njobs:', "s.yaml:15: houses[1].devices[0].id: producer 'pv' already exists; a producer's id is unique in the neighbourhood"),
        ("id: pv", "id: 1/dishwasher", "s.yaml:11: houses[0].devices[1].id: '1/dishwasher' is the agent's id of another device (s.yaml:10: houses[0].devices[0])"),
        ("id: pv", "id: grid", "s.yaml:11: houses[0].devices[1].id: 'grid' is reserved; give the producer another id"),
        ('id: "1"', "id: manager", "s.yaml:8: houses[0].id: 'manager' is reserved; give the house another id"),
        ('id: "1"', "id: clock", "s.yaml:8: houses[0].id: 'clock' is reserved; give the house another id"),
        ('id: "1"', 'id: ""', "s.yaml:8: houses[0].id: is empty"),
        ('id: "1"', "id: 1.5", "s.yaml:8: houses[0].id: text is expected, not 1.5"),
        (f'predictions:\n          - {{issued: "00:00", {SUN}}}', "predictions: []", "s.yaml:13: houses[0].devices[1].predictions: is empty; at least one is needed"),
        (f'        predictions:\n          - {{issued: "00:00", {SUN}}}\n', "", "s.yaml:11: houses[0].devices[1].predictions: required (its expected production)"),
        (f'- {{issued: "00:00", {SUN}}}', f'- {{issued: "00:00", {SUN}}}\n          - {{issued: 0:00, {SUN}}}', "s.yaml:15: houses[0].devices[1].predictions[1].issued: another prediction is issued at this time (2026-06-20T22:00:00Z)"),
    ],
)  # fmt: skip
def test_names_and_references(old: str, new: str, message: str) -> None:
    """Ids are unique where they have to be, and what is named exists."""
    assert message in changed(old, new)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["s.yaml: is empty"]),
        ("# only a comment\n", ["s.yaml: is empty"]),
        ("- a\n- b\n", ["s.yaml: keys are expected (version, name, start, ...)"]),
        ("just text", ["s.yaml: keys are expected (version, name, start, ...)"]),
        ("a: [1\nb: 2\n", ["s.yaml:2: invalid YAML: did not find expected ',' or ']' (while parsing a flow sequence, which began on line 1)"]),
        ("a:\n\tb: 1\n", ["s.yaml:2: invalid YAML: found character that cannot start any token (while scanning for the next token, which began on line 2); a tab cannot indent, use spaces"]),
        ("a: 'x\n", ["s.yaml:2: invalid YAML: found unexpected end of stream (while scanning a quoted scalar, which began on line 1)"]),
        ("a: \x07\n", ["s.yaml: invalid YAML: unacceptable character #x0007: control characters are not allowed"]),
        ("a: 1\nb: 2\na: 3\nb: 4\n", ["s.yaml:3: duplicate key 'a'; the first one is on line 1", "s.yaml:4: duplicate key 'b'; the first one is on line 2"]),
        ("a: 1\n---\nb: 1\n", ["s.yaml:2: a second document; a file holds one scenario"]),
        ("a: !!python/object/apply:os.system [ls]\n", ["s.yaml:1: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not supported"]),
        ("? [a]\n: 1\n", ["s.yaml:1: a key is text, not a list or a mapping"]),
        ("a: *b\n", ["s.yaml:1: the alias *b refers to nothing above it (or to itself)"]),
        ("a: &b [*b]\n", ["s.yaml:1: the alias *b refers to nothing above it (or to itself)"]),
        ("a: " + "[" * 60 + "]" * 60, ["s.yaml:1: nested more than 50 deep"]),
    ],
)  # fmt: skip
def test_yaml_that_is_not_a_scenario_is_refused(text: str, messages: list[str]) -> None:
    """The line is named if it is known."""
    assert mistakes(text) == messages


def test_aliases_cannot_grow_without_bound() -> None:
    """Twenty lines can stand for more values than memory holds; they are counted before they are expanded."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20)]

    assert mistakes("\n".join(lines)) == ["s.yaml:7: more than 5000000 values, including those of aliases"]


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "a: " + "[" * 100_000 + "]" * 100_000, "- " * 100_000 + "1"])
def test_a_text_nested_a_hundred_thousand_deep_is_refused(text: str) -> None:
    """A reader that builds the whole tree first ends the process here."""
    assert mistakes(text) == ["s.yaml:1: nested more than 50 deep"]


def test_a_syntax_error_hides_no_mistake_before_it() -> None:
    """All mistakes before the unreadable line are reported at once."""
    assert mistakes("a: 1\na: 2\nb: !t 3\nc: [\n") == [
        "s.yaml:2: duplicate key 'a'; the first one is on line 1",
        "s.yaml:3: the tag '!t' is not supported",
        "s.yaml:5: invalid YAML: did not find expected node content (while parsing a flow node, which began on line 5)",
    ]


def test_an_anchor_may_be_defined_again() -> None:
    """YAML 1.2, section 7.1: an alias refers to the last anchor of its name before it."""
    assert parse_yaml("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "s.yaml") == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_all_mistakes_come_at_once_in_the_order_of_lines() -> None:
    """A broken part hides no other mistake, and causes no false ones."""
    text = GOOD.replace("seed: 1", "sead: 1").replace("15.3", "x").replace("type: consumer", "type: consumr")
    text = text.replace('"08:00"', '"17:00"').replace('issued: "00:00"', "issued: soon")
    text = text.replace("jobs:\n", "jobs:\n  - {house: 3}\n")

    assert [line.split(": ", 1)[0] + ": " + line.split(": ", 2)[1] for line in mistakes(text)] == [
        "s.yaml:1: seed",
        "s.yaml:4: sead",
        "s.yaml:6: load_profiles.dish.points[1][1]",
        "s.yaml:10: houses[0].devices[0].type",
        "s.yaml:14: houses[0].devices[1].predictions[0].issued",
        "s.yaml:16: jobs[0].device",
        "s.yaml:16: jobs[0].registered",
        "s.yaml:16: jobs[0].earliest_start",
        "s.yaml:16: jobs[0].latest_start",
        "s.yaml:16: jobs[0].house",
        "s.yaml:17: jobs[1].latest_start",
    ]


def places(text: str) -> list[str]:
    """Return line and key of each mistake."""
    return [line.split(": ")[0].removeprefix("s.yaml:") + " " + line.split(": ")[1] for line in mistakes(text)]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({POINTS: "points: [[0, 0], [60, .nan], [50, 7], [40, 6], [x, 9], [30, 9]]"}, [
            "6 load_profiles.dish.points[1][1]", "6 load_profiles.dish.points[4][0]", "6 load_profiles.dish.points[2]",
            "6 load_profiles.dish.points[3]", "6 load_profiles.dish.points[5]", "6 load_profiles.dish.points[3]",
        ]),
        ({SUN: 'points: [["04:00", 5], ["05:00", .inf], ["04:30", 4], [soon, 3]]'}, [
            "14 houses[0].devices[1].predictions[0].points[1][1]", "14 houses[0].devices[1].predictions[0].points[2]",
            "14 houses[0].devices[1].predictions[0].points[2]", "14 houses[0].devices[1].predictions[0].points[3]",
        ]),
        ({SUN: 'points: [["04:00", 5], [soon, 4], ["03:00", 6]]'}, [
            "14 houses[0].devices[1].predictions[0].points[1][0]", "14 houses[0].devices[1].predictions[0].points[2]",
            "14 houses[0].devices[1].predictions[0].points[1]",
        ]),
        ({'house: "1"': "house: [1]", "device: dishwasher": "device: 1.5", '"06:00"': "soon", '"08:00"': "17:00"}, [
            "16 jobs[0].house", "16 jobs[0].device", "16 jobs[0].registered", "16 jobs[0].latest_start",
        ]),
        ({'house: "1"': 'house: "2"', '"06:00"': "[]", '"08:00"': "17:00"}, [
            "16 jobs[0].registered", "16 jobs[0].house", "16 jobs[0].latest_start",
        ]),
        ({"start: 2026-06-21T00:00:00+02:00": "start: monday", '"08:00"': "2026-06-21T08:00Z", '"16:00"': "2026-06-21T07:00Z"}, [
            "3 start", "16 jobs[0].latest_start",
        ]),
        ({"start: 2026-06-21T00:00:00+02:00": "start: []", "15.3": "-1", "load_profile: dish}": "load_profile: disc}"}, [
            "3 start", "6 load_profiles.dish.points[1]", "10 houses[0].devices[0].load_profile",
        ]),
        ({'{issued: "00:00"': "{issued: {}", '["05:00", 120.5]': '["03:00", 120.5]'}, [
            "14 houses[0].devices[1].predictions[0].issued", "14 houses[0].devices[1].predictions[0].points[1]",
        ]),
        ({DISH: f"{{id: dishwasher, type: consumer, name: [], load_profile: 1.5}}\n      - {DISH}"}, [
            "10 houses[0].devices[0].name", "10 houses[0].devices[0].load_profile", "11 houses[0].devices[1].id",
        ]),
        ({'id: "1"': 'idd: "1"', '"08:00"': "17:00"}, ["8 houses[0].id", "8 houses[0].idd", "16 jobs[0].latest_start"]),
        ({"{id: dishwasher,": "{di: dishwasher,", '"08:00"': "17:00"}, [
            "10 houses[0].devices[0].id", "10 houses[0].devices[0].di", "16 jobs[0].latest_start",
        ]),
        ({'- id: "1"\n    devices': "- devices", "load_profile: dish}": "load_profile: disc}", SUN: "file: none.csv"}, [
            "8 houses[0].id", "9 houses[0].devices[0].load_profile", "13 houses[0].devices[1].predictions[0].file",
        ]),
        ({'id: "1"': "id: [1]", "id: pv\n": "name: pv\n", SUN: "file: none.csv"}, [
            "8 houses[0].id", "11 houses[0].devices[1].id", "14 houses[0].devices[1].predictions[0].file",
        ]),
        ({DISH: f"{{type: consumer, load_profile: disc}}\n      - {{id: [], type: consumer}}\n      - {DISH}"}, [
            "10 houses[0].devices[0].id", "10 houses[0].devices[0].load_profile", "11 houses[0].devices[1].id",
        ]),
        ({'- id: "1"\n    devices:': f"- devices: [{{id: pv, type: consumer}}]\n  - devices:\n      - {DISH}"}, [
            "8 houses[0].id", "9 houses[1].id", "11 houses[1].devices[1].id",
        ]),
        ({f"load_profiles:\n  dish: {{{POINTS}}}": "load_profiles: 7", '"08:00"': "17:00"}, [
            "5 load_profiles", "15 jobs[0].latest_start",
        ]),
        ({"houses:": "house:", '"08:00"': "17:00"}, ["1 houses", "7 house", "16 jobs[0].latest_start"]),
    ],
)  # fmt: skip
def test_a_mistake_hides_no_other(changes: dict[str, str], found: list[str]) -> None:
    """All readable parts are checked, and no message complains about parts that are missing because of a mistake."""
    text = GOOD
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)

    assert sorted(places(text)) == sorted(found)
    assert not any("unknown 0" in line or "\0" in line for line in mistakes(text))


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (None, ["s.csv: there is no such file"]),
        (b"", ["s.csv: is empty; lines of 'seconds Wh' are expected"]),
        (b"\n\n", ["s.csv: is empty; lines of 'seconds Wh' are expected"]),
        (b"0 0\n", ["s.csv: at least two points are needed, found one"]),
        (b"seconds,wh\n0,0\n60,x\n", ["s.csv:1: a number is expected, not 'seconds'", "s.csv:1: a number is expected, not 'wh'", "s.csv:3: a number is expected, not 'x'"]),
        (b"0 0\n60\n", ["s.csv:2: two columns are expected (seconds, cumulative Wh), there is 1: '60'"]),
        (b"0,0,0\n60,1,1\n", ["s.csv:1: two columns are expected (seconds, cumulative Wh), there are 3: '0,0,0'", "s.csv:2: two columns are expected (seconds, cumulative Wh), there are 3: '60,1,1'"]),
        (b"0 0\n60 nan\n120 inf", ["s.csv:2: a finite number is expected, not 'nan'", "s.csv:3: a finite number is expected, not 'inf'"]),
        (b"0 0\n60 nan\n50 7\n40 inf\n30 6\n", ["s.csv:2: a finite number is expected, not 'nan'", "s.csv:3: the time 50 is not after 60; times must increase", "s.csv:4: a finite number is expected, not 'inf'", "s.csv:4: the time 40 is not after 50; times must increase", "s.csv:5: the time 30 is not after 40; times must increase", "s.csv:5: 6 Wh is less than 7 Wh before; cumulative energy must not decrease"]),
        ("0 0\n6_0 1_0\n१२ २३\n".encode(), ["s.csv:2: a number is expected, not '6_0'", "s.csv:2: a number is expected, not '1_0'", "s.csv:3: a number is expected, not '१२'", "s.csv:3: a number is expected, not '२३'"]),
        (b"0 0\n60.5 1\n", ["s.csv:2: whole seconds are expected, not '60.5'"]),
        (b"0 0\n60 5\n\n120 4\n", ["s.csv:4: 4 Wh is less than 5 Wh before; cumulative energy must not decrease"]),
        (b"0 0\n120 5\n60 6\n", ["s.csv:3: the time 60 is not after 120; times must increase"]),
        (b"60 0\n120 5\n", ["s.csv:1: the first point of a load profile is at 0 s, not at 60 s"]),
        (b"\x00\x01\x02\xff", ["s.csv: is not a text file, or not in UTF-8 (byte 4)"]),
        (b"0 0\n\x00 1\n", ["s.csv: is not a text file: it contains NUL bytes"]),
        (b"x\n" * 12, [*(f"s.csv:{i}: two columns are expected (seconds, cumulative Wh), there is 1: 'x'" for i in range(1, 11)), "s.csv: and 2 more problems"]),
    ],
)  # fmt: skip
def test_mistakes_in_files_next_to_the_scenario(tmp_path: Path, content: bytes | None, messages: list[str]) -> None:
    """The message names the file's line, and where the file is named."""
    if content is not None:
        (tmp_path / "s.csv").write_bytes(content)

    found = mistakes(GOOD.replace(POINTS, "file: s.csv"), tmp_path)

    assert found == [f"s.yaml:6: load_profiles.dish.file: {tmp_path}/{message}" for message in messages]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file, or not in UTF-8 (byte 1)"),
        ("name: Straße".encode("latin-1"), "is not a text file, or not in UTF-8 (byte 11)"),
        (
            b"SQLite format 3\x00\x10\x00",
            "is an SQLite file, not a text file; `ssmic results scenario` writes the scenario in a results file",
        ),
        ("version: 1".encode("utf-16"), "is a text file in UTF-16; save it in UTF-8"),
    ],
)
def test_a_file_that_is_not_text(tmp_path: Path, content: bytes, message: str) -> None:
    """A picture, a database."""
    path = tmp_path / "s.yaml"
    path.write_bytes(content)

    assert [str(problem) for problem in problems_of(path)] == [f"{path}: {message}"]


@pytest.mark.parametrize(
    ("begin", "what"),
    [
        (b"<neighborhood/>", "contains no house with a device"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><html/>", "a root element <neighborhood> is expected, not <html>"),
        (b"\x80\x04N.", "contains no PySSMic neighbourhood"),
    ],
)
def test_another_programs_input_is_recognised(tmp_path: Path, begin: bytes, what: str) -> None:
    """Its type does not depend on its name, and it is not called bad YAML."""
    path = tmp_path / "esn"
    path.write_bytes(begin)

    assert [str(problem) for problem in problems_of(path)] == [f"{path}: {what}"]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a file without an end is needed")
def test_an_endless_file_is_refused() -> None:
    """Its length is unknown before it is read."""
    assert [str(problem) for problem in problems_of(Path("/dev/zero"))] == ["/dev/zero: larger than 64 MB"]


def test_a_missing_file(tmp_path: Path) -> None:
    """The message names the path."""
    assert [str(problem) for problem in problems_of(tmp_path / "none.yaml")] == [
        f"{tmp_path}/none.yaml: there is no such file"
    ]


VALUES = st.recursive(
    st.sampled_from([None, True, 0, -1, 10**30, 1e308, "", "x", "1", "06:00", "2026-06-21T00:00Z", "producer", "pv"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "points", "zz"]), inner),
    max_leaves=4,
)


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_other_value_anywhere_is_a_message(data: st.DataObject) -> None:
    """Any file loads, or is refused with a problem that has a place."""
    tree = json.loads(json.dumps(parse_yaml(GOOD, "s.yaml")))
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = tree
        while True:
            if not isinstance(node, dict | list) or not node:
                break
            key: Any = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
                node[key] = data.draw(VALUES)
                break
            node = node[key]

    for line in mistakes(json.dumps(tree)):
        assert line.startswith("s.yaml:1: ")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (r'"a\nb"', r"'a\nb' contains a line break (U+000A, character 2)"),
        (r'"a\0"', r"'a\x00' contains a control character (U+0000, character 2)"),
        (r'"\0unknown"', r"'\x00unknown' contains a control character (U+0000, character 1)"),
        (r'"a\u200bb"', r"'a\u200bb' contains an invisible character (U+200B, character 2)"),
        (r'"a\u202eb"', r"'a\u202eb' contains an invisible character (U+202E, character 2)"),
    ],
)
def test_an_id_that_no_broker_accepts_is_reported_with_its_place(written: str, reason: str) -> None:
    """It is reported at the house and at every job that names it."""
    text = GOOD.replace('id: "1"', f"id: {written}").replace('house: "1"', f"house: {written}")
    rest = "; an id has visible characters and plain spaces only"
    assert mistakes(text) == [f"s.yaml:8: houses[0].id: {reason}{rest}", f"s.yaml:16: jobs[0].house: {reason}{rest}"]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("id: dishwasher,", 'id: "dish\\rwasher",', "s.yaml:10: houses[0].devices[0].id"),
        ("id: pv", 'id: " pv"', "s.yaml:11: houses[0].devices[1].id"),
        ('registered: "06:00"', 'id: "x\\x7f", registered: "06:00"', "s.yaml:16: jobs[0].id"),
        ("  dish: {", '  "dish\\n": {', "s.yaml:6: load_profiles.'dish\\n'"),
    ],
)
def test_every_kind_of_id_follows_the_rule(old: str, new: str, where: str) -> None:
    """Devices, producers, jobs and load profiles."""
    assert any(message.startswith(f"{where}: ") for message in changed(old, new))


def test_a_time_that_stands_for_nothing_is_a_mistake() -> None:
    """Users cannot write the internal substitute for unreadable times."""
    assert changed('earliest_start: "08:00"', r'earliest_start: "\0unknown"') == [
        f"s.yaml:16: jobs[0].earliest_start: {A_TIME}, not '\\x00unknown'"
    ]


def test_ids_that_look_the_same_are_the_same() -> None:
    """A house with a composed umlaut, a job that names it with a decomposed one."""
    text = GOOD.replace('id: "1"', 'id: "M\u00fcller"').replace('house: "1"', 'house: "Mu\u0308ller"')
    assert mistakes(text) == []
    assert load_text(text, "s.yaml", None).jobs[0].house == "M\u00fcller"


def test_two_ids_that_look_the_same_are_reported() -> None:
    """This covers houses, and load profiles, which are keys."""
    houses = 'houses:\n  - {id: "M\u00fcller"}\n  - {id: "Mu\u0308ller"}\n'
    assert changed("houses:\n", houses) == ["s.yaml:9: houses[1].id: house 'M\u00fcller' already exists"]
    profile = '  "w\u00e4sche": {points: [[0, 0], [60, 1]]}\n  "wa\u0308sche": {points: [[0, 0], [60, 2]]}\n'
    message = "load profile 'w\u00e4sche' already exists; the names differ only in Unicode form"
    assert changed("  dish: {", f"{profile}  dish: {{") == [f"s.yaml:7: load_profiles.'wa\u0308sche': {message}"]


def test_late_promises_and_strategies_do_not_go_with_shared_supply() -> None:
    """They would silently have no effect; each is refused at its key."""
    text = GOOD.replace("seed: 1\n", "seed: 1\npromise: late\nstrategy: mine\n")
    late = (
        "'early' is expected, not 'late', with supply 'shared': no job is pushed out, because jobs share the production"
    )
    strategy = "none is expected with supply 'shared', whose consumers have their own strategy"
    assert mistakes(text.replace("seed: 1\n", "seed: 1\nsupply: shared\n")) == [
        f"s.yaml:6: promise: {late}",
        f"s.yaml:7: strategy: {strategy}",
    ]
    with pytest.raises(SettingsError) as error:
        replace(load_text(text.replace("strategy: mine\n", ""), "s.yaml", None), strategy="mine").supplied("shared")
    assert error.value.problems == (f"promise: {late}", f"strategy: {strategy}")


@pytest.mark.parametrize("real", ['"1"', "1/x"])
def test_houses_whose_real_devices_could_take_each_others_job_ids_are_named(real: str) -> None:
    """A device `x` of house `1` may request the job `x/1`, and a device of house `1/x` its own."""
    other = "  - {id: 1/x, devices: [{id: washer, type: consumer}]}\njobs:"
    text = GOOD.replace("jobs:", other)
    assert mistakes(text) == []
    room = {'"1"': ('- id: "1"', '- id: "1"\n    guests: 1'), "1/x": ("id: 1/x", "id: 1/x, guests: 1")}
    assert mistakes(text.replace(*room[real])) == [
        f"s.yaml:{15 if real == '1/x' else 16}: houses[1].id: '1/x' begins with the id of house '1' and a slash, so the jobs of real devices and guests of the two could have the same ids; give one of the houses another id"
    ]


def test_guests_of_such_houses_are_refused_when_a_run_gives_them_room() -> None:
    """`ssmic run --guests 1` is not in the file."""
    scenario = load_text(GOOD.replace("jobs:", "  - {id: 1/x}\njobs:"), "s.yaml", None)
    assert with_guests(scenario, 0) == scenario
    with pytest.raises(ScenarioError, match="'1/x' begins with the id of house '1'"):
        with_guests(scenario, 1)
