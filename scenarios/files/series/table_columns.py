"""Finds the columns of a table that hold its times and its values, and the unit of the values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, Literal, cast

from scenarios.errors import Problem, ScenarioError
from scenarios.files.series.table_times import has_moment, is_clock, is_date_only
from scenarios.files.series.tables import LOOKED_AT, UNIT_IN_CELL, Table, is_number
from scenarios.zone import zone_info

Unit = Literal["W", "kW", "MW", "Wh", "kWh", "MWh"]
Reading = Literal["power", "interval", "counter"]
"""Whether values are powers, energies of each interval, or readings of a counter."""
Labels = Literal["start", "end"]
"""Whether the time of a row is the start or the end of the interval of its value."""

UNITS: Final[dict[Unit, float]] = {"W": 1.0, "kW": 1e3, "MW": 1e6, "Wh": 1.0, "kWh": 1e3, "MWh": 1e6}
"""By unit, the factor to W or Wh."""
_TIME_NAMES = ("time", "date", "zeit", "datum", "timestamp", "start", "utc", "moment", "last_changed")
_RELATIVE_NAMES = ("second", "sekunde", "minute", "hour", "stunde", "elapsed", "sec", "min", "s", "h", "t")
_CAMEL_CASE = re.compile(r"(?<=[a-zà-ÿ])(?=[A-Z])")
_END_NAMES = re.compile(
    r"\b(?:end(?:s|ing|time|date)?|to|until|till|ende|endzeit|enddatum|bis|fin|hasta|fine|fim|eind|tot|slut)\b"
)
_START_NAMES = re.compile(r"\b(?:start|begin(?:n|ning)?|from|anfang|von|d[eé]but|in[ií]cio|inizio|desde)\b")
_UNIT_IN_NAME = re.compile(r"(?<![A-Za-z])(?:((?-i:M)Wh|kWh|Wh)s?|((?-i:M)W|kW|W))(?![A-Za-z])", re.IGNORECASE)
"""Units of energy in the first group, of power in the second."""
_MILLI_OR_MEGA = re.compile(r"(?<![A-Za-z])m[Ww]h?(?![A-Za-z])")
"""`mW` is a milliwatt, and `power_mw` may be in milliwatts (of plugs) or megawatts."""
_WATTS = re.compile(r"(?<![A-Za-z])(kilo|k|mega)?watts?(?: ?(hours?|stunden?))?(?![A-Za-z])", re.IGNORECASE)
_MONEY = r"€|\$|£|(?<![A-Za-z])(?:EUR|USD|GBP|NOK|SEK|DKK|CHF|PLN|cents?|ct|p|g|kg|t)(?![A-Za-z])|CO2[a-z]*"
_QUOTIENT = re.compile(
    rf"(?:{_MONEY})\s*(?:/|per)\s*[kM]?Wh|[kM]?W(?:att)?s?h?\s*(?:/|per)?\s*(?:m(?:²|\^?2|\^?-2)|kWp)", re.IGNORECASE
)
"""Prices, emissions, irradiance and specific yield, whose units have one of power or energy as a part."""
_UTC_IN_NAME = re.compile(
    r"(?:(?<![A-Za-z])(?:UTC|GMT)|(?-i:(?<=[a-z])UTC))(?: ?([+-]) ?(\d\d?)(?::?(\d\d))?)?(?![A-Za-z0-9])(?! offset)",
    re.IGNORECASE,
)
"""`time_utc`, `Time (UTC+1)`, `HourUTC`."""
_NUMBERED_HOUR = re.compile(r"(?:HH|Hour|Stunde|Hora|Ora|Heure)[ _]?\d{1,2}", re.IGNORECASE)
_FEWEST_TIMES_OF_DAY = 12
"""This many columns that are named after times of day are the columns of a table with a row for each day."""
_FEWEST_DIGITS_OF_ID = 9
_IANA_NAME = re.compile(r"[A-Z][A-Za-z_]+/[A-Z][A-Za-z_/-]+")
_WITH_SUMMER_TIME = {
    "CET/CEST": "Europe/Berlin",
    "MEZ/MESZ": "Europe/Berlin",
    "WET/WEST": "Europe/Lisbon",
    "EET/EEST": "Europe/Helsinki",
}
"""Zones that headers name by their winter and summer time, such as `MTU (CET/CEST)` of ENTSO-E."""
_OFFSET_OF_OPEN_METEO = "utc_offset_seconds"
"""Column above the table of Open-Meteo with the offset of all times in it, even across clock changes."""
_TIME_OF_PVGIS = re.compile(r"\d{8}:\d{4}")


def find_time_column(table: Table, wanted: str | int | None, *, is_run: bool) -> int:
    """Return the index of the column of times: by its name, else by its first value, else the first column.

    Args:
        table: The table.
        wanted: Name or number of the column; None: to be guessed.
        is_run: Whether times may count from the start of a device's run.

    Raises:
        ScenarioError: There is no such column.
    """
    if wanted is not None:
        return table.named(wanted)
    key = "time column", is_run
    if key not in table.derived:  # it is the same for all devices that have a column in the table
        table.derived[key] = _time_column(table, is_run=is_run)
    return cast("int", table.derived[key])


def _time_column(table: Table, *, is_run: bool) -> int:
    samples = [next(iter(table.cells(i, LOOKED_AT)), None) for i in range(len(table.columns))]
    moments = [i for i, cell in enumerate(samples) if not is_number(cell) and _is_time(cell)]
    if not table.has_header:
        return next(iter(_of_starts(table, _with_date_and_time(samples, moments))), 0)
    names = (*_TIME_NAMES, *(name for name in _RELATIVE_NAMES if is_run))
    named = [i for i, name in enumerate(table.columns) if _has_name(name, names) and samples[i] is not None]
    if moments:
        likely = _of_starts(table, _changing(table, _with_date_and_time(samples, moments)))
        found = next((i for i in named if i in likely), likely[0])
        if not is_clock(str(samples[found])):
            return found
        # The dates beside times of day say the zone, also if the rows that are looked at are of one day.
        dates = [i for i in moments if is_date_only(samples[i])]
        return min(dates, key=lambda i: (i not in likely, names_ends(table.columns[i])), default=found)
    likely = _of_starts(table, named)
    return next((i for i in likely if is_number(samples[i])), next(iter(likely), 0))


def _with_date_and_time(samples: Sequence[object], columns: Sequence[int]) -> Sequence[int]:
    """Return those columns of times that have a date and a time, unless dates and times of day have a column each."""
    dates = [i for i in columns if is_date_only(samples[i])]
    clocks = [i for i in columns if is_clock(str(samples[i]))]
    whole = [i for i in columns if i not in dates and i not in clocks]
    return whole if whole and not (dates and clocks) else columns


def _changing(table: Table, columns: Sequence[int]) -> Sequence[int]:
    """Return those columns of times that are not the same in all rows, as the start of a query or a contract is."""
    changing = [i for i in columns if len(set(table.cells(i, LOOKED_AT))) > 1]
    return changing if any(not is_date_only(next(iter(table.cells(i, 1)), None)) for i in changing) else columns


def _of_starts(table: Table, columns: Sequence[int]) -> Sequence[int]:
    """Return the columns of times that are not named after ends; if some of them are named after starts, only those.

    If all columns are named after ends, or none is, all are returned.
    """
    others = [i for i in columns if not names_ends(table.columns[i])]
    starts = [i for i in others if _START_NAMES.search(_words(table.columns[i]))]
    return columns if len(others) in (0, len(columns)) else starts or others


def names_ends(column: str) -> bool:
    """Return whether a column of times is named after the ends of intervals, such as `period_end` or `Zeit bis`."""
    words = _words(column)
    return _END_NAMES.search(words) is not None and _START_NAMES.search(words) is None


def _words(column: str) -> str:
    return _CAMEL_CASE.sub(" ", column).replace("_", " ").casefold()


def _has_name(column: str, names: Sequence[str]) -> bool:
    words = re.split(r"[^a-z]+", column.casefold())
    return any(name in words if len(name) <= 3 and name != "utc" else name in column.casefold() for name in names)


def _is_time(cell: object) -> bool:
    return has_moment(cell) or (isinstance(cell, str) and is_clock(cell))


def find_value_column(table: Table, wanted: str | int | None, time_column: int | None, notes: list[str]) -> int:
    """Return the index of the column of values: the only one with numbers, or the only one with a unit.

    Args:
        table: The table.
        wanted: Name or number of the column; None: to be guessed.
        time_column: Index of the column of times; None: not found.
        notes: Receives a note if there is a choice.

    Raises:
        ScenarioError: There is no such column, or there are several.
    """
    dates = [] if time_column is None else table.cells(time_column, 1)
    if any(map(is_date_only, dates)) and sum(map(_names_time_of_day, table.columns)) >= _FEWEST_TIMES_OF_DAY:
        what = "has a row for each day and a column for each time of day; a row for each time is expected"
        raise ScenarioError([Problem(table.where, what)])
    if wanted is not None:
        found = table.named(wanted)
        if found == time_column:
            what = f"column {table.columns[found]!r} cannot hold both times and values"
            raise ScenarioError([Problem(table.where, what)])
        return found
    samples = {i: table.cells(i, LOOKED_AT) for i in range(len(table.columns)) if i != time_column}
    numeric = [i for i, cells in samples.items() if cells and is_number(cells[0])]
    numeric = [i for i in numeric if not _is_id_or_time(table.columns[i], samples[i])] or numeric
    with_unit = [i for i in numeric if stated_unit(table, i) is not None]
    choice = with_unit if len(with_unit) == 1 else numeric
    if len(choice) == 1:
        if len(numeric) > 1:
            notes.append(f"values are taken from column {table.columns[choice[0]]!r}.")
        return choice[0]
    if not choice:
        raise ScenarioError([Problem(table.where, "has no column with numbers beside its times")])
    likely = [*with_unit, *(i for i in choice if i not in with_unit)]
    known = ", ".join(repr(table.columns[i]) for i in likely[:8])
    what = f"has several columns of values; name one under columns.value: {known}"
    raise ScenarioError([Problem(table.where, what)])


def _names_time_of_day(column: str) -> bool:
    return is_clock(column) or _NUMBERED_HOUR.fullmatch(column) is not None


def _is_id_or_time(column: str, cells: Sequence[object]) -> bool:
    """Return whether a column has no values, but an id that is the same in all rows, as of a meter, or UNIX seconds."""
    long = all(isinstance(cell, str) and len(cell) >= _FEWEST_DIGITS_OF_ID and cell.isdecimal() for cell in cells)
    return long and (len(set(cells)) == 1 < len(cells) or _has_name(column, _TIME_NAMES))


def unit_beside(table: Table, units: re.Pattern[str]) -> tuple[str, str] | None:
    """Return what a column of units says, if it says the same in all rows, and the column's name; None: there is none.

    Args:
        table: The table.
        units: Matches a unit.
    """
    if units not in table.derived:
        table.derived[units] = next(_units_beside(table, units), None)
    return cast("tuple[str, str] | None", table.derived[units])


def _units_beside(table: Table, units: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for i, name in enumerate(table.columns):
        first = next(iter(table.cells(i, LOOKED_AT)), None)
        found = units.fullmatch(first) if isinstance(first, str) else None
        is_status = found is not None and found[0] == "W" and "unit" not in name.casefold()
        if found is not None and not is_status and set(table.cells(i)) == {first}:
            yield found[0], name


def stated_unit(table: Table, column: int) -> Unit | None:
    """Return the unit that a column's name, the row of units or its first value says."""
    texts = [table.columns[column], table.units[column]] if table.has_header else []
    if (above := _stated_above(table, column)) is not None:
        texts.append(above)
    first = next(iter(table.cells(column, 1)), None)
    in_cell = UNIT_IN_CELL.fullmatch(first) if isinstance(first, str) else None
    for text in (_QUOTIENT.sub(" ", text.replace("_", " ")) for text in texts):
        found, watts = _UNIT_IN_NAME.search(text), _WATTS.search(text)
        if found is not None:
            return unit_named(found[1] or found[2])
        if watts is not None:
            prefix = {"kilo": "k", "k": "k", "mega": "M"}.get((watts[1] or "").lower(), "")
            return unit_named(f"{prefix}W{'h' if watts[2] else ''}")
    return None if in_cell is None else unit_named(in_cell[2])


