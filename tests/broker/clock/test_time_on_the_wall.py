"""Events take place on time by the wall clock, with any changes of pace and absences.

The tests move the event loop's clock, so that none of them waits.

The tests move the event loop's clock, so that none of them waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings, strategies as st

from broker.clock.clock import Clock
from broker.clock.journal import ClockJournal
from broker.clock.pacing import CatchUp, Moment, Pace
from broker.clock.settings import ClockSettings
from broker.errors import ClockTakenError
from broker.hosts.agent import Agent
from broker.hosts.host import Host
from broker.protocol import topics
from broker.protocol.retry_timeouts import Timeouts
from broker.protocol.wire import Control, TimeReport
from broker.transport.base import Bus, Content, Delivery
from broker.transport.memory import MemoryBroker
from tests.broker.clock.test_clock import MESSAGES, Ping
from tests.broker.hosts.test_sessions import quickly
from tests.faults.network import Faults, FaultyBroker

RUN = "r"
TOLERANCE_WALL_S = 1.0
AWAY_WALL_S = 13.0
"""How long a household is away."""
PATIENCE = Timeouts(limit_wall_s=1e9)


class Sleeper(Agent[Ping]):
    """Wakes at fixed times."""

    def __init__(self, times_s: Sequence[int]) -> None:
        super().__init__("sleeper")
        self._times_s = times_s

    async def run(self) -> None:
        for time_s in self._times_s:
            await self.until(time_s)


class StartingClock(Clock):
    """Says when it has made sure that it is the only one."""

    started: asyncio.Event

    async def _run(self, bus: Bus) -> None:
        self.started.set()
        await super()._run(bus)


class Street:
    """A run of one household; its clock and its household can be taken away and come back."""

    def __init__(
        self, folder: Path, events_s: Sequence[int], pace: str, catch_up: str = "none", *, is_open: bool = False
    ) -> None:
        self._journal_file = folder / "clock.journal.sqlite"
        self._broker = MemoryBroker()
        self._at_broker = FaultyBroker(self._broker, Faults(), 0)
        self._settings = ClockSettings(
            RUN,
            {"a": ("sleeper",)},
            0,
            pace=Pace.parse(pace),
            catch_up=CatchUp.parse(catch_up),
            timeouts=PATIENCE,
            is_open=is_open,
        )
        self._events_s = events_s
        self._clock: asyncio.Task[None] | None = None
        self._process = self._at_broker
        self.happened: list[tuple[int, float]] = []
        """Virtual time of each event, and the loop time at which it happened; the end of the run is the last."""
        self.reports: list[TimeReport] = []
        self.bus: Bus
        self.begun_wall_s = 0.0
        """When the clock's process was last ready, loop time."""
        self.clock: StartingClock

    @property
    def wall_s(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def _granted(self, moment: Moment) -> None:
        if not any(time_s == moment.time_s for time_s, _ in self.happened):
            self.happened.append((moment.time_s, self.wall_s))

    async def start_clock(self) -> None:
        """Start the clock's process, and wait until it does what it can do now."""
        self._process = self._at_broker.for_process()
        started = asyncio.Event()

        async def live() -> None:
            with ClockJournal(self._journal_file, {"run": RUN}) as self.journal:
                self.clock = StartingClock(self._settings, self._granted, journal=self.journal)
                self.clock.started = started
                await self.clock.run(self._process)

        self._clock = asyncio.create_task(live())
        await started.wait()
        self.begun_wall_s = self.wall_s
        await self.settle()

    async def kill_clock(self) -> None:
        """End the clock's process as SIGKILL does: from then on, nothing is stored or sent."""
        assert self._clock is not None
        stored = self.journal._load_progress()
        self._process.crash()
        self.journal._save_progress = lambda *_, **__: None  # type: ignore[method-assign]  # a clock that died before it wrote
        self._clock.cancel()
        await asyncio.wait([self._clock])
        with ClockJournal(self._journal_file, {"run": RUN}) as journal:
            assert journal._load_progress() == stored

    async def stop_clock(self) -> None:
        """End the clock's process as SIGTERM does."""
        assert self._clock is not None
        self._clock.cancel()
        with suppress(asyncio.CancelledError):
            await self._clock

    async def command(self, command: str, pace: str | None = None) -> None:
        """Send a command to the clock."""
        control = Control.model_validate({"command": command, "pace": pace, "by": "ann@desk"})
        await self.bus.publish(topics.control(RUN), control.encoded())
        await self.settle()

    async def settle(self) -> None:
        """Let everybody do what can be done without waiting."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def ended(self) -> None:
        """Wait for the end of the run."""
        assert self._clock is not None
        await self._clock

    async def _read(self) -> None:
        async with self._broker.connect("reader") as bus:
            await bus.subscribe(topics.time(RUN))
            async for event in bus.messages():
                if isinstance(event, Delivery) and event.payload:
                    self.reports.append(TimeReport.model_validate_json(event.payload))

    async def start_household(self) -> asyncio.Task[None]:
        """Start the household's process."""
        host = Host("a", RUN, [Sleeper(self._events_s)], MESSAGES, seed=1, timeouts=PATIENCE)
        return asyncio.create_task(host.run(self._broker))

    @asynccontextmanager
    async def household_away(self) -> AsyncIterator[None]:
        """Hold back what the household publishes, for the time of the context."""
        bus = next(bus for name, bus in self._broker._clients.items() if name.startswith("r-a"))
        held: list[tuple[str, bytes | Content]] = []
        publish = bus.publish

        async def hold(topic: str, payload: bytes | Content, *, qos: int = 0, retain: bool = False) -> None:
            del qos, retain
            held.append((topic, payload))

        bus.publish = hold  # type: ignore[method-assign]  # a connection that holds messages back
        yield
        bus.publish = publish  # type: ignore[method-assign]  # as before
        for topic, payload in held:
            await publish(topic, payload)
        await self.settle()

    @property
    def next_event_s(self) -> int | None:
        """The first event that has not happened yet, UNIX seconds."""
        return next((time_s for time_s in self._events_s if time_s not in dict(self.happened)), None)

    @asynccontextmanager
    async def open(self, *, with_household: bool = True) -> AsyncIterator[Street]:
        """Connect a client that controls the run."""
        reading = asyncio.create_task(self._read())
        household = await self.start_household() if with_household else None
        async with self._broker.connect("steering") as self.bus:
            await self.settle()
            await self.start_clock()
            yield self
        for task in (reading, household, self._clock):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])


