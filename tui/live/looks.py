"""How messages, jobs and contracts look in a table: a sign and a look each, so that colour is never alone."""

from __future__ import annotations

from datetime import UTC, datetime

from scenarios.watch.wording import energy
from tui.widgets.table import Cell

KINDS: dict[str, tuple[str, str]] = {
    "ProducersFor": ("…", "muted"),
    "Producers": ("…", "muted"),
    "Request": ("?", "accent"),
    "Accept": ("✓", "ok"),
    "Decline": ("✗", "bad"),
    "Declined": ("-", "muted"),
    "Withdraw": ("↩", "muted"),
    "Opening": ("!", "warn"),
    "Amend": ("~", "warn"),
    "Cancel": ("✗", "bad"),
    "ContractAgreed": ("§", "ok"),
    "ContractAmended": ("§", "warn"),
    "ContractCancelled": ("§", "bad"),
    "ProducerJoined": ("+", "accent"),
}

STATES: dict[str, tuple[str, str]] = {
    "asking": ("? asking", "accent"),
    "waiting": ("… waiting", "warn"),
    "agreed": ("✓ agreed", "ok"),
    "moved": ("~ moved", "ok"),
    "grid": ("⌁ grid", "warn"),
    "cancelled": ("✗ cancelled", "bad"),
    "lost": ("✗ lost", "bad"),
    "standing": ("✓ standing", "ok"),
}


def kind_cell(kind: str) -> Cell:
    """Return a message's kind with its sign."""
    sign, look = KINDS.get(kind, ("·", ""))
    return f"{sign} {kind}", look


def state_cell(state: str) -> Cell:
    """Return where a job or contract stands, with its sign."""
    return STATES.get(state, (state, ""))


def clock(time_s: int | None) -> str:
    """Write a time of the day, UTC."""
    return "" if time_s is None else datetime.fromtimestamp(time_s, UTC).strftime("%H:%M:%S")


def moment(time_s: int | None) -> str:
    """Write a day and a time, UTC; no seconds where there are none."""
    if time_s is None:
        return ""
    at = datetime.fromtimestamp(time_s, UTC)
    return at.strftime("%d %b %H:%M:%S" if at.second else "%d %b %H:%M")


def amount(wh: float | None) -> str:
    """Write an energy; nothing where there is none."""
    return "" if wh is None else energy(wh)
