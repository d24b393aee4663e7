"""Reads measured series as meters and portals export them: CSV (also compressed with gzip) and Parquet.

The scenario need not describe a table in full. The columns, the unit, and whether values are powers, energies of each
interval or readings of a counter are then guessed from the header and the values, and a note reports each guess. A zone
is never guessed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from itertools import groupby, pairwise
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from broker import plural
from scenarios.errors import Problem, ScenarioError
from scenarios.files.problems import UNKNOWN
from scenarios.files.series.series_problems import cap_problems
from scenarios.files.series.table_columns import (
    UNITS,
    Labels,
    Reading,
    Unit,
    find_time_column,
    find_unit,
    find_value_column,
)
from scenarios.files.series.table_rows import (
    RowTimes,
    check_times,
    parsed_rows,
    rows_in_order,
    zone_of_times,
)
from scenarios.files.series.table_times import zone_of
from scenarios.files.series.tables import Table, read_table, thousands_note

_POWER_UNITS = ("W", "kW", "MW")
_READINGS: dict[Reading, str] = {"power": "a power", "interval": "energy per interval", "counter": "a counter"}
MAX_GAP_S = 86_400
"""A longer gap is an error: what happened in it would be invented."""
GAP_STEPS = 1.5
"""A step longer than this many of the table's steps at that time is a gap."""
_FEWEST_EQUAL_STEPS = 4
"""This many equal steps in a row, each of at most a day, are a resolution even if most rows have another one."""
_IRREGULAR = 0.25
"""If more than this share of a table's steps would be gaps, its rows are not at regular times."""
_FEWEST_IRREGULAR_STEPS = 8
"""A table with fewer steps counts as regular."""
MEASURED_SUFFIXES = (".csv", ".parquet", ".gz", ".tsv")
_NOISE = 0.01
"""Values below 0 by at most this share of the highest count as 0: inverters draw a few watts at night."""


@dataclass(frozen=True, slots=True)
class MeasuredFormat:
    """How to read a file; None: to be derived from its content."""

    time: str | int | None = None
    """Name of the column of times, or its number from 1."""
    value: str | int | None = None
    """Name of the column of values, or its number from 1."""
    unit: Unit | None = None
    """Unit of the values."""
    reading: Reading | None = None
    """Whether a value is a power, the energy of an interval, or a counter."""
    zone: str | None = None
    """IANA name or offset, for times that say none; None: as the header says, else the scenario's."""
    labels: Labels | None = None
    """Whether times are the starts or the ends of intervals. The reading of a counter is that of its time."""


@dataclass(frozen=True, slots=True)
class MeasuredSeries:
    """A series that was read: cumulative energy, from the beginning of its first interval to the end of its last."""

    times_s: tuple[int, ...]
    """UNIX seconds, ascending; of a run of a device, seconds from any moment on."""
    cumulative_wh: tuple[float, ...]
    """Energy from the beginning until each of these times."""
    columns: tuple[str, ...]
    """Names of all columns of the file."""
    format: MeasuredFormat
    """The format in which it was read, complete."""
    notes: tuple[str, ...]
    """Guesses and findings, one sentence each."""


def is_measured(name: str) -> bool:
    """Return whether a file's name says that it is a table of measurements."""
    return name.lower().endswith(MEASURED_SUFFIXES)


