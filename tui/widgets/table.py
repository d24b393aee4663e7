"""A table that draws only the visible rows, so that its length costs nothing; sorted by a click, copied by a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from typing_extensions import override

from broker import plural
from tui.widgets.table_rendering import Cell, Column, Ground, Painter, TableLines

__all__ = ["Cell", "Column", "VirtualTable"]

RowT = TypeVar("RowT")

_COPIED_AT_ONCE = 500
"""Rows that are copied before waiting keys are handled."""


@runtime_checkable
class LocatableRows(Protocol):
    """Rows that are fetched when they are drawn, in their own order, and can locate a row by key."""

    def position(self, key: object) -> int | None:
        """Return the index of the row with a key; None if there is none."""
        ...


class VirtualTable(TableLines, Generic[RowT], can_focus=True):
    """A table of any number of rows, one line each. `show_rows` sets them; `key` identifies a row when they change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First row", show=False),
        Binding("end", "last", "Last row, and follow", show=False),
        Binding("enter", "choose", "Open row", show=False),
        Binding("o", "sort_next", "Sort", show=False, tooltip="Sort by the next column"),
        Binding("R", "sort_reverse", "Reverse", show=False, tooltip="Reverse the order of the rows"),
        Binding("y", "copy_row", "Copy row", show=False, tooltip="Copy the row to the clipboard"),
        Binding("Y", "copy_all", "Copy all", show=False, tooltip="Copy all rows to the clipboard, for a spreadsheet"),
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
        waiting: str = "",
        follow: bool = False,
        sortable: bool = True,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Make a table.

        Args:
            columns: From left to right.
            key: Identifies a row, so that the cursor stays with it.
            empty: Text of a table without rows.
            waiting: Text until rows are shown for the first time; empty: that of a table without rows.
            follow: Whether the cursor stays at the end while rows come, as long as it is there.
            sortable: Whether people may sort it.
            id: See `textual.widget.Widget`.
            classes: As `id`.
        """
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.rows: Sequence[RowT] = []
        """As shown: sorted."""
        self.sorted_by: int | None = None
        self.is_reversed = False
        self._given: Sequence[RowT] = ()
        self._key = key
        self._empty = empty
        self._instead = waiting or empty
        """Text in place of rows."""
        self._follow = follow
        self._sortable = sortable
        self._told: Any = None

    # Rows.

    @property
    def row(self) -> RowT | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def stop_waiting(self, instead: str) -> None:
        """Show a text in place of rows until there are some: they could not be read."""
        self._instead = instead
        self.refresh()

    def show_rows(self, rows: Sequence[RowT]) -> None:
        """Show other rows; the cursor stays on the row that it is on, or at the end where it follows.

        Args:
            rows: Any sequence; one that is `LocatableRows` is kept as it is, and has to be another one when it changes.
        """
        at_end = self._follow and self.cursor >= len(self.rows) - 1
        before, cursor_before = self.row, self.cursor
        self._given = rows
        self._instead = self._empty
        self.rows = self._in_order(rows)
        if at_end and self.sorted_by is None:
            self.cursor = max(0, len(self.rows) - 1)
        else:
            self.cursor = self._find(before)
        if isinstance(rows, LocatableRows) and self.cursor != cursor_before and not at_end:
            # Rows were added or removed above: the visible rows stay in place.
            self.fit_scroll_bar()
            self.scroll_to(y=max(0, self.scroll_offset.y + self.cursor - cursor_before), animate=False)
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
        index = self._position(key)
        if index is not None:
            self._put(index)

    def _in_order(self, rows: Sequence[RowT]) -> Sequence[RowT]:
        if self.sorted_by is not None:
            return sorted(rows, key=self.columns[self.sorted_by].rank, reverse=self.is_reversed)
        return rows if isinstance(rows, LocatableRows) else list(rows)

    def _find(self, row: RowT | None) -> int:
        index = None if row is None else self._position(self._key(row))
        return min(self.cursor, max(0, len(self.rows) - 1)) if index is None else index

    def _position(self, key: object) -> int | None:
        if isinstance(self.rows, LocatableRows):
            return self.rows.position(key)
        if self.cursor < len(self.rows) and self._key(self.rows[self.cursor]) == key:
            return self.cursor
        return next((index for index, row in enumerate(self.rows) if self._key(row) == key), None)

    def _rows_changed(self) -> None:
        self.fit_scroll_bar()
        self.draw_changes()
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
        shown = self.columns_shown()
        while after < len(self.columns) and after not in shown:
            after += 1
        self.sort_by(after if after < len(self.columns) else None)

    def action_sort_reverse(self) -> None:
        """Reverse the order."""
        self.sort_by(self.sorted_by, reverse=not self.is_reversed)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to sort where that makes sense."""
        del parameters
        return self._sortable or action not in {"sort_next", "sort_reverse"}

    def action_copy_row(self) -> None:
        """Copy the row under the cursor, fields parted by tabs."""
        if self.row is not None:
            self.app.copy_to_clipboard(self._line(self.row))
            self.notify("Row copied")

    def action_copy_all(self) -> None:
        """Copy all rows with their titles, fields parted by tabs: a spreadsheet takes it."""
        self.run_worker(self._copy(self.rows), group="copy", exclusive=True, exit_on_error=False)

    async def _copy(self, rows: Sequence[RowT]) -> None:
        lines = ["\t".join(column.title for column in self.columns)]
        for begin in range(0, len(rows), _COPIED_AT_ONCE):
            lines += [self._line(row) for row in rows[begin : begin + _COPIED_AT_ONCE]]
            await asyncio.sleep(0)
        self.app.copy_to_clipboard("\n".join(lines))
        self.notify(f"{plural(len(rows), 'row')} copied")

    def _line(self, row: RowT) -> str:
        return "\t".join(column.text(row) for column in self.columns)

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
        index = self.column_at(x)
        if index is not None and self._sortable:
            self.sort_by(index, reverse=self.sorted_by == index and not self.is_reversed)

    def _put(self, index: int) -> None:
        self.cursor = min(max(0, index), max(0, len(self.rows) - 1))
        self._reveal()
        self.draw_changes()
        self._tell()

    def _reveal(self) -> None:
        height = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    # Size.

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.fit_scroll_bar()
        self.call_after_refresh(self._reveal)

    # Drawing.

    @property
    @override
    def length(self) -> int:
        return len(self.rows) + 1

    @property
    def marked_column(self) -> int | None:
        """Index of the column whose cell is under the cursor; None: the whole row is."""
        return None

    @override
    def line(self, painter: Painter, y: int) -> Strip:
        if y == 0:
            return painter.titles(self.sorted_by, is_reversed=self.is_reversed)
        index = self.scroll_offset.y + y - 1
        if index >= len(self.rows):
            return painter.words(self._instead) if not self.rows and y == 2 else painter.blank
        if index == self.cursor:
            return painter.row(self.rows[index], "cursor", self.marked_column)
        ground: Ground = "stripe" if index % 2 else ""
        return painter.row(self.rows[index], ground, None)


