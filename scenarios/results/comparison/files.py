"""Writes a comparison to files whose endings say what they hold: a table (.csv, .md, .tex) or a figure (.svg, .png)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scenarios.results.comparison.comparison import Comparison
from scenarios.results.comparison.figure import check_png, png, svg
from scenarios.results.comparison.tables import WRITERS
from scenarios.results.connection import FigureFormatError, ResultsExistError, ResultsWriteError

ENDINGS = (".csv", ".tex", ".md", ".svg", ".png")


def check_files(paths: Sequence[Path], *, overwrite: bool = False) -> None:
    """Find what would be wrong with writing there, before anything is run.

    Raises:
        FigureFormatError: An ending says nothing that can be written, a file is named twice, or a library is missing.
        ResultsExistError: A file is there already.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise FigureFormatError(f"{path}: the ending decides what is written: {', '.join(ENDINGS)}")
        if path.absolute() in seen:
            raise FigureFormatError(f"{path}: is named twice")
        seen.add(path.absolute())
        if path.suffix.lower() == ".png":
            check_png()
        if path.is_dir():
            raise ResultsExistError(f"{path}: is a folder; name a file")
        if path.exists() and not overwrite:
            raise ResultsExistError(f"{path}: exists already; use --force to overwrite it")


def write_comparison(comparison: Comparison, paths: Sequence[Path], *, overwrite: bool = False) -> None:
    """Write a comparison; folders are made where they are not there.

    Raises:
        FigureFormatError, ResultsExistError: See `check_files`; nothing was written.
        ResultsWriteError: A file cannot be written.
    """
    check_files(paths, overwrite=overwrite)
    made = [(path, _content(comparison, path)) for path in paths]
    for path, content in made:
        draft = path.with_name(f".{path.name}.draft")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise ResultsWriteError(f"{path}: cannot be written: {error.strerror or error}") from error


def _content(comparison: Comparison, path: Path) -> bytes:
    ending = path.suffix.lower()
    figures: dict[str, Callable[[Comparison], bytes]] = {".svg": svg, ".png": png}
    return figures[ending](comparison) if ending in figures else WRITERS[ending](comparison).encode()
