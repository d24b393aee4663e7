"""Tables of a comparison: means with intervals, then differences, in Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scenarios.metrics import Figure, SampleStatistics, Unit
from scenarios.results.comparison.compared_simulation import OF_BEST, OF_SHARED_BEST
from scenarios.results.comparison.comparison import SimulationComparison

MAIN_FIGURES = (
    "delivered_wh",
    "grid_wh",
    "self_sufficiency",
    "self_consumption",
    OF_BEST,
    OF_SHARED_BEST,
    "consumption_peak_to_average",
    "peak_import_w",
    "jobs_on_grid",
    "mean_delay_s",
    "bill_eur",
    "kg_co2",
    "negotiations",
    "messages",
)
"""Figures of the displayed tables; CSV and JSON have all figures."""

_SCALES: dict[Unit, tuple[str, float, int]] = {
    "wh": ("kWh", 1e-3, 2),
    "w": ("kW", 1e-3, 2),
    "share": ("%", 100.0, 1),
    "ratio": ("", 1.0, 2),
    "count": ("", 1.0, 1),
    "s": ("min", 1 / 60, 1),
    "eur": ("EUR", 1.0, 2),
    "kg": ("kg", 1.0, 2),
}
"""By unit: how it is displayed, the factor from the stored value, and the number of decimals."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of formatted cells."""

    title: str
    """Its heading."""
    columns: tuple[str, ...]
    """Headings of the columns after the first."""
    rows: tuple[tuple[str, ...], ...]
    """Label with unit, then one cell per column."""


def unit_of(figure: Figure, *, of_difference: bool = False) -> str:
    """Return the display unit of a figure; a difference of shares is in percentage points."""
    unit = _SCALES[figure.unit][0]
    return "pp" if of_difference and unit == "%" else unit


def scaled(figure: Figure, value: float) -> float:
    """Return a stored value in the figure's display unit."""
    return value * _SCALES[figure.unit][1]


def half_width(statistics: SampleStatistics) -> float | None:
    """Return half the width of the mean's 95 % interval; None for fewer than two runs."""
    return None if statistics.high_95 is None or statistics.mean is None else statistics.high_95 - statistics.mean


def mean_text(figure: Figure, statistics: SampleStatistics, *, signed: bool = False) -> str:
    """Return a mean with its 95 % interval, `61.2 ± 0.5`; `-` where no run has the figure.

    Args:
        figure: The figure, which determines unit and decimals.
        statistics: Statistics of the figure, in stored units.
        signed: Whether positive values get a plus sign, as for differences.
    """
    if statistics.mean is None:
        return "-"
    decimals = _SCALES[figure.unit][2]
    text = _number(scaled(figure, statistics.mean), decimals, signed=signed)
    half = half_width(statistics)
    return text if half is None else f"{text} ± {_number(scaled(figure, half), decimals)}"


def _number(value: float, decimals: int, *, signed: bool = False) -> str:
    rounded = round(value, decimals) + 0.0  # no negative zero
    return f"{rounded:{'+' if signed and rounded else ''},.{decimals}f}"


def tables_of(comparison: SimulationComparison) -> tuple[TextTable, ...]:
    """Return a table of means and, if there are any, one of paired differences from the first simulation."""
    figures = main_figures(comparison)
    simulations = comparison.simulations
    means = TextTable(
        f"{scenario_title(comparison)}: mean ± 95 % interval over seeds",
        tuple(f"{one.label} ({len(one.by_seed)})" for one in simulations),
        tuple(
            (_label(figure), *(mean_text(figure, comparison.statistics_of(i, figure.name)) for i in comparison.indexes))
            for figure in figures
        ),
    )
    differences = [of for i in comparison.indexes[1:] if (of := comparison.difference(0, i)) is not None]
    if not differences:
        return (means,)
    paired = TextTable(
        f"Difference from {simulations[0].label} on the same seeds: mean ± 95 % interval",
        tuple(f"{simulations[of.other].label} ({len(of.seeds)})" for of in differences),
        tuple(
            (
                _label(figure, of_difference=True),
                *(mean_text(figure, of.figures[figure.name], signed=True) for of in differences),
            )
            for figure in figures
        ),
    )
    return means, paired


def main_figures(comparison: SimulationComparison) -> tuple[Figure, ...]:
    """Return the figures of `MAIN_FIGURES` that at least one simulation has."""
    by_name = {figure.name: figure for figure in comparison.figures}
    return tuple(by_name[name] for name in MAIN_FIGURES if name in by_name)


def scenario_title(comparison: SimulationComparison) -> str:
    """Return the name of the scenario, or names of the scenarios."""
    return ", ".join(dict.fromkeys(one.info.scenario for one in comparison.simulations))


def _label(figure: Figure, *, of_difference: bool = False) -> str:
    unit = unit_of(figure, of_difference=of_difference)
    return f"{figure.label} ({unit})" if unit else figure.label


