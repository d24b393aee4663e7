"""Access to results files from the UI: the index of a folder, reading in threads, opened simulations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from textual.containers import Vertical
from textual.worker import WorkType

from broker import SsmicError
from scenarios import Scenario, Zone
from scenarios.results import ResultsEntry, ResultsReader, RunInfo, SimulationInfo, glance, results_files
from tui.results.household_model import Sheet, neighbourhood_sheet
from tui.shell import Guarded, complain

FRESH_WALL_S = 20.0
"""A running file is written at least once a second, unless paused or in a solver."""

Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A results file in the index."""

    listed: ResultsEntry
    made_wall_s: float
    """Start of the simulation, or modification time of an unreadable file; UNIX seconds."""
    state: str
    """A key of `tui.results.formatting.STATES`."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.listed.path


def stamp_of(path: Path) -> Stamp:
    """Return a value that changes whenever a results file is written to; empty without a file."""
    found = []
    for part in (path, path.with_name(f"{path.name}-wal")):
        try:
            status = part.stat()
        except OSError:
            continue
        found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)


class ResultsIndex:
    """Index of a results folder; rereads changed files only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[Stamp, ResultsEntry]] = {}

    def look(self) -> tuple[IndexEntry, ...]:
        """Return the current entries, newest first.

        Raises:
            ResultsError: The folder cannot be read, or is a file.
        """
        now_wall_s = time.time()
        known = {}
        for path in results_files(self.folder):
            stamp = stamp_of(path)
            before = self._known.get(path)
            known[path] = before if before is not None and before[0] == stamp else (stamp, glance(path))
        self._known = known
        entries = [_book(stamp, listed, now_wall_s) for stamp, listed in known.values()]
        return tuple(sorted(entries, key=lambda entry: (entry.made_wall_s, entry.path.name), reverse=True))


def _book(stamp: Stamp, listed: ResultsEntry, now_wall_s: float) -> IndexEntry:
    written_wall_s = max((mtime_ns for mtime_ns, _ in stamp), default=0) / 1e9
    made_wall_s = written_wall_s
    if listed.created_utc:
        try:
            made_wall_s = datetime.fromisoformat(listed.created_utc).timestamp()
        except ValueError:
            made_wall_s = written_wall_s
    return IndexEntry(listed, made_wall_s, _state(listed, is_fresh=now_wall_s - written_wall_s < FRESH_WALL_S))


def _state(listed: ResultsEntry, *, is_fresh: bool) -> str:
    if listed.problem:
        return "beginning" if listed.size_bytes == 0 and is_fresh else "broken"
    states = dict(listed.states)
    if "running" in states:
        return "running" if is_fresh else "stale"
    for state in ("failed", "interrupted"):
        if state in states:
            return state
    if not states:
        return "beginning" if is_fresh else "none"
    if listed.done_runs < listed.planned_runs:
        return "running" if is_fresh else "stale"
    return "done"


T = TypeVar("T")
Failed = Callable[[BaseException], None]


class Reads(Guarded, Vertical):
    """A widget that reads in threads and shows the outcome."""

    read_wall_s = 0.0
    """How long the last reading took, s."""
    read_until_wall_s = 0.0
    """When it ended, by the monotonic clock."""

    def read(self, group: str, work: Callable[[], T], then: Callable[[T], None], failed: Failed | None = None) -> None:
        """Run work in a thread, then show its outcome; newer work of the same group supersedes it.

        Args:
            group: Only the newest work of a group counts.
            work: Runs in a thread; must not touch widgets.
            then: Called with its return value in the UI thread.
            failed: Called with an `SsmicError` or `OSError` that it raised; None: show a notice.
        """

        async def job() -> None:
            await self._read(work, then, failed)

        # Pass the function, not a coroutine: one cancelled before it starts would never be awaited.
        later: WorkType[None] = job
        self.run_worker(later, group=group, exclusive=True, exit_on_error=False)

    def is_reading(self, group: str) -> bool:
        """Whether work of a group is in progress."""
        return any(worker.group == group and worker.node is self and worker.is_running for worker in self.workers)

    async def _read(self, work: Callable[[], T], then: Callable[[T], None], failed: Failed | None) -> None:
        began_wall_s = time.monotonic()
        try:
            value = await asyncio.to_thread(work)
            self.read_until_wall_s = time.monotonic()
            self.read_wall_s = self.read_until_wall_s - began_wall_s
            then(value)
        except (SsmicError, OSError) as error:
            (failed or self.complain)(error)
        except Exception as error:  # noqa: BLE001 - a worker that raises would end the application
            self.complain(error)

    def complain(self, error: BaseException, title: str = "") -> None:
        """Show an error as a notice."""
        complain(self.app, error, title)


@dataclass(slots=True)
class Memory:
    """The immutable parts of a simulation's file that have been read."""

    scenario: Scenario | None = None
    """None: no view has asked for it; parsing that of 10,000 houses takes half a minute."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened simulation."""

    path: Path
    stamp: Stamp
    """State of the file before reading."""
    info: SimulationInfo
    runs: tuple[RunInfo, ...]
    houses: tuple[tuple[str, str], ...]
    """Ids and names."""
    zone: Zone
    memory: Memory
    sheet: Sheet | None
    """Sheet of all households of the first run; None: no run has started, or the file was reread."""

    knows_offset: bool
    """Whether the file has the scenario's UTC offset."""


def open_simulation(path: Path, interval_s: int, before: Opened | None) -> Opened:
    """Read a simulation's description.

    Args:
        path: The results file.
        interval_s: Averaging interval of peaks, s.
        before: The same file as read earlier, if any.

    Raises:
        ResultsError: The file cannot be read.
    """
    stamp = stamp_of(path)
    memory = Memory() if before is None else before.memory
    with ResultsReader(path, memory.scenario) as results:
        runs, sheet = results.runs(), None
        if before is None or before.info.created_utc != results.info.created_utc:
            if memory.scenario is not None:
                return open_simulation(path, interval_s, None)
            sheet = neighbourhood_sheet(results, runs[0].run, interval_s) if runs else None
            memory.scenario = results.parsed_scenario
        return Opened(
            path, stamp, results.info, runs, results.houses, results.zone, memory, sheet, results.knows_offset
        )


def read_from(opened: Opened, read: Callable[[ResultsReader], T]) -> T:
    """Read from an opened simulation.

    Raises:
        ResultsError: The file can no longer be read.
    """
    with ResultsReader(opened.path, opened.memory.scenario) as results:
        value = read(results)
        opened.memory.scenario = results.parsed_scenario
        return value
