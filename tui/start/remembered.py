"""What the application remembers from one start to the next; it never affects a result.

The theme, recently opened neighbourhoods and results, and files with rescued changes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from broker import atomic_write
from tui.widgets import DEFAULT_THEME

MOST = 12
"""Maximum number kept per kind."""
_RESCUED = re.compile(r"(?P<name>.+)\.rescued(-\d+)?\.yaml")
"""What `new_rescued_file` calls a file."""


class Preferences(BaseModel):
    """Saved preferences; an unreadable file counts as none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    theme: str = DEFAULT_THEME


def preferences_file() -> Path:
    """Return where they are kept."""
    return platformdirs.user_config_path("ssmic") / "tui.json"


def load_preferences() -> Preferences:
    """Return the saved preferences, or the defaults."""
    try:
        return Preferences.model_validate_json(preferences_file().read_bytes())
    except (OSError, ValidationError):
        return Preferences()


def save_preferences(preferences: Preferences) -> None:
    """Save the preferences, ignoring write errors."""
    path = preferences_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            draft.write_text(preferences.model_dump_json(indent=1) + "\n", encoding="utf-8")


class Recent(BaseModel):
    """Recently opened absolute paths, newest first. An unreadable file counts as empty."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    neighbourhoods: tuple[Path, ...] = ()
    results: tuple[Path, ...] = ()

    def with_neighbourhood(self, path: Path) -> Recent:
        """Return a copy with a neighbourhood first."""
        return self.model_copy(update={"neighbourhoods": _in_front(path, self.neighbourhoods)})

    def with_results(self, path: Path) -> Recent:
        """Return a copy with a results file first."""
        return self.model_copy(update={"results": _in_front(path, self.results)})

    def without(self, path: Path) -> Recent:
        """Return a copy without a path."""
        neighbourhoods = tuple(known for known in self.neighbourhoods if known != path)
        return self.model_copy(
            update={
                "neighbourhoods": neighbourhoods,
                "results": tuple(known for known in self.results if known != path),
            }
        )


def _in_front(path: Path, others: Iterable[Path]) -> tuple[Path, ...]:
    path = path.absolute()
    return (path, *(other for other in others if other != path))[:MOST]


def recent_file() -> Path:
    """Return the file of the recent list."""
    return platformdirs.user_state_path("ssmic") / "recent.json"


def load_recent() -> Recent:
    """Return the recent list; empty if it cannot be read."""
    try:
        return Recent.model_validate_json(recent_file().read_bytes())
    except (OSError, ValidationError):
        return Recent()


def save_recent(recent: Recent) -> None:
    """Save the recent list atomically, ignoring write errors."""
    path = recent_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, mode=0o600) as draft:
            draft.write_text(recent.model_dump_json(indent=1) + "\n", encoding="utf-8")


def rescue_folder() -> Path:
    """Return the folder for changes that cannot be saved next to their file."""
    return platformdirs.user_state_path("ssmic") / "rescued"


def new_rescued_file(folder: Path, name: str) -> Path:
    """Return a path for rescued changes that no file has yet; a missing folder is made.

    Args:
        folder: That of the neighbourhood's file, or `rescue_folder`.
        name: The neighbourhood's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = (f"{name}.rescued{'' if number == 1 else f'-{number}'}.yaml" for number in count(1))
    return next(path for path in (folder / candidate for candidate in names) if not path.exists())


def rescued_files(folders: Iterable[Path]) -> list[Path]:
    """Return readable files of rescued changes in some folders and our own, newest first."""
    found: dict[Path, float] = {}
    for folder in dict.fromkeys((*folders, rescue_folder())):
        try:
            found |= {path: path.stat().st_mtime for path in folder.glob("*.yaml") if is_rescued(path)}
        except OSError:
            continue
    return sorted(found, key=lambda path: (found[path], path.name), reverse=True)


def is_rescued(path: Path) -> bool:
    """Return whether a file holds rescued changes."""
    return _RESCUED.fullmatch(path.name) is not None


def original_of(path: Path) -> Path | None:
    """Return the file that rescued changes belong to; None: never saved."""
    found = _RESCUED.fullmatch(path.name)
    if found is None or path.parent == rescue_folder():
        return None
    names = (path.with_name(f"{found['name']}{suffix}") for suffix in (".yaml", ".yml"))
    return next((name for name in names if name.exists()), path.with_name(f"{found['name']}.yaml"))


def rescued_name(path: Path) -> str:
    """Return the neighbourhood's name in a file of rescued changes."""
    return _RESCUED.sub(r"\g<name>", path.name)
