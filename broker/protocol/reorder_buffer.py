"""Messages that came in before their round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from broker.errors import ProtocolError
from broker.protocol.wire import Envelope

MAX_STASHED_MESSAGES = 100_000
"""Of one host; a flood beyond it is dropped, asked for again if it was real, and takes no room from the others."""


class ReorderBuffer:
    """Keeps messages by the step in which they were sent, each once, until their round comes."""

    def __init__(self) -> None:
        self._by_step: dict[int, dict[tuple[str, int], tuple[str, Envelope]]] = defaultdict(dict)
        self._counts: dict[str, int] = defaultdict(int)

    def add(self, from_host: str, envelope: Envelope) -> None:
        """Keep a message; one that is here already, by (sender, sequence number), is dropped.

        Raises:
            ProtocolError: too many wait.
        """
        step = self._by_step[envelope.step]
        key = (envelope.sender, envelope.seq)
        if key not in step:
            if self._counts[from_host] >= MAX_STASHED_MESSAGES:
                raise ProtocolError(
                    f"more than {MAX_STASHED_MESSAGES} messages of host {from_host!r} wait for their round"
                )
            step[key] = (from_host, envelope)
            self._counts[from_host] += 1

    def missing(self, step: int, expected: Mapping[str, int]) -> list[str]:
        """Return the hosts of which fewer messages of that step are here than they sent."""
        have: dict[str, int] = defaultdict(int)
        for from_host, _ in self._by_step.get(step, {}).values():
            have[from_host] += 1
        return [host for host, count in expected.items() if have[host] < count]

    def take(self, step: int, senders: Collection[str]) -> tuple[Envelope, ...]:
        """Return a step's messages of these hosts sorted by (sender, sequence number); forget it and all before it."""
        messages = self._by_step.get(step, {})
        for old in [s for s in self._by_step if s <= step]:
            for from_host, _ in self._by_step.pop(old).values():
                self._counts[from_host] -= 1
        return tuple(messages[key][1] for key in sorted(messages) if messages[key][0] in senders)