def at(street: Street, time_s: int) -> float:
    """Return the loop time at which an event happened."""
    return dict(street.happened)[time_s]


@pytest.mark.parametrize("command", ["pause", "pace", "resume"])
def test_a_command_does_not_bring_a_distant_event_forward(tmp_path: Path, command: str) -> None:
    """The street until 18:00 at 3600x, then at 300x: the next event is at 78,000 s."""

    async def main() -> None:
        async with Street(tmp_path, [64_800, 78_000], "3600x").open() as street:
            await asyncio.sleep(18)
            await street.command("pace", "300x")
            begun_wall_s = street.wall_s
            await asyncio.sleep(21)  # it is 71,100 s
            assert street.reports[-1].reached == pytest.approx(71_100, abs=600)
            await street.command(command, "100x" if command == "pace" else None)
            assert [time_s for time_s, _ in street.happened] == [0, 64_800]
            await asyncio.sleep(10)
            if command == "pause":
                await asyncio.sleep(1_000)
                assert [time_s for time_s, _ in street.happened] == [0, 64_800]
                await street.command("resume")
                resumed_wall_s = street.wall_s
                await street.ended()
                assert at(street, 78_000) - resumed_wall_s == pytest.approx((78_000 - 71_100) / 300, abs=0.1)
            else:
                await street.ended()
                pace = 100 if command == "pace" else 300
                assert at(street, 78_000) - begun_wall_s - 21 == pytest.approx((78_000 - 71_100) / pace, abs=0.1)

    quickly(main())


