"""Parts that cannot meet in time are noted in the editor, with a button for each remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input, Static

from scenarios.files.document import Document
from scenarios.files.scenario_from_text import load_text
from scenarios.files.series.coverage_notes import MoveStart, ShiftForecasts, coverage_notes
from scenarios.notes import repeated_id_notes
from tests.scenarios.files.series.test_coverage_notes import SUN, TEXT
from tests.tui.driving import click
from tui.editor.checker import CheckRequest, check_document
from tui.editor.dialogs import Notes
from tui.editor.edit_history import written
from tui.editor.forms.time_repairs import change_for, is_possible, label_of
from tui.editor.problems_panel import CoveragePanel
from tui.editor.workspace import Headline
from tui.shell.dialogs import PickPath

Editing = Any
APART = TEXT.replace("2026-06-21T06", "2027-06-21T06")


def buttons(person: Any) -> dict[str, Button]:
    """Return the remedies that are offered."""
    return {str(button.label): button for button in person.screen.query(CoveragePanel).first().query(Button)}


@pytest.mark.long
@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_the_start_is_moved_or_the_forecasts_by_a_button(editing: Editing, tmp_path: Path, size: Any) -> None:
    """Each brings production to the job; after undo, the note returns."""
    path = tmp_path / "apart.yaml"
    path.write_text(APART, encoding="utf-8")
    async with editing(path, size=size) as person:
        await person.until(lambda: len(buttons(person)) == 2)
        assert [*buttons(person)] == ["Move the start to 2027-06-21", "Shift the forecasts by -365 days"]
        note = person.screen.query_one(CoveragePanel).query(Static).first()
        assert "no forecast reaches into the run" in str(note.render())
        assert "no problems, 1 note" in str(person.screen.query_one(Headline).query_one(".found", Static).render())
        for label, old, new in (
            ("Move the start to 2027-06-21", "start: 2026-06-21T00", 'start: "2027-06-21T00'),
            ("Shift the forecasts by -365 days", '"2027-06-21T06', '"2026-06-21T06'),
        ):
            await click(person.pilot, buttons(person)[label])
            await person.until(lambda: not buttons(person))
            await person.settle()
            assert person.work.notes == ()
            assert old not in person.text
            assert new in person.text
            await person.press("ctrl+z")
            await person.until(lambda: len(buttons(person)) == 2)
            assert person.text == APART


def brought_together(text: str, folder: Path) -> str:
    """Return a text after its forecasts were shifted into the run."""
    document = Document(text)
    (note,) = (note for note in check_document(CheckRequest(document, (), "s.yaml", folder)).notes if note.remedies)
    remedy = next(remedy for remedy in note.remedies if isinstance(remedy, ShiftForecasts))
    change = change_for(remedy, document.value(), folder)
    assert change is not None
    return written(document, change.steps).text


@pytest.mark.parametrize(
    "sun",
    [
        '{issued: "00:00", points: [["2016-06-21T06:00:00+02:00", 0], ["2016-06-21T10:00:00+02:00", 7000]]}',
        '{issued: "00:00", points: [[1466481600, 0], [1466496000, 7000]]}',
        '{issued: "00:00", file: sun.csv}',
        '{issued: "00:00", file: table.csv, columns: {value: Sun}, unit: W, reading: power, zone: UTC}',
        '{issued: "00:00", file: ends.csv, columns: {value: Sun}, unit: W, reading: power, labels: end, zone: UTC}',
        '{issued: "2026-06-21T00:00:00+02:00", start: "2016-06-21T04:00:00Z", step_s: 7200, power_w: [500, 3000]}',
    ],
)
def test_forecasts_are_shifted_in_every_form(tmp_path: Path, sun: str) -> None:
    """The energy is unchanged, and so is a named file."""
    (tmp_path / "sun.csv").write_text("1466481600 0\n1466496000 7000\n", encoding="utf-8")
    rows = "time;Sun;Rain\n2016-06-21T04:00;500;0\n2016-06-21T06:00;3000;0\n"
    (tmp_path / "table.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "ends.csv").write_text(rows.replace("06:00", "08:00").replace("04:00", "06:00"), encoding="utf-8")
    text = TEXT.replace(SUN, sun)

    after = load_text(brought_together(text, tmp_path), "s.yaml", tmp_path)

    assert coverage_notes(after) == ()
    production = after.producers["pv"].predictions[0].production
    assert (production.start_s - after.start_s, production.energy_wh) == (6 * 3600, 7000)
    assert (tmp_path / "sun.csv").read_text(encoding="utf-8").startswith("1466481600 0")


@pytest.mark.parametrize(
    ("start", "sun"),
    [
        ('"2026-06-21T00:00"', '{issued: "00:00", start: "2026-12-21T09:00", step_s: 3600, power_w: [500, 3000]}'),
        ('"2026-06-21T00:00"', '{issued: "2026-12-21T00:00", points: [["2026-12-21T09:00", 0], [1797847200, 7000]]}'),
        (
            "2026-06-21T00:00:00+02:00",
            '{issued: "00:00", start: "2026-12-21T08:00:00Z", step_s: 3600, power_w: [3000]}',
        ),
        ("1781992800", '{issued: "00:00", points: [["4401:00", 0], ["4402:00", 7000]]}'),
    ],
)
def test_times_in_a_zone_stay_the_same_by_its_clocks(tmp_path: Path, start: str, sun: str) -> None:
    """A start or a forecast that is moved from summer to winter, or the reverse, is not moved by an hour, too."""
    text = TEXT.replace("start: 2026-06-21T00:00:00+02:00", f"start: {start}\nzone: Europe/Berlin").replace(SUN, sun)
    document = Document(text)
    (note,) = check_document(CheckRequest(document, (), "s.yaml", tmp_path)).notes
    move, _ = note.remedies
    assert isinstance(move, MoveStart)
    assert label_of(move, document.value()) == "Move the start to 2026-12-21"
    change = change_for(move, document.value(), tmp_path)
    assert change is not None

    later = load_text(written(document, change.steps).text, "s.yaml", tmp_path)
    after = load_text(brought_together(text, tmp_path), "s.yaml", tmp_path)

    assert later.zone.iso(later.start_s) == "2026-12-21T00:00:00+01:00"
    assert after.zone.iso(after.producers["pv"].predictions[0].production.start_s) == "2026-06-21T09:00:00+02:00"
    assert after.producers["pv"].predictions[0].issued_s == after.start_s


def test_a_start_is_not_moved_away_from_its_jobs(tmp_path: Path) -> None:
    """Jobs with dates would be before the run."""
    text = APART
    for time in ("05:00", "06:00", "12:00"):
        text = text.replace(f'"{time}"', f'"2026-06-21T{time}:00+02:00"')
    document = Document(text)
    (note,) = check_document(CheckRequest(document, (), "s.yaml", tmp_path)).notes
    move, shift = note.remedies
    assert isinstance(move, MoveStart)
    assert not is_possible(move, document.value())
    assert is_possible(shift, document.value())
    assert is_possible(move, Document(APART).value())
    earlier = text.replace("start: 2026-06-21T00:00:00+02:00", "start: 2028-06-21T00:00\nzone: Europe/Berlin")
    assert is_possible(move, Document(earlier.replace("2026-06-21T", "2028-06-21T").replace(":00+02:00", "")).value())


async def test_an_xml_is_opened_by_importing_it(editing: Editing, tmp_path: Path) -> None:
    """The assumptions are listed; it is not saved yet."""
    path = tmp_path / "esn.xml"
    path.write_text(
        '<neighborhood id="1"><house id="30"><user id="1"><device><id>1</id><name>dish</name><template>7</template>'
        "<type>consumer</type></device></user></house></neighborhood>",
        encoding="utf-8",
    )
    async with editing() as person:
        await person.press("ctrl+o")
        dialog = await person.dialog(PickPath)
        dialog.query_one(Input).value = str(path)
        await person.press("ctrl+s")
        told = await person.dialog(Notes)
        assert any("the bundled 'dishwasher-eco' takes its place" in line for line in told._lines)
        await person.press("escape")
        await person.settle()
        assert person.work.path is None
        assert person.work.tree["houses"][0]["id"] == "30"


@pytest.mark.long
async def test_ids_that_repeat_and_jobs_without_room_are_noted_as_check_notes_them(
    editing: Editing, file: Path, ours: str
) -> None:
    """The notes are worded as by `ssmic check`, and disappear with their cause."""
    jobs = '  - {house: "1", device: dishwasher, id: dinner, registered: "16:00", earliest_start: "18:00", latest_start'
    old = '  - {house: "1", device: dishwasher, registered: "16:00", earliest_start: "18:00", latest_start'
    file.write_text(ours.replace(old, jobs) + f'{jobs}: "18:10"}}\n{jobs}: "18:10"}}\n', encoding="utf-8")
    scenario = load_text(file.read_text(encoding="utf-8"), "ours.yaml", file.parent)
    async with editing(file, size=(140, 45)) as person:
        said = [str(one.render()) for one in person.screen.query_one(CoveragePanel).query(Static)]
        assert [f"! {note}" for note in repeated_id_notes(scenario)] == said[-1:]
        assert "job id 'dinner' is used 3 times" in said[-1]
        assert any("runs at the same time as another job of device 'dishwasher'" in one for one in said)
        await person.show("jobs", 3)
        await person.press("delete")
        await person.until(lambda: len(person.work.tree["jobs"]) == 3)
        await person.settle()
        assert not any("is used 3 times" in note.what for note in person.work.notes)
