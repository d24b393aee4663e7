"""Results files in a folder: naming, creating, finding and listing them."""

from __future__ import annotations

import json
import platform
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from broker import FILE_MODE, atomic_write, create_private_file, make_private_folder, remove_abandoned_drafts
from broker.protocol import first_problem
from scenarios.events import ChangeTariff
from scenarios.prices import MINUTE_S, prices_in_words
from scenarios.results.connection import (
    DAMAGE,
    ResultsError,
    ResultsExistError,
    ResultsWriteError,
    damage_of,
    is_sweep_file,
    open_for_reading,
    translate_read_errors,
)
from scenarios.results.rows import checked_settings, stored_scenario, write_jobs
from scenarios.results.schema import APPLICATION_ID, TABLES, ResultsFormat
from scenarios.scenario import SCENARIO, Scenario, planned_end_s
from scenarios.timeline import as_planned

DEFAULT_FOLDER = Path("results")
SUFFIX = ".sqlite"
_BESIDE = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a file while it is open. It would take those of a deleted file for
those of the new one."""


def file_name(created: datetime, scenario: str, algorithm: str, runs: int) -> str:
    """Return the file name of a simulation's results.

    Args:
        created: Time of creation, UTC.
        scenario: Name of the scenario; characters that do not suit a file name become `-`.
        algorithm: Name of the algorithm; unsuitable characters are replaced.
        runs: Number of runs.
    """
    return f"{created:%Y-%m-%d_%H%M%S}_{_fit(scenario)}_{_fit(algorithm)}_{runs}{SUFFIX}"


def reserve(folder: Path, name: str) -> Path:
    """Create an empty file and return its path; if the name is taken, `-2`, `-3`, ... is appended.

    Raises:
        ResultsError: The folder cannot be created or written to.
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
    """Create an empty file. What SQLite has left beside a file of this name that was deleted is removed, too.

    Raises:
        FileExistsError: It exists already.
        ResultsError: It cannot be created.
    """
    try:
        make_private_folder(path.parent)
        create_private_file(path)
        for ending in _BESIDE:
            path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    except FileExistsError:
        if path.parent.is_dir():
            raise
        raise ResultsError(f"{path.parent}: is a file, and results need a folder") from None
    except OSError as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _fit(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip(".-") or "unnamed"


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """Specification of a simulation that is about to run."""

    scenario: Scenario
    algorithm: str
    """Name of the scheduler; its settings are in `settings`."""
    seeds: tuple[int, ...]
    """One per run."""
    broker: str
    """`memory`, `mosquitto`, `embedded` or a URL; credentials in it are not stored."""
    hosts: int | None = None
    """Number of hosts that the agents are spread over; None: one per household."""
    settings: Mapping[str, Any] | None = None
    """All other choices as JSON values: the algorithm's settings, pace, patience, ..."""


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Keep other processes from creating a file, or from being the sole writer of it, until the block ends.

    A lock beside the file does so; it ends with the process, however that ends. Drafts that a killed process has left
    beside the file are removed.

    Raises:
        ResultsExistError: Another process is creating or writing the file.
        ResultsError: The lock cannot be created.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0, mode=FILE_MODE)
    try:
        make_private_folder(path.parent)
        lock.acquire()
    except Timeout:
        raise ResultsExistError(f"{path}: another process writes its results to this file; name another one") from None
    except FileExistsError:
        raise ResultsError(f"{path.parent}: is a file, and results need a folder") from None
    except OSError as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        remove_abandoned_drafts(path)
        yield
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def create_results(
    simulation: SimulationSpec, out: Path | None = None, folder: Path = DEFAULT_FOLDER, *, is_sole_writer: bool = False
) -> Path:
    """Create a results file without runs and return its path.

    Args:
        simulation: The simulation that is about to run.
        out: File to create; None: one named after the simulation and the current time, in `folder`.
        folder: Default folder for results; created if missing.
        is_sole_writer: Whether the caller already is the `sole_writer` of `out`.

    Raises:
        ResultsError: `out` exists already, is being created by another process, or cannot be written.
    """
    created = datetime.now(UTC)
    if out is None:
        scenario, runs = simulation.scenario.name, len(simulation.seeds)
        path = reserve(folder, file_name(created, scenario, simulation.algorithm, runs))
        _fill(path, simulation, created)
        return path
    with nullcontext() if is_sole_writer else sole_writer(out):
        try:
            reserve_exactly(out)
        except FileExistsError:
            raise ResultsExistError(f"{out}: exists already; refusing to overwrite results") from None
        _fill(out, simulation, created)
    return out


