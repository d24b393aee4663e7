"""Several of a list are chosen in a dialog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.widgets import Button

from tests.tui.driving import at_once, click
from tui.editor.dialogs import ChooseSeveral
from tui.editor.forms.form_view import ButtonRow, PickButton

Editing = Any


async def test_the_buttons_of_a_choice_of_several_do_what_they_say(editing: Editing, file: Path) -> None:
    """By Tab and Enter, and by mouse: `OK` pressed itself forever, and the application hung."""
    async with editing(file) as person:
        answers: list[tuple[str, ...] | None] = []
        for keys in (("space", "tab", "enter"), ("space", "tab", "tab", "enter")):
            person.app.push_screen(ChooseSeveral("Which?", ("a", "b"), ()), answers.append)
            await person.dialog(ChooseSeveral)
            await person.press(*keys)
        person.app.push_screen(ChooseSeveral("Which?", ("a", "b"), ("b",)), answers.append)
        chosen = await person.dialog(ChooseSeveral)
        await click(person.pilot, chosen.query(Button).first())
        await person.until(lambda: len(answers) == 3)
    assert answers == [("a",), None, ("b",)]


async def test_keys_that_come_at_once_tick_the_lines_under_the_cursor(editing: Editing, file: Path) -> None:
    """The space must not overtake the arrow before it, nor Enter the space."""
    async with editing(file) as person:
        answers: list[tuple[str, ...] | None] = []
        person.app.push_screen(ChooseSeveral("Which?", ("a", "b", "c"), ()), answers.append)
        await person.dialog(ChooseSeveral)
        at_once(person.pilot, "down", "space", "down", "space", "enter")
        await person.until(lambda: answers)
    assert answers == [("b", "c")]


async def test_a_label_that_is_too_long_ends_in_dots_and_keeps_its_mark(editing: Editing, file: Path) -> None:
    """The tree cut long labels at its edge without a sign; the mark of a problem was cut as well."""
    long = "The dishwasher of the aunt in the attic"
    wrong = file.read_text().replace("name: Washer", f"name: {long} below").replace("name: Dishwasher", f"name: {long}")
    file.write_text(wrong.replace("load_profile: dish}\n\njobs", "load_profile: none}\n\njobs"))
    async with editing(file, size=(80, 24)) as person:
        await person.show("houses", 1, "devices", 0)
        lines = [person.tree.render_line(y).text.rstrip() for y in range(person.tree.size.height)]
        assert sum(line.endswith("The dishwasher of t… ✗") for line in lines) == 1
        assert sum(line.endswith("The dishwasher of t…") for line in lines) == 1
        assert all(len(line) <= person.tree.size.width for line in lines)


async def test_the_buttons_of_a_form_are_whole_at_every_width(editing: Editing, file: Path) -> None:
    """Where the form is too narrow for all of them, the last one was cut, without a sign."""
    async with editing(file, size=(140, 34)) as person:
        await person.show()
        row = next(row for row in person.screen.query(ButtonRow) if row.region)

        def are_whole() -> bool:
            return all(row.region.contains_region(button.region) for button in row.children)

        for width, rows in ((110, 1), (140, 1), (60, 3), (80, 1)):
            await person.pilot.resize_terminal(width, 34)
            await person.until(lambda rows=rows: row.region.height == rows and are_whole())


async def test_a_value_to_pick_that_is_too_long_ends_in_dots(editing: Editing, file: Path) -> None:
    """The hint of a device without a load profile was cut in the middle of it."""
    file.write_text(file.read_text().replace("name: Washer, load_profile: dish", "name: Washer"))
    async with editing(file, size=(80, 24)) as person:
        await person.show("houses", 1, "devices", 0)
        button = person.row("load profile").query_one(PickButton)
        shown = str(button.render())
        assert "…" in shown or shown.startswith(person.row("load profile").field.hint)
        await person.pilot.resize_terminal(62, 24)
        await person.until(lambda: str(button.render()).endswith("… ▾"))
