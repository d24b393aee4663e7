"""Formatting of figures for people."""

from __future__ import annotations


def kwh(wh: float) -> str:
    """Format an energy, given in Wh, in kWh."""
    return f"{wh / 1000:,.2f} kWh"


def percent(share: float | None) -> str:
    """Format a share from 0 to 1 in per cent; `-` for None."""
    return "-" if share is None else f"{100 * share:.1f} %"


def ratio(value: float | None) -> str:
    """Format a ratio; `-` for None."""
    return "-" if value is None else f"{value:.2f}"


_HOW = {"interrupted": "interrupted", "failed": "failed", "running": "not ended"}


def unfinished(state: str, covered_share: float) -> str:
    """Return how far an unfinished run came, such as `interrupted at 31 %`; empty if it finished."""
    if state == "done":
        return ""
    # 100 % would mean that it finished.
    return f"{_HOW.get(state, state)} at {min(99, round(100 * covered_share))} %"


def plural(count: int, one: str) -> str:
    """Return a count with its noun, in the plural if not one."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"
