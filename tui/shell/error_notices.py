"""Error boundary: exceptions of handlers become notices, so that no defect of a screen ends the application."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import platformdirs
from textual import events
from textual._callback import invoke
from textual.app import App, ScreenStackError
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import OptionList
from textual.worker import Worker

from broker import SsmicError

if TYPE_CHECKING:
    _Base = DOMNode
else:
    _Base = object

NOTICE_WALL_S = 10.0
"""How long error notices stay."""
Defect = tuple[type[BaseException], tuple[tuple[CodeType, int], ...]]
"""Identifies a defect: the error's type, and the code and lines that it passed, as one function may call several
that are defective."""
MOST_CHARACTERS = 600
"""Maximum length of a notice: a hundred problems would cover the screen."""


def is_too_late(app: App[Any], error: BaseException) -> bool:
    """Whether an error is harmless: the application is ending, and keys that still arrive find no screen or widget."""
    return isinstance(error, NoMatches | NoScreen | ScreenStackError) and not app.is_running


def is_too_early(error: BaseException) -> bool:
    """Whether an error is harmless: a key pages through a list that is hidden or not drawn yet, and so has no lines."""
    return isinstance(error, KeyError) and _raised_in(error) is OptionList._move_page.__code__  # noqa: SLF001 - Textual's


def is_of_callback(error: BaseException) -> bool:
    """Whether an error leaves the screen intact: that of a timer's callback, or of one that waited for something.

    The screen draws itself by a timer too. A widget that cannot be drawn fails again and again, and no notice is seen.
    """
    codes = _codes(error)
    callers = (Timer._tick.__code__, run_next_callbacks.__code__, run_refresh_callbacks.__code__)  # noqa: SLF001 - Textual's
    drawing = Screen._on_timer_update.__code__  # noqa: SLF001 - Textual's
    return bool(codes) and codes[0] in callers and drawing not in codes


def _codes(error: BaseException) -> list[CodeType]:
    """Return the code of the functions that an error passed, that which raised it last."""
    return [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]


def _raised_in(error: BaseException) -> CodeType | None:
    """Return the code of the function that raised an error."""
    codes = _codes(error)
    return codes[-1] if codes else None


def _is_repeated(app: App[Any], error: BaseException) -> bool:
    """Whether the same defect is on the screen already: a timer or a moving mouse meets it many times a second."""
    noticed: dict[Defect, float] = getattr(app, "defects_noticed", {})
    passed = tuple((frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__))
    defect, now_wall_s = (type(error), passed), time.monotonic()
    last_wall_s = noticed.get(defect)
    if last_wall_s is not None and now_wall_s - last_wall_s < NOTICE_WALL_S:
        return True
    noticed[defect] = now_wall_s
    return False


class AdviceError(SsmicError):
    """A precondition is missing: shown as advice, not as an error."""


def crash_file() -> Path:
    """Return the file for details of unexpected errors."""
    return platformdirs.user_log_path("ssmic") / "tui-errors.log"


def keep_details(error: BaseException) -> Path | None:
    """Append an unexpected error's traceback to the crash file; return the file, None if it cannot be written."""
    path = crash_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"--- {datetime.now(UTC).isoformat(timespec='seconds')}\n")
            file.writelines(traceback.format_exception(error))
    except OSError:
        return None
    return path


def complain(app: App[Any], error: BaseException, title: str = "") -> None:
    """Show an error as a notice; unexpected ones with the file that has the details, and not while the last is shown.

    Args:
        app: The application that shows the notice.
        error: The error.
        title: Title of the notice; empty: a default.
    """
    if isinstance(error, AdviceError):
        app.notify(str(error), severity="warning", markup=False)
        return
    if isinstance(error, SsmicError | OSError):
        text, title = str(error), title or "Error"
    else:
        if _is_repeated(app, error):
            return
        app.log.error(error)
        path = keep_details(error)
        where = f"Details: {path}" if path else ""
        text, title = f"{type(error).__name__}: {error}\n{where}".rstrip(), title or "Unexpected error"
        unexpected = getattr(app, "unexpected", None)
        if unexpected is not None:
            unexpected.append(error)
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]} ..."
    app.notify(text, title=title, severity="error", timeout=NOTICE_WALL_S, markup=False)


