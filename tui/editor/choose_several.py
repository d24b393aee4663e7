"""Dialog to choose several ids from a list, in an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.markup import escape
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from tui.shell import Footer, Guarded


class ChooseSeveral(Guarded, ModalScreen[tuple[str, ...] | None]):
    """Returns the ticked ids in the order in which they were ticked; None on escape."""

    HELP = """
`Space` ticks the line under the cursor, or takes the tick away. The numbers are the order. `Enter` accepts.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("space", "mark", "Tick", priority=True),
        Binding("enter,ctrl+s", "accept", "OK", priority=True, key_display="enter"),
    ]
    DEFAULT_CSS = """
    ChooseSeveral { align: center middle; }
    ChooseSeveral > Vertical {
        width: 70; max-width: 96%; height: auto; max-height: 90%; background: $surface; border: round $primary;
        border-title-color: $primary; padding: 1 1 0 1;
    }
    ChooseSeveral .details { color: $text-muted; height: auto; margin-bottom: 1; }
    ChooseSeveral OptionList {
        height: auto; max-height: 20; background: $surface; border: none; padding: 0; scrollbar-size-vertical: 1;
    }
    ChooseSeveral OptionList > .option-list--option-highlighted { background: $primary 28%; color: $text; }
    ChooseSeveral .buttons { height: auto; align-horizontal: right; margin: 1 0; }
    ChooseSeveral Button { margin-left: 2; }
    """

    def __init__(self, title: str, known: Sequence[str], chosen: Sequence[str], details: str = "") -> None:
        """Ask.

        Args:
            title: The question.
            known: The ids to choose from.
            chosen: Those that are ticked at the beginning, in order; unknown ones stay, at the end of the list.
            details: Text under the title.
        """
        super().__init__()
        self.title = self._title = title
        self._known = (*known, *(id_ for id_ in chosen if id_ not in set(known)))
        self._chosen = list(chosen)
        self._details = details

    def compose(self) -> ComposeResult:
        """Compose the question, the list and buttons."""
        with Vertical() as box:
            box.border_title = escape(self._title)
            yield Static(f"Space ticks. {self._details}", classes="details", markup=False)
            yield OptionList(*(Option(self._line(id_)) for id_ in self._known), compact=True, markup=False)
            with Horizontal(classes="buttons"):
                yield Button("OK", variant="primary", action="screen.accept", compact=True)
                yield Button("Back", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin with the first one that is ticked."""
        listed = self.query_one(OptionList)
        listed.focus()
        if self._known:
            listed.highlighted = self._known.index(self._chosen[0]) if self._chosen else 0

    def _line(self, id_: str) -> str:
        number = str(self._chosen.index(id_) + 1) if id_ in self._chosen else " "
        return f"[{number}] {id_}"

    def action_mark(self) -> None:
        """Tick the line under the cursor, or take its tick away."""
        index = self.query_one(OptionList).highlighted
        if index is None:
            return
        changed = set(self._chosen)
        id_ = self._known[index]
        if id_ in self._chosen:
            self._chosen.remove(id_)
        else:
            self._chosen.append(id_)
        self._draw({id_} | changed)

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self.action_mark()

    def _draw(self, changed: set[str]) -> None:
        listed = self.query_one(OptionList)
        for index, id_ in enumerate(self._known):
            if id_ in changed:
                listed.replace_option_prompt_at_index(index, self._line(id_))

    def action_accept(self) -> None:
        """Return the ticked items."""
        if isinstance(self.focused, Button):
            self.focused.press()
        else:
            self.dismiss(tuple(self._chosen))
