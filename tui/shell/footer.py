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
class Offer:
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
        self.offers: tuple[Offer, ...] = ()

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def on_unmount(self) -> None:
        """Stop following the focus."""
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if not (self.app.app_focus and self.is_attached and screen is self.screen):
            return
        offers = tuple(self._offers(screen))
        if offers != self.offers:
            self.offers, self.hovered = offers, None
            self.refresh()

    def _offers(self, screen: Screen[object]) -> Iterator[Offer]:
        active = screen.active_bindings
        seen = set()
        for found in active.values():
            binding = found.binding
            if binding.show and binding.action not in seen and not is_typed(screen.focused, binding.key):
                seen.add(binding.action)
                yield self._offer(found, at_end=found.binding.action == "help")
        if "help" not in seen and not isinstance(screen, SystemModalScreen):
            yield Offer("f1", "F1", "Help", "Help for this dialog", at_end=True)
        palette = active.get(self.app.COMMAND_PALETTE_BINDING)
        if self.app.ENABLE_COMMAND_PALETTE and palette is not None:
            yield self._offer(palette, at_end=True)

    def _offer(self, active: ActiveBinding, *, at_end: bool = False) -> Offer:
        binding = active.binding
        tooltip = active.tooltip or binding.description
        display = self.app.get_key_display(binding)
        return Offer(binding.key, display, binding.description, tooltip, active.enabled, at_end)

    def _placed(self) -> Iterator[tuple[int, int, Offer]]:
        """Return the offers that fit, with start and end column."""
        at_end = [offer for offer in self.offers if offer.at_end]
        others = [offer for offer in self.offers if not offer.at_end]
        most = max(0, self.size.width - sum(offer.cells for offer in at_end))
        left = 0
        for number, offer in enumerate(others):
            is_last = number == len(others) - 1
            if left + offer.cells > (most if is_last else most - len(_MORE)):
                break
            yield left, left + offer.cells, offer
            left += offer.cells
        for offer in at_end:
            yield most, most + offer.cells, offer
            most += offer.cells

    def render(self) -> Text:
        """Render the keys side by side."""
        key, title, hover, edge = (
            self.get_component_rich_style(f"footer--{part}") for part in ("key", "title", "hover", "edge")
        )
        line = Text(no_wrap=True, end="")
        placed = list(self._placed())
        for number, (begin, end, offer) in enumerate(placed):
            if line.cell_len < begin and len(placed) < len(self.offers):
                line.append(_MORE, edge)
            line.pad_right(begin - line.cell_len)
            over = hover if number == self.hovered else Style()
            dim = Style(dim=None if offer.enabled else True)
            key_style, title_style = key + over + dim, title + over + dim
            text = Text()
            text.append(f" {offer.display} ", key_style).append(f"{offer.title} ", title_style)
            text.truncate(end - begin)
            line.append_text(text)
        return line

    def _at(self, x: int) -> tuple[int, Offer] | None:
        places = enumerate(self._placed())
        return next(((number, offer) for number, (begin, end, offer) in places if begin <= x < end), None)

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
