"""Rescued changes do not overwrite what another program has saved in the meantime."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from tui.editor import commands
from tui.editor.rescued_work import rescue, rescued_work
from tui.editor.session import Work, stamp_of


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
    work = Work.opened(file)
    work.history.apply(partial(commands.set_field, path=("name",), value="mine"))
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
