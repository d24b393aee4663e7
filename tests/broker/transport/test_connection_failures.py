"""Which connection failures are temporary, how each is described, and the common cause of repeated disconnections."""

from __future__ import annotations

import socket
import ssl

import pytest
from aiomqtt import MqttError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from broker.transport.connection_failures import (
    PROMPT_WALL_S,
    SAME_DISCONNECTS,
    SAME_SMALL_DISCONNECTS,
    UNACCEPTED_DISCONNECTS,
    Disconnect,
    DisconnectHistory,
    NoAnswerError,
    SentPacket,
    classify,
)
from broker.transport.endpoint import BrokerUrl

URL = BrokerUrl("broker", 1883)
TLS_URL = BrokerUrl("broker", 8883, tls=True)


def refusal(name: str) -> MqttConnectError:
    """Return the error for a CONNACK that refuses, as paho names its reason."""
    return MqttConnectError(ReasonCode(PacketTypes.CONNACK, name))


def tls_error(reason: str, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    """Return an error as OpenSSL raises it."""
    error = kind(1, f"[SSL: {reason}] something")
    error.reason = reason
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_code, error.verify_message = 18, "self-signed certificate"
    return error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError("timed out"),
        OSError(113, "No route to host"),
        OSError(101, "Network is unreachable"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        NoAnswerError("closed by the other side"),
        NoAnswerError("closed by the other side", first_bytes=b"\x20"),
        NoAnswerError("broken", cause=ConnectionResetError(104, "Connection reset by peer")),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        tls_error("UNEXPECTED_EOF_WHILE_READING"),
        tls_error("TLSV1_ALERT_INTERNAL_ERROR"),
        refusal("Server unavailable"),
        refusal("Server busy"),
        refusal("Quota exceeded"),
        refusal("Connection rate exceeded"),
    ],
    ids=repr,
)
def test_a_failure_that_may_pass(error: Exception) -> None:
    """The broker starts, is full, or its link is down: another attempt may succeed."""
    assert not classify(error, URL).is_final


