"""Figure of a comparison: means with 95 % intervals, next to paired differences from the first simulation.

The layout is computed once, from lines, markers and text. An SVG needs nothing else; a PNG is drawn by matplotlib, an
optional extra.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal
from xml.etree import ElementTree as ET

from broker import printable_line
from scenarios.metrics import Figure, SampleStatistics
from scenarios.results.comparison.compared_simulation import OF_BEST, OF_SHARED_BEST
from scenarios.results.comparison.comparison import SimulationComparison
from scenarios.results.comparison.tables import mean_text, scaled, scenario_title, unit_of
from scenarios.results.connection import OutputFormatError

DRAWN_FIGURES = (
    "self_sufficiency",
    "self_consumption",
    "grid_wh",
    OF_BEST,
    OF_SHARED_BEST,
    "consumption_peak_to_average",
)
"""Figures that are drawn, where a simulation has them."""

_WIDTH, _MARGIN, _ROW, _PANEL_GAP = 900.0, 18.0, 24.0, 62.0
_LEFT, _MIDDLE, _RIGHT = (0.20, 0.55), (0.55, 0.60), (0.64, 0.97)
_LABEL_WIDTH = _LEFT[0] * _WIDTH - 10 - _MARGIN
"""Room for a label, pixels."""
_LETTER = 0.58
"""Average width of a letter, relative to its size."""
_SMALLEST = 9.0
"""Size of letters that can still be read, pixels."""
_LINE = 16.0
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")
"""The palette of Okabe and Ito, safe for colour-blind readers; the shapes differ as well."""
_SHAPES: tuple[Shape, ...] = ("circle", "square", "diamond", "triangle")
_INK, _FAINT, _GRID = "#222222", "#666666", "#dddddd"
_PNG_DPI = 200
_MOST_DOTS = 60_000
"""Height of a PNG; matplotlib draws less than 2^16."""

Shape = Literal["circle", "square", "diamond", "triangle"]


@dataclass(frozen=True, slots=True)
class LineShape:
    """A straight line, in pixels from the upper left corner."""

    x1: float
    """Begins at (x1, y1), ends at (x2, y2)."""
    y1: float
    x2: float
    y2: float
    colour: str
    """A CSS colour, as of all shapes."""
    width: float = 1.0
    """Pixels."""
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class MarkerShape:
    """A filled marker at a point."""

    x: float
    """Its centre, pixels from the upper left corner."""
    y: float
    radius: float
    """Pixels."""
    colour: str
    shape: Shape = "circle"
    opacity: float = 1.0
    """From 0, invisible, to 1."""

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Its corners; empty for a circle."""
        x, y, r = self.x, self.y, self.radius
        return {
            "circle": (),
            "square": ((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)),
            "diamond": ((x, y - 1.3 * r), (x + 1.3 * r, y), (x, y + 1.3 * r), (x - 1.3 * r, y)),
            "triangle": ((x, y - 1.2 * r), (x + 1.2 * r, y + r), (x - 1.2 * r, y + r)),
        }[self.shape]


