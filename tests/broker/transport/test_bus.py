"""Common behaviour of every bus: one suite for the memory broker, Mosquitto and the embedded broker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.servers.embedded import embedded_broker
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import MAX_PAYLOAD_BYTES, Broker, Bus, Delivery, Will
from broker.transport.memory import MemoryBroker
from tests.patience import PATIENCE_WALL_S

ROOT = Path(__file__).parents[3]

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


@pytest.fixture(params=["memory", pytest.param("mosquitto", marks=needs_mosquitto), "embedded"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """Each kind of broker in turn."""
    match request.param:
        case "memory":
            yield MemoryBroker()
        case "mosquitto":
            async with managed_mosquitto() as running:
                yield MqttBroker(running.url)
        case _:
            async with embedded_broker() as running:
                yield MqttBroker(running.url)


async def read(bus: Bus, count: int) -> list[Delivery]:
    """Read a number of messages."""
    found: list[Delivery] = []
    async with asyncio.timeout(PATIENCE_WALL_S):
        while len(found) < count:
            item = await anext(bus.messages())
            assert isinstance(item, Delivery)
            found.append(item)
    return found


async def read_until_fence(bus: Bus, publisher: Bus) -> list[Delivery]:
    """Read all that came to `bus` before a message that `publisher` sends now."""
    await bus.subscribe("fence")
    await publisher.publish("fence", b"")
    found: list[Delivery] = []
    while (delivery := (await read(bus, 1))[0]).topic != "fence":
        found.append(delivery)
    return found


async def test_wildcards(broker: Broker) -> None:
    """A filter covers what MQTT says that it covers, and nothing else."""
    coverage: dict[str, set[str]] = {
        "a": {"a"},
        "a/b": {"a/b"},
        "a/+": {"a/b", "a/c"},
        "+/b": {"a/b", "d/b"},
        "a/#": {"a", "a/b", "a/c", "a/b/e"},
        "a/+/e": {"a/b/e"},
        "#": {"a", "a/b", "a/c", "a/b/e", "d/b"},
        "a/%2F": set(),
    }
    async with broker.connect("writer") as writer:
        for topic_filter, covered in coverage.items():
            async with broker.connect("reader") as reader:
                await reader.subscribe(topic_filter)
                for topic in ("a", "a/b", "a/c", "a/b/e", "d/b"):
                    await writer.publish(topic, b"x")
                found = await read_until_fence(reader, writer)
                assert {delivery.topic for delivery in found} == covered, topic_filter
                assert all(delivery.payload == b"x" and not delivery.retain for delivery in found)


async def test_a_client_receives_its_own_messages(broker: Broker) -> None:
    """Agents of one host talk over the bus too."""
    async with broker.connect("host") as host:
        await host.subscribe("inbox")
        await host.publish("inbox", b"to myself")
        assert await read(host, 1) == [Delivery("inbox", b"to myself", retain=False)]


async def test_several_filters_at_once(broker: Broker) -> None:
    """A host subscribes to several filters, and receives all messages of each."""
    async with broker.connect("reader") as reader:
        await reader.subscribe("a/+", "b", "c/#")
        for topic in ("a/1", "b", "c/d/e"):
            await reader.publish(topic, topic.encode())
        assert [delivery.payload for delivery in await read(reader, 3)] == [b"a/1", b"b", b"c/d/e"]


async def test_a_retained_message_meets_a_late_subscriber(broker: Broker) -> None:
    """The newest one, marked as retained; who was there already sees it unmarked."""
    async with broker.connect("writer") as writer, broker.connect("early") as early:
        await early.subscribe("hosts/+")
        await writer.publish("hosts/1", b"old", qos=1, retain=True)
        await writer.publish("hosts/1", b"new", qos=1, retain=True)
        assert await read(early, 2) == [
            Delivery("hosts/1", b"old", retain=False),
            Delivery("hosts/1", b"new", retain=False),
        ]
        async with broker.connect("late") as late:
            await late.subscribe("hosts/#")
            assert await read(late, 1) == [Delivery("hosts/1", b"new", retain=True)]


async def test_an_empty_retained_message_clears(broker: Broker) -> None:
    """Later subscribers receive nothing."""
    async with broker.connect("writer") as writer, broker.connect("early") as early:
        await early.subscribe("hosts/1")
        await writer.publish("hosts/1", b"there", retain=True)
        await writer.publish("hosts/1", b"", retain=True)
        assert [delivery.payload for delivery in await read(early, 2)] == [b"there", b""]
        async with broker.connect("late") as late:
            await late.subscribe("hosts/1")
            assert await read_until_fence(late, writer) == []


async def test_retained_messages_reach_only_their_subscribers(broker: Broker) -> None:
    """This also holds if another client subscribed to them before."""
    async with broker.connect("writer") as writer, broker.connect("early") as early:
        await early.subscribe("ledger/+")
        await writer.publish("ledger/1", b"contract", retain=True)
        await read(early, 1)
        async with broker.connect("late") as late:
            assert await read_until_fence(late, writer) == []


@pytest.mark.parametrize("qos", [0, 1])
async def test_three_thousand_messages_arrive_once_and_in_order(broker: Broker, qos: int) -> None:
    """Sent at full speed on two topics and read afterwards, they exceed no queue's limit."""
    async with broker.connect("reader") as reader, broker.connect("writer") as writer:
        await reader.subscribe("a/+")
        for number in range(3000):
            await writer.publish(f"a/{number % 2}", b"%d" % number, qos=qos)
        found = await read(reader, 3000)
        for topic in (0, 1):
            payloads = [int(delivery.payload) for delivery in found if delivery.topic == f"a/{topic}"]
            assert payloads == list(range(topic, 3000, 2))


