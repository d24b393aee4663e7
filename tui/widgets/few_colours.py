"""Colours for terminals that have only 16 or 256, so that text stays legible where a theme's own cannot be shown.

By itself, Rich takes the nearest of the 16 colours for text, and for what is behind it: amber on cream becomes yellow
on white. Here text has a colour of the same hue that differs enough from what is behind it, whichever of two common
sets of colours the terminal has. Backgrounds that differ little become the same; the styles of `-few-colours` in
`tui.app` mark fields, tabs and buttons in other ways.
"""

from __future__ import annotations

import colorsys
from functools import lru_cache
from typing import Final

from rich.color import Color as RichColor, ColorSystem
from rich.palette import Palette
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from typing_extensions import override

from tui.widgets.theme_colours import contrast

XTERM: Final = Palette(
    [
        *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205)),
        *((229, 229, 229), (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255)),
        *((255, 0, 255), (0, 255, 255), (255, 255, 255)),
    ]
)
"""The 16 colours of xterm."""
VGA: Final = Palette(
    [
        *((0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170)),
        *((170, 170, 170), (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255)),
        *((255, 85, 255), (85, 255, 255), (255, 255, 255)),
    ]
)
"""The 16 colours of Linux's console."""
LEAST_OF_16: Final = 4.0
"""Contrast ratio of text in 16 colours: that of grey on white, and of white on grey, in xterm's."""
_BLACK, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN, _SILVER, _GREY, _WHITE = *range(9), 15
_BRIGHT = 8
"""Difference between the number of a bright colour and that of the colour itself."""
_HUES = ((20, _RED), (70, _YELLOW), (165, _GREEN), (200, _CYAN), (262, _BLUE), (340, _MAGENTA), (360, _RED))
"""Colours, with the hue up to which they are the nearest, degrees."""
_INSTEAD = {_YELLOW: (_MAGENTA,), _CYAN: (_BLUE,), _BLUE: (_CYAN,)}
"""The colours instead of those that are illegible, bright or not, on a ground."""
_LEAST_CHROMA = 48
"""Difference between the largest and the smallest part of a colour, 0 to 255; with less, it is taken for grey."""
_LEAST_SEEN = 1.5
"""Contrast ratio of what is meant to be seen: parts of borders have the colour of what is behind them."""
_FIRST_FIXED = 16
"""The first of the 256 colours that is the same on all terminals."""


class FewColours(LineFilter):
    """Draws with the colours that a terminal has."""

    def __init__(self, number_of_colours: int, *, is_dark: bool) -> None:
        """Make one.

        Args:
            number_of_colours: 16 or 256.
            is_dark: Whether the terminal's own background, which some themes keep, is taken for dark.
        """
        super().__init__()
        self._has_16 = number_of_colours == 16
        self._is_dark = is_dark

    @override
    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line in the terminal's colours.

        Args:
            segments: The segments.
            background: What is behind the segments without a background of their own.
        """
        return [Segment(text, style and self._shown(style), control) for text, style, control in segments]

    def _shown(self, style: Style) -> Style:
        return _in_16(style, is_dark=self._is_dark) if self._has_16 else _in_256(style)


def contrast_in_16(first: int, second: int) -> float:
    """Return the contrast ratio of two of the 16 colours, by number, on the terminal where it is lower."""
    return min(contrast(Color(*colours[first]), Color(*colours[second])) for colours in (XTERM, VGA))


@lru_cache(maxsize=4_000)
def _in_16(style: Style, *, is_dark: bool) -> Style:
    colour, behind = style.color, style.bgcolor
    own_text, own_ground = (_SILVER, _BLACK) if is_dark else (_BLACK, _WHITE)
    ground = _number(behind, own_ground)
    if behind is not None and not behind.is_default:
        behind = RichColor.from_ansi(ground)
    if colour is not None and not (colour.is_default and (behind is None or behind.is_default)):
        number = _number(colour, own_text)
        is_seen = number != ground if style.bgcolor is None else _differ(colour, style.bgcolor, number, ground)
        colour = RichColor.from_ansi(_legible_number(number, _hue(colour), ground) if is_seen else ground)
    return style + Style.from_color(colour, behind)


def _differ(colour: RichColor, behind: RichColor, number: int, ground: int) -> bool:
    """Return whether a colour was meant to differ from what is behind it."""
    if colour.triplet is None or behind.triplet is None:
        return number != ground
    return contrast(Color(*colour.triplet), Color(*behind.triplet)) >= _LEAST_SEEN


def _legible_number(number: int, hue: int | None, ground: int) -> int:
    """Return a colour that differs enough from a ground: of the same hue if there is one, else white or black.

    Args:
        number: The nearest colour.
        hue: The nearest colour that is not grey; None for grey.
        ground: The background colour.
    """
    if hue is None:
        wanted = [number, _SILVER, _GREY]
    else:
        is_light = contrast_in_16(_BLACK, ground) > contrast_in_16(_WHITE, ground)
        shades = (0, _BRIGHT) if is_light else (_BRIGHT, 0)
        wanted = [base + shade for base in (hue, *_INSTEAD.get(hue, ())) for shade in shades]
    best = max((_BLACK, _WHITE), key=lambda pole: contrast_in_16(pole, ground))
    return next((one for one in wanted if contrast_in_16(one, ground) >= LEAST_OF_16), best)


def _hue(colour: RichColor) -> int | None:
    """Return the nearest of the six colours that are no grey; None for greys."""
    if colour.triplet is None:
        base = _number(colour, _BLACK) % _BRIGHT
        return None if base in {_BLACK, _SILVER} else base
    if max(colour.triplet) - min(colour.triplet) < _LEAST_CHROMA:
        return None
    degrees = 360 * colorsys.rgb_to_hsv(*colour.triplet.normalized)[0]
    return next(base for most, base in _HUES if degrees <= most)


def _number(colour: RichColor | None, otherwise: int) -> int:
    """Return the number of the nearest of the 16 colours; `otherwise` for none, and for the terminal's own."""
    if colour is None or colour.is_default:
        return otherwise
    number = colour.downgrade(ColorSystem.STANDARD).number
    return otherwise if number is None else number


@lru_cache(maxsize=4_000)
def _in_256(style: Style) -> Style:
    return style + Style.from_color(_nearest_of_256(style.color), _nearest_of_256(style.bgcolor))


@lru_cache(maxsize=4_000)
def _nearest_of_256(colour: RichColor | None) -> RichColor | None:
    """Return the nearest of the 256 colours; Rich takes dark blue for grey with a little blue in it."""
    if colour is None or colour.triplet is None:
        return colour
    wanted = colour.triplet

    def distance(number: int) -> int:
        parts = RichColor.from_ansi(number).get_truecolor()
        return sum((part - other) ** 2 for part, other in zip(wanted, parts, strict=True))

    return RichColor.from_ansi(min(range(_FIRST_FIXED, 256), key=distance))
