"""Common steps of the tests of *Results*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.driving import until
from tui.results.energy_sheet import Sheet
from tui.results.screen import ResultsScreen
from tui.widgets.table import CellTable, VirtualTable

INSERTION, FIFTY = "insertion.sqlite", "fifty.sqlite"
"""Two simulations: the newer one is `FIFTY`."""
WIDE = (140, 45)
Opened = Any


def the_screen(pilot: Pilot[Any]) -> ResultsScreen:
    """Return the screen under test."""
    screen = pilot.app.screen
    assert isinstance(screen, ResultsScreen)
    return screen


def table(pilot: Pilot[Any], selector: str) -> VirtualTable[Any]:
    """Return a table."""
    return pilot.app.screen.query_one(selector, VirtualTable)


def cells(pilot: Pilot[Any], selector: str) -> CellTable[Any]:
    """Return a table whose cursor is a cell."""
    return pilot.app.screen.query_one(selector, CellTable)


def text(pilot: Pilot[Any], selector: str) -> str:
    """Return the text in a place."""
    return str(pilot.app.screen.query_one(selector, Static).render())


async def listed(pilot: Pilot[Any], count: int = 2) -> None:
    """Wait until the list is there."""
    await until(pilot, lambda: the_screen(pilot).simulation_list.table.has_focus)
    await until(pilot, lambda: len(the_screen(pilot).simulation_list.table.rows) == count)


async def opened_first(pilot: Pilot[Any]) -> None:
    """Open the simulation under the cursor, and wait until it is drawn."""
    await pilot.press("enter")
    await until(pilot, lambda: the_screen(pilot).place == "simulation")
    await drawn(pilot, lambda _: True)


async def drawn(pilot: Pilot[Any], fits: Callable[[Sheet], object]) -> Sheet:
    """Wait until the sheet in sight is a certain one, and return it."""

    def sheet() -> Sheet | None:
        pane = the_screen(pilot).simulation.sheet_pane
        return None if pane is None else pane.sheet

    def is_there() -> bool:
        there = sheet()
        return there is not None and bool(fits(there))

    await until(pilot, is_there)
    await pilot.pause()
    there = sheet()
    assert there is not None
    return there
