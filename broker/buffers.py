"""Fewer calls of the system for a paho client: it reads ahead, and writes what one turn of the loop sent in one go.

Left alone, paho asks the system three times for each packet that comes in, and writes each packet by itself; on a
busy machine a write takes longer than all the rest of publishing.
"""

from __future__ import annotations

import ssl
from contextlib import suppress

import paho.mqtt.client as paho

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
