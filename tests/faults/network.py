"""A network that misbehaves by seed: it delays, reorders, doubles and drops what goes over any broker.

What MQTT promises it keeps: QoS 1 arrives at least once and in order on its topic. All else may happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from broker.transport.base import MAX_PAYLOAD_BYTES, Broker, Bus, Content, Delivery, Reconnected, Will
from broker.transport.receive_queue import ReceiveQueue


@dataclass(frozen=True, slots=True)
class Faults:
    """How badly it misbehaves; shares of messages, seconds of wall-clock time."""

    drop: float = 0.0
    double: float = 0.0
    delay_most_wall_s: float = 0.0
    reconnect: float = 0.0
    """Share of messages that are lost because their reader's connection breaks."""


class FaultyBus:
    """One client's connection, with faults on the way in: so every reader has its own."""

    def __init__(self, bus: Bus, faults: Faults, random: Random) -> None:
        self._bus = bus
        self._faults = faults
        self._random = random
        self.is_dead = False
        self.largest_bytes = MAX_PAYLOAD_BYTES
        self.on_oversized: Callable[[str, int], None] | None = None
        self._arrived = ReceiveQueue("faulty")

    @property
    def is_connected(self) -> bool:
        return self._bus.is_connected

    @property
    def on_delivery(self) -> Callable[[Delivery], bool] | None:
        return self._arrived.on_delivery

    @on_delivery.setter
    def on_delivery(self, listener: Callable[[Delivery], bool] | None) -> None:
        self._arrived.on_delivery = listener

    async def publish(self, topic: str, payload: bytes | Content, *, qos: int = 0, retain: bool = False) -> None:
        if self.is_dead:
            await asyncio.Future()
        await self._bus.publish(topic, payload, qos=qos, retain=retain)

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        await self._bus.subscribe(*topic_filters, qos=qos)

    async def flush(self) -> None:
        await self._bus.flush()

    def messages(self) -> AsyncIterator[Delivery | Reconnected]:
        return self._arrived

    async def forward(self) -> None:
        """Pass on what arrives, or not."""
        loop = asyncio.get_running_loop()
        async for event in self._bus.messages():
            # Only these topics go at QoS 0; the rest arrives as it should.
            is_lossy = isinstance(event, Delivery) and event.topic.split("/")[2] in {
                "grants",
                "grant",
                "done",
                "inbox",
                "local",
                "resend",
            }
            if not is_lossy:
                self._arrived.put(event)
                continue
            if self._random.random() < self._faults.reconnect:
                self._arrived.put(Reconnected())
                continue
            if self._random.random() < self._faults.drop:
                continue
            copies = 2 if self._random.random() < self._faults.double else 1
            for _ in range(copies):
                delay_wall_s = self._random.uniform(0, self._faults.delay_most_wall_s)
                loop.call_later(delay_wall_s, self._arrived.put, event)


class FaultyBroker:
    """A broker behind a network that misbehaves."""

    def __init__(self, broker: Broker, faults: Faults, seed: int) -> None:
        self._broker = broker
        self._faults = faults
        self._random = Random(seed)
        self._buses: list[FaultyBus] = []

    def for_process(self) -> FaultyBroker:
        """Return the way that one process has to the broker."""
        process = FaultyBroker(self._broker, self._faults, 0)
        process._random = self._random
        return process

    def crash(self) -> None:
        """Let nothing more out of a process: one that is killed has no last words."""
        for bus in self._buses:
            bus.is_dead = True

    @asynccontextmanager
    async def connect(self, client_id: str, will: Will | None = None) -> AsyncIterator[Bus]:
        async with self._broker.connect(client_id, will) as bus, asyncio.TaskGroup() as tasks:
            faulty = FaultyBus(bus, self._faults, Random(self._random.random()))
            self._buses.append(faulty)
            forward = tasks.create_task(faulty.forward())
            yield faulty
            forward.cancel()
