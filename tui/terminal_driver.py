"""Draws in a terminal that may be closed at any time."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App


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
