"""Help (F1): purpose of the screen, and every key that works on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.keys import is_typed
from tui.shell.footer import Footer
from tui.widgets import rich_colour

_INLINE = re.compile(r"\*\*(?P<strong>.+?)\*\*|\*(?P<em>.+?)\*|`(?P<code>.+?)`", re.DOTALL)
_BULLET = "- "


def title_of(screen: Screen[Any]) -> str:
    """Return the title of a screen, or else that of a dialog's box; empty if there is neither."""
    of_boxes = (box._border_title for box in screen.children)  # noqa: SLF001 - the public property returns markup
    return screen.title or next((title.plain for title in of_boxes if title is not None), "")


class RenderedOnce:
    """Renders once for each width, because laying out a dialog asks for height and lines several times."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable
        self._segments: dict[int, list[Segment]] = {}
        self._measurements: dict[int, Measurement] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        if width not in self._segments:
            self._segments[width] = list(console.render(self._renderable, options.reset_height()))
        return self._segments[width]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        if options.max_width not in self._measurements:
            self._measurements[options.max_width] = Measurement.get(console, options, self._renderable)
        return self._measurements[options.max_width]


class Prose(Static):
    """A Markdown subset: paragraphs, flat lists, `code`, *emphasis* and **strong**."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"prose--code", "prose--bullet"}
    DEFAULT_CSS = """
    Prose { height: auto; padding: 0 1; background: $surface; }
    Prose > .prose--code { background: $warning 10%; color: $text-warning 95%; }
    Prose:light > .prose--code { background: $error 5%; color: $text-error 95%; }
    Prose > .prose--bullet { color: $text-primary; }
    Prose:light > .prose--bullet { color: $text-secondary; }
    """

    def __init__(self, source: str) -> None:
        """Make it.

        Args:
            source: Its text, Markdown.
        """
        super().__init__()
        self.source = source.strip()
        self._rendered: tuple[tuple[Style, Style], RenderedOnce] | None = None

    def render(self) -> RenderableType:
        """Render the blocks below each other, again only where a theme has changed the styles."""
        styles = self.get_component_rich_style("prose--code"), self.get_component_rich_style("prose--bullet")
        if self._rendered is None or self._rendered[0] != styles:
            self._rendered = styles, RenderedOnce(self._blocks(*styles))
        return self._rendered[1]

    def _blocks(self, code: Style, bullet: Style) -> RenderableType:
        parts: list[RenderableType] = []
        for block in blocks(self.source):
            if isinstance(block, str):
                parts.append(_words(block, code))
            else:
                items = Table.grid(expand=True)
                items.add_column(width=2, style=bullet)
                items.add_column(ratio=1)
                for item in block:
                    items.add_row("•", _words(item, code))
                parts.append(items)
            parts.append("")
        return Group(*parts)


def blocks(source: str) -> Iterator[str | list[str]]:
    """Split Markdown into paragraphs and list items, joining their lines."""
    for block in re.split(r"\n\s*\n", source):
        if block.startswith(_BULLET):
            yield [" ".join(item.split()) for item in f"\n{block}".split(f"\n{_BULLET}")[1:]]
        else:
            yield " ".join(block.split())


def _words(source: str, code: Style) -> Text:
    styles = {"strong": Style(bold=True), "em": Style(italic=True), "code": code}
    said, end = Text(), 0
    for found in _INLINE.finditer(source):
        kind = found.lastgroup or ""
        said.append(source[end : found.start()]).append(found[kind], styles[kind])
        end = found.end()
    return said.append(source[end:])


_KNOWN = frozenset({"app.focus_next", "app.focus_previous", "screen.copy_text"})
_SCROLLING = ("scroll_", "page_", "cursor_")
"""Textual's scrolling actions, bound to arrow keys everywhere."""
_MOVES = ("move(", "page(", "first", "last", "scroll(", "column(", "open_node", "close_node")
"""Our cursor actions: shown in help, not in the palette."""


def is_move(active: ActiveBinding) -> bool:
    """Return whether a binding only moves the cursor."""
    return active.binding.action.startswith(_MOVES)


def described(screen: Screen[object]) -> Iterable[ActiveBinding]:
    """Return the bindings of a screen that help lists, each action once."""
    seen: set[str] = set()
    for active in screen.active_bindings.values():
        # Textual's bindings of every screen, such as tab, are well known; those of a focused widget may not be.
        action = active.binding.action
        is_known = action in _KNOWN or action.startswith(_SCROLLING)
        is_ours = type(active.node).__module__.startswith("tui.") and not is_known
        if active.binding.description and is_ours and active.binding.action not in seen and not active.binding.system:
            seen.add(active.binding.action)
            yield active


class HelpScreen(ModalScreen[None]):
    """Help of the screen below it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close", key_display="esc"),
        Binding("up", "scroll('up')", "Up", show=False),
        Binding("down", "scroll('down')", "Down", show=False),
    ]

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 80%; max-width: 100; min-width: 60; height: auto; max-height: 85%;
        background: $surface; border: round $primary; border-title-color: $primary; padding: 0 1;
    }
    HelpScreen .keys { padding: 0 1; }
    """

    def __init__(self, title: str, text: str, bindings: Iterable[ActiveBinding], focused: Widget | None) -> None:
        """Make it.

        Args:
            title: The screen's.
            text: The purpose of the screen, Markdown.
            bindings: Its keys.
            focused: The focused widget, for which letters may be text.
        """
        super().__init__()
        self._title = title
        self._text = text
        self._bindings_shown = list(bindings)
        self._focused_below = focused

    def compose(self) -> ComposeResult:
        """Text above, keys below."""
        with VerticalScroll() as box:
            box.border_title = Content(f"Help: {self._title}")
            if self._text:
                yield Prose(self._text)
            yield Static(RenderedOnce(self._keys()), classes="keys")
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, direction: str) -> None:
        """Scroll by a line."""
        box = self.query_one(VerticalScroll)
        box.scroll_relative(y=1 if direction == "down" else -1, animate=False)

    def _keys(self) -> Table:
        typed = "Outside the field (press Esc first)"
        groups: dict[str, list[tuple[str, str]]] = {
            "On this screen": [],
            "For the focused part": [],
            "Everywhere": [],
            typed: [],
        }
        for active in self._bindings_shown:
            if is_typed(self._focused_below, active.binding.key):
                group = typed
            elif isinstance(active.node, App):
                group = "Everywhere"
            else:
                group = "On this screen" if isinstance(active.node, Screen) else "For the focused part"
            key = self.app.get_key_display(active.binding)
            groups[group].append((key, active.binding.tooltip or active.binding.description))
        groups["Everywhere"].append(("tab", "Next field or list; shift+tab: back"))
        groups["Everywhere"].append(("^p", "Palette: find anything by what it does"))
        colours = self.app.theme_variables
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(justify="right", style=f"bold {rich_colour(colours, 'secondary')}", no_wrap=True)
        table.add_column(ratio=1)
        for name, rows in groups.items():
            if rows:
                table.add_row("", "")
                table.add_row("", Text(name, style=f"bold {rich_colour(colours, 'primary')}"))
            for key, text in rows:
                table.add_row(Text(key), Text(text))
        return table
