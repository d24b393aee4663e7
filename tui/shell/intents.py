"""What one area asks of another: posted anywhere, delivered by the app to the area that can do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from textual.message import Message


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


class WatchRun(Intent):
    """Show a run in *Negotiations*."""

    area = "negotiations"

    def __init__(self, feed: Any) -> None:  # noqa: ANN401 - tui.live.feeds.Feed; the shell imports no area
        """Ask for it.

        Args:
            feed: Where what happens comes from, a `tui.live.feeds.Feed`.
        """
        super().__init__()
        self.feed = feed


class OpenResults(Intent):
    """Show a results file in *Results*."""

    area = "results"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
