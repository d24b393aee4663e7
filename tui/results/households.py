"""The households of a run: listed where there are few; where there are many, street by street, with a search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input

from scenarios.results import MOST_LISTED, HouseholdRow, streets_of
from tui.formatting import plural
from tui.results.formatting import number_kwh
from tui.shell import Footer, Guarded
from tui.widgets import Cell, Column, VirtualTable, Words

MOST_FOUND = 500
"""Households that a search lists at most."""
_STREET, _BACK = "▸ ", "◂ all streets"
House = tuple[str, str]
"""Id and name."""


def _share(row: HouseholdRow) -> Cell:
    split = row.split
    if split.consumed_wh <= 0:
        return "-", "muted"
    share = (split.own_wh + split.neighbours_wh) / split.consumed_wh
    return f"{share:.0%}", "ok" if share >= 0.995 else ""


COLUMNS: tuple[Column[HouseholdRow], ...] = (
    Column("household", lambda row: row.house, most=24),
    Column(
        "consumed", lambda row: number_kwh(row.split.consumed_wh), 8, right=True, sort=lambda r: r.split.consumed_wh
    ),
    Column("own", lambda row: number_kwh(row.split.own_wh), 7, right=True, sort=lambda r: r.split.own_wh),
    Column(
        "neighbours",
        lambda row: number_kwh(row.split.neighbours_wh),
        10,
        right=True,
        sort=lambda r: r.split.neighbours_wh,
    ),
    Column("grid", lambda row: number_kwh(row.split.grid_wh), 7, right=True, sort=lambda r: r.split.grid_wh),
    Column(
        "local %",
        _share,
        7,
        right=True,
        sort=lambda r: (r.split.consumed_wh - r.split.grid_wh) / (r.split.consumed_wh or 1),
    ),
    Column(
        "produced", lambda row: number_kwh(row.produced_wh), 8, right=True, from_width=66, sort=lambda r: r.produced_wh
    ),
    Column("sold", lambda row: number_kwh(row.sold_wh), 7, right=True, from_width=66, sort=lambda r: r.sold_wh),
    Column("jobs", lambda row: str(row.split.jobs), 5, right=True, from_width=90, sort=lambda r: r.split.jobs),
    Column(
        "bill EUR",
        lambda row: "-" if row.bill is None else f"{row.bill.with_eur:,.2f}",
        8,
        right=True,
        from_width=76,
        sort=lambda r: r.bill.with_eur if r.bill else 0.0,
    ),
    Column(
        "without EUR",
        lambda row: ("-" if row.bill is None else f"{row.bill.without_eur:,.2f}", "muted"),
        11,
        right=True,
        from_width=90,
        sort=lambda r: r.bill.without_eur if r.bill else 0.0,
    ),
)


class Households(Guarded, Vertical):
    """The table of households, above it a search where there are many."""

    SCOPED_CSS = False
    DEFAULT_CSS = """
    Households .finding { height: 1; background: $surface; display: none; }
    Households .finding Input { width: 1fr; background: $boost; }
    Households .finding .count { width: auto; padding: 0 1; color: $text-muted; }
    Households.many .finding { display: block; }
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
        """By street; empty where there are few households."""
        self._titles: dict[str, str] = {}
        """Streets by what stands for them in the table."""

    def compose(self) -> ComposeResult:
        """Search field and table."""
        with Horizontal(classes="finding"):
            yield Input(placeholder="find a household", compact=True)
            yield Words(classes="count")
        yield VirtualTable[HouseholdRow](COLUMNS, key=lambda row: row.house, empty="No household", id="households")

    @property
    def table(self) -> VirtualTable[HouseholdRow]:
        """Households, or streets."""
        return self.query_one(VirtualTable)

    def show(self, rows: Sequence[HouseholdRow], houses: Sequence[House]) -> None:
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
                said += f", the first {MOST_FOUND} are listed"
        elif self.street:
            inside = self._members[self.street]
            rows = [_total(_BACK, self._rows), *inside]
            said = f"{self.street}: {plural(len(inside), 'household')}"
        else:
            rows = [_total(title, self._members[street]) for title, street in self._titles.items()]
            said = f"{plural(len(self._rows), 'household')} in {plural(len(rows), 'street')}; Enter opens one"
        self.table.show_rows(rows)
        self.query_one(".count", Words).say(said)

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


def _total(title: str, rows: Sequence[HouseholdRow]) -> HouseholdRow:
    """Return the sum of households as a row."""
    first = rows[0].split
    split = type(first)(**{f.name: sum(getattr(row.split, f.name) for row in rows) for f in fields(first)})
    bills = [row.bill for row in rows if row.bill is not None]
    bill = bills[0] if bills else None
    if bill is not None:
        bill = type(bill)(**{f.name: sum(getattr(one, f.name) for one in bills) for f in fields(bill)})
    produced_wh, sold_wh = sum(row.produced_wh for row in rows), sum(row.sold_wh for row in rows)
    return HouseholdRow(title, split, produced_wh, sold_wh, bill)


class HouseholdChooser(Guarded, ModalScreen[str | None]):
    """Asks for one of many households."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("down", "to_table", "List", show=False),
    ]
    DEFAULT_CSS = """
    HouseholdChooser { align: center middle; }
    HouseholdChooser > Vertical {
        width: 76; max-width: 96%; height: 70%; background: $surface; border: round $primary;
        border-title-color: $primary; padding: 0 1;
    }
    HouseholdChooser Input { background: $boost; }
    HouseholdChooser .count { color: $text-muted; height: 1; }
    HouseholdChooser VirtualTable { background: $surface; }
    """

    def __init__(self, houses: Iterable[House]) -> None:
        """Make it.

        Args:
            houses: Ids and names.
        """
        super().__init__()
        self._houses = tuple(houses)
        self._streets = streets_of(self._houses)
        self._texts = [f"{house} {name} {self._streets[house]}".casefold() for house, name in self._houses]

    def compose(self) -> ComposeResult:
        """Yield field and list."""
        with Vertical() as box:
            box.border_title = "Choose a household"
            yield Input(placeholder="a part of its id, name or street", compact=True)
            yield Words(classes="count")
            yield VirtualTable[House](
                (
                    Column("household", lambda house: house[0], 24, is_id=True),
                    Column("name", lambda house: house[1]),
                    Column("street", lambda house: (self._streets[house[0]], "muted"), 24, from_width=60),
                ),
                key=lambda house: house[0],
                empty="No match",
            )
        yield Footer()

    def on_mount(self) -> None:
        """Show the first ones."""
        self._show_found()
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _show_found(self) -> None:
        wanted = self.query_one(Input).value.strip().casefold()
        found = [house for house, text in zip(self._houses, self._texts, strict=True) if wanted in text]
        self.query_one(VirtualTable).show_rows(found[:MOST_FOUND])
        rest = f", the first {MOST_FOUND} are listed" if len(found) > MOST_FOUND else ""
        self.query_one(".count", Words).say(f"{len(found):,} of {plural(len(self._houses), 'household')}{rest}")

    def action_to_table(self) -> None:
        """Go from the field to the list."""
        self.query_one(VirtualTable).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._choose()

    @on(VirtualTable.Chosen)
    def _clicked(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        self._choose()

    def _choose(self) -> None:
        house: House | Any = self.query_one(VirtualTable).row
        if house is not None:
            self.dismiss(house[0])
