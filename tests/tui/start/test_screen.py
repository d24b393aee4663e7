"""The start screen: what `ssmic` opens; recent neighbourhoods, rescued changes, last results, bundled ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from tests.tui.driving import dialog, focus, until
from tui.shell.dialogs import Confirm
from tui.shell.navigation import EditScenario
from tui.start.remembered import load_recent, recent_file
from tui.start.screen import StartScreen, entries

Opened = Any
SMALL = """\
version: 1
name: small
start: 2026-06-21T00:00:00Z
seed: 1
houses: []
jobs: []
"""


def _kinds() -> list[str]:
    return [entry.kind for entry in entries()]


def _desk(pilot: Pilot[Any]) -> Any:
    return pilot.app._screen_stacks["neighbourhoods"][0]


def _is_settled(pilot: Pilot[Any]) -> bool:
    return _desk(pilot).work is not None and bool(_desk(pilot).is_settled)


async def _on(pilot: Pilot[Any], target: str) -> None:
    """Put the cursor on an entry by the arrow keys."""
    screen = pilot.app.screen
    assert isinstance(screen, StartScreen)
    await until(pilot, lambda: screen.entry is not None and screen.focused is not None)
    await focus(pilot, screen.query_one(OptionList))
    await pilot.press("home")
    for _ in screen.entries:
        if screen.entry is not None and screen.entry.target == target:
            return
        await pilot.press("down")
    raise AssertionError(target)


async def test_without_a_history_the_start_screen_offers_bundled_scenarios(opened: Opened) -> None:
    """It is the first screen; Enter opens a copy of the street, Ctrl+R goes to Run with it."""
    async with opened() as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, StartScreen)
        await until(pilot, lambda: screen.entry is not None and screen.focused is not None)
        assert set(_kinds()) == {"action", "bundled"}
        await _on(pilot, "street")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: getattr(pilot.app.screen, "AREA", "") == "run")
        await until(pilot, lambda: pilot.app.screen.query_one("#source").value == "street")
        await pilot.press("0")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("enter")
        await until(pilot, lambda: getattr(pilot.app.screen, "AREA", "") == "neighbourhoods")
        await until(pilot, lambda: _desk(pilot).work is not None and _desk(pilot).work.source == "street")


@pytest.mark.long
async def test_a_neighbourhood_that_was_opened_is_offered_next_time(opened: Opened, tmp_path: Path) -> None:
    """The newest is first, missing files are omitted; Del removes an entry, not the file."""
    for name in ("old", "new", "gone"):
        (tmp_path / f"{name}.yaml").write_text(SMALL)
        async with opened(first_intent=EditScenario(f"{name}.yaml")) as pilot:
            await until(pilot, partial(_is_settled, pilot))
    (tmp_path / "gone.yaml").unlink()
    async with opened() as pilot:
        screen = pilot.app.screen
        await until(pilot, lambda: screen.entry is not None and screen.focused is not None)
        offered = [entry.title for entry in screen.entries if entry.kind == "neighbourhood"]
        assert offered == ["new.yaml", "old.yaml"]
        assert screen.entry.title == "new.yaml"
        does = screen.query_one("#does", Static)
        assert str(does.render()).endswith("off this list.")
        assert cell_len(str(does.render())) <= does.content_size.width == 76
        await pilot.press("delete")
        await until(pilot, lambda: "new.yaml" not in [entry.title for entry in screen.entries])
        assert (tmp_path / "new.yaml").exists()
        await _on(pilot, str(tmp_path / "old.yaml"))
        await pilot.press("enter")
        await until(pilot, lambda: _desk(pilot).work is not None and _desk(pilot).work.title == "old.yaml")


async def test_rescued_changes_come_back_as_unsaved_changes_of_their_file(opened: Opened, tmp_path: Path) -> None:
    """Saving writes them to the file and removes the rescued copy, without further questions."""
    file = tmp_path / "street.yaml"
    file.write_text(SMALL)
    rescued = tmp_path / "street.rescued.yaml"
    rescued.write_text(SMALL.replace("name: small", "name: smaller"))
    async with opened() as pilot:
        screen = pilot.app.screen
        await until(pilot, lambda: screen.entry is not None and screen.focused is not None)
        assert screen.entry.kind == "rescued"
        await pilot.press("enter")
        await until(pilot, partial(_is_settled, pilot))
        work = _desk(pilot).work
        assert (work.path, work.history.is_dirty, work.tree["name"]) == (file, True, "smaller")
        assert file.read_text() == SMALL
        await pilot.press("ctrl+s")
        await until(pilot, lambda: not rescued.exists())
        assert not work.history.is_dirty
        assert "name: smaller" in file.read_text()


async def test_rescued_changes_are_discarded_only_after_a_question(opened: Opened, tmp_path: Path) -> None:
    """The first answer keeps them."""
    rescued = tmp_path / "a.rescued-2.yaml"
    rescued.write_text(SMALL)
    async with opened() as pilot:
        screen = pilot.app.screen
        await until(
            pilot, lambda: screen.focused is not None and screen.entry is not None and screen.entry.kind == "rescued"
        )
        await pilot.press("delete")
        await dialog(pilot, Confirm)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert rescued.exists()
        await pilot.press("delete")
        await dialog(pilot, Confirm)
        await pilot.press("right", "enter")
        await until(pilot, lambda: not rescued.exists())
        await until(pilot, lambda: "rescued" not in [entry.kind for entry in screen.entries])


@pytest.mark.parametrize(
    "content",
    ["{", *(pytest.param(it, marks=pytest.mark.long) for it in ("\x00\xff", "", "[1, 2]", '{"neighbourhoods": 3}'))],
)
async def test_a_damaged_history_counts_as_none(opened: Opened, content: str, tmp_path: Path) -> None:
    """The next opened file rewrites it."""
    recent_file().parent.mkdir(parents=True)
    recent_file().write_text(content, encoding="latin-1")
    (tmp_path / "a.yaml").write_text(SMALL)
    async with opened() as pilot:
        await until(pilot, lambda: pilot.app.screen.entry is not None)
        pilot.app.post_message(EditScenario("a.yaml"))
        await until(pilot, lambda: load_recent().neighbourhoods == (tmp_path / "a.yaml",))
        await until(pilot, partial(_is_settled, pilot))


async def test_a_history_that_cannot_be_written_stops_nothing(opened: Opened, tmp_path: Path) -> None:
    """A file is in the place of its folder."""
    recent_file().parent.parent.mkdir(parents=True, exist_ok=True)
    recent_file().parent.write_text("no folder")
    (tmp_path / "a.yaml").write_text(SMALL)
    async with opened(first_intent=EditScenario("a.yaml")) as pilot:
        await until(pilot, lambda: _desk(pilot).work is not None)
        await pilot.press("0")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen) and pilot.app.screen.entry is not None)
        assert _kinds()[0] == "bundled"


@pytest.mark.parametrize(
    ("key", "name"), [("i", "ImportDialog"), ("ctrl+o", "PickPath"), ("b", "Picker"), ("w", "AskText")]
)
async def test_the_ways_to_begin_lead_there(opened: Opened, key: str, name: str) -> None:
    """Each is reached by the key next to it."""
    async with opened() as pilot:
        await until(pilot, lambda: pilot.app.screen.entry is not None)
        await pilot.press(key)
        await until(pilot, lambda: type(pilot.app.screen).__name__ == name)
