"""Figures for papers, drawn with matplotlib, of one simulation, of several, or of a sweep.

The profile of a day, the contracts as a Gantt chart, and comparisons.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from agents import GRID
from broker import SsmicError
from scenarios.metrics import DEFAULT_INTERVAL_S
from scenarios.results import (
    OutputFormatError,
    PowerProfile,
    ResultsError,
    ResultsReader,
    is_sweep_file,
    refuse_existing,
    share_series,
    view_neighbourhood,
    whole_file,
)
from scenarios.results.comparison import compare_simulations, write_comparison_figure
from scenarios.sweep import compared_points, read_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

FigureKind = Literal["day", "gantt", "comparison"]
KINDS: tuple[FigureKind, ...] = ("day", "gantt", "comparison")
PAPER_ENDINGS: Final = (".pdf", ".svg", ".png")
_WIDTH_INCH = 7.2
"""Both columns of a page."""
_SUN, _LOCAL, _GRID_COLOUR, _WINDOW = "#e69f00", "#009e73", "#555555", "#dddddd"
"""Colours of the palette of Okabe and Ito, safe for colour-blind readers; areas also differ by their hatching."""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MOST_JOBS = 120


class FigureKindError(SsmicError):
    """There is no such kind of figure, or none of these files."""


def write_figure(
    files: Sequence[Path],
    to: Path,
    *,
    kind: FigureKind | None = None,
    run: int = 1,
    day: int = 1,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write a figure; its file's extension decides the format. Return what limits a comparison, one sentence each.

    Args:
        files: Results files: one, several, or that of a sweep.
        to: The figure's file.
        kind: `day`: power over the day; `gantt`: windows and contracts; `comparison`: means with 95 % intervals. None:
            `day` for one simulation, `comparison` for several and for a sweep.
        run: Run of a simulation, counted from 1.
        day: Day of a run of more than two days, counted from 1.
        overwrite: Whether an existing file may be overwritten.

    Raises:
        FigureKindError: There is no such kind, or none of these files.
        ResultsError: The files cannot be read, or the figure cannot be written.
    """
    check_paper(to, overwrite=overwrite)
    different = list(dict.fromkeys(files))
    is_sweep = len(different) == 1 and is_sweep_file(different[0])
    chosen = kind or ("comparison" if is_sweep or len(different) > 1 else "day")
    if chosen not in KINDS:
        raise FigureKindError(f"kind {chosen!r}: {', '.join(map(repr, KINDS[:-1]))} or {KINDS[-1]!r} is expected")
    if chosen == "comparison":
        if len(different) < 2 and not is_sweep:
            raise FigureKindError("name two or more simulations, or a sweep, to compare")
        comparison = compared_points(read_sweep(different[0])) if is_sweep else compare_simulations(different)
        write_comparison_figure(comparison, to)
        return comparison.warnings
    if is_sweep or len(different) != 1:
        raise FigureKindError(f"{chosen} shows a single simulation")
    with ResultsReader(different[0]) as results:
        if chosen == "day":
            write_day_figure(results, to, run=run, day=day, overwrite=overwrite)
        else:
            write_gantt_figure(results, to, run=run, overwrite=overwrite)
    return ()


def check_paper(path: Path, *, overwrite: bool) -> None:
    """Check that a figure can be written to a file.

    Raises:
        OutputFormatError: The ending is not supported, or matplotlib is not installed.
        ResultsExistError: The file exists already.
    """
    if path.suffix.lower() not in PAPER_ENDINGS:
        raise OutputFormatError(f"{path}: expected one of these extensions: {', '.join(PAPER_ENDINGS)}")
    if find_spec("matplotlib") is None:
        raise OutputFormatError("figures need matplotlib: pip install 'ssmic[figures]'")
    refuse_existing(path, overwrite=overwrite)


def write_day_figure(
    results: ResultsReader, path: Path, *, run: int = 1, day: int = 1, overwrite: bool = False
) -> None:
    """Write the profile of a day: production, and consumption from panels and from the grid.

    Args:
        results: An open results file.
        path: Target; the ending selects the format.
        run: Number of the run.
        day: Day of the run, counted from 1; runs of up to two days are shown as a whole.
        overwrite: Whether an existing file may be overwritten.

    Raises:
        OutputFormatError, ResultsExistError: See `check_paper`.
        ResultsError: There is no such run or day.
        ResultsWriteError: The file cannot be written.
    """
    check_paper(path, overwrite=overwrite)
    profile = view_neighbourhood(results, run, DEFAULT_INTERVAL_S).day
    if not 1 <= day <= profile.days:
        raise ResultsError(f"{results.path}: run {run} has no day {day}; there are days 1 to {profile.days}")
    _save(_day(profile.of_day(day - 1), results.scenario.zone.tzinfo), path)


def write_gantt_figure(results: ResultsReader, path: Path, *, run: int = 1, overwrite: bool = False) -> None:
    """Write the standing contracts as a Gantt chart: each job's window, its run, and who supplies it.

    Args:
        results: An open results file.
        path: Target; the ending selects the format.
        run: Number of the run.
        overwrite: Whether an existing file may be overwritten.

    Raises:
        OutputFormatError, ResultsExistError: See `check_paper`.
        ResultsError: There is no such run, it has no contract, or more than a page holds.
        ResultsWriteError: The file cannot be written.
    """
    check_paper(path, overwrite=overwrite)
    results.run(run)
    jobs = {job.job_id: job for job in results.scenario_of(run).jobs}
    standing = [entry.contract for entry in results.ledger(run) if entry.state == "standing"]
    if not standing:
        raise ResultsError(f"{results.path}: run {run} has no contract to draw")
    if len(standing) > _MOST_JOBS:
        raise ResultsError(f"{results.path}: run {run} has {len(standing)} contracts; a chart can show {_MOST_JOBS}")
    rows = sorted(standing, key=lambda contract: (jobs[contract.job_id].house, contract.start_s, contract.job_id))
    _save(_gantt([(jobs[one.job_id], one) for one in rows], results.scenario.zone.tzinfo), path)


