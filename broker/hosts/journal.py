"""A host's journal: everything that entered it, round by round, so that a restarted host can replay it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pydantic import TypeAdapter, ValidationError

from broker.hosts.agent import Instruction, RetainedPublication
from broker.hosts.granted_round import Round
from broker.journal_file import JournalFile
from broker.protocol import Envelope, Failure, decode_journaled, encode_journaled


class RoundRecord(NamedTuple):
    """A round that ran. The same grants and deliveries since the start always lead to the same records."""

    grant: Round
    delivered: tuple[Envelope, ...]
    """In the order in which the agents received them."""
    sent: tuple[tuple[str, Envelope], ...]
    """(Receiving host, message), in the order of (agent, sequence number)."""
    publications: tuple[RetainedPublication, ...]
    next_s: int | None
    """The host's earliest timer, UNIX seconds of virtual time; None if no timer is set."""
    failure: Failure | None
    is_asking: bool = False
    """Whether an agent waits for an answer."""
    instructions: tuple[Instruction, ...] = ()
    """Instructions to the world outside the run."""
    next_step: int | None = None
    """The step in which an agent that skips rounds continues; None: there is none."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything that left the host: a replay with the same digests is in the same state.

        Sessions are excluded, because a process that replays has a new session.
        """
        digest = hashlib.sha256()
        for host, envelope in self.sent:
            digest.update(host.encode() + b"\0" + envelope.unsigned() + b"\0")
        for item in self.publications:
            digest.update(f"{item.subject}\0{item.name}\0".encode() + item.content.model_dump_json().encode() + b"\0")
        for instruction in self.instructions:
            digest.update(f"{instruction.agent}\0{instruction.content.model_dump_json()}\0".encode())
        digest.update(repr(self.next_s).encode())
        if self.next_step is not None:
            digest.update(f"\0{self.next_step}".encode())
        return digest.hexdigest()


class RoundObserver(Protocol):
    """Called with every round of a host after it ran, before its results are published."""

    def round_ran(self, host_id: str, record: RoundRecord, *, is_replayed: bool) -> None:
        """Observe a round.

        Args:
            host_id: The host that ran it.
            record: The inputs and outputs of the host in the round.
            is_replayed: Whether an earlier process of the host has run it before.
        """
        ...


@dataclass(frozen=True, slots=True)
class JournaledRound:
    """Everything that entered a host in one round, and the digest of everything that left it."""

    grant: Round
    delivered: tuple[Envelope, ...]
    digest: str


class HostJournal(JournalFile):
    """A host's journal of one run."""

    def append(self, record: RoundRecord) -> None:
        """Store a round; once this returns, the round survives the process.

        Raises:
            JournalError: The file cannot be written.
        """
        self._append_round(*_stored(record))

    async def store(self, record: RoundRecord) -> None:
        """Store a round as `append` does, without blocking the event loop if the journal was opened with threads.

        Raises:
            JournalError: The file cannot be written.
        """
        await self._append_round_in_thread(*_stored(record))

    def rounds(self) -> Iterator[JournaledRound]:
        """Yield the rounds in the order in which they ran.

        Raises:
            JournalError: The journal is damaged.
        """
        for grant, delivered, digest in self._load_rounds():
            try:
                journaled = JournaledRound(Round.decoded(grant), decode_journaled(delivered), digest)
            except (ValueError, TypeError):  # of another release: the chain says that it is what was written
                raise self._unreadable("a round") from None
            yield journaled

    def save_host_by_agent(self, host_by_agent_json: str) -> None:
        """Store which host each agent lives on; a replay routes by it before it has seen a roster.

        It is on disk before the first round, and without a round nothing is replayed.

        Raises:
            JournalError: The file cannot be written.
        """
        self._save_state(host_by_agent_json, waits_for_disk=False)

    def load_host_by_agent(self) -> dict[str, str]:
        """Return the stored host of each agent; empty if none was stored.

        Raises:
            JournalError: The stored content was changed.
        """
        try:
            return TypeAdapter(dict[str, str]).validate_json(self._load_state() or "{}")
        except ValidationError:
            raise self._unreadable("its state") from None


def _stored(record: RoundRecord) -> tuple[int, bytes, bytes, str]:
    return record.grant.step, record.grant.encoded(), encode_journaled(record.delivered), record.digest
