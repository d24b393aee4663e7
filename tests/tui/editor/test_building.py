"""A neighbourhood is built by keys and mouse: houses, devices, jobs; problems are shown while typing."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList, CommandPalette
from textual.widgets import Button, OptionList, Select, Static

from scenarios.importers import InputJob
from scenarios.load import load_scenario
from tests.scenarios.problems import problems_of
from tests.tui.driving import click, focus
from tui.editor import tree_changes, tree_model
from tui.editor.dialogs import Notes
from tui.editor.edit_history import Insert
from tui.editor.forms.form_view import FormView, PickButton
from tui.editor.picker import Picker
from tui.editor.problems_panel import ProblemsPanel
from tui.shell.dialogs import PickPath
from tui.widgets.chart import Chart
from tui.widgets.table import VirtualTable

Editing = Any
WIDE = (140, 45)


async def test_from_nothing_to_a_file_that_runs(editing: Editing, tmp_path: Path) -> None:
    """With keys only: a house, panels, a dishwasher, a job; the saved file is a valid scenario."""
    async with editing(size=WIDE) as person:
        await person.press("ctrl+n")
        await person.until(lambda: person.screen.work is not None)
        await person.settle()
        assert person.screen.ref == ("houses", 0)
        for wish in ("dishwasher, eco", "5 kWp, facing south"):
            await person.press("escape", "a")
            await person.dialog(Picker)
            await person.press(*(char if char.isalnum() else {" ": "space", ",": "comma"}[char] for char in wish))
            await person.press("enter")
            await person.until(lambda: not isinstance(person.app.screen, Picker))
            await person.settle()
        await person.show("houses", 0, "devices", 0)
        await person.press("j")
        await person.until(lambda: person.screen.ref == ("jobs", 0))
        await person.settle()
        assert person.work.problems == ()
        await person.press("ctrl+s")
        await person.dialog(PickPath)
        await person.press("enter")
        await person.until(lambda: person.work.path is not None)
        assert not person.work.history.is_dirty
    path = tmp_path / "my-neighbourhood.yaml"
    scenario = load_scenario(path)
    assert [device.id for house in scenario.houses for device in house.devices] == ["dishwasher", "pv-1"]
    assert [job.profile for job in scenario.jobs] == ["dishwasher-eco"]
    assert path.read_text(encoding="utf-8").startswith("# A neighbourhood for ssmic")


@pytest.mark.long
async def test_the_first_neighbourhood_of_the_page_on_keys(editing: Editing, tmp_path: Path) -> None:
    """Key by key, until the file is saved, which Run then starts."""
    page = (Path(__file__).parents[3] / "docs" / "keys.md").read_text(encoding="utf-8")
    keys = re.findall("`([^`]+)`", page[page.index("A first neighbourhood") : page.index("| Key |")])
    assert keys[-2:] == ["Ctrl+R", "r"]
    async with editing(size=WIDE) as person:
        for key in keys[:-2]:
            await person.press(*(key if key.isupper() else [{"Esc": "escape"}.get(key, key.lower())]))
            await person.settle()
        await person.until(lambda: person.work.path is not None)
    scenario = load_scenario(tmp_path / "my-neighbourhood.yaml")
    assert [device.id for house in scenario.houses for device in house.devices] == ["dishwasher", "pv-1"]
    assert len(scenario.jobs) == 1


async def test_a_name_is_typed_and_the_rest_of_the_file_stays(editing: Editing, file: Path, ours: str) -> None:
    """Comments, order, blank lines; one undo takes the whole word back."""
    async with editing(file) as person:
        await person.press("down", "down")
        await person.until(lambda: "load profile" in person.labels)
        await person.type_in("name", "Geschirr")
        assert person.work.history.is_dirty
        assert "not saved" in str(person.screen.query_one("#headline > .state").render())
        assert "▽ Geschirr" in [str(node.label) for node in person.tree.root.children[0].children]
        await person.press("ctrl+s")
        await person.until(lambda: not person.work.history.is_dirty)
        assert file.read_text(encoding="utf-8") == ours.replace("name: Dishwasher", "name: Geschirr")
        await person.press("ctrl+z")
        assert person.text == ours
        assert person.work.history.is_dirty
        await person.press("ctrl+y")
        assert "Geschirr" in person.text


@pytest.mark.long
async def test_a_duplicate_id_is_reported_at_once(editing: Editing, file: Path) -> None:
    """The problem is shown at the field before anything else is checked; jobs follow the new id."""
    async with editing(file) as person:
        await person.show("houses", 1)
        await person.type_in("id", "1")
        assert person.problems_at("id") == "✗ house '1' already exists"
        await person.press("a")
        assert person.problems_at("id") == ""
        await person.show("houses", 0)
        await person.type_in("id", "adler")
        assert person.work.problems == ()
        assert [job.house for job in person.work.history.current.document().scenario("x", None).jobs] == ["adler"] * 2


async def test_problems_of_check_are_shown_at_the_field(editing: Editing, file: Path) -> None:
    """They are shown while typing, in the list and in the tree; F8 and a row of the list lead to the field."""
    async with editing(file) as person:
        await person.show("jobs", 1)
        await person.type_in("latest start", "17:00", part=1)
        assert person.problems_at("latest start") == "✗ 17:00 is before the earliest start 18:00"
        assert "✗" in str(person.tree.root.children[0].label)
        await person.show("load_profiles", "dish")
        await person.press("escape", "f8")
        await person.until(lambda: person.screen.ref == ("jobs", 1))
        await person.until(lambda: person.screen.focused is not None and person.row("latest start").has_focus_within)
        await person.show("houses", 1)
        panel = person.screen.query_one(ProblemsPanel)
        assert panel.has_class("some")
        await focus(person.pilot, panel.query_one(VirtualTable))
        await person.press("enter")
        await person.until(lambda: person.screen.ref == ("jobs", 1))
        person.work.history.settle()
        file.write_text(person.text, encoding="utf-8")
        assert [problem.what for problem in problems_of(file)] == [p.what for p in person.work.problems]


async def test_problems_that_are_only_counted_count_in_the_title(editing: Editing, file: Path, ours: str) -> None:
    """As for `ssmic check`: of a long list the first ten are shown."""
    falling = [[60 * i, 1000 - i] for i in range(97)]
    file.write_text(ours.replace("points: [[0, 0], [3600, 900.5]]", f"points: {falling}"), encoding="utf-8")
    async with editing(file) as person:
        await person.until(lambda: person.work.problems != ())
        await person.settle()
        count = str(person.screen.query_one(".found", Static).content)
        assert count.startswith("✗ 96 problems")
        assert person.screen.query_one(ProblemsPanel).border_title == "96 problems"


@pytest.mark.long
async def test_a_time_is_moved_by_keys(editing: Editing, file: Path, ours: str) -> None:
    """Up: a quarter of an hour, in the date: a day; the file keeps its form."""
    async with editing(file) as person:
        await person.show("jobs", 0)
        date, clock = person.row("latest start").query("Input")
        await focus(person.pilot, clock)
        await person.press("up")
        assert person.text == ours.replace('latest_start: "16:00"', 'latest_start: "16:15"')
        await focus(person.pilot, date)
        await person.press("up")
        assert person.text == ours.replace('latest_start: "16:00"', 'latest_start: "40:15"')
        assert (date.value, clock.value) == ("2026-06-22", "16:15")


@pytest.mark.long
async def test_a_load_profile_is_chosen_with_its_picture(editing: Editing, file: Path) -> None:
    """By mouse: the field opens a list with a preview of each; the chosen one is in the file and drawn."""
    async with editing(file, size=WIDE) as person:
        await person.show("houses", 1, "devices", 0)
        await click(person.pilot, person.row("load profile").query_one(PickButton))
        await person.dialog(Picker)
        dialog = person.app.screen
        await person.press(*"oven")
        assert dialog.query_one(Chart)._series
        await click(person.pilot, dialog.query_one(OptionList), offset=(4, 0))
        await person.until(lambda: person.app.screen is person.screen)
        await person.settle()
        assert person.work.tree["houses"][1]["devices"][0]["load_profile"] == "oven"
        assert "oven" in person.work.tree["load_profiles"]
        await person.until(lambda: "oven" in str(person.screen.query_one("#side .said").render()))
        assert person.work.problems == ()


@pytest.mark.long
async def test_a_load_profile_comes_from_a_file(editing: Editing, file: Path) -> None:
    """Its path is relative to the scenario's folder; its problems are shown where it is chosen."""
    (file.parent / "loads").mkdir()
    (file.parent / "loads" / "pump.csv").write_text("0 0\n600 100\n", encoding="utf-8")
    async with editing(file) as person:
        await person.show("houses", 1, "devices", 0)
        await focus(person.pilot, person.row("load profile").target)
        await person.press("enter")
        await person.dialog(Picker)
        await person.press(*"from", "space", *"a", "space", *"file", "enter")
        await person.dialog(PickPath)
        person.app.screen.query_one("Input").value = str(file.parent / "loads" / "pump.csv")
        await person.press("ctrl+s")
        await person.until(lambda: "pump" in person.work.tree["load_profiles"])
        await person.settle()
        assert person.work.tree["load_profiles"]["pump"] == {"file": "loads/pump.csv"}
        assert person.work.problems == ()
        await person.until(lambda: person.screen.query_one("#side Chart", Chart)._series)
        (file.parent / "loads" / "pump.csv").write_text("0 0\n600 100\n500 200\n", encoding="utf-8")
        await person.type_in("name", "Pump")
        assert "is not after" in person.problems_at("load profile")


