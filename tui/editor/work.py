"""A neighbourhood that is open: its history, its file, and what was found wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenarios.errors import Problem, ScenarioError
from scenarios.files.coverage import Note
from scenarios.files.document import Document
from scenarios.files.problems import KeyPath
from tui.editor.changes import Put
from tui.editor.history import History, Version
from tui.editor.outline import Ref, Tree, owner_of, parent_of, text

Stamp = tuple[int, int, int]
"""Tells one state of a file from another: when it was written, how long it is, which file it is."""


def stamp_of(path: Path) -> Stamp | None:
    """Return the state of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@dataclass(frozen=True, slots=True)
class Checked:
    """What `ssmic check` would say of a state."""

    version: Version
    problems: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()
    """What cannot meet in time, where nothing is wrong."""
    failed: ScenarioError | None = None
    """Why the state cannot be written; then nothing else is known."""


@dataclass
class Work:
    """What is open."""

    history: History
    path: Path | None
    """Its file; None: it was never saved."""
    name: str
    """What it is called while it has no file."""
    source: str | None = None
    """Bundled name that it is a copy of."""
    stamp: Stamp | None = None
    """The file as it was read or written last."""
    rescued_from: Path | None = None
    """The file of rescued changes that it is; not needed any more once they are saved."""
    problems: tuple[Problem, ...] = ()
    """As of the last check."""
    notes: tuple[Note, ...] = ()
    """As of the last check."""
    checked: Version | None = None
    """Which state that was."""
    owners: dict[Ref, int] = field(default_factory=dict)
    """How many problems each part has."""

    @classmethod
    def opened(cls, path: Path) -> Work:
        """Read a file.

        Raises:
            ScenarioError: It is no YAML.
        """
        stamp = stamp_of(path)
        document = Document.open(path)
        return cls(History(document, saved=True), path.absolute(), path.name, stamp=stamp)

    @property
    def title(self) -> str:
        """What it is called on the screen: its file, or what it was made of."""
        return self.path.name if self.path else self.name

    @property
    def file_stem(self) -> str:
        """What its file is called without a suffix, or would be."""
        return self.path.stem if self.path else self.source or text(self.tree.get("name")) or "neighbourhood"

    @property
    def folder(self) -> Path:
        """That files named in it are relative to."""
        return self.path.parent if self.path else Path.cwd()

    @property
    def tree(self) -> Tree:
        """What is shown."""
        return self.history.tree

    @property
    def changed_on_disk(self) -> bool:
        """Whether somebody else wrote the file, or took it away."""
        return self.path is not None and self.stamp is not None and stamp_of(self.path) != self.stamp

    def save(self, version: Version, path: Path) -> None:
        """Write a state to a file; takes a while, for a thread.

        Raises:
            ScenarioError: It cannot be written; what is in the file stays.
        """
        path = path.resolve()
        if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
            raise ScenarioError([Problem(str(path), "cannot be written: permission denied")])
        version.document().save(path)
        self.stamp = stamp_of(path)

    def moved_to(self, folder: Path) -> list[Put]:
        """Return what lets the files that it names be found from another folder."""
        if folder.resolve() == self.folder.resolve():
            return []
        steps: list[Put] = []
        _rebase(self.tree, (), self.folder.resolve(), folder.resolve(), steps)
        return steps

    def take(self, checked: Checked) -> None:
        """Keep what was found."""
        self.problems, self.notes, self.checked = checked.problems, checked.notes, checked.version
        self.owners = {}
        for problem in self.problems:
            owner = owner_of(self.tree, problem.path)
            self.owners[owner] = self.owners.get(owner, 0) + 1

    def wrong(self) -> set[Ref]:
        """Return the parts with problems, and what they are in."""
        found: set[Ref] = set()
        for owner in self.owners:
            part: Ref = owner
            while part and part not in found:
                found.add(part)
                part = parent_of(self.tree, part)
            found.add(part)
        return found


def file_reference(path: Path, work: Work) -> str:
    """Return how a file is named in a scenario: relative to it where that is shorter to say."""
    if work.path is None:
        return str(path.absolute())
    return _relative(path.absolute(), work.folder.resolve())


def _relative(path: Path, folder: Path) -> str:
    try:
        relative = Path(os.path.relpath(path, folder))
    except ValueError:  # another drive
        return str(path)
    return str(path) if relative.parts[:3] == ("..", "..", "..") else relative.as_posix()


def _rebase(node: Any, path: KeyPath, old: Path, new: Path, steps: list[Put]) -> None:  # noqa: ANN401 - any YAML
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "file" and isinstance(value, str) and path[:1] in {("houses",), ("load_profiles",)}:
                said = _relative(Path(os.path.normpath(old / value)), new)
                if said != value:
                    steps.append(Put((*path, key), said))
            else:
                _rebase(value, (*path, str(key)), old, new, steps)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            _rebase(value, (*path, index), old, new, steps)
