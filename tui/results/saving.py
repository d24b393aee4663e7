"""Saves a comparison: asks for files whose endings say what they hold, and writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path

from scenarios.results.comparison.comparison import Comparison
from scenarios.results.comparison.files import ENDINGS, check_files, write_comparison
from scenarios.results.connection import ResultsError, ResultsExistError
from tui.results.reading import Reads
from tui.shell.dialogs import Answer, AskText, Confirm

_DETAILS = (
    "Several files are separated by commas. The ending decides what is written: a table (.csv, .tex, .md) or a figure "
    "(.svg, .png)."
)
_ANSWERS: tuple[Answer, Answer] = (("keep", "Keep", "primary"), ("overwrite", "Overwrite", "error"))


def proposed_files(comparison: Comparison) -> tuple[Path, ...]:
    """Return a table and a figure beside the first results, named after the scenario; neither is there yet."""
    first = comparison.simulations[0]
    folder, here = first.path.parent, Path.cwd()
    if folder.is_absolute() and folder.is_relative_to(here):
        folder = folder.relative_to(here)
    name = re.sub(r"[^\w.-]+", "-", first.info.scenario, flags=re.ASCII).strip(".-") or "comparison"
    for n in count(1):
        stem = name if n == 1 else f"{name}-{n}"
        files = tuple(folder / f"{stem}{ending}" for ending in (".tex", ".svg"))
        if not any(file.exists() for file in files):
            return files
    raise AssertionError  # pragma: no cover - count() does not end


def files_in(text: str) -> tuple[Path, ...]:
    """Return the files that a line names."""
    return tuple(Path(part.strip()).expanduser() for part in text.split(",") if part.strip())


def _problem(text: str) -> str | None:
    paths = files_in(text)
    if not paths:
        return f"Name a file; endings: {', '.join(ENDINGS)}."
    try:
        check_files(paths, overwrite=True)
    except ResultsError as error:
        return str(error)
    return None


def save_comparison(place: Reads, comparison: Comparison) -> None:
    """Ask for files and write the comparison there; asks again before something is overwritten.

    Args:
        place: A part of the screen that can do work in threads.
        comparison: What is saved.
    """

    def chosen(text: str | None) -> None:
        if text is not None:
            _write(place, comparison, files_in(text), overwrite=False)

    value = ", ".join(map(str, proposed_files(comparison)))
    place.app.push_screen(AskText("Save table and figure", _DETAILS, value, _problem), chosen)


def _write(place: Reads, comparison: Comparison, paths: Sequence[Path], *, overwrite: bool) -> None:
    def wrote(_: None) -> None:
        place.notify("\n".join(map(str, paths)), title="Saved", markup=False, timeout=8)

    def failed(error: BaseException) -> None:
        if isinstance(error, ResultsExistError):
            details = f"{str(error).removesuffix('; --force overwrites it')}. Its contents will be lost."
            place.app.push_screen(Confirm("Overwrite existing files?", details, _ANSWERS), answered)
        else:
            place.complain(error, "Not saved")

    def answered(answer: str | None) -> None:
        if answer == "overwrite":
            _write(place, comparison, paths, overwrite=True)

    place.read("save", partial(write_comparison, comparison, paths, overwrite=overwrite), wrote, failed)
