"""Reads the rows of a table from old to new, each as a time and a value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, cast

from broker import first_few, plural
from scenarios.errors import Problem, ScenarioError
from scenarios.files.series.series_problems import MAX_PROBLEMS, cap_problems
from scenarios.files.series.table_columns import UNITS, Labels, Unit, names_ends, stated_zone, unit_named
from scenarios.files.series.table_times import (
    EXPECTED,
    DateOrder,
    beginning,
    clock_s,
    excel_moment,
    has_moment,
    have_ends,
    is_clock,
    is_date_only,
    is_excel_column,
    moment,
    moment_s,
    order_of,
    unix_s,
    without_end,
)
from scenarios.files.series.tables import (
    LOOKED_AT,
    UNIT_IN_CELL,
    NumberFormat,
    Table,
    is_nothing,
    is_number,
    numbers_of,
)

_TIME_UNITS = {"minute": 60, "minuten": 60, "min": 60, "hour": 3600, "stunde": 3600, "h": 3600}
_ENDS = "shows that times are the ends of intervals, so each value counts for the step before its time."
_MAY_BE_ENDS = "suggest that times are the ends of intervals; they are read as starts, unless labels: end is given."
_LONGEST_STEP_S = 3600
_SECOND = timedelta(seconds=1)
_END_OF_DAY = re.compile(r"(?<![\d:.])24:00(?::00)?$")
_BEGIN_OF_DAY = re.compile(r"(?<![\d:.])0?0:00(?::00)?$")
_IN_ONE_OR_TWO = "; date and time of day are expected in one column, or in two: 2026-06-21 and 12:00"
_SERIES_NAMES = ("entity_id", "statistic_id")
"""Columns in which Home Assistant names the sensor of a row."""
_CHANGE_NAMES = ("last_changed", "last_updated")
"""Columns of times in which Home Assistant says when a state changed."""
_MOST_SERIES = 50
_SUMS = ("total", "sum", "summe", "gesamt", "average", "mittelwert")
"""Beginnings of a last row that is not a measurement."""


class _NotAfterError(ValueError):
    """The time of a row is not after that of the row before."""


class _UnreadableTimeError(ValueError):
    """The time of a row cannot be read."""

    expected = f"; {EXPECTED}"
    """The end of the message."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}{self.expected}")


class _NoDateError(_UnreadableTimeError):
    """The time of a row is a time of day without a date."""

    expected = _IN_ONE_OR_TWO


_Failure = tuple[type[ValueError], Problem]
"""Why a row could not be read."""


