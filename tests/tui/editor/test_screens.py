"""Pictures of the editor, at both sizes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.driving import still, until
from tui.app import SsmicApp
from tui.editor.screen import NeighbourhoodsScreen
from tui.shell.navigation import EditScenario

Show = Callable[[str | None, tuple[int, int], tuple[str, ...]], bool]
SIZES = pytest.mark.parametrize(
    "size",
    [pytest.param((80, 24), id="small"), pytest.param((140, 45), id="wide", marks=pytest.mark.long)],
)


@pytest.fixture
def looks_the_same(snap_compare: Any) -> Show:
    """Compare the screen after some keys with its picture."""

    def compare(source: str | None, size: tuple[int, int], keys: tuple[str, ...]) -> bool:
        intent = None if source is None else EditScenario(source)
        app = SsmicApp(first_area="neighbourhoods", first_intent=intent, remember=False)

        async def before(pilot: Pilot[Any]) -> None:
            await _settle(pilot, is_open=source is not None)
            for key in keys:
                await pilot.press(key)
                await _settle(pilot, is_open=source is not None)
            await still(pilot)

        run_before: Callable[[Pilot[Any]], Awaitable[None]] = before
        return bool(snap_compare(app, terminal_size=size, run_before=run_before))

    return compare


async def _settle(pilot: Pilot[Any], *, is_open: bool) -> None:
    """Wait until all is checked and drawn."""
    editor = pilot.app._screen_stacks["neighbourhoods"][0]
    assert isinstance(editor, NeighbourhoodsScreen)
    await pilot.pause()
    await until(pilot, lambda: not is_open or (editor.work is not None and editor.is_settled))
    await pilot.pause()


@SIZES
def test_nothing_open(looks_the_same: Any, size: tuple[int, int]) -> None:
    """It shows the ways to begin."""
    assert looks_the_same(None, size, ())


@SIZES
def test_a_neighbourhood(looks_the_same: Any, size: tuple[int, int]) -> None:
    """Its settings, its day."""
    assert looks_the_same("street", size, ())


@pytest.mark.long
@SIZES
def test_a_producer(looks_the_same: Any, size: tuple[int, int]) -> None:
    """Its forecasts."""
    assert looks_the_same("street", size, ("down",) * 6)


@SIZES
def test_a_job_with_a_problem(looks_the_same: Any, size: tuple[int, int], file: Path) -> None:
    """The problem is at the field, in the list and in the tree."""
    file.write_text(file.read_text(encoding="utf-8").replace('latest_start: "16:00"', 'latest_start: "07:00"'))
    assert looks_the_same(str(file), size, ("f8",))


@SIZES
def test_a_community(looks_the_same: Any, size: tuple[int, int], file: Path) -> None:
    """How bills are settled; the text says what a field means."""
    community = "{key: static, coefficients: {'1': 0.6}, grid_fee_eur_per_kwh: 0.09, vat_percent: 19}"
    tariff = "{import_eur_per_kwh: 0.3, feed_in_eur_per_kwh: 0.1, neighbour_eur_per_kwh: 0.2, grid_kg_co2_per_kwh: 0.4}"
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}tariff: {tariff}\ncommunity: {community}\n", encoding="utf-8")
    assert looks_the_same(str(file), size, ("end", "enter"))


@SIZES
def test_devices_to_pick_from(looks_the_same: Any, size: tuple[int, int]) -> None:
    """The list has a preview of the device under the cursor."""
    assert looks_the_same("street", size, ("down", "a"))
