"""A bad link between a process and the broker: a proxy that knows MQTT, and delays, drops, doubles and cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random

PUBLISH = 3


@dataclass(frozen=True, slots=True)
class LinkFaults:
    """How bad it is; shares of QoS 0 messages, seconds of wall-clock time for all packets."""

    drop: float = 0.0
    double: float = 0.0
    delay_wall_s: float = 0.0


class Link:
    """The way from one process to the broker."""

    def __init__(self, broker_port: int, faults: LinkFaults, seed: int) -> None:
        self.port = 0
        self._broker_port = broker_port
        self._faults = faults
        self._random = Random(seed)
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def cut(self, wall_s: float) -> None:
        """Break all connections and take no new ones for a while."""
        self._open.clear()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(wall_s)
        self._open.set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        if not self._open.is_set():
            writer.transport.abort()
            return
        try:
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, broker_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._forward(reader, broker_writer, ends))
                tasks.create_task(self._forward(broker_reader, writer, ends))
        finally:
            self._writers -= ends

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: set[asyncio.StreamWriter]
    ) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                packet = await _packet(reader)
                if self._faults.delay_wall_s:
                    await asyncio.sleep(self._random.uniform(0, self._faults.delay_wall_s))
                for _ in range(self._copies(packet)):
                    writer.write(packet)
                await writer.drain()
        for end in ends:
            end.transport.abort()

    def _copies(self, packet: bytes) -> int:
        """Return how often a packet is passed on; only packets that MQTT may lose are lost."""
        is_qos_0_publish = packet[0] >> 4 == PUBLISH and packet[0] >> 1 & 3 == 0
        if not is_qos_0_publish:
            return 1
        if self._random.random() < self._faults.drop:
            return 0
        return 2 if self._random.random() < self._faults.double else 1


async def _packet(reader: asyncio.StreamReader) -> bytes:
    """Read one MQTT packet: a byte, the length in up to four bytes of seven bits, the rest."""
    head = await reader.readexactly(1)
    length, shift = 0, 0
    while True:
        byte = await reader.readexactly(1)
        head += byte
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if not byte[0] & 0x80:
            return head + await reader.readexactly(length)


@asynccontextmanager
async def link_to(broker_port: int, faults: LinkFaults, seed: int) -> AsyncIterator[Link]:
    """Have a link for the time of the context."""
    link = Link(broker_port, faults, seed)
    server = await asyncio.start_server(link.take, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        link._open.clear()
        for writer in link._writers:
            writer.transport.abort()
        server.close()
