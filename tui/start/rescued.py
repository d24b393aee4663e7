"""Files with rescued changes, written and opened by `tui.editor.file_actions`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import platformdirs

_NAME = re.compile(r"(?P<name>.+)\.rescued(-\d+)?\.yaml")


def own_folder() -> Path:
    """Return the folder for changes that cannot be saved next to their file."""
    return platformdirs.user_state_path("ssmic") / "rescued"


def rescued_files(folders: Iterable[Path]) -> list[Path]:
    """Return readable files of rescued changes in some folders and our own, newest first."""
    found: dict[Path, float] = {}
    for folder in dict.fromkeys((*folders, own_folder())):
        try:
            found |= {
                path: path.stat().st_mtime for path in folder.glob("*.rescued*.yaml") if _NAME.fullmatch(path.name)
            }
        except OSError:
            continue
    return sorted(found, key=lambda path: (found[path], path.name), reverse=True)


def is_rescued(path: Path) -> bool:
    """Return whether a file holds rescued changes."""
    return _NAME.fullmatch(path.name) is not None


def original_of(path: Path) -> Path | None:
    """Return the file that rescued changes belong to; None: never saved."""
    found = _NAME.fullmatch(path.name)
    if found is None or path.parent == own_folder():
        return None
    names = (path.with_name(f"{found['name']}{suffix}") for suffix in (".yaml", ".yml"))
    return next((name for name in names if name.exists()), path.with_name(f"{found['name']}.yaml"))


def name_in(path: Path) -> str:
    """Return the neighbourhood's name in a file of rescued changes."""
    return _NAME.sub(r"\g<name>", path.name)
