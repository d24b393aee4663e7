"""Keys that come together are obeyed one after the other: what follows the key of a dialog is typed into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import Key, Paste
from textual.widgets import Static

from tests.tui.driving import at_once, dialog, notices, until
from tui.app import SsmicApp
from tui.editor.screen import NeighbourhoodsScreen
from tui.shell import key_queue
from tui.shell.dialogs import Confirm
from tui.shell.help import HelpScreen
from tui.shell.key_queue import KeyQueue, Typed
from tui.shell.navigation import EditScenario

Opened = Any


def _editor(app: SsmicApp) -> NeighbourhoodsScreen:
    screen = app._screen_stacks["neighbourhoods"][0]
    assert isinstance(screen, NeighbourhoodsScreen)
    return screen


async def test_a_name_typed_after_the_key_of_a_dialog_is_its_text(opened: Opened) -> None:
    """It went to the screen below: `a` of `scarce` asked for a device, `h` of `four-seasons` added a house."""
    async with opened(first_area="neighbourhoods", first_intent=EditScenario("night")) as pilot:
        editor = _editor(pilot.app)
        await until(pilot, lambda: editor.work is not None and editor.is_settled)
        at_once(pilot, "b", *"scarce", "enter")
        await until(pilot, lambda: editor.work is not None and editor.work.source == "scarce")
        await until(pilot, lambda: editor.is_settled)
        at_once(pilot, "slash", *"panels", "enter")
        await until(pilot, lambda: editor.ref[:1] == ("houses",))
        assert editor.work is not None
        assert not editor.work.history.is_dirty
        assert notices(pilot) == []


async def test_a_paste_and_the_keys_of_a_second_dialog_wait_too(opened: Opened, tmp_path: Path) -> None:
    """A name is pasted into the dialog of the file, and `Enter` after it saves there."""
    file = tmp_path / "here.yaml"
    async with opened(first_area="neighbourhoods", first_intent=EditScenario("night")) as pilot:
        editor = _editor(pilot.app)
        await until(pilot, lambda: editor.work is not None and editor.is_settled)
        at_once(pilot, "f12", "end", "ctrl+u")
        pilot.app.post_message(Paste(str(file)))
        at_once(pilot, "enter")
        await until(pilot, file.exists)


async def test_a_key_waits_no_longer_than_a_dialog_may_take(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that shows no dialog, such as a long import, does not keep the keys for ever."""
    monkeypatch.setattr(key_queue, "LONGEST_WAIT_WALL_S", 0.05)
    async with opened() as pilot:
        pilot.app.key_queue.expect_dialog()
        at_once(pilot, "Z", "question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        assert pilot.app.utc_times


async def test_keys_go_on_when_the_task_ends_without_a_dialog(opened: Opened) -> None:
    """They wait for it, in order."""
    async with opened() as pilot:
        end = pilot.app.key_queue.expect_dialog()
        at_once(pilot, "Z", "question_mark")
        await until(pilot, lambda: pilot.app.utc_times)
        await pilot.pause()
        assert not isinstance(pilot.app.screen, HelpScreen)
        end()
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))


@pytest.mark.parametrize("pending", [(), ("Z", "h")])
async def test_quitting_waits_for_no_dialog(opened: Opened, pending: tuple[str, ...]) -> None:
    """It waited two seconds behind a task that may show one, such as an import; what was typed for it is dropped."""
    async with opened(first_area="neighbourhoods", first_intent=EditScenario("night")) as pilot:
        editor = _editor(pilot.app)
        await until(pilot, lambda: editor.work is not None and editor.is_settled)
        pilot.app.key_queue.expect_dialog()
        at_once(pilot, "Z", *pending, "ctrl+q")
        await until(pilot, lambda: pilot.app._exit)
        assert pilot.app.utc_times
        assert editor.work is not None
        assert not editor.work.history.is_dirty


async def test_quitting_asks_about_unsaved_work_though_a_dialog_is_expected(opened: Opened) -> None:
    """The key before it has added a house."""
    async with opened(first_area="neighbourhoods", first_intent=EditScenario("night")) as pilot:
        editor = _editor(pilot.app)
        await until(pilot, lambda: editor.work is not None and editor.is_settled)
        pilot.app.key_queue.expect_dialog()
        at_once(pilot, "h", "enter", "ctrl+q")
        question = await dialog(pilot, Confirm)
        assert "unsaved changes" in str(question.query_one(".details", Static).content)
        assert not pilot.app._exit


async def test_quitting_waits_for_a_key_that_saves(opened: Opened, tmp_path: Path) -> None:
    """It asks nothing about work that the key before it has saved."""
    file = tmp_path / "here.yaml"
    file.write_text("version: 1\nname: a\nstart: 0\nseed: 1\nhouses: []\njobs: []\n", encoding="utf-8")
    async with opened(first_area="neighbourhoods", first_intent=EditScenario(str(file))) as pilot:
        editor = _editor(pilot.app)
        await until(pilot, lambda: editor.work is not None and editor.is_settled)
        at_once(pilot, "h", "escape", "ctrl+s", "ctrl+q")
        await until(pilot, lambda: pilot.app._exit)
        assert not isinstance(pilot.app.screen, Confirm)
        assert "House 1" in file.read_text(encoding="utf-8")


async def test_a_slow_key_costs_no_key_before_the_one_that_quits(opened: Opened) -> None:
    """No dialog was expected, so nothing was typed for one; the key that saves was dropped."""
    delivered: list[str] = []

    async def deliver(event: Typed) -> None:
        assert isinstance(event, Key)
        delivered.append(event.key)

    async with opened() as pilot:
        order = KeyQueue(pilot.app, deliver)
        for key in ("f5", "ctrl+s", "ctrl+q"):
            await order.take(Key(key, None))
        await order._stop_waiting()  # as the timer does if the first key takes long
        assert delivered == ["f5", "ctrl+s"]
        await until(pilot, lambda: delivered == ["f5", "ctrl+s", "ctrl+q"])
