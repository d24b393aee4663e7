"""Exceptions of widgets' handlers and background tasks: notices, unless the widget is being removed."""

from __future__ import annotations

from typing import Any

import pytest
from rich.text import Text
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.events import Click, MouseDown
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from tests.tui.conftest import Opened
from tests.tui.driving import at_once, click, click_at_once, dialog, the_app, until
from tui.editor.screen import NeighbourhoodsScreen
from tui.shell import AreaScreen, ErrorBoundary, HelpScreen
from tui.shell.error_notices import crash_file
from tui.start import rescue_folder


class View(ErrorBoundary, Vertical):
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
        await click_at_once(pilot, app.screen, times=20)
    assert not crash_file().exists()


class Broken(Static):
    """A widget that is not ours, with a defect."""

    def on_click(self) -> None:
        """Fail."""
        raise ValueError("a defect")


async def test_a_defect_of_any_widget_becomes_a_notice(opened: Opened) -> None:
    """Also of one of Textual's, which know nothing of notices: it ended the application."""
    async with opened() as pilot:
        broken = Broken("click")
        await pilot.app.screen.mount(broken, before=0)
        await click(pilot, broken)
        await until(pilot, lambda: the_app(pilot).unexpected)
        (error,) = the_app(pilot).unexpected
        assert str(error) == "a defect"
        the_app(pilot).unexpected.clear()
        await pilot.press("f1")
        await dialog(pilot, HelpScreen)


async def test_a_click_on_a_line_that_a_list_no_longer_has_does_nothing(opened: Opened) -> None:
    """The palette or a picker was searched again before the click arrived; it ended the application."""
    async with opened() as pilot:
        listed = pilot.app.screen.query_one("#entries", OptionList)
        await until(pilot, lambda: listed.option_count > 3)
        await pilot.pause()
        x, y = listed.content_region.x + 4, listed.content_region.y + 1
        style = pilot.app.screen.get_style_at(x, y)
        assert "option" in style.meta
        no_keys = {"shift": False, "meta": False, "ctrl": False}
        listed.post_message(Click(listed, x, y, delta_x=0, delta_y=0, button=1, **no_keys, style=style))
        listed.clear_options()
        await pilot.pause()
        assert isinstance(pilot.app.screen, AreaScreen)


async def test_a_click_on_a_widget_that_was_just_removed_does_nothing(opened: Opened) -> None:
    """The screen still shows it, because it has not been drawn again."""
    async with opened() as pilot:
        gone = Static("click")
        await pilot.app.screen.mount(gone, before=0)
        await until(pilot, lambda: gone.region.height)
        x, y = gone.region.offset
        with pilot.app.batch_update():
            await gone.remove()
            assert pilot.app.screen.get_widget_at(x, y)[0] is gone
            press = MouseDown(gone, x, y, 0, 0, button=1, shift=False, meta=False, ctrl=False)
            pilot.app.post_message(press)
            await pilot.pause()


async def test_a_key_that_pages_through_a_hidden_list_does_nothing(opened: Opened) -> None:
    """So is that of the palette until it has found something."""
    async with opened() as pilot:
        listed = OptionList("one", "two")
        listed.display = False
        await pilot.app.screen.mount(listed)
        listed.highlighted = 0
        await pilot.app.run_action("page_down", listed)


class Ticking(Static):
    """A widget with a defect in what a timer calls, and in what it asks to be called next."""

    def on_mount(self) -> None:
        """Let a timer call it, again and again."""
        self.ticks = 0
        self.set_interval(0.01, self.tick)
        self.call_next(self.fail_once)

    def tick(self) -> None:
        """Fail."""
        self.ticks += 1
        raise ValueError("a timer's defect")

    def fail_once(self) -> None:
        """Fail."""
        raise ValueError("a callback's defect")


