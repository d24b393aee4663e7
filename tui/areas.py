"""The areas of the application: their keys and screen classes. Screens are imported when first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from textual.screen import Screen


@dataclass(frozen=True, slots=True)
class AreaCommand:
    """An action of an area that the palette offers everywhere."""

    title: str
    action: str
    """Name of the action of the area's screen."""


@dataclass(frozen=True, slots=True)
class Area:
    """A main section of the application, with a tab in the top bar."""

    id: str
    key: str
    title: str
    function_key: str
    """Alternative key; also works while typing."""
    help: str
    """Description for the palette."""
    module: str
    screen: str
    """Class in `module`: a subclass of `AreaScreen`, created without arguments."""
    commands: tuple[AreaCommand, ...] = ()

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
            AreaCommand("Create a new neighbourhood", "new"),
            AreaCommand("Open a neighbourhood file", "open"),
            AreaCommand("Copy a bundled neighbourhood", "copy_bundled"),
            AreaCommand("Import from PySSMic, GreenCharge or a meter", "import"),
            AreaCommand("Generate a neighbourhood of any size", "generate"),
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
        (AreaCommand("Watch a run on a broker", "join"),),
    ),
    Area(
        "results",
        "4",
        "Results",
        "f5",
        "Read, compare and export the results of runs",
        "tui.results.screen",
        "ResultsScreen",
        (AreaCommand("Open a results file", "open_file"), AreaCommand("List results in another folder", "open_folder")),
    ),
)
