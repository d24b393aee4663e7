"""Reads measured series as meters and portals export them: CSV (also compressed with gzip) and Parquet.

The scenario need not describe a table in full. The columns, the unit, and whether values are powers, energies of each
interval or readings of a counter are then guessed from the header and the values, and a note reports each guess. A zone
is never guessed.
"""

from __future__ import annotations

import math
import re
import zoneinfo
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from broker import plural
from scenarios.errors import Problem, ScenarioError
from scenarios.files.problems import UNKNOWN
from scenarios.files.series.table_times import (
    EXPECTED,
    DateOrder,
    clock_s,
    excel_moment,
    is_clock,
    is_date_only,
    is_excel_column,
    moment,
    moment_s,
    order_of,
    unix_s,
)
from scenarios.files.series.tables import UNIT_IN_CELL, Numbers, Table, is_nothing, is_number, numbers_of, read_table
from scenarios.scenario import zone_info
from scenarios.suggestions import suggest

Unit = Literal["W", "kW", "MW", "Wh", "kWh", "MWh"]
Reading = Literal["power", "interval", "counter"]

UNITS: Final[dict[Unit, float]] = {"W": 1.0, "kW": 1e3, "MW": 1e6, "Wh": 1.0, "kWh": 1e3, "MWh": 1e6}
"""By unit, the factor to W or Wh."""
_POWER_UNITS = ("W", "kW", "MW")
MAX_GAP_S = 86_400
"""A longer gap is an error: what happened in it would be invented."""
_GAP_STEPS = 1.5
"""A longer step, in steps that most rows have, is a gap."""
MEASURED_SUFFIXES = (".csv", ".parquet", ".gz", ".tsv")
_MAX_PROBLEMS = 10
_TIME_NAMES = ("time", "date", "zeit", "datum", "timestamp", "start", "utc", "moment", "last_changed")
_RELATIVE_NAMES = ("second", "sekunde", "minute", "hour", "stunde", "elapsed", "sec", "min", "s", "h", "t")
_TIME_UNITS = {"minute": 60, "minuten": 60, "min": 60, "hour": 3600, "stunde": 3600, "h": 3600}
_UNIT_IN_NAME = re.compile(r"(?<![A-Za-z])(MWh|kWh|Wh|MW|kW|W)(?![A-Za-z])", re.IGNORECASE)
_WATTS = re.compile(r"(?<![A-Za-z])(kilo|mega)?watts?(?: ?(hours?|stunden?))?(?![A-Za-z])", re.IGNORECASE)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_SUMS = ("total", "sum", "summe", "gesamt", "average", "mittelwert")
"""Beginnings of a last row that is not a measurement."""
_NOISE = 0.01
"""Values below 0 by at most this share of the highest count as 0: inverters draw a few watts at night."""
_LOOKED_AT = 200


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
    """IANA name or offset, for times that say none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A series that was read: cumulative energy, from the beginning of its first interval to the end of its last."""

    times_s: tuple[int, ...]
    """UNIX seconds, ascending; of a run of a device, seconds from any moment on."""
    cumulative_wh: tuple[float, ...]
    """Energy from the beginning until each of these times."""
    columns: tuple[str, ...]
    """Names of all columns of the file."""
    format: MeasuredFormat
    """As it was read, complete."""
    notes: tuple[str, ...]
    """Guesses and findings, one sentence each."""


def is_measured(name: str) -> bool:
    """Return whether a file's name says that it is a table of measurements."""
    return name.lower().endswith(MEASURED_SUFFIXES)


