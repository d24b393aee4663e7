"""Reads measured series as meters and portals export them: CSV (also compressed with gzip) and Parquet.

What the file does not say is guessed from its header and values, and each guess is a note: the columns, the unit, and
whether values are powers, energies of each interval or readings of a counter. A zone is never guessed.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zoneinfo
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

from scenarios.errors import Problem, ScenarioError
from scenarios.files.problems import suggest
from scenarios.files.read import MAX_BYTES, decode, read_bytes
from scenarios.scenario import zone_info

Unit = Literal["W", "kW", "MW", "Wh", "kWh", "MWh"]
Reading = Literal["power", "interval", "counter"]

UNITS: Final[dict[str, float]] = {"W": 1.0, "kW": 1e3, "MW": 1e6, "Wh": 1.0, "kWh": 1e3, "MWh": 1e6}
"""By unit, the factor to W or Wh."""
MAX_GAP_S = 86_400
"""A longer gap is an error: what happened in it would be invented."""
MEASURED_SUFFIXES = (".csv", ".parquet", ".gz", ".tsv")
_MAX_PROBLEMS = 10
_TIME_NAMES = ("time", "date", "zeit", "datum", "timestamp", "start", "utc", "moment")
_UNIT_IN_NAME = re.compile(r"(?<![A-Za-z])(MWh|kWh|Wh|MW|kW|W)(?![A-Za-z])", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})[ T]+(\d{1,2}):(\d\d)(?::(\d\d))?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


@dataclass(frozen=True, slots=True)
class MeasuredFormat:
    """How to read a file; None: to be guessed."""

    time: str | int | None = None
    """Name of the column of times, or its number from 1."""
    value: str | int | None = None
    unit: Unit | None = None
    reading: Reading | None = None
    zone: str | None = None
    """IANA name or offset, for times that say none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A series that was read: cumulative energy, from the beginning of its first interval to the end of its last."""

    times_s: tuple[int, ...]
    """UNIX seconds, ascending."""
    cumulative_wh: tuple[float, ...]
    columns: tuple[str, ...]
    format: MeasuredFormat
    """As it was read, complete."""
    notes: tuple[str, ...]
    """What was guessed and what was found, one sentence each."""


@dataclass(slots=True)
class _Table:
    where: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[int, Sequence[Any]]]
    """Number of the line or row in the file, and the cells."""
    has_header: bool
    notes: list[str] = field(default_factory=list)


def is_measured(name: str) -> bool:
    """Return whether a file's name says that it is a table of measurements."""
    return name.lower().endswith(MEASURED_SUFFIXES)


def read_measured(path: Path, where: str, wanted: MeasuredFormat) -> Measured:
    """Return the series in a file of measurements.

    Args:
        path: CSV, gzip or Parquet.
        where: Its name, for messages.
        wanted: What is known about it.

    Raises:
        ScenarioError: It cannot be used; carries all problems, each with its line.
    """
    table = _table(path, where)
    notes: list[str] = []
    time_column = _time_column(table, wanted.time)
    value_column = _value_column(table, wanted.value, time_column, notes)
    zone_name = wanted.zone
    zone = None if zone_name is None else zone_of(zone_name, where)
    unit = wanted.unit or _unit(table, value_column, wanted.reading, notes)
    times, values = _parsed(table, time_column, value_column, zone)
    reading = wanted.reading or _reading(unit, values, notes)
    if (reading == "power") != (unit in {"W", "kW", "MW"}):
        raise ScenarioError([Problem(where, f"{unit} is no unit of {_READINGS[reading]}")])
    times_s, energy_wh = _cumulated(table, times, [value * UNITS[unit] for value in values], reading, notes)
    done = MeasuredFormat(table.columns[time_column], table.columns[value_column], unit, reading, zone_name)
    return Measured(times_s, energy_wh, table.columns, done, tuple(f"{where}: {note}" for note in notes))


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
    table = _table(path, where)
    notes: list[str] = []
    time_column = _time_column(table, time)
    value_column = _value_column(table, value, time_column, notes)
    zone = None if zone_name is None else zone_of(zone_name, where)
    named = unit or _price_unit(table.columns[value_column])
    if named is None:
        units = ", ".join(PRICE_UNITS)
        what = f"column {table.columns[value_column]!r} does not say the unit of its prices; add unit: one of {units}"
        raise ScenarioError([Problem(where, what)])
    times, values = _parsed(table, time_column, value_column, zone)
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
        ScenarioError: There is none of this name.
    """
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign = -1 if offset[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(offset[2]), minutes=int(offset[3])))
    if name in {"UTC", "Z"}:
        return UTC
    zone = zone_info(name)
    if zone is None:
        what = f"there is no time zone {name!r}{suggest(name, zoneinfo.available_timezones())}"
        raise ScenarioError([Problem(where, what)])
    return zone


def _table(path: Path, where: str) -> _Table:
    stat = path.stat() if path.is_file() else None
    return _read_table(path, where, None if stat is None else (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=8)
def _read_table(path: Path, where: str, stamp: tuple[int, int] | None) -> _Table:
    """Return a file's rows; the series of many panels may be columns of one file, which is read once."""
    del stamp  # a changed file is another one
    content = read_bytes(path, where)
    name = path.name.lower()
    if name.endswith(".gz"):
        content, name = _unpacked(content, where), name.removesuffix(".gz")
    if name.endswith(".parquet") or content[:4] == b"PAR1":
        return _parquet(content, where)
    return _csv(decode(content, where), where)


