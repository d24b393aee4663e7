"""What every importer gives: a scenario file, the scenario that it makes, and what the user should know."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agents.energy import CumulativeSeries
from scenarios.files.build import build
from scenarios.files.findings import Findings, locate_in
from scenarios.files.model import LoadProfileEntry, PredictionEntry, ScenarioFile
from scenarios.files.times import format_after_start
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
    """What was assumed where the input says nothing, one sentence each."""


def finish(file: ScenarioFile, where: str, notes: tuple[str, ...] = ()) -> Imported:
    """Return what was imported; raise `ScenarioError` where the input makes no valid scenario."""
    return Imported(file, build(file, Findings(locate_in(where))), notes)


def scenario_name(text: str) -> str:
    """Return a scenario's name made of any text."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:100] or "imported"


def load_entry(series: CumulativeSeries) -> LoadProfileEntry:
    """Return a load profile as it stands in a file."""
    points = list(zip(series.times_s, series.cumulative_wh, strict=True))
    return LoadProfileEntry(points=points)


def prediction_entry(issued_s: int, series: CumulativeSeries, start_s: int) -> PredictionEntry:
    """Return a prediction as it stands in a file, times after the start where they can be."""
    points: list[tuple[int | str, float]] = [
        (format_after_start(time_s, start_s), wh)
        for time_s, wh in zip(series.times_s, series.cumulative_wh, strict=True)
    ]
    return PredictionEntry(issued=format_after_start(issued_s, start_s), points=points)


def natural_order(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a sort key under which `9` comes before `10`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)
