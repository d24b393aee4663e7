"""Times as devices and people write them, at some virtual time."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from scenarios.scenario import Zone

EXPECTED = "UNIX seconds, ISO 8601 with an offset, HH:MM, or 'in 2 h', 'in 90 min', 'in 30 s'"
_IN = re.compile(r"in\s+(\d+(?:\.\d+)?)\s*(h|hours?|min|minutes?|s|seconds?)", re.IGNORECASE)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_LAST_S = 253_402_300_799


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
    if isinstance(text, str) and re.fullmatch(r"\d+(\.\d+)?", text.strip()):
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
        at = datetime.fromisoformat(text)
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
