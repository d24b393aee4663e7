"""Which process represents a host: only one at a time, with the host's complete state, in this run only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from broker.clock.clock import Clock
from broker.clock.pacing import Moment
from broker.clock.settings import ClockSettings
from broker.errors import ClockMissingError, HostsMissingError, RunFailedError, RunSuspendedError
from broker.hosts.clock_watch import ClockLiveness
from broker.hosts.host import Host
from broker.hosts.journal import HostJournal
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes
from broker.protocol.retry_timeouts import Timeouts
from broker.protocol.wire import Announcement, Batch, Done, Grant, Member, Roster, TimeReport
from broker.transport.base import Bus, Delivery, Will
from broker.transport.memory import MemoryBroker
from tests.broker.clock.test_clock import MESSAGES, Echo, Ping
from tests.virtual_time import new_virtual_loop

RUN = "r"
PATIENCE = Timeouts(resend_wall_s=0.5, resend_most_wall_s=5, limit_wall_s=60)
ResultT = TypeVar("ResultT")


def quickly(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run in a loop whose wall clock jumps when nothing is ready: to wait costs nothing, and nothing is in a hurry."""
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(main)


def announced(session: str, *, ran: int = -1) -> bytes:
    """What a process of host `a` says when it comes."""
    return Announcement(host="a", session=session, agents=("echo",), ran=ran, state="there").encoded()


def answered(session: str, step: int, next_s: int | None = None, **more: Any) -> bytes:
    """What a process of host `a` says when it has run a step."""
    return Done(session=session, step=step, time=0, round=0, sent={}, next=next_s, **more).encoded()


async def heard(bus: Bus, wall_s: float = 0.3) -> list[Delivery]:
    """Return the messages that arrive until none has arrived for a while."""
    found: list[Delivery] = []
    while True:
        try:
            async with asyncio.timeout(wall_s):
                event = await anext(bus.messages())
        except TimeoutError:
            return found
        if isinstance(event, Delivery):
            found.append(event)


class Run:
    """A clock that waits for one host, `a`, and what its bus shows."""

    def __init__(self, bus: Bus, clock: asyncio.Task[None], moments: list[Moment]) -> None:
        self.bus = bus
        self.clock = clock
        self.moments = moments

    async def say(self, topic: str, payload: bytes) -> list[Delivery]:
        """Say something as host `a`; return what the clock answers."""
        await self.bus.publish(topic, payload, retain=topic == topics.host(RUN, "a"))
        return await heard(self.bus)

    async def announce(self, session: str, *, ran: int = -1) -> Roster | None:
        """Announce a process; return what the roster says then, if it is published."""
        said = await self.say(topics.host(RUN, "a"), announced(session, ran=ran))
        rosters = [delivery.payload for delivery in said if delivery.topic == topics.roster(RUN) and delivery.payload]
        return Roster.model_validate_json(rosters[-1]) if rosters else None

    async def answer(self, session: str, step: int, next_s: int | None = None) -> list[int]:
        """Answer a step; return the steps that are granted then."""
        said = await self.say(topics.done(RUN, "a"), answered(session, step, next_s))
        return [Grant.model_validate_json(d.payload).step for d in said if d.topic == topics.grant(RUN, "a")]


@asynccontextmanager
async def clock_for_a() -> AsyncIterator[Run]:
    """Have a clock that waits for host `a`."""
    broker = MemoryBroker()
    moments: list[Moment] = []
    clock = Clock(ClockSettings(RUN, {"a": ("echo",)}, 0, end_s=100, timeouts=PATIENCE), moments.append)
    async with broker.connect("a") as bus:
        await bus.subscribe(topics.roster(RUN), topics.grant(RUN, "a"))
        running = asyncio.create_task(clock.run(broker))
        yield Run(bus, running, moments)
        running.cancel()
        await asyncio.wait([running])