def read_measured(path: Path, where: str, wanted: MeasuredFormat, *, is_run: bool = False) -> Measured:
    """Return the series in a file of measurements.

    Args:
        path: CSV, gzip or Parquet.
        where: Its name, for messages.
        wanted: The given parts of the format.
        is_run: Whether it is one run of a device: then its times may count from its start, or be times of day.

    Raises:
        ScenarioError: It cannot be used; carries all problems, each with its line.
    """
    table = read_table(path, where)
    notes = list(table.notes)
    problems: list[Problem] = []
    time_column = _found(wanted.time, lambda: _time_column(table, wanted.time, is_run=is_run), problems)
    value_column = None
    if time_column is not None or wanted.value is not None:
        value_column = _found(wanted.value, lambda: _value_column(table, wanted.value, time_column, notes), problems)
    zone: tzinfo | None = None
    if wanted.zone is not None:
        # With a stand-in, the rest is checked too.
        zone = _found(wanted.zone, lambda: zone_of(wanted.zone or "", where), problems) or UTC
    unit = wanted.unit
    if unit is None and value_column is not None and wanted.reading != UNKNOWN:
        unit = _found(None, lambda: _unit(table, value_column, wanted.reading, notes), problems)
    is_known = unit is not None and UNKNOWN not in (unit, wanted.reading)
    if unit is not None and is_known and wanted.reading and (wanted.reading == "power") != (unit in _POWER_UNITS):
        problems.append(Problem(where, f"{unit} is not a unit of {_READINGS[wanted.reading]}"))
    grid_and_values = None
    try:
        if unit is not None and is_known and time_column is not None and value_column is not None:
            grid_and_values = _grid_and_values(table, time_column, zone, value_column, unit, notes, is_run=is_run)
        elif time_column is not None:
            _check_times(table, _Times(table, time_column, zone, is_run=is_run))
    except ScenarioError as error:
        problems += error.problems
    is_whole = grid_and_values is not None and not problems and wanted.zone != UNKNOWN
    if not is_whole or time_column is None or value_column is None or unit is None or grid_and_values is None:
        raise ScenarioError(problems)
    grid, values = grid_and_values
    reading = wanted.reading or _reading(unit, values.tolist(), notes)
    times_s, energy_wh = _cumulated(table, grid, values * UNITS[unit], reading, notes)
    done = MeasuredFormat(table.columns[time_column], table.columns[value_column], unit, reading, wanted.zone)
    return Measured(times_s, energy_wh, table.columns, done, tuple(f"{where}: {note}" for note in notes))


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


def _check_times(table: Table, of_time: _Times) -> None:
    """Check the times of a table whose values cannot be read.

    Raises:
        ScenarioError: Carries their problems.
    """
    problems: list[Problem] = []
    before_s: list[int] = []
    for line, cells in _in_order(table, of_time, []):
        try:
            if len(cells) > of_time.column:
                before_s.append(of_time.time_s(cells, before_s))
        except ValueError as error:
            problems.append(Problem(f"{table.where}:{line}", str(error)))
    _raise_first(table, problems)


def _raise_first(table: Table, problems: Sequence[Problem]) -> None:
    if problems:
        rest = len(problems) - _MAX_PROBLEMS
        more = [Problem(table.where, f"and {rest} more problems")] if rest > 0 else []
        raise ScenarioError([*problems[:_MAX_PROBLEMS], *more])


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


PRICE_UNITS: Final[dict[str, float]] = {"EUR/kWh": 1.0, "ct/kWh": 0.01, "EUR/MWh": 0.001}
"""By unit, the factor to EUR/kWh."""
_PRICE_UNIT = re.compile(r"(EUR|€|ct|cent)s?[ _]*(?:/|per)[ _]*(kWh|MWh)", re.IGNORECASE)


