"""What is drawn in charts and bars: one colour and one pattern for each meaning, the same on every screen.

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
    """How something looks wherever it is drawn."""

    name: str
    colour: str
    """A variable of the theme."""
    look: Look
    pattern: str
    """The character that fills it."""


PRODUCTION = Meaning("production", "production", "dots", "⣿")
"""What panels really give."""
FORECAST = Meaning("forecast", "forecast", "dots", "⢕")
"""What panels are expected to give."""
COMMITTED = Meaning("committed", "committed", "area", "▒")
"""What producers promised."""
OWN = Meaning("own use", "own", "area", "█")
"""Use that panels cover: the house's own, or in sums over houses that of any contract."""
NEIGHBOURS = Meaning("neighbours", "neighbours", "area", "▓")
"""Use that panels of other houses cover."""
GRID = Meaning("grid", "grid-power", "area", "░")
"""Use that the grid covers."""
DEMAND = Meaning("demand", "demand", "area", "▚")
"""What jobs request, whoever will supply it."""
SURPLUS = Meaning("surplus", "surplus", "area", "▤")
"""Production that no job of the neighbourhood uses."""

MEANINGS = (PRODUCTION, FORECAST, COMMITTED, OWN, NEIGHBOURS, GRID, DEMAND, SURPLUS)
