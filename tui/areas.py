"""The areas of the application: their keys, and where their screens are. Imported when first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.shell.screen import AreaScreen


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the application with a place in the bar at the top."""

    id: str
    key: str
    title: str
    help: str
    """One line for the palette."""
    module: str
    screen: str
    """Class in `module`; derived from `AreaScreen`, made without arguments."""

    def make_screen(self) -> AreaScreen:
        """Return a new screen of this area."""
        screen: AreaScreen = getattr(import_module(self.module), self.screen)()
        return screen


AREAS = (
    Area(
        "neighbourhoods",
        "1",
        "Neighbourhoods",
        "Build a neighbourhood: houses, devices, jobs",
        "tui.editor.screen",
        "NeighbourhoodsScreen",
    ),
    Area("run", "2", "Run", "Choose a scenario and settings, start and steer runs", "tui.run.screen", "RunScreen"),
    Area(
        "negotiations",
        "3",
        "Negotiations",
        "Watch agents negotiate: messages, jobs, producers, ledger",
        "tui.live.screen",
        "NegotiationsScreen",
    ),
    Area("results", "4", "Results", "Read what came out of runs", "tui.results.screen", "ResultsScreen"),
)
