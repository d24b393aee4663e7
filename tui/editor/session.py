"""The edit session: the neighbourhood that is open, its history, its file, the selected part, and its checks.

Nothing here draws. Views of a session subscribe to its events (`EditSession.watch`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from broker import writing_obstacle
from scenarios import Problem, ScenarioError
from scenarios.files import Document, KeyPath, ScenarioNote, YamlValue
from tui.editor import tree_model
from tui.editor.checker import Checker, CheckResult
from tui.editor.edit_history import Change, History, Put, TreeVersion
from tui.editor.tree_model import WHOLE, Ref, Tree, owner_of, parent_of, text

PAUSE_WALL_S = 0.15
"""The whole file is checked once nothing was changed for so long."""


Stamp = tuple[int, int, int]
"""Identifies the state of a file: modification time in ns, length in bytes, inode."""


def stamp_of(path: Path) -> Stamp | None:
    """Return the state of a file; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@dataclass
class EditedNeighbourhood:
    """A neighbourhood that is open: its history, its file, and the result of its last check."""

    history: History
    path: Path | None
    """The file; None: it was never saved."""
    name: str
    """The title while there is no file."""
    source: str | None = None
    """Name of the bundled scenario that it is a copy of."""
    stamp: Stamp | None = None
    """The state of the file when it was last read or written; None: there was none, or it is known to be deleted."""
    rescued_from: Path | None = None
    """The file of rescued changes that was opened; deleted once they are saved."""
    problems: tuple[Problem, ...] = ()
    """As of the last check."""
    notes: tuple[ScenarioNote, ...] = ()
    """As of the last check."""
    checked: TreeVersion | None = None
    """The version that was checked last."""
    owners: dict[Ref, int] = field(default_factory=dict)
    """The number of problems of each part that has any."""
    allow_outside: bool = False
    """Whether it may refer to files outside its folder."""

    @classmethod
    def opened(cls, path: Path) -> EditedNeighbourhood:
        """Read a file.

        Raises:
            ScenarioError: The file cannot be read, or is not YAML.
        """
        stamp = stamp_of(path)
        document = Document.open(path)
        return cls(History(document, saved=True), path.absolute(), path.name, stamp=stamp)

    @property
    def title(self) -> str:
        """The title on the screen: the name of the file, or what the neighbourhood was made from."""
        return self.path.name if self.path else self.name

    @property
    def file_stem(self) -> str:
        """The name of the file without its suffix, or a name to propose."""
        return self.path.stem if self.path else self.source or text(self.tree.get("name")) or "neighbourhood"

    @property
    def folder(self) -> Path:
        """The folder that relative file names in it start from."""
        return self.path.parent if self.path else Path.cwd()

    @property
    def tree(self) -> Tree:
        """The plain data of the current version."""
        return self.history.tree

    @property
    def changed_on_disk(self) -> bool:
        """Whether another program wrote or deleted the file."""
        return self.path is not None and stamp_of(self.path) != self.stamp

    def save(self, version: TreeVersion, path: Path) -> None:
        """Write a version to a file; missing folders are created. Slow for a large one: call it in a thread.

        Raises:
            ScenarioError: The file cannot be written; its contents stay.
        """
        path = Path(os.path.realpath(path))
        obstacle = writing_obstacle(path)
        if not obstacle and path.exists() and not os.access(path, os.W_OK):
            obstacle = "permission denied"
        if obstacle:
            raise ScenarioError([Problem(str(path), f"cannot be written: {obstacle}")])
        written = version.document().save(path)
        now = stamp_of(path)
        # Another program may have written the file since. The inode is not compared: not all file systems keep it.
        is_ours = now is not None and now[:2] == (written.st_mtime_ns, written.st_size)
        self.stamp = now if is_ours else (written.st_mtime_ns, written.st_size, written.st_ino)

    def moved_to(self, folder: Path) -> list[Put]:
        """Return the changes that keep its relative file names valid when it is saved in another folder."""
        if folder.resolve() == self.folder.resolve():
            return []
        steps: list[Put] = []
        _rebase(self.tree, (), self.folder.resolve(), folder.resolve(), steps)
        return steps

    def take(self, checked: CheckResult) -> None:
        """Keep the result of a check."""
        self.problems, self.notes, self.checked = checked.problems, checked.notes, checked.version
        self.owners = {}
        for problem in self.problems:
            owner = owner_of(self.tree, problem.path)
            self.owners[owner] = self.owners.get(owner, 0) + 1

    def wrong(self) -> set[Ref]:
        """Return the parts with problems, and the parts that contain them."""
        found: set[Ref] = set()
        for owner in self.owners:
            part: Ref = owner
            while part and part not in found:
                found.add(part)
                part = parent_of(self.tree, part)
            found.add(part)
        return found


