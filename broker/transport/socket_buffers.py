"""Buffers between a paho client and its socket: many packets are written, or read, by one call of the system.

paho 2 calls the socket for each packet, and for parts of each. Here its packets are collected until the connection
flushes them in a single write at the end of an event-loop iteration, and what has arrived is read ahead.
"""

from __future__ import annotations

import ssl
from contextlib import suppress

import paho.mqtt.client as paho

from broker.transport.packets import decode_publish

_READ_AHEAD_BYTES = 64 * 1024
_HEAD_BYTES = 16
_DISCONNECT = 0xE0


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
