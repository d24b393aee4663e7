"""Buffers each message once until its round, and sorts a round's messages into the order of delivery.

The clock and the receiving host buffer the same messages, in the order in which the broker delivers them to both, and
judge them by the same rules. So if a host sends more messages than it reports, or messages of another moment, both
leave out the same ones.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from broker.errors import ContradictionError, ProtocolError
from broker.protocol.envelope import Envelope

MAX_BUFFERED_MESSAGES = 100_000
"""Limit per sending host. Further messages are dropped (genuine ones are requested again) and do not displace those of
other hosts."""
_MESSAGES_OF_AGENT = 10
"""Per agent of a host: far more than agents send in a round on average."""
MAX_BUFFERED_BYTES = 64 * 2**20
"""The same limit, in bytes of payload, see `weight_bytes`."""
_LIST_BYTES, _MAPPING_BYTES = 32, 64
"""The smallest weight of a list or a mapping, bytes. In memory it takes up to three times as much, but only two or
three bytes of payload."""


def most_buffered(agents: int) -> int:
    """Return how many messages of a host with this many agents may wait for their rounds."""
    return max(MAX_BUFFERED_MESSAGES, _MESSAGES_OF_AGENT * agents)


def weight_bytes(payload: bytes) -> int:
    """Return how many bytes a payload counts for in a buffer: its size, unless it becomes far larger in memory.

    Args:
        payload: A batch, as it was received.
    """
    return max(len(payload), _LIST_BYTES * payload.count(b"[") + _MAPPING_BYTES * payload.count(b"{"))


class SendingMoment(NamedTuple):
    """When messages were sent."""

    step: int
    time_s: int
    """Virtual time, UNIX seconds."""
    round: int


class Buffered(NamedTuple):
    """A message that waits for its round."""

    from_host: str
    to_host: str
    envelope: Envelope
    size_bytes: int


_NONE: dict[tuple[str, int], Buffered] = {}


class ReorderBuffer:
    """Buffers messages by the moment in which they were sent, each once, until their round."""

    def __init__(
        self,
        most_messages: int = MAX_BUFFERED_MESSAGES,
        most_bytes: int = MAX_BUFFERED_BYTES,
        *,
        most_of: Mapping[str, int] | None = None,
    ) -> None:
        """Create an empty buffer.

        Args:
            most_messages: Limit per sending host.
            most_bytes: Limit per sending host, bytes of payload.
            most_of: By sending host, its own limit in place of `most_messages`; None: no host has one.
        """
        self._most_messages = most_messages
        self._most_of = most_of or {}
        self._most_bytes = most_bytes
        self._by_moment: dict[SendingMoment, dict[tuple[str, int], Buffered]] = {}
        """In each moment, in order of arrival."""
        self._arrived: dict[tuple[SendingMoment, str], int] = defaultdict(int)
        """By moment and sending host, how many messages are buffered."""
        self._counts: dict[str, int] = defaultdict(int)
        self._bytes: dict[str, int] = defaultdict(int)
        self._moments: dict[str, list[SendingMoment]] = {}
        """By sending host that has had too many messages, the moments of those in the buffer, as a heap."""

    def add(self, from_host: str, envelope: Envelope, size_bytes: int = 0, *, to_host: str = "") -> bool:
        """Buffer a message; duplicates by (sender, sequence number) are dropped.

        If a host has too many messages in the buffer, those of its earliest steps are dropped to make room for later
        ones, because their rounds are over.

        Args:
            from_host: The sending host, from the topic.
            envelope: The message.
            size_bytes: Its part of what its batch counts, see `weight_bytes`.
            to_host: The receiving host, from the topic; empty: the buffer's own.

        Returns:
            Whether it is new.

        Raises:
            ContradictionError: The sender has sent another message under this number.
            ProtocolError: The host has too many messages in the buffer.
        """
        moment = SendingMoment(envelope.step, envelope.time, envelope.round)
        of_moment = self._by_moment.get(moment)
        if of_moment and self.has(envelope):
            return False
        if not self._has_room(from_host, size_bytes):
            self._make_room(moment.step, from_host, size_bytes)
            if not self._has_room(from_host, size_bytes):
                most = self._most_of.get(from_host, self._most_messages)
                raise ProtocolError(
                    f"more than {most} messages or {self._most_bytes} bytes of host {from_host!r} wait for their round"
                )
            of_moment = self._by_moment.get(moment)
        if of_moment is None:
            of_moment = self._by_moment[moment] = {}
        of_moment[envelope.sender, envelope.seq] = Buffered(from_host, to_host, envelope, size_bytes)
        self._arrived[moment, from_host] += 1
        if from_host in self._moments and self._arrived[moment, from_host] == 1:
            heapq.heappush(self._moments[from_host], moment)
        self._counts[from_host] += 1
        self._bytes[from_host] += size_bytes
        return True

    def has(self, envelope: Envelope) -> bool:
        """Return whether a message is buffered already.

        Raises:
            ContradictionError: Its sender has sent another message under this number.
        """
        moment = (envelope.step, envelope.time, envelope.round)
        known = self._by_moment.get(moment, _NONE).get((envelope.sender, envelope.seq))  # type: ignore[call-overload]  # the default is of the same type
        if known is None:
            return False
        if known.envelope is not envelope and known.envelope.unsigned() != envelope.unsigned():
            raise ContradictionError(f"agent {envelope.sender!r} has sent another message with number {envelope.seq}")
        return True

    def _has_room(self, from_host: str, size_bytes: int) -> bool:
        has_few = self._counts[from_host] < self._most_of.get(from_host, self._most_messages)
        return has_few and self._bytes[from_host] + size_bytes <= self._most_bytes

    def _make_room(self, step: int, from_host: str, size_bytes: int) -> None:
        """Drop a host's messages of the earliest steps before the given one until there is room for another one.

        Each moment is looked at once, however many messages find no room.
        """
        if from_host not in self._moments:
            self._moments[from_host] = [moment for moment, host in self._arrived if host == from_host]
            heapq.heapify(self._moments[from_host])
        moments = self._moments[from_host]
        while moments and moments[0].step < step and not self._has_room(from_host, size_bytes):
            self._drop(heapq.heappop(moments), from_host)

    def drop_from(self, step: int, from_host: str) -> None:
        """Drop a host's messages of the given step and later ones.

        Args:
            step: The first of these steps.
            from_host: The sending host.
        """
        for moment, host in list(self._arrived):
            if host == from_host and moment.step >= step:
                self._drop(moment, from_host)

    def _drop(self, moment: SendingMoment, from_host: str) -> None:
        of_moment = self._by_moment.get(moment, {})
        for key in [key for key, message in of_moment.items() if message.from_host == from_host]:
            self._forget(moment, of_moment.pop(key))
        if not of_moment:
            self._by_moment.pop(moment, None)

    def _forget(self, moment: SendingMoment, message: Buffered) -> None:
        self._counts[message.from_host] -= 1
        self._bytes[message.from_host] -= message.size_bytes
        self._arrived.pop((moment, message.from_host), None)

    def missing(self, moment: SendingMoment, expected: Mapping[str, int]) -> list[str]:
        """Return the hosts whose messages of a moment have not all arrived.

        Args:
            moment: When they were sent.
            expected: By sending host, the number of messages.
        """
        return [host for host, count in expected.items() if self._arrived.get((moment, host), 0) < count]

    def take(self, moment: SendingMoment) -> list[Buffered]:
        """Remove the messages of a moment, and all that were sent in its step or an earlier one.

        Args:
            moment: When they were sent.

        Returns:
            Those of the moment, in order of arrival.
        """
        by_moment = self._by_moment
        if not by_moment:
            return []
        taken = list(by_moment.get(moment, {}).values())
        for old in [m for m in by_moment if m.step <= moment.step]:
            for message in by_moment.pop(old).values():
                self._forget(old, message)
        if self._moments:
            self._moments = {host: moments for host, moments in self._moments.items() if self._counts[host]}
        return taken

    def pop(self, moment: SendingMoment, expected: Mapping[str, int]) -> tuple[Envelope, ...]:
        """Remove the messages of a moment, and all that were sent in its step or an earlier one.

        Args:
            moment: When they were sent.
            expected: By sending host, the number of messages; further ones do not count.

        Returns:
            The first messages of these hosts, as many as expected, sorted by (sender, sequence number).
        """
        if not self._by_moment:
            return ()
        left = dict(expected)
        messages: list[Envelope] = []
        for message in self.take(moment):
            if left.get(message.from_host, 0) > 0:
                left[message.from_host] -= 1
                messages.append(message.envelope)
        return in_order(messages)


def in_order(messages: list[Envelope]) -> tuple[Envelope, ...]:
    """Return messages in the order in which hosts deliver them, by sender and sequence number."""
    if len(messages) > 1:
        messages = sorted(messages, key=lambda envelope: (envelope.sender, envelope.seq))
    return tuple(messages)
