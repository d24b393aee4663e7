"""Buffers between a paho client and its socket: many packets are written, or read, by one call of the system.

paho 2 calls the socket for each packet, and for parts of each. Here its packets are collected until the connection
flushes them in a single write at the end of an event-loop iteration, and what has arrived is read ahead. PUBLISH
packets at QoS 0, which are nearly all that a run sends and receives, need no answer and bypass the client.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from functools import lru_cache

import paho.mqtt.client as paho

_PUBLISH = 0x30
_RETAIN = 0x01
_LENGTH_BITS = 7
_MORE = 1 << _LENGTH_BITS
"""Set in each byte of a packet's length but the last."""
_LONGEST_LENGTH = 4
"""Bytes."""
_SHORTEST_PACKET = 5
"""Bytes: the kind, a length of one byte, the topic's length of two, and a topic of one character."""
_READ_AHEAD_BYTES = 64 * 1024
_HEAD_BYTES = 16
_DISCONNECT = 0xE0


def encode_publish(topic: str, payload: bytes, *, retain: bool) -> bytes:
    """Return the packet that publishes `payload` on `topic` at QoS 0, with the flag `retain`."""
    name = _name(topic)
    remaining = len(name) + len(payload)
    head = bytearray((_PUBLISH | retain,))
    while remaining >= _MORE:
        head.append(remaining & (_MORE - 1) | _MORE)
        remaining >>= _LENGTH_BITS
    head.append(remaining)
    return b"".join((head, name, payload))


@lru_cache(maxsize=4096)
def _name(topic: str) -> bytes:
    """Return a topic with its length in front; a client publishes on few."""
    name = topic.encode()
    return len(name).to_bytes(2, "big") + name


def decode_publish(received: bytes, start: int) -> tuple[str, bytes, bool, int] | None:
    """Read the packet that begins at `start`.

    Returns:
        Topic, payload, whether the broker had retained it, and where the next packet begins; None if it is another
        kind of packet, incomplete or malformed. (A tuple without names is made faster.)
    """
    head, most = received[start], len(received)
    if head & ~_RETAIN != _PUBLISH or most - start < _SHORTEST_PACKET:
        return None
    length, byte, at = received[start + 1], received[start + 2], start + 2
    if length >= _MORE:
        length, at = length & (_MORE - 1) | (byte & (_MORE - 1)) << _LENGTH_BITS, at + 1
        shift = 2 * _LENGTH_BITS
        while byte >= _MORE:
            if at == most or shift == _LENGTH_BITS * _LONGEST_LENGTH:
                return None
            byte = received[at]
            length |= (byte & (_MORE - 1)) << shift
            at += 1
            shift += _LENGTH_BITS
    end, name_at = at + length, at + 2
    if end > most or name_at > end:
        return None
    payload_at = name_at + (received[at] << 8 | received[at + 1])
    if not name_at < payload_at <= end:
        return None
    try:
        topic = received[name_at:payload_at].decode()
    except UnicodeDecodeError:
        return None
    return topic, received[payload_at:end], head & _RETAIN != 0, end


class SocketBuffers:
    """Buffers between a client and its socket, which it does not own."""

    def __init__(self, client: paho.Client, *, is_encrypted: bool) -> None:
        """Replace the client's own reading and writing, which are private parts of paho 2.

        Args:
            client: The client.
            is_encrypted: Whether its socket uses TLS.
        """
        self._client = client
        self._is_encrypted = is_encrypted
        self._receive = client._sock_recv
        client._sock_recv = self._take  # type: ignore[method-assign]  # see the class
        client._sock_send = self._put  # type: ignore[method-assign]  # see the class
        self.first_bytes = b""
        """The first bytes received, which identify the protocol."""
        self.error: OSError | None = None
        """Why reading failed; paho forgets it."""
        self._read_ahead = b""
        self._taken = 0
        """How much of `_read_ahead` the client has consumed."""
        self._found: OSError | None = None
        """Why the last attempt to read failed, for the client, which has not asked yet."""
        self.unsent = bytearray()
        """What the socket has not accepted yet; packets that pass the client by are appended to it."""

    @property
    def readable(self) -> bool:
        """Whether data is available although the socket is not readable: read ahead, or already decrypted."""
        if len(self._read_ahead) > self._taken:
            return True
        if not self._is_encrypted:
            return False
        sock = self._client.socket()
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    def flush(self) -> None:
        """Write as much as the socket accepts.

        Raises:
            OSError: The connection is broken.
        """
        sock, unsent = self._client._sock, self.unsent
        try:
            while unsent and sock is not None:
                del unsent[: sock.send(unsent)]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass

    def take_publish(self) -> tuple[str, bytes, bool, int] | None:
        """Read a message of QoS 0, see `decode_publish`.

        Returns:
            None: There is none, or what comes next is for the client to read.
        """
        if self._client._in_packet["command"]:  # see `__init__`: it has read a part of a packet
            return None
        if self._taken >= len(self._read_ahead):
            try:
                self._read_on()
            except OSError as error:
                self._found = error
                return None
            if not self._read_ahead:
                return None
        published = decode_publish(self._read_ahead, self._taken)
        if published is not None:
            self._taken = published[3]
        return published

    def read_close_reason(self) -> None:
        """Read once more after a failed write: a broker that refuses a client certificate sends an alert."""
        with suppress(OSError):
            self._take(1)

    def _take(self, bufsize: int) -> bytes:
        if self._found is not None:
            found, self._found = self._found, None
            raise found
        if self._taken >= len(self._read_ahead):
            self._read_on()
        piece = self._read_ahead[self._taken : self._taken + bufsize]
        self._taken += len(piece)
        return piece

    def _read_on(self) -> None:
        try:
            self._read_ahead, self._taken = self._receive(_READ_AHEAD_BYTES), 0
        except BlockingIOError:
            raise
        except OSError as error:
            self.error = error
            raise
        self.first_bytes = self.first_bytes or self._read_ahead[:_HEAD_BYTES]

    def _put(self, buf: bytes | bytearray) -> int:
        self.unsent += buf
        if buf[0] == _DISCONNECT and len(buf) == 2:
            # The client closes the socket once this is written, so everything before it must have been sent.
            self.flush()
            if self.unsent:
                del self.unsent[-2:]
                raise BlockingIOError
        return len(buf)
