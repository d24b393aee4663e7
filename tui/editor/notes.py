"""A list that has to be read: what an import assumed, or everything that is wrong with a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui.shell.footer import Footer
from tui.shell.guard import Guarded


class Notes(Guarded, ModalScreen[None]):
    """Shows lines until they are read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "dismiss", "Close")]
    DEFAULT_CSS = """
    Notes { align: center middle; }
    Notes > Vertical {
        width: 100; max-width: 96%; height: auto; max-height: 90%; background: $surface; border: round $primary;
        border-title-color: $primary; padding: 1 2 0 2;
    }
    Notes.bad > Vertical { border: round $error; border-title-color: $text-error; }
    Notes .lead { height: auto; margin-bottom: 1; }
    Notes VerticalScroll { height: auto; max-height: 16; }
    Notes .line { height: auto; margin-bottom: 1; color: $text-muted; }
    Notes .buttons { height: auto; align-horizontal: right; margin: 1 0; }
    """

    def __init__(self, title: str, lead: str, lines: Sequence[str], *, bad: bool = False) -> None:
        """Show.

        Args:
            title: In the border.
            lead: What the lines are.
            lines: One after the other.
            bad: Whether they are mistakes.
        """
        super().__init__(classes="bad" if bad else "")
        self.title = self._title = title
        self._lead = lead
        self._lines = tuple(lines)

    def compose(self) -> ComposeResult:
        """Lead, lines, button."""
        with Vertical() as box:
            box.border_title = self._title
            yield Static(self._lead, classes="lead", markup=False)
            with VerticalScroll():
                for line in self._lines:
                    yield Static(f"· {line}", classes="line", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Close", variant="primary", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()
