"""Neighbourhoods as files: opened, imported, saved; nothing is lost without a question."""

from __future__ import annotations

import asyncio
import os
import pickle
import re
import sys
import types
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from textual.widgets import Button, Input, Static, Tree
from textual.worker import WorkerState

from scenarios.files import Document
from scenarios.load import load_scenario
from tests.tui.driving import click
from tui.editor import tree_changes
from tui.editor.dialogs import ImportDialog, Notes
from tui.editor.edit_history import TreeVersion
from tui.editor.file_actions import rescue, rescued_work
from tui.editor.picker import Picker
from tui.editor.session import EditedNeighbourhood, SessionEvent, stamp_of
from tui.shell.dialogs import Confirm, PickPath

Editing = Any
NEIGHBOURHOOD = """\
<neighborhood id="13" name="neighborhood">
 <house id="30"><user id="1">
   <device><id>121</id><name>dish1</name><template>89</template><type>consumer</type></device>
   <device><id>122</id><name>solarPanel1</name><template>1</template><type>producer</type></device>
 </user></house>
</neighborhood>
"""
JOBS = """\
<neighborhood id="13"><house id="30"><user id="1">
  <device><id>121</id><est>1460268000</est><lst>1460296800</lst><creation_time>1460250000</creation_time></device>
</user></house></neighborhood>
"""


async def _answer(person: Any, label: str) -> None:
    """Click an answer of the question that is asked."""
    dialog = await person.dialog(Confirm)
    await click(person.pilot, next(b for b in dialog.query(Button) if str(b.label) == label))
    await person.until(lambda: person.app.screen is not dialog)


async def test_at_first_it_shows_the_ways_to_begin(editing: Editing) -> None:
    """Each way is a button and a key."""
    async with editing() as person:
        assert [str(button.label) for button in person.screen.query("#nothing Button").results(Button)] == [
            "New",
            "From a bundled one",
            "Open",
            "Import",
            "Generate",
        ]
        await click(person.pilot, person.screen.query("#nothing Button").first())
        await person.until(lambda: person.screen.work is not None)
        await person.settle()
        assert person.work.tree["name"] == "my-neighbourhood"


async def test_a_file_is_opened_by_its_path(editing: Editing, file: Path) -> None:
    """Ctrl+O asks for it; the error for invalid YAML names the line, and the open file stays."""
    bad = file.with_name("bad.yaml")
    bad.write_text("version: 1\nname: [\n", encoding="utf-8")
    async with editing() as person:
        for path in (file, bad):
            await person.press("ctrl+o")
            dialog = await person.dialog(PickPath)
            dialog.query_one(Input).value = str(path)
            await person.press("ctrl+s")
            await person.until(lambda: not isinstance(person.app.screen, PickPath))
            if path is file:
                await person.until(lambda: person.screen.work is not None)
                await person.settle()
        dialog = await person.dialog(Notes)
        assert "bad.yaml:3" in dialog._lines[0]
        await person.press("escape")
        assert person.work.path == file


@pytest.mark.parametrize(
    "name", ["street", *(pytest.param(it, marks=pytest.mark.long) for it in ("scarce", "village", "cloud-front"))]
)
async def test_a_bundled_one_opens_as_a_copy(editing: Editing, tmp_path: Path, name: str) -> None:
    """It has no problems; saving asks for a file, and the saved scenario is the same."""
    async with editing() as person:
        await person.press("b")
        await person.dialog(Picker)
        await person.press(*name, "enter")
        await person.until(lambda: person.screen.work is not None)
        await person.settle()
        assert person.work.problems == ()
        assert not person.work.history.is_dirty
        await person.press("ctrl+s")
        await person.dialog(PickPath)
        await person.press("enter")
        await person.until(lambda: person.work.path is not None)
    assert load_scenario(tmp_path / f"{name}.yaml") == load_scenario(name)


async def test_xml_is_imported_with_its_jobs(editing: Editing, tmp_path: Path) -> None:
    """The assumptions are listed; it is not saved yet."""
    (tmp_path / "esn.xml").write_text(NEIGHBOURHOOD, encoding="utf-8")
    (tmp_path / "jobs.xml").write_text(JOBS, encoding="utf-8")
    async with editing() as person:
        await person.press("i")
        await person.dialog(ImportDialog)
        await person.press(*"esn", "full_stop", "x")
        await person.until(lambda: person.app.screen.query_one("#source", Input)._suggestion == "esn.xml")
        await person.press("right", "tab", "tab", *"jobs", "full_stop", *"xml", "enter")
        notes = await person.dialog(Notes)
        assert any("no prediction; it is assumed to be that of a clear sky" in line for line in notes._lines)
        await person.press("escape")
        assert [len(person.work.tree[key]) for key in ("houses", "jobs")] == [1, 1]
        assert person.work.problems == ()
        assert person.work.history.is_dirty


