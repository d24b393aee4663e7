"""Why a broker cannot be reached, refuses a client or keeps disconnecting it: the error messages, and whether to retry.

MQTT 3.1.1 gives a broker no way to say that a packet is too large, or that a client may not write to a topic: many just
close the connection. The client would reconnect and send the same packet, or another large one, again and again. So
the reason is inferred from what its disconnects have in common.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from aiomqtt import MqttError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from broker.plain_text import plural
from broker.protocol.topics import encode
from broker.transport.endpoint import BrokerUrl

SAME_DISCONNECTS = 4
"""This many disconnects in a row, each after the same packet, are not a coincidence."""
SAME_SMALL_DISCONNECTS = 20
"""The same for small packets: a client says the same on each connection, so that a link that breaks often, or a broker
that is restarted again and again, looks alike for a while."""
UNACCEPTED_DISCONNECTS = 6
"""The same if the packets differ, but each was larger than any that the broker has accepted, as its answer to the ping
after a packet shows. Over a link that merely breaks often, at least one of these answers arrives."""
PROMPT_WALL_S = 5.0
"""A packet sent longer ago than this did not cause a disconnect, wall-clock seconds."""
ANSWERED_PROMPT_WALL_S = 0.1
"""The same for a packet that the broker had accepted, as its answer to the ping shows: the packet is not too large, but
some brokers answer while they check whether the client may write there."""
SMALL_BYTES = 1_000
"""Hardly any broker rejects packets up to this size for their size, but some close the connection of a client that
writes without permission."""

_BAD_LOGIN = frozenset({134, 135})
_CLIENT_ID_REFUSED = 133
_SERVER_UNAVAILABLE = 136
_FOR_NOW = frozenset({_SERVER_UNAVAILABLE, 128, 131, 137, 151, 156, 159})
"""CONNACK codes of MQTT 5, to which paho also maps those of MQTT 3.1.1, that are not caused by this client: unspecified
or implementation error, server unavailable or busy, quota exceeded, use another server, connection rate exceeded.
"""

_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
"""OpenSSL's reasons for an answer that is not TLS."""
_NO_COMMON_TLS = frozenset({"UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE", "NO_SHARED_CIPHER", "DH_KEY_TOO_SMALL"})
_ALERTS_FOR_NOW = ("INTERNAL_ERROR", "USER_CANCELLED", "CLOSE_NOTIFY")

_NOT_YET_VALID = 9
"""OpenSSL's code for a certificate whose validity has not begun. A machine without a battery for its clock boots in the
past, until it has heard the time: waiting may cure that."""
_EXPIRED = 10
_VALIDITY = frozenset({_NOT_YET_VALID, _EXPIRED})

_CONNACK = 0x20
_TLS_RECORDS = frozenset(range(0x14, 0x18))
"""First byte of a TLS record: change cipher spec, alert, handshake, application data."""


class NoAnswerError(MqttError):
    """The other side closed the connection instead of answering, or its answer is not MQTT."""

    def __init__(self, reason: str, first_bytes: bytes = b"", cause: OSError | None = None) -> None:
        """Create the error.

        Args:
            reason: What happened instead of an answer.
            first_bytes: The first bytes that the other side sent; empty: none came.
            cause: The socket's error; None: there was none.
        """
        super().__init__(reason)
        self.first_bytes = first_bytes
        """The first bytes that it sent."""
        self.cause = cause
        """The socket's error."""


@dataclass(frozen=True, slots=True)
class ConnectFailure:
    """A failed attempt to connect."""

    reason: str
    """What went wrong, for users."""
    is_final: bool
    """Whether another attempt would certainly fail for the same reason."""


