"""Common behaviour of all screens: navigation, help, palette, themes, errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from broker.errors import SsmicError
from tests.tui.driving import at_once, click, dialog, the_app, until
from tui.app import SsmicApp
from tui.areas import AREAS, Area
from tui.run.algorithms_dialog import AlgorithmsDialog
from tui.shell.base_screen import AreaScreen
from tui.shell.dialogs import AskText, Confirm, Dialog, PickPath
from tui.shell.error_notices import crash_file
from tui.shell.footer import Footer
from tui.shell.header import AreaTab
from tui.shell.help import HelpScreen, Prose

Opened = Any


def notices(app: SsmicApp) -> list[tuple[str, str, str]]:
    """Return what is announced: severity, title, text."""
    return [(n.severity, n.title, n.message) for n in app._notifications]


def in_area(pilot: Pilot[Any], area: str) -> bool:
    """Return whether an area is displayed, without a dialog above it."""
    return isinstance(pilot.app.screen, AreaScreen) and area == pilot.app.screen.AREA


def _shows_tab_of(pilot: Pilot[Any], area: Area) -> bool:
    return pilot.app.screen.query_one("AreaTab.shown", AreaTab)._area is area


async def test_every_area_opens_by_its_key_and_by_the_mouse(opened: Opened) -> None:
    """The bar shows where you are."""
    async with opened() as pilot:
        for area in AREAS:
            await pilot.press(area.key)
            await until(pilot, partial(in_area, pilot, area.id))
            await until(pilot, partial(_shows_tab_of, pilot, area))
        tabs = list(pilot.app.screen.query(AreaTab))
        await click(pilot, tabs[1])
        await until(pilot, lambda: AREAS[1].id == pilot.app.screen.AREA)


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        (lambda: AlgorithmsDialog((), "2"), "Compare algorithms"),
        *((lambda name=name: AskText(name), name) for name in ("Name of [b]my[/b] house [2]", "D:\\", "a\\[b]")),
    ],
)
async def test_help_is_titled_as_the_dialog_that_it_is_about(
    opened: Opened, asked: Callable[[], Screen[Any]], title: str
) -> None:
    """Help for the sweep, exports and more was titled `ssmic`; brackets in names were markup, backslashes doubled."""
    async with opened() as pilot:
        pilot.app.push_screen(asked())
        await until(pilot, lambda: f" {title} " in _drawn(pilot))
        await until(pilot, lambda: pilot.app.screen.focused is not None)
        await pilot.press("f1")
        await dialog(pilot, HelpScreen)
        await until(pilot, lambda: f" Help: {title} " in _drawn(pilot))


def _drawn(pilot: Pilot[Any]) -> str:
    """Return the text of the whole screen."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def test_a_click_on_a_key_in_the_footer_does_what_the_key_does(opened: Opened) -> None:
    """The keys follow the screen and say more under the mouse; the palette's key is at the right."""
    async with opened(first_area="results") as pilot:
        footer = pilot.app.screen.query_one(Footer)
        shown = str(footer.render())
        help_at = shown.index("Help")
        await pilot.hover(footer, offset=(help_at, 0))
        await pilot.pause()
        assert footer.tooltip == "Help for this screen"
        await click(pilot, footer, offset=(help_at, 0))
        await dialog(pilot, HelpScreen)
        assert "Close" in str(pilot.app.screen.query_one(Footer).render())
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, AreaScreen))
        await click(pilot, pilot.app.screen.query_one(Footer), offset=(footer.size.width - 4, 0))
        await dialog(pilot, CommandPalette)


@pytest.mark.parametrize("area", [area.id for area in AREAS])
async def test_help_explains_the_screen_and_names_its_keys(opened: Opened, area: str) -> None:
    """Each screen has help; Escape closes it."""
    async with opened(first_area=area) as pilot:
        await pilot.press("f1")
        await dialog(pilot, HelpScreen)
        assert len(pilot.app.screen.query_one(Prose).source) > 40
        assert pilot.app.screen._bindings_shown
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, AreaScreen))


async def test_the_palette_finds_an_area(opened: Opened) -> None:
    """Everything that a key does is in it."""
    async with opened() as pilot:
        await pilot.press("ctrl+p")
        await dialog(pilot, CommandPalette)
        found = pilot.app.screen.query_one(CommandList)
        await pilot.press(*"export the results")
        await until(pilot, lambda: found.option_count and "Results" in str(found.get_option_at_index(0).prompt))
        await pilot.press("enter")
        await until(pilot, lambda: getattr(pilot.app.screen, "AREA", "") == "results")


