"""Rows of a results file: simulations with their scenarios, runs, verdicts on expectations, messages, runs' ledgers."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, FiniteFloat

from agents import TIMELINE, Contract, Job, LedgerEntry, LedgerEvent, LoadProfile, Share
from agents.sharing import SUPPLY_RULES
from broker import shown
from scenarios.events import RunEvent
from scenarios.realised_scenario import KINDS, Said
from scenarios.results.connection import UnknownWordError, open_for_writing, transaction, translate_sqlite_errors
from scenarios.results.damage import MOST_RUN_S, decompressed
from scenarios.results.schema import SHARE_TABLES, has_table
from scenarios.scenario import Scenario
from scenarios.timeline import run_event_of

COMPRESSED_FROM_CHARACTERS = 4_000_000
"""A scenario's JSON is compressed from this length: that of 10,000 houses has 270 MB, because each of its 50,000 jobs
repeats one of a few load profiles. Shorter ones stay text, which any program that reads SQLite can show."""
MOST_SCENARIO_BYTES = 2**30
"""The largest scenario that is read."""
_COMPRESSION_LEVEL = 1
"""Higher levels save little more of repeated profiles, and take several times as long."""

RunState = Literal["running", "done", "interrupted", "failed"]
_VERDICTS_TABLE = """
CREATE TABLE IF NOT EXISTS expectations ( -- files without expectations have no table
  run          INTEGER NOT NULL REFERENCES runs (run),
  n            INTEGER NOT NULL, -- counts from 1
  verdict_json TEXT NOT NULL,
  PRIMARY KEY (run, n)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class SimulationInfo:
    """The description of a simulation."""

    scenario: str
    """Name of the scenario."""
    algorithm: str
    settings: dict[str, Any]
    """All other choices, by name, as `SimulationSpec.settings`."""
    broker: str
    """`memory`, `mosquitto`, `embedded` or a URL without login."""
    hosts: int | None
    """Hosts that the agents were spread over; None: one per household."""
    seeds: tuple[int, ...]
    """Seeds of the planned runs."""
    versions: dict[str, str]
    """Versions of the software that results may depend on, by name."""
    created_utc: str
    """ISO 8601."""

    @property
    def supply(self) -> str:
        """`whole`, or `shared`: whether several producers may supply a job together."""
        return str(self.settings.get("supply", "whole"))


class _KeptVerdict(BaseModel):
    """A verdict as it is stored, see `scenarios.expectations.Verdict`."""

    title: str
    condition: str
    holds: bool
    values: str
    at_s: int | None = None
    error: str = ""


class _KeptOptimum(BaseModel):
    """An optimum as it is stored with a run, see `scenarios.optimum.optimum_json`."""

    best_wh: FiniteFloat
    bound_wh: FiniteFloat
    share: FiniteFloat | None
    carried_bound_wh: FiniteFloat = 0.0
    gap: FiniteFloat = 0.0
    proven: bool = False
    wall_s: FiniteFloat = 0.0
    inputs_sha256: str = ""


class _KeptBaseline(BaseModel):
    """A baseline as it is stored with a run, see `scenarios.optimum.baseline_json`."""

    name: str
    delivered_wh: FiniteFloat
    deviation_wh: FiniteFloat | None = None
    share: FiniteFloat | None


class _KeptComparison(BaseModel):
    """What a run was compared with."""

    optimum: _KeptOptimum | None = None
    baselines: list[_KeptBaseline] = []
    shared_optimum: _KeptOptimum | None = None


def checked_comparison(text: str | None) -> dict[str, Any]:
    """Return what a run was compared with; other keys are left out, which would stand among those of the run.

    Args:
        text: JSON, see `record_comparison`; None: it was compared with nothing.

    Raises:
        ValueError: It is damaged.
    """
    if text is None:
        return {}
    found = _KeptComparison.model_validate_json(text).model_dump(exclude_unset=True)
    if found.get("optimum") is not None:
        found.setdefault("baselines", [])
    return {name: compared for name, compared in found.items() if compared is not None}


def check_times(run: int, start_s: int, times_s: Iterable[int]) -> None:
    """Check that a run lies within the time that a run can take: its energy is settled minute by minute.

    Args:
        run: Number of the run.
        start_s: Its start, UNIX seconds.
        times_s: Other times of the run, UNIX seconds.

    Raises:
        ValueError: One is too far from the start.
    """
    for time_s in times_s:
        if abs(time_s - start_s) > MOST_RUN_S:
            days = MOST_RUN_S // 86_400
            raise ValueError(
                f"run {run} starts at {start_s} and has the time {time_s}; it can take {days} days at most"
            )


def checked_settings(text: str) -> dict[str, Any]:
    """Return the settings of a simulation, which determine how the rest of its file is read.

    Args:
        text: JSON, as `SimulationSpec.settings`.

    Raises:
        UnknownWordError: The rule of supply is unknown; every figure depends on it.
    """
    settings: dict[str, Any] = json.loads(text)
    supply = settings.get("supply", "whole")
    if supply not in SUPPLY_RULES:
        rules = " or ".join(map(repr, SUPPLY_RULES))
        raise UnknownWordError(f"its settings, at supply: {shown(str(supply))}, expected {rules}")
    return settings


@dataclass(frozen=True, slots=True)
class DroppedHost:
    """A host that a run continued without."""

    host: str
    """Its id."""
    why: str
    """The reason, for users."""
    is_quarantined: bool
    """Whether it was quarantined because it broke the protocol; if not, it was away too long."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run of a simulation."""

    run: int
    """Number of the run, from 1."""
    run_id: str
    """Its name in the topics of the broker."""
    seed: int
    state: RunState
    """Still `running` after a crash; see `written_utc`."""
    start_s: int
    """UNIX seconds."""
    end_s: int
    """Virtual time reached so far, UNIX seconds."""
    ledger_sha256: str | None
    """None while running."""
    messages: int
    """How many messages agents sent to each other, whether they were kept or not."""
    negotiations: int
    """How often a job went looking for a supplier."""
    wall_s: float | None
    """How long it took, wall-clock seconds; None: not known, as while it is running."""
    not_registered: tuple[str, ...]
    """Ids of the jobs for which the run ended too early."""
    error: str
    """Why it failed; empty if it did not."""
    comparison: dict[str, Any]
    """Its comparison with the optimum; empty if there is none."""
    written_utc: str
    """Time of the last write; ISO 8601."""
    without: tuple[DroppedHost, ...] = ()
    """Hosts that it ended without, by id."""
    disputes: tuple[str, ...] = ()
    """Statements of households that contradict the ledger or each other; the ledger stands."""

    @property
    def is_complete(self) -> bool:
        """Whether it completed. Figures of other runs cover only part of the time and are excluded from means."""
        return self.state == "done"


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


def stored_scenario(text: str) -> str | bytes:
    """Return a scenario's JSON as it is stored."""
    return text if len(text) < COMPRESSED_FROM_CHARACTERS else zlib.compress(text.encode(), _COMPRESSION_LEVEL)


def restored_scenario(kept: str | bytes) -> str:
    """Return a scenario's JSON from what was stored.

    Raises:
        ValueError: It is damaged.
    """
    if isinstance(kept, str):
        return kept
    try:
        return decompressed(kept, MOST_SCENARIO_BYTES).decode()
    except ValueError as error:
        raise ValueError(f"its scenario {error}") from error


def read_ledger(connection: sqlite3.Connection, run: int) -> tuple[LedgerEntry, ...]:
    """Return a run's contracts with their history, including cancelled ones, in the order of contract ids.

    Raises:
        ValueError: A row is not a valid contract or event.
        sqlite3.Error: The rows cannot be read.
    """
    events: dict[str, list[LedgerEvent]] = {}
    shares, suppliers = _read_shares(connection, run)
    columns = "contract_id, n, at_s, what, start_s, reason"
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT {columns} FROM history WHERE run = ? ORDER BY contract_id, n",  # noqa: S608 - made of constants only
        (run,),
    ).fetchall()
    for contract_id, n, at_s, what, start_s, reason in rows:
        event = LedgerEvent(
            at_s=at_s,
            what=what,
            start_s=start_s,
            reason=reason,
            producer=suppliers.get((contract_id, n), ""),
            shares=shares.get((contract_id, n), ()),
        )
        events.setdefault(contract_id, []).append(event)
    columns = "contract_id, job_id, producer, start_s, agreed_s, energy_wh, state"
    rows = connection.execute(
        f"SELECT {columns} FROM contracts WHERE run = ? ORDER BY contract_id",  # noqa: S608 - made of constants only
        (run,),
    ).fetchall()
    return tuple(
        LedgerEntry(
            contract=Contract(
                contract_id=contract_id,
                job_id=job_id,
                producer=producer,
                start_s=start_s,
                agreed_s=agreed_s,
                energy_wh=energy_wh,
                shares=shares.get((contract_id, CURRENT), ()),
            ),
            state=state,
            history=tuple(events.get(contract_id, ())),
        )
        for contract_id, job_id, producer, start_s, agreed_s, energy_wh, state in rows
    )


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


