"""What a client has received and not yet read: one queue, one reader, a bound, and an end that is an error or not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import structlog

from broker.errors import BrokerLostError
from broker.transport.base import MAX_PAYLOAD_BYTES, Delivery, Reconnected

QUEUE_LIMIT = 100_000
"""Messages that may wait for one reader: a hundred households send each other fewer in a whole day."""

_log = structlog.get_logger(__name__)


class ReceiveQueue:
    """The receiving half of a bus.

    An iterator of its own rather than an async generator: one that a reader leaves in the middle needs no closing.
    """

    def __init__(self, client_id: str, limit: int = QUEUE_LIMIT) -> None:
        self.client_id = client_id
        self.oversized = 0
        """How many messages were dropped for their size."""
        self._limit = limit
        self._queue: deque[Delivery | Reconnected] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._lost: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether a reader would have to wait."""
        return not self._queue

    def put(self, item: Delivery | Reconnected) -> None:
        """Queue what came in; a payload above the limit is logged, counted and dropped.

        Raises:
            BrokerLostError: the reader is so far behind that the client has to be cut off.
        """
        if isinstance(item, Delivery) and len(item.payload) > MAX_PAYLOAD_BYTES:
            self.oversized += 1
            _log.warning("message dropped: too large", topic=item.topic, bytes=len(item.payload), client=self.client_id)
            return
        if len(self._queue) >= self._limit:
            raise BrokerLostError(f"client {self.client_id!r} does not read: {self._limit} messages wait for it")
        self._queue.append(item)
        self._wake()

    def end(self) -> None:
        """Let the reader's iteration end after what is queued."""
        self._ended = True
        self._wake()

    def lose(self, reason: str) -> None:
        """Let the reader meet `BrokerLostError` after what is queued."""
        self._lost = reason
        self._wake()

    def clear(self) -> None:
        """Forget what is queued."""
        self._queue.clear()

    def __aiter__(self) -> AsyncIterator[Delivery | Reconnected]:
        return self

    async def __anext__(self) -> Delivery | Reconnected:
        while not self._queue:
            if self._lost is not None:
                raise BrokerLostError(self._lost)
            if self._ended:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError(f"two readers on the bus of {self.client_id!r}: messages() has one")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
