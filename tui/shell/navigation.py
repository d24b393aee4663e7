"""Navigation between areas: intents, and the application's interface that screens use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual.message import Message
from textual.worker import Worker

from broker.transport import Access
from scenarios import Scenario, Zone
from scenarios.monitor import ScenarioContext
from tui.shell.rescue_at_exit import Rescue

if TYPE_CHECKING:
    from tui.shell.key_queue import KeyQueue
    from tui.shell.monitored_run import MonitoredRun


@dataclass(frozen=True, slots=True)
class OpenNeighbourhood:
    """Snapshot of the neighbourhood that is open."""

    work: object
    """Identity of the open work."""
    state: object
    """Identity of its content; changes with every edit."""
    title: str
    source: str | None
    """File or bundled name that a run reads; None: never saved."""
    is_saved: bool
    """Whether `source` is up to date."""
    load: Callable[[], Scenario]
    """Builds the scenario from the current state; raises ScenarioError if it has problems."""
    save: Callable[[], Awaitable[str | None]]
    """Asks to save if necessary; returns what a run reads, or None if cancelled."""

    def is_as(self, other: OpenNeighbourhood | None) -> bool:
        """Return whether it is unchanged since another snapshot."""
        return (
            other is not None
            and (self.work is other.work and self.state is other.state)
            and (self.source, self.is_saved) == (other.source, other.is_saved)
        )


class Intent(Message):
    """A request to another area: the app opens `area` and calls its screen's `receive`."""

    area: ClassVar[str] = ""


class EditScenario(Intent):
    """Open a scenario in *Neighbourhoods*."""

    area = "neighbourhoods"

    def __init__(self, source: str) -> None:
        """Create the request.

        Args:
            source: A YAML file, an input of PySSMic or GreenCharge, or a bundled name.
        """
        super().__init__()
        self.source = source


class RunScenario(Intent):
    """Prepare a run of a scenario in *Run*."""

    area = "run"

    def __init__(self, source: str) -> None:
        """Create the request.

        Args:
            source: A YAML file, an input of PySSMic or GreenCharge, or a bundled name.
        """
        super().__init__()
        self.source = source


class WatchBroker(Intent):
    """Show a run on a broker in *Negotiations*."""

    area = "negotiations"

    def __init__(
        self,
        access: Access,
        run_id: str | None,
        scenario_context: ScenarioContext | None = None,
        *,
        control: bool = False,
    ) -> None:
        """Create the request.

        Args:
            access: The broker's URL and login.
            run_id: The run; None: let the user choose.
            scenario_context: Known context of its scenario.
            control: Whether it may be controlled without confirmation.
        """
        super().__init__()
        self.may_control = control
        self.access = access
        self.run_id = run_id
        self.scenario_context = scenario_context


class OpenResults(Intent):
    """Show a results file in *Results*."""

    area = "results"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


class CompareResults(Intent):
    """Compare simulations in *Results*."""

    area = "results"

    def __init__(self, paths: tuple[Path, ...]) -> None:
        """Create the request.

        Args:
            paths: Results files, two or more; the first is the reference.
        """
        super().__init__()
        self.paths = paths


class Application(Protocol):
    """The application as seen by its screens, so that the shell does not import the application."""

    monitored_run: MonitoredRun
    """The monitored run, in any area."""
    before_quit: list[Callable[[], Sequence[str]]]
    """Each returns what quitting now would lose, a sentence for each."""
    rescues: list[Rescue]
    """Called when the application ends without asking; each saves unsaved work."""
    open_neighbourhood: Callable[[], OpenNeighbourhood | None]
    """Returns the neighbourhood open in *Neighbourhoods*, or None."""
    devices_broker: str
    """URL of the broker at which real devices were chosen last; empty: none were."""
    allow_outside: bool
    """Whether scenarios may refer to files outside their folder."""
    last_input_wall_s: float
    """Time of the last key or mouse event, monotonic clock, s."""
    key_queue: KeyQueue
    """Delivers keys one after the other; who is about to show a dialog tells it."""

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

    async def run_area_action(self, area: str, action: str) -> None:
        """Show an area and run an action of its screen."""
        ...

    def run_in_background(
        self,
        task: Callable[[], Coroutine[Any, Any, Any]],
        *,
        group: str = "default",
        is_exclusive: bool = False,
        name: str = "",
        description: str = "",
    ) -> Worker[None]:
        """Run a task; see `ErrorBoundary`."""
        ...
