"""Scrolling lines under fixed titles: only changed lines are redrawn, and layout runs only if something moves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget

from broker import printable_line
from tui.formatting import fit
from tui.widgets.table_columns import Cell, Column, placed

Ground = Literal["", "stripe", "cursor"]
"""The background of a row."""


class StyleOf(Protocol):
    """Returns the style of a part of the table; `partial`: without its background."""

    def __call__(self, *names: str, partial: bool = False) -> Style:
        """See `textual.widget.Widget.get_component_rich_style`."""
        ...


_KEPT = 2_000
"""Drawn rows: many screens full."""


class Painter:
    """Draws for one width and one set of colours; make another where they change."""

    def __init__(self, columns: Sequence[Column[Any]], width: int, room: int, base: Style, style_of: StyleOf) -> None:
        """Make one.

        Args:
            columns: All of the table.
            width: Width of the lines, cells.
            room: The part of it for columns, cells.
            base: The background style.
            style_of: See `StyleOf`.
        """
        self.columns = columns
        self.width = width
        self.room = room
        self.base = base
        self.blank = Strip.blank(width, base)
        self._style_of = style_of
        self.placed = placed(columns, room)
        """Index and width of the columns that there is room for."""
        self._rows: dict[tuple[tuple[Cell, ...], Ground, int | None], Strip] = {}
        self._looks: dict[tuple[str, Ground, bool], Style] = {}
        self._lines: dict[tuple[str, int | None, bool], Strip] = {}

    def row(self, row: object, ground: Ground, marked: int | None) -> Strip:
        """Return a row; where its cells say the same as before, the very strip that it was.

        Args:
            row: The data of the row.
            ground: The background of the row.
            marked: Index of the column that is under the cursor, if there is such a thing.
        """
        cells = tuple(self.columns[index].cell(row) for index, _ in self.placed)
        key = (cells, ground, marked)
        strip = self._rows.get(key)
        if strip is None:
            if len(self._rows) >= _KEPT:
                self._rows.clear()
            strip = self._rows[key] = self._drawn(*key)
        return strip

    def _drawn(self, cells: tuple[Cell, ...], ground: Ground, marked: int | None) -> Strip:
        segments = []
        for (index, width), cell in zip(self.placed, cells, strict=True):
            text, look = (cell, "") if isinstance(cell, str) else cell
            style = self._look(look, ground, is_marked=index == marked)
            column = self.columns[index]
            segments.append(Segment(f"{fit(text, width, right=column.right, is_id=column.is_id)} ", style))
        return Strip(segments).adjust_cell_length(self.width, self._look("", ground, is_marked=False))

    def _look(self, look: str, ground: Ground, *, is_marked: bool) -> Style:
        key = (look, ground, is_marked)
        style = self._looks.get(key)
        if style is None:
            style = self.base
            if ground:
                style += Style(bgcolor=self._style_of(f"table--{ground}").bgcolor)
            if look:
                found = self._style_of(f"table--{look}", partial=True)
                style += Style(color=found.color if look != "strong" else None, bold=found.bold)
            if is_marked:
                found = self._style_of("table--cell")
                style += Style(color=found.color, bgcolor=found.bgcolor, bold=found.bold)
            self._looks[key] = style
        return style

    def titles(self, sorted_by: int | None, *, is_reversed: bool) -> Strip:
        """Return the line of the titles.

        Args:
            sorted_by: Index of the column whose title says so.
            is_reversed: Whether from the highest to the lowest.
        """
        key = ("", sorted_by, is_reversed)
        if key not in self._lines:
            text = ""
            for index, cells in self.placed:
                column = self.columns[index]
                arrow = ("▼" if is_reversed else "▲") if sorted_by == index else ""
                title = f"{column.title_in(cells - len(arrow))}{arrow}"
                text += fit(title, cells, right=column.right, is_id=column.is_id) + " "
            self._lines[key] = self._line(text, self._style_of("table--header"))
        return self._lines[key]

    def words(self, text: str) -> Strip:
        """Return a line that says something in place of rows."""
        key = (text, None, False)
        if key not in self._lines:
            self._lines[key] = self._line(f"  {text}", self.base + self._style_of("table--muted", partial=True))
        return self._lines[key]

    def _line(self, text: str, style: Style) -> Strip:
        return Strip([Segment(set_cell_size(printable_line(text), self.width), style)], self.width)


class FastScrollBar(ScrollBar):
    """Looks and works as its parent does, and makes its lines all at once."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw a region."""
        bar = self.render()
        width, height = self.size
        if not isinstance(bar, ScrollBarRender) or not isinstance(bar.style, Style) or crop.column_span != (0, width):
            return super().render_lines(crop)
        back, front = bar.style.bgcolor, bar.style.color
        if back is None or front is None:
            return super().render_lines(crop)
        drawn = self.renderer.render_bar(
            height, bar.virtual_size, bar.window_size, bar.position, width, bar.vertical, back, front
        )
        strips = [Strip([segment], width) for segment in drawn.segments[crop.y : crop.bottom]]
        background = self.background_colors[1]
        for line_filter in self.get_line_filters():
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        self._dirty_regions.clear()
        return strips


class TableLines(ScrollView):
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
        """By line: the text drawn there last."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Number of lines, including the titles."""

    @abstractmethod
    def line(self, painter: Painter, y: int) -> Strip:
        """Return the line that is at a place on the screen; the same strip as before where nothing changed."""

    def fit_scroll_bar(self) -> None:
        """Follow the number of lines."""
        size = Size(self.size.width, self.length)
        if size == self.virtual_size:
            return
        if self.is_attached and self.show_vertical_scrollbar == (size.height > self.container_size.height):
            # Nothing moves; a new layout of the screen costs more than drawing the table.
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)
        else:
            self.virtual_size = size

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The bar at the right."""
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = bar = FastScrollBar(name="vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self.app._start_widget(self, bar)  # noqa: SLF001 - as Textual makes its own
        return self._vertical_scrollbar

    def columns_shown(self) -> list[int]:
        """Return the indices of the columns that there is room for."""
        return [index for index, _ in self._fresh_painter().placed]

    def column_at(self, x: int) -> int | None:
        """Return the index of the column at a position; None outside all columns."""
        right = 0
        for index, width in self._fresh_painter().placed:
            right += width + 1
            if x < right:
                return index
        return None

    def notify_style_update(self) -> None:
        """Redraw in other colours."""
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
            self.refresh()  # hidden: Textual has kept what was drawn, and would show it again
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
