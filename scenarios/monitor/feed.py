"""Feeds a monitor from a broker: connects at any time, and reconnects after a loss."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from broker import BrokerAwayError, BrokerUnreachableError, SsmicError
from broker.protocol import Control, TimeReport, topics
from broker.transport import Broker, Bus, Delivery
from scenarios.monitor.plausibility import check_time
from scenarios.monitor.run_state import ObservedRun, merged_report
from scenarios.monitor.run_status import LinkStatus

_SLICE_WALL_S = 0.004
"""How long messages are processed before other tasks of the event loop get a turn, so that a screen can answer its
keys."""
_FIRST_RETRY_WALL_S = 0.5
_LONGEST_RETRY_WALL_S = 5.0


class NotConnectedError(SsmicError):
    """There is no connection over which the clock could be controlled."""


class Feed(Protocol):
    """Fills an `ObservedRun`, and carries control requests to the clock."""

    watched: ObservedRun
    title: str
    """Display name of the source."""

    @property
    def status(self) -> LinkStatus:
        """State of the connection."""
        ...

    @property
    def problem(self) -> str:
        """Why there is no connection; empty while there is one."""
        ...

    async def run(self) -> None:
        """Process deliveries until cancelled."""
        ...

    async def control(self, control: Control) -> None:
        """Send a control request to the clock.

        Raises:
            NotConnectedError: There is no connection at the moment.
        """
        ...

    async def ask_for_job(self, device: str, request: bytes) -> None:
        """Ask for a job of a real device, on its behalf.

        Args:
            device: Its gateway id.
            request: The payload, see `docs/devices.md`.

        Raises:
            NotConnectedError: There is no connection at the moment.
        """
        ...


class Listener(ABC):
    """A client that reconnects for as long as the broker may come back."""

    def __init__(self, broker: Broker, title: str) -> None:
        """Make a listener.

        Args:
            broker: The broker; it must not be patient, or `problem` is set only once its patience is over.
            title: Display name of the broker.
        """
        self.title = title
        self.problem = ""
        self._broker = broker
        self._bus: Bus | None = None
        self._is_refused = False

    @property
    def status(self) -> LinkStatus:
        """State of the connection."""
        bus = self._bus
        if bus is None:
            if self._is_refused:
                return "refused"
            return "unreachable" if self.problem else "connecting"
        if not bus.is_connected:
            return "reconnecting"
        return "connected"

    async def run(self) -> None:
        """Listen until cancelled or refused by the broker."""
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
        """Return the topic filters to subscribe to."""

    @abstractmethod
    def take(self, delivery: Delivery) -> None:
        """Process a delivery of the run's topics."""


class BusFeed(Listener):
    """Feeds the monitor of one run from a broker."""

    def __init__(self, broker: Broker, watched: ObservedRun, title: str) -> None:
        """Make a feed.

        Args:
            broker: The broker of the run.
            watched: The observed run to fill.
            title: Display name of the broker.
        """
        super().__init__(broker, title)
        self.watched = watched

    def filters(self) -> tuple[str, ...]:
        """Return the filters of all topics that monitors show."""
        return topics.watched(self.watched.run_id)

    def take(self, delivery: Delivery) -> None:
        """Pass a delivery to the observed run."""
        self.watched.take(delivery.topic, delivery.payload)

    async def control(self, control: Control) -> None:
        """See `Feed.control`."""
        bus = self._bus
        if bus is None or self.status != "connected":
            raise NotConnectedError(f"no connection to {self.title}: {self.problem or 'trying again'}")
        await bus.publish(topics.control(self.watched.run_id), control.encoded(), qos=topics.QOS_AT_LEAST_ONCE)

    async def ask_for_job(self, device: str, request: bytes) -> None:
        """See `Feed.ask_for_job`."""
        bus = self._bus
        if bus is None or self.status != "connected":
            raise NotConnectedError(f"no connection to {self.title}: {self.problem or 'trying again'}")
        topic = topics.device(self.watched.run_id, device, "request")
        await bus.publish(topic, request, qos=topics.QOS_AT_LEAST_ONCE)


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run found on a broker."""

    run_id: str
    report: TimeReport
    heard_wall_s: float = 0.0
    """When its report arrived, on the monotonic clock."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended; its last report is retained by the broker."""
        return self.report.state in {"ended", "failed"}


class RunFinder(Listener):
    """Finds the runs on a broker by their clocks' retained reports."""

    MOST_RUNS = 1_000

    def __init__(self, broker: Broker, title: str) -> None:
        super().__init__(broker, title)
        self.runs: dict[str, FoundRun] = {}

    def filters(self) -> tuple[str, ...]:
        """Return the filter of all clocks' reports."""
        return (topics.times(),)

    def take(self, delivery: Delivery) -> None:
        """Record a clock's report; anything else is ignored."""
        address = topics.parse(delivery.topic)
        if address is None or address.kind != "time":
            return
        if not delivery.payload:
            self.runs.pop(address.run, None)
            return
        try:
            report = TimeReport.model_validate_json(delivery.payload)
            check_time(report)
        except ValueError:  # pydantic's is one
            return
        known = self.runs.get(address.run)
        if known is not None or len(self.runs) < self.MOST_RUNS:
            report = merged_report(None if known is None else known.report, report)
            self.runs[address.run] = FoundRun(address.run, report, time.monotonic())
