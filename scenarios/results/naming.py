"""Where results go: `results/<date>_<time>_<scenario>_<algorithm>_<runs>.sqlite`, in UTC, never over another file."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import count
from pathlib import Path

from scenarios.results.errors import ResultsError, ResultsWriteError

DEFAULT_FOLDER = Path("results")
SUFFIX = ".sqlite"


def file_name(created: datetime, scenario: str, algorithm: str, runs: int) -> str:
    """Return the name of a simulation's results.

    Args:
        created: In UTC.
        scenario: The scenario's name; what does not suit a file name becomes `-`.
        algorithm: Likewise.
        runs: How many runs the simulation has.
    """
    return f"{created:%Y-%m-%d_%H%M%S}_{_fit(scenario)}_{_fit(algorithm)}_{runs}{SUFFIX}"


def reserve(folder: Path, name: str) -> Path:
    """Make an empty file of this name and return it; where it exists, `-2`, `-3`, ... is put behind the name.

    Raises:
        ResultsError: The folder cannot be made or written to.
    """
    stem = name.removesuffix(SUFFIX)
    for n in count(1):
        path = folder / (name if n == 1 else f"{stem}-{n}{SUFFIX}")
        try:
            return reserve_exactly(path)
        except FileExistsError:
            continue
    raise AssertionError  # pragma: no cover - count() does not end


def reserve_exactly(path: Path) -> Path:
    """Make an empty file.

    Raises:
        FileExistsError: It is there already.
        ResultsError: It cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=False)
    except FileExistsError:
        if path.parent.is_dir():
            raise
        raise ResultsError(f"{path.parent}: is a file, and results need a folder") from None
    except OSError as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _fit(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip(".-") or "unnamed"
