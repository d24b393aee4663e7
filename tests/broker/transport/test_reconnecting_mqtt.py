"""A bus whose broker or link misbehaves; with a real Mosquitto."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from traceback import format_exception

import pytest
from structlog.testing import capture_logs

from broker.errors import BrokerLostError, BrokerUnreachableError
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.servers.own_broker import RunningBroker, free_port
from broker.transport import MqttBroker
from broker.transport.base import MAX_PAYLOAD_BYTES, Bus, Delivery, Reconnected, Will
from broker.transport.endpoint import Access, AccessOptions, BrokerUrl, access_to
from tests.patience import PATIENCE_WALL_S

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


async def take(bus: Bus) -> Delivery | Reconnected:
    """Read one item, with a time limit."""
    async with asyncio.timeout(PATIENCE_WALL_S):
        return await anext(bus.messages())


def kill(running: RunningBroker) -> None:
    """Kill a broker outright, and wait until its port is free."""
    assert running.pid is not None
    os.kill(running.pid, signal.SIGKILL)
    with suppress(ChildProcessError):  # asyncio, which waits for it too, was faster
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)


async def test_a_killed_broker_comes_back() -> None:
    """Subscriptions are restored, the reader is informed, and QoS 1 messages sent meanwhile arrive in order."""
    port = free_port()
    async with managed_mosquitto(port=port) as first, MqttBroker(first.url).connect("host") as host:
        await host.subscribe("a/+")
        await host.publish("a/1", b"before")
        assert await take(host) == Delivery("a/1", b"before", retain=False)
        kill(first)
        # Lost: the client has not noticed yet.
        await host.publish("a/1", b"unnoticed", qos=1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(host.publish("a/2", b"waiting", qos=1))
            async with managed_mosquitto(port=port):
                found = [await take(host) for _ in range(3)]
                assert sorted(found, key=str) == [
                    Delivery("a/1", b"unnoticed", retain=False),
                    Delivery("a/2", b"waiting", retain=False),
                    Reconnected(),
                ]
                await host.publish("a/3", b"after")
                assert await take(host) == Delivery("a/3", b"after", retain=False)
                assert host.reconnections == 1


async def test_many_messages_through_a_restart_arrive_in_order() -> None:
    """All have QoS 1: some are confirmed before the restart, some are in flight, some not yet sent."""
    port = free_port()
    async with managed_mosquitto(port=port) as first, MqttBroker(first.url).connect("host") as host:
        await host.subscribe("a")
        for number in range(500):
            await host.publish("a", b"%d" % number, qos=1, retain=True)
        await take(host)
        kill(first)
        async with asyncio.TaskGroup() as tasks:

            async def publish() -> None:
                for number in range(500, 1000):
                    await host.publish("a", b"%d" % number, qos=1, retain=True)

            tasks.create_task(publish())
            async with managed_mosquitto(port=port):
                numbers: list[int] = []
                while 999 not in numbers:
                    item = await take(host)
                    if isinstance(item, Delivery):
                        numbers.append(int(item.payload))
                # Some messages of the first half were confirmed but not read: end-to-end QoS 1 would require a session
                # that outlives its connection. All unconfirmed messages arrive.
                after_the_gap = numbers[numbers.index(500) :]
                assert after_the_gap == list(range(500, 1000))


async def test_a_broker_lost_for_good_ends_readers_and_publishers() -> None:
    """They get an error with the time limit and the address."""
    async with managed_mosquitto() as running:
        broker = MqttBroker(running.url, lost_after_wall_s=2.0)
        async with broker.connect("host") as host:
            kill(running)
            with pytest.raises(BrokerLostError, match=rf"no connection for 2 s to mqtt://127.0.0.1:{running.url.port}"):
                await take(host)
            with pytest.raises(BrokerLostError):
                await host.publish("a", b"")
            with pytest.raises(BrokerLostError):
                await host.subscribe("a")


async def test_what_the_broker_never_confirmed_is_not_taken_for_sent() -> None:
    """Leaving cleanly fails when a QoS 1 message could not be delivered."""

    async def tell_a_dead_broker(running: RunningBroker) -> None:
        async with MqttBroker(running.url, lost_after_wall_s=2.0).connect("host") as host:
            kill(running)
            await host.publish("a", b"", qos=1)

    async with managed_mosquitto() as running:
        with pytest.raises(BrokerLostError):
            await tell_a_dead_broker(running)


async def publish_for_ever(bus: Bus) -> None:
    """Publish whenever there is a connection."""
    while True:
        await bus.publish("a", b"")
        await asyncio.sleep(0)


async def test_a_publisher_that_waits_can_be_cancelled() -> None:
    """The broker is away."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("host") as host:
        await host.subscribe("a")
        kill(running)
        publisher = asyncio.create_task(publish_for_ever(host))
        await asyncio.wait([publisher], timeout=0.3)
        assert not publisher.done()
        publisher.cancel()
        await asyncio.wait([publisher])
        assert publisher.cancelled()


