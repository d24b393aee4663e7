"""Figures for papers of one simulation, of several, or of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from broker import SsmicError
from scenarios.results import ResultsReader, check_paper, is_sweep_file, write_day_figure, write_gantt_figure
from scenarios.results.comparison import compare_simulations, write_comparison_figure
from scenarios.sweep import compared_points, read_sweep

FigureKind = Literal["day", "gantt", "comparison"]
KINDS: tuple[FigureKind, ...] = ("day", "gantt", "comparison")


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
) -> None:
    """Write a figure; its file's extension decides the format.

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
        return
    if is_sweep or len(different) != 1:
        raise FigureKindError(f"{chosen} shows a single simulation")
    with ResultsReader(different[0]) as results:
        if chosen == "day":
            write_day_figure(results, to, run=run, day=day, overwrite=overwrite)
        else:
            write_gantt_figure(results, to, run=run, overwrite=overwrite)
