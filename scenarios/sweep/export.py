"""A sweep for other programs: a tidy table of runs, the summary and the paired differences; and as one JSON object."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from scenarios.metrics import paired_differences, sample_statistics
from scenarios.results import CsvRows, refuse_existing, require_parquet, whole_files
from scenarios.sweep.one_run import FIGURES
from scenarios.sweep.plan import request_json
from scenarios.sweep.results_file import SweepResults, pairs_of, summarize

Cell = str | int | float | bool | None
SweepTable = tuple[tuple[str, ...], list[tuple[Cell, ...]]]
"""Names of the columns, and the rows."""

_SUMMARY = ("runs", "mean", "standard_deviation", "low_95", "high_95", "minimum", "maximum")


def tables(results: SweepResults) -> dict[str, SweepTable]:
    """Return the tables of a sweep by name, without wall times: the same sweep has the same tables."""
    info, figures = results.info, results.figures_by_seed()
    runs = [
        (
            row.run,
            results.point_of(row),
            *info.values[results.point_of(row) - 1],
            results.seed_of(row),
            row.state,
            *(row.figures.get(name) for name in FIGURES),
            row.ledger_sha256,
            row.error,
        )
        for row in results.rows
    ]
    summary = [(number, *info.values[number - 1], name, *of) for number, name, *of in summarize(figures, FIGURES)]
    return {
        "runs": (("run", "point", *info.keys, "seed", "state", *FIGURES, "ledger_sha256", "error"), runs),
        "summary": (("point", *info.keys, "figure", *_SUMMARY), summary),
        "pairwise": (
            ("reference", "point", "reference_label", "label", "figure", "seeds", "mean", "low_95", "high_95"),
            list(_pairs(results)),
        ),
    }


def _pairs(results: SweepResults) -> Iterator[tuple[Cell, ...]]:
    figures, labels = results.figures_by_seed(), results.info.points
    for reference, other in pairs_of(len(figures)):
        for name in FIGURES:
            of = sample_statistics(paired_differences(figures[reference], figures[other], name))
            labelled = (reference + 1, other + 1, labels[reference], labels[other], name)
            yield (*labelled, of.runs, of.mean, of.low_95, of.high_95)


def export_sweep(
    results: SweepResults,
    format_: Literal["csv", "json", "parquet"],
    folder: Path,
    *,
    overwrite: bool = False,
    wrote: Callable[[Path], None] | None = None,
) -> tuple[Path, ...]:
    """Write the tables `runs`, `summary` and `pairwise` into a folder, one file each, and return the files.

    Args:
        results: The content of the sweep's results file.
        format_: Format of the files, also their extension.
        folder: Created if missing.
        overwrite: Whether existing files are replaced.
        wrote: Called with each file, once all are written.

    Raises:
        ResultsExistError: A file exists already; nothing was written.
        ResultsWriteError: A file cannot be written; nothing was written.
        ResultsError: Parquet is requested, and pyarrow is not installed.
    """
    if format_ == "parquet":
        require_parquet()
    made = {folder / f"{name}.{format_}": table for name, table in tables(results).items()}
    for path in made:
        refuse_existing(path, overwrite=overwrite)
    with whole_files() as draft_of:
        for path, table in made.items():
            _WRITERS[format_](table, draft_of(path))
    if wrote is not None:
        for path in made:
            wrote(path)
    return tuple(made)


def _write_csv(table: SweepTable, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(CsvRows(file), lineterminator=CsvRows.lineterminator)
        rows.writerow(table[0])
        rows.writerows(table[1])


def _write_json(table: SweepTable, path: Path) -> None:
    columns, rows = table
    lines = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def _write_parquet(table: SweepTable, path: Path) -> None:
    import pandas as pd  # noqa: PLC0415 - takes a second, and the other formats do not need it

    columns, rows = table
    cells = {column: _of_one_type([row[i] for row in rows]) for i, column in enumerate(columns)}
    pd.DataFrame(cells, columns=list(columns)).to_parquet(path, index=False)


def _of_one_type(cells: list[Cell]) -> list[Cell]:
    """Return the cells of a column, as texts if any is a text: a key may be varied among numbers and mappings."""
    if not any(isinstance(cell, str) for cell in cells):
        return cells
    return [None if cell is None else str(cell) for cell in cells]


_WRITERS: dict[str, Callable[[SweepTable, Path], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "parquet": _write_parquet,
}


def sweep_json(results: SweepResults) -> dict[str, Any]:
    """Return a sweep as one JSON object: energies in Wh, powers in W, times in s, shares from 0 to 1."""
    info = results.info
    made = {
        name: [dict(zip(columns, row, strict=True)) for row in rows]
        for name, (columns, rows) in tables(results).items()
    }
    return {
        "scenario": info.scenario,
        "results_file": str(results.path),
        "request": request_json(info.request),
        "keys": list(info.keys),
        "seeds": list(info.seeds),
        "points": [
            {"point": number, "label": label, **dict(zip(info.keys, values, strict=True))}
            for number, (label, values) in enumerate(zip(info.points, info.values, strict=True), start=1)
        ],
        "planned_runs": info.planned,
        "done_runs": results.done_runs,
        "failed_runs": sum(row.state == "failed" for row in results.rows),
        "complete": results.is_complete,
        "sha256": info.sha256,
        "versions": dict(info.versions),
        "created": info.created_utc,
        "wall_s": {str(row.run): row.wall_s for row in results.rows},
        **made,
    }
