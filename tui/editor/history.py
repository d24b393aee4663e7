"""Undo and redo: the versions of a neighbourhood, from the one that was opened to the one on the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from scenarios.files import Document
from tui.editor.edits import Change, changed, written
from tui.editor.tree_model import Ref, Tree

MOST_VERSIONS = 300
"""How many versions are kept; the oldest goes first."""


class Version:
    """One version: its data is available immediately, its YAML text is generated on demand."""

    def __init__(self, tree: Tree, *, document: Document | None = None, before: Version | None = None) -> None:
        """Make a version.

        Args:
            tree: The plain data.
            document: The YAML text; None: it is made from the text of `before` by applying `change`.
            before: The version that this one was made from.
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
        self._lock = threading.Lock()

    def document(self) -> Document:
        """Return the YAML text. Slow for a large file; safe to call from any thread.

        Raises:
            ScenarioError: The change cannot be made in the text.
        """
        with self._lock:
            if self._document is None:
                assert self._before is not None  # noqa: S101 - a version has a text or a version before it
                assert self.change is not None  # noqa: S101 - as above
                document, tree = self._before.document(), self._before.tree
                for step in self.change.steps:
                    document, tree = written(document, tree, step), changed(tree, step)
                self._document, self._before = document, None
            return self._document


class History:
    """All versions, with the displayed one and the saved one."""

    def __init__(self, document: Document, *, saved: bool) -> None:
        """Begin with a document.

        Args:
            document: The first version.
            saved: Whether it may be closed without a question: it is in a file, or it holds nothing of the user's.
        """
        first = Version(_plain(document.value()), document=document)
        self._versions = [first]
        self._index = 0
        self._saved: Version | None = first if saved else None

    @property
    def current(self) -> Version:
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
    ) -> Version | None:
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

    def drop(self, version: Version) -> bool:
        """Remove a version that has no text, with all later ones; return whether one of them was shown."""
        if version not in self._versions[1:]:
            return False
        index = self._versions.index(version)
        was_shown = self._index >= index
        del self._versions[index:]
        self._index = min(self._index, index - 1)
        return was_shown

    def saved(self, version: Version) -> None:
        """Note that a version was written to the file."""
        self._saved = version
        self.settle()

    def note_unsaved(self) -> None:
        """Note that the file holds none of the versions: another program changed or deleted it."""
        self._saved = None


def _plain(node: Any) -> Any:  # noqa: ANN401 - any YAML value
    """Return the data without the line numbers that the reader attaches."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(item) for item in node] if isinstance(node, list) else node
