"""Every state of a neighbourhood since it was opened: what undo and redo go back and forth in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from scenarios.files.document import Document
from tui.editor.changes import Change, changed, written
from tui.editor.outline import Ref, Tree

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
