"""Two mistakes in one file: neither hides the other, wherever they are."""

from __future__ import annotations

import random
import re
from itertools import combinations
from pathlib import Path

import pytest

from scenarios.errors import ScenarioError
from scenarios.files.scenario_from_text import load_text

RICH = """\
version: 1
name: rich
start: 2026-06-21T00:00:00
zone: Europe/Berlin
days: 2
seed: 1
algorithm: insertion
prefer: [covered]
load_profiles:
  dish:
    points: [[0, 0], [60, 15.3]]
  wash:
    step_s: 60
    power_w: [100, 200]
houses:
  - id: a
    guests: 1
    base_load:
      file: meter.csv
      columns:
        time: time
        value: load
      unit: kWh
      reading: interval
      zone: Europe/Berlin
    devices:
      - id: washer
        type: consumer
        load_profile: wash
        gateway:
          answer_s: 60
      - id: pv-a
        type: producer
        predictions:
          - issued: "00:00"
            start: "06:00"
            step_s: 3600
            power_w: [100, 900, 3000]
        actual:
          file: meter.csv
          columns:
            time: time
            value: pv
          unit: kWh
          reading: interval
          zone: Europe/Berlin
jobs:
  - house: a
    device: washer
    load_profile: dish
    registered: "06:00"
    earliest_start: "08:00"
    latest_start: "12:00"
tariff:
  import_eur_per_kwh: 0.3
  feed_in_eur_per_kwh: 0.08
  neighbour_eur_per_kwh: 0.1
  grid_kg_co2_per_kwh: 0.4
timeline:
  - at: "09:40"
    do: cloud
    producers: [pv-a]
    factor: 0.15
    duration: 3h
    repeat:
      every: 1d
      times: 2
  - at: +2h
    do: offline
    house: a
    duration: 90m
  - when:
      job: a/washer
      turn: starts
    do: note
    text: hello
  - at: "10:30"
    do: add_job
    house: a
    device: washer
    load_profile: wash
    latest_start: "14:00"
  - at: "10:55"
    do: algorithm
    algorithm: SLSQP
expect:
  - that: self_sufficiency >= 60 %
    at: "12:00"
  - jobs_on_grid <= 3
"""
LINES = RICH.splitlines()
_ENTRY = re.compile(r"( *(?:- )?)(\w+):(.*)")
_NAMES = re.compile(r" *(- )?(id|house):")
"""Where a house or a device has no valid name, nothing is said of what it refers to, or what refers to it."""


def _mutations(line: str) -> list[str]:
    found = _ENTRY.fullmatch(line)
    if found is None:
        return []
    start, key, value = found.groups()
    values = [f"{start}{key}: {bad}" for bad in ("{q: 1}", "-7.5", "nonsense", '"25:61"')] if value else []
    return [*values, f"{start}{key}x:{value}"]


def _problems(changes: dict[int, str], folder: Path) -> list[str]:
    text = "\n".join(changes.get(number, line) for number, line in enumerate(LINES))
    try:
        load_text(text + "\n", "s.yaml", folder)
    except ScenarioError as error:
        return [str(problem) for problem in error.problems]
    return []


def _folder(tmp_path: Path) -> Path:
    rows = [f"2026-06-21 {hour:02}:00,0.2,{hour % 5}" for hour in range(24)]
    (tmp_path / "meter.csv").write_text("time,load,pv\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def _hidden(tmp_path: Path, count: int) -> list[str]:
    """Return which mistakes were hidden by which others, in so many pairs."""
    folder = _folder(tmp_path)
    assert _problems({}, folder) == []
    single: dict[tuple[int, str], list[str]] = {}
    candidates = [(number, text) for number, line in enumerate(LINES) for text in _mutations(line)]
    draw = random.Random(13)
    pairs = [pair for pair in combinations(candidates, 2) if pair[0][0] != pair[1][0]]
    hidden = []
    for one, other in draw.sample(pairs, count):
        both = _problems(dict([one, other]), folder)
        for mistake, cause in ((one, other), (other, one)):
            if mistake not in single:
                found = _problems(dict([mistake]), folder)
                single[mistake] = [problem for problem in found if problem.startswith(f"s.yaml:{mistake[0] + 1}:")]
            said = {problem.partition("; ")[0] for problem in both}  # what is known may be something else
            lost = [problem for problem in single[mistake] if problem.partition("; ")[0] not in said]
            if lost and not _NAMES.match(cause[1]):
                hidden.append(f"{cause} hides {lost}")
    return hidden


def test_a_mistake_does_not_hide_another(tmp_path: Path) -> None:
    """All of a file's problems are reported at once."""
    assert _hidden(tmp_path, 60) == []


@pytest.mark.long
def test_no_mistake_hides_another(tmp_path: Path) -> None:
    """The same with many more pairs."""
    assert _hidden(tmp_path, 3000) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unit: kWh": "unit: 25", "zone: Europe/Berlin": "zone: Europe/Berlim"}, ["unit", "zone"]),
        ({"load_profiles:": "load_profils:", "power_w: [100, 200]": "power_w: none"}, ["load_profils", "power_w"]),
        ({"do: offline": "do: ofline", "duration: 90m": "duration: long"}, ["do", "duration"]),
        ({"guests: 1": "guests: -1", "load_profile: dish": "load_profile: dsh"}, ["guests", "load_profile"]),
        (
            {
                'start: "06:00"': "points: [[2026-06-21T08:00, 0], [2026-06-21T06:00, 1], [09:30, many]]",
                "            step_s: 3600\n            power_w: [100, 900, 3000]\n": "",
            },
            ["'many'", "must increase"],
        ),
    ],
)
def test_each_of_two_related_mistakes_is_reported(tmp_path: Path, changes: dict[str, str], expected: list[str]) -> None:
    """One is in a part that the other one breaks."""
    text = RICH
    for old, new in changes.items():
        place = text.rindex(old)
        text = text[:place] + new + text[place + len(old) :]
    with pytest.raises(ScenarioError) as refused:
        load_text(text, "s.yaml", _folder(tmp_path))
    found = str(refused.value)
    assert len(refused.value.problems) == len(expected), found
    for key in expected:
        assert key in found
