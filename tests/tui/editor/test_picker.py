"""Search in lists: titles rank first, synonyms match, files come first, paths complete, fields have explanations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.widgets import DirectoryTree, Input, OptionList
from typer.testing import CliRunner

from agents.scheduling.settings import ABOUT_ALGORITHM, ALGORITHMS
from scenarios.appliances import APPLIANCES
from tests.tui.driving import at_once, dialog, focus, until
from tui.cli.app import app
from tui.editor.forms.form_model import form_of
from tui.editor.forms.time_fields import RunStart, seconds
from tui.editor.picker import DEFAULT_SKY, Picker, PickerItem, profile_items, sky_items
from tui.run.form import about
from tui.run.form_view import RunForm
from tui.shell.dialogs import PickPath
from tui.widgets.fields import FieldHelp, SignCheckbox, meant_path
from tui.widgets.text_match import rank_of, ranked

Editing = Any
Opened = Any


def _texts(item: Any) -> tuple[str, str]:
    return item.title, f"{item.details} {item.group}"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("solar", "PV panels"),
        ("PV", "PV panels"),
        ("photovoltaic", "PV panels"),
        ("panel 5", "PV panels, 5 kWp"),
        ("ev", "Car"),
        ("car", "Car"),
        ("electric vehicle", "Car"),
        ("washer", "Washing machine"),
        ("laundry", "Washing machine"),
        ("fridge", "Refrigerator"),
        ("bike", "Electric bicycle"),
        ("stove", "Oven"),
    ],
)
def test_a_device_is_found_by_any_of_its_names(wanted: str, expected: str) -> None:
    """The first match is of the intended kind."""
    found = ranked(wanted, [*profile_items({}), *sky_items()], _texts)
    assert found
    assert found[0].title.startswith(expected)


def test_a_title_comes_before_a_description() -> None:
    """The order of the list does not matter."""
    things = [("Dryer", "has a heat pump"), ("Space heating", "a pump"), ("Pump", "of the pool"), ("Pool pump", "")]
    found = ranked("pump", things, lambda thing: thing)
    assert [title for title, _ in found] == ["Pump", "Pool pump", "Dryer", "Space heating"]


def test_a_short_word_is_found_at_the_beginning_of_words_only() -> None:
    """It does not match in the middle of words, and all typed words must match."""
    assert rank_of("ev", "seven steps") is None
    assert rank_of("oven dish", "Oven") is None
    assert all(rank_of(appliance.title, appliance.title) == 0 for appliance in APPLIANCES.values())


@pytest.mark.long
async def test_from_a_file_stands_first_and_the_path_completes_by_tab(editing: Editing, file: Path) -> None:
    """With keys only: up to the entry for files, Enter, the field has the focus, Tab, Enter."""
    (file.parent / "loads").mkdir()
    (file.parent / "loads" / "pump.csv").write_text("0 0\n600 100\n", encoding="utf-8")
    (file.parent / "loads" / "pump.md").write_text("no profile", encoding="utf-8")
    async with editing(file) as person:
        await person.show("houses", 1, "devices", 0)
        await focus(person.pilot, person.row("load profile").target)
        await person.press("enter")
        picking = await person.dialog(Picker)
        offered = picking.query_one(OptionList)
        assert "From a file" in str(offered.get_option_at_index(0).prompt)
        for _ in range(offered.highlighted or 0):
            await person.press("up")
        while offered.highlighted != 0:
            await person.press("up")
        await person.press("enter")
        asking = await person.dialog(PickPath)
        field = asking.query_one(Input)
        assert field.has_focus
        assert field.value == f"{file.parent}/"
        await person.press("l", "tab")
        assert field.value == f"{file.parent}/loads/"
        await person.until(lambda: Path(asking.query_one(DirectoryTree).path) == file.parent / "loads")
        await person.press("p", "tab", "enter")
        await person.until(lambda: "pump" in person.work.tree["load_profiles"])
        assert person.work.tree["load_profiles"]["pump"] == {"file": "loads/pump.csv"}


async def test_a_file_is_offered_even_without_a_match(editing: Editing, file: Path) -> None:
    """The list says that there is no match."""
    async with editing(file) as person:
        await person.show("houses", 1)
        await person.press("a")
        picking = await person.dialog(Picker)
        await person.press(*"qqq")
        offered = picking.query_one(OptionList)
        said = [str(offered.get_option_at_index(i).prompt) for i in range(offered.option_count)]
        assert said[0] == "No match"
        assert "from a file" in said[1]


@pytest.mark.long
async def test_a_device_is_added_without_choosing_the_house_first(editing: Editing, file: Path) -> None:
    """With several houses, the editor asks for the house."""
    async with editing(file) as person:
        await person.press("a")
        await person.dialog(Picker)
        await person.press(*"brandt", "enter")
        await person.until(lambda: "Add a device to Brandt" in str(getattr(person.app.screen, "title", "")))
        await person.dialog(Picker)  # the second one
        await person.press(*"oven", "enter")
        await person.until(lambda: len(person.work.tree["houses"][1]["devices"]) == 2)


@pytest.mark.parametrize(
    ("keys", "expected"), [(["enter"], "oven"), pytest.param(["down", "up", "enter"], "oven", marks=pytest.mark.long)]
)
async def test_keys_that_come_all_at_once_are_obeyed_in_order(
    editing: Editing, file: Path, keys: list[str], expected: str
) -> None:
    """As those of a fast typist on a busy machine: Enter must not overtake the letters before it."""
    async with editing(file) as person:
        await person.show("houses", 1)
        await person.press("a")
        await person.dialog(Picker)
        at_once(person.pilot, *"oven", *keys)
        await person.until(lambda: len(person.work.tree["houses"][1]["devices"]) == 2)
        assert person.work.tree["houses"][1]["devices"][1]["id"] == expected


async def test_the_first_of_thousands_of_parts_are_listed_and_all_are_found(opened: Opened) -> None:
    """Each key in the search built a list of all 7,000 parts of 1,000 houses; the current one is always there."""
    items = [PickerItem(str(n), f"House {n}", "house", "Houses") for n in range(3000)]
    chosen: list[str | None] = []
    async with opened() as pilot:
        pilot.app.push_screen(Picker("Find", items, current="2500"), chosen.append)
        asking = await dialog(pilot, Picker)
        listed = asking.query_one(OptionList)
        assert listed.option_count == 503  # the group, the current one, 500 others, and how many more there are
        assert listed.get_option_at_index(502).prompt == "2,499 more: type to search"
        assert listed.highlighted_option is not None
        assert listed.highlighted_option.id == "2500"
        await pilot.press(*"2999", "enter")
        await until(pilot, lambda: chosen == ["2999"])


async def test_a_focused_field_shows_its_explanation(editing: Editing, file: Path) -> None:
    """It includes PySSMic's name if there is one; the tree has no explanation."""
    async with editing(file) as person:
        line = person.screen.query_one(FieldHelp)
        await person.show("jobs", 0)
        assert str(line.content) == ""
        await focus(person.pilot, person.row("latest start").target)
        await person.until(lambda: "PySSMic: lst" in str(line.content))
        await focus(person.pilot, person.row("registered").target)
        await person.until(lambda: "PySSMic: creation_time" in str(line.content))
        await person.press("escape")
        await person.until(lambda: str(line.content) == "")
        refs: tuple[tuple[Any, ...], ...] = (
            (),
            ("houses", 0),
            ("houses", 0, "devices", 0),
            ("houses", 0, "devices", 1),
        )
        for ref in (*refs, ("jobs", 0), ("load_profiles", "dish")):
            assert [field.label for field in form_of(person.work.tree, ref).fields if not field.help] == []


