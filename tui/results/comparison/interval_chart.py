"""Chart of means with 95 % intervals, a line per simulation, next to the paired differences from the first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.widget import Widget

from scenarios.metrics import Figure, SampleStatistics
from scenarios.results.comparison import SimulationComparison, drawn_figures, mean_text, scaled, unit_of
from tui.formatting import fit
from tui.widgets import rich_colour

MARKS = "●■◆▲▼★✚"
"""Marks by simulation, so that colour is not needed."""
_COLOURS = ("primary", "secondary", "success", "accent", "warning", "error")
_WIDE = 110
"""Minimum width for differences next to the means."""
_LEAST_WIDTH = 40
"""Width for which it is drawn if it has less, as before its first layout."""
_LEAST_LABEL = 14
_VALUE_WIDTH = 17


class Intervals(Widget):
    """Interval chart; scrolls within its container."""

    DEFAULT_CSS = """
    Intervals { height: auto; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._comparison: SimulationComparison | None = None

    def show(self, comparison: SimulationComparison) -> None:
        """Draw another comparison."""
        self._comparison = comparison
        self.refresh(layout=True)

    def render(self) -> Text:
        """Draw the figures below each other."""
        comparison = self._comparison
        if comparison is None:
            return Text()
        width = max(_LEAST_WIDTH, self.content_size.width or self.size.width)
        label = label_width([one.label for one in comparison.simulations], width)
        has_differences = width >= _WIDE and any(of.reference == 0 for of in comparison.differences)
        room = width - label - _VALUE_WIDTH
        plot = room if not has_differences else (room - _VALUE_WIDTH - 4) // 2
        lines = []
        for figure in drawn_figures(comparison):
            lines += self._figure(comparison, figure, label, plot, has_differences=has_differences)
        return Text("\n", no_wrap=True).join(lines)

    def _figure(
        self, comparison: SimulationComparison, figure: Figure, label: int, plot: int, *, has_differences: bool
    ) -> list[Text]:
        theme = self.app.theme_variables
        spreads = [comparison.statistics_of(i, figure.name) for i in comparison.indexes]
        paired = [comparison.difference(0, i) for i in comparison.indexes]
        changes = [None if of is None else of.figures[figure.name] for of in paired]
        means = Scale(figure, spreads, plot)
        differences = Scale(figure, [of for of in changes if of is not None], plot, with_zero=True)
        unit = unit_of(figure)
        title = Text(f"{figure.label}, {unit}" if unit else figure.label, style="bold")
        if has_differences:
            title.append(" " * max(2, label + plot + _VALUE_WIDTH + 4 - title.cell_len))
            unit = unit_of(figure, of_difference=True)
            title.append(f"minus {comparison.simulations[0].label}{f', {unit}' if unit else ''}", "dim")
        lines = [title]
        for i, one in enumerate(comparison.simulations):
            colour = rich_colour(theme, _COLOURS[i % len(_COLOURS)])
            line = Text(f"{MARKS[i % len(MARKS)]} {fit(one.label, label - 2, is_id=True)}", style=colour)
            line.append(means.bar(spreads[i], MARKS[i % len(MARKS)]), colour)
            line.append(mean_text(figure, spreads[i]).rjust(_VALUE_WIDTH))
            if has_differences:
                change = changes[i]
                line.append("    ")
                line.append(differences.bar(change, MARKS[i % len(MARKS)]), colour)
                text = "" if change is None else mean_text(figure, change, signed=True)
                line.append(text.rjust(_VALUE_WIDTH))
            lines.append(line)
        axis = Text(" " * label + means.axis(), style="dim")
        if has_differences:
            axis.append(" " * (_VALUE_WIDTH + 4) + differences.axis())
        return [*lines, axis]


def label_width(labels: Sequence[str], width: int) -> int:
    """Return the width of marks and labels: theirs, but at most half of what the values leave.

    Args:
        labels: Of the simulations. Some differ only at their end, by the time at which they were created.
        width: Of the chart, in cells.
    """
    most = max(_LEAST_LABEL, (width - _VALUE_WIDTH) // 2 - 2)
    return min(most, max(cell_len(label) for label in labels)) + 2


_SAME = 1e-9
"""Values that differ by this share at most are the same, computed in different orders."""
_MOST_DECIMALS = 6


class Scale:
    """A horizontal scale, in cells."""

    def __init__(
        self, figure: Figure, spreads: Sequence[SampleStatistics], width: int, *, with_zero: bool = False
    ) -> None:
        self._figure = figure
        self._width = width
        self._with_zero = with_zero
        ends = [
            scaled(figure, value) for of in spreads for value in (of.mean, of.low_95, of.high_95) if value is not None
        ]
        if with_zero:
            ends.append(0.0)
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        if high - low <= max(abs(low), abs(high)) * _SAME:
            low = high = (low + high) / 2
        room = (high - low) * 0.04 or max(abs(high) * 0.02, 0.05)
        self._low, self._high = low - room, high + room
        self._decimals = max(2, min(_MOST_DECIMALS, 1 - math.floor(math.log10(self._high - self._low))))

    def cell(self, value: float) -> int:
        """Return the cell of a value, given in display units."""
        share = (value - self._low) / (self._high - self._low)
        return min(self._width - 1, max(0, round(share * (self._width - 1))))

    def bar(self, spread: SampleStatistics | None, mark: str) -> str:
        """Draw the interval as a line with ends and the mean as a mark."""
        cells = [" "] * self._width
        if self._with_zero:
            cells[self.cell(0.0)] = "┊"
        if spread is None or spread.mean is None:
            return "".join(cells)
        if spread.low_95 is not None and spread.high_95 is not None:
            low, high = (self.cell(scaled(self._figure, end)) for end in (spread.low_95, spread.high_95))
            cells[low : high + 1] = "─" * (high + 1 - low)
            if high > low:
                cells[low], cells[high] = "├", "┤"
        cells[self.cell(scaled(self._figure, spread.mean))] = mark
        return "".join(cells)

    def axis(self) -> str:
        """Return the values at both ends."""
        low, high = (f"{end:,.{self._decimals}f}" for end in (self._low, self._high))
        if self._with_zero:
            middle = self.cell(0.0)
            if len(low) + 1 < middle < self._width - len(high) - 2:
                return low + " " * (middle - len(low)) + "0" + " " * (self._width - middle - 1 - len(high)) + high
        return low + " " * max(1, self._width - len(low) - len(high)) + high
