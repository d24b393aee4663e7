"""One connection to an MQTT broker, from its making to its end; `MqttBus` makes a new one each time it is lost.

Only this module and `unreachable` know aiomqtt. It overrides private seams of 2.5, to which the project is pinned,
because the public ones cost two tasks a message: `publish` waits for the socket through `wait_for`, and iterating
over `messages` makes a task for each. Here a message is written at the end of the loop's turn, together with all
others of that turn, and goes straight to the receiver when it is read.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import aiomqtt
import paho.mqtt.client as paho
import structlog
from aiomqtt import MqttError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from broker.errors import BrokerAwayError, BrokerUnreachableError
from broker.protocol.topics import encode
from broker.transport.base import Delivery, Will
from broker.transport.disconnects import Cut, Sent
from broker.transport.endpoint import BrokerUrl

_AHEAD_BYTES = 64 * 1024
_HEAD_BYTES = 16
_DISCONNECT = 0xE0


class Buffers:
    """Stands between a client and its socket, which it does not own."""

    def __init__(self, client: paho.Client) -> None:
        """Take the place of the client's own reading and writing; private seams of paho 2."""
        self._client = client
        self._receive = client._sock_recv  # noqa: SLF001
        client._sock_recv = self._take  # type: ignore[method-assign]  # noqa: SLF001
        client._sock_send = self._put  # type: ignore[method-assign]  # noqa: SLF001
        self.head = b""
        """The first bytes that came in, by which a protocol is known."""
        self.error: OSError | None = None
        """Why reading failed; paho forgets it."""
        self._ahead = b""
        self._taken = 0
        """How much of `_ahead` the client has had."""
        self._unsent = bytearray()

    @property
    def readable(self) -> bool:
        """Whether there is something to read that makes no socket readable: read ahead, or decrypted."""
        sock = self._client.socket()
        return len(self._ahead) > self._taken or (isinstance(sock, ssl.SSLSocket) and sock.pending() > 0)

    @property
    def unsent_bytes(self) -> int:
        """How much the socket has not taken yet."""
        return len(self._unsent)

    def flush(self) -> None:
        """Give the socket as much as it takes.

        Raises:
            OSError: the connection is broken.
        """
        sock = self._client.socket()
        try:
            while self._unsent and sock is not None:
                sent = sock.send(self._unsent)
                del self._unsent[:sent]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass

    def look_for_reason(self) -> None:
        """Read once more after writing has failed: a broker that refuses our certificate says so, and then closes."""
        with suppress(OSError):
            self._take(1)

    def _take(self, bufsize: int) -> bytes:
        if self._taken >= len(self._ahead):
            try:
                self._ahead, self._taken = self._receive(_AHEAD_BYTES), 0
            except BlockingIOError:
                raise
            except OSError as error:
                self.error = error
                raise
            self.head = self.head or self._ahead[:_HEAD_BYTES]
        piece = self._ahead[self._taken : self._taken + bufsize]
        self._taken += len(piece)
        return piece

    def _put(self, buf: bytes | bytearray) -> int:
        self._unsent += buf
        if buf[0] == _DISCONNECT and len(buf) == 2:
            # The client closes the socket once this is written: all before it has to be out.
            self.flush()
            if self._unsent:
                del self._unsent[-2:]
                raise BlockingIOError
        return len(buf)


_BAD_LOGIN = frozenset({134, 135})
_CLIENT_ID_REFUSED = 133
_SERVER_UNAVAILABLE = 136
_FOR_NOW = frozenset({_SERVER_UNAVAILABLE, 128, 131, 137, 151, 156, 159})
"""CONNACK codes of MQTT 5, as paho also names those of MQTT 3.1.1, that say nothing against this client: unspecified or
implementation error, server unavailable or busy, quota exceeded, use another server, connection rate exceeded."""

_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
"""What OpenSSL calls an answer that is not TLS."""
_NO_COMMON_TLS = frozenset({"UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE", "NO_SHARED_CIPHER", "DH_KEY_TOO_SMALL"})
_ALERTS_FOR_NOW = ("INTERNAL_ERROR", "USER_CANCELLED", "CLOSE_NOTIFY")

