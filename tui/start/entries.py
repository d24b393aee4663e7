"""Entries of the start screen: rescued changes, recent neighbourhoods, last results, bundled neighbourhoods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from broker import SsmicError
from scenarios.load import bundled_description, bundled_names
from scenarios.results import DEFAULT_FOLDER, ResultsEntry, glance, results_files
from tui.formatting import plural
from tui.start.recent import load_recent
from tui.start.rescued import rescued_files

Kind = Literal["way", "rescued", "neighbourhood", "results", "bundled"]
FIRST = "street"
"""The bundled neighbourhood listed first."""
MOST_RECENT = 5
MOST_RESULTS = 4
GROUPS: dict[Kind, str] = {
    "rescued": "Rescued changes: not saved when ssmic ended",
    "neighbourhood": "Recent neighbourhoods",
    "results": "Last results",
    "bundled": "Bundled neighbourhoods: open as a copy",
    "way": "Begin",
}
"""Headings by kind, in screen order."""


@dataclass(frozen=True, slots=True)
class StartEntry:
    """An entry of the start screen."""

    kind: Kind
    target: str
    """A path, a bundled name, or an action of the screen."""
    title: str
    details: str = ""
    key: str = ""
    """Key with the same effect on this screen."""

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.target)


WAYS = (
    StartEntry("way", "new", "New neighbourhood", "with one house to start from", "ctrl+n"),
    StartEntry("way", "open", "Open a file ...", "a neighbourhood in YAML", "ctrl+o"),
    StartEntry("way", "import", "Import from PySSMic ...", "an input folder, a neighbourhood XML, a pickle", "i"),
    StartEntry("way", "generate", "Generate a neighbourhood ...", "realistic, 1 to 10,000 houses, from a seed", "plus"),
    StartEntry("way", "join", "Watch a run ...", "on this machine or elsewhere, on an MQTT broker", "w"),
)


def entries() -> tuple[StartEntry, ...]:
    """Return the current entries, group by group. Reads files; call it in a thread."""
    recent = load_recent()
    known = [path for path in recent.neighbourhoods if path.exists()]
    folders = [Path.cwd(), *(path.parent for path in known)]
    rescued = (
        StartEntry("rescued", str(path), path.name, f"{_when(path)}, {path.parent}") for path in rescued_files(folders)
    )
    neighbourhoods = (
        StartEntry("neighbourhood", str(path), path.name, f"{_when(path)}, {path.parent}")
        for path in known[:MOST_RECENT]
    )
    names = sorted(bundled_names(), key=lambda name: (name != FIRST, name))
    bundled = (StartEntry("bundled", name, name, bundled_description(name)) for name in names)
    return (*rescued, *neighbourhoods, *_results(recent.results), *bundled, *WAYS)


def _results(opened: Iterable[Path]) -> list[StartEntry]:
    """Return the newest results files of the results folder, and those recently opened elsewhere."""
    try:
        here = [path.absolute() for path in results_files(DEFAULT_FOLDER)]
    except SsmicError:
        here = []
    times = {path: written_s for path in {*here, *opened} if (written_s := _written_s(path)) is not None}
    newest = sorted(times, key=lambda path: (times[path], path.name), reverse=True)[:MOST_RESULTS]
    return [_results_entry(path, glance(path)) for path in newest]


def _results_entry(path: Path, listed: ResultsEntry) -> StartEntry:
    if listed.problem:
        return StartEntry("results", str(path), path.name, f"cannot be read: {listed.problem}")
    states = ", ".join(f"{count} {state}" for state, count in listed.states)
    runs = plural(listed.planned_runs, "run")
    about = f"{runs}{f': {states}' if states else ''}"
    return StartEntry(
        "results", str(path), f"{listed.scenario}, {listed.algorithm}", f"{_when(path)}, {about}, {path.name}"
    )


def _written_s(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _when(path: Path) -> str:
    """Return a file's modification time, in local time."""
    written_s = _written_s(path)
    return "" if written_s is None else f"{datetime.fromtimestamp(written_s):%Y-%m-%d %H:%M}"  # noqa: DTZ006 - local
