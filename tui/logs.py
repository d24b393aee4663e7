"""Logging: structlog and standard library combined; readable on standard error, JSON lines in a file.

Called by entry points only; importing a module never configures logging.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from broker import FILE_MODE, make_private_folder, printable, printable_line, without_passwords
from tui.exit_codes import complain

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from structlog.typing import EventDict, ExcInfo, WrappedLogger

    from tui.log_level import LogLevelName

SUFFIX = ".log.jsonl"

_SAID_ANYWAY = {"run failed"}
"""Events whose error the command prints anyway: logged to the file only."""
RETRYING = "no connection yet, retrying"
"""The event of a first connection that fails for now."""
_SAME_FAILURE_WALL_S = 5.0
"""Connections of one process that fail for the same reason within this time are one message on the terminal."""
_OURS = ("agents", "broker", "scenarios", "tui")
_TRACEBACKS = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
"""Tracebacks in the log file. With local variables, one of a scenario of a few houses has 370 kB, and passwords could
be among them."""


class _StandardError(logging.StreamHandler["TextIO"]):
    """Writes to what is standard error at the time of the message; the one at the start may be closed by then."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message."""
        self.stream = sys.stderr
        super().emit(record)


class _LogFile(logging.handlers.WatchedFileHandler):
    """A log file that reports write errors once and never fails the run.

    After it was moved or deleted, as programs do that rotate logs, the next message begins a new file.
    """

    _has_complained = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message, if the file can be opened."""
        try:
            super().emit(record)
        except OSError as error:
            self._complain(error)

    def _open(self) -> Any:  # noqa: ANN401 - as the standard library types it
        """Open it; a new one is readable by its owner only, like the results, whose folder may be missing still.

        If a full disk has cut the last line, a line break is added first, so that the next event has its own line.
        """
        make_private_folder(Path(self.baseFilename).parent)

        def private(path: str, flags: int) -> int:
            descriptor = os.open(path, flags, FILE_MODE)
            try:
                if _is_cut(Path(path)):
                    os.write(descriptor, b"\n")
            except OSError:
                os.close(descriptor)
                raise
            return descriptor

        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=private)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Print the error, in one line, once."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        else:
            self._complain(error)

    def close(self) -> None:
        """Close it; what is still buffered may not fit on the disk."""
        try:
            super().close()
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        if not self._has_complained:
            self._has_complained = True
            complain(f"{self.baseFilename}: the log cannot be written: {error.strerror}")


def _is_cut(file: Path) -> bool:
    """Return whether the last line of a file lacks its line break."""
    with file.open("rb") as end:
        if not end.seek(0, os.SEEK_END):
            return False
        end.seek(-1, os.SEEK_END)
        return end.read(1) != b"\n"


def log_file_of(results_file: Path) -> Path:
    """Return the path of a simulation's log, next to its results."""
    return results_file.with_suffix(SUFFIX)


def configure_logs(level: LogLevelName | None, file: Path | None = None) -> None:
    """Configure logging of this process, replacing any earlier configuration.

    Args:
        level: Minimum level; None: warnings on standard error, info in the file.
        file: File to which JSON lines are appended; None: no file.
    """
    handlers: list[logging.Handler] = []
    console = _handler(_StandardError(), level or "warning", _console(level))
    console.addFilter(_not_said_anyway)
    console.addFilter(_retrying_once())
    handlers.append(console)
    if file is not None:
        json_lines: list[Any] = [_TRACEBACKS, structlog.processors.JSONRenderer(default=str)]
        handlers.append(_handler(_LogFile(file, encoding="utf-8", delay=True), level or "info", json_lines))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
            old.close()
    for handler in handlers:
        root.addHandler(handler)
    least = min(handler.level for handler in handlers)
    # Other libraries log warnings only, unless debugging.
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(least)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(capture=True)


def logs_in_workers(level: LogLevelName | None, file: Path) -> Callable[[], None]:
    """Return a function that configures the same logging in a worker process."""
    return partial(configure_logs, level, file)


def _handler(handler: logging.Handler, level: str, renderers: list[Any]) -> logging.Handler:
    handler.setLevel(level.upper())
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_shared(), processors=[strip, *renderers])
    )
    return handler


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _say_when,
        without_passwords,
    ]


def _console(level: LogLevelName | None) -> list[Any]:
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    renderer = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=_printable_traceback)
    if level is not None:
        return [_make_printable, renderer] if level == "debug" else [_leave_out_traceback, _make_printable, renderer]
    return [_leave_out_traceback, _make_printable, partial(_as_sentence, renderer)]


def _as_sentence(
    render: Callable[[WrappedLogger, str, EventDict], str], logger: WrappedLogger, method: str, event: EventDict
) -> str:
    """Return a line for users without a log: a sentence if the command waits for something, otherwise the record."""
    limit_wall_s = event.get("limit_wall_s")
    if event.get("event") == RETRYING and isinstance(limit_wall_s, int | float):
        return f"ssmic: {event.get('reason')}; trying again for up to {limit_wall_s:g} s (Ctrl-C stops)"
    return render(logger, method, event)


def _make_printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape what would command the terminal or forge another record; the file's JSON escapes it anyway."""
    several_lines = {"exception", "stack"}
    return {
        printable_line(key): (printable if key in several_lines else printable_line)(value)
        if isinstance(value, str)
        else value
        for key, value in event.items()
    }


def _printable_traceback(sio: TextIO, exc_info: ExcInfo) -> None:
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    sio.write(printable(text.getvalue()))


def _leave_out_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop tracebacks from the terminal; the file has them."""
    event.pop("exc_info", None)
    event.pop("stack", None)
    return event


def _not_said_anyway(record: logging.LogRecord) -> bool:
    """Drop events from the terminal that the command reports itself."""
    return not (isinstance(record.msg, dict) and record.msg.get("event") in _SAID_ANYWAY)


def _retrying_once() -> Callable[[logging.LogRecord], bool]:
    """Return a filter that drops from the terminal what another connection of this process has just said."""
    said_wall_s: dict[object, float] = {}

    def is_news(record: logging.LogRecord) -> bool:
        if not isinstance(record.msg, dict) or record.msg.get("event") != RETRYING:
            return True
        reason = record.msg.get("reason")
        before_wall_s = said_wall_s.get(reason)
        said_wall_s[reason] = record.created
        return before_wall_s is None or record.created - before_wall_s > _SAME_FAILURE_WALL_S

    return is_news


def _say_when(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the virtual time of a record."""
    where = event.pop("where", None)
    if where is not None:
        event.setdefault("now_s", where.now_s)
    return event
