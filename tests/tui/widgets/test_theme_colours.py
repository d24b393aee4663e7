"""Every theme of the palette is legible: text, signs and charts differ from what is behind them."""

from __future__ import annotations

from typing import Any

import pytest
from textual.color import Color

from tests.tui.driving import focus, still, until
from tui.widgets import MEANINGS
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
            assert contrast(key, footer) >= 3.0, theme


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