@dataclass(frozen=True, slots=True)
class TextShape:
    """A line of text; `y` is its baseline."""

    x: float
    """Anchor of the text, pixels from the upper left corner."""
    y: float
    text: str
    size: float = 12.0
    """Font size, pixels."""
    anchor: Literal["start", "middle", "end"] = "start"
    """Whether `x` is the beginning, the middle or the end of the text."""
    colour: str = _INK
    is_bold: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes to draw, bottom-most first."""

    width: float
    """Pixels."""
    height: float
    """Pixels."""
    parts: tuple[LineShape | MarkerShape | TextShape, ...]
    description: str
    """Description for readers who cannot see it."""


def drawn_figures(comparison: SimulationComparison) -> tuple[Figure, ...]:
    """Return those of `DRAWN_FIGURES` that a simulation has."""
    by_name = {figure.name: figure for figure in comparison.figures}
    return tuple(by_name[name] for name in DRAWN_FIGURES if name in by_name)


def draw(comparison: SimulationComparison) -> Drawing:
    """Lay out the figure of a comparison.

    Where a label is too long for its row, rows have numbers, and a key above them says what each one is.
    """
    figures = drawn_figures(comparison)
    count = len(comparison.simulations)
    title = f"{printable_line(scenario_title(comparison))}: mean and 95 % interval over seeds"
    parts: list[LineShape | MarkerShape | TextShape] = [
        TextShape(_MARGIN, 30, title, _fitted(title, 16, _WIDTH - 2 * _MARGIN), is_bold=True)
    ]
    labels = [printable_line(one.label) for one in comparison.simulations]
    has_key = any(_fitted(label, 12, _LABEL_WIDTH) < _SMALLEST for label in labels)
    names = [str(number) for number in range(1, count + 1)] if has_key else labels
    top = 52.0
    for i, label in enumerate(labels if has_key else ()):
        parts.append(TextShape(_MARGIN + 22, top, names[i], 11, "end", is_bold=True))
        parts.append(MarkerShape(_MARGIN + 33, top - 4, 4, _COLOURS[i % len(_COLOURS)], _SHAPES[i % len(_SHAPES)]))
        for line in textwrap.wrap(label, 115) or [""]:
            parts.append(TextShape(_MARGIN + 44, top, line, 11))
            top += _LINE
    top += 10.0 if has_key else 0.0
    has_differences = any(of.reference == 0 for of in comparison.differences)
    parts.append(TextShape(_LEFT[0] * _WIDTH, top, "mean; faint: each run", 11, colour=_FAINT))
    if has_differences:
        about, left = f"difference from {names[0]}, same seeds", _RIGHT[0] * _WIDTH
        parts.append(TextShape(left, top, about, _fitted(about, 11, _WIDTH - _MARGIN - left), colour=_FAINT))
    top += 18.0
    for figure in figures:
        parts += _panel(comparison, figure, top, names, has_differences=has_differences)
        top += count * _ROW + _PANEL_GAP
    for warning in comparison.warnings:
        for line in textwrap.wrap(printable_line(warning), 130):
            parts.append(TextShape(_MARGIN, top, line, 11, colour=_FAINT))
            top += _LINE
    described = "; ".join(
        f"{label}: "
        + ", ".join(
            f"{figure.label} {mean_text(figure, comparison.statistics_of(i, figure.name))} {unit_of(figure)}".rstrip()
            for figure in figures
        )
        for i, label in enumerate(labels)
    )
    return Drawing(_WIDTH, top + 6, tuple(parts), described)


def _fitted(text: str, size: float, room: float) -> float:
    """Return the size of letters, at most `size`, at which a line of text is no wider than `room`, pixels."""
    return min(size, room / _LETTER / max(1, len(text)))


def _panel(
    comparison: SimulationComparison, figure: Figure, top: float, names: Sequence[str], *, has_differences: bool
) -> list[LineShape | MarkerShape | TextShape]:
    unit = unit_of(figure)
    parts: list[LineShape | MarkerShape | TextShape] = [
        TextShape(_MARGIN, top + 4, f"{figure.label}, {unit}" if unit else figure.label, 13, is_bold=True)
    ]
    top += 14
    simulations = comparison.simulations
    spreads = [comparison.statistics_of(i, figure.name) for i in comparison.indexes]
    runs = [
        [scaled(figure, value) for run in one.by_seed.values() if (value := run.get(figure.name)) is not None]
        for one in simulations
    ]
    bottom = top + len(simulations) * _ROW
    axis = _Axis(_LEFT, [*_ends(figure, spreads), *(value for values in runs for value in values)])
    parts += axis.grid(top, bottom)
    for i, name in enumerate(names):
        y = top + (i + 0.5) * _ROW
        parts.append(TextShape(_LEFT[0] * _WIDTH - 10, y + 4, name, _fitted(name, 12, _LABEL_WIDTH), "end"))
        parts += [
            MarkerShape(axis.x(value), y + 8, 2.5, _COLOURS[i % len(_COLOURS)], opacity=0.35) for value in runs[i]
        ]
        parts += _interval(axis, figure, spreads[i], y, i)
        parts.append(TextShape(_MIDDLE[0] * _WIDTH + 4, y + 4, mean_text(figure, spreads[i]), 11, colour=_FAINT))
    if has_differences:
        parts += _difference_panel(comparison, figure, top, bottom)
    return parts


def _difference_panel(
    comparison: SimulationComparison, figure: Figure, top: float, bottom: float
) -> list[LineShape | MarkerShape | TextShape]:
    differences = [(i, of.figures[figure.name]) for i in comparison.indexes if (of := comparison.difference(0, i))]
    axis = _Axis(_RIGHT, [0.0, *_ends(figure, [statistics for _, statistics in differences])])
    parts: list[LineShape | MarkerShape | TextShape] = [*axis.grid(top, bottom)]
    parts.append(LineShape(axis.x(0), top, axis.x(0), bottom, _INK, 1, is_dashed=True))
    for i, statistics in differences:
        parts += _interval(axis, figure, statistics, top + (i + 0.5) * _ROW, i)
    unit = unit_of(figure, of_difference=True)
    if unit:
        parts.append(TextShape(_RIGHT[1] * _WIDTH + 4, bottom + 15, unit, 10, colour=_FAINT))
    return parts


def _ends(figure: Figure, spreads: Sequence[SampleStatistics]) -> list[float]:
    found = [value for of in spreads for value in (of.mean, of.low_95, of.high_95) if value is not None]
    return [scaled(figure, value) for value in found]


def _interval(
    axis: _Axis, figure: Figure, statistics: SampleStatistics, y: float, i: int
) -> list[LineShape | MarkerShape | TextShape]:
    if statistics.mean is None:
        return []
    colour, shape = _COLOURS[i % len(_COLOURS)], _SHAPES[i % len(_SHAPES)]
    parts: list[LineShape | MarkerShape | TextShape] = []
    if statistics.low_95 is not None and statistics.high_95 is not None:
        low, high = axis.x(scaled(figure, statistics.low_95)), axis.x(scaled(figure, statistics.high_95))
        parts.append(LineShape(low, y, high, y, colour, 2.5))
        parts += [LineShape(x, y - 5, x, y + 5, colour, 2) for x in (low, high)]
    return [*parts, MarkerShape(axis.x(scaled(figure, statistics.mean)), y, 5, colour, shape)]


_SAME = 1e-9
"""Values that differ by this share at most are the same, computed in different orders."""


class _Axis:
    """A horizontal scale with round ticks."""

    def __init__(self, span: tuple[float, float], values: Sequence[float]) -> None:
        self._from, self._to = span[0] * _WIDTH, span[1] * _WIDTH
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if high - low <= max(abs(low), abs(high)) * _SAME:  # ticks would differ in their twelfth digit only
            low = high = (low + high) / 2
        room = (high - low) * 0.08 or max(abs(high) * 0.02, 0.05)
        low, high = low - room, high + room
        self._step = _round_step((high - low) / 5)
        self._low, self._high = low, high

    def x(self, value: float) -> float:
        """Return where a value stands, pixels."""
        return self._from + (value - self._low) / (self._high - self._low) * (self._to - self._from)

    def grid(self, top: float, bottom: float) -> list[LineShape | MarkerShape | TextShape]:
        """Return the lines at the ticks and what stands below them."""
        first = math.ceil(self._low / self._step)
        last = math.floor(self._high / self._step)
        decimals = max(0, -math.floor(math.log10(self._step) + 1e-9))
        parts: list[LineShape | MarkerShape | TextShape] = []
        for n in range(first, last + 1):
            value = n * self._step
            parts.append(LineShape(self.x(value), top, self.x(value), bottom, _GRID))
            parts.append(
                TextShape(self.x(value), bottom + 15, f"{value + 0.0:,.{decimals}f}", 10, "middle", colour=_FAINT)
            )
        return [*parts, LineShape(self._from, bottom, self._to, bottom, _FAINT)]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= step * 0.999999)


# Formats.


def svg(comparison: SimulationComparison) -> bytes:
    """Return the figure as SVG."""
    drawing = draw(comparison)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": _px(drawing.width),
            "height": _px(drawing.height),
            "viewBox": f"0 0 {_px(drawing.width)} {_px(drawing.height)}",
            "font-family": "Helvetica, Arial, 'DejaVu Sans', sans-serif",
            "role": "img",
        },
    )
    ET.SubElement(root, "title").text = printable_line(scenario_title(comparison))
    ET.SubElement(root, "desc").text = drawing.description
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    for part in drawing.parts:
        _svg_part(root, part)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _svg_part(root: ET.Element, part: LineShape | MarkerShape | TextShape) -> None:
    match part:
        case LineShape():
            ends = {"x1": part.x1, "y1": part.y1, "x2": part.x2, "y2": part.y2, "stroke-width": part.width}
            line = {name: _px(value) for name, value in ends.items()} | {"stroke": part.colour}
            ET.SubElement(root, "line", line | ({"stroke-dasharray": "4 3"} if part.is_dashed else {}))
        case MarkerShape():
            look = {"fill": part.colour} | ({"fill-opacity": _px(part.opacity)} if part.opacity < 1 else {})
            if part.corners:
                points = " ".join(f"{_px(x)},{_px(y)}" for x, y in part.corners)
                ET.SubElement(root, "polygon", {"points": points} | look)
            else:
                circle = {"cx": _px(part.x), "cy": _px(part.y), "r": _px(part.radius)}
                ET.SubElement(root, "circle", circle | look)
        case TextShape():
            look = {"font-size": _px(part.size), "text-anchor": part.anchor, "fill": part.colour}
            look |= {"font-weight": "bold"} if part.is_bold else {}
            text = ET.SubElement(root, "text", {"x": _px(part.x), "y": _px(part.y)} | look)
            text.text = part.text


def _px(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def check_png() -> None:
    """Find out whether a PNG can be drawn.

    Raises:
        OutputFormatError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise OutputFormatError("a .png needs matplotlib: pip install 'ssmic[figures]'; a .svg needs nothing more")


