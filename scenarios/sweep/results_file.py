"""The results file of a sweep: SQLite with one tidy table of runs, which grows by a row with each run that is done.

When all runs are done, the file is rewritten in their order, with the summary and the comparisons. Its content then
depends only on the sweep: not on the number of workers, the order in which they finished, or how often it was stopped
and resumed. Only wall times differ; they are only in the tables `timing` and `meta`.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Final, cast

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from broker import atomic_write, shown
from broker.protocol import first_problem
from scenarios.metrics import paired_differences, sample_statistics
from scenarios.results import (
    MOST_NUMBER,
    SWEEP_ID,
    ResultsError,
    ResultsExistError,
    ResultsLockedError,
    ResultsWriteError,
    UnknownWordError,
    check_writable,
    damage_of,
    foreign_part,
    is_busy,
    is_sweep_file,
    refuse_newer,
    versions,
)
from scenarios.sweep.one_run import COUNTS, FIGURES, SweepRow
from scenarios.sweep.parameters import Value
from scenarios.sweep.plan import SweepPlan, SweepRequest, request_json

SummaryRow = tuple[int, str, int, float | None, float | None, float | None, float | None, float | None, float | None]
"""Point, figure, runs, mean, standard deviation, lower and upper end of the 95 % interval, minimum, maximum."""
PairRow = tuple[int, int, str, int, float | None, float | None, float | None]
"""Reference, point, figure, seeds, mean difference, lower and upper end of its 95 % interval."""
BySeed = Mapping[int, Mapping[str, float | None]]
"""Figures of a point's runs, by seed."""

MOST_PAIRED = 24
"""With more points than this, each one is compared with the first one only."""
SCHEMA_VERSION: Final = 1
_LATER_FIGURES = frozenset({"possible_wh", "share_of_possible"})
"""Figures that the sweeps of earlier versions do not have."""
_BUSY_WALL_S = 10.0

_TABLES = """
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL -- JSON
) WITHOUT ROWID;

CREATE TABLE points (
  point INTEGER PRIMARY KEY, -- counts from 1
  label TEXT NOT NULL{parameters}
);

CREATE TABLE runs ( -- one row a run: parameters, seed, figures
  run           INTEGER PRIMARY KEY, -- counts from 1, point by point
  point         INTEGER NOT NULL REFERENCES points (point){parameters},
  seed          INTEGER NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('done', 'failed')),
  {figures},
  ledger_sha256 TEXT, -- equal ledgers, equal hash
  error         TEXT NOT NULL
);

CREATE TABLE timing ( -- wall time: what differs from one execution to another
  run          INTEGER PRIMARY KEY,
  wall_s       REAL NOT NULL,
  finished_utc TEXT NOT NULL
);

CREATE TABLE summary ( -- of the runs of each point; intervals of the mean by Student's t
  point   INTEGER NOT NULL REFERENCES points (point),
  figure  TEXT NOT NULL,
  runs    INTEGER NOT NULL,
  mean    REAL,
  standard_deviation REAL,
  low_95  REAL,
  high_95 REAL,
  minimum REAL,
  maximum REAL,
  PRIMARY KEY (point, figure)
) WITHOUT ROWID;

CREATE TABLE pairwise ( -- point less reference, run by run on the same seeds
  reference INTEGER NOT NULL REFERENCES points (point),
  point     INTEGER NOT NULL REFERENCES points (point),
  figure    TEXT NOT NULL,
  seeds     INTEGER NOT NULL,
  mean      REAL,
  low_95    REAL,
  high_95   REAL,
  PRIMARY KEY (reference, point, figure)
) WITHOUT ROWID;
"""


def pairs_of(count: int) -> list[tuple[int, int]]:
    """Return the indexes of the points that are compared, the reference first."""
    if count > MOST_PAIRED:
        return [(0, other) for other in range(1, count)]
    return list(combinations(range(count), 2))


def summarize(points: Sequence[BySeed], figures: Sequence[str]) -> Iterator[SummaryRow]:
    """Yield the statistics of each figure of each point."""
    for number, by_seed in enumerate(points, start=1):
        for name in figures:
            of = sample_statistics([run.get(name) for run in by_seed.values()])
            spread = (of.standard_deviation, of.low_95, of.high_95, of.minimum, of.maximum)
            yield (number, name, of.runs, of.mean, *spread)


def pairwise(points: Sequence[BySeed], figures: Sequence[str]) -> Iterator[PairRow]:
    """Yield the differences of each figure between two points, on the seeds that both have."""
    for reference, other in pairs_of(len(points)):
        for name in figures:
            of = sample_statistics(paired_differences(points[reference], points[other], name))
            yield (reference + 1, other + 1, name, of.runs, of.mean, of.low_95, of.high_95)