def test_stop_closes_at_the_present_moment(tmp_path: Path) -> None:
    """It closes neither at the event before, nor with the event after."""

    async def main() -> None:
        async with Street(tmp_path, [64_800, 78_000], "3600x").open() as street:
            await asyncio.sleep(20)
            await street.command("stop")
            await street.ended()
            assert [time_s for time_s, _ in street.happened] == [0, 64_800, 72_000]
            assert street.clock.acted_until_s == 72_000
            assert street.clock.is_stopped

    quickly(main())


def test_stop_while_paused_closes_where_the_run_stands(tmp_path: Path) -> None:
    """However long ago it was paused."""

    async def main() -> None:
        async with Street(tmp_path, [64_800, 78_000], "3600x").open() as street:
            await asyncio.sleep(20)
            await street.command("pause")
            await asyncio.sleep(1000)
            await street.command("stop")
            await street.ended()
            assert [time_s for time_s, _ in street.happened] == [0, 64_800, 72_000]

    quickly(main())


def test_time_passes_while_an_open_run_has_no_next_event(tmp_path: Path) -> None:
    """It waits for devices: no time is overdue, a pause stops time, and it ends where it was stopped."""

    async def main() -> None:
        async with Street(tmp_path, [3_600], "3600x", is_open=True).open() as street:
            await asyncio.sleep(20)
            assert street.reports[-1].reached == pytest.approx(72_000, abs=2 * 3600)
            assert (street.reports[-1].time, street.reports[-1].lag_wall_s) == (3_600, 0)
            await street.command("pause")
            assert street.reports[-1].state == "paused"
            await asyncio.sleep(1_000)
            assert street.reports[-1].reached == 72_000
            await street.command("resume")
            await asyncio.sleep(10)
            await street.command("stop")
            await street.ended()
            assert [time_s for time_s, _ in street.happened] == [0, 3_600, 108_000]

    quickly(main())


def test_an_open_run_without_a_pace_waits_for_a_command(tmp_path: Path) -> None:
    """It waits without a next event, and without a busy loop."""

    async def main() -> None:
        async with Street(tmp_path, [3_600], "max", is_open=True).open() as street:
            await asyncio.sleep(20)
            assert (street.reports[-1].time, street.reports[-1].reached) == (3_600, 0)
            await street.command("stop")
            await street.ended()
            assert [time_s for time_s, _ in street.happened] == [0, 3_600]

    quickly(main())


def test_a_command_given_in_the_moment_of_another_one_is_not_lost(tmp_path: Path) -> None:
    """After pause and resume in quick succession, the run continues."""

    async def main() -> None:
        async with Street(tmp_path, [3600], "3600x").open() as street:
            pause, resume = Control(command="pause").encoded(), Control(command="resume").encoded()
            await street.bus.publish(topics.control(RUN), pause)
            await asyncio.sleep(0)
            await street.bus.publish(topics.control(RUN), resume)
            await street.ended()
            assert at(street, 3600) - street.begun_wall_s == pytest.approx(1, abs=0.1)

    quickly(main())


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_restarted_clock_continues_where_it_was(tmp_path: Path, end: str) -> None:
    """It keeps the pace and pause set by command, and does not restart from the last event."""

    async def main() -> None:
        async with Street(tmp_path, [36_000], "600x").open() as street:
            await asyncio.sleep(20)
            await street.command("pace", "300x")
            await asyncio.sleep(30)  # 21,000 s
            await (street.kill_clock() if end == "kill" else street.stop_clock())
            await asyncio.sleep(500)
            await street.start_clock()
            back_wall_s = street.wall_s
            await asyncio.sleep(10)
            await street.command("pause")
            assert street.reports[-1].reached == pytest.approx(24_000, abs=300 * TOLERANCE_WALL_S)
            await (street.kill_clock() if end == "kill" else street.stop_clock())
            await street.start_clock()
            await asyncio.sleep(1000)
            assert (street.reports[-1].state, street.reports[-1].paused_by) == ("paused", "ann@desk")
            resumed_wall_s = street.wall_s
            await street.command("resume")
            await street.ended()
            assert at(street, 36_000) - resumed_wall_s == pytest.approx(40, abs=TOLERANCE_WALL_S)
            assert resumed_wall_s - back_wall_s > 1000

    quickly(main())


