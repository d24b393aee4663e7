"""A chart of power or energy over time: areas stacked on each other, a dotted area behind them, lines before them.

Each look is told from the others without colour too: solid, shaded, dotted, drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip
from textual.widget import Widget

FloatArray = npt.NDArray[np.float64]

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_SOLID = "█▓▒░"
_LEFT_DOTS = (0x40, 0x04, 0x02, 0x01)
_RIGHT_DOTS = (0x80, 0x20, 0x10, 0x08)
_ALL_DOTS = "⣿"
_AXIS_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Series:
    """Something that is drawn."""

    name: str
    values: Sequence[float] | FloatArray
    """In equal steps over the whole width."""
    look: Literal["area", "dots", "line"] = "area"
    """`area`: filled, each on top of those before it; `dots`: filled with dots, behind; `line`: drawn, in front."""
    colour: str = "primary"
    """A variable of the theme, or any colour."""


@dataclass(frozen=True, slots=True)
class Span:
    """The x axis: UNIX seconds, or seconds since something."""

    start_s: float
    end_s: float
    label: Callable[[float], str] | None = None
    """Writes a time; None: hours and minutes, UTC."""


def watts(value: float) -> str:
    """Write power."""
    return f"{value / 1000:g} kW" if abs(value) >= 1000 else f"{value:g} W"


class Chart(Widget):
    """Draws what `show` was given, as large as it is."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"chart--axis", "chart--now", "chart--empty"}
    DEFAULT_CSS = """
    Chart { height: 1fr; min-height: 5; background: $background; }
    Chart > .chart--axis { color: $foreground 55%; }
    Chart > .chart--now { color: $now; text-style: bold; }
    Chart > .chart--empty { color: $foreground 60%; }
    """

    def __init__(
        self, *, empty: str = "Nothing to draw yet", id: str | None = None, classes: str | None = None
    ) -> None:
        """Make a chart.

        Args:
            empty: What stands there where there is nothing to draw.
            id: See `textual.widget.Widget`.
            classes: As `id`.
        """
        super().__init__(id=id, classes=classes)
        self._empty = empty
        self._series: tuple[Series, ...] = ()
        self._span = Span(0, 1)
        self._now_s: float | None = None
        self._unit: Callable[[float], str] = watts
        self._top = 0.0
        self._drawn: tuple[object, list[Strip]] | None = None

    def show(
        self,
        series: Sequence[Series],
        span: Span,
        *,
        now_s: float | None = None,
        unit: Callable[[float], str] = watts,
        top: float = 0.0,
    ) -> None:
        """Draw something else.

        Args:
            series: What to draw; areas from the bottom up.
            span: The x axis.
            now_s: Where to mark the present; None: nowhere.
            unit: Writes a value of the y axis.
            top: The y axis reaches at least so far: charts side by side share a scale.
        """
        self._top = top
        self._series, self._span, self._now_s, self._unit = tuple(series), span, now_s, unit
        self._drawn = None
        self.refresh()

    def notify_style_update(self) -> None:
        """Draw anew in other colours."""
        super().notify_style_update()
        self._drawn = None

    def render_line(self, y: int) -> Strip:
        """Return a line of the picture."""
        size = self.size
        if self._drawn is None or self._drawn[0] != size:
            self._drawn = (size, self._draw(size.width, size.height))
        lines = self._drawn[1]
        return lines[y] if y < len(lines) else Strip.blank(size.width, self.rich_style)

    def _draw(self, width: int, height: int) -> list[Strip]:
        base = self.rich_style
        columns, rows = width - _AXIS_WIDTH, height - 2
        if not self._series or columns < 8 or rows < 2:
            style = base + self.get_component_rich_style("chart--empty", partial=True)
            blank = Strip.blank(width, base)
            text = Strip([Segment(f"  {self._empty}"[:width], style)]).adjust_cell_length(width, base)
            return [blank, text, *[blank] * max(0, height - 2)]
        top = self._reach(columns)
        axis = base + self.get_component_rich_style("chart--axis", partial=True)
        lines = [self._legend(width, base)]
        cells = self._cells(columns, rows, top)
        for row in range(rows):
            label = self._label(row, rows, top)
            segments = [Segment(f"{label:>{_AXIS_WIDTH - 1}}{'┤' if label else '│'}", axis)]
            for (fore, back), run in groupby(cells[row], key=lambda cell: cell[1:]):
                style = base if fore is None else base + Style(color=fore, bgcolor=back)
                segments.append(Segment("".join(cell[0] for cell in run), style))
            lines.append(Strip(segments).adjust_cell_length(width, base))
        lines.append(self._times(columns, base, axis))
        return lines

    # What is drawn.

    @property
    def reach(self) -> float:
        """How far the y axis goes."""
        return self._reach(max(1, self.size.width - _AXIS_WIDTH))

    def _reach(self, columns: int) -> float:
        return nice_top(max(self._top, *(float(level.max(initial=0)) for level in self._levels(columns))))

    def _levels(self, columns: int) -> list[FloatArray]:
        """Return the heights that have to fit: the stacked areas, and each of the others."""
        areas = [resampled(s.values, columns) for s in self._series if s.look == "area"]
        others = [resampled(s.values, columns * 2) for s in self._series if s.look != "area"]
        return [*([np.sum(areas, axis=0)] if areas else []), *others]

    def _cells(self, columns: int, rows: int, top: float) -> list[list[_Cell]]:
        empty: _Cell = (" ", None, None)
        cells = [[empty] * columns for _ in range(rows)]
        for series in (s for s in self._series if s.look == "dots"):
            self._fill_dots(cells, resampled(series.values, columns * 2) / top * rows * 4, self._rich(series.colour))
        self._mark_now(cells, columns)
        areas = [s for s in self._series if s.look == "area"]
        if areas:
            self._fill_areas(cells, areas, top)
        for series in (s for s in self._series if s.look == "line"):
            self._draw_line(cells, resampled(series.values, columns * 2) / top * rows * 4, self._rich(series.colour))
        return cells

    def _fill_dots(self, cells: list[list[_Cell]], heights: FloatArray, colour: RichColor) -> None:
        rows = len(cells)
        for row in range(rows):
            bottom = (rows - 1 - row) * 4
            filled = np.clip(np.rint(heights - bottom), 0, 4).astype(int)
            for column in range(len(cells[row])):
                left, right = int(filled[2 * column]), int(filled[2 * column + 1])
                if left or right:
                    dots = sum(_LEFT_DOTS[:left]) | sum(_RIGHT_DOTS[:right])
                    cells[row][column] = (chr(0x2800 | dots), colour, None)

    def _fill_areas(self, cells: list[list[_Cell]], areas: list[Series], top: float) -> None:
        rows, columns = len(cells), len(cells[0])
        colours = [self._rich(series.colour) for series in areas]
        edges = np.cumsum([resampled(s.values, columns) for s in areas], axis=0) / top * rows * 8
        edges = np.rint(edges).astype(int)
        # What is there at all shows at least as a thin line.
        total = np.sum([resampled(s.values, columns) for s in areas], axis=0)
        edges[-1] = np.maximum(edges[-1], (total > top * 1e-4).astype(int))
        for column in range(columns):
            heights = [int(edge) for edge in edges[:, column]]
            for row in range(rows):
                bottom = (rows - 1 - row) * 8
                if heights[-1] <= bottom:
                    continue
                glyph, fore, back = _area_cell(heights, bottom, colours)
                below_glyph, below_colour, _ = cells[row][column]
                if back is None and glyph not in _SOLID and below_colour is not None and below_glyph == _ALL_DOTS:
                    back = self._faint(below_colour)
                cells[row][column] = (glyph, fore, back)

    def _draw_line(self, cells: list[list[_Cell]], heights: FloatArray, colour: RichColor) -> None:
        rows = len(cells)
        levels = np.clip(np.rint(heights), 0, rows * 4 - 1).astype(int)
        dots: dict[tuple[int, int], int] = {}
        before = int(levels[0])
        for x, level in enumerate(int(v) for v in levels):
            low, high = min(before, level), max(before, level)
            for dot in range(low if low == high else low + (before < level), high + (before <= level)):
                masks = _LEFT_DOTS if x % 2 == 0 else _RIGHT_DOTS
                place = (rows - 1 - dot // 4, x // 2)
                dots[place] = dots.get(place, 0) | masks[dot % 4]
            before = level
        for (row, column), mask in dots.items():
            glyph, fore, back = cells[row][column]
            behind = fore if glyph in _SOLID else back
            cells[row][column] = (chr(0x2800 | mask), colour, behind)

    def _mark_now(self, cells: list[list[_Cell]], columns: int) -> None:
        column = self._column_of_now(columns)
        if column is not None:
            colour = self.get_component_rich_style("chart--now", partial=True).color
            for row in cells:
                row[column] = ("┊", colour, None)

    def _column_of_now(self, columns: int) -> int | None:
        span = self._span
        if self._now_s is None or not span.start_s <= self._now_s <= span.end_s:
            return None
        share = (self._now_s - span.start_s) / max(1e-9, span.end_s - span.start_s)
        return min(columns - 1, int(share * columns))

    # Around it.

    def _legend(self, width: int, base: Style) -> Strip:
        segments = [Segment(" " * _AXIS_WIDTH, base)]
        textures = iter(_SOLID)
        for series in self._series:
            glyph = {"dots": "⣿", "line": "⠤"}.get(series.look) or next(textures, "█")
            segments.append(Segment(f"{glyph}{glyph}", base + Style(color=self._rich(series.colour))))
            segments.append(Segment(f" {series.name}   ", base))
        if self._column_of_now(width - _AXIS_WIDTH) is not None:
            segments.append(Segment("┊ ", base + self.get_component_rich_style("chart--now", partial=True)))
            segments.append(Segment("now", base))
        return Strip(segments).adjust_cell_length(width, base)

    def _label(self, row: int, rows: int, top: float) -> str:
        marks = {0: top, round(rows / 2): top / 2} if rows >= 5 else {0: top}
        return self._unit(float(f"{marks[row]:.3g}")) if row in marks else ""

    def _times(self, columns: int, base: Style, axis: Style) -> Strip:
        span = self._span
        seconds = span.end_s - span.start_s
        label = span.label or _clock
        most = max(2, columns // 9)
        step_s = next((s for s in _STEPS_S if seconds / s <= most), _STEPS_S[-1])
        first_s = -(-span.start_s // step_s) * step_s if span.label is None else span.start_s
        text = [" "] * (columns + _AXIS_WIDTH)
        time_s = first_s
        taken = 0
        while time_s <= span.end_s:
            column = _AXIS_WIDTH + int((time_s - span.start_s) / max(1e-9, seconds) * columns)
            written = label(time_s)
            begin = min(column, len(text) - len(written))
            if begin >= taken:
                text[begin : begin + len(written)] = written
                taken = begin + len(written) + 1
            time_s += step_s
        return Strip([Segment("".join(text), axis)]).adjust_cell_length(columns + _AXIS_WIDTH, base)

    def _faint(self, colour: RichColor) -> RichColor:
        """Return what a dotted cell looks like from afar."""
        return self.background_colors[1].blend(Color.from_rich_color(colour), 0.3).rich_color

    def _rich(self, colour: str) -> RichColor:
        value = self.app.theme_variables.get(colour, colour)
        background = self.background_colors[1]
        return (background + Color.parse(value)).rich_color


_Cell = tuple[str, RichColor | None, RichColor | None]
_STEPS_S = (60, 300, 600, 900, 1800, *(h * 3600 for h in (1, 2, 3, 4, 6, 12, 24, 7 * 24, 30 * 24)))


def _area_cell(heights: list[int], bottom: int, colours: list[RichColor]) -> _Cell:
    """Return the cell whose lower edge is at `bottom` eighths, where areas end at `heights`."""
    lowest = next(i for i, height in enumerate(heights) if height > bottom)
    filled = heights[lowest] - bottom
    if filled >= 8:
        return (_SOLID[lowest % len(_SOLID)], colours[lowest], None)
    above = next((i for i in range(lowest + 1, len(heights)) if heights[i] > heights[lowest]), None)
    return (_EIGHTHS[filled], colours[lowest], None if above is None else colours[above])


def _clock(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%H:%M")


def resampled(values: Sequence[float] | FloatArray, count: int) -> FloatArray:
    """Return the mean of the values in each of `count` equal parts."""
    given = np.asarray(values, dtype=np.float64)
    if len(given) == 0:
        return np.zeros(count)
    cumulative = np.concatenate(([0.0], np.cumsum(given)))
    edges = np.linspace(0, len(given), count + 1)
    return np.diff(np.interp(edges, np.arange(len(given) + 1), cumulative)) * (count / len(given))


def nice_top(value: float) -> float:
    """Return a round number that is not below a value."""
    if value <= 0:
        return 1.0
    exponent = 10.0 ** np.floor(np.log10(value))
    return float(
        next(step * exponent for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * exponent >= value * 0.999999)
    )
