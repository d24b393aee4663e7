"""Which messages between agents a results file keeps: all, those that contracts are made of, or none; and their counts.

Messages from which figures are computed are always kept: events of the timeline, and messages of and to real devices.
Files that do not keep all messages count them by kind, because expectations may be about numbers of messages, at the
end or at a time, and their verdicts must not depend on what a file keeps.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from typing import Final, Literal

from scenarios.realised_scenario import KINDS
from scenarios.results.schema import has_table

KeptMessages = Literal["all", "contracts", "none"]
ABOUT_KEPT: Final = {
    "all": "all messages",
    "contracts": "only those that contracts are made of: promises and reports to the manager",
    "none": "no messages, only contracts, events and figures; fastest",
}
"""One-sentence descriptions."""
_FIGURES = frozenset({"Happened", "DeviceSaid"}) | frozenset(KINDS)
_CONTRACTS = _FIGURES | {
    "Promised",
    "PromiseWithdrawn",
    "PromiseVoid",
    "ContractAgreed",
    "ContractAmended",
    "ContractCancelled",
    "ContractVoid",
    "SharePromised",
    "ShareVoid",
    "SharesAmended",
}

COUNTS_TABLE = """
CREATE TABLE IF NOT EXISTS message_counts ( -- only if the file does not keep all messages
  run      INTEGER NOT NULL REFERENCES runs (run),
  kind     TEXT NOT NULL,
  until_s  INTEGER,          -- the time of an expectation; NULL: the whole run
  messages INTEGER NOT NULL, -- sent until then
  UNIQUE (run, kind, until_s)
);
"""


def is_kept(kind: str, kept: KeptMessages) -> bool:
    """Return whether a results file keeps messages of a kind.

    Args:
        kind: The kind.
        kept: The messages that the file keeps.
    """
    return kept == "all" or kind in (_CONTRACTS if kept == "contracts" else _FIGURES)


class MessageCounts:
    """Counts messages by kind, up to each of some moments, and in total."""

    def __init__(self, moments_s: Iterable[int]) -> None:
        """Begin to count.

        Args:
            moments_s: Moments up to which messages are also counted, UNIX seconds.
        """
        self._moments_s = sorted(set(moments_s))
        self._counts: Counter[tuple[str, int]] = Counter()
        """By kind, and index of the first moment that is not before the message."""
        self._written = 0
        """How many messages the file counts."""

    @property
    def is_due(self) -> bool:
        """Whether the file lacks counts that an expectation with a time may need before the run ends."""
        return bool(self._moments_s) and self._counts.total() > self._written

    def add(self, kind: str, time_s: int) -> None:
        """Count a message.

        Args:
            kind: Its kind.
            time_s: Virtual time of sending, UNIX seconds.
        """
        self._counts[kind, bisect_left(self._moments_s, time_s)] += 1

    def write(self, connection: sqlite3.Connection, run: int) -> None:
        """Write the present counts of a run, in place of those that were written before."""
        connection.execute(COUNTS_TABLE)
        connection.execute("DELETE FROM message_counts WHERE run = ?", (run,))
        moments: list[int | None] = [*self._moments_s, None]
        for kind in sorted({kind for kind, _ in self._counts}):
            counts = accumulate(self._counts[kind, index] for index in range(len(moments)))
            rows = [(run, kind, until_s, count) for until_s, count in zip(moments, counts, strict=True)]
            connection.executemany("INSERT INTO message_counts VALUES (?, ?, ?, ?)", rows)
        self._written = self._counts.total()


def read_message_counts(connection: sqlite3.Connection, run: int, until_s: int | None) -> dict[str, int] | None:
    """Return the numbers of a run's messages by kind; None if the file does not have them.

    Args:
        connection: A results file.
        run: Number of the run.
        until_s: Only messages up to this moment, UNIX seconds, which must be that of an expectation; None: all.
    """
    if not has_table(connection, "message_counts"):
        return None
    query = "SELECT kind, messages FROM message_counts WHERE run = ? AND until_s IS ?"
    return dict(connection.execute(query, (run, until_s)).fetchall())
