"""The footer: the keys that work now.

Looks like Textual's, but is a single widget: Textual's recreates a widget per key whenever the focus moves,
which takes longer than handling the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import ActiveBinding
from textual.reactive import reactive
from textual.screen import Screen, SystemModalScreen
from textual.widget import Widget

from tui.keys import is_typed

_MORE = "…"
"""Shown where keys were left out."""


@dataclass(frozen=True, slots=True)
class FooterKey:
    """A key in the footer."""

    key: str
    display: str
    title: str
    tooltip: str
    enabled: bool = True
    at_end: bool = False
    """Whether it is at the right end and never left out, such as help."""

    @property
    def cells(self) -> int:
        """Its width, in cells."""
        return cell_len(self.display) + cell_len(self.title) + 3


class Footer(Widget):
    """The footer; keys can be clicked."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--title", "footer--hover", "footer--edge"}
    DEFAULT_CSS = """
    Footer { dock: bottom; height: 1; color: $footer-foreground; background: $footer-background; }
    Footer > .footer--key { color: $footer-key-foreground; background: $footer-key-background; text-style: bold; }
    Footer > .footer--title { color: $footer-description-foreground; background: $footer-description-background; }
    Footer > .footer--hover { color: $footer-key-foreground; background: $block-hover-background; }
    Footer > .footer--edge { color: $foreground 60%; }
    Footer:hover { pointer: pointer; }
    """

    hovered: reactive[int | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__()
        self.footer_keys: tuple[FooterKey, ...] = ()

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def on_unmount(self) -> None:
        """Stop following the focus."""
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if not (self.app.app_focus and self.is_attached and screen is self.screen):
            return
        keys = tuple(self._active_keys(screen))
        if keys != self.footer_keys:
            self.footer_keys, self.hovered = keys, None
            self.refresh()

    def _active_keys(self, screen: Screen[object]) -> Iterator[FooterKey]:
        active = screen.active_bindings
        seen = set()
        for found in active.values():
            binding = found.binding
            if binding.show and binding.action not in seen and not is_typed(screen.focused, binding.key):
                seen.add(binding.action)
                yield self._footer_key(found, at_end=found.binding.action == "help")
        if "help" not in seen and not isinstance(screen, SystemModalScreen):
            yield FooterKey("f1", "F1", "Help", "Help for this dialog", at_end=True)
        palette = active.get(self.app.COMMAND_PALETTE_BINDING)
        if self.app.ENABLE_COMMAND_PALETTE and palette is not None:
            yield self._footer_key(palette, at_end=True)

    def _footer_key(self, active: ActiveBinding, *, at_end: bool) -> FooterKey:
        binding = active.binding
        tooltip = active.tooltip or binding.description
        display = self.app.get_key_display(binding)
        return FooterKey(binding.key, display, binding.description, tooltip, active.enabled, at_end)

    def _placed(self) -> Iterator[tuple[int, int, FooterKey]]:
        """Return the keys that fit, with start and end column."""
        at_end = [key for key in self.footer_keys if key.at_end]
        others = [key for key in self.footer_keys if not key.at_end]
        most = max(0, self.size.width - sum(key.cells for key in at_end))
        left = 0
        for number, key in enumerate(others):
            is_last = number == len(others) - 1
            if left + key.cells > (most if is_last else most - len(_MORE)):
                break
            yield left, left + key.cells, key
            left += key.cells
        for key in at_end:
            yield most, most + key.cells, key
            most += key.cells

    def render(self) -> Text:
        """Render the keys side by side."""
        key_base, title_base, hover, edge = (
            self.get_component_rich_style(f"footer--{part}") for part in ("key", "title", "hover", "edge")
        )
        line = Text(no_wrap=True, end="")
        placed = list(self._placed())
        for number, (begin, end, key) in enumerate(placed):
            if line.cell_len < begin and len(placed) < len(self.footer_keys):
                line.append(_MORE, edge)
            line.pad_right(begin - line.cell_len)
            over = hover if number == self.hovered else Style()
            dim = Style(dim=None if key.enabled else True)
            key_style, title_style = key_base + over + dim, title_base + over + dim
            text = Text()
            text.append(f" {key.display} ", key_style).append(f"{key.title} ", title_style)
            text.truncate(end - begin)
            line.append_text(text)
        return line

    def _at(self, x: int) -> tuple[int, FooterKey] | None:
        places = enumerate(self._placed())
        return next(((number, key) for number, (begin, end, key) in places if begin <= x < end), None)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Highlight the key under the mouse."""
        found = self._at(event.x)
        self.hovered = None if found is None else found[0]
        self.tooltip = None if found is None else found[1].tooltip

    def on_leave(self) -> None:
        """Remove the highlight."""
        self.hovered = None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Press the key."""
        found = self._at(event.x)
        if found is None:
            return
        if found[1].enabled:
            self.app.simulate_key(found[1].key)
        else:
            self.app.bell()
