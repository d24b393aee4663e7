"""Dates and times as tables of meters and portals write them, and the numbers that spreadsheets put in their place."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import Final, Literal

from scenarios.errors import Problem, ScenarioError
from scenarios.mistyped_names import suggest
from scenarios.zone import iso_datetime, zone_info

DateOrder = Literal["day", "month"]
"""Which comes first in 21/06/2026 and in 06/21/2026."""
EXPECTED: Final = "expected ISO 8601, 21.06.2026 12:00 or UNIX seconds"

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?:\s*([AaPp])\.?[Mm]\.?)?")
_NUMERIC_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d\d)")
_WORDED_DATE = re.compile(r"(?:(\d{1,2})[-. ]+([^\W\d_]{3,})|([^\W\d_]{3,}) (\d{1,2}),?)[-. ]+(\d{4})")
_MONTHS = {
    name: month
    for month, names in enumerate(
        (
            "jan january januar januari janv janvier gen gennaio ene enero",
            "feb february februar februari fév févr février febbraio febrero",
            "mar march mär mrz märz mars marts mrt maart marzo",
            "apr april avr avril aprile abr abril",
            "may mai maj mei mag maggio mayo",
            "jun june juni juin giu giugno junio",
            "jul july juli juil juillet lug luglio julio",
            "aug august augusti augustus août ago agosto",
            "sep sept september septembre set sett settembre septiembre",
            "oct october okt oktober octobre ott ottobre octubre",
            "nov november novembre noviembre",
            "dec december dez dezember des desember déc décembre dic dicembre diciembre",
        ),
        start=1,
    )
    for name in names.split()
}
"""Names of months in English, German, French, Italian, Spanish, Dutch, Danish, Norwegian and Swedish. Only whole names
count: the Finnish `marraskuu`, which begins like March, is November."""
_YEAR_FIRST = re.compile(r"(\d{4})[./](\d{1,2})[./](\d{1,2})")
_OFFSET = re.compile(r"(.*\d:\d\d.*?)\s*([+-])(\d\d):?([0-5]\d)")
_HOURS = {
    "utc": 0,
    "gmt": 0,
    "z": 0,
    "wet": 0,
    "cet": 1,
    "mez": 1,
    "west": 1,
    "eet": 2,
    "cest": 2,
    "mesz": 2,
    "eest": 3,
}
_NAMES = "|".join(_HOURS)
_NAMED_OFFSET = re.compile(rf"(.*\d)\s*(?:({_NAMES})|\(({_NAMES})\))", re.IGNORECASE)
_INTERVAL = re.compile(
    rf"(.*\d:\d\d(?::\d\d)?(?:\s*[AaPp][Mm])?(?:\s*\(?(?:{_NAMES})\)?)?)\s*(?:\u2013|\s-\s|\bto\b|\bbis\b)\s*.*\d:\d\d.*",
    re.IGNORECASE,
)
_CLOCKS = re.compile(r"(\d{1,2}:\d\d(?::\d\d)?)-\d{1,2}:\d\d(?::\d\d)?")
_END_OR_OFFSET = re.compile(r"(.*[ T](\d{1,2}:\d\d)(?::\d\d)?)-(\d\d:\d\d)(?::\d\d)?")
_OTHER_CLOCK = re.compile(r"(?<=\d[ T])(\d{1,2})[.h:](\d\d)(?:[.:](\d\d))?(?: Uhr)?")
"""A time of day behind a date, as in Finland and Italy (`10.00`), France (`10h00`) and Germany (`10:00 Uhr`)."""
_ZONE_BEHIND_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)\[[A-Za-z_/]+\]")
_ZONE_OFFSET = re.compile(r"([+-])([01]\d|2[0-3]):?([0-5]\d)")
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's numbers have no zone
_EXCEL_DAYS = (20_000, 80_000)
"""Days since 1899 from 1954 to 2119: as UNIX seconds, all of them are on the first day of 1970."""
_TOO_MANY_SECONDS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""From which number on times are nanoseconds, microseconds and milliseconds: as seconds, after the year 5000."""


def zone_of(name: str, where: str) -> tzinfo:
    """Return the zone with an IANA name, `UTC` or an offset such as `+02:00`.

    Raises:
        ScenarioError: There is no zone of this name.
    """
    offset = _ZONE_OFFSET.fullmatch(name)
    if offset is not None:
        sign = -1 if offset[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(offset[2]), minutes=int(offset[3])))
    if name in {"UTC", "Z"}:
        return UTC
    zone = zone_info(name)
    if zone is None:
        hint = suggest(
            name, zoneinfo.available_timezones(), otherwise="; expected for example Europe/Berlin, UTC or +02:00"
        )
        raise ScenarioError([Problem(where, f"there is no time zone {name!r}{hint}")])
    return zone


