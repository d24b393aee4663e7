"""The memory broker where it has more to offer than the interface."""

from __future__ import annotations

import pytest

from broker.errors import BrokerLostError
from broker.transport.base import MAX_PAYLOAD_BYTES, Delivery, Reconnected, Will
from broker.transport.memory import MemoryBroker


async def test_a_dropped_client_leaves_its_will_and_meets_an_error() -> None:
    """A cut is for good: reader and publisher both learn of it."""
    broker = MemoryBroker()
    async with (
        broker.connect("watcher") as watcher,
        broker.connect("house", Will("hosts/house", b"gone", retain=False)) as house,
    ):
        await watcher.subscribe("hosts/+")
        broker.drop("house")
        assert await anext(watcher.messages()) == Delivery("hosts/house", b"gone", retain=False)
        with pytest.raises(BrokerLostError, match="connection was closed"):
            await house.publish("a", b"")
        with pytest.raises(BrokerLostError, match="connection was closed"):
            await anext(house.messages())


async def test_an_interrupted_client_comes_back_with_its_subscriptions() -> None:
    """Unread messages are lost, and the client is informed."""
    broker = MemoryBroker()
    async with broker.connect("house") as house:
        await house.subscribe("a")
        await house.publish("a", b"lost")
        broker.interrupt("house")
        await house.publish("a", b"kept")
        assert await anext(house.messages()) == Reconnected()
        assert await anext(house.messages()) == Delivery("a", b"kept", retain=False)


async def test_a_client_that_does_not_read_is_disconnected_and_named() -> None:
    """Its queue is bounded; the others continue."""
    broker = MemoryBroker(queue_limit=2)
    async with broker.connect("slow") as slow, broker.connect("fast") as fast:
        await slow.subscribe("a")
        await fast.subscribe("a")
        for number in range(3):
            await fast.publish("a", b"%d" % number)
            await anext(fast.messages())
        with pytest.raises(BrokerLostError, match="'slow' does not read its messages: 2"):
            await anext(slow.messages())
        await fast.publish("a", b"still here")
        assert (await anext(fast.messages())) == Delivery("a", b"still here", retain=False)


async def test_a_restart_goes_on_if_a_client_cannot_take_the_will_of_another() -> None:
    """That client is disconnected, and all others are back."""
    broker = MemoryBroker(queue_limit=2)
    async with (
        broker.connect("a", Will("gone/a", b"", retain=False)) as a,
        broker.connect("slow") as slow,
        broker.connect("c") as c,
    ):
        await slow.subscribe("#")
        await c.subscribe("x")
        for number in range(2):
            await a.publish("x", b"%d" % number)
        broker.restart()
        with pytest.raises(BrokerLostError, match="'slow' does not read its messages: 2"):
            await anext(slow.messages())
        await a.publish("x", b"here")
        assert await anext(c.messages()) == Reconnected()
        assert await anext(c.messages()) == Delivery("x", b"here", retain=False)


async def test_a_second_client_of_the_same_id_disconnects_the_first_one() -> None:
    """Every MQTT broker does this."""
    broker = MemoryBroker()
    async with broker.connect("house") as first, broker.connect("house") as second:
        with pytest.raises(BrokerLostError, match="another client"):
            await anext(first.messages())
        await second.subscribe("a")
        await second.publish("a", b"1")
        assert await anext(second.messages()) == Delivery("a", b"1", retain=False)


async def test_an_oversized_payload_is_dropped_and_reported() -> None:
    """The limit itself still passes."""
    broker = MemoryBroker()
    async with broker.connect("house") as house:
        dropped: list[tuple[str, int]] = []
        house.on_oversized = lambda topic, size_bytes: dropped.append((topic, size_bytes))
        await house.subscribe("a")
        await house.publish("a", bytes(MAX_PAYLOAD_BYTES + 1))
        await house.publish("a", bytes(MAX_PAYLOAD_BYTES))
        delivery = await anext(house.messages())
        assert isinstance(delivery, Delivery)
        assert len(delivery.payload) == MAX_PAYLOAD_BYTES
        assert dropped == [("a", MAX_PAYLOAD_BYTES + 1)]