class RowTimes:
    """The times of a table's rows."""

    def __init__(
        self, table: Table, column: int, zone: tzinfo | None, *, is_run: bool, labels: Labels | None = None
    ) -> None:
        """Find out how the times are written.

        Args:
            table: The table.
            column: Index of the column with the times, or with the dates if the time of day has its own column.
            zone: Zone of times without an offset; None: it is not known.
            is_run: Whether the table is the load of one run of a device, of which only time differences count.
            labels: Whether times are starts or ends of intervals; None: to be found out.
        """
        self.column = column
        self._table = table
        self._zone = zone
        self._is_run = is_run
        cells = table.cells(column, LOOKED_AT)
        self._clock = self._beside(column, cells)
        self._have_ends = False
        self._have_ends = have_ends(self.text(row) for _, row in table.rows[:LOOKED_AT] if column < len(row))
        self._numbers = numbers_of(table, column)
        self.is_excel = all(map(is_number, cells)) and is_excel_column(list(map(self._numbers.parse, cells)))
        self._is_of_days = self.is_excel and all(float(self._numbers.parse(cell)).is_integer() for cell in cells)
        """Whether a spreadsheet's numbers are only dates."""
        self._order = self._order_of_dates()
        shown_by = "" if labels else self._shown_ends()
        self.are_ends = labels == "end" or bool(shown_by)
        """Whether each time is the end of its interval."""
        self.are_changes = table.columns[column] in _CHANGE_NAMES
        """Whether a row is written when the value changes."""
        self._labels = labels
        self._shown_by = shown_by
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
        columns = self._table.columns
        for i in sorted(range(len(columns)), key=lambda i: names_ends(columns[i])):  # starts first
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

    def _shown_ends(self) -> str:
        """Return what shows that times are the ends of intervals; empty: nothing does."""
        for column in (self.column, self._clock):
            if self._table.has_header and column is not None and names_ends(self._table.columns[column]):
                return f"the column's name {self._table.columns[column]!r}"
        return "24:00" if not self._is_run and self._has_ends_of_days() else ""

    def labels_note(self, times_s: Sequence[int]) -> str:
        """Return a note on whether times are starts or ends of intervals; empty: nothing is assumed.

        A day of a meter from 00:15 to 00:00 is most likely labelled by ends, but it may also be read a step too late.

        Args:
            times_s: The times of the rows, UNIX seconds.
        """
        if self._shown_by:
            return f"{self._shown_by} {_ENDS}"
        rows = [cells for _, cells in (self._table.rows[0], self._table.rows[-1]) if self.column < len(cells)]
        found = [moment(self.text(cells), self._order) for cells in rows]
        if self._labels or self._is_run or None in found or len(found) < 2:
            return ""
        first, last = sorted(cast("list[datetime]", found), key=lambda at: at.replace(tzinfo=None))
        begin = first.replace(hour=0, minute=0, second=0)
        step_s = times_s[1] - times_s[0]
        if last.time() != time() or step_s > _LONGEST_STEP_S or first - begin != timedelta(seconds=step_s):
            return ""
        return f"{first:%H:%M} at the beginning and 00:00 at the end {_MAY_BE_ENDS}"

    def _has_ends_of_days(self) -> bool:
        clocks = self._table.cells(self.column) + ([] if self._clock is None else self._table.cells(self._clock))
        if not any("24:00" in cell for cell in clocks if isinstance(cell, str)):
            return False
        rows = (cells for _, cells in self._table.rows if self.column < len(cells))
        texts = [beginning(text.strip()) for cells in rows if isinstance(text := self.text(cells), str)]
        return any(map(_END_OF_DAY.search, texts)) and not any(map(_BEGIN_OF_DAY.search, texts))

    def text(self, cells: Sequence[Any]) -> Any:  # noqa: ANN401 - text, number or date
        """Return a row's time as written."""
        text = cells[self.column]
        if self._clock is not None and self._clock < len(cells) and isinstance(text, str):
            beside = str(cells[self._clock])
            text = f"{beside} {text}" if is_clock(text) else f"{text} {beside}"
        return without_end(text) if self._have_ends and isinstance(text, str) else text

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
            ValueError: The row has no time, or one that does not exist.
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
            if seconds > 86_400 or not before_s:
                return seconds
            days_s = before_s[-1] // 86_400 * 86_400
            is_next_day = days_s + seconds < before_s[-1]
            return days_s + seconds + (86_400 if is_next_day else 0)
        if not self._is_run and is_clock(str(text)):
            raise _NoDateError(f"{str(text)!r} is a time without a date")
        raise _UnreadableTimeError(f"{text!r} is not a time")

    def _zoned_s(self, found: datetime, before_s: Sequence[int], text: object, *, is_day: bool) -> int:
        try:
            time_s = moment_s(found, self._zone, before_s, text, is_day=is_day)
            if self.are_ends and found.time() == time() and before_s and time_s < before_s[-1]:
                # The midnight at the end of a day, with the date of that day.
                return moment_s(found + timedelta(days=1), self._zone, before_s, text)
        except ValueError:
            if not self.are_ends:
                raise
            # An end may be the moment at which clocks go forward, which is no time of that day.
            return moment_s(found - _SECOND, self._zone, before_s, text) + 1
        else:
            return time_s
        finally:
            if self._zone is None and found.tzinfo is None:
                self._zone = UTC  # a stand-in: the missing zone is reported once, and the rest is checked too


