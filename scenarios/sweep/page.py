"""The report of a sweep: one HTML page with charts and tables that opens offline."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from broker import atomic_write
from scenarios.results import ResultsExistError, ResultsWriteError
from scenarios.results.comparison import (
    SimulationComparison,
    drawn_figures,
    main_figures,
    mean_text,
    svg,
    unit_of,
)
from scenarios.sweep.compared import compared_points
from scenarios.sweep.curves import curve_svg, group_names, numeric_keys
from scenarios.sweep.file import SweepResults
from scenarios.sweep.plan import shown

MOST_DRAWN = 40
"""With more points than this, intervals are drawn over the numeric parameters only."""
_CHARTED = ("self_sufficiency", "self_consumption", "grid_wh", "peak_import_w", "jobs_on_grid", "mean_delay_s")


def write_sweep_report(results: SweepResults, path: Path, *, overwrite: bool = False) -> int:
    """Write the report of a sweep and return its size in bytes.

    Raises:
        ResultsError: No run is done yet.
        ResultsExistError: The file exists already.
        ResultsWriteError: It cannot be written.
    """
    if path.exists() and not overwrite:
        raise ResultsExistError(f"{path}: exists already; use --force to overwrite it")
    page = sweep_page(results).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            draft.write_bytes(page)
    except OSError as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error.strerror or error}") from error
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
        done=sum(row.state == "done" for row in results.rows),
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
    """Return the figure with the intervals of all points as SVG; empty where there are too many."""
    if len(comparison.simulations) > MOST_DRAWN or not drawn_figures(comparison):
        return ""
    text = svg(comparison).decode()
    return text[text.index("<svg") :]
