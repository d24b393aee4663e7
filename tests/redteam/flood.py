"""A second connection of a household's login that publishes faster than any client library does."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from broker.protocol import topics
from broker.security.provision import login_folder
from tests.deployment.guarded import GuardedBroker

_CONNECT, _PUBLISH, _DISCONNECT = 0x10, 0x30, 0xE0
_WITH_LOGIN, _KEEP_ALIVE = 0xC2, b"\x00\x00"
_PACKETS_A_WRITE = 500


class Flood:
    """Publishes at QoS 0, and reads nothing. It blocks the event loop: no process of the test reads meanwhile."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection

    def publish(self, topic: str, payload: bytes, times: int = 1) -> None:
        """Publish a payload, `times` times."""
        name = topic.encode()
        packet = _packet(_PUBLISH, len(name).to_bytes(2, "big") + name + payload)
        while times > 0:
            self._connection.sendall(packet * min(times, _PACKETS_A_WRITE))
            times -= _PACKETS_A_WRITE


@contextmanager
def flood(guarded: GuardedBroker, login: str) -> Iterator[Flood]:
    """Connect with a household's login."""
    own = login_folder(guarded.folder, login)
    password = (own / "password").read_text(encoding="utf-8").strip()
    context = ssl.create_default_context(cafile=own / "ca.crt")
    with (
        socket.create_connection(("localhost", guarded.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        parts = [part.encode() for part in ("flood", topics.encode(login), password)]
        fields = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
        connection.sendall(_packet(_CONNECT, b"\x00\x04MQTT\x04" + bytes([_WITH_LOGIN]) + _KEEP_ALIVE + fields))
        assert connection.recv(4) == b"\x20\x02\x00\x00"
        yield Flood(connection)
        connection.sendall(bytes([_DISCONNECT, 0]))
        while connection.recv(1):
            pass  # the broker closes the connection once it has read everything


def _packet(kind: int, content: bytes) -> bytes:
    length, left = bytearray(), len(content)
    while True:
        left, low = divmod(left, 128)
        length.append(low | (128 if left else 0))
        if not left:
            return bytes([kind]) + bytes(length) + content
