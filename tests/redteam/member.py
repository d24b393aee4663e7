"""A household that has been taken over: a client with that household's login that speaks the wire protocol itself.

A `Member` announces itself, answers grants, and sends what its household's agents say, unless an `Attack` changes it.
It uses no host of ours: what it publishes are bytes, so that it can say what no host would.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

import aiomqtt

from agents.messages import MESSAGES
from agents.model import MANAGER
from agents.ranking import NegotiationSettings
from broker.hosts.agent_group import AgentGroup
from broker.hosts.rounds import Round
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes, envelopes_of
from broker.protocol.wire import Announcement, Batch, Grant, ResendRequest, Roster
from broker.security.provision import login_folder
from broker.transport.base import Bus, Content, Delivery
from scenarios.scenario import Scenario
from scenarios.simulation.agents import AgentSet, agents_by_host
from scenarios.simulation.settings import RunSettings
from tests.deployment.guarded import GuardedBroker
from tests.redteam.plain_client import PlainClient

Body = Mapping[str, Any]


class MemberConnection(Protocol):
    """What a member needs of a connection; the project's own buses have it too."""

    async def publish(self, topic: str, payload: bytes | Content, *, qos: int = 0, retain: bool = False) -> None:
        """Publish a message."""
        ...

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        """Receive messages on topics."""
        ...

    def messages(self) -> AsyncIterator[Any]:
        """Return incoming messages; only `Delivery` is of interest."""
        ...


class PlainMqtt:
    """A connection by aiomqtt alone."""

    def __init__(self, client: PlainClient) -> None:
        self._client = client

    async def publish(self, topic: str, payload: bytes | Content, *, qos: int = 0, retain: bool = False) -> None:
        """Publish a message."""
        encoded = payload if isinstance(payload, bytes) else payload.encoded()
        await self._client.publish(topic, encoded, qos=qos, retain=retain)

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        """Receive messages on topics."""
        await self._client.subscribe([(topic_filter, qos) for topic_filter in topic_filters])

    async def messages(self) -> AsyncIterator[Delivery]:
        """Return incoming messages."""
        async for message in self._client.messages:
            yield Delivery(str(message.topic), message.payload, message.retain)


@asynccontextmanager
async def plain_mqtt(guarded: GuardedBroker, login: str) -> AsyncIterator[PlainMqtt]:
    """Connect with a household's login and certificate authority, as any MQTT client would."""
    own = login_folder(guarded.folder, login)
    client = PlainClient(
        "localhost",
        guarded.port,
        identifier=f"plain-{secrets.token_hex(8)}",
        username=topics.encode(login),
        password=(own / "password").read_text(encoding="utf-8").strip(),
        tls_context=ssl.create_default_context(cafile=own / "ca.crt"),
        protocol=aiomqtt.ProtocolVersion.V311,
    )
    with suppress(aiomqtt.MqttError):  # the broker may cut a member off
        async with client:
            yield PlainMqtt(client)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a member is about to publish."""

    home: str
    """The receiving host."""
    to: str
    """The receiving agent, as the topic names it."""
    payload: bytes
    """A separate batch, so that its errors affect no other message."""
    is_counted: bool = True
    """Whether the answer counts it."""

    @property
    def body(self) -> dict[str, Any]:
        """The message's body."""
        body: dict[str, Any] = fields_of(self.payload)["body"]
        return body


def batch_with(fields: Mapping[str, Any]) -> bytes:
    """Return a batch of one message.

    Args:
        fields: Of the batch, its round and its message; what none of them has goes to the message.
    """
    batch = {"v": fields["v"], "session": fields["session"]}
    round_ = {name: fields[name] for name in ("step", "time", "round")}
    message = {name: value for name, value in fields.items() if name not in batch and name not in round_}
    return json.dumps(batch | {"rounds": [round_ | {"messages": [message]}]}).encode()


