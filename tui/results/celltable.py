"""A table whose cursor is a cell: left and right choose the column, to copy a cell or to sort by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType

from tui.widgets.table import Column, VirtualTable

RowT = TypeVar("RowT")


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
        last: Callable[[RowT], bool] | None = None,
        id: str | None = None,
    ) -> None:
        """Make a table.

        Args:
            columns: From left to right.
            key: Tells a row from the others.
            empty: What stands there where no row does.
            last: Tells rows that stay at the end however the others are sorted.
            id: See `textual.widget.Widget`.
        """
        super().__init__(columns, key=key, empty=empty, id=id)
        self._last = last
        self._column = 0

    @property
    def column(self) -> Column[RowT]:
        """The column under the cursor."""
        return self.columns[self._column]

    @property
    def marked_column(self) -> int:
        """See `VirtualTable.marked_column`."""
        return self._column

    def show_columns(self, columns: Sequence[Column[RowT]]) -> None:
        """Have other columns; what was chosen among the old ones is forgotten."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self._column, self.sorted_by, self.is_reversed = 0, None, False

    def action_column(self, by: int) -> None:
        """Go to the column beside."""
        shown = self.columns_shown()
        here = shown.index(self._column) if self._column in shown else 0
        self._column = shown[min(max(0, here + by), len(shown) - 1)]
        self.draw_changes()

    def action_sort_here(self) -> None:
        """Sort by the column under the cursor; once more: the other way round."""
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