@pytest.mark.parametrize(
    ("error", "url", "reason"),
    [
        (refusal("Bad user name or password"), URL, "refused the login (no user given)"),
        (refusal("Not authorized"), BrokerUrl("b", 1, "ann"), "refused the login (user 'ann')"),
        (refusal("Client identifier not valid"), URL, "refused the client id"),
        (refusal("Unsupported protocol version"), URL, "refused the connection (Unsupported protocol version)"),
        (refusal("Banned"), URL, "refused the connection (Banned)"),
        (tls_error("CERTIFICATE_VERIFY_FAILED", ssl.SSLCertVerificationError), TLS_URL, "is not trusted"),
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), TLS_URL, "the broker refuses the client certificate"),
        (tls_error("TLSV1_ALERT_UNKNOWN_CA"), TLS_URL, "the broker refuses the client certificate"),
        (
            NoAnswerError("closed", cause=tls_error("SSLV3_ALERT_CERTIFICATE_EXPIRED")),
            TLS_URL,
            "refuses the client certificate",
        ),
        (tls_error("WRONG_VERSION_NUMBER"), TLS_URL, "it does not speak TLS on this port"),
        (
            NoAnswerError("closed", first_bytes=b"\x15\x03\x03"),
            URL,
            "speaks TLS on this port: write mqtts://broker:1883",
        ),
        (NoAnswerError("closed", first_bytes=b"HTTP/1.1 400 Bad"), URL, "answers as a web server does"),
        (NoAnswerError("closed", first_bytes=b"SSH-2.0-OpenSSH"), URL, "something other than MQTT"),
        (UnicodeError("label too long"), URL, "there is no host named 'broker'"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_failure_that_is_final(error: Exception, url: BrokerUrl, reason: str) -> None:
    """Waiting does not help, and the reason says what does."""
    failure = classify(error, url)
    assert failure.is_final
    assert reason in failure.reason


def test_the_cause_is_what_counts() -> None:
    """The client library wraps the cause in another error."""
    wrapped = MqttError("[Errno 111] Connection refused")
    wrapped.__context__ = ConnectionRefusedError(111, "Connection refused")
    assert classify(wrapped, URL).reason == "connection refused: no broker at broker:1883"


def test_a_broker_that_serves_others_is_full() -> None:
    """It answers other connections of ours, so the error states the likely reason and the remedy."""
    alone = classify(NoAnswerError("closed"), URL).reason
    assert "is it an MQTT broker" in alone
    assert "max_connections" in alone
    with_others = classify(NoAnswerError("closed"), URL, other_connections=3).reason
    assert "is it an MQTT broker" not in with_others
    assert "while it serves 3 other connections" in with_others
    assert "--hosts N" in with_others


def cut_after(topic: str, packet_bytes: int, wall_s: float = 0.0, *, accepted_bytes: int | None = None) -> Disconnect:
    """Return a connection that ended some time after its largest packet, which the broker accepted by default."""
    accepted_bytes = packet_bytes if accepted_bytes is None else accepted_bytes
    return Disconnect(SentPacket(topic, packet_bytes, 100.0), accepted_bytes, 100.0 + wall_s)


def test_the_same_packet_again_and_again_is_the_reason() -> None:
    """It is blamed only after enough repetitions to exclude chance."""
    cuts = DisconnectHistory()
    found = [cuts.add(cut_after("inbox/a", 4_000)) for _ in range(SAME_DISCONNECTS)]
    assert found[:-1] == [None] * (SAME_DISCONNECTS - 1)
    assert found[-1] is not None
    assert "4,000 bytes on inbox/a" in found[-1]


def test_different_packets_are_an_accident_of_the_network() -> None:
    """A link that breaks often breaks after this and that."""
    cuts = DisconnectHistory()
    assert not any(cuts.add(cut_after("inbox/a", 4_000 + number)) for number in range(3 * SAME_DISCONNECTS))


def test_a_packet_that_has_passed_is_not_the_reason() -> None:
    """A packet of that size was sent long before a disconnection."""
    cuts = DisconnectHistory()
    cuts.add(cut_after("inbox/a", 4_000, PROMPT_WALL_S + 1))
    assert not any(cuts.add(cut_after("inbox/a", 4_000)) for _ in range(3 * SAME_DISCONNECTS))


def test_small_packets_are_rarely_refused_for_their_size() -> None:
    """A client that announces itself on each connection says the same each time; twenty times are no coincidence."""
    cuts = DisconnectHistory()
    assert not any(cuts.add(cut_after("hosts/a", 300)) for _ in range(SAME_SMALL_DISCONNECTS - 1))
    blamed = cuts.add(cut_after("hosts/a", 300))
    assert blamed is not None
    assert "20 times in a row, each time after a packet of 300 bytes on hosts/a" in blamed


@pytest.mark.parametrize("packet_bytes", [300, 4_000])
def test_a_link_that_breaks_a_third_of_a_second_after_each_connection_is_not_blamed_on_packets(
    packet_bytes: int,
) -> None:
    """The broker had answered the ping behind the packet long before."""
    cuts = DisconnectHistory()
    assert not any(cuts.add(cut_after("hosts/a", packet_bytes, 0.3)) for _ in range(3 * SAME_SMALL_DISCONNECTS))


def test_connections_over_which_nothing_was_sent() -> None:
    """They say nothing about packets."""
    cuts = DisconnectHistory()
    assert not any(cuts.add(Disconnect(None, 0, 100.0)) for _ in range(3 * SAME_DISCONNECTS))


def test_different_packets_of_which_none_was_accepted_are_too_large() -> None:
    """The broker accepts smaller ones, and never answers the ping behind a larger one."""
    cuts = DisconnectHistory()
    sizes = range(1_500, 1_500 + 7 * UNACCEPTED_DISCONNECTS, 7)
    found = [cuts.add(cut_after("inbox/a", size, accepted_bytes=1_400)) for size in sizes]
    assert found[:-1] == [None] * (UNACCEPTED_DISCONNECTS - 1)
    assert found[-1] is not None
    assert "6 times in a row, each time after a packet larger than any that it had accepted" in found[-1]
    assert "the smallest of these packets had 1,500 bytes, on inbox/a" in found[-1]


def test_one_large_packet_that_was_accepted_is_enough_to_blame_the_network() -> None:
    """A link that breaks often lets one of them pass now and then."""
    cuts = DisconnectHistory()
    for number in range(10 * UNACCEPTED_DISCONNECTS):
        passes = number % UNACCEPTED_DISCONNECTS == 0
        assert not cuts.add(cut_after("inbox/a", 1_500 + number, accepted_bytes=1_500 + number if passes else 0))


def test_disconnects_long_after_the_largest_packet_are_not_its_fault() -> None:
    """A link stalled before it broke, so that the ping was not answered."""
    cuts = DisconnectHistory()
    sizes = range(1_500, 1_500 + 3 * UNACCEPTED_DISCONNECTS)
    assert not any(cuts.add(cut_after("a", size, PROMPT_WALL_S + 1, accepted_bytes=0)) for size in sizes)