def zone_of_times(
    table: Table, column: int, scenario_zone: str | None, notes: list[str], *, is_run: bool = False
) -> str | None:
    """Return the zone of times that say none: as the header says, else the scenario's; a note reports it.

    Args:
        table: The table.
        column: Index of the column of times.
        scenario_zone: IANA name; None: times have to say their offset.
        notes: Receives which zone is taken, if a time says none.
        is_run: See `RowTimes`.
    """
    stated = stated_zone(table, column)
    name = stated[0] if stated else scenario_zone
    texts = table.cells(column, LOOKED_AT)
    first = next(iter(texts), None)
    first = without_end(first) if isinstance(first, str) and have_ends(texts) else first
    found = moment(first) or moment(first, "month")
    if name is not None and not is_run and found is not None and found.tzinfo is None:
        why = stated[1] if stated else "the scenario's zone"
        notes.append(f"times without an offset are taken as {name}, {why}.")
    return name


def parsed_rows(
    table: Table, of_time: RowTimes, value_column: int, unit: Unit | None, notes: list[str]
) -> tuple[list[int], list[float], list[int]]:
    """Return times and values of the rows that have a value, and the times of those that have none.

    Args:
        table: The table.
        of_time: Reads the time of a row, UNIX seconds.
        value_column: Index of the column with the values.
        unit: The unit of the values; None: not known.
        notes: Receives what was left out or assumed.

    Raises:
        ScenarioError: Carries the problems of all rows.
    """
    failures: list[_Failure] = []
    times: list[int] = []
    values: list[float] = []
    empty_s: list[int] = []
    repeated = 0
    numbers = numbers_of(table, value_column)
    most = max(of_time.column, value_column)
    if of_time.is_excel:
        notes.append("times are numbers of a spreadsheet, taken as days since 1899-12-30.")
    for line, cells in rows_in_order(table, of_time, notes):
        if len(cells) > most and is_nothing(cells[value_column]):
            with suppress(ValueError):
                empty_s.append(of_time.time_s(cells, times))
            continue
        try:
            _check_width(table, cells, most + 1, value_column)
            time_s = of_time.time_s(cells, times)
            value = _value(cells[value_column], numbers, unit)
            if of_time.are_changes and times and time_s == times[-1]:
                values[-1] = value  # several changes within a second
                continue
            if _is_repeated(time_s, value, times, values, of_time.text(cells)):
                repeated += 1
                continue
        except ValueError as error:
            failures.append((type(error), Problem(f"{table.where}:{line}", str(error))))
            continue
        times.append(time_s)
        values.append(value)
    if failures:
        rising = _not_rising(table, of_time, value_column, failures, repeated)
        raise ScenarioError(rising or cap_problems(_problems_of(failures, len(times)), table.where))
    if len(times) < 2:
        raise ScenarioError([Problem(table.where, f"at least two values are needed, found {len(times)}")])
    if repeated:
        notes.append(f"{plural(repeated, 'row')} like the one before {'was' if repeated == 1 else 'were'} left out.")
    return times, values, empty_s


def _problems_of(failures: Sequence[_Failure], dated: int) -> list[Problem]:
    """Return the problems of rows; only one for all unreadable times, if most are unreadable for the same reason."""
    for reason in (_NoDateError, _UnreadableTimeError):
        alike = [problem for kind, problem in failures if kind is reason]
        if len(alike) > max(1, dated):
            first, others = alike[0], plural(len(alike) - 1, "other row")
            what = f"{first.what.removesuffix(reason.expected)}, as in {others}{reason.expected}"
            return [Problem(first.where, what), *(problem for kind, problem in failures if kind is not reason)]
    return [problem for _, problem in failures]


def _not_rising(
    table: Table, of_time: RowTimes, value_column: int, failures: Sequence[_Failure], repeated: int
) -> list[Problem]:
    """Return one problem for the whole table, if rows are of several series or most times do not rise."""
    not_after = sum(kind is _NotAfterError for kind, _ in failures)
    if not_after == len(failures) and (several := _column_of_series(table, of_time, value_column)) is not None:
        return [several]
    if not_after <= MAX_PROBLEMS or not_after + repeated <= len(table.rows) / 2:
        return []
    what = f"column {table.columns[of_time.column]!r} has no times that rise from row to row"
    return [Problem(table.where, f"{what}{_IN_ONE_OR_TWO}")]


