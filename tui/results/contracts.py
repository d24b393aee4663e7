"""The table of contracts: sortable, searchable, copyable by cell, row or as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from agents import SHARED
from broker import plural
from scenarios import Zone
from scenarios.results import ContractRow
from tui.results.formatting import covered_cell, number_kwh
from tui.shell import ErrorBoundary
from tui.widgets import Cell, CellTable, Column, PlainText, VirtualTable


def supplier_cell(row: ContractRow) -> Cell:
    """Return who supplies a contract: the grid, the own roof, a neighbour's, or several."""
    if row.producer == SHARED:
        return f"+ {row.suppliers}"
    if row.producer_house is None:
        return "⌁ grid", "warn"
    return f"⌂ {row.producer}" if row.producer_house == row.house else f"→ {row.producer}"


def _covered(row: ContractRow) -> Cell:
    return covered_cell(row.delivered_wh / row.energy_wh if row.energy_wh else None)


def _story(row: ContractRow) -> Cell:
    parts = [f"moved {row.amended}x"] if row.amended else []
    if row.cancelled_before:
        parts.append(f"{row.cancelled_before} cancelled")
    return ", ".join(parts), "warn"


def _delay_s(row: ContractRow) -> int:
    return row.start_s - max(row.earliest_start_s, row.registered_s)


def _window(row: ContractRow, zone: Zone) -> str:
    first, last = (zone.narrow(time_s, "%H:%M") for time_s in (row.earliest_start_s, row.latest_start_s))
    days = (zone.at(row.latest_start_s).date() - zone.at(row.earliest_start_s).date()).days
    return f"{first}-{last} +{days}d" if days else f"{first}-{last}"


def _columns(zone: Zone) -> tuple[Column[ContractRow], ...]:
    return (
        Column("job", lambda row: row.job_id, is_id=True, most=40),
        Column("house", lambda row: row.house, 12, 10, wide=20, from_width=72),
        Column("supplier", supplier_cell, 16, 13, wide=28, is_id=True),
        Column(
            "start",
            lambda row: zone.narrow_moment(row.start_s),
            15,
            sort=lambda row: row.start_s,
            full=f"start {zone.name}",
        ),
        Column(
            "window",
            lambda row: (_window(row, zone), "muted"),
            11,
            wide=15,
            from_width=95,
            sort=lambda row: row.latest_start_s - row.earliest_start_s,
        ),
        Column("kWh", lambda row: number_kwh(row.energy_wh), 7, right=True, sort=lambda row: row.energy_wh),
        Column(
            "panels",
            _covered,
            6,
            right=True,
            sort=lambda row: row.delivered_wh / row.energy_wh if row.energy_wh else -1.0,
        ),
        Column("device", lambda row: (row.device, "muted"), 12, wide=20, from_width=112),
        Column(
            "agreed",
            lambda row: (zone.narrow_moment(row.agreed_s), "muted"),
            15,
            from_width=126,
            sort=lambda row: row.agreed_s,
        ),
        Column("changes", _story, 16, from_width=132, sort=lambda row: (row.amended, row.cancelled_before)),
    )


