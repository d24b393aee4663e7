"""A host's journal: everything that entered it, round by round, so that a restarted host can replay it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from broker.hosts.rounds import Round, RoundRecord
from broker.journal_file import ROUNDS, JournalFile
from broker.protocol import Envelope, decode_journaled, encode_journaled


@dataclass(frozen=True, slots=True)
class JournaledRound:
    """Everything that entered a host in one round, and the digest of everything that left it."""

    grant: Round
    delivered: tuple[Envelope, ...]
    digest: str


class HostJournal(JournalFile):
    """A host's journal of one run."""

    _BEGUN = ROUNDS

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

    def last_round(self) -> Round | None:
        """Return the grant of the round that ran last; None if none has run. Only its replay checks the journal.

        Raises:
            JournalError: The file cannot be read, or is of another release.
        """
        grant = self._load_last_grant()
        try:
            return None if grant is None else Round.decoded(grant)
        except (ValueError, TypeError):
            raise self._unreadable("a round") from None

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
