"""The embedded broker, as clients of other programs meet it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from broker.servers.embedded import embedded_broker
from broker.servers.embedded_connections import PacedReader
from broker.transport import BrokerUrl, MqttBroker
from broker.transport.base import MAX_PAYLOAD_BYTES, Bus, Delivery
from broker.transport.socket_buffers import encode_publish
from tests.patience import PATIENCE_WALL_S

GOODBYE = b"\xe0\x00"
PING = b"\xc0\x00"
SUBSCRIBE = b"\x82\x06\x00\x01\x00\x01a\x00"
"""To the topic `a`."""


def encode_connect(*, will: bool = False, keepalive_wall_s: int = 60) -> bytes:
    """Encode the login of the client `raw`, whose will is `gone` on the topic `a`."""
    texts = (b"raw", b"a", b"gone") if will else (b"raw",)
    payload = b"".join(len(text).to_bytes(2) + text for text in texts)
    body = b"\x00\x04MQTT\x04" + bytes([0x06 if will else 0x02]) + keepalive_wall_s.to_bytes(2) + payload
    return b"\x10" + len(body).to_bytes(1) + body


def messages(count: int) -> bytes:
    """Encode messages on the topic `a` that are numbered from zero."""
    return b"".join(encode_publish("a", b"%d" % number, retain=False) for number in range(count))


@asynccontextmanager
async def logged_in(url: BrokerUrl, connect: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Provide the connection of a client that speaks only as it is told to."""
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(connect)
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def read(bus: Bus, count: int) -> list[bytes]:
    """Read a number of messages."""
    found: list[bytes] = []
    async with asyncio.timeout(PATIENCE_WALL_S):
        while len(found) < count:
            item = await anext(bus.messages())
            assert isinstance(item, Delivery)
            found.append(item.payload)
    return found


@pytest.mark.parametrize("count", [1, 300])
async def test_messages_and_a_goodbye_in_one_piece(count: int) -> None:
    """`mosquitto_pub` sends both at once: the messages are passed on, whichever Python reads them."""
    async with embedded_broker() as running, MqttBroker(running.url).connect("watcher") as watcher:
        await watcher.subscribe("a")
        async with logged_in(running.url, encode_connect(will=True)) as (reader, writer):
            writer.write(messages(count) + GOODBYE)
            assert await read(watcher, count) == [b"%d" % number for number in range(count)]
            assert await reader.read() == b""


async def test_a_will_comes_after_the_messages() -> None:
    """Also if the connection ends in the middle of a message."""
    async with embedded_broker() as running, MqttBroker(running.url).connect("watcher") as watcher:
        await watcher.subscribe("a")
        async with logged_in(running.url, encode_connect(will=True)) as (_, writer):
            writer.write(messages(301)[:-1])
        assert await read(watcher, 301) == [*(b"%d" % number for number in range(300)), b"gone"]


@pytest.mark.long
async def test_a_silent_client_leaves_its_will() -> None:
    """One that pings stays."""
    async with embedded_broker() as running, MqttBroker(running.url).connect("watcher") as watcher:
        await watcher.subscribe("a")
        async with logged_in(running.url, encode_connect(will=True, keepalive_wall_s=1)) as (reader, writer):
            for _ in range(4):
                await asyncio.sleep(0.8)
                writer.write(PING)
                assert await reader.readexactly(2) == b"\xd0\x00"
            assert await read(watcher, 1) == [b"gone"]
            with suppress(ConnectionError):
                assert await reader.read() == b""


async def read_packet(reader: PacedReader, size: int) -> bytes:
    """Read a packet as amqtt does: byte by byte, and then what it contains."""
    return await reader.read(1) + await reader.read(1) + (await reader.read(size - 2) if size > 2 else b"")


async def test_a_goodbye_waits_for_messages_that_have_been_read() -> None:
    """A wait that is given up and begun again loses no byte."""
    stream = asyncio.StreamReader()
    reader = PacedReader(stream, hang_up=pytest.fail)
    message = encode_publish("a", b"x", retain=False)
    stream.feed_data(message + PING + message + GOODBYE)
    for packet in (message, PING, message):
        assert await read_packet(reader, len(packet)) == packet
    for passed_on in (False, True):
        goodbye = asyncio.create_task(reader.read(1))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not goodbye.done()
        goodbye.cancel()
        await asyncio.wait([goodbye])
        assert goodbye.cancelled()
        if passed_on:
            reader.passed_on()
    reader.passed_on()
    assert await read_packet(reader, 2) == GOODBYE


