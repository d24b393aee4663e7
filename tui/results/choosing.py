"""Asks which simulation to put beside the one that is open."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.results.looks import stamp, state_cell
from tui.results.shelf import Book
from tui.shell.footer import Footer
from tui.shell.guard import Guarded
from tui.widgets.table import Column, VirtualTable

_BOOKS: tuple[Column[Book], ...] = (
    Column("made (UTC)", lambda book: stamp(book.made_wall_s), 16, sort=lambda book: book.made_wall_s),
    Column("scenario", lambda book: book.listed.scenario),
    Column("algorithm", lambda book: book.listed.algorithm, 11),
    Column("runs", lambda book: str(book.listed.planned_runs), 4, right=True),
    Column("state", lambda book: state_cell(book.state), 13),
)


class OtherChooser(Guarded, ModalScreen[Path | None]):
    """Which simulation to put beside the one that is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("enter", "choose", "Compare", priority=True),
    ]
    DEFAULT_CSS = """
    OtherChooser { align: center middle; }
    OtherChooser > Vertical {
        width: 76; max-width: 96%; height: 70%; background: $surface; border: round $primary;
        border-title-color: $primary; padding: 0 1;
    }
    OtherChooser VirtualTable { background: $surface; }
    """

    def __init__(self, books: tuple[Book, ...]) -> None:
        super().__init__()
        self._books = books

    def compose(self) -> ComposeResult:
        """Those that can be read."""
        with Vertical() as box:
            box.border_title = "Compare with"
            yield VirtualTable[Book](
                _BOOKS, key=lambda book: book.path, empty="There is no other one yet: run it again in another way"
            )
        yield Footer()

    def on_mount(self) -> None:
        """Show them."""
        table = self.query_one(VirtualTable)
        table.show_rows(self._books)
        table.focus()

    def action_choose(self) -> None:
        """Take the one under the cursor."""
        book: Book | None = self.query_one(VirtualTable).row
        if book is not None:
            self.dismiss(book.path)

    @on(VirtualTable.Chosen)
    def _clicked(self) -> None:
        self.action_choose()
