"""Client of simulations in child processes: one, or several after another for comparison, one per algorithm."""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from broker.protocol import Control
from broker.transport import MqttBroker
from scenarios import planned_end_s
from scenarios.expectations import Verdict
from scenarios.monitor import (
    BusFeed,
    Feed,
    LinkStatus,
    NotConnectedError,
    ObservedRun,
    RunStatus,
    ScenarioContext,
    context_of_scenario,
    most_urgent,
    status_of_reported,
)
from scenarios.simulation import Plan
from tui.child_process import frame, read_frame, start_process
from tui.run.simulation_messages import (
    BusMessages,
    ClockReported,
    Command,
    ExpectationsJudged,
    Go,
    Interrupt,
    OptimumSearch,
    Progress,
    SimulationBegan,
    SimulationEnded,
    SimulationEvent,
    SimulationTask,
)
from tui.shell import whoami

State = Literal["starting", "running", "seeking", "stopping", "done", "interrupted", "failed"]

_END_WALL_S = 15.0
"""Time for the process to save and exit before it is killed."""
_LEAVE_WALL_S = 3.0
"""The same when the application quits."""
_CONNECT_WALL_S = 3.0
"""How long the runs wait for a watcher before starting without one."""
_KEPT_WORDS = 20
_LEAST_SHARE = 0.02
"""Minimum share done for an estimate of the time left."""


class PipeFeed:
    """A `Feed` of a run on the memory bus of the child process, forwarded over a pipe."""

    def __init__(self, running: SimulationClient, watched: ObservedRun) -> None:
        self.watched = watched
        self.title = "memory"
        self.problem = ""
        self._running = running

    @property
    def status(self) -> LinkStatus:
        """See `Feed.status`."""
        return "connected"

    async def run(self) -> None:
        """See `Feed.run`; `SimulationClient` takes in the messages."""

    async def control(self, control: Control) -> None:
        """See `Feed.control`."""
        await self._running.send(control)

    async def ask_for_job(self, device: str, request: bytes) -> None:
        """See `Feed.ask_for_job`: real devices take part on a broker only."""
        del device, request
        raise NotConnectedError("this run is not on a broker, where devices request jobs")