def read_prices(
    path: Path, where: str, time: str | int | None, value: str | int | None, unit: str | None, zone_name: str | None
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[str, ...]]:
    """Return the times (UNIX seconds) and prices (EUR/kWh) of a table, and notes on what was guessed.

    Args:
        path: CSV, gzip or Parquet; each price holds from its time until the next one.
        where: Its name, for messages.
        time: Name or number of the column of times; None: to be guessed.
        value: Name or number of the column of prices; None: to be guessed.
        unit: One of `PRICE_UNITS`; None: as the column's name says.
        zone_name: IANA name or offset, for times that say none.

    Raises:
        ScenarioError: It cannot be used; carries all problems, each with its line.
    """
    table = read_table(path, where)
    notes = list(table.notes)
    time_column = _time_column(table, time, is_run=False)
    value_column = _value_column(table, value, time_column, notes)
    zone = None if zone_name is None else zone_of(zone_name, where)
    named = unit or _price_unit(table.columns[value_column])
    if named is None:
        units = ", ".join(PRICE_UNITS)
        what = f"column {table.columns[value_column]!r} does not say the unit of its prices; add unit: one of {units}"
        raise ScenarioError([Problem(where, what)])
    times, values = _parsed(table, _Times(table, time_column, zone, is_run=False), value_column, None, notes)
    prices = tuple(round(price * PRICE_UNITS[named], 9) for price in values)
    return tuple(times), prices, tuple(f"{where}: {note}" for note in notes)


def _price_unit(column: str) -> str | None:
    found = _PRICE_UNIT.search(column)
    if found is None:
        return None
    money = "EUR" if found[1].upper() in {"EUR", "€"} else "ct"
    unit = f"{money}/{'MWh' if found[2].upper() == 'MWH' else 'kWh'}"
    return unit if unit in PRICE_UNITS else None


_READINGS: dict[Reading, str] = {"power": "a power", "interval": "energy per interval", "counter": "a counter"}


def zone_of(name: str, where: str) -> tzinfo:
    """Return the zone with an IANA name, `UTC` or an offset such as `+02:00`.

    Raises:
        ScenarioError: There is no zone of this name.
    """
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign = -1 if offset[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(offset[2]), minutes=int(offset[3])))
    if name in {"UTC", "Z"}:
        return UTC
    zone = zone_info(name)
    if zone is None:
        hint = suggest(name, zoneinfo.available_timezones(), otherwise="; known are Europe/Berlin, UTC, +02:00, ...")
        raise ScenarioError([Problem(where, f"there is no time zone {name!r}{hint}")])
    return zone


def _time_column(table: Table, wanted: str | int | None, *, is_run: bool) -> int:
    if wanted is not None:
        return table.named(wanted)
    samples = [next(iter(table.cells(i, _LOOKED_AT)), None) for i in range(len(table.columns))]
    with_moments = [i for i, cell in enumerate(samples) if not is_number(cell) and _is_time(cell)]
    if table.has_header:
        names = (*_TIME_NAMES, *(name for name in _RELATIVE_NAMES if is_run))
        named = [i for i, name in enumerate(table.columns) if _has_name(name, names) and samples[i] is not None]
        for i in named:
            if i in with_moments or is_number(samples[i]):
                return i
        if named and not with_moments:
            return named[0]
    return with_moments[0] if with_moments else 0


def _has_name(column: str, names: Sequence[str]) -> bool:
    words = re.split(r"[^a-z]+", column.casefold())
    return any(name in words if len(name) <= 3 and name != "utc" else name in column.casefold() for name in names)


def _is_time(cell: object) -> bool:
    return moment(cell) is not None or (isinstance(cell, str) and is_clock(cell))


def _value_column(table: Table, wanted: str | int | None, time_column: int | None, notes: list[str]) -> int:
    if wanted is not None:
        found = table.named(wanted)
        if found == time_column:
            what = f"column {table.columns[found]!r} cannot hold both times and values"
            raise ScenarioError([Problem(table.where, what)])
        return found
    samples = {i: table.cells(i, _LOOKED_AT) for i in range(len(table.columns)) if i != time_column}
    numeric = [i for i, cells in samples.items() if cells and is_number(cells[0])]
    with_unit = [i for i in numeric if _unit_said(table, i) is not None]
    choice = with_unit if len(with_unit) == 1 else numeric
    if len(choice) == 1:
        if len(numeric) > 1:
            notes.append(f"values are taken from column {table.columns[choice[0]]!r}.")
        return choice[0]
    if not choice:
        raise ScenarioError([Problem(table.where, "has no column with numbers beside its times")])
    known = ", ".join(repr(table.columns[i]) for i in choice[:8])
    what = f"has several columns of values; name one under columns.value: {known}"
    raise ScenarioError([Problem(table.where, what)])


