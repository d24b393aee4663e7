"""Reads a client's packets for the embedded broker, so that it notices in time, and not too early, when clients go.

A separate module, because importing amqtt takes half a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from amqtt.adapters import StreamReaderAdapter

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