def test_answers_of_another_process_or_run_are_dropped() -> None:
    """A literal replay of a household's answers in an earlier run is dropped and logged with its topic."""

    async def main() -> None:
        async with clock_for_a() as run:
            await run.announce("now")
            with capture_logs() as logs:
                await run.answer("earlier", 0, next_s=7)
            assert [moment.time_s for moment in run.moments] == [0]
            assert [
                (entry["topic"], "'earlier'" in entry["reason"]) for entry in logs if entry["event"] == "dropped"
            ] == [(topics.done(RUN, "a"), True)]
            await run.answer("now", 0, next_s=9)
            assert [moment.time_s for moment in run.moments] == [0, 9]

    quickly(main())


def test_the_answer_of_a_host_that_the_clock_does_not_know_yet_is_not_called_another_ones() -> None:
    """A household works on while the clock is restarted; its answer reaches the clock before the household is back."""

    async def main() -> None:
        async with clock_for_a() as run:
            await heard(run.bus)
            with capture_logs() as logs:
                await run.answer("now", 0, next_s=7)
            assert [(entry["log_level"], entry["reason"]) for entry in logs if entry["event"] == "dropped"] == [
                ("info", "no roster names a process of host 'a' yet")
            ]
            await run.announce("now")
            await run.answer("now", 0, next_s=9)
            assert [moment.time_s for moment in run.moments] == [0, 9]

    quickly(main())


def test_a_host_that_is_restarted_after_the_last_step_only_leaves(tmp_path: Path) -> None:
    """Its answer would be rejected, as no roster names this process; for the clock, its departure is the answer."""

    async def main() -> None:
        broker = MemoryBroker()
        async with broker.connect("rest") as bus:
            await bus.subscribe(topics.done(RUN, "a"), topics.host(RUN, "a"))
            for process in range(2):
                with HostJournal(tmp_path / "journal", {}) as journal:
                    host = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE, journal=journal)
                    life = asyncio.create_task(host.run(broker))
                    if process == 0:
                        roster = Roster(hosts={"a": Member(session=host.session, agents=("echo",))})
                        await bus.publish(topics.roster(RUN), roster.encoded(), retain=True)
                        for step, phase in enumerate(("start", "end")):
                            await heard(bus)
                            await bus.publish(topics.grant(RUN, "a"), granted(step, phase=phase))
                    async with asyncio.timeout(60):
                        await life
                said = [(delivery.topic, bool(delivery.payload)) for delivery in await heard(bus)]
            assert said == [(topics.host(RUN, "a"), True), (topics.host(RUN, "a"), False)]

    quickly(main())


def test_messages_of_another_process_or_run_are_dropped() -> None:
    """The receiver accepts only the session in the present roster."""

    async def main() -> None:
        broker = MemoryBroker()
        host = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE)
        async with broker.connect("rest") as bus, asyncio.TaskGroup() as tasks:
            await bus.subscribe(topics.done(RUN, "a"), topics.inboxes(RUN, "b"))
            life = tasks.create_task(host.run(broker))
            await start(bus, host)
            for session, seq, n in (("earlier", 0, 100), ("now", 0, 1)):
                message = Envelope(
                    session=session, step=0, time=0, round=0, sender="asker", seq=seq, to="echo", re=None,
                    body=Ping(n=n).model_dump(),
                )  # fmt: skip
                await bus.publish(topics.inbox(RUN, "a", "b"), Envelopes([message]).encoded())
            await bus.publish(topics.grant(RUN, "a"), granted(1, expected={"b": 1}))
            replies = [d.payload for d in await heard(bus) if d.topic == topics.inbox(RUN, "b", "a")]
            sent = [Batch.model_validate_json(reply).rounds[0]["messages"] for reply in replies]
            assert [message["body"]["n"] for messages in sent for message in messages] == [2]
            assert host.rejected.count == 1
            life.cancel()

    quickly(main())


