"""Changes that are in no file yet, kept when the application ends and nobody can be asked."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import platformdirs

from broker.filenames import file_name
from scenarios.errors import ScenarioError
from scenarios.files.document import Document
from tui.editor.history import History
from tui.editor.work import Work


def rescue(work: Work) -> str | None:
    """Write the changes beside their file, or, where there is none, among the application's own; say where.

    A state whose text cannot be made is left out, and the one before it is kept.
    """
    history = work.history
    if not history.is_dirty:
        return None
    name = work.path.stem if work.path is not None else file_name(work.title.replace(" ", "-"))
    for folder in _folders(work):
        try:
            path = _free(folder, name)
            _written(history).save(path)
        except (ScenarioError, OSError):
            continue
        return f"Changes to {work.title} were not saved; they are kept in {path}"
    return f"Changes to {work.title} were not saved, and there is no place to keep them."


def _folders(work: Work) -> list[Path]:
    own = platformdirs.user_state_path("ssmic") / "rescued"
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
