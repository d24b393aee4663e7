"""A scenario as JSON: what is read is what was written, and what is damaged is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from pydantic import ValidationError

from agents import Job
from scenarios.devices.device_times import moment_of
from scenarios.files.series.table_times import moment
from scenarios.load import bundled_names, load_scenario
from scenarios.scenario import SCENARIO, Zone, iso_datetime, scenario_of


@pytest.mark.parametrize("name", bundled_names())
def test_a_scenario_comes_back_as_it_was(name: str) -> None:
    """It is equal to the last digit, and jobs with the same load share it."""
    scenario = load_scenario(name)

    back = scenario_of(SCENARIO.dump_json(scenario).decode())

    assert back == scenario
    profiles = {job.profile for job in back.jobs}
    assert len({id(job.load_profile) for job in back.jobs}) == len(profiles)


def test_an_id_that_looks_like_a_series_is_an_id() -> None:
    """Quotes in any text are escaped."""
    text = SCENARIO.dump_json(load_scenario("street")).decode()
    nasty = '"actual":{"times_s":[0,1],"cumulative_wh":[0,1]}'
    scenario = json.loads(text) | {"description": nasty}

    assert scenario_of(json.dumps(scenario, separators=(",", ":"))).description == nasty


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"cumulative_wh":[0.0,', '"cumulative_wh":["x",', "load_profile"),
        ('"seed":', '"seed":"x","was":', "seed"),
        ('"producers":', '"producer":', "producers"),
    ],
)
def test_a_damaged_scenario_is_refused_with_the_place(old: str, new: str, place: str) -> None:
    """The error is the same as for a complete read."""
    text = SCENARIO.dump_json(load_scenario("street")).decode().replace(old, new, 1)

    with pytest.raises(ValidationError) as refused:
        scenario_of(text)

    assert place in ".".join(str(part) for part in refused.value.errors()[0]["loc"])


def test_parts_are_what_concerns_their_houses_found_in_one_pass() -> None:
    """A clock with 3,000 hosts looked at every job 3,000 times."""
    scenario = load_scenario("village")
    passes = 0

    class Counted(tuple[Job, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[Job]:
            nonlocal passes
            passes += 1
            return super().__iter__()

    groups = {f"host-{i}": [house.id for house in scenario.houses[i::7]] for i in range(7)}
    parts = replace(scenario, jobs=Counted(scenario.jobs)).parts_of(groups)
    assert passes == 1
    assert parts == {group: scenario.part_of(houses) for group, houses in groups.items()}
    for group, part in parts.items():
        assert [house.id for house in part.houses] == groups[group]
        assert part.jobs == tuple(job for job in scenario.jobs if job.house in groups[group])
        producers = {d.id for house in part.houses for d in house.devices if d.type == "producer"}
        assert set(part.producers) == producers
    assert sum(len(part.jobs) for part in parts.values()) == len(scenario.jobs)


@pytest.mark.parametrize(
    ("zone", "moment", "narrow", "exact"),
    [
        ("Europe/Berlin", "2026-10-25T01:59:00+02:00", "25 Oct 01:59", "25 Oct 01:59"),
        ("Europe/Berlin", "2026-10-25T02:30:00+02:00", "25 Oct 2A:30", "25 Oct 02:30+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30:00+01:00", "25 Oct 2B:30", "25 Oct 02:30+01:00"),
        ("Europe/Berlin", "2026-10-25T02:59:59+01:00", "25 Oct 2B:59:59", "25 Oct 02:59:59+01:00"),
        ("Europe/Berlin", "2026-10-25T03:00:00+01:00", "25 Oct 03:00", "25 Oct 03:00"),
        ("Australia/Lord_Howe", "2026-04-05T01:45:00+10:30", "05 Apr 1B:45", "05 Apr 01:45+10:30"),
        ("America/Santiago", "2026-04-04T23:15:00-04:00", "04 Apr 23B15", "04 Apr 23:15-04:00"),
        ("America/Santiago", "2026-04-04T23:15:30-03:00", "04 Apr 23A15:30", "04 Apr 23:15:30-03:00"),
        ("America/Havana", "2026-11-01T00:15:00-05:00", "01 Nov 0B:15", "01 Nov 00:15-05:00"),
        ("", "2026-10-25T01:30:00+00:00", "25 Oct 01:30", "25 Oct 01:30"),
    ],
)
def test_times_that_occur_twice_are_told_apart(zone: str, moment: str, narrow: str, exact: str) -> None:
    """With the offset, or in no more room than others."""
    time_s = datetime.fromisoformat(moment).timestamp()
    assert Zone(key=zone).narrow_moment(time_s) == narrow
    assert len(narrow) == len(Zone(key=zone).moment(time_s))
    assert Zone(key=zone).exact_moment(time_s) == exact


@pytest.mark.parametrize(
    "text",
    ["2026-07-01T00:00+02:60", "20260701T0000-0299", "2026-07-01T00:00:00+02:00:60", "2026-07-01T00:00:00+02:00:00.5"],
)
def test_an_offset_of_sixty_minutes_is_none(text: str) -> None:
    """In a file, in a device's message and in a meter's table; `+02:60` was taken for three hours."""
    with pytest.raises(ValueError, match="has no valid offset from UTC"):
        iso_datetime(text)
    with pytest.raises(ValueError, match="is not a time"):
        moment_of(text, 1_782_000_000, Zone())
    assert moment(text) is None
    assert moment("01.07.2026 00:00 +0260") is None


@pytest.mark.parametrize("offset", ["Z", "+02", "+0200", "-03:30", "+00:53:28", "-235959", ""])
def test_an_offset_may_be_written_shortly(offset: str) -> None:
    """All forms of ISO 8601, and none at all."""
    written = f"2026-07-01T00:00:00{offset}"
    assert iso_datetime(written) == datetime.fromisoformat(written)