class SimulationClient:
    """One simulation, from start to end. `on_change` is called when its state changes."""

    def __init__(
        self,
        plan: Plan,
        on_change: Callable[[], None],
        optimum_wall_s: float | None = None,
    ) -> None:
        """Make it; `run` starts it.

        Args:
            plan: The simulation to run.
            on_change: Called when `state` changes, and when `began` and `feeds` are set.
            optimum_wall_s: Time limit for the clairvoyant optimum, real seconds; None: not computed.
        """
        self.optimum_wall_s = optimum_wall_s
        self.sought: OptimumSearch | None = None
        """Progress of the optimum's computation."""
        self.plan = plan
        self.state: State = "starting"
        self.began: SimulationBegan | None = None
        self.ended: SimulationEnded | None = None
        self.problem = ""
        self.times_s: dict[int, int] = {}
        """Progress by run number."""
        self.judged: dict[int, tuple[Verdict | None, ...]] = {}
        """Verdicts on expectations by run number, so far."""
        self.standings: dict[int, RunStatus] = {}
        """Status by run number, from its clock's reports."""
        self.feeds: list[Feed] = []
        """One per run; none for several in-memory runs."""
        self.started_wall_s = time.monotonic()
        self.wall_s = 0.0
        """Total real time, once ended."""
        self._stood_wall_s = 0.0
        self._stands_since_wall_s: float | None = None
        self._on_change = on_change
        self._process: Process | None = None
        self._words: deque[str] = deque(maxlen=_KEPT_WORDS)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, for any reason."""
        return self.state in {"done", "interrupted", "failed"}

    @property
    def said(self) -> str:
        """The last message of its process, such as that it cannot reach the broker yet; empty if none."""
        return self._words[-1].removeprefix("ssmic: ").removesuffix(" (Ctrl-C stops)") if self._words else ""

    @property
    def verdicts(self) -> dict[int, tuple[Verdict | None, ...]]:
        """Verdicts on the scenario's expectations, by run number; None where one is not judged yet."""
        final = () if self.ended is None else self.ended.runs
        return {**self.judged, **{run.run: run.verdicts for run in final if run.verdicts}}

    def share_done(self) -> float:
        """Return the share of all runs' virtual time that has passed, 0 to 1."""
        if self.state == "done":
            return 1.0
        scenario = self.plan.scenario
        span_s = max(1, planned_end_s(scenario, self.plan.days) - scenario.start_s)
        done = sum(min(1.0, (time_s - scenario.start_s) / span_s) for time_s in self.times_s.values())
        return max(0.0, done / len(self.plan.seeds))

    def elapsed_wall_s(self) -> float:
        """Return the elapsed real time, s."""
        return self.wall_s if self.is_over else time.monotonic() - self.started_wall_s

    @property
    def standing(self) -> RunStatus | None:
        """Status of the run that needs attention most; None while none is running."""
        return most_urgent(self.standings.values())

    def whole_wall_s(self) -> float | None:
        """Return the estimated real time from begin to end, s; None if unknown or while a run does not advance."""
        share, standing = self.share_done(), self.standing
        if self.state != "running" or share < _LEAST_SHARE or (standing is not None and not standing.moves):
            return None
        return (self.elapsed_wall_s() - self._stood_wall_s) / share

    def _note(self, run: int, standing: RunStatus) -> None:
        """Record a run's status, and how long any run did not advance: that time is left out of estimates."""
        self.standings[run] = standing
        now_wall_s, gravest_now = time.monotonic(), self.standing
        moves = gravest_now is None or gravest_now.moves
        if not moves and self._stands_since_wall_s is None:
            self._stands_since_wall_s = now_wall_s
        elif moves and self._stands_since_wall_s is not None:
            self._stood_wall_s += now_wall_s - self._stands_since_wall_s
            self._stands_since_wall_s = None

    async def run(self, connected: Callable[[SimulationClient], None] = lambda _: None) -> None:
        """Run it in a process, to its end.

        Args:
            connected: Called when the runs can be watched, before they start.
        """
        self._process = process = await start_process("tui.run.simulation_process")
        assert process.stdout is not None  # noqa: S101 - for mypy: a pipe
        assert process.stderr is not None  # noqa: S101 - for mypy: a pipe
        words = asyncio.create_task(self._keep_words(process.stderr), name="run.stderr")
        end_wall_s = _END_WALL_S
        try:
            await self.send_frame(frame(SimulationTask(self.plan, self.optimum_wall_s)))
            while (event := await read_frame(process.stdout)) is not None:
                await self._take(event, connected)
            await process.wait()
            await words
            self._settle()
        except asyncio.CancelledError:
            end_wall_s = _LEAVE_WALL_S
            raise
        finally:
            words.cancel()
            await self._end(end_wall_s)
            self.wall_s = time.monotonic() - self.started_wall_s
            if not self.is_over:
                self._become("interrupted")

    async def send(self, command: Command) -> None:
        """Send a command to the process.

        Raises:
            NotConnectedError: The process has ended.
        """
        await self.send_frame(frame(command))

    async def send_frame(self, content: bytes) -> None:
        """Send bytes to the process; see `send`."""
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            raise NotConnectedError("the run is over")
        try:
            process.stdin.write(content)
            await process.stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            raise NotConnectedError("the run is over") from error

    async def interrupt(self) -> None:
        """Stop all runs; everything agreed so far is kept."""
        if not self.is_over:
            self._become("stopping")
            with suppress(NotConnectedError):
                await self.send(Interrupt())

    # Messages from the process.

    async def _take(self, event: SimulationEvent, connected: Callable[[SimulationClient], None]) -> None:
        match event:
            case SimulationBegan():
                self.began = event
                self.feeds = self._make_feeds(event)
                self._become("running")
                connected(self)
                await self._wait_for_watcher()
                with suppress(NotConnectedError):
                    await self.send(Go())
            case Progress(run, time_s):
                self._advance(run, time_s)
            case ClockReported(run, reported):
                self._advance(run, reported.report.now_s)  # a paced run is on its way between events too
                self._note(run, status_of_reported(reported, me=whoami()))
            case ExpectationsJudged(run, verdicts):
                self.judged[run] = verdicts
            case OptimumSearch():
                self.sought = event
                if self.state == "running":
                    self._become("seeking")
            case BusMessages(deliveries):
                await self._hear(deliveries)
            case SimulationEnded():
                self.ended = event

    def _advance(self, run: int, time_s: int) -> None:
        self.times_s[run] = max(time_s, self.times_s.get(run, time_s))

    async def _hear(self, deliveries: Iterable[tuple[str, bytes]]) -> None:
        watched = self.feeds[0].watched
        for number, (topic, payload) in enumerate(deliveries):
            watched.take(topic, payload)
            if number % 100 == 99:
                await asyncio.sleep(0)  # keep the screen responsive

    def _make_feeds(self, began: SimulationBegan) -> list[Feed]:
        plan = self.plan
        scenario_context: ScenarioContext = context_of_scenario(plan.scenario, planned_end_s(plan.scenario, plan.days))
        watched = [
            ObservedRun(run_id, replace(scenario_context, scores=scores), from_the_start=True)
            for run_id, scores in zip(began.run_ids, began.scores, strict=True)
        ]
        if began.url is not None:
            broker = MqttBroker(began.url, tls=began.tls, is_patient=False)
            return [BusFeed(broker, of_run, began.broker) for of_run in watched]
        return [PipeFeed(self, watched[0])] if len(watched) == 1 else []

    async def _wait_for_watcher(self) -> None:
        """Wait until the first run's watcher is connected, so that it sees the first message."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CONNECT_WALL_S):
                while self.feeds and self.feeds[0].status != "connected":  # noqa: ASYNC110 - a feed has no event for it
                    await asyncio.sleep(0.01)

    def _settle(self) -> None:
        self.wall_s = time.monotonic() - self.started_wall_s
        ended = self.ended
        if ended is None:
            code = None if self._process is None else self._process.returncode
            said = f": {self._words[-1]}" if self._words else ""
            self.problem = f"the process that runs it ended with code {code} before the run did{said}"
            self._become("failed")
        elif ended.problem:
            self.problem = ended.problem
            self._become("failed")
        else:
            self._become("interrupted" if ended.interrupted else "done")

    def _become(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._on_change()

    async def _keep_words(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            if text := line.decode(errors="replace").strip():
                self._words.append(text)

    async def _end(self, within_wall_s: float) -> None:
        """Wait for the process to end; kill it at the limit."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(within_wall_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class SimulationBatch:
    """One or several simulations, run in sequence. `on_change` as for `SimulationClient`."""

    def __init__(self, plans: Sequence[Plan], on_change: Callable[[], None], optimum_wall_s: float | None) -> None:
        """Make it; `run` starts it.

        Args:
            plans: The simulations to run, in order.
            on_change: Called at every change of a simulation.
            optimum_wall_s: Time limit for each clairvoyant optimum, real seconds; None: not computed.
        """
        self.plans = tuple(plans)
        self.started_wall_s = time.monotonic()
        self._on_change = on_change
        self._optimum_wall_s = optimum_wall_s
        self._is_stopped = False
        self.simulations: list[SimulationClient] = [
            SimulationClient(plans[0], on_change, optimum_wall_s=optimum_wall_s)
        ]
        """Those started so far; the last one is the current one."""

    @property
    def current(self) -> SimulationClient:
        """The simulation started last."""
        return self.simulations[-1]

    @property
    def is_over(self) -> bool:
        """Whether nothing more will run."""
        is_last = self._is_stopped or len(self.simulations) == len(self.plans) or self.current.state != "done"
        return self.current.is_over and is_last

    @property
    def results(self) -> tuple[Path, ...]:
        """The results files that there are, in the order of the plans."""
        return tuple(one.began.results_file for one in self.simulations if one.began is not None)

    async def run(self, connected: Callable[[SimulationClient], None]) -> None:
        """Run all of them, stopping after one that does not finish.

        Args:
            connected: Called when a simulation can be watched.
        """
        while True:
            await self.current.run(connected)
            if self.is_over:
                return
            plan = self.plans[len(self.simulations)]
            self.simulations.append(SimulationClient(plan, self._on_change, optimum_wall_s=self._optimum_wall_s))
            self._on_change()

    async def interrupt(self) -> None:
        """Stop the current simulation, and start no other."""
        self._is_stopped = True
        await self.current.interrupt()

    def share_done(self) -> float:
        """Return the share of total virtual time that has passed, 0 to 1."""
        before = len(self.simulations) - 1
        return (before + self.current.share_done()) / len(self.plans)

    def elapsed_wall_s(self) -> float:
        """Return the elapsed real time, s."""
        if len(self.plans) == 1:
            return self.current.elapsed_wall_s()
        if self.is_over:
            return sum(one.wall_s for one in self.simulations)
        return time.monotonic() - self.started_wall_s

    def left_wall_s(self) -> float | None:
        """Return the estimated remaining real time, s; None if unknown or while a run does not advance."""
        one_wall_s = self.current.whole_wall_s()
        if one_wall_s is None:
            return None
        return one_wall_s * (1 - self.current.share_done() + len(self.plans) - len(self.simulations))
