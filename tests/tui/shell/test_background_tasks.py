"""Background tasks of widgets: their exceptions become notices, unless the widget is being removed."""

from __future__ import annotations

from typing import Any

from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.pilot import Pilot

from tests.tui.conftest import Opened
from tests.tui.driving import at_once, click_at_once, the_app, until
from tui.shell import Guarded
from tui.shell.error_notices import crash_file


class View(Guarded, Vertical):
    """A widget whose tasks look for a child that is not there."""

    is_done = False

    async def look(self) -> None:
        """Look for the child."""
        self.is_done = True
        self.query_one("#child")

    async def look_while_removed(self) -> None:
        """Look for it as a task that ends just when the widget is removed."""
        self.remove()
        await self.look()


async def shown(pilot: Pilot[Any]) -> View:
    """Add a view to the screen."""
    view = View()
    await pilot.app.screen.mount(view)
    return view


async def test_a_task_that_ends_while_its_widget_is_removed_says_nothing(opened: Opened) -> None:
    """Its children are gone first; the user has left the view and needs no notice."""
    async with opened() as pilot:
        view = await shown(pilot)
        worker = view.run_in_background(view.look_while_removed)
        await until(pilot, lambda: worker.is_finished and not view.is_attached)
        assert view.is_done
        assert the_app(pilot).unexpected == []


async def test_a_task_that_fails_becomes_a_notice(opened: Opened) -> None:
    """A missing child of a widget that stays is a defect: it is shown, and the application goes on."""
    async with opened() as pilot:
        view = await shown(pilot)
        view.run_in_background(view.look)
        await until(pilot, lambda: the_app(pilot).unexpected)
        (error,) = the_app(pilot).unexpected
        assert isinstance(error, NoMatches)
        the_app(pilot).unexpected.clear()
        assert any("#child" in notice.message for notice in pilot.app._notifications)


async def test_keys_and_clicks_that_come_while_the_application_ends_are_no_errors(opened: Opened) -> None:
    """Its screens are gone by then; each became an unexpected error in the crash file."""
    async with opened() as pilot:
        app = the_app(pilot)
        at_once(pilot, *"kkk" * 20)
        click_at_once(pilot, app.screen, times=20)
    assert not crash_file().exists()