def test_messages_that_no_agent_understands_are_counted_against_their_host() -> None:
    """They are logged as all other rejected messages: a flood of them in a few lines."""

    async def main() -> None:
        broker = MemoryBroker()
        host = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE)
        async with broker.connect("rest") as bus, asyncio.TaskGroup() as tasks:
            await bus.subscribe(topics.done(RUN, "a"))
            life = tasks.create_task(host.run(broker))
            await start(bus, host)
            nonsense = [
                Envelope(
                    session="now", step=0, time=0, round=0, sender="asker", seq=seq, to="echo", re=None,
                    body={"kind": "Ping", "n": "many"},
                )
                for seq in range(100)
            ]  # fmt: skip
            await bus.publish(topics.inbox(RUN, "a", "b"), Envelopes(nonsense).encoded())
            await bus.publish(topics.grant(RUN, "a"), granted(1, expected={"b": 100}))
            await heard(bus)
            assert host.rejected.count == 100
            life.cancel()

    with capture_logs() as logs:
        quickly(main())
    dropped = [entry for entry in logs if entry["event"] == "dropped"]
    assert {entry["topic"] for entry in dropped} == {topics.inbox(RUN, "a", "b")}
    assert sum(1 + entry.get("more", 0) for entry in dropped) == 100 > len(dropped) + 50


def granted(step: int, **more: Any) -> bytes:
    """What the clock says."""
    expected = {"a": more.pop("expected", {})}
    return Grant(step=step, time=0, round=step, expected=expected, **more).encoded()


async def start(bus: Bus, host: Host) -> None:
    """Have host `a` take part beside host `b`, whose session is `now`, and run its first round."""
    members = {
        "a": Member(session=host.session, agents=("echo",)),
        "b": Member(session="now", agents=("asker",)),
    }
    await bus.publish(topics.roster(RUN), Roster(hosts=members).encoded(), retain=True)
    await heard(bus)
    await bus.publish(topics.grant(RUN, "a"), granted(0, phase="start"))
    await heard(bus)


def test_a_second_process_runs_no_round_of_its_host() -> None:
    """Grants reach it, for they are the host's: it waits until the roster names it."""

    async def main() -> None:
        broker = MemoryBroker()
        second = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE)
        async with broker.connect("rest") as bus, asyncio.TaskGroup() as tasks:
            await bus.subscribe(topics.done(RUN, "a"))
            first = Roster(hosts={"a": Member(session="first", agents=("echo",))})
            await bus.publish(topics.roster(RUN), first.encoded(), retain=True)
            life = tasks.create_task(second.run(broker))
            await heard(bus)
            await bus.publish(topics.grant(RUN, "a"), granted(0, phase="start"))
            assert await heard(bus, 10) == []
            named = Roster(hosts={"a": Member(session=second.session, agents=("echo",))})
            await bus.publish(topics.roster(RUN), named.encoded(), retain=True)
            assert [Done.model_validate_json(d.payload).session for d in await heard(bus)] == [second.session]
            life.cancel()

    quickly(main())


def test_a_second_process_is_turned_away_when_the_first_one_shows_that_it_lives() -> None:
    """A roster that does not name the first process asks it for a sign of life."""

    async def main() -> None:
        async with clock_for_a() as run:
            await run.announce("first")
            doubting = await run.announce("second", ran=7)  # of a journal that it shares with the first, say
            assert doubting is not None
            assert doubting.hosts["a"].session == ""
            assert not doubting.refused
            decided = await run.announce("first")
            assert decided is not None
            assert decided.hosts["a"].session == "first"
            assert set(decided.refused) == {"second"}

    quickly(main())


def test_a_process_whose_last_will_was_lost_is_replaced() -> None:
    """A power cut takes a household and the broker, and with it the household's last will."""

    async def main() -> None:
        async with clock_for_a() as run:
            await run.announce("first")
            await run.announce("second")
            await asyncio.sleep(PATIENCE.resend_most_wall_s)
            await run.answer("first", 0, next_s=50)
            assert [moment.time_s for moment in run.moments] == [0]
            await run.answer("second", 0, next_s=9)
            assert [moment.time_s for moment in run.moments] == [0, 9]

    quickly(main())


