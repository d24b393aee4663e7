"""A new results file: its tables, the simulation that it is about, and the complete scenario."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from scenarios.fingerprint import SCENARIO
from scenarios.results.errors import ResultsExistError, ResultsWriteError
from scenarios.results.naming import DEFAULT_FOLDER, file_name, reserve, reserve_exactly
from scenarios.results.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES
from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is about to be run."""

    scenario: Scenario
    algorithm: str
    seeds: tuple[int, ...]
    """One a run."""
    broker: str
    """`memory`, `mosquitto`, `embedded` or a URL; login data in it are not kept."""
    hosts: int | None = None
    """Connections that the agents are spread over; None: one a household."""
    settings: Mapping[str, Any] | None = None
    """All else that was chosen, fit for JSON: the algorithm's settings, the pace, patience, ..."""


def create_results(simulation: Simulation, out: Path | None = None, folder: Path = DEFAULT_FOLDER) -> Path:
    """Make a results file without runs and return where it is.

    Args:
        simulation: What is about to be run.
        out: The file to make; None: one named after the simulation and the present moment, in `folder`.
        folder: Where results go that are not told otherwise; made if it is not there.

    Raises:
        ResultsError: `out` exists, or the place cannot be written to.
    """
    created = datetime.now(UTC)
    if out is None:
        scenario, runs = simulation.scenario.name, len(simulation.seeds)
        path = reserve(folder, file_name(created, scenario, simulation.algorithm, runs))
    else:
        try:
            path = reserve_exactly(out)
        except FileExistsError:
            raise ResultsExistError(f"{out}: exists already; results are never written over") from None
    # Built beside its place and moved there whole: who looks meanwhile finds an empty file, never half of one.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _build(draft, simulation, created)
        draft.replace(path)
    except (sqlite3.Error, OSError) as error:
        draft.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise ResultsWriteError(f"{path}: cannot be written: {error}") from error
    return path


def versions() -> dict[str, str]:
    """Return the versions of what a result may depend on."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package in ("ssmic", "numpy", "scipy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def without_login(broker: str) -> str:
    """Return a broker's URL without user and password."""
    return re.sub(r"(?<=//)[^/]*@", "", broker)


def _build(path: Path, simulation: Simulation, created: datetime) -> None:
    scenario = simulation.scenario
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        # Not yet the write-ahead log that runs use: what does not fit on the disk would stay behind in it unnoticed.
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(f"BEGIN; {TABLES}; PRAGMA user_version = {SCHEMA_VERSION};")
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("application", "ssmic"), ("schema_version", str(SCHEMA_VERSION))],
        )
        connection.execute(
            "INSERT INTO simulation VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                scenario.name,
                SCENARIO.dump_json(scenario).decode(),
                simulation.algorithm,
                json.dumps(dict(simulation.settings or {}), sort_keys=True),
                without_login(simulation.broker),
                simulation.hosts,
                json.dumps(simulation.seeds),
                json.dumps(versions()),
                created.isoformat(timespec="milliseconds"),
            ),
        )
        connection.executemany(
            "INSERT INTO houses VALUES (?, ?, ?)",
            [(i, house.id, house.name) for i, house in enumerate(scenario.houses)],
        )
        connection.executemany(
            "INSERT INTO producers (producer, house_id) VALUES (?, ?)",
            [(d.id, i) for i, house in enumerate(scenario.houses) for d in house.devices if d.type == "producer"],
        )
        connection.executemany(
            "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                for job in scenario.jobs
            ],
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
