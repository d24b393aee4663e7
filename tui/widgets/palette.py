"""The palette of charts and bars: one colour and one pattern per meaning, the same on every screen.

The report's page has the same colours and meanings (`scenarios/results/report/assets/page.css`). Each is told from the
others without colour too, by its pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Look = Literal["area", "dots", "line"]
"""`area`: filled, each on top of those before it; `dots`: filled with dots, behind; `line`: drawn, in front."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The look of a quantity on all charts."""

    name: str
    colour: str
    """Variable of the theme."""
    look: Look
    pattern: str
    """Fill character."""


PRODUCTION = Meaning("production", "production", "dots", "⣿")
"""Actual production."""
FORECAST = Meaning("forecast", "forecast", "dots", "⢕")
"""Forecast production."""
COMMITTED = Meaning("committed", "committed", "area", "▒")
"""Energy promised by producers."""
OWN = Meaning("own use", "own", "area", "█")
"""Consumption covered by panels: the house's own; in sums over houses, of any contract."""
NEIGHBOURS = Meaning("neighbours", "neighbours", "area", "▓")
"""Consumption covered by other houses' panels."""
GRID = Meaning("grid", "grid-power", "area", "░")
"""Consumption covered by the grid."""
DEMAND = Meaning("demand", "demand", "area", "▚")
"""Energy requested by jobs, whatever its supplier."""
SURPLUS = Meaning("surplus", "surplus", "area", "▤")
"""Production that no job of the neighbourhood uses."""

MEANINGS = (PRODUCTION, FORECAST, COMMITTED, OWN, NEIGHBOURS, GRID, DEMAND, SURPLUS)