def png(comparison: SimulationComparison) -> bytes:
    """Return the figure as PNG.

    Raises:
        OutputFormatError: matplotlib is not installed.
    """
    return _drawn(comparison, "png", {"Software": None})


def pdf(comparison: SimulationComparison) -> bytes:
    """Return the figure as PDF.

    Raises:
        OutputFormatError: matplotlib is not installed.
    """
    return _drawn(comparison, "pdf", {"CreationDate": None})


def _drawn(comparison: SimulationComparison, kind: str, about: dict[str, None]) -> bytes:
    check_png()
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra, and slow to import
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415 - as above
    from matplotlib.lines import Line2D  # noqa: PLC0415 - as above
    from matplotlib.patches import Circle, Polygon  # noqa: PLC0415 - as above

    drawing = draw(comparison)
    dots = min(_PNG_DPI, _MOST_DOTS / drawing.height * 100)  # an inch
    canvas = Canvas(figsize=(drawing.width / 100, drawing.height / 100), dpi=dots, facecolor="white")
    axes = canvas.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.set_axis_off()
    for order, part in enumerate(drawing.parts):
        match part:
            case LineShape():
                axes.add_line(
                    Line2D(
                        (part.x1, part.x2),
                        (part.y1, part.y2),
                        color=part.colour,
                        linewidth=_points(part.width),
                        linestyle=(0, (4, 3)) if part.is_dashed else "-",
                        zorder=order,
                    )
                )
            case MarkerShape():
                mark = Polygon(part.corners) if part.corners else Circle((part.x, part.y), part.radius)
                mark.set(facecolor=part.colour, alpha=part.opacity, linewidth=0, zorder=order)
                axes.add_patch(mark)
            case TextShape():
                axes.text(
                    part.x,
                    part.y,
                    part.text.replace("$", r"\$"),
                    fontsize=_points(part.size),
                    color=part.colour,
                    ha={"start": "left", "middle": "center", "end": "right"}[part.anchor],
                    va="baseline",
                    fontweight="bold" if part.is_bold else "normal",
                    zorder=order,
                )
    out = io.BytesIO()
    FigureCanvasAgg(canvas)
    canvas.savefig(out, format=kind, metadata=about)
    return out.getvalue()


def _points(pixels: float) -> float:
    """Return pixels, a hundred to the inch, as points."""
    return pixels * 0.72