async def test_the_run_form_explains_each_field(opened: Opened) -> None:
    """It describes the chosen algorithm, and gives PySSMic's name of each setting."""
    async with opened(first_area="run") as pilot:
        form = pilot.app.screen.query_one(RunForm)
        line = pilot.app.screen.query_one(FieldHelp)
        form.query_one("#algorithm").value = "SLSQP"
        await focus(pilot, form.query_one("#algorithm"))
        await until(pilot, lambda: ABOUT_ALGORITHM["SLSQP"] in str(line.content))
        await focus(pilot, form.query_one("#step_size"))
        await until(pilot, lambda: "PySSMic: eps" in str(line.content))
        await focus(pilot, form.query_one("#tolerance"))
        await until(pilot, lambda: "PySSMic: tol" in str(line.content))
        fields = [widget.id for widget in form.query(f"Input, Select, {SignCheckbox.__name__}") if widget.id]
        assert [field for field in fields if not about(field)] == []


@pytest.mark.parametrize(("day", "least_kwh", "most_kwh"), [("2026-06-21", 27.8, 30.8), ("2026-12-21", 13.0, 14.4)])
def test_panels_under_a_clear_sky_produce_what_pvlib_says(day: str, least_kwh: float, most_kwh: float) -> None:
    """5 kWp facing south in Konstanz: within 5 % of pvlib's 29.29 and 13.71 kWh, as the sun of generated roofs."""
    steps = DEFAULT_SKY.prediction({"start": f"{day}T00:00:00+01:00"})

    assert steps["step_s"] == 900
    assert least_kwh <= sum(steps["power_w"]) / 4 / 1000 <= most_kwh


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_the_sun_does_not_follow_the_clocks(day: str) -> None:
    """On days on which clocks change, a clear sky is that of the same place without a zone."""
    in_zone: dict[str, Any] = {"start": f"{day}T00:00", "zone": "Europe/Berlin"}
    run_start = RunStart.of_tree(in_zone)
    assert run_start.start_s is not None
    plain: dict[str, Any] = {"start": run_start.start_s}

    written = DEFAULT_SKY.prediction(in_zone)

    assert written["power_w"] == DEFAULT_SKY.prediction(plain)["power_w"]
    assert seconds(written["start"], run_start) == seconds(
        DEFAULT_SKY.prediction(plain)["start"], RunStart.of_tree(plain)
    )


