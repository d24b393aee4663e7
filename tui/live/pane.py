"""What the panes of the live view have in common."""

from __future__ import annotations

from textual.containers import Vertical

from scenarios.monitor.run_state import Watched
from scenarios.scenario import Zone
from tui.shell.guard import Guarded


class Pane(Guarded, Vertical):
    """A part of the live view; drawn anew a few times a second while it is in sight."""

    DEFAULT_CSS = """
    Pane .detail { height: auto; max-height: 4; min-height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    zone = Zone()
    """How times are shown."""

    def show(self, watched: Watched) -> None:
        """Draw what is known now."""
        raise NotImplementedError

    def forget(self) -> None:
        """Forget what was drawn: another run is watched."""

    def show_times(self, zone: Zone) -> None:
        """Show times in another zone; `forget` has been called, and `show` comes next."""
        self.zone = zone