class Contracts(ErrorBoundary, Vertical):
    """Search field, table, and details of the selected contract."""

    SCOPED_CSS = False  # depends on the size classes of the screen too
    DEFAULT_CSS = """
    Contracts { height: 1fr; }
    Contracts .finding { height: 1; background: $surface; }
    Contracts .finding Input { width: 1fr; background: $boost; }
    Contracts .finding .count { width: auto; padding: 0 1; color: $text-muted; }
    Contracts .detail { height: auto; max-height: 6; min-height: 1; padding: 0 1; background: $panel; }
    .-short Contracts .detail { max-height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    .-short .zoom-contracts Contracts .detail { max-height: 3; text-wrap: wrap; }
    """

    class JobChosen(Message):
        """A contract's negotiation was requested."""

        def __init__(self, row: ContractRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[ContractRow] = ()
        self._search: Sequence[str] = ()
        self._street = ""
        self._houses: frozenset[str] | None = None
        """Houses of the street that is looked at; None: all."""
        self._zone = Zone()

    def compose(self) -> ComposeResult:
        """Field, table, words."""
        with Horizontal(classes="finding"):
            yield Input(placeholder="find a job, house, supplier", compact=True)
            yield PlainText(classes="count")
        yield CellTable[ContractRow](_columns(self._zone), key=lambda row: row.contract_id, empty="No contract")
        yield PlainText(classes="detail")

    @property
    def table(self) -> CellTable[ContractRow]:
        """The rows; the sentence below is about the one under the cursor."""
        return self.query_one(CellTable)

    @property
    def wanted(self) -> str:
        """The text to find."""
        return self.query_one(Input).value.strip()

    def show(self, rows: Sequence[ContractRow], zone: Zone, search: Sequence[str]) -> None:
        """Show other contracts, with times in a zone; the search is kept.

        Args:
            rows: The contracts.
            zone: Zone of the times.
            search: The searchable text, by contract.
        """
        self._rows, self._search = rows, search
        if zone != self._zone:
            self._zone = zone
            self.table.columns = _columns(zone)
        self._show_found()

    def narrow(self, street: str, houses: frozenset[str] | None) -> None:
        """Show only contracts of jobs in some houses and with their producers.

        Args:
            street: Name of the street that they are.
            houses: Its houses; None: all contracts.
        """
        self._street, self._houses = street, houses
        self._show_found()

    def find(self) -> None:
        """Focus the search field."""
        self.query_one(Input).focus()

    def clear(self) -> bool:
        """Clear the search; return whether anything changed."""
        was_narrowed = bool(self.query_one(Input).value)
        self.query_one(Input).value = ""
        return was_narrowed

    @on(Input.Changed)
    def _show_found(self) -> None:
        wanted, houses = self.wanted.casefold(), self._houses
        found = self._rows
        if wanted:
            found = [row for row, text in zip(self._rows, self._search, strict=True) if wanted in text]
        if houses is not None:
            found = [row for row in found if row.house in houses or any(of.house in houses for of in row.shares)]
        self.table.show_rows(found)
        count = plural(len(self._rows), "contract")
        if wanted or houses is not None:
            count = f"{len(found):,} of {count}{f', {self._street}' if houses is not None else ''}"
        self.query_one(".count", PlainText).say(count)
        self._explain()

    def _explain(self) -> None:
        """Say all of the contract under the cursor; also if its row stays, as another run has contracts of its name."""
        row: ContractRow | None = self.table.row
        nothing = "No match. Escape shows all contracts." if self._rows else ""
        self.query_one(".detail", PlainText).say(nothing if row is None else in_words(row, self._zone))

    @on(Input.Submitted)
    def _found(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()

    @on(VirtualTable.Highlighted)
    def _highlighted(self, event: VirtualTable.Highlighted) -> None:
        event.stop()
        self._explain()

    @on(VirtualTable.Chosen)
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        self.post_message(self.JobChosen(event.row))


def in_words(row: ContractRow, zone: Zone) -> str:
    """Return a contract's details in words."""
    delay_s = _delay_s(row)
    late = f", {delay_s} s after its earliest start" if delay_s > 0 else ""
    if delay_s >= 60:
        late = f", {delay_s // 60:,} min after its earliest start"
    parts = [
        f"{row.job_id}: runs {zone.exact_moment(row.start_s)} to {zone.exact_clock(row.end_s)}{late}",
        f"window {zone.exact_moment(row.earliest_start_s)} to {zone.exact_moment(row.latest_start_s)}",
        f"registered {zone.exact_moment(row.registered_s)}, agreed {zone.exact_moment(row.agreed_s)}",
    ]
    if row.producer == SHARED:
        parts += [
            f"{share.delivered_wh / 1000:z,.2f} of {share.contracted_wh / 1000:z,.2f} kWh came from {share.producer}, "
            f"{zone.exact_clock(share.first_s)} to {zone.exact_clock(share.last_s)}"
            for share in row.shares
        ]
        rest_wh = row.energy_wh - row.delivered_wh
        parts += [f"{rest_wh / 1000:z,.2f} kWh from the grid"] if rest_wh >= 5 else []
    elif row.producer_house is not None:
        parts.append(f"{row.delivered_wh / 1000:z,.2f} of {row.energy_wh / 1000:z,.2f} kWh came from {row.producer}")
    else:
        parts.append(f"{row.energy_wh / 1000:z,.2f} kWh from the grid")
    story = _story(row)[0]
    return "; ".join([*parts, *([story] if story else [])])
