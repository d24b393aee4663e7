"""Writes the embedded broker's packets to a client, so that a client that does not read does not fill the memory.

A separate module, because importing amqtt takes half a second.
"""

from __future__ import annotations

import asyncio

import structlog
from amqtt.adapters import StreamWriterAdapter

_MOST_UNREAD_BYTES = 256 * 2**20
"""How much may wait for a client to read. In a round, all hosts together send far less; a client that is further behind
than that has to connect again, and asks again for what it needs."""
_WRITTEN_AT_ONCE_BYTES = 64 * 1024
"""With more unwritten bytes than this, a client counts as behind: as many as asyncio's connections hold by default."""
_log = structlog.get_logger(__name__)


class BoundedWriter(StreamWriterAdapter):  # type: ignore[misc]  # amqtt has no types
    """A client's stream, which ends when too much waits for the client to read, so that nothing is lost silently.

    In amqtt, a task for each message waits until the client has read those before, and what the broker sends to others
    meanwhile is kept, too. Here no task waits, and only the bytes of messages are kept. They are not kept in asyncio's
    transport, because since Python 3.12 each write would add up the sizes of all that it holds.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        """Wrap a connection's stream."""
        super().__init__(writer)
        self._unread = bytearray()
        self._catching_up: asyncio.Task[None] | None = None
        """Runs while the client is behind."""

    def write(self, data: bytes) -> None:
        """See `WriterAdapter`."""
        if self._catching_up is None:
            super().write(data)
            if self._writer.transport.get_write_buffer_size() > _WRITTEN_AT_ONCE_BYTES:
                self._catching_up = asyncio.create_task(self._catch_up())
            return
        self._unread += data
        if len(self._unread) > _MOST_UNREAD_BYTES and not self._writer.transport.is_closing():
            most = f"{_MOST_UNREAD_BYTES // 2**20} MiB"
            _log.warning("client disconnected", reason=f"more than {most} were waiting for it to read")
            self._writer.transport.abort()

    async def drain(self) -> None:
        """See `WriterAdapter`; does not wait for the client."""
        if self._catching_up is None:
            await super().drain()

    async def close(self) -> None:
        """See `WriterAdapter`."""
        if self._catching_up is not None:
            await asyncio.wait([self._catching_up])
        await super().close()

    async def _catch_up(self) -> None:
        try:
            await self._writer.drain()
            while self._unread:
                self._writer.write(bytes(self._unread[:_WRITTEN_AT_ONCE_BYTES]))
                del self._unread[:_WRITTEN_AT_ONCE_BYTES]
                await self._writer.drain()
        except ConnectionError:  # the next write reports it
            self._unread.clear()
        finally:
            self._catching_up = None