def test_a_stopped_run_stays_stopped_if_its_clock_dies_before_the_end(tmp_path: Path) -> None:
    """It closes where it was stopped."""

    async def main() -> None:
        street = Street(tmp_path, [64_800, 78_000], "3600x")
        async with street.open():
            await asyncio.sleep(20)
            control = Control(command="stop", by="ann@desk")
            street.clock._run_control.apply(control, street.clock.now)
            street.clock._store_progress(is_final=True)
            await street.kill_clock()
            await street.start_clock()
            await street.ended()
            assert street.happened[-1][0] == 72_000
            assert street.clock.is_stopped

    quickly(main())


@pytest.mark.parametrize("catch_up", ["none", "2x", "max"])
def test_time_before_all_households_are_there_does_not_count(tmp_path: Path, catch_up: str) -> None:
    """Households are a minute late at 60x: the morning runs at the pace. Before the run nothing is ever owed."""

    async def main() -> None:
        async with Street(tmp_path, [600, 7200], "60x", catch_up).open(with_household=False) as street:
            await asyncio.sleep(60)
            household = await street.start_household()
            await street.ended()
            assert at(street, 0) - street.begun_wall_s == pytest.approx(60, abs=0.1)
            assert at(street, 600) - street.begun_wall_s == pytest.approx(70, abs=0.1)
            await household

    quickly(main())


@pytest.mark.parametrize("command", ["resume", "pace", "pause"])
def test_no_command_starts_time_before_all_households_are_present(tmp_path: Path, command: str) -> None:
    """The wait does not count as lag."""

    async def main() -> None:
        async with Street(tmp_path, [600, 7200], "60x").open(with_household=False) as street:
            await asyncio.sleep(10)
            await street.command(command, "30x" if command == "pace" else None)
            await asyncio.sleep(50)
            report = street.reports[-1]
            assert (report.state, report.waiting_for, report.lag_wall_s) == ("waiting", ("a",), 0)
            assert report.paused_by == ("ann@desk" if command == "pause" else "")
            await street.command("resume")
            household = await street.start_household()
            await street.ended()
            pace = 30 if command == "pace" else 60
            assert at(street, 600) - street.begun_wall_s == pytest.approx(60 + 600 / pace, abs=0.1)
            await household

    quickly(main())


def test_a_clock_that_comes_back_reports_where_it_was_while_it_waits(tmp_path: Path) -> None:
    """Virtual time does not seem to go back to the last event, and what has passed since does not count as lag."""

    async def main() -> None:
        async with Street(tmp_path, [600, 36_000], "600x").open() as street:
            await asyncio.sleep(20)
            await street.stop_clock()
            async with street.household_away():
                await asyncio.sleep(5)
                await street.start_clock()
                await asyncio.sleep(10)
                report = street.reports[-1]
                assert (report.state, report.waiting_for, report.lag_wall_s) == ("waiting", ("a",), 0)
                assert report.reached == pytest.approx(12_000, abs=600)

    quickly(main())


def test_a_pause_is_reported_while_a_household_is_awaited(tmp_path: Path) -> None:
    """The run is paused, and a household is missing."""

    async def main() -> None:
        async with Street(tmp_path, [600, 36_000], "60x").open() as street:
            await asyncio.sleep(8)
            async with street.household_away():
                await asyncio.sleep(10)
                await street.command("pause")
                await asyncio.sleep(10)
                report = street.reports[-1]
                assert (report.state, report.paused_by, report.waiting_for) == ("paused", "ann@desk", ("a",))
                await street.command("resume")
                await asyncio.sleep(2)
                assert street.reports[-1].state == "running"
                await street.command("pause")
            await asyncio.sleep(2)
            assert (street.reports[-1].state, street.reports[-1].waiting_for) == ("paused", ())

    quickly(main())


