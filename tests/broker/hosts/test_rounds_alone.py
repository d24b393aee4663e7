"""A host that runs alone runs the rounds of its own agents without grants, answers once, and resumes after a crash."""

from __future__ import annotations

import asyncio
from pathlib import Path

from broker.hosts.agent import Agent, Received
from broker.hosts.host import Host
from broker.hosts.journal import HostJournal
from broker.hosts.rounds import RoundRecord
from broker.protocol import Batch, Done, Grant, Member, ResendRequest, Roster, envelopes_of, topics
from broker.transport.base import Bus, Delivery
from broker.transport.memory import MemoryBroker
from tests.broker.clock.test_clock import MESSAGES, Echo, Ping
from tests.broker.hosts.test_sessions import PATIENCE, RUN, heard, quickly

QUESTIONS = 3


class Questioner(Agent[Ping]):
    """Asks its neighbour on the same host, one question after the other."""

    async def run(self) -> None:
        """Ask at the start."""
        for n in range(QUESTIONS):
            await self.ask("echo", Ping(n=n))


class DeathError(Exception):
    """The process dies."""


class CrashAt:
    """Ends the process after a step was journaled (`broker.hosts.rounds.RoundObserver`)."""

    def __init__(self, step: int | None) -> None:
        self.step = step
        self.ran: list[int] = []

    def round_ran(self, _host_id: str, record: RoundRecord, *, is_replayed: bool) -> None:  # noqa: ARG002 - of no interest here
        """Note the round, or crash."""
        if record.grant.step == self.step:
            raise DeathError
        self.ran.append(record.grant.step)


def host_with(observer: CrashAt, journal: HostJournal | None = None) -> Host:
    """Return a host with both agents."""
    agents: list[Agent[Ping]] = [Questioner("asker"), Echo("echo")]
    return Host("a", RUN, agents, MESSAGES, seed=1, timeouts=PATIENCE, observer=observer, journal=journal)


async def admit(bus: Bus, host: Host) -> list[Delivery]:
    """Admit a host's process to the roster; return what it publishes then."""
    members = {"a": Member(session=host.session, agents=("asker", "echo"))}
    await bus.publish(topics.roster(RUN), Roster(hosts=members), retain=True)
    return await heard(bus)


def answers_in(deliveries: list[Delivery]) -> list[Done]:
    """Return the answers among the received messages, without signs of life."""
    dones = [delivery.read(Done) for delivery in deliveries if delivery.topic == topics.done(RUN, "a")]
    return [done for done in dones if not done.busy]


def grant(step: int, *, alone: bool = True) -> Grant:
    """Return a grant of the run's first second."""
    return Grant(step=step, time=0, round=step, expected={"a": {}}, phase="run" if step else "start", alone=alone)


def test_a_host_that_is_alone_answers_once_for_all_rounds_of_its_agents() -> None:
    """Watchers receive all messages in one batch; a host that is not alone answers for each round."""

    async def main() -> None:
        broker = MemoryBroker()
        observer = CrashAt(None)
        host = host_with(observer)
        async with broker.connect("rest") as bus, asyncio.TaskGroup() as tasks:
            await bus.subscribe(topics.done(RUN, "a"), topics.local(RUN, "a"))
            life = tasks.create_task(host.run(broker))
            await admit(bus, host)
            await bus.publish(topics.grant(RUN, "a"), grant(0, alone=False))
            (first,) = answers_in(await heard(bus))
            assert (first.more, first.local, first.pending) == (0, 1, True)
            await bus.publish(topics.grant(RUN, "a"), grant(1))
            after = await heard(bus)
            (second,) = answers_in(after)
            assert (second.step, second.more, second.local, second.pending) == (1, 5, 5, False)
            (batch,) = [delivery.payload for delivery in after if delivery.topic == topics.local(RUN, "a")]
            assert [e.step for e in envelopes_of(Batch.model_validate_json(batch))] == [1, 2, 3, 4, 5]
            await bus.publish(topics.grant(RUN, "a"), grant(1))
            assert answers_in(await heard(bus)) == [second]
            assert observer.ran == list(range(2 * QUESTIONS + 1))
            life.cancel()

    quickly(main())