def is_clock(text: str) -> bool:
    """Return whether a text is a time of day without a date, such as `12:15` or `12:15 - 12:30`."""
    return _CLOCK.fullmatch(beginning(text.strip())) is not None


def beginning(text: str) -> str:
    """Return the beginning of an interval, or a text that is none."""
    interval = _INTERVAL.fullmatch(text) or _CLOCKS.fullmatch(text)
    return text if interval is None else interval[1].rstrip()


def have_ends(texts: Iterable[object]) -> bool:
    """Return whether `-12:15` behind the times of rows (`21.06.2026 12:00-12:15`) is the end of each, not an offset.

    A zone has at most two offsets; an end differs from row to row, and of two ends, one is where the next row begins.
    """
    found = [_END_OR_OFFSET.fullmatch(text) for text in texts if isinstance(text, str)]
    clocks = [(each[2].zfill(5), each[3]) for each in found if each is not None]
    ends = {end for _, end in clocks}
    return len(ends) > 2 or (len(ends) == 2 and all(one[1] == following[0] for one, following in pairwise(clocks)))


def without_end(text: str) -> str:
    """Return a time without the end of its interval, of which `have_ends` says that there is one."""
    found = _END_OR_OFFSET.fullmatch(text)
    return text if found is None else found[1]


def is_date_only(cell: object) -> bool:
    """Return whether a cell holds a date without a time of day."""
    if isinstance(cell, datetime):
        return False
    return isinstance(cell, date) or (
        isinstance(cell, str) and ":" not in cell and ":" not in _with_colons(cell) and has_moment(cell)
    )


def has_moment(cell: object) -> bool:
    """Return whether a cell holds a date, with or without a time of day, whether the day or the month comes first."""
    return moment(cell) is not None or moment(cell, "month") is not None


def moment(cell: object, order: DateOrder = "day") -> datetime | None:
    """Return the date and time that a cell holds, without a zone if it says none; None if it holds none.

    Args:
        cell: Text, or a date of a typed table. Of an interval (`12:00 - 12:15`) the beginning counts.
        order: Whether the day or the month is first in dates with slashes.
    """
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    if not isinstance(cell, str) or len(cell) < 6:
        return None
    text = beginning(cell.strip())
    try:
        if (found := _iso(text) or _written(text, order)) is not None:
            return found
        text = beginning(_with_colons(cell.strip()))
        return _iso(text) or _written(text, order)
    except (ValueError, OverflowError):
        return None


def _with_colons(text: str) -> str:
    """Return the text of a date and time with colons in its time of day, and without a zone behind its offset."""
    clock = _OTHER_CLOCK.search(text)
    if clock is not None and clock.end() == len(text):
        return text[: clock.start()] + ":".join(filter(None, clock.groups()))
    zone = _ZONE_BEHIND_OFFSET.search(text)
    return text[: zone.end(1)] if zone is not None and zone.end() == len(text) else text


def _iso(text: str) -> datetime | None:
    if not re.match(r"\d{4}-?\d\d-?\d\d(?!\d)", text):
        return None
    try:
        return iso_datetime(text)
    except ValueError:
        return None


def _written(text: str, order: DateOrder) -> datetime | None:
    zone: tzinfo | None = None
    text = text.removesuffix(" DST")  # what FusionSolar puts behind times of the clock in summer
    named, offset = _NAMED_OFFSET.fullmatch(text), _OFFSET.fullmatch(text)
    if named is not None:
        text, zone = named[1].rstrip(), timezone(timedelta(hours=_HOURS[(named[2] or named[3]).lower()]))
    elif offset is not None:
        sign = -1 if offset[2] == "-" else 1
        text, zone = offset[1], timezone(sign * timedelta(hours=int(offset[3]), minutes=int(offset[4])))
    day, rest = _date(text, order)
    if day is None:
        return None
    rest = rest.strip(" T,")
    if not rest:
        return datetime.combine(day, time(), zone)
    clock = _CLOCK.fullmatch(rest)
    if clock is None:
        return None
    hour = _hour(clock)
    if hour is None:
        return None
    minute, second = int(clock[2]), int(clock[3] or 0)
    if (hour, minute, second) == (24, 0, 0):  # the midnight at the end of a day
        day, hour = day + timedelta(days=1), 0
    return datetime.combine(day, time(hour, minute, second), zone)


def _hour(clock: re.Match[str]) -> int | None:
    """Return the hour of a time of day, from midnight on also if it has AM or PM; None: no clock shows it."""
    hour = int(clock[1])
    if not clock[4]:
        return hour
    return hour % 12 + (12 if clock[4].lower() == "p" else 0) if 1 <= hour <= 12 else None


