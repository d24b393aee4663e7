"""The ledger: every contract with its history."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.app import ComposeResult
from typing_extensions import override

from agents import GRID, SHARED, LedgerEntry, Share
from scenarios import Zone
from scenarios.monitor import ObservedRun, in_periods
from tui.monitor.pane import Pane, amount, moment, state_cell
from tui.widgets import Cell, Column, PlainText, VirtualTable


def _producer(entry: LedgerEntry) -> Cell:
    producer = entry.contract.producer
    if producer == SHARED:
        return " + ".join(entry.contract.suppliers)
    return ("⌁ grid", "warn") if producer == GRID else producer


def _given(shares: Iterable[Share], start_s: int, zone: Zone) -> str:
    """Return who gives how much, and when."""
    return ", ".join(
        f"{share.producer} {amount(share.energy_wh).strip()} {in_periods(share.minutes_mwh, start_s, zone)}"
        for share in shares
    )


def _columns(zone: Zone) -> tuple[Column[LedgerEntry], ...]:
    return (
        Column("contract", lambda entry: entry.contract.contract_id, is_id=True, most=36),
        Column("producer", _producer, 14, wide=24, is_id=True),
        Column(
            "start",
            lambda entry: moment(zone, entry.contract.start_s),
            15,
            sort=lambda entry: entry.contract.start_s,
        ),
        Column(
            "energy",
            lambda entry: amount(entry.contract.energy_wh),
            9,
            right=True,
            sort=lambda entry: entry.contract.energy_wh,
        ),
        Column("state", lambda entry: state_cell(entry.state), 11),
        Column(
            "agreed",
            lambda entry: (moment(zone, entry.contract.agreed_s), "muted"),
            12,
            wide=15,
            from_width=90,
            sort=lambda entry: entry.contract.agreed_s,
        ),
        Column(
            "changes",
            lambda entry: str(len(entry.history) - 1 or ""),
            7,
            right=True,
            sort=lambda entry: len(entry.history),
        ),
    )


class LedgerPane(Pane):
    """Contracts above, the history of the chosen one below."""

    def __init__(self) -> None:
        super().__init__()
        self._changes = -1

    def compose(self) -> ComposeResult:
        """Table and history."""
        yield VirtualTable[LedgerEntry](
            _columns(Zone()),
            key=lambda entry: entry.contract.contract_id,
            empty="No contract agreed yet",
            follow=True,
            id="ledger",
        )
        yield PlainText(classes="detail")

    def show(self, watched: ObservedRun) -> None:
        """Redraw if something changed."""
        if watched.changes != self._changes:
            self._changes = watched.changes
            self.query_one("#ledger", VirtualTable).show_rows(list(watched.ledger.values()))

    def forget(self) -> None:
        """Clear the pane."""
        self._changes = -1
        self.query_one("#ledger", VirtualTable).show_rows([])

    @override
    def show_times(self, zone: Zone) -> None:
        super().show_times(zone)
        self.query_one("#ledger", VirtualTable).columns = _columns(zone)

    @on(VirtualTable.Highlighted)
    def _explain(self, event: VirtualTable.Highlighted) -> None:
        entry: LedgerEntry = event.row
        story = "; ".join(
            f"{moment(self.zone, event.at_s)} {event.what}, start {moment(self.zone, event.start_s)}"
            + (f", {_given(event.shares, event.start_s, self.zone)}" if event.shares else "")
            + (f", because {event.reason}" if event.reason else "")
            for event in entry.history
        )
        self.query_one(".detail", PlainText).say(f"{entry.contract.contract_id}: {story}")