@dataclass(frozen=True, slots=True)
class SweepInfo:
    """The description of a sweep."""

    request: SweepRequest
    scenario: str
    """Name of the scenario."""
    keys: tuple[str, ...]
    """The varied parameters."""
    seeds: tuple[int, ...]
    """Of the runs of each point."""
    points: tuple[str, ...]
    """Labels, in the order of their numbers."""
    values: tuple[tuple[Value, ...], ...]
    """Of each point, in the order of the keys."""
    fingerprint: str
    """Hash of everything that the results follow from, see `SweepPlan.fingerprint`."""
    versions: Mapping[str, str]
    """Versions of the software that results may depend on, by name."""
    created_utc: str
    """ISO 8601."""
    sha256: str | None
    """Of the complete results; None: runs are missing."""

    @property
    def planned(self) -> int:
        """Number of runs of the whole sweep."""
        return len(self.points) * len(self.seeds)


@dataclass(frozen=True, slots=True)
class SweepResults:
    """Content of a sweep's results file."""

    path: Path
    info: SweepInfo
    rows: tuple[SweepRow, ...]
    """Those that are done or failed so far, in the order of their numbers."""

    def point_of(self, row: SweepRow) -> int:
        """Return the number of a run's point."""
        return (row.run - 1) // len(self.info.seeds) + 1

    def seed_of(self, row: SweepRow) -> int:
        """Return a run's seed."""
        return self.info.seeds[(row.run - 1) % len(self.info.seeds)]

    def figures_by_seed(self) -> list[dict[int, Mapping[str, float | None]]]:
        """Return the figures of the runs that are done: by seed, one mapping for each point."""
        found: list[dict[int, Mapping[str, float | None]]] = [{} for _ in self.info.points]
        for row in self.rows:
            if row.state == "done":
                found[self.point_of(row) - 1][self.seed_of(row)] = row.figures
        return found

    @property
    def done_runs(self) -> int:
        """Number of runs that are done; those that failed are to be done again."""
        return sum(row.state == "done" for row in self.rows)

    @property
    def is_complete(self) -> bool:
        """Whether all runs are done."""
        return self.info.sha256 is not None


class SweepFile:
    """A results file that is being written; `open_sweep` opens one."""

    def __init__(self, path: Path, plan: SweepPlan, connection: sqlite3.Connection) -> None:
        """Write to a file that `open_sweep` has created or checked.

        Args:
            path: The file, for messages.
            plan: Its points and runs.
            connection: Open for writing; the caller closes it.
        """
        self.path = path
        self._plan = plan
        self._connection = connection

    def done(self) -> set[int]:
        """Return the numbers of the runs that are done; those that failed are to be done again."""
        with _translated(self.path):
            return {run for (run,) in self._connection.execute("SELECT run FROM runs WHERE state = 'done'")}

    def add(self, row: SweepRow) -> None:
        """Store a run durably.

        Raises:
            ResultsWriteError: The file cannot be written.
        """
        with _translated(self.path), self._connection:
            self._connection.execute(*_run_row(self._plan, row))
            self._connection.execute(
                "INSERT OR REPLACE INTO timing VALUES (?, ?, ?)",
                (row.run, row.wall_s, datetime.now(UTC).isoformat(timespec="milliseconds")),
            )

    def complete(self) -> str:
        """Rewrite the file in the order of the runs, with summary and comparisons; return the results' hash.

        Raises:
            ResultsWriteError: The file cannot be written.
        """
        with _translated(self.path):
            timing = self._connection.execute("SELECT * FROM timing ORDER BY run").fetchall()
            (created,) = self._connection.execute("SELECT value FROM meta WHERE key = 'created_utc'").fetchone()
        results = read_sweep(self.path)
        digest = rows_sha256(results)
        figures = results.figures_by_seed()
        with _translated(self.path), atomic_write(self.path) as draft, closing(_connect(draft)) as connection:
            _build(connection, self._plan, json.loads(created), digest)
            with connection:
                for row in results.rows:
                    connection.execute(*_run_row(self._plan, row))
                connection.executemany("INSERT INTO timing VALUES (?, ?, ?)", timing)
                _insert(connection, "summary", summarize(figures, FIGURES))
                _insert(connection, "pairwise", pairwise(figures, FIGURES))
        return digest


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[SummaryRow | PairRow]) -> None:
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - our own two tables


