"""The default dark and the light theme; one colour and one pattern per meaning, the same on every chart and screen.

The report's page has the same colours and meanings (`scenarios/results/report/assets/page.css`). Without colour,
patterns distinguish them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from textual.color import Color, ColorParseError
from textual.theme import Theme

Look = Literal["area", "dots", "line"]
"""`area`: filled, each on top of those before it; `dots`: filled with dots, behind; `line`: drawn, in front."""
DARK = Theme(
    name="ssmic-dark",
    primary="#ffb454",
    secondary="#4cc2c0",
    accent="#7aa2f7",
    foreground="#d5dbe5",
    background="#0e131a",
    surface="#141b24",
    panel="#1d2733",
    success="#8fce6f",
    warning="#f0c674",
    error="#f2777a",
    dark=True,
    variables={
        "production": "#f2d24b",
        "forecast": "#e0a040",
        "committed": "#35a7a5",
        "own": "#7fc463",
        "neighbours": "#5b9bf0",
        "demand": "#d98ab0",
        "surplus": "#8a95a3",
        "now": "#f2777a",
        "grid-power": "#a98bd8",
        "border": "#3b4a5c",
        "scrollbar": "#334155",
        "scrollbar-hover": "#4a5d75",
        "scrollbar-active": "#ffb454",
        "scrollbar-background": "#141b24",
        "border-blurred": "#263241",
        "footer-key-foreground": "#ffb454",
        "block-cursor-text-style": "none",
        "button-focus-text-style": "bold underline",
        "input-selection-background": "#ffb454 30%",
    },
)

LIGHT = Theme(
    name="ssmic-light",
    primary="#a85b00",
    secondary="#0b7074",
    accent="#3457b1",
    foreground="#22272e",
    background="#fbf9f3",
    surface="#f3efe4",
    panel="#e7e0cf",
    success="#3c7a1e",
    warning="#8a6200",
    error="#b3261e",
    dark=False,
    variables={
        "production": "#b38600",
        "forecast": "#c98a1b",
        "committed": "#0b7f80",
        "own": "#3c7a1e",
        "neighbours": "#2f64c0",
        "demand": "#a0456f",
        "surplus": "#7a7465",
        "now": "#b3261e",
        "grid-power": "#6b4fa3",
        "border": "#b9ae94",
        "scrollbar": "#c9bfa7",
        "scrollbar-hover": "#b0a487",
        "scrollbar-active": "#a85b00",
        "scrollbar-background": "#efe9db",
        "border-blurred": "#d8cfb9",
        "footer-key-foreground": "#a85b00",
        "block-cursor-text-style": "none",
        "button-focus-text-style": "bold underline",
        "input-selection-background": "#a85b00 25%",
    },
)

THEMES = (DARK, LIGHT)
DEFAULT_THEME = DARK.name

DEFAULT_VARIABLES = {
    "production": "#e0bd3c",
    "forecast": "#d9982f",
    "committed": "#2f9c9a",
    "own": "#6fae56",
    "neighbours": "#4f8de0",
    "demand": "#c9779d",
    "surplus": "#8a8f96",
    "now": "#e05a5d",
    "grid-power": "#9b7bd0",
}
"""Defaults for Textual's own themes."""


@dataclass(frozen=True, slots=True)
class SeriesStyle:
    """The look of a quantity on all charts."""

    name: str
    colour: str
    """Variable of the theme."""
    look: Look
    pattern: str
    """Fill character."""


PRODUCTION = SeriesStyle("production", "production", "dots", "⣿")
"""Actual production."""
FORECAST = SeriesStyle("forecast", "forecast", "dots", "⢕")
"""Forecast production."""
COMMITTED = SeriesStyle("committed", "committed", "area", "▒")
"""Energy promised by producers."""
OWN = SeriesStyle("own use", "own", "area", "█")
"""Consumption covered by panels: the house's own; in sums over houses, of any contract."""
NEIGHBOURS = SeriesStyle("neighbours", "neighbours", "area", "▓")
"""Consumption covered by other houses' panels."""
GRID = SeriesStyle("grid", "grid-power", "area", "░")
"""Consumption covered by the grid."""
DEMAND = SeriesStyle("demand", "demand", "area", "▚")
"""Energy requested by jobs, from any supplier."""
SURPLUS = SeriesStyle("surplus", "surplus", "area", "▤")
"""Production that no job of the neighbourhood uses."""

MEANINGS = (PRODUCTION, FORECAST, COMMITTED, OWN, NEIGHBOURS, GRID, DEMAND, SURPLUS)


def rich_colour(variables: Mapping[str, str], name: str) -> str:
    """Return a theme's colour as Rich writes it, for its styles; empty for one that it cannot show.

    Args:
        variables: Colours of the theme, by name, as Textual writes them; `ansi_cyan` is one of the terminal's.
        name: Name of the colour.
    """
    try:
        return Color.parse(variables[name]).rich_color.name
    except (KeyError, ColorParseError):
        return ""
