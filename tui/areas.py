"""The areas of the application: their keys, and where their screens are. Imported when first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from textual.screen import Screen


@dataclass(frozen=True, slots=True)
class Way:
    """Something that an area can do whatever is open: offered by the palette everywhere."""

    title: str
    action: str
    """Of the area's screen."""


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the application with a place in the bar at the top."""

    id: str
    key: str
    title: str
    function_key: str
    """Opens it too, also while somebody types."""
    help: str
    """One line for the palette."""
    module: str
    screen: str
    """Class in `module`; derived from `AreaScreen`, made without arguments."""
    ways_in: tuple[Way, ...] = ()

    def make_screen(self) -> Screen[Any]:
        """Return a new screen of this area."""
        screen: Screen[Any] = getattr(import_module(self.module), self.screen)()
        return screen


AREAS = (
    Area(
        "start",
        "0",
        "Start",
        "f6",
        "Recent neighbourhoods, rescued changes, last results, bundled neighbourhoods",
        "tui.start.screen",
        "StartScreen",
    ),
    Area(
        "neighbourhoods",
        "1",
        "Neighbourhoods",
        "f2",
        "Build a neighbourhood: houses, devices, jobs",
        "tui.editor.screen",
        "NeighbourhoodsScreen",
        (
            Way("Begin a new neighbourhood", "new"),
            Way("Open a neighbourhood file", "open"),
            Way("Copy a bundled neighbourhood", "copy_bundled"),
            Way("Import from PySSMic: a folder, XML, a pickle", "import"),
        ),
    ),
    Area(
        "run",
        "2",
        "Run",
        "f3",
        "Choose a scenario and settings; start, pause and stop runs",
        "tui.run.screen",
        "RunScreen",
    ),
    Area(
        "negotiations",
        "3",
        "Negotiations",
        "f4",
        "Watch agents negotiate: messages, jobs, producers, ledger",
        "tui.monitor.screen",
        "NegotiationsScreen",
        (Way("Watch a run on a broker", "join"),),
    ),
    Area(
        "results",
        "4",
        "Results",
        "f5",
        "Read what came out of runs, compare and export it",
        "tui.results.screen",
        "ResultsScreen",
        (Way("Open a results file", "open_file"), Way("List the results in another folder", "open_folder")),
    ),
)