def classify(error: Exception, url: BrokerUrl, *, other_connections: int = 0) -> ConnectFailure:
    """Classify a failed attempt to connect.

    Final are failures that waiting cannot cure: a refused login, certificate or client id, an untrusted broker, another
    protocol. All others may be temporary: connection refused or reset, no answer, broken handshake, unknown host,
    "server unavailable".

    Args:
        error: What aiomqtt raised; the cause is the context of its error.
        url: The broker's URL.
        other_connections: Number of other connections of this process to the broker.
    """
    cause: BaseException = error.__context__ or error
    if isinstance(error, NoAnswerError):
        cause = error.cause or error
    match cause:
        case MqttConnectError(rc=ReasonCode() as code):
            return _refused(code, url)
        case ssl.SSLError():
            return _tls_failure(cause)
        case NoAnswerError(first_bytes=first_bytes) if first_bytes and first_bytes[0] != _CONNACK:
            return ConnectFailure(_foreign(first_bytes, url), is_final=True)
        case OSError() | NoAnswerError():
            return ConnectFailure(_away(cause, url, other_connections), is_final=False)
        case UnicodeError():
            return ConnectFailure(f"there is no host named {url.host!r}", is_final=True)
    # A value that paho rejects, such as a user name of 70,000 bytes, will be rejected again.
    return ConnectFailure(str(cause), is_final=isinstance(cause, ValueError))


def _away(cause: OSError | NoAnswerError, url: BrokerUrl, other_connections: int) -> str:
    match cause:
        case socket.gaierror():
            return f"there is no host named {url.host!r}"
        case ConnectionRefusedError():
            return f"connection refused: no broker at {url.host}:{url.port}"
        case TimeoutError():
            return f"no answer; {_doubt(url)}"
        case OSError(strerror=str(why)) if not isinstance(cause, ConnectionError):
            return why
    return f"closed the connection without an answer{_full_or_foreign(url, other_connections)}"


def _refused(code: ReasonCode, url: BrokerUrl) -> ConnectFailure:
    if code.value in _BAD_LOGIN:
        return ConnectFailure(f"refused the login {_login(url.user)}", is_final=True)
    if code.value == _CLIENT_ID_REFUSED:
        return ConnectFailure("refused the client id", is_final=True)
    hint = "; it is starting, overloaded, or has as many clients as it allows" if code.value in _FOR_NOW else ""
    return ConnectFailure(f"refused the connection ({code}){hint}", is_final=code.value not in _FOR_NOW)


def _login(user: str | None) -> str:
    """Describe the refused login, and its spelling at a guarded broker if that differs."""
    if user is None:
        return "(no user given)"
    try:
        spelling = encode(user)
    except ValueError:
        spelling = user
    hint = "" if spelling == user else f"; `ssmic broker init` writes this household's login {spelling!r}"
    return f"(user {user!r}){hint}"


def _foreign(first_bytes: bytes, url: BrokerUrl) -> str:
    if first_bytes[0] in _TLS_RECORDS and not url.tls:
        return f"speaks TLS on this port: write mqtts://{url.host}:{url.port}"
    if first_bytes.startswith(b"HTTP/"):
        return "answers as a web server does: is it an MQTT broker?"
    return "answers with something other than MQTT: is it an MQTT broker?"


def _tls_failure(error: ssl.SSLError) -> ConnectFailure:
    what = getattr(error, "reason", None) or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        clock = ""
        if error.verify_code in _VALIDITY:
            clock = f"; the clock of this machine says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        why = f"the broker's certificate is not trusted ({error.verify_message}{clock})"
        return ConnectFailure(f"TLS failed: {why}", is_final=error.verify_code != _NOT_YET_VALID)
    if "ALERT" in what and not any(alert in what for alert in _ALERTS_FOR_NOW):
        return ConnectFailure(f"TLS failed: the broker refuses the client certificate ({what})", is_final=True)
    if what in _NOT_TLS:
        return ConnectFailure(f"TLS failed ({what}); it does not speak TLS on this port", is_final=True)
    if what in _NO_COMMON_TLS:
        return ConnectFailure(f"TLS failed ({what}); no TLS version or cipher in common", is_final=True)
    return ConnectFailure(f"TLS failed ({what}); does it speak TLS on this port?", is_final=False)


