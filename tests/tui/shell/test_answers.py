"""Answers of dialogs: the first one counts, and closes nothing but its dialog."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from textual.command import CommandList, CommandPalette
from textual.widgets import Button, OptionList

from tests.tui.conftest import Opened
from tests.tui.driving import click_at_once, dialog, the_app, until
from tui.command_palette import PaletteScreen
from tui.editor.picker import Picker, PickerItem
from tui.shell import AreaScreen, Confirm, HelpScreen


async def test_a_double_click_leaves_the_dialog_that_the_first_click_opens(opened: Opened) -> None:
    """The second click answered the new dialog with nothing; who had asked waited for ever."""
    answers: list[str | None] = []
    async with opened() as pilot:
        app = pilot.app

        def ask_again(answer: str | None) -> None:
            answers.append(answer)
            app.push_screen(Confirm("Sure?", "", [("yes", "Yes", "primary")]), answers.append)

        app.push_screen(Picker("Pick", [PickerItem("a", "A"), PickerItem("b", "B")]), ask_again)
        picker = await dialog(pilot, Picker)
        await click_at_once(pilot, picker.query_one(OptionList), times=3)
        sure = await dialog(pilot, Confirm)
        assert answers == ["a"]
        await click_at_once(pilot, sure.query_one(Button), times=3)
        await until(pilot, lambda: isinstance(app.screen, AreaScreen))
        await pilot.pause()
        assert answers == ["a", "yes"]


async def test_the_second_click_on_back_does_not_go_back_from_the_screen_below(opened: Opened) -> None:
    """A button's action is meant for its own dialog."""
    async with opened(first_area="run") as pilot:
        await pilot.press("m")
        await until(pilot, lambda: pilot.app.screen.query("#back"))
        back = pilot.app.screen.query_one("#back", Button)
        back.press()
        back.press()
        await until(pilot, lambda: isinstance(pilot.app.screen, AreaScreen))
        await pilot.pause()


async def test_a_double_click_beside_the_palette_closes_it(opened: Opened) -> None:
    """It ended the application."""
    async with opened(size=(120, 40)) as pilot:
        await pilot.press("ctrl+p")
        palette = await dialog(pilot, CommandPalette)
        await click_at_once(pilot, palette, offset=(1, 35), times=3)
        await until(pilot, lambda: isinstance(pilot.app.screen, AreaScreen))
        await pilot.pause()


async def test_a_double_click_in_the_palette_runs_a_command_once(opened: Opened) -> None:
    """Once, and it closes nothing else."""
    async with opened() as pilot:
        await pilot.press("ctrl+p")
        palette = await dialog(pilot, PaletteScreen)
        await pilot.press(*"light or dark")
        found = palette.query_one(CommandList)
        await until(pilot, lambda: found.option_count and "Light" in str(found.get_option_at_index(0).prompt))
        before = pilot.app.theme
        await click_at_once(pilot, found, times=2)
        await until(pilot, lambda: isinstance(pilot.app.screen, AreaScreen))
        await until(pilot, lambda: pilot.app.theme != before)
        await pilot.pause()
        assert pilot.app.theme != before


async def test_a_dialog_that_answers_under_the_help_closes_after_it(opened: Opened) -> None:
    """As that of generating does, when the file has been written; the help was closed, and the dialog stayed."""
    answers: list[str | None] = []
    async with opened() as pilot:
        confirm = Confirm("Sure?", "", [("yes", "Yes", "primary")])
        pilot.app.push_screen(confirm, answers.append)
        await dialog(pilot, Confirm)
        await pilot.press("f1")
        await dialog(pilot, HelpScreen)
        confirm.call_later(partial(confirm.dismiss, "yes"))
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        assert answers == []
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, AreaScreen))
        assert answers == ["yes"]


async def test_the_palette_opens_again_while_the_last_one_is_being_removed(opened: Opened) -> None:
    """Under a question about quitting it opens no second time; both were unexpected errors."""
    async with opened() as pilot:
        app = the_app(pilot)
        app.action_command_palette()
        palette = await dialog(pilot, PaletteScreen)
        await until(pilot, lambda: palette.has_class("-ready"))
        palette.dismiss()
        app.action_command_palette()
        again = await dialog(pilot, PaletteScreen)
        assert again is not palette
        await until(pilot, lambda: again.has_class("-ready"))
        app.push_screen(Confirm("Quit?", "", [("yes", "Yes", "primary")]))
        app.action_command_palette()
        await dialog(pilot, Confirm)


@pytest.mark.parametrize("turns", range(0, 12, 3))
async def test_the_palette_is_closed_before_it_is_there(opened: Opened, turns: int) -> None:
    """Escape may arrive that early; what mounts the palette found no screen below it, or none of its parts."""
    async with opened() as pilot:
        app = the_app(pilot)
        app.action_command_palette()
        palette = app.screen
        assert isinstance(palette, PaletteScreen)
        for _ in range(turns):
            await asyncio.sleep(0)  # lets the palette be mounted in part
        palette.dismiss()
        await until(pilot, lambda: app.screen is not palette)
        await until(pilot, lambda: not palette.is_attached)
        assert app.unexpected == []