async def test_a_folder_of_pyssmic_is_imported(editing: Editing, pyssmic_folder: Path) -> None:
    """It is chosen in the file tree behind the button."""
    async with editing() as person:
        await person.press("i")
        dialog = await person.dialog(ImportDialog)
        dialog.query_one("#source", Input).value = str(pyssmic_folder)
        await person.press("enter")
        await person.until(lambda: person.screen.work is not None or isinstance(person.app.screen, Notes))
        if isinstance(person.app.screen, Notes):
            assert not person.app.screen.has_class("bad"), person.app.screen._lines
            await person.press("escape")
        assert len(person.work.tree["jobs"]) == 1


def _pickled(house_id: int) -> bytes:
    """Return a neighbourhood as PySSMic's web pages save it; its classes are missing when it is read."""
    module = types.ModuleType("backend.neighbourhood")
    classes = {}
    for name in ("Neighbourhood", "House", "User", "Device", "Event"):
        classes[name] = type(name, (), {"__module__": module.__name__})
        setattr(module, name, classes[name])

    def thing(kind: str, /, **attributes: object) -> object:
        instance = classes[kind]()
        vars(instance).update(attributes)
        return instance

    profile = pd.DataFrame({"Time": [0, 3600], "Value": [0.0, 900.0]})
    profile.columns = pd.Index(["Time", "Value"], dtype=object)
    event = thing("Event", timestamp=1460250000, est=1460268000, lst=1460296800)
    washer = thing("Device", id=7, name="washer", template="97", type="consumer", load_profile=profile, events=[event])
    user = thing("User", id=1, devices=[washer])
    house = thing("House", id=house_id, users=[user])
    known = {"backend": types.ModuleType("backend"), module.__name__: module}
    with pytest.MonkeyPatch.context() as patch:
        for name, found in known.items():
            patch.setitem(sys.modules, name, found)
        return pickle.dumps(thing("Neighbourhood", id=1, houses=[house]))


@pytest.mark.long
async def test_a_pickle_is_imported(editing: Editing, tmp_path: Path) -> None:
    """Chosen from the tree of files; the job's window and its load profile are there, and saving makes it YAML."""
    (tmp_path / "street.pickle").write_bytes(_pickled(42))
    async with editing() as person:
        await person.press("i")
        dialog = await person.dialog(ImportDialog)
        await click(person.pilot, dialog.query(".line Button").first())
        picking = await person.dialog(PickPath)
        await person.until(
            lambda: "street.pickle" in [str(node.label) for node in picking.query_one(Tree).root.children]
        )
        await person.press("down", "enter")
        await person.until(lambda: dialog.query_one("#source", Input).value.endswith("street.pickle"))
        await click(person.pilot, dialog.query(".buttons Button").first())
        await person.until(lambda: person.screen.work is not None or isinstance(person.app.screen, Notes))
        await person.settle()
        assert person.work.problems == ()
        assert [house["id"] for house in person.work.tree["houses"]] == ["42"]
        await person.press("ctrl+s")
        await person.dialog(PickPath)
        await person.press("enter")
        await person.until(lambda: person.work.path is not None)
        (job,) = load_scenario(person.work.path).jobs
    assert (job.earliest_start_s, job.latest_start_s, job.energy_wh) == (1460268000, 1460296800, 900)


async def test_a_neighbourhood_of_greencharge_is_imported(editing: Editing, tmp_path: Path) -> None:
    """The dialog says that it reads them; the loads are named in its second field."""
    (tmp_path / "n.xml").write_text(
        '<Neighborhood><house id="h"><user id="u"><device><id>3</id><type>Consumer</type></device></user></house>'
        "</Neighborhood>",
        encoding="utf-8",
    )
    (tmp_path / "work.xml").write_text(
        '<Neighborhood><house id="h"><user id="u"><device><id>3</id><est>35000</est><lst>40000</lst>'
        "<creation_time>15000</creation_time></device></user></house></Neighborhood>",
        encoding="utf-8",
    )
    async with editing() as person:
        await person.press("i")
        dialog = await person.dialog(ImportDialog)
        for field in ("source", "jobs"):
            assert "GreenCharge" in dialog.query_one(f"#{field}", Input).placeholder
        dialog.query_one("#source", Input).value = "n.xml"
        dialog.query_one("#jobs", Input).value = "work.xml"
        await person.press("enter")
        notes = await person.dialog(Notes)
        assert not notes.has_class("bad"), notes._lines
        await person.press("escape")
        assert [job["house"] for job in person.work.tree["jobs"]] == ["h"]


