"""Styles are parsed once for each theme, not whenever an area opens."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from textual.css.parse import parse
from textual.css.tokenizer import TokenError
from textual.pilot import Pilot

from tests.tui.driving import until
from tui.areas import AREAS
from tui.shell import ParsedStyles


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what Textual parses, from nothing on."""
    monkeypatch.setattr(ParsedStyles, "_PARSED", {})
    sources: list[str] = []

    def recorded(scope: str, css: str, *arguments: Any, **options: Any) -> Any:
        sources.append(css)
        return parse(scope, css, *arguments, **options)

    monkeypatch.setattr("textual.css.stylesheet.parse", recorded)
    return sources


async def _visit_all(pilot: Pilot[Any]) -> None:
    for area in AREAS:
        await pilot.press(area.function_key)
        await until(pilot, partial(_is_in, pilot, area.id))
        await pilot.pause()


def _is_in(pilot: Pilot[Any], area: str) -> bool:
    return getattr(pilot.app.screen, "AREA", "") == area


@pytest.mark.long
async def test_nothing_is_parsed_again_for_a_theme_that_was_shown(opened: Any, parsed: list[str]) -> None:
    """Neither when an area is opened again, nor in a second application of the process."""
    async with opened() as pilot:
        await _visit_all(pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: not pilot.app.current_theme.dark)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: pilot.app.current_theme.dark)
        assert len(set(parsed)) > 64, "so many sources Textual keeps"
        before = len(parsed)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: not pilot.app.current_theme.dark)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: pilot.app.current_theme.dark)
        await pilot.press(AREAS[1].function_key)
        await until(pilot, partial(_is_in, pilot, AREAS[1].id))
        assert len(parsed) == before
    async with opened() as pilot:
        await pilot.press(AREAS[1].function_key)
        await until(pilot, partial(_is_in, pilot, AREAS[1].id))
        assert len(parsed) == before


def test_rules_follow_the_variables_and_outlive_an_error() -> None:
    """As in a style sheet of Textual."""
    styles = ParsedStyles(variables={"colour": "red"})
    styles.add_source("Button { color: $colour; }", ("", "a"))
    (red,) = styles.rules
    styles.set_variables({"colour": "blue"})
    styles.reparse()
    (blue,) = styles.rules
    assert [rule.styles.color.css for rule in (red, blue)] == ["rgb(255,0,0)", "rgb(0,0,255)"]
    styles.add_source("Button { colour: blue; ", ("", "b"))
    with pytest.raises(TokenError):
        styles.reparse()
    assert styles._rules == [blue]
