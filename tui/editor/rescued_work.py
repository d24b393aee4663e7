"""Rescued work: unsaved changes that are written to a file when the user cannot be asked, and opened later."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from broker import file_name
from scenarios import ScenarioError
from scenarios.files import Document
from tui.editor.edit_history import History
from tui.editor.session import EditedNeighbourhood, Stamp, stamp_of
from tui.start import name_in, original_of, own_folder

_OTHER_STATE: Stamp = (0, 0, 0)
"""A state that no file is in."""


def rescued_work(path: Path) -> EditedNeighbourhood:
    """Open rescued changes as unsaved changes of the file that they belong to.

    If that file is newer, another program has changed it, and the application asks before it overwrites it.

    Raises:
        ScenarioError: The file cannot be read, or is not YAML.
    """
    document = Document.open(path)
    original = original_of(path)
    name = name_in(path)
    stamp = None if original is None else stamp_of(original)
    if stamp is not None and stamp[0] > path.stat().st_mtime_ns:
        stamp = _OTHER_STATE
    return EditedNeighbourhood(History(document, saved=False), original, name, stamp=stamp, rescued_from=path)


def rescue(work: EditedNeighbourhood) -> str | None:
    """Write the changes next to their file or, without a file, into the application's folder.

    Returns a sentence that tells the user where they are; None if there are no unsaved changes.
    A state whose text cannot be made is left out, and the one before it is kept.
    """
    history = work.history
    if not history.is_dirty:
        return None
    name = file_name(work.file_stem)
    for folder in _folders(work):
        try:
            path = _free(folder, name)
            _written(history).save(path)
        except (ScenarioError, OSError):
            continue
        said = f"{work.title} had unsaved changes; saved to {path}"
        try:
            _date_before(work, path)
        except OSError:  # the changes are saved, but the editor will not ask before it overwrites the file with them
            said += f" (another program has changed {work.title})"
        return said
    return f"{work.title} had unsaved changes; they could not be saved: no writable folder."


def _date_before(work: EditedNeighbourhood, path: Path) -> None:
    """Date rescued changes just before their file if another program has changed it; see `rescued_work`."""
    stamp = stamp_of(work.path) if work.path is not None and work.changed_on_disk else None
    if stamp is not None:
        os.utime(path, ns=(stamp[0] - 1, stamp[0] - 1))


def _folders(work: EditedNeighbourhood) -> list[Path]:
    own = own_folder()
    return [own] if work.path is None else [work.path.parent, own]


def _free(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    names = (f"{name}.rescued{'' if number == 1 else f'-{number}'}.yaml" for number in count(1))
    return next(path for path in (folder / candidate for candidate in names) if not path.exists())


def _written(history: History) -> Document:
    while True:
        try:
            return history.current.document()
        except ScenarioError:
            if history.undoable is None:
                raise
            history.undo()
