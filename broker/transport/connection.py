"""One connection to an MQTT broker; `MqttBus` makes a new one each time it is lost.

Only this module and `connection_failures` know aiomqtt. It overrides private parts of aiomqtt 2.5, to which the project
is pinned, because the public API costs two tasks per message: `publish` waits for the socket through `wait_for`, and
iterating over `messages` creates a task for each. Here all messages of an event-loop iteration are written together at
its end, and incoming ones go straight to the receiver. Messages of QoS 0, for which paho has nothing to remember, pass
it by.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from typing import Any, TypeVar, cast

import aiomqtt
import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from broker.errors import BrokerAwayError, BrokerRefusedError
from broker.transport.base import Delivery, Will
from broker.transport.connection_failures import Disconnect, NoAnswerError, SentPacket, classify
from broker.transport.endpoint import BrokerUrl
from broker.transport.socket_buffers import SocketBuffers, encode_publish

KEEPALIVE_WALL_S = 10
"""MQTT keep-alive interval. A silent link is given up after at most two of these; the broker publishes the will after
one and a half."""
LONGEST_KEEPALIVE_WALL_S = 60
"""The same for a process with many connections."""
CONNECTIONS_A_SECOND = 10
"""How many connections lengthen it by a second."""


AnswerT = TypeVar("AnswerT")

_log = structlog.get_logger(__name__)

_MUTE = logging.Logger("paho", level=logging.CRITICAL + 1)  # noqa: LOG001 - not in the tree: errors are reported by us

_UNWRITTEN_LIMIT_BYTES = 1024 * 1024
"""How many unwritten bytes may accumulate before publishers have to wait."""
_PACKET_BYTES = 500
"""Memory overhead of a queued packet in addition to its payload."""
_HEADER_BYTES = 5
"""Header size of a packet of up to 16 kB, without the topic."""
_HEADER_QOS_1_BYTES = 7
_UNACKNOWLEDGED_LIMIT = 10_000
"""How many QoS 1 messages may be unconfirmed before publishers have to wait."""
_IDS = 60_000
"""How many messages may have been sent since the oldest unconfirmed one: message ids repeat after 65,535."""
_PACKETS_A_TURN = 500
"""Packets read per event-loop iteration, so that a flood cannot monopolise the loop."""
_PINGREQ = b"\xc0\x00"
_UNSPECIFIED = 128
"""paho's reason code for a connection that ended without one."""


