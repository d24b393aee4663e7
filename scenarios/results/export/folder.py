"""Exports a results file into a folder, one file a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from scenarios.results.errors import ResultsExistError, ResultsWriteError
from scenarios.results.export.formats import require_parquet, write_csv, write_json, write_parquet
from scenarios.results.export.tables import Table, tables
from scenarios.results.reader import ResultsReader
from scenarios.results.summary import simulation_json

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

_WRITERS: dict[Format, Callable[[Table, Path], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
}


def export_results(
    results: ResultsReader,
    format_: Format,
    folder: Path,
    *,
    overwrite: bool = False,
    wrote: Callable[[Path], None] | None = None,
) -> tuple[Path, ...]:
    """Write all tables of a simulation, and `simulation.json` with what `ssmic run --json` prints.

    Args:
        results: An open results file.
        format_: Of the tables.
        folder: Made if it is not there.
        overwrite: Write over files of the same names.
        wrote: Told of every file once it is there.

    Returns:
        The files, in the order of writing.

    Raises:
        ResultsError: Files are there already, the folder cannot be written to, pyarrow is missing, or the results are
            damaged.
    """
    if format_ == "parquet":
        require_parquet()
    planned = [(folder / f"{table.name}.{format_}", table) for table in tables(results)]
    summary = folder / "simulation.json"
    there = [path.name for path in (*(path for path, _ in planned), summary) if path.exists()]
    if there and not overwrite:
        raise ResultsExistError(f"{folder}: has {', '.join(there)} already; use --force to overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, table in planned:
            _whole(path, partial(_WRITERS[format_], table))
            if wrote:
                wrote(path)
        text = json.dumps(simulation_json(results), indent=2, ensure_ascii=False)
        _whole(summary, lambda draft: draft.write_text(f"{text}\n", encoding="utf-8"))
        if wrote:
            wrote(summary)
    except OSError as error:
        raise ResultsWriteError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return (*(path for path, _ in planned), summary)


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the place and move there: what has the name is complete."""
    draft = path.with_name(f".{path.name}.part")
    try:
        write(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
