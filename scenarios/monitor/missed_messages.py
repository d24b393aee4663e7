"""Messages that a monitor has missed, or received twice, by the sequence numbers of each sender."""

from __future__ import annotations

_REORDER_WINDOW = 500
"""Number of messages of one sender that may arrive before a missing one is given up."""
_KEPT_SENDERS = 100_000
"""Maximum number of agents that are tracked: 10,000 households have about 50,000; a stranger could forge any number."""


class _Sender:
    __slots__ = ("above", "floor", "given_up")

    def __init__(self, first: int) -> None:
        # An observer who joins late starts here; earlier messages do not count as missing.
        self.floor = first
        self.above: set[int] = set()
        self.given_up = 0


class Deduplicator:
    """Recognises duplicates and gaps by each sender's sequence numbers."""

    def __init__(self, *, from_the_start: bool = False) -> None:
        """Make a deduplicator.

        Args:
            from_the_start: Whether the observer was connected before the first message, so that earlier ones count as
                missing.
        """
        self._from_the_start = from_the_start
        self._senders: dict[str, _Sender] = {}

    def is_new(self, sender: str, seq: int) -> bool:
        """Record a message; return False if it was recorded before.

        Args:
            sender: Agent id of the sender.
            seq: Its sequence number.

        Raises:
            ValueError: There are more senders than any neighbourhood has.
        """
        known = self._senders.get(sender)
        if known is None:
            if len(self._senders) >= _KEPT_SENDERS:
                raise ValueError(f"more than {_KEPT_SENDERS} senders: they must be forged")
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
        if len(known.above) > _REORDER_WINDOW:
            lowest = min(known.above)
            known.given_up += lowest - known.floor
            known.floor = lowest
            while known.floor in known.above:
                known.above.remove(known.floor)
                known.floor += 1
        return True

    @property
    def missing(self) -> int:
        """Number of gaps in the sequence numbers."""
        gaps = (max(s.above) + 1 - s.floor - len(s.above) for s in self._senders.values() if s.above)
        return sum(gaps) + sum(s.given_up for s in self._senders.values())
