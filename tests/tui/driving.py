"""Helpers that drive the application: wait for a condition, never for a time, and click widgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from textual._context import active_app
from textual.app import App
from textual.css.query import NoMatches
from textual.events import Key, MouseDown, MouseUp
from textual.geometry import Region
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from tests.patience import PATIENCE_WALL_S

_LOOK_WALL_S = 0.02
_DRAWING_WALL_S = 0.001
_BUSY_WALL_S = 20.0
"""After this, an application that is still busy is taken for one that always is."""
_IDLE_TURNS = 10
"""Turns of the event loop in which nothing may be pending: a message that is being handled may lead to another."""
ScreenT = TypeVar("ScreenT", bound=Screen[Any])


async def idle(_min_sleep: float = 0) -> None:
    """Wait until the application has handled and drawn all that it was given; takes the place of `wait_for_idle`.

    Textual's function calls a process idle that uses no processor time; on a busy machine, one that waits for its turn
    uses none either. Neither waits for what threads and other processes find: that is for `until`.
    """
    app = active_app.get()
    end_wall_s, turns = monotonic() + _BUSY_WALL_S, 0
    while app.is_running and turns < _IDLE_TURNS and monotonic() < end_wall_s:
        await asyncio.sleep(_DRAWING_WALL_S if _draws(app) else 0)
        turns = 0 if _draws(app) or _has_messages(app) else turns + 1


def _has_messages(app: App[Any]) -> bool:
    """Return whether a widget has yet to be mounted, or to handle a message."""
    nodes: list[MessagePump] = [app, *app._registry]
    return any(node.message_queue_size + len(node._next_callbacks) or not node._is_mounted for node in nodes)


def _draws(app: App[Any]) -> bool:
    """Return whether the screen has yet to be drawn, which a timer of Textual does: no message is pending meanwhile."""
    if app._batch_count or not app._screen_stack:
        return False
    screen = app.screen
    return bool(screen._layout_required or screen._repaint_required or screen._dirty_widgets or screen._callbacks)


async def until(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Run the application until a condition holds.

    What the condition asks about need not be there yet: then it does not hold.
    """
    missing: Exception | None = None
    try:
        async with asyncio.timeout(PATIENCE_WALL_S):
            while True:
                missing = None
                try:
                    if holds():
                        return
                except (AssertionError, LookupError, NoMatches) as error:
                    missing = error
                await pilot.pause(_LOOK_WALL_S)
    except TimeoutError as late:
        raise late from missing


async def dialog(pilot: Pilot[Any], kind: type[ScreenT]) -> ScreenT:
    """Wait until a dialog is there and takes keys; return it."""
    await until(pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.screen.focused is not None)
    screen = pilot.app.screen
    assert isinstance(screen, kind)
    return screen


def at_once(pilot: Pilot[Any], *keys: str) -> None:
    """Give the application keys that a terminal delivers together, before it has obeyed the first."""
    for key in keys:
        pilot.app.post_message(Key(key, key if len(key) == 1 else None))


async def focus(pilot: Pilot[Any], widget: Widget) -> None:
    """Focus a widget, again if pending work moves the focus elsewhere."""

    def is_focused() -> bool:
        if not widget.has_focus:
            widget.focus()
        return widget.has_focus

    await until(pilot, is_focused)


async def click(pilot: Pilot[Any], widget: Widget, *, offset: tuple[int, int] = (0, 0), times: int = 1) -> None:
    """Click a widget as soon as it is where the mouse can reach it, and has stopped moving."""
    await _in_place(pilot, widget, offset)
    await pilot.click(widget, offset=offset, times=times)


async def click_at_once(pilot: Pilot[Any], widget: Widget, *, offset: tuple[int, int] = (0, 0), times: int) -> None:
    """Click several times before the application has obeyed the first click, as a terminal does on a slow line."""
    await _in_place(pilot, widget, offset)
    x, y = widget.content_region.offset + offset
    for _ in range(times):
        for kind in (MouseDown, MouseUp):
            pilot.app.post_message(
                kind(None, x, y, delta_x=0, delta_y=0, button=1, shift=False, meta=False, ctrl=False)
            )


async def _in_place(pilot: Pilot[Any], widget: Widget, offset: tuple[int, int]) -> None:
    """Wait until the mouse can reach a point of a widget that has stopped moving."""
    before: Region | None = None

    def is_still_there() -> bool:
        nonlocal before
        was, before = before, widget.region
        if was != before or not before.area:
            return False
        x, y = before.x + offset[0], before.y + offset[1]
        is_in_sight = pilot.app.screen.size.region.contains(x, y)
        return is_in_sight and widget in pilot.app.get_widget_at(x, y)[0].ancestors_with_self

    await until(pilot, is_still_there)


async def still(pilot: Pilot[Any]) -> str:
    """Return a picture of the screen when all that was asked for is drawn: three in a row are the same."""
    before, same = "", 0
    while True:
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        draw = getattr(pilot.app.screen_stack[0], "draw", None)
        if draw is not None:
            draw()
        await pilot.pause()
        await pilot.pause(_LOOK_WALL_S)
        now = pilot.app.export_screenshot(title="ssmic")
        same = same + 1 if now == before else 0
        if same == 2:
            return now
        before = now


async def steps(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Step a paused run hour by hour, by the key, until a condition holds."""
    monitored_run: Any = getattr(pilot.app, "monitored_run", None)
    while not holds():
        before = monitored_run.feed.watched.time
        await pilot.press("t")
        await until(pilot, partial(_stands_after, monitored_run, before.step))


def _stands_after(monitored_run: Any, step: int) -> bool:
    now = monitored_run.feed.watched.time
    return bool(monitored_run.state == "ended" or (monitored_run.state == "paused" and now.step > step))


def notices(pilot: Pilot[Any]) -> list[tuple[str, str]]:
    """Return what was announced: severity, text."""
    return [(notice.severity, notice.message) for notice in pilot.app._notifications]


def the_app(pilot: Pilot[Any]) -> Any:
    """Return our application."""
    return pilot.app