async def run_until_crash(broker: MemoryBroker, bus: Bus, path: Path) -> None:
    """Have a host crash in the fourth round that it runs alone."""
    with HostJournal(path, {}) as journal:
        host = host_with(CrashAt(3), journal)
        life = asyncio.create_task(host.run(broker))
        await admit(bus, host)
        await bus.publish(topics.grant(RUN, "a"), grant(0))
        assert answers_in(await heard(bus)) == []
        await asyncio.wait([life])
        assert life.exception() is not None


def test_a_restarted_host_answers_nothing_before_the_roster_lists_it(tmp_path: Path) -> None:
    """The clock repeats its grant, and others ask for messages; they would reject what this process says."""

    async def main() -> None:
        broker = MemoryBroker()
        async with broker.connect("rest") as bus:
            await bus.subscribe(topics.done(RUN, "a"), topics.local(RUN, "a"))
            await run_until_crash(broker, bus, tmp_path / "journal")
            await bus.publish(topics.roster(RUN), b"", retain=True)
            with HostJournal(tmp_path / "journal", {}) as journal:
                host = host_with(CrashAt(None), journal)
                life = asyncio.create_task(host.run(broker))
                await heard(bus)
                await bus.publish(topics.grant(RUN, "a"), grant(0))
                await bus.publish(topics.resend(RUN, "a", topics.CLOCK), ResendRequest(step=0))
                assert await heard(bus) == []
                (answer,) = answers_in(await admit(bus, host))
                assert (answer.session, answer.step) == (host.session, 0)
                life.cancel()
                await asyncio.wait([life])

    quickly(main())


def test_a_host_that_crashed_while_it_was_alone_answers_for_the_rounds_in_its_journal(tmp_path: Path) -> None:
    """The clock continues from there: no round runs twice, and no message is lost."""

    async def main() -> None:
        broker = MemoryBroker()
        path = tmp_path / "journal"
        async with broker.connect("rest") as bus:
            await bus.subscribe(topics.done(RUN, "a"))
            await run_until_crash(broker, bus, path)
            observer = CrashAt(None)
            with HostJournal(path, {}) as journal:
                host = host_with(observer, journal)
                life = asyncio.create_task(host.run(broker))
                (answer,) = answers_in(await admit(bus, host))
                assert (answer.step, answer.more, answer.pending) == (0, 3, True)
                await bus.publish(topics.grant(RUN, "a"), grant(4))
                (answer,) = answers_in(await heard(bus))
                assert (answer.step, answer.more, answer.pending) == (4, 2, False)
                assert observer.ran == list(range(2 * QUESTIONS + 1))
                life.cancel()
                await asyncio.wait([life])

    quickly(main())


class Suspicious(Echo):
    """Refuses all messages, and answers them nevertheless."""

    def deliver(self, received: Received[Ping], re: int | None) -> None:
        """Refuse it first."""
        self.reject(received.sender, "asks")
        super().deliver(received, re)


def test_messages_that_were_refused_before_a_restart_are_not_counted_again(tmp_path: Path) -> None:
    """A restarted household runs its rounds again; its log would accuse others of what they did days ago."""

    async def main() -> None:
        async def life(*grants: Grant) -> tuple[int, list[int]]:
            agents: list[Agent[Ping]] = [Questioner("asker"), Suspicious("echo")]
            observer = CrashAt(None)
            with HostJournal(tmp_path / "journal", {}) as journal:
                host = Host("a", RUN, agents, MESSAGES, seed=1, timeouts=PATIENCE, observer=observer, journal=journal)
                broker = MemoryBroker()
                async with broker.connect("rest") as bus, asyncio.TaskGroup() as tasks:
                    await bus.subscribe(topics.done(RUN, "a"))
                    running = tasks.create_task(host.run(broker))
                    await admit(bus, host)
                    for grant in grants:
                        await bus.publish(topics.grant(RUN, "a"), grant)
                        await heard(bus)
                    running.cancel()
            return host.rejected.count, observer.ran

        rounds = 2 * QUESTIONS + 1
        first = Grant(step=0, time=0, round=0, expected={"a": {}}, phase="start", alone=True)
        assert await life(first) == (QUESTIONS, list(range(rounds)))
        next_second = Grant(step=rounds, time=1, round=0, expected={"a": {}})
        assert await life(next_second) == (0, list(range(rounds + 1)))

    quickly(main())
