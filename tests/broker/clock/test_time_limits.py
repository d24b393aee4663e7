"""The clock gives up on silent hosts at its time limit, also if it is often kept from listening itself.

Times in which it could receive nothing do not count, but they do not make a silent host wait for ever either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from broker.clock.barrier import RoundBarrier
from broker.clock.clock import Clock
from broker.clock.settings import ClockSettings
from broker.errors import HostsMissingError
from broker.protocol import Announcement, Done, Envelope, Envelopes, Grant, topics
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.base import Bus, Delivery
from broker.transport.memory import MemoryBroker
from tests.broker.clock.test_clock import MESSAGES
from tests.broker.clock.test_quarantine import StepRecorder
from tests.broker.hosts.test_sessions import quickly

RUN = "r"
LIMIT_WALL_S = 60.0
TIMEOUTS = Timeouts(resend_wall_s=0.5, resend_most_wall_s=5, limit_wall_s=LIMIT_WALL_S)
LISTENED_MOST_WALL_S = 2 * LIMIT_WALL_S + 10
"""How long the clock may be able to listen before it gives up: once, the limit begins anew."""
HOPELESS_WALL_S = 20 * LIMIT_WALL_S
"""After this, a test ends a clock that does not give up."""

Reaction = Callable[[Bus, Grant], Coroutine[Any, Any, None]]


class Machine:
    """Suspends the process: the wall clock advances, and nothing runs."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.suspended_wall_s = 0.0
        time_of = loop.time
        loop.time = lambda: time_of() + self.suspended_wall_s  # type: ignore[method-assign]  # the machine's clock

    async def is_overloaded(self) -> None:
        """Let the process run for 2 s at a time, and then not for 30 s."""
        while True:
            await asyncio.sleep(2)
            self.suspended_wall_s += 30


class Member:
    """A host with one agent that joins, and then does with grants what a test says."""

    def __init__(self, broker: MemoryBroker, host: str, react: Reaction) -> None:
        self._broker = broker
        self._host = host
        self._react = react

    async def live(self) -> None:
        host = self._host
        async with self._broker.connect(f"{RUN}-{host}") as bus:
            await bus.subscribe(topics.grants(RUN), topics.grant(RUN, host))
            there = Announcement(host=host, session=host, agents=(f"{host}'s",), state="there")
            await bus.publish(topics.host(RUN, host), there.encoded(), retain=True)
            async for event in bus.messages():
                grant = event.grant_to(host) if isinstance(event, Delivery) else None
                if isinstance(grant, Grant):
                    await self._react(bus, grant)


def answer(host: str, grant: Grant, **more: Any) -> Done:
    """Return a host's answer to a grant."""
    said = {"sent": {}, "next": None} | more
    return Done(session=host, step=grant.step, time=grant.time, round=grant.round, **said)


def answers(host: str, **more: Any) -> Reaction:
    """Answer each grant of a host's."""

    async def react(bus: Bus, grant: Grant) -> None:
        await bus.publish(topics.done(RUN, host), answer(host, grant, **more))

    return react


def message(host: str, grant: Grant) -> Envelopes:
    """Return a message that the host's agent sends itself in the granted round."""
    agent = f"{host}'s"
    ping: dict[str, Any] = {"sender": agent, "seq": 1, "to": agent, "body": {"kind": "Ping", "n": 1}}
    return Envelopes([Envelope(session=host, step=grant.step, time=grant.time, round=grant.round, **ping)])


async def silent(bus: Bus, grant: Grant) -> None:
    """Answer nothing."""


def clock_of(*hosts: str) -> Clock:
    """Return the clock of a run whose messages are observed."""
    settings = ClockSettings(RUN, {host: (f"{host}'s",) for host in hosts}, 0, timeouts=TIMEOUTS)
    return Clock(settings, observer=StepRecorder(), messages=MESSAGES)


@asynccontextmanager
async def living(*members: Member) -> AsyncIterator[None]:
    """Let members live for the duration of the context."""
    lives = [asyncio.create_task(member.live()) for member in members]
    await asyncio.sleep(0.1)
    yield
    for life in lives:
        life.cancel()
    await asyncio.wait(lives) if lives else None


async def listened_until_given_up(clock: Clock, broker: MemoryBroker, machine: Machine) -> tuple[str, float]:
    """Run a clock that gives up; return its error, and for how long its process could run, wall-clock seconds."""
    loop = asyncio.get_running_loop()
    since_wall_s = loop.time() - machine.suspended_wall_s
    error = ""
    with suppress(TimeoutError):
        try:
            async with asyncio.timeout(HOPELESS_WALL_S):
                await clock.run(broker)
        except* HostsMissingError as group:
            error = str(group.exceptions[0])
    return error, loop.time() - machine.suspended_wall_s - since_wall_s


async def breaks_often(broker: MemoryBroker) -> None:
    """Break the clock's connection every 30 s."""
    while True:
        await asyncio.sleep(30)
        for client in list(broker._clients):
            if client.startswith(f"{RUN}-clock"):
                broker.interrupt(client)


WAITS = {
    "no announcement": [],
    "asked on": [("a", silent), ("b", answers("b"))],
    "messages that they reported": [("a", answers("a", sent={"b": 1})), ("b", answers("b"))],
}