def _fill(path: Path, simulation: SimulationSpec, created: datetime) -> None:
    """Replace a reserved file by a complete one; if that fails, no file is left.

    Raises:
        ResultsWriteError: It cannot be written.
    """
    try:
        # Built next to its target and moved there: readers see an empty file or a complete one, never a partial one.
        with atomic_write(path) as draft:
            _build(draft, simulation, created)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error | OSError):
            raise ResultsWriteError(f"{path}: cannot be written: {error}") from error
        raise


def versions() -> dict[str, str]:
    """Return the versions of software that results may depend on."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package in ("ssmic", "numpy", "scipy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def without_login(broker: str) -> str:
    """Return a broker URL without user name and password."""
    return re.sub(r"(?<=//)[^/]*@", "", broker)


def _about(scenario: Scenario, days: int | None) -> dict[str, Any]:
    """Return the facts about a scenario that the report of a large run shows."""
    tariff, community = scenario.tariff, scenario.community
    start_s = scenario.start_s // MINUTE_S * MINUTE_S
    end_s = max(planned_end_s(scenario, days), start_s + MINUTE_S)
    events = tuple(event for event in scenario.timeline if isinstance(event.action, ChangeTariff))
    planned = (start_s, end_s, as_planned(replace(scenario, producers={}, timeline=events)).tariff_changes)
    prices = tariff and prices_in_words(tariff, [planned], scenario.zone)
    return {
        "description": scenario.description,
        "jobs": len(scenario.jobs),
        "tariff": prices,
        "community": community and prices and {"key": community.key, "minutes": community.interval_s // 60},
    }


def _needed_format(simulation: SimulationSpec, *, is_compressed: bool) -> ResultsFormat:
    """Return the least format that the results of a simulation can have."""
    scenario, settings = simulation.scenario, simulation.settings or {}
    if (
        settings.get("supply", "whole") != "whole"
        or scenario.base_loads
        or scenario.community is not None
        or (scenario.tariff is not None and scenario.tariff.varies)
        or scenario.timeline
        or settings.get("script", False)
        or scenario.gateways
    ):
        return ResultsFormat.EXTENDED
    return ResultsFormat.COMPRESSED if is_compressed else ResultsFormat.BASIC


def _build(path: Path, simulation: SimulationSpec, created: datetime) -> None:
    scenario = simulation.scenario
    scenario_json = stored_scenario(SCENARIO.dump_json(scenario).decode())
    needed = _needed_format(simulation, is_compressed=isinstance(scenario_json, bytes))
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        # Not yet the write-ahead log that runs use: on a full disk, content could stay behind in it unnoticed.
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(f"BEGIN; {TABLES}; PRAGMA user_version = {needed.value};")
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [
                ("application", "ssmic"),
                ("schema_version", str(needed.value)),
                # So that readers need not parse the scenario, which has 300 MB for 10,000 houses, to show times.
                ("zone", json.dumps(asdict(scenario.zone))),
                ("timeline", str(len(scenario.timeline))),
                ("about", json.dumps(_about(scenario, (simulation.settings or {}).get("days")), ensure_ascii=False)),
            ],
        )
        connection.execute(
            "INSERT INTO simulation VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                scenario.name,
                scenario_json,
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
        write_jobs(connection, scenario.jobs)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class ResultsEntry:
    """A results file at a glance."""

    path: Path
    size_bytes: int
    problem: str = ""
    """Why the file cannot be read; empty if it can."""
    created_utc: str = ""
    """ISO 8601."""
    scenario: str = ""
    """Name of the scenario; empty if the file cannot be read, as the next two."""
    algorithm: str = ""
    supply: str = ""
    """`whole` or `shared`; empty if the file cannot be read, as the next one."""
    broker: str = ""
    planned_runs: int = 0
    """How many runs the simulation has, whether they have begun or not."""
    states: tuple[tuple[str, int], ...] = ()
    """Number of runs by state."""
    self_sufficiency: float | None = None
    """By contract; mean of the completed runs with any consumption."""

    @property
    def algorithm_and_supply(self) -> str:
        """The algorithm, and whether supply was shared, in the short form of lists."""
        return f"{self.algorithm}, shared" if self.supply == "shared" else self.algorithm

    @property
    def done_runs(self) -> int:
        """Number of completed runs."""
        return dict(self.states).get("done", 0)


def list_results(folder: Path) -> tuple[ResultsEntry, ...]:
    """Return the results files in a folder, newest first; none if there is no such folder.

    Raises:
        ResultsError: The folder cannot be read, or is a file.
    """
    return newest_first(glance(path) for path in results_files(folder))


def newest_first(listed: Iterable[ResultsEntry]) -> tuple[ResultsEntry, ...]:
    """Return entries by time of creation, newest first; unreadable files come last."""
    return tuple(sorted(listed, key=lambda one: (one.created_utc, one.path.name), reverse=True))


_LATEST = re.compile(r"latest(?:~(\d{1,6}))?")


def named_results(name: str) -> Path:
    """Return the results file that a user refers to.

    Args:
        name: A path, `latest` for the newest simulation in the default folder, `latest~1` for the one before, and so
            on.

    Raises:
        ResultsError: There are fewer simulations, or the folder cannot be read.
    """
    found = _LATEST.fullmatch(name)
    if found is None or Path(name).exists():
        return Path(name)
    before = int(found[1] or 0)
    there = [one for one in list_results(DEFAULT_FOLDER) if not one.problem]
    if not there:
        raise ResultsError(f"{name}: the folder {DEFAULT_FOLDER} contains no results; `ssmic run street` creates some")
    if before >= len(there):
        are = "is only one simulation" if len(there) == 1 else f"are only {len(there)} simulations"
        raise ResultsError(f"{name}: there {are} in {DEFAULT_FOLDER}")
    return there[before].path


def results_files(folder: Path) -> tuple[Path, ...]:
    """Return the files in a folder that are named like results of a simulation, by name; none without such a folder.

    Raises:
        ResultsError: The folder cannot be read, or is a file.
    """
    try:
        return tuple(path for path in _sqlite_files(folder) if not is_sweep_file(path))
    except FileNotFoundError:
        return ()
    except NotADirectoryError:
        raise ResultsError(f"{folder}: is a file; a folder with results is expected") from None
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be read: {error.strerror or error}") from error


def sweep_files(folder: Path) -> tuple[Path, ...]:
    """Return the results files of sweeps in a folder, by name; none if it cannot be read."""
    try:
        return tuple(path for path in _sqlite_files(folder) if is_sweep_file(path))
    except OSError:
        return ()


def _sqlite_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith("."))


def glance(path: Path) -> ResultsEntry:
    """Return the entry of a results file without reading its scenario or its runs' content."""
    try:
        size_bytes = path.stat().st_size
    except OSError:
        size_bytes = 0
    try:
        return _glance(path, size_bytes)
    except ResultsError as error:
        return ResultsEntry(path, size_bytes, problem=str(error).removeprefix(f"{path}: "))
    except DAMAGE as error:
        return ResultsEntry(path, size_bytes, problem=f"{damage_of(error)}: {first_problem(error)}")


def _glance(path: Path, size_bytes: int) -> ResultsEntry:
    connection = open_for_reading(path, {"simulation", "runs"})
    try:
        with translate_read_errors(path):
            about = connection.execute(
                "SELECT scenario, algorithm, settings_json, broker, seeds_json, created_utc FROM simulation"
            ).fetchone()
            runs = connection.execute("SELECT state, kpis_json FROM runs ORDER BY run").fetchall()
    finally:
        connection.close()
    if about is None:
        raise ResultsError(f"{path}: is damaged: it does not say what was simulated")
    settings = checked_settings(about["settings_json"])
    figures = [json.loads(row["kpis_json"]) for row in runs if row["kpis_json"] and row["state"] == "done"]
    shares = [of["self_sufficiency"] for of in figures if of["self_sufficiency"] is not None]
    return ResultsEntry(
        path,
        size_bytes,
        created_utc=about["created_utc"],
        scenario=about["scenario"],
        algorithm=about["algorithm"],
        supply=str(settings.get("supply", "whole")),
        broker=about["broker"],
        planned_runs=len(json.loads(about["seeds_json"])),
        states=tuple(Counter(row["state"] for row in runs).items()),
        self_sufficiency=sum(shares) / len(shares) if shares else None,
    )