def test_every_algorithm_has_a_sentence_in_the_help_of_run() -> None:
    """The sentences have a single source."""
    said = " ".join(CliRunner().invoke(app, ["run", "--help"]).output.split())
    assert set(ABOUT_ALGORITHM) == set(ALGORITHMS)
    for name, sentence in ABOUT_ALGORITHM.items():
        assert " ".join(f"{name} {sentence}".split()) in said.replace("- ", "-")


async def test_a_path_can_be_typed_immediately(opened: Opened, tmp_path: Path) -> None:
    """The field has the focus; Tab completes the common part, then goes to the list."""
    for name in ("street-a.yaml", "street-b.yaml"):
        (tmp_path / name).write_text("x")
    async with opened() as pilot:
        pilot.app.push_screen(PickPath("Open", tmp_path, suffixes=(".yaml",)))
        asking = await dialog(pilot, PickPath)
        field = asking.query_one(Input)
        assert field.has_focus
        await pilot.press("s", "tab")
        assert field.value == f"{tmp_path}/street-"
        await pilot.press("b", "tab")
        assert field.value == f"{tmp_path}/street-b.yaml"
        await pilot.press("tab")
        await until(pilot, lambda: asking.query_one(DirectoryTree).has_focus)


@pytest.mark.long
async def test_an_absolute_path_pasted_behind_the_folder_takes_its_place(opened: Opened, tmp_path: Path) -> None:
    """The field proposes a folder; whoever pastes a whole path means that path alone, and a part of one a part."""
    there = tmp_path / "elsewhere" / "street.yaml"
    there.parent.mkdir()
    there.write_text("x")
    async with opened() as pilot:
        pilot.app.push_screen(PickPath("Open", tmp_path, suffixes=(".yaml",)))
        asking = await dialog(pilot, PickPath)
        field = asking.query_one(Input)
        field.post_message(Paste("elsewhere"))
        await until(pilot, lambda: field.value == f"{tmp_path}/elsewhere")
        field.post_message(Paste("/street"))
        await until(pilot, lambda: field.value == f"{tmp_path}/elsewhere/street")
        field.value = f"{tmp_path}/"
        field.cursor_position = len(field.value)
        field.post_message(Paste(f" {there}\n"))
        await until(pilot, lambda: field.value == str(there))
        field.value = f"{tmp_path}/"
        field.cursor_position = len(field.value)
        field.post_message(Paste("~/street.yaml"))
        await until(pilot, lambda: field.value == "~/street.yaml")


async def test_an_absolute_path_typed_behind_the_folder_is_opened(opened: Opened, tmp_path: Path) -> None:
    """Terminals without bracketed paste deliver a pasted path key by key."""
    there = tmp_path / "elsewhere" / "street.yaml"
    there.parent.mkdir()
    there.write_text("x")
    answers: list[Path | None] = []
    async with opened() as pilot:
        pilot.app.push_screen(PickPath("Open", tmp_path, suffixes=(".yaml",)), answers.append)
        asking = await dialog(pilot, PickPath)
        asking.query_one(Input).value += str(there)
        await pilot.press("enter")
        await until(pilot, lambda: answers == [there])


async def test_a_dialog_closes_while_a_folder_waits_to_be_loaded(opened: Opened, tmp_path: Path) -> None:
    """The application hung if the loader ended first; so did one test in several hundred."""
    (tmp_path / "elsewhere").mkdir()
    async with opened() as pilot:
        pilot.app.push_screen(PickPath("Open", tmp_path))
        asking = await dialog(pilot, PickPath)
        tree = asking.query_one(DirectoryTree)
        await until(pilot, lambda: tree.root.children)
        pilot.app.workers.cancel_node(tree)
        tree.root.children[0].expand()
        await pilot.press("escape")
        await until(pilot, lambda: not asking.is_running)


def test_a_doubled_slash_within_a_path_that_exists_changes_nothing(tmp_path: Path) -> None:
    """As in a shell, after a completed folder's slash."""
    (tmp_path / "tmp").mkdir()
    assert meant_path(f"{tmp_path}//tmp") == tmp_path / "tmp"
    assert meant_path(f"{tmp_path}//new.yaml") == tmp_path / "new.yaml"
    assert meant_path(f"{tmp_path}//nowhere/at/all") == tmp_path / "nowhere/at/all"


@pytest.mark.parametrize("name", ["Gate\\", "[A", "a\\[b]", "$title", "[red]Gate[/]"])
async def test_names_are_listed_as_they_are_written(opened: Opened, name: str) -> None:
    """A backslash at the end of a house's name was left out, and what is ours for the dim text stood there instead."""
    async with opened() as pilot:
        await pilot.app.push_screen(picking := Picker("Find", [PickerItem("0", name, f"of {name}", f"in {name}")]))
        listed = picking.query_one(OptionList)
        await until(pilot, lambda: listed.option_count == 2 and listed.size.width > 0)
        said = [listed.render_line(y).text.strip() for y in range(2)]
        assert said == [f"in {name}", f"{name}  of {name}"]