_CONNACK = 0x20
_TLS_RECORDS = frozenset(range(0x14, 0x18))
"""First byte of a TLS record: change cipher, alert, handshake, data."""


class NoAnswerError(MqttError):
    """The other side went away instead of answering, or answered something that is not MQTT."""

    def __init__(self, reason: str, head: bytes = b"", cause: OSError | None = None) -> None:
        super().__init__(reason)
        self.head = head
        """The first bytes that it did send."""
        self.cause = cause
        """What the socket said."""


@dataclass(frozen=True, slots=True)
class ConnectFailure:
    """An attempt to connect that failed."""

    reason: str
    """What went wrong, for people."""
    is_final: bool
    """Whether another attempt would certainly fail for the same reason."""


def classify(error: Exception, url: BrokerUrl, *, standing: int = 0) -> ConnectFailure:
    """Return what a failed attempt means.

    Final is what no waiting mends: a refused login, certificate or client id, a broker that is not trusted, the wrong
    protocol on the other side. All else may pass: refused, reset, silent, cut during the handshake, no address yet,
    "server unavailable".

    Args:
        error: What aiomqtt raised; it keeps the cause as the context of its own error.
        url: Where the attempt went.
        standing: How many other connections of this process the broker serves now.
    """
    cause: BaseException = error.__context__ or error
    if isinstance(error, NoAnswerError):
        cause = error.cause or error
    match cause:
        case MqttConnectError(rc=ReasonCode() as code):
            return _refused(code, url)
        case ssl.SSLError():
            return _tls_failure(cause)
        case NoAnswerError(head=head) if head and head[0] != _CONNACK:
            return ConnectFailure(_foreign(head, url), is_final=True)
        case OSError() | NoAnswerError():
            return ConnectFailure(_away(cause, url, standing), is_final=False)
        case UnicodeError():
            return ConnectFailure(f"there is no host named {url.host!r}", is_final=True)
    # A value that paho refuses, such as a user name of 70,000 bytes, stays refused.
    return ConnectFailure(str(cause), is_final=isinstance(cause, ValueError))


def _away(cause: OSError | NoAnswerError, url: BrokerUrl, standing: int) -> str:
    match cause:
        case socket.gaierror():
            return f"there is no host named {url.host!r}"
        case ConnectionRefusedError():
            return f"connection refused: no broker at {url.host}:{url.port}"
        case TimeoutError():
            return f"no answer; {_doubt(url)}"
        case OSError(strerror=str(why)) if not isinstance(cause, ConnectionError):
            return why
    return f"closed the connection without an answer{_full_or_foreign(url, standing)}"


def _refused(code: ReasonCode, url: BrokerUrl) -> ConnectFailure:
    if code.value in _BAD_LOGIN:
        return ConnectFailure(f"refused the login {_login(url.user)}", is_final=True)
    if code.value == _CLIENT_ID_REFUSED:
        return ConnectFailure("refused the client id", is_final=True)
    hint = "; it is starting, overloaded, or has as many clients as it allows" if code.value in _FOR_NOW else ""
    return ConnectFailure(f"refused the connection ({code}){hint}", is_final=code.value not in _FOR_NOW)


def _login(user: str | None) -> str:
    """Return who was refused; where a guarded broker would have another spelling of it, that too."""
    if user is None:
        return "(no user given)"
    try:
        spelling = encode(user)
    except ValueError:
        spelling = user
    hint = "" if spelling == user else f"; `ssmic broker init` writes this household's login {spelling!r}"
    return f"(user {user!r}){hint}"


def _foreign(head: bytes, url: BrokerUrl) -> str:
    if head[0] in _TLS_RECORDS and not url.tls:
        return f"speaks TLS on this port: write mqtts://{url.host}:{url.port}"
    if head.startswith(b"HTTP/"):
        return "answers as a web server does: is it an MQTT broker?"
    return "answers with something other than MQTT: is it an MQTT broker?"


