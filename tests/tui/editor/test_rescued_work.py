"""Rescued changes do not overwrite what another program has saved in the meantime."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from scenarios.files import Document
from tui.editor import tree_changes
from tui.editor.edit_history import TreeVersion
from tui.editor.rescued_work import rescue, rescued_work
from tui.editor.session import EditedNeighbourhood, stamp_of


def _save_elsewhere(file: Path, text: str) -> None:
    """Write a file as another program does, a second later."""
    stamp = stamp_of(file)
    assert stamp is not None
    file.write_text(text)
    os.utime(file, ns=(stamp[0] + 10**9, stamp[0] + 10**9))


@pytest.mark.parametrize("saved", ["never", "before", "after"])
def test_the_file_of_rescued_changes_counts_as_changed_if_another_program_saved_it(
    tmp_path: Path, ours: str, saved: str
) -> None:
    """Saving the rescued changes overwrote it without a question, whether it was saved before the end or after."""
    file = tmp_path / "ours.yaml"
    file.write_text(ours)
    work = EditedNeighbourhood.opened(file)
    work.history.apply(partial(tree_changes.set_field, path=("name",), value="mine"))
    if saved == "before":
        _save_elsewhere(file, ours.replace("name: ours", "name: theirs"))
    said = rescue(work)
    assert said is not None
    rescued = tmp_path / "ours.rescued.yaml"
    assert str(rescued) in said
    if saved == "after":
        _save_elsewhere(file, ours.replace("name: ours", "name: theirs"))

    reopened = rescued_work(rescued)

    assert (reopened.path, reopened.tree["name"], reopened.history.is_dirty) == (file, "mine", True)
    assert reopened.changed_on_disk == (saved != "never")


def test_rescued_changes_that_cannot_be_dated_are_saved_once(
    tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were saved in each folder in turn, and were then said not to be saved, where a file system has no dates."""
    file = tmp_path / "ours.yaml"
    file.write_text(ours)
    work = EditedNeighbourhood.opened(file)
    work.history.apply(partial(tree_changes.set_field, path=("name",), value="mine"))
    _save_elsewhere(file, ours.replace("name: ours", "name: theirs"))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)

    said = rescue(work)

    rescued = tmp_path / "ours.rescued.yaml"
    assert said == f"ours.yaml had unsaved changes; saved to {rescued} (another program has changed ours.yaml)"
    assert rescued_work(rescued).tree["name"] == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours.rescued.yaml", "ours.yaml"]


def test_a_change_of_the_file_just_after_it_was_saved_is_noticed(tmp_path: Path, ours: str) -> None:
    """The state of the file was read after it was written, when it may be another program's already."""

    class Overtaken(Document):
        """A document whose file another program overwrites at once."""

        def save(self, path: Path) -> os.stat_result:
            written = super().save(path)
            path.write_text(ours.replace("name: ours", "name: theirs"))
            return written

    file = tmp_path / "ours.yaml"
    file.write_text(ours)
    work = EditedNeighbourhood.opened(file)
    current = work.history.current

    work.save(current, file)
    assert not work.changed_on_disk
    work.save(TreeVersion(current.tree, document=Overtaken(current.document().text)), file)
    assert work.changed_on_disk
