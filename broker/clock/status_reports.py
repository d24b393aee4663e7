"""The status of a run on the topic `time`: the clock publishes it, and looks there for another run with the same id.

It is published at most ten times a second, with a heartbeat every few seconds while nothing changes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from broker.clock.pacing import Moment, RunControl
from broker.errors import ClockTakenError, ProtocolError
from broker.protocol import MOST_NAMED, RunPhase, TimeReport, topics
from broker.transport import Broker, Bus, Delivery, Will

MIN_REPORT_INTERVAL_WALL_S = 0.1
"""Shortest interval between two reports, except when the run's state changes."""
HEARTBEAT_WALL_S = 2.0
"""Longest interval between two reports: if none arrives for longer, the clock has disappeared."""
CHECK_INTERVAL_WALL_S = 1.0
"""How often the clock checks whether it is still waiting; while it is, each check is published."""
STALLED_AFTER_WALL_S = 3.0
"""A run that has waited for hosts for this long counts as stalled."""
LATE_WALL_S = 0.1
"""A check that is this much later than planned means that this process could receive nothing meanwhile."""

log = structlog.get_logger(__name__)
RETAINED_WALL_S = 0.5
"""How long a starting run waits for retained messages of another one with its id."""


@dataclass(frozen=True, slots=True)
class AwaitedHosts:
    """The hosts that the clock is waiting for."""

    silent: Mapping[str, float] = field(default_factory=dict)
    """Hosts that do not answer: since when, loop time."""
    busy: Mapping[str, float] = field(default_factory=dict)
    """Hosts that report that they are still working: since when they have been awaited, loop time."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """All awaited hosts, sorted."""
        return tuple(sorted({**self.silent, **self.busy}))

    @property
    def since_wall_s(self) -> float:
        """When the clock began to wait for the first of them, loop time; 0 if there is none."""
        return min([*self.silent.values(), *self.busy.values()], default=0.0)


@dataclass(frozen=True, slots=True)
class ClockReport:
    """A report, and whether it could be published."""

    report: TimeReport
    is_connected: bool
    """Whether the clock itself is connected to the broker."""


def last_will(run: str, now: Moment) -> Will:
    """Return what the broker publishes on `time` when the clock disappears without leaving.

    Args:
        run: The run's id.
        now: Virtual time when the clock connects; readers know a later time from earlier reports.
    """
    gone = TimeReport(time=now.time_s, round=now.round, step=now.step, pace="", lag_wall_s=0.0, state="gone")
    return Will(topics.time(run), gone.encoded())


class StatusReporter:
    """Publishes the run's status on the topic `time`."""

    def __init__(
        self,
        run: str,
        now: Callable[[], Moment],
        awaited: Callable[[], AwaitedHosts],
        run_control: RunControl,
        on_report: Callable[[ClockReport], None] | None,
    ) -> None:
        """Create a reporter.

        Args:
            run: The run's id.
            now: Returns where the run is.
            awaited: Returns which hosts the clock is waiting for.
            run_control: Knows the pace and who paused the run.
            on_report: Called with each report, including those that cannot be published while the connection is down.
        """
        self._run = run
        self._now = now
        self._awaited = awaited
        self._run_control = run_control
        self._on_report = on_report
        self._state: RunPhase = "waiting"
        self._last_wall_s = float("-inf")
        self._is_stalled = False
        self._late: list[tuple[float, float]] = []
        """When this process could receive nothing while it waited for hosts, loop time: it worked, or was suspended."""

    async def report(self, bus: Bus, state: RunPhase) -> None:
        """Publish the run's status, unless the same state was published a moment ago.

        Args:
            bus: The clock's connection.
            state: The run's state.
        """
        loop = asyncio.get_running_loop()
        if self._is_stalled:
            self._log_stall(self._awaited())
        if state == self._state and loop.time() - self._last_wall_s < MIN_REPORT_INTERVAL_WALL_S:
            return
        self._state = state
        await self._publish(bus)

    async def keep_reporting(self, bus: Bus) -> None:
        """Publish heartbeats, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_wall_s = loop.time() + CHECK_INTERVAL_WALL_S
            await asyncio.sleep(CHECK_INTERVAL_WALL_S)
            awaited = self._awaited()
            if not awaited.hosts:
                self._late.clear()
            elif loop.time() - due_wall_s >= LATE_WALL_S:
                self._late.append((due_wall_s, loop.time()))
            self._log_stall(awaited)
            if (
                awaited.hosts
                or self._is_stalled
                or loop.time() - self._last_wall_s >= HEARTBEAT_WALL_S - CHECK_INTERVAL_WALL_S
            ):
                await self._publish(bus)

    async def _publish(self, bus: Bus) -> None:
        self._last_wall_s = asyncio.get_running_loop().time()
        reported = ClockReport(self._compose(), bus.is_connected)
        if self._on_report is not None:
            self._on_report(reported)
        if reported.is_connected:
            # Otherwise it would be queued, and be out of date when it is published.
            await bus.publish(topics.time(self._run), reported.report, retain=True)

    @property
    def _shown_state(self) -> RunPhase:
        """The run's state; a run that will pause after the present round is shown as paused already."""
        return "paused" if self._state == "running" and self._run_control.is_held else self._state

    def _compose(self) -> TimeReport:
        now, run_control, awaited = self._now(), self._run_control, self._awaited()
        reached_s = run_control.reached_s(now)
        waiting_wall_s = self._listened_wall_s(awaited.since_wall_s) if awaited.hosts else 0.0
        named = awaited.hosts[:MOST_NAMED]
        return TimeReport(
            time=now.time_s,
            reached=0 if reached_s == now.time_s else reached_s,
            round=now.round,
            step=now.step,
            pace=str(run_control.pace),
            lag_wall_s=round(run_control.lag_wall_s(now), 3),
            state=self._shown_state,
            waiting_for=named,
            busy=tuple(host for host in named if host in awaited.busy),
            waiting_more=max(0, len(awaited.hosts) - MOST_NAMED),
            waiting_wall_s=round(waiting_wall_s, 1),
            paused_by=run_control.paused_by if self._shown_state in {"paused", "waiting"} else "",
            stopped_by=run_control.stopped_by,
            every_wall_s=HEARTBEAT_WALL_S,
        )

    def _listened_wall_s(self, since_wall_s: float) -> float:
        """Return for how long this process could have received answers since a moment, loop time.

        Agents in its own process may keep it busy for seconds, and a suspended process receives nothing either. Hosts
        are not silent in that time, as their answers would be read only after it.
        """
        late_wall_s = sum(max(0.0, until_s - max(from_s, since_wall_s)) for from_s, until_s in self._late)
        return asyncio.get_running_loop().time() - since_wall_s - late_wall_s

    def _log_stall(self, awaited: AwaitedHosts) -> None:
        """Log when the run stalls, and when it resumes."""
        is_stalled = (
            self._state != "waiting"
            and bool(awaited.silent)
            and self._listened_wall_s(min(awaited.silent.values())) >= STALLED_AFTER_WALL_S
        )
        if is_stalled and not self._is_stalled:
            silent = sorted(awaited.silent)
            log.warning("run stalled", waiting_for=silent[:MOST_NAMED], hosts=len(silent))
        elif self._is_stalled and not is_stalled:
            log.warning("run resumed")
        self._is_stalled = is_stalled


