"""Draws the rows of a table, each look of each row once: most of what is drawn was there a moment ago."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.columns import Cell, Column, fit, placed

Ground = Literal["", "stripe", "cursor"]
"""What a row lies on."""


class StyleOf(Protocol):
    """Returns the style of a part of the table; `partial`: without what it lies on."""

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
            width: Of the lines.
            room: What the columns may take of it.
            base: What all is drawn on.
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
            row: What the columns take their cells from.
            ground: What it lies on.
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
                text += fit(f"{column.title}{arrow}", cells, right=column.right) + " "
            self._lines[key] = self._line(text, self._style_of("table--header"))
        return self._lines[key]

    def words(self, text: str) -> Strip:
        """Return a line that says something in place of rows."""
        key = (text, None, False)
        if key not in self._lines:
            self._lines[key] = self._line(f"  {text}", self.base + self._style_of("table--muted", partial=True))
        return self._lines[key]

    def _line(self, text: str, style: Style) -> Strip:
        return Strip([Segment(set_cell_size(text, self.width), style)], self.width)
