"""The palette of charts and bars: one colour and one pattern per meaning, the same on every screen.

The report's page has the same colours and meanings (`scenarios/results/report/assets/page.css`). Without colour,
patterns distinguish them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Look = Literal["area", "dots", "line"]
"""`area`: filled, each on top of those before it; `dots`: filled with dots, behind; `line`: drawn, in front."""


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
