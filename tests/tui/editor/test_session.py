"""The edit session and its actions without a screen: the user answers dialogs from a list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from textual.screen import ModalScreen

from scenarios.files import ShiftForecasts
from tui.editor import tree_changes
from tui.editor.actions import EditActions, NothingChosenError
from tui.editor.edit_history import Change, Insert
from tui.editor.file_actions import FileActions
from tui.editor.session import (
    Changed,
    CheckFinished,
    EditedNeighbourhood,
    EditSession,
    FieldWanted,
    Opened,
    Selected,
    SessionEvent,
)
from tui.editor.tree_model import WHOLE

NAME = ("houses", 0, "name")


class Person:
    """A user who gives prepared answers, and keeps the notices."""

    def __init__(self, *answers: object) -> None:
        self._answers: Iterator[Any] = iter(answers)
        self.dialogs: list[str] = []
        self.notices: list[str] = []

    async def ask(self, dialog: ModalScreen[Any]) -> Any:
        """Give the next answer."""
        self.dialogs.append(type(dialog).__name__)
        return next(self._answers)

    def tell(
        self,
        text: str,
        *,
        severity: Literal["information", "warning", "error"] = "information",
        timeout_wall_s: float | None = None,
    ) -> None:
        """Keep a notice."""
        del severity, timeout_wall_s
        self.notices.append(text)

    def complain(self, error: BaseException, title: str = "") -> None:
        """Keep an error."""
        self.notices.append(f"{title}: {error}")


@pytest.fixture
def session(file: Path) -> EditSession:
    """A session with the neighbourhood of two houses."""
    session = EditSession()
    session.open(EditedNeighbourhood.opened(file))
    return session


def opened(session: EditSession) -> EditedNeighbourhood:
    """Return what is open."""
    assert session.work is not None
    return session.work


def name_of_first_house(session: EditSession) -> object:
    """Return its name."""
    return opened(session).tree["houses"][0]["name"]


def read(file: Path) -> str:
    """Return the text of a file."""
    return file.read_text(encoding="utf-8")


def write(file: Path, text: str) -> None:
    """Write a file as another program does."""
    file.write_text(text, encoding="utf-8")


def type_name(session: EditSession, *texts: str) -> None:
    """Replace the first house's name, letter by letter."""
    for text in texts:
        session.apply(partial(tree_changes.set_field, path=NAME, value=text), NAME)


def test_a_watcher_receives_each_event_in_turn(file: Path) -> None:
    """The events are opening, a change with a follow-up, a selection, and closing."""
    session = EditSession()
    events: list[SessionEvent] = []
    session.watch(events.append)
    session.open(EditedNeighbourhood.opened(file))
    session.apply(tree_changes.add_house, fill_in=True)
    session.select(("houses", 0))
    session.open(None)
    selected = Selected(is_new=True, reveal=True)
    assert events == [Opened(), Changed(selects=True), FieldWanted(None), selected, Opened()]


def test_a_new_house_is_selected_and_undo_selects_what_was_selected_before(session: EditSession) -> None:
    """Redo selects the house again."""
    session.select(("jobs", 1))
    session.apply(tree_changes.add_house)
    assert session.ref == ("houses", 2)
    session.undo()
    assert session.ref == ("jobs", 1)
    assert not opened(session).history.is_dirty
    session.redo()
    assert session.ref == ("houses", 2)


def test_undo_and_redo_without_a_change_do_nothing(session: EditSession) -> None:
    """They return None, also if no file is open."""
    assert session.undo() is None
    assert session.redo() is None
    session.open(None)
    assert session.undo() is None
    assert session.redo() is None


def test_the_parent_of_a_removed_part_is_selected(session: EditSession) -> None:
    """The device is removed with its house, so only the whole neighbourhood can be selected."""
    session.select(("houses", 1, "devices", 0))
    change = tree_changes.remove_house(opened(session).tree, ("houses", 1))
    opened(session).history.apply(lambda _: change)
    session.note_change()
    assert session.ref == WHOLE


def test_a_part_that_is_not_there_cannot_be_selected(session: EditSession) -> None:
    """The selection stays."""
    session.select(("houses", 1))
    session.select(("houses", 7))
    assert session.ref == ("houses", 1)


def test_letters_in_a_row_are_undone_at_once_and_a_selection_ends_the_row(session: EditSession) -> None:
    """They are typed into one field; after another selection, typing begins a new step."""
    type_name(session, "A", "Ab", "Abe")
    session.select(("houses", 1))
    type_name(session, "Abel", "Abels")
    session.undo()
    assert name_of_first_house(session) == "Abe"
    session.undo()
    assert name_of_first_house(session) == "Adler"


async def test_a_check_finds_the_problems_of_the_current_version(session: EditSession) -> None:
    """A change makes them out of date until the next check."""
    await session.check()
    assert session.is_checked
    assert opened(session).problems == ()
    events: list[SessionEvent] = []
    session.watch(events.append)
    session.apply(lambda tree: tree_changes.set_field(tree, ("houses", 1, "id"), "1"))
    assert not session.is_checked
    await session.check()
    assert session.is_checked
    assert events == [Changed(selects=False), CheckFinished()]
    assert [problem.path for problem in opened(session).problems] == [("houses", 1, "id")]
    session.go_to_problem(opened(session).problems[0])
    assert session.ref == ("houses", 1)
    await session.close()