def _full_or_foreign(url: BrokerUrl, other_connections: int) -> str:
    if other_connections:
        connections = plural(other_connections, "other connection")
        return (
            f" while it serves {connections} of this process; it has probably reached its limit of connections "
            "(Mosquitto: max_connections): raise it, or use fewer (ssmic run --hosts N; each household of ssmic host "
            "needs one)"
        )
    return (
        f"; {_doubt(url)} A broker that has reached its limit of connections, or allows no retained messages or no "
        "QoS 1, does so too (Mosquitto: max_connections, retain_available, max_qos)"
    )


def _doubt(url: BrokerUrl) -> str:
    return "does it speak TLS on this port?" if url.tls else "is it an MQTT broker, and without TLS?"


class SentPacket(NamedTuple):
    """A packet that was handed to a connection."""

    topic: str
    packet_bytes: int
    at_wall_s: float
    """Loop time."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A connection that the other side closed."""

    largest: SentPacket | None
    """The largest packet that had been sent over it."""
    accepted_bytes: int
    """Size of the largest packet that the broker accepted, as its answer to a ping shows; 0: it answered none."""
    at_wall_s: float
    """Loop time."""

    @property
    def is_prompt(self) -> bool:
        """Whether the largest packet may have been the cause."""
        if self.largest is None:
            return False
        was_accepted = self.largest.packet_bytes <= self.accepted_bytes
        prompt_wall_s = ANSWERED_PROMPT_WALL_S if was_accepted else PROMPT_WALL_S
        return self.at_wall_s - self.largest.at_wall_s <= prompt_wall_s


class DisconnectHistory:
    """The disconnects of one client, in order."""

    def __init__(self) -> None:
        self._last: deque[Disconnect] = deque(maxlen=SAME_SMALL_DISCONNECTS)
        self._passed_bytes = 0
        """Size of the largest packet that was sent too long before a disconnect to be its cause."""
        self._accepted_bytes = 0
        """Size of the largest packet that the broker accepted."""

    def add(self, disconnect: Disconnect) -> str | None:
        """Add a disconnect; return the error message if what the last ones have in common is no coincidence."""
        self._last.append(disconnect)
        self._accepted_bytes = max(self._accepted_bytes, disconnect.accepted_bytes)
        largest = disconnect.largest
        if largest is None:
            return None
        if not disconnect.is_prompt:
            self._passed_bytes = max(self._passed_bytes, largest.packet_bytes)
        return self._problem_with_same_packet(largest) or self._problem_with_size()

    def _problem_with_same_packet(self, largest: SentPacket) -> str | None:
        """Return the message if the same packet preceded each of the last disconnects."""
        least = SAME_DISCONNECTS if largest.packet_bytes > SMALL_BYTES else SAME_SMALL_DISCONNECTS
        last = list(self._last)[-least:]
        same = {(c.largest.topic, c.largest.packet_bytes) for c in last if c.largest is not None and c.is_prompt}
        if len(last) < least or len(same) != 1 or not all(c.is_prompt for c in last):
            return None
        if largest.packet_bytes <= self._passed_bytes:
            return None
        return _message(least, f"after a packet of {largest.packet_bytes:,} bytes on {largest.topic}")

    def _problem_with_size(self) -> str | None:
        """Return the message if each of the last disconnects came right after a packet larger than any accepted one."""
        last = list(self._last)[-UNACCEPTED_DISCONNECTS:]
        unaccepted = [
            c.largest
            for c in last
            if c.largest is not None and c.is_prompt and c.largest.packet_bytes > self._accepted_bytes
        ]
        if len(unaccepted) < UNACCEPTED_DISCONNECTS:
            return None
        least = min(unaccepted, key=lambda sent: sent.packet_bytes)
        return _message(
            UNACCEPTED_DISCONNECTS,
            "after a packet larger than any that it had accepted: the smallest of these packets had "
            f"{least.packet_bytes:,} bytes, on {least.topic}",
        )


def _message(times: int, what: str) -> str:
    """Return the error message for a broker that closes the connection after certain packets."""
    return (
        f"disconnected this client {times} times in a row, each time {what}; it probably limits the packet size "
        "(Mosquitto: max_packet_size, message_size_limit), or its access rules do not let this client write there"
    )
