"""Exports a results file into a folder, one file per table."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO, cast, get_args, get_type_hints

import numpy as np

from agents import GRID, FloatArray
from broker import file_name, first_few
from scenarios.metrics import Kpis, Settlement
from scenarios.results.bill_rows import BillRow
from scenarios.results.connection import (
    OutputFormatError,
    ResultsExistError,
    ResultsWriteError,
    check_writable,
    whole_files,
)
from scenarios.results.reader import ResultsReader
from scenarios.results.summary import simulation_json

_ROUNDING = 1e-12
"""What sums of a few parts differ by, relative to the whole."""
Value = str | int | float | None
Row = tuple[Value, ...]
Kind = Literal["text", "int", "float", "instant"]
"""An `instant` is in UNIX seconds and its name ends in `_s`; an ISO 8601 column ending in `_utc` is added."""


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column; its name includes the unit."""

    name: str
    kind: Kind
    is_free_text: bool = False
    """Whether a device or another member may choose the text; others are ids of the scenario, begin with one, or are
    ours."""


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A table, written to one file."""

    name: str
    """Its file is named after it."""
    columns: tuple[ExportColumn, ...]
    rows: Callable[[], Iterator[Row]]
    """Returns a fresh iterator over the rows."""


def tables(results: ResultsReader) -> tuple[ExportTable, ...]:
    """Return all tables of a simulation."""
    return (
        ExportTable("runs", RUNS, lambda: _runs(results)),
        ExportTable("kpis", KPIS, lambda: _kpis(results)),
        ExportTable("contracts", CONTRACTS, lambda: _contracts(results)),
        ExportTable("history", HISTORY, lambda: _history(results)),
        ExportTable("messages", MESSAGES, lambda: _messages(results)),
        ExportTable("minutes", MINUTES, lambda: _minutes(results)),
        ExportTable("production", PRODUCTION, lambda: _production(results)),
        ExportTable("consumption", CONSUMPTION, lambda: _consumption(results)),
        ExportTable("base_loads", BASE_LOADS, lambda: _base_loads(results)),
        ExportTable("share_minutes", SHARE_MINUTES, lambda: _share_minutes(results)),
        ExportTable("bills", BILLS, lambda: _bills(results)),
    )


def _columns(*, free_texts: Collection[str] = (), **kinds: Kind) -> tuple[ExportColumn, ...]:
    return tuple(ExportColumn(name, kind, is_free_text=name in free_texts) for name, kind in kinds.items())


def _kpi_columns() -> tuple[ExportColumn, ...]:
    hints = get_type_hints(Kpis)
    return tuple(ExportColumn(field.name, "int" if hints[field.name] is int else "float") for field in fields(Kpis))


RUNS = _columns(
    free_texts=("error",),
    run="int",
    run_id="text",
    seed="int",
    state="text",
    start_s="instant",
    end_s="instant",
    ledger_sha256="text",
    messages="int",
    negotiations="int",
    wall_s="float",
    not_registered="int",
    error="text",
    covered_share="float",
)
KPIS = (*_columns(run="int", seed="int"), *_kpi_columns(), *_columns(state="text", covered_share="float"))
CONTRACTS = _columns(
    free_texts=("source_id", "profile"),
    run="int",
    contract_id="text",
    job_id="text",
    source_id="text",
    house="text",
    device="text",
    producer="text",
    state="text",
    registered_s="instant",
    earliest_start_s="instant",
    latest_start_s="instant",
    start_s="instant",
    agreed_s="instant",
    energy_wh="float",
    delivered_wh="float",
    profile="text",
)
HISTORY = _columns(
    free_texts=("reason",),
    run="int",
    contract_id="text",
    n="int",
    at_s="instant",
    what="text",
    start_s="instant",
    reason="text",
)
MESSAGES = _columns(
    run="int",
    n="int",
    time_s="instant",
    round="int",
    sender="text",
    seq="int",
    recipient="text",
    kind="text",
    job_id="text",
    body="text",
)
MINUTES = _columns(
    run="int",
    minute_s="instant",
    produced_wh="float",
    consumed_wh="float",
    contracted_wh="float",
    delivered_wh="float",
    grid_wh="float",
    export_wh="float",
    base_load_wh="float",
    base_load_local_wh="float",
)
PRODUCTION = _columns(
    run="int",
    producer="text",
    minute_s="instant",
    produced_wh="float",
    contracted_wh="float",
    delivered_wh="float",
)
CONSUMPTION = _columns(run="int", house="text", minute_s="instant", consumed_wh="float", delivered_wh="float")

BASE_LOADS = _columns(
    run="int", house="text", minute_s="instant", consumed_wh="float", own_wh="float", bought_wh="float"
)
SHARE_MINUTES = _columns(
    run="int",
    contract_id="text",
    job_id="text",
    producer="text",
    minute_s="instant",
    contracted_wh="float",
    delivered_wh="float",
)
BILLS = (
    *_columns(run="int", house="text", allocation_key="text"),
    *(ExportColumn(field.name, "float") for field in fields(BillRow)[2:]),
)


def _runs(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        yield (
            run.run,
            run.run_id,
            run.seed,
            run.state,
            run.start_s,
            run.end_s,
            run.ledger_sha256,
            run.messages,
            run.negotiations,
            run.wall_s,
            len(run.not_registered),
            run.error,
            results.covered_share(run),
        )


def _kpis(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        figures = results.kpis(run.run).as_dict().values()
        yield run.run, run.seed, *figures, run.state, results.covered_share(run)


def _contracts(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        jobs = {job.job_id: job for job in results.scenario_of(run.run).jobs}
        settled = results.settlement(run.run)
        covered_wh = dict(
            zip((c.contract_id for c in settled.contracts), settled.job_delivered_wh.tolist(), strict=True)
        )
        for entry in results.ledger(run.run):
            contract = entry.contract
            job = jobs.get(contract.job_id)
            yield (
                run.run,
                contract.contract_id,
                contract.job_id,
                *((job.source_id, job.house, job.device) if job else (None, None, None)),
                contract.producer,
                entry.state,
                *((job.registered_s, job.earliest_start_s, job.latest_start_s) if job else (None, None, None)),
                contract.start_s,
                contract.agreed_s,
                contract.energy_wh,
                covered_wh.get(contract.contract_id, 0.0),
                job.profile if job else None,
            )


def _history(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        for entry in results.ledger(run.run):
            for n, event in enumerate(entry.history, start=1):
                yield run.run, entry.contract.contract_id, n, event.at_s, event.what, event.start_s, event.reason


def _messages(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        for m in results.messages(run.run):
            body = json.dumps(m.body, ensure_ascii=False, separators=(",", ":"))
            yield run.run, m.n, m.time_s, m.round, m.sender, m.seq, m.recipient, m.kind, m.job_id, body


def _minutes(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        settled = results.settlement(run.run)
        columns = (
            settled.produced_wh.sum(axis=0),
            settled.consumed_wh,
            settled.drawn_wh.sum(axis=0),
            settled.delivered_wh.sum(axis=0),
            settled.grid_wh,
            settled.export_wh.sum(axis=0),
            np.zeros(settled.minutes) if settled.base_load is None else settled.base_load.consumed_wh.sum(axis=0),
            settled.base_load_supplied_wh.sum(axis=0),
        )
        for row in zip(settled.times_s.tolist(), *(column.tolist() for column in columns), strict=True):
            yield (run.run, *row)


def _production(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        settled = results.settlement(run.run)
        for i, producer in enumerate(settled.producers):
            columns = settled.produced_wh[i], settled.drawn_wh[i], settled.delivered_wh[i]
            for row in _non_zero_minutes(settled, columns):
                yield (run.run, producer, *row)


def _consumption(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        settled = results.settlement(run.run)
        for i, house in enumerate(settled.houses):
            for row in _non_zero_minutes(settled, (settled.house_consumed_wh[i], settled.house_delivered_wh[i])):
                yield (run.run, house, *row)


def _base_loads(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        settled = results.settlement(run.run)
        base = settled.base_load
        if base is None:
            continue
        for i, house in enumerate(settled.houses):
            for row in _non_zero_minutes(settled, (base.consumed_wh[i], base.own_wh[i], base.bought_wh[i])):
                yield (run.run, house, *row)


def _share_minutes(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        settled = results.settlement(run.run)
        given, drawn, times_s = settled.share_minutes, settled.job_minutes, settled.times_s.tolist()
        jobs = np.arange(len(settled.jobs) + 1)
        of_producers, of_draw = np.searchsorted(given.job, jobs), np.searchsorted(drawn.job, jobs)
        for i, contract in enumerate(settled.contracts):
            shares, draw = slice(*of_producers[i : i + 2]), slice(*of_draw[i : i + 2])
            key = run.run, contract.contract_id, contract.job_id
            columns = given.producer, given.minute, given.contracted_wh, given.delivered_wh
            for producer, minute, *energies_wh in zip(*(column[shares].tolist() for column in columns), strict=True):
                yield (*key, settled.producers[producer], times_s[minute], *energies_wh)
            minutes, drawn_wh = drawn.minute[draw], drawn.consumed_wh[draw]
            place = np.searchsorted(minutes, given.minute[shares])
            promised_wh = np.bincount(place, given.contracted_wh[shares], len(minutes)).astype(np.float64, copy=False)
            of_grid = [_rest(drawn_wh, part_wh) for part_wh in (promised_wh, drawn.delivered_wh[draw])]
            for n in np.flatnonzero(of_grid[0] + of_grid[1]).tolist():
                yield (*key, GRID, times_s[minutes[n]], float(of_grid[0][n]), float(of_grid[1][n]))


def _rest(whole_wh: FloatArray, part_wh: FloatArray) -> FloatArray:
    """Return what is left of energies without a part of them; 0 where the difference is rounding."""
    rest_wh = whole_wh - part_wh
    return np.where(rest_wh > _ROUNDING * whole_wh, rest_wh, 0.0)


def _bills(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        for row in results.bills(run.run):
            yield (run.run, *(getattr(row, field.name) for field in fields(BillRow)))


def _non_zero_minutes(settled: Settlement, columns: tuple[FloatArray, ...]) -> Iterator[Row]:
    """Return rows of minute and columns for the minutes in which a column is not zero."""
    minutes = np.flatnonzero(np.any(np.stack(columns) != 0.0, axis=0))
    return zip(settled.times_s[minutes].tolist(), *(column[minutes].tolist() for column in columns), strict=True)


if TYPE_CHECKING:
    import pandas as pd

ROWS_A_FRAME = 50_000
_TYPES = {"text": "string", "int": "Int64", "float": "float64", "instant": "Int64"}
_ISO = "%Y-%m-%dT%H:%M:%SZ"
_FORMULA = r"^(?=[=+\-@\t\r])"
"""The beginning of a cell that a spreadsheet takes for a formula, which can send what other cells contain elsewhere."""


class CsvRows:
    """Writes rows of CSV that end in a line feed, and in which carriage returns are quoted, to a text file.

    The csv module quotes only the characters that end its rows, and most readers take a carriage return for the end of
    a row unless it is quoted. So the module gets both characters for an end, and only one of them is written.
    """

    lineterminator = "\r\n"
    """How the csv module, which writes row by row, is to end each of them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        """Write what the csv module takes for a row, ended in our way."""
        return self._file.write(row.removesuffix(self.lineterminator) + "\n")


