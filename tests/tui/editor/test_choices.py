"""Several of a list are chosen in a dialog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.widgets import Button

from tests.tui.driving import click
from tui.editor.dialogs import ChooseSeveral

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