def read_measured(
    path: Path, where: str, wanted: MeasuredFormat, *, is_run: bool = False, scenario_zone: str | None = None
) -> MeasuredSeries:
    """Return the series in a file of measurements.

    Args:
        path: CSV, gzip or Parquet.
        where: Its name, for messages.
        wanted: The given parts of the format.
        is_run: Whether it is one run of a device: then its times may count from its start, or be times of day.
        scenario_zone: IANA name of the zone of times for which neither the format nor the header says one.

    Raises:
        ScenarioError: It cannot be used; carries all problems, each with its line.
    """
    table = read_table(path, where)
    notes = list(table.notes)
    problems: list[Problem] = []
    found = _find_layout(table, wanted, notes, problems, is_run=is_run, scenario_zone=scenario_zone)
    if found is None:
        raise ScenarioError(problems)
    try:
        grid, values = _grid_and_values(table, found, notes, is_run=is_run)
    except ScenarioError as error:
        raise ScenarioError([*problems, *error.problems]) from None
    if problems or UNKNOWN in (wanted.zone, wanted.labels):
        raise ScenarioError(problems)
    if (note := thousands_note(table, found.value_column)) is not None:
        notes.append(note)
    reading = wanted.reading or _reading(found.unit, values.tolist(), notes)
    times_s, energy_wh = _cumulated(table, grid, values * UNITS[found.unit], reading, notes)
    columns = table.columns[found.time_column], table.columns[found.value_column]
    labels: Labels = "end" if grid.are_ends else "start"
    done = MeasuredFormat(*columns, found.unit, reading, found.zone_name, None if reading == "counter" else labels)
    return MeasuredSeries(times_s, energy_wh, table.columns, done, tuple(f"{where}: {note}" for note in notes))


@dataclass(frozen=True, slots=True)
class _Layout:
    """The place of the series in a table, and its unit."""

    time_column: int
    value_column: int
    zone: tzinfo | None
    """Zone of times that state none; None: all times state one, or count from the start."""
    zone_name: str | None
    unit: Unit
    labels: Labels | None
    """Whether times are starts or ends of intervals; None: to be found out."""


def _find_layout(
    table: Table,
    wanted: MeasuredFormat,
    notes: list[str],
    problems: list[Problem],
    *,
    is_run: bool,
    scenario_zone: str | None,
) -> _Layout | None:
    """Return the layout of a table, as given or found; None if a part of it is not known.

    A given part may be `UNKNOWN`: the user's file has an error there, which has been reported. All other parts, and the
    times, are then checked nevertheless.

    Args:
        table: The table.
        wanted: The given parts of the format.
        notes: Receives what is found.
        problems: Receives what is wrong.
        is_run: See `read_measured`.
        scenario_zone: See `read_measured`.
    """
    time_column = _found(wanted.time, lambda: find_time_column(table, wanted.time, is_run=is_run), problems)
    value_column = None
    if time_column is not None or wanted.value is not None:
        value_column = _found(
            wanted.value, lambda: find_value_column(table, wanted.value, time_column, notes), problems
        )
    zone: tzinfo | None = None
    zone_name = wanted.zone
    if zone_name is None and time_column is not None:
        zone_name = zone_of_times(table, time_column, scenario_zone, notes, is_run=is_run)
    if zone_name is not None:
        # With a stand-in, the rest is checked too.
        zone = _found(zone_name, lambda: zone_of(zone_name, table.where), problems) or UTC
    unit = _find_unit(table, value_column, wanted, notes, problems)
    if time_column is not None and value_column is not None and unit is not None:
        labels = None if wanted.labels == UNKNOWN else wanted.labels
        return _Layout(time_column, value_column, zone, zone_name, unit, labels)
    if time_column is not None:
        try:
            labels = None if wanted.labels == UNKNOWN else wanted.labels
            check_times(table, RowTimes(table, time_column, zone, is_run=is_run, labels=labels))
        except ScenarioError as error:
            problems += error.problems
    return None


def _find_unit(
    table: Table, value_column: int | None, wanted: MeasuredFormat, notes: list[str], problems: list[Problem]
) -> Unit | None:
    """Return the unit of a column of values, as given or found; None if it is not known.

    A unit that does not suit the given reading is reported, and returned: the rest is checked with it.
    """
    if UNKNOWN in (wanted.unit, wanted.reading):
        return None
    if wanted.unit is None:
        if value_column is None:
            return None
        unit = _found(None, lambda: find_unit(table, value_column, wanted.reading, notes), problems)
    else:
        unit = wanted.unit
    if unit is not None and wanted.reading and (wanted.reading == "power") != (unit in _POWER_UNITS):
        problems.append(Problem(table.where, f"{unit} is not a unit of {_READINGS[wanted.reading]}"))
    return unit


_Found = TypeVar("_Found")


def _found(wanted: object, find: Callable[[], _Found], problems: list[Problem]) -> _Found | None:
    """Return what is found; None after adding problems, or if what is wanted could not be read."""
    if wanted == UNKNOWN:
        return None
    try:
        return find()
    except ScenarioError as error:
        problems += error.problems
        return None


