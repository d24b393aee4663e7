"""Where a run stands, said by its clock: at most ten times a second, and every few seconds while nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from broker.clock.pacing import Moment, RunControl
from broker.protocol import MOST_NAMED, RunPhase, TimeReport, topics
from broker.transport import Bus

REPORT_EVERY_WALL_S = 0.1
"""`time` is published at most this often, save when the run's state changes."""
REPORT_AGAIN_WALL_S = 2.0
"""So often it is published though nothing happens: whoever hears nothing for longer knows that the clock is gone."""
LOOK_WALL_S = 1.0
"""So often the clock looks whether it still waits; while it does, each look is published."""
STALLED_AFTER_WALL_S = 3.0
"""A run that has waited so long for somebody is said to stand."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Awaited:
    """For whom the clock waits: hosts that answer nothing, not those that answer that they still work."""

    hosts: tuple[str, ...] = ()
    since_wall_s: float = 0.0
    """By the loop's time: when the first of them was asked without an answer."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A report, and whether the clock could publish it."""

    report: TimeReport
    is_connected: bool
    """Whether the clock's own connection to the broker stands."""


class Reporter:
    """Publishes `time`."""

    def __init__(
        self,
        run: str,
        now: Callable[[], Moment],
        awaited: Callable[[], Awaited],
        gate: RunControl,
        on_report: Callable[[Reported], None] | None = None,
    ) -> None:
        """Make a reporter.

        Args:
            run: The run's id.
            now: Returns where the run stands.
            awaited: Returns for whom the clock waits.
            gate: Knows the pace, and who paused.
            on_report: Is told whatever is published, and what cannot be while the connection is down.
        """
        self._run = run
        self._now = now
        self._awaited = awaited
        self._gate = gate
        self._on_report = on_report
        self._state: RunPhase = "waiting"
        self._last_wall_s = float("-inf")
        self._is_stalled = False

    async def report(self, bus: Bus, state: RunPhase) -> None:
        """Say where the run stands, unless that was said a moment ago."""
        loop = asyncio.get_running_loop()
        if self._is_stalled:
            self._note(self._awaited(), loop.time())
        if state == self._state and loop.time() - self._last_wall_s < REPORT_EVERY_WALL_S:
            return
        self._state = state
        await self._publish(bus)

    async def keep_reporting(self, bus: Bus) -> None:
        """Say again where the run stands, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_WALL_S)
            awaited = self._awaited()
            self._note(awaited, loop.time())
            if (
                awaited.hosts
                or self._is_stalled
                or loop.time() - self._last_wall_s >= REPORT_AGAIN_WALL_S - LOOK_WALL_S
            ):
                await self._publish(bus)

    async def _publish(self, bus: Bus) -> None:
        self._last_wall_s = asyncio.get_running_loop().time()
        reported = Reported(self._compose(), getattr(bus, "is_connected", True))
        if self._on_report is not None:
            self._on_report(reported)
        if reported.is_connected:
            # Else it would wait, and be published when it is no longer so.
            await bus.publish(topics.time(self._run), reported.report.encoded(), retain=True)

    def _compose(self) -> TimeReport:
        now, gate, awaited = self._now(), self._gate, self._awaited()
        waiting_wall_s = asyncio.get_running_loop().time() - awaited.since_wall_s if awaited.hosts else 0.0
        return TimeReport(
            time=now.time_s,
            round=now.round,
            step=now.step,
            pace=str(gate.pace),
            lag_wall_s=round(gate.lag_wall_s(now), 3),
            state=self._state,
            waiting_for=awaited.hosts[:MOST_NAMED],
            waiting_more=max(0, len(awaited.hosts) - MOST_NAMED),
            waiting_wall_s=round(waiting_wall_s, 1),
            paused_by=gate.paused_by if self._state == "paused" else "",
            stopped_by=gate.stopped_by,
            every_wall_s=REPORT_AGAIN_WALL_S,
        )

    def _note(self, awaited: Awaited, now_wall_s: float) -> None:
        """Log that the run stalls, and that it goes on."""
        is_stalled = (
            self._state != "waiting"
            and bool(awaited.hosts)
            and now_wall_s - awaited.since_wall_s >= STALLED_AFTER_WALL_S
        )
        if is_stalled and not self._is_stalled:
            log.warning("run stalled", waiting_for=list(awaited.hosts))
        elif self._is_stalled and not is_stalled:
            log.warning("run goes on")
        self._is_stalled = is_stalled
