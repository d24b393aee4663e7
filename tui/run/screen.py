"""*Run*: choose a scenario and settings, start, steer."""

from __future__ import annotations

from textual.app import ComposeResult

from tui.shell import AreaScreen, EmptyState


class RunScreen(AreaScreen):
    """What came out of runs."""

    AREA = "run"
    TITLE = "Run"
    HELP = "What came out of runs: who supplied whom, when, and how much of the sun was used."

    def compose_body(self) -> ComposeResult:
        """Say how to get results."""
        yield EmptyState(
            "No results opened",
            "Results are written while a scenario runs. Start one in *Run* (key 2).",
            (("Go to Run", "app.open_area('run')"),),
        )
