"""The columns of a table: their cells, their order, and how they share the width of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len

RowT = TypeVar("RowT")

NARROW = 100
"""Tables below this width have little room."""
WIDE = 130
"""From this width on there is room for whole ids."""

Cell = str | tuple[str, str]
"""A text, or a text and its look: `ok`, `bad`, `warn`, `muted`, `strong`, `accent`."""


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