class ErrorBoundary(_Base):
    """Mixin for screens, the app and widgets: exceptions of background tasks become notices."""

    def run_in_background(
        self,
        task: Callable[[], Coroutine[Any, Any, Any]],
        *,
        group: str = "default",
        is_exclusive: bool = False,
        name: str = "",
        description: str = "",
        on_error: Callable[[], None] | None = None,
    ) -> Worker[None]:
        """Run a task, at most until this widget is removed; an exception becomes a notice.

        Args:
            task: The function to call; not a coroutine, as one that is cancelled before it starts is never awaited.
            group: Name of the group that the task belongs to.
            is_exclusive: Whether to cancel running tasks of the group first.
            name: Name of the worker in Textual's log.
            description: What it does, for the same log.
            on_error: Called after an exception, to take back what says that the task is in progress.
        """

        async def guarded() -> None:
            try:
                await task()
            except Exception as error:  # noqa: BLE001 - every error is shown
                _notice(self, error)
                if on_error is not None and self.is_attached:
                    on_error()

        return self.run_worker(
            guarded, group=group, exclusive=is_exclusive, name=name, description=description, exit_on_error=False
        )


def guard_handlers() -> None:
    """Show exceptions of handlers as notices: those of the app and of all widgets, also Textual's own.

    Textual ends the application on an exception in a handler, and offers no public hook before that.
    """
    dispatch = MessagePump._dispatch_message  # noqa: SLF001 - see above

    async def guarded(self: DOMNode, message: Message) -> None:
        try:
            await dispatch(self, message)
        except Exception as error:
            if isinstance(message, events.Compose):
                raise
            if not _is_stale_click(self, message, error):
                _notice(self, error)

    MessagePump._dispatch_message = guarded  # type: ignore[method-assign,assignment]  # noqa: SLF001 - see above
    MessagePump._flush_next_callbacks = run_next_callbacks  # type: ignore[method-assign,assignment]  # noqa: SLF001 - see there
    Screen._invoke_and_clear_callbacks = run_refresh_callbacks  # type: ignore[method-assign,assignment]  # noqa: SLF001 - see there


async def run_next_callbacks(pump: MessagePump) -> None:
    """Run the callbacks of `call_next`, all of them; Textual's own function drops those that follow one that fails.

    Args:
        pump: The widget, screen or application that they wait in.
    """
    callbacks, pump._next_callbacks = pump._next_callbacks, []  # noqa: SLF001 - Textual's
    for callback in callbacks:
        try:
            with pump.prevent(*callback._prevent):  # noqa: SLF001 - Textual's
                await invoke(callback.callback)
        except Exception as error:  # noqa: BLE001 - becomes a notice, or ends the application
            pump.app._handle_exception(error)  # noqa: SLF001 - as Textual's own function does


async def run_refresh_callbacks(screen: Screen[Any]) -> None:
    """Run the callbacks of `call_after_refresh`, all of them; Textual's own function drops those after one that fails.

    Args:
        screen: The screen, which keeps them for all its widgets.
    """
    callbacks, screen._callbacks = screen._callbacks, []  # noqa: SLF001 - Textual's
    for callback, asked_by in callbacks:
        try:
            with asked_by._context():  # noqa: SLF001 - Textual's
                await invoke(callback)
        except Exception as error:  # noqa: BLE001 - becomes a notice, or ends the application
            screen.app._handle_exception(error)  # noqa: SLF001 - as Textual's own function does


def _is_stale_click(node: DOMNode, message: Message, error: Exception) -> bool:
    """Whether a click hit what was gone: a line of a list that was searched again, or a widget that was removed."""
    if isinstance(message, events.Click):
        return isinstance(error, IndexError) and isinstance(node, OptionList)
    is_press = isinstance(message, events.MouseDown) and isinstance(error, AttributeError)
    return is_press and _raised_in(error) is Screen._forward_event.__code__  # noqa: SLF001 - Textual's


def _notice(node: DOMNode, error: Exception) -> None:
    # Textual removes the children of a widget before the widget itself, and does not compose those of one that is
    # being removed, yet still mounts it; so handlers and tasks find no children: that is harmless. A child that is
    # missing while the widget stays is a defect. A dialog that has been answered is removed next.
    is_removed = node._pruning or getattr(node, "is_answered", False)  # noqa: SLF001 - see above
    is_harmless = is_removed and isinstance(error, NoMatches | NoScreen)
    if not is_harmless and not is_too_late(node.app, error):
        complain(node.app, error)
