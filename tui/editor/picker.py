"""Picking one of many: a list that typing narrows, and beside it a picture of what is under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.editor.drawing import Picture
from tui.shell.finding import ranked
from tui.shell.footer import Footer
from tui.shell.guard import Guarded
from tui.widgets.chart import Chart, Span


@dataclass(frozen=True, slots=True)
class Item:
    """Something to pick."""

    id: str
    title: str
    details: str = ""
    """Behind the title, and searched too."""
    group: str = ""
    """Stands above the first of its items."""
    is_way: bool = False
    """Whether it leads on, to a file: it stands first, and is there too where nothing else fits."""


class Picker(Guarded, ModalScreen[str | None]):
    """Returns the id of the item that was picked; None on escape."""

    HELP = """
Type to search: titles come first, then descriptions; synonyms count (solar finds PV panels, EV finds cars). The arrow
keys move through the list while you type, `Enter` chooses, `Esc` goes back.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("enter", "choose", "Choose", priority=True),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("pageup", "move(-8)", "Page up", show=False, priority=True),
        Binding("pagedown", "move(8)", "Page down", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Picker { align: center middle; }
    Picker > Vertical {
        width: 120; max-width: 96%; height: 90%; max-height: 34; background: $surface; border: round $primary;
        border-title-color: $primary; padding: 0 1;
    }
    Picker Input.-textual-compact { background: $panel; padding: 0 1; margin-bottom: 1; }
    Picker OptionList {
        width: 1fr; height: 1fr; background: $surface; border: none; padding: 0; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    Picker OptionList > .option-list--option-highlighted { background: $primary 28%; color: $text; }
    Picker Horizontal { height: 1fr; }
    Picker .side { width: 1fr; padding-left: 1; }
    Picker .said { height: auto; color: $text-muted; padding: 0 1; }
    Picker Chart { background: $surface; }
    Picker.-narrow Horizontal { layout: vertical; }
    Picker.-narrow .side { height: 8; padding: 0; }
    """

    def __init__(
        self,
        title: str,
        items: Sequence[Item],
        *,
        picture: Callable[[str], Picture | None] | None = None,
        current: str | None = None,
    ) -> None:
        """Ask.

        Args:
            title: What is asked.
            items: To pick from.
            picture: Draws an item by its id; None where there is no picture of it.
            current: Id of the item under the cursor at first.
        """
        super().__init__()
        self.title = self._title = title
        self._items = tuple(items)
        self._picture = picture
        self._current = current

    def compose(self) -> ComposeResult:
        """Search above; list and picture below."""
        with Vertical() as box:
            box.border_title = self._title
            yield Input(compact=True, placeholder="type to search: titles, descriptions, synonyms")
            with Horizontal():
                yield OptionList(compact=True)
                if self._picture is not None:
                    with Vertical(classes="side"):
                        yield Static("", classes="said", markup=False)
                        yield Chart(empty="")
        yield Footer()

    def on_mount(self) -> None:
        """Show all, the cursor on the current one."""
        self._show("")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._show(event.value)

    def _show(self, wanted: str) -> None:
        items = sorted(self._items, key=lambda item: not item.is_way)
        found = ranked(wanted, items, lambda item: (item.title, f"{item.details} {item.group}"))
        options: list[Option | None] = []
        if not found:
            options.append(Option("No match", disabled=True))
            found = [item for item in items if item.is_way]
        group = ""
        for item in found:
            if item.group != group and not wanted.strip():  # what is found stands in the order of how well it fits
                group = item.group
                options.append(Option(f"[b $primary]{_plain(group)}[/]", disabled=True))
            details = f"  [dim]{_plain(item.details)}[/]" if item.details else ""
            options.append(Option(f"{_plain(item.title)}{details}", id=item.id))
        listed = self.query_one(OptionList)
        listed.clear_options()
        listed.add_options(options)
        if found:
            first = next((item for item in found if not item.is_way), found[0])
            is_current_there = not wanted.strip() and any(item.id == self._current for item in found)
            listed.highlighted = listed.get_option_index((is_current_there and self._current) or first.id)
            listed.scroll_to_highlight()

    @on(OptionList.OptionHighlighted)
    def _draw(self, event: OptionList.OptionHighlighted) -> None:
        if self._picture is None or event.option_id is None:
            return
        picture = self._picture(event.option_id)
        chart = self.query_one(Chart)
        if picture is None:
            self.query_one(".said", Static).update("")
            chart.show((), Span(0, 1))
        else:
            said = f"{picture.title}\n{picture.said}" if picture.said else picture.title
            self.query_one(".said", Static).update(said)
            chart.show(picture.series, picture.span)

    def action_move(self, by: int) -> None:
        """Move the cursor, while the search keeps the focus."""
        listed = self.query_one(OptionList)
        for _ in range(abs(by)):
            if by > 0:
                listed.action_cursor_down()
            else:
                listed.action_cursor_up()

    def action_choose(self) -> None:
        """Return the item under the cursor."""
        listed = self.query_one(OptionList)
        if listed.highlighted is not None:
            option = listed.get_option_at_index(listed.highlighted)
            if option.id is not None:
                self.dismiss(option.id)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if event.option_id is not None:
            self.dismiss(event.option_id)


def _plain(said: str) -> str:
    return said.replace("[", r"\[")
