"""Order of keys: each waits until the one before has been obeyed, and until a dialog that it opens takes keys.

Textual sends a key at once to what has the focus, also if an earlier key is about to open a dialog. On a slow machine,
or where a program types, the rest of the text then went to the screen below, as keys that change it.

The key that quits does not wait for a dialog. What was typed for that dialog is dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key, Paste
from textual.screen import ModalScreen, Screen
from textual.timer import Timer

from tui.keys import is_typed

LONGEST_WAIT_WALL_S: Final = 2.0
"""A key waits at most this long. Users who have waited so long look at the screen before they go on typing."""
QUIT_KEY: Final = "ctrl+q"
_PASSES = 3
"""A key is obeyed by its widget, by what that tells its parents, and by what these tell theirs."""
_MOVES = frozenset({"up", "down", "left", "right", "pageup", "pagedown", "home", "end", "tab", "shift+tab"})
"""Keys that open nothing: one that is held down must not wait for the screen."""
Typed = Key | Paste


class KeyQueue:
    """Delivers keys and pasted text one after the other."""

    def __init__(self, app: App[Any], deliver: Callable[[Typed], Awaitable[None]]) -> None:
        """Make it.

        Args:
            app: The application.
            deliver: Sends an event to what has the focus; called in the order of the events.
        """
        self._app = app
        self._deliver = deliver
        self._held: deque[Typed] = deque()
        self._is_obeyed = True
        """Whether the last key that was delivered has done all that it does."""
        self._number = 0
        """Counts the keys that others wait for."""
        self._expected: dict[object, bool] = {}
        """The tasks that may show dialogs, and whether the key that quits waits for them too."""
        self._timer: Timer | None = None

    async def take(self, event: Typed) -> None:
        """Deliver an event, or keep it until those before have been obeyed."""
        self._held.append(event)
        if self._is_obeyed:
            await self._deliver_held()
        elif _quits(event):
            self.look_again()

    def expect_dialog(self, *, saves: bool = False) -> Callable[[], None]:
        """Say that a task has begun that may show dialogs; keys wait for them.

        Args:
            saves: Whether it saves work; then the key that quits waits too, so that it asks about nothing just saved.

        Returns:
            A function to be called when the task has ended.
        """
        task = object()
        self._expected[task] = saves

        def end() -> None:
            self._expected.pop(task, None)
            self.look_again()

        return end

    def look_again(self) -> None:
        """Deliver what waits, if it may be: a dialog is there, or none is expected any more."""
        if not self._is_obeyed:
            self._follow(self._number)

    async def _deliver_held(self) -> None:
        while self._held and self._is_obeyed:
            event = self._held.popleft()
            is_quick = isinstance(event, Paste) or event.key in _MOVES or is_typed(self._app.focused, event.key)
            self._is_obeyed = is_quick
            await self._deliver(event)
            if not is_quick:
                self._number += 1
                self._stop_timer()
                self._timer = self._app.set_timer(LONGEST_WAIT_WALL_S, self._stop_waiting)
                self._follow(self._number)

    def _follow(self, number: int) -> None:
        """Follow a key to the widget with the focus, and from there through its parents to the application."""
        screen = self._app.screen
        way: list[DOMNode] = [*(self._app.focused or screen).ancestors_with_self] * _PASSES

        async def pass_on() -> None:
            if number != self._number or self._is_obeyed:
                return
            while way:
                if way.pop(0).call_later(pass_on):
                    return
            await self._arrived(screen)

        self._app.call_later(pass_on)

    async def _arrived(self, screen: Screen[Any]) -> None:
        now = self._app.screen
        if now is not screen:
            self._follow(self._number)  # wait until the other screen is built
        elif isinstance(now, ModalScreen) or not self._expected:
            await self._obeyed()
        elif self._is_quitting and not any(self._expected.values()):
            await self._stop_waiting()

    async def _stop_waiting(self) -> None:
        if self._expected and self._is_quitting and not isinstance(self._app.screen, ModalScreen):
            while not _quits(self._held[0]):
                self._held.popleft()
        self._expected.clear()
        await self._obeyed()

    async def _obeyed(self) -> None:
        self._stop_timer()
        self._is_obeyed = True
        await self._deliver_held()

    @property
    def _is_quitting(self) -> bool:
        return any(map(_quits, self._held))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None


def _quits(event: Typed) -> bool:
    return isinstance(event, Key) and event.key == QUIT_KEY
