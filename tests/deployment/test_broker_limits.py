"""The guarded broker's own limits: what one login can fill, and what strangers can (attack 51 and its kin)."""

from __future__ import annotations

import asyncio
import re
import ssl
from asyncio import StreamReader, StreamWriter
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from broker.security.mosquitto_conf import MEMORY_BYTES, MOST_CONNECTIONS, MOST_QUEUED, MOST_QUEUED_BYTES
from broker.servers.mosquitto import find_mosquitto
from broker.transport.base import HEADROOM_BYTES, MAX_PAYLOAD_BYTES, Delivery
from tests.deployment.guarded import GuardedBroker, guarded_mosquitto
from tests.patience import PATIENCE_WALL_S

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
MIB = 2**20
PAYLOAD = b"x" * 500_000


def memory(guarded: GuardedBroker) -> int:
    """Return the broker's resident memory, bytes."""
    return int(psutil.Process(guarded.pid).memory_info().rss)


async def answers(guarded: GuardedBroker, login: str) -> bool:
    """Return whether a login can connect, publish and receive its own message."""
    async with guarded.of(login).connect("probe") as bus:
        topic = f"ssmic/r/done/{login}" if login != "clock" else "ssmic/r/time"
        async with guarded.of("clock").connect("ear") as ear:
            await ear.subscribe("ssmic/r/done/+", "ssmic/r/time")
            own = ear if login == "clock" else bus
            await own.publish(topic, b"alive", qos=1)
            async with asyncio.timeout(PATIENCE_WALL_S):
                async for item in ear.messages():
                    if isinstance(item, Delivery) and item.payload == b"alive":
                        return True
    return False


def test_the_documented_figures_are_those_of_the_configuration() -> None:
    """The page on deployment states the limits of the configuration."""
    text = re.sub(r"\s+", " ", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"))
    packet = MAX_PAYLOAD_BYTES + HEADROOM_BYTES
    for figure in (
        f"{packet // 1024} KiB ({packet:,} bytes)",
        f"{MEMORY_BYTES // MIB} MiB",
        f"{MOST_QUEUED:,} messages or {MOST_QUEUED_BYTES // MIB} MiB",
        f"{MOST_CONNECTIONS:,} clients",
    ):
        assert figure in text, figure


async def raw_client(guarded: GuardedBroker, login: str, client: str) -> tuple[StreamReader, StreamWriter]:
    """Connect as plain MQTT 3.1.1, by a login of the broker; nothing is read beyond a small buffer."""
    own = guarded.folder / "logins" / login
    context = ssl.create_default_context(cafile=str(own / "ca.crt"))
    reader, writer = await asyncio.open_connection("localhost", guarded.port, ssl=context, limit=1024)
    body = b"\0\4MQTT\4\xc2\0\0" + b"".join(
        text(part) for part in (client, login, (own / "password").read_text().strip())
    )
    writer.write(bytes([0x10, len(body)]) + body)
    assert await reader.readexactly(4) == b"\x20\2\0\0"
    return reader, writer


def retained_packet(topic: str, payload: bytes) -> bytes:
    """Return an MQTT PUBLISH at QoS 0, retained."""
    body = text(topic) + payload
    size, length = len(body), bytearray()
    while size:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
    return b"\x31" + bytes(length) + body


async def fill(writer: StreamWriter) -> None:
    """Publish attack 51: four hundred retained messages of 500 kB, under topics that the household may write."""
    for number in range(400):
        writer.write(retained_packet(f"ssmic/r/forecast/brandt/x{number}", PAYLOAD))
        await writer.drain()
        await asyncio.sleep(0)  # `drain` does not wait for a socket that fails at once: the loop notices its loss


async def test_retained_messages_cannot_fill_the_brokers_memory(tmp_path: Path) -> None:
    """Four hundred of 500 kB each, by one household; the rest of the neighbourhood gets through when it stops."""
    limit = 48 * MIB
    async with guarded_mosquitto(tmp_path, ("adler", "brandt"), changed={"memory_limit": limit}) as guarded:
        empty = memory(guarded)
        _, writer = await raw_client(guarded, "brandt", "evil")
        with pytest.raises(OSError):  # noqa: PT011 - cut off, at whatever point
            await fill(writer)
        writer.transport.abort()
        await guarded.logged("evil disconnected due to out of memory")
        assert memory(guarded) < empty + limit + 16 * MIB
        stored = tmp_path / "data" / "mosquitto.db"
        assert not stored.exists() or stored.stat().st_size < limit
        async with guarded.of("clock").connect("clean") as clean:
            for number in range(400):
                await clean.publish(f"ssmic/r/forecast/brandt/x{number}", b"", retain=True)
            await clean.flush()
        assert await answers(guarded, "adler")


async def test_a_client_that_does_not_read_costs_a_bounded_queue(tmp_path: Path) -> None:
    """Its queue is cut; the broker serves the others."""
    changed = {"max_queued_bytes": 4 * MIB, "max_inflight_bytes": 2 * MIB}
    async with guarded_mosquitto(tmp_path, ("adler", "brandt"), changed=changed) as guarded:
        empty = memory(guarded)
        _, writer = await raw_client(guarded, "adler", "lazy")
        try:
            writer.write(subscribe_packet("ssmic/r/inbox/adler/+"))
            await guarded.logged("Received SUBSCRIBE from lazy")
            async with guarded.of("brandt").connect("evil") as bus:
                for _ in range(200):
                    await bus.publish("ssmic/r/inbox/adler/brandt", PAYLOAD[:100_000], qos=1)
                await bus.flush()
            assert await answers(guarded, "brandt")
            assert memory(guarded) < empty + 16 * MIB
        finally:
            writer.transport.abort()


def subscribe_packet(topic: str) -> bytes:
    """Return an MQTT 3.1.1 SUBSCRIBE at QoS 1."""
    body = b"\0\1" + text(topic) + b"\1"
    return bytes([0x82, len(body)]) + body


def text(value: str) -> bytes:
    """Return a text as MQTT encodes it."""
    return len(value).to_bytes(2, "big") + value.encode()


async def test_connections_that_never_log_in_are_limited(tmp_path: Path) -> None:
    """The broker closes those above its limit; afterwards members can connect."""
    most = 10
    async with guarded_mosquitto(tmp_path, ("adler",), changed={"max_connections": most}) as guarded:
        context = ssl.create_default_context(cafile=str(guarded.folder / "logins" / "adler" / "ca.crt"))
        closed = 0
        async with AsyncExitStack() as stack:
            for number in range(most + 5):
                try:
                    reader, writer = await asyncio.open_connection("localhost", guarded.port, ssl=context)
                    stack.callback(abort, writer)
                    if number >= most:
                        async with asyncio.timeout(PATIENCE_WALL_S):
                            closed += await reader.read(1) == b""
                except OSError:
                    closed += 1
            assert closed == 5
        async with asyncio.timeout(PATIENCE_WALL_S):
            while not await gets_in(guarded, "adler"):
                await asyncio.sleep(0.01)


def abort(writer: StreamWriter) -> None:
    """Close a connection; an unreferenced stream would close itself earlier."""
    writer.transport.abort()


async def gets_in(guarded: GuardedBroker, login: str) -> bool:
    """Return whether a login is let in at the moment."""
    try:
        _, writer = await raw_client(guarded, login, "member")
    except (OSError, asyncio.IncompleteReadError):
        return False
    writer.transport.abort()
    return True
