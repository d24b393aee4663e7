"""Writes a table as CSV, JSON or Parquet by way of pandas frames, so many rows at a time that memory stays small."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.results.errors import ResultsWriteError
from scenarios.results.export.tables import Table

if TYPE_CHECKING:
    import pandas as pd

ROWS_A_FRAME = 50_000
_TYPES = {"text": "string", "int": "Int64", "float": "float64", "instant": "Int64"}
_ISO = "%Y-%m-%dT%H:%M:%SZ"


def write_csv(table: Table, path: Path) -> None:
    """Write with a header line, comma-separated, UTF-8; what is not known is an empty cell."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for n, frame in enumerate(_frames(table)):
            frame.to_csv(file, index=False, header=n == 0, lineterminator="\n", date_format=_ISO)


def write_json(table: Table, path: Path) -> None:
    """Write an array of objects, one a line, UTF-8."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        between = "\n"
        for frame in _frames(table):
            for name in frame.columns[[str(type_).startswith("datetime") for type_ in frame.dtypes]]:
                frame[name] = frame[name].dt.strftime(_ISO)
            for row in frame.astype(object).where(frame.notna(), None).to_dict("records"):
                file.write(between + json.dumps(row, ensure_ascii=False))
                between = ",\n"
        file.write("\n]\n")


def write_parquet(table: Table, path: Path) -> None:
    """Write with one type a column: instants as integers, and once more as UTC timestamps.

    Raises:
        ResultsError: pyarrow is not installed.
    """
    require_parquet()
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    frames = (pa.Table.from_pandas(frame, preserve_index=False) for frame in _frames(table))
    first = next(frames)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for more in frames:
            writer.write_table(more)


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


def _frames(table: Table) -> Iterator[pd.DataFrame]:
    """Yield all rows, frame by frame, at least one; every instant also as a timestamp behind its seconds."""
    import pandas as pd  # noqa: PLC0415 - takes half a second, and only who exports needs it

    rows = table.rows()
    group = list(islice(rows, ROWS_A_FRAME))
    while True:
        frame = pd.DataFrame(group, columns=[column.name for column in table.columns], dtype=object)
        frame = frame.astype({column.name: _TYPES[column.kind] for column in table.columns})
        for column in table.columns:
            if column.kind == "instant":
                moments = pd.to_datetime(frame[column.name], unit="s", utc=True).dt.as_unit("s")
                frame.insert(list(frame).index(column.name) + 1, f"{column.name.removesuffix('_s')}_utc", moments)
        yield frame
        group = list(islice(rows, ROWS_A_FRAME))
        if not group:
            return
