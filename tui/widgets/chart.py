"""A chart of power or energy over time: stacked areas, a dotted area behind them, lines in front.

Each meaning has its own colour and pattern (`tui.widgets.theme_colours`). A cursor, moved by the mouse or by keys,
shows the values of its column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.strip import Strip
from textual.widget import Widget

from broker import plural, printable_line
from scenarios import DAY_S, EventMark, Zone
from tui.widgets.theme_colours import Look, SeriesStyle

FloatArray = npt.NDArray[np.float64]

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_LEFT_DOTS = (0x40, 0x04, 0x02, 0x01)
_RIGHT_DOTS = (0x80, 0x20, 0x10, 0x08)
_LEFT_FILLED, _RIGHT_FILLED = (tuple(sum(dots[:count]) for count in range(5)) for dots in (_LEFT_DOTS, _RIGHT_DOTS))
"""Dots of half a cell, by how many are filled from the bottom."""
_ALL_DOTS = 0x28FF
_AXIS_WIDTH = 8
_HOUR_S = 3600
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a time of the clock, in any zone
_LAST_DAY_S = (datetime(9999, 12, 31) - _EPOCH).total_seconds()  # noqa: DTZ001 - as above
_LEGEND_FORMS = ((_AXIS_WIDTH, 3, False), (1, 2, False), (_AXIS_WIDTH, 3, True), (1, 1, True))
"""Forms of the legend, the preferred one first: indent, gap between entries in cells, and whether names are short."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series of the chart."""

    name: str
    values: Sequence[float] | FloatArray
    """Values in equal steps over the whole width."""
    look: Look = "area"
    colour: str = "primary"
    """A variable of the theme, or any colour."""
    pattern: str = "█"
    """Fill character; for dots, a bit mask of the eight dots."""
    short_name: str = ""
    """In a legend that has no room for the name; empty: the name."""

    def __post_init__(self) -> None:
        """Make the names harmless: the chart draws them itself."""
        object.__setattr__(self, "name", printable_line(self.name))
        object.__setattr__(self, "short_name", printable_line(self.short_name) or self.name)