def fields_of(payload: bytes) -> dict[str, Any]:
    """Return the fields of a batch of one message; inverse of `batch_with`."""
    batch = json.loads(payload)
    (round_,) = batch.pop("rounds")
    (message,) = round_.pop("messages")
    fields: dict[str, Any] = {**batch, **round_, **message}
    return fields


@dataclass(slots=True)
class Turn:
    """One round of a member, before it is published; an attack changes it."""

    member: Member
    grant: Grant
    delivered: tuple[Envelope, ...]
    """What the household's agents received."""
    sent: list[Sent]
    """What they say."""
    done: dict[str, Any]
    """The answer to the clock, without the counts of messages, which are added unless the attack sets them."""
    raw: list[tuple[str, bytes]] = field(default_factory=list)
    """Further payloads to publish, by topic, before the answer."""
    later: list[Sent] = field(default_factory=list)
    """Messages to publish after the answer, which does not count them."""
    pauses: bool = False
    """Whether an operator pauses the run before the answer, and resumes it later."""

    @property
    def is_first_of_run(self) -> bool:
        """Whether this is the member's first round after the start: the usual moment of a single attack."""
        return self.grant.phase == "run" and self.member.runs == 1

    def say(self, to: str, body: Body, *, sender: str | None = None, is_counted: bool = True, **fields: object) -> None:
        """Add a message.

        Args:
            to: The receiving agent.
            body: Its body.
            sender: The agent that it claims to be from; None: the household's first one.
            is_counted: Whether the answer counts it.
            fields: Fields of the envelope that differ from what a host would write.
        """
        member = self.member
        member.seq += 1
        envelope = {
            "v": 6,
            "session": member.session,
            "step": self.grant.step,
            "time": self.grant.time,
            "round": self.grant.round,
            "sender": sender or member.agents[0],
            "seq": member.seq,
            "to": to,
            "re": None,
            "body": body,
        }
        payload = batch_with(envelope | fields)
        self.sent.append(Sent(member.home_of(to), to, payload, is_counted))

    def change(self, kind: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the bodies of all messages of a kind."""
        for i, message in enumerate(self.sent):
            fields = fields_of(message.payload)
            if fields["body"].get("kind") == kind:
                change(fields["body"])
                self.sent[i] = Sent(message.home, message.to, batch_with(fields), message.is_counted)

    def keep_silent(self, *kinds: str) -> None:
        """Leave out all messages of these kinds."""
        self.sent = [message for message in self.sent if message.body.get("kind") not in kinds]


Attack = Callable[[Turn], None]


@dataclass(frozen=True, slots=True)
class Aside:
    """Something that a member says outside its rounds."""

    topic: str
    payload: bytes
    is_retained: bool = False


Moment = Literal["before it joins", "before the run", "after an answer", "in a pause", "after the end", "after it left"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)
Asides = Callable[["Member", Moment], Sequence[Aside]]
Command = Callable[[Literal["pause", "resume"]], Awaitable[None]]


class Member:
    """One household's login, and what it says."""

    def __init__(
        self,
        scenario: Scenario,
        house: str,
        run: str,
        attack: Attack | None = None,
        *,
        seed: int = 1,
        acts: bool = True,
        asides: Asides | None = None,
        negotiating: NegotiationSettings | None = None,
    ) -> None:
        """Create a member.

        Args:
            scenario: What is run.
            house: The household.
            run: The run's id.
            attack: Called with every round before it is published.
            seed: The run's seed.
            acts: Whether the household's agents act as they should apart from that; else they are silent.
            asides: Called for what it says outside its rounds; None: nothing.
            negotiating: How jobs find a supplier; None: the default.
        """
        homes = agents_by_host(scenario)
        self.house = house
        self.run = run
        self.agents = homes[house]
        self.session = secrets.token_hex(8)
        self.seq = 1_000_000
        self.runs = 0
        """Rounds of the phase `run` so far."""
        self.ending = ""
        """How it ended: `left`, `refused: ...`, `failed: ...`, or empty."""
        self.sessions: dict[str, str] = {}
        """By host, the session that the roster named last."""
        self.granted: list[Grant] = []
        """All grants that were answered."""
        self._attack = attack
        self._asides = asides
        self._is_out = False
        self.command: Command | None = None
        """Has the operator command the clock, if there is one."""
        self._homes = {agent: host for host, agents in homes.items() for agent in agents}
        self.negotiating = negotiating or NegotiationSettings()
        settings = RunSettings(seed, run, supply=scenario.supply_settings, negotiating=self.negotiating)
        self.setup = settings.fingerprint(scenario, [house])
        agents = AgentSet(scenario, settings, set(self.agents)).living_at(self.agents) if acts else []
        self._group = AgentGroup(agents, MESSAGES, seed=seed, session=self.session)
        self._held: dict[int, dict[tuple[str, int], tuple[str, Envelope]]] = {}
        self._published: dict[int, list[Sent]] = {}
        self._answer = b""
        self._last = -1
        self._grant: Grant | None = None

    def home_of(self, agent: str) -> str:
        """Return the host of an agent; of one that does not exist, the manager's."""
        return self._homes.get(agent, MANAGER)

    @property
    def everybody(self) -> Sequence[str]:
        """The ids of all agents of the run."""
        return list(self._homes)

    async def take_part(self, wire: MemberConnection | Bus) -> None:
        """Take part until the run has ended or the member is quarantined."""
        run, house = self.run, self.house
        await wire.subscribe(topics.roster(run), qos=1)
        await wire.subscribe(topics.inboxes(run, house), topics.resends(run, house))
        await wire.subscribe(topics.grants(run), topics.grant(run, house))
        await self._speak_aside(wire, "before it joins")
        await self._announce(wire)
        await self._speak_aside(wire, "before the run")

        async with asyncio.TaskGroup() as tasks:
            async for delivery in wire.messages():
                if isinstance(delivery, Delivery):
                    await self._take(wire, delivery, tasks)
                if self.ending:
                    break
            self._group.stop()
        await self._speak_aside(wire, "after the end")
        await wire.publish(topics.host(run, house), b"", qos=1, retain=True)
        await self._speak_aside(wire, "after it left")

    async def _speak_aside(self, wire: MemberConnection | Bus, moment: Moment) -> None:
        for aside in self._asides(self, moment) if self._asides is not None else ():
            await wire.publish(aside.topic, aside.payload, retain=aside.is_retained)

    async def _announce(self, wire: MemberConnection | Bus) -> None:
        there = Announcement(
            host=self.house, session=self.session, agents=self.agents, setup=self.setup, ran=self._last, state="there"
        )
        await wire.publish(topics.host(self.run, self.house), there.encoded(), qos=1, retain=True)

    async def _take(self, wire: MemberConnection | Bus, delivery: Delivery, tasks: asyncio.TaskGroup) -> None:
        address = topics.parse(delivery.topic)
        if address is None or not delivery.payload:
            return
        match address.kind:
            case "roster":
                await self._read_roster(wire, Roster.model_validate_json(delivery.payload), is_stored=delivery.retain)
            case "grants" | "grant":
                grant = Grant.model_validate_json(delivery.payload)
                if self.house in grant.expected:
                    await self._take_grant(wire, grant)
            case "inbox":
                with suppress(ValueError):  # it may have lied to itself
                    self._hold(address.ids[1], Batch.model_validate_json(delivery.payload))
            case "resend":
                await self._send_again(wire, address.ids[1], delivery.payload)
        if self._grant is not None and not self._missing(self._grant):
            grant, self._grant = self._grant, None
            await self._run_round(wire, grant, tasks)

    async def _send_again(self, wire: MemberConnection | Bus, from_host: str, request: bytes) -> None:
        with suppress(ValueError):
            for message in self._published.get(ResendRequest.model_validate_json(request).step, []):
                if from_host in {message.home, topics.CLOCK}:
                    await self._publish(wire, message)

    def _hold(self, from_host: str, batch: Batch) -> None:
        for envelope in envelopes_of(batch):
            if envelope.to not in self.agents:
                continue
            self._held.setdefault(envelope.step, {})[envelope.sender, envelope.seq] = (from_host, envelope)

    async def _take_grant(self, wire: MemberConnection | Bus, grant: Grant) -> None:
        if grant.step <= self._last:
            await wire.publish(topics.done(self.run, self.house), self._answer)
            return
        if self._grant is not None:
            await self._request_missing(wire, grant)
        self._grant = grant

    async def _read_roster(self, wire: MemberConnection | Bus, roster: Roster, *, is_stored: bool) -> None:
        self.sessions |= {host: member.session for host, member in roster.hosts.items() if member.session}
        if self.session in roster.refused:
            self.ending = f"refused: {roster.refused[self.session]}"
        elif roster.failed and not is_stored:
            self.ending = f"failed: {roster.failed}"
        elif roster.ended:
            self.ending = "left"
        elif self.house in roster.quarantined and not self._is_out:
            self._is_out = True
            await self._speak_aside(wire, "after it left")
        elif (mine := roster.hosts.get(self.house)) is not None and mine.session != self.session and not self.granted:
            await self._announce(wire)

    def _missing(self, grant: Grant) -> list[str]:
        have = Counter(host for host, _ in self._held.get(grant.step - 1, {}).values())
        return [host for host, count in grant.expected[self.house].items() if have[host] < count]

    async def _request_missing(self, wire: MemberConnection | Bus, grant: Grant) -> None:
        for host in self._missing(grant):
            request = ResendRequest(step=grant.step - 1).encoded()
            await wire.publish(topics.resend(self.run, host, self.house), request)

    async def _run_round(self, wire: MemberConnection | Bus, grant: Grant, tasks: asyncio.TaskGroup) -> None:
        held = self._held.pop(grant.step - 1, {})
        expected = {self.house, *grant.expected[self.house]}
        envelopes = tuple(held[key][1] for key in sorted(held) if held[key][0] in expected)
        round_ = Round.of(grant, self.house)
        assert round_ is not None
        record = await self._group.run_round(round_, envelopes, self._homes, tasks)
        self.granted.append(grant)
        self.runs += grant.phase == "run"
        sent = [Sent(home, envelope.to, Envelopes([envelope]).encoded()) for home, envelope in record.sent]
        done: dict[str, Any] = {
            "v": 6,
            "session": self.session,
            "step": grant.step,
            "time": grant.time,
            "round": grant.round,
            "next": record.next_s,
            "busy": False,
            "failure": None,
        }
        if record.is_asking:
            done["asking"] = True
        if record.next_step is not None:
            done["resume"] = record.next_step
        turn = Turn(self, grant, envelopes, sent, done)
        if self._attack is not None:
            self._attack(turn)
        counted = Counter(message.home for message in turn.sent if message.is_counted)
        local = counted.pop(self.house, 0)
        self._answer = json.dumps({"sent": counted, "local": local, "pending": local > 0} | turn.done).encode()
        self._last = grant.step
        self._published = {grant.step - 1: self._published.get(grant.step - 1, []), grant.step: turn.sent}
        for message in turn.sent:
            await self._publish(wire, message)
        for topic, payload in turn.raw:
            await wire.publish(topic, payload)
        if turn.pauses and self.command is not None:
            await self.command("pause")
        await wire.publish(topics.done(self.run, self.house), self._answer)
        for message in turn.later:
            await self._publish(wire, message)
        if turn.pauses and self.command is not None:
            await self._speak_aside(wire, "in a pause")
            await self.command("resume")
        await self._speak_aside(wire, "after an answer")
        if grant.phase == "end":
            self.ending = "left"

    async def _publish(self, wire: MemberConnection | Bus, message: Sent) -> None:
        if message.home == self.house:
            with suppress(ValueError):  # what it says to itself may be anything, too
                self._hold(self.house, Batch.model_validate_json(message.payload))
            await wire.publish(topics.local(self.run, self.house), message.payload)
        else:
            await wire.publish(topics.inbox(self.run, message.home, self.house), message.payload)