@pytest.mark.long
async def test_a_silent_link_is_noticed() -> None:
    """A broker that neither answers nor closes is given up after two keepalives."""
    async with managed_mosquitto() as running:
        assert running.pid is not None
        broker = MqttBroker(running.url, keepalive_wall_s=1, lost_after_wall_s=2.0)
        async with broker.connect("host") as host:
            os.kill(running.pid, signal.SIGSTOP)
            try:
                with pytest.raises(BrokerLostError):
                    await take(host)
            finally:
                os.kill(running.pid, signal.SIGCONT)


async def test_a_slow_broker_makes_publishers_wait() -> None:
    """The bus holds a bounded amount; nothing is lost, and everything is sent before the disconnection."""
    published = 0

    async def publish(broker: MqttBroker) -> None:
        nonlocal published
        async with broker.connect("writer") as writer:
            connected.set()
            await stopped.wait()
            for number in range(300):
                await writer.publish("a", b"%d " % number + bytes(100_000))
                published += 1

    connected, stopped = asyncio.Event(), asyncio.Event()
    async with (
        managed_mosquitto() as running,
        MqttBroker(running.url).connect("reader") as reader,
        asyncio.TaskGroup() as tasks,
    ):
        assert running.pid is not None
        await reader.subscribe("a")
        publishing = tasks.create_task(publish(MqttBroker(running.url)))
        await connected.wait()
        os.kill(running.pid, signal.SIGSTOP)
        try:
            stopped.set()
            await asyncio.wait([publishing], timeout=0.3)
            # 30 MB would be all; the system's own buffers take some of it.
            assert published < 250
        finally:
            os.kill(running.pid, signal.SIGCONT)
        for number in range(300):
            item = await take(reader)
            assert isinstance(item, Delivery)
            assert item.payload.startswith(b"%d " % number)


async def test_two_clients_of_one_id_do_not_storm() -> None:
    """They disconnect each other with a growing back-off, until one leaves."""
    async with managed_mosquitto() as running:
        broker = MqttBroker(running.url)
        async with broker.connect("house") as first:
            await first.subscribe("a")
            async with broker.connect("house") as second:
                assert await take(first) == Reconnected()
                assert await take(second) == Reconnected()
                assert await take(first) == Reconnected()
            assert first.reconnections < 10
            # The other has left for good; the next event is this client's own return.
            await first.publish("a", b"there", qos=1)
            while await take(first) != Delivery("a", b"there", retain=False):
                pass