async def test_payloads_of_any_size(broker: Broker) -> None:
    """Byte for byte, up to the limit."""
    async with broker.connect("host") as host:
        await host.subscribe("a")
        for size in (0, 1, 127, 128, 16_384, 300_000, MAX_PAYLOAD_BYTES):
            payload = bytes(number % 251 for number in range(size))
            await host.publish("a", payload)
            assert await read(host, 1) == [Delivery("a", payload, retain=False)]


async def test_an_oversized_payload_is_dropped_where_it_comes_in(broker: Broker) -> None:
    """The connection stands, and the next message arrives."""
    async with broker.connect("host") as host:
        await host.subscribe("a")
        await host.publish("a", bytes(MAX_PAYLOAD_BYTES + 1))
        await host.publish("a", b"fits")
        assert await read(host, 1) == [Delivery("a", b"fits", retain=False)]


async def test_who_leaves_cleanly_leaves_no_will(broker: Broker) -> None:
    """The will is for those who cannot say goodbye."""
    async with broker.connect("watcher") as watcher:
        await watcher.subscribe("hosts/+")
        async with broker.connect("host", Will("hosts/1", b"gone")):
            pass
        assert await read_until_fence(watcher, watcher) == []


async def test_a_client_that_leaves_by_an_exception_leaves_a_will(broker: Broker) -> None:
    """The will is published and retained; the exception is passed on unwrapped."""
    async with broker.connect("watcher") as watcher:
        await watcher.subscribe("hosts/+")
        with pytest.raises(ZeroDivisionError):
            async with broker.connect("host", Will("hosts/1", b"gone")):
                raise ZeroDivisionError
        assert await read(watcher, 1) == [Delivery("hosts/1", b"gone", retain=False)]
        async with broker.connect("late") as late:
            await late.subscribe("hosts/1")
            assert await read(late, 1) == [Delivery("hosts/1", b"gone", retain=True)]


async def test_a_cancelled_client_leaves_a_will(broker: Broker) -> None:
    """The cancellation is passed on."""
    inside = asyncio.Event()

    async def stay() -> None:
        async with broker.connect("host", Will("hosts/1", b"gone", retain=False)) as host:
            inside.set()
            await anext(host.messages())

    async with broker.connect("watcher") as watcher, asyncio.TaskGroup() as tasks:
        await watcher.subscribe("hosts/+")
        task = tasks.create_task(stay())
        await inside.wait()
        task.cancel()
        assert await read(watcher, 1) == [Delivery("hosts/1", b"gone", retain=False)]
        await asyncio.wait([task])
        assert task.cancelled()


