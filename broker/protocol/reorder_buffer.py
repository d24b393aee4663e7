"""Buffers messages that arrive before their round, and removes duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from broker.errors import MalformedError, ProtocolError
from broker.protocol.envelope import Envelope

MAX_BUFFERED_MESSAGES = 100_000
"""Limit per sending host. Further messages are dropped (genuine ones are requested again) and do not displace those of
other hosts."""
MAX_BUFFERED_BYTES = 64 * 2**20
"""The same limit, in bytes of payload."""


class _Buffered(NamedTuple):
    from_host: str
    envelope: Envelope
    size_bytes: int


class ReorderBuffer:
    """Buffers messages by the step in which they were sent, each once, until their round."""

    def __init__(self) -> None:
        self._by_step: dict[int, dict[tuple[str, int], _Buffered]] = {}
        self._arrived: dict[tuple[int, str], int] = defaultdict(int)
        """By step and sending host, how many messages are buffered."""
        self._counts: dict[str, int] = defaultdict(int)
        self._bytes: dict[str, int] = defaultdict(int)

    def add(self, from_host: str, envelope: Envelope, size_bytes: int = 0) -> bool:
        """Buffer a message; duplicates by (sender, sequence number) are dropped.

        Args:
            from_host: The sending host, from the topic.
            envelope: The message.
            size_bytes: Size of its payload.

        Returns:
            Whether it is new.

        Raises:
            MalformedError: The sender has sent another message under this number.
            ProtocolError: The host has too many messages in the buffer.
        """
        key = (envelope.sender, envelope.seq)
        of_step = self._by_step.get(envelope.step)
        known = of_step.get(key) if of_step is not None else None
        if known is not None:
            if known.envelope is not envelope and known.envelope.unsigned() != envelope.unsigned():
                raise MalformedError(f"agent {envelope.sender!r} has sent another message with number {envelope.seq}")
            return False
        if self._counts[from_host] >= MAX_BUFFERED_MESSAGES or (
            self._bytes[from_host] + size_bytes > MAX_BUFFERED_BYTES
        ):
            raise ProtocolError(
                f"more than {MAX_BUFFERED_MESSAGES} messages or {MAX_BUFFERED_BYTES} bytes of host {from_host!r} wait "
                "for their round"
            )
        if of_step is None:
            of_step = self._by_step[envelope.step] = {}
        of_step[key] = _Buffered(from_host, envelope, size_bytes)
        self._arrived[envelope.step, from_host] += 1
        self._counts[from_host] += 1
        self._bytes[from_host] += size_bytes
        return True

    def missing(self, step: int, expected: Mapping[str, int]) -> list[str]:
        """Return the hosts whose messages of a step have not all arrived.

        Args:
            step: The step in which they were sent.
            expected: By sending host, the number of messages.
        """
        return [host for host, count in expected.items() if self._arrived.get((step, host), 0) < count]

    def pop(self, step: int, senders: Collection[str]) -> tuple[Envelope, ...]:
        """Remove a step and all earlier ones.

        Args:
            step: The step.
            senders: Hosts whose messages count.

        Returns:
            The step's messages of these hosts, sorted by (sender, sequence number).
        """
        messages = self._by_step.get(step, {})
        for old in [s for s in self._by_step if s <= step]:
            for message in self._by_step.pop(old).values():
                self._counts[message.from_host] -= 1
                self._bytes[message.from_host] -= message.size_bytes
                self._arrived.pop((old, message.from_host), None)
        return tuple(messages[key].envelope for key in sorted(messages) if messages[key].from_host in senders)
