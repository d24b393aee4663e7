"""Faults of the network that a scenario's timeline asks for: messages lost and delayed, brokers restarted.

They act on real connections. Rounds are counted, so lost messages are sent again, and no contract changes. Only
messages that MQTT may lose are lost or delayed: those at QoS 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from random import Random

import structlog

from broker import BrokerLostError
from broker.clock import Moment
from broker.transport import Broker, Bus, Content, Delivery, MemoryBroker, Reconnected, Will
from scenarios.events import Action, DisturbLink, RestartBroker, RunEvent

log = structlog.get_logger(__name__)


class NetworkFaults:
    """The faults of one run, as far as its connections are in this process."""

    def __init__(
        self, broker: Broker, host_of_house: Mapping[str, str], seed: int, restart: Callable[[], None] | None
    ) -> None:
        """Create the set of faults, with no active fault.

        Args:
            broker: Where the run's hosts connect to.
            host_of_house: By house, the host that its agents live on.
            seed: Seed of the random loss of messages.
            restart: Restarts the broker; None: only a broker in memory can be.
        """
        self.now_s = 0
        """Virtual time, UNIX seconds."""
        self._broker = broker
        self._host_of_house = host_of_house
        self._restart = restart
        self._random = Random(seed)
        self._links: list[tuple[str, int, DisturbLink]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def begin_run_event(self, run_event: RunEvent, *, is_replayed: bool) -> None:
        """Begin what an event says, if it is about the network.

        Args:
            run_event: The event.
            is_replayed: Whether it took place in an earlier process: a disturbed link still is one, but a broker that
                was restarted is not restarted again.
        """
        if not (is_replayed and isinstance(run_event.action, RestartBroker)):
            self.begin(run_event.action, run_event.at_s)

    def with_time(self, on_moment: Callable[[Moment], None] | None) -> Callable[[Moment], None]:
        """Return a function that takes note of each step's time, and passes it on."""

        def take(moment: Moment) -> None:
            self.now_s = moment.time_s
            if on_moment is not None:
                on_moment(moment)

        return take

    def begin(self, action: Action, at_s: int) -> None:
        """Begin what an event says, if it is about the network.

        Args:
            action: The event.
            at_s: When it took place, UNIX seconds.
        """
        match action:
            case DisturbLink(house=house, duration_s=duration_s) if house in self._host_of_house:
                self._links.append((self._host_of_house[house], at_s + duration_s, action))
            case RestartBroker():
                # After the round, whose results are on their way.
                asyncio.get_running_loop().call_soon(self._restart_broker)

    def _restart_broker(self) -> None:
        if isinstance(self._broker, MemoryBroker):
            self._broker.restart()
        elif self._restart is not None:
            self._restart()
        else:
            log.warning("broker not restarted", reason="it was not started for this run")

    def link_of(self, host: str) -> DisturbLink | None:
        """Return how the link of a host is disturbed at present."""
        self._links = [link for link in self._links if link[1] > self.now_s]
        return next((action for of, _, action in self._links if of == host), None)

    def is_lost(self, link: DisturbLink) -> bool:
        """Return whether the next message of a link is lost."""
        return self._random.random() < link.loss

    def later(self, link: DisturbLink, deliver: Callable[[], Awaitable[None]]) -> None:
        """Do something after the delay of a link."""
        wall_s = self._random.uniform(0.0, link.delay_wall_s)

        async def wait_and_deliver() -> None:
            await asyncio.sleep(wall_s)
            with suppress(BrokerLostError):
                await deliver()

        self._keep(wait_and_deliver())

    def _keep(self, doing: Awaitable[None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Cancel the remaining faults, without waiting for them."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class DisturbedBroker:
    """A broker as one host reaches it over its link."""

    def __init__(self, broker: Broker, host: str, faults: NetworkFaults) -> None:
        """Create it.

        Args:
            broker: The broker.
            host: Id of the host whose link it is.
            faults: Decides what the link does to each packet.
        """
        self._broker = broker
        self._host = host
        self._network_faults = faults

    def connect(self, client_id: str, will: Will | None = None) -> AbstractAsyncContextManager[Bus]:
        """See `broker.transport.Broker`."""
        return self._connect(client_id, will)

    @asynccontextmanager
    async def _connect(self, client_id: str, will: Will | None) -> AsyncIterator[Bus]:
        async with self._broker.connect(client_id, will) as bus:
            yield _DisturbedBus(bus, self._host, self._network_faults)


class _DisturbedBus:
    """See `broker.transport.Bus`."""

    def __init__(self, bus: Bus, host: str, faults: NetworkFaults) -> None:
        self._bus = bus
        self._host = host
        self._network_faults = faults
        self.on_delivery: Callable[[Delivery], bool] | None = None
        """Never called: each message is looked at on its way to the reader."""

    @property
    def is_connected(self) -> bool:
        return self._bus.is_connected

    @property
    def largest_bytes(self) -> int:
        return self._bus.largest_bytes

    @largest_bytes.setter
    def largest_bytes(self, limit: int) -> None:
        self._bus.largest_bytes = limit

    @property
    def on_oversized(self) -> Callable[[str, int], None] | None:
        return self._bus.on_oversized

    @on_oversized.setter
    def on_oversized(self, listener: Callable[[str, int], None] | None) -> None:
        self._bus.on_oversized = listener

    async def publish(self, topic: str, payload: bytes | Content, *, qos: int = 0, retain: bool = False) -> None:
        link = self._network_faults.link_of(self._host) if qos == 0 else None
        if link is None:
            await self._bus.publish(topic, payload, qos=qos, retain=retain)
        elif self._network_faults.is_lost(link):
            return
        elif link.delay_wall_s:
            self._network_faults.later(link, lambda: self._bus.publish(topic, payload, qos=qos, retain=retain))
        else:
            await self._bus.publish(topic, payload, qos=qos, retain=retain)

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        await self._bus.subscribe(*topic_filters, qos=qos)

    async def flush(self) -> None:
        await self._bus.flush()

    async def messages(self) -> AsyncIterator[Delivery | Reconnected]:
        async for event in self._bus.messages():
            link = self._network_faults.link_of(self._host)
            on_link = link is not None and isinstance(event, Delivery) and _may_be_lost(event)
            if link is None or not on_link or not self._network_faults.is_lost(link):
                yield event


def _may_be_lost(delivery: Delivery) -> bool:
    """Return whether a message goes over the link at QoS 0: grants, messages between agents, and requests for them."""
    return not delivery.retain and delivery.topic.split("/")[2:3] in (["grants"], ["grant"], ["inbox"], ["resend"])