@pytest.mark.long
async def test_a_consumer_becomes_a_producer(editing: Editing, file: Path) -> None:
    """It begins with a clear sky; its job then has no consumer, and undo restores everything."""
    async with editing(file) as person:
        await person.show("houses", 0, "devices", 0)
        await focus(person.pilot, person.row("type").query_one(Select))
        await person.press("enter", "down", "enter")
        await person.until(lambda: "energy" in person.labels)
        await person.settle()
        assert {problem.what for problem in person.work.problems} == {
            "'dishwasher' is a producer; a job runs on a consumer"
        }
        await person.press("ctrl+z")
        await person.until(lambda: "load profile" in person.labels)
        await person.settle()
        assert person.work.problems == ()


@pytest.mark.long
async def test_forecasts_are_added_changed_and_removed(editing: Editing, file: Path) -> None:
    """Each is drawn; the new one is issued later."""
    async with editing(file, size=WIDE) as person:
        await person.show("houses", 0, "devices", 1)
        await person.press("f")
        await person.dialog(Picker)
        await person.press("enter")
        await person.until(lambda: "2 issued" in person.labels)
        await person.settle()
        assert [p["issued"] for p in person.work.tree["houses"][0]["devices"][1]["predictions"]] == ["00:00", "06:00"]
        await person.until(lambda: len(person.screen.query_one("#side Chart", Chart)._series) == 2)
        assert person.work.problems == ()
        await focus(person.pilot, person.screen.query_one(FormView).rows[-2].query_one(PickButton))
        await person.press("enter")
        await person.dialog(Picker)
        await person.press(*"remove", "enter")
        await person.until(lambda: "2 issued" not in person.labels)
        assert len(person.work.tree["houses"][0]["devices"][1]["predictions"]) == 1