class CellTable(VirtualTable[RowT], Generic[RowT]):
    """A `VirtualTable` with a column under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "column(-1)", "Column to the left", show=False),
        Binding("right", "column(1)", "Column to the right", show=False),
        Binding("s", "sort_here", "Sort by this column", show=False),
        Binding("c", "copy_cell", "Copy cell", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cell"}
    DEFAULT_CSS = """
    CellTable > .table--cell { background: $primary 28%; text-style: none; }
    CellTable:focus > .table--cell { background: $primary 65%; color: $text; text-style: bold; }
    """

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        *,
        key: Callable[[RowT], Any],
        empty: str = "Nothing here yet",
        waiting: str = "",
        last: Callable[[RowT], bool] | None = None,
        id: str | None = None,
    ) -> None:
        """Make a table.

        Args:
            columns: From left to right.
            key: Identifies a row.
            empty: Text of a table without rows.
            waiting: As of `VirtualTable`.
            last: Identifies rows that stay at the end in any order.
            id: See `textual.widget.Widget`.
        """
        super().__init__(columns, key=key, empty=empty, waiting=waiting, id=id)
        self._last = last
        self._column = 0

    @property
    def column(self) -> Column[RowT]:
        """The column under the cursor."""
        return self.columns[self._column]

    @property
    @override
    def marked_column(self) -> int:
        return self._column

    def show_columns(self, columns: Sequence[Column[RowT]]) -> None:
        """Replace the columns; the choices made among the old ones are reset."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self._column, self.sorted_by, self.is_reversed = 0, None, False

    def action_column(self, by: int) -> None:
        """Go to the adjacent column."""
        shown = self.columns_shown()
        here = shown.index(self._column) if self._column in shown else 0
        self._column = shown[min(max(0, here + by), len(shown) - 1)]
        self.draw_changes()

    def action_sort_here(self) -> None:
        """Sort by the column under the cursor; when repeated, in reverse order."""
        is_again = self.sorted_by == self._column
        self.sort_by(self._column, reverse=is_again and not self.is_reversed)

    def action_copy_cell(self) -> None:
        """Copy the cell under the cursor."""
        if self.row is not None:
            text = self.column.text(self.row)
            self.app.copy_to_clipboard(text)
            self.notify(text, title=f"Copied: {self.column.title}", markup=False)

    def on_click(self, event: events.Click) -> None:
        """Choose the column clicked on; the row is chosen as in every table."""
        index = self.column_at(event.x)
        if index is not None:
            self._column = index

    def _in_order(self, rows: Sequence[RowT]) -> Sequence[RowT]:
        if self._last is None or self.sorted_by is None:
            return super()._in_order(rows)
        ordinary = super()._in_order([row for row in rows if not self._last(row)])
        return [*ordinary, *(row for row in rows if self._last(row))]
