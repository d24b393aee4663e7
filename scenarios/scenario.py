"""A scenario as it is run: checked, complete, and independent of the file format that it came from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from pydantic import TypeAdapter

from agents import CumulativeSeries, House, Job, LoadProfile, Prediction, Production

_LAST_S = 253_402_300_799
"""The end of the year 9999: no clock shows more."""
_NEUTRAL_S = 1_000_000_000
"""Any time, to ask for nothing but the offset."""


@dataclass(frozen=True, slots=True)
class Zone:
    """An offset from UTC."""

    offset_s: int = 0

    @property
    def name(self) -> str:
        """`UTC`, or `+02:00`."""
        return "UTC" if not self.offset_s else self.at(_NEUTRAL_S).isoformat()[19:]

    def at(self, time_s: float) -> datetime:
        """Return a time as calendar and clock show it there."""
        zone = timezone(timedelta(seconds=self.offset_s))
        return datetime.fromtimestamp(min(time_s, _LAST_S - max(0, self.offset_s)), zone)

    def iso(self, time_s: int) -> str:
        """Return `2026-06-21T06:00:00Z`, or with the offset."""
        return self.at(time_s).isoformat().replace("+00:00", "Z")

    def hours(self, time_s: float) -> str:
        """Return hours and minutes."""
        return f"{self.at(time_s):%H:%M}"

    def clock(self, time_s: float) -> str:
        """Return hours and minutes; seconds where there are any."""
        at = self.at(time_s)
        return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"

    def moment(self, time_s: float) -> str:
        """Return day, month and `clock`."""
        return f"{self.at(time_s):%d %b} {self.clock(time_s)}"

    def day(self, time_s: float) -> str:
        """Return day and month."""
        return f"{self.at(time_s):%d %b}"


DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Tariff:
    """What energy costs and what it emits."""

    import_eur_per_kwh: float
    """Bought from the grid."""
    feed_in_eur_per_kwh: float
    """Sold to the grid."""
    neighbour_eur_per_kwh: float
    """Paid by one house to another."""
    grid_kg_co2_per_kwh: float


@dataclass(frozen=True, slots=True)
class ProducerSeries:
    """A producer's sun: what it expects when, and what it really gets."""

    predictions: tuple[Prediction, ...]
    """At least one, in the order of issue."""
    actual: Production | None = None
    """What the panel really gave; None: the newest prediction for each moment."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A neighbourhood, its jobs and its sun."""

    name: str
    """Fit for a file name."""
    start_s: int
    """When the run starts, UNIX seconds."""
    seed: int
    """Used where the command line gives none."""
    houses: tuple[House, ...]
    jobs: tuple[Job, ...]
    """In the order of registration, then of job id."""
    producers: Mapping[str, ProducerSeries]
    """By the producer device's id; every producer device has an entry."""
    description: str = ""
    days: int | None = None
    """How many days to run; None: until the last job has run."""
    algorithm: str = "insertion"
    """Used where the command line names none."""
    tariff: Tariff | None = None
    utc_offset_s: int = 0
    """Of the start, as the file writes it: people are shown times so, nothing is reckoned with it."""

    @property
    def zone(self) -> Zone:
        """How times are shown."""
        return Zone(self.utc_offset_s)

    def part_of(self, house_ids: Collection[str]) -> Scenario:
        """Return what concerns these houses and nothing of the others; the name and the time stay."""
        houses = tuple(house for house in self.houses if house.id in house_ids)
        devices = {device.id for house in houses for device in house.devices if device.type == "producer"}
        return replace(
            self,
            houses=houses,
            jobs=tuple(job for job in self.jobs if job.house in house_ids),
            producers={producer: sun for producer, sun in self.producers.items() if producer in devices},
        )


def planned_end_s(scenario: Scenario, days: int | None) -> int:
    """Return when a run is over at the latest, UNIX seconds.

    Args:
        scenario: What is run.
        days: For how many days; None: as the scenario says, which may be until the last job has run.
    """
    days = scenario.days if days is None else days
    if days is not None:
        return scenario.start_s + days * DAY_S
    return max((job.latest_start_s + job.duration_s for job in scenario.jobs), default=scenario.start_s)


SCENARIO: TypeAdapter[Scenario] = TypeAdapter(Scenario)
"""Turns a scenario into JSON and back."""


_SERIES = re.compile(r'"(load_profile|production|actual)":(\{"times_s":\[[^\]]*\],"cumulative_wh":\[[^\]]*\]\})')
"""Energy over time in that JSON. No id or name can look like it: a quote in a text has a backslash before it."""


def scenario_of(text: str) -> Scenario:
    """Return the scenario that JSON describes.

    One series after the other, so that other threads get their turn: a year of minutes is a hundred megabytes. Jobs
    with the same load share it.

    Raises:
        ValidationError: It describes none.
    """
    series: list[CumulativeSeries] = []
    known: dict[tuple[str, str], CumulativeSeries] = {}
    pieces: list[str] = []
    end = 0
    try:
        for found in _SERIES.finditer(text):
            key, described = found.groups()
            if (key, described) not in known:
                kind = LoadProfile if key == "load_profile" else Production
                known[key, described] = kind.model_validate_json(described)
            pieces += (text[end : found.start()], f'"{key}":{len(series)}')
            series.append(known[key, described])
            end = found.end()
        return SCENARIO.validate_python(_put_back(json.loads("".join((*pieces, text[end:]))), series))
    except (ValueError, LookupError, TypeError, AttributeError):
        # What is wrong has its place in the whole.
        return SCENARIO.validate_json(text)


def _put_back(scenario: Any, series: Sequence[CumulativeSeries]) -> Any:  # noqa: ANN401 - JSON of any shape
    for job in scenario["jobs"]:
        job["load_profile"] = series[job["load_profile"]]
    for producer in scenario["producers"].values():
        for prediction in producer["predictions"]:
            prediction["production"] = series[prediction["production"]]
        if producer["actual"] is not None:
            producer["actual"] = series[producer["actual"]]
    return scenario


def fingerprint(scenario: Scenario, *chosen: object) -> str:
    """Return a hash of a scenario and of what else was chosen, by its `repr`."""
    return hashlib.sha256(SCENARIO.dump_json(scenario) + b"\0" + repr(chosen).encode()).hexdigest()[:32]