@contextmanager
def open_sweep(path: Path, plan: SweepPlan) -> Iterator[SweepFile]:
    """Open the results file of a sweep for writing: a new one, or the one that the same sweep has begun.

    Raises:
        ResultsExistError: The file holds something else, or another process is writing it.
        ResultsWriteError: It cannot be written.
    """
    if path.is_dir():
        raise ResultsExistError(f"{path}: is a folder; a results file is expected")
    check_writable(path)
    with _translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        with _translated(path), lock:
            try:
                if not path.exists():
                    with atomic_write(path) as draft, closing(_connect(draft)) as connection:
                        _build(connection, plan, datetime.now(UTC).isoformat(timespec="milliseconds"), None)
                else:
                    _check_same(path, plan)
                with closing(_connect(path)) as connection:
                    yield SweepFile(path, plan, connection)
            finally:
                Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise ResultsExistError(f"{path}: another process is doing this sweep") from None


def _check_same(path: Path, plan: SweepPlan) -> None:
    if not is_sweep_file(path):
        raise ResultsExistError(f"{path}: exists already and is not a sweep; refusing to overwrite it")
    info = read_sweep(path).info
    if info.fingerprint == plan.fingerprint():
        return
    before, now = request_json(info.request), request_json(plan.request)
    changed = [
        f"{option} {_said(before[key])} and now {_said(now[key])}"
        for key, option in _OPTIONS.items()
        if before[key] != now[key]
    ]
    what = "; ".join(changed) or "the scenario, or how ssmic computes its figures, has changed since"
    raise ResultsExistError(f"{path}: holds another sweep ({what}); name another file")


_OPTIONS = {
    "source": "scenario",
    "vary": "--vary",
    "fixed": "--set",
    "seeds": "--seeds",
    "first_seed": "--seed",
    "sample": "--sample",
    "sample_seed": "--sample-seed",
    "together": "--zip",
}
"""By field of the request, the option that changes what is run."""