def write_csv(table: ExportTable, path: Path) -> None:
    """Write a table as CSV with a header, comma-separated, UTF-8; unknown values are empty cells.

    An apostrophe precedes a free text that a spreadsheet would take for a formula. Ids are left as they are: tables are
    joined by them.
    """
    free_texts = [column.name for column in table.columns if column.is_free_text]
    with path.open("w", encoding="utf-8", newline="") as file:
        for n, frame in enumerate(_frames(table)):
            for name in free_texts:
                frame[name] = frame[name].str.replace(_FORMULA, "'", regex=True)
            rows, end = cast("TextIO", CsvRows(file)), CsvRows.lineterminator  # of which pandas only calls `write`
            frame.to_csv(rows, index=False, header=n == 0, lineterminator=end, date_format=_ISO)


def write_json(table: ExportTable, path: Path) -> None:
    """Write a table as a JSON array of objects, one per line, UTF-8."""
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


def write_parquet(table: ExportTable, path: Path) -> None:
    """Write a table as Parquet with one type per column; instants both as integers and as UTC timestamps.

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
        OutputFormatError: pyarrow is not installed; the message says how to install it.
    """
    try:
        import pyarrow as pa  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise OutputFormatError(
            "Parquet needs pyarrow, which is not installed: pip install 'ssmic[parquet]'"
        ) from error


