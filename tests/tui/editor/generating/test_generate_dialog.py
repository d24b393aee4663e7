"""The form that generates a neighbourhood: a preview, a file, the editor; cancelled, and wrong input."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input, Static
from typer.testing import CliRunner

from tui.cli.app import app
from tui.editor.generating.generate_dialog import GenerateDialog
from tui.editor.generating.generator import (
    DEFAULTS,
    GenerateFailure,
    GenerateRequest,
    GenerateResult,
    generate_requested,
    spec_of,
)
from tui.shell.dialogs import Confirm

Editing = Any


def test_the_preview_agrees_with_the_file_that_the_command_line_writes(tmp_path: Path) -> None:
    """Houses, jobs and bytes are equal, including the tables of a large one."""
    values = {**DEFAULTS, "houses": "40", "days": "4", "seed": "3", "place": "59.9,10.8", "flexibility": "0.5"}
    made = generate_requested(GenerateRequest(values, tmp_path / "a.yaml"))
    assert isinstance(made, GenerateResult)
    (tmp_path / "cli").mkdir()
    file = tmp_path / "cli" / "a.yaml"
    options = ("--houses", "40", "--days", "4", "--seed", "3", "--place", "59.9,10.8", "--flexibility", "0.5")
    assert CliRunner().invoke(app, ["generate", *options, "--out", str(file)]).exit_code == 0
    assert {path.name for path in made.written} == {path.name for path in file.parent.iterdir()}
    assert all(path.read_bytes() == (file.parent / path.name).read_bytes() for path in made.written)
    text = file.read_text()
    assert text.count("earliest_start") == made.jobs
    assert text.count("type: producer") == made.roofs
    assert made.produced_w.max() > 0
    assert len(made.demand_w) == 4 * 288


def test_a_file_names_the_command_that_makes_it_again(tmp_path: Path) -> None:
    """With every option that is not the default, to the last digit."""
    options = (
        "--houses 2 --days 2 --place 59.91234567,10.75 --zone +05:45 --name x --holiday 2026-06-24 "
        "--roofs 0.333333333 --flexibility 1.23456789 --seed 4 --weather fair"
    )
    runner = CliRunner()
    first = runner.invoke(app, ["generate", *options.split(), "--out", str(tmp_path / "a.yaml")])
    assert first.exit_code == 0, first.output
    text = (tmp_path / "a.yaml").read_text()
    command = text.splitlines()[1].removeprefix("#   ssmic ").split()
    assert runner.invoke(app, [*command, "--out", str(tmp_path / "b.yaml")]).exit_code == 0
    assert (tmp_path / "b.yaml").read_text() == text


def test_all_problems_of_the_form_are_shown_at_once() -> None:
    """Each is at its field, with what is expected."""
    wrong = {
        "houses": "x",
        "days": "0",
        "place": "99,1",
        "zone": "Europe/Berlinn",
        "roofs": "2",
        "name": "a b",
        "country": "Oz",
    }
    spec, problems = spec_of({**DEFAULTS, **wrong})
    assert spec is None
    assert problems == {
        "houses": "'x': a whole number is expected",
        "days": "from 1 to 366, not 0",
        "place": "from -90 to 90, not 99",
        "zone": "there is no time zone 'Europe/Berlinn'; did you mean 'Europe/Berlin'?",
        "roofs": "a share from 0 to 1, not 2",
        "country": "there is no country 'Oz' (expected an ISO code such as NO, or AU-NSW for a state)",
        "name": "'a b': letters, digits, - and _ are expected",
    }
    assert isinstance(generate_requested(GenerateRequest({**DEFAULTS, "houses": "0"})), GenerateFailure)
    _, problems = spec_of({**DEFAULTS, "place": "nan,nan"})
    assert problems == {"place": "'nan,nan': two numbers are expected, for example 50.1,8.7"}


async def test_a_file_name_is_proposed_from_valid_values_only(editing: Editing) -> None:
    """A number of houses that is no number appeared in it; so did one that is written in another way."""
    async with editing() as person:
        await person.press("plus")
        dialog = await person.dialog(GenerateDialog)
        assert isinstance(dialog, GenerateDialog)
        houses, file = dialog.query_one("#generate-houses", Input), dialog.query_one("#generate-file", Input)
        proposed = {}
        for typed in ("30", "ten/..", "0", "", "1_2", " 07 "):
            houses.value = typed
            await person.pilot.pause()
            proposed[typed] = file.value
        assert proposed == {
            "30": "generated-30-houses-seed-1.yaml",
            "ten/..": "generated-30-houses-seed-1.yaml",
            "0": "generated-30-houses-seed-1.yaml",
            "": "generated-30-houses-seed-1.yaml",
            "1_2": "generated-12-houses-seed-1.yaml",
            " 07 ": "generated-7-houses-seed-1.yaml",
        }
        dialog.query_one("#generate-name", Input).value = "../mine"
        await person.pilot.pause()
        assert file.value == "generated-7-houses-seed-1.yaml"


@pytest.mark.long
async def test_missing_folders_are_created(editing: Editing, tmp_path: Path) -> None:
    """As by `ssmic generate --out`; a file in place of a folder is refused at the field."""
    (tmp_path / "taken").write_text("a file")
    async with editing() as person:
        await person.press("plus")
        dialog = await person.dialog(GenerateDialog)
        file = dialog.query_one("#generate-file", Input)
        dialog.query_one("#generate-houses", Input).value = "3"
        file.value = "taken/ours.yaml"
        await person.pilot.press("ctrl+s")
        await person.pilot.pause()
        assert "taken is a file, a folder is expected" in str(dialog.query_one(".problem").render())
        file.value = "a/b/ours.yaml"
        await person.pilot.press("ctrl+s")
        await person.until(lambda: person.screen.work is not None)
        assert person.work.path == tmp_path / "a" / "b" / "ours.yaml"


@pytest.mark.long
async def test_a_preview_is_made_though_a_file_is_not_overwritten(editing: Editing, tmp_path: Path) -> None:
    """It said "generating ..." without end if the question came before the preview."""
    (tmp_path / "ours.yaml").write_text("mine")
    async with editing() as person:
        await person.press("plus")
        dialog = await person.dialog(GenerateDialog)
        dialog.query_one("#generate-file", Input).value = "ours.yaml"
        dialog.query_one("#generate-houses", Input).value = "3"
        await person.until(lambda: str(dialog.query_one("#made", Static).content) == "generating ...")
        await person.pilot.press("ctrl+s")
        await person.dialog(Confirm)
        await person.pilot.press("escape")
        await person.until(lambda: dialog.made is not None and dialog.made.houses == 3)
        assert (tmp_path / "ours.yaml").read_text() == "mine"


@pytest.mark.long
async def test_a_neighbourhood_is_generated_cancelled_saved_and_opened(editing: Editing, tmp_path: Path) -> None:
    """Meanwhile a key takes effect within 100 ms of processor time."""
    async with editing() as person:
        await person.press("plus")
        dialog = await person.dialog(GenerateDialog)
        assert isinstance(dialog, GenerateDialog)
        houses, said = dialog.query_one("#generate-houses", Input), dialog.query_one("#made", Static)
        await person.until(lambda: dialog.made is not None)
        houses.value = "10000"
        await person.until(lambda: str(said.content) == "generating ...")
        dialog.query_one("#cancel", Button).press()
        await person.until(lambda: str(said.content).startswith("Cancelled"))
        houses.value = "1000"
        await person.until(lambda: dialog.made is not None and dialog.made.houses == 1000)
        assert str(said.content).startswith("1,000 houses, 411 roofs")
        dialog.query_one("#generate-days", Input).value = "2"
        await person.until(lambda: str(said.content) == "generating ...")
        before_s = time.thread_time()
        await person.pilot.press("end")
        assert time.thread_time() - before_s < 0.1
        houses.value = "30"
        await person.until(lambda: dialog.made is not None and dialog.made.houses == 30)
        await person.pilot.press("ctrl+s")
        await person.until(lambda: person.screen.work is not None)
        assert person.work.path == tmp_path / "generated-30-houses-seed-1.yaml"
        await person.settle()
        assert person.work.problems == ()
        await person.press("down", "down")
        assert person.screen.ref == ("houses", 1)