def stated_zone(table: Table, column: int) -> tuple[str, str] | None:
    """Return the zone that a table states for its times, and where it states it; None: nowhere."""
    for text in (table.columns[column], table.units[column]) if table.has_header else ():
        if (zone := _zone_in(text)) is not None:
            return zone, "as the header says"
    first = next(iter(table.cells(column, 1)), None)
    if isinstance(first, str) and _TIME_OF_PVGIS.fullmatch(first):
        return "UTC", "as PVGIS writes them"
    zone = _zone_above(table, column)
    return None if zone is None else (zone, "as stated above the table")


def _zone_above(table: Table, column: int) -> str | None:
    """Return the zone that the lines above a table state for a column of times."""
    stated = _stated_above(table, column)
    if stated is not None and (zone := _zone_in(stated) or stated) and (zone[0] in "+-" or zone_info(zone)):
        return zone
    for names, values in pairwise(table.above):
        if _OFFSET_OF_OPEN_METEO in names and len(names) == len(values):
            offset = re.fullmatch(r"(-?)(\d{1,5})", values[names.index(_OFFSET_OF_OPEN_METEO)])
            if offset is not None:
                hours, minutes = divmod(int(offset[2]) // 60, 60)
                return f"{offset[1] or '+'}{hours:02}:{minutes:02}"
    return None


def _zone_in(text: str) -> str | None:
    """Return the zone that is named in a text: UTC, an offset from it, a zone with its summer time, or an IANA name."""
    with_summer_time = next((zone for name, zone in _WITH_SUMMER_TIME.items() if name in text.upper()), None)
    iana = next((name for name in _IANA_NAME.findall(text) if zone_info(name) is not None), None)
    found = _UTC_IN_NAME.search(text.replace("_", " "))
    if with_summer_time or iana or found is None:
        return with_summer_time or iana
    return "UTC" if found[1] is None else f"{found[1]}{int(found[2]):02}:{found[3] or '00'}"


def _stated_above(table: Table, column: int) -> str | None:
    """Return what the lines above a table say about a column: `UTC` in `# Units: time in UTC, electricity in kW`."""
    if not table.has_header or not table.above:
        return None
    of_column = re.compile(rf"(?<!\w){re.escape(table.columns[column])} in (\w[\w/+-]*)")
    found = (of_column.search(cell) for cells in table.above for cell in cells)
    return next((each[1] for each in found if each is not None), None)


def unit_named(text: str) -> Unit:
    """Return a unit from a text with its letters, in upper or lower case."""
    return next(unit for unit in UNITS if unit.casefold() == text.casefold())


def find_unit(table: Table, column: int, reading: Reading | None, notes: list[str]) -> Unit:
    """Return the unit that a table says its values have, or Wh in a table without a header.

    Args:
        table: The table.
        column: Index of the column of values.
        reading: What a value is; None: to be guessed.
        notes: Receives a note if the unit is assumed.

    Raises:
        ScenarioError: The unit is not given.
    """
    found = stated_unit(table, column)
    if found is not None:
        return found
    if (beside := unit_beside(table, _UNIT_IN_NAME)) is not None:
        notes.append(f"the unit {beside[0]} is taken from column {beside[1]!r}.")
        return unit_named(beside[0].rstrip("s"))
    if reading == "power":
        what = "the unit is not given; add unit: W or unit: kW"
        raise ScenarioError([Problem(table.where, what)])
    if table.has_header:
        what = f"column {table.columns[column]!r} has no unit of power or energy; add unit: W, kW, Wh or kWh"
        if _MILLI_OR_MEGA.search(table.columns[column].replace("_", " ")):
            name = repr(table.columns[column])
            what = f"column {name} may be in milli- or megawatts; convert the former to W, or add unit: MW or MWh"
        raise ScenarioError([Problem(table.where, what)])
    notes.append("no unit is given; Wh is assumed.")
    return "Wh"