def _canvas(height_inch: float) -> tuple[Canvas, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra, and slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    canvas = Figure(figsize=(_WIDTH_INCH, height_inch), facecolor="white", layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return canvas, axes


def _hours(axes: Any, zone: tzinfo, first_s: int, end_s: int) -> Callable[[int], Any]:  # noqa: ANN401 - matplotlib's
    """Show times in the scenario's zone, and below them the dates; return the function from UNIX seconds to units.

    Args:
        axes: Where times run from left to right.
        zone: The scenario's zone.
        first_s: First moment that is shown, UNIX seconds.
        end_s: End of what is shown, UNIX seconds.
    """
    import matplotlib.dates as mdates  # noqa: PLC0415 - an extra

    locator = mdates.AutoDateLocator(tz=zone)
    axes.xaxis.set_major_locator(locator)
    day, clock = "%m-%d", "%H:%M"
    # matplotlib's own date beside the axis is that of the last tick, which is often the midnight after the day.
    formatter = mdates.ConciseDateFormatter(
        locator,
        tz=zone,
        formats=["%Y", "%Y-%m", day, clock, clock, "%H:%M:%S"],
        zero_formats=["%Y", "%Y", day, day, clock, clock],
        show_offset=False,
    )
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel(_dates(datetime.fromtimestamp(first_s, zone), datetime.fromtimestamp(end_s - 1, zone)))
    return lambda time_s: mdates.date2num(datetime.fromtimestamp(time_s, zone))


def _dates(first: datetime, last: datetime) -> str:
    """Return the dates from one moment to another, with their offsets from UTC."""
    offsets = dict.fromkeys(f"UTC{moment.isoformat()[-6:]}" for moment in (first, last))
    dates = dict.fromkeys(f"{moment:%Y-%m-%d}" for moment in (first, last))
    return f"{' to '.join(dates)} ({' to '.join(offsets)})"


def _day(profile: PowerProfile, zone: tzinfo) -> Canvas:
    canvas, axes = _canvas(3.2)
    edges_s = [int(time_s) for time_s in (*profile.times_s, profile.times_s[-1] + profile.interval_s)]
    at = _hours(axes, zone, edges_s[0], edges_s[-1])
    edges = [at(time_s) for time_s in edges_s]
    kilo = 1e-3
    local, total = profile.local_w * kilo, profile.consumption_w * kilo
    axes.stairs(local, edges, fill=True, color=_LOCAL, alpha=0.75, label="Consumed from panels")
    axes.stairs(
        total, edges, baseline=local, fill=True, facecolor="#bbbbbb", edgecolor=_GRID_COLOUR, hatch="////",
        linewidth=0, label="Consumed from the grid",
    )  # fmt: skip
    axes.stairs(profile.production_w * kilo, edges, baseline=None, color=_SUN, linewidth=1.6, label="Produced")
    axes.set_ylabel("Power (kW)")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    return canvas


def _gantt(rows: list[tuple[Any, Any]], zone: tzinfo) -> Canvas:
    from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

    canvas, axes = _canvas(max(2.0, 0.17 * len(rows) + 1.0))
    first_s = min(job.earliest_start_s for job, _ in rows)
    at = _hours(axes, zone, first_s, max(job.latest_start_s + job.duration_s for job, _ in rows))
    shares = [share_series(job, contract) for job, contract in rows]
    producers = sorted({series.producer for given in shares for series in given} - {GRID})
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(producers)} | {GRID: _GRID_COLOUR}
    for i, (job, contract) in enumerate(rows):
        begin, end = at(job.earliest_start_s), at(job.latest_start_s + job.duration_s)
        axes.barh(i, end - begin, left=begin, height=0.8, color=_WINDOW, linewidth=0)
        start = at(contract.start_s)
        width = at(contract.start_s + job.duration_s) - start
        # The bar is divided in proportion to the energies of those that supply the job.
        foot = i - 0.275
        for series in shares[i]:
            height = 0.55 * (series.energy_wh / contract.energy_wh if len(shares[i]) > 1 else 1.0)
            hatch = "////" if series.producer == GRID else None
            axes.barh(
                foot, width, left=start, height=height, color=colours[series.producer],
                hatch=hatch, linewidth=0, align="edge",
            )  # fmt: skip
            foot += height
    axes.set_yticks(range(len(rows)), [job.job_id.replace("$", r"\$") for job, _ in rows], fontsize=6)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    used = [name for name in (*producers, GRID) if any(series.producer == name for given in shares for series in given)]
    marks = [Patch(color=colours[name], label=name.replace("$", r"\$")) for name in used]
    marks.append(Patch(color=_WINDOW, label="window"))
    axes.legend(
        handles=marks, frameon=False, fontsize=7, ncols=min(6, len(marks)), loc="lower left", bbox_to_anchor=(0, 1)
    )
    return canvas


def _save(canvas: Canvas, path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    out = io.BytesIO()
    kind = path.suffix.lower().removeprefix(".")
    # Without dates and random ids, so that the same results are the same file.
    about: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}[kind]
    with mpl.rc_context({"svg.hashsalt": "ssmic", "pdf.fonttype": 42}):
        canvas.savefig(out, format=kind, metadata=about, dpi=300)
    with whole_file(path) as draft:
        draft.write_bytes(out.getvalue())
