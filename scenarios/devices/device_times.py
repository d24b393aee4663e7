"""Times in the messages of real devices: how they may be written, and which ones are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from pydantic_core import PydanticCustomError

from broker import MAX_CHARACTERS
from scenarios.devices.adapter import MessageError
from scenarios.zone import Zone, iso_datetime

EXPECTED_TIME = "UNIX seconds, ISO 8601 with an offset, HH:MM, or 'in 2 h', 'in 90 min', 'in 30 s'"
_IN = re.compile(r"in\s+(\d+(?:\.\d+)?)\s*(h|hours?|min|minutes?|s|seconds?)", re.IGNORECASE)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_NUMBER = re.compile(r"\d+(\.\d+)?")
_CLOCK_WITH_DOT = re.compile(r"([01]?\d|2[0-3])(?:\.([0-5]\d?))?")
_FIRST_S = 100_000_000
"""In March 1973. A smaller number is a mistake for the time of a job, unless the run itself is that early."""
_LAST_S = 253_402_300_799
DAY_S = 86_400
MAX_AHEAD_S = 31 * DAY_S
"""A job's last possible start is at most so far ahead, and a forecast begins at most so far away from now."""
WRONG_CLOCK_S = DAY_S
"""A device whose clock differs from the run's by more receives an error."""


def check_is_time(value: object) -> object:
    """Refuse what is neither a number nor a short text; of the two, only the first would be named as expected."""
    if isinstance(value, str) and len(value) > MAX_CHARACTERS:
        context = {"expected": EXPECTED_TIME, "characters": len(value)}
        raise PydanticCustomError("long_time", "a time is expected, not {characters} characters: {expected}", context)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PydanticCustomError("no_time", "a time is expected: {expected}", {"expected": EXPECTED_TIME})
    return value


def moment_of(text: float | str, now_s: int, zone: Zone) -> int:
    """Return a time in UNIX seconds.

    Args:
        text: UNIX seconds, ISO 8601 with an offset, `HH:MM` (the next time that a clock in the zone shows it), or
            `in 2 h`.
        now_s: Virtual time, UNIX seconds.
        zone: The run's zone.

    Raises:
        ValueError: It is no such time; the message says why.
    """
    if isinstance(text, str) and _NUMBER.fullmatch(text.strip()):
        text = float(text)
    if isinstance(text, str):
        time_s = _worded(text.strip(), now_s, zone)
    else:
        time_s = int(text) if 0 <= text <= _LAST_S else None
    if time_s is None or not 0 <= time_s <= _LAST_S:
        raise ValueError(f"{text!r} is not a time")
    return time_s


def _worded(text: str, now_s: int, zone: Zone) -> int | None:
    if found := _IN.fullmatch(text):
        return now_s + round(float(found[1]) * _SECONDS[found[2][0].lower()])
    if found := _CLOCK.fullmatch(text):
        return _next_s(time(int(found[1]), int(found[2]), int(found[3] or 0)), now_s, zone)
    try:
        at = iso_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return int(at.timestamp())


def _next_s(clock: time, now_s: int, zone: Zone) -> int:
    """Return when a clock in the zone shows a time next, now included, UNIX seconds.

    It skips an hour on one day of the year, and shows one twice on another.
    """
    today = zone.at(now_s).date()
    moments = (
        datetime.combine(today + timedelta(days=day), clock, zone.tzinfo).replace(fold=fold)
        for day in range(3)
        for fold in (0, 1)
    )
    shown_s = (int(at.timestamp()) for at in moments if zone.at(at.timestamp()).time() == clock)
    return next(time_s for time_s in shown_s if time_s >= now_s)


def time_under(value: float | str, key: str, now_s: int, zone: Zone) -> int:
    """Return the time that a message has under a key, UNIX seconds.

    Args:
        value: The time as `moment_of` takes it.
        key: Where it stands in the message.
        now_s: Virtual time, UNIX seconds.
        zone: The run's zone.

    Raises:
        MessageError: It is no such time.
    """
    try:
        return moment_of(value, now_s, zone)
    except ValueError as error:
        raise MessageError(f"{key}: {error}", EXPECTED_TIME) from None


def check_not_time_of_day(value: float | str, key: str, now_s: int) -> None:
    """Raise `MessageError` if a job's time is a number that is far too small, such as 18.30, which would be in 1970.

    0 passes: as the earliest start it means now.

    Args:
        value: The time as `moment_of` takes it.
        key: Where it stands in the message.
        now_s: Virtual time, UNIX seconds.
    """
    text = value.strip() if isinstance(value, str) else f"{value:.12g}"
    if not _NUMBER.fullmatch(text) or not 0 < float(text) < _FIRST_S <= now_s:
        return
    found = _CLOCK_WITH_DOT.fullmatch(text)
    meant = f"{found[1]}:{found[2] or '':0<2}" if found else "HH:MM"
    problem = f"{key}: {text}, in UNIX seconds, is in the year {datetime.fromtimestamp(float(text), UTC).year}"
    raise MessageError(f"{problem}; a time of day is written with a colon: {meant!r}", EXPECTED_TIME)


def check_ahead(key: str, time_s: int, now_s: int) -> None:
    """Raise `MessageError` if a job's `time_s` under `key` is too far after `now_s` (UNIX seconds)."""
    if time_s - now_s > MAX_AHEAD_S:
        raise MessageError(f"{key} is {days_between(time_s, now_s)} days ahead", f"at most {MAX_AHEAD_S // DAY_S} days")


def check_clock(key: str, time_s: float, now_s: int) -> None:
    """Raise `MessageError` if a device's clock, `time_s` under `key`, differs too much from the run's, `now_s`."""
    if abs(time_s - now_s) > WRONG_CLOCK_S:
        raise MessageError(f"{key} {time_s:.0f} is not the run's", f"about {now_s}, or no time")


def days_between(time_s: int, now_s: int) -> int:
    """Return how many whole days lie between two times in UNIX seconds."""
    return abs(time_s - now_s) // DAY_S
