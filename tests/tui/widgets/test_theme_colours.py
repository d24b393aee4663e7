"""Every theme of the palette is legible: text, signs and charts differ from what is behind them.

With 16 colours, what differs by its background elsewhere is told apart in other ways.
"""

from __future__ import annotations

from typing import Any

import pytest
from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color
from textual.widgets import Input
from textual.widgets.input import Selection

from tests.tui.driving import focus, still, until
from tui.shell import EditScenario
from tui.widgets import MEANINGS
from tui.widgets.few_colours import LEAST_OF_16, contrast_in_16
from tui.widgets.theme_colours import contrast, legible

SIGNS = ("primary", "secondary", "accent", "success", "warning", "error", "text-error", "now")


async def test_colours_differ_from_the_ground_in_every_theme(opened: Any) -> None:
    """In Textual's light themes warnings and our charts had 1.4 to 2.5; in its dark one, signs of consumers 1.9."""
    async with opened() as pilot:
        themes = [name for name in pilot.app.available_themes if not name.startswith("ansi")]
        assert "textual-light" in themes
        for theme in themes:
            pilot.app.theme = theme
            await until(pilot, lambda: pilot.app.theme_variables)
            colours = pilot.app.theme_variables
            grounds = [Color.parse(colours[name]) for name in ("background", "surface")]
            for names, least in ((SIGNS, 4.5), ([meaning.colour for meaning in MEANINGS], 3.0)):
                worst = {
                    name: min(contrast(Color.parse(colours[name]), ground) for ground in grounds) for name in names
                }
                assert {name: ratio for name, ratio in worst.items() if ratio < least} == {}, theme
            key, footer = (Color.parse(colours[f"footer-{name}"]) for name in ("key-foreground", "background"))
            assert contrast(key, footer) >= 4.5, theme


@pytest.mark.long
async def test_what_applies_to_empty_fields_can_be_read_in_every_theme(opened: Any) -> None:
    """Hints show the default: those of *Run* had a contrast of 2.5 in light themes, a focused button 2.9 in one."""
    async with opened(first_area="run", size=(100, 30)) as pilot:
        texts = ("until last job", "from scenario", "choose", "[ ]", "Start")
        for theme in [name for name in pilot.app.available_themes if not name.startswith("ansi")]:
            pilot.app.theme = theme
            pilot.app.screen.query_one("#algorithm").focus()
            await still(pilot)
            said = {text: _contrast_of(pilot, text) for text in texts}
            await focus(pilot, pilot.app.screen.query_one("#start"))
            await pilot.pause()
            said["focused"] = _contrast_of(pilot, "Start")
            assert _contrast_of(pilot, "Watch") >= 3.0, theme  # a disabled button; it was 1.7 to 2.8 in ten themes
            assert {text: ratio for text, ratio in said.items() if ratio < 3.7} == {}, theme


@pytest.mark.long
async def test_descriptions_can_be_read_in_every_theme(opened: Any) -> None:
    """Those of *Start* had a contrast of 2.6 to 3.5 in six themes, also under the cursor."""
    async with opened(first_area="start", size=(100, 30)) as pilot:
        await until(pilot, lambda: _contrast_of(pilot, "Six families"))
        for theme in [name for name in pilot.app.available_themes if not name.startswith("ansi")]:
            pilot.app.theme = theme
            await still(pilot)
            said = {text: _contrast_of(pilot, text) for text in ("Six families", "An unexpected cloud")}
            assert {text: ratio for text, ratio in said.items() if ratio < 3.7} == {}, theme


async def test_buttons_have_their_labels_in_the_terminals_own_colours(opened: Any) -> None:
    """Textual's borders, two lines high, hid the labels of disabled buttons."""
    async with opened(first_area="run", size=(100, 30)) as pilot:
        for theme in [name for name in pilot.app.available_themes if name.startswith("ansi")]:
            pilot.app.theme = theme
            await still(pilot)
            lines = [strip.text for strip in pilot.app.screen._compositor.render_strips()]
            (buttons,) = (line for line in lines if "Sweep..." in line)
            assert buttons.split() == ["Start", "Watch", "Results", "Sweep..."], theme


@pytest.fixture
def with_16_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal such as xterm by its own name, or Linux's console."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLORTERM")


@pytest.mark.long
@pytest.mark.usefixtures("with_16_colours")
async def test_all_text_is_legible_in_16_colours(opened: Any) -> None:
    """The light theme wrote yellow on white, and dark ones grey on grey."""
    async with opened(first_area="run", size=(100, 30)) as pilot:
        for theme in pilot.app.available_themes:
            pilot.app.theme = theme
            await still(pilot)
            worst = min(
                (_contrast_in_16(style, is_dark=pilot.app.current_theme.dark), text)
                for text, style in _drawn(pilot)
                if any(letter.isalnum() for letter in text)
            )
            assert worst >= (LEAST_OF_16, ""), theme