def _date(text: str, order: DateOrder) -> tuple[date | None, str]:
    """Return the date at the beginning of a text, and the rest."""
    found = _NUMERIC_DATE.match(text)
    if found is not None and not text[found.end() : found.end() + 1].isdigit():
        first, second = int(found[1]), int(found[3])
        year = int(found[4]) + (2000 if len(found[4]) == 2 else 0)
        is_month_first = found[2] != "." and order == "month"
        month, day = (first, second) if is_month_first else (second, first)
        return date(year, month, day), text[found.end() :]
    found = _YEAR_FIRST.match(text)
    if found is not None:
        return date(int(found[1]), int(found[2]), int(found[3])), text[found.end() :]
    if re.match(r"\d{4}-\d\d-\d\d(?!\d)", text):
        return date.fromisoformat(text[:10]), text[10:]
    found = _WORDED_DATE.match(text)
    if found is None or (name := (found[2] or found[3]).lower()) not in _MONTHS:
        return None, text
    return date(int(found[5]), _MONTHS[name], int(found[1] or found[4])), text[found.end() :]


def order_of(cells: Iterable[object]) -> DateOrder | None:
    """Return whether day or month is first in the dates of a column; None: no date shows it.

    Raises:
        ValueError: Some say the one, some the other.
    """
    orders: set[DateOrder] = set()
    is_any = False
    for cell in cells:
        found = _NUMERIC_DATE.match(cell) if isinstance(cell, str) else None
        if found is None or found[2] == ".":
            continue
        is_any = True
        if int(found[1]) > 12:
            orders.add("day")
        elif int(found[3]) > 12:
            orders.add("month")
    if len(orders) > 1:
        raise ValueError("some dates have the day first, others the month")
    if is_any and not orders:
        return None
    return orders.pop() if orders else "day"


def is_excel_column(numbers: list[float]) -> bool:
    """Return whether a column's numbers are the days since 1899 that spreadsheets store dates as."""
    low, high = _EXCEL_DAYS
    steps = [after - before for before, after in pairwise(numbers)]
    return bool(steps) and all(low <= number < high for number in numbers) and max(map(abs, steps)) <= 31


def excel_moment(days: float) -> datetime:
    """Return the date and time of a spreadsheet's number, to the second."""
    return _EXCEL_EPOCH + timedelta(seconds=round(days * 86_400))


def unix_s(number: float, text: object) -> int:
    """Return UNIX seconds of a number of seconds, or of thousandths, millionths or billionths of them.

    Raises:
        ValueError: It is not a whole second.
    """
    for least, per_second in _TOO_MANY_SECONDS:
        if number > least:
            return int(number // per_second)
    if not number.is_integer():
        raise ValueError(f"whole seconds are expected, not {text}")
    return int(number)


def moment_s(
    found: datetime, zone: tzinfo | None, before_s: Sequence[int], text: object, *, is_day: bool = False
) -> int:
    """Return a moment in UNIX seconds.

    Args:
        found: The moment.
        zone: Zone of a moment that says none.
        before_s: The moments of the rows before. A clock time that occurs twice is the first one after them, unless the
            second one continues their step.
        text: The text in the file, for messages.
        is_day: Whether the text is only a date: then its day begins later where clocks skip midnight.

    Raises:
        ValueError: No zone is known, or clocks skip the time on that day.
    """
    if found.tzinfo is not None:
        return int(found.timestamp())
    if zone is None:
        raise ValueError(f"the time {text} has no UTC offset; add for example zone: Europe/Berlin")
    local = found.replace(tzinfo=zone)
    shown = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if shown != found and not (is_day and shown.date() == found.date()):
        raise ValueError(f"the time {text} does not exist on that day: the clocks go forward")
    first_s, second_s = int(local.timestamp()), int(local.replace(fold=1).timestamp())
    if second_s <= first_s or not before_s:  # the clocks show the time once, or there is nothing to compare with
        return first_s
    step_s = before_s[-1] - before_s[-2] if len(before_s) > 1 else None
    return second_s if first_s <= before_s[-1] or second_s - before_s[-1] == step_s else first_s


def clock_s(text: str) -> int | None:
    """Return the seconds since midnight of a time of day, or of the beginning of an interval; None: it is neither.

    The hours may also be more than 24: those since the first midnight.
    """
    clock = _CLOCK.fullmatch(beginning(text.strip()))
    hour = None if clock is None else _hour(clock)
    if clock is None or hour is None or int(clock[2]) > 59 or int(clock[3] or 0) > 59:
        return None
    return hour * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