@pytest.mark.parametrize(("catch_up", "makes_up_wall_s"), [("none", 0), ("2x", 60), ("5x", 60), ("max", 60)])
def test_a_household_that_is_away_is_caught_up_with_as_set(
    tmp_path: Path, catch_up: str, makes_up_wall_s: float
) -> None:
    """By default time is not made up for: the run continues at its pace. The report names the awaited household."""

    async def main() -> None:
        street = Street(tmp_path, [600, *range(1200, 20_000, 600)], "60x", catch_up)
        async with street.open() as street:
            await asyncio.sleep(9)
            async with street.household_away():
                await asyncio.sleep(61)
                report = street.reports[-1]
                assert report.waiting_for == ("a",)
                assert report.waiting_wall_s >= 58
                assert report.lag_wall_s >= 58
            back_wall_s = street.wall_s
            lag_wall_s = street.clock._run_control.lag_wall_s(street.clock.now)
            assert lag_wall_s == pytest.approx(makes_up_wall_s if catch_up != "max" else 0, abs=0.5)
            await street.ended()
            factor = {"none": 1.0, "2x": 2.0, "5x": 5.0}.get(catch_up)
            expected_wall_s = 0.0 if factor is None else 10 / factor
            assert at(street, 1200) - back_wall_s == pytest.approx(expected_wall_s, abs=0.5)
            took_wall_s = at(street, 19_800) - street.begun_wall_s
            assert took_wall_s == pytest.approx(19_800 / 60 + 60 - makes_up_wall_s, abs=0.5)

    quickly(main())


def test_a_suspended_machine_loses_the_time_and_runs_at_its_pace(tmp_path: Path) -> None:
    """The wall clock advances while no process runs; afterwards the run does not hurry."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Street(tmp_path, [6000, 6600], "60x").open() as street:
            begun_wall_s = street.begun_wall_s
            await asyncio.sleep(70)
            time_of = loop.time
            loop.time = lambda: time_of() + 90  # type: ignore[method-assign]  # the machine sleeps for 90 s
            await street.ended()
            assert at(street, 6000) - begun_wall_s == pytest.approx(100 + 90, abs=TOLERANCE_WALL_S)
            assert at(street, 6600) - begun_wall_s == pytest.approx(110 + 90, abs=TOLERANCE_WALL_S)

    quickly(main())


def test_a_suspended_machine_drops_no_host(tmp_path: Path) -> None:
    """If the machine sleeps for longer than the time limit, the clock does not drop the awaited household."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        street = Street(tmp_path, [600], "60x")
        street._settings = replace(street._settings, timeouts=Timeouts(limit_wall_s=60))
        async with street.open(with_household=False) as street:
            await asyncio.sleep(10)
            time_of = loop.time
            loop.time = lambda: time_of() + 1000  # type: ignore[method-assign]  # the machine sleeps for 1000 s
            await asyncio.sleep(55)
            household = await street.start_household()
            await street.ended()
            await household
            assert street.happened[-1][0] == 600

    quickly(main())


def test_a_second_clock_with_its_own_journal_is_refused(tmp_path: Path) -> None:
    """On another machine, it receives the first clock's reports, and leaves before it publishes anything."""

    async def main() -> None:
        async with Street(tmp_path, [6000], "60x").open() as street:
            await asyncio.sleep(10)
            with ClockJournal(tmp_path / "other.sqlite", {"run": RUN}) as journal:
                second = Clock(street._settings, journal=journal)
                with pytest.raises(ClockTakenError, match=r"is already active at this broker \(running\)"):
                    await second.run(street._broker)
            await street.ended()
            assert at(street, 6000) - street.begun_wall_s == pytest.approx(100, abs=0.1)

    quickly(main())