def _unpacked(content: bytes, where: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(MAX_BYTES + 1)
    except (OSError, EOFError) as error:
        raise ScenarioError([Problem(where, f"cannot be unpacked: {error}")]) from None
    if len(unpacked) > MAX_BYTES:
        raise ScenarioError([Problem(where, f"larger than {MAX_BYTES // 2**20} MB when unpacked")])
    return unpacked


def _parquet(content: bytes, where: str) -> _Table:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
    except ImportError:
        what = "is Parquet, which needs pyarrow: pip install 'ssmic[parquet]'"
        raise ScenarioError([Problem(where, what)]) from None
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise ScenarioError([Problem(where, f"is no Parquet file: {error}")]) from None
    columns = [column.to_pylist() for column in table.columns]
    rows = [(n, row) for n, row in enumerate(zip(*columns, strict=True), start=1)]
    return _checked(_Table(where, tuple(table.column_names), rows, has_header=True))


def _csv(text: str, where: str) -> _Table:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise ScenarioError([Problem(where, "is empty; lines with a time and a value are expected")])
    delimiter = next((mark for mark in (";", "\t", ",") if mark in lines[0]), None)
    if delimiter is None:
        rows = [(n, line.split()) for n, line in enumerate(text.splitlines(), start=1) if _counts(line)]
    else:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = [
            (reader.line_num, [cell.strip() for cell in row])
            for row in reader
            if any(row) and not row[0].startswith("#")
        ]
    if delimiter == ";":  # beside it, a comma is a decimal comma
        rows = [(n, [_with_point(cell) for cell in row]) for n, row in rows]
    first = rows[0][1]
    has_header = not any(_is_number(cell) or _moment(cell) is not None for cell in first)
    if has_header:
        columns = tuple(name.lstrip("\ufeff") for name in first)
        rows = rows[1:]
    else:
        columns = tuple(f"column {n}" for n in range(1, len(first) + 1))
    return _checked(_Table(where, columns, rows, has_header))


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if re.fullmatch(r"[-+]?\d+,\d+", cell) else cell


def _checked(table: _Table) -> _Table:
    if len(table.rows) < 2:
        raise ScenarioError([Problem(table.where, f"at least two rows are needed, found {len(table.rows)}")])
    if len(table.columns) < 2:
        raise ScenarioError([Problem(table.where, "has one column; a column of times and one of values are needed")])
    return table


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) or (isinstance(cell, str) and _NUMBER.fullmatch(cell) is not None)


def _named(table: _Table, wanted: str | int) -> int:
    if isinstance(wanted, int):
        if 1 <= wanted <= len(table.columns):
            return wanted - 1
        what = f"there is no column {wanted}; it has {len(table.columns)} columns"
        raise ScenarioError([Problem(table.where, what)])
    if wanted in table.columns:
        return table.columns.index(wanted)
    raise ScenarioError([Problem(table.where, f"there is no column {wanted!r}{suggest(wanted, table.columns)}")])


