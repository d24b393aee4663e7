"""A pane of the live view, and its cells for messages, jobs and contracts: each colour has a sign too.

So no meaning depends on colour only.
"""

from __future__ import annotations

from textual.containers import Vertical

from scenarios import Zone
from scenarios.monitor import ObservedRun, energy
from tui.shell import ErrorBoundary
from tui.widgets import Cell


class Pane(ErrorBoundary, Vertical):
    """A pane of the live view; redrawn a few times a second while visible."""

    DEFAULT_CSS = """
    Pane .detail { height: auto; max-height: 4; min-height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    zone = Zone()
    """Display zone of times."""

    def show(self, watched: ObservedRun) -> None:
        """Draw the current state."""
        raise NotImplementedError

    def forget(self) -> None:
        """Clear the pane: another run is watched."""

    def show_times(self, zone: Zone) -> None:
        """Change the zone; called between `forget` and `show`."""
        self.zone = zone


KINDS: dict[str, tuple[str, str]] = {
    "ProducersFor": ("…", "muted"),
    "Producers": ("…", "muted"),
    "Request": ("?", "accent"),
    "Accept": ("✓", "ok"),
    "AcceptProvisionally": ("✓", "warn"),
    "PushOut": ("✗", "warn"),
    "Decline": ("✗", "bad"),
    "Declined": ("-", "muted"),
    "Withdraw": ("↩", "muted"),
    "Hold": ("‖", "muted"),
    "Release": ("↔", "muted"),
    "Opening": ("!", "warn"),
    "Amend": ("~", "warn"),
    "Cancel": ("✗", "bad"),
    "ContractAgreed": ("§", "ok"),
    "ContractAmended": ("§", "warn"),
    "ContractCancelled": ("§", "bad"),
    "ContractVoid": ("§", "bad"),
    "Promised": ("§", "muted"),
    "PromiseWithdrawn": ("§", "bad"),
    "PromiseVoid": ("§", "bad"),
    "ProducerJoined": ("+", "accent"),
    "JobsRegistered": ("+", "muted"),
    "Headroom": ("↥", "muted"),
    "Scored": ("#", "muted"),
    "DeviceSaid": ("»", "muted"),
    "AddJob": ("+", "accent"),
    "JobWithdrawn": ("↩", "muted"),
    "JobExecuted": ("▶", "ok"),
    "ProductionMeasured": ("☼", "muted"),
    "ProductionExpected": ("↥", "muted"),
    "Offered": ("!", "accent"),
    "Reserve": ("?", "ok"),
    "Conclude": ("✓", "muted"),
    "Shrink": ("✗", "bad"),
    "SharePromised": ("§", "muted"),
    "ShareDeclined": ("✗", "bad"),
    "SharesAnswered": ("✓", "ok"),
    "SharesAmended": ("§", "warn"),
    "ShareVoid": ("§", "bad"),
    "RoomWanted": ("↔", "warn"),
    "RoomNeeded": ("↔", "warn"),
}

_WORDS = {
    "ContractAgreed": "Contract",
    "ContractAmended": "Amended",
    "ContractCancelled": "Cancelled",
    "ContractVoid": "Void",
    "Promised": "Promised",
    "PromiseWithdrawn": "Withdrawn",
    "PromiseVoid": "Not bound",
    "ProducerJoined": "Joined",
    "JobsRegistered": "Jobs",
    "ProductionExpected": "Expects",
    "SharePromised": "Promised",
    "ShareDeclined": "Declined",
    "SharesAnswered": "Answered",
    "SharesAmended": "Amended",
    "ShareVoid": "Not bound",
    "RoomWanted": "Room?",
    "RoomNeeded": "Room needed",
}
"""Short names of message kinds; the sign stands for "contract"."""

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
    return f"{sign} {kind_word(kind)}", look


def kind_word(kind: str) -> str:
    """Return the display name of a message kind."""
    return _WORDS.get(kind, kind)


def state_cell(state: str) -> Cell:
    """Return the state of a job or contract, with its sign."""
    return STATES.get(state, (state, ""))


def clock(zone: Zone, time_s: int | None) -> str:
    """Format a time of day with seconds; empty for None."""
    return "" if time_s is None else zone.narrow(time_s, "%H:%M:%S")


def moment(zone: Zone, time_s: int | None) -> str:
    """Format a date and time; empty for None."""
    return "" if time_s is None else zone.narrow_moment(time_s)


def amount(wh: float | None) -> str:
    """Format an energy given in Wh; empty for None."""
    return "" if wh is None else energy(wh)