Operation = tuple[str, float, str]
"""What is done, how many wall-clock seconds later, and with which pace."""

operations = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("pause", "resume", "pace", "stop and come back", "kill and come back"),
                *("come back before the household", *3 * ["household away"], "stop"),
            ]
        ),
        st.floats(0.0, 4.0) | st.floats(0.0, 40.0),
        st.sampled_from(["1x", "2.5x", "60x", "300x", "3600x"]),
    ),
    max_size=8,
)


class Ideal:
    """The expected virtual time: it passes at the pace while the run is not paused and no participant is away."""

    def __init__(self, factor: float, wall_s: float) -> None:
        self.factor = factor
        self.is_passing = True
        self._changes: list[tuple[float, float, float]] = [(wall_s, 0.0, factor)]

    def at(self, wall_s: float) -> float:
        """Return virtual time at a loop time."""
        since_wall_s, virtual_s, rate = next(c for c in reversed(self._changes) if c[0] <= wall_s)
        return virtual_s + (wall_s - since_wall_s) * rate

    def change(self, wall_s: float, *, at_s: float | None = None) -> None:
        """Continue from a loop time with `factor` and `is_passing`."""
        now_s = self.at(wall_s) if at_s is None else at_s
        self._changes.append((wall_s, now_s, self.factor if self.is_passing else 0.0))

    def due_wall_s(self, time_s: int) -> float:
        """Return the loop time at which a virtual time is due."""
        ends = [change[0] for change in self._changes[1:]] + [float("inf")]
        for (since_wall_s, virtual_s, rate), end_wall_s in zip(self._changes, ends, strict=True):
            if time_s <= virtual_s:
                return since_wall_s
            if rate and (due_wall_s := since_wall_s + (time_s - virtual_s) / rate) <= end_wall_s:
                return due_wall_s
        raise AssertionError(time_s)


async def come_back_before_the_household(street: Street, ideal: Ideal, pace: str) -> None:
    """Kill the clock and start it while the household is away: no time passes meanwhile, whatever is commanded."""
    before_s, most_forgotten_s = ideal.at(street.wall_s), TOLERANCE_WALL_S * ideal.factor
    ideal.is_passing = False
    ideal.change(street.wall_s)
    await street.kill_clock()
    async with street.household_away():
        await street.start_clock()
        await asyncio.sleep(2.0)
        await street.command("pace", pace)
        await street.command("resume")
        await asyncio.sleep(20.0)
    ideal.factor, ideal.is_passing = Pace.parse(pace).factor or 0.0, True
    reached_s = street.clock._run_control.state.reached_s
    assert -1e-6 <= before_s - reached_s <= most_forgotten_s
    ideal.change(street.wall_s, at_s=reached_s)