def keepalive_for(connections: int, least_wall_s: int) -> int:
    """Return the keep-alive interval of a process, in seconds.

    With hundreds of connections on a busy machine, seconds pass until a process has dealt with each of them once, so
    that a short interval would break healthy connections.

    Args:
        connections: How many the process will have.
        least_wall_s: The interval of a process with few.
    """
    return max(least_wall_s, min(LONGEST_KEEPALIVE_WALL_S, connections // CONNECTIONS_A_SECOND))


class ConnectionBrokenError(Exception):
    """The connection ended during an operation; internal to the bus, which reconnects."""


class Connection(aiomqtt.Client):
    """A single connection; see the module."""

    def __init__(
        self,
        url: BrokerUrl,
        client_id: str,
        *,
        will: Will | None,
        keepalive_wall_s: int,
        answer_wall_s: float,
        tls_context: ssl.SSLContext | None,
        receive: Callable[[Delivery], None],
        acknowledged: Callable[[int], None],
    ) -> None:
        """Prepare the connection.

        Args:
            url: The broker, with the user and password if it requires them.
            client_id: Must be unique at the broker, and secret: a second client with the same id ends the first one.
            will: Published by the broker when the connection breaks; None: nothing is.
            keepalive_wall_s: Longest silence before the broker is pinged, wall-clock seconds.
            answer_wall_s: How long to wait for answers of the broker, wall-clock seconds.
            tls_context: Of an encrypted connection; None: it is not encrypted.
            receive: Called with each incoming message.
            acknowledged: Called with the ticket of each confirmed QoS 1 message.
        """
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Detects a dead link by unacknowledged TCP data, sooner than by a second missed ping.
            options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, keepalive_wall_s * 1000))
        super().__init__(
            url.host,
            url.port,
            username=url.user,
            password=url.password,
            logger=_MUTE,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V311,
            will=None if will is None else aiomqtt.Will(will.topic, will.payload, qos=1, retain=will.retain),
            clean_session=True,
            keepalive=keepalive_wall_s,
            max_inflight_messages=0,
            max_queued_outgoing_messages=0,
            tls_context=tls_context,
            socket_options=options,
            timeout=answer_wall_s,
        )
        self._client.connect_timeout = answer_wall_s
        self._url = url
        self._receive = receive
        self._acknowledged = acknowledged
        self._thread_id = threading.get_ident()
        self._context = copy_context()
        """That of the code that connects: what receivers log belongs to its run. The thread that connects has none."""
        self._abandoned = False
        self._timer: asyncio.TimerHandle | None = None
        self._sent = 0
        self._last_sent_bytes: int | None = None
        """Size of the last packet; None: there was none."""
        self._last_sent_wall_s = 0.0
        """When it was handed over, loop time."""
        self._largest_sent: SentPacket | None = None
        self._pinged_bytes = 0
        """Size of the largest packet that a ping has followed. The broker's answer to it shows that it has accepted the
        packet: one that limits the packet size closes the connection before."""
        self._accepted_bytes = 0
        """The same of pings that the broker has answered; smaller while an answer is awaited."""
        self.disconnect: Disconnect | None = None
        """How the connection ended, if the other side closed it."""
        self._unwritten_bytes = 0
        self._tickets: OrderedDict[int, tuple[int, int]] = OrderedDict()
        """By message id: the ticket, and how many messages had been sent before it."""
        self._buffers = SocketBuffers(self._client, is_encrypted=tls_context is not None)
        self._will_write = False
        """Whether `_write` is called at the end of this event-loop iteration."""
        self._waits_to_write = False
        """Whether it is called when the socket is writable again."""
        # The callback would be called for QoS 0 messages too, where it costs more than publishing.
        self._client.on_publish = None
        self._confirm = self._client._do_on_publish
        self._client._do_on_publish = self._on_confirmed  # type: ignore[method-assign]  # see the class
        self._answer_ping = self._client._handle_pingresp
        self._client._handle_pingresp = self._on_ping_answered  # type: ignore[method-assign]  # see the class
        self._ended: asyncio.Future[str] = asyncio.Future()
        self._has_room_event = asyncio.Event()
        self._has_room_event.set()

    async def open(self, *, other_connections: int = 0) -> None:
        """Connect and log in.

        Args:
            other_connections: Number of other connections of this process to the broker.

        Raises:
            BrokerAwayError: The failure may be temporary; the message says why.
            BrokerRefusedError: The failure is permanent.
        """
        try:
            await self.__aenter__()
        except (aiomqtt.MqttError, UnicodeError, ValueError) as error:
            self.abort()
            failure = classify(error, self._url, other_connections=other_connections)
            kind = BrokerRefusedError if failure.is_final else BrokerAwayError
            raise kind(f"{self._url}: {failure.reason}") from None
        except BaseException:
            self.abort()
            raise
        if self._ended.done():
            raise BrokerAwayError(f"{self._url}: closed the connection: {self._ended.result()}")

    async def ended(self) -> str:
        """Wait until the connection ends; return the reason."""
        # A cancelled wait must not cancel the future, which others await too.
        await asyncio.wait([self._ended])
        return self._ended.result()

    async def close(self) -> None:
        """Write what is queued, disconnect (the broker discards the will), and end."""
        if not self._ended.done():
            self._client.disconnect()
            await asyncio.wait([self._ended], timeout=self.timeout)
        self.abort()

    def abort(self) -> None:
        """End without disconnecting, so that the broker publishes the will."""
        self._abandoned = True
        self.drop("closed")

    async def subscribe_all(self, topic_filters: Mapping[str, int]) -> None:
        """Subscribe to filters and wait for the broker's confirmation.

        (amqtt delivers everything at the QoS of the subscription, regardless of the QoS at which it was published.)

        Args:
            topic_filters: QoS by filter.

        Raises:
            ConnectionBrokenError: The connection ended, or the broker did not answer.
            BrokerRefusedError: The broker refuses a filter; the message names it.
        """
        if not topic_filters:
            return
        try:
            codes = await self.subscribe(list(topic_filters.items()))
        except aiomqtt.MqttError as error:
            self.drop(str(error))
            raise ConnectionBrokenError from None
        for topic_filter, code in zip(topic_filters, cast("list[ReasonCode]", codes), strict=True):
            if code.is_failure:
                raise BrokerRefusedError(f"{self._url} refuses a subscription to {topic_filter!r}")

    async def wait_for_room(self) -> None:
        """Wait until one more message can be sent, or the connection has ended."""
        while not self.has_room and not self._ended.done():
            self._has_room_event.clear()
            await self._has_room_event.wait()

    def send(self, topic: str, payload: bytes, *, retain: bool, ticket: int | None) -> None:
        """Queue a message.

        Args:
            topic: The topic.
            payload: The content.
            retain: Whether the broker keeps it for later subscribers.
            ticket: Returned by `acknowledged` when the broker has confirmed the message, sent at QoS 1; None: QoS 0.

        Raises:
            ConnectionBrokenError: The connection has ended.
        """
        if ticket is None and self.send_at_once(topic, payload, retain=retain):
            return
        # paho remembers what waits for its confirmation, and puts it in order with what waits already.
        info = self._client.publish(topic, payload, qos=0 if ticket is None else 1, retain=retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            self.drop(paho.error_string(info.rc))
            raise ConnectionBrokenError
        header = _HEADER_BYTES if ticket is None else _HEADER_QOS_1_BYTES
        self._note_sent(topic, header + len(topic.encode()) + len(payload), len(payload))
        self._last_sent_wall_s = self._loop.time()  # paho has asked to write already
        if ticket is not None:
            self._tickets[info.mid] = (ticket, self._sent)

    def send_at_once(self, topic: str, payload: bytes, *, retain: bool, is_last: bool = False) -> bool:
        """Queue a message of QoS 0 if it need not wait, and paho has no packets that come first.

        Args:
            topic: The topic.
            payload: The content.
            retain: Whether the broker keeps it for later subscribers.
            is_last: Whether no other message follows right after it, so that all are written at once.

        Returns:
            Whether it was queued; if not, the connection may also have ended.
        """
        client = self._client  # its attributes, because its methods are called for each packet
        if client._sock is None or client._out_packet:
            return False
        if (self._tickets or self._unwritten_bytes >= _UNWRITTEN_LIMIT_BYTES) and not self.has_room:
            return False
        packet = encode_publish(topic, payload, retain=retain)
        self._buffers.unsent += packet
        self._note_sent(topic, len(packet), len(payload))
        if is_last and not self._waits_to_write:
            self._write()
        elif not self._will_write:
            self._write_soon()
        return True

    def _note_sent(self, topic: str, packet_bytes: int, payload_bytes: int) -> None:
        self._sent += 1
        self._last_sent_bytes = packet_bytes
        if not self._will_write:  # what is written together is sent at the same time
            self._last_sent_wall_s = self._loop.time()
        if self._largest_sent is None or packet_bytes >= self._largest_sent.packet_bytes:
            self._largest_sent = SentPacket(topic, packet_bytes, self._loop.time())
        self._unwritten_bytes += _PACKET_BYTES + payload_bytes

    @property
    def has_room(self) -> bool:
        """Whether one more message can be sent without waiting."""
        if self._unwritten_bytes >= _UNWRITTEN_LIMIT_BYTES:
            return False
        if not self._tickets:
            return True
        _, oldest = next(iter(self._tickets.values()))
        return len(self._tickets) < _UNACKNOWLEDGED_LIMIT and self._sent - oldest < _IDS

    def _wake(self) -> None:
        """Wake publishers that are waiting for room."""
        if not self._has_room_event.is_set() and self.has_room:
            self._has_room_event.set()

    def drop(self, reason: str) -> None:
        """Close the socket without disconnecting; pending operations fail with `reason`."""
        self._client._sock_close()  # paho's public method disconnects first
        self._end(reason)

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)
        if not self._connected.done():
            self._connected.set_exception(NoAnswerError(reason, self._buffers.first_bytes, self._buffers.error))
            # Marks the exception as retrieved: `open` may have ended already.
            self._connected.exception()
        for pending in self._pending_subscribes.values():
            if not pending.done():
                pending.set_exception(aiomqtt.MqttError(reason))
        if self._timer is not None:
            self._timer.cancel()
        self._has_room_event.set()

    async def _wait_for(self, fut: Awaitable[AnswerT], timeout: float | None) -> AnswerT:  # noqa: ASYNC109 - aiomqtt's
        """Wait for an answer of the broker; cancellation is never lost.

        Until Python 3.12, `asyncio.wait_for`, which aiomqtt uses, swallows a cancellation that coincides with the
        answer; a subscriber would continue although it was cancelled.
        """
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None

    # Callbacks that aiomqtt registers with paho.

    def _client_connect(self) -> None:
        """Connect, in a thread; a caller that was cancelled meanwhile no longer wants the socket."""
        super()._client_connect()
        self._loop.call_soon_threadsafe(self._close_if_abandoned)

    def _close_if_abandoned(self) -> None:
        if self._abandoned:
            self.drop("closed")

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            _log.warning("message dropped", reason="its topic is not UTF-8", client=self.identifier)
            return
        self._receive(Delivery(topic, bytes(message.payload), message.retain))

    def _on_confirmed(self, mid: int, reason_code: ReasonCode, properties: Properties) -> MQTTErrorCode:
        """Handle the broker's confirmation of a QoS 1 message."""
        ticket, _ = self._tickets.pop(mid)
        self._acknowledged(ticket)
        self._wake()
        return self._confirm(mid, reason_code, properties)

    def _on_ping_answered(self) -> MQTTErrorCode:
        """Handle the broker's answer to a ping: it has accepted what was sent before."""
        self._accepted_bytes = self._pinged_bytes
        if self._largest_sent is not None and self._largest_sent.packet_bytes > self._pinged_bytes:
            self._write_soon()
        return self._answer_ping()

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Any = None,
    ) -> None:
        if reason_code != _UNSPECIFIED or self._ended.done():
            self._end(str(reason_code))
            return
        self._end_by_other_side()

    def _end_by_other_side(self) -> None:
        """Note what was sent before the other side closed the connection."""
        self.disconnect = Disconnect(self._largest_sent, self._accepted_bytes, self._loop.time())
        if self._last_sent_bytes is None:
            self._end("closed by the other side")
        else:
            wall_s = self.disconnect.at_wall_s - self._last_sent_wall_s
            reason = f"closed by the other side {wall_s:.1f} s after a packet of {self._last_sent_bytes:,} bytes"
            largest = self._largest_sent
            if largest is not None and largest.packet_bytes > max(self._accepted_bytes, self._last_sent_bytes):
                reason += f" and, shortly before, one of {largest.packet_bytes:,} bytes"
            self._end(reason)

    def _on_socket_open(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        # Called in the thread that connects.
        self._loop.call_soon_threadsafe(self._start, sock, context=self._context)

    def _start(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:
            self._loop.add_reader(sock.fileno(), self._read)
            self._timer = self._loop.call_later(1, self._tick)

    def _tick(self) -> None:
        """Send pings when due; a timer instead of aiomqtt's task, which is never awaited."""
        if self._client.loop_misc() == paho.MQTT_ERR_SUCCESS:
            self._timer = self._loop.call_later(1, self._tick)

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        if threading.get_ident() == self._thread_id:
            self._write_soon()
        else:
            self._loop.call_soon_threadsafe(self._write)

    def _on_socket_unregister_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        pass  # `_write` knows whether the socket is waited for

    def _on_socket_close(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        if self._waits_to_write and sock.fileno() >= 0:
            self._waits_to_write = False
            self._loop.remove_writer(sock.fileno())
        super()._on_socket_close(client, userdata, sock)

    def _write_soon(self) -> None:
        if not self._will_write:
            self._will_write = True
            self._loop.call_soon(self._write_unless_written)

    def _write_unless_written(self) -> None:
        if self._will_write:
            self._write()

    def _read(self) -> None:
        """Process received packets, up to `_PACKETS_A_TURN`."""
        client, buffers, receive = self._client, self._buffers, self._receive
        take = buffers.take_publish
        try:
            # For the pings of a client that receives nothing.
            client._last_bytes_received = time.monotonic()
            for _ in range(_PACKETS_A_TURN):
                if (published := take()) is not None:
                    topic, payload, retain, _ = published
                    receive(Delivery(topic, payload, retain))
                else:
                    client.loop_read()
                if not buffers.readable or client._sock is None:
                    return
            self._loop.call_soon(self._read_on)
        except Exception as error:  # noqa: BLE001 - paho raises anything on a malformed packet
            self._drop_after(error)

    def _drop_after(self, error: Exception) -> None:
        """Close the socket after an error; a socket that closes before it has read everything resets the connection."""
        if isinstance(error, ConnectionError) and self._connected.done() and not self._ended.done():
            self._end_by_other_side()
        self.drop(f"{type(error).__name__}: {error}")

    def _read_on(self) -> None:
        if self._client.socket() is not None and self._buffers.readable:
            self._read()

    def _write(self) -> None:
        """Write what is queued; the rest waits until the socket is writable."""
        self._will_write = False
        client, buffers = self._client, self._buffers
        try:
            if client._out_packet:
                client.loop_write()
            largest = self._largest_sent
            if (
                largest is not None
                and largest.packet_bytes > self._pinged_bytes
                and self._accepted_bytes == self._pinged_bytes
            ):
                self._ping_after(largest)
            buffers.flush()
            client._last_msg_out = time.monotonic()  # for the pings of a client that is silent
            self._unwritten_bytes = len(buffers.unsent)
        except Exception as error:  # noqa: BLE001 - as in `_read`
            if not self._connected.done():
                self._buffers.read_close_reason()
            self._drop_after(error)
        waits = self._unwritten_bytes > 0 or bool(client._out_packet)
        if waits is not self._waits_to_write and (sock := client.socket()) is not None:
            self._waits_to_write = waits
            if waits:
                self._loop.add_writer(sock.fileno(), self._write)
            else:
                self._loop.remove_writer(sock.fileno())
        if not self._has_room_event.is_set():
            self._wake()

    def _ping_after(self, largest: SentPacket) -> None:
        """Send a ping after the largest packet, unless paho has packets or a ping of its own under way."""
        if not self._client._out_packet and self._client._ping_t == 0:
            self._pinged_bytes = largest.packet_bytes
            self._buffers.unsent += _PINGREQ