async def test_the_palette_leads_to_areas_whose_names_are_actions_here(opened: Opened) -> None:
    """On the run screen, Start starts a run; the area of this name was missing."""
    async with opened(first_area="run") as pilot:

        def titles() -> set[str]:
            return {entry.title for entry in the_app(pilot).get_system_commands(pilot.app.screen)}

        await until(pilot, lambda: {"Start", "Go to Start"} <= titles())


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("pyssmic", "Import"),
        ("mqtt", "Watch a run on a broker"),
        pytest.param("dark", "Theme", marks=pytest.mark.long),
        pytest.param("exit", "Quit", marks=pytest.mark.long),
        pytest.param("zzzz", "No matches found", marks=pytest.mark.long),
    ],
)
async def test_the_palette_knows_descriptions_synonyms_and_the_ways_into_other_areas(
    opened: Opened, typed: str, title: str
) -> None:
    """Without a match, it says so."""
    async with opened(first_area="run") as pilot:
        await pilot.press("ctrl+p")
        await dialog(pilot, CommandPalette)
        found = pilot.app.screen.query_one(CommandList)
        await pilot.press(*typed)
        await until(pilot, lambda: any(title in str(option.prompt) for option in found.options))


async def test_the_theme_is_remembered(opened: Opened) -> None:
    """Light today, light tomorrow."""
    async with opened() as pilot:
        assert pilot.app.current_theme.dark
        await pilot.press("ctrl+t")
        await until(pilot, lambda: not pilot.app.current_theme.dark)
    async with opened() as pilot:
        assert not pilot.app.current_theme.dark


async def test_an_error_of_ours_is_a_notice_and_the_application_continues() -> None:
    """It is raised in an action."""

    class Broken(SsmicApp):
        def action_break(self) -> None:
            raise SsmicError("broker mqtt://nowhere: connection refused: no broker at nowhere:1883")

    app = Broken(remember=False)
    async with app.run_test(notifications=True) as pilot:
        await pilot.pause()
        await app.run_action("app.break")
        await until(
            pilot,
            lambda: (
                notices(app)
                == [("error", "Error", "broker mqtt://nowhere: connection refused: no broker at nowhere:1883")]
            ),
        )
        await pilot.press("4")
        await until(pilot, lambda: in_area(pilot, "results"))


async def test_a_defect_is_a_notice_with_the_details_in_a_file() -> None:
    """It is raised in a handler of a screen, where Textual would end the application with a traceback."""

    class Defective(SsmicApp):
        def on_button_pressed(self, _event: Button.Pressed) -> None:
            raise ZeroDivisionError("a defect")

    app = Defective(remember=False)
    async with app.run_test(notifications=True) as pilot:
        await pilot.pause()
        app.post_message(Button.Pressed(Button()))
        await until(pilot, lambda: notices(app))
        ((severity, title, text),) = notices(app)
        assert (severity, title) == ("error", "Unexpected error")
        assert str(crash_file()) in text
        assert "ZeroDivisionError: a defect" in crash_file().read_text()
        await pilot.press("2")
        await until(pilot, lambda: in_area(pilot, "run"))


async def test_quitting_asks_where_something_would_be_lost(opened: Opened) -> None:
    """Stay is the first answer."""
    async with opened() as pilot:
        pilot.app.before_quit.append(lambda: ("A run is under way.",))
        await pilot.press("ctrl+q")
        await dialog(pilot, Confirm)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AreaScreen))
        await pilot.press("ctrl+q")
        await dialog(pilot, Confirm)
        await pilot.press("right", "enter")
        await until(pilot, lambda: pilot.app._exit)


async def test_quitting_asks_over_a_dialog_too(opened: Opened) -> None:
    """Back in the dialog, what was typed is still there; the key pressed twice quits."""
    async with opened() as pilot:
        pilot.app.before_quit.append(lambda: ("ours.yaml has unsaved changes.",))
        pilot.app.push_screen(AskText("Pace"))
        asking = await dialog(pilot, AskText)
        await pilot.press("m", "a", "ctrl+q")
        await dialog(pilot, Confirm)
        await pilot.press("enter", "x")
        await until(pilot, lambda: pilot.app.screen is asking and asking.query_one(Input).value == "max")
        await pilot.press("ctrl+q")
        await dialog(pilot, Confirm)
        assert not pilot.app._exit
        await pilot.press("ctrl+q")
        await until(pilot, lambda: pilot.app._exit)


async def test_a_file_that_does_not_fit_is_not_taken(opened: Opened, tmp_path: Path) -> None:
    """The dialog says why."""
    (tmp_path / "a.yaml").write_text("x")
    async with opened() as pilot:
        answers: list[Path | None] = []
        pilot.app.push_screen(PickPath("Open", tmp_path, suffixes=(".yaml",)), answers.append)
        picking = await dialog(pilot, PickPath)
        picking.query_one(Input).value = str(tmp_path / "none.yaml")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "There is no" in str(picking.query_one(".problem", Static).content))
        picking.query_one(Input).value = str(tmp_path / "a.yaml")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: answers == [tmp_path / "a.yaml"])


async def test_a_text_is_checked_while_it_is_typed(opened: Opened) -> None:
    """It is not accepted while it is invalid."""
    async with opened() as pilot:
        answers: list[str | None] = []
        question = AskText("Pace", check=lambda text: None if text == "max" else "Expected max.")
        pilot.app.push_screen(question, answers.append)
        await dialog(pilot, AskText)
        await pilot.press("m", "a", "enter")
        await until(pilot, lambda: str(question.query_one(".problem", Static).content) == "Expected max.")
        await pilot.press("x", "enter")
        await until(pilot, lambda: answers == ["max"])