CURRENT = 0
"""In place of an event's number: the contract as it is now."""


def _read_shares(
    connection: sqlite3.Connection, run: int
) -> tuple[dict[tuple[str, int], tuple[Share, ...]], dict[tuple[str, int], str]]:
    """Return a run's shares and changed suppliers, by contract id and number of the event."""
    if not has_table(connection, "shares"):
        return {}, {}
    shares: dict[tuple[str, int], tuple[Share, ...]] = {}
    query = "SELECT contract_id, n, producer, minutes_json FROM shares WHERE run = ? ORDER BY contract_id, n, producer"
    for contract_id, n, producer, minutes in connection.execute(query, (run,)).fetchall():
        share = Share(producer=producer, minutes_mwh=json.loads(minutes))
        shares[contract_id, n] = (*shares.get((contract_id, n), ()), share)
    query = "SELECT contract_id, n, producer FROM suppliers WHERE run = ?"
    rows = connection.execute(query, (run,)).fetchall()
    return shares, {(contract_id, n): producer for contract_id, n, producer in rows}


class WrittenHistory(NamedTuple):
    """The history of a contract as the file has it."""

    history: tuple[LedgerEvent, ...]
    """In the order of events."""
    left_out: int = 0
    """Number of events after the first one that have been removed; the others keep their numbers."""

    def number(self, i: int) -> int:
        """Return the number of an event in the file.

        Args:
            i: Its index in the history.
        """
        return i + 1 + (self.left_out if i else 0)

    def kept_in(self, history: tuple[LedgerEvent, ...]) -> tuple[WrittenHistory, int]:
        """Return a newer history as the file will have it, and how many of its events the file has already.

        Args:
            history: The newer version: with further events, or without some behind the first one.
        """
        before = self.history
        if not before or not history or history[0] is not before[0]:
            return WrittenHistory(history), 0
        gone = next((n for n, event in enumerate(before[1:]) if event is history[1]), 0) if len(history) > 1 else 0
        known = before[1 + gone :]
        if len(known) >= len(history) or any(a is not b for a, b in zip(known, history[1:], strict=False)):
            return WrittenHistory(history), 0
        return WrittenHistory(history, self.left_out + gone), 1 + len(known)


