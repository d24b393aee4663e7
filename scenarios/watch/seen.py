"""Tells what was seen before, by sender and sequence number, in bounded memory; and counts what is missing."""

from __future__ import annotations

_SPREAD = 500
"""Messages of one sender that may overtake each other."""


_KEPT_SENDERS = 20_000


class _Sender:
    __slots__ = ("above", "floor", "given_up")

    def __init__(self, first: int) -> None:
        # Somebody who joins late starts here; what was sent before is not missing.
        self.floor = first
        self.above: set[int] = set()
        self.given_up = 0


class Seen:
    """Sequence numbers by sender."""

    def __init__(self, *, from_the_start: bool = False) -> None:
        """Begin.

        Args:
            from_the_start: Whether the watcher was there before the first message, so that earlier ones are missing.
        """
        self._from_the_start = from_the_start
        self._senders: dict[str, _Sender] = {}

    def is_new(self, sender: str, seq: int) -> bool:
        """Note a message; return False if it was noted before."""
        known = self._senders.get(sender)
        if known is None:
            if len(self._senders) >= _KEPT_SENDERS:
                raise ValueError(f"more than {_KEPT_SENDERS} senders: somebody makes them up")
            known = self._senders[sender] = _Sender(0 if self._from_the_start else seq)
        if seq == known.floor and not known.above:
            known.floor += 1
            return True
        if seq < known.floor or seq in known.above:
            return False
        known.above.add(seq)
        while known.floor in known.above:
            known.above.remove(known.floor)
            known.floor += 1
        if len(known.above) > _SPREAD:
            lowest = min(known.above)
            known.given_up += lowest - known.floor
            known.floor = lowest
            while known.floor in known.above:
                known.above.remove(known.floor)
                known.floor += 1
        return True

    @property
    def missing(self) -> int:
        """Messages between those that were seen."""
        gaps = (max(s.above) + 1 - s.floor - len(s.above) for s in self._senders.values() if s.above)
        return sum(gaps) + sum(s.given_up for s in self._senders.values())
