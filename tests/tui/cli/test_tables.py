"""The command line's tables: times at the scenario's offset, and nothing important cut at any width."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.ended import Ssmic

LONG_JOB = "[57]:[219]:waschmaschine-im-keller-nr-12"
LONG_PROFILE = "washing-machine-cottons-60-degrees-with-prewash-and-extra-spin"
WIDE_HOUSE = "山田さんの家"
SCENARIO = f"""\
version: 1
name: wide
start: 2026-06-21T00:00:00+05:45
seed: 3
tariff: {{import_eur_per_kwh: 0.35, feed_in_eur_per_kwh: 0.08, neighbour_eur_per_kwh: 0.2,
  grid_kg_co2_per_kwh: 0.3}}
load_profiles:
  {LONG_PROFILE}: {{points: [[0, 0], [3600, 500]]}}
  kettle: {{points: [[0, 0], [600, 100]]}}
houses:
  - id: "{WIDE_HOUSE}"
    name: Yamada
    devices:
      - {{id: washer, type: consumer, load_profile: {LONG_PROFILE}}}
      - {{id: "☀️🌞-roof", type: consumer, load_profile: kettle}}
      - id: "pv-on-the-roof-of-the-house-of-the-yamada-family-south-1"
        type: producer
        predictions:
          - {{issued: "00:00", points: [["06:00", 0], ["18:00", 6000]]}}
jobs:
  - {{house: "{WIDE_HOUSE}", device: washer, id: "{LONG_JOB}", registered: "01:00", earliest_start: "08:00",
     latest_start: "08:00"}}
  - {{house: "{WIDE_HOUSE}", device: "☀️🌞-roof", id: tea, registered: "02:00", earliest_start: "20:00",
     latest_start: "20:00"}}
"""


@pytest.fixture
def file(ssmic: Ssmic) -> Path:
    """A run of a neighbourhood with long ids and wide characters, at an offset that is not a whole hour."""
    Path("wide.yaml").write_text(SCENARIO, encoding="utf-8")
    ended = ssmic("run", "wide.yaml", "--bus", "memory", "--out", "wide.sqlite", "--json")
    assert ended.code == 0, ended.err
    return Path("wide.sqlite")


@pytest.mark.parametrize("width", [80, 140, 200])
def test_no_line_is_too_wide_and_no_figure_is_cut(
    ssmic: Ssmic, file: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job is one line where its id fits; an id is complete, a profile's name on one line."""
    monkeypatch.setenv("COLUMNS", str(width))
    ended = ssmic("results", "show", file)

    assert ended.code == 0
    lines = ended.out.splitlines()
    assert all(cell_len(line) <= width for line in lines)
    begin = next(i for i, line in enumerate(lines) if line.startswith("Contracts"))
    contracts = lines[begin + 3 :]
    assert "08:00" in contracts[0]
    assert "0.50" in contracts[0]
    assert sum("washing" in line for line in contracts) == 1, "the profile's name stays on one line"
    assert len(contracts) <= (4 if width == 80 else 2)
    if width == 200:
        assert LONG_PROFILE in ended.out
        assert LONG_JOB in ended.out
    # At 80 the house's id takes a second line, its figures do not.
    assert any(line.startswith(WIDE_HOUSE[:5]) and line.rstrip().endswith("-0.40") for line in lines)