def _tls_failure(error: ssl.SSLError) -> ConnectFailure:
    what = getattr(error, "reason", None) or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"the broker's certificate is not trusted ({error.verify_message})"
        return ConnectFailure(f"TLS failed: {why}", is_final=True)
    if "ALERT" in what and not any(alert in what for alert in _ALERTS_FOR_NOW):
        return ConnectFailure(f"TLS failed: the broker refuses ours ({what})", is_final=True)
    if what in _NOT_TLS:
        return ConnectFailure(f"TLS failed ({what}); it does not speak TLS on this port", is_final=True)
    if what in _NO_COMMON_TLS:
        return ConnectFailure(f"TLS failed ({what}); it has no version or cipher that we take", is_final=True)
    return ConnectFailure(f"TLS failed ({what}); does it speak TLS on this port?", is_final=False)


def _full_or_foreign(url: BrokerUrl, standing: int) -> str:
    if standing:
        connections = "1 other connection" if standing == 1 else f"{standing} other connections"
        return (
            f" while it serves {connections} of this process; it has probably reached its limit of connections "
            "(Mosquitto: max_connections): raise it, or use fewer (ssmic run --hosts N)"
        )
    return f"; {_doubt(url)} One that has reached its limit of connections does so too (Mosquitto: max_connections)"


def _doubt(url: BrokerUrl) -> str:
    return "does it speak TLS on this port?" if url.tls else "is it an MQTT broker, and without TLS?"


AnswerT = TypeVar("AnswerT")

_log = structlog.get_logger(__name__)

_MUTE = logging.Logger("paho", level=logging.CRITICAL + 1)  # noqa: LOG001 - kept out of the tree: we report ourselves

_UNWRITTEN_LIMIT_BYTES = 1024 * 1024
"""How much may wait for the socket before publishers do."""
_PACKET_BYTES = 500
"""What a packet that waits takes beside its payload."""
_HEADER_BYTES = 5
"""What a packet of up to 16 kB has before its payload, beside the topic."""
_HEADER_QOS_1_BYTES = 7
_UNACKNOWLEDGED_LIMIT = 10_000
"""QoS 1 messages that may be under way before publishers wait."""
_IDS = 60_000
"""How far the oldest unacknowledged message may lie back: message ids come again after 65,535."""
_PACKETS_A_TURN = 500
"""Read at once; then whoever they are for has its turn, or a flood would keep the loop for itself."""
_UNSPECIFIED = 128
"""The reason that paho gives for a connection that ends without one."""


class ConnectionBrokenError(Exception):
    """The connection ended while something was under way; internal to the bus, which makes a new one."""