def _write_shares(
    connection: sqlite3.Connection, run: int, entry: LedgerEntry, written: WrittenHistory, known: int
) -> None:
    history = entry.history
    if not entry.contract.shares and not any(event.shares or event.producer for event in history):
        return  # a contract that has had shares once has them in its history for ever
    for table in SHARE_TABLES:
        connection.execute(table)
    key = (run, entry.contract.contract_id)
    _delete_events(connection, "shares", key, written, known)
    _delete_events(connection, "suppliers", key, written, known)
    connection.execute("DELETE FROM shares WHERE run = ? AND contract_id = ? AND n = ?", (*key, CURRENT))
    versions = {CURRENT: entry.contract.shares}
    versions |= {written.number(i): history[i].shares for i in range(known, len(history))}
    connection.executemany(
        "INSERT INTO shares VALUES (?, ?, ?, ?, ?, ?)",
        [
            (*key, n, share.producer, share.energy_wh, json.dumps(share.minutes_mwh, separators=(",", ":")))
            for n, shares in versions.items()
            for share in shares
        ],
    )
    named = [i for i in range(known, len(history)) if history[i].producer]
    connection.executemany(
        "INSERT INTO suppliers VALUES (?, ?, ?, ?)", [(*key, written.number(i), history[i].producer) for i in named]
    )


def _delete_events(
    connection: sqlite3.Connection, table: str, key: tuple[int, str], written: WrittenHistory, known: int
) -> None:
    """Delete the events that a contract's history no longer has: all of them, if none of the newer ones is known."""
    where = "run = ? AND contract_id = ? AND n BETWEEN ? AND ?"
    span = (2, 1 + written.left_out) if known else (1, 2**53)
    connection.execute(f"DELETE FROM {table} WHERE {where}", (*key, *span))  # noqa: S608 - our own names


