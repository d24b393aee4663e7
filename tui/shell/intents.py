"""What one area asks of another: posted anywhere, delivered by the app to the area that can do it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.message import Message

from broker.transport.endpoint import Access
from scenarios.monitor.run_state import Backdrop


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
        self, access: Access, run_id: str | None = None, backdrop: Backdrop | None = None, *, control: bool = False
    ) -> None:
        """Ask for it.

        Args:
            access: How to reach the broker.
            run_id: Which run; None: let the user choose.
            backdrop: What is known of its scenario.
            control: Whether it may be paused, stopped and so on without being asked first.
        """
        super().__init__()
        self.may_control = control
        self.access = access
        self.run_id = run_id
        self.backdrop = backdrop


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
