"""An in-process broker, for tests, ensembles and speed.

It behaves like MQTT without a network: a message is in its readers' queues when `publish` returns, and neither
`publish` nor a reader with queued messages yields to the event loop. What a client publishes is handed to the readers
as it is: it is written as JSON only for a reader that looks at the payload.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from broker.errors import BrokerLostError
from broker.transport.base import Content, Delivery, Reconnected, Will
from broker.transport.filters import Subscriptions, check_client_id, check_filter, check_qos, check_topic, matches
from broker.transport.receive_queue import QUEUE_LIMIT, ReceiveQueue

_ROUTES_LIMIT = 50_000
"""How many topics have their readers cached; the cache is cleared when it is full."""


class MemoryBus:
    """One client of a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker, client_id: str, will: Will | None, queue_limit: int) -> None:
        """Create a client; `MemoryBroker.connect` connects it.

        Args:
            broker: Where it publishes.
            client_id: Unique at the broker.
            will: Published by the broker when the client disappears; None: nothing is.
            queue_limit: How many messages may wait for a reader.
        """
        self.client_id = client_id
        self.will = will
        self.receive_queue = ReceiveQueue(client_id, queue_limit)
        self.filters: dict[str, None] = {}
        self._broker = broker
        self._gone: str | None = None

    @property
    def is_connected(self) -> bool:
        """See `Bus`: a connection in memory that is lost is lost for good."""
        return True

    @property
    def largest_bytes(self) -> int:
        """See `Bus`."""
        return self.receive_queue.largest_bytes

    @largest_bytes.setter
    def largest_bytes(self, limit: int) -> None:
        self.receive_queue.largest_bytes = limit

    @property
    def on_oversized(self) -> Callable[[str, int], None] | None:
        """See `Bus`."""
        return self.receive_queue.on_oversized

    @on_oversized.setter
    def on_oversized(self, listener: Callable[[str, int], None] | None) -> None:
        self.receive_queue.on_oversized = listener

    @property
    def on_delivery(self) -> Callable[[Delivery], bool] | None:
        """See `Bus`."""
        return self.receive_queue.on_delivery

    @on_delivery.setter
    def on_delivery(self, listener: Callable[[Delivery], bool] | None) -> None:
        self.receive_queue.on_delivery = listener

    async def publish(self, topic: str, payload: bytes | Content, *, qos: int = 0, retain: bool = False) -> None:
        """See `Bus.publish`."""
        check_qos(qos)
        self._check_connected()
        self._broker.deliver(topic, payload, retain=retain)

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        """See `Bus.subscribe`; messages are never lost at either QoS."""
        check_qos(qos)
        self._check_connected()
        for topic_filter in topic_filters:
            check_filter(topic_filter)
        for topic_filter in topic_filters:
            self.filters[topic_filter] = None
            self._broker.subscribe(self, topic_filter)

    async def flush(self) -> None:
        """See `Bus.flush`; messages have arrived when `publish` returns."""
        self._check_connected()

    def messages(self) -> AsyncIterator[Delivery | Reconnected]:
        """See `Bus.messages`."""
        return self.receive_queue

    def close(self, lost: str | None) -> None:
        """Close the connection: with an error if `lost` gives a reason, otherwise cleanly."""
        self.receive_queue.clear()
        if lost is None:
            self.receive_queue.end()
        else:
            self.receive_queue.fail(lost)
        self._gone = lost or f"client {self.client_id!r} has left the broker"

    def _check_connected(self) -> None:
        if self._gone is not None:
            raise BrokerLostError(self._gone)


class MemoryBroker:
    """See `Broker`; all clients run in one event loop."""

    def __init__(self, *, queue_limit: int = QUEUE_LIMIT) -> None:
        self._queue_limit = queue_limit
        self._clients: dict[str, MemoryBus] = {}
        self._subscriptions: Subscriptions[MemoryBus] = Subscriptions()
        self._routes: dict[str, tuple[MemoryBus, ...]] = {}
        self._retained: dict[str, bytes | Content] = {}

    @asynccontextmanager
    async def connect(self, client_id: str, will: Will | None = None) -> AsyncIterator[MemoryBus]:
        """See `Broker.connect`.

        A client that leaves by an exception, including cancellation, leaves its will. As in MQTT, a client that takes
        the id of a connected one disconnects it.

        Raises:
            ValueError: No broker would accept this client id or the will's topic.
        """
        check_client_id(client_id)
        if will is not None:
            check_topic(will.topic)
        self.drop(client_id, f"another client took the id {client_id!r}")
        bus = MemoryBus(self, client_id, will, self._queue_limit)
        self._clients[client_id] = bus
        try:
            yield bus
        except BaseException:
            self._leave(bus, f"client {client_id!r} left with an exception")
            raise
        self._leave(bus, None)

    def drop(self, client_id: str, reason: str = "the connection was closed") -> None:
        """Disconnect a client permanently, like a dead link: its will is published, and it gets `BrokerLostError`."""
        if client_id in self._clients:
            self._leave(self._clients[client_id], reason)

    def interrupt(self, client_id: str) -> None:
        """Disconnect a client and reconnect it: its will is published, and its unread messages are lost."""
        bus = self._clients[client_id]
        self._forget(bus)
        bus.receive_queue.clear()
        self._publish_will(bus.will)
        self._clients[client_id] = bus
        for topic_filter in bus.filters:
            self.subscribe(bus, topic_filter)
        self._put(bus, Reconnected())

    def restart(self) -> None:
        """Disconnect and reconnect all clients at once, as a broker that is restarted does; retained messages stay."""
        for client_id in list(self._clients):
            if client_id in self._clients:  # the will of another one may have been too much for its queue
                self.interrupt(client_id)

    def subscribe(self, bus: MemoryBus, topic_filter: str) -> None:
        """Add a subscription, and deliver the retained messages that it covers."""
        self._subscriptions.add(topic_filter, bus)
        self._routes.clear()
        for topic, payload in list(self._retained.items()):
            if matches(topic_filter, topic):
                self._put(bus, Delivery(topic, payload, retain=True))

    def deliver(self, topic: str, payload: bytes | Content, *, retain: bool) -> None:
        """Put a message into the queues of all subscribers of its topic.

        Args:
            topic: The topic.
            payload: The content.
            retain: Whether to keep the message for later subscribers; an empty one removes the retained message.
        """
        readers = self._routes.get(topic)
        if readers is None:
            check_topic(topic)
            readers = self._subscriptions.find(topic)
            if len(self._routes) >= _ROUTES_LIMIT:
                self._routes.clear()
            self._routes[topic] = readers
        if retain:
            if payload:
                self._retained[topic] = payload
            else:
                self._retained.pop(topic, None)
        if readers:
            delivery = Delivery(topic, payload, retain=False)
            for reader in readers:
                self._put(reader, delivery)

    def _put(self, bus: MemoryBus, item: Delivery | Reconnected) -> None:
        try:
            bus.receive_queue.put(item)
        except BrokerLostError as error:
            # The reader is at fault: it is disconnected, and the sender continues.
            self._leave(bus, str(error))

    def _leave(self, bus: MemoryBus, lost: str | None) -> None:
        if self._clients.get(bus.client_id) is not bus:
            return
        self._forget(bus)
        bus.close(lost)
        if lost is not None:
            self._publish_will(bus.will)

    def _forget(self, bus: MemoryBus) -> None:
        del self._clients[bus.client_id]
        self._subscriptions.remove(bus)
        self._routes.clear()

    def _publish_will(self, will: Will | None) -> None:
        if will is not None:
            self.deliver(will.topic, will.payload, retain=will.retain)
