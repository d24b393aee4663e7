"""Recognizes messages that arrive late, after newer ones of the same device, by the times that they contain.

A broker keeps the order of a topic, but a bridge, or a device that connects again, may send what it had already sent.
A counter that is small falls then as after a reset, and an old state of the switch seems to be a new one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from broker.protocol import MAX_TIME_S
from scenarios.devices.adapter import MessageError

_SAME_S = 2.0
"""Messages whose times differ by no more than this may arrive in any order, seconds."""
MOST_LATE_S = 3_000.0
"""A message that seems later than this is not late, seconds: the device's clock was set back, because summer time has
ended, or because it has begun again in 1970."""
_MOST_LATE = 20
"""Most messages in a row that are late; after more, the device's clock was set back."""


@dataclass(slots=True)
class MessageOrder:
    """The newest time in the messages of a device about the same values, by its own clock."""

    most_late_s: float = MOST_LATE_S
    """A message that seems later than this is not late, seconds: less where so little may show that summer time has
    ended, because messages are far apart."""
    _newest_s: float | None = None
    """UNIX seconds, or as a clock in the device's zone shows them."""
    _late: int = 0
    """Number of messages since then that seemed to be late."""

    def is_later(self, at_s: float | None) -> bool:
        """Return whether a time is not before the newest one; False also if one of them is not known."""
        return at_s is not None and self._newest_s is not None and at_s >= self._newest_s - _SAME_S

    def check(self, at_s: float | None) -> None:
        """Take the time in a message; None: it has none.

        Raises:
            MessageError: The message is older than one that was taken before.
        """
        if at_s is None:
            return
        late_s = 0.0 if self._newest_s is None else self._newest_s - at_s
        if _SAME_S < late_s <= self.most_late_s and self._late < _MOST_LATE:
            self._late += 1
            raise MessageError(
                f"a message that is {late_s:.0f} s older than the one before it", "messages in the order of their times"
            )
        self._newest_s, self._late = at_s, 0


def seconds_of(text: object) -> float | None:
    """Return an ISO 8601 time in seconds, as if a time without a zone was UTC; None: it is none."""
    if isinstance(text, str):
        with suppress(ValueError, OverflowError):
            at = datetime.fromisoformat(text)
            return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    return None


def unix_s_of(value: object) -> float | None:
    """Return a time in UNIX seconds; None: it is none, as before a device knows the time."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_TIME_S else None
