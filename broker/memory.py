"""A broker inside one event loop: for tests, for ensembles, for speed.

It does what MQTT does, with nothing in between: a message is in its readers' queues when `publish` returns, and
neither `publish` nor a reader with something to read gives up the loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from broker.bus import MAX_PAYLOAD_BYTES, Delivery, Reconnected, Will
from broker.errors import BrokerLostError
from broker.filters import FilterTree, check_filter, check_topic, matches

QUEUE_LIMIT = 100_000
"""Messages that may wait for one reader: a hundred households send each other fewer in a whole day."""

_ROUTES_LIMIT = 50_000
"""Topics whose readers are remembered; beyond it all are forgotten and found anew."""

_log = structlog.get_logger(__name__)


class MemoryBus:
    """One client of a `MemoryBroker`, which makes it."""

    def __init__(self, broker: MemoryBroker, client_id: str, will: Will | None, queue_limit: int) -> None:
        self.client_id = client_id
        self.oversized = 0
        """How many messages were dropped for their size."""
        self._broker = broker
        self._will = will
        self._queue_limit = queue_limit
        self._filters: dict[str, None] = {}
        self._queue: deque[Delivery | Reconnected] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._closed = False

    async def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """See `Bus.publish`."""
        if qos not in (0, 1):
            raise ValueError(f"QoS {qos!r} is not spoken here: expected 0 or 1")
        self._check_connected()
        self._broker.deliver(topic, payload, retain=retain)

    async def subscribe(self, *topic_filters: str) -> None:
        """See `Bus.subscribe`."""
        self._check_connected()
        for topic_filter in topic_filters:
            check_filter(topic_filter)
        for topic_filter in topic_filters:
            self._filters[topic_filter] = None
            self._broker.subscribe(self, topic_filter)

    def messages(self) -> AsyncIterator[Delivery | Reconnected]:
        """See `Bus.messages`."""
        return self

    def __aiter__(self) -> AsyncIterator[Delivery | Reconnected]:
        return self

    async def __anext__(self) -> Delivery | Reconnected:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            if self._lost is not None:
                raise BrokerLostError(self._lost)
            if self._waiter is not None:
                raise RuntimeError(f"two readers on the bus of {self.client_id!r}: messages() has one")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()

    def put(self, item: Delivery | Reconnected) -> None:
        """Queue what the broker has for this client."""
        if isinstance(item, Delivery) and len(item.payload) > MAX_PAYLOAD_BYTES:
            self.oversized += 1
            _log.warning("message dropped: too large", topic=item.topic, bytes=len(item.payload), client=self.client_id)
            return
        if len(self._queue) >= self._queue_limit:
            self._broker.drop(
                self.client_id, f"client {self.client_id!r} does not read: {self._queue_limit} messages wait for it"
            )
            return
        self._queue.append(item)
        self._wake()

    def close(self, lost: str | None = None) -> Will | None:
        """End the connection and return the will that is due: none where nothing was lost."""
        if self._closed or self._lost is not None:
            return None
        if lost is None:
            self._closed = True
        else:
            self._lost = lost
        self._queue.clear()
        self._wake()
        return self._will if lost is not None else None

    def begin_again(self) -> tuple[Will | None, tuple[str, ...]]:
        """Lose what waits and stand anew; return the will that is due and the filters to subscribe to."""
        self._queue.clear()
        return self._will, tuple(self._filters)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check_connected(self) -> None:
        if self._lost is not None:
            raise BrokerLostError(self._lost)
        if self._closed:
            raise BrokerLostError(f"client {self.client_id!r} has left the broker")


class MemoryBroker:
    """See `Broker`; all its clients live in one event loop."""

    def __init__(self, *, queue_limit: int = QUEUE_LIMIT) -> None:
        self._queue_limit = queue_limit
        self._clients: dict[str, MemoryBus] = {}
        self._tree: FilterTree[MemoryBus] = FilterTree()
        self._routes: dict[str, tuple[MemoryBus, ...]] = {}
        self._retained: dict[str, bytes] = {}

    @asynccontextmanager
    async def connect(self, client_id: str, will: Will | None = None) -> AsyncIterator[MemoryBus]:
        """See `Broker.connect`.

        A client that leaves by an exception, cancellation included, leaves its will. As MQTT has it, a client that
        takes an id which is already there puts the other one out.
        """
        self.drop(client_id, f"another client took the id {client_id!r}")
        bus = MemoryBus(self, client_id, will, self._queue_limit)
        self._clients[client_id] = bus
        try:
            yield bus
        except BaseException:
            self._leave(bus, f"client {client_id!r} left by an exception")
            raise
        self._leave(bus, None)

    def drop(self, client_id: str, reason: str = "the connection was cut") -> None:
        """Cut a client off for good, as a dead link does: its will is published, and it meets `BrokerLostError`."""
        if client_id in self._clients:
            self._leave(self._clients[client_id], reason)

    def interrupt(self, client_id: str) -> None:
        """Cut a client off and let it come back: its will is published, what it had not read is lost."""
        bus = self._clients[client_id]
        self._forget(bus)
        will, topic_filters = bus.begin_again()
        self._execute(will)
        self._clients[client_id] = bus
        for topic_filter in topic_filters:
            self.subscribe(bus, topic_filter)
        bus.put(Reconnected())

    def subscribe(self, bus: MemoryBus, topic_filter: str) -> None:
        """Let a client have what comes to `topic_filter` and what is retained there."""
        self._tree.add(topic_filter, bus)
        self._routes.clear()
        for topic, payload in list(self._retained.items()):
            if matches(topic_filter, topic):
                bus.put(Delivery(topic, payload, retain=True))

    def deliver(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Put a message into the queues of all who subscribed to its topic."""
        if retain:
            check_topic(topic)
            if payload:
                self._retained[topic] = payload
            else:
                self._retained.pop(topic, None)
        readers = self._routes.get(topic)
        if readers is None:
            check_topic(topic)
            readers = self._tree.find(topic)
            if len(self._routes) >= _ROUTES_LIMIT:
                self._routes.clear()
            self._routes[topic] = readers
        if readers:
            delivery = Delivery(topic, payload, retain=False)
            for reader in readers:
                reader.put(delivery)

    def _leave(self, bus: MemoryBus, lost: str | None) -> None:
        self._forget(bus)
        self._execute(bus.close(lost))

    def _forget(self, bus: MemoryBus) -> None:
        if self._clients.get(bus.client_id) is bus:
            del self._clients[bus.client_id]
            self._tree.remove(bus)
            self._routes.clear()

    def _execute(self, will: Will | None) -> None:
        if will is not None:
            self.deliver(will.topic, will.payload, retain=will.retain)
