"""Buffers messages that arrive before their round, and removes duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from broker.errors import ProtocolError
from broker.protocol.wire import Envelope

MAX_BUFFERED_MESSAGES = 100_000
"""Limit per sending host. Further messages are dropped (genuine ones are requested again) and do not displace those of
other hosts."""


class ReorderBuffer:
    """Buffers messages by the step in which they were sent, each once, until their round."""

    def __init__(self) -> None:
        self._by_step: dict[int, dict[tuple[str, int], tuple[str, Envelope]]] = defaultdict(dict)
        self._counts: dict[str, int] = defaultdict(int)

    def add(self, from_host: str, envelope: Envelope) -> None:
        """Buffer a message; duplicates by (sender, sequence number) are dropped.

        Args:
            from_host: The sending host, from the topic.
            envelope: The message.

        Raises:
            ProtocolError: The host has too many messages in the buffer.
        """
        step = self._by_step[envelope.step]
        key = (envelope.sender, envelope.seq)
        if key not in step:
            if self._counts[from_host] >= MAX_BUFFERED_MESSAGES:
                raise ProtocolError(
                    f"more than {MAX_BUFFERED_MESSAGES} messages of host {from_host!r} wait for their round"
                )
            step[key] = (from_host, envelope)
            self._counts[from_host] += 1

    def missing(self, step: int, expected: Mapping[str, int]) -> list[str]:
        """Return the hosts whose messages of a step have not all arrived.

        Args:
            step: The step in which they were sent.
            expected: By sending host, the number of messages.
        """
        have: dict[str, int] = defaultdict(int)
        for from_host, _ in self._by_step.get(step, {}).values():
            have[from_host] += 1
        return [host for host, count in expected.items() if have[host] < count]

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
            for from_host, _ in self._by_step.pop(old).values():
                self._counts[from_host] -= 1
        return tuple(messages[key][1] for key in sorted(messages) if messages[key][0] in senders)
