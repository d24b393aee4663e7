"""Messages that a monitor has missed, or received twice, by the sequence numbers of each sender."""

from __future__ import annotations

_REORDER_WINDOW = 500
"""Number of messages of one sender that may arrive before a missing one is given up."""
_JOINING_WINDOW = 20
"""The same for messages that were sent before the observer joined, or just then: it may never receive them."""
_KEPT_SENDERS = 100_000
"""Maximum number of agents that are tracked: 10,000 households have about 50,000; a stranger could forge any number."""


class _Sender:
    __slots__ = ("above", "counted_from", "floor", "given_up")

    def __init__(self, floor: int, counted_from: int | None) -> None:
        self.floor = floor
        """All earlier messages have been received, given up, or sent before the observer joined."""
        self.above: set[int] = set()
        """Numbers from `floor` on that have been received."""
        self.given_up = 0
        self.counted_from = counted_from
        """The first message that was certainly sent after the observer joined: none before it counts as missing.
        None: it has not arrived yet."""

    @property
    def missing(self) -> int:
        if self.counted_from is None:
            return 0
        counted_from = max(self.floor, self.counted_from)
        received = sum(seq >= counted_from for seq in self.above)
        gaps = max(self.above) + 1 - counted_from - received if received else 0
        return self.given_up + gaps

    def skip_gap(self) -> None:
        """Give up the messages before the first one from `floor` on that has been received."""
        lowest = min(self.above)
        if self.counted_from is not None:
            self.given_up += max(0, lowest - max(self.floor, self.counted_from))
        self.floor = lowest
        self.close_gap()

    def close_gap(self) -> None:
        """Move `floor` over the messages that have been received."""
        while self.floor in self.above:
            self.above.remove(self.floor)
            self.floor += 1


class Deduplicator:
    """Recognises duplicates and gaps by each sender's sequence numbers."""

    def __init__(self, *, from_the_start: bool = False) -> None:
        """Make a deduplicator.

        Args:
            from_the_start: Whether the observer was connected before the first message, so that earlier ones count as
                missing.
        """
        self._from_the_start = from_the_start
        self._joined_in: tuple[int, int] | None = None
        self._senders: dict[str, _Sender] = {}

    def joined(self, sent_in: tuple[int, int]) -> None:
        """Note when the observer joined; all messages of later rounds are sent after that. The first call counts.

        A host sends the messages of a round to one host after the other, and publishes its internal ones even later. So
        the observer may receive any part of the round in which it joined, and of the rounds just before.

        Args:
            sent_in: The round of the first message between hosts that it has received: virtual time (UNIX seconds), and
                the round within this second.
        """
        if self._joined_in is None and not self._from_the_start:
            self._joined_in = sent_in

    def is_new(self, sender: str, seq: int, sent_in: tuple[int, int]) -> bool:
        """Record a message; return False if it was recorded before.

        Args:
            sender: Agent id of the sender.
            seq: Its sequence number.
            sent_in: When it was sent: virtual time (UNIX seconds), and the round within this second.

        Raises:
            ValueError: There are more senders than any neighbourhood has.
        """
        known = self._senders.get(sender)
        if known is None:
            if len(self._senders) >= _KEPT_SENDERS:
                raise ValueError(f"more than {_KEPT_SENDERS} senders: they must be forged")
            floor = 0 if self._from_the_start else max(0, seq - _JOINING_WINDOW)
            known = self._senders[sender] = _Sender(floor, 0 if self._from_the_start else None)
        if self._joined_in is not None and sent_in > self._joined_in:
            known.counted_from = seq if known.counted_from is None else min(known.counted_from, seq)
        if seq == known.floor and not known.above:
            known.floor += 1
            return True
        if seq < known.floor or seq in known.above:
            return False
        known.above.add(seq)
        known.close_gap()
        is_counted = known.counted_from is not None and known.floor >= known.counted_from
        if len(known.above) > (_REORDER_WINDOW if is_counted else _JOINING_WINDOW):
            known.skip_gap()
        return True

    @property
    def missing(self) -> int:
        """Number of gaps in the sequence numbers."""
        return sum(sender.missing for sender in self._senders.values())
