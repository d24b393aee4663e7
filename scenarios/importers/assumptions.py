"""Completes an import: the assumptions for missing parts of a PySSMic input, and the resulting scenario."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents import Prediction, Production
from scenarios.appliances import APPLIANCES, Appliance, steps_wh
from scenarios.errors import Problem, ScenarioError
from scenarios.files import (
    KeyPath,
    ProblemCollector,
    ScenarioFile,
    build_scenario,
    format_iso,
    locate_in,
    make_file,
    natural_order,
    path_in_words,
)
from scenarios.generate import Roof, Site, clear_sky_w
from scenarios.scenario import MAX_DAYS, Scenario
from scenarios.zone import DAY_S

SEED = 1
"""Seed of imported scenarios, as the inputs have none."""


@dataclass(frozen=True, slots=True)
class ImportedScenario:
    """A scenario imported from another format."""

    file: ScenarioFile
    """Self-contained: it refers to no other file."""
    scenario: Scenario
    notes: tuple[str, ...] = ()
    """Assumptions where the input has no information, and omissions; one sentence each."""


@dataclass(frozen=True, slots=True)
class InputPlaces:
    """Locations in the input of each part of a scenario, so that problems can name them."""

    where: str
    """Name of the input as a whole."""
    words: Mapping[str, str]
    """The input's names for keys of the scenario format."""
    parts: dict[KeyPath, str] = field(default_factory=dict)
    """Location by key path: file and, where it has lines, line."""

    def add(self, path: KeyPath, place: str) -> None:
        """Record where a part comes from; the first location counts."""
        self.parts.setdefault(path, place)

    def locate(self, path: KeyPath) -> str:
        """Return the origin of a value, for display."""
        for length in range(len(path), 0, -1):
            place = self.parts.get(path[:length])
            if place is not None:
                rest = path[length:]
                return f"{place}: {self.words.get(str(rest[0])) or path_in_words(rest)}" if rest else place
        return locate_in(self.where)(path)


def time_gap_problems(jobs: Iterable[tuple[int, str]], forecasts: Iterable[tuple[int, str]]) -> list[Problem]:
    """Return a problem where jobs and forecasts are too far apart for any run; reported once, not per line.

    Args:
        jobs: Time of registration (UNIX seconds) and location of each job.
        forecasts: Time of issue (UNIX seconds) and location of each forecast.
    """
    first_job, first_forecast = min(jobs, default=None), min(forecasts, default=None)
    if first_job is None or first_forecast is None or abs(first_job[0] - first_forecast[0]) <= MAX_DAYS * 86_400:
        return []
    job, forecast = format_iso(first_job[0]), format_iso(first_forecast[0])
    what = f"the first job is registered at {job}, the first forecast ({first_forecast[1]}) is issued at {forecast}"
    rest = f"no run lasts more than {MAX_DAYS} days, so shift the times of one of them"
    return [Problem(first_job[1], f"{what}; {rest}")]


def finish(content: dict[str, Any], places: InputPlaces, notes: Sequence[str] = ()) -> ImportedScenario:
    """Build the imported scenario.

    Args:
        content: Content of a scenario file as plain data.
        places: Locations of its parts in the input.
        notes: Assumptions and omissions, one sentence each.

    Raises:
        ScenarioError: The input is not a valid scenario.
    """
    try:
        file = make_file(content, places.locate)
        return ImportedScenario(file, build_scenario(file, ProblemCollector(places.locate)), tuple(notes))
    except ScenarioError as error:
        # A scenario's parts are not in the order of the input; sort by location.
        raise ScenarioError(sorted(error.problems, key=lambda problem: natural_order(problem.where))) from None


def scenario_name(text: str) -> str:
    """Return a valid scenario name derived from any text."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:100] or "imported"


START_S = 1_782_000_000 - 1_782_000_000 % 86_400
"""Start of a neighbourhood without any times: midnight (UTC) of 21 June 2026."""

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
"""Bundled appliance for a device whose name or template contains a word with this beginning; the first match counts."""

SITE = Site(47.66, 9.18)
"""Konstanz, where the houses of CoSSMic were."""
ROOF = Roof(tilt_deg=30, azimuth_deg=180, peak_kw=5)
ROOF_IN_WORDS = "clear sky over a roof of 5 kWp facing south, in Konstanz"
STEP_S = 900


def appliance_for(*texts: str) -> Appliance:
    """Return the bundled appliance that matches a device's name or template, else the default one."""
    words = " ".join(texts).lower().replace("-", " ")
    for begin, name in _BY_WORD.items():
        if f" {begin}" in f" {words}":
            return APPLIANCES[name]
    return APPLIANCES[DEFAULT_APPLIANCE]


def clear_sky_steps_w(roof: Roof, start_s: int, steps: int) -> list[int]:
    """Return what a roof in Konstanz produces under a clear sky, in steps of `STEP_S`, W.

    Args:
        roof: Tilt, azimuth and rated power.
        start_s: Beginning of the first step, UNIX seconds.
        steps: How many.
    """
    middles_s = start_s + STEP_S // 2 + STEP_S * np.arange(steps, dtype=np.float64)
    return [round(power) for power in clear_sky_w(SITE, roof, middles_s).tolist()]


def clear_sky_forecast(start_s: int, end_s: int) -> Prediction:
    """Return a clear-sky forecast.

    Args:
        start_s: Time of issue, UNIX seconds; the forecast begins at midnight (UTC) of that day.
        end_s: Time that it has to reach, UNIX seconds; it ends at the next midnight.
    """
    first_s = start_s // DAY_S * DAY_S
    last_s = max(-(-end_s // DAY_S) * DAY_S, first_s + DAY_S)
    times_s = range(first_s, last_s + 1, STEP_S)
    power_w = clear_sky_steps_w(ROOF, first_s, len(times_s) - 1)
    production = Production(times_s=tuple(times_s), cumulative_wh=steps_wh(power_w, STEP_S))
    return Prediction(issued_s=start_s, production=production)