async def test_import_problems_are_listed(editing: Editing, tmp_path: Path) -> None:
    """All problems are in a list."""
    (tmp_path / "esn.xml").write_text("<neighborhood><house></neighborhood>", encoding="utf-8")
    async with editing() as person:
        await person.press("i")
        dialog = await person.dialog(ImportDialog)
        dialog.query_one("#source", Input).value = "none.xml"
        await person.press("enter")
        assert str(dialog.query_one(".problem").render()) == "There is no none.xml."
        dialog.query_one("#source", Input).value = "~nobody-here/esn.xml"
        await person.press("enter")
        assert str(dialog.query_one(".problem").render()) == "There is no ~nobody-here/esn.xml."
        dialog.query_one("#source", Input).value = "esn.xml"
        await person.press("enter")
        notes = await person.dialog(Notes)
        assert notes.has_class("bad")
        assert person.screen.work is None


async def test_closing_asks_about_changes(editing: Editing, file: Path, ours: str) -> None:
    """Back, throw away, save."""
    async with editing(file) as person:
        await person.type_in("description", "Warm")
        await person.press("escape", "q")
        await _answer(person, "Back")
        assert person.screen.work is not None
        await person.press("ctrl+n")
        await _answer(person, "Save")
        await person.until(lambda: person.work.tree["name"] == "my-neighbourhood")
        assert "description: Warm\n" in file.read_text(encoding="utf-8")
        await person.settle()
        await person.press("h", "escape", "q")
        await _answer(person, "Discard")
        await person.until(lambda: person.screen.work is None)
    assert file.read_text(encoding="utf-8") == ours.replace("# short\n", "# short\ndescription: Warm\n")


@pytest.mark.long
async def test_quitting_asks_about_changes(editing: Editing, file: Path) -> None:
    """This works from any area."""
    async with editing(file) as person:
        await person.press("h")
        await person.press("escape", "4")
        await person.until(lambda: person.app.screen.AREA == "results")
        await person.pilot.press("ctrl+q")
        dialog = await person.dialog(Confirm)
        assert dialog._details == "ours.yaml has unsaved changes."


async def test_save_as_asks_before_it_overwrites_a_file(editing: Editing, file: Path) -> None:
    """Files named in the scenario are then resolved from its new folder."""
    other = file.parent / "there" / "other.yaml"
    other.parent.mkdir()
    (other.parent / "dish.csv").write_text("0 0\n60 10\n", encoding="utf-8")
    text = file.read_text(encoding="utf-8").replace("{points: [[0, 0], [3600, 900.5]]}", "{file: there/dish.csv}")
    file.write_text(text, encoding="utf-8")
    other.write_text("precious", encoding="utf-8")
    async with editing(file) as person:
        for label in ("Back", "Overwrite"):
            assert other.read_text(encoding="utf-8") == "precious"
            await person.press("f12")
            dialog = await person.dialog(PickPath)
            dialog.query_one(Input).value = str(other.with_suffix(""))
            await person.press("ctrl+s")
            await _answer(person, label)
        await person.until(lambda: person.work.path == other)
        await person.settle()
        assert person.work.problems == ()
    assert "# measured" in other.read_text(encoding="utf-8")
    assert re.search(r'file: "?dish.csv', other.read_text(encoding="utf-8"))
    assert file.read_text(encoding="utf-8") == text


async def test_a_save_that_fails_loses_nothing(editing: Editing, tmp_path: Path, ours: str) -> None:
    """The reason is shown, and the changes stay unsaved."""
    folder = tmp_path / "gone"
    folder.mkdir()
    path = folder / "ours.yaml"
    path.write_text(ours, encoding="utf-8")
    async with editing(path) as person:
        person.work.stamp = None
        await person.press("h")
        path.unlink()
        folder.rmdir()
        folder.write_text("a file in place of the folder")
        await person.press("escape", "ctrl+s")
        await person.until(lambda: any("cannot be written" in notice for notice in person.notices()))
        assert person.work.history.is_dirty
        folder.unlink()
        await person.press("ctrl+s")
        await person.until(lambda: not person.work.history.is_dirty)
        assert path.read_text(encoding="utf-8") == person.text


async def test_save_as_creates_missing_folders(editing: Editing, file: Path, tmp_path: Path) -> None:
    """As all commands do that write a file; a file in place of a folder is refused at the field."""
    async with editing(file) as person:
        await person.press("f12")
        dialog = await person.dialog(PickPath)
        dialog.query_one(Input).value = str(file / "b.yaml")
        await person.pilot.press("ctrl+s")
        await person.pilot.pause()
        assert "is a file, a folder is expected" in str(dialog.query_one(".problem").render())
        new = tmp_path / "a" / "b" / "ours.yaml"
        dialog.query_one(Input).value = str(new)
        await person.pilot.press("ctrl+s")
        await person.until(lambda: person.work.path == new)
        assert new.read_text(encoding="utf-8") == file.read_text(encoding="utf-8")


