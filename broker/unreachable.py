"""Why a connection to a broker could not be made: in words that help, and whether it is worth trying again."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from aiomqtt import MqttError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from broker.topics import encode
from broker.url import BrokerUrl

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
            return "nobody listens there"
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
