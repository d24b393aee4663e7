"""A host: one connection to the broker, and the agents that live behind it.

It runs a round when the clock grants one and all messages of the round are there, and sends what its agents sent, then
its answer. What the network loses is found by counting: the host asks the senders again, and keeps what it sent itself
until the round is over. With a journal it comes back after a crash, replays what entered it, and goes on.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from broker import topics
from broker.agent import Agent, Fact
from broker.bus import Broker, Bus, Delivery, Will
from broker.errors import HostRefusedError, ProtocolError
from broker.group import AgentGroup, first_problem
from broker.journal import Journal, JournalError
from broker.patience import Patience
from broker.record import RoundObserver, RoundRecord
from broker.stash import Stash
from broker.wire import Announcement, Done, Envelope, Grant, ResendRequest, Roster

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
        patience: Patience | None = None,
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
        self.dropped = 0
        """Messages that came in and did not follow the protocol."""
        self._group = AgentGroup(agents, messages, seed=seed)
        self._patience = patience or Patience()
        self._observer = observer
        self._journal = journal
        self._setup = setup
        self._homes: dict[str, str] = {}
        self._rostered = asyncio.Event()
        self._stash = Stash()
        self._arrived = asyncio.Event()
        self._grants: asyncio.Queue[Grant | None] = asyncio.Queue()
        self._running: int | None = None
        self._last: Done | None = None
        self._outbox: dict[int, list[tuple[str, str, bytes]]] = {}
        self._expecting: Grant | None = None
        self._facts: dict[str, bytes] = {}

    async def run(self, broker: Broker) -> None:
        """Take part in the run until the clock ends it.

        Raises:
            BrokerUnreachableError, BrokerLostError: see `broker.bus`.
            HostRefusedError: the clock refused this host; the message says why.
            JournalError: the journal does not replay.
        """
        gone = Announcement(host=self.host_id, session=self.session, agents=(), state="gone")
        will = Will(topics.host(self.run_id, self.host_id), gone.encoded())
        async with asyncio.TaskGroup() as tasks:
            replayed = await self._replay(tasks)
            # A broker ends a client's connection when another one comes with its id: nobody shall know it. (The session
            # is in the roster.)
            client_id = f"{self.run_id}-{self.host_id}-{secrets.token_hex(8)}"
            async with broker.connect(client_id, will) as bus:
                await bus.subscribe(
                    topics.roster(self.run_id),
                    topics.inboxes(self.run_id, self.host_id),
                    topics.resends(self.run_id, self.host_id),
                    topics.grant(self.run_id, self.host_id),
                )
                await self._announce(bus)
                reader = tasks.create_task(self._read(bus), name=f"host[{self.host_id}].read")
                if replayed is not None:
                    await self._publish(bus, replayed)
                if replayed is None or replayed.grant.phase != "end":
                    await self._run_rounds(bus, tasks)
                reader.cancel()
                await bus.publish(will.topic, b"", qos=topics.QOS_FACTS, retain=True)
            self._group.stop()

    async def _announce(self, bus: Bus) -> None:
        there = Announcement(
            host=self.host_id, session=self.session, agents=self._group.ids, setup=self._setup, state="there"
        )
        topic = topics.host(self.run_id, self.host_id)
        await bus.publish(topic, there.encoded(), qos=topics.QOS_FACTS, retain=True)

    # What comes in.

    async def _read(self, bus: Bus) -> None:
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=self.host_id)
                await self._announce(bus)
                await self._publish_facts(bus, self._facts)
                await self._ask_again(bus)
                continue
            try:
                await self._take(bus, event)
            except (ProtocolError, ValidationError) as error:
                self.dropped += 1
                log.warning("dropped", host=self.host_id, topic=event.topic, why=first_problem(error))

    async def _take(self, bus: Bus, delivery: Delivery) -> None:
        address = topics.parse(delivery.topic)
        if address is None or address.run != self.run_id:
            raise ProtocolError("not a topic of this run")
        if delivery.retain and address.kind not in topics.RETAINED:
            raise ProtocolError("was stored at the broker, and counts at the moment it is said only")
        match address.kind, address.ids:
            case "roster", ():
                self._take_roster(Roster.model_validate_json(delivery.payload))
            case "grant", (_,):
                await self._take_grant(bus, Grant.model_validate_json(delivery.payload))
            case "inbox", (_, agent, from_host):
                self._take_envelope(agent, from_host, Envelope.model_validate_json(delivery.payload))
            case "resend", (_, from_host):
                request = ResendRequest.model_validate_json(delivery.payload)
                for to_host, topic, payload in self._outbox.get(request.step, []):
                    if from_host in {to_host, topics.CLOCK}:
                        await bus.publish(topic, payload, qos=topics.QOS_ROUNDS)
            case _:
                raise ProtocolError("not a topic that a host reads")

    def _take_roster(self, roster: Roster) -> None:
        if self.session in roster.refused:
            raise HostRefusedError(f"host {self.host_id!r} is refused: {roster.refused[self.session]}")
        if roster.ended:
            self._grants.put_nowait(None)
            return
        mine = roster.hosts.get(self.host_id)
        if mine is None or set(mine.agents) != set(self._group.ids):
            raise ProtocolError("this host is not in the roster with its agents")
        self._homes = {agent: host for host, member in roster.hosts.items() for agent in member.agents}
        if self._journal is not None and not self._rostered.is_set():
            self._journal.save_state(json.dumps(self._homes))
        self._rostered.set()

    async def _take_grant(self, bus: Bus, grant: Grant) -> None:
        if self._last is not None and grant.step <= self._last.step:
            if grant.step == self._last.step:
                await self._answer(bus, self._last)
        elif self._running == grant.step:
            busy = Done(step=grant.step, time=grant.time, round=grant.round, sent={}, next=None, busy=True)
            await self._answer(bus, busy)
        elif self._expecting is None or grant.step > self._expecting.step:
            self._expecting = grant
            self._grants.put_nowait(grant)

    def _take_envelope(self, agent: str, from_host: str, envelope: Envelope) -> None:
        if agent != envelope.to or agent not in self._group.ids:
            raise ProtocolError(f"no agent {agent!r} here")
        if self._homes.get(envelope.sender) != from_host:
            raise ProtocolError(f"agent {envelope.sender!r} does not live on host {from_host!r}")
        if self._last is not None and envelope.step < self._last.step:
            return  # a late duplicate
        self._stash.add(from_host, envelope)
        self._arrived.set()

    # Rounds.

    async def _run_rounds(self, bus: Bus, tasks: asyncio.TaskGroup) -> None:
        while (grant := await self._grants.get()) is not None:
            await self._rostered.wait()
            await self._wait_for_messages(bus, grant)
            self._running = grant.step
            messages = self._stash.take(grant.step - 1, grant.expected)
            record = await self._group.run_round(grant, messages, self._homes, tasks)
            if self._journal is not None:
                self._journal.append(record)
            self._note(record)
            await self._publish(bus, record)
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
        if grant is None or self._running == grant.step or (self._last and self._last.step >= grant.step):
            if self._last is not None:  # the answer may be what was lost
                await self._answer(bus, self._last)
            return
        step = grant.step - 1
        for host in self._stash.missing(step, grant.expected):
            log.info("messages missing, asking again", host=self.host_id, sender_host=host, step=step)
            request = ResendRequest(step=step)
            await bus.publish(topics.resend(self.run_id, host, self.host_id), request.encoded(), qos=topics.QOS_ROUNDS)

    async def _replay(self, tasks: asyncio.TaskGroup) -> RoundRecord | None:
        """Run the journal's rounds again; return the last one, whose messages may not have left yet."""
        last: RoundRecord | None = None
        if self._journal is None:
            return None
        self._homes = json.loads(self._journal.load_state() or "{}")
        for round_ in self._journal.rounds():
            record = await self._group.run_round(round_.grant, round_.delivered, self._homes, tasks)
            if record.digest != round_.digest:
                raise JournalError(
                    f"host {self.host_id!r} does not replay: step {round_.grant.step} came out different"
                )
            self._note(record)
            last = record
        if last is not None:
            log.info("replayed", host=self.host_id, step=last.grant.step)
        return last

    def _note(self, record: RoundRecord) -> None:
        """Take a round that ran into the host's own state, so that it can be published, again if need be."""
        grant = record.grant
        # Granted this step, nobody waits for what was sent two steps ago.
        self._outbox = {step: kept for step, kept in self._outbox.items() if step >= grant.step - 1}
        self._outbox[grant.step] = [
            (host, topics.inbox(self.run_id, host, envelope.to, self.host_id), envelope.encoded())
            for host, envelope in record.sent
        ]
        counts = Counter(host for host, _ in record.sent)
        self._last = Done(
            step=grant.step,
            time=grant.time,
            round=grant.round,
            sent=counts,
            next=record.next_s,
            failure=record.failure,
        )
        for fact in record.facts:
            self._facts[self._fact_topic(fact)] = fact.content.model_dump_json().encode()
        if self._observer is not None:
            self._observer.round_ran(self.host_id, record)

    # What goes out.

    async def _publish(self, bus: Bus, record: RoundRecord) -> None:
        for _, topic, payload in self._outbox[record.grant.step]:
            await bus.publish(topic, payload, qos=topics.QOS_ROUNDS)
        told = dict.fromkeys(self._fact_topic(fact) for fact in record.facts)
        await self._publish_facts(bus, {topic: self._facts[topic] for topic in told})
        if self._last is not None:
            await self._answer(bus, self._last)

    async def _publish_facts(self, bus: Bus, facts: Mapping[str, bytes]) -> None:
        for topic, payload in facts.items():
            await bus.publish(topic, payload, qos=topics.QOS_FACTS, retain=True)

    def _fact_topic(self, fact: Fact) -> str:
        if fact.subject == "ledger":
            return topics.ledger(self.run_id, fact.name)
        return topics.forecast(self.run_id, self.host_id, fact.name)

    async def _answer(self, bus: Bus, done: Done) -> None:
        await bus.publish(topics.done(self.run_id, self.host_id), done.encoded(), qos=topics.QOS_ROUNDS)
