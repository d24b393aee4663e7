"""A series in a file of measurements, as the import dialog shows it: the guesses, the first rows, the curve."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents import FloatArray
from scenarios import ScenarioError
from scenarios.files import MeasuredFormat, MeasuredSeries, head_of, problems_of_series, read_measured, read_points

PARTS = ("time", "value", "unit", "reading", "zone")
"""Properties that can be assumed or given: fields of `MeasuredFormat`."""
READINGS: Mapping[str, str] = {
    "power": "power: mean of each step",
    "interval": "energy of each interval",
    "counter": "counter: cumulative energy",
}
ROWS = 4
STEPS = 400
MOST_DRAWN_S = 7 * 86_400
_NUMBERED = re.compile(r"column (\d+)")


@dataclass(frozen=True, slots=True)
class OpenedSeries:
    """A file of measurements, read as far as it can be."""

    columns: tuple[str, ...]
    """Empty if it is not a table."""
    rows: tuple[tuple[str, ...], ...]
    """The first rows."""
    measured: MeasuredSeries | None
    """The series; None: something has to be said first."""
    problems: tuple[str, ...]
    power_w: FloatArray
    """Mean power of the first days, W, in equal steps; empty if there is no series."""

    @property
    def drawn_s(self) -> tuple[int, int]:
        """Begin and end of what is drawn, UNIX seconds."""
        times_s = (0, 1) if self.measured is None else self.measured.times_s
        return times_s[0], min(times_s[-1], times_s[0] + MOST_DRAWN_S)


def opened(path: Path, given: Mapping[str, Any], *, is_run: bool) -> OpenedSeries:
    """Read a file of measurements. Slow for a large one: call it in a thread.

    Args:
        path: CSV, gzip or Parquet.
        given: The user's input: values by name, one of `PARTS`; the rest is assumed.
        is_run: Whether it is one run of a device.
    """
    name = path.name
    try:
        columns, rows = head_of(path, name, ROWS)
    except ScenarioError as error:
        return OpenedSeries((), (), None, _said(error, name), np.zeros(0))
    try:
        found = read_measured(path, name, MeasuredFormat(**given), is_run=is_run)
    except ScenarioError as error:
        return OpenedSeries(columns, rows, None, _said(error, name), np.zeros(0))
    first_s = found.times_s[0] if is_run else 0
    times_s = tuple(time_s - first_s for time_s in found.times_s)
    wrong = tuple(what for _, what in problems_of_series(times_s, found.cumulative_wh, from_zero=is_run)[:ROWS])
    if wrong:
        return OpenedSeries(columns, rows, None, wrong, np.zeros(0))
    begin_s, end_s = found.times_s[0], min(found.times_s[-1], found.times_s[0] + MOST_DRAWN_S)
    edges_s = np.linspace(begin_s, end_s, STEPS + 1)
    cumulative_wh = np.interp(edges_s, found.times_s, found.cumulative_wh)
    power_w = np.diff(cumulative_wh) / np.diff(edges_s) * 3600
    return OpenedSeries(columns, rows, found, (), power_w)


def _said(error: ScenarioError, name: str) -> tuple[str, ...]:
    """Return the problems; their line instead of their file, which the dialog names."""
    return tuple(
        f"line {problem.where.removeprefix(f'{name}:')}: {problem.what}"
        if problem.where != name
        else problem.what.replace("name one under columns.value", "choose one under Values")
        for problem in error.problems
    )


def is_plain(path: Path, *, is_run: bool) -> bool:
    """Return whether a file is in the form that needs no description: a time and cumulative Wh a line."""
    try:
        read_points(path, path.name, from_zero=is_run)
    except ScenarioError:
        return False
    return True


def assumed(measured: MeasuredSeries, given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the assumptions about the file `name` and the findings in it, one sentence each.

    `measured` is the series as read, `given` the keys in the neighbourhood's file.
    """
    guesses = {
        "time": f"times in {measured.format.time!r}",
        "value": f"values in {measured.format.value!r}",
        "unit": f"unit {measured.format.unit}",
        "reading": f"each value is {READINGS[measured.format.reading or 'power']}",
    }
    guessed = [said for part, said in guesses.items() if part not in given]
    found = [note.removeprefix(f"{name}: ") for note in measured.notes]
    first = [f"Guessed: {'; '.join(guessed)}."] if guessed else []
    return (*first, *(note[0].upper() + note[1:] for note in found))


def entry_of(file: str, measured: MeasuredSeries) -> dict[str, Any]:
    """Return the YAML entry that says how a file is read, so that nothing is left to be guessed.

    Args:
        file: How the scenario names the file.
        measured: The series as it was read.
    """
    wanted = measured.format
    entry: dict[str, Any] = {
        "file": file,
        "columns": {"time": _column(wanted.time), "value": _column(wanted.value)},
        "unit": wanted.unit,
        "reading": wanted.reading,
    }
    return entry | ({"zone": wanted.zone} if wanted.zone else {})


def _column(name: str | int | None) -> str | int | None:
    found = _NUMBERED.fullmatch(name) if isinstance(name, str) else None
    return name if found is None else int(found[1])
