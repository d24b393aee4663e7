"""Times as people read and write them: time zones, local days, and ISO 8601."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_S = 86_400
"""Of 24 hours."""
_LAST_S = 253_402_300_799
"""The end of the year 9999, the last time that can be formatted."""
_FIRST_S = -62_135_596_800
"""The beginning of the year 1, the first."""
_NEUTRAL_S = 1_000_000_000
"""An arbitrary time, used only to format the offset."""


@lru_cache(maxsize=32)
def zone_info(key: str) -> ZoneInfo | None:
    """Return an IANA time zone; None if the name is unknown."""
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


_ISO_OFFSET = re.compile(r"(?:Z|[+-]\d\d(?::?[0-5]\d(?::?[0-5]\d)?)?)", re.ASCII)


def iso_datetime(text: str) -> datetime:
    """Return an ISO 8601 date and time, without a zone if it says none.

    Raises:
        ValueError: It is not one. An offset of 60 minutes or more is not one either: Python took it until version 3.13.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is not None and _ISO_OFFSET.fullmatch(text, max(map(text.rfind, "Z+-"))) is None:
        raise ValueError(f"{text!r} has no valid offset from UTC")
    return found


@dataclass(frozen=True, slots=True)
class Zone:
    """The display zone of times: a fixed offset from UTC, or an IANA time zone."""

    offset_s: int = 0
    """Of an IANA zone, the one at the scenario's start."""
    key: str = ""
    """`Europe/Berlin`; empty: a fixed offset."""

    @property
    def name(self) -> str:
        """`UTC`, `+02:00` or `Europe/Berlin`."""
        if self.key:
            return self.key
        return "UTC" if not self.offset_s else self.at(_NEUTRAL_S).isoformat()[19:]

    @property
    def tzinfo(self) -> tzinfo:
        """The zone as `datetime` knows it."""
        return (zone_info(self.key) if self.key else None) or timezone(timedelta(seconds=self.offset_s))

    def at(self, time_s: float) -> datetime:
        """Return a UNIX time as local date and time."""
        first_s, last_s = _FIRST_S - min(0, self.offset_s), _LAST_S - max(0, self.offset_s)
        if self.key:  # its offset is another one at other times
            first_s, last_s = _FIRST_S + DAY_S, _LAST_S - DAY_S
        return datetime.fromtimestamp(max(first_s, min(time_s, last_s)), self.tzinfo)

    def days_later_s(self, time_s: int, days: int) -> int:
        """Return the same local time some days later, UNIX seconds; a local day may have 23 or 25 hours."""
        if not self.key:
            return time_s + days * DAY_S
        try:
            return int((self.at(time_s) + timedelta(days=days)).timestamp())
        except OverflowError:  # after the year 9999, no zone is known
            return time_s + days * DAY_S

    def full_days(self, from_s: int, to_s: int) -> int:
        """Return how many full local days have passed from one UNIX time to another; negative if it is earlier."""
        days = (to_s - from_s) // DAY_S
        if self.days_later_s(from_s, days) > to_s:
            return days - 1
        return days + (self.days_later_s(from_s, days + 1) <= to_s)

    def midnight_s(self, time_s: int) -> int:
        """Return when the local day of a time began, UNIX seconds."""
        return int(self.at(time_s).replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp())

    def utc_offsets(self, start_s: int, end_s: int) -> list[tuple[int, int]]:
        """Return the offsets from UTC between two UNIX times, seconds, each with the time from which it holds."""
        found: list[tuple[int, int]] = []
        quarter_s = 900  # clocks change at whole quarters of an hour
        later_s = range((start_s // quarter_s + 1) * quarter_s, end_s + 1, quarter_s) if self.key else ()
        for time_s in (start_s, *later_s):
            offset = self.at(time_s).utcoffset()
            offset_s = 0 if offset is None else int(offset.total_seconds())
            if not found or found[-1][1] != offset_s:
                found.append((time_s, offset_s))
        return found

    def iso(self, time_s: int) -> str:
        """Return ISO 8601: `2026-06-21T06:00:00Z`, or with the offset."""
        return self.at(time_s).isoformat().replace("+00:00", "Z")

    def hours(self, time_s: float) -> str:
        """Return hours and minutes."""
        return f"{self.at(time_s):%H:%M}"

    def clock(self, time_s: float) -> str:
        """Return hours and minutes, and seconds unless they are zero."""
        at = self.at(time_s)
        return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"

    def exact_clock(self, time_s: float) -> str:
        """Return `clock`, with the offset if this time of day occurs twice, as it does in autumn: `02:30+01:00`."""
        at = self.at(time_s)
        return f"{self.clock(time_s)}{at.isoformat()[19:]}" if _occurs_twice(at) else self.clock(time_s)

    def narrow(self, time_s: float, form: str) -> str:
        """Return a time in a format of `strftime`, exact without an offset, for columns of a fixed width.

        The hour that occurs twice is 2A at first and then 2B, as power markets write it: `2A:30`, `2B:30`. Of an hour
        of two digits, in zones whose clocks go back at midnight, the letter takes the place of the colon: `23B15`.
        """
        at = self.at(time_s)
        if not _occurs_twice(at):
            return at.strftime(form)
        hour = f"{at.hour}{'AB'[at.fold]}"
        return at.strftime(form.replace("%H:", hour if at.hour > 9 else f"{hour}:"))

    def narrow_clock(self, time_s: float) -> str:
        """Return `clock`, exact as in `narrow`."""
        return self.narrow(time_s, "%H:%M:%S" if self.at(time_s).second else "%H:%M")

    def narrow_moment(self, time_s: float) -> str:
        """Return day, month and `narrow_clock`."""
        return f"{self.day(time_s)} {self.narrow_clock(time_s)}"

    def exact_moment(self, time_s: float) -> str:
        """Return day, month and `exact_clock`."""
        return f"{self.day(time_s)} {self.exact_clock(time_s)}"

    def exact_date(self, time_s: float) -> str:
        """Return year, month and day in digits, and `exact_clock`: `2026-10-25 02:30+01:00`."""
        return f"{self.at(time_s):%Y-%m-%d} {self.exact_clock(time_s)}"

    def day(self, time_s: float) -> str:
        """Return day and month."""
        return f"{self.at(time_s):%d %b}"


def shown_at_s(local: datetime, zone: ZoneInfo, start_s: int = 0) -> int:
    """Return when the clocks of a zone show a time, UNIX seconds.

    Args:
        local: The time, without a zone.
        zone: The zone.
        start_s: If the clocks show it twice, the first time from then on is meant, UNIX seconds.

    Raises:
        ValueError: The clocks skip it.
    """
    time_s = int(local.replace(tzinfo=zone).timestamp())
    if time_s < start_s:
        time_s = int(local.replace(tzinfo=zone, fold=1).timestamp())
    if datetime.fromtimestamp(time_s, zone).replace(tzinfo=None) != local:
        raise ValueError(
            f"{local:%H:%M} does not exist on {local.day} {local:%B %Y} in {zone.key}: the clocks go forward"
        )
    return time_s


def _occurs_twice(at: datetime) -> bool:
    return at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset()