def head_of(path: Path, where: str, count: int) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the names of a table's columns, and the texts of its first rows.

    Args:
        path: CSV, gzip or Parquet.
        where: Its name, for messages.
        count: Number of rows.

    Raises:
        ScenarioError: It is not a table.
    """
    table = read_table(path, where)
    rows = tuple(tuple("" if cell is None else str(cell) for cell in cells) for _, cells in table.rows[:count])
    return table.columns, rows


@dataclass(frozen=True, slots=True)
class _Grid:
    """The times of a series, and the intervals that they stand for. All columns of a table may share one."""

    times_s: tuple[int, ...]
    """Time of each value, UNIX seconds, ascending."""
    gaps: tuple[tuple[int, int, int], ...]
    """For each: the time before it (UNIX seconds), how long that value lasts, and how long until the next, seconds."""
    lengths_s: NDArray[np.int64]
    """How long each value lasts."""
    points_s: tuple[int, ...]
    """Edges of the intervals, UNIX seconds, including gaps between them."""
    places: NDArray[np.int64]
    """Index of the interval of each value."""
    are_ends: bool = False
    """Whether the times are the ends of the intervals."""
    labels_note: str = ""
    """A note on whether they are, for values other than readings of a counter; empty: nothing is assumed."""
    are_changes: bool = False
    """Whether a row is written when the value changes, and not at regular times."""
    stops_s: tuple[int, ...] = ()
    """Times of rows without a value, UNIX seconds, ascending: there, the value before ends."""

    @classmethod
    def of(cls, times: Sequence[int], of_time: RowTimes | None = None, stops_s: Sequence[int] = ()) -> _Grid:
        """Return the grid of at least two ascending times.

        A value lasts until the next one, or, if there is a gap, for one step of the table there. A step that is
        somewhat longer is not a gap: with hourly clock times, one step lasts 1.5 h when clocks go back by half an hour.

        Args:
            times: The times, UNIX seconds.
            of_time: What has read them; None: they are the beginnings of intervals.
            stops_s: Times of rows without a value.
        """
        steps_s = [after - before for before, after in pairwise(times)]
        *resolution_s, last_s = resolutions_s(times)
        lengths_s = [
            step_s if step_s <= usual_s * GAP_STEPS else usual_s
            for step_s, usual_s in zip(steps_s, resolution_s, strict=True)
        ]
        grid = cls._of_lengths(times, [*lengths_s, last_s])
        if of_time is None:
            return grid
        is_irregular = len(steps_s) >= _FEWEST_IRREGULAR_STEPS and len(grid.gaps) > _IRREGULAR * len(steps_s)
        return replace(
            grid,
            are_ends=of_time.are_ends,
            labels_note=of_time.labels_note(times),
            are_changes=not of_time.are_ends and (of_time.are_changes or is_irregular),
            stops_s=tuple(stops_s),
        )

    @classmethod
    def _of_lengths(cls, times: Sequence[int], lengths_s: Sequence[int]) -> _Grid:
        points_s, places = [times[0]], []
        for time_s, length_s in zip(times, lengths_s, strict=True):
            if points_s[-1] < time_s:  # a gap: nothing is known, and nothing counted
                points_s.append(time_s)
            places.append(len(points_s) - 1)
            points_s.append(time_s + length_s)
        steps_s = (after - before for before, after in pairwise(times))
        rows = zip(times, lengths_s, steps_s, strict=False)
        gaps = tuple((time_s, length_s, step_s) for time_s, length_s, step_s in rows if length_s < step_s)
        return cls(tuple(times), gaps, np.array(lengths_s), tuple(points_s), np.array(places))

    def of_begins(self) -> _Grid:
        """Return the grid with the beginnings of the intervals; this one has their ends."""
        return _Grid.of(begins_of(self.times_s))

    def of_changes(self) -> _Grid:
        """Return the grid in which each value lasts until the next row, with a value or without, but not for a day."""
        ends_s = sorted({*self.times_s[1:], *self.stops_s})
        nexts_s = [ends_s[bisect_right(ends_s, time_s)] for time_s in self.times_s[:-1]]
        steps_s = [next_s - time_s for time_s, next_s in zip(self.times_s, nexts_s, strict=False)]
        usual_s = self.lengths_s.tolist()
        lengths_s = [step_s if step_s <= MAX_GAP_S else usual_s[i] for i, step_s in enumerate(steps_s)]
        return _Grid._of_lengths(self.times_s, [*lengths_s, usual_s[-1]])


def _grid_and_values(
    table: Table, layout: _Layout, notes: list[str], *, is_run: bool
) -> tuple[_Grid, NDArray[np.float64]]:
    """Return the grid of a series and its values, in its unit.

    A table may have a column for each of a thousand devices. Where every row has a plain number, the columns share the
    times, which are read once.
    """
    values = table.plain_column(layout.value_column)
    grid = None if values is None else _shared_grid(table, layout, is_run=is_run)
    if grid is not None and values is not None:
        return grid, values
    of_time = RowTimes(table, layout.time_column, layout.zone, is_run=is_run, labels=layout.labels)
    times, listed, stops_s = parsed_rows(table, of_time, layout.value_column, layout.unit, notes)
    return _Grid.of(times, of_time, stops_s), np.array(listed)


def _shared_grid(table: Table, layout: _Layout, *, is_run: bool) -> _Grid | None:
    """Return the grid of all rows of a table; None if a row requires a note or is left out."""
    key = "grid", layout.time_column, layout.zone, layout.labels, is_run
    if key not in table.derived:
        table.derived[key] = _grid_of_all(table, layout, is_run=is_run)
    return cast("_Grid | None", table.derived[key])


def _grid_of_all(table: Table, layout: _Layout, *, is_run: bool) -> _Grid | None:
    notes: list[str] = []
    times: list[int] = []
    try:
        of_time = RowTimes(table, layout.time_column, layout.zone, is_run=is_run, labels=layout.labels)
        if rows_in_order(table, of_time, notes) is not table.rows or notes or of_time.is_excel:
            return None
        for _, cells in table.rows:
            times.append(of_time.time_s(cells, times))
    except (ScenarioError, ValueError):
        return None  # reading a column reports it
    if not all(before < after for before, after in pairwise(times)):
        return None
    return _Grid.of(times, of_time)


def _reading(unit: Unit, values: Sequence[float], notes: list[str]) -> Reading:
    if not unit.endswith("h"):
        return "power"
    steps = [after - before for before, after in pairwise(values)]
    rises = sorted(step for step in steps if step > 0)
    falls = [after for before, after in pairwise(values) if after < before]
    # A counter that resets falls rarely, and rises by small fractions of its value; a daily counter falls to about 0
    # each day, and in between only rises.
    is_reset = len(falls) <= max(1, len(steps) // 100) and rises and rises[len(rises) // 2] < 0.1 * max(values)
    is_daily = len(falls) <= 0.15 * len(rises) and all(after <= 0.05 * max(values) for after in falls)
    if rises and (not falls or is_reset or is_daily):
        notes.append("values rise from row to row, so they are taken as readings of a counter.")
        return "counter"
    notes.append("values rise and fall, so they are taken as the energy of each interval.")
    return "interval"


def _without_noise(
    where: str, grid: _Grid, values: NDArray[np.float64], unit: str, notes: list[str]
) -> NDArray[np.float64]:
    """Return values with small negative ones, which are noted, replaced by 0.

    Raises:
        ScenarioError: Others are negative, too.
    """
    count = int((values < 0).sum())
    if not count:
        return values
    if values.min() < -_NOISE * values.max():
        lowest = int(values.argmin())
        least = f"{values[lowest]:g} {unit} at {_shown(grid.times_s[lowest])}"
        what = f"has {plural(count, 'negative value')} (the lowest {least}); energy cannot be negative"
        raise ScenarioError([Problem(where, what)])
    notes.append(f"{plural(count, 'value')} slightly below 0 {'counts' if count == 1 else 'count'} as 0.")
    return np.maximum(values, 0.0)


def _cumulated(
    table: Table, grid: _Grid, values: NDArray[np.float64], reading: Reading, notes: list[str]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return cumulative energy, Wh; `notes` receives gaps and resets of a counter."""
    if reading != "counter":
        notes += [grid.labels_note] if grid.labels_note else []
        grid = grid.of_begins() if grid.are_ends else grid
    if reading == "power" and grid.are_changes:
        grid = grid.of_changes()
        longest_min = int(grid.lengths_s.max()) / 60
        notes.append(
            f"rows are not at regular times, so each power lasts until the next row (at most {longest_min:.0f} min)."
        )
    _tell_gaps(table.where, grid, reading, notes)
    if reading == "counter":
        steps = np.diff(values)
        resets = np.flatnonzero(steps < 0)
        if len(resets):
            listed = ", ".join(_shown(grid.times_s[i + 1]) for i in resets[:3]) + (", ..." if len(resets) > 3 else "")
            notes.append(f"the counter resets {plural(len(resets), 'time')} ({listed}); that step counts as 0 Wh.")
        return grid.times_s, _summed(np.maximum(steps, 0.0))
    values = _without_noise(table.where, grid, values, "W" if reading == "power" else "Wh", notes)
    energies = np.zeros(len(grid.points_s) - 1)
    energies[grid.places] = values * grid.lengths_s / 3600 if reading == "power" else values
    return grid.points_s, _summed(energies)


