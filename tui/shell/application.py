"""The interface of the application that screens use; implemented by `tui.app.SsmicApp`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from textual.worker import Worker

from scenarios import Zone
from tui.shell.lifecycle import Rescue
from tui.shell.navigation import OpenNeighbourhood

if TYPE_CHECKING:
    from tui.shell.monitored_run import MonitoredRun


class Application(Protocol):
    """The application as seen by its screens, so that the shell does not import the application."""

    watching: MonitoredRun
    """The monitored run, in any area."""
    before_quit: list[Callable[[], str | None]]
    """Each returns a sentence on what quitting would lose; None: nothing."""
    rescues: list[Rescue]
    """Called when the application ends without asking; each saves unsaved work."""
    open_neighbourhood: Callable[[], OpenNeighbourhood | None]
    """Returns the neighbourhood open in *Neighbourhoods*, or None."""
    allow_outside: bool
    """Whether scenarios may refer to files outside their folder."""
    last_input_wall_s: float
    """Time of the last key or mouse event, monotonic clock, s."""

    @property
    def utc_times(self) -> bool:
        """Whether to display times in UTC instead of each scenario's own offset."""
        ...

    def shown_zone(self, own: Zone) -> Zone:
        """Return the display zone of times of a scenario with the zone `own`."""
        ...

    def remember_neighbourhood(self, path: Path) -> None:
        """Add a neighbourhood to the recent list."""
        ...

    def remember_results(self, path: Path) -> None:
        """Add a results file to the recent list."""
        ...

    def forget(self, path: Path) -> None:
        """Remove a file from the recent list."""
        ...

    async def take_way(self, area: str, action: str) -> None:
        """Show an area and run an action of its screen."""
        ...

    def run_worker(self, *args: Any, **kwargs: Any) -> Worker[Any]:  # noqa: ANN401 - Textual's own signature
        """Run something in the background; see Textual."""
        ...