@pytest.mark.usefixtures("with_16_colours")
@pytest.mark.parametrize(
    "variables", [pytest.param({}, id="16 colours", marks=pytest.mark.long), pytest.param({"NO_COLOR": "1"}, id="none")]
)
async def test_fields_tabs_and_the_focus_are_told_apart_without_their_backgrounds(
    opened: Any, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """Fields, buttons and the shown tab looked like any text, and a focused choice like any other.

    So did selected text, which the next letter replaces.
    """
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with opened(first_area="run", size=(100, 30)) as pilot:
        await focus(pilot, pilot.app.screen.query_one("#supply"))
        await still(pilot)
        looks = {text: _look_of(pilot, text) for text in ("Run", "Results", "Days", "until last job", "whole jobs")}
        assert looks == {
            "Run": "reversed",
            "Results": "plain",
            "Days": "plain",
            "until last job": "underlined",
            "whole jobs": "reversed",
        }
        assert [_look_of(pilot, text) for text in ("Sweep...", "Watch")] == ["underlined", "plain"]
        await focus(pilot, pilot.app.screen.query_one("#sweep"))
        await still(pilot)
        assert [_look_of(pilot, text) for text in ("Sweep...", "whole jobs")] == ["reversed", "underlined"]
        field = pilot.app.screen.query_one("#source", Input)
        field.value = "chosen other"
        await focus(pilot, field)
        field.selection = Selection(0, len("chosen"))
        await still(pilot)
        assert [_look_of(pilot, text) for text in ("chosen", "other")] == ["reversed", "underlined"]


@pytest.mark.long
@pytest.mark.usefixtures("with_16_colours")
async def test_the_row_that_is_shown_beside_is_told_apart_in_16_colours(opened: Any) -> None:
    """In *Neighbourhoods*, nothing said which device a form was of while the form had the focus."""
    async with opened(size=(120, 30), first_intent=EditScenario("street")) as pilot:
        await until(pilot, lambda: pilot.app.screen.work is not None and pilot.app.screen.is_settled)
        await pilot.press("down", "enter")
        await still(pilot)
        assert [_look_of(pilot, text) for text in ("Adler (adler)", "Dishwasher")] == ["underlined", "plain"]


async def test_256_colours_keep_fields_apart_from_what_is_behind(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choices and buttons were drawn without a background, and fields on dark blue."""
    monkeypatch.delenv("COLORTERM")
    async with opened(first_area="run", size=(100, 30)) as pilot:
        await still(pilot)
        label, field, choice, button = (
            _style_of(pilot, text).bgcolor.number for text in ("Days", "until last job", "whole jobs", "Sweep...")
        )
        assert label not in {field, choice, button}
        assert min(label, field, choice, button) >= 232  # greys


def _drawn(pilot: Any) -> list[tuple[str, Style]]:
    """Return all text as the terminal shows it, with its style."""
    strips = pilot.app.screen._compositor.render_strips()
    return [(segment.text, segment.style) for strip in strips for segment in strip if segment.style is not None]


def _style_of(pilot: Any, text: str) -> Any:
    return next(style for found, style in reversed(_drawn(pilot)) if found.strip() == text)


def _look_of(pilot: Any, text: str) -> str:
    style = next(style for found, style in _drawn(pilot) if found.strip() == text)
    return "reversed" if style.reverse else "underlined" if style.underline else "plain"


def _contrast_in_16(style: Style, *, is_dark: bool) -> float:
    """Return the contrast of two of the 16 colours; the terminal's own are taken for white and black."""
    own_text, own_ground = (15, 0) if is_dark else (0, 15)

    def number(colour: RichColor | None, own: int) -> int:
        return own if colour is None or colour.is_default or colour.number is None else colour.number

    return contrast_in_16(number(style.color, own_text), number(style.bgcolor, own_ground))


def _contrast_of(pilot: Any, text: str) -> float:
    """Return the contrast of the first text on the screen that begins like this."""
    for strip in pilot.app.screen._compositor.render_strips()[1:]:
        for segment in strip:
            if segment.text.strip().startswith(text):
                return contrast(
                    Color.from_rich_color(segment.style.color), Color.from_rich_color(segment.style.bgcolor)
                )
    raise LookupError(text)


def test_colours_that_are_legible_stay_and_those_of_the_terminal_too() -> None:
    """Only what is illegible is changed."""
    paper = {"background": "#FFFFFF", "surface": "#FFFFFF", "panel": "#EEEEEE"}
    assert legible(paper | {"success": "#1E5A14", "own": "#3C7A1E"}) == paper | {"success": "#1E5A14", "own": "#3C7A1E"}
    assert legible(paper | {"success": "#98C379"})["success"] != "#98C379"
    terminal = {
        "background": "ansi_default",
        "surface": "ansi_default",
        "panel": "ansi_default",
        "success": "ansi_green",
    }
    assert legible(terminal) == terminal