def test_removing_and_undoing_leave_the_file_as_it_was(session: EditSession, ours: str) -> None:
    """Each shows a notice."""
    person = Person()
    edits = EditActions(session, person)
    edits.remove(("houses", 0))
    assert [house["id"] for house in opened(session).tree["houses"]] == ["2"]
    edits.undo()
    assert opened(session).history.current.document().text == ours
    assert person.notices == [
        "Removed Adler (1) and 2 jobs. Ctrl+Z to undo.",
        "Undid: remove Adler (1) and 2 jobs",
    ]


async def test_a_job_goes_to_the_device_that_is_picked_where_none_is_selected(session: EditSession) -> None:
    """A selected consumer needs no question."""
    person = Person("1.0")
    edits = EditActions(session, person)
    await edits.add_job()
    assert person.dialogs == ["Picker"]
    session.select(("houses", 0, "devices", 0))
    await edits.add_job()
    assert person.dialogs == ["Picker"]
    jobs = opened(session).tree["jobs"]
    assert [(job["house"], job["device"]) for job in jobs[2:]] == [("2", "washer"), ("1", "dishwasher")]


async def test_an_action_without_an_open_neighbourhood_says_so() -> None:
    """The notice is advice, not an error."""
    edits = EditActions(EditSession(), Person())
    with pytest.raises(NothingChosenError, match="No neighbourhood is open"):
        await edits.add_device()


async def test_a_change_is_saved_to_the_file_and_the_file_is_remembered(session: EditSession, file: Path) -> None:
    """The rest of the file is unchanged."""
    before = read(file)
    remembered: list[Path] = []
    files = FileActions(session, Person(), remembered.append)
    type_name(session, "Abel")
    assert files.losses() == ("ours.yaml has unsaved changes.",)
    assert await files.save()
    assert not files.losses()
    assert read(file) == before.replace("Adler\n    devices", "Abel\n    devices")
    assert remembered == [file]


async def test_closing_with_unsaved_changes_asks_and_going_back_keeps_them(session: EditSession) -> None:
    """Discarding closes the neighbourhood."""
    person = Person("stay", "discard")
    files = FileActions(session, person, lambda _: None)
    type_name(session, "Abel")
    await files.close()
    assert name_of_first_house(session) == "Abel"
    await files.close()
    assert session.work is None
    assert person.dialogs == ["Confirm", "Confirm"]


async def test_saving_over_a_change_by_another_program_asks_first(session: EditSession, file: Path) -> None:
    """Going back leaves the other program's file; overwriting replaces it."""
    theirs = read(file).replace("Brandt", "Braun the second")
    write(file, theirs)
    person = Person("back", "overwrite")
    files = FileActions(session, person, lambda _: None)
    assert files.notice_disk()
    assert not files.notice_disk()
    type_name(session, "Abel")
    assert not await files.save()
    assert read(file) == theirs
    assert await files.save()
    assert "Abel" in read(file)
    assert "Braun the second" not in read(file)


async def test_changes_made_while_another_file_is_read_are_asked_about(session: EditSession, file: Path) -> None:
    """They were lost without a question: reading ten thousand houses takes a while."""
    other = file.with_name("other.yaml")
    write(other, read(file))
    person = Person("stay", "discard", "stay", "discard")
    files = FileActions(session, person, lambda _: None)

    async def open_and_type(name: str) -> None:
        opening = asyncio.create_task(files.open_source(str(other)))
        while not person.dialogs and files.losses():
            await asyncio.sleep(0)  # the question about changes made before
        await asyncio.sleep(0)
        type_name(session, name)
        await opening

    await open_and_type("Abel")
    assert (name_of_first_house(session), opened(session).path) == ("Abel", file)
    person.dialogs.clear()
    await open_and_type("Abelard")
    assert (name_of_first_house(session), opened(session).path) == ("Abelard", file)
    assert person.dialogs == ["Confirm", "Confirm"]
    await files.open_source(str(other))
    assert (name_of_first_house(session), opened(session).path) == ("Adler", other)
    assert len(person.dialogs) == 3


async def test_what_was_discarded_for_a_file_that_cannot_be_read_is_asked_about_again(
    session: EditSession, file: Path
) -> None:
    """The changes are still there."""
    bad = file.with_name("bad.yaml")
    write(bad, "houses: [")
    person = Person("discard", None, "stay")
    files = FileActions(session, person, lambda _: None)
    type_name(session, "Abel")
    await files.open_source(str(bad))
    await files.close()
    assert name_of_first_house(session) == "Abel"
    assert person.dialogs == ["Confirm", "Notes", "Confirm"]


async def test_a_reload_discards_what_the_user_was_asked_about(session: EditSession, file: Path) -> None:
    """It asks no second time."""
    write(file, read(file).replace("Brandt", "Braun the second"))
    person = Person("reload")
    files = FileActions(session, person, lambda _: None)
    type_name(session, "Abel")
    assert files.notice_disk()
    await files.ask_about_disk()
    assert name_of_first_house(session) == "Adler"
    assert "Braun the second" in opened(session).history.current.document().text


async def test_forecasts_are_shifted_where_they_are_once_their_files_have_been_read(session: EditSession) -> None:
    """A house that is removed meanwhile moves the others up; the change was made in the wrong house, or failed."""
    session.apply(lambda _: Change("another house", (Insert(("houses",), 0, ({"id": "0", "devices": []},)),)))
    edits = EditActions(session, Person())
    shifting = asyncio.create_task(edits.bring_together(ShiftForecasts(("pv",), 2)))
    await asyncio.sleep(0)
    session.apply(lambda tree: tree_changes.remove_house(tree, ("houses", 0)))
    await shifting
    (prediction,) = opened(session).tree["houses"][0]["devices"][1]["predictions"]
    assert prediction["points"][0][0] != "04:00"
