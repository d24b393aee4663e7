"""Writes a comparison to files; the suffix selects a table (.csv, .md, .tex) or a figure (.svg, .png)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scenarios.results.comparison.comparison import SimulationComparison
from scenarios.results.comparison.figure import check_png, pdf, png, svg
from scenarios.results.comparison.tables import WRITERS
from scenarios.results.connection import OutputFormatError, ResultsExistError, refuse_existing, whole_file, whole_files

ENDINGS = (".csv", ".tex", ".md", ".svg", ".png")


def check_files(paths: Sequence[Path], *, overwrite: bool) -> None:
    """Check that files can be written, before anything is run.

    Args:
        paths: The target files.
        overwrite: Whether existing files may be overwritten.

    Raises:
        OutputFormatError: A suffix is not supported, a file is named twice, or a library is missing.
        ResultsExistError: A file exists already.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise OutputFormatError(f"{path}: expected one of these extensions: {', '.join(ENDINGS)}")
        if path.absolute() in seen:
            raise OutputFormatError(f"{path}: is named twice")
        seen.add(path.absolute())
        if path.suffix.lower() == ".png":
            check_png()
        if path.is_dir():
            raise ResultsExistError(f"{path}: is a folder; name a file")
        refuse_existing(path, overwrite=overwrite)


def write_comparison(comparison: SimulationComparison, paths: Sequence[Path], *, overwrite: bool = False) -> None:
    """Write a comparison; missing folders are created.

    Args:
        comparison: The comparison.
        paths: The target files; the suffix selects the format.
        overwrite: Whether existing files may be overwritten.

    Raises:
        OutputFormatError, ResultsExistError: See `check_files`; nothing was written.
        ResultsWriteError: A file cannot be written; nothing was written.
    """
    check_files(paths, overwrite=overwrite)
    with whole_files() as draft_of:
        for path in paths:
            draft_of(path).write_bytes(_content(comparison, path))


def write_comparison_figure(comparison: SimulationComparison, path: Path) -> None:
    """Write the figure of a comparison, also as PDF, over an existing file.

    Raises:
        OutputFormatError: matplotlib is needed and not installed.
        ResultsWriteError: The file cannot be written.
    """
    _write(path, {".svg": svg, ".png": png, ".pdf": pdf}[path.suffix.lower()](comparison))


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as draft:
        draft.write_bytes(content)


def _content(comparison: SimulationComparison, path: Path) -> bytes:
    ending = path.suffix.lower()
    figures: dict[str, Callable[[SimulationComparison], bytes]] = {".svg": svg, ".png": png}
    return figures[ending](comparison) if ending in figures else WRITERS[ending](comparison).encode()
