"""What the screens of the shell ask of the application that they belong to; `tui.app.SsmicApp` answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from textual.worker import Worker

from scenarios import Zone
from tui.shell.lifecycle import Rescue
from tui.shell.navigation import OpenNeighbourhood

if TYPE_CHECKING:
    from tui.shell.monitored_run import Watching


class Application(Protocol):
    """The application, as its screens know it: so the shell does not import what is made of it."""

    watching: Watching
    """The run that is watched, whatever area is shown."""
    before_quit: list[Callable[[], str | None]]
    """Each returns what quitting would lose, in a sentence for people; None: nothing."""
    rescues: list[Rescue]
    """Called when the application ends without asking; each keeps unsaved work."""
    open_neighbourhood: Callable[[], OpenNeighbourhood | None]
    """Returns what is open in *Neighbourhoods*; None: nothing."""
    last_input_wall_s: float
    """When a key or the mouse was used last, by the monotonic clock."""

    @property
    def utc_times(self) -> bool:
        """Whether times are shown in UTC instead of at each scenario's own offset."""
        ...

    def shown_zone(self, own: Zone) -> Zone:
        """Return the zone in which times of a scenario with the zone `own` are shown."""
        ...

    def remember_neighbourhood(self, path: Path) -> None:
        """Let the start screen offer a neighbourhood."""
        ...

    def remember_results(self, path: Path) -> None:
        """Let the start screen offer a results file."""
        ...

    def forget(self, path: Path) -> None:
        """Let the start screen no longer offer a file."""
        ...

    async def take_way(self, area: str, action: str) -> None:
        """Show an area and let its screen do something."""
        ...

    def run_worker(self, *args: Any, **kwargs: Any) -> Worker[Any]:  # noqa: ANN401 - Textual's own signature
        """Run something in the background; see Textual."""
        ...
