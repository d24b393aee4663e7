"""The default dark and the light theme; one colour and one pattern per meaning, the same on every chart and screen.

The report's page has the same colours and meanings (`scenarios/results/report/assets/page.css`). Without colour,
patterns distinguish them. Colours that are illegible on a theme's backgrounds are drawn darker, or lighter: Textual's
light themes have signs in orange and green on white, and know nothing of the colours of our charts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from rich.segment import Segment
from rich.style import Style
from textual.color import BLACK, WHITE, Color, ColorParseError
from textual.filter import NO_DIM, LineFilter, dim_color
from textual.theme import Theme
from typing_extensions import override

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
    "label-disabled": "ansi_bright_black",
}
"""Defaults for Textual's own themes."""

LEAST_OF_TEXT: Final = 4.5
"""Contrast ratio of text, as in WCAG 2.1, criterion 1.4.3."""
LEAST_OF_GRAPHICS: Final = 3.0
"""Contrast ratio of parts of charts, as in WCAG 2.1, criterion 1.4.11; also of the labels of disabled buttons."""
LEAST_OF_DETAILS: Final = 3.7
"""Contrast ratio of dim text, such as descriptions beside what they describe."""
_TEXT = (
    *("primary", "secondary", "accent", "success", "warning", "error", "now"),
    *("text-primary", "text-secondary", "text-accent", "text-success", "text-warning", "text-error"),
)
_GRAPHICS = ("production", "forecast", "committed", "own", "neighbours", "demand", "surplus", "grid-power")
_OF_FOOTER = ("footer-key-foreground", "footer-description-foreground", "footer-foreground")
_TEXT_AND_GROUND = (("button-color-foreground", "primary"), ("block-cursor-foreground", "block-cursor-background"))
"""Variables of a text's colour and of the colour behind it."""
_SHARE_OF_DISABLED = 0.4
"""Share of the text's colour in that of the labels of disabled buttons; the rest is the background's."""
_AUTO = re.compile(r"auto (\d+)%")
_STEP = 0.04


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


def legible(variables: Mapping[str, str]) -> dict[str, str]:
    """Return a theme's variables with colours that differ enough from its background, its surface and its panel.

    The keys of the footer differ from its own background, and text on buttons and cursors from theirs.

    Args:
        variables: All variables of the theme. Those of themes in the terminal's own colours are returned as they are.
    """
    found = dict(variables)
    grounds = [_colour(variables.get(name, "")) for name in ("background", "surface", "panel")]
    background, surface, panel = grounds
    if background is None or surface is None or panel is None:
        return found
    for names, least in ((_TEXT, LEAST_OF_TEXT), (_GRAPHICS, LEAST_OF_GRAPHICS)):
        wanted = ((background, least), (surface, least), (panel, least))
        for name in names:
            colour = _colour(variables.get(name, ""))
            if colour is not None:
                found[name] = _differing(colour, wanted).hex
    footer = _colour(variables.get("footer-background", "")) or panel
    for name in _OF_FOOTER:
        colour = _colour(variables.get(name, ""))
        if colour is not None:
            found[name] = _differing(colour, ((footer, LEAST_OF_TEXT),)).hex
    foreground = _colour(variables.get("foreground", ""))
    if foreground is not None:
        faint = surface.blend(foreground, _SHARE_OF_DISABLED, alpha=1)
        found["label-disabled"] = _differing(faint, ((surface, LEAST_OF_GRAPHICS),)).hex
    for name, behind in _TEXT_AND_GROUND:
        ground = _colour(found.get(behind, ""))
        colour = None if ground is None else _colour_over(found.get(name, ""), ground)
        if colour is not None and ground is not None and contrast(colour, ground) < LEAST_OF_TEXT:
            found[name] = _differing(colour, ((ground, LEAST_OF_TEXT),)).hex
    return found


class LegibleDim(LineFilter):
    """Draws dim text as Textual does, blended with what is behind it, but less so where that would be illegible.

    Text in the terminal's own colours is left to the terminal.
    """

    @override
    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line, with a colour instead of each dim style.

        Args:
            segments: The segments.
            background: What is behind those without a background of their own.
        """
        return [
            Segment(segment.text, _dimmed(segment.style, background), segment.control)
            if segment.style is not None and segment.style.dim
            else segment
            for segment in segments
        ]


@lru_cache(maxsize=1_000)
def _dimmed(style: Style, background: Color) -> Style:
    colour, behind = style.color, background.rich_color if style.bgcolor is None else style.bgcolor
    if colour is None or colour.triplet is None or behind.triplet is None:
        return style
    dim = Color.from_rich_color(dim_color(behind, colour))
    legible_dim = _differing(dim, ((Color.from_rich_color(behind), LEAST_OF_DETAILS),))
    return style + Style.from_color(legible_dim.rich_color) + NO_DIM


def contrast(first: Color, second: Color) -> float:
    """Return the contrast ratio of two colours, 1 to 21, by WCAG 2.1."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@lru_cache(maxsize=1_000)
def _differing(colour: Color, wanted: tuple[tuple[Color, float], ...]) -> Color:
    """Return the colour nearest to one, on the way to black or white, that differs enough from the grounds."""
    pole = BLACK if _luminance(wanted[0][0]) > _luminance(Color(119, 119, 119)) else WHITE
    share = 0.0
    shown = colour
    while share < 1 and any(contrast(shown, ground) < least for ground, least in wanted):
        share += _STEP
        shown = colour.blend(pole, min(1.0, share), alpha=1)
    return shown


def _colour(value: str) -> Color | None:
    """Return an opaque colour; None for one of the terminal, one that is computed, and one that lets through."""
    try:
        colour = Color.parse(value)
    except ColorParseError:
        return None
    return None if colour.ansi is not None or colour.a < 1 else colour


def _colour_over(value: str, ground: Color) -> Color | None:
    """Return an opaque colour as `_colour` does; `auto 87%` is black or white, by the ground, with that opacity."""
    share = _AUTO.fullmatch(value)
    return _colour(value) if share is None else ground + ground.get_contrast_text(int(share[1]) / 100)


def _luminance(colour: Color) -> float:
    """Return relative luminance, 0 to 1, by WCAG 2.1."""

    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in colour.normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