@dataclass(frozen=True, slots=True)
class Opened:
    """Another neighbourhood was opened, or the open one was closed."""


@dataclass(frozen=True, slots=True)
class OperationsChanged:
    """Something that takes a while, such as the reading of a file, has begun or ended."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The data changed, or whether it is saved."""

    selects: bool
    """Whether the change selected a part."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A part was selected."""

    is_new: bool
    """Whether another part was selected before."""
    reveal: bool
    """Whether the tree's cursor has to go there; it is there already where the user moved it."""


@dataclass(frozen=True, slots=True)
class FieldWanted:
    """The user is to fill in a field of the selected part."""

    path: KeyPath | None
    """The key path of the field; None: the first."""


@dataclass(frozen=True, slots=True)
class CheckFinished:
    """The problems and notes are those of the current version."""


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """A change was taken back: it cannot be made in the YAML text."""

    error: ScenarioError


SessionEvent = Opened | OperationsChanged | Changed | Selected | FieldWanted | CheckFinished | ChangeRefused


class EditSession:
    """Edits one neighbourhood at a time."""

    def __init__(self) -> None:
        self.work: EditedNeighbourhood | None = None
        """The open neighbourhood; None: there is none."""
        self.ref: Ref = WHOLE
        """The selected part."""
        self.allow_outside = False
        """Whether neighbourhoods may refer to files outside their folder."""
        self._checker = Checker()
        self._check_wanted = asyncio.Event()
        self._watchers: list[Callable[[SessionEvent], None]] = []
        self._operations: list[str] = []

    def watch(self, watcher: Callable[[SessionEvent], None]) -> None:
        """Call `watcher` with every event, after those that were added before it."""
        self._watchers.append(watcher)

    def _tell(self, event: SessionEvent) -> None:
        for watcher in self._watchers:
            watcher(event)

    @property
    def operation(self) -> str:
        """What is being done that takes a while, of several the last; empty: nothing."""
        return self._operations[-1] if self._operations else ""

    @contextmanager
    def operating(self, operation: str) -> Iterator[None]:
        """Say what is being done for as long as the context lasts."""
        self._operations.append(operation)
        self._tell(OperationsChanged())
        try:
            yield
        finally:
            self._operations.remove(operation)
            self._tell(OperationsChanged())

    def open(self, work: EditedNeighbourhood | None, ref: Ref = WHOLE) -> None:
        """Open a neighbourhood in place of the one that is open.

        Args:
            work: The neighbourhood to open; None: close the open one.
            ref: The part to select; the whole neighbourhood if it has no such part.
        """
        self.work = work
        if work is not None:
            work.allow_outside = self.allow_outside
        self.ref = ref if work is not None and tree_model.exists(work.tree, ref) else WHOLE
        if work is not None:
            self._check_wanted.set()
        self._tell(Opened())

    # Changes.

    def apply(
        self,
        build: Callable[[Tree], Change | None],
        merge_key: object = None,
        *,
        fill_in: bool = False,
    ) -> None:
        """Make a change, if a neighbourhood is open.

        Args:
            build: Given the plain data, returns the change, or None for no change.
            merge_key: Changes in a row with the same key, such as the letters typed into a field, are undone as one.
            fill_in: Whether the user is to fill in the selected part's fields next.
        """
        work = self.work
        if work is None:
            return
        version = work.history.apply(build, self.ref, merge_key)
        if version is None:
            return
        self.note_change(version.change.select if version.change is not None else None)
        if fill_in:
            self._tell(FieldWanted(None))

    def undo(self) -> Change | None:
        """Undo the last change; return it, None if there is none."""
        history = self.work.history if self.work is not None else None
        change = history.undoable if history is not None else None
        if history is not None and change is not None:
            self.note_change(history.undo() or self.ref)
        return change

    def redo(self) -> Change | None:
        """Redo the last undone change; return it, None if there is none."""
        history = self.work.history if self.work is not None else None
        change = history.redoable if history is not None else None
        if history is not None and change is not None:
            self.note_change(history.redo() or self.ref)
        return change

    def note_change(self, select: Ref | None = None) -> None:
        """Notify watchers that the history has changed, and check the current version.

        Args:
            select: The part to select; None: the selected part stays selected, or its parent if it was removed.
        """
        work = self.work
        if work is None:
            return
        if select is not None:
            self.ref = select
        while self.ref != WHOLE and not tree_model.exists(work.tree, self.ref):
            self.ref = parent_of(work.tree, self.ref)
        self._check_wanted.set()
        self._tell(Changed(select is not None))

    # Selection.

    def select(self, ref: Ref, *, reveal: bool = True) -> None:
        """Select a part, if there is such a part.

        Args:
            ref: The part.
            reveal: Whether the tree's cursor has to go there.
        """
        work = self.work
        if work is None or not tree_model.exists(work.tree, ref):
            return
        is_new = ref != self.ref
        if is_new:
            work.history.settle()
            self.ref = ref
        if is_new or reveal:
            self._tell(Selected(is_new, reveal))

    def fill_in(self, path: KeyPath | None = None) -> None:
        """Let the user fill in a field of the selected part; None: the first field."""
        self._tell(FieldWanted(path))

    def go_to_problem(self, problem: Problem) -> None:
        """Select the part with a problem, and let the user correct the field."""
        if self.work is not None:
            self.select(owner_of(self.work.tree, problem.path))
            self.fill_in(problem.path)

    # Checks.

    @property
    def is_checked(self) -> bool:
        """Whether the problems and notes are those of the current version."""
        return self.work is None or self.work.checked is self.work.history.current

    async def check_forever(self) -> None:
        """Check the current version after every change, once nothing was changed for `PAUSE_WALL_S`."""
        while True:
            await self._check_wanted.wait()
            while self._check_wanted.is_set():
                self._check_wanted.clear()
                await asyncio.sleep(PAUSE_WALL_S)
            await self.check()

    async def check(self) -> None:
        """Check the current version; a result that comes too late, after another change, is dropped."""
        work = self.work
        if work is None:
            return
        checked = await self._checker.check(
            work.history.current, work.title, work.folder, allow_outside=work.allow_outside
        )
        if work is not self.work:
            return
        if checked.failed is not None:
            if work.history.drop(checked.version):
                self._tell(ChangeRefused(checked.failed))
                self.note_change()
        elif checked.version is work.history.current:
            work.take(checked)
            self._tell(CheckFinished())

    async def close(self) -> None:
        """End the process that checks."""
        await self._checker.close()


def file_reference(path: Path, work: EditedNeighbourhood) -> str:
    """Return how a scenario names a file: relative to its folder, unless that leads three folders up or more."""
    if work.path is None:
        return str(path.absolute())
    return _relative(path.absolute(), work.folder.resolve())


def _relative(path: Path, folder: Path) -> str:
    try:
        relative = Path(os.path.relpath(path, folder))
    except ValueError:  # another drive
        return str(path)
    return str(path) if relative.parts[:3] == ("..", "..", "..") else relative.as_posix()


def _rebase(node: YamlValue, path: KeyPath, old: Path, new: Path, steps: list[Put]) -> None:
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
