"""A neighbourhood that is open: its history, its file, and what was found wrong with it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenarios import Problem, ScenarioError
from scenarios.files import Document, KeyPath, Note
from tui.editor.edits import Change, Put, changed, written
from tui.editor.tree_model import Ref, Tree, owner_of, parent_of, text

MOST_VERSIONS = 300
"""Kept to go back to."""


class Version:
    """One state: its plain data at once, its text when somebody needs it."""

    def __init__(self, tree: Tree, *, document: Document | None = None, before: Version | None = None) -> None:
        """Make a state.

        Args:
            tree: Its plain data.
            document: Its text; None: made from that of `before`, by `change`.
            before: The state that it was made of.
        """
        self.tree = tree
        self.change: Change | None = None
        self.merge_key: object = None
        """Says which typing it is part of; None: of none."""
        self.select: Ref | None = None
        """What was shown when the change came."""
        self._document = document
        self._before = before
        self._lock = threading.Lock()

    def document(self) -> Document:
        """Return its text; may take a while. Any thread may ask.

        Raises:
            ScenarioError: The change cannot be made in the text.
        """
        with self._lock:
            if self._document is None:
                assert self._before is not None  # noqa: S101 - it has either
                assert self.change is not None  # noqa: S101 - as above
                document, tree = self._before.document(), self._before.tree
                for step in self.change.steps:
                    document, tree = written(document, tree, step), changed(tree, step)
                self._document, self._before = document, None
            return self._document


class History:
    """The states, which one is shown, and which one is in the file."""

    def __init__(self, document: Document, *, saved: bool) -> None:
        """Begin with a document.

        Args:
            document: The first state.
            saved: Whether it is in a file, or nothing is lost when it is thrown away.
        """
        first = Version(_plain(document.value()), document=document)
        self._versions = [first]
        self._index = 0
        self._saved: Version | None = first if saved else None

    @property
    def current(self) -> Version:
        """What is shown."""
        return self._versions[self._index]

    @property
    def tree(self) -> Tree:
        """Its plain data."""
        return self.current.tree

    @property
    def is_dirty(self) -> bool:
        """Whether what is shown is not what is in the file."""
        return self.current is not self._saved

    @property
    def undoable(self) -> Change | None:
        """The change that `undo` takes back."""
        return self.current.change if self._index else None

    @property
    def redoable(self) -> Change | None:
        """The change that `redo` makes again."""
        return self._versions[self._index + 1].change if self._index + 1 < len(self._versions) else None

    def apply(
        self, build: Callable[[Tree], Change | None], shown: Ref | None = None, merge_key: object = None
    ) -> Version | None:
        """Make a change; return the new state, None where nothing changes.

        Args:
            build: Returns the change to some data; None: nothing is to be done.
            shown: What is shown now.
            merge_key: Changes in a row with the same key, such as the letters typed into a field, are undone as one.
        """
        is_same_typing = merge_key is not None and merge_key == self.current.merge_key and self._index > 0
        base_index = self._index - 1 if is_same_typing else self._index
        base = self._versions[base_index]
        change = build(base.tree)
        if change is None:
            return None
        tree = base.tree
        for step in change.steps:
            tree = changed(tree, step)
        if tree == base.tree:
            if is_same_typing:
                del self._versions[self._index :]
                self._index = base_index
            return self.current
        new = Version(tree, before=base)
        new.change, new.merge_key = change, merge_key
        new.select = self.current.select if is_same_typing else shown
        self._versions[base_index + 1 :] = [new]
        if len(self._versions) > MOST_VERSIONS:
            del self._versions[0]
        self._index = len(self._versions) - 1
        return new

    def settle(self) -> None:
        """What is typed next is undone for itself."""
        self.current.merge_key = None

    def undo(self) -> Ref | None:
        """Go back; return what was shown then."""
        self.settle()
        select = self.current.select
        self._index -= 1
        self.settle()
        return select

    def redo(self) -> Ref | None:
        """Go forth again; return what to show."""
        self._index += 1
        change = self.current.change
        return change.select if change else None

    def drop(self, version: Version) -> bool:
        """Forget a state that cannot be written, and all that came of it; return whether it was shown."""
        if version not in self._versions[1:]:
            return False
        index = self._versions.index(version)
        was_shown = self._index >= index
        del self._versions[index:]
        self._index = min(self._index, index - 1)
        return was_shown

    def saved(self, version: Version) -> None:
        """Note that a state is in the file now."""
        self._saved = version
        self.settle()

    def note_unsaved(self) -> None:
        """Note that no state is in the file any more: it was changed by somebody else."""
        self._saved = None


def _plain(node: Any) -> Any:  # noqa: ANN401 - any YAML value
    """Return the data without the lines that reading notes."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(item) for item in node] if isinstance(node, list) else node


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
