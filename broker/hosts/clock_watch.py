"""Watches whether the clock of a run is alive, so that a household does not wait for one that has disappeared.

An idle household may receive nothing from its clock for hours. If it has not heard the clock for a minute, it
subscribes to the clock's reports for a moment; a permanent subscription would cost more than all its other work.

A report names the hosts that the clock waits for. If it repeatedly names a host that waits for the clock, the broker
does not pass on what one of them says: a broker drops what its access rules forbid without telling anybody.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import structlog

from broker.errors import BrokerLostError, BrokerRefusedError, BrokerUnreachableError, ClockMissingError, MalformedError
from broker.protocol import TimeReport, shortened, topics
from broker.transport import Broker, Bus, Delivery

log = structlog.get_logger(__name__)

LOOK_EVERY_WALL_S = 60.0
"""After this long without a sign of life from the clock, a host listens for one, and logs if there is none."""
LISTEN_WALL_S = 6.0
"""How long it listens: the clock reports every two seconds."""
NOT_HEARD = "the broker does not pass on a topic"
"""What a host logs if the clock waits for it, and it for the clock."""
HINT = (
    "its access rules may forbid it to the login of the writer or of the reader, or its limits drop large messages or "
    "long queues (Mosquitto: message_size_limit, max_queued_messages)"
)


class ClockLiveness:
    """When the clock gave its last sign of life. The hosts of a process share this; one of them listens for all."""

    def __init__(self) -> None:
        self.last_wall_s = 0.0
        """Loop time."""
        self.listening = asyncio.Lock()
        self.listened_wall_s = 0.0
        """When a host last listened for it and heard nothing, loop time."""
        self.report: TimeReport | None = None
        """The last report that a host listened to; None: there was none."""
        self.reported_wall_s = 0.0
        """When it came, loop time."""
        self._left_out_until_wall_s = 0.0

    def leave_out(self, since_wall_s: float, until_wall_s: float) -> None:
        """Do not count a time in which a host could hear nothing as silence; of several hosts' times, each moment once.

        Args:
            since_wall_s: Its beginning, loop time.
            until_wall_s: Its end, loop time; not in the future.
        """
        since_wall_s = max(since_wall_s, self._left_out_until_wall_s)
        if until_wall_s > since_wall_s:
            self.last_wall_s = min(until_wall_s, self.last_wall_s + until_wall_s - since_wall_s)
            self._left_out_until_wall_s = until_wall_s


class ClockWatch:
    """How one host watches the clock."""

    def __init__(
        self,
        run: str,
        host_id: str,
        liveness: ClockLiveness,
        limit_wall_s: float,
        *,
        awaited_topic: Callable[[int], str | None],
        why_missing: Callable[[], str],
    ) -> None:
        """Create it.

        Args:
            run: The run's id.
            host_id: The host.
            liveness: The clock's signs of life, shared by the hosts of this process.
            limit_wall_s: How long the clock may give no sign before the host gives up, wall-clock seconds.
            awaited_topic: Given the step for which the clock waits, returns the topic on which the host or the clock
                waits for the other one; None: the host is at work, or it is not known.
            why_missing: Returns what is known about the clock's absence, to be added to the error.
        """
        self._awaited_topic = awaited_topic
        self._why_missing = why_missing
        self._suspicion: tuple[str, int] | None = None
        """According to the last report: the topic on which the host and the clock wait for each other, and the step."""
        self._logged_topics: set[str] = set()
        self._run = run
        self._host_id = host_id
        self._liveness = liveness
        self._limit_wall_s = limit_wall_s
        self._look_wall_s = min(LOOK_EVERY_WALL_S, limit_wall_s / 4)

    async def keep_watching(self, broker: Broker, bus: Bus) -> None:
        """Log when the clock falls silent, and when it returns, until cancelled.

        Args:
            broker: Where to listen for the clock.
            bus: The host's own connection; while it is down, the clock cannot be heard.

        Raises:
            ClockMissingError: The clock was silent for longer than the limit.
            BrokerRefusedError: The broker does not let this login listen to it.
        """
        loop, liveness = asyncio.get_running_loop(), self._liveness
        liveness.last_wall_s = loop.time()
        is_silent = False
        while True:
            slept_wall_s = loop.time()
            await asyncio.sleep(self._look_wall_s)
            woke_wall_s = loop.time()
            if woke_wall_s - slept_wall_s > 2 * self._look_wall_s or not bus.is_connected:
                liveness.leave_out(slept_wall_s, woke_wall_s)  # this process was suspended, or could not receive
            await self._listen(broker)
            if liveness.report is not None and liveness.reported_wall_s >= woke_wall_s:
                self._suspect(liveness.report)
            silent_wall_s = loop.time() - liveness.last_wall_s
            if silent_wall_s < self._look_wall_s:
                if is_silent:
                    log.warning("the clock is back", host=self._host_id)
                is_silent = False
                continue
            if silent_wall_s > self._limit_wall_s:
                silence = f"host {self._host_id!r}: no sign of the clock for {self._limit_wall_s:g} s"
                raise ClockMissingError(f"{silence}{self._why_missing()}")
            if not is_silent:
                log.warning("waiting for the clock", host=self._host_id, limit_wall_s=self._limit_wall_s)
            is_silent = True

    async def _listen(self, broker: Broker) -> None:
        """Listen for the clock if it has been silent, unless another host of this process does so meanwhile."""
        loop, liveness = asyncio.get_running_loop(), self._liveness
        since_wall_s = loop.time()
        async with liveness.listening:
            if loop.time() - liveness.last_wall_s < self._look_wall_s or liveness.listened_wall_s > since_wall_s:
                return
            if await self._hears_clock(broker):
                liveness.last_wall_s = loop.time()
            else:
                liveness.listened_wall_s = loop.time()

    def _suspect(self, report: TimeReport) -> None:
        """Log on which topic the host and the clock wait for each other, if they do so in two reports in a row."""
        topic = None
        if shortened(self._host_id) in report.waiting_for:
            topic = self._awaited_topic(report.step)
        suspicion = None if topic is None else (topic, report.step)
        if topic is not None and suspicion == self._suspicion and topic not in self._logged_topics:
            self._logged_topics.add(topic)
            log.warning(NOT_HEARD, host=self._host_id, topic=topic, hint=HINT)
        self._suspicion = suspicion

    async def _hears_clock(self, broker: Broker) -> bool:
        """Listen to the clock's reports for a moment; return whether there was one, or whether that is unknown.

        Raises:
            BrokerRefusedError: The broker does not let this login listen, so that it would wait for ever for a clock
                that has disappeared.
        """
        is_connected = is_listening = False
        try:
            async with (
                asyncio.timeout(LISTEN_WALL_S),
                broker.connect(f"{self._run}-{self._host_id}-{secrets.token_hex(8)}") as bus,
            ):
                is_connected = True
                await bus.subscribe(topics.time(self._run))
                is_listening = True
                async for event in bus.messages():
                    if isinstance(event, Delivery) and not event.is_empty and not event.retain:
                        return self._take_report(event)
        except (TimeoutError, BrokerLostError, BrokerUnreachableError) as error:
            if is_connected and isinstance(error, BrokerRefusedError):
                raise
            return not is_listening
        return False

    def _take_report(self, delivery: Delivery) -> bool:
        """Take a report of the clock; return whether the clock is there."""
        try:
            report = delivery.read(TimeReport)
        except MalformedError:  # of another release, which is alive
            return True
        self._liveness.report, self._liveness.reported_wall_s = report, asyncio.get_running_loop().time()
        return report.state != "gone"