def _unit_said(table: Table, column: int) -> Unit | None:
    """Return the unit that a column's name, the row of units or its first value says."""
    texts = [table.columns[column], table.units[column]] if table.has_header else []
    first = next(iter(table.cells(column, 1)), None)
    in_cell = UNIT_IN_CELL.fullmatch(first) if isinstance(first, str) else None
    for text in texts:
        found = _UNIT_IN_NAME.search(text.replace("_", " "))
        watts = _WATTS.search(text.replace("_", " "))
        if found is not None:
            return _unit_named(found[1])
        if watts is not None:
            prefix = {"kilo": "k", "mega": "M"}.get((watts[1] or "").lower(), "")
            return _unit_named(f"{prefix}W{'h' if watts[2] else ''}")
    return None if in_cell is None else _unit_named(in_cell[2])


def _unit_named(text: str) -> Unit:
    return next(unit for unit in UNITS if unit.casefold() == text.casefold())


def _unit(table: Table, column: int, reading: Reading | None, notes: list[str]) -> Unit:
    found = _unit_said(table, column)
    if found is not None:
        return found
    if reading == "power":
        what = "the unit is not given; add unit: W or unit: kW"
        raise ScenarioError([Problem(table.where, what)])
    if table.has_header:
        what = f"column {table.columns[column]!r} has no unit; add unit: W, kW, Wh or kWh"
        raise ScenarioError([Problem(table.where, what)])
    notes.append("no unit is given; Wh is assumed.")
    return "Wh"


class _Times:
    """The times of a table's rows."""

    def __init__(self, table: Table, column: int, zone: tzinfo | None, *, is_run: bool) -> None:
        self.column = column
        self._table = table
        self._zone = zone
        self._is_run = is_run
        cells = table.cells(column, _LOOKED_AT)
        self._clock = self._beside(column, cells)
        self._numbers = numbers_of(table, column)
        self.is_excel = all(map(is_number, cells)) and is_excel_column(list(map(self._numbers.parse, cells)))
        self._is_of_days = self.is_excel and all(float(self._numbers.parse(cell)).is_integer() for cell in cells)
        """Whether a spreadsheet's numbers are only dates."""
        self._order = self._order_of_dates()
        self._factor = 1
        if is_run and table.has_header:
            words = re.split(r"[^a-z]+", table.columns[column].casefold())
            self._factor = next((factor for name, factor in _TIME_UNITS.items() if name in words), 1)

    def _beside(self, column: int, cells: Sequence[Any]) -> int | None:
        """Return the column with the time of day that belongs to a separate column with dates, or the reverse."""
        if not cells or is_number(cells[0]):
            return None
        is_date = is_date_only(cells[0])
        if not is_date and not (is_clock(str(cells[0])) and not self._is_run):
            return None
        for i in range(len(self._table.columns)):
            other = next(iter(self._table.cells(i, 1)), None)
            if i != column and isinstance(other, str) and (is_clock(other) if is_date else is_date_only(other)):
                return i
        return None

    def _order_of_dates(self) -> DateOrder:
        column = self.column
        cells = self._table.cells(column)
        if self._clock is not None and cells and is_clock(str(cells[0])):
            cells = self._table.cells(self._clock)
        try:
            order = order_of(cells)
        except ValueError as error:
            raise ScenarioError([Problem(self._table.where, str(error))]) from None
        if order is None:
            what = f"the date {str(cells[0])!r} is ambiguous (day or month first); write dates as 2026-06-21"
            raise ScenarioError([Problem(self._table.where, what)])
        return order

    def text(self, cells: Sequence[Any]) -> Any:  # noqa: ANN401 - text, number or date
        """Return a row's time as written."""
        cell = cells[self.column]
        if self._clock is None or self._clock >= len(cells) or not isinstance(cell, str):
            return cell
        beside = str(cells[self._clock])
        return f"{beside} {cell}" if is_clock(cell) else f"{cell} {beside}"

    def rough(self, cells: Sequence[Any]) -> float | None:
        """Return a time for comparisons within the table; None: it has none."""
        text = self.text(cells)
        if is_number(text):
            return self._numbers.parse(text)
        found = moment(text, self._order)
        return None if found is None else found.replace(tzinfo=found.tzinfo or UTC).timestamp()

    def time_s(self, cells: Sequence[Any], before_s: Sequence[int]) -> int:
        """Return the time of a row, UNIX seconds.

        Args:
            cells: The row.
            before_s: The times of the rows before.

        Raises:
            ValueError: It says none, or one that does not exist.
        """
        text = self.text(cells)
        if is_number(text):
            number = self._numbers.parse(text)
            if self.is_excel:
                stored = excel_moment(number)
                return self._zoned_s(stored, before_s, stored, is_day=self._is_of_days)
            return unix_s(number * self._factor, text)
        found = moment(text, self._order)
        if found is not None:
            if found.tzinfo is None and self._zone is None and self._is_run:
                return int(found.replace(tzinfo=UTC).timestamp())  # of a run, only differences count
            return self._zoned_s(found, before_s, text, is_day=self._is_of_days or is_date_only(text))
        seconds = clock_s(text) if isinstance(text, str) else None
        if seconds is not None and self._is_run:
            days_s = before_s[-1] // 86_400 * 86_400 if before_s else 0
            is_next_day = bool(before_s) and days_s + seconds <= before_s[-1]
            return days_s + seconds + (86_400 if is_next_day else 0)
        if seconds is not None:
            raise ValueError(f"{text!r} is a time without a date; {EXPECTED}")
        raise ValueError(f"{text!r} is not a time; {EXPECTED}")

    def _zoned_s(self, found: datetime, before_s: Sequence[int], text: object, *, is_day: bool) -> int:
        try:
            return moment_s(found, self._zone, before_s, text, is_day=is_day)
        finally:
            if self._zone is None and found.tzinfo is None:
                self._zone = UTC  # a stand-in: the missing zone is reported once, and the rest is checked too