@pytest.mark.looptime
@pytest.mark.parametrize("keepalive_wall_s", [1, 60])
async def test_a_goodbye_waits_for_malformed_messages_only_for_a_time(keepalive_wall_s: int) -> None:
    """The broker drops those, and says so to nobody; it gives the read up, and begins it again, meanwhile."""
    stream = asyncio.StreamReader()
    reader = PacedReader(stream, hang_up=lambda: None)
    message = encode_publish("+", b"x", retain=False)
    stream.feed_data(message)
    stream.feed_eof()
    assert await read_packet(reader, len(message)) == message

    async def read_as_amqtt() -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(keepalive_wall_s):
                    await reader.read(1)

    began_s = asyncio.get_running_loop().time()
    with pytest.raises(asyncio.IncompleteReadError):
        await asyncio.wait_for(read_as_amqtt(), 100)
    assert 5 < asyncio.get_running_loop().time() - began_s < 20


@pytest.mark.parametrize("logs_in", [False, True])
async def test_a_broker_does_not_wait_for_clients_that_do_not_read(
    *, logs_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for those that have not even logged in; it ends their connections."""
    monkeypatch.setattr("broker.servers.embedded._STOP_WALL_S", PATIENCE_WALL_S)
    monkeypatch.setattr("broker.servers.embedded._HANG_UP_WALL_S", 0.1)
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        async with embedded_broker() as running, MqttBroker(running.url).connect("writer") as writer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((running.url.host, running.url.port))
            if logs_in:
                client.sendall(encode_connect() + SUBSCRIBE)
                client.settimeout(PATIENCE_WALL_S)
                assert await asyncio.to_thread(client.recv, 9)
                for _ in range(10):
                    await writer.publish("a", bytes(MAX_PAYLOAD_BYTES), qos=1)
            await writer.flush()
            began_s = loop.time()
        assert loop.time() - began_s < PATIENCE_WALL_S / 2


@asynccontextmanager
async def not_reading(url: BrokerUrl) -> AsyncIterator[socket.socket]:
    """Provide the socket of a subscriber that reads nothing more."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((url.host, url.port))
        client.sendall(encode_connect(keepalive_wall_s=0) + SUBSCRIBE)
        client.settimeout(PATIENCE_WALL_S)
        await asyncio.to_thread(read_up_to, client, 9)
        yield client


def read_up_to(client: socket.socket, most: int) -> bytes:
    """Return what has been sent to a client, up to a number of bytes or the end of its connection."""
    found = bytearray()
    with suppress(ConnectionError):
        while len(found) < most and (piece := client.recv(most - len(found))):
            found += piece
    return bytes(found)


@pytest.mark.parametrize("most_bytes", [2**30, 2**20])
async def test_a_client_that_does_not_read_is_disconnected_in_the_end(
    most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then all is kept for it, in order; others are served meanwhile."""
    monkeypatch.setattr("broker.servers.embedded_connections._MOST_UNREAD_BYTES", most_bytes)
    sent = [b"%06d" % number * 10_000 for number in range(200)]
    async with (
        embedded_broker() as running,
        MqttBroker(running.url).connect("reader") as reader,
        MqttBroker(running.url).connect("writer") as writer,
    ):
        await reader.subscribe("a", "b")
        async with not_reading(running.url) as client:
            for payload in sent:
                await writer.publish("a", payload)
            assert await read(reader, len(sent)) == sent
            for number in range(300):
                await writer.publish("b", b"%d" % number)
            assert await read(reader, 300) == [b"%d" % number for number in range(300)]
            packets = b"".join(encode_publish("a", payload, retain=False) for payload in sent)
            received = await asyncio.to_thread(read_up_to, client, len(packets))
            assert (received == packets) is (len(packets) <= most_bytes)
            assert packets.startswith(received)