def _summed(energies: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.concatenate(([0.0], energies)).cumsum().tolist())


def _tell_gaps(where: str, grid: _Grid, reading: Reading, notes: list[str]) -> None:
    # A power or an energy is known for one step from its time on; of a counter, nothing until the next reading.
    gaps = [
        (time_s, step_s) if reading == "counter" else (time_s + known_s, step_s - known_s)
        for time_s, known_s, step_s in grid.gaps
    ]
    too_long = [
        Problem(where, f"no value for {gap_s / 3600:.1f} h from {_shown(from_s)} on; gaps of at most 24 h are bridged")
        for from_s, gap_s in gaps
        if gap_s > MAX_GAP_S
    ]
    if too_long:
        raise ScenarioError(cap_problems(too_long, where))
    if gaps:
        how = "the energy of a gap is spread evenly over it" if reading == "counter" else "a gap counts as 0 Wh"
        notes.append(gaps_note(gaps, how))


def resolutions_s(times_s: Sequence[int]) -> list[int]:
    """Return the resolution of a table at each of its times, seconds.

    It is the step that most rows have, or another one where several rows in a row have it: day-ahead prices were hourly
    until September 2025, and have been quarter-hourly since.

    Args:
        times_s: At least two times, ascending.
    """
    steps_s = [after - before for before, after in pairwise(times_s)]
    most_s = resolution_s = Counter(steps_s).most_common(1)[0][0]
    found: list[int] = []
    for step_s, equal in groupby(steps_s):
        count = len(list(equal))
        if most_s <= step_s * GAP_STEPS and step_s <= most_s * GAP_STEPS:
            resolution_s = most_s
        elif count >= _FEWEST_EQUAL_STEPS and step_s <= MAX_GAP_S:
            resolution_s = step_s
        elif step_s < most_s:
            resolution_s = most_s
        found += [resolution_s] * count
    return [*found, resolution_s]


def begins_of(ends_s: Sequence[int]) -> list[int]:
    """Return when intervals begin, from their ends: one step before each, but not before the end of the previous one.

    Args:
        ends_s: At least two times, ascending.
    """
    steps_s = resolutions_s(ends_s)
    steps = zip(pairwise(ends_s), steps_s, strict=False)
    return [ends_s[0] - steps_s[0], *(max(before_s, end_s - step_s) for (before_s, end_s), step_s in steps)]


def gaps_note(gaps: Sequence[tuple[int, int]], how: str) -> str:
    """Return a note on gaps.

    Args:
        gaps: Their beginnings, UNIX seconds, and lengths, seconds; at least one.
        how: Which value counts in them.
    """
    longest_min = max(gap_s for _, gap_s in gaps) / 60
    some = f"{plural(len(gaps), 'gap')} (the first from {_shown(gaps[0][0])} on, the longest {longest_min:.0f} min)"
    return f"has {some}; {how}."


def _shown(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%MZ")
