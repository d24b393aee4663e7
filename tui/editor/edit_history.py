"""Changes to a neighbourhood, with undo and redo: steps applied to the plain data at once, and later to the YAML text.

Changing the plain data is fast, so the screen follows every key. Changing the text of a large file takes a good part of
a second, and is left to another thread or process. The history contains all versions from the opened one to the one on
the screen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias, cast

from scenarios.files import Document, KeyPath, YamlValue
from tui.editor.tree_model import Ref, Tree, at

MOST_VERSIONS = 300
"""How many versions are kept; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Put:
    """Set the value at a path, adding the key if missing."""

    path: KeyPath
    value: Any


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert items into the list at a path, before `index`; creates the list if missing."""

    path: KeyPath
    index: int
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the value at a path, with its key; no-op if missing."""

    path: KeyPath


@dataclass(frozen=True, slots=True)
class RemoveItems:
    """Remove the items of the list at a path that have these indexes before any of them is removed."""

    path: KeyPath
    indexes: tuple[int, ...]


Step: TypeAlias = Put | Insert | Remove | RemoveItems


@dataclass(frozen=True, slots=True)
class Change:
    """A unit of undo and redo."""

    label: str
    """Short description, shown after "Undo:"."""
    steps: tuple[Step, ...]
    select: Ref | None = None
    """Selection afterwards; None: unchanged."""


def changed(tree: Tree, step: Step) -> Tree:
    """Return the data after a step; untouched parts are shared with the old data."""
    match step:
        case Put(path, value):
            after = _with(tree, path, value)
        case Insert(path, index, values):
            old = _list_at(tree, path)
            index = max(0, min(index, len(old)))
            after = _with(tree, path, [*old[:index], *values, *old[index:]])
        case Remove(path):
            after = _without(tree, path) if _is_there(tree, path) else tree
        case RemoveItems(path, indexes):
            gone = set(indexes)
            after = _with(tree, path, [item for i, item in enumerate(_list_at(tree, path)) if i not in gone])
    return cast("Tree", after)


def written(document: Document, steps: Iterable[Step]) -> Document:
    """Return the document after steps, each of which changes something. Slow for a large document.

    Raises:
        ScenarioError: The text cannot be changed: the value is an alias of one elsewhere.
    """
    for kind, same in groupby(steps, type):
        if kind is Put:
            puts = [(step.path, step.value) for step in same if isinstance(step, Put)]
            while puts:
                document, count = document.with_first_values(puts)
                del puts[:count]
            continue
        for step in same:
            match step:
                case Insert(path, index, values):
                    document = document.with_items(path, index, values)
                case Remove(path):
                    document = document.without(path)
                case RemoveItems(path, indexes):
                    document = document.without_items(path, indexes)
    return document


def _list_at(tree: Tree, path: KeyPath) -> list[Any]:
    found = at(tree, path)
    return found if isinstance(found, list) else []


def _is_there(tree: Tree, path: KeyPath) -> bool:
    parent = at(tree, path[:-1])
    key = path[-1]
    if isinstance(parent, dict):
        return key in parent
    return isinstance(parent, list) and isinstance(key, int) and 0 <= key < len(parent)


def _with(node: YamlValue, path: KeyPath, value: YamlValue) -> YamlValue:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(node, list) and isinstance(key, int):
        return [_with(item, rest, value) if index == key else item for index, item in enumerate(node)]
    if isinstance(node, dict) and isinstance(key, str):
        return {**node, key: _with(node.get(key), rest, value)}
    raise KeyError(key)


def _without(node: YamlValue, path: KeyPath) -> YamlValue:
    key, rest = path[0], path[1:]
    if isinstance(node, list):
        if not rest:
            return [item for index, item in enumerate(node) if index != key]
        return [_without(item, rest) if index == key else item for index, item in enumerate(node)]
    if not rest:
        return {k: v for k, v in node.items() if k != key}
    return {k: _without(v, rest) if k == key else v for k, v in node.items()}


