"""How figures and texts are written: energies, shares, amounts, the states of runs, and texts of a given width.

What is said of messages, on screens and in files, is in `scenarios.monitor.summaries`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from broker import plural, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenarios import Scenario


def number_kwh(wh: float) -> str:
    """Format an energy, given in Wh, in kWh without the unit."""
    return f"{wh / 1000:z,.2f}"


def column_kwh(wh: float | None) -> str:
    """Format an energy, given in Wh, in kWh for a narrow column that names the unit; `-` for None."""
    if wh is None:
        return "-"
    # For a year's energy the decimals are irrelevant, and columns are sized for a day.
    digits = 2 if abs(wh) < 1e6 else 1 if abs(wh) < 1e7 else 0
    return f"{wh / 1000:z,.{digits}f}"


def kwh(wh: float) -> str:
    """Format an energy, given in Wh, in kWh."""
    return f"{number_kwh(wh)} kWh"


def euro(value: float | None) -> str:
    """Format an amount in EUR; `-` for None."""
    return "-" if value is None else f"{value:z,.2f} EUR"


def percent(share: float | None) -> str:
    """Format a share from 0 to 1 in per cent; `-` for None."""
    return "-" if share is None else f"{100 * share:.1f} %"


def ratio(value: float | None) -> str:
    """Format a ratio; `-` for None."""
    return "-" if value is None else f"{value:.2f}"


def hours_and_minutes(length_s: float) -> str:
    """Format a length of time for an axis: `1:05`."""
    minutes = round(length_s / 60)
    return f"{minutes // 60}:{minutes % 60:02}"


_UNITS: dict[str, Callable[[float], str]] = {
    "wh": kwh,
    "w": lambda value: f"{value / 1000:z,.2f} kW",
    "share": percent,
    "ratio": ratio,
    "count": lambda value: f"{value:,.1f}".removesuffix(".0"),
    "s": lambda value: f"{value / 60:,.1f} min",
    "eur": euro,
    "kg": lambda value: f"{value:z,.2f} kg",
}


def figure_text(unit: str, value: float | None) -> str:
    """Format a figure by its unit in `scenarios.metrics.kpis`; `-` for None."""
    return "-" if value is None else _UNITS[unit](value)


_HOW = {"interrupted": "interrupted", "failed": "failed", "running": "not ended"}


def unfinished(state: str, covered_share: float) -> str:
    """Return how far an unfinished run came, such as `interrupted at 31 %`; empty if it finished."""
    if state == "done":
        return ""
    # 100 % would mean that it finished.
    return f"{_HOW.get(state, state)} at {min(99, round(100 * covered_share))} %"


def without(hosts: Sequence[str]) -> str:
    """Return the households that a run ended without, such as ` without brandt, celik`; empty if none."""
    return f" without {', '.join(hosts)}" if hosts else ""


def fit(text: str, width: int, *, right: bool = False, is_id: bool = False) -> str:
    """Return a text of exactly `width` cells; a longer one ends in an ellipsis.

    Args:
        text: The text, of any length; characters may be two cells wide.
        width: In cells.
        right: Whether it stands at the right.
        is_id: Whether the ellipsis is in the middle, not at the end.
    """
    text = printable(text).replace("\n", " ").replace("\t", " ")
    length = cell_len(text)
    if length > width:
        end = _end(text, (width - 1) // 2) if is_id else ""
        begin = set_cell_size(text, max(0, width - 1 - cell_len(end)))
        return set_cell_size(f"{begin}…{end}", width)
    gap = " " * (width - length)
    return gap + text if right else text + gap


def _end(text: str, width: int) -> str:
    """Return the end of a text that fits into a number of cells."""
    end = ""
    for character in reversed(text):
        if cell_len(character + end) > width:
            break
        end = character + end
    return end


def size_of(scenario: Scenario) -> str:
    """Say how many houses, producers and jobs a scenario has."""
    parts = ((scenario.houses, "house"), (scenario.producers, "producer"), (scenario.jobs, "job"))
    return ", ".join(plural(len(group), one) for group, one in parts)
