"""A table that draws only the rows in sight, so that its length costs nothing: sorted by a click, copied by a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

RowT = TypeVar("RowT")

NARROW = 100
"""Tables below this width have little room."""

Cell = str | tuple[str, str]
"""A text, or a text and its look: `ok`, `bad`, `warn`, `muted`, `strong`, `accent`."""


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """A column of a table."""

    title: str
    cell: Callable[[RowT], Cell]
    width: int | None = None
    """In cells; None: what the others leave."""
    narrow: int | None = None
    """Its width where the table is narrower than `NARROW`; None: the same."""
    right: bool = False
    sort: Callable[[RowT], Any] | None = None
    """What to sort by; None: by the text."""
    from_width: int = 0
    """Shown where the table is at least so wide."""
    most: int = 60
    """Where `width` is None and nothing else wants the room: no wider than this, save the last column."""


class VirtualTable(ScrollView, Generic[RowT], can_focus=True):
    """Rows of any number, one line each. Set with `show_rows`; a row is known again by `key`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First row", show=False),
        Binding("end", "last", "Last row, and follow", show=False),
        Binding("enter", "choose", "Open row", show=False),
        Binding("o", "sort_next", "Sort by the next column", show=False),
        Binding("O", "sort_reverse", "Reverse the order", show=False),
        Binding("y", "copy_row", "Copy row", show=False),
        Binding("Y", "copy_all", "Copy all rows", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--stripe",
        "table--ok",
        "table--bad",
        "table--warn",
        "table--muted",
        "table--strong",
        "table--accent",
    }
    DEFAULT_CSS = """
    VirtualTable { height: 1fr; background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    VirtualTable > .table--header { background: $panel; color: $primary; text-style: bold; }
    VirtualTable > .table--cursor { background: $boost; }
    VirtualTable:focus > .table--cursor { background: $primary 28%; }
    VirtualTable > .table--stripe { background: $surface; }
    VirtualTable > .table--ok { color: $success; }
    VirtualTable > .table--bad { color: $error; }
    VirtualTable > .table--warn { color: $warning; }
    VirtualTable > .table--muted { color: $foreground 60%; }
    VirtualTable > .table--strong { text-style: bold; }
    VirtualTable > .table--accent { color: $secondary; }
    """

    cursor: reactive[int] = reactive(0, repaint=False)

    class Highlighted(Message):
        """The cursor is on another row."""

        def __init__(self, table: VirtualTable[Any], row: Any) -> None:  # noqa: ANN401 - a row of any type
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> VirtualTable[Any]:
            """The table, for `on`."""
            return self.table

    class Chosen(Highlighted):
        """Enter, or a second click on a row."""

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        *,
        key: Callable[[RowT], Any],
        empty: str = "Nothing here yet",
        follow: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Make a table.

        Args:
            columns: From left to right.
            key: Tells a row from the others, so that the cursor stays with it.
            empty: What stands there where no row does.
            follow: Whether the cursor stays at the end while rows come, as long as it is there.
            id: See `textual.widget.Widget`.
            classes: As `id`.
        """
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.rows: list[RowT] = []
        """As shown: sorted."""
        self.sorted_by: int | None = None
        self.is_reversed = False
        self._given: Sequence[RowT] = ()
        self._key = key
        self._empty = empty
        self._follow = follow
        self._told: Any = None
        self._base = Style()
        self._widths: list[tuple[int, int]] = []
        self._looks: dict[tuple[str, Style | None], Style] = {}

    # Rows.

    @property
    def row(self) -> RowT | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def show_rows(self, rows: Sequence[RowT]) -> None:
        """Show other rows; the cursor stays on the row that it is on, or at the end where it follows."""
        at_end = self._follow and self.cursor >= len(self.rows) - 1
        before = self.row
        self._given = rows
        self.rows = self._in_order(rows)
        if at_end and self.sorted_by is None:
            self.cursor = max(0, len(self.rows) - 1)
        else:
            self.cursor = self._find(before)
        self._rows_changed()
        if at_end:
            self._reveal()

    def add_rows(self, rows: Sequence[RowT], drop: int = 0) -> None:
        """Add rows at the end and drop some at the beginning; for tables that are not sorted."""
        if self.sorted_by is not None:
            self.show_rows([*self._given[drop:], *rows])
            return
        at_end = self._follow and self.cursor >= len(self.rows) - 1
        if drop:
            del self.rows[:drop]
            self.cursor = max(0, self.cursor - drop)
            if not at_end:
                self.scroll_to(y=max(0, self.scroll_offset.y - drop), animate=False)
        self.rows += rows
        self._given = self.rows
        if at_end:
            self.cursor = max(0, len(self.rows) - 1)
        self._rows_changed()
        if at_end:
            self._reveal()

    def sort_by(self, column: int | None, *, reverse: bool = False) -> None:
        """Sort by a column; None: as given."""
        self.sorted_by, self.is_reversed = column, reverse
        self.show_rows(self._given)
        self._reveal()

    def go_to(self, key: object) -> None:
        """Put the cursor on the row with a key, if there is one."""
        for index, row in enumerate(self.rows):
            if self._key(row) == key:
                self.cursor = index
                self._reveal()
                self._tell()
                return

    def _in_order(self, rows: Sequence[RowT]) -> list[RowT]:
        if self.sorted_by is None:
            return list(rows)
        column = self.columns[self.sorted_by]
        by = column.sort or (lambda row: _text(column.cell(row)))
        return sorted(rows, key=by, reverse=self.is_reversed)

    def _find(self, row: RowT | None) -> int:
        if row is not None:
            key = self._key(row)
            if self.cursor < len(self.rows) and self._key(self.rows[self.cursor]) == key:
                return self.cursor
            for index, other in enumerate(self.rows):
                if self._key(other) == key:
                    return index
        return min(self.cursor, max(0, len(self.rows) - 1))

    def _rows_changed(self) -> None:
        height = len(self.rows) + 1
        if self.virtual_size.height != height:
            self.virtual_size = Size(self.size.width, height)
        self.refresh()
        self._tell()

    def _tell(self) -> None:
        row = self.row
        key = None if row is None else self._key(row)
        if key != self._told:
            self._told = key
            if row is not None:
                self.post_message(self.Highlighted(self, row))

    # Keys and mouse.

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._put(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self._put(self.cursor + by * max(1, self.size.height - 2))

    def action_first(self) -> None:
        """Go to the first row."""
        self._put(0)

    def action_last(self) -> None:
        """Go to the last row; a table that follows stays there."""
        self._put(len(self.rows) - 1)

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        if self.row is not None:
            self.post_message(self.Chosen(self, self.row))

    def action_sort_next(self) -> None:
        """Sort by the next column, in the end by none."""
        after = 0 if self.sorted_by is None else self.sorted_by + 1
        shown = {index for index, _ in self._shown()}
        while after < len(self.columns) and after not in shown:
            after += 1
        self.sort_by(after if after < len(self.columns) else None)

    def action_sort_reverse(self) -> None:
        """Turn the order round."""
        self.sort_by(self.sorted_by, reverse=not self.is_reversed)

    def action_copy_row(self) -> None:
        """Copy the row under the cursor, fields parted by tabs."""
        if self.row is not None:
            self.app.copy_to_clipboard(self._line(self.row))
            self.notify("Row copied")

    def action_copy_all(self) -> None:
        """Copy all rows with their titles, fields parted by tabs: a spreadsheet takes it."""
        titles = "\t".join(column.title for column in self.columns)
        self.app.copy_to_clipboard("\n".join((titles, *(self._line(row) for row in self.rows))))
        self.notify(f"{len(self.rows)} rows copied")

    def _line(self, row: RowT) -> str:
        return "\t".join(_text(column.cell(row)) for column in self.columns)

    def on_click(self, event: events.Click) -> None:
        """Sort by a title; choose a row."""
        y = event.y
        if y == 0:
            self._title_clicked(event.x)
            return
        index = self.scroll_offset.y + y - 1
        if index < len(self.rows):
            if index == self.cursor and event.chain > 1:
                self.action_choose()
            self._put(index)

    def _title_clicked(self, x: int) -> None:
        left = 0
        for index, width in self._shown():
            left += width + 1
            if x < left:
                self.sort_by(index, reverse=self.sorted_by == index and not self.is_reversed)
                return

    def _put(self, index: int) -> None:
        self.cursor = min(max(0, index), max(0, len(self.rows) - 1))
        self._reveal()
        self.refresh()
        self._tell()

    def _reveal(self) -> None:
        height = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    # Drawing.

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        self.call_after_refresh(self._reveal)

    def _shown(self) -> list[tuple[int, int]]:
        """Return index and width of the columns that there is room for."""
        width = self.scrollable_content_region.width or self.size.width
        shown = [(i, c) for i, c in enumerate(self.columns) if width >= c.from_width]
        fixed_widths = {i: _width(c, width) for i, c in shown}
        fixed = sum(w for w in fixed_widths.values() if w is not None) + len(shown)
        flexible = [i for i, w in fixed_widths.items() if w is None]
        left = max(0, width - fixed)
        widths: dict[int, int] = {}
        for n, index in enumerate(flexible):
            share = left // (len(flexible) - n)
            is_last = n == len(flexible) - 1
            widths[index] = max(4, share if is_last else min(share, self.columns[index].most))
            left -= widths[index]
        return [(i, widths[i] if w is None else w) for i, w in fixed_widths.items()]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw a region; styles and widths are looked up once for all of its lines."""
        self._base = self.rich_style
        self._widths = self._shown()
        self._looks.clear()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw the titles, or the row that is in sight there."""
        width = self.size.width
        if y == 0:
            return self._titles(width)
        base = self._base
        index = self.scroll_offset.y + y - 1
        if index >= len(self.rows):
            if not self.rows and y == 2:
                text = set_cell_size(f"  {self._empty}", width)
                return Strip([Segment(text, base + self.get_component_rich_style("table--muted", partial=True))], width)
            return Strip.blank(width, base)
        is_cursor = index == self.cursor
        if is_cursor or index % 2:
            base = self._row_style("table--cursor" if is_cursor else "table--stripe")
        row = self.rows[index]
        segments: list[Segment] = []
        for column, cells in self._widths:
            segments += self._cell(self.columns[column], row, cells, base)
        return Strip(segments).adjust_cell_length(width, base)

    def _row_style(self, component: str) -> Style:
        style = self._looks.get((component, None))
        if style is None:
            found = self.get_component_rich_style(component)
            style = self._looks[component, None] = self._base + Style(bgcolor=found.bgcolor)
        return style

    def _cell(self, column: Column[RowT], row: RowT, width: int, base: Style) -> list[Segment]:
        cell = column.cell(row)
        text, style = (cell, base) if isinstance(cell, str) else (cell[0], self._look(cell[1], base))
        return [Segment(f"{fit(text, width, right=column.right)} ", style)]

    def _look(self, look: str, base: Style) -> Style:
        if not look:
            return base
        found = self._looks.get((look, base))
        if found is None:
            style = self.get_component_rich_style(f"table--{look}", partial=True)
            bare = Style(color=style.color if look != "strong" else None, bold=style.bold)
            found = self._looks[look, base] = base + bare
        return found

    def _titles(self, width: int) -> Strip:
        style = self.get_component_rich_style("table--header")
        text = ""
        for index, cells in self._widths:
            column = self.columns[index]
            arrow = ("▼" if self.is_reversed else "▲") if self.sorted_by == index else ""
            text += fit(f"{column.title}{arrow}", cells, right=column.right) + " "
        return Strip([Segment(set_cell_size(text, width), style)], width)

    def get_row_region(self, index: int) -> Region:
        """Return where a row is on the screen, relative to the table."""
        return Region(0, index + 1 - self.scroll_offset.y, self.size.width, 1)


def _width(column: Column[Any], table_width: int) -> int | None:
    return column.narrow if column.narrow is not None and table_width < NARROW else column.width


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return a text of exactly so many cells; one that is too long ends with an ellipsis."""
    text = text.replace("\n", " ").replace("\t", " ")
    length = cell_len(text)
    if length > width:
        return set_cell_size(set_cell_size(text, max(0, width - 1)) + "…", width)
    gap = " " * (width - length)
    return gap + text if right else text + gap
