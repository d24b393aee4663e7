"""The screens of *Results* at both sizes. After a change: `pytest tests/tui/results --snapshot-update`, and look."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.image import SVGImageSnapshotExtension
from textual.pilot import Pilot

from tests.tui import driving
from tests.tui.driving import dialog, until
from tests.tui.results.driving import drawn, listed, opened_first, table, the_screen
from tui.results.export_dialog import ExportDialog

Opened = Any
SIZES = [pytest.param((80, 24), id="80x24"), pytest.param((140, 45), id="140x45", marks=pytest.mark.long)]


@pytest.fixture
def picture(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compares a picture with the one that was approved."""
    return snapshot.use_extension(SVGImageSnapshotExtension)


async def still(pilot: Pilot[Any]) -> str:
    """Return the screen when what was read is drawn."""
    await pilot.app.workers.wait_for_complete()
    return await driving.still(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_yet(opened: Opened, picture: SnapshotAssertion, size: tuple[int, int]) -> None:
    """It shows the ways to begin."""
    async with opened(first_area="results", size=size) as pilot:
        await until(pilot, lambda: the_screen(pilot).query_one("#nothing").display)
        assert await still(pilot) == picture(name="nothing")


@pytest.mark.long
@pytest.mark.parametrize("size", SIZES)
async def test_the_screens(
    opened: Opened, picture: SnapshotAssertion, told_folder: Path, size: tuple[int, int]
) -> None:
    """The list with a file that cannot be read, each view, two side by side, the dialog, the light."""
    cut = told_folder / "cut.sqlite"
    cut.write_bytes((told_folder / "fifty.sqlite").read_bytes()[:9000])
    os.utime(cut, (1_780_000_000, 1_780_000_000))
    async with opened(first_area="results", size=size) as pilot:
        await listed(pilot, 3)
        assert await still(pilot) == picture(name="list")
        await pilot.press("end")
        assert await still(pilot) == picture(name="list, unreadable")
        await pilot.press("home", "down")
        await opened_first(pilot)
        assert await still(pilot) == picture(name="all households")
        await pilot.press("O")
        await drawn(pilot, lambda sheet: sheet.house is not None)
        assert await still(pilot) == picture(name="one household")
        await pilot.press("U")
        await until(pilot, lambda: len(table(pilot, "#runs").rows) == 4)
        assert await still(pilot) == picture(name="all runs")
        await pilot.press("escape")
        await until(pilot, lambda: the_screen(pilot).simulation_list.table.has_focus)
        await pilot.press("e")
        await dialog(pilot, ExportDialog)
        assert await still(pilot) == picture(name="export")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is the_screen(pilot))
        await pilot.press("home", "space", "down", "v")
        await until(pilot, lambda: the_screen(pilot).place == "comparison")
        assert await still(pilot) == picture(name="two, figures")
        await pilot.press("T")
        await until(pilot, lambda: the_screen(pilot).comparison.tab == "days")
        assert await still(pilot) == picture(name="two, days")
        await pilot.press("J")
        await until(pilot, lambda: table(pilot, "#job-rows").has_focus)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: not pilot.app.current_theme.dark)
        assert await still(pilot) == picture(name="two, jobs, light")