def _time_column(table: _Table, wanted: str | int | None) -> int:
    if wanted is not None:
        return _named(table, wanted)
    if table.has_header:
        for i, name in enumerate(table.columns):
            if any(word in name.casefold() for word in _TIME_NAMES):
                return i
    cells = table.rows[0][1]
    return next((i for i, cell in enumerate(cells) if not _is_number(cell) and _moment(cell) is not None), 0)


def _value_column(table: _Table, wanted: str | int | None, time_column: int, notes: list[str]) -> int:
    if wanted is not None:
        found = _named(table, wanted)
        if found == time_column:
            what = f"column {table.columns[found]!r} cannot hold both times and values"
            raise ScenarioError([Problem(table.where, what)])
        return found
    cells = table.rows[0][1]
    numeric = [i for i, cell in enumerate(cells) if i != time_column and _is_number(cell)]
    with_unit = [i for i in numeric if i < len(table.columns) and _UNIT_IN_NAME.search(table.columns[i])]
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


def _unit(table: _Table, column: int, reading: Reading | None, notes: list[str]) -> Unit:
    found = _UNIT_IN_NAME.search(table.columns[column].replace("_", " ")) if table.has_header else None
    if found is not None:
        return next(unit for unit in _units() if unit.casefold() == found[1].casefold())
    if reading == "power":
        what = "does not say its unit; add unit: W or unit: kW"
        raise ScenarioError([Problem(table.where, what)])
    if table.has_header:
        what = f"column {table.columns[column]!r} does not say its unit; add unit: W, kW, Wh or kWh"
        raise ScenarioError([Problem(table.where, what)])
    notes.append("says no unit; Wh are assumed.")
    return "Wh"


def _units() -> tuple[Unit, ...]:
    return ("W", "kW", "MW", "Wh", "kWh", "MWh")


def _moment(cell: object) -> datetime | None:
    """Return the date and time that a cell holds, without a zone if it says none; None if it is none."""
    if isinstance(cell, datetime):
        return cell
    if not isinstance(cell, str) or len(cell) < 8:
        return None
    german = _GERMAN.fullmatch(cell)
    try:
        if german is not None:
            day, month, year, hour, minute, second = (int(part or 0) for part in german.groups())
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone is added by the caller
        return None if _is_number(cell) else datetime.fromisoformat(cell)
    except ValueError:
        return None


def _parsed(table: _Table, time_column: int, value_column: int, zone: tzinfo | None) -> tuple[list[int], list[float]]:
    """Return times and values of all rows; empty values are left out."""
    problems: list[Problem] = []
    times: list[int] = []
    values: list[float] = []
    most = max(time_column, value_column)
    for line, cells in table.rows:
        at = f"{table.where}:{line}"
        if len(cells) <= most:
            problems.append(Problem(at, f"has {len(cells)} columns, {most + 1} are expected"))
            continue
        cell = cells[value_column]
        if cell is None or cell in {"", "-", "NaN", "nan", "null", "None"} or cell != cell:  # noqa: PLR0124 - NaN
            continue
        try:
            time_s = _time_s(cells[time_column], zone, times[-1] if times else None)
            value = float(cell)
            if not math.isfinite(value):
                raise ValueError(f"a finite number is expected, not {cell!r}")  # noqa: TRY301 - told like the others
        except (ValueError, TypeError) as error:
            said = str(error)
            what = f"a number is expected, not {cell!r}" if said.startswith("could not convert") else said
            problems.append(Problem(at, what))
            continue
        if times and time_s <= times[-1]:
            problems.append(Problem(at, f"the time {cells[time_column]} is not after the one before"))
            continue
        times.append(time_s)
        values.append(value)
    if problems:
        rest = len(problems) - _MAX_PROBLEMS
        more = [Problem(table.where, f"and {rest} more problems")] if rest > 0 else []
        raise ScenarioError([*problems[:_MAX_PROBLEMS], *more])
    if len(times) < 2:
        raise ScenarioError([Problem(table.where, f"at least two values are needed, found {len(times)}")])
    return times, values


