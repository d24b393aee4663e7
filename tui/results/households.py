"""The households of a run: a list if there are few, otherwise street by street, with a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from broker import plural
from scenarios.results import HouseholdRow, household_total
from tui.formatting import column_kwh
from tui.shell import MOST_FOUND, ErrorBoundary
from tui.street_groups import MOST_LISTED, streets_of
from tui.widgets import Cell, Column, PlainText, VirtualTable

_STREET, _BACK = "▸ ", "◂ all streets"
HouseName = tuple[str, str]
"""Id and name."""


def _share(row: HouseholdRow) -> Cell:
    breakdown = row.breakdown
    if breakdown.consumed_wh <= 0:
        return "-", "muted"
    share = (breakdown.own_wh + breakdown.neighbours_wh) / breakdown.consumed_wh
    return f"{share:.0%}", "ok" if share >= 0.995 else ""


COLUMNS: tuple[Column[HouseholdRow], ...] = (
    Column("household", lambda row: row.house, most=24),
    Column(
        "consumed",
        lambda row: column_kwh(row.breakdown.consumed_wh),
        8,
        right=True,
        sort=lambda r: r.breakdown.consumed_wh,
    ),
    Column("own", lambda row: column_kwh(row.breakdown.own_wh), 7, right=True, sort=lambda r: r.breakdown.own_wh),
    Column(
        "neighbours",
        lambda row: column_kwh(row.breakdown.neighbours_wh),
        10,
        right=True,
        sort=lambda r: r.breakdown.neighbours_wh,
    ),
    Column("grid", lambda row: column_kwh(row.breakdown.grid_wh), 7, right=True, sort=lambda r: r.breakdown.grid_wh),
    Column(
        "local %",
        _share,
        7,
        right=True,
        sort=lambda r: (r.breakdown.consumed_wh - r.breakdown.grid_wh) / (r.breakdown.consumed_wh or 1),
    ),
    Column(
        "produced", lambda row: column_kwh(row.produced_wh), 8, right=True, from_width=66, sort=lambda r: r.produced_wh
    ),
    Column("sold", lambda row: column_kwh(row.sold_wh), 7, right=True, from_width=66, sort=lambda r: r.sold_wh),
    Column("jobs", lambda row: str(row.breakdown.jobs), 5, right=True, from_width=90, sort=lambda r: r.breakdown.jobs),
    Column(
        "bill EUR",
        lambda row: "-" if row.bill is None else f"{row.bill.with_eur:z,.2f}",
        8,
        right=True,
        from_width=76,
        sort=lambda r: r.bill.with_eur if r.bill else 0.0,
    ),
    Column(
        "without EUR",
        lambda row: ("-" if row.bill is None else f"{row.bill.without_eur:z,.2f}", "muted"),
        11,
        right=True,
        from_width=90,
        sort=lambda r: r.bill.without_eur if r.bill else 0.0,
    ),
)

_LATER = frozenset({"sold", "bill EUR"})
_OF_STREETS = tuple(
    replace(column, from_width=90) if column.title in _LATER else replace(column, is_id=True) for column in COLUMNS
)
"""Ids of many households are long, and differ at their ends."""


class Households(ErrorBoundary, Vertical):
    """The table of households, above it a search where there are many."""

    SCOPED_CSS = False
    DEFAULT_CSS = """
    Households .finding { height: 1; background: $surface; display: none; }
    Households .finding Input { width: 1fr; background: $boost; }
    Households .finding .count { width: auto; padding: 0 1; color: $text-muted; }
    Households.many .finding { display: block; }
    SheetPane #household-part.many { width: 64; }
    SheetPane.zoom-households #household-part.many { width: 1fr; }
    """

    class Chosen(Message):
        """A household was chosen."""

        def __init__(self, house: str) -> None:
            super().__init__()
            self.house = house

    class Narrowed(Message):
        """A street was entered, or left."""

        def __init__(self, street: str, houses: frozenset[str] | None) -> None:
            super().__init__()
            self.street = street
            self.houses = houses
            """Those of the street; None: all."""

    def __init__(self) -> None:
        """Make it, empty."""
        super().__init__(id="household-part")
        self.street = ""
        """The street whose households are listed; empty: all streets are."""
        self._rows: Sequence[HouseholdRow] = ()
        self._names: dict[str, str] = {}
        self._members: dict[str, list[HouseholdRow]] = {}
        """By street; empty if there are few households."""
        self._titles: dict[str, str] = {}
        """Streets by what stands for them in the table."""

    def compose(self) -> ComposeResult:
        """Search field and table."""
        with Horizontal(classes="finding"):
            yield Input(placeholder="find a household; Enter opens a street", compact=True)
            yield PlainText(classes="count")
        yield VirtualTable[HouseholdRow](COLUMNS, key=lambda row: row.house, empty="No household", id="households")

    @property
    def table(self) -> VirtualTable[HouseholdRow]:
        """Households, or streets."""
        return self.query_one(VirtualTable)

    def show(self, rows: Sequence[HouseholdRow], houses: Sequence[HouseName]) -> None:
        """Show other households; street and search are kept.

        Args:
            rows: Their figures.
            houses: Ids and names of all houses.
        """
        self._rows = rows
        self._members, self._titles = {}, {}
        if len(rows) > MOST_LISTED:
            self._names = {house: f"{house} {name}".casefold() for house, name in houses}
            streets = streets_of(houses)
            for row in rows:
                self._members.setdefault(streets[row.house], []).append(row)
            self._titles = {f"{_STREET}{name}": name for name in self._members}
        self.set_class(bool(self._members), "many")
        self.table.columns = _OF_STREETS if self._members else COLUMNS
        if self.street not in self._members:
            self._enter("")
        self._show_found()

    def find(self) -> None:
        """Focus the search field, where there is one; else the table."""
        (self.query_one(Input) if self._members else self.table).focus()

    def give_way(self) -> bool:
        """Clear the search, or else leave the street; return whether anything changed."""
        field = self.query_one(Input)
        if field.value:
            field.value = ""
        elif self.street:
            self._enter("")
            self._show_found()
        else:
            return False
        return True

    def _enter(self, street: str) -> None:
        if street == self.street:
            return
        self.street = street
        inside = frozenset(row.house for row in self._members[street]) if street else None
        self.post_message(self.Narrowed(street, inside))

    @on(Input.Changed)
    def _show_found(self) -> None:
        wanted = self.query_one(Input).value.strip().casefold()
        said = ""
        rows: Sequence[HouseholdRow]
        if not self._members:
            rows = self._rows
        elif wanted:
            found = [row for row in self._rows if wanted in self._names.get(row.house, "")]
            rows = found[:MOST_FOUND]
            said = f"{len(found):,} of {len(self._rows):,}"
            if len(found) > MOST_FOUND:
                said += f", {MOST_FOUND} listed"
        elif self.street:
            inside = self._members[self.street]
            rows = [household_total(_BACK, self._rows), *inside]
            said = f"{len(inside):,} of {len(self._rows):,}"
        else:
            rows = [household_total(title, self._members[street]) for title, street in self._titles.items()]
            said = f"{len(self._rows):,} in {plural(len(rows), 'street')}"
        self.table.show_rows(rows)
        self.query_one(".count", PlainText).say(said)

    @on(Input.Submitted)
    def _found(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()

    @on(VirtualTable.Chosen)
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        house: str = event.row.house
        if house in self._titles or house == _BACK:
            self._enter(self._titles.get(house, ""))
            self._show_found()
            self.table.go_to(house)
        else:
            self.post_message(self.Chosen(house))
