"""A client's bounded receive queue: one reader, and an end that may be an error."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

import structlog

from broker.errors import BrokerLostError
from broker.transport.base import MAX_PAYLOAD_BYTES, Delivery, Reconnected

QUEUE_LIMIT = 100_000
"""Messages that may wait for a reader: more than a hundred households exchange in a whole day."""

_log = structlog.get_logger(__name__)


class ReceiveQueue:
    """The receiving half of a bus.

    An iterator class rather than an async generator, so that a reader that stops in the middle need not close it.
    """

    def __init__(self, client_id: str, limit: int = QUEUE_LIMIT) -> None:
        self.client_id = client_id
        self.largest_bytes = MAX_PAYLOAD_BYTES
        """See `Bus`."""
        self.on_oversized: Callable[[str, int], None] | None = None
        """See `Bus`."""
        self.on_delivery: Callable[[Delivery], bool] | None = None
        """See `Bus`."""
        self._limit = limit
        self._queue: deque[Delivery | Reconnected] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._lost: str | None = None
        self._failure: Exception | None = None
        """What `on_delivery` has raised."""

    @property
    def is_empty(self) -> bool:
        """Whether a reader would have to wait."""
        return not self._queue

    def put(self, item: Delivery | Reconnected) -> None:
        """Queue an item; a payload above the limit is logged, reported to `on_oversized` and dropped.

        Raises:
            BrokerLostError: The queue is full: the reader is so far behind that the client must be disconnected.
        """
        delivery = item if isinstance(item, Delivery) else None
        if delivery is not None and delivery.size_bytes > self.largest_bytes:
            topic, size_bytes = delivery.topic, delivery.size_bytes
            _log.warning("message dropped", reason="too large", topic=topic, bytes=size_bytes, client=self.client_id)
            if self.on_oversized is not None:
                self.on_oversized(topic, size_bytes)
            return
        waiter = self._waiter
        if waiter is None or waiter.done():
            if len(self._queue) >= self._limit:
                raise BrokerLostError(
                    f"client {self.client_id!r} does not read its messages: {self._limit} are waiting"
                )
            self._queue.append(item)
        else:
            try:
                if delivery is not None and self.on_delivery is not None and self.on_delivery(delivery):
                    return
            except Exception as error:  # noqa: BLE001 - the reader's, who raises it
                self._failure = error
                self._wake()
                return
            self._queue.append(item)
            waiter.set_result(None)

    def end(self) -> None:
        """End the reader's iteration once the queue is empty."""
        self._ended = True
        self._wake()

    def fail(self, reason: str) -> None:
        """Raise `BrokerLostError` in the reader once the queue is empty."""
        self._lost = reason
        self._wake()

    def clear(self) -> None:
        """Discard all queued items, because the connection was lost."""
        self._queue.clear()

    def __aiter__(self) -> AsyncIterator[Delivery | Reconnected]:
        return self

    async def __anext__(self) -> Delivery | Reconnected:
        while not self._queue:
            if self._failure is not None:
                raise self._failure
            if self._lost is not None:
                raise BrokerLostError(self._lost)
            if self._ended:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError(f"the bus of {self.client_id!r} already has a reader")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