def write_jobs(connection: sqlite3.Connection, jobs: Iterable[Job]) -> None:
    """Write the jobs that the file lacks.

    Args:
        connection: Open for writing, within a transaction.
        jobs: The jobs.

    Raises:
        sqlite3.Error: The rows cannot be written.
    """
    connection.executemany(
        "INSERT OR IGNORE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                job.job_id,
                job.source_id,
                job.house,
                job.device,
                job.profile,
                job.registered_s,
                job.earliest_start_s,
                job.latest_start_s,
                job.duration_s,
                job.energy_wh,
            )
            for job in jobs
        ],
    )


def read_run_events(connection: sqlite3.Connection, run: int) -> tuple[RunEvent, ...]:
    """Return the events of the timeline, or of a script, that took place in a run, in order.

    Raises:
        ValueError: A message describes no event.
        sqlite3.Error: The rows cannot be read.
    """
    query = "SELECT time_s, body_json FROM messages WHERE run = ? AND sender = ? AND kind = 'Happened' ORDER BY n"
    rows = connection.execute(query, (run, TIMELINE)).fetchall()
    return tuple(run_event_of(time_s, json.loads(body)) for time_s, body in rows)


def write_entries(
    connection: sqlite3.Connection, run: int, entries: Iterable[LedgerEntry], written: Mapping[str, WrittenHistory]
) -> dict[str, WrittenHistory]:
    """Write ledger entries, replacing earlier versions of them; of a history, only what the file does not have.

    Args:
        connection: Open for writing, within a transaction.
        run: Number of the run.
        entries: The ledger entries.
        written: By contract id, the history in the file, as this function returned it.

    Returns:
        The same for these entries, valid once the transaction has been committed.

    Raises:
        sqlite3.Error: The rows cannot be written.
    """
    newer: dict[str, WrittenHistory] = {}
    for entry in entries:
        contract = entry.contract
        key = (run, contract.contract_id)
        now, known = written.get(contract.contract_id, WrittenHistory(())).kept_in(entry.history)
        newer[contract.contract_id] = now
        _delete_events(connection, "history", key, now, known)
        connection.execute(
            "INSERT INTO contracts VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, contract_id) DO UPDATE SET"
            " producer = excluded.producer, start_s = excluded.start_s, agreed_s = excluded.agreed_s,"
            " energy_wh = excluded.energy_wh, state = excluded.state",
            (
                *key,
                contract.job_id,
                contract.producer,
                contract.start_s,
                contract.agreed_s,
                contract.energy_wh,
                entry.state,
            ),
        )
        later = [(now.number(i), entry.history[i]) for i in range(known, len(entry.history))]
        connection.executemany(
            "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*key, n, e.at_s, e.what, e.start_s, e.reason) for n, e in later],
        )
        _write_shares(connection, run, entry, now, known)
    return newer


def record_verdicts(path: Path, run: int, verdicts: Sequence[dict[str, Any]]) -> None:
    """Store the verdicts on a run, replacing earlier ones.

    Args:
        path: The results file.
        run: The run, counted from 1.
        verdicts: One JSON object per expectation, in the order of the scenario.

    Raises:
        ResultsError: The file cannot be written.
    """
    with translate_sqlite_errors(path):
        connection = open_for_writing(path)
        try:
            with transaction(connection):
                connection.execute(_VERDICTS_TABLE)
                connection.execute("DELETE FROM expectations WHERE run = ?", (run,))
                connection.executemany(
                    "INSERT INTO expectations VALUES (?, ?, ?)",
                    [(run, n, json.dumps(verdict, ensure_ascii=False)) for n, verdict in enumerate(verdicts, start=1)],
                )
        finally:
            connection.close()


def read_verdicts(connection: sqlite3.Connection, run: int) -> tuple[dict[str, Any], ...]:
    """Return the verdicts on a run; empty if there are none.

    Raises:
        ValueError: A row is not a verdict.
        sqlite3.Error: The rows cannot be read.
    """
    if not has_table(connection, "expectations"):
        return ()
    rows = connection.execute("SELECT verdict_json FROM expectations WHERE run = ? ORDER BY n", (run,)).fetchall()
    return tuple(_KeptVerdict.model_validate_json(text).model_dump() for (text,) in rows)