@dataclass(frozen=True, slots=True)
class _Grid:
    """The times of a series, and the intervals that they stand for. All columns of a table may share one."""

    times_s: tuple[int, ...]
    """Of each value, UNIX seconds, ascending."""
    gaps: tuple[tuple[int, int], ...]
    """After which time there is one, and how long it is until the next time, seconds."""
    lengths_s: NDArray[np.int64]
    """How long each value lasts."""
    points_s: tuple[int, ...]
    """Where the intervals begin and end, gaps between them included."""
    places: NDArray[np.int64]
    """Of each value, the index of the interval that is its own."""

    @classmethod
    def of(cls, times: Sequence[int]) -> _Grid:
        """Return that of at least two ascending times.

        A value lasts until the next one, or, if there is a gap, for the step that most of them have. A step that is
        somewhat longer is no gap: of clock times in whole hours, the one is in which clocks go back by half an hour.
        """
        steps_s = [after - before for before, after in pairwise(times)]
        step_s = Counter(steps_s).most_common(1)[0][0]
        longest_s = step_s * _GAP_STEPS
        lengths_s = [*(each_s if each_s <= longest_s else step_s for each_s in steps_s), step_s]
        points_s, places = [times[0]], []
        for time_s, length_s in zip(times, lengths_s, strict=True):
            if points_s[-1] < time_s:  # a gap: nothing is known, and nothing counted
                points_s.append(time_s)
            places.append(len(points_s) - 1)
            points_s.append(time_s + length_s)
        gaps = tuple((times[i], each_s) for i, each_s in enumerate(steps_s) if each_s > longest_s)
        return cls(tuple(times), gaps, np.array(lengths_s), tuple(points_s), np.array(places))


