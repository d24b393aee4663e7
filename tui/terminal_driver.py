"""Draws in a terminal that may be closed at any time."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App


class TerminalDriver(LinuxDriver):
    """Textual's driver, except that the application also ends if its terminal is gone.

    Textual writes in a thread, which dies of the first error. Then nobody empties its queue, and the application would
    wait for ever to write its last words. When a terminal is closed, the system sends SIGCONT too, after which Textual
    begins such a thread with nothing left to write to.
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
