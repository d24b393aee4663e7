"""How messages, jobs and contracts look in a table: a sign and a look each, so that colour is never alone."""

from __future__ import annotations

from textual.containers import Vertical

from scenarios import Zone
from scenarios.monitor import ObservedRun, energy
from tui.shell import Guarded
from tui.widgets import Cell


class Pane(Guarded, Vertical):
    """A part of the live view; drawn anew a few times a second while it is in sight."""

    DEFAULT_CSS = """
    Pane .detail { height: auto; max-height: 4; min-height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    zone = Zone()
    """How times are shown."""

    def show(self, watched: ObservedRun) -> None:
        """Draw what is known now."""
        raise NotImplementedError

    def forget(self) -> None:
        """Forget what was drawn: another run is watched."""

    def show_times(self, zone: Zone) -> None:
        """Show times in another zone; `forget` has been called, and `show` comes next."""
        self.zone = zone


KINDS: dict[str, tuple[str, str]] = {
    "ProducersFor": ("…", "muted"),
    "Producers": ("…", "muted"),
    "Request": ("?", "accent"),
    "Accept": ("✓", "ok"),
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
    "ProducerJoined": ("+", "accent"),
}

_WORDS = {
    "ContractAgreed": "Contract",
    "ContractAmended": "Amended",
    "ContractCancelled": "Cancelled",
    "ProducerJoined": "Joined",
}
"""Short names of the long kinds; the sign says that it is about a contract."""

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
    """Return what people call a kind."""
    return _WORDS.get(kind, kind)


def state_cell(state: str) -> Cell:
    """Return where a job or contract stands, with its sign."""
    return STATES.get(state, (state, ""))


def clock(zone: Zone, time_s: int | None) -> str:
    """Write a time of the day, with its seconds; nothing where there is none."""
    return "" if time_s is None else f"{zone.at(time_s):%H:%M:%S}"


def moment(zone: Zone, time_s: int | None) -> str:
    """Write a day and a time; nothing where there is none."""
    return "" if time_s is None else zone.moment(time_s)


def amount(wh: float | None) -> str:
    """Write an energy; nothing where there is none."""
    return "" if wh is None else energy(wh)