def _time_s(cell: object, zone: tzinfo | None, before_s: int | None) -> int:
    if _is_number(cell):
        number = float(cell)  # type: ignore[arg-type]  # checked above
        if number > 1e11:  # milliseconds: as seconds it would be after the year 5000
            number /= 1000
        if not number.is_integer():
            raise ValueError(f"whole seconds are expected, not {cell}")
        return int(number)
    moment = _moment(cell)
    if moment is None:
        raise ValueError(f"{cell!r} is not a time; expected is ISO 8601, 21.06.2026 12:00 or UNIX seconds")
    if moment.tzinfo is None:
        if zone is None:
            raise ValueError(f"the time {cell} says no offset from UTC; add for example zone: Europe/Berlin")
        moment = moment.replace(tzinfo=zone)
        if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
            raise ValueError(f"the time {cell} does not exist on that day: clocks are put forward over it")
        if before_s is not None and moment.timestamp() <= before_s:
            moment = moment.replace(fold=1)  # the hour that clocks show twice, for the second time
    return int(moment.timestamp())


def _reading(unit: Unit, values: Sequence[float], notes: list[str]) -> Reading:
    if not unit.endswith("h"):
        return "power"
    steps = [after - before for before, after in pairwise(values)]
    rises = sorted(step for step in steps if step > 0)
    falls = sum(step < 0 for step in steps)
    # A counter that resets falls seldom, and rises by little of what it shows.
    is_reset = falls <= max(1, len(steps) // 100) and rises and rises[len(rises) // 2] < 0.1 * max(values)
    if rises and (not falls or is_reset):
        notes.append("values rise from row to row, so they are taken for readings of a counter.")
        return "counter"
    notes.append("values rise and fall, so they are taken for the energy of each interval.")
    return "interval"


def _cumulated(
    table: _Table, times: Sequence[int], values: Sequence[float], reading: Reading, notes: list[str]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return cumulative energy, Wh; `notes` receives gaps and resets of a counter."""
    steps_s = [after - before for before, after in pairwise(times)]
    step_s = Counter(steps_s).most_common(1)[0][0]
    gaps = [(times[i], steps_s[i]) for i in range(len(steps_s)) if steps_s[i] > step_s * 1.5]
    _tell_gaps(table.where, gaps, reading, notes)
    if reading == "counter":
        energies = [after - before for before, after in pairwise(values)]
        resets = [i for i, energy in enumerate(energies) if energy < 0]
        if resets:
            listed = ", ".join(_shown(times[i + 1]) for i in resets[:3]) + (", ..." if len(resets) > 3 else "")
            notes.append(f"the counter resets {_count(len(resets), 'time')} ({listed}); that step counts as 0 Wh.")
        energies = [max(0.0, energy) for energy in energies]
        return tuple(times), _summed(energies)
    if any(value < 0 for value in values):
        n = sum(value < 0 for value in values)
        raise ScenarioError([Problem(table.where, f"has {_count(n, 'negative value')}; energy cannot be negative")])
    points_s: list[int] = []
    energies = []
    for i, (time_s, value) in enumerate(zip(times, values, strict=True)):
        length_s = min(steps_s[i], step_s) if i < len(steps_s) else step_s
        if points_s and points_s[-1] < time_s:  # a gap: nothing is known, and nothing counted
            energies.append(0.0)
            points_s.append(time_s)
        elif not points_s:
            points_s.append(time_s)
        energies.append(value * length_s / 3600 if reading == "power" else value)
        points_s.append(time_s + length_s)
    return tuple(points_s), _summed(energies)


def _summed(energies: Sequence[float]) -> tuple[float, ...]:
    total, found = 0.0, [0.0]
    for energy in energies:
        total += energy
        found.append(total)
    return tuple(found)


def _tell_gaps(where: str, gaps: Sequence[tuple[int, int]], reading: Reading, notes: list[str]) -> None:
    too_long = [(time_s, gap_s) for time_s, gap_s in gaps if gap_s > MAX_GAP_S]
    if too_long:
        raise ScenarioError(
            Problem(where, f"nothing for {gap_s / 3600:.1f} h after {_shown(time_s)}; a gap of at most 24 h is bridged")
            for time_s, gap_s in too_long[:_MAX_PROBLEMS]
        )
    if gaps:
        longest_s = max(gap_s for _, gap_s in gaps)
        how = "its energy is spread evenly over it" if reading == "counter" else "it counts as 0 Wh"
        some = (
            f"{_count(len(gaps), 'gap')} (the first after {_shown(gaps[0][0])}, the longest {longest_s / 60:.0f} min)"
        )
        notes.append(f"has {some}; {how}.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%MZ")
