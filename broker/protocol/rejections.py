"""What came in and was dropped: counted, and told with who wrote it, but not so often that telling becomes the harm."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from broker.protocol import topics

TOLD_AT_ONCE = 10
"""Of one writer and one kind of topic, before it is summed up."""
TELL_EVERY_WALL_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Account:
    told: int = 0
    untold: int = 0
    last: tuple[str, Exception] | None = None
    """Topic and reason of the last one that was not told."""
    told_wall_s: float = 0.0


class RejectedMessages:
    """What one reader has dropped."""

    def __init__(self, reader: str) -> None:
        """Make an empty account.

        Args:
            reader: Who drops it: a host's id, or the clock.
        """
        self.count = 0
        """How many messages in all."""
        self._reader = reader
        # The last level of a topic is its writer, which the broker has checked: there are no more of these than logins.
        self._accounts: dict[tuple[str, str], _Account] = {}

    def take(self, topic: str, error: Exception) -> None:
        """Count a message that is dropped, and tell it: the first ones of a writer at once, then once a second."""
        self.count += 1
        address = topics.parse(topic)
        key = ("", "") if address is None else (address.kind, address.ids[-1] if address.ids else "")
        account = self._accounts.setdefault(key, _Account())
        now_wall_s = asyncio.get_running_loop().time()
        if account.told >= TOLD_AT_ONCE:
            if now_wall_s - account.told_wall_s < TELL_EVERY_WALL_S:
                account.untold, account.last = account.untold + 1, (topic, error)
                return
            if not account.untold:
                account.told = 0
        self._tell(topic, error, account.untold)
        account.told += 1
        account.untold = 0
        account.told_wall_s = now_wall_s

    def tell_rest(self) -> None:
        """Tell what has not been told, before the reader leaves."""
        for account in self._accounts.values():
            if account.untold and account.last is not None:
                self._tell(*account.last, account.untold - 1)
                account.untold = 0

    def _tell(self, topic: str, error: Exception, more: int) -> None:
        counted = {"more": more} if more else {}
        log.warning("dropped", host=self._reader, topic=topic, why=first_problem(error), **counted)


def first_problem(error: Exception) -> str:
    """Return one line that says what is wrong with a message."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{error.error_count()} problems, the first: {place}: {first['msg']}"
    return str(error)