@pytest.mark.long
async def test_a_forecast_comes_from_a_file(editing: Editing, file: Path) -> None:
    """By mouse, for an existing producer, drawn when it is chosen; so does actual production."""
    start_s = 1_781_992_800
    (file.parent / "sun.csv").write_text(f"{start_s + 21_600} 0\n{start_s + 43_200} 9000\n", encoding="utf-8")
    async with editing(file, size=WIDE) as person:
        await person.show("houses", 0, "devices", 1)
        for label, key in (("energy", "predictions"), ("actual", "actual")):
            await click(person.pilot, person.row(label).query_one(PickButton))
            await person.dialog(Picker)
            await person.press(*"from", "space", *"a", "space", *"file", "enter")
            picking = await person.dialog(PickPath)
            picking.query_one("Input").value = str(file.parent / "sun.csv")
            await person.press("ctrl+s")
            device = ("houses", 0, "devices", 1)
            await person.until(partial(_names, person, (*device, key), "sun.csv"))
            await person.settle()
        assert person.work.problems == ()
        said = person.screen.query_one("#side .said", Static)
        await person.until(lambda: "9.0 kWh" in str(said.content))
        assert len(person.screen.query_one("#side Chart", Chart)._series) == 2


def _names(person: Any, path: tuple[Any, ...], file: str) -> bool:
    """Return whether a file is named somewhere in the neighbourhood."""
    return file in str(tree_model.at(person.work.tree, path))


