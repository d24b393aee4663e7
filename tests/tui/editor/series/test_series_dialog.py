"""Series of meters in the editor's import dialog: guesses, rows and curve; each guess can be changed."""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from textual.widgets import Input, Select, Static

from scenarios import Zone
from tests.tui.driving import focus
from tui.editor.dialogs import ImportDialog
from tui.editor.picker import Picker
from tui.editor.series.series_dialog import SeriesDialog, assumed, entry_of, opened
from tui.editor.series.series_import import begin_of
from tui.shell.dialogs import PickPath
from tui.widgets.chart import Chart

Editing = Any
EXPORT = "Zeit;Haus [kWh];PV [kWh]\n" + "".join(f"21.06.2026 {hour:02}:00;1,5;{hour},25\n" for hour in range(12))


async def _imported(person: Any, path: Path, *chosen: str) -> SeriesDialog:
    """Import a file, press the keys that choose what it is for, if that is asked, and return the dialog about it."""
    await person.press("i")
    asking = await person.dialog(ImportDialog)
    asking.query_one("#source", Input).value = str(path)
    await person.pilot.press("ctrl+s")
    if chosen:
        await person.dialog(Picker)
        await person.pilot.press(*chosen)
    dialog = await person.dialog(SeriesDialog)
    assert isinstance(dialog, SeriesDialog)
    return dialog


def test_assumptions_findings_and_missing_keys_are_shown(tmp_path: Path) -> None:
    """One of two columns must be named, and the zone of local times; then a gap and a reset are listed."""
    path = tmp_path / "export.csv.gz"
    path.write_bytes(gzip.compress(EXPORT.encode()))
    first = opened(path, {}, is_run=False)
    assert first.columns == ("Zeit", "Haus [kWh]", "PV [kWh]")
    assert first.rows[1] == ("21.06.2026 01:00", "1,5", "1,25")
    assert first.measured is None
    assert "several columns of values" in first.problems[0]
    no_zone = opened(path, {"value": "PV [kWh]"}, is_run=False)
    assert no_zone.measured is None
    assert any("zone" in problem for problem in no_zone.problems)
    given = {"value": "PV [kWh]", "zone": "Europe/Berlin", "reading": "interval"}
    whole = opened(path, given, is_run=False)
    assert whole.measured is not None
    assert (
        assumed(whole.measured, given, path.name)[0]
        == "Guessed: times in 'Zeit'; unit kWh; times are starts of intervals."
    )
    assert round(float(whole.power_w.max())) == 11_250
    assert entry_of("export.csv.gz", whole.measured) == {
        "file": "export.csv.gz",
        "columns": {"time": "Zeit", "value": "PV [kWh]"},
        "unit": "kWh",
        "reading": "interval",
        "labels": "start",
        "zone": "Europe/Berlin",
    }
    of_ends = opened(path, given | {"labels": "end"}, is_run=False).measured
    assert of_ends is not None
    assert whole.measured.times_s[0] - of_ends.times_s[0] == 3600
    assert entry_of("export.csv.gz", of_ends)["labels"] == "end"
    counter = tmp_path / "meter.csv"
    rows = [
        f"2026-06-21T{hour:02}:00Z,{reading}" for hour, reading in enumerate((100, 101, 102, 0.5, 1.5)) if hour != 1
    ]
    counter.write_text("time,total_kwh\n" + "\n".join(rows) + "\n")
    found = opened(counter, {"reading": "counter"}, is_run=False)
    assert found.measured is not None
    assert "labels" not in entry_of("meter.csv", found.measured)
    said = " ".join(assumed(found.measured, {"reading": "counter"}, counter.name))
    assert "reset" in said or "begins anew" in said
    assert "missing" in said or "gap" in said


