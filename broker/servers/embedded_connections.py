"""The connections of the embedded broker's clients: who may connect, how packets are read, and how they are written.

Each class takes the place of one of amqtt's. They are apart from `broker.servers.embedded`, because importing amqtt
takes half a second; amqtt itself loads the login by its name.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

_PUBLISH = 3
_DISCONNECT = 14
_FLAGS = 0x0E
"""Of a message, without the one for retained messages: whether it is repeated, and its QoS."""
_PASSED_ON = frozenset({0x00, 0x02, 0x0A})
"""Flags of messages that amqtt passes on as they come: not those of QoS 2, and of QoS 0 none that is repeated."""
_MOST_SILENCES = 2
"""After how many keep-alive intervals without a packet a client counts as gone. MQTT says one and a half."""
_AHEAD = 100
"""How many messages may be read ahead."""
_TURNS = 100
"""Passing a message on takes fewer than ten iterations of the event loop, however many clients there are."""
_LEAVING_WALL_S = 10.0
"""Longer than amqtt waits for the confirmation of a message (5 s), while it passes none of the client's own on."""
_MOST_UNREAD_BYTES = 256 * 2**20
"""How much may wait for a client to read. In a round, all hosts together send far less; a client that is further behind
than that has to connect again, and asks again for what it needs."""
_WRITTEN_AT_ONCE_BYTES = 64 * 1024
"""With more unwritten bytes than this, a client counts as behind: as many as asyncio's connections hold by default."""
_log = structlog.get_logger(__name__)


class OwnLoginPlugin(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no types
    """Compares a client's name and password with those in its configuration."""

    @dataclass
    class Config:
        """The plug-in's configuration, set by amqtt."""

        user: str = ""
        password: str = field(default="", repr=False)

    async def authenticate(self, *, session: Session) -> bool:
        """Return whether a client may connect."""
        given = f"{session.username}\0{session.password}"
        wanted = f"{self.context.config.user}\0{self.context.config.password}"
        return bool(self.context.config.password) and hmac.compare_digest(given.encode(), wanted.encode())


class PacedReader(StreamReaderAdapter):  # type: ignore[misc]  # amqtt has no types
    """A client's stream, whose end comes after the broker has passed on what the client published before.

    amqtt reads ahead of what it passes on, and drops the difference when the client leaves or its connection ends.
    Until Python 3.11, `asyncio.wait_for` happens to slow its reading down; since 3.12, it reads all that has arrived at
    once, so that it passed on few of the messages with a goodbye right behind them.

    Each time a client's keep-alive interval has passed in silence, amqtt gives a read up and begins it again, for ever.
    Here it ends, so that the client's will is published.
    """

    def __init__(self, reader: asyncio.StreamReader, hang_up: Callable[[], None]) -> None:
        """Wrap a connection's stream.

        Args:
            reader: What the client sends.
            hang_up: Ends the connection at once.
        """
        super().__init__(reader)
        self._hang_up = hang_up
        self._silences = 0
        """How many reads of the next packet have been given up."""
        self._first = b""
        """The first byte of a packet, until the broker is given it."""
        self._is_message = False
        self._length = 0
        self._shift = 0
        self._left: int | None = 0
        """How many bytes of the packet are left; None: its length is being read."""
        self._waiting = 0
        """How many messages have been read and not passed on."""
        self._none_waits = asyncio.Event()
        self._none_waits.set()
        self._leaves_by_wall_s: float | None = None
        """Until when the client's end is held back, loop time; None: it has not come."""

    async def read(self, n: int = -1) -> bytes:
        """See `ReaderAdapter`; a cancelled read takes nothing from the stream."""
        try:
            if self._left == 0:
                return await self._read_first()
            data: bytes = await super().read(n)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._until_none_waits()
            raise
        if self._left is None:
            self._length |= (data[0] & 0x7F) << self._shift
            self._shift += 7
            if data[0] < 0x80:
                self._left = self._length
        else:
            self._left = max(0, self._left - len(data))
            if self._left == 0 and self._is_message:
                self._waiting += 1
                self._none_waits.clear()
        return data

    def passed_on(self) -> None:
        """Note that the broker has passed on one message of this client."""
        self._waiting = max(0, self._waiting - 1)
        if not self._waiting:
            self._none_waits.set()

    async def _read_first(self) -> bytes:
        """Read the first byte of a packet, soon after most messages before it have been passed on.

        The wait is short: it must not keep out the confirmations that passing on may wait for.
        """
        for _ in range(_TURNS):
            if self._waiting < _AHEAD:
                break
            await asyncio.sleep(0)
        if not self._first:
            if self._silences == _MOST_SILENCES:
                self._hang_up()
                raise asyncio.IncompleteReadError(b"", 1)
            self._silences += 1
            self._first = await super().read(1)
            self._silences = 0
        kind = self._first[0] >> 4
        if kind == _DISCONNECT:
            await self._until_none_waits()
        self._is_message = kind == _PUBLISH and self._first[0] & _FLAGS in _PASSED_ON
        self._length, self._shift, self._left = 0, 0, None
        first, self._first = self._first, b""
        return first

    async def _until_none_waits(self) -> None:
        """Wait until the broker has passed all messages on; not forever, because it drops malformed ones.

        The time is that of all waits together: amqtt gives a read up after each keep-alive interval.
        """
        if self._leaves_by_wall_s is None:
            self._leaves_by_wall_s = asyncio.get_running_loop().time() + _LEAVING_WALL_S
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._leaves_by_wall_s):
                await self._none_waits.wait()


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
