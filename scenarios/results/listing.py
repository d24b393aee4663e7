"""What results there are in a folder, one line each; files that cannot be read are listed as such."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scenarios.results.errors import ResultsError
from scenarios.results.naming import DEFAULT_FOLDER, SUFFIX
from scenarios.results.opening import open_for_reading, readable


@dataclass(frozen=True, slots=True)
class Listed:
    """A results file at a glance."""

    path: Path
    size_bytes: int
    problem: str = ""
    """Why it cannot be read; the rest is empty then."""
    created_utc: str = ""
    """ISO 8601."""
    scenario: str = ""
    algorithm: str = ""
    broker: str = ""
    planned_runs: int = 0
    states: tuple[tuple[str, int], ...] = ()
    """How many runs are in which state."""
    self_sufficiency: float | None = None
    """By contract, mean of the runs that came to their end and consumed something."""

    @property
    def done_runs(self) -> int:
        """How many runs came to their end."""
        return dict(self.states).get("done", 0)


def list_results(folder: Path = DEFAULT_FOLDER) -> tuple[Listed, ...]:
    """Return the results files in a folder, newest first; none if there is no such folder.

    Raises:
        ResultsError: The folder cannot be read, or is a file.
    """
    return newest_first(glance(path) for path in results_files(folder))


def newest_first(listed: Iterable[Listed]) -> tuple[Listed, ...]:
    """Return results files by when their simulations began, the newest first; those that cannot be read come last."""
    return tuple(sorted(listed, key=lambda one: (one.created_utc, one.path.name), reverse=True))


_LATEST = re.compile(r"latest(?:~(\d{1,6}))?")


def named_results(name: str, folder: Path = DEFAULT_FOLDER) -> Path:
    """Return the results file that a user names.

    Args:
        name: A path; or `latest` for the newest simulation in the folder, `latest~1` for the one before, and so on.
        folder: Where the latest ones are looked for.

    Raises:
        ResultsError: There are not so many, or the folder cannot be read.
    """
    found = _LATEST.fullmatch(name)
    if found is None or Path(name).exists():
        return Path(name)
    before = int(found[1] or 0)
    there = [one for one in list_results(folder) if not one.problem]
    if not there:
        raise ResultsError(f"{name}: there are no results in {folder}; `ssmic run street` makes some")
    if before >= len(there):
        are = "is only one simulation" if len(there) == 1 else f"are only {len(there)} simulations"
        raise ResultsError(f"{name}: there {are} in {folder}")
    return there[before].path


def results_files(folder: Path) -> tuple[Path, ...]:
    """Return the files in a folder that are named like results, by name; none if there is no such folder.

    Raises:
        ResultsError: The folder cannot be read, or is a file.
    """
    try:
        return tuple(
            sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith("."))
        )
    except FileNotFoundError:
        return ()
    except NotADirectoryError:
        raise ResultsError(f"{folder}: is a file; a folder with results is expected") from None
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be read: {error.strerror or error}") from error


def glance(path: Path) -> Listed:
    """Return what a results file is about, without reading its scenario or its runs."""
    try:
        size_bytes = path.stat().st_size
    except OSError:
        size_bytes = 0
    try:
        return _glance(path, size_bytes)
    except ResultsError as error:
        return Listed(path, size_bytes, problem=str(error).removeprefix(f"{path}: "))
    except (ValueError, TypeError) as error:
        return Listed(path, size_bytes, problem=f"is damaged: {error}")


def _glance(path: Path, size_bytes: int) -> Listed:
    connection = open_for_reading(path)
    try:
        with readable(path):
            about = connection.execute(
                "SELECT scenario, algorithm, broker, seeds_json, created_utc FROM simulation"
            ).fetchone()
            runs = connection.execute("SELECT state, kpis_json FROM runs ORDER BY run").fetchall()
    finally:
        connection.close()
    if about is None:
        raise ResultsError(f"{path}: is damaged: it does not say what was simulated")
    figures = [json.loads(row["kpis_json"]) for row in runs if row["kpis_json"] and row["state"] == "done"]
    shares = [of["self_sufficiency"] for of in figures if of["self_sufficiency"] is not None]
    return Listed(
        path,
        size_bytes,
        created_utc=about["created_utc"],
        scenario=about["scenario"],
        algorithm=about["algorithm"],
        broker=about["broker"],
        planned_runs=len(json.loads(about["seeds_json"])),
        states=tuple(Counter(row["state"] for row in runs).items()),
        self_sufficiency=sum(shares) / len(shares) if shares else None,
    )
