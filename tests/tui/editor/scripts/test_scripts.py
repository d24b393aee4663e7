"""Events and expectations in the editor: added, changed, removed, duplicated; checked and drawn as they are typed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList, Select

from scenarios.events import EventMark
from scenarios.expectations import condition_problems
from scenarios.files.document import Document
from scenarios.load import bundled_text
from tests.tui.driving import focus
from tui.editor import tree_changes
from tui.editor.dialogs import ChooseSeveral
from tui.editor.edit_history import History
from tui.editor.picker import Picker
from tui.editor.preview_chart import PreviewArtist
from tui.editor.scripts import script_changes, script_model
from tui.editor.scripts.script_forms import event_form, expectation_form

Editing = Any


def _front() -> History:
    return History(Document(bundled_text("cloud-front")), saved=True)


@pytest.mark.parametrize("kind", list(script_model.KINDS))
def test_each_kind_of_event_is_valid_as_it_is_added(kind: str) -> None:
    """It has initial values, its form has every key of the format, and a copy is valid too."""
    history = _front()
    history.apply(lambda tree: script_changes.add_event(tree, kind, ("houses", 0, "devices", 2)))
    ref = history.current.change.select if history.current.change else None
    assert ref is not None
    history.apply(lambda tree: tree_changes.duplicate(tree, ref))
    assert [str(problem) for problem in history.current.document().problems("front", None)] == []
    paths = {field.path[2:] for field in event_form(history.tree, ref).fields}
    keys = {key for key in script_model.keys_of(kind) if key != "house" or kind in {"offline", "link"}}
    assert {(key,) for key in keys} <= paths


@pytest.mark.parametrize("kind", list(script_model.CONDITION_KINDS))
def test_each_kind_of_expectation_is_valid_as_it_is_added(kind: str) -> None:
    """It begins with a condition about an existing part of the neighbourhood."""
    history = _front()
    history.apply(lambda tree: script_changes.add_expectation(tree, kind))
    assert history.current.document().problems("front", None) == []
    labels = [field.label for field in expectation_form(history.tree, ("expect", 4)).fields]
    assert ("figure" in labels) == (kind != "free")


def test_every_change_of_kind_keeps_an_event_valid_and_the_comments_of_the_file() -> None:
    """From each kind to the next, then back by undo, equal to the byte."""
    history = _front()
    text = history.current.document().text
    comments = [line for line in text.splitlines() if "#" in line]
    for kind in [*script_model.KINDS, "cloud"]:
        history.apply(partial(tree_changes.set_field, path=("timeline", 0, "do"), value=kind))
        document = history.current.document()
        assert [str(problem) for problem in document.problems("front", None)] == [], kind
        assert [line for line in document.text.splitlines() if "#" in line] == comments
    while history.undoable:
        history.undo()
    assert history.current.document().text == text


@pytest.mark.long
async def test_an_event_is_added_filled_in_checked_and_saved(editing: Editing, file: Path) -> None:
    """With keys only; problems are shown at their field as by `ssmic check`, until they are corrected."""
    async with editing(file, size=(140, 45)) as person:
        await person.show()
        await person.press("exclamation_mark")
        await person.dialog(Picker)
        await person.press(*"offline", "enter")
        await person.until(lambda: person.screen.ref == ("timeline", 0))
        await person.settle()
        assert person.labels == ["kind", "takes place", "at", "house", "duration", "every", "times", "until"]
        await person.type_in("at", "25:00")
        assert "'25:00' is not a clock time" in person.problems_at("at")
        await person.type_in("at", "13:30")
        await person.type_in("duration", "soon")
        assert "a duration is expected, such as 30m" in person.problems_at("duration")
        await person.type_in("duration", "45m")
        await person.type_in("every", "1")  # each second: drawn before the unit is typed
        await person.type_in("every", "1d")
        assert person.work.problems == ()
        assert "╎ 13:30, every 1d House offline: 1" in str(person.tree.cursor_node.label)
        await person.press("ctrl+s")
        await person.until(lambda: 'duration: "45m"' in file.read_text())
    saved = Document.open(file)
    assert "# The Adlers live at the corner." in saved.text
    assert saved.value(("timeline", 0)) == {
        "at": "13:30",
        "do": "offline",
        "house": "1",
        "duration": "45m",
        "repeat": {"every": "1d"},
    }


@pytest.mark.long
async def test_fields_that_are_picked_offer_what_the_file_has(editing: Editing, tmp_path: Path) -> None:
    """Producers in the order in which they are ticked; a job that an event waits for; another kind of event."""
    file = tmp_path / "front.yaml"
    file.write_text(bundled_text("cloud-front"))
    async with editing(file) as person:
        await person.show("timeline", 1)
        await focus(person.pilot, person.row("producers").target)
        await person.press("enter")
        dialog = await person.dialog(ChooseSeveral)
        assert dialog.query_one(OptionList).option_count == 2
        await person.press("space", "down", "space", "up", "space", "space", "space", "enter")
        await person.settle()
        assert Document(person.text).value(("timeline", 1, "producers")) == ["pv-adler"]
        when = person.row("takes place").query_one(Select)
        when.value = "a job ends"
        await person.until(lambda: "job" in person.labels)
        await person.settle()
        assert Document(person.text).value(("timeline", 1, "when")) == {"job": "adler-washer", "turn": "ends"}
        assert person.work.problems == ()
        await person.press("ctrl+z", "ctrl+z")
        assert person.text == bundled_text("cloud-front")


@pytest.mark.long
async def test_an_expectation_is_put_together_and_removed(editing: Editing, file: Path) -> None:
    """Its parts and its text are kept in step; the error for an unknown figure suggests the nearest one."""
    async with editing(file) as person:
        await person.show()
        await person.press("equals_sign")
        await person.dialog(Picker)
        await person.press("enter")
        await person.until(lambda: person.screen.ref == ("expect", 0))
        await person.settle()
        assert person.labels == ["figure", "is", "value", "condition", "at", "name"]
        await person.type_in("value", "75 %")
        assert Document(person.text).value(("expect", 0, "that")) == "self_sufficiency >= 75 %"
        await person.type_in("condition", "self_suficiency > 1")
        assert "did you mean 'self_sufficiency'?" in person.problems_at("condition")
        await person.type_in("condition", "jobs == 2 and messages > 0")
        assert person.labels == ["condition", "at", "name"]
        await person.type_in("at", "+2h")
        assert Document(person.text).value(("expect", 0)) == {"that": "jobs == 2 and messages > 0", "at": "+2h"}
        assert person.work.problems == ()
        await person.show("expect", 0)
        await person.press("d", "delete", "delete")
        assert "expect" not in Document(person.text).value()
        await person.press("ctrl+z")
        assert Document(person.text).value(("expect", 0, "at")) == "+2h"


def test_the_chart_marks_repeated_events_and_timed_expectations() -> None:
    """They are on the displayed day; the chart of an event shows its own day."""
    tree: dict[str, Any] = Document(
        'version: 1\nname: x\nstart: "2026-03-28T00:00:00"\nzone: Europe/Berlin\ndays: 3\nseed: 1\n'
        'houses: []\njobs: []\ntimeline:\n  - {at: "09:00", do: note, text: Coffee, repeat: {every: 1d, times: 2}}\n'
        '  - {when: {job: a, turn: ends}, do: note, text: Later}\nexpect:\n  - {that: jobs == 0, at: "2d 12:00"}\n'
    ).value()
    artist = PreviewArtist(tree, None, day_index=1)
    start_s = 1774738800
    assert artist.marks(start_s, start_s + 86_400) == (
        EventMark(start_s + 8 * 3600, "Coffee"),
        EventMark(start_s + 11 * 3600, "expected: jobs == 0"),
    )
    assert artist.marks(start_s + 86_400, start_s + 2 * 86_400) == ()


@pytest.mark.parametrize("repeat", ["{every: 1s}", "{every: 1s, times: 86400}", "{every: 1s, until: '23:59:59'}"])
def test_an_event_of_every_second_is_a_mark_in_each_step_of_the_chart(repeat: str) -> None:
    """There were 86,400 a day, far more than a chart has columns; the marks together still count all of them."""
    tree: dict[str, Any] = Document(
        'version: 1\nname: x\nstart: "2026-03-27T00:00:00"\nzone: Europe/Berlin\ndays: 1\nseed: 1\n'
        f"houses: []\njobs: []\ntimeline:\n  - {{at: '00:00', do: note, text: Tick, repeat: {repeat}}}\n"
    ).value()
    start_s = 1774566000

    marks = PreviewArtist(tree, None).marks(start_s, start_s + 86_400)

    assert len(marks) == 288
    assert sum(mark.count for mark in marks) == 86_400
    assert [mark.at_s - start_s for mark in marks[:3]] == [0, 300, 600]
    assert str(marks[0]) == "Tick (300 times)"
    hour = PreviewArtist(tree, None).marks(start_s + 7200, start_s + 10_800)
    assert (len(hour), hour[0]) == (300, EventMark(start_s + 7200, "Tick", 12))


def test_marks_in_the_hour_that_occurs_twice_are_told_apart() -> None:
    """The caption said 02:30 twice."""
    tree: dict[str, Any] = Document(
        'version: 1\nname: x\nstart: "2026-10-25T00:00:00"\nzone: Europe/Berlin\ndays: 1\nseed: 1\n'
        "houses:\n  - {id: a, base_load: {constant_w: 100}}\njobs: []\n"
        "timeline:\n  - {at: +2h30m, do: note, text: Tick, repeat: {every: 1h, times: 2}}\n"
    ).value()
    assert PreviewArtist(tree, None).day(None).said.endswith("╎ 02:30+02:00 Tick, 02:30+01:00 Tick")


def test_the_form_of_a_condition_knows_any_id() -> None:
    """A job may have quotation marks in its id: picking it writes a condition that can be read."""
    parts = script_model.parts_of('job("wash").energy_wh >= 1 kWh')
    assert parts is not None
    named = replace(parts, of='the "big" wash')
    assert condition_problems(str(named), None) == []
    assert script_model.parts_of(str(named)) == named
    tree = {"jobs": [{"house": "a", "device": "b", "id": 'a "b"'}]}
    assert condition_problems(script_model.new_condition(tree, "job"), {"job": ['a "b"']}) == []
