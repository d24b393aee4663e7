"""A bus over an MQTT broker that outlives the connections it is made of.

It comes back by itself: with a back-off that doubles, subscribed as before, and with the QoS 1 messages that were
not yet confirmed sent again, in order. Who publishes meanwhile waits. Only when no connection can be made for
`lost_after_wall_s` is the bus lost, and everybody who uses it meets `BrokerLostError`.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from broker.errors import BrokerAwayError, BrokerLostError, BrokerUnreachableError
from broker.transport.base import Delivery, Reconnected, Will
from broker.transport.connection import Connection, ConnectionBrokenError
from broker.transport.disconnects import Cuts, words_for
from broker.transport.endpoint import BrokerUrl, Tls, client_context, parse_url
from broker.transport.filters import check_client_id, check_filter, check_qos, check_topic
from broker.transport.receive_queue import ReceiveQueue

KEEPALIVE_WALL_S = 10
"""A silent link is given up after at most two of these; the broker publishes the will after one and a half."""
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
    """One client of an MQTT broker; `MqttBroker.connect` makes it."""

    def __init__(self, broker: MqttBroker, client_id: str, will: Will | None) -> None:
        self.client_id = client_id
        self.reconnections = 0
        """How many times the connection was made anew."""
        self._broker = broker
        self._will = will
        self._inbox = ReceiveQueue(client_id)
        self._filters: dict[str, int] = {}
        """With the QoS of each."""
        self._connection: Connection | None = None
        """None while it is down."""
        self._changed = asyncio.Event()
        """Set while the connection stands, and when the bus is lost."""
        self._lost: str | None = None
        self._cuts = Cuts()
        self._delay_wall_s = _FIRST_DELAY_WALL_S
        # Spreads reconnections; not the global generator, which a run may have seeded.
        self._jitter = random.Random()
        self._tickets = 0
        self._unconfirmed: dict[int, _Message] = {}
        self._confirmed = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether a connection stands now; while it does not, the bus tries to make one."""
        return self._connection is not None

    @property
    def oversized(self) -> int:
        """How many messages were dropped for their size."""
        return self._inbox.oversized

    async def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """See `Bus.publish`.

        It does not wait for the broker to confirm a QoS 1 message: the bus keeps it until then, sends it again over
        the next connection if it has to, and does not close before.
        """
        check_qos(qos)
        check_topic(topic)
        ticket: int | None = None
        while True:
            connection = self._connection or await self._connected()
            if not connection.has_room:
                await connection.room()
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
            BrokerUnreachableError: the broker refuses a filter to this login.
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
        return self._inbox

    async def begin(self) -> Connection:
        """Make the first connection, and return it; what may pass is tried again up to the broker's limit.

        Raises:
            BrokerUnreachableError: it did not work; the message says why.
        """
        limit_wall_s = self._broker.lost_after_wall_s
        deadline = asyncio.get_running_loop().time() + limit_wall_s
        try:
            return await self.establish()  # not cut short by a limit that is less than a broker needs to answer
        except BrokerAwayError as error:
            if not self._broker.is_patient:
                raise
            reason = str(error)
            _log.warning("no connection yet, trying again", client=self.client_id, reason=reason)
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
                self._delay_wall_s = _FIRST_DELAY_WALL_S
                return connection

    async def establish(self) -> Connection:
        """Make a connection that stands where the last one stood, and return it.

        Raises:
            BrokerAwayError: it did not work for a reason that may pass; the message says which.
            BrokerUnreachableError: it did not work, and will not.
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
        await connection.open(standing=self._broker.standing)
        try:
            await connection.subscribe_all(self._filters)
            for ticket, message in list(self._unconfirmed.items()):
                await connection.room()
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

    async def keep(self, first: Connection) -> None:
        """Make new connections as they break, until none can be made or the bus is lost for another reason."""
        loop = asyncio.get_running_loop()
        connection: Connection | None = first
        while connection is not None:
            since = loop.time()
            reason = await connection.ended()
            self._disconnected(connection)
            connection.abort()
            if self._lost is not None:
                return
            _log.warning("connection broke", broker=str(self._broker.url), client=self.client_id, reason=reason)
            if connection.cut_off is not None and (packet := self._cuts.take(connection.cut_off)) is not None:
                self._lose(f"{self._broker.url} {words_for(packet)} (client {self.client_id})")
                return
            if loop.time() - since > _LONGEST_DELAY_WALL_S:
                # One that broke at once goes on with the longer delay: two clients of one id must not storm.
                self._delay_wall_s = _FIRST_DELAY_WALL_S
            connection = await self._reestablish(reason)

    async def flush(self) -> None:
        """See `Bus.flush`."""
        while self._unconfirmed:
            if self._lost is not None:
                raise BrokerLostError(self._lost)
            self._confirmed.clear()
            await self._confirmed.wait()

    async def close(self, *, with_will: bool) -> None:
        """End the connection; `with_will`: as if it had died."""
        connection, self._connection = self._connection, None
        self._lost = self._lost or f"client {self.client_id!r} has left the broker"
        self._inbox.end()
        self._changed.set()
        if connection is not None:
            if with_will:
                connection.abort()
            else:
                await connection.close()

    async def _reestablish(self, reason: str) -> Connection | None:
        # Here a refused login is tried again too: it was good a moment ago, so it is the broker that is not ready.
        limit_wall_s = self._broker.lost_after_wall_s
        deadline = asyncio.get_running_loop().time() + limit_wall_s
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._pause()
                    connection = await self.establish()
            except TimeoutError:
                self._lose(f"no connection for {limit_wall_s:g} s to {self._broker.url} ({reason})")
                return None
            except BrokerUnreachableError as error:
                reason = str(error)
            else:
                self.reconnections += 1
                _log.warning("connection is back", broker=str(self._broker.url), client=self.client_id)
                self._put(Reconnected())
                return connection

    async def _pause(self) -> None:
        """Wait between two attempts, each time longer."""
        await asyncio.sleep(self._delay_wall_s * self._jitter.uniform(0.5, 1.0))
        self._delay_wall_s = min(2 * self._delay_wall_s, _LONGEST_DELAY_WALL_S)

    async def _connected(self) -> Connection:
        """Wait until the connection stands."""
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
            self._inbox.put(item)
        except BrokerLostError as error:
            self._lose(str(error))

    def _on_confirmed(self, ticket: int) -> None:
        self._unconfirmed.pop(ticket, None)
        if not self._unconfirmed:
            self._confirmed.set()

    def _lose(self, reason: str) -> None:
        if self._lost is not None:
            return
        self._lost = reason
        self._inbox.lose(reason)
        self._changed.set()
        self._confirmed.set()
        if self._connection is not None:
            # Not at once: this may be a callback of the very connection.
            asyncio.get_running_loop().call_soon(self._connection.cut, reason)


class MqttBroker:
    """See `Broker`: any MQTT 3.1.1 broker by its URL."""

    def __init__(
        self,
        url: BrokerUrl | str,
        *,
        tls: Tls | None = None,
        keepalive_wall_s: int = KEEPALIVE_WALL_S,
        lost_after_wall_s: float = LOST_AFTER_WALL_S,
        is_patient: bool = True,
    ) -> None:
        """Say where the broker is; nothing is connected yet.

        Args:
            url: Of the broker.
            tls: The certificates for an `mqtts` URL; None: the system's.
            keepalive_wall_s: See `KEEPALIVE_WALL_S`.
            lost_after_wall_s: How long to try to connect, at first and whenever the connection has broken.
            is_patient: Whether the first connection is tried again too; not where the caller does that itself.

        Raises:
            BrokerUrlError: `url` is not a URL.
            BrokerUnreachableError: a certificate's file cannot be used.
        """
        self.url = parse_url(url) if isinstance(url, str) else url
        self.lost_after_wall_s = lost_after_wall_s
        self.keepalive_wall_s = keepalive_wall_s
        self.is_patient = is_patient
        self._buses: set[MqttBus] = set()
        self.tls_context: ssl.SSLContext | None = client_context(tls or Tls()) if self.url.tls else None

    @property
    def answer_wall_s(self) -> float:
        """How long one attempt waits for an answer: a broker that hangs must leave time for others."""
        return min(_ANSWER_WALL_S, max(_SHORTEST_ANSWER_WALL_S, self.lost_after_wall_s / 4))

    @property
    def standing(self) -> int:
        """How many connections to it stand now, of those made here."""
        return sum(bus.is_connected for bus in self._buses)

    @asynccontextmanager
    async def connect(self, client_id: str, will: Will | None = None) -> AsyncIterator[MqttBus]:
        """See `Broker.connect`.

        A client that leaves by an exception, cancellation included, leaves its will. One that leaves without waits
        until the broker has confirmed its QoS 1 messages.

        Raises:
            ValueError: no broker would take this client id.
        """
        check_client_id(client_id)
        bus = MqttBus(self, client_id, will)
        first = await bus.begin()
        self._buses.add(bus)
        failed: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                keeper = tasks.create_task(bus.keep(first), name=f"mqtt[{client_id}]")
                try:
                    yield bus
                    await bus.flush()
                except BaseException as error:  # noqa: BLE001 - raised below, when the keeper is gone
                    # Out of the group's hands, which would wrap it.
                    failed = error
                keeper.cancel()
        except BaseExceptionGroup as group:
            failed = group.exceptions[0]
        finally:
            self._buses.discard(bus)
            await bus.close(with_will=failed is not None)
        if failed is not None:
            raise failed
