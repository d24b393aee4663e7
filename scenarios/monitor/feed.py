"""Where a watcher's knowledge comes from: a broker, joined at any time, left and found again."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from broker import BrokerAwayError, BrokerUnreachableError, SsmicError
from broker.protocol import Control, TimeReport, topics
from broker.transport import Broker, Bus, Delivery, MqttBus
from scenarios.monitor.run_state import ObservedRun
from scenarios.monitor.run_status import LinkStatus

_SLICE_WALL_S = 0.004
"""How long messages are taken in before others in the loop have a turn: a screen has to answer its keys."""
_FIRST_RETRY_WALL_S = 0.5
_LONGEST_RETRY_WALL_S = 5.0


class NotConnectedError(SsmicError):
    """There is no connection over which something could be asked of a run."""


class Feed(Protocol):
    """Fills a `ObservedRun`, and carries what a person asks of the clock."""

    watched: ObservedRun
    title: str
    """Where it comes from, for people."""

    @property
    def status(self) -> LinkStatus:
        """How the connection is."""
        ...

    @property
    def problem(self) -> str:
        """Why there is no connection; empty while there is one."""
        ...

    async def run(self) -> None:
        """Take in what comes, until cancelled."""
        ...

    async def control(self, control: Control) -> None:
        """Ask something of the clock.

        Raises:
            NotConnectedError: there is no connection now.
        """
        ...


class Listener(ABC):
    """A client that connects again and again, as long as the broker may come back."""

    def __init__(self, broker: Broker, title: str) -> None:
        """Make a listener.

        Args:
            broker: Where to listen; one that is not patient, or `problem` is told only when its patience is over.
            title: Of the broker, for people.
        """
        self.title = title
        self.problem = ""
        self._broker = broker
        self._bus: Bus | None = None
        self._is_refused = False

    @property
    def status(self) -> LinkStatus:
        """How the connection is."""
        bus = self._bus
        if bus is None:
            if self._is_refused:
                return "refused"
            return "unreachable" if self.problem else "connecting"
        if isinstance(bus, MqttBus) and not bus.is_connected:
            return "reconnecting"
        return "connected"

    async def run(self) -> None:
        """Listen until cancelled, or refused by the broker."""
        pause_wall_s = _FIRST_RETRY_WALL_S
        while True:
            try:
                async with self._broker.connect(f"watch-{secrets.token_hex(4)}") as bus:
                    await bus.subscribe(*self.filters())
                    self._bus, self.problem = bus, ""
                    pause_wall_s = _FIRST_RETRY_WALL_S
                    await self._listen(bus)
            except SsmicError as error:
                self.problem = str(error)
                self._is_refused = isinstance(error, BrokerUnreachableError) and not isinstance(error, BrokerAwayError)
                if self._is_refused:
                    return
            finally:
                self._bus = None
            await asyncio.sleep(pause_wall_s)
            pause_wall_s = min(2 * pause_wall_s, _LONGEST_RETRY_WALL_S)

    async def _listen(self, bus: Bus) -> None:
        slice_began_wall_s = time.perf_counter()
        async for item in bus.messages():
            if isinstance(item, Delivery):
                self.take(item)
            if time.perf_counter() - slice_began_wall_s > _SLICE_WALL_S:
                await asyncio.sleep(0)
                slice_began_wall_s = time.perf_counter()

    @abstractmethod
    def filters(self) -> tuple[str, ...]:
        """Return what to listen to."""

    @abstractmethod
    def take(self, delivery: Delivery) -> None:
        """Take in what came."""


class BusFeed(Listener):
    """One run on a broker."""

    def __init__(self, broker: Broker, watched: ObservedRun, title: str) -> None:
        """Make a feed.

        Args:
            broker: Where the run is.
            watched: What to fill.
            title: Of the broker, for people.
        """
        super().__init__(broker, title)
        self.watched = watched

    def filters(self) -> tuple[str, ...]:
        """Listen to all that people look at."""
        return topics.watched(self.watched.run_id)

    def take(self, delivery: Delivery) -> None:
        """Learn from it."""
        self.watched.take(delivery.topic, delivery.payload)

    async def control(self, control: Control) -> None:
        """See `Feed.control`."""
        bus = self._bus
        if bus is None or self.status != "connected":
            raise NotConnectedError(f"no connection to {self.title}: {self.problem or 'trying again'}")
        await bus.publish(topics.control(self.watched.run_id), control.encoded(), qos=topics.QOS_FACTS)


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run on a broker."""

    run_id: str
    report: TimeReport
    heard_wall_s: float = 0.0
    """When it came, on the monotonic clock."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended; its last words stay at the broker."""
        return self.report.state in {"ended", "failed"}


class RunFinder(Listener):
    """Finds the runs on a broker by what their clocks say."""

    MOST_RUNS = 1_000

    def __init__(self, broker: Broker, title: str) -> None:
        super().__init__(broker, title)
        self.runs: dict[str, FoundRun] = {}

    def filters(self) -> tuple[str, ...]:
        """Listen to all clocks."""
        return (topics.times(),)

    def take(self, delivery: Delivery) -> None:
        """Note where a run stands; what is no clock's report is left alone."""
        address = topics.parse(delivery.topic)
        if address is None or address.kind != "time":
            return
        if not delivery.payload:
            self.runs.pop(address.run, None)
            return
        try:
            report = TimeReport.model_validate_json(delivery.payload)
        except ValidationError:
            return
        if address.run in self.runs or len(self.runs) < self.MOST_RUNS:
            self.runs[address.run] = FoundRun(address.run, report, time.monotonic())