class Connection(aiomqtt.Client):
    """See the module."""

    def __init__(  # noqa: D417 - what is not named here is what its type says
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
            answer_wall_s: How long the broker may take to answer.
            receive: Takes each message that comes in.
            acknowledged: Takes the ticket of each QoS 1 message that the broker confirmed.
        """
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # What was sent and not confirmed in this time means a dead link: sooner than a second missed ping.
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
        self._abandoned = False
        self._timer: asyncio.TimerHandle | None = None
        self._sent = 0
        self._last_sent: Sent | None = None
        self._largest_sent: Sent | None = None
        self.cut_off: Cut | None = None
        """How it ended, where the other side ended it."""
        self._unwritten_bytes = 0
        self._tickets: OrderedDict[int, tuple[int, int]] = OrderedDict()
        """By message id: the ticket, and how many messages had been sent before it."""
        self._buffers = Buffers(self._client)
        # Its callback for what is published is called for QoS 0 too, and costs more there than publishing.
        self._client.on_publish = None
        self._confirm = self._client._do_on_publish  # noqa: SLF001
        self._client._do_on_publish = self._on_confirmed  # type: ignore[method-assign]  # noqa: SLF001
        self._ended: asyncio.Future[str] = asyncio.Future()
        self._room = asyncio.Event()
        self._room.set()

    async def open(self, *, standing: int = 0) -> None:
        """Connect and log in.

        Args:
            standing: How many other connections of this process the broker serves now.

        Raises:
            BrokerAwayError: it did not work for a reason that may pass; the message says which.
            BrokerUnreachableError: it did not work, and will not.
        """
        try:
            await self.__aenter__()
        except (aiomqtt.MqttError, UnicodeError, ValueError) as error:
            self.abort()
            failure = classify(error, self._url, standing=standing)
            kind = BrokerUnreachableError if failure.is_final else BrokerAwayError
            raise kind(f"{self._url}: {failure.reason}") from None
        except BaseException:
            self.abort()
            raise
        if self._ended.done():
            raise BrokerAwayError(f"{self._url}: closed the connection: {self._ended.result()}")

    async def ended(self) -> str:
        """Wait until the connection ends, and return why."""
        # A wait that is cancelled must not cancel the future, on which others wait.
        await asyncio.wait([self._ended])
        return self._ended.result()

    async def close(self) -> None:
        """Write what is queued, say goodbye (the broker publishes no will), and end."""
        if not self._ended.done():
            self._client.disconnect()
            await asyncio.wait([self._ended], timeout=self.timeout)
        self.abort()

    def abort(self) -> None:
        """End without a word: the broker publishes the will."""
        self._abandoned = True
        self.cut("closed")

    async def subscribe_all(self, topic_filters: Mapping[str, int]) -> None:
        """Subscribe to filters, each at its QoS, and wait until the broker says that it did.

        amqtt sends everything at the QoS of the subscription, whatever it was published at.

        Raises:
            ConnectionBrokenError: the connection ended before, or the broker gave no answer.
            BrokerUnreachableError: the broker refuses a filter; the message names it.
        """
        if not topic_filters:
            return
        try:
            codes = await self.subscribe(list(topic_filters.items()))
        except aiomqtt.MqttError as error:
            self.cut(str(error))
            raise ConnectionBrokenError from None
        for topic_filter, code in zip(topic_filters, cast("list[ReasonCode]", codes), strict=True):
            if code.is_failure:
                raise BrokerUnreachableError(f"{self._url} refuses a subscription to {topic_filter!r}")

    async def room(self) -> None:
        """Wait until there is room for one more message, or the connection has ended."""
        while not self.has_room and not self._ended.done():
            self._room.clear()
            await self._room.wait()

    def send(self, topic: str, payload: bytes, *, retain: bool, ticket: int | None) -> None:
        """Queue a message: at QoS 1 where it has a ticket, which comes back when the broker has confirmed it.

        Raises:
            ConnectionBrokenError: the connection has ended.
        """
        info = self._client.publish(topic, payload, qos=0 if ticket is None else 1, retain=retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            self.cut(paho.error_string(info.rc))
            raise ConnectionBrokenError
        self._sent += 1
        size = len(topic.encode()) + len(payload) + (_HEADER_BYTES if ticket is None else _HEADER_QOS_1_BYTES)
        sent = self._last_sent = Sent(topic, size, self._loop.time())
        if self._largest_sent is None or size >= self._largest_sent.packet_bytes:
            self._largest_sent = sent
        self._unwritten_bytes += _PACKET_BYTES + len(payload)
        if ticket is not None:
            self._tickets[info.mid] = (ticket, self._sent)

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
        """Let publishers go on that wait for room."""
        if not self._room.is_set() and self.has_room:
            self._room.set()

    def cut(self, reason: str) -> None:
        """Close the socket without a word; what waits for the connection learns `reason`."""
        self._client._sock_close()  # noqa: SLF001 - paho's public way says goodbye first
        self._end(reason)

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)
        if not self._connected.done():
            self._connected.set_exception(NoAnswerError(reason, self._buffers.head, self._buffers.error))
            # It is nobody's duty to look at it: `open` may be gone already.
            self._connected.exception()
        for pending in self._pending_subscribes.values():
            if not pending.done():
                pending.set_exception(aiomqtt.MqttError(reason))
        if self._timer is not None:
            self._timer.cancel()
        self._room.set()

    async def _wait_for(self, fut: Awaitable[AnswerT], timeout: float | None) -> AnswerT:  # noqa: ASYNC109 - aiomqtt's
        """Wait for an answer of the broker; a cancellation always arrives.

        Until Python 3.12 `asyncio.wait_for`, which aiomqtt uses, forgets that it was cancelled when the answer comes
        just then; whoever subscribed would go on as if nobody had ended it.
        """
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None

    # From here on: what aiomqtt has paho call.

    def _client_connect(self) -> None:
        """Connect, in a thread; who was cancelled meanwhile no longer wants the socket."""
        super()._client_connect()
        self._loop.call_soon_threadsafe(self._close_if_abandoned)

    def _close_if_abandoned(self) -> None:
        if self._abandoned:
            self.cut("closed")

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:  # noqa: ANN401, ARG002
        try:
            topic = message.topic
        except UnicodeDecodeError:
            _log.warning("message dropped: topic is not UTF-8", client=self.identifier)
            return
        self._receive(Delivery(topic, bytes(message.payload), message.retain))

    def _on_confirmed(self, mid: int, reason_code: ReasonCode, properties: Properties) -> MQTTErrorCode:
        """Handle the broker's confirmation of a QoS 1 message."""
        ticket, _ = self._tickets.pop(mid)
        self._acknowledged(ticket)
        self._wake()
        return self._confirm(mid, reason_code, properties)

    def _on_disconnect(
        self,
        client: paho.Client,  # noqa: ARG002
        userdata: Any,  # noqa: ANN401, ARG002
        flags: paho.DisconnectFlags,  # noqa: ARG002
        reason_code: ReasonCode,
        properties: Any = None,  # noqa: ANN401, ARG002
    ) -> None:
        if reason_code != _UNSPECIFIED or self._ended.done():
            self._end(str(reason_code))
            return
        self.cut_off = Cut(self._largest_sent, self._loop.time())
        last = self._last_sent
        if last is None:
            self._end("the other side closed it")
        else:
            wall_s = self.cut_off.at_wall_s - last.at_wall_s
            self._end(f"the other side closed it {wall_s:.1f} s after a packet of {last.packet_bytes:,} bytes")

    def _on_socket_open(self, client: paho.Client, userdata: Any, sock: Any) -> None:  # noqa: ANN401, ARG002
        # Called in the thread that connects.
        self._loop.call_soon_threadsafe(self._start, sock)

    def _start(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:
            self._loop.add_reader(sock.fileno(), self._read)
            self._timer = self._loop.call_later(1, self._tick)

    def _tick(self) -> None:
        """Ping when it is time to; a timer, where aiomqtt has a task that nobody waits for."""
        if self._client.loop_misc() == paho.MQTT_ERR_SUCCESS:
            self._timer = self._loop.call_later(1, self._tick)

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:  # noqa: ANN401, ARG002
        if threading.get_ident() == self._thread_id:
            self._loop.call_soon(self._write)
        else:
            self._loop.call_soon_threadsafe(self._write)

    def _read(self) -> None:
        """Take the packets that have come in, a turn's worth of them."""
        try:
            for _ in range(_PACKETS_A_TURN):
                self._client.loop_read()
                if self._client.socket() is None or not self._buffers.readable:
                    return
            self._loop.call_soon(self._read_on)
        except Exception as error:  # noqa: BLE001 - paho raises anything on a malformed packet
            self.cut(f"{type(error).__name__}: {error}")

    def _read_on(self) -> None:
        if self._client.socket() is not None and self._buffers.readable:
            self._read()

    def _write(self) -> None:
        """Write all that is queued; what the socket does not take waits until it does."""
        try:
            self._client.loop_write()
            self._buffers.flush()
            self._unwritten_bytes = self._buffers.unsent_bytes
        except Exception as error:  # noqa: BLE001 - as in `_read`
            if not self._connected.done():
                self._buffers.look_for_reason()
            self.cut(f"{type(error).__name__}: {error}")
        sock = self._client.socket()
        if sock is not None:
            if self._buffers.unsent_bytes or self._client.want_write():
                self._loop.add_writer(sock.fileno(), self._write)
            else:
                self._loop.remove_writer(sock.fileno())
        self._wake()