def drawn(
    meaning: SeriesStyle, values: Sequence[float] | FloatArray, name: str = "", *, short_name: str = ""
) -> Series:
    """Return a series with the standard look of its meaning.

    Args:
        meaning: The meaning of the values.
        values: Values in equal steps over the whole width.
        name: In the legend; empty: the meaning's.
        short_name: In a legend that has no room for the name; empty: the name.
    """
    return Series(name or meaning.name, values, meaning.look, meaning.colour, meaning.pattern, short_name)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The x axis: UNIX seconds, or seconds since something."""

    start_s: float
    end_s: float
    label: Zone | Callable[[float], str] = Zone()  # noqa: RUF009 - frozen
    """Zone for UNIX seconds, or a formatter for seconds from 0."""

    @property
    def is_long(self) -> bool:
        """Whether it covers more than one calendar day."""
        if not isinstance(self.label, Zone):
            return False
        return self.label.at(self.start_s).date() != self.label.at(max(self.start_s, self.end_s - 1)).date()

    def ticks(self, most: int) -> list[float]:
        """Return round times for labels, in the zone of the axis.

        Args:
            most: Maximum number of labels.
        """
        length_s = self.end_s - self.start_s
        step_s = next((s for s in _STEPS_S if length_s / s <= max(1, most)), _STEPS_S[-1])
        while length_s / step_s > max(1, most):
            step_s *= 2
        if not isinstance(self.label, Zone):
            first_s = -(-self.start_s // step_s) * step_s
            return [first_s + n * step_s for n in range(int((self.end_s - first_s) // step_s) + 1)]
        begin, end = (self.label.at(time_s).replace(tzinfo=None) for time_s in (self.start_s, self.end_s))
        first = -(-(begin - _EPOCH).total_seconds() // step_s)
        # Clocks may go back before the end, by up to a day.
        last = min((end - _EPOCH).total_seconds() + DAY_S, _LAST_DAY_S) // step_s
        ticks: set[float] = set()
        for n in range(int(first), int(last) + 1):
            clock = (_EPOCH + timedelta(seconds=n * step_s)).replace(tzinfo=self.label.tzinfo)
            # Clocks that go forward skip some; the ticks there are the moment after.
            ticks.add(clock.timestamp())
            if step_s <= _HOUR_S:
                # Clocks that go back show some twice; the second time is a tick too.
                ticks.add(max(clock.timestamp(), clock.replace(fold=1).timestamp()))
        return sorted(time_s for time_s in ticks if self.start_s <= time_s <= self.end_s)

    def tick_text(self, time_s: float) -> str:
        """Format a tick: the time of day, or the date at the start of a day on a long axis."""
        if not isinstance(self.label, Zone):
            return self.label(time_s)
        starts_day = self.label.at(time_s).date() != self.label.at(time_s - 1).date()
        return self.label.day(time_s) if self.is_long and starts_day else self.label.narrow(time_s, "%H:%M")

    def period(self, begin_s: float, end_s: float) -> str:
        """Format a period of the axis."""
        if not isinstance(self.label, Zone):
            return f"{self.label(begin_s)}-{self.label(end_s)}"
        form = "%d %b %H:%M" if self.is_long else "%H:%M"
        return f"{self.label.narrow(begin_s + 30, form)}-{self.label.narrow(end_s + 30, '%H:%M')}"


def watts(value: float) -> str:
    """Format a power given in W."""
    return f"{value / 1000:g} kW" if abs(value) >= 1000 else f"{value:g} W"


class Chart(Widget, can_focus=True):
    """Chart widget; draws the data given to `show`."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cursor(-1)", "Earlier", show=False, tooltip="Read the values of the chart a column earlier"),
        Binding("right", "cursor(1)", "Later", show=False, tooltip="Read the values of the chart a column later"),
        Binding("ctrl+left", "cursor(-8)", "Much earlier", show=False),
        Binding("ctrl+right", "cursor(8)", "Much later", show=False),
        Binding("home", "cursor_to(0)", "Start of the chart", show=False),
        Binding("end", "cursor_to(1)", "End of the chart", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--axis",
        "chart--now",
        "chart--empty",
        "chart--event",
        "chart--cursor",
    }
    DEFAULT_CSS = """
    Chart { height: 1fr; min-height: 5; background: $background; }
    Chart:focus > .chart--axis { color: $primary; }
    Chart > .chart--axis { color: $foreground 55%; }
    Chart > .chart--now { color: $now; text-style: bold; }
    Chart > .chart--empty { color: $foreground 60%; }
    Chart > .chart--event { color: $foreground 70%; }
    Chart > .chart--cursor { color: $foreground; text-style: bold; }
    """

    def __init__(
        self,
        *,
        empty: str = "Nothing to draw yet",
        waiting: str = "",
        id: str | None = None,
    ) -> None:
        """Make a chart.

        Args:
            empty: Text shown without data.
            waiting: Text until data are shown for the first time; empty: that without data.
            id: See `textual.widget.Widget`.
        """
        super().__init__(id=id)
        self._empty = empty
        self._instead = waiting or empty
        """Text in place of data."""
        self._series: tuple[Series, ...] = ()
        self._span = TimeAxis(0, 1)
        self._now_s: float | None = None
        self._top = 0.0
        self._marks: tuple[EventMark, ...] = ()
        self._cursor_s: float | None = None
        self._drawn: tuple[object, list[Strip]] | None = None

    def stop_waiting(self, instead: str) -> None:
        """Show a text in place of data until there are some: they could not be read."""
        self._instead = instead
        self._draw_again()

    def show(
        self,
        series: Sequence[Series],
        span: TimeAxis,
        *,
        now_s: float | None = None,
        top: float = 0.0,
        marks: Sequence[EventMark] = (),
    ) -> None:
        """Show new data.

        Args:
            series: The series to draw; areas from the bottom up.
            span: The x axis.
            now_s: Position of the mark for the present; None: no mark.
            top: Minimum upper end of the y axis, for charts with a common scale.
            marks: Events by their time, which the cursor reads.
        """
        self._top, self._marks = top, tuple(marks)
        self._instead = self._empty
        self._series, self._span, self._now_s = tuple(series), span, now_s
        self._draw_again()

    def notify_style_update(self) -> None:
        """Draw again in other colours."""
        super().notify_style_update()
        self._drawn = None

    def _draw_again(self) -> None:
        self._drawn = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a line of the picture."""
        size = self.size
        if self._drawn is None or self._drawn[0] != size:
            self._drawn = (size, self._draw(size.width, size.height))
        lines = self._drawn[1]
        return lines[y] if y < len(lines) else Strip.blank(size.width, self.rich_style)

    # The cursor.

    def action_cursor(self, by: int) -> None:
        """Move the cursor by columns; show it in the middle, or at the present, where there was none."""
        columns = self._columns
        column = self._column_of(self._cursor_s)
        if column is None:
            now = self._column_of(self._now_s)
            column = columns // 2 if now is None else now
        else:
            column += by
        self._put_cursor(column)

    def action_cursor_to(self, share: int) -> None:
        """Move the cursor to the start (0) or the end (1)."""
        self._put_cursor(share * (self._columns - 1))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show the values under the mouse."""
        column = event.x - _AXIS_WIDTH
        self._put_cursor(column if 0 <= column < self._columns else None)

    def on_leave(self) -> None:
        """Hide the cursor when the mouse leaves."""
        if not self.has_focus:
            self._put_cursor(None)

    def on_blur(self) -> None:
        """Hide the cursor when the focus leaves."""
        self._put_cursor(None)

    @property
    def _columns(self) -> int:
        return max(1, self.size.width - _AXIS_WIDTH)

    def _put_cursor(self, column: int | None) -> None:
        """Put the cursor on a column; it keeps its time when size or values change."""
        cursor_s = None
        if column is not None and self._series:
            at = min(max(0, column), self._columns - 1) + 0.5
            cursor_s = self._span.start_s + at / self._columns * (self._span.end_s - self._span.start_s)
        if cursor_s != self._cursor_s:
            self._cursor_s = cursor_s
            self._draw_again()

    def _when(self, column: int) -> str:
        span = self._span
        width_s = (span.end_s - span.start_s) / self._columns
        return span.period(span.start_s + column * width_s, span.start_s + (column + 1) * width_s)

    def _values_at(self, column: int) -> list[tuple[Series, str]]:
        """Return each series with its mean over a column."""
        values = ((series, float(resampled(series.values, self._columns)[column])) for series in self._series)
        return [(series, watts(float(f"{value:.3g}"))) for series, value in values]

    # The picture.

    def _draw(self, width: int, height: int) -> list[Strip]:
        base = self.rich_style
        columns, rows = width - _AXIS_WIDTH, height - 2
        if not self._series or columns < 8 or rows < 2:
            style = base + self.get_component_rich_style("chart--empty", partial=True)
            blank = Strip.blank(width, base)
            text = Strip([Segment(f"  {printable_line(self._instead)}"[:width], style)]).adjust_cell_length(width, base)
            return [blank, text, *[blank] * max(0, height - 2)]
        top = self._reach(columns)
        axis = base + self.get_component_rich_style("chart--axis", partial=True)
        column = self._column_of(self._cursor_s)
        lines = [self._legend(width, base) if column is None else self._reading(column, width, base)]
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
        """Upper end of the y axis."""
        return self._reach(self._columns)

    def _reach(self, columns: int) -> float:
        return nice_top(max(self._top, *(float(level.max(initial=0)) for level in self._levels(columns))))

    def _levels(self, columns: int) -> list[FloatArray]:
        """Return the values that determine the y axis: stacked areas, and each other series."""
        areas = [resampled(s.values, columns) for s in self._series if s.look == "area"]
        others = [resampled(s.values, columns * 2) for s in self._series if s.look != "area"]
        return [*([np.sum(areas, axis=0)] if areas else []), *others]

    def _cells(self, columns: int, rows: int, top: float) -> list[list[_Cell]]:
        empty: _Cell = (" ", None, None)
        cells = [[empty] * columns for _ in range(rows)]
        for series in (s for s in self._series if s.look == "dots"):
            self._fill_dots(cells, series, resampled(series.values, columns * 2) / top * rows * 4)
        for column in {self._column_of(mark.at_s) for mark in self._marks}:
            self._mark(cells, column, "╎", "chart--event")
        self._mark(cells, self._column_of(self._now_s), "┊", "chart--now")
        areas = [s for s in self._series if s.look == "area"]
        if areas:
            self._fill_areas(cells, areas, top)
        for series in (s for s in self._series if s.look == "line"):
            self._draw_line(cells, resampled(series.values, columns * 2) / top * rows * 4, self._rich(series.colour))
        self._mark(cells, self._column_of(self._cursor_s), "┃", "chart--cursor")
        return cells

    def _fill_dots(self, cells: list[list[_Cell]], series: Series, heights: FloatArray) -> None:
        rows, colour = len(cells), self._rich(series.colour)
        pattern = ord(series.pattern) if 0x2800 <= ord(series.pattern) <= _ALL_DOTS else _ALL_DOTS
        for row in range(rows):
            bottom = (rows - 1 - row) * 4
            filled = np.clip(np.rint(heights - bottom), 0, 4).astype(int).tolist()
            for column, (left, right) in enumerate(zip(filled[::2], filled[1::2], strict=True)):
                if left or right:
                    # The outline is solid, so that a sparse pattern shows its height too.
                    dots = pattern if left == right == 4 else 0x2800 | _LEFT_FILLED[left] | _RIGHT_FILLED[right]
                    cells[row][column] = (chr(dots), colour, None)

    def _fill_areas(self, cells: list[list[_Cell]], areas: list[Series], top: float) -> None:
        rows, columns = len(cells), len(cells[0])
        colours = [self._rich(series.colour) for series in areas]
        patterns = [series.pattern for series in areas]
        # The top cell of an area is solid, as only block characters have partial heights; dimmed to match the pattern.
        caps = [self._faint(c, _DENSITIES.get(p, 1.0)) for c, p in zip(colours, patterns, strict=True)]
        edges = np.cumsum([resampled(s.values, columns) for s in areas], axis=0) / top * rows * 8
        edges = np.rint(edges).astype(int)
        # Any non-zero value shows at least as a thin line.
        total = np.sum([resampled(s.values, columns) for s in areas], axis=0)
        edges[-1] = np.maximum(edges[-1], (total > top * 1e-4).astype(int))
        for column in range(columns):
            heights = [int(edge) for edge in edges[:, column]]
            for row in range(rows):
                bottom = (rows - 1 - row) * 8
                if heights[-1] <= bottom:
                    continue
                glyph, fore, back = _area_cell(heights, bottom, colours, caps, patterns)
                below_glyph, below_colour, _ = cells[row][column]
                is_dotted = 0x2800 < ord(below_glyph) <= _ALL_DOTS
                if back is None and glyph in _EIGHTHS and below_colour is not None and is_dotted:
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
            behind = back if glyph == " " or glyph in _EIGHTHS[:-1] or ord(glyph) >= 0x2800 else fore
            cells[row][column] = (chr(0x2800 | mask), colour, behind)

    def _mark(self, cells: list[list[_Cell]], column: int | None, glyph: str, look: str) -> None:
        """Draw a vertical line."""
        if column is not None:
            colour = self.get_component_rich_style(look, partial=True).color
            for row in cells:
                row[column] = (glyph, colour, None)

    def _column_of(self, time_s: float | None) -> int | None:
        span = self._span
        if time_s is None or not span.start_s <= time_s <= span.end_s:
            return None
        share = (time_s - span.start_s) / max(1e-9, span.end_s - span.start_s)
        return min(self._columns - 1, int(share * self._columns))

    # Around it.

    def _sample(self, series: Series, base: Style) -> Segment:
        glyph = "⠤" if series.look == "line" else series.pattern
        return Segment(f"{glyph}{glyph}", base + Style(color=self._rich(series.colour)))

    def _legend(self, width: int, base: Style) -> Strip:
        """Return what each series means; closer together, and with shorter names, if there is no room."""
        is_now_drawn = self._column_of(self._now_s) is not None
        due = [mark for mark in self._marks if self._column_of(mark.at_s) is not None]
        segments: list[Segment] = []
        for indent, gap, is_short in _LEGEND_FORMS:
            segments = [Segment(" " * indent, base)]
            for series in self._series:
                name = series.short_name if is_short else series.name
                segments += [self._sample(series, base), Segment(f" {name}{' ' * gap}", base)]
            if is_now_drawn:
                segments.append(Segment("┊ ", base + self.get_component_rich_style("chart--now", partial=True)))
                segments.append(Segment("now", base))
            if due:
                look = self.get_component_rich_style("chart--event", partial=True)
                segments.append(Segment(f"{' ' * gap if is_now_drawn else ''}╎ ", base + look))
                room = width - sum(cell_len(segment.text) for segment in segments)
                segments.append(Segment(self._due(due, room), base))
            if cell_len(Strip(segments).text.rstrip()) <= width:
                break
        return _fitted(segments, width, base)

    def _due(self, due: Sequence[EventMark], room: int) -> str:
        """Return what takes place in the period that is drawn, as far as there is room for it."""
        to_come = sum(mark.count for mark in due)
        fitting, said = plural(to_come, "event"), ""
        for mark in due:
            said += f"{', ' if said else ''}{self._span.tick_text(mark.at_s)} {printable_line(str(mark))}"
            if cell_len(said) > room:
                break
            to_come -= mark.count
            rest = f", {to_come:,} more" if to_come else ""
            if cell_len(said + rest) <= room:
                fitting = said + rest
        return fitting

    def _reading(self, column: int, width: int, base: Style) -> Strip:
        """Return the cursor's reading in place of the legend; without names if there is no room."""
        strong = base + self.get_component_rich_style("chart--cursor", partial=True)
        when, values = self._when(column), self._values_at(column)
        for gap, with_names in (("   ", True), ("  ", True), ("  ", False)):
            segments = [Segment(when, strong)]
            for series, value in values:
                name = f" {series.name}" if with_names else ""
                segments += [Segment(gap, base), self._sample(series, base), Segment(f"{name} ", base)]
                segments.append(Segment(value, strong))
            room = width - sum(cell_len(segment.text) for segment in segments)
            if room >= 0:
                break
        if labels := "; ".join(str(mark) for mark in self._marks if self._column_of(mark.at_s) == column):
            segments.append(Segment(f"   ╎ {labels}", base))
        indent = min(_AXIS_WIDTH, max(0, room))
        return _fitted([Segment(" " * indent, base), *segments], width, base)

    def _label(self, row: int, rows: int, top: float) -> str:
        marks = {0: top, round(rows / 2): top / 2} if rows >= 5 else {0: top}
        return watts(float(f"{marks[row]:.3g}")) if row in marks else ""

    def _times(self, columns: int, base: Style, axis: Style) -> Strip:
        """Return the x axis: a tick and label at each round time."""
        span = self._span
        text = [" "] * (columns + _AXIS_WIDTH)
        taken = 0
        for time_s in span.ticks(max(2, columns // 10)):
            column = _AXIS_WIDTH + int((time_s - span.start_s) / max(1e-9, span.end_s - span.start_s) * columns)
            column = min(column, len(text) - 1)
            written = f"╵{span.tick_text(time_s)}"
            if column + len(written) > len(text):
                written = f"{written[1:]}╵"
                column -= len(written) - 1
            if column >= taken:
                text[column : column + len(written)] = written
                taken = column + len(written) + 1
        return Strip([Segment("".join(text), axis)]).adjust_cell_length(columns + _AXIS_WIDTH, base)

    def _faint(self, colour: RichColor, density: float = 0.3) -> RichColor:
        """Return the average colour of a pattern's cell; without a density, of dots."""
        return self.background_colors[1].blend(Color.from_rich_color(colour), density).rich_color

    def _rich(self, colour: str) -> RichColor:
        value = self.app.theme_variables.get(colour, colour)
        background = self.background_colors[1]
        return (background + Color.parse(value)).rich_color


def _fitted(segments: Sequence[Segment], width: int, base: Style) -> Strip:
    """Return a line of a given width; an ellipsis shows that it was cut."""
    line = Strip(segments)
    if cell_len(line.text.rstrip()) > width:
        line = Strip([*line.crop(0, width - 1), Segment("…", base)])
    return line.adjust_cell_length(width, base)


_Cell = tuple[str, RichColor | None, RichColor | None]
_STEPS_S = (60, 300, 600, 900, 1800, *(h * 3600 for h in (1, 2, 3, 4, 6, 12, 24, 2 * 24, 7 * 24, 14 * 24, 28 * 24)))


_DENSITIES = {"░": 0.35, "▒": 0.6, "▓": 0.8, "▚": 0.6, "▤": 0.6}
"""Share of a cell filled by a pattern."""


def _area_cell(
    heights: list[int], bottom: int, colours: list[RichColor], caps: list[RichColor], patterns: list[str]
) -> _Cell:
    """Return the cell whose lower edge is at `bottom` eighths, where areas end at `heights`."""
    lowest = next(i for i, height in enumerate(heights) if height > bottom)
    filled = heights[lowest] - bottom
    if filled >= 8:
        return (patterns[lowest], colours[lowest], None)
    above = next((i for i in range(lowest + 1, len(heights)) if heights[i] > heights[lowest]), None)
    return (_EIGHTHS[filled], caps[lowest], None if above is None else caps[above])


def resampled(values: Sequence[float] | FloatArray, count: int) -> FloatArray:
    """Return the mean of the values in each of `count` equal parts.

    Args:
        values: Values in equal steps, shape (steps,).
        count: Number of parts.
    """
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