class TreeVersion:
    """One version: its data is available immediately, its YAML text is generated on demand."""

    def __init__(
        self,
        tree: Tree,
        *,
        document: Document | None = None,
        before: TreeVersion | None = None,
        steps: tuple[Step, ...] = (),
    ) -> None:
        """Make a version.

        Args:
            tree: The plain data.
            document: The YAML text; None: it is made from the text of `before` by applying `steps`.
            before: The version that this one was made from.
            steps: The steps from `before`, each of which changes something.
        """
        self.tree = tree
        self.change: Change | None = None
        """The change from `before` to this version; None for the first."""
        self.merge_key: object = None
        """Consecutive changes with the same key are one undo step; None: the change is a separate step."""
        self.select: Ref | None = None
        """The part that was selected before the change."""
        self._document = document
        self._before = before
        self._steps = steps
        self._lock = threading.Lock()

    def source(self) -> tuple[Document, tuple[Step, ...]]:
        """Return the last text there is, and the steps from there to this version; none: it is the text of this one.

        Fast, and safe to call from any thread.
        """
        with self._lock:
            if self._document is not None:
                return self._document, ()
            assert self._before is not None  # noqa: S101 - a version has a text or a version before it
            document, steps = self._before.source()
            return document, steps + self._steps

    def keep(self, document: Document) -> None:
        """Keep the YAML text that was made from `source`."""
        with self._lock:
            self._document, self._before, self._steps = document, None, ()

    def document(self) -> Document:
        """Return the YAML text. Slow for a large file; safe to call from any thread.

        Raises:
            ScenarioError: The change cannot be made in the text.
        """
        document, steps = self.source()
        if steps:
            document = written(document, steps)
            self.keep(document)
        return document


class History:
    """All versions, with the displayed one and the saved one."""

    def __init__(self, document: Document, *, saved: bool) -> None:
        """Begin with a document.

        Args:
            document: The first version.
            saved: Whether it may be closed without a question: it is in a file, or it holds nothing of the user's.
        """
        first = TreeVersion(_plain(document.value()), document=document)
        self._versions = [first]
        self._index = 0
        self._saved: TreeVersion | None = first if saved else None

    @property
    def current(self) -> TreeVersion:
        """The displayed version."""
        return self._versions[self._index]

    @property
    def tree(self) -> Tree:
        """The plain data of the current version."""
        return self.current.tree

    @property
    def is_dirty(self) -> bool:
        """Whether the current version differs from the file."""
        return self.current is not self._saved

    @property
    def undoable(self) -> Change | None:
        """The change that `undo` would revert; None: there is none."""
        return self.current.change if self._index else None

    @property
    def redoable(self) -> Change | None:
        """The change that `redo` would repeat; None: there is none."""
        return self._versions[self._index + 1].change if self._index + 1 < len(self._versions) else None

    def apply(
        self, build: Callable[[Tree], Change | None], shown: Ref | None = None, merge_key: object = None
    ) -> TreeVersion | None:
        """Make a change; return the current version after it, or None if `build` asked for no change.

        Args:
            build: Given the plain data, returns the change, or None for no change.
            shown: The part that is selected now; `undo` returns it.
            merge_key: Changes in a row with the same key, such as the letters typed into a field, are undone as one.
        """
        is_same_typing = merge_key is not None and merge_key == self.current.merge_key and self._index > 0
        base_index = self._index - 1 if is_same_typing else self._index
        base = self._versions[base_index]
        change = build(base.tree)
        if change is None:
            return None
        tree, steps = base.tree, list[Step]()
        for step in change.steps:
            after = changed(tree, step)
            if after is not tree:
                steps.append(step)
            tree = after
        if tree == base.tree:
            if is_same_typing:
                del self._versions[self._index :]
                self._index = base_index
            return self.current
        new = TreeVersion(tree, before=base, steps=tuple(steps))
        new.change, new.merge_key = change, merge_key
        new.select = self.current.select if is_same_typing else shown
        self._versions[base_index + 1 :] = [new]
        if len(self._versions) > MOST_VERSIONS:
            del self._versions[0]
        self._index = len(self._versions) - 1
        return new

    def settle(self) -> None:
        """End the current typing: the next change is a separate undo step."""
        self.current.merge_key = None

    def undo(self) -> Ref | None:
        """Go back one version; return the part that was selected before the change."""
        self.settle()
        select = self.current.select
        self._index -= 1
        self.settle()
        return select

    def redo(self) -> Ref | None:
        """Go forward one version; return the part that the change selects."""
        self._index += 1
        change = self.current.change
        return change.select if change else None

    def drop(self, version: TreeVersion) -> bool:
        """Remove a version that has no text, with all later ones; return whether one of them was shown."""
        if version not in self._versions[1:]:
            return False
        index = self._versions.index(version)
        was_shown = self._index >= index
        del self._versions[index:]
        self._index = min(self._index, index - 1)
        return was_shown

    def saved(self, version: TreeVersion) -> None:
        """Note that a version was written to the file."""
        self._saved = version
        self.settle()

    def note_unsaved(self) -> None:
        """Note that the file holds none of the versions: another program changed or deleted it."""
        self._saved = None


def _plain(node: YamlValue) -> YamlValue:
    """Return the data without the line numbers that the reader attaches."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(item) for item in node] if isinstance(node, list) else node