async def test_an_oversized_payload_is_logged() -> None:
    """With its topic, its size and its receiver; the next one arrives."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("host") as host:
        await host.subscribe("a")
        with capture_logs() as logs:
            await host.publish("a", bytes(MAX_PAYLOAD_BYTES + 1))
            await host.publish("a", b"fits")
            assert await take(host) == Delivery("a", b"fits", retain=False)
        assert [(log["topic"], log["bytes"], log["client"]) for log in logs] == [("a", MAX_PAYLOAD_BYTES + 1, "host")]


async def test_no_broker_is_listening() -> None:
    """The message names the address."""
    port = free_port()
    with pytest.raises(
        BrokerUnreachableError, match=rf"mqtt://127.0.0.1:{port}: connection refused: no broker at 127.0.0.1:{port}"
    ):
        async with MqttBroker(f"mqtt://127.0.0.1:{port}", is_patient=False).connect("host"):
            pass


async def test_no_such_host() -> None:
    """The message names the host."""
    with pytest.raises(BrokerUnreachableError, match=r"there is no host named 'no-such-host.invalid'"):
        async with MqttBroker("mqtt://no-such-host.invalid", is_patient=False).connect("host"):
            pass


@asynccontextmanager
async def listening(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]],
) -> AsyncIterator[BrokerUrl]:
    """Listen, and be no broker; `answer` is the whole of a conversation."""
    conversations: set[asyncio.Task[object]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        try:
            await answer(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield BrokerUrl("127.0.0.1", server.sockets[0].getsockname()[1])
        server.close()
        if conversations:
            await asyncio.wait(conversations)


async def test_another_kind_of_server_is_listening() -> None:
    """It closes the connection, and the client does not wait for more."""

    async def close(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"host")

    async with listening(close) as url:
        with pytest.raises(BrokerUnreachableError, match=r"without an answer; is it .* retain_available"):
            async with MqttBroker(url, is_patient=False).connect("host"):
                pass


async def test_connecting_can_be_cancelled() -> None:
    """The other side is silent; the socket is closed, or the test would wait forever."""

    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(say_nothing) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), MqttBroker(url).connect("host"):
                pass


@asynccontextmanager
async def guarded_mosquitto(folder: Path) -> AsyncIterator[RunningBroker]:
    """Run one that knows a single login, `house` with `s3cr/t`, who may read nothing but `mine`."""
    passwords, acl = folder / "passwords", folder / "acl"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "house", "s3cr/t"], check=True)  # noqa: ASYNC221 - a moment
    acl.write_text("user house\ntopic readwrite mine\n", encoding="utf-8")
    async with managed_mosquitto(
        extra_configuration=f"allow_anonymous false\npassword_file {passwords}\nacl_file {acl}\n"
    ) as running:
        yield running


async def test_a_login(tmp_path: Path) -> None:
    """User and password come from the URL, percent-decoded."""
    async with guarded_mosquitto(tmp_path) as running:
        broker = MqttBroker(f"mqtt://house:s3cr%2Ft@127.0.0.1:{running.url.port}")
        async with broker.connect("host") as host:
            await host.subscribe("mine")
            await host.publish("mine", b"1")
            assert await take(host) == Delivery("mine", b"1", retain=False)


async def test_a_refused_login(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The message names the user; the password is nowhere."""
    caplog.set_level(logging.DEBUG)
    async with guarded_mosquitto(tmp_path) as running:
        address = f"127.0.0.1:{running.url.port}"
        broker = MqttBroker(f"mqtt://house:guessed@{address}")
        with (
            capture_logs() as logs,
            pytest.raises(BrokerUnreachableError, match=r"refused the login \(user 'house'\)") as caught,
        ):
            async with broker.connect("host"):
                pass
        with pytest.raises(BrokerUnreachableError, match=r"refused the login \(no user given\)"):
            async with MqttBroker(f"mqtt://{address}").connect("host"):
                pass
    traceback = "".join(format_exception(caught.value))
    assert "guessed" not in f"{logs}{caplog.text}{traceback}{broker.url!r}{broker.url!s}{vars(broker)}"


async def test_the_will_of_a_client_whose_broker_came_back(tmp_path: Path) -> None:
    """The new connection has the will, too."""

    async def fail_after_a_restart(first: RunningBroker, watcher_broker: MqttBroker) -> None:
        async with MqttBroker(first.url).connect("host", Will("hosts/1", b"gone")) as host:
            kill(first)
            await restarted.enter_async_context(managed_mosquitto(port=port, folder=tmp_path))
            assert await take(host) == Reconnected()
            watcher.append(await restarted.enter_async_context(watcher_broker.connect("watcher")))
            await watcher[0].subscribe("hosts/1")
            raise ZeroDivisionError

    port = free_port()
    watcher: list[Bus] = []
    async with managed_mosquitto(port=port) as first, AsyncExitStack() as restarted:
        with pytest.raises(ZeroDivisionError):
            await fail_after_a_restart(first, MqttBroker(first.url))
        assert await take(watcher[0]) == Delivery("hosts/1", b"gone", retain=False)


async def test_a_subscription_that_the_broker_refuses() -> None:
    """The message names the filter; brokers differ, so the test's broker implements only two packets."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"host")
        writer.write(b"\x20\x02\x00\x00")
        subscribe = await reader.readuntil(b"others\x00")
        writer.write(b"\x90\x04" + subscribe[2:4] + b"\x00\x80")
        await reader.read()

    async with listening(refuse) as url, MqttBroker(url).connect("host") as host:
        with pytest.raises(BrokerUnreachableError, match="refuses a subscription to 'others'"):
            await host.subscribe("mine", "others")


async def test_the_link_does_not_wait_to_fill_packets() -> None:
    """TCP_NODELAY is set: a request and its reply at QoS 1 take 88 ms without it."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("host") as host:
        connection = host._connection
        assert connection is not None
        sock = connection._client.socket()
        assert isinstance(sock, socket.socket)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_a_client_cancelled_while_it_logs_in_ends() -> None:
    """This holds even if the broker answers at the same moment.

    Python 3.11's `wait_for` would take that answer for the outcome.
    """
    async with managed_mosquitto(extra_configuration="allow_anonymous false\n") as running:
        broker = MqttBroker(running.url)

        async def log_in() -> None:
            with suppress(BrokerUnreachableError):
                async with broker.connect("stranger"):
                    pytest.fail("got in")

        asked: list[bool] = []
        for number in range(100):
            task = asyncio.create_task(log_in())
            asyncio.get_running_loop().call_later(number * 1e-4, lambda of: asked.append(of.cancel()), task)
            await asyncio.wait([task])
            assert task.cancelled() or not any(asked)
            asked.clear()


