"""Writes a table as CSV, JSON or Parquet, without holding all of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path

from scenarios.results.errors import ResultsWriteError
from scenarios.results.export.tables import Row, Table

ROWS_A_GROUP = 50_000


def write_csv(table: Table, path: Path) -> None:
    """Write with a header line, comma-separated, UTF-8; what is not known is an empty cell."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_headings(table))
        writer.writerows(_widened(table))


def write_json(table: Table, path: Path) -> None:
    """Write an array of objects, one a line, UTF-8."""
    headings = _headings(table)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        for i, row in enumerate(_widened(table)):
            file.write(",\n" if i else "\n")
            file.write(json.dumps(dict(zip(headings, row, strict=True)), ensure_ascii=False))
        file.write("\n]\n")


def write_parquet(table: Table, path: Path) -> None:
    """Write with one type a column: instants as integers, and once more as UTC timestamps.

    Raises:
        ResultsError: pyarrow is not installed.
    """
    require_parquet()
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    types = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "instant": pa.int64()}
    schema = pa.schema(
        [
            field
            for column in table.columns
            for field in (
                [pa.field(column.name, types[column.kind])]
                + ([pa.field(_utc_name(column.name), pa.timestamp("s", "UTC"))] if column.kind == "instant" else [])
            )
        ]
    )
    rows = table.rows()
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(rows, ROWS_A_GROUP)):
            arrays = []
            for column, values in zip(table.columns, zip(*group, strict=True), strict=True):
                arrays.append(pa.array(values, types[column.kind]))
                if column.kind == "instant":
                    arrays.append(arrays[-1].cast(pa.timestamp("s", "UTC")))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def require_parquet() -> None:
    """Check that Parquet can be written.

    Raises:
        ResultsError: pyarrow is not installed; the message says how to get it.
    """
    try:
        import pyarrow as pa  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ResultsWriteError(
            "Parquet needs pyarrow, which is not installed: pip install 'ssmic[parquet]'"
        ) from error


def _headings(table: Table) -> list[str]:
    return [
        name
        for column in table.columns
        for name in ([column.name, _utc_name(column.name)] if column.kind == "instant" else [column.name])
    ]


def _utc_name(name: str) -> str:
    return f"{name.removesuffix('_s')}_utc"


def _widened(table: Table) -> Iterator[Row]:
    """Yield rows with every instant in ISO 8601 behind its seconds."""
    instants = [column.kind == "instant" for column in table.columns]
    for row in table.rows():
        wide: list[str | int | float | None] = []
        for value, instant in zip(row, instants, strict=True):
            wide.append(value)
            if instant:
                wide.append(_iso(value) if isinstance(value, int) else None)
        yield tuple(wide)


@lru_cache(maxsize=5000)
def _iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
