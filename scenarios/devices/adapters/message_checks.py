"""Checks which messages do not count: those that arrive late, and those of another device on the same topics.

A broker keeps the order of a topic, but a bridge, or a device that connects again, may send what it had already sent.
A counter that is small falls then as after a reset, and an old state of the switch seems to be a new one.
`MessageOrder` recognizes such messages by the times that they contain.

The topic of a plug is copied with its configuration. Two such plugs are seen as one, which draws what either of them
does, is on and off at the same time, and whose counter alternates. `MessageSender` distinguishes them if their messages
name the device that sends them. Counters alone show that only after a while, or not at all if they are close to each
other (`agents.gateway.several_meters`).
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
_MOST_OF_OTHER = 2
"""Most messages of another device in a row that are rejected. After more, that device counts: the first one was
exchanged, or reset."""
_MOST_WHILE_ALTERNATING = 19
"""The same for two devices whose messages have alternated, because each reports at its own times."""


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


@dataclass(slots=True)
class MessageSender:
    """The device whose messages count: the one that was read first."""

    what: str
    """How messages name it, such as `src`, for errors."""
    _own: object = None
    """As its messages name it; None: none has yet."""
    _earlier: object = None
    """The device that counted before it, as messages name it; None: there was none."""
    _are_several: bool = False
    """Whether messages of two devices have alternated."""
    _others: int = 0
    """Messages of other devices since its last one."""

    def check(self, name: object, *, is_new: bool = False) -> None:
        """Take the name of its sender from a message.

        Args:
            name: The name; None: the message does not say it.
            is_new: Whether the message shows that there was no such sender when the last one was read.

        Raises:
            MessageError: The message is of another device than the one that was read first.
        """
        if name is None:
            return
        if self._own is None or name == self._own:
            self._are_several |= self._own is not None and self._others > 0
            self._own, self._others = name, 0
            return
        self._are_several |= name == self._earlier
        self._others += 1
        if is_new or self._others > (_MOST_WHILE_ALTERNATING if self._are_several else _MOST_OF_OTHER):
            self._own, self._earlier, self._others = name, self._own, 0
            return
        raise MessageError(
            f"a message with {self.what} {str(name)[:60]!r} after others with {str(self._own)[:60]!r}, "
            "as if another device reported here, too",
            f"messages of one device: those with {str(self._own)[:60]!r} count",
        )
