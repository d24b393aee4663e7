"""Rows of a results file: its simulation with the scenario and its jobs, the runs, and the verdicts on them."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, FiniteFloat

from agents import Job
from agents.sharing import SUPPLY_RULES
from broker import shown
from scenarios.results.connection import (
    ResultsError,
    UnknownWordError,
    open_for_writing,
    transaction,
    translate_sqlite_errors,
)
from scenarios.results.file_validation import MOST_RUN_S, decompressed
from scenarios.results.schema import has_table

COMPRESSED_FROM_CHARACTERS = 4_000_000
"""A scenario's JSON is compressed from this length: that of 10,000 houses has 270 MB, because each of its 50,000 jobs
repeats one of a few load profiles. Shorter ones stay text, which any program that reads SQLite can show."""
MOST_SCENARIO_BYTES = 2**30
"""The largest scenario that is read."""
_COMPRESSION_LEVEL = 1
"""Higher levels save little more of repeated profiles, and take several times as long."""

RunState = Literal["running", "done", "interrupted", "failed"]
_VERDICTS_TABLE = """
CREATE TABLE IF NOT EXISTS expectations ( -- files without expectations have no table
  run          INTEGER NOT NULL REFERENCES runs (run),
  n            INTEGER NOT NULL, -- counts from 1
  verdict_json TEXT NOT NULL,
  PRIMARY KEY (run, n)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class SimulationInfo:
    """The description of a simulation."""

    scenario: str
    """Name of the scenario."""
    algorithm: str
    settings: dict[str, Any]
    """All other choices, by name, as `SimulationSpec.settings`."""
    broker: str
    """`memory`, `mosquitto`, `embedded` or a URL without login."""
    hosts: int | None
    """Hosts that the agents were spread over; None: one per household."""
    seeds: tuple[int, ...]
    """Seeds of the planned runs."""
    versions: dict[str, str]
    """Versions of the software that results may depend on, by name."""
    created_utc: str
    """ISO 8601."""

    @property
    def supply(self) -> str:
        """`whole`, or `shared`: whether several producers may supply a job together."""
        return str(self.settings.get("supply", "whole"))

    @property
    def algorithm_and_supply(self) -> str:
        """The algorithm as headings name it, and whether supply was shared, because shared supply does not use it."""
        return f"{self.algorithm}, shared supply" if self.supply == "shared" else self.algorithm


class _KeptVerdict(BaseModel):
    """A verdict as it is stored, see `scenarios.expectations.Verdict`."""

    title: str
    condition: str
    holds: bool
    values: str
    at_s: int | None = None
    error: str = ""


class _KeptOptimum(BaseModel):
    """An optimum as it is stored with a run, see `scenarios.optimum.optimum_json`."""

    best_wh: FiniteFloat
    bound_wh: FiniteFloat
    share: FiniteFloat | None
    carried_bound_wh: FiniteFloat = 0.0
    gap: FiniteFloat = 0.0
    proven: bool = False
    wall_s: FiniteFloat = 0.0
    inputs_sha256: str = ""


class _KeptBaseline(BaseModel):
    """A baseline as it is stored with a run, see `scenarios.optimum.baseline_json`."""

    name: str
    delivered_wh: FiniteFloat
    deviation_wh: FiniteFloat | None = None
    share: FiniteFloat | None


class _KeptComparison(BaseModel):
    """What a run was compared with."""

    optimum: _KeptOptimum | None = None
    baselines: list[_KeptBaseline] = []
    shared_optimum: _KeptOptimum | None = None


def checked_comparison(text: str | None) -> dict[str, Any]:
    """Return what a run was compared with; other keys are left out, which would stand among those of the run.

    Args:
        text: JSON, see `record_comparison`; None: it was compared with nothing.

    Raises:
        ValueError: It is damaged.
    """
    if text is None:
        return {}
    found = _KeptComparison.model_validate_json(text).model_dump(exclude_unset=True)
    if found.get("optimum") is not None:
        found.setdefault("baselines", [])
    return {name: compared for name, compared in found.items() if compared is not None}


def record_comparison(path: Path, run: int, comparison: Mapping[str, Any]) -> None:
    """Store the comparison of a run with the optimum.

    Args:
        path: The results file.
        run: Number of the run.
        comparison: `{"optimum": {...}, ...}`, serialisable as JSON.

    Raises:
        ResultsError: The file cannot be written, or has no such run.
    """
    with translate_sqlite_errors(path):
        connection = open_for_writing(path)
        try:
            with transaction(connection):
                changed = connection.execute(
                    "UPDATE runs SET comparison_json = ? WHERE run = ?", (json.dumps(dict(comparison)), run)
                ).rowcount
        finally:
            connection.close()
    if not changed:
        raise ResultsError(f"{path}: has no run {run}")


def check_times(run: int, start_s: int, times_s: Iterable[int]) -> None:
    """Check that a run lies within the time that a run can take: its energy is settled minute by minute.

    Args:
        run: Number of the run.
        start_s: Its start, UNIX seconds.
        times_s: Other times of the run, UNIX seconds.

    Raises:
        ValueError: One is too far from the start.
    """
    for time_s in times_s:
        if abs(time_s - start_s) > MOST_RUN_S:
            days = MOST_RUN_S // 86_400
            raise ValueError(
                f"run {run} starts at {start_s} and has the time {time_s}; it can take {days} days at most"
            )


def checked_settings(text: str) -> dict[str, Any]:
    """Return the settings of a simulation, which determine how the rest of its file is read.

    Args:
        text: JSON, as `SimulationSpec.settings`.

    Raises:
        UnknownWordError: The rule of supply is unknown; every figure depends on it.
    """
    settings: dict[str, Any] = json.loads(text)
    supply = settings.get("supply", "whole")
    if supply not in SUPPLY_RULES:
        rules = " or ".join(map(repr, SUPPLY_RULES))
        raise UnknownWordError(f"its settings, at supply: {shown(str(supply))}, expected {rules}")
    return settings


@dataclass(frozen=True, slots=True)
class DroppedHost:
    """A host that a run continued without."""

    host: str
    """Its id."""
    why: str
    """The reason, for users."""
    is_quarantined: bool
    """Whether it was quarantined because it broke the protocol; if not, it was away too long."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run of a simulation."""

    run: int
    """Number of the run, from 1."""
    run_id: str
    """Its name in the topics of the broker."""
    seed: int
    state: RunState
    """Still `running` after a crash; see `written_utc`."""
    start_s: int
    """UNIX seconds."""
    end_s: int
    """Virtual time reached so far, UNIX seconds."""
    ledger_sha256: str | None
    """None while running."""
    messages: int
    """How many messages agents sent to each other, whether they were kept or not."""
    negotiations: int
    """How often a job went looking for a supplier."""
    wall_s: float | None
    """How long it took, wall-clock seconds; None: not known, as while it is running."""
    not_registered: tuple[str, ...]
    """Ids of the jobs for which the run ended too early."""
    error: str
    """Why it failed; empty if it did not."""
    comparison: dict[str, Any]
    """Its comparison with the optimum; empty if there is none."""
    written_utc: str
    """Time of the last write; ISO 8601."""
    without: tuple[DroppedHost, ...] = ()
    """Hosts that it ended without, by id."""
    disputes: tuple[str, ...] = ()
    """Statements of households that contradict the ledger or each other; the ledger stands."""

    @property
    def is_complete(self) -> bool:
        """Whether it completed. Figures of other runs cover only part of the time and are excluded from means."""
        return self.state == "done"

    def share_of(self, optimum: Literal["optimum", "shared_optimum"]) -> float | None:
        """Return the share of an optimum that the run reached, 0 to 1; None if that was not computed."""
        found = self.comparison.get(optimum)
        return found.get("share") if isinstance(found, dict) else None


def run_info_of(row: sqlite3.Row, without: Sequence[DroppedHost], disputes: Sequence[str]) -> RunInfo:
    """Return a run from its row.

    Args:
        row: Of the table `runs`.
        without: The hosts that it ended without, by id.
        disputes: Statements of households that contradict the ledger or each other.

    Raises:
        ValueError: The row is damaged.
    """
    check_times(row["run"], row["start_s"], [row["reached_s"]])
    return RunInfo(
        run=row["run"],
        run_id=row["run_id"],
        seed=row["seed"],
        state=row["state"],
        start_s=row["start_s"],
        end_s=row["reached_s"],
        ledger_sha256=row["ledger_sha256"],
        messages=row["messages"],
        negotiations=row["negotiations"],
        wall_s=row["wall_s"],
        not_registered=tuple(json.loads(row["not_registered_json"])),
        error=row["error"],
        comparison=checked_comparison(row["comparison_json"]),
        written_utc=row["written_utc"],
        without=tuple(without),
        disputes=tuple(disputes),
    )


def stored_scenario(text: str) -> str | bytes:
    """Return a scenario's JSON as it is stored."""
    return text if len(text) < COMPRESSED_FROM_CHARACTERS else zlib.compress(text.encode(), _COMPRESSION_LEVEL)


def restored_scenario(kept: str | bytes) -> str:
    """Return a scenario's JSON from what was stored.

    Raises:
        ValueError: It is damaged.
    """
    if isinstance(kept, str):
        return kept
    try:
        return decompressed(kept, MOST_SCENARIO_BYTES).decode()
    except ValueError as error:
        raise ValueError(f"its scenario {error}") from error


def write_jobs(connection: sqlite3.Connection, jobs: Iterable[Job]) -> None:
    """Write the jobs that the file lacks.

    Args:
        connection: Open for writing, within a transaction.
        jobs: The jobs.

    Raises:
        sqlite3.Error: The rows cannot be written.
    """
    connection.executemany(
        "INSERT OR IGNORE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                job.job_id,
                job.source_id,
                job.house,
                job.device,
                job.profile,
                job.registered_s,
                job.earliest_start_s,
                job.latest_start_s,
                job.duration_s,
                job.energy_wh,
            )
            for job in jobs
        ],
    )


