"""Results files from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenarios import FigureKind, write_figure
from scenarios.results import ResultFrames, ResultsReader, load_frames, named_results, simulation_json
from scenarios.sweep import SweepFrames, load_sweep as _load_sweep
from ssmic.arguments import file_path

__all__ = ["figure", "load", "load_sweep", "reader", "summary"]


def load(file: str | Path) -> ResultFrames:
    """Return the frames of a results file: `.contracts`, `.production`, `.kpis`, and others.

    Args:
        file: Its path, or `latest`, `latest~1`, ... for the newest ones in the folder `results`.

    Raises:
        SsmicError: The file is missing, damaged or not ours.
    """
    return load_frames(file_path(file))


def load_sweep(file: str | Path) -> SweepFrames:
    """Return the frames of a sweep's results file: `.runs`, `.points`, `.summary` and `.pairwise`.

    Raises:
        SsmicError: The file is missing, damaged or not ours.
    """
    return _load_sweep(file_path(file))


def summary(file: str | Path) -> dict[str, Any]:
    """Return all runs of a results file with figures, contracts, events and verdicts, as `ssmic run --json` does.

    Raises:
        SsmicError: The file is missing, damaged or not ours.
    """
    with reader(file) as results:
        return simulation_json(results)


def reader(file: str | Path) -> ResultsReader:
    """Return a results file open for reading; use it in a `with` statement.

    Raises:
        SsmicError: The file is missing, damaged or not ours.
    """
    return ResultsReader(named_results(str(file_path(file))))


def figure(
    file: str | Path | Sequence[str | Path],
    to: str | Path,
    *,
    kind: FigureKind | None = None,
    run: int = 1,
    day: int = 1,
    overwrite: bool = False,
) -> None:
    """Draw a figure fit for a paper, as `ssmic results figure` does; it needs matplotlib.

    Args:
        file: A results file, several of them, or that of a sweep.
        to: The figure's file; its extension decides the format: `.pdf`, `.svg`, `.png`.
        kind: `day`: power over the day; `gantt`: windows and contracts; `comparison`: means with 95 % intervals. None:
            `day` for one simulation, `comparison` for several and for a sweep.
        run: Run of a simulation, counted from 1.
        day: Day of a run of more than two days, counted from 1.
        overwrite: Whether an existing file may be overwritten.

    Raises:
        SsmicError: A file cannot be read or written, or has no such figure.
    """
    files = list(file) if isinstance(file, list | tuple) else [file]
    paths = [named_results(str(file_path(one))) for one in files]
    write_figure(paths, file_path(to), kind=kind, run=run, day=day, overwrite=overwrite)