@pytest.mark.long
async def test_the_tree_answers_to_the_mouse(editing: Editing, file: Path) -> None:
    """A click shows a part; one on its sign opens it; the buttons below its fields do what the keys do."""
    async with editing(file, size=WIDE) as person:
        await click(person.pilot, person.tree, offset=(8, 4))
        await person.until(lambda: person.screen.ref == ("houses", 1))
        await person.settle()
        await click(person.pilot, _button(person, "Duplicate"))
        await person.until(lambda: len(person.work.tree["houses"]) == 3)
        await person.settle()
        assert person.work.problems == ()
        await click(person.pilot, _button(person, "Add device"))
        picking = await person.dialog(Picker)
        await click(person.pilot, picking.query_one(OptionList), offset=(4, 2))
        await person.until(lambda: len(person.work.tree["houses"][2]["devices"]) == 2)
        await person.settle()
        await click(person.pilot, _button(person, "Add job"))
        await person.until(lambda: len(person.work.tree["jobs"]) == 3)
        assert person.work.problems == ()


def _button(person: Any, label: str) -> Button:
    """Return a button of the form."""
    found: Button = next(
        button for button in person.screen.query(Button) if button.is_on_screen and str(button.label) == label
    )
    return found


@pytest.mark.long
async def test_the_palette_does_what_the_keys_do(editing: Editing, file: Path) -> None:
    """It contains all available actions, under the names that the help uses."""
    async with editing(file) as person:
        await person.show("jobs", 0)
        offered = {command.title for command in person.app.get_system_commands(person.screen)}
        assert {"House", "Device", "Job", "Remove", "Duplicate", "Jobs from XML", "Load profile", "Find"} <= offered
        assert {"Save", "Save as", "Run", "New", "Open", "Bundled", "Import", "Close", "Theme", "Results"} <= offered
        assert not {"Undo", "Redo", "Forecast"} & offered
        await person.press("ctrl+p")
        palette = await person.dialog(CommandPalette)
        await person.press(*"duplicate")
        found = palette.query_one(CommandList)
        await person.until(lambda: found.option_count and "Duplicate" in str(found.get_option_at_index(0).prompt))
        await person.press("enter")
        await person.until(lambda: len(person.work.tree["jobs"]) == 3)


@pytest.mark.long
async def test_houses_devices_and_jobs_are_removed_and_come_back(editing: Editing, file: Path, ours: str) -> None:
    """By key and mouse, with everything that refers to them; undo restores them."""
    async with editing(file, size=WIDE) as person:
        await person.show("jobs", 0)
        await person.press("delete")
        assert len(person.work.tree["jobs"]) == 1
        await person.show("houses", 0, "devices", 0)
        button = next(
            button for button in person.screen.query(Button) if button.is_on_screen and str(button.label) == "Remove"
        )
        await click(person.pilot, button)
        await person.settle()
        assert person.work.tree["jobs"] == []
        await person.show("houses", 1)
        await person.press("delete")
        assert [house["id"] for house in person.work.tree["houses"]] == ["1"]
        assert person.work.problems == ()
        await person.press("ctrl+z", "ctrl+z", "ctrl+z")
        assert person.text == ours
        assert not person.work.history.is_dirty


@pytest.mark.long
async def test_a_part_is_found_by_a_text(editing: Editing, file: Path) -> None:
    """The part is selected, and the tree opens down to it."""
    async with editing(file) as person:
        await person.press("slash")
        await person.dialog(Picker)
        await person.press(*"washer", "space", *"brandt", "enter")
        await person.until(lambda: person.screen.ref == ("houses", 1, "devices", 0))
        await person.until(lambda: person.tree.cursor_ref == person.screen.ref)


async def test_jobs_come_from_xml(editing: Editing, file: Path) -> None:
    """Jobs of existing devices are imported; omissions are listed."""
    (file.parent / "jobs.xml").write_text(
        '<neighborhood id="1"><house id="1"><user id="1">'
        "<device><id>dishwasher</id><est>1782010800</est><lst>1782014400</lst><creation_time>1782003600</creation_time>"
        "</device><device><id>nothing</id><est>1</est><lst>2</lst><creation_time>1</creation_time></device>"
        "</user></house></neighborhood>",
        encoding="utf-8",
    )
    async with editing(file) as person:
        await person.press("I")
        await person.dialog(PickPath)
        person.app.screen.query_one("Input").value = str(file.parent / "jobs.xml")
        await person.press("ctrl+s")
        await person.dialog(Notes)
        assert person.app.screen._lines == (
            "device 'nothing' of house '1' is not in this neighbourhood: its job was left out",
        )
        await person.press("enter")
        assert person.work.tree["jobs"][2] == {
            "house": "1",
            "device": "dishwasher",
            "registered": "03:00",
            "earliest_start": "05:00",
            "latest_start": "06:00",
        }
        assert person.work.problems == ()


