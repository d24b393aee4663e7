"""The terminal driver: ends the application when the terminal is closed, and removes control codes from pasted text."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from typing_extensions import override

if TYPE_CHECKING:
    from textual.app import App


_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_KEPT_CONTROLS = "\r\n\t"


class PasteSafeParser(XTermParser):
    """Textual's parser, except that control characters within pasted text are dropped.

    Textual takes an escape sequence within pasted text for keys, and the letters behind it too, `Enter` included. Most
    terminals remove such sequences from what they paste, tmux does not.
    """

    def __init__(self, debug: bool = False) -> None:  # noqa: FBT001, FBT002 - Textual's own signature
        """See `XTermParser`."""
        super().__init__(debug)
        self._is_pasting = False
        self._last = ""
        """The last characters outside of pasted text; within it, those that may be the beginning of its end."""

    @override
    def feed(self, data: str) -> Iterable[Message]:
        """Return the events of what the terminal sent; `data` may end anywhere within a sequence."""
        return super().feed("".join(map(self._next, data)))

    def _next(self, character: str) -> str:
        """Return what is passed on once this character has come."""
        self._last += character
        if not self._is_pasting:
            self._last = self._last[-len(_PASTE_BEGINS) :]
            if self._last == _PASTE_BEGINS:
                self._is_pasting, self._last = True, ""
            return character
        if self._last == _PASTE_ENDS:
            self._is_pasting, self._last = False, ""
            return _PASTE_ENDS
        passed = ""
        while not _PASTE_ENDS.startswith(self._last):
            first, self._last = self._last[0], self._last[1:]
            if first in _KEPT_CONTROLS or not (first < " " or first == "\x7f"):
                passed += first
        return passed


class TerminalDriver(LinuxDriver):
    """Textual's driver, except that the application also ends if its terminal has been closed.

    When a terminal is closed, the system sends SIGHUP and SIGCONT. At SIGCONT, Textual starts a thread that writes to
    the terminal. With the terminal gone, that thread would end at its first error, its queue would fill up, and the
    application would wait forever for room in the queue when it ends.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        """See `LinuxDriver`."""
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        linux_driver.XTermParser = PasteSafeParser  # type: ignore[attr-defined]  # the thread that reads makes its own
        self._file: Any = _ClosableTerminal(self._file)


class _ClosableTerminal:
    """A terminal that drops what is written after it was closed."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()
