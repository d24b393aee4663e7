"""Every theme of the palette is legible: text, signs and charts differ from what is behind them."""

from __future__ import annotations

from typing import Any

from textual.color import Color

from tests.tui.driving import until
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
