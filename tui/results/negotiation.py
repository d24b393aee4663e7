"""A contract's negotiation: all messages about its job."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from broker import plural
from scenarios import Zone
from scenarios.monitor import shown_agent, summarize
from scenarios.results import ContractRow, RecordedMessage, ResultsReader
from tui.results.contracts import in_words
from tui.shell import Dialog, Footer
from tui.widgets import Column, VirtualTable

MOST_MESSAGES = 5_000
"""Maximum number of messages shown for a job."""


def said_about(
    results: ResultsReader, run: int, row: ContractRow, zone: Zone
) -> tuple[tuple[RecordedMessage, str], ...]:
    """Read the messages about a contract's job, with summaries.

    Args:
        results: The simulation.
        run: The run's number.
        row: The contract.
        zone: Display zone of times.

    Raises:
        ResultsError: The file cannot be read.
    """
    messages = results.messages(run, job_id=row.job_id, limit=MOST_MESSAGES)
    return tuple((message, _words(message, row, zone)) for message in messages)


def _words(message: RecordedMessage, row: ContractRow, zone: Zone) -> str:
    body: dict[str, Any] = message.body
    if message.kind in {"Request", "Reserve"} and isinstance(body.get("job"), dict):
        # Stored without the load profile, which is in the scenario.
        body = {**body, "job": {"load_profile": {"cumulative_wh": [0.0, row.energy_wh]}, **body["job"]}}
    try:
        return summarize(message.kind, body, zone)[1]
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return json.dumps(message.body, ensure_ascii=False)


def _columns(zone: Zone) -> tuple[Column[tuple[RecordedMessage, str]], ...]:
    return (
        Column("time", lambda line: zone.narrow_clock(line[0].time_s), 8),
        Column("from", lambda line: shown_agent(line[0].sender), 22, 15, wide=34, is_id=True),
        Column("to", lambda line: shown_agent(line[0].recipient), 22, 15, wide=34, is_id=True),
        Column("what it says", lambda line: line[1]),
    )


class NegotiationDialog(Dialog[None]):
    """The messages about one job."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss", "Close", key_display="esc", priority=True),
    ]
    DEFAULT_CSS = """
    NegotiationDialog > Vertical { width: 110; height: 80%; }
    NegotiationDialog Static { height: auto; color: $text-muted; padding: 0 1 1 1; }
    NegotiationDialog VirtualTable { background: $surface; }
    """

    def __init__(self, row: ContractRow, lines: Iterable[tuple[RecordedMessage, str]], zone: Zone) -> None:
        """Make it.

        Args:
            row: The contract.
            lines: The messages about its job.
            zone: Display zone of times.
        """
        super().__init__()
        self._row = row
        self._lines = tuple(lines)
        self._zone = zone

    def compose(self) -> ComposeResult:
        """Yield the contract's details and its messages."""
        with Vertical() as box:
            box.border_title = Content(f"How {self._row.job_id} was agreed")
            box.border_subtitle = f"{plural(len(self._lines), 'message')}, times {self._zone.name}"
            yield Static(in_words(self._row, self._zone), markup=False)
            yield VirtualTable[tuple[RecordedMessage, str]](
                _columns(self._zone), key=lambda line: line[0].n, empty="No message about it was recorded"
            )
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        table = self.query_one(VirtualTable)
        table.show_rows(self._lines)
        table.focus()
