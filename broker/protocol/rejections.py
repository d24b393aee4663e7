"""Counts rejected messages and logs them per sender, rate-limited so that a flood cannot flood the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from broker.errors import MalformedError, UnlistedError
from broker.protocol import topics
from broker.protocol.bounds import MAX_PAYLOAD_BYTES, clipped
from broker.protocol.wire import shortened

ModelT = TypeVar("ModelT", bound=BaseModel)
ContentT = TypeVar("ContentT")

LOGGED_AT_ONCE = 10
"""Rejected messages per sender and kind of topic that are logged in full before the rest is summarised."""
LOG_INTERVAL_WALL_S = 1.0
"""Interval between summaries, wall-clock seconds."""

_MOST_SENDERS = 10_000
"""Senders, by kind of topic, whose messages are limited separately; further ones share one limit. A guarded broker has
fewer logins than that, but any client of another broker can write under any name."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _RateLimit:
    logged: int = 0
    suppressed: int = 0
    last: tuple[str, Exception] | None = None
    """Topic and error of the last message that was not logged."""
    logged_wall_s: float = 0.0


_VERSIONS = 1_000
"""No release will have a version of the protocol as high as this one."""
_SAME_RELEASE = "install the same release everywhere"

_FURTHER = ("", "")
"""Takes the place of kind and sender where a message has none, or too many others have."""


class RejectedMessages:
    """The messages that one reader has rejected."""

    def __init__(self, reader: str) -> None:
        """Start counting.

        Args:
            reader: Who rejects the messages: a host's id, or the clock.
        """
        self.count = 0
        """Total number of rejected messages."""
        self.last_roster_problem: str | None = None
        """Why the last roster was rejected; None: none was."""
        self._reader = reader
        self._rate_limits: dict[tuple[str, str], _RateLimit] = {}
        """By kind and last level of the topic, which is the sender at a guarded broker."""

    def reject(self, topic: str, error: Exception) -> None:
        """Count a rejected message and log it: the first ones of a sender at once, then one line per second.

        Args:
            topic: The message's topic.
            error: Why it was rejected.
        """
        self.count += 1
        address = topics.parse(topic)
        if address is not None and address.kind == "roster":
            self.last_roster_problem = first_problem(error)
        key = _FURTHER if address is None else (address.kind, address.ids[-1] if address.ids else "")
        if key not in self._rate_limits and len(self._rate_limits) >= _MOST_SENDERS:
            key = _FURTHER
        limit = self._rate_limits.setdefault(key, _RateLimit())
        now_wall_s = asyncio.get_running_loop().time()
        if limit.logged >= LOGGED_AT_ONCE:
            if now_wall_s - limit.logged_wall_s < LOG_INTERVAL_WALL_S:
                limit.suppressed, limit.last = limit.suppressed + 1, (topic, error)
                return
            if not limit.suppressed:
                limit.logged = 0
        self._log(topic, error, limit.suppressed)
        limit.logged += 1
        limit.suppressed = 0
        limit.logged_wall_s = now_wall_s

    def log_suppressed(self) -> None:
        """Log what has been counted but not logged, before the reader leaves."""
        for limit in self._rate_limits.values():
            if limit.suppressed and limit.last is not None:
                self._log(*limit.last, limit.suppressed - 1)
                limit.suppressed = 0

    def _log(self, topic: str, error: Exception, more: int) -> None:
        counted = {"more": more} if more else {}
        report = log.info if isinstance(error, UnlistedError) else log.warning
        report("dropped", host=self._reader, topic=topic, reason=first_problem(error), **counted)


def first_problem(error: Exception) -> str:
    """Return a one-line description of a message's first problem; keys that the sender chose are shortened."""
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_context=False)
        first = problems[0]
        for problem in problems:
            if problem["loc"] == ("v",) and problem["type"] == "literal_error":
                # Other fields may be unknown or missing for the same reason.
                expected = problem["msg"].removeprefix("Input should be ")
                found = problem["input"]
                version = str(found) if type(found) is int and 0 <= found < _VERSIONS else "unknown"
                return f"is of version {version} of the protocol, and this release has {expected}: {_SAME_RELEASE}"
        place = ".".join(shortened(str(part)) for part in first["loc"])
        count = error.error_count()
        others = f"{count} problems, the first: " if count > 1 else ""
        return clipped(first["msg"] if not place else f"{others}{place}: {first['msg']}")
    return clipped(str(error))


def decode(model: type[ModelT], payload: bytes) -> ModelT:
    """Return the content of a payload: the only way from the network into the models.

    Args:
        model: The expected model.
        payload: As it was received.

    Raises:
        MalformedError: It is something else, or a value is out of range.
    """
    content: ModelT = decoded(model.__pydantic_validator__.validate_json, payload)
    return content


def decoded(read: Callable[[bytes], ContentT], payload: bytes) -> ContentT:
    """Return a payload as `read` parses it; see `decode`.

    Raises:
        MalformedError: `read` refuses it.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise too_large(len(payload))
    try:
        return read(payload)
    except Exception as error:  # noqa: BLE001 - parsing has no effects: whatever it raises is due to the payload
        raise MalformedError(first_problem(error)) from None


def too_large(size_bytes: int) -> MalformedError:
    """Return the error for a payload above the limit."""
    return MalformedError(f"a payload of {size_bytes} bytes is too large: at most {MAX_PAYLOAD_BYTES}")