def _several_series(table: Table, column: int, names: Iterable[object]) -> Problem:
    about = f"has rows of several series, which column {table.columns[column]!r} tells apart"
    return Problem(table.where, f"{about}: {first_few(map(str, names))}; keep the rows of one")


def _column_of_series(table: Table, of_time: RowTimes, value_column: int) -> Problem | None:
    """Return that rows are of several series, as a problem, if a column of text tells apart series of rising times."""
    for i in range(len(table.columns)):
        first = next(iter(table.cells(i, 1)), None)
        if i in (of_time.column, value_column) or is_number(first) or has_moment(first) or is_clock(str(first)):
            continue
        last: dict[str, float] = {}
        for _, cells in table.rows:
            name, at = str(cells[i]) if i < len(cells) else "", of_time.rough(cells)
            if at is None or at <= last.get(name, -math.inf) or len(last) > _MOST_SERIES:
                break
            last[name] = at
        else:
            if len(last) > 1:
                return _several_series(table, i, last)
    return None


def _check_width(table: Table, cells: Sequence[Any], least: int, value_column: int) -> None:
    """Raise ValueError if a row has too few columns, or so many that a number was split."""
    if len(cells) < least:
        raise ValueError(f"has {len(cells)} columns, {least} are expected")
    problem = table.split_problem(value_column, cells)
    if problem is not None:
        raise ValueError(problem)


def _is_repeated(time_s: int, value: float, times: Sequence[int], values: Sequence[float], text: object) -> bool:
    """Return whether a row repeats the one before; raise ValueError if its time is not after that one's."""
    if not times or time_s > times[-1]:
        return False
    if (time_s, value) == (times[-1], values[-1]):
        return True
    is_midnight = isinstance(text, str) and _BEGIN_OF_DAY.search(text) and time_s > times[-1] - 86_400
    hint = "; if it ends the day, add labels: end" if is_midnight else ""
    raise _NotAfterError(f"the time {text} is not after the one before{hint}")


def rows_in_order(table: Table, of_time: RowTimes, notes: list[str]) -> Sequence[tuple[int, Sequence[Any]]]:
    """Return the rows from old to new, without a last one that sums them up.

    Args:
        table: The table.
        of_time: Reads the time of a row.
        notes: Receives what was left out, and whether the order was reversed.

    Raises:
        ScenarioError: A column says that rows are of several series.
    """
    rows = table.rows
    for i, name in enumerate(table.columns):
        if name in _SERIES_NAMES and len(names := dict.fromkeys(table.cells(i))) > 1:
            raise ScenarioError([_several_series(table, i, names)])
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


def _value(cell: object, numbers: NumberFormat, unit: Unit | None) -> float:
    said = UNIT_IN_CELL.fullmatch(cell) if isinstance(cell, str) else None
    if not isinstance(cell, str) and not is_number(cell):
        raise ValueError(f"a number is expected, not {cell!r}")
    value = numbers.parse(cell)
    if not math.isfinite(value):
        raise ValueError(f"a finite number is expected, not {cell!r}")
    if said is not None and (own := unit_named(said[2])) != unit:
        if unit is None:
            raise ValueError(f"a number is expected, not {cell!r}")
        if own.endswith("h") != unit.endswith("h"):
            raise ValueError(f"{cell!r} is not in {unit}, as others are")
        return value * UNITS[own] / UNITS[unit]
    return value


def check_times(table: Table, of_time: RowTimes) -> None:
    """Check the times of a table whose values cannot be read.

    Raises:
        ScenarioError: Carries their problems.
    """
    failures: list[_Failure] = []
    before_s: list[int] = []
    for line, cells in rows_in_order(table, of_time, []):
        try:
            if len(cells) > of_time.column:
                before_s.append(of_time.time_s(cells, before_s))
        except ValueError as error:
            failures.append((type(error), Problem(f"{table.where}:{line}", str(error))))
    if failures:
        raise ScenarioError(cap_problems(_problems_of(failures, len(before_s)), table.where))
