"""One form serves all parts of a kind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input

from tests.tui.driving import focus
from tui.editor.tree_view import NeighbourhoodTree
from tui.widgets.table import VirtualTable

Editing = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.mark.long
async def test_a_form_that_served_another_part_shows_and_changes_this_one(editing: Editing, file: Path) -> None:
    """Typing changes no other part."""
    async with editing(file) as person:
        await person.show("houses", 0)
        row = person.row("name")
        names = [house.get("name") for house in person.work.tree["houses"]]
        await person.show("jobs", 0)
        await person.show("houses", 1)
        assert person.row("name") is row
        assert row.query_one(Input).value == (names[1] or "")
        assert person.row("id").query_one(Input).value == person.work.tree["houses"][1]["id"]
        await person.type_in("name", "Second")
        await person.settle()
        assert [house.get("name") for house in person.work.tree["houses"]] == [names[0], "Second"]
        await person.show("houses", 0)
        assert row.query_one(Input).value == (names[0] or "")


@pytest.mark.long
async def test_a_button_does_not_keep_the_focus_for_the_next_part(editing: Editing, file: Path) -> None:
    """A second Enter must not remove the neighbour."""
    async with editing(file) as person:
        await person.show("jobs", 0)
        before = len(person.work.tree["jobs"])
        form = person.screen.query_one("#form")
        remove = next(one for one in form.query(Button) if one.is_on_screen and str(one.label) == "Remove")
        await focus(person.pilot, remove)
        await person.press("enter")
        await person.settle()
        assert len(person.work.tree["jobs"]) == before - 1
        await person.until(lambda: isinstance(person.screen.focused, NeighbourhoodTree))


async def test_a_problem_in_the_field_being_edited_is_in_sight_to_its_last_line(editing: Editing, file: Path) -> None:
    """In 80 columns it wraps below the edge of the form, which the list of problems and the terminal make smaller."""
    async with editing(file, size=(80, 24)) as person:
        await person.show("jobs", 0)
        await person.type_in("latest start", "2026-06-20")
        await person.until(lambda: person.problems_at("latest start"))
        line = person.row("latest start").query_one(".problem")
        form = person.screen.query_one("#form")
        await person.until(lambda: line.region.height > 1 and form.region.contains_region(line.region))
        height = form.region.height
        await person.pilot.resize_terminal(80, 20)
        await person.until(lambda: form.region.height < height and form.region.contains_region(line.region))


async def test_the_list_of_problems_calls_a_field_as_its_form_does(editing: Editing, file: Path) -> None:
    """It had the file's key, which the form does not show: `import eur per kwh` of `from the grid`."""
    prices = "import_eur_per_kwh: dear, feed_in_eur_per_kwh: 0, neighbour_eur_per_kwh: 0, grid_kg_co2_per_kwh: 0"
    file.write_text(f"{file.read_text()}tariff: {{{prices}}}\n")
    async with editing(file, size=(100, 30)) as person:
        table = person.screen.query_one("#problem-table", VirtualTable)
        await person.until(lambda: table.rows and "from the grid" in table.render_line(1).text)


async def test_the_list_of_problems_calls_the_sum_of_shares_as_its_form_does(editing: Editing, file: Path) -> None:
    """All shares together have no field, only a heading: the list had the file's key, `coefficients`."""
    prices = "import_eur_per_kwh: 0.3, feed_in_eur_per_kwh: 0, neighbour_eur_per_kwh: 0, grid_kg_co2_per_kwh: 0"
    shares = "{key: static, coefficients: {'1': 0.7, '2': 0.5}}"
    file.write_text(f"{file.read_text()}tariff: {{{prices}}}\ncommunity: {shares}\n")
    async with editing(file, size=(100, 30)) as person:
        table = person.screen.query_one("#problem-table", VirtualTable)
        await person.until(lambda: table.rows and "at most 1 is expected" in table.rows[0][1].what)
        assert "Shares of production" in table.render_line(1).text


async def test_a_letter_typed_while_the_form_is_refreshed_is_not_lost(editing: Editing, file: Path) -> None:
    """The refresh has the neighbourhood from before the letter."""
    async with editing(file) as person:
        await person.show("houses", 0)
        await person.type_in("name", "A")
        await person.settle()
        row, before = person.row("name"), person.work.tree
        line = row.query_one(Input)
        line.insert_text_at_cursor("B")  # a key that the neighbourhood does not know of yet
        row.show(before, row.field)
        await person.settle()
        assert line.value == "AB"
        assert person.work.tree["houses"][0]["name"] == "AB"
        person.screen.session.undo()
        await person.until(lambda: line.value != "AB")
        assert line.value == (person.work.tree["houses"][0].get("name") or "")