async def test_a_client_cancelled_while_it_subscribes_ends() -> None:
    """This holds even if the broker's answer arrives at the same moment; otherwise a failing run would wait forever."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("host") as bus:
        is_over = False

        async def subscribe() -> None:
            while not is_over:
                await bus.subscribe("a/b")

        for number in range(200):
            task = asyncio.create_task(subscribe())
            asyncio.get_running_loop().call_later(number * 1e-5, task.cancel)
            done, _ = await asyncio.wait([task], timeout=PATIENCE_WALL_S)
            is_over = not done
            assert done, "it goes on subscribing"


async def test_a_login_refused_on_reconnection_is_logged_and_read_again(tmp_path: Path) -> None:
    """Once the file contains the broker's new password, the client connects."""
    port = free_port()
    secret = tmp_path / "password"
    secret.write_text("old")

    @asynccontextmanager
    async def guarded(password: str) -> AsyncIterator[RunningBroker]:
        passwords = tmp_path / "passwords"
        subprocess.run(  # noqa: ASYNC221 - Mosquitto's own tool
            ["mosquitto_passwd", "-c", "-b", str(passwords), "house", password],
            check=True,
            capture_output=True,
        )
        extra = f"allow_anonymous false\npassword_file {passwords}\n"
        async with managed_mosquitto(port=port, extra_configuration=extra) as running:
            yield running

    def access() -> Access:
        options = AccessOptions("house", secret)
        return access_to(f"mqtt://127.0.0.1:{port}", options, {})

    with capture_logs() as logs:
        async with guarded("old") as first, MqttBroker(access().url, access=access).connect("host") as host:
            kill(first)
            async with guarded("new"):
                async with asyncio.timeout(PATIENCE_WALL_S):
                    while not any("refused the login" in entry.get("reason", "") for entry in logs):
                        await asyncio.sleep(0.01)
                secret.write_text("new")
                assert await take(host) == Reconnected()
    reported = [entry["reason"] for entry in logs if "refused the login" in entry.get("reason", "")]
    assert len(reported) == 1


async def test_a_publisher_that_waits_for_room_gives_up_a_broken_connection() -> None:
    """It does not spin on the closed connection, deaf to signals (attack 7); it reconnects, or reports it lost."""
    with pytest.raises(BrokerLostError):  # noqa: PT012 - the connection is lost within
        async with (
            managed_mosquitto() as running,
            MqttBroker(running.url, lost_after_wall_s=0.5).connect("host") as host,
            asyncio.timeout(PATIENCE_WALL_S),
        ):
            assert running.pid is not None
            os.kill(running.pid, signal.SIGSTOP)
            publishing = asyncio.create_task(publish_much(host))
            while (connection := host._connection) is None or connection.has_room:
                await asyncio.sleep(0)
            kill(running)
            await publishing


async def publish_much(bus: Bus) -> None:
    """Publish more than any buffer between here and the broker holds."""
    for _ in range(200):
        await bus.publish("a/1", bytes(500_000))


async def test_receivers_have_the_context_of_the_code_that_connects() -> None:
    """What they log belongs to its run, also after a reconnection."""
    run: ContextVar[str] = ContextVar("run", default="none")
    found: list[str] = []

    def look(_: Delivery) -> bool:
        found.append(run.get())
        return False

    port = free_port()
    async with AsyncExitStack() as connections:
        async with managed_mosquitto(port=port) as first:
            run.set("mine")
            bus = await connections.enter_async_context(MqttBroker(first.url).connect("host"))
            bus.on_delivery = look
            run.set("another")
            await bus.subscribe("a")
            await bus.publish("a", b"x")
            await take(bus)
        async with managed_mosquitto(port=port):
            while not isinstance(await take(bus), Reconnected):
                pass
            await bus.publish("a", b"x")
            await take(bus)
    assert found == ["mine", "mine"]