def _said(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "nothing"
    return "the default" if value is None else str(value)


def read_sweep(path: Path) -> SweepResults:
    """Return the content of a sweep's results file, complete or not.

    Raises:
        ResultsError: The file cannot be read, or holds no sweep.
    """
    if not is_sweep_file(path):
        raise ResultsError(f"{path}: {'holds no sweep' if path.exists() else 'there is no such file'}")
    try:
        with closing(_connect(path, read_only=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            refuse_newer(path, version, SCHEMA_VERSION)
            if (foreign := foreign_part(connection)) is not None:
                raise ResultsError(f"{path}: is damaged: {foreign}")
            meta = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
            labels = connection.execute("SELECT * FROM points ORDER BY point").fetchall()
            there = {name for _, name, *_ in connection.execute("PRAGMA table_info(runs)")}
            # Sweeps of earlier versions do not have all figures.
            figures = tuple(name for name in FIGURES if name in there or name not in _LATER_FIGURES)
            columns = ", ".join(f'r."{name}"' for name in figures)
            rows = connection.execute(
                f"SELECT r.run, r.state, r.ledger_sha256, r.error, t.wall_s, {columns}"  # noqa: S608 - our own names
                " FROM runs r JOIN timing t USING (run) ORDER BY r.run"
            ).fetchall()
        info = _checked_info(_Meta.model_validate_json(json.dumps(meta)), labels)
        return SweepResults(path, info, tuple(_checked_row(row, info.planned, figures) for row in rows))
    except (sqlite3.Error, ValueError, RecursionError) as error:
        if isinstance(error, sqlite3.Error) and is_busy(error):
            raise ResultsLockedError(f"{path}: cannot be read: {error}") from error
        raise ResultsError(f"{path}: {damage_of(error)}: {first_problem(error)}") from error


class _Meta(BaseModel):
    """The table `meta` of a file that may come from anybody."""

    model_config = ConfigDict(strict=True, frozen=True)

    request: SweepRequest
    scenario: str
    keys: tuple[str, ...]
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    values: tuple[tuple[Value, ...], ...]
    fingerprint: str
    versions: dict[str, str]
    created_utc: str
    sha256: str | None


def _checked_info(meta: _Meta, labels: Sequence[Sequence[object]]) -> SweepInfo:
    """Return the description of a sweep.

    Args:
        meta: Its table of this name.
        labels: The rows of the table `points`: number, label and further columns.

    Raises:
        ValueError: The tables do not go together.
    """
    if [row[0] for row in labels] != list(range(1, len(meta.values) + 1)):
        raise ValueError(f"table 'points' has {len(labels)} rows, expected those of points 1 to {len(meta.values)}")
    if any(len(values) != len(meta.keys) for values in meta.values):
        raise ValueError(f"a point does not have {len(meta.keys)} values, one for each of its keys")
    if not all(isinstance(row[1], str) for row in labels):
        raise ValueError("table 'points' has a label that is not a text")
    return SweepInfo(
        request=meta.request,
        scenario=meta.scenario,
        keys=meta.keys,
        seeds=meta.seeds,
        points=tuple(str(row[1]) for row in labels),
        values=meta.values,
        fingerprint=meta.fingerprint,
        versions=meta.versions,
        created_utc=meta.created_utc,
        sha256=meta.sha256,
    )


def _checked_row(row: Sequence[Any], planned: int, figures: Sequence[str]) -> SweepRow:
    """Return a run's row.

    Args:
        row: Number, state, hash, error, wall time and figures.
        planned: Number of runs of the sweep.
        figures: Names of the figures that the file has.

    Raises:
        ValueError: It is not a row of this sweep.
    """
    run, state, ledger, error, wall_s, *values = row
    if not (isinstance(run, int) and 1 <= run <= planned):
        raise ValueError(f"table 'runs' has run {shown(str(run))}, expected 1 to {planned}")
    if state not in {"done", "failed"}:
        raise UnknownWordError(f"run {run} has the state {shown(str(state))}, expected 'done' or 'failed'")
    if not (isinstance(ledger, str | None) and isinstance(error, str) and isinstance(wall_s, float | int)):
        raise ValueError(f"run {run} has a hash, an error or a wall time of another type")  # noqa: TRY004 - a value
    for name, value in (("a wall time", wall_s), *zip(figures, values, strict=True)):
        if value is not None and not (isinstance(value, float | int) and abs(value) <= MOST_NUMBER):
            expected = f"a number of at most {MOST_NUMBER:g}"
            raise ValueError(f"run {run} has {shown(str(value))} as {name}, expected {expected}")
    known = dict(zip(figures, values, strict=True)) if state == "done" else {}
    return SweepRow(run, state, known, ledger, error, wall_s)


def rows_sha256(results: SweepResults) -> str:
    """Return a hash of all runs, their parameters and figures, without wall times: equal results, equal hash."""
    info, digest = results.info, hashlib.sha256()
    for row in results.rows:
        values = info.values[results.point_of(row) - 1]
        content = [row.run, values, results.seed_of(row), row.state, dict(row.figures), row.ledger_sha256, row.error]
        digest.update(json.dumps(content, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    if read_only:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_WALL_S)
    connection = sqlite3.connect(path, timeout=_BUSY_WALL_S)
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _build(connection: sqlite3.Connection, plan: SweepPlan, created_utc: str, digest: str | None) -> None:
    columns = zip(plan.keys, zip(*(point.values for point in plan.points), strict=True), strict=True)
    parameters = "".join(f",\n  {quoted(key)} {_type_of(values)}" for key, values in columns)
    figures = ",\n  ".join(f"{quoted(name)} {'INTEGER' if name in COUNTS else 'REAL'}" for name in FIGURES)
    connection.executescript(
        f"PRAGMA application_id = {SWEEP_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
        + _TABLES.format(parameters=parameters, figures=figures)
    )
    meta = {
        "application": "ssmic",
        "schema_version": SCHEMA_VERSION,
        "request": request_json(plan.request),
        "scenario": plan.scenario,
        "keys": plan.keys,
        "seeds": plan.seeds,
        "values": [point.values for point in plan.points],
        "fingerprint": plan.fingerprint(),
        "versions": versions(),
        "created_utc": created_utc,
        "sha256": digest,
    }
    with connection:
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [(key, json.dumps(value, ensure_ascii=False)) for key, value in sorted(meta.items())],
        )
        marks = ", ".join("?" * (2 + len(plan.keys)))
        connection.executemany(
            f"INSERT INTO points VALUES ({marks})",  # noqa: S608 - question marks
            [(point.number, plan.label(point), *point.values) for point in plan.points],
        )


def _type_of(values: Sequence[Value]) -> str:
    """Return the declared type of a column; values that are not of it stay as they are."""
    kinds = {type(value) for value in values}
    if kinds <= {bool, int}:
        return "INTEGER"
    return "REAL" if kinds <= {int, float} else "TEXT"


def _run_row(plan: SweepPlan, row: SweepRow) -> tuple[str, tuple[Any, ...]]:
    per_point = len(plan.seeds)
    point, seed = plan.points[(row.run - 1) // per_point], plan.seeds[(row.run - 1) % per_point]
    figures = [row.figures.get(name) for name in FIGURES]
    values = (row.run, point.number, *point.values, seed, row.state, *figures, row.ledger_sha256, row.error)
    marks = ", ".join("?" * len(values))
    return f"INSERT OR REPLACE INTO runs VALUES ({marks})", values  # noqa: S608 - question marks


def quoted(name: str) -> str:
    """Return a name as SQL writes that of a column."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, Timeout):
            raise
        what = cast("Any", error).strerror if isinstance(error, OSError) and error.strerror else error
        raise ResultsWriteError(f"{path}: cannot be written: {what}") from error
