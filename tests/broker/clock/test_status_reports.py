"""What the clock publishes on `time`, and what it reads there of another clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from broker.clock.clock import Clock
from broker.clock.pacing import Pace
from broker.clock.settings import ClockSettings
from broker.clock.status_reports import RETAINED_WALL_S, STALLED_AFTER_WALL_S, check_alone
from broker.errors import ClockTakenError
from broker.hosts.agent import Agent
from broker.hosts.host import Host
from broker.protocol import topics
from broker.protocol.bounds import MAX_TIME_S
from broker.protocol.topics import time
from broker.protocol.wire import LONGEST_VALID_WALL_S, Control, Roster, RunPhase, TimeReport
from broker.transport.base import Bus, Delivery
from broker.transport.memory import MemoryBroker
from tests.broker.clock.test_clock import MESSAGES, Asker, Echo, Ping
from tests.broker.hosts.test_sessions import PATIENCE, announced, answered, quickly

RUN = "r"
Reports = list[tuple[float, TimeReport]]
pytestmark = pytest.mark.looptime


class Reader:
    """Receives the reports of a run, with their times."""

    def __init__(self) -> None:
        self.reports: Reports = []
        self._changed = asyncio.Event()

    async def read(self, broker: MemoryBroker) -> None:
        """Until cancelled."""
        async with broker.connect("reader") as bus:
            await bus.subscribe(topics.time(RUN))
            async for event in bus.messages():
                # An empty payload removes what the broker retained of a run that has ended.
                if isinstance(event, Delivery) and event.payload:
                    report = TimeReport.model_validate_json(event.payload)
                    self.reports.append((asyncio.get_running_loop().time(), report))
                    self._changed.set()

    async def until(self, holds: Callable[[TimeReport], bool]) -> TimeReport:
        """Return the first report from now on that something holds of."""
        seen = len(self.reports)
        async with asyncio.timeout(200):
            while True:
                for _, report in self.reports[seen:]:
                    if holds(report):
                        return report
                seen = len(self.reports)
                self._changed.clear()
                await self._changed.wait()


async def named_in_roster(bus: Bus, session: str) -> None:
    """Wait until the roster names a process, which may not answer before."""
    async for event in bus.messages():
        if isinstance(event, Delivery) and session in Roster.model_validate_json(event.payload).sessions.values():
            return


def test_a_host_that_dies_is_named_until_it_is_back() -> None:
    """The report says how long the clock has waited; both events are logged."""

    async def main() -> None:
        broker, reader = MemoryBroker(), Reader()
        async with asyncio.TaskGroup() as tasks, broker.connect("a") as bus:
            reading = tasks.create_task(reader.read(broker))
            clock = tasks.create_task(Clock(ClockSettings(RUN, {"a": ("echo",)}, 0, timeouts=PATIENCE)).run(broker))
            waiting = await reader.until(lambda report: report.waiting_wall_s >= 2)
            assert (waiting.state, waiting.waiting_for) == ("waiting", ("a",))
            await bus.publish(topics.host(RUN, "a"), announced("one"), qos=1)
            running = await reader.until(lambda report: report.state == "running")
            assert running.waiting_for == ()
            stalled = await reader.until(lambda report: report.waiting_wall_s >= 20)
            assert (stalled.state, stalled.waiting_for, stalled.step) == ("running", ("a",), 0)
            gone = announced("one").replace(b'"there"', b'"gone"')
            await bus.publish(topics.host(RUN, "a"), gone, qos=1)
            await bus.publish(topics.host(RUN, "a"), announced("two"), qos=1)
            await bus.subscribe(topics.roster(RUN))
            await named_in_roster(bus, "two")
            for step in range(3):
                await bus.publish(topics.done(RUN, "a"), answered("two", step))
                await asyncio.sleep(0.01)
            await clock
            assert reader.reports[-1][1].state == "ended"
            assert reader.reports[-1][1].waiting_for == ()
            reading.cancel()

    with capture_logs() as logs:
        quickly(main())
    said = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert said == ["run stalled", "host gone", "host is back", "run resumed"]


def test_a_host_that_works_long_is_named_without_alarm() -> None:
    """It answers that it is busy, and is named as busy; a host that falls silent is not."""

    async def main() -> None:
        broker, reader = MemoryBroker(), Reader()
        async with asyncio.TaskGroup() as tasks, broker.connect("a") as bus:
            reading = tasks.create_task(reader.read(broker))
            clock = tasks.create_task(Clock(ClockSettings(RUN, {"a": ("echo",)}, 0, timeouts=PATIENCE)).run(broker))
            await reader.until(lambda report: report.state == "waiting")
            await bus.subscribe(topics.grant(RUN, "a"))
            await bus.publish(topics.host(RUN, "a"), announced("one"), qos=1)
            began_wall_s = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() < began_wall_s + 60:
                await anext(bus.messages())
                await bus.publish(topics.done(RUN, "a"), answered("one", 0, busy=True))
            working = await reader.until(lambda _: True)
            assert (working.state, working.waiting_for, working.busy) == ("running", ("a",), ("a",))
            assert working.waiting_wall_s == pytest.approx(60, abs=3)
            waiting = [report for _, report in reader.reports if report.state == "running" and report.waiting_for]
            assert all(report.busy == report.waiting_for for report in waiting)
            assert len(waiting) >= 57
            silent = await reader.until(lambda report: not report.busy and report.waiting_wall_s > 5)
            assert (silent.state, silent.waiting_for) == ("running", ("a",))
            clock.cancel()
            reading.cancel()

    with capture_logs() as logs:
        quickly(main())
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["run stalled"]


def test_an_idle_run_is_reported_too() -> None:
    """Reports appear every few seconds, at 1x with an hour between events and while paused, but not continuously."""

    async def main() -> None:
        broker, reader = MemoryBroker(), Reader()
        async with asyncio.TaskGroup() as tasks, broker.connect("steering") as bus:
            reading = tasks.create_task(reader.read(broker))
            tasks.create_task(Host("a", RUN, [Asker("asker", [3600], []), Echo("echo")], MESSAGES, seed=1).run(broker))
            settings = ClockSettings(RUN, {"a": ("asker", "echo")}, 0, pace=Pace(1), timeouts=PATIENCE)
            clock = tasks.create_task(Clock(settings).run(broker))
            await asyncio.sleep(600)
            await bus.publish(topics.control(RUN), Control(command="pause", by="ann@desk").encoded())
            paused = await reader.until(lambda report: report.state == "paused")
            assert paused.paused_by == "ann@desk"
            await asyncio.sleep(600)
            resume = Control(command="resume", by="ann@desk")
            await bus.publish(topics.control(RUN), resume.encoded())
            assert (await reader.until(lambda report: report.state == "running")).paused_by == ""
            await bus.publish(topics.control(RUN), Control(command="stop", by="bob@desk").encoded())
            await clock
            assert reader.reports[-1][1].stopped_by == "bob@desk"
            reading.cancel()
            at_wall_s = [wall_s for wall_s, _ in reader.reports]
            gaps_wall_s = [later - earlier for earlier, later in pairwise(at_wall_s)]
            assert max(gaps_wall_s) <= reader.reports[0][1].every_wall_s + 0.1
            assert len(at_wall_s) < (at_wall_s[-1] - at_wall_s[0]) * 1.1

    quickly(main())


def test_a_clock_that_disappears_is_reported_as_gone() -> None:
    """Its last will replaces `running`; a clock that leaves in order leaves nothing."""

    async def main() -> None:
        broker, reader = MemoryBroker(), Reader()
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(reader.read(broker))
            household = tasks.create_task(Host("a", RUN, [Asker("asker", [3600], [])], MESSAGES, seed=1).run(broker))
            settings = ClockSettings(RUN, {"a": ("asker",)}, 0, pace=Pace(1), timeouts=PATIENCE)
            clock = tasks.create_task(Clock(settings).run(broker))
            await reader.until(lambda report: report.state == "running")
            broker.drop(next(name for name in broker._clients if name.startswith(f"{RUN}-clock-")))
            gone = await reader.until(lambda report: report.state == "gone")
            assert gone.step == 0
            with pytest.raises(ExceptionGroup):
                await clock
            household.cancel()
            reading.cancel()

    with pytest.raises(ExceptionGroup):
        quickly(main())


def test_a_clock_that_is_interrupted_leaves_no_report() -> None:
    """Neither `running` nor a last will remains."""

    async def main() -> None:
        broker = MemoryBroker()
        clock = asyncio.create_task(Clock(ClockSettings(RUN, {"a": ("echo",)}, 0, timeouts=PATIENCE)).run(broker))
        await asyncio.sleep(3)
        assert topics.time(RUN) in broker._retained
        clock.cancel()
        await asyncio.wait([clock])
        assert topics.time(RUN) not in broker._retained

    quickly(main())


class BusyLoop(asyncio.SelectorEventLoop):
    """A loop in which callbacks take as long as they say: all of that time at once, as in a loop that is kept busy."""

    def __init__(self) -> None:
        self.worked_wall_s = 0.0
        super().__init__()

    def time(self) -> float:
        return super().time() + self.worked_wall_s


class Workers(Agent[Ping]):
    """Computes for long in its first round, in several coroutines one after the other, as many agents of a host do."""

    def __init__(self, agent_id: str, works_wall_s: list[float]) -> None:
        super().__init__(agent_id)
        self._works_wall_s = works_wall_s

    async def run(self) -> None:
        self._work(0)
        await self.until(3600)

    def _work(self, number: int) -> None:
        if number < len(self._works_wall_s):
            self.spawn(self._works(number), f"work {number}")

    async def _works(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, BusyLoop)
        loop.worked_wall_s += self._works_wall_s[number]
        self._work(number + 1)


@pytest.mark.parametrize("works_wall_s", [[20.0], [1.7] * 8, [0.9] * 20])
def test_a_run_whose_agents_keep_its_only_process_busy_is_not_said_to_be_stalled(works_wall_s: list[float]) -> None:
    """The clock could hear nothing meanwhile: ten thousand houses that take a forecast in one round are not silent."""

    async def main() -> list[TimeReport]:
        broker, reader = MemoryBroker(), Reader()
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(reader.read(broker))
            host = Host("a", RUN, [Workers("workers", works_wall_s)], MESSAGES, seed=1, timeouts=PATIENCE)
            tasks.create_task(host.run(broker))
            await Clock(ClockSettings(RUN, {"a": ("workers",)}, 0, timeouts=PATIENCE)).run(broker)
            reading.cancel()
        return [report for _, report in reader.reports]

    with capture_logs() as logs, asyncio.Runner(loop_factory=BusyLoop) as runner:
        reports = runner.run(main())
    assert reports[-1].state == "ended"
    silent = [report for report in reports if set(report.waiting_for) - set(report.busy)]
    assert all(report.waiting_wall_s < STALLED_AFTER_WALL_S for report in silent)
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == []


def reported(state: RunPhase = "running", every_wall_s: float = 2.0) -> TimeReport:
    """Return what a clock reports."""
    said = {"time": 0, "round": 0, "step": 1, "pace": "60x", "lag_wall_s": 0.0}
    return TimeReport.model_validate({**said, "state": state, "every_wall_s": every_wall_s})


async def waited_wall_s(*leftovers: TimeReport) -> float:
    """Return how long a starting run waits where these reports were left at the broker."""
    broker = MemoryBroker()
    for leftover in leftovers:
        broker.deliver(time("r"), leftover, retain=True)
    begun_wall_s = asyncio.get_running_loop().time()
    await check_alone(broker, "r")
    return asyncio.get_running_loop().time() - begun_wall_s


@pytest.mark.parametrize("state", ["ended", "failed", "gone"])
async def test_a_run_that_has_ended_is_no_obstacle(state: RunPhase) -> None:
    """Its last report says so."""
    assert await waited_wall_s(reported(state)) == pytest.approx(RETAINED_WALL_S, abs=0.1)
    assert await waited_wall_s() == pytest.approx(RETAINED_WALL_S, abs=0.1)


@pytest.mark.parametrize(("every_wall_s", "expected_wall_s"), [(2.0, 5.0), (MAX_TIME_S, LONGEST_VALID_WALL_S)])
async def test_a_report_that_was_left_behind_delays_a_run_by_a_minute_at_most(
    every_wall_s: float, expected_wall_s: float
) -> None:
    """Its clock may be alive until the next report is overdue; a report may promise the next one for any time."""
    assert await waited_wall_s(reported(every_wall_s=every_wall_s)) == pytest.approx(expected_wall_s, abs=0.1)


async def test_a_run_that_reports_is_not_joined_by_another_clock() -> None:
    """The report comes while the new clock listens."""
    broker = MemoryBroker()
    broker.deliver(time("r"), reported(), retain=True)

    async def report_later() -> None:
        await asyncio.sleep(2)
        broker.deliver(time("r"), reported(), retain=True)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(report_later())
        with pytest.raises(ClockTakenError, match="is already active"):
            await check_alone(broker, "r")
