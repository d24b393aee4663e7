"""Figures as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios import Scenario


def kwh(wh: float) -> str:
    """Return an energy in Wh as kWh."""
    return f"{wh / 1000:,.2f} kWh"


def percent(share: float | None) -> str:
    """Return a share; `-` where there is none."""
    return "-" if share is None else f"{100 * share:.1f} %"


def ratio(value: float | None) -> str:
    """Return a ratio; `-` where there is none."""
    return "-" if value is None else f"{value:.2f}"


_HOW = {"interrupted": "interrupted", "failed": "failed", "running": "not ended"}


def unfinished(state: str, covered_share: float) -> str:
    """Say how far a run came that did not come to its end, such as `interrupted at 31 %`; nothing where it did."""
    if state == "done":
        return ""
    # 100 % would say that it came to its end.
    return f"{_HOW.get(state, state)} at {min(99, round(100 * covered_share))} %"


def plural(count: int, one: str) -> str:
    """Write a count and what is counted."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def size_of(scenario: Scenario) -> str:
    """Say how many houses, producers and jobs a scenario has."""
    parts = ((scenario.houses, "house"), (scenario.producers, "producer"), (scenario.jobs, "job"))
    return ", ".join(plural(len(group), one) for group, one in parts)
