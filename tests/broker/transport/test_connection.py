"""A client survives temporary failures of its connection to a real broker, and reports permanent ones."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest
from structlog.testing import capture_logs

from broker.errors import BrokerAwayError, BrokerLostError, BrokerUnreachableError
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.servers.own_broker import free_port
from broker.transport import MqttBroker
from broker.transport.base import Delivery, Reconnected
from broker.transport.connection_failures import UNACCEPTED_DISCONNECTS
from broker.transport.endpoint import BrokerUrl
from tests.patience import PATIENCE_WALL_S

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


class FlakyProxy:
    """A TCP proxy to a broker that spoils connections, one way after another, until it has spoilt them all."""

    WAYS = ("close", "reset", "hang", "cut the answer", "close", "reset")

    def __init__(self, broker_port: int) -> None:
        self.spoilt: list[str] = []
        self._broker_port = broker_port
        self._conversations: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self._conversations.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = self.WAYS[len(self.spoilt)] if len(self.spoilt) < len(self.WAYS) else "forward"
        if way != "forward":
            self.spoilt.append(way)
        match way:
            case "close":
                return
            case "reset":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            case "hang":
                await reader.read()
                return
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
        try:
            if way == "cut the answer":
                broker_writer.write(await reader.read(10_000))
                writer.write(await broker_reader.readexactly(1))
                await writer.drain()
                return
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, broker_writer))
                tasks.create_task(self._pump(broker_reader, writer))
        finally:
            broker_writer.transport.abort()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(10_000):
                writer.write(piece)
                await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    async def end(self) -> None:
        """End all conversations."""
        for task in list(self._conversations):
            task.cancel()
        if self._conversations:
            await asyncio.wait(list(self._conversations))


@asynccontextmanager
async def flaky_proxy(broker_port: int) -> AsyncIterator[tuple[FlakyProxy, BrokerUrl]]:
    """Have one for the time of the context."""
    proxy = FlakyProxy(broker_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield proxy, BrokerUrl("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await proxy.end()


@pytest.mark.long
@needs_mosquitto
async def test_a_client_gets_through_a_flaky_link() -> None:
    """Closed, reset, hung and cut in the middle of the answer: it tries again until it is in, and says so once."""
    async with managed_mosquitto() as running, flaky_proxy(running.url.port) as (proxy, url):
        broker = MqttBroker(url, lost_after_wall_s=60)
        with capture_logs() as logs:
            async with broker.connect("host") as host:
                await host.subscribe("a")
                await host.publish("a", b"through")
                assert await anext(host.messages()) == Delivery("a", b"through", retain=False)
        assert proxy.spoilt == list(FlakyProxy.WAYS)
        assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["no connection yet, retrying"]


@needs_mosquitto
async def test_a_client_waits_for_a_broker_that_starts_later() -> None:
    """The first connections are refused, within the time limit."""
    port = free_port()

    async def connect() -> None:
        async with MqttBroker(f"mqtt://127.0.0.1:{port}").connect("host") as host:
            await host.publish("a", b"", qos=1)

    with capture_logs() as logs:
        connecting = asyncio.create_task(connect())
        async with asyncio.timeout(PATIENCE_WALL_S):
            while not logs:
                await asyncio.sleep(0)
        async with managed_mosquitto(port=port):
            await connecting
    assert logs[0]["event"] == "no connection yet, retrying"


@pytest.mark.parametrize(("limit_wall_s", "answer_wall_s"), [(0.1, 1), (6, 1.5), (60, 10), (300, 10)])
def test_a_broker_that_hangs_leaves_time_for_other_attempts(limit_wall_s: float, answer_wall_s: float) -> None:
    """A single attempt takes only a part of the time limit."""
    assert MqttBroker(BrokerUrl("broker", 1883), lost_after_wall_s=limit_wall_s).answer_wall_s == answer_wall_s


async def test_the_limit_ends_the_attempts() -> None:
    """The error has the last reason, and how long it was tried."""
    url = f"mqtt://127.0.0.1:{free_port()}"
    with pytest.raises(
        BrokerAwayError, match=rf"{url}: connection refused: no broker at 127.0.0.1:\d+ \(tried for 0.3 s\)"
    ):
        async with MqttBroker(url, lost_after_wall_s=0.3).connect("host"):
            pass


@needs_mosquitto
async def test_a_wrong_login_fails_at_once(tmp_path: Path) -> None:
    """It fails regardless of the time limit, within which the test would not end."""
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    extra_configuration = f"allow_anonymous false\npassword_file {passwords}\n"
    async with managed_mosquitto(extra_configuration=extra_configuration) as running:
        with pytest.raises(BrokerUnreachableError, match="refused the login") as caught:
            async with MqttBroker(running.url, lost_after_wall_s=100_000).connect("host"):
                pass
    assert not isinstance(caught.value, BrokerAwayError)


async def test_something_that_is_not_a_broker_fails_at_once() -> None:
    """A web server says so itself."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"host")
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = BrokerUrl("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(BrokerUnreachableError, match="answers as a web server does"):
            async with MqttBroker(url, lost_after_wall_s=100_000).connect("host"):
                pass


@needs_mosquitto
async def test_a_broker_with_a_limit_of_connections() -> None:
    """It is reported as full, not as missing."""
    async with managed_mosquitto(extra_configuration="max_connections 1\n") as running:
        broker = MqttBroker(running.url, lost_after_wall_s=2.0)
        async with broker.connect("first"):
            # Mosquitto counts a connection on its way: one more than the limit may get in.
            with pytest.raises(BrokerAwayError, match=r"limit of connections \(Mosquitto: max_connections\)"):
                async with broker.connect("second"), broker.connect("third"):
                    pass


@needs_mosquitto
@pytest.mark.parametrize("qos", [0, 1])
async def test_a_disconnection_is_logged_with_the_time_since_the_last_packet(qos: int) -> None:
    """After messages of QoS 1 only, it was logged with the time since the machine was started."""
    began_wall_s = asyncio.get_running_loop().time()
    async with AsyncExitStack() as life:
        running = await life.enter_async_context(managed_mosquitto())
        with capture_logs() as logs, suppress(BrokerLostError):
            async with MqttBroker(running.url, lost_after_wall_s=0.1).connect("device") as bus:
                await bus.publish("a", b"x", qos=qos)
                await bus.flush()
                await life.aclose()
                async for _ in bus.messages():
                    pass
    reason = next(entry["reason"] for entry in logs if entry["event"] == "connection broke")
    assert reason.startswith("closed by the other side ")
    assert float(reason.split()[5]) <= asyncio.get_running_loop().time() - began_wall_s


def reset_after_a_packet(listener: socket.socket, resets: SimpleQueue[None]) -> None:
    """Act as a broker that closes connections without reading the rest of a packet, which resets them; in a thread."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the test is over
        connection.recv(1_000)
        connection.sendall(b"\x20\x02\x00\x00")
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        resets.put(None)


async def test_a_reset_while_writing_counts_as_a_disconnection() -> None:
    """The client writes again before it reads that the broker has cut it off."""
    resets: SimpleQueue[None] = SimpleQueue()

    async def publish(port: int) -> None:
        async with asyncio.timeout(PATIENCE_WALL_S), MqttBroker(BrokerUrl("127.0.0.1", port)).connect("host") as bus:
            while True:
                await bus.publish("a", bytes(2_500))
                await asyncio.sleep(0)
                resets.get(timeout=PATIENCE_WALL_S)  # blocks the event loop, so that nothing is read
                await bus.publish("b", b"")
                async for event in bus.messages():
                    assert isinstance(event, Reconnected)
                    break

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=reset_after_a_packet, args=(listener, resets))
        thread.start()
        try:
            with pytest.raises(BrokerLostError, match="4 times in a row, each time after a packet of 2,506 bytes on a"):
                await publish(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@needs_mosquitto
async def test_a_broker_with_a_limit_of_packets() -> None:
    """The reader learns that it is cut off after each large packet, and how large that is."""
    async with managed_mosquitto(extra_configuration="max_packet_size 2000\n") as running:
        broker = MqttBroker(running.url)
        async with broker.connect("host") as host:

            async def publish_whenever_connected() -> None:
                await host.publish("fits", bytes(1_500))
                await host.publish("large", bytes(2_500))
                async for _ in host.messages():
                    await host.publish("fits", bytes(1_500))
                    await host.publish("large", bytes(2_500))

            with pytest.raises(
                BrokerLostError, match=r"4 times in a row, each time after a packet of 2,510 bytes on large; it prob"
            ) as caught:
                await publish_whenever_connected()
    assert "max_packet_size" in str(caught.value)


@needs_mosquitto
async def test_a_broker_with_a_limit_of_packets_that_differ() -> None:
    """No large packet is like another, and a small one follows it: still, the reader learns what is too large."""
    sizes = iter(range(2_500, 100_000, 7))
    async with managed_mosquitto(extra_configuration="max_packet_size 2000\n") as running:
        with capture_logs() as logs:
            async with MqttBroker(running.url).connect("host") as host:

                async def publish_whenever_connected() -> None:
                    while (size := next(sizes)) < 2_600:
                        await host.publish("fits", bytes(1_500), qos=1)
                        await host.flush()
                        await host.publish("large", bytes(size))
                        await host.publish("small", b"")
                        async for _ in host.messages():
                            break

                with pytest.raises(
                    BrokerLostError,
                    match="any that it had accepted: the smallest of these packets had 2,510 bytes",
                ):
                    await publish_whenever_connected()
    broken = [entry["reason"] for entry in logs if entry["event"] == "connection broke"]
    assert broken[0].endswith("s after a packet of 9 bytes and, shortly before, one of 2,510 bytes")


@pytest.mark.long
@needs_mosquitto
async def test_a_large_packet_that_the_broker_accepts_is_known() -> None:
    """Connections that break right after packets of all sizes say nothing against these if the broker accepted them."""
    async with managed_mosquitto() as running:
        broker = MqttBroker(running.url)
        async with broker.connect("host") as host:
            await host.subscribe("echo")
            for number in range(2 * UNACCEPTED_DISCONNECTS):
                await host.publish("large", bytes(2_500 + number))
                await host.publish("echo", b"")  # comes back after the large one has been accepted
                async for event in host.messages():
                    if not isinstance(event, Reconnected):
                        break
                # The same client id again: the broker closes the first connection.
                async with broker.connect("host"):
                    async for event in host.messages():
                        assert isinstance(event, Reconnected)
                        break
