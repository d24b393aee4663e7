"""What entered a process, kept on disk: from it a killed host, or clock, comes back to the very state that it had.

SQLite in write-ahead mode, every commit on the disk before it returns: it survives the death of the process and a power
cut. A host that had answered a round and forgotten it could never catch up.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from broker.errors import SsmicError
from broker.hosts.agent import RetainedPublication
from broker.protocol import Envelope, Failure, Grant


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A round that ran. The same grants and deliveries from the start on lead to the same records."""

    grant: Grant
    delivered: tuple[Envelope, ...]
    """In the order in which the agents got them."""
    sent: tuple[tuple[str, Envelope], ...]
    """With the receiving host, in the order of (agent, sequence number)."""
    facts: tuple[RetainedPublication, ...]
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


_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (
    step INTEGER PRIMARY KEY, grant_json BLOB NOT NULL, delivered_json BLOB NOT NULL, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), json TEXT NOT NULL);
"""


class JournalError(SsmicError):
    """A journal that cannot be used: of another run, damaged, or one that does not replay."""


@dataclass(frozen=True, slots=True)
class JournaledRound:
    """All that entered a host in one round, and the fingerprint of all that left it."""

    grant: Grant
    delivered: tuple[Envelope, ...]
    digest: str


class Journal:
    """One process's journal of one run: a host's rounds, or the clock's state."""

    def __init__(self, path: Path, identity: dict[str, str]) -> None:
        """Open or make a journal.

        Args:
            path: The file; its folder is made where it is missing.
            identity: What the journal belongs to: run, host, seed, scenario.

        Raises:
            JournalError: the file belongs to something else, or cannot be used.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)
            for key, value in identity.items():
                self._connection.execute("INSERT OR IGNORE INTO identity VALUES (?, ?)", (key, value))
            kept = dict(self._connection.execute("SELECT key, value FROM identity").fetchall())
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"journal {path}: {error}") from error
        if kept != identity:
            differs = ", ".join(
                f"{key} {kept.get(key)!r}, not {identity.get(key)!r}"
                for key in sorted(kept.keys() | identity.keys())
                if kept.get(key) != identity.get(key)
            )
            self._connection.close()
            raise JournalError(f"journal {path} belongs to another run: {differs}; remove it or name another one")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def append(self, record: RoundRecord) -> None:
        """Keep a round; once it returns, the round survives the process."""
        delivered = b"[" + b",".join(envelope.encoded() for envelope in record.delivered) + b"]"
        row = (record.grant.step, record.grant.encoded(), delivered, record.digest)
        try:
            self._connection.execute("INSERT INTO rounds VALUES (?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise JournalError(f"journal {self.path}: {error}") from error

    def rounds(self) -> Iterator[JournaledRound]:
        """Return the rounds in the order in which they ran.

        Raises:
            JournalError: the journal is damaged.
        """
        query = "SELECT grant_json, delivered_json, digest FROM rounds ORDER BY step"
        try:
            for grant, delivered, digest in self._connection.execute(query):
                envelopes = tuple(Envelope.model_validate(item) for item in json.loads(delivered))
                yield JournaledRound(Grant.model_validate_json(grant), envelopes, digest)
        except (sqlite3.Error, ValueError) as error:
            raise JournalError(f"journal {self.path}: {error}") from error

    def save_state(self, state_json: str) -> None:
        """Keep the one state that a clock goes on from, in the place of the last one."""
        try:
            self._connection.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (state_json,))
        except sqlite3.Error as error:
            raise JournalError(f"journal {self.path}: {error}") from error

    def load_state(self) -> str | None:
        """Return the state that was kept last; None where there is none."""
        row: tuple[str] | None = self._connection.execute("SELECT json FROM state").fetchone()
        return None if row is None else row[0]