async def check_alone(broker: Broker, run: str) -> None:
    """Raise if a run with this id is active: the two would refuse each other's households, and both publish `time`.

    A retained report on `time` shows that there may be such a run or lab. Because the report may be a leftover, this
    function then waits for a sign of life.

    Args:
        broker: The broker of the run.
        run: The run's id.

    Raises:
        ClockTakenError: There is another run, or a lab.
        BrokerUnreachableError, BrokerLostError: See `broker.transport.base`.
    """
    async with broker.connect(f"{run}-clock-{secrets.token_hex(8)}") as bus:
        await bus.subscribe(topics.time(run))
        until_wall_s = asyncio.get_running_loop().time() + RETAINED_WALL_S
        messages = bus.messages()
        while True:
            try:
                async with asyncio.timeout_at(until_wall_s):
                    event = await anext(messages)
                report = event.read(TimeReport) if isinstance(event, Delivery) else None
            except (TimeoutError, StopAsyncIteration):
                return
            except ProtocolError:
                continue  # an empty payload: that clock has just left
            if report is None or not report.is_under_way:
                continue
            if isinstance(event, Delivery) and not event.retain:
                raise ClockTakenError(
                    f"run or lab {run!r} is already active at this broker ({report.state}): end it first, or choose "
                    "another --run"
                )
            until_wall_s = asyncio.get_running_loop().time() + report.valid_wall_s