async def test_a_defect_of_a_callback_becomes_a_notice_not_one_for_each_call(opened: Opened) -> None:
    """It ended the application; one notice at a time is enough, and the crash file does not grow by each call."""
    async with opened() as pilot:
        ticking = Ticking("tick")
        await pilot.app.screen.mount(ticking, before=0)
        await until(pilot, lambda: ticking.ticks > 10)
        said = sorted(str(error) for error in the_app(pilot).unexpected)
        assert said == ["a callback's defect", "a timer's defect"]
        assert crash_file().read_text(encoding="utf-8").count("ValueError: a") == 2
        await pilot.press("f1")
        await dialog(pilot, HelpScreen)
        the_app(pilot).unexpected.clear()


class Needing(Static):
    """A widget with two defects, which one method meets."""

    def first(self) -> None:
        """Fail."""
        self.need("first")

    def second(self) -> None:
        """Fail."""
        self.need("second")

    def need(self, what: str) -> None:
        """Fail."""
        raise LookupError(what)


async def test_two_defects_that_one_function_meets_are_both_shown(opened: Opened) -> None:
    """The later one was taken for the earlier one: as long as that came again, it was neither shown nor kept."""
    async with opened() as pilot:
        unexpected, needing = the_app(pilot).unexpected, Needing()
        await pilot.app.screen.mount(needing, before=0)
        needing.call_next(needing.first)
        await until(pilot, lambda: len(unexpected) == 1)
        needing.call_next(needing.second)
        await until(pilot, lambda: len(unexpected) == 2)
        assert [str(error) for error in unexpected] == ["first", "second"]
        unexpected.clear()


class Planning(Static):
    """A widget that has two things called in one moment, of which the first has a defect."""

    called: tuple[str, ...] = ()

    def plan(self) -> None:
        """Have both called next, and both after the screen has been drawn."""
        for later in (self.call_next, self.call_after_refresh):
            later(self.fail, later.__name__)
            later(self.note, later.__name__)

    def fail(self, when: str) -> None:
        """Fail."""
        raise ValueError(when)

    def note(self, when: str) -> None:
        """Note the call."""
        self.called = (*self.called, when)


async def test_a_defect_of_a_callback_does_not_drop_the_others_of_that_moment(opened: Opened) -> None:
    """Textual calls those that wait one after the other; those after the first that failed were never called."""
    async with opened() as pilot:
        unexpected, planning = the_app(pilot).unexpected, Planning()
        await pilot.app.screen.mount(planning, before=0)
        planning.call_later(planning.plan)
        await until(pilot, lambda: len(unexpected) == 2)
        await pilot.pause()
        assert planning.called == ("call_next", "call_after_refresh")
        assert [str(error) for error in unexpected] == ["call_next", "call_after_refresh"]
        unexpected.clear()


async def test_a_defect_of_a_callback_after_drawing_is_a_notice_also_where_nothing_is_drawn(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen calls it while it is idle then; the application ended."""
    monkeypatch.setenv("SSMIC_TUI_AS_USER", "1")
    async with opened() as pilot:
        unexpected, planning = the_app(pilot).unexpected, Planning()
        await pilot.app.screen.mount(planning, before=0)
        await pilot.pause()
        planning.call_after_refresh(planning.fail, "idle")
        await until(pilot, lambda: unexpected or not pilot.app.is_running)
        assert pilot.app.is_running
        assert [str(error) for error in unexpected] == ["idle"]
        unexpected.clear()


class Undrawable(Static):
    """A widget that cannot be drawn."""

    def render(self) -> Text:
        """Fail."""
        raise ValueError("cannot be drawn")


async def test_what_cannot_be_drawn_ends_the_application_with_the_work_rescued(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No notice would be seen, because nothing is drawn any more; and drawing fails again and again."""
    monkeypatch.setenv("SSMIC_TUI_AS_USER", "1")
    async with opened(first_area="neighbourhoods") as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, NeighbourhoodsScreen)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: screen.work is not None)
        await pilot.press("h", *"café")
        await until(pilot, lambda: screen.work is not None and "café" in screen.work.history.current.document().text)
        screen.mount(Undrawable())
        await until(pilot, lambda: not pilot.app.is_running)
    assert pilot.app.return_code == 1
    (rescued,) = rescue_folder().iterdir()
    assert "café" in rescued.read_text(encoding="utf-8")
