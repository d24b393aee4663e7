"""*Neighbourhoods*: build one, or open one."""

from __future__ import annotations

from textual.app import ComposeResult

from tui.shell import AreaScreen, EmptyState


class NeighbourhoodsScreen(AreaScreen):
    """Houses, devices, jobs."""

    AREA = "neighbourhoods"
    TITLE = "Neighbourhoods"
    HELP = "A neighbourhood is houses with devices, and the jobs that the devices have to run."

    def compose_body(self) -> ComposeResult:
        """Say how to begin."""
        yield EmptyState(
            "No neighbourhood opened",
            "Run one of the bundled ones (key 2) to see how it works.",
            (("Go to Run", "app.open_area('run')"),),
        )