async def test_of_two_files_the_one_chosen_last_is_opened(editing: Editing, file: Path, ours: str) -> None:
    """It is read faster than the one before, and stays."""
    jobs = '  - {house: "2", device: washer, registered: "06:00", earliest_start: "08:00", latest_start: "16:00"}\n'
    slow, quick = file.with_name("slow.yaml"), file.with_name("quick.yaml")
    slow.write_text(ours.replace("name: ours", "name: slow") + jobs * 3000, encoding="utf-8")
    quick.write_text(ours.replace("name: ours", "name: quick"), encoding="utf-8")
    async with editing() as person:
        tasks = [asyncio.create_task(person.screen.open_source(str(path))) for path in (slow, quick)]
        await asyncio.gather(*tasks)
        await person.settle()
        assert person.work.path == quick
        assert person.work.tree["name"] == "quick"


async def test_the_screen_says_what_is_being_opened_saved_or_listed(editing: Editing, file: Path) -> None:
    """A neighbourhood of 10,000 houses takes seconds."""
    async with editing() as person:
        said: list[str] = []

        def listen(_: SessionEvent) -> None:
            shown = "#nothing .empty-title" if person.screen.work is None else "#headline > .state"
            said.append(str(person.screen.query_one(shown, Static).render()))

        person.screen.session.watch(listen)
        await person.screen.open_source(str(file))
        await person.settle()
        await person.until(lambda: said[-1:] == [""])
        assert said[0] == "Opening ours.yaml ..."
        await person.show("houses", 1)
        await person.press("delete")
        del said[:]
        await person.press("ctrl+s")
        await person.until(lambda: said[-1:] == [""])
        assert said[0] == "● changed, not saved  saving ours.yaml ..."
        del said[:]
        await person.pilot.press("slash")
        await person.dialog(Picker)
        await person.until(lambda: said[-1:] == [""])
        assert said[0] == "listing all parts ..."
        await person.press("escape", "q")
        assert str(person.screen.query_one("#nothing .empty-title", Static).render()) == "No neighbourhood open"


async def test_an_externally_changed_file_is_asked_about(
    editing: Editing, file: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The editor asks when it notices the change, and again before it overwrites the file."""
    monkeypatch.setattr("tui.editor.file_actions.LOOK_WALL_S", 3600)  # here it is looked at when the test says so
    theirs = ours.replace("Brandt", "Braun")
    async with editing(file) as person:
        _write(file, theirs)
        person.screen.look_at_disk()
        await _answer(person, "Keep mine")
        await person.until(lambda: person.work.history.is_dirty)
        person.screen.look_at_disk()
        assert not isinstance(person.app.screen, Confirm)
        await person.press("ctrl+s")
        await _answer(person, "Back")
        assert file.read_text(encoding="utf-8") == theirs
        await person.press("ctrl+s")
        await _answer(person, "Reload")
        await person.until(lambda: not person.work.history.is_dirty)
        assert person.text == theirs
        await person.settle()
        await person.show("houses", 1)
        await person.type_in("name", "Bauer")
        _write(file, ours)
        await person.press("ctrl+s")
        await _answer(person, "Overwrite")
        await person.until(lambda: not person.work.history.is_dirty)
        assert file.read_text(encoding="utf-8") == ours.replace("Brandt", "Bauer")


async def test_a_file_that_comes_back_after_it_was_deleted_is_asked_about(
    editing: Editing, file: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program created it again: saving overwrote that without a question."""
    monkeypatch.setattr("tui.editor.file_actions.LOOK_WALL_S", 3600)  # here it is looked at when the test says so
    theirs = ours.replace("Brandt", "Braun")
    async with editing(file) as person:
        file.unlink()
        person.screen.look_at_disk()
        await person.until(lambda: person.work.history.is_dirty)
        file.write_text(theirs, encoding="utf-8")
        await person.press("ctrl+s")
        await _answer(person, "Back")
        assert file.read_text(encoding="utf-8") == theirs
        person.screen.look_at_disk()
        await _answer(person, "Reload")
        await person.until(lambda: not person.work.history.is_dirty)
        assert person.text == theirs


def _write(file: Path, text: str) -> None:
    before = file.stat()
    file.write_text(text, encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))


@pytest.mark.long
async def test_it_is_run_from_here(editing: Editing, file: Path) -> None:
    """Unsaved changes are saved first, if the user agrees."""
    async with editing(file) as person:
        await person.press("h", "escape", "ctrl+r")
        await _answer(person, "Save")
        await person.until(lambda: getattr(person.app.screen, "AREA", "") == "run")
        await person.until(lambda: [field.value for field in person.app.screen.query("#source")] == [file.name])
        await person.until(lambda: all(worker.state is not WorkerState.PENDING for worker in person.app.workers))
        assert not person.work.history.is_dirty


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