@pytest.mark.long
async def test_a_meters_file_is_imported_as_actual_production(editing: Editing, file: Path) -> None:
    """The import dialog shows type and assumptions; one is changed, and the file then says how it is read."""
    (file.parent / "export.csv").write_text(EXPORT)
    async with editing(file) as person:
        await person.show()
        dialog = await _imported(person, file.parent / "export.csv", "enter")
        found = dialog.query_one("#found", Static)
        await person.until(lambda: "several columns of values" in str(found.content))
        dialog.query_one("#series-value", Select).value = "PV [kWh]"
        await person.until(lambda: "zone" in str(found.content))
        await focus(person.pilot, dialog.query_one("#series-zone", Input))
        await person.pilot.press(*"UTC")
        await person.until(lambda: dialog.shown is not None and dialog.shown.measured is not None)
        assert "21.06.2026 03:00" in str(dialog.query_one("#rows", Static).content)
        dialog.query_one("#series-reading", Select).value = "interval"
        await person.until(lambda: "Guessed: times in 'Zeit'; unit kWh; times are starts" in str(found.content))
        await person.pilot.press("ctrl+s")
        await person.until(lambda: "actual" in person.work.tree["houses"][0]["devices"][1])
        await person.settle()
        assert person.work.problems == ()
        actual = person.work.tree["houses"][0]["devices"][1]["actual"]
        assert actual["columns"] == {"time": "Zeit", "value": "PV [kWh]"}
        assert actual["reading"] == "interval"
        await person.press("ctrl+z")
        assert "actual" not in person.text
    async with editing() as person:
        (file.parent / "pv.csv").write_text("time,power_w\n2026-03-01T06:00Z,0\n2026-03-01T06:15Z,900\n")
        dialog = await _imported(person, file.parent / "pv.csv")
        await person.until(lambda: dialog.shown is not None and dialog.shown.measured is not None)
        await person.pilot.press("ctrl+s")
        await person.until(
            lambda: person.screen.work is not None and len(person.work.tree["houses"][0]["devices"]) == 1
        )
        assert (person.work.tree["start"], person.work.tree["days"]) == ("2026-03-01T00:00:00Z", 1)
        assert not isinstance(person.app.screen, PickPath)


async def test_times_without_an_offset_are_in_the_neighbourhoods_zone(editing: Editing, file: Path) -> None:
    """As in the file itself; the dialog asked for a zone, and could not be accepted without."""
    zoned = file.read_text().replace("start: 2026-06-21T00:00:00+02:00", "start: 2026-06-21\nzone: Europe/Berlin")
    file.write_text(zoned)
    (file.parent / "pv.csv").write_text("Zeit,PV [kW]\n21.06.2026 10:00,1\n21.06.2026 11:00,2\n")
    async with editing(file, size=(100, 30)) as person:
        await person.show()
        dialog = await _imported(person, file.parent / "pv.csv", "enter")
        await person.until(lambda: "taken as Europe/Berlin" in str(dialog.query_one("#found", Static).content))
        assert dialog.query_one("#series-zone", Input).placeholder == "default: Europe/Berlin"
        chart = dialog.query_one(Chart)
        await person.until(lambda: "╵10:00" in "".join(chart.render_line(y).text for y in range(chart.size.height)))
        await person.pilot.press("ctrl+s")
        await person.until(lambda: "actual" in person.work.tree["houses"][0]["devices"][1])
        await person.settle()
        assert person.work.tree["houses"][0]["devices"][1]["actual"]["zone"] == "Europe/Berlin"
        assert person.work.problems == ()


@pytest.mark.long
async def test_a_smart_meters_file_is_imported_as_a_houses_base_load(editing: Editing, file: Path) -> None:
    """It is offered for each house, and the house's form names the file; what was there before is replaced."""
    rows = "".join(f"2026-06-21T{hour:02}:00Z;0,{hour % 5}\n" for hour in range(24))
    (file.parent / "smart meter öst.csv").write_text("Zeit;Bezug [kWh]\n" + rows, encoding="cp1252")
    async with editing(file) as person:
        await person.show()
        dialog = await _imported(person, file.parent / "smart meter öst.csv", *"base load", "enter")
        await person.until(lambda: dialog.shown is not None and dialog.shown.measured is not None)
        await person.pilot.press("ctrl+s")
        await person.until(lambda: "base_load" in person.work.tree["houses"][0])
        await person.settle()
        assert person.work.problems == ()
        assert person.work.tree["houses"][0]["base_load"] == {
            "file": "smart meter öst.csv",
            "columns": {"time": "Zeit", "value": "Bezug [kWh]"},
            "unit": "kWh",
            "reading": "interval",
            "labels": "start",
        }


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [("2026-10-01", "2026-11-01", 31), ("2026-03-01", "2026-04-01", 31), ("2026-03-29", "2026-03-30", 1)],
)
@pytest.mark.parametrize("hour", [0, 12])
def test_a_neighbourhood_begun_from_a_series_has_its_local_days(first: str, last: str, days: int, hour: int) -> None:
    """Also if clocks change within it, or between midnight and its first value."""
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(f"{first}T{hour:02}:00").replace(tzinfo=berlin)
    end = datetime.fromisoformat(last).replace(tzinfo=berlin)
    begin = begin_of(int(start.timestamp()), int(end.timestamp()), "Europe/Berlin")
    assert begin == {"start": start.replace(hour=0).isoformat(), "zone": "Europe/Berlin", "days": days}
    assert Zone(key="Europe/Berlin").days_later_s(int(start.replace(hour=0).timestamp()), days) == int(end.timestamp())
