"""Scenario choices of *Run*: open, recent, in this folder, bundled."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from scenarios.load import bundled_names

OPEN = "open"
"""The value for the neighbourhood open in *Neighbourhoods*; neither an absolute path nor a bundled name."""
_SUFFIXES = frozenset({".yaml", ".yml"})
_MOST_FILES = 200
_LOOKED_AT_BYTES = 1_000_000
_IS_SCENARIO = re.compile(rb"^houses\s*:", re.MULTILINE)

Choice = tuple[str, str]
"""Label and value: `OPEN`, a path, or a bundled name."""


def choices(title: str | None, recent: Iterable[Path], folder: Path) -> list[Choice]:
    """Return the choices without duplicates, the most likely first.

    Args:
        title: Title of the open neighbourhood; None: none is open.
        recent: Recently opened neighbourhoods, newest first.
        folder: The folder whose scenario files are offered.
    """
    found: list[Choice] = [] if title is None else [(f"open: {title}", OPEN)]
    known: set[Path] = set()
    for label, paths in (("recent", recent), ("here", scenario_files(folder))):
        for path in paths:
            if path.exists() and path not in known:
                known.add(path)
                name = path.name if label == "here" else f"{path.name} ({path.parent.name})"
                found.append((f"{label}: {name}", str(path)))
    return [*found, *((f"bundled: {name}", name) for name in bundled_names())]


def scenario_files(folder: Path) -> list[Path]:
    """Return the scenario files in a folder, sorted by name. Reads files; not for the event loop."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    except OSError:
        return []
    return [path.absolute() for path in files[:_MOST_FILES] if _is_scenario(path)]


def _is_scenario(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _IS_SCENARIO.search(file.read(_LOOKED_AT_BYTES)) is not None
    except OSError:
        return False