def _frames(table: ExportTable) -> Iterator[pd.DataFrame]:
    """Yield all rows, frame by frame, at least one; each instant is followed by a timestamp column."""
    import pandas as pd  # noqa: PLC0415 - takes half a second, and only exports need it

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


Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

_WRITERS: dict[Format, Callable[[ExportTable, Path], None]] = {
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
    """Write all tables of a simulation, and `simulation.json` with the output of `ssmic run --json`: all or none.

    Args:
        results: An open results file.
        format_: Format of the tables.
        folder: Target folder; created if missing.
        overwrite: Whether to overwrite files of the same names.
        wrote: Called with each file, once all are complete.

    Returns:
        The files, in the order of writing.

    Raises:
        ResultsError: Files exist already, one cannot be written, pyarrow is missing, or the results are damaged; the
            folder is as it was.
    """
    if format_ == "parquet":
        require_parquet()
    planned: dict[Path, Callable[[Path], object]] = {
        folder / f"{table.name}.{format_}": partial(_WRITERS[format_], table) for table in tables(results)
    }

    def write_summary(draft: Path) -> None:
        text = json.dumps(simulation_json(results), indent=2, ensure_ascii=False)
        draft.write_text(f"{text}\n", encoding="utf-8")

    planned[folder / "simulation.json"] = write_summary
    return _write_all(planned, folder, overwrite=overwrite, wrote=wrote)


def export_bills(
    run: int,
    bills: Sequence[BillRow],
    folder: Path,
    *,
    overwrite: bool,
    wrote: Callable[[Path], None] | None,
) -> tuple[Path, ...]:
    """Write a CSV file for each house, with the header and the row of its bill as in the table `bills`: all or none.

    Args:
        run: Number of the run.
        bills: The bills to write.
        folder: Target folder; created if missing.
        overwrite: Whether to overwrite files of the same names.
        wrote: Called with each file, once all are complete.

    Returns:
        The files, in the order of the bills.

    Raises:
        ResultsError: Files exist already, or one cannot be written; the folder is as it was.
    """

    def table(bill: BillRow) -> ExportTable:
        row = (run, *(getattr(bill, field.name) for field in fields(BillRow)))
        return ExportTable("bills", BILLS, lambda: iter((row,)))

    planned = {folder / f"{file_name(bill.house)}.csv": partial(write_csv, table(bill)) for bill in bills}
    return _write_all(planned, folder, overwrite=overwrite, wrote=wrote)


def _write_all(
    planned: Mapping[Path, Callable[[Path], object]],
    folder: Path,
    *,
    overwrite: bool,
    wrote: Callable[[Path], None] | None,
) -> tuple[Path, ...]:
    """Write files into a folder, all or none, and return them.

    Args:
        planned: By file, what writes its content to a draft.
        folder: The folder of all of them.
        overwrite: Whether to overwrite files of the same names.
        wrote: Called with each file, once all are complete.

    Raises:
        ResultsError: Files exist already, or one cannot be written; the folder is as it was.
    """
    _refuse_existing(folder, tuple(planned), overwrite=overwrite)
    with whole_files() as draft_of:
        for path, write in planned.items():
            write(draft_of(path))
    if wrote:
        for path in planned:
            wrote(path)
    return tuple(planned)


def _refuse_existing(folder: Path, paths: Sequence[Path], *, overwrite: bool) -> None:
    """Check that a folder can take these files.

    Raises:
        ResultsError: It is a file, or has some of them and they must not be overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise ResultsWriteError(f"{folder}: is a file; a folder is expected")
    there = [path.name for path in paths if path.exists()]
    if there and not overwrite:
        raise ResultsExistError(f"{folder}: already contains {first_few(there, 20)}; use --force to overwrite")
    for path in paths:
        check_writable(path)