def test_jobs_from_xml_keep_their_times_where_clocks_change() -> None:
    """They are written as hours of the clock, as a neighbourhood with a zone has them."""
    tree: dict[str, Any] = {
        "start": "2026-03-29T00:00",
        "zone": "Europe/Berlin",
        "houses": [{"id": "1", "devices": [{"id": "dish", "type": "consumer"}]}],
    }
    times_s = (1_774_760_400, 1_774_764_000, 1_774_767_600)  # 07:00 to 09:00 in summer time
    added = tree_changes.add_input_jobs(tree, [InputJob("jobs.xml:1", "1", "", "dish", "", *times_s)], "jobs.xml")
    assert added.change is not None
    (insert,) = added.change.steps
    assert isinstance(insert, Insert)
    (entry,) = insert.values
    assert [entry[key] for key in ("registered", "earliest_start", "latest_start")] == ["07:00", "08:00", "09:00"]


async def test_the_table_of_jobs_leads_to_each(editing: Editing, file: Path) -> None:
    """Enter opens one, delete removes the one under the cursor."""
    async with editing(file) as person:
        await person.show("jobs")
        await person.press("enter", "down", "delete")
        assert [job["earliest_start"] for job in person.work.tree["jobs"]] == ["08:00"]
        assert person.screen.ref == ("jobs",)
        await person.press("enter")
        await person.until(lambda: person.screen.ref == ("jobs", 0))


@pytest.mark.long
async def test_the_tree_of_a_large_file_holds_what_is_opened(editing: Editing, tmp_path: Path, ours: str) -> None:
    """A week of 1,000 houses has 12,000 jobs; adding all of them to the tree held up the keys for a second."""
    head, houses = ours.split('  - id: "2"\n')
    house, jobs = houses.split("\njobs:\n")
    many = "".join(f'  - id: "{n}"\n{house}' for n in range(2, 30))
    late = '  - {house: "29", device: washer, registered: "06:00", earliest_start: "08:00", latest_start: "16:00"}\n'
    path = tmp_path / "many.yaml"
    path.write_text(f"{head}{many}\njobs:\n{late}{jobs}", encoding="utf-8")
    async with editing(path, size=WIDE) as person:
        house_nodes = [node for node in person.tree.root.children if node.data[:1] == ("houses",)]
        assert len(house_nodes) == 29
        assert not any(node.children for node in house_nodes)
        await focus(person.pilot, person.tree)
        await person.press("down", "right")
        assert [str(node.label) for node in house_nodes[0].children] == ["▽ Dishwasher", "▲ Roof"]
        await person.press("right", "right", "right")
        assert person.screen.ref == ("jobs", 1)
        await person.show("jobs", 0)
        assert person.tree.cursor_ref == ("jobs", 0)
        assert person.tree.cursor_node.parent.parent is house_nodes[28]
        # Open nodes stay open when the data change, and a removed part disappears.
        await person.press("delete")
        await person.until(lambda: len(person.work.tree["jobs"]) == 2)
        await person.settle()
        assert [str(node.label) for node in person.tree.root.children[28].children] == ["▽ Washer"]
        assert person.tree.root.children[28].is_expanded
        await person.press("ctrl+z")
        assert len(person.tree.root.children[28].children[0].children) == 1


async def test_the_palette_opens_and_closes_files_while_the_tree_has_the_focus(editing: Editing, file: Path) -> None:
    """Its own keys, which open and close a branch, had the same titles and took their places."""
    async with editing(file) as person:
        await person.show("houses", 0)
        found = {entry.title: entry.help for entry in person.app.get_system_commands(person.screen)}
        assert found["Open"] == "Open a neighbourhood file (^o)"
        assert found["Close"] == "Close this neighbourhood (q)"


@pytest.mark.parametrize("width", [80, 112, 140])
async def test_a_time_has_room_for_its_offset(editing: Editing, file: Path, width: int) -> None:
    """With three columns side by side it was cut off, though a terminal of 80 columns shows it."""
    async with editing(file, size=(width, 40)) as person:
        await person.show("jobs", 0)
        offset = person.row("earliest start").query_one(".offset", Static)
        assert str(offset.content) == "+02:00"
        assert offset.content_size.width >= len("+02:00")