@pytest.mark.long
async def test_an_unfinished_text_that_is_offered_is_not_called_wrong_until_it_is_confirmed(opened: Opened) -> None:
    """Such as `mqtt://`, which the user has not touched yet."""
    async with opened() as pilot:
        question = AskText("Pace", value="ma", check=lambda text: None if text == "max" else "Expected max.")
        pilot.app.push_screen(question)
        await dialog(pilot, AskText)
        await until(pilot, lambda: question.query_one(Input).value == "ma")
        await pilot.pause()
        assert not str(question.query_one(".problem", Static).content)
        await pilot.press("enter")
        await until(pilot, lambda: str(question.query_one(".problem", Static).content) == "Expected max.")


@pytest.mark.parametrize("key", ["enter", "ctrl+s"])
async def test_a_question_names_the_keys_that_answer_it(opened: Opened, key: str) -> None:
    """The line at the bottom named only the key to go back; `Ctrl+S`, which accepts dialogs, did nothing."""
    async with opened() as pilot:
        answers: list[str | None] = []
        pilot.app.push_screen(AskText("Pace"), answers.append)
        question = await dialog(pilot, AskText)
        await until(pilot, lambda: "⏎ OK" in str(question.query_one(Footer).render()))
        at_once(pilot, *"60x", key)
        await until(pilot, lambda: answers == ["60x"])


async def test_the_key_that_takes_a_path_is_named_for_each_kind_of_question(opened: Opened, tmp_path: Path) -> None:
    """It was `Choose` where the button beside it said Save."""
    async with opened(size=(120, 40)) as pilot:
        pilot.app.push_screen(PickPath("Save as", tmp_path / "ours.yaml", kind="new"))
        saving = await dialog(pilot, PickPath)
        await until(pilot, lambda: "^s Accept" in str(saving.query_one(Footer).render()))


async def test_a_terminal_that_is_too_small_is_named_once(opened: Opened) -> None:
    """Each time that it becomes too small, until it is large enough."""
    async with opened(size=(80, 24)) as pilot:
        await pilot.pause()
        assert notices(pilot.app) == []
        said = "This terminal has {}. Below 80 columns and 24 lines, texts are cut."
        for (width, height), seen in (
            ((80, 23), ["80 columns and 23 lines"]),
            ((70, 20), ["80 columns and 23 lines"]),
            ((80, 24), []),
            ((79, 40), ["79 columns and 40 lines"]),
        ):
            await pilot.resize_terminal(width, height)
            expected = [said.format(size) for size in seen]
            await until(pilot, partial(_announces, pilot.app, expected))


def _announces(app: SsmicApp, texts: list[str]) -> bool:
    return [text for *_, text in notices(app)] == texts


@pytest.mark.parametrize(
    ("area", "key"),
    [
        ("start", "ctrl+o"),
        pytest.param("start", "i", marks=pytest.mark.long),
        pytest.param("start", "plus", marks=pytest.mark.long),
        pytest.param("run", "m", marks=pytest.mark.long),
        pytest.param("run", "", marks=pytest.mark.long),
    ],
)
async def test_tab_shows_what_it_goes_to_on_terminals_that_are_too_small(opened: Opened, area: str, key: str) -> None:
    """Buttons and fields that did not fit, even in 60 columns and 20 lines, had the focus out of sight."""
    async with opened(first_area=area, size=(80, 24)) as pilot:
        if key:
            await pilot.press("escape", key)
            await until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
        await pilot.resize_terminal(40, 12)
        screen = pilot.app.screen
        for _ in screen.focus_chain:
            await pilot.press("tab")
            focused = screen.focused
            assert focused is not None
            await until(pilot, partial(_is_in_sight, screen, focused))


def _is_in_sight(screen: Screen[Any], widget: Widget) -> bool:
    seen = screen.find_widget(widget).visible_region
    return seen.height >= 1 and seen.width >= min(widget.region.width, 5)


async def test_a_chosen_option_that_is_too_long_ends_in_dots(opened: Opened) -> None:
    """The household of a result was cut within its name."""
    async with opened(first_area="run", size=(80, 24)) as pilot:
        await until(pilot, lambda: pilot.app.screen.query("SelectCurrent #label"))
        labels = pilot.app.screen.query("SelectCurrent #label").results(Static)
        assert {label.styles.text_overflow for label in labels} == {"ellipsis"}


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_the_help_is_shown_in_the_colours_of_the_terminal(opened: Opened, theme: str) -> None:
    """Rich does not know Textual's names of these colours: the help ended the application."""
    async with opened() as pilot:
        pilot.app.theme = theme
        await pilot.press("f1")
        await dialog(pilot, HelpScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, AreaScreen))
        assert the_app(pilot).unexpected == []
