"""A host: one connection to the broker, and the agents that live behind it.

It runs a round when the clock grants one and all messages of the round are there, hands them out sorted by (sender,
sequence number), waits until its agents wait, sends what they sent and answers. What the network loses is found by
counting: the host asks the senders again, and keeps what it sent itself until the round is over.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from pydantic import TypeAdapter, ValidationError

from broker import topics
from broker.agent import Agent, Fact, Outgoing, Received
from broker.bus import Broker, Bus, Delivery, Will
from broker.errors import ProtocolError, SsmicError
from broker.wire import Announcement, Done, Envelope, Failure, Grant, ResendRequest, Roster

log = structlog.get_logger(__name__)

MAX_STASHED_MESSAGES = 100_000
"""Messages that wait for their round; a flood beyond it is dropped, and asked for again if it was real."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Wall-clock limits of the protocol. They decide when to ask again, never what happens."""

    resend_wall_s: float = 0.5
    """Ask again for messages or answers that are missing this long; doubles up to `resend_most_wall_s`."""
    resend_most_wall_s: float = 5.0
    limit_wall_s: float = 60.0
    """The clock gives up on a host that it has not heard of for so long."""


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """What happened on a host in one round: all that entered it, and all that left."""

    grant: Grant
    delivered: tuple[Envelope, ...]
    """In the order in which the agents got them."""
    sent: tuple[tuple[str, Envelope], ...]
    """With the receiving host, in the order of (agent, sequence number)."""
    facts: tuple[Fact, ...]
    next_s: int | None
    failure: Failure | None


class RoundObserver(Protocol):
    """Is shown every round of a host, after it ran and before anybody else learns of it."""

    def round_ran(self, host_id: str, record: RoundRecord) -> None:
        """Take note of a round."""
        ...