@pytest.mark.parametrize("what", WAITS)
@pytest.mark.parametrize("trouble", ["its machine is overloaded", "its connection breaks"])
def test_the_clock_gives_up_at_the_limit(what: str, trouble: str) -> None:
    """Time in which it could hear nothing is left out, and the limit begins anew once, whatever it waits for."""

    async def main() -> None:
        broker, machine = MemoryBroker(), Machine()
        troubling = asyncio.create_task(machine.is_overloaded() if "machine" in trouble else breaks_often(broker))
        async with living(*(Member(broker, host, react) for host, react in WAITS[what])):
            error, listened_wall_s = await listened_until_given_up(clock_of("a", "b"), broker, machine)
        troubling.cancel()
        assert what in error
        assert "'a'" in error
        assert listened_wall_s <= LISTENED_MOST_WALL_S

    quickly(main())


@pytest.mark.parametrize("is_restarted", [True, False])
def test_a_host_that_only_says_that_it_is_there_is_given_up_at_the_limit(*, is_restarted: bool) -> None:
    """A process that is started again and again, because it cannot read what it is asked, or one that lies."""

    async def announces(broker: MemoryBroker) -> None:
        async with broker.connect("supervised") as bus:
            for number in range(1000):
                session = f"a{number}" if is_restarted else "a"
                there = Announcement(host="a", session=session, agents=("a's",), state="there")
                await bus.publish(topics.host(RUN, "a"), there.encoded())
                await asyncio.sleep(30)
                if is_restarted:
                    gone = there.model_copy(update={"agents": (), "state": "gone"})
                    await bus.publish(topics.host(RUN, "a"), gone.encoded())
                    await asyncio.sleep(1)

    async def main() -> None:
        broker, machine = MemoryBroker(), Machine()
        announcing = asyncio.create_task(announces(broker))
        error, listened_wall_s = await listened_until_given_up(clock_of("a"), broker, machine)
        announcing.cancel()
        assert "no answer" in error
        assert listened_wall_s <= LISTENED_MOST_WALL_S

    quickly(main())


def test_a_machine_that_sleeps_for_hours_in_the_middle_of_a_step_fails_no_run() -> None:
    """The time for which it sleeps is not time for which the host has worked."""

    async def main() -> None:
        broker, machine = MemoryBroker(), Machine()

        async def react(bus: Bus, grant: Grant) -> None:
            if not machine.suspended_wall_s:
                await asyncio.sleep(3)
                machine.suspended_wall_s += 8 * 3600
                await asyncio.sleep(10)
            await answers("a")(bus, grant)

        async with living(Member(broker, "a", react)):
            await clock_of("a").run(broker)

    quickly(main())


@pytest.mark.parametrize("asleep_wall_s", [50, 70, 8 * 3600])
def test_a_machine_that_sleeps_before_the_run_has_its_hosts_waited_for(asleep_wall_s: float) -> None:
    """They may have slept too, and need time to come, even if the limit was not over when it woke up."""

    async def main() -> None:
        broker, machine = MemoryBroker(), Machine()

        async def sleep_and_join() -> None:
            await asyncio.sleep(4)
            machine.suspended_wall_s += asleep_wall_s
            await asyncio.sleep(30)
            await Member(broker, "a", answers("a")).live()

        joining = asyncio.create_task(sleep_and_join())
        await clock_of("a").run(broker)
        joining.cancel()

    quickly(main())


def test_a_time_that_is_left_out_for_two_reasons_counts_once() -> None:
    """The connection is down while the process is suspended: otherwise the limits would never be reached."""

    async def main() -> None:
        barrier, machine, cycles = RoundBarrier({"a": ("a's",)}), Machine(), 0
        barrier.begin(0, ["a"])
        with barrier.silence.limited_wait(LIMIT_WALL_S) as deadline:
            while not (deadline.is_over and barrier.silence.timed_out(barrier.awaited, LIMIT_WALL_S)):
                cycles += 1
                assert 2 * cycles <= LISTENED_MOST_WALL_S
                await asyncio.sleep(2)
                machine.suspended_wall_s += 30
                for away_wall_s in (30, 31):
                    barrier.leave_out(["a"], away_wall_s)

    quickly(main())


def test_a_machine_that_sleeps_while_messages_are_under_way_fails_no_run() -> None:
    """What its peers have sent arrives when it has woken up."""

    async def main() -> None:
        broker, machine = MemoryBroker(), Machine()

        async def react(bus: Bus, grant: Grant) -> None:
            await bus.publish(topics.done(RUN, "a"), answer("a", grant, local=1 if grant.step == 0 else 0))
            if grant.step == 0:
                await asyncio.sleep(3)
                machine.suspended_wall_s += 8 * 3600
                await asyncio.sleep(10)
                await bus.publish(topics.local(RUN, "a"), message("a", grant))

        async with living(Member(broker, "a", react)):
            await clock_of("a").run(broker)

    quickly(main())


def test_a_host_whose_grant_was_lost_is_asked_again_however_often_another_one_says_that_it_works() -> None:
    """Otherwise a member could have an honest one put out, by keeping the clock from asking it again."""

    async def main() -> None:
        broker = MemoryBroker()
        asked: list[int] = []

        async def loses_its_first_grant(bus: Bus, grant: Grant) -> None:
            asked.append(grant.step)
            if len(asked) > 1:
                await answers("a")(bus, grant)

        async def chatters(bus: Bus, grant: Grant) -> None:
            for _ in range(5 * int(LIMIT_WALL_S) if grant.step == 0 else 0):
                await bus.publish(topics.done(RUN, "b"), answer("b", grant, busy=True))
                await asyncio.sleep(0.3)
            await answers("b")(bus, grant)

        async with living(Member(broker, "a", loses_its_first_grant), Member(broker, "b", chatters)):
            await clock_of("a", "b").run(broker)
        assert asked[:2] == [0, 0]

    quickly(main())
