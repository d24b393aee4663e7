"""Brokers that we start: they are there when we say so, and gone when we are."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from broker.errors import BrokerUnreachableError, BrokerUrlError
from broker.servers.choose import choose_broker
from broker.servers.embedded import embedded_broker
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.servers.own_broker import RunningBroker, free_port
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from broker.transport.endpoint import parse_url
from tests.patience import PATIENCE_WALL_S

ROOT = Path(__file__).parents[3]

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
Start = Callable[..., AbstractAsyncContextManager[RunningBroker]]
both_kinds = pytest.mark.parametrize(
    "start", [pytest.param(managed_mosquitto, marks=needs_mosquitto, id="mosquitto"), embedded_broker]
)


def listens(port: int) -> bool:
    """Return whether a server listens on a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@both_kinds
async def test_a_broker_runs_for_the_duration_of_its_context(start: Start) -> None:
    """It accepts connections on the given port from the first moment, and none afterwards."""
    port = free_port()
    async with start(port=port) as running:
        assert running.url.port == port
        assert f"127.0.0.1:{port}" in running.description
        assert listens(port)
    assert not listens(port)
    async with start(port=port):
        assert listens(port)


@both_kinds
async def test_a_broker_stops_after_an_exception(start: Start) -> None:
    """This holds for any exception inside the context."""
    port = free_port()
    with pytest.raises(ZeroDivisionError):
        async with start(port=port):
            raise ZeroDivisionError
    assert not listens(port)


@both_kinds
async def test_a_broker_stops_after_a_cancellation(start: Start) -> None:
    """The cancellation is passed on."""
    port = free_port()
    there = asyncio.Event()

    async def stay() -> None:
        async with start(port=port):
            there.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    await there.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not listens(port)


@both_kinds
async def test_a_broker_stops_with_clients_connected(start: Start) -> None:
    """It does not wait for them."""
    async with start() as running, MqttBroker(running.url, lost_after_wall_s=2.0).connect("host") as host:
        await host.subscribe("a")
        async with start() as other, MqttBroker(other.url).connect("host"):
            assert other.url != running.url


@both_kinds
async def test_a_port_that_is_taken(start: Start) -> None:
    """The message names it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(BrokerUnreachableError, match=f"port {port} is taken: choose another"):
            async with start(port=port):
                pass


@needs_mosquitto
async def test_many_brokers_at_once() -> None:
    """Free ports are found again where two took the same."""
    async with asyncio.TaskGroup() as tasks:
        ports = [tasks.create_task(port_of_one()) for _ in range(8)]
    assert all(port.result() > 0 for port in ports)


async def port_of_one() -> int:
    """Start one, and connect to it."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("host"):
        return running.url.port


@needs_mosquitto
async def test_a_mosquitto_that_does_not_start() -> None:
    """Its own words are in the message, without its chatter."""
    with pytest.raises(BrokerUnreachableError, match=r"mosquitto did not start: .*Unknown.*no_such_setting") as caught:
        async with managed_mosquitto(extra_configuration="no_such_setting 1\n"):
            pass
    assert "starting" not in str(caught.value)


@needs_mosquitto
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_a_mosquitto_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """This also holds if that process is killed."""
    program = (
        "import asyncio\n"
        "from broker.servers.mosquitto import managed_mosquitto\n"
        "async def main():\n"
        "    async with managed_mosquitto() as running:\n"
        "        print(running.url.port, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        cwd=ROOT,
        # What a killed process cannot clear away goes with the test's own folder.
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    os.kill(process.pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_WALL_S):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    await process.wait()


@needs_mosquitto
async def test_a_killed_mosquitto_remembers_what_is_retained(tmp_path: Path) -> None:
    """Started again in the same folder, a second after the message at the latest."""
    async with managed_mosquitto(folder=tmp_path) as first, MqttBroker(first.url).connect("host") as host:
        await host.publish("ledger/1", b"contract", qos=1, retain=True)
        database = tmp_path / "mosquitto.db"
        async with asyncio.timeout(PATIENCE_WALL_S):
            # It saves when a second has passed and something comes in.
            while not database.exists() or b"contract" not in database.read_bytes():
                await host.publish("tick", b"", qos=1)
                await host.flush()
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        async with managed_mosquitto(folder=tmp_path) as second, MqttBroker(second.url).connect("late") as late:
            await late.subscribe("ledger/+")
            assert await anext(late.messages()) == Delivery("ledger/1", b"contract", retain=True)


async def test_nothing_chosen_and_mosquitto_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The embedded broker serves, and one line says why; asking for Mosquitto says that it is not there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("broker.servers.mosquitto._SEARCH_PATH", str(tmp_path))
    async with choose_broker() as chosen, chosen.broker.connect("host"):
        assert "embedded amqtt" in chosen.description
        assert chosen.description.endswith("(mosquitto is not installed)")
    with pytest.raises(BrokerUnreachableError, match="mosquitto is not installed"):
        async with choose_broker("mosquitto"):
            pass


@needs_mosquitto
async def test_nothing_chosen_and_mosquitto_installed() -> None:
    """Mosquitto is used, and its version is shown."""
    async with choose_broker() as chosen, chosen.broker.connect("host"):
        assert chosen.description.startswith("Mosquitto 2.")


async def test_a_broker_of_the_users_own() -> None:
    """It is reached by the URL that other processes get too; the displayed URL has no password."""
    async with embedded_broker() as running:
        wanted = f"mqtt://house:s3cret@127.0.0.1:{running.url.port}"
        async with choose_broker(wanted) as chosen, chosen.broker.connect("host"):
            assert chosen.url == parse_url(wanted)
            assert chosen.description == f"mqtt://house@127.0.0.1:{running.url.port}"


async def test_an_invalid_broker_is_refused() -> None:
    """It is neither a kind of broker nor a URL."""
    with pytest.raises(BrokerUrlError, match="'rabbit'"):
        async with choose_broker("rabbit"):
            pass
