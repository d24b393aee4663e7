"""How results are written and marked: energies, shares, moments; every state has a sign beside its colour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tui.cli.figures import percent, ratio
from tui.widgets.table import Cell

DAY_S = 86_400

STATES: dict[str, tuple[str, str]] = {
    "done": ("✓ done", "ok"),
    "running": ("● running", "accent"),
    "stale": ("◌ not ended", "warn"),
    "interrupted": ("‖ interrupted", "warn"),
    "failed": ("✗ failed", "bad"),
    "beginning": ("◌ beginning", "accent"),
    "broken": ("✗ unreadable", "bad"),
    "none": ("◌ no run yet", "muted"),
}
"""Of runs and of simulations."""


def state_cell(state: str) -> Cell:
    """Return a state with its sign."""
    return STATES.get(state, (state, ""))


def number_kwh(wh: float | None) -> str:
    """Write an energy without its unit, for columns that name it."""
    if wh is None:
        return "-"
    # Of the energy of a year the decimals say nothing, and columns are as wide as a day needs.
    digits = 2 if abs(wh) < 1e6 else 1 if abs(wh) < 1e7 else 0
    return f"{wh / 1000:,.{digits}f}"


def stamp(time_s: float) -> str:
    """Write when something was made, UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M")


def covered_cell(share: float | None) -> Cell:
    """Return how much of something the sun covered."""
    if share is None:
        return "-", "muted"
    return f"{share:.0%}", "ok" if share >= 0.995 else "warn" if share > 0 else "muted"


def euro(value: float | None) -> str:
    """Write money."""
    return "-" if value is None else f"{value:,.2f} EUR"


_UNITS: dict[str, Callable[[float], str]] = {
    "wh": lambda value: f"{value / 1000:,.2f} kWh",
    "w": lambda value: f"{value / 1000:,.2f} kW",
    "share": percent,
    "ratio": ratio,
    "count": lambda value: f"{value:,.1f}".removesuffix(".0"),
    "s": lambda value: f"{value / 60:,.1f} min",
    "eur": euro,
    "kg": lambda value: f"{value:,.2f} kg",
}


def figure_text(unit: str, value: float | None) -> str:
    """Write a figure of `scenarios.metrics.labels`."""
    return "-" if value is None else _UNITS[unit](value)
