"""Lines under titles that scroll: drawn where they changed, and laid out anew only where something moves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.columns import Column
from tui.widgets.painter import Painter
from tui.widgets.scrolling import QuickBar


class Lines(ScrollView):
    """The titles and rows of a table, as they are on the screen."""

    columns: Sequence[Column[Any]]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        """Make it.

        Args:
            id: See `textual.widget.Widget`.
            classes: As `id`.
        """
        super().__init__(id=id, classes=classes)
        self._painter: Painter | None = None
        self._on_screen: dict[int, Strip] = {}
        """By line: what was drawn there last."""

    @property
    @abstractmethod
    def length(self) -> int:
        """How many lines there are, the titles among them."""

    @abstractmethod
    def line(self, painter: Painter, y: int) -> Strip:
        """Return the line that is at a place on the screen; the same strip as before where nothing changed."""

    def fit_scroll_bar(self) -> None:
        """Follow the number of lines."""
        size = Size(self.size.width, self.length)
        if size == self.virtual_size:
            return
        if self.is_attached and self.show_vertical_scrollbar == (size.height > self.container_size.height):
            # All stays in its place; laying the screen out anew costs more than drawing the table.
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)
        else:
            self.virtual_size = size

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The bar at the right."""
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = bar = QuickBar(name="vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self.app._start_widget(self, bar)  # noqa: SLF001 - as Textual makes its own
        return self._vertical_scrollbar

    def columns_shown(self) -> list[int]:
        """Return the indices of the columns that there is room for."""
        return [index for index, _ in self._fresh_painter().placed]

    def column_at(self, x: int) -> int | None:
        """Return the index of the column at a place; None beside them."""
        right = 0
        for index, width in self._fresh_painter().placed:
            right += width + 1
            if x < right:
                return index
        return None

    def notify_style_update(self) -> None:
        """Draw anew in other colours."""
        super().notify_style_update()
        self._painter = None

    def _fresh_painter(self) -> Painter:
        base, width = self.rich_style, self.size.width
        room = self.scrollable_content_region.width or width
        painter = self._painter
        if painter is None or (painter.columns, painter.width, painter.room) != (self.columns, width, room):
            painter = None
        if painter is None or painter.base != base:
            painter = self._painter = Painter(self.columns, width, room, base, self.get_component_rich_style)
        return painter

    def draw_changes(self) -> None:
        """Draw the lines that are not on the screen as they should be."""
        if not self.size:
            return
        painter = self._fresh_painter()
        lines = [y for y in range(self.size.height) if self.line(painter, y) is not self._on_screen.get(y)]
        if 2 * len(lines) > self.size.height:
            self.refresh()
        elif lines:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in lines))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw a region."""
        self._fresh_painter()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw the titles, or the row that is in sight there."""
        strip = self._on_screen[y] = self.line(self._painter or self._fresh_painter(), y)
        return strip