@pytest.mark.parametrize("ran", [-1, 0, 1, 2, 7, 201, 202])
def test_a_process_that_cannot_resume_from_its_hosts_last_step_is_refused(ran: int) -> None:
    """Without its complete journal it would report that it has nothing to do, and forget its jobs."""

    async def main() -> None:
        async with clock_for_a() as run:
            await run.announce("first")
            assert await run.answer("first", 0, next_s=9) == [1]
            assert await run.answer("first", 1, next_s=20) == [2]
            gone = Announcement(host="a", session="first", agents=(), state="gone")
            await run.say(topics.host(RUN, "a"), gone.encoded())
            told = await run.announce("second", ran=ran)
            assert told is not None
            # It had run step 1, and may have run step 2 and, as the only host, further ones before it went.
            assert ("second" in told.refused) == (ran not in range(1, 202))
            assert (told.hosts["a"].session == "second") == (ran in range(1, 202))

    quickly(main())


def test_a_process_without_its_journal_does_not_keep_the_run_waiting() -> None:
    """However often it returns, its host counts as away, and the time limit applies."""

    async def main() -> None:
        async with clock_for_a() as run:
            await run.announce("first")
            assert await run.answer("first", 0, next_s=9) == [1]
            gone = Announcement(host="a", session="first", agents=(), state="gone")
            await run.say(topics.host(RUN, "a"), gone.encoded())
            for n in range(100):
                if not run.clock.done():
                    await run.announce(f"again {n}")
                    await asyncio.sleep(1)
            with pytest.raises(ExceptionGroup) as caught:
                await run.clock
            assert caught.group_contains(HostsMissingError, match="'a'")

    quickly(main())


def test_hosts_leave_when_the_clock_gives_the_run_up() -> None:
    """They learn the reason; an earlier failure does not keep a host from waiting for a restarted clock."""

    async def main() -> None:
        broker = MemoryBroker()
        failed = Roster(hosts={"a": Member(session="", agents=("echo",))}, failed="it was too late").encoded()
        async with broker.connect("rest") as bus:
            await bus.publish(topics.roster(RUN), failed, retain=True)
            life = asyncio.create_task(Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE).run(broker))
            await asyncio.sleep(1)
            assert not life.done()
            await bus.publish(topics.roster(RUN), failed, retain=True)
            with pytest.raises(ExceptionGroup) as caught:
                await life
            assert caught.group_contains(RunFailedError, match="'a' leaves, the run has failed: it was too late")

    quickly(main())


def test_the_clock_reports_why_it_gives_up() -> None:
    """Present hosts can then leave."""

    async def main() -> None:
        async with clock_for_a() as run:
            await run.announce("first")
            await asyncio.wait([run.clock])
            with pytest.raises(ExceptionGroup) as caught:
                await run.clock
            assert caught.group_contains(HostsMissingError)
            rosters = [d.payload for d in await heard(run.bus) if d.topic == topics.roster(RUN)]
            assert rosters.pop() == b"", "what has failed leaves nothing at the broker"
            why = Roster.model_validate_json(rosters[-1]).failed
            assert why.startswith("no answer from hosts within 60 s: 'a' (")

    quickly(main())


def test_idle_households_of_one_process_listen_for_the_clock_together() -> None:
    """Of ten in one process, one connects to listen each time; all stay, because the clock reports."""

    class Counting:
        """A broker that counts who connects."""

        def __init__(self) -> None:
            self.memory, self.connections = MemoryBroker(), 0

        def connect(self, client_id: str, will: Will | None = None) -> AbstractAsyncContextManager[Bus]:
            self.connections += 1
            return self.memory.connect(client_id, will)

    async def main() -> None:
        broker, liveness = Counting(), ClockLiveness()
        report = TimeReport(time=0, round=0, step=0, pace="1x", lag_wall_s=0.0, state="paused")
        async with broker.connect("clock") as bus:
            lives = [
                asyncio.create_task(
                    Host(
                        f"h{number}",
                        RUN,
                        [Echo(f"echo-{number}")],
                        MESSAGES,
                        seed=1,
                        timeouts=PATIENCE,
                        clock_limit_wall_s=60,
                        clock_liveness=liveness,
                    ).run(broker)
                )
                for number in range(10)
            ]
            for _ in range(100):
                await bus.publish(topics.time(RUN), report.encoded(), retain=True)
                await asyncio.sleep(2)
            assert not any(life.done() for life in lives)
            assert broker.connections <= 1 + len(lives) + 200 // 15
            for life in lives:
                life.cancel()
            await asyncio.wait(lives)

    quickly(main())


