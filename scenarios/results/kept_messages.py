"""The messages between agents in a results file: which ones it keeps, in which form, and their counts.

Messages from which figures are computed are always kept: events of the timeline, and messages of and to real devices.
Files that do not keep all messages count them by kind, because expectations may be about numbers of messages, at the
end or at a time, and their verdicts must not depend on what a file keeps.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, Literal

from agents import TIMELINE, LoadProfile
from scenarios.events import RunEvent
from scenarios.realised_scenario import KINDS, Said
from scenarios.results.schema import has_table
from scenarios.scenario import Scenario
from scenarios.timeline import run_event_of

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


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """A message between agents."""

    n: int
    """Number of the message within the run, from 1."""
    time_s: int
    """Virtual time of sending, UNIX seconds."""
    round: int
    """Round of that second in which it was sent."""
    sender: str
    """Agent id of the sender."""
    seq: int
    """The sender's sequence number."""
    recipient: str
    """Agent id of the recipient."""
    kind: str
    job_id: str | None
    """Job that the message is about, if any."""
    body: dict[str, Any]
    """A request omits the load profile where it equals the scenario's."""


def message_of(row: sqlite3.Row) -> RecordedMessage:
    """Return a message from its row.

    Raises:
        ValueError: The row is damaged.
    """
    return RecordedMessage(
        n=row["n"],
        time_s=row["time_s"],
        round=row["round"],
        sender=row["sender"],
        seq=row["seq"],
        recipient=row["recipient"],
        kind=row["kind"],
        job_id=row["job_id"],
        body=json.loads(row["body_json"]),
    )


class RequestCondenser:
    """Removes the scenario's own load profiles from requests; they would make up most of the file."""

    def __init__(self, scenario: Scenario) -> None:
        self._jobs = {job.job_id: job for job in scenario.jobs}

    def condensed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a message without its job's load profile where that equals the scenario's; else unchanged."""
        job = body.get("job")
        if not isinstance(job, dict):
            return body
        job_id, load = job.get("job_id"), job.get("load_profile")
        if not isinstance(job_id, str) or not isinstance(load, dict):
            return body
        known = self._jobs.get(job_id)
        if known is None or not _is_same(load, known.load_profile.as_sent):
            return body
        return {**body, "job": {key: value for key, value in job.items() if key != "load_profile"}}


def _is_same(sent: dict[str, Any], load: LoadProfile) -> bool:
    """Return whether a message's load profile, with lists or tuples, equals this one."""
    return sent.keys() == {"times_s", "cumulative_wh"} and all(
        isinstance(sent[key], list | tuple) and tuple(sent[key]) == getattr(load, key) for key in sent
    )


def job_of(body: dict[str, Any]) -> str | None:
    """Return the id of the job that a message is about; None if there is none."""
    for holder in (body.get("job"), body.get("contract"), body):
        if isinstance(holder, dict) and isinstance(job_id := holder.get("job_id"), str):
            return job_id
    contract_id = body.get("contract_id")
    if isinstance(contract_id, str) and "/" in contract_id:
        return contract_id.rpartition("/")[0]  # see `agents.model.Contract`
    return None


def begins_negotiation(body: Mapping[str, Any]) -> bool:
    """Return whether with this question for producers (`ProducersFor`) a job begins to look for a supplier."""
    return body.get("part") == "first" and not body.get("asked")


def read_realised(connection: sqlite3.Connection, run: int, until_s: int | None = None) -> list[Said]:
    """Return senders and bodies of a run's messages that say what real devices made of the scenario, in order.

    Args:
        connection: A results file.
        run: Number of the run.
        until_s: Only messages up to this time, UNIX seconds; None: all.

    Raises:
        ValueError: A row is not a message.
        sqlite3.Error: The rows cannot be read.
    """
    query = (
        "SELECT sender, body_json FROM messages WHERE run = ? AND kind IN (?, ?, ?, ?) AND (? IS NULL OR time_s <= ?)"
        " ORDER BY n"
    )
    rows = connection.execute(query, (run, *sorted(KINDS), until_s, until_s))
    return [(sender, json.loads(body)) for sender, body in rows]


def read_represented(connection: sqlite3.Connection, run: int) -> frozenset[str]:
    """Return the agents of a run that a real device has spoken to.

    Raises:
        sqlite3.Error: The rows cannot be read.
    """
    query = "SELECT DISTINCT sender FROM messages WHERE run = ? AND kind = 'DeviceSaid'"
    return frozenset(sender for (sender,) in connection.execute(query, (run,)))


def read_run_events(connection: sqlite3.Connection, run: int) -> tuple[RunEvent, ...]:
    """Return the events of the timeline, or of a script, that took place in a run, in order.

    Raises:
        ValueError: A message describes no event.
        sqlite3.Error: The rows cannot be read.
    """
    query = "SELECT time_s, body_json FROM messages WHERE run = ? AND sender = ? AND kind = 'Happened' ORDER BY n"
    rows = connection.execute(query, (run, TIMELINE)).fetchall()
    return tuple(run_event_of(time_s, json.loads(body)) for time_s, body in rows)