async def test_what_was_sent_before_leaving_arrives(broker: Broker) -> None:
    """Leaving cleanly waits for what is under way."""
    async with broker.connect("watcher") as watcher:
        await watcher.subscribe("a")
        async with broker.connect("host") as host:
            for number in range(500):
                await host.publish("a", b"%d" % number, qos=number % 2)
        assert [int(delivery.payload) for delivery in await read(watcher, 500)] == list(range(500))


async def test_publishing_to_an_invalid_topic_is_refused(broker: Broker) -> None:
    """The error is immediate; the connection stays open."""
    async with broker.connect("host") as host:
        await host.subscribe("a")
        for topic in ("", "a/+", "#", "a\0b"):
            with pytest.raises(ValueError, match=r"not a topic|not a valid topic"):
                await host.publish(topic, b"")
        await host.publish("a", b"")
        await read(host, 1)


async def test_subscribing_to_an_invalid_filter_is_refused(broker: Broker) -> None:
    """The error is immediate, and no filter of the call is subscribed to."""
    async with broker.connect("host") as host:
        for topic_filter in ("", "a/#/b", "a+", "a/b#", "a\0b"):
            with pytest.raises(ValueError, match=r"not a topic filter|not a valid topic filter"):
                await host.subscribe("a", topic_filter)
        await host.publish("a", b"")
        assert await read_until_fence(host, host) == []


async def test_qos_2_is_not_supported(broker: Broker) -> None:
    """No part needs it, and a microcontroller need not implement it."""
    async with broker.connect("host") as host:
        with pytest.raises(ValueError, match="QoS 2"):
            await host.publish("a", b"", qos=2)


@pytest.mark.parametrize("kind", [pytest.param("mosquitto", marks=needs_mosquitto), "embedded"])
async def test_a_killed_process_leaves_its_will(kind: str) -> None:
    """Killed outright, in the middle of its work."""
    program = (
        "import asyncio, sys\n"
        "from broker.transport.base import Will\n"
        "from broker.transport import MqttBroker\n"
        "async def main():\n"
        "    async with MqttBroker(sys.argv[1]).connect('host', Will('hosts/1', b'gone')) as bus:\n"
        "        await bus.publish('hosts/1', b'there', qos=1)\n"
        "        await anext(bus.messages())\n"
        "asyncio.run(main())\n"
    )
    async with (
        managed_mosquitto() if kind == "mosquitto" else embedded_broker() as running,
        MqttBroker(running.url).connect("watcher") as watcher,
    ):
        await watcher.subscribe("hosts/1")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(running.url), cwd=ROOT)
        assert await read(watcher, 1) == [Delivery("hosts/1", b"there", retain=False)]
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        assert await read(watcher, 1) == [Delivery("hosts/1", b"gone", retain=False)]


async def test_a_listener_deals_with_messages_before_the_reader(broker: Broker) -> None:
    """The reader gets what the listener leaves, in order, and what it raises."""
    taken: list[bytes] = []

    def take(delivery: Delivery) -> bool:
        if delivery.payload == b"broken":
            raise ValueError("no use for it")
        if delivery.payload.startswith(b"hot"):
            taken.append(delivery.payload)
        return delivery.payload.startswith(b"hot")

    async with broker.connect("reader") as reader, broker.connect("writer") as writer:
        await reader.subscribe("a")
        reader.on_delivery = take
        reading = asyncio.create_task(read(reader, 1))
        await asyncio.sleep(0)  # until it waits
        for payload in (b"hot 1", b"hot 2", b"cold"):
            await writer.publish("a", payload)
        assert [delivery.payload for delivery in await reading] == [b"cold"]
        assert taken == [b"hot 1", b"hot 2"]
        reading = asyncio.create_task(read(reader, 1))
        await asyncio.sleep(0)
        await writer.publish("a", b"broken")
        with pytest.raises(ValueError, match="no use"):
            await reading
