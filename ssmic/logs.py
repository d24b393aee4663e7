"""The log of runs that scripts start: it is silent unless a script uses Python's logger `ssmic`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import structlog

from broker import without_passwords

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

_NAME = "ssmic"
_OURS = frozenset({"agents", "broker", "scenarios", "ssmic"})


def keep_log_silent() -> None:
    """Send this distribution's log to the standard library's logger `ssmic`, which nothing shows by default.

    A script that has configured structlog gets the events there instead. Its own loggers stay as they are.
    """
    if structlog.is_configured():
        return
    logging.getLogger(_NAME).addHandler(logging.NullHandler())
    others = structlog.get_config()
    make_other, processors_of_others = others["logger_factory"], tuple(others["processors"])

    def make(*names: str) -> WrappedLogger:
        if names and names[0].partition(".")[0] in _OURS:
            return logging.getLogger(names[0] if names[0].startswith(_NAME) else f"{_NAME}.{names[0]}")
        return make_other(*names)

    def process(logger: WrappedLogger, method: str, event: EventDict) -> Any:  # noqa: ANN401 - as structlog has it
        chain = _PROCESSORS if isinstance(logger, logging.Logger) else processors_of_others
        value: Any = event
        for processor in chain:
            value = processor(logger, method, value)
        return value

    structlog.configure(processors=[process], logger_factory=make, cache_logger_on_first_use=False)


def _line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Return an event as text: what happened, the virtual time, and further values."""
    what, traceback = event.pop("event", ""), event.pop("exception", None)
    where = event.pop("where", None)
    values = event if where is None else {"now_s": where.now_s, **event}
    line = " ".join((str(what), *(f"{key}={value}" for key, value in values.items())))
    return line if traceback is None else f"{line}\n{traceback}"


_PROCESSORS: tuple[Processor, ...] = (
    structlog.stdlib.filter_by_level,
    structlog.contextvars.merge_contextvars,
    structlog.processors.format_exc_info,
    without_passwords,
    _line,
)