def test_a_household_has_its_own_time_limit_for_the_clock() -> None:
    """It logs that it waits, stays while the clock reports anything, and leaves at the limit."""

    async def main() -> None:
        broker = MemoryBroker()
        host = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE, clock_limit_wall_s=60)
        report = TimeReport(time=0, round=0, step=0, pace="1x", lag_wall_s=0.0, state="paused")
        async with broker.connect("clock") as bus:
            life = asyncio.create_task(host.run(broker))
            for _ in range(100):
                await bus.publish(topics.time(RUN), report.encoded(), retain=True)
                await asyncio.sleep(2)
            assert not life.done()
            gone = report.model_copy(update={"state": "gone"})
            await bus.publish(topics.time(RUN), gone.encoded(), retain=True)
            left_wall_s = asyncio.get_running_loop().time()
            with pytest.raises(ExceptionGroup) as caught:
                await life
            assert caught.group_contains(ClockMissingError, match="no sign of the clock for 60 s")
            # It counts from when it last listened, which is every quarter of the limit.
            assert 45 <= asyncio.get_running_loop().time() - left_wall_s <= 100

    with capture_logs() as logs:
        quickly(main())
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["waiting for the clock"]


def test_a_household_names_the_release_of_a_clock_that_it_does_not_understand() -> None:
    """It leaves as if there were no clock, because one of its own release may come."""

    async def main() -> None:
        broker = MemoryBroker()
        host = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE, clock_limit_wall_s=60)
        async with broker.connect("clock") as bus:
            life = asyncio.create_task(host.run(broker))
            await asyncio.sleep(1)
            await bus.publish(topics.roster(RUN), b'{"v": 2, "hosts": {}}', retain=True)
            with pytest.raises(ExceptionGroup) as caught:
                await life
            why = "no sign of the clock for 60 s; its last roster was dropped: is of version 2 of the protocol"
            assert caught.group_contains(ClockMissingError, match=why)

    quickly(main())


def test_a_household_says_for_whose_messages_it_waits() -> None:
    """After a while, once."""

    async def main() -> None:
        broker = MemoryBroker()
        host = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE)
        members = {
            "a": Member(session=host.session, agents=("echo",)),
            "b": Member(session="now", agents=("asker",)),
        }
        async with broker.connect("rest") as bus:
            life = asyncio.create_task(host.run(broker))
            await bus.publish(topics.roster(RUN), Roster(hosts=members).encoded(), retain=True)
            await bus.publish(topics.grant(RUN, "a"), granted(0, phase="start"))
            await asyncio.sleep(1)
            await bus.publish(topics.grant(RUN, "a"), granted(1, expected={"b": 1}))
            await asyncio.sleep(60)
            life.cancel()
            await asyncio.wait([life])

    with capture_logs() as logs:
        quickly(main())
    waits = [entry["sender_hosts"] for entry in logs if entry["event"] == "waiting for messages"]
    assert waits == [["b"]]


def test_hosts_learn_whether_the_run_may_be_resumed() -> None:
    """If the clock may be restarted, a supervisor restarts the household too."""

    async def main() -> None:
        broker = MemoryBroker()
        roster = Roster(hosts={}, failed="no answer", may_resume=True)
        assert b"may_resume" not in Roster(hosts={}).encoded()
        async with broker.connect("rest") as bus:
            life = asyncio.create_task(Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=PATIENCE).run(broker))
            await asyncio.sleep(1)
            await bus.publish(topics.roster(RUN), roster.encoded())
            with pytest.raises(ExceptionGroup) as caught:
                await life
            assert caught.group_contains(RunSuspendedError, match="suspended the run: no answer")

    quickly(main())
