"""Contrast of a theme's colours: those that are illegible on its backgrounds are drawn darker, or lighter.

Textual's light themes have signs in orange and green on white, and know nothing of the colours of our charts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from textual.color import BLACK, WHITE, Color, ColorParseError

LEAST_OF_TEXT: Final = 4.5
"""Contrast ratio of text, as in WCAG 2.1, criterion 1.4.3."""
LEAST_OF_GRAPHICS: Final = 3.0
"""Contrast ratio of parts of charts, as in its criterion 1.4.11; also of text on panels, which is short."""
_TEXT = (
    *("primary", "secondary", "accent", "success", "warning", "error", "now"),
    *("text-primary", "text-secondary", "text-accent", "text-success", "text-warning", "text-error"),
)
_GRAPHICS = ("production", "forecast", "committed", "own", "neighbours", "demand", "surplus", "grid-power")
_OF_FOOTER = ("footer-key-foreground", "footer-description-foreground", "footer-foreground")
_STEP = 0.04


def legible(variables: Mapping[str, str]) -> dict[str, str]:
    """Return a theme's variables with colours that differ enough from its background, its surface and its panel.

    The keys of the footer differ from its own background.

    Args:
        variables: All variables of the theme. Those of themes in the terminal's own colours are returned as they are.
    """
    found = dict(variables)
    grounds = [_colour(variables.get(name, "")) for name in ("background", "surface", "panel")]
    background, surface, panel = grounds
    if background is None or surface is None or panel is None:
        return found
    for names, least in ((_TEXT, LEAST_OF_TEXT), (_GRAPHICS, LEAST_OF_GRAPHICS)):
        wanted = ((background, least), (surface, least), (panel, min(least, LEAST_OF_GRAPHICS)))
        for name in names:
            colour = _colour(variables.get(name, ""))
            if colour is not None:
                found[name] = _differing(colour, wanted).hex
    footer = _colour(variables.get("footer-background", "")) or panel
    for name in _OF_FOOTER:
        colour = _colour(variables.get(name, ""))
        if colour is not None:
            found[name] = _differing(colour, ((footer, LEAST_OF_GRAPHICS),)).hex
    return found


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


def _luminance(colour: Color) -> float:
    """Return relative luminance, 0 to 1, by WCAG 2.1."""

    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in colour.normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