async def operate(  # noqa: C901 - one case for each operation
    street: Street, ideal: Ideal, todo: list[Operation]
) -> float | None:
    """Do all that is to be done, and keep account of it; then let the run come to its end.

    Returns:
        The virtual time at which the run was stopped; None: it was not.
    """
    for what, after_wall_s, pace in [*todo, ("pace", 1.0, "3600x"), ("resume", 1.0, "")]:
        await asyncio.sleep(after_wall_s)
        if street._clock is None or street._clock.done():
            return None
        match what:
            case "stop":
                stopped_s = ideal.at(street.wall_s)
                await street.command("stop")
                await street.ended()
                return stopped_s
            case "pause" | "resume":
                await street.command(what)
                paused = what == "pause"
                ideal.is_passing = not paused
            case "pace":
                await street.command("pace", pace)
                ideal.factor = Pace.parse(pace).factor or 0.0
            case "household away":
                next_s = street.next_event_s
                due_wall_s = ideal.due_wall_s(next_s) if ideal.is_passing and next_s is not None else float("inf")
                async with street.household_away():
                    await asyncio.sleep(AWAY_WALL_S)
                if due_wall_s >= street.wall_s or street._clock.done():
                    continue  # it was not missed
                ideal.is_passing = False
                ideal.change(due_wall_s)
                ideal.is_passing = True
                reached_s = street.clock._run_control.state.reached_s
                # What it takes to answer within a second is no absence.
                assert abs(reached_s - ideal.at(street.wall_s)) <= TOLERANCE_WALL_S * ideal.factor + 1
                ideal.change(street.wall_s, at_s=reached_s)
                continue
            case "come back before the household":
                await come_back_before_the_household(street, ideal, pace)
                if street._clock.done():
                    return None
                continue
            case "kill and come back" | "stop and come back":
                was_passing = ideal.is_passing
                killed_wall_s = street.wall_s
                await (street.kill_clock() if what.startswith("kill") else street.stop_clock())
                ideal.is_passing = False
                ideal.change(killed_wall_s)
                await asyncio.sleep(7.0)
                await street.start_clock()
                if street._clock.done():
                    return None
                ideal.is_passing = was_passing
                state = street.clock._run_control.state
                # At most a second of wall clock is forgotten with the process; from there on it counts again.
                forgotten_s = ideal.at(street.wall_s) - state.reached_s
                assert -1e-6 <= forgotten_s <= TOLERANCE_WALL_S * ideal.factor
                ideal.change(street.wall_s, at_s=state.reached_s)
                continue
        ideal.change(street.wall_s)
    await street.ended()
    return None


paces = st.sampled_from(["1x", "60x", "300x", "3600x"])
gaps = st.lists(st.integers(1, 600) | st.integers(1, 40_000), min_size=1, max_size=6)


@example([("come back before the household", 12.0, "300x"), ("household away", 1.0, "")], "60x", [2_000] * 4)
@example([("household away", 1.0, ""), ("pause", 2.0, ""), ("household away", 1.0, "")], "3600x", [20_000] * 6)
@example([("pace", 5.0, "60x"), ("household away", 3.0, ""), ("kill and come back", 5.0, "")], "300x", [600] * 6)
@given(todo=operations, pace=paces, gaps_s=gaps)
@settings(max_examples=4, deadline=None)
def test_every_event_happens_when_it_is_due(todo: list[Operation], pace: str, gaps_s: list[int]) -> None:
    """This holds for pauses, pace changes, stops and restarts in any order."""
    check_when_events_happen(todo, pace, gaps_s)


@pytest.mark.long
@given(todo=operations, pace=paces, gaps_s=gaps)
@settings(max_examples=60, deadline=None)
def test_every_event_happens_when_it_is_due_in_more_orders(todo: list[Operation], pace: str, gaps_s: list[int]) -> None:
    """The same, more often."""
    check_when_events_happen(todo, pace, gaps_s)


def check_when_events_happen(todo: list[Operation], pace: str, gaps_s: list[int]) -> None:
    """Assert that no event is earlier or later than a second of wall clock from when it is due."""
    events_s = [sum(gaps_s[: n + 1]) for n in range(len(gaps_s))]

    async def main(folder: Path) -> None:
        async with Street(folder, events_s, pace).open() as street:
            ideal = Ideal(Pace.parse(pace).factor or 0.0, street.begun_wall_s)
            stopped_s = await operate(street, ideal, todo)
            happened_s = [time_s for time_s, _ in street.happened]
            if stopped_s is not None:
                assert street.clock.is_stopped
                assert happened_s.pop() == pytest.approx(stopped_s, abs=1 + TOLERANCE_WALL_S * ideal.factor)
            assert happened_s == [0, *events_s][: len(happened_s)]
            assert stopped_s is not None or len(happened_s) == 1 + len(events_s)
            for time_s in happened_s[1:]:
                assert at(street, time_s) == pytest.approx(ideal.due_wall_s(time_s), abs=TOLERANCE_WALL_S)

    with TemporaryDirectory() as folder:
        quickly(main(Path(folder)))