# Markdown.


def markdown(comparison: SimulationComparison) -> str:
    """Return the tables in GitHub-flavoured Markdown, followed by the warnings."""
    parts = []
    for table in tables_of(comparison):
        header = " | ".join(_escaped_markdown(cell) for cell in ("", *table.columns))
        lines = [f"|{header} |", "|" + " --- |" + " ---: |" * len(table.columns)]
        lines += ["| " + " | ".join(_escaped_markdown(cell) for cell in row) + " |" for row in table.rows]
        parts.append(f"**{_escaped_markdown(table.title)}**\n\n" + "\n".join(lines))
    parts.append(_NOTE)
    parts += [_escaped_markdown(warning) for warning in comparison.warnings]
    return "\n\n".join(parts) + "\n"


_NOTE = "The number of runs is in parentheses; intervals are by Student's t."


def _escaped_markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\|*_`<>[]" else " " if c in "\r\n" else c for c in text)


# LaTeX.

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}


def latex(comparison: SimulationComparison) -> str:
    r"""Return the tables as LaTeX `tabular`s that need the package booktabs."""
    parts = [r"% Needs \usepackage{booktabs}; put each tabular into a table with a caption of your own."]
    for table in tables_of(comparison):
        head = " & ".join(_escaped_latex(cell) for cell in ("", *table.columns))
        lines = [
            f"% {_one_line(table.title)}",
            rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(" & ".join(_escaped_latex(cell) for cell in row) + r" \\" for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
        parts.append("\n".join(lines))
    parts.append("\n".join(f"% {_one_line(line)}" for line in (_NOTE, *comparison.warnings)))
    return "\n\n".join(parts) + "\n"


def _escaped_latex(text: str) -> str:
    if text.startswith(("+", "-")) and len(text) > 1:
        return f"${text[0]}$" + _escaped_latex(text[1:])
    return "".join(_LATEX.get(c, c) for c in _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


# CSV.

_CSV_COLUMNS = (
    "figure",
    "label",
    "unit",
    "simulation",
    "scenario",
    "algorithm",
    "runs",
    "mean",
    "standard_deviation",
    "low_95",
    "high_95",
    "minimum",
    "maximum",
    "reference",
    "common_seeds",
    "difference",
    "difference_low_95",
    "difference_high_95",
    "file",
)


def csv_text(comparison: SimulationComparison) -> str:
    """Return every figure of every simulation, one per line, in stored units (Wh, W, s, shares from 0 to 1).

    Differences are relative to the first simulation, paired by seed; empty if there are none.
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(_CSV_COLUMNS)
    reference = comparison.simulations[0].label
    for figure in comparison.figures:
        for i, one in enumerate(comparison.simulations):
            of = comparison.statistics_of(i, figure.name)
            paired = comparison.difference(0, i)
            change = None if paired is None else paired.figures[figure.name]
            rows.writerow(
                (
                    figure.name,
                    figure.label,
                    figure.unit,
                    one.label,
                    one.info.scenario,
                    one.info.algorithm,
                    of.runs,
                    *map(_plain, (of.mean, of.standard_deviation, of.low_95, of.high_95, of.minimum, of.maximum)),
                    *(
                        ("", "", "", "", "")
                        if change is None
                        else (reference, change.runs, *map(_plain, (change.mean, change.low_95, change.high_95)))
                    ),
                    one.path.name,
                )
            )
    return out.getvalue()


def _plain(value: float | None) -> str:
    """Return a number rounded to 1e-9, below which there is only rounding error."""
    return "" if value is None else repr(round(value, 9) + 0.0).removesuffix(".0")


WRITERS: dict[str, Callable[[SimulationComparison], str]] = {".csv": csv_text, ".md": markdown, ".tex": latex}
"""Writer of a table by file suffix."""


_GAP = 2
"""Space between columns of a text, characters."""


def blocks(table: TextTable, width: int) -> Sequence[TextTable]:
    """Split a table by columns into parts that fit a text width.

    Args:
        table: The table; titles of columns may have several lines.
        width: Available width, characters.
    """
    first = max([len(row[0]) for row in table.rows] or [0])
    widths = [
        max(map(len, (*column.split("\n"), *(row[1 + i] for row in table.rows))))
        for i, column in enumerate(table.columns)
    ]
    parts: list[list[int]] = [[]]
    used = first
    for i, needed in enumerate(widths):
        if parts[-1] and used + _GAP + needed > width:
            parts.append([])
            used = first
        parts[-1].append(i)
        used += _GAP + needed
    return [
        TextTable(
            table.title,
            tuple(table.columns[i] for i in part),
            tuple((row[0], *(row[1 + i] for i in part)) for row in table.rows),
        )
        for part in parts
    ]
