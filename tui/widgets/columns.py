"""The columns of a table: what stands in them, how wide they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len, set_cell_size

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
    """In cells; None: what the others leave."""
    narrow: int | None = None
    """Its width where the table is narrower than `NARROW`; None: the same."""
    wide: int | None = None
    """Its width where the table is at least `WIDE`; None: the same."""
    right: bool = False
    is_id: bool = False
    """Where it is too long it is cut in the middle: ids often differ at their ends."""
    sort: Callable[[RowT], Any] | None = None
    """What to sort by; None: by the text."""
    from_width: int = 0
    """Shown where the table is at least so wide."""
    most: int = 60
    """Where `width` is None and nothing else wants the room: no wider than this, save the last column."""

    def text(self, row: RowT) -> str:
        """Return what stands there."""
        cell = self.cell(row)
        return cell if isinstance(cell, str) else cell[0]

    def rank(self, row: RowT) -> Any:  # noqa: ANN401 - anything that can be compared
        """Return what to sort a row by."""
        return self.text(row) if self.sort is None else self.sort(row)

    def fixed_width(self, table_width: int) -> int | None:
        """Return its width in a table; None where it takes what the others leave."""
        if self.narrow is not None and table_width < NARROW:
            return self.narrow
        return self.wide if self.wide is not None and table_width >= WIDE else self.width


def placed(columns: Sequence[Column[Any]], width: int) -> list[tuple[int, int]]:
    """Return index and width of the columns that there is room for; one cell stays between two.

    Args:
        columns: All there are.
        width: Of the table.
    """
    fixed_widths = {i: c.fixed_width(width) for i, c in enumerate(columns) if width >= c.from_width}
    left = max(0, width - sum(w for w in fixed_widths.values() if w is not None) - len(fixed_widths))
    flexible = [i for i, w in fixed_widths.items() if w is None]
    widths: dict[int, int] = {}
    for n, index in enumerate(flexible):
        share = left // (len(flexible) - n)
        is_last = n == len(flexible) - 1
        widths[index] = max(4, share if is_last else min(share, columns[index].most))
        left -= widths[index]
    return [(i, widths[i] if w is None else w) for i, w in fixed_widths.items()]


def fit(text: str, width: int, *, right: bool = False, is_id: bool = False) -> str:
    """Return a text of exactly so many cells; one that is too long has an ellipsis.

    Args:
        text: Of any length, also with characters that are two cells wide.
        width: In cells.
        right: Whether it stands at the right.
        is_id: Whether the ellipsis is in the middle, not at the end.
    """
    text = text.replace("\n", " ").replace("\t", " ")
    length = cell_len(text)
    if length > width:
        end = _end(text, (width - 1) // 2) if is_id else ""
        begin = set_cell_size(text, max(0, width - 1 - cell_len(end)))
        return set_cell_size(f"{begin}…{end}", width)
    gap = " " * (width - length)
    return gap + text if right else text + gap


def _end(text: str, width: int) -> str:
    """Return as much of the end of a text as so many cells hold."""
    end = ""
    for character in reversed(text):
        if cell_len(character + end) > width:
            break
        end = character + end
    return end
