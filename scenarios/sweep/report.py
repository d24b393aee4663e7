"""The report of a sweep: one HTML page with charts and tables that opens offline.

A chart draws a figure over a numeric parameter, with one colour for each combination of the other, listed values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from scenarios.metrics import Figure
from scenarios.results import refuse_existing, whole_file
from scenarios.results.comparison import (
    SimulationComparison,
    drawn_figures,
    main_figures,
    mean_text,
    scaled,
    svg,
    unit_of,
)
from scenarios.sweep.comparison import compared_points
from scenarios.sweep.plan import shown
from scenarios.sweep.results_file import SweepResults

_WIDTH, _HEIGHT = 430.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 14.0, 34.0, 44.0
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")
"""The palette of Okabe and Ito, safe for colour-blind readers."""
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_MOST_GROUPS = 12
_TICKS = 5


@dataclass(frozen=True, slots=True)
class _Dot:
    x: float
    mean: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    first: float
    last: float
    """Pixels of the two ends."""

    def at(self, value: float) -> float:
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self) -> list[float]:
        rough = (self.high - self.low) / _TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        first = math.ceil(self.low / step)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def numeric_keys(comparison: SimulationComparison) -> tuple[str, ...]:
    """Return the parameters that have at least two values, all of them numbers."""
    settings = [one.info.settings for one in comparison.simulations]
    keys = settings[0] if settings else {}
    return tuple(
        key for key in keys if len({one[key] for one in settings}) > 1 and all(_is_number(one[key]) for one in settings)
    )


def curve_svg(comparison: SimulationComparison, key: str, figure: Figure) -> str:
    """Return a chart of the means of `figure` in `comparison` with 95 % intervals over the numeric parameter `key`.

    The chart is an SVG text, empty if no point has the figure.
    """
    groups: dict[str, list[_Dot]] = {}
    for i, one in enumerate(comparison.simulations):
        of = comparison.statistics_of(i, figure.name)
        if of.mean is None:
            continue
        others = [f"{name}={shown(value)}" for name, value in one.info.settings.items() if not _is_number(value)]
        low, high = (of.mean if end is None else end for end in (of.low_95, of.high_95))
        mean, low, high = (scaled(figure, value) for value in (of.mean, low, high))
        dot = _Dot(float(one.info.settings[key]), mean, low, high, one.label)
        groups.setdefault(", ".join(others), []).append(dot)
    dots = [dot for group in groups.values() for dot in group]
    if not dots:
        return ""
    x = _scale([dot.x for dot in dots], _LEFT + 12, _WIDTH - _RIGHT - 12)
    y = _scale([end for dot in dots for end in (dot.low, dot.high)], _HEIGHT - _BOTTOM - 6, _TOP + 6)
    unit = unit_of(figure)
    title = f"{figure.label}, {unit}" if unit else figure.label
    described = escape(f"{title} over {key}", quote=True)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{described}">',
        f'<text x="{_LEFT - 48:g}" y="16" class="title">{escape(title)}</text>',
        *_axes(x, y, key),
    ]
    for n, (name, group) in enumerate(list(groups.items())[:_MOST_GROUPS]):
        parts += _drawn(group, name, n, x, y)
    return "\n".join([*parts, "</svg>"])


def group_names(comparison: SimulationComparison) -> tuple[tuple[str, str], ...]:
    """Return the names and colours of the groups that charts distinguish; empty if there is only one."""
    names = dict.fromkeys(
        ", ".join(f"{name}={shown(value)}" for name, value in one.info.settings.items() if not _is_number(value))
        for one in comparison.simulations
    )
    found = tuple((name, _COLOURS[n % len(_COLOURS)]) for n, name in enumerate(names))
    return found[:_MOST_GROUPS] if len(found) > 1 else ()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(values: Sequence[float], first: float, last: float) -> _Scale:
    low, high = min(values), max(values)
    if high <= low:
        half = max(abs(low) * 0.05, 0.5)
        low, high = low - half, high + half
    return _Scale(low, high, first, last)


def _axes(x: _Scale, y: _Scale, key: str) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    parts = []
    for value in y.ticks():
        at = y.at(value)
        parts.append(f'<line x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{at:.1f}" y2="{at:.1f}" class="rule"/>')
        parts.append(f'<text x="{_LEFT - 6:g}" y="{at + 4:.1f}" class="tick end">{value:.6g}</text>')
    for value in x.ticks():
        at = x.at(value)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{bottom:g}" y2="{bottom + 4:g}" class="axis"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 17:g}" class="tick middle">{value:.6g}</text>')
    parts.append(f'<line x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{bottom:g}" y2="{bottom:g}" class="axis"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:g}" y="{_HEIGHT - 8:g}" class="tick middle">{escape(key)}</text>')
    return parts


def _drawn(group: list[_Dot], name: str, n: int, x: _Scale, y: _Scale) -> list[str]:
    colour = _COLOURS[n % len(_COLOURS)]
    dash = _DASHES[n // len(_COLOURS) % len(_DASHES)]
    parts = [f"<g><title>{escape(name or 'all points')}</title>"]
    in_order = sorted(group, key=lambda dot: dot.x)
    if len({dot.x for dot in in_order}) == len(in_order) > 1:
        line = " ".join(f"{x.at(dot.x):.1f},{y.at(dot.mean):.1f}" for dot in in_order)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"{dashed}/>')
    for dot in in_order:
        at = x.at(dot.x)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y.at(dot.low):.1f}" y2="{y.at(dot.high):.1f}" '
            f'stroke="{colour}" stroke-width="1.4"/>'
        )
        text = f"{dot.label}: {dot.mean:.6g} ({dot.low:.6g} to {dot.high:.6g})"
        circle = f'<circle cx="{at:.1f}" cy="{y.at(dot.mean):.1f}" r="3.4" fill="{colour}">'
        parts.append(f"{circle}<title>{escape(text)}</title></circle>")
    return [*parts, "</g>"]


MOST_DRAWN = 40
"""With more points than this, intervals are drawn over the numeric parameters only."""
_CHARTED = (
    "self_sufficiency",
    "self_consumption",
    "grid_wh",
    "peak_import_w",
    "jobs_on_grid",
    "mean_delay_s",
    "bill_eur",
)


def write_sweep_report(results: SweepResults, path: Path, *, overwrite: bool = False) -> int:
    """Write the report of a sweep and return its size in bytes.

    Args:
        results: The content of the sweep's results file.
        path: The HTML file to write.
        overwrite: Whether an existing file is replaced.

    Raises:
        ResultsError: No run is done yet.
        ResultsExistError: The file exists already.
        ResultsWriteError: It cannot be written.
    """
    refuse_existing(path, overwrite=overwrite)
    page = sweep_page(results).encode()
    with whole_file(path) as draft:
        draft.write_bytes(page)
    return len(page)


def sweep_page(results: SweepResults) -> str:
    """Return the page.

    Raises:
        ResultsError: No run is done yet.
    """
    comparison = compared_points(results)
    info = results.info
    figures = main_figures(comparison)
    keys = numeric_keys(comparison)
    by_name = {figure.name: figure for figure in comparison.figures}
    charts = [
        (key, [chart for name in _CHARTED if name in by_name and (chart := curve_svg(comparison, key, by_name[name]))])
        for key in keys
    ]
    environment = Environment(
        loader=PackageLoader("scenarios.sweep", "assets"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        scenario=info.scenario,
        keys=info.keys,
        request=info.request,
        seeds=info.seeds,
        planned=info.planned,
        done=results.done_runs,
        failed=[
            (results.point_of(row), results.seed_of(row), row.error) for row in results.rows if row.state == "failed"
        ],
        versions=info.versions,
        created=info.created_utc,
        sha256=info.sha256,
        warnings=comparison.warnings,
        charts=charts,
        groups=group_names(comparison),
        intervals=_intervals(comparison),
        columns=[f"{figure.label} ({unit})" if (unit := unit_of(figure)) else figure.label for figure in figures],
        difference_columns=[_of_difference(figure.label, unit_of(figure, of_difference=True)) for figure in figures],
        means=[
            (
                [shown(value) for value in one.info.settings.values()],
                len(one.by_seed),
                [mean_text(figure, comparison.statistics_of(i, figure.name)) for figure in figures],
            )
            for i, one in enumerate(comparison.simulations)
        ],
        differences=[
            (
                comparison.simulations[of.other].label,
                comparison.simulations[of.reference].label,
                len(of.seeds),
                [mean_text(figure, of.figures[figure.name], signed=True) for figure in figures],
            )
            for of in comparison.differences
        ],
    )


def _of_difference(label: str, unit: str) -> str:
    return f"{label} ({unit})" if unit else label


def _intervals(comparison: SimulationComparison) -> str:
    """Return the figure with the intervals of all points as SVG; empty if there are too many."""
    if len(comparison.simulations) > MOST_DRAWN or not drawn_figures(comparison):
        return ""
    text = svg(comparison).decode()
    return text[text.index("<svg") :]
