"""A bus over an MQTT broker that survives broken connections.

It reconnects with exponential back-off, subscribes again, and retransmits unconfirmed QoS 1 messages in order.
Publishers wait meanwhile. Only if no connection can be made for `lost_after_wall_s` is the bus lost; then all users of
the bus get `BrokerLostError`.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from broker.errors import BrokerAwayError, BrokerLostError, BrokerUnreachableError, BrokerUrlError
from broker.protocol import Backoff
from broker.transport.base import Content, Delivery, Reconnected, Will
from broker.transport.connection import KEEPALIVE_WALL_S, Connection, ConnectionBrokenError, keepalive_for
from broker.transport.connection_failures import DisconnectHistory
from broker.transport.endpoint import Access, BrokerUrl, Tls, client_context, parse_url
from broker.transport.filters import check_client_id, check_filter, check_qos, check_topic
from broker.transport.receive_queue import ReceiveQueue

LOST_AFTER_WALL_S = 60.0

_ANSWER_WALL_S = 10.0
_SHORTEST_ANSWER_WALL_S = 1.0
_FIRST_DELAY_WALL_S = 0.05
_LONGEST_DELAY_WALL_S = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Message:
    """A QoS 1 message that the broker has not confirmed."""

    topic: str
    payload: bytes
    retain: bool


class MqttBus:
    """One client of an MQTT broker, made by `MqttBroker.connect`."""

    def __init__(self, broker: MqttBroker, client_id: str, will: Will | None) -> None:
        """Create a client that is not connected yet.

        Args:
            broker: Where to connect, and how.
            client_id: Unique at the broker.
            will: Published by the broker when the connection breaks; None: nothing is.
        """
        self.client_id = client_id
        self.reconnections = 0
        """How many times the connection was restored."""
        self._broker = broker
        self._will = will
        self._receive_queue = ReceiveQueue(client_id)
        self._filters: dict[str, int] = {}
        """QoS by filter."""
        self._connection: Connection | None = None
        """None while it is down."""
        self._changed = asyncio.Event()
        """Set while the bus is connected, and once it is lost."""
        self._lost: str | None = None
        self._disconnects = DisconnectHistory()
        self._backoff = Backoff(_FIRST_DELAY_WALL_S, _LONGEST_DELAY_WALL_S)
        # Jitter for reconnections; not the global generator, which a run may have seeded.
        self._jitter = random.Random()
        self._tickets = 0
        self._unconfirmed: dict[int, _Message] = {}
        self._confirmed = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether the bus is connected; while it is not, it tries to reconnect."""
        return self._connection is not None

    @property
    def largest_bytes(self) -> int:
        """See `Bus`."""
        return self._receive_queue.largest_bytes

    @largest_bytes.setter
    def largest_bytes(self, limit: int) -> None:
        self._receive_queue.largest_bytes = limit

    @property
    def on_oversized(self) -> Callable[[str, int], None] | None:
        """See `Bus`."""
        return self._receive_queue.on_oversized

    @on_oversized.setter
    def on_oversized(self, listener: Callable[[str, int], None] | None) -> None:
        self._receive_queue.on_oversized = listener

    @property
    def on_delivery(self) -> Callable[[Delivery], bool] | None:
        """See `Bus`."""
        return self._receive_queue.on_delivery

    @on_delivery.setter
    def on_delivery(self, listener: Callable[[Delivery], bool] | None) -> None:
        self._receive_queue.on_delivery = listener

    async def publish(self, topic: str, payload: bytes | Content, *, qos: int = 0, retain: bool = False) -> None:
        """See `Bus.publish`.

        Does not wait for the confirmation of a QoS 1 message: the bus keeps the message until it is confirmed,
        retransmits it after a reconnection, and does not close before.
        """
        if qos:
            check_qos(qos)
        check_topic(topic)
        pieces = (payload,) if isinstance(payload, bytes) else payload.payloads()
        is_last = getattr(payload, "is_last", False)
        for piece in pieces:
            connection = self._connection
            if qos or connection is None or not connection.send_at_once(topic, piece, retain=retain, is_last=is_last):
                await self._publish(topic, piece, qos, retain=retain)

    async def _publish(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        ticket: int | None = None
        while True:
            connection = self._connection or await self._connected()
            if not connection.has_room:
                await connection.wait_for_room()
                if not connection.has_room:
                    self._disconnected(connection)  # it ended, and will never have room
                continue
            if qos == 1 and ticket is None:
                self._tickets += 1
                ticket = self._tickets
            try:
                connection.send(topic, payload, retain=retain, ticket=ticket)
            except ConnectionBrokenError:
                self._disconnected(connection)
                continue
            if ticket is not None:
                self._unconfirmed[ticket] = _Message(topic, payload, retain)
            return

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        """See `Bus.subscribe`.

        Raises:
            BrokerUnreachableError: The broker does not allow this login to subscribe to a filter.
        """
        check_qos(qos)
        for topic_filter in topic_filters:
            check_filter(topic_filter)
        wanted = dict.fromkeys(topic_filters, qos)
        while True:
            connection = self._connection or await self._connected()
            try:
                await connection.subscribe_all(wanted)
            except ConnectionBrokenError:
                self._disconnected(connection)
                continue
            self._filters.update(wanted)
            return

    def messages(self) -> AsyncIterator[Delivery | Reconnected]:
        """See `Bus.messages`."""
        return self._receive_queue

    async def connect_first(self) -> Connection:
        """Make the first connection; temporary failures are retried up to the broker's time limit.

        Raises:
            BrokerUnreachableError: No connection could be made; the message says why.
        """
        limit_wall_s = self._broker.lost_after_wall_s
        deadline = asyncio.get_running_loop().time() + limit_wall_s
        try:
            return await self.establish()  # not limited: the limit may be shorter than a broker needs to answer
        except BrokerAwayError as error:
            if not self._broker.is_patient:
                raise
            reason = str(error)
            _log.warning("no connection yet, retrying", client=self.client_id, reason=reason, limit_wall_s=limit_wall_s)
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._pause()
                    connection = await self.establish()
            except TimeoutError:
                raise BrokerAwayError(f"{reason} (tried for {limit_wall_s:g} s)") from None
            except BrokerAwayError as error:
                reason = str(error)
            else:
                self._backoff.reset()
                return connection

    async def establish(self) -> Connection:
        """Make a connection, subscribe as before, and retransmit unconfirmed messages.

        Raises:
            BrokerAwayError: The failure may be temporary; the message says why.
            BrokerRefusedError: The failure is permanent.
        """
        connection = Connection(
            self._broker.url,
            self.client_id,
            will=self._will,
            keepalive_wall_s=self._broker.keepalive_wall_s,
            answer_wall_s=self._broker.answer_wall_s,
            tls_context=self._broker.tls_context,
            receive=self._put,
            acknowledged=self._on_confirmed,
        )
        await connection.open(other_connections=self._broker.other_connections)
        try:
            await connection.subscribe_all(self._filters)
            for ticket, message in list(self._unconfirmed.items()):
                await connection.wait_for_room()
                connection.send(message.topic, message.payload, retain=message.retain, ticket=ticket)
        except ConnectionBrokenError:
            reason = await connection.ended()
            connection.abort()
            raise BrokerAwayError(f"{self._broker.url}: {reason}") from None
        except BaseException:
            connection.abort()
            raise
        self._connection = connection
        self._changed.set()
        return connection

    async def keep_connected(self, first: Connection) -> None:
        """Reconnect whenever the connection breaks, until the bus is lost."""
        loop = asyncio.get_running_loop()
        connection: Connection | None = first
        while connection is not None:
            since = loop.time()
            reason = await connection.ended()
            self._disconnected(connection)
            connection.abort()
            if self._lost is not None:
                return
            self._note("connection broke", broker=str(self._broker.url), client=self.client_id, reason=reason)
            if connection.disconnect is not None and (why := self._disconnects.add(connection.disconnect)) is not None:
                self._lose(f"{self._broker.url} {why} (client {self.client_id})")
                return
            if loop.time() - since > _LONGEST_DELAY_WALL_S:
                # A connection that broke at once keeps the longer delay: two clients with the same id must not storm.
                self._backoff.reset()
            connection = await self._reestablish(reason)

    async def flush(self) -> None:
        """See `Bus.flush`."""
        while self._unconfirmed:
            if self._lost is not None:
                raise BrokerLostError(self._lost)
            self._confirmed.clear()
            await self._confirmed.wait()

    async def close(self, *, with_will: bool) -> None:
        """Close the connection; with `with_will`, without disconnecting, so that the broker publishes the will."""
        connection, self._connection = self._connection, None
        self._lost = self._lost or f"client {self.client_id!r} has left the broker"
        self._receive_queue.end()
        self._changed.set()
        if connection is not None:
            if with_will:
                connection.abort()
            else:
                await connection.close()

    async def _reestablish(self, reason: str) -> Connection | None:
        # A refused login is retried too: it was valid a moment ago, so the broker is not ready yet.
        # Login and certificates are read again: they may have been renewed since.
        loop, limit_wall_s = asyncio.get_running_loop(), self._broker.lost_after_wall_s
        since_wall_s = loop.time()
        deadline = since_wall_s + limit_wall_s
        noted = ""
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._pause()
                    self._broker.renew_access()
                    connection = await self.establish()
            except TimeoutError:
                self._lose(f"no connection for {limit_wall_s:g} s to {self._broker.url} ({reason})")
                return None
            except (BrokerUnreachableError, BrokerUrlError) as error:
                reason = str(error)
                if reason != noted:
                    noted = reason
                    self._note("no connection, retrying", client=self.client_id, reason=reason)
            else:
                self.reconnections += 1
                self._note("reconnected", broker=str(self._broker.url), client=self.client_id)
                self._put(Reconnected(loop.time() - since_wall_s))
                return connection

    async def _pause(self) -> None:
        """Wait before the next attempt, with jitter and exponential back-off."""
        await asyncio.sleep(self._backoff.pause_wall_s * self._jitter.uniform(0.5, 1.0))
        self._backoff.double()

    async def _connected(self) -> Connection:
        """Wait until the bus is connected."""
        while True:
            if self._lost is not None:
                raise BrokerLostError(self._lost)
            if self._connection is not None:
                return self._connection
            await self._changed.wait()

    def _disconnected(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            if self._lost is None:
                self._changed.clear()

    def _put(self, item: Delivery | Reconnected) -> None:
        try:
            self._receive_queue.put(item)
        except BrokerLostError as error:
            self._lose(str(error))

    def _on_confirmed(self, ticket: int) -> None:
        self._unconfirmed.pop(ticket, None)
        if not self._unconfirmed:
            self._confirmed.set()

    def _note(self, event: str, **more: object) -> None:
        """Log that the connection broke or came back."""
        (_log.debug if self._broker.expects_breaks else _log.warning)(event, **more)

    def _lose(self, reason: str) -> None:
        if self._lost is not None:
            return
        self._lost = reason
        self._receive_queue.fail(reason)
        self._changed.set()
        self._confirmed.set()
        if self._connection is not None:
            # Deferred, because this may be a callback of that very connection.
            asyncio.get_running_loop().call_soon(self._connection.drop, reason)


class MqttBroker:
    """See `Broker`: any MQTT 3.1.1 broker, by its URL."""

    def __init__(
        self,
        url: BrokerUrl | str,
        *,
        tls: Tls | None = None,
        keepalive_wall_s: int = KEEPALIVE_WALL_S,
        lost_after_wall_s: float = LOST_AFTER_WALL_S,
        is_patient: bool = True,
        access: Callable[[], Access] | None = None,
        connections: int = 1,
    ) -> None:
        """Configure access to a broker, without connecting.

        Args:
            url: The broker's URL.
            tls: Certificates for an `mqtts` URL; None: the system's.
            keepalive_wall_s: The least keep-alive interval; see `broker.transport.connection.keepalive_for`.
            lost_after_wall_s: How long to try to connect, initially and after the connection broke.
            is_patient: Whether the first connection is retried too; False if the caller does that.
            access: Reads login and certificates again before each reconnection; None: they never change.
            connections: How many this process will have.

        Raises:
            BrokerUrlError: The URL is malformed.
            BrokerUnreachableError: A certificate file cannot be used.
        """
        self.url = parse_url(url) if isinstance(url, str) else url
        self.lost_after_wall_s = lost_after_wall_s
        self.keepalive_wall_s = keepalive_for(connections, keepalive_wall_s)
        self.is_patient = is_patient
        self.expects_breaks = False
        """Whether connections are expected to break, so that breaks are logged only at a verbose level."""
        self._buses: set[MqttBus] = set()
        self.tls_context: ssl.SSLContext | None = client_context(tls or Tls()) if self.url.tls else None
        self._access = access

    def renew_access(self) -> None:
        """Read login and certificates again.

        Raises:
            BrokerUrlError: The password cannot be read.
            BrokerRefusedError: A certificate file cannot be used.
        """
        if self._access is not None:
            access = self._access()
            self.tls_context = client_context(access.tls) if access.url.tls else None
            self.url = access.url

    @property
    def answer_wall_s(self) -> float:
        """How long one attempt waits for an answer, short enough that a hanging broker leaves time for others."""
        return min(_ANSWER_WALL_S, max(_SHORTEST_ANSWER_WALL_S, self.lost_after_wall_s / 4))

    @property
    def other_connections(self) -> int:
        """Number of connections of this process to the broker."""
        return sum(bus.is_connected for bus in self._buses)

    @asynccontextmanager
    async def connect(self, client_id: str, will: Will | None = None) -> AsyncIterator[MqttBus]:
        """See `Broker.connect`.

        A client that leaves by an exception, including cancellation, leaves its will. One that leaves normally waits
        until the broker has confirmed its QoS 1 messages.

        Raises:
            ValueError: No broker would accept this client id.
        """
        check_client_id(client_id)
        bus = MqttBus(self, client_id, will)
        first = await bus.connect_first()
        self._buses.add(bus)
        failed: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                keeper = tasks.create_task(bus.keep_connected(first), name=f"mqtt[{client_id}]")
                try:
                    yield bus
                    await bus.flush()
                except BaseException as error:  # noqa: BLE001 - raised below, once the keeper has ended
                    # The task group would wrap it.
                    failed = error
                keeper.cancel()
        except BaseExceptionGroup as group:
            failed = group.exceptions[0]
        finally:
            self._buses.discard(bus)
            await bus.close(with_will=failed is not None)
        if failed is not None:
            raise failed
