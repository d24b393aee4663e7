"""The state of each simulation in a results folder (running, done, not ended, ...), and when it began."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scenarios.results import ResultsEntry, RunInfo, glance, has_writer, results_files

FRESH_WALL_S = 20.0
"""A file that was written this recently counts as still being written if it cannot be known otherwise."""

Stamp = tuple[tuple[int, int], ...]
_IN_PROGRESS = {"running": "stale", "beginning": "none"}
"""By state of a simulation in progress, its state if the process has ended without saying so."""


@dataclass(frozen=True, slots=True)
class ListedSimulation:
    """A simulation in the list, read from its results file."""

    listed: ResultsEntry
    made_wall_s: float
    """Start of the simulation, or modification time of an unreadable file; UNIX seconds."""
    state: str
    """A key of `tui.results.pane_parts.STATES`."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.listed.path

    @property
    def states(self) -> str:
        """How many runs are in each state, in words; empty if none has begun. Runs that were killed have not ended."""
        in_words = {"running": "not ended"} if self.state == "stale" else {}
        return ", ".join(f"{count} {in_words.get(state, state)}" for state, count in self.listed.states)


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


def is_in_progress(path: Path) -> bool:
    """Return whether a process may be writing a results file; False if it has ended, however it did."""
    return _is_being_written(path, stamp_of(path), time.time())


def _written_wall_s(stamp: Stamp) -> float:
    return max((mtime_ns for mtime_ns, _ in stamp), default=0) / 1e9


def shown_state(run: RunInfo, *, in_progress: bool) -> str:
    """Return the state of a run as a key of `tui.results.pane_parts.STATES`: one that was killed has not ended.

    Args:
        run: The run.
        in_progress: Whether a process may be writing its file.
    """
    return run.state if in_progress else _IN_PROGRESS.get(run.state, run.state)


def entry_of(path: Path) -> ListedSimulation:
    """Return the entry of a results file."""
    return _entry(stamp_of(path), glance(path), time.time())


class ResultsFolder:
    """The simulations in a results folder; rereads changed files only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[Path, tuple[Stamp, ResultsEntry]] = {}

    def look(self) -> tuple[ListedSimulation, ...]:
        """Return the current entries, newest first.

        Raises:
            ResultsError: The folder cannot be read, or is a file.
        """
        now_wall_s = time.time()
        known = {}
        for path in results_files(self.path):
            stamp = stamp_of(path)
            before = self._known.get(path)
            known[path] = before if before is not None and before[0] == stamp else (stamp, glance(path))
        self._known = known
        entries = [_entry(stamp, listed, now_wall_s) for stamp, listed in known.values()]
        return tuple(sorted(entries, key=lambda entry: (entry.made_wall_s, entry.path.name), reverse=True))


def _entry(stamp: Stamp, listed: ResultsEntry, now_wall_s: float) -> ListedSimulation:
    made_wall_s = written_wall_s = _written_wall_s(stamp)
    if listed.created_utc:
        try:
            made_wall_s = datetime.fromisoformat(listed.created_utc).timestamp()
        except ValueError:
            made_wall_s = written_wall_s
    state = _state(listed)
    if state in _IN_PROGRESS and not _is_being_written(
        listed.path, stamp, now_wall_s, is_beginning=state == "beginning"
    ):
        state = "broken" if listed.problem else _IN_PROGRESS[state]
    return ListedSimulation(listed, made_wall_s, state)


def _is_being_written(path: Path, stamp: Stamp, now_wall_s: float, *, is_beginning: bool = False) -> bool:
    writes = has_writer(path)
    if writes is None or (not writes and is_beginning):  # a file that is being made has no lock yet
        return now_wall_s - _written_wall_s(stamp) < FRESH_WALL_S
    return writes


def _state(listed: ResultsEntry) -> str:
    """Return the state of a simulation whose process is alive."""
    if listed.problem:
        return "beginning" if listed.size_bytes == 0 else "broken"
    states = dict(listed.states)
    if "running" in states:
        return "running"
    for state in ("failed", "interrupted"):
        if state in states:
            return state
    if not states:
        return "beginning"
    return "running" if listed.done_runs < listed.planned_runs else "done"