@dataclass(slots=True)
class _Stash:
    """Messages that came in before their round, by the step in which they were sent."""

    by_step: dict[int, dict[tuple[str, int], tuple[str, Envelope]]] = field(default_factory=lambda: defaultdict(dict))
    count: int = 0

    def add(self, from_host: str, envelope: Envelope) -> None:
        step = self.by_step[envelope.step]
        key = (envelope.sender, envelope.seq)
        if key not in step:
            if self.count >= MAX_STASHED_MESSAGES:
                raise ProtocolError(f"more than {MAX_STASHED_MESSAGES} messages wait for their round")
            step[key] = (from_host, envelope)
            self.count += 1

    def missing(self, step: int, expected: Mapping[str, int]) -> list[str]:
        """Return the hosts of which fewer messages are here than they sent."""
        have: dict[str, int] = defaultdict(int)
        for from_host, _ in self.by_step.get(step, {}).values():
            have[from_host] += 1
        return [host for host, count in expected.items() if have[host] < count]

    def take(self, step: int) -> tuple[Envelope, ...]:
        """Return a step's messages sorted by (sender, sequence number), and forget it and all before it."""
        messages = self.by_step.get(step, {})
        for old in [s for s in self.by_step if s <= step]:
            self.count -= len(self.by_step.pop(old))
        return tuple(envelope for _, (_, envelope) in sorted(messages.items()))


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
    ) -> None:
        """Make a host.

        Args:
            host_id: Unique in the run.
            run: The run's id, the second level of its topics.
            agents: Those that live here; ids unique in the run.
            messages: Checks and builds what agents say to each other.
            seed: The run's seed.
            patience: Wall-clock limits.
            observer: Is shown every round.
        """
        self.host_id = host_id
        self.run_id = run
        self.session = secrets.token_hex(8)
        self.dropped = 0
        """Messages that came in and did not follow the protocol."""
        self._agents = {agent.id: agent for agent in sorted(agents, key=lambda agent: agent.id)}
        self._messages = messages
        self._seed = seed
        self._patience = patience or Patience()
        self._observer = observer
        self._roster: dict[str, str] = {}
        self._rostered = asyncio.Event()
        self._stash = _Stash()
        self._arrived = asyncio.Event()
        self._grants: asyncio.Queue[Grant] = asyncio.Queue()
        self._running: int | None = None
        self._last: Done | None = None
        self._outbox: dict[int, list[tuple[str, str, bytes]]] = {}
        self._expecting: Grant | None = None
        self._lives: list[asyncio.Task[None]] = []

    async def run(self, broker: Broker) -> None:
        """Take part in the run until the clock ends it.

        Raises:
            BrokerUnreachableError, BrokerLostError: see `broker.bus`.
            SsmicError: the clock refused this host, or an agent does not read its messages.
        """
        gone = Announcement(host=self.host_id, session=self.session, agents=(), state="gone")
        will = Will(topics.host(self.run_id, self.host_id), gone.encoded())
        async with broker.connect(f"{self.run_id}-{self.host_id}-{self.session}", will) as bus:
            await bus.subscribe(
                topics.roster(self.run_id),
                topics.inboxes(self.run_id, self.host_id),
                topics.resends(self.run_id, self.host_id),
                topics.grant(self.run_id, self.host_id),
            )
            await self._announce(bus)
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(bus), name=f"host[{self.host_id}].read")
                await self._run_rounds(bus, tasks)
                for task in (reader, *self._lives):
                    task.cancel()
            await bus.publish(will.topic, b"", qos=topics.QOS_FACTS, retain=True)

    async def _announce(self, bus: Bus) -> None:
        there = Announcement(host=self.host_id, session=self.session, agents=tuple(self._agents), state="there")
        topic = topics.host(self.run_id, self.host_id)
        await bus.publish(topic, there.encoded(), qos=topics.QOS_FACTS, retain=True)

    # What comes in.

    async def _read(self, bus: Bus) -> None:
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=self.host_id)
                await self._announce(bus)
                await self._ask_again(bus)
                continue
            try:
                await self._take(bus, event)
            except (ProtocolError, ValidationError) as error:
                self.dropped += 1
                log.warning("dropped", host=self.host_id, topic=event.topic, why=_first_line(error))

    async def _take(self, bus: Bus, delivery: Delivery) -> None:
        address = topics.parse(delivery.topic)
        if address is None or address.run != self.run_id:
            raise ProtocolError("not a topic of this run")
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
                    if to_host == from_host:
                        await bus.publish(topic, payload, qos=topics.QOS_ROUNDS)
            case _:
                raise ProtocolError("not a topic that a host reads")

    def _take_roster(self, roster: Roster) -> None:
        if self.session in roster.refused:
            raise SsmicError(f"host {self.host_id!r} takes part in run {self.run_id!r} already, from another process")
        mine = roster.hosts.get(self.host_id)
        if mine is None or set(mine.agents) != set(self._agents):
            raise ProtocolError("this host is not in the roster with its agents")
        self._roster = {agent: host for host, member in roster.hosts.items() for agent in member.agents}
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
        if agent != envelope.to or agent not in self._agents:
            raise ProtocolError(f"no agent {agent!r} here")
        if self._roster.get(envelope.sender) != from_host:
            raise ProtocolError(f"agent {envelope.sender!r} does not live on host {from_host!r}")
        if self._last is not None and envelope.step < self._last.step:
            return  # a late duplicate
        self._stash.add(from_host, envelope)
        self._arrived.set()

    # Rounds.

    async def _run_rounds(self, bus: Bus, tasks: asyncio.TaskGroup) -> None:
        await self._rostered.wait()
        while True:
            grant = await self._grants.get()
            await self._wait_for_messages(bus, grant)
            self._running = grant.step
            if grant.phase == "start":
                self._start_agents(grant, tasks)
            record = await self._run_round(grant, self._stash.take(grant.step - 1))
            if self._observer is not None:
                self._observer.round_ran(self.host_id, record)
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

    def _start_agents(self, grant: Grant, tasks: asyncio.TaskGroup) -> None:
        for agent in self._agents.values():
            agent.prepare(self._seed, grant.time)
            self._lives.append(tasks.create_task(agent.live(), name=f"agent[{agent.id}]"))

    async def _run_round(self, grant: Grant, envelopes: tuple[Envelope, ...]) -> RoundRecord:
        """Let the agents act. No I/O: the same grants and messages lead to the same records, on replay too."""
        for agent in self._agents.values():
            if grant.phase == "closing":
                agent.close()
            agent.advance(grant.time)
        for envelope in envelopes:
            self._deliver(envelope)
        sent: list[tuple[str, Envelope]] = []
        facts: list[Fact] = []
        failure: Failure | None = None
        for agent in self._agents.values():
            await agent.settle()
            if agent.failure is not None and failure is None:
                failure = Failure(agent=agent.id, traceback=agent.failure)
            outgoing, told = agent.collect()
            facts += told
            for message in outgoing:
                host = self._roster.get(message.to)
                if host is None:
                    failure = failure or Failure(agent=agent.id, traceback=f"sends to {message.to!r}: no such agent")
                else:
                    sent.append((host, _envelope(grant, agent.id, message)))
        timers = [timer for agent in self._agents.values() if (timer := agent.next_timer_s) is not None]
        next_s = min(timers, default=None)
        return RoundRecord(grant, envelopes, tuple(sent), tuple(facts), next_s, failure)

    def _deliver(self, envelope: Envelope) -> None:
        try:
            message = self._messages.validate_python(envelope.body)
        except ValidationError as error:
            self.dropped += 1
            log.warning("dropped", host=self.host_id, sender=envelope.sender, to=envelope.to, why=_first_line(error))
            return
        self._agents[envelope.to].deliver(Received(envelope.sender, envelope.seq, message), envelope.re)

    # What goes out.

    async def _publish(self, bus: Bus, record: RoundRecord) -> None:
        grant = record.grant
        counts: dict[str, int] = defaultdict(int)
        outbox: list[tuple[str, str, bytes]] = []
        for host, envelope in record.sent:
            counts[host] += 1
            topic = topics.inbox(self.run_id, host, envelope.to, self.host_id)
            outbox.append((host, topic, envelope.encoded()))
        # Granted this step, nobody waits for what was sent two steps ago.
        self._outbox = {step: kept for step, kept in self._outbox.items() if step >= grant.step - 1}
        self._outbox[grant.step] = outbox
        for _, topic, payload in outbox:
            await bus.publish(topic, payload, qos=topics.QOS_ROUNDS)
        for fact in record.facts:
            payload = fact.content.model_dump_json().encode()
            topic = (
                topics.ledger(self.run_id, fact.name)
                if fact.subject == "ledger"
                else topics.forecast(self.run_id, self.host_id, fact.name)
            )
            await bus.publish(topic, payload, qos=topics.QOS_FACTS, retain=True)
        self._last = Done(
            step=grant.step,
            time=grant.time,
            round=grant.round,
            sent=counts,
            next=record.next_s,
            failure=record.failure,
        )
        await self._answer(bus, self._last)

    async def _answer(self, bus: Bus, done: Done) -> None:
        await bus.publish(topics.done(self.run_id, self.host_id), done.encoded(), qos=topics.QOS_ROUNDS)


def _envelope(grant: Grant, sender: str, message: Outgoing) -> Envelope:
    return Envelope(
        step=grant.step,
        time=grant.time,
        round=grant.round,
        sender=sender,
        seq=message.seq,
        to=message.to,
        re=message.re,
        body=message.message.model_dump(mode="json"),
    )


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{error.error_count()} problems, the first: {place}: {first['msg']}"
    return str(error)
