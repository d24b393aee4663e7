"""Times in a scenario file, and their conversion to and from UNIX seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

MAX_TIME_S = 253_402_300_799
"""The end of the year 9999."""

_AFTER_START = re.compile(r"(\d{1,5}):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_FORMS = 'UNIX seconds, an ISO time with its offset (2026-06-21T06:00:00+02:00), or "HH:MM" after the start'


def parse_time(value: int | str, start_s: int | None) -> int:
    """Return a time in UNIX seconds.

    Args:
        value: UNIX seconds, ISO 8601 with an offset, or `HH:MM[:SS]` after the start; hours may exceed 24.
        start_s: Start of the run, UNIX seconds; None where it is not known.

    Raises:
        ValueError: It is not a valid time; the message says what is expected.
    """
    if isinstance(value, int):
        time_s = value
    elif clock := _AFTER_START.fullmatch(value):
        if start_s is None:
            raise ValueError(f'"{value}" counts from the start, which itself needs a date')
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        time_s = start_s + 3600 * hours + 60 * minutes + seconds
    else:
        time_s = _parse_iso(value)
    if not 0 <= time_s <= MAX_TIME_S:
        raise ValueError(f"{value!r} is not a time between the years 1970 and 9999")
    return time_s


def counts_from_start(value: int | str) -> bool:
    """Return whether a time is written as `HH:MM[:SS]` after the start."""
    return isinstance(value, str) and _AFTER_START.fullmatch(value) is not None


def _parse_iso(value: str) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a time; expected are {_FORMS}") from None
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} does not say its offset from UTC; write for example {_suggest_offset(moment)}")
    if moment.microsecond:
        raise ValueError(f"{value!r} has a fraction of a second; times are whole seconds")
    try:
        return int(moment.timestamp())
    except (OverflowError, ValueError):
        raise ValueError(f"{value!r} is not a time between the years 1970 and 9999") from None


def _suggest_offset(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='seconds')}+02:00, or ...Z for UTC"


def format_iso(time_s: int) -> str:
    """Return `2026-06-21T06:00:00Z`."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def offset_of(value: int | str) -> int:
    """Return the UTC offset that a time is written with, seconds; 0 where it has none or is not a time."""
    try:
        offset = datetime.fromisoformat(str(value)).utcoffset()
    except ValueError:
        return 0
    return 0 if offset is None else int(offset.total_seconds())


def format_after_start(time_s: int, start_s: int) -> str:
    """Return `HH:MM[:SS]` after the start, or an ISO time where that is before the start or weeks later."""
    after_s = time_s - start_s
    if not 0 <= after_s < 1000 * 3600:
        return format_iso(time_s)
    minutes, seconds = divmod(after_s, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
