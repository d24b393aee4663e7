"""What one area asks of another: posted anywhere, delivered by the app to the area that can do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import SystemCommand
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.message import Message

from broker.transport import Access
from scenarios import Scenario
from scenarios.monitor import ScenarioContext
from tui.widgets import rank_of


@dataclass(frozen=True, slots=True)
class OpenNeighbourhood:
    """What is open, at one moment."""

    work: object
    """Which one it is: another one is another object."""
    state: object
    """What it contains: after a change this is another object."""
    title: str
    source: str | None
    """What a run reads: a file, or a bundled name; None: it has never been saved."""
    is_saved: bool
    """Whether `source` is what is open."""
    load: Callable[[], Scenario]
    """Builds the scenario as it is open, saved or not; raises ScenarioError where it has problems."""
    save: Callable[[], Awaitable[str | None]]
    """Asks to save it where it is not saved; returns what a run reads, None where the user went back."""

    def is_as(self, other: OpenNeighbourhood | None) -> bool:
        """Return whether nothing has happened to it since another moment."""
        return (
            other is not None
            and (self.work is other.work and self.state is other.state)
            and (self.source, self.is_saved) == (other.source, other.is_saved)
        )


class Everything(Provider):
    """Searches titles first, then descriptions, then synonyms of both."""

    def _commands(self) -> Iterable[SystemCommand]:
        return self.app.get_system_commands(self.screen)

    async def discover(self) -> Hits:
        """Yield all, while nothing is typed."""
        for title, details, run, _ in sorted(self._commands(), key=lambda command: command.title):
            yield DiscoveryHit(title, run, help=details)

    async def search(self, query: str) -> Hits:
        """Yield what fits, with the better score the better it does."""
        for title, details, run, _ in self._commands():
            rank = rank_of(query, title, details)
            if rank is not None:
                yield Hit(1 / (1 + rank), title, run, text=title, help=details)


class Intent(Message):
    """Goes up to the app, which opens the area `area` and calls its screen's `receive`."""

    area: ClassVar[str] = ""


class EditScenario(Intent):
    """Open a scenario in *Neighbourhoods*."""

    area = "neighbourhoods"

    def __init__(self, source: str) -> None:
        """Ask for it.

        Args:
            source: A YAML file, a PySSMic folder, or a bundled name.
        """
        super().__init__()
        self.source = source


class RunScenario(Intent):
    """Prepare a run of a scenario in *Run*."""

    area = "run"

    def __init__(self, source: str) -> None:
        """Ask for it.

        Args:
            source: A YAML file, a PySSMic folder, or a bundled name.
        """
        super().__init__()
        self.source = source


class WatchBroker(Intent):
    """Show a run on a broker in *Negotiations*."""

    area = "negotiations"

    def __init__(
        self,
        access: Access,
        run_id: str | None = None,
        scenario_context: ScenarioContext | None = None,
        *,
        control: bool = False,
    ) -> None:
        """Ask for it.

        Args:
            access: How to reach the broker.
            run_id: Which run; None: let the user choose.
            scenario_context: What is known of its scenario.
            control: Whether it may be paused, stopped and so on without being asked first.
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
        """Ask for it.

        Args:
            paths: Their results files, two or more; differences are those from the first.
        """
        super().__init__()
        self.paths = paths