def record_verdicts(path: Path, run: int, verdicts: Sequence[dict[str, Any]]) -> None:
    """Store the verdicts on a run, replacing earlier ones.

    Args:
        path: The results file.
        run: The run, counted from 1.
        verdicts: One JSON object per expectation, in the order of the scenario.

    Raises:
        ResultsError: The file cannot be written.
    """
    with translate_sqlite_errors(path):
        connection = open_for_writing(path)
        try:
            with transaction(connection):
                connection.execute(_VERDICTS_TABLE)
                connection.execute("DELETE FROM expectations WHERE run = ?", (run,))
                connection.executemany(
                    "INSERT INTO expectations VALUES (?, ?, ?)",
                    [(run, n, json.dumps(verdict, ensure_ascii=False)) for n, verdict in enumerate(verdicts, start=1)],
                )
        finally:
            connection.close()


def read_verdicts(connection: sqlite3.Connection, run: int) -> tuple[dict[str, Any], ...]:
    """Return the verdicts on a run; empty if there are none.

    Raises:
        ValueError: A row is not a verdict.
        sqlite3.Error: The rows cannot be read.
    """
    if not has_table(connection, "expectations"):
        return ()
    rows = connection.execute("SELECT verdict_json FROM expectations WHERE run = ? ORDER BY n", (run,)).fetchall()
    return tuple(_KeptVerdict.model_validate_json(text).model_dump() for (text,) in rows)
