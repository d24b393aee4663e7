"""Formatting and small widgets of *Results*: states, energies, money, figures, the back link."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static

from broker import plural
from scenarios.results import RunInfo
from tui.formatting import percent, ratio
from tui.widgets import Cell

READING = "Reading ..."
"""In place of a view's content until it has been read for the first time."""
UNREAD = "Could not be read"
"""In its place if that failed."""

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
"""Sign and look of the states of runs and simulations."""


def state_cell(state: str) -> Cell:
    """Return a state with its sign."""
    return STATES.get(state, (state, ""))


def notes_of(run: RunInfo) -> list[str]:
    """Return notes on hosts that a run ended without, with the reason, and on disputes."""
    notes = [f"{of.host} was {'quarantined' if of.is_quarantined else 'dropped'}: {of.why}." for of in run.without]
    if run.disputes:
        notes.append(f"{plural(len(run.disputes), 'dispute')}; the ledger stands: {run.disputes[0]}")
    return notes + list(run.disputes[1:])


def number_kwh(wh: float | None) -> str:
    """Format an energy, given in Wh, in kWh without the unit, for columns that name it."""
    if wh is None:
        return "-"
    # For a year's energy the decimals are irrelevant, and columns are sized for a day.
    digits = 2 if abs(wh) < 1e6 else 1 if abs(wh) < 1e7 else 0
    return f"{wh / 1000:z,.{digits}f}"


def stamp(time_s: float) -> str:
    """Format a time in UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M")


def covered_cell(share: float | None) -> Cell:
    """Return a cell with the share covered by panels."""
    if share is None:
        return "-", "muted"
    return f"{share:.0%}", "ok" if share >= 0.995 else "warn" if share > 0 else "muted"


def euro(value: float | None) -> str:
    """Format an amount in EUR."""
    return "-" if value is None else f"{value:z,.2f} EUR"


_UNITS: dict[str, Callable[[float], str]] = {
    "wh": lambda value: f"{value / 1000:z,.2f} kWh",
    "w": lambda value: f"{value / 1000:z,.2f} kW",
    "share": percent,
    "ratio": ratio,
    "count": lambda value: f"{value:,.1f}".removesuffix(".0"),
    "s": lambda value: f"{value / 60:,.1f} min",
    "eur": euro,
    "kg": lambda value: f"{value:z,.2f} kg",
}


def figure_text(unit: str, value: float | None) -> str:
    """Format a figure by its unit in `scenarios.metrics.kpis`."""
    return "-" if value is None else _UNITS[unit](value)


class Figures(Widget):
    """Figures with labels, as many as fit; the first ones have priority."""

    DEFAULT_CSS = """
    Figures { height: 2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.figures: tuple[tuple[str, str], ...] = ()

    def show(self, figures: tuple[tuple[str, str], ...]) -> None:
        """Replace the labels and values."""
        self.figures = figures
        self.refresh()

    def render(self) -> RenderableType:
        """Render as a list or in lines, depending on the height."""
        if self.size.height > 3:
            return self._list()
        lines: list[Text] = [Text()]
        for name, value in self.figures:
            words = Text.assemble((f"{name} ", "dim"), (value, "bold"))
            if lines[-1].cell_len and lines[-1].cell_len + 3 + words.cell_len > self.size.width:
                lines.append(Text())
            lines[-1].append("   " if lines[-1].cell_len else "").append_text(words)
        return Text("\n").join(lines[: self.size.height])

    def _list(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(style="bold", no_wrap=True, overflow="ellipsis")
        for name, value in self.figures:
            table.add_row(name, value)
        return table


class BackLink(Static):
    """A link back, for the mouse."""

    DEFAULT_CSS = """
    BackLink { width: auto; padding: 0 1; color: $primary; pointer: pointer; }
    BackLink:hover { background: $boost; }
    """

    async def on_click(self) -> None:
        """Go back."""
        await self.screen.run_action("leave")
