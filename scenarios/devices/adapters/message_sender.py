"""Distinguishes devices that publish on the same topics, if their messages name the device that sends them.

The topic of a plug is copied with its configuration. Two such plugs are seen as one, which draws what either of them
does, is on and off at the same time, and whose counter alternates. Counters alone show that only after a while, or not
at all if they are close to each other (`agents.gateway.several_meters`).
"""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.devices.adapter import MessageError

_MOST_OF_OTHER = 2
"""Most messages of another device in a row that are rejected. After more, that device counts: the first one was
exchanged, or reset."""
_MOST_WHILE_ALTERNATING = 19
"""The same for two devices whose messages have alternated, because each reports at its own times."""


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
