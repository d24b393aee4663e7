"""Why a connection to a broker could not be made, in words that help."""

from __future__ import annotations

import socket
import ssl

from aiomqtt import MqttError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from broker.topics import encode
from broker.url import BrokerUrl


class NoAnswerError(MqttError):
    """The other side went away instead of answering."""


def explain(error: Exception, url: BrokerUrl) -> str:
    """Say what went wrong; aiomqtt keeps the cause as the context of its own error."""
    doubt = "does it speak TLS on this port?" if url.tls else "is it an MQTT broker, and without TLS?"
    match error.__context__ or error:
        case MqttConnectError(rc=ReasonCode(value=134 | 135)):
            reason = "refused the login " + _login(url.user)
        case MqttConnectError(rc=code):
            reason = f"refused the connection ({code})"
        case ssl.SSLCertVerificationError(verify_message=why):
            reason = f"TLS failed: the broker's certificate is not trusted ({why})"
        case ssl.SSLError() as cause:
            reason = f"TLS failed ({cause.reason or cause}); {doubt}"
        case socket.gaierror() | UnicodeError():
            reason = f"there is no host named {url.host!r}"
        case ConnectionRefusedError():
            reason = "nobody listens there"
        case TimeoutError():
            reason = f"no answer; {doubt}"
        case ConnectionResetError() | NoAnswerError():
            reason = f"closed the connection without an answer; {doubt}"
        case OSError(strerror=str(why)):
            reason = why
        case cause:
            reason = str(cause)
    return reason


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
