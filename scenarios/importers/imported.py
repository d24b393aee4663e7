"""What is assumed where a PySSMic neighbourhood names a load profile or a prediction, but does not hold it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents import Prediction, Production
from scenarios.appliances import APPLIANCES, Appliance, steps_wh
from scenarios.errors import Problem, ScenarioError
from scenarios.files import (
    MAX_DAYS,
    KeyPath,
    ProblemCollector,
    ScenarioFile,
    build_scenario,
    format_iso,
    in_words,
    locate_in,
    make_file,
    natural_order,
)
from scenarios.generate import Roof, Site, clear_sky_power
from scenarios.scenario import Scenario

SEED = 1
"""Of an imported scenario: the inputs have none."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A scenario made of somebody else's input."""

    file: ScenarioFile
    """Self-contained: it names no other file."""
    scenario: Scenario
    notes: tuple[str, ...] = ()
    """What was assumed where the input says nothing, and what was left out; one sentence each."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where in the input each part of a scenario's content comes from, so that a finding names that place."""

    where: str
    """The input as a whole."""
    words: Mapping[str, str]
    """What the input calls a key of the scenario format."""
    parts: dict[KeyPath, str] = field(default_factory=dict)
    """By the key path of a part in the content: file and, as far as it has lines, line."""

    def add(self, path: KeyPath, place: str) -> None:
        """Say where a part comes from; the first place counts."""
        self.parts.setdefault(path, place)

    def locate(self, path: KeyPath) -> str:
        """Return where a value comes from, for people."""
        for length in range(len(path), 0, -1):
            place = self.parts.get(path[:length])
            if place is not None:
                rest = path[length:]
                return f"{place}: {self.words.get(str(rest[0])) or in_words(rest)}" if rest else place
        return locate_in(self.where)(path)


def apart_problems(jobs: Iterable[tuple[int, str]], forecasts: Iterable[tuple[int, str]]) -> list[Problem]:
    """Return what is wrong where jobs and forecasts are of times that no run spans; told once, not on every line.

    Args:
        jobs: When each is registered, UNIX seconds, and where it stands.
        forecasts: When each is issued, likewise.
    """
    first_job, first_forecast = min(jobs, default=None), min(forecasts, default=None)
    if first_job is None or first_forecast is None or abs(first_job[0] - first_forecast[0]) <= MAX_DAYS * 86_400:
        return []
    job, forecast = format_iso(first_job[0]), format_iso(first_forecast[0])
    what = f"the first job is registered at {job}, the first forecast ({first_forecast[1]}) is issued at {forecast}"
    rest = f"no run lasts more than {MAX_DAYS} days, so shift the times of one of them"
    return [Problem(first_job[1], f"{what}; {rest}")]


def finish(content: dict[str, Any], places: Places, notes: Sequence[str] = ()) -> Imported:
    """Return what was imported.

    Args:
        content: A scenario file's content as plain data.
        places: Where its parts come from.
        notes: What was assumed or left out, one sentence each.

    Raises:
        ScenarioError: The input makes no valid scenario.
    """
    try:
        file = make_file(content, places.locate)
        return Imported(file, build_scenario(file, ProblemCollector(places.locate)), tuple(notes))
    except ScenarioError as error:
        # A scenario's parts are not in the order of the input, and people read a file from its first line.
        raise ScenarioError(sorted(error.problems, key=lambda problem: natural_order(problem.where))) from None


def scenario_name(text: str) -> str:
    """Return a scenario's name made of any text."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:100] or "imported"


START_S = 1_782_000_000 - 1_782_000_000 % 86_400
"""When a neighbourhood without any time in it starts: midnight (UTC) of 21 June 2026."""

DEFAULT_APPLIANCE = "dishwasher-eco"
_BY_WORD = {
    "dish": "dishwasher-eco",
    "wash": "washing-40",
    "dry": "dryer-heat-pump",
    "cloth": "dryer-heat-pump",
    "fridge": "fridge-cycle",
    "refriger": "fridge-cycle",
    "freez": "freezer-cycle",
    "heat_pump": "space-heating",
    "heat pump": "space-heating",
    "heatpump": "space-heating",
    "water": "hot-water",
    "boiler": "hot-water",
    "heat": "small-heater",
    "bike": "ebike-charge",
    "car": "car-16a-5kwh",
    "ev": "car-16a-5kwh",
    "vehicle": "car-16a-5kwh",
    "oven": "oven",
    "kettle": "kettle",
    "pool": "pool-pump",
    "mow": "mower-charge",
    "vacuum": "vacuum-charge",
}
"""The bundled appliance for a device whose name or template begins a word like this; the first that fits."""

SITE = Site(47.66, 9.18)
"""Konstanz, where CoSSMic had its houses."""
ROOF = Roof(tilt_deg=30, azimuth_deg=180, peak_kw=5)
ROOF_IN_WORDS = "cloudless sky over a roof of 5 kWp that looks south, in Konstanz"
STEP_S = 900
_DAY_S = 86_400


def appliance_for(*texts: str) -> Appliance:
    """Return the bundled appliance that a device's name or template sounds like, or else the default one."""
    words = " ".join(texts).lower().replace("-", " ")
    for begin, name in _BY_WORD.items():
        if f" {begin}" in f" {words}":
            return APPLIANCES[name]
    return APPLIANCES[DEFAULT_APPLIANCE]


def cloudless(start_s: int, end_s: int) -> Prediction:
    """Return a forecast, issued at the start, for whole days (UTC) from the start's to the end's."""
    first_s = start_s // _DAY_S * _DAY_S
    last_s = max(-(-end_s // _DAY_S) * _DAY_S, first_s + _DAY_S)
    times_s = range(first_s, last_s + 1, STEP_S)
    power_w = [
        round(ROOF.peak_kw * clear_sky_power(SITE, ROOF, time_s + STEP_S // 2).clear_w) for time_s in times_s[:-1]
    ]
    production = Production(times_s=tuple(times_s), cumulative_wh=steps_wh(power_w, STEP_S))
    return Prediction(issued_s=start_s, production=production)
