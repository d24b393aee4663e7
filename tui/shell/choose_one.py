"""Asks for one of many: where a list to choose from would be too long, a search finds it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from scenarios.results import streets_of
from tui.formatting import plural
from tui.shell.error_notices import Guarded
from tui.shell.footer import Footer
from tui.widgets import Column, VirtualTable, Words

MOST_FOUND: Final = 500
"""Results that a search lists at most."""
House = tuple[str, str]
"""Id and name."""


class ChooseOne(Guarded, ModalScreen[str | None]):
    """Asks for one of many households, or the like, by a part of its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("down", "app.focus_next", "Down", show=False),
    ]
    DEFAULT_CSS = """
    ChooseOne { align: center middle; }
    ChooseOne > Vertical {
        width: 76; max-width: 96%; height: 70%; background: $surface; border: round $primary;
        border-title-color: $primary; padding: 0 1;
    }
    ChooseOne Input { background: $boost; }
    ChooseOne .count { color: $text-muted; height: 1; }
    ChooseOne VirtualTable { background: $surface; }
    """

    def __init__(self, what: str, houses: Iterable[House]) -> None:
        """Make it.

        Args:
            what: What one of them is, such as `household`.
            houses: Ids and names.
        """
        super().__init__()
        self._what = what
        self._houses = tuple(houses)
        self._streets = streets_of(self._houses)
        self._texts = [f"{house} {name} {self._streets[house]}".casefold() for house, name in self._houses]

    def compose(self) -> ComposeResult:
        """Yield field and list."""
        with Vertical() as box:
            box.border_title = f"Choose a {self._what}"
            yield Input(placeholder="a part of its id, name or street", compact=True)
            yield Words(classes="count")
            yield VirtualTable[House](
                (
                    Column(self._what, lambda house: house[0], 24, is_id=True),
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
        self.query_one(".count", Words).say(f"{len(found):,} of {plural(len(self._houses), self._what)}{rest}")

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