def test_no_figure_of_shared_supply_over_several_days_is_cut(ssmic: Ssmic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares and dates left no room: starts lost their hour and percentages their sign; profiles give way to them."""
    later = SCENARIO.replace(
        'earliest_start: "20:00",\n     latest_start: "20:00"', 'earliest_start: "32:00",\n     latest_start: "32:00"'
    )
    later = later.replace("[3600, 500]", "[3600, 900]")  # more than the roof gives
    Path("wide.yaml").write_text(f"supply: shared\n{later}", encoding="utf-8")
    assert ssmic("run", "wide.yaml", "--bus", "memory", "--out", "wide.sqlite", "--json").code == 0
    monkeypatch.setenv("COLUMNS", "80")
    shown = ssmic("results", "show", "wide.sqlite").out.partition("Contracts; ")[2]
    assert len(re.findall(r" 2026-06-2[12] \d\d:00 +\d\.\d\d +\d+\.\d %", shown)) == 2, shown
    assert max(map(cell_len, shown.splitlines())) <= 80


def test_places_that_no_guest_has_taken_are_not_listed_as_suppliers(ssmic: Ssmic) -> None:
    """In a street of a hundred houses, `--guests 2` would list two hundred roofs that do not exist."""
    ended = ssmic("run", "sunny", "--days", "1", "--guests", "2", "--pace", "100000x")
    assert "from pv-adler" in ended.out
    assert "guest" not in ended.out
    (run,) = ssmic("results", "show", "latest", "--json").json["runs"]
    assert "pv-adler" in run["by_producer"]
    assert not [producer for producer in run["by_producer"] if "guest" in producer]


def test_times_are_shown_at_the_scenarios_offset_and_in_utc_on_demand(ssmic: Ssmic, file: Path) -> None:
    """The heading states the zone."""
    own, utc = ssmic("results", "show", file).out, ssmic("results", "show", file, "--utc").out
    assert "start times +05:45 on 2026-06-21" in own
    assert "08:00" in own
    assert "20:00" in own
    assert "start times UTC on 2026-06-21" in utc
    assert "02:15" in utc
    assert "08:00" not in utc
    one = ssmic("results", "show", file, "--house", WIDE_HOUSE).out
    assert f'House "Yamada" (id {WIDE_HOUSE})' in one
    assert "+05:45" in one


def test_results_without_an_offset_are_shown_in_utc_with_a_notice(ssmic: Ssmic, file: Path) -> None:
    """They are files of the first versions."""
    with closing(sqlite3.connect(file)) as db, db:
        (text,) = db.execute("SELECT scenario_json FROM simulation").fetchone()
        scenario = json.loads(text)
        assert scenario.pop("utc_offset_s") == 20_700
        db.execute("UPDATE simulation SET scenario_json = ?", (json.dumps(scenario, separators=(",", ":")),))
    db.close()
    ended = ssmic("results", "show", file)
    assert ended.code == 0
    assert "start times UTC" in ended.out
    assert "times are shown in UTC" in ended.err
    assert not ssmic("results", "show", file, "--utc").err


@pytest.mark.long
def test_runs_that_no_seed_changes_say_so(ssmic: Ssmic, small: Path) -> None:
    """A scheduler without random numbers gives ten equal runs, whose interval of 0 says nothing."""
    said = "runs made the same contracts: the seed made no difference"

    several = ("--bus", "memory", "--runs", "3", "--workers", "1")
    assert f"All 3 {said}" in ssmic("run", small, *several).out
    assert said not in ssmic("run", small, *several, "--algorithm", "fifty_fifty").out
    assert said not in ssmic("run", small, "--bus", "memory").out


def test_an_hour_that_occurs_twice_is_shown_with_its_offset(ssmic: Ssmic, small: Path) -> None:
    """Where the clocks go back; times that occur once need none."""
    text = small.read_text().replace("2026-06-21T00:00:00+00:00", "2026-10-25T00:00:00\nzone: Europe/Berlin")
    head, _, _ = text.partition("jobs:")
    starts = {"before": "01:59+02:00", "first": "02:00+02:00", "second": "02:00+01:00", "after": "03:00+01:00"}
    jobs = [
        f"  - {{house: '1', device: washer, id: {name}, registered: '2026-10-25T00:00:00+02:00', "
        f"earliest_start: '2026-10-25T{start}', latest_start: '2026-10-25T{start}'}}\n"
        for name, start in starts.items()
    ]
    small.write_text(f"{head}jobs:\n{''.join(jobs)}")
    assert ssmic("run", small, "--bus", "memory").code == 0
    shown = ssmic("results", "show", "latest", "--house", "1").out
    rows = [line.split() for line in shown.splitlines() if line.split()[:1] in ([name] for name in starts)]
    assert {row[0]: next(cell for cell in row if ":" in cell) for row in rows} == {
        "before": "01:59",
        "first": "02:00+02:00",
        "second": "02:00+01:00",
        "after": "03:00",
    }
