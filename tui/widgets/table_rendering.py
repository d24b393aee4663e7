"""The lines of a table: scrolling under fixed titles, in columns that share the width of the terminal.

Only changed lines are redrawn, and layout runs only if something moves.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget

from broker import printable_line
from tui.formatting import fit

RowT = TypeVar("RowT")

NARROW = 100
"""Tables below this width have little room."""
WIDE = 130
"""From this width on there is room for whole ids."""

Cell = str | tuple[str, str]
"""A text, or a text and its look: `ok`, `bad`, `warn`, `muted`, `strong`, `accent`."""
Ground = Literal["", "stripe", "cursor"]
"""The background of a row."""


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """A column of a table."""

    title: str
    cell: Callable[[RowT], Cell]
    width: int | None = None
    """In cells; None: the width that the others leave."""
    narrow: int | None = None
    """Its width where the table is narrower than `NARROW`; None: the same."""
    wide: int | None = None
    """Its width where the table is at least `WIDE` and has room for it; None: the same."""
    right: bool = False
    is_id: bool = False
    """Where a cell or the title is too long it is cut in the middle: ids often differ at their ends."""
    sort: Callable[[RowT], Any] | None = None
    """The sort key; None: the text."""
    from_width: int = 0
    """Shown where the table is at least so wide."""
    full: str = ""
    """The title in full, where `title` is an abbreviation: shown where there is room for it."""
    most: int = 60
    """Maximum width if `width` is None, except for the last column."""

    def title_in(self, width: int) -> str:
        """Return the title as it fits into a width."""
        return self.full if self.full and cell_len(self.full) <= width else self.title

    def text(self, row: RowT) -> str:
        """Return the cell's text."""
        cell = self.cell(row)
        return cell if isinstance(cell, str) else cell[0]

    def rank(self, row: RowT) -> Any:  # noqa: ANN401 - anything that can be compared
        """Return what to sort a row by."""
        return self.text(row) if self.sort is None else self.sort(row)

    def fixed_width(self, table_width: int, *, is_wide: bool) -> int | None:
        """Return its width in a table; None if it takes the remaining width.

        Args:
            table_width: Width of the table, cells.
            is_wide: Whether it may be as wide as in a wide table.
        """
        if self.narrow is not None and table_width < NARROW:
            return self.narrow
        return self.wide if self.wide is not None and is_wide else self.width


_LEAST_FLEXIBLE = 16
"""Minimum width of a column without a width, if titles are written in full or other columns are wide."""


def placed(columns: Sequence[Column[Any]], width: int) -> list[tuple[int, int]]:
    """Return index and width of the columns that there is room for; one cell stays between two.

    Args:
        columns: All there are.
        width: Width of the table, cells.
    """
    fixed_widths, left = _fixed_widths(columns, width, is_wide=width >= WIDE)
    flexible = [i for i, w in fixed_widths.items() if w is None]
    if width >= WIDE and left < _LEAST_FLEXIBLE * len(flexible):
        fixed_widths, left = _fixed_widths(columns, width, is_wide=False)
    for i, fixed in fixed_widths.items():
        more = 0 if fixed is None else cell_len(columns[i].full) - fixed
        if fixed is not None and 0 < more <= left - _LEAST_FLEXIBLE * len(flexible):
            fixed_widths[i], left = fixed + more, left - more
    widths: dict[int, int] = {}
    for n, index in enumerate(flexible):
        share = left // (len(flexible) - n)
        is_last = n == len(flexible) - 1
        widths[index] = max(4, share if is_last else min(share, columns[index].most))
        left -= widths[index]
    return [(i, widths[i] if w is None else w) for i, w in fixed_widths.items()]


def _fixed_widths(columns: Sequence[Column[Any]], width: int, *, is_wide: bool) -> tuple[dict[int, int | None], int]:
    """Return the width of each column that is shown, None for those that share what is left; and how much that is."""
    fixed = {i: c.fixed_width(width, is_wide=is_wide) for i, c in enumerate(columns) if width >= c.from_width}
    return fixed, max(0, width - sum(w for w in fixed.values() if w is not None) - len(fixed))


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
                found = self._style_of(f"table--{ground}")
                style += Style(bgcolor=found.bgcolor, bold=found.bold, underline=found.underline)
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
