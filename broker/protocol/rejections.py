"""Counts rejected messages and logs them per sender, rate-limited so that a flood cannot flood the log."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from broker.errors import UnlistedError
from broker.protocol import topics
from broker.protocol.decoding import first_problem

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
