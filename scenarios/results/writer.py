"""Writes one run into a results file while it is in progress; other processes may write other runs of the file.

The changes of a step form one short transaction, so a killed process loses nothing that was agreed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from agents import TIMELINE, LedgerEntry
from broker import atomic_write, inode_of
from scenarios.events import RunEvent
from scenarios.realised_scenario import KINDS, RealisedScenario, Said, realise
from scenarios.results.connection import (
    BUSY_WALL_S,
    ResultsWriteError,
    is_busy,
    lock_log,
    now_utc,
    open_for_writing,
    transaction,
    translate_sqlite_errors,
)
from scenarios.results.kept_messages import (
    KeptMessages,
    MessageCounts,
    RequestCondenser,
    is_kept,
    job_of,
    read_realised,
    read_run_events,
)
from scenarios.results.large_run_overviews import MOST_MINUTE_ROWS, forget_overview
from scenarios.results.ledger_rows import WrittenHistory, read_ledger, write_entries
from scenarios.results.run_end import EndState, RecordedEnd, SettledRun, write_end
from scenarios.results.schema import has_table
from scenarios.scenario import Scenario
from scenarios.timeline import as_happened, optional_jobs, run_event_of

_log = structlog.get_logger(__name__)
MAX_WAITING_MESSAGES = 2000
"""Messages buffered at most before they are written, even if nothing was agreed."""
_BUSY_WALL_S = 0.05
"""How long a commit during the run waits for a file that another process has locked; the run waits for it."""
_BRIEF_LOCK_WALL_S = 0.5
"""A lock that lasts less is expected: the other processes of a simulation write their runs to the same file."""
_INTERRUPTED_BUSY_WALL_S = 1.0
"""How long an interrupted run waits for a locked file; a signal leaves its process 4.5 s."""
_RETRY_WALL_S = 0.5
"""How long to wait after a file was locked before the next commit tries again."""
_RESUMED_BUSY_WALL_S = 10.0
"""How long a deployed clock waits for a locked file before it exits, so that its supervisor starts it again: less than
the 30 s after which a watchdog would end it, because it waits without the event loop."""
_LOCKED = "locked by another process"
_START_AGAIN = "once it is free, start the clock again, which continues from its journal"
_OF_ENDED_RUNS = (
    "production",
    "consumption",
    "base_loads",
    "bills",
    "scores",
    "dropped_hosts",
    "disputes",
    "expectations",
)
"""Tables that have rows of a run only once it has ended; files of earlier versions of ssmic lack some."""
_encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class _WaitingRecords:
    """What was recorded since the last commit."""

    def __init__(self, run: int) -> None:
        self._run = run
        self.messages: list[tuple[Any, ...]] = []
        """Their rows."""
        self.changed: dict[str, LedgerEntry] = {}
        """By contract id, the newest version of the entry."""
        self._written: dict[str, WrittenHistory] = {}
        """By contract id, the history in the file, as of the last commit."""
        self._to_be_written: dict[str, WrittenHistory] = {}
        """The histories of the entries that the next commit changes."""

    @property
    def are_none(self) -> bool:
        """Whether nothing waits."""
        return not self.changed and not self.messages

    @property
    def are_many(self) -> bool:
        """Whether so many messages wait that they should be written."""
        return len(self.messages) >= MAX_WAITING_MESSAGES

    def write(self, connection: sqlite3.Connection) -> None:
        """Write all within a transaction; once that is committed, `forget` them."""
        connection.executemany(
            "INSERT INTO messages (run, n, time_s, round, sender, seq, recipient, kind, job_id, body_json)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self.messages,
        )
        self._to_be_written = write_entries(connection, self._run, self.changed.values(), self._written)

    def forget(self) -> None:
        """Forget what has been committed."""
        self.messages.clear()
        self.changed.clear()
        self._written |= self._to_be_written
        self._to_be_written = {}


class RunWriter:
    """Records one run; called with every event, in a deterministic order."""

    def __init__(
        self,
        path: Path,
        scenario: Scenario,
        *,
        run: int,
        run_id: str,
        seed: int,
        start_s: int,
        resume: bool = False,
        kept: KeptMessages = "all",
        most_minute_rows: int = MOST_MINUTE_ROWS,
    ) -> None:
        """Start recording a run, in the state `running`.

        Args:
            path: A file made by `create_results`.
            scenario: The scenario, as in the file.
            run: Number of the run within the simulation, from 1.
            run_id: Id of the run on the broker.
            seed: Seed of the run.
            start_s: Start of the run, UNIX seconds.
            resume: Continue this run where the file has it: its clock has a journal, and is back after a crash or will
                be. The run must keep all messages, and is never written to another file.
            kept: Which messages are kept; all are counted.
            most_minute_rows: If the minutes of houses and producers take more rows, an overview takes their place.

        Raises:
            ResultsError: The file cannot be written, or has this run already and `resume` is false.
        """
        self.path = path
        self.run = run
        self._can_resume = resume
        self._scenario = scenario
        self._start_s = start_s
        self._reached_s = start_s
        self._last_message_s = start_s
        self._condenser = RequestCondenser(scenario)
        self._kept: KeptMessages = kept
        moments_s = [one.at_s for one in scenario.expectations if one.at_s is not None]
        self._counts = None if kept == "all" else MessageCounts(moments_s)
        self._most_minute_rows = most_minute_rows
        self._waiting = _WaitingRecords(run)
        self._message_count = 0
        self._ledger: dict[str, LedgerEntry] = {}
        self._run_events: list[RunEvent] = []
        self._ended = False
        self._busy_until_wall_s = 0.0
        self.seen: dict[str, int] = {}
        """Number of the last recorded message, by sender."""
        self.realised: list[Said] = []
        """Senders and bodies of the messages that say what real devices made of the scenario."""
        self.negotiations = 0
        """Number of negotiations recorded so far."""
        self._locked_log: int | None = None
        with translate_sqlite_errors(path):
            self._connection = open_for_writing(path)
            try:
                self._inode = inode_of(self.path)
                if resume:
                    self._wait_for_the_lock()
                    self._use_log()
                if not resume or not self._take_up():
                    with transaction(self._connection):
                        self._connection.execute(
                            "INSERT INTO runs (run, run_id, seed, state, start_s, reached_s, written_utc)"
                            " VALUES (?, ?, ?, 'running', ?, ?, ?)",
                            (run, run_id, seed, start_s, start_s, now_utc()),
                        )
                self._lock_log()
            except BaseException:
                self._connection.close()
                raise

    @property
    def _is_shared(self) -> bool:
        """Whether several producers supply a job together, as the file says."""
        settings = self._connection.execute("SELECT settings_json FROM simulation").fetchone()[0]
        return str(json.loads(settings).get("supply", "whole")) == "shared"

    @property
    def messages(self) -> int:
        """Number of recorded messages."""
        return self._message_count

    @property
    def last_message_s(self) -> int:
        """When the last recorded message was sent, UNIX seconds; the run's start if there was none."""
        return self._last_message_s

    def _take_up(self) -> bool:
        key = (self.run,)
        row = self._connection.execute("SELECT messages, reached_s FROM runs WHERE run = ?", key).fetchone()
        if row is None:
            return False
        self._message_count, self._reached_s = row
        self._ledger = {entry.contract.contract_id: entry for entry in read_ledger(self._connection, self.run)}
        self._run_events = list(read_run_events(self._connection, self.run))
        with transaction(self._connection):
            # A clock that was shut down properly has finished the run too early.
            self._connection.execute(
                "UPDATE runs SET state = 'running', ledger_sha256 = NULL, wall_s = NULL, not_registered_json = '[]',"
                " error = '', kpis_json = NULL, comparison_json = NULL WHERE run = ?",
                key,
            )
            for table in _OF_ENDED_RUNS:
                if has_table(self._connection, table):
                    self._connection.execute(f"DELETE FROM {table} WHERE run = ?", key)  # noqa: S608 - our own names
            forget_overview(self._connection, self.run)
        by_sender = "SELECT sender, max(seq), max(time_s) FROM messages WHERE run = ? GROUP BY sender"
        for sender, seq, time_s in self._connection.execute(by_sender, key):
            self.seen[sender] = seq
            # A clock that was shut down may have reached a later time without a message.
            self._last_message_s = max(self._last_message_s, time_s)
        self.realised = read_realised(self._connection, self.run)
        new = (
            "SELECT count(*) FROM messages WHERE run = ? AND kind = 'ProducersFor' AND body_json LIKE '%\"asked\":[]%'"
            ' AND body_json LIKE \'%"part":"first"%\''
        )
        (self.negotiations,) = self._connection.execute(new, key).fetchone()
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file; a run that was not finished has failed, or was interrupted."""
        try:
            if not self._ended and kind is not None:
                interrupted = issubclass(kind, KeyboardInterrupt | asyncio.CancelledError)
                state: EndState = "interrupted" if interrupted else "failed"
                self.finish(RecordedEnd(state, self._reached_s, error=str(error)))
        finally:
            self.close()

    def keeps(self, kind: str) -> bool:
        """Return whether messages of a kind are kept; others are only counted, by `pass_over`."""
        return is_kept(kind, self._kept)

    def pass_over(self, kind: str, time_s: int) -> None:
        """Count a message that is not kept.

        Args:
            kind: Kind of the message.
            time_s: Virtual time of sending, UNIX seconds.
        """
        self._count(kind, time_s)

    def _count(self, kind: str, time_s: int) -> None:
        if self._counts is not None:
            self._counts.add(kind, time_s)
        self._message_count += 1
        self._reached_s = max(self._reached_s, time_s)
        self._last_message_s = max(self._last_message_s, time_s)

    def message(
        self, time_s: int, round_: int, sender: str, seq: int, to: str, kind: str, body: dict[str, Any]
    ) -> None:
        """Record a message between agents.

        Args:
            time_s: Virtual time of sending, UNIX seconds.
            round_: Round in which it was sent.
            sender: Agent id of the sender.
            seq: Sequence number of the sender.
            to: Agent id of the recipient.
            kind: Kind of the message.
            body: Its body, as JSON values.
        """
        if kind in KINDS:
            self.realised.append((sender, body))
        self._count(kind, time_s)
        if sender == TIMELINE and kind == "Happened":
            self._run_events.append(run_event_of(time_s, body))
        text = _encoded(self._condenser.condensed(body))
        row = (time_s, round_, sender, seq, to, kind, job_of(body), text)
        self._waiting.messages.append((self.run, self._message_count, *row))
        if self._waiting.are_many:
            self.commit()

    def entry(self, entry: LedgerEntry) -> None:
        """Record a new version of a ledger entry: agreed, amended or cancelled."""
        self._ledger[entry.contract.contract_id] = entry
        self._waiting.changed[entry.contract.contract_id] = entry
        if entry.history:
            self._reached_s = max(self._reached_s, entry.history[-1].at_s)

    def commit(self) -> bool:
        """Write everything recorded since the last commit; once it returns True, a crash cannot lose it.

        Returns:
            Whether it was written. If another process has locked the file, the records are kept for the next commit,
            without waiting.

        Raises:
            ResultsError: The file cannot be written.
        """
        if self._waiting.are_none and (self._counts is None or not self._counts.is_due):
            return True
        if time.monotonic() < self._busy_until_wall_s:
            return False
        try:
            with translate_sqlite_errors(self.path):
                self._write_waiting_now(_BUSY_WALL_S)
        except ResultsWriteError as error:
            if isinstance(error.__cause__, sqlite3.Error) and is_busy(error.__cause__):
                self._busy_until_wall_s = time.monotonic() + _RETRY_WALL_S
                return False
            raise
        self._waiting.forget()
        return True

    def _write_waiting_now(self, busy_wall_s: float) -> None:
        with transaction(self._connection, busy_wall_s):
            self._waiting.write(self._connection)
            if self._counts is not None and self._counts.is_due:
                self._counts.write(self._connection, self.run)
            self._connection.execute(
                "UPDATE runs SET reached_s = ?, messages = ?, written_utc = ? WHERE run = ?",
                (self._reached_s, self._message_count, now_utc(), self.run),
            )

    async def until_unlocked(self) -> None:
        """Wait while another process has locked the file, as long as `finish` would; the event loop goes on."""
        give_up_wall_s = time.monotonic() + BUSY_WALL_S
        while time.monotonic() < give_up_wall_s:
            if not self._is_locked():
                return
            await asyncio.sleep(_RETRY_WALL_S)

    def _is_locked(self) -> bool:
        try:
            with transaction(self._connection, _BRIEF_LOCK_WALL_S):
                return False
        except sqlite3.Error as error:
            return is_busy(error)  # `finish` reports all others

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still where it was opened: a user may have removed or replaced it."""
        return inode_of(self.path) == self._inode

    def put_back(self) -> None:
        """Restore the results file after it was removed, without loss.

        Raises:
            ResultsError: They cannot be written; the records are kept as long as this process lives.
        """
        with translate_sqlite_errors(self.path):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(self.path) as draft:
                    with closing(sqlite3.connect(draft)) as copy:
                        self._connection.backup(copy)
                    # SQLite removes a log by its name: before the new file has one of that name.
                    self._connection.close()
            except OSError as error:
                raise ResultsWriteError(f"{self.path}: cannot be written: {error.strerror or error}") from error
            self._connection = open_for_writing(self.path)
        self._inode = inode_of(self.path)
        self._lock_log()

    def finish(self, end: RecordedEnd) -> None:
        """Write the remaining records, the energy of every minute, and the run's figures; the run is over.

        If another process keeps the file locked, all of it is written into a new file beside it; but if the run can be
        resumed, nothing is, because its clock writes the rest when it is started again.

        Raises:
            ResultsError: The file cannot be written. If it stayed locked, the message says which file has the run, or
                that the clock has to be started again; if a run that can be resumed has failed, only the log does.
        """
        entries = tuple(self._ledger[contract_id] for contract_id in sorted(self._ledger))
        settled = SettledRun(
            self._realised(end.end_s), entries, self._start_s, end.end_s, not_registered=len(end.not_registered)
        )
        busy_wall_s = _RESUMED_BUSY_WALL_S if self._can_resume else BUSY_WALL_S
        if end.state == "interrupted":
            busy_wall_s = _INTERRUPTED_BUSY_WALL_S

        def write() -> None:
            with translate_sqlite_errors(self.path), transaction(self._connection, busy_wall_s):
                self._waiting.write(self._connection)
                if self._counts is not None:
                    self._counts.write(self._connection, self.run)
                settled.write(self._connection, self.run, self._most_minute_rows)
                write_end(self._connection, self.run, end, settled, self._message_count)

        if self._write_unless_locked(write):
            self._has_ended()
        elif self._can_resume:
            self._has_ended()
            self._leave_to_next_start(end.state)
        else:
            beside = self._continue_beside()
            write()
            self._has_ended()
            raise ResultsWriteError(f"{self.path}: stayed locked by another process; the whole run is in {beside}")

    def _realised(self, end_s: int) -> RealisedScenario:
        """Return the scenario as the run realised it until its end, `end_s`, UNIX seconds."""
        happened = as_happened(self._scenario, self._run_events, end_s)
        optional = optional_jobs(happened, self._run_events)
        return realise(happened, self.realised, is_shared=self._is_shared, known_until_s=end_s, optional=optional)

    def _has_ended(self) -> None:
        self._waiting.forget()
        self._ended = True

    def _leave_to_next_start(self, state: EndState) -> None:
        """Leave the end of a run whose file stays locked unwritten.

        Raises:
            ResultsWriteError: The run has not failed. If it has, the caller's error says why, and its exit code whether
                it helps to start the clock again.
        """
        if state != "failed":
            raise ResultsWriteError(f"{self.path}: stays locked by another process; {_START_AGAIN}")
        _log.error("failure not recorded", file=str(self.path), reason=_LOCKED)

    def _write_unless_locked(self, write: Callable[[], None]) -> bool:
        """Write the run; return whether that was possible, or another process has kept the file locked."""
        if self._is_locked():
            _log.warning("waiting for the results file", file=str(self.path), reason=_LOCKED)
        try:
            write()
        except ResultsWriteError as error:
            if isinstance(error.__cause__, sqlite3.Error) and is_busy(error.__cause__):
                return False
            raise
        return True

    def _wait_for_the_lock(self) -> None:
        """Wait for a short time if another process has locked the file.

        Raises:
            ResultsWriteError: It stays locked.
        """
        if not self._is_locked():
            return
        _log.warning("waiting for the results file", file=str(self.path), reason=_LOCKED)
        try:
            with transaction(self._connection, _RESUMED_BUSY_WALL_S):
                return
        except sqlite3.Error as error:
            if not is_busy(error):
                raise
            raise ResultsWriteError(f"{self.path}: is locked by another process; {_START_AGAIN}") from error

    def _use_log(self) -> None:
        """Keep a write-ahead log again, which `seal` has removed: readers and the run do not wait for each other."""
        self._connection.execute(f"PRAGMA busy_timeout = {_RESUMED_BUSY_WALL_S * 1000:.0f}")
        self._connection.execute("PRAGMA journal_mode = WAL")

    def _continue_beside(self) -> Path:
        """Copy what the file has into a new one beside it, and write to that from now on; return its path.

        A lock keeps writers out, not readers.

        Raises:
            ResultsError: It cannot be written.
        """
        beside = self.path.with_name(f"{self.path.stem}.run-{self.run}-unlocked{self.path.suffix}")
        with translate_sqlite_errors(beside):
            try:
                with atomic_write(beside) as draft, closing(sqlite3.connect(draft)) as copy:
                    self._connection.backup(copy)
            except OSError as error:
                raise ResultsWriteError(f"{beside}: cannot be written: {error.strerror or error}") from error
            self._connection.close()
            self._connection = open_for_writing(beside)
        return beside

    def _lock_log(self) -> None:
        """Show other processes that this one is alive, also if it writes nothing, for example because it is paused."""
        self._unlock_log()
        self._locked_log = lock_log(self.path)

    def _unlock_log(self) -> None:
        if self._locked_log is not None:
            os.close(self._locked_log)
            self._locked_log = None

    def close(self) -> None:
        """Close the file; anything that was not committed is lost."""
        self._unlock_log()
        self._connection.close()
