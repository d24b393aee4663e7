"""The MQTT connection of an emulated device: it drops and reconnects with the device."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from broker import BrokerLostError
from broker.transport import Broker, Bus, Delivery, leave_gracefully
from scenarios.lab.device import EmulatedDevice, Publication, Publications
from scenarios.lab.virtual_clock import Agenda

_log = structlog.get_logger(__name__)


class DeviceClient:
    """A device and its connection."""

    def __init__(self, device: EmulatedDevice, agenda: Agenda, name: Callable[[str], str]) -> None:
        """Make a client that is not connected.

        Args:
            device: The device.
            agenda: Schedules the device's own actions.
            name: Makes a client id unique at the broker.
        """
        self.device = device
        self.delay_s = 0
        """The delay with which it obeys, seconds of virtual time."""
        self.ready = asyncio.Event()
        """Set once it has connected, subscribed, and published its first messages."""
        self._agenda = agenda
        self._client_id = name(device.client_id)
        self._bus: Bus | None = None
        self._scheduled_s: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._leaving = asyncio.Event()

    def start(self, broker: Broker, tasks: asyncio.TaskGroup) -> None:
        """Connect, and stay connected."""
        self._task = tasks.create_task(self._serve(broker), name=f"lab[{self._client_id}]")

    def vanish(self) -> None:
        """Break the connection without a word: the broker publishes the last will."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def leave(self) -> None:
        """Clear the retained messages, and disconnect without a last will."""
        task, self._task = self._task, None
        if self._bus is None:
            if task is not None:
                task.cancel()
            return
        await leave_gracefully(self._last_words(self._bus))
        self._leaving.set()
        if task is not None:
            await asyncio.wait({task})

    async def act(self, now_s: int) -> None:
        """Carry out the device's own actions that are due."""
        self._scheduled_s = None
        await self.say(self.device.due(now_s))

    async def say(self, publications: Iterable[Publication]) -> None:
        """Publish, if it is connected; enter what the device does next."""
        if self._bus is not None and self._bus.is_connected:
            for one in publications:
                await self._bus.publish(one.topic, one.payload, qos=one.qos, retain=one.retain)
        self.enter()

    def enter(self) -> None:
        """Enter what the device does next into the agenda."""
        due_s = self.device.next_due_s()
        if due_s is not None and (self._scheduled_s is None or due_s < self._scheduled_s):
            self._scheduled_s = due_s
            self._agenda.add(due_s, self._act_if_due)

    async def _act_if_due(self, now_s: int) -> None:
        if self._scheduled_s is None or now_s >= self._scheduled_s:
            await self.act(now_s)

    async def _last_words(self, bus: Bus) -> None:
        await _publish(bus, self.device.leaving(self._agenda.clock.now_s()))
        await bus.flush()

    async def _serve(self, broker: Broker) -> None:
        try:
            async with broker.connect(self._client_id, self.device.will) as bus:
                await self._begin(bus)
                hearing = asyncio.create_task(self._hear_all(bus))
                leaving = asyncio.create_task(self._leaving.wait())
                try:
                    await asyncio.wait({hearing, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    if hearing.done():
                        hearing.result()
                finally:
                    hearing.cancel()
                    leaving.cancel()
        except BrokerLostError as error:
            _log.warning("device lost its broker", device=self._client_id, reason=str(error))
            raise
        finally:
            self._bus = None
            self.ready.clear()

    async def _hear_all(self, bus: Bus) -> None:
        async for event in bus.messages():
            if isinstance(event, Delivery):
                self._hear(event)
            else:
                await self._begin(bus)

    async def _begin(self, bus: Bus) -> None:
        now_s = self._agenda.clock.now_s
        await _publish(bus, self.device.connected(now_s()))
        await bus.subscribe(*self.device.subscriptions, qos=1)
        self._bus = bus
        await self.say(self.device.subscribed(now_s()))
        self.ready.set()

    def _hear(self, delivery: Delivery) -> None:
        if delivery.retain and not self.device.hears_retained:
            return

        async def obey(now_s: int) -> None:
            if self._bus is None:
                return
            try:
                answers = self.device.received(delivery.topic, delivery.payload, now_s)
            except Exception:  # noqa: BLE001 - whatever a controller sends, the street goes on
                _log.exception("command dropped", device=self.device.client_id, topic=delivery.topic)
                return
            await self.say(answers)

        self._agenda.add(self._agenda.clock.now_s() + self.delay_s, obey)


async def _publish(bus: Bus, publications: Publications) -> None:
    for one in publications:
        await bus.publish(one.topic, one.payload, qos=one.qos, retain=one.retain)