def _grid_and_values(
    table: Table,
    time_column: int,
    zone: tzinfo | None,
    value_column: int,
    unit: Unit | None,
    notes: list[str],
    *,
    is_run: bool,
) -> tuple[_Grid, NDArray[np.float64]]:
    """Return the grid of a series and its values, in its unit.

    A table may have a column for each of a thousand devices. Where every row has a plain number, the columns share the
    times, which are read once.
    """
    values = table.plain_column(value_column)
    grid = None if values is None else _shared_grid(table, time_column, zone, is_run=is_run)
    if grid is not None and values is not None:
        return grid, values
    of_time = _Times(table, time_column, zone, is_run=is_run)
    times, listed = _parsed(table, of_time, value_column, unit, notes)
    return _Grid.of(times), np.array(listed)


def _shared_grid(table: Table, time_column: int, zone: tzinfo | None, *, is_run: bool) -> _Grid | None:
    """Return the grid of all rows of a table; None where something is to be said of one, or some are left out."""
    key = "grid", time_column, zone, is_run
    if key not in table.derived:
        table.derived[key] = _grid_of_all(table, time_column, zone, is_run=is_run)
    return cast("_Grid | None", table.derived[key])


def _grid_of_all(table: Table, time_column: int, zone: tzinfo | None, *, is_run: bool) -> _Grid | None:
    notes: list[str] = []
    times: list[int] = []
    try:
        of_time = _Times(table, time_column, zone, is_run=is_run)
        if _in_order(table, of_time, notes) is not table.rows or notes or of_time.is_excel:
            return None
        for _, cells in table.rows:
            times.append(of_time.time_s(cells, times))
    except (ScenarioError, ValueError):
        return None  # reading a column reports it
    is_ascending = all(before < after for before, after in pairwise(times))
    return _Grid.of(times) if is_ascending else None


def _parsed(
    table: Table, of_time: _Times, value_column: int, unit: Unit | None, notes: list[str]
) -> tuple[list[int], list[float]]:
    """Return times and values of all rows; empty values are left out."""
    problems: list[Problem] = []
    times: list[int] = []
    values: list[float] = []
    repeated = 0
    numbers = numbers_of(table, value_column)
    most = max(of_time.column, value_column)
    if of_time.is_excel:
        notes.append("times are numbers of a spreadsheet, taken as days since 1899-12-30.")
    for line, cells in _in_order(table, of_time, notes):
        if len(cells) > most and is_nothing(cells[value_column]):
            continue
        try:
            if len(cells) <= most:
                raise ValueError(f"has {len(cells)} columns, {most + 1} are expected")  # noqa: TRY301 - reported like the others
            time_s = of_time.time_s(cells, times)
            value = _value(cells[value_column], numbers, unit)
            if _is_repeated(time_s, value, times, values, of_time.text(cells)):
                repeated += 1
                continue
        except ValueError as error:
            problems.append(Problem(f"{table.where}:{line}", str(error)))
            continue
        times.append(time_s)
        values.append(value)
    _raise_first(table, problems)
    if len(times) < 2:
        raise ScenarioError([Problem(table.where, f"at least two values are needed, found {len(times)}")])
    if repeated:
        notes.append(f"{plural(repeated, 'row')} like the one before {'was' if repeated == 1 else 'were'} left out.")
    return times, values


def _is_repeated(time_s: int, value: float, times: Sequence[int], values: Sequence[float], text: object) -> bool:
    """Return whether a row repeats the one before; raise ValueError if its time is not after that one's."""
    if not times or time_s > times[-1]:
        return False
    if (time_s, value) == (times[-1], values[-1]):
        return True
    raise ValueError(f"the time {text} is not after the one before")


