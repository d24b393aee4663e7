"""How times are shown to people: at the offset from UTC that the scenario's start has. Nothing is reckoned with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

_LAST_S = 253_402_300_799
"""The end of the year 9999: no clock shows more."""
_NEUTRAL_S = 1_000_000_000
"""Any time, to ask for nothing but the offset."""


@dataclass(frozen=True, slots=True)
class Zone:
    """An offset from UTC."""

    offset_s: int = 0

    @property
    def name(self) -> str:
        """`UTC`, or `+02:00`."""
        return "UTC" if not self.offset_s else self.at(_NEUTRAL_S).isoformat()[19:]

    def at(self, time_s: float) -> datetime:
        """Return a time as calendar and clock show it there."""
        zone = timezone(timedelta(seconds=self.offset_s))
        return datetime.fromtimestamp(min(time_s, _LAST_S - max(0, self.offset_s)), zone)

    def iso(self, time_s: int) -> str:
        """Return `2026-06-21T06:00:00Z`, or with the offset."""
        return self.at(time_s).isoformat().replace("+00:00", "Z")

    def hours(self, time_s: float) -> str:
        """Return hours and minutes."""
        return f"{self.at(time_s):%H:%M}"

    def clock(self, time_s: float) -> str:
        """Return hours and minutes; seconds where there are any."""
        at = self.at(time_s)
        return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"

    def moment(self, time_s: float) -> str:
        """Return day, month and `clock`."""
        return f"{self.at(time_s):%d %b} {self.clock(time_s)}"

    def day(self, time_s: float) -> str:
        """Return day and month."""
        return f"{self.at(time_s):%d %b}"
