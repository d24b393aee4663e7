"""A scenario as JSON: what is read is what was written, and what is damaged is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import ValidationError

from agents import Job
from scenarios.load import bundled_names, load_scenario
from scenarios.scenario import SCENARIO, scenario_of


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

    class CountedJobs(tuple[Job, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[Job]:
            nonlocal passes
            passes += 1
            return super().__iter__()

    groups = {f"host-{i}": [house.id for house in scenario.houses[i::7]] for i in range(7)}
    parts = replace(scenario, jobs=CountedJobs(scenario.jobs)).parts_of(groups)
    assert passes == 1
    assert parts == {group: scenario.part_of(houses) for group, houses in groups.items()}
    for group, part in parts.items():
        assert [house.id for house in part.houses] == groups[group]
        assert part.jobs == tuple(job for job in scenario.jobs if job.house in groups[group])
        producers = {d.id for house in part.houses for d in house.devices if d.type == "producer"}
        assert set(part.producers) == producers
    assert sum(len(part.jobs) for part in parts.values()) == len(scenario.jobs)