def _in_order(table: Table, of_time: _Times, notes: list[str]) -> Sequence[tuple[int, Sequence[Any]]]:
    """Return the rows from old to new, without a last one that sums them up."""
    rows = table.rows
    last = rows[-1][1]
    if str(last[0]).casefold().startswith(_SUMS) or (len(last) > of_time.column and is_nothing(last[of_time.column])):
        notes.append(f"line {rows[-1][0]} has no time and was left out.")
        rows = rows[:-1]
    whole = [row for row in rows if len(row[1]) > of_time.column]
    found = [rough for row in (*whole[:3], *whole[-1:]) if (rough := of_time.rough(row[1])) is not None]
    if len(whole) > 2 and len(found) == 4 and found[0] > found[-1] and found[0] >= found[1] >= found[2]:
        notes.append("the newest row comes first; rows are read in reverse.")
        return rows[::-1]
    return rows


def _value(cell: object, numbers: Numbers, unit: Unit | None) -> float:
    said = UNIT_IN_CELL.fullmatch(cell) if isinstance(cell, str) else None
    if not isinstance(cell, str) and not is_number(cell):
        raise ValueError(f"a number is expected, not {cell!r}")
    value = numbers.parse(cell)
    if not math.isfinite(value):
        raise ValueError(f"a finite number is expected, not {cell!r}")
    if said is not None and (own := _unit_named(said[2])) != unit:
        if unit is None:
            raise ValueError(f"a number is expected, not {cell!r}")
        if own.endswith("h") != unit.endswith("h"):
            raise ValueError(f"{cell!r} is not in {unit}, as others are")
        return value * UNITS[own] / UNITS[unit]
    return value


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


def _without_noise(where: str, values: NDArray[np.float64], notes: list[str]) -> NDArray[np.float64]:
    """Return values with small negative ones, which are noted, replaced by 0.

    Raises:
        ScenarioError: Others are negative, too.
    """
    count = int((values < 0).sum())
    if not count:
        return values
    if values.min() < -_NOISE * values.max():
        what = f"has {plural(count, 'negative value')}; energy cannot be negative"
        raise ScenarioError([Problem(where, what)])
    notes.append(f"{plural(count, 'value')} slightly below 0 {'counts' if count == 1 else 'count'} as 0.")
    return np.maximum(values, 0.0)


def _cumulated(
    table: Table, grid: _Grid, values: NDArray[np.float64], reading: Reading, notes: list[str]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return cumulative energy, Wh; `notes` receives gaps and resets of a counter."""
    _tell_gaps(table.where, grid.gaps, reading, notes)
    if reading == "counter":
        steps = np.diff(values)
        resets = np.flatnonzero(steps < 0)
        if len(resets):
            listed = ", ".join(_shown(grid.times_s[i + 1]) for i in resets[:3]) + (", ..." if len(resets) > 3 else "")
            notes.append(f"the counter resets {plural(len(resets), 'time')} ({listed}); that step counts as 0 Wh.")
        return grid.times_s, _summed(np.maximum(steps, 0.0))
    values = _without_noise(table.where, values, notes)
    energies = np.zeros(len(grid.points_s) - 1)
    energies[grid.places] = values * grid.lengths_s / 3600 if reading == "power" else values
    return grid.points_s, _summed(energies)


def _summed(energies: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.concatenate(([0.0], energies)).cumsum().tolist())


def _tell_gaps(where: str, gaps: Sequence[tuple[int, int]], reading: Reading, notes: list[str]) -> None:
    too_long = [(time_s, gap_s) for time_s, gap_s in gaps if gap_s > MAX_GAP_S]
    if too_long:
        raise ScenarioError(
            Problem(
                where, f"no value for {gap_s / 3600:.1f} h after {_shown(time_s)}; gaps of at most 24 h are bridged"
            )
            for time_s, gap_s in too_long[:_MAX_PROBLEMS]
        )
    if gaps:
        longest_s = max(gap_s for _, gap_s in gaps)
        how = "its energy is spread evenly over it" if reading == "counter" else "it counts as 0 Wh"
        some = (
            f"{plural(len(gaps), 'gap')} (the first after {_shown(gaps[0][0])}, the longest {longest_s / 60:.0f} min)"
        )
        notes.append(f"has {some}; {how}.")


def _shown(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%MZ")
