"""What happened on a host in one round: all that entered it, and all that left."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from broker.post import Fact
from broker.wire import Envelope, Failure, Grant


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A round that ran. The same grants and deliveries from the start on lead to the same records."""

    grant: Grant
    delivered: tuple[Envelope, ...]
    """In the order in which the agents got them."""
    sent: tuple[tuple[str, Envelope], ...]
    """With the receiving host, in the order of (agent, sequence number)."""
    facts: tuple[Fact, ...]
    next_s: int | None
    """The host's earliest timer."""
    failure: Failure | None

    @property
    def digest(self) -> str:
        """A fingerprint of all that left, SHA-256: a replay that comes to the same digests is in the same state.

        Sessions are left out: a process that replays has its own.
        """
        digest = hashlib.sha256()
        for host, envelope in self.sent:
            digest.update(host.encode() + b"\0" + envelope.unsigned() + b"\0")
        for fact in self.facts:
            digest.update(f"{fact.subject}\0{fact.name}\0".encode() + fact.content.model_dump_json().encode() + b"\0")
        digest.update(repr(self.next_s).encode())
        return digest.hexdigest()


class RoundObserver(Protocol):
    """Is shown every round of a host, after it ran and before anybody else learns of it."""

    def round_ran(self, host_id: str, record: RoundRecord) -> None:
        """Take note of a round."""
        ...
