"""Tables with a name and figures in each row, at any width: no figure is ever cut.

Where the terminal is too narrow, first the gaps between the columns become narrower, then names wrap, and at last the
columns are divided among several tables, one below the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

DIVIDER = 1
"""Width of the blank that a table draws between two columns: the least gap, in cells."""
GAP = 2
"""Gap between two columns where there is room: the divider and a padding, in cells."""
MIN_NAME_WIDTH = 8
"""Names wrap at this width before columns are moved to another table."""

Row = tuple[str, Sequence[str]]
"""A name and its figures, one for each title."""


def new_table(title: str, gap: int = GAP) -> Table:
    """Return a table without columns.

    Args:
        title: Its title; wrapped at the table's width.
        gap: Cells between two columns.
    """
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, gap - DIVIDER, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def column_widths(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width that each column needs, in cells; a title may have several lines."""
    return [
        max(*(cell_len(line) for line in ("", *title.split("\n"))), *(cell_len(row[i]) for row in rows), 0)
        for i, title in enumerate(titles)
    ]


def show_figures(
    console: Console,
    title: str,
    name_title: str,
    titles: Sequence[str],
    rows: Sequence[Row],
    total: Row | None = None,
    *,
    second_group: int | None,
) -> None:
    """Print a table, or several if it is wider than the console.

    Args:
        console: The console to print on.
        title: Title of the first table.
        name_title: Title of the names' column.
        titles: Titles of the figures' columns.
        rows: The rows.
        total: A last row, below a line.
        second_group: The column at which a table that is too wide is divided first; None: where the room ends.
    """
    every = rows if total is None else (*rows, total)
    widths = column_widths(titles, [figures for _, figures in every])
    longest = max(cell_len(name) for name in (name_title, *(name for name, _ in every)))
    least = min(longest, max(MIN_NAME_WIDTH, cell_len(name_title)))
    parts = [range(len(widths))]
    gap = GAP if longest + sum(width + GAP for width in widths) <= console.width else DIVIDER
    if least + sum(width + gap for width in widths) > console.width:
        middle = second_group or 0
        gap = GAP
        parts = [
            part
            for group in (range(middle), range(middle, len(widths)))
            for part in _parts(widths, group, console.width - least)
        ]
    for part in parts:
        room = console.width - sum(widths[i] + gap for i in part)
        table = new_table(title if part.start == 0 else "", gap)
        table.add_column(name_title, overflow="fold", width=max(least, min(longest, room)))
        for i in part:
            table.add_column(titles[i], justify="right", no_wrap=True)
        for name, figures in rows:
            table.add_row(name, *(figures[i] for i in part))
        if total is not None:
            table.add_section()
            table.add_row(total[0], *(total[1][i] for i in part))
        if part.start:
            console.print()
        console.print(table)


def _parts(widths: Sequence[int], group: range, room: int) -> list[range]:
    """Divide columns into parts that fit into a number of cells beside the names; a part has at least one column."""
    parts: list[range] = []
    start, used = group.start, 0
    for i in group:
        if i > start and used + widths[i] + GAP > room:
            parts.append(range(start, i))
            start, used = i, 0
        used += widths[i] + GAP
    return [*parts, range(start, group.stop)] if group else parts
