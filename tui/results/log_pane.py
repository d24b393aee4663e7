"""The *Log* of a run: log records and contract events in order of virtual time."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from agents import GRID
from broker import plural
from scenarios import Zone
from scenarios.results import ResultsReader
from tui.logs import log_file_of
from tui.results.pane_parts import READING
from tui.shell import ErrorBoundary
from tui.widgets import Cell, CellTable, Column, PlainText, VirtualTable

MOST_RECORDS = 20_000
"""Maximum number of log records shown; older ones are omitted."""
_LOOKS = {"warning": "warn", "error": "bad", "critical": "bad", "debug": "muted"}
_NOT_SHOWN = frozenset({"event", "level", "logger", "run", "run_id", "timestamp", "now_s", "scenario", "exception"})


@dataclass(frozen=True, slots=True)
class LogRow:
    """A log record or contract event."""

    number: int
    time_s: int | None
    """Virtual time, UNIX seconds; None: before or after the run."""
    level: str
    """Log level, or `contract` for a contract's event."""
    event: str
    details: str


@dataclass(frozen=True, slots=True)
class LogSheet:
    """The rows of the log, with a caption."""

    rows: tuple[LogRow, ...]
    said: str
    """Source and zone, as a caption."""
    zone: Zone


def log_sheet(results: ResultsReader, run: int) -> LogSheet:
    """Read the log of a run, and its contracts' history.

    Raises:
        ResultsError: The results file cannot be read.
    """
    file = log_file_of(results.path)
    start_s = results.run(run).start_s
    zone = results.zone
    found = [*_records(file, run), *_events(results, run, zone)]
    # A record without a virtual time follows the one before it.
    times_s: list[int] = []
    for time_s, *_ in found:
        before_s = times_s[-1] if times_s else start_s
        times_s.append(before_s if time_s is None else time_s)
    order = sorted(range(len(found)), key=lambda i: (times_s[i], i))
    rows = tuple(LogRow(number, *found[i]) for number, i in enumerate(order))
    where = f"Log: {file.name}" if file.exists() else f"No log file {file.name} beside the results"
    events = sum(row.level == "contract" for row in rows)
    said = f"{where}; {plural(len(rows) - events, 'record')}, and {plural(events, 'event')} of contracts. "
    return LogSheet(rows, f"{said}Times are {zone.name}.", zone)


_Found = tuple[int | None, str, str, str]


def _records(file: Path, run: int) -> Iterator[_Found]:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            newest = deque(lines, maxlen=MOST_RECORDS)
    except OSError:
        return
    for line in newest:
        try:
            record: Any = json.loads(line)
        except ValueError:
            continue  # incomplete line, still being written
        if isinstance(record, dict) and record.get("run", run) == run:
            time_s = record.get("now_s")
            details = ", ".join(f"{name} {value}" for name, value in record.items() if name not in _NOT_SHOWN)
            yield (
                time_s if isinstance(time_s, int) else None,
                str(record.get("level", "")),
                str(record.get("event", "")),
                " ".join(details.split()),
            )


def _events(results: ResultsReader, run: int, zone: Zone) -> Iterator[_Found]:
    for entry in results.ledger(run):
        contract = entry.contract
        who = "the grid" if contract.producer == GRID else contract.producer
        for event in entry.history:
            why = f": {event.reason}" if event.reason else ""
            given = ", ".join(f"{share.producer} {share.energy_wh:.0f} Wh" for share in event.shares)
            by = given or ("the grid" if event.producer == GRID else event.producer) or who
            details = f"start {zone.exact_clock(event.start_s)}: {contract.job_id} by {by}{why}"
            yield event.at_s, "contract", event.what, details


def _columns(zone: Zone) -> tuple[Column[LogRow], ...]:
    def level(row: LogRow) -> Cell:
        return row.level, _LOOKS.get(row.level, "")

    return (
        Column(
            "time",
            lambda row: "" if row.time_s is None else zone.narrow_moment(row.time_s),
            19,
            15,
            sort=lambda row: row.number,
        ),
        Column("level", level, 8),
        Column("event", lambda row: row.event, 22, wide=40),
        Column("details", lambda row: row.details),
    )


class LogPane(ErrorBoundary, Vertical):
    """The log of a run."""

    DEFAULT_CSS = """
    LogPane { height: 1fr; }
    LogPane PlainText { height: auto; min-height: 1; padding: 0 1; background: $panel; }
    LogPane .record { max-height: 3; }
    """

    def compose(self) -> ComposeResult:
        """The records, the one under the cursor in full, and where they are from."""
        yield CellTable[LogRow](
            _columns(Zone()), key=lambda row: row.number, empty="No records", waiting=READING, id="log-rows"
        )
        yield PlainText(classes="record")
        yield PlainText(classes="detail")

    def show(self, sheet: LogSheet) -> None:
        """Show the log of another run, at its scenario's offset."""
        table = self.query_one("#log-rows", CellTable)
        table.show_columns(_columns(sheet.zone))
        table.show_rows(sheet.rows)
        self._show_in_full()
        self.query_one(".detail", PlainText).say(sheet.said)

    @on(VirtualTable.Highlighted)
    def _highlighted(self, event: VirtualTable.Highlighted) -> None:
        event.stop()
        self._show_in_full()

    def _show_in_full(self) -> None:
        """Show the record under the cursor, of which columns show a part; records of all runs are numbered alike."""
        row: LogRow | None = self.query_one("#log-rows", CellTable).row
        said = "" if row is None else f"{row.event}: {row.details}" if row.details else row.event
        self.query_one(".record", PlainText).say(said)
