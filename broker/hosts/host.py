"""A host: one connection to the broker, and the agents that live behind it.

It runs a round when the clock grants one and all messages of the round are there, and sends what its agents sent, then
its answer. What the network loses is found by counting: the host asks the senders again, and keeps what it sent itself
until the round is over. With a journal it comes back after a crash, replays what entered it, and goes on.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from broker.errors import HostRefusedError, ProtocolError, RunFailedError
from broker.hosts.agent import Agent
from broker.hosts.agent_group import AgentGroup
from broker.hosts.directory import Directory
from broker.hosts.journal import Journal, JournalError, RoundObserver, RoundRecord
from broker.hosts.outbox import Outbox
from broker.protocol import (
    Announcement,
    Done,
    Envelope,
    Grant,
    RejectedMessages,
    ReorderBuffer,
    ResendRequest,
    Roster,
    Timeouts,
    topics,
)
from broker.transport import Broker, Bus, Delivery, Will, say_and_leave

log = structlog.get_logger(__name__)


class Host:
    """Runs agents in counted rounds."""

    def __init__(
        self,
        host_id: str,
        run: str,
        agents: Sequence[Agent[Any]],
        messages: TypeAdapter[Any],
        *,
        seed: int,
        patience: Timeouts | None = None,
        observer: RoundObserver | None = None,
        journal: Journal | None = None,
        setup: str = "",
    ) -> None:
        """Make a host.

        Args:
            host_id: Unique in the run.
            run: The run's id, the second level of its topics.
            agents: Those that live here; ids unique in the run.
            messages: Checks and builds what agents say to each other.
            seed: The run's seed.
            patience: Wall-clock limits.
            observer: Is shown every round, those of a replay too.
            journal: Keeps every round; one with rounds in it is replayed first.
            setup: Fingerprint of what the host was started with, for the clock to compare.
        """
        self.host_id = host_id
        self.run_id = run
        self.session = secrets.token_hex(8)
        self.refusals = RejectedMessages(host_id)
        """Messages that came in and did not follow the protocol."""
        self._group = AgentGroup(agents, messages, seed=seed, session=self.session)
        self._patience = patience or Timeouts()
        self._observer = observer
        self._journal = journal
        self._setup = setup
        self._directory = Directory(host_id, self.session)
        self._outbox = Outbox(run, host_id, self.session)
        self._rostered = asyncio.Event()
        self._stash = ReorderBuffer()
        self._arrived = asyncio.Event()
        self._grants: asyncio.Queue[Grant | None] = asyncio.Queue()
        self._running: int | None = None
        self._expecting: Grant | None = None
        self._speaks: bool | None = None
        """Whether the newest roster that names a process for this host names this one; None: there was none yet."""
        self._keeps = False
        """Whether what this host told stays at the broker when it leaves."""

    async def run(self, broker: Broker) -> None:
        """Take part in the run until the clock ends it.

        What the host told goes from the broker with it, whether the run has ended, failed or is interrupted.

        Raises:
            BrokerUnreachableError, BrokerLostError: see `broker.transport.base`.
            HostRefusedError: the clock refused this host; the message says why.
            RunFailedError: the clock gave up.
            JournalError: the journal does not replay.
        """
        gone = Announcement(host=self.host_id, session=self.session, agents=(), state="gone")
        will = Will(topics.host(self.run_id, self.host_id), gone.encoded())
        early: BaseException | None = None
        async with asyncio.TaskGroup() as tasks:
            replayed = await self._replay(tasks)
            # A broker ends a client's connection when another one comes with its id: nobody shall know it. (The session
            # is in the roster.)
            client_id = f"{self.run_id}-{self.host_id}-{secrets.token_hex(8)}"
            async with broker.connect(client_id, will) as bus:
                await bus.subscribe(topics.roster(self.run_id), qos=topics.QOS_FACTS)
                await bus.subscribe(
                    topics.inboxes(self.run_id, self.host_id),
                    topics.resends(self.run_id, self.host_id),
                    topics.grant(self.run_id, self.host_id),
                )
                await self._announce(bus)
                reader = tasks.create_task(self._read(bus), name=f"host[{self.host_id}].read")
                try:
                    if replayed is not None:
                        await self._outbox.publish_facts(bus)  # they may have been removed when this host went away
                    if replayed is None or replayed.phase != "end":
                        await self._rostered.wait()  # before, nobody takes what this process says
                        await self._outbox.publish_last(bus)
                        await self._run_rounds(bus, tasks)
                    else:
                        await self._outbox.publish_last(bus)
                except BaseException as error:
                    reader.cancel()
                    if not self._may_tidy or not await say_and_leave(self._tidy_up(bus, gone)):
                        raise  # and the broker publishes the will
                    early = error
                else:
                    reader.cancel()
                    await self._tidy_up(bus)
                self.refusals.tell_rest()
            self._group.stop()
            if early is not None:
                raise early

    @property
    def _may_tidy(self) -> bool:
        """Whether what is retained in this host's name is this process's, and not that of another one of the host."""
        return self._speaks is not False

    async def _tidy_up(self, bus: Bus, gone: Announcement | None = None) -> None:
        """Remove what this host told from the broker.

        Args:
            bus: The connection.
            gone: What to tell before, where the host leaves a run that may go on.
        """
        topic = topics.host(self.run_id, self.host_id)
        if gone is not None:
            await bus.publish(topic, gone.encoded(), qos=topics.QOS_FACTS)
        if not self._keeps:
            await self._outbox.clear_facts(bus)
        await bus.publish(topic, b"", qos=topics.QOS_FACTS, retain=True)
        await bus.flush()

    async def _announce(self, bus: Bus) -> None:
        there = Announcement(
            host=self.host_id,
            session=self.session,
            agents=self._group.ids,
            setup=self._setup,
            ran=self._outbox.last_step,
            state="there",
        )
        topic = topics.host(self.run_id, self.host_id)
        await bus.publish(topic, there.encoded(), qos=topics.QOS_FACTS, retain=True)

    # What comes in.

    async def _read(self, bus: Bus) -> None:
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=self.host_id)
                await self._announce(bus)
                await self._outbox.publish_facts(bus)
                await self._ask_again(bus)
                continue
            try:
                await self._take(bus, event)
            except (ProtocolError, ValidationError) as error:
                self.refusals.take(event.topic, error)

    async def _take(self, bus: Bus, delivery: Delivery) -> None:
        address = topics.parse(delivery.topic)
        if address is None or address.run != self.run_id:
            raise ProtocolError("not a topic of this run")
        if delivery.retain and address.kind not in topics.RETAINED:
            raise ProtocolError("was stored at the broker, and counts at the moment it is said only")
        match address.kind, address.ids:
            case "roster", () if not delivery.payload:
                pass  # the clock has gone, and taken it away
            case "roster", ():
                if not self._take_roster(Roster.model_validate_json(delivery.payload), is_stored=delivery.retain):
                    await self._announce(bus)
            case "grant", (_,):
                await self._take_grant(bus, Grant.model_validate_json(delivery.payload))
            case "inbox", (_, agent, from_host):
                self._take_envelope(agent, from_host, Envelope.model_validate_json(delivery.payload))
            case "resend", (_, from_host):
                request = ResendRequest.model_validate_json(delivery.payload)
                await self._outbox.publish_again(bus, request.step, from_host)
            case _:
                raise ProtocolError("not a topic that a host reads")

    def _take_roster(self, roster: Roster, *, is_stored: bool) -> bool:
        """Take a roster's word for it; return False where it does not know that this process is here."""
        self._keeps = roster.keep
        if self.session in roster.refused:
            self._speaks = False
            raise HostRefusedError(f"host {self.host_id!r} is refused: {roster.refused[self.session]}")
        if roster.failed and not is_stored:
            raise RunFailedError(f"host {self.host_id!r} leaves, the run has failed: {roster.failed}")
        if roster.ended:
            self._grants.put_nowait(None)
            self._rostered.set()
            return True
        mine = roster.hosts.get(self.host_id)
        if mine is None or set(mine.agents) != set(self._group.ids):
            raise ProtocolError("this host is not in the roster with its agents")
        self._directory.take(roster)
        if mine.session:
            self._speaks = mine.session == self.session
        if mine.session != self.session:
            return False  # another process of this host may run its rounds, so this one must not yet
        if self._journal is not None and not self._rostered.is_set():
            self._journal.save_state(json.dumps(self._directory.homes))
        self._rostered.set()
        return True

    async def _take_grant(self, bus: Bus, grant: Grant) -> None:
        if grant.step <= self._outbox.last_step:
            if grant.step == self._outbox.last_step:
                await self._outbox.answer(bus)
        elif self._running == grant.step:
            busy = Done(
                session=self.session,
                step=grant.step,
                time=grant.time,
                round=grant.round,
                sent={},
                next=None,
                busy=True,
            )
            await self._outbox.publish_answer(bus, busy)
        elif self._expecting is None or grant.step > self._expecting.step:
            self._expecting = grant
            self._grants.put_nowait(grant)

    def _take_envelope(self, agent: str, from_host: str, envelope: Envelope) -> None:
        if agent != envelope.to or agent not in self._group.ids:
            raise ProtocolError(f"no agent {agent!r} here")
        self._directory.check(envelope, from_host)
        if envelope.step < self._outbox.last_step:
            return  # a late duplicate
        self._stash.add(from_host, envelope)
        self._arrived.set()

    # Rounds.

    async def _run_rounds(self, bus: Bus, tasks: asyncio.TaskGroup) -> None:
        while (grant := await self._grants.get()) is not None:
            await self._wait_for_messages(bus, grant)
            self._running = grant.step
            messages = self._stash.take(grant.step - 1, grant.expected)
            record = await self._group.run_round(grant, messages, self._directory.homes, tasks)
            if self._journal is not None:
                self._journal.append(record)
            self._note(record)
            await self._outbox.publish_last(bus)
            self._running = None
            if grant.phase == "end":
                return

    async def _wait_for_messages(self, bus: Bus, grant: Grant) -> None:
        pause_wall_s = self._patience.resend_wall_s
        while self._stash.missing(grant.step - 1, grant.expected):
            self._arrived.clear()
            try:
                async with asyncio.timeout(pause_wall_s):
                    await self._arrived.wait()
            except TimeoutError:
                await self._ask_again(bus)
                pause_wall_s = min(2 * pause_wall_s, self._patience.resend_most_wall_s)

    async def _ask_again(self, bus: Bus) -> None:
        grant = self._expecting
        if grant is None or self._running == grant.step or self._outbox.last_step >= grant.step:
            await self._outbox.answer(bus)  # it may be what was lost
            return
        step = grant.step - 1
        for host in self._stash.missing(step, grant.expected):
            log.info("messages missing, asking again", host=self.host_id, sender_host=host, step=step)
            request = ResendRequest(step=step)
            await bus.publish(topics.resend(self.run_id, host, self.host_id), request.encoded(), qos=topics.QOS_ROUNDS)

    async def _replay(self, tasks: asyncio.TaskGroup) -> Grant | None:
        """Run the journal's rounds again; return the last one, what left it may not have gone out yet."""
        last: Grant | None = None
        if self._journal is None:
            return None
        homes = json.loads(self._journal.load_state() or "{}")
        for round_ in self._journal.rounds():
            record = await self._group.run_round(round_.grant, round_.delivered, homes, tasks)
            if record.digest != round_.digest:
                raise JournalError(
                    f"host {self.host_id!r} does not replay: step {round_.grant.step} came out different"
                )
            self._note(record)
            last = record.grant
        if last is not None:
            log.info("replayed", host=self.host_id, step=last.step)
        return last

    def _note(self, record: RoundRecord) -> None:
        self._outbox.put(record)
        if self._observer is not None:
            self._observer.round_ran(self.host_id, record)
