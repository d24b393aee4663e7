"""Agents: coroutines that interact with the world only through a few methods.

An agent sees virtual time, its messages, and its own random generator. It awaits only through the methods here, so its
host always knows whether the agent is active or blocked; while it awaits anything else, it counts as active, and time
stands still. What an agent does depends only on its own messages and timers and their order, never on how the agents of
a host are interleaved. That makes runs reproducible on any number of hosts.
"""

from __future__ import annotations

import asyncio
import hashlib
import traceback
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from broker.errors import PluginError, SsmicError
from broker.hosts.coroutines import MAX_WAITING_MESSAGES, AgentCoroutines, Channel, TimedOut, new_future

MessageT = TypeVar("MessageT", bound=BaseModel)


class Received(NamedTuple, Generic[MessageT]):
    """A message as an agent receives it."""

    sender: str
    seq: int
    message: MessageT
    step: int = 0
    """The step in which it was sent. All messages of a round were sent in the same step."""


@dataclass(frozen=True, slots=True)
class MessageRejection:
    """A message that an agent refused because its sender was not entitled to send it."""

    agent: str
    """The agent that refused it."""
    sender: str
    why: str


class Outgoing(NamedTuple):
    """A message as an agent hands it to its host."""

    seq: int
    to: str
    message: BaseModel
    re: int | None


Subject = Literal["ledger", "forecast"]


@runtime_checkable
class Shortenable(Protocol):
    """Content of a publication that may become larger than a message."""

    def shortened(self, most_bytes: int) -> BaseModel:
        """Return what is published instead, of this size as JSON at most."""
        ...


@dataclass(frozen=True, slots=True)
class RetainedPublication:
    """Something that an agent publishes to everyone; retained by the broker until it is replaced."""

    name: str
    content: BaseModel
    subject: Subject = "ledger"
    """Determines the topic; see `broker.protocol.topics`."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction from an agent to the world outside the run, sent through its host's port."""

    agent: str
    content: BaseModel


@dataclass(slots=True)
class _Outbox:
    """What an agent has produced for its host since the host last looked."""

    messages: list[Outgoing] = field(default_factory=list)
    publications: list[RetainedPublication] = field(default_factory=list)
    rejections: list[MessageRejection] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)


ResultT = TypeVar("ResultT")


class AgentLostError(SsmicError):
    """The agent that was asked is permanently gone, together with its household."""


class AskLapsedError(AgentLostError):
    """The agent that was asked has run and did not answer, or there is no such agent."""


@dataclass(slots=True)
class _Group:
    """Requests that were sent in the same round."""

    all_answered: asyncio.Future[None]
    unanswered: int = 0


class _Asked(NamedTuple):
    """A request that waits for its answer."""

    to: str
    reply: asyncio.Future[Received[Any]]
    group: _Group | None = None
    """The group of requests that were sent in the same round."""


def _answer_of(reply: asyncio.Future[Received[MessageT]]) -> MessageT | AgentLostError:
    """Return the answer, or the reason why there is none."""
    error = reply.exception()
    if isinstance(error, AgentLostError):
        return error
    return reply.result().message


class Agent(Generic[MessageT]):
    """Base class of all agents; a subclass implements `run`.

    Its methods are `ask`, `ask_all`, `send`, `reply`, `reject`, `receive`, `receive_round`, `until`, `pass_rounds`,
    `compute`, `publish`, `instruct`, `spawn` and `channel`; `closing` waits for the end of the run.
    """

    def __init__(self, agent_id: str) -> None:
        self.id = agent_id
        self.now_s = 0
        """Virtual time, UNIX seconds."""
        self._rng: Random | None = None
        self._run_seed = 0
        self.is_closing = False
        """True once the run's end is reached: the agent should finish what is open and start nothing new."""
        self._seq = 0
        self._inbox: Channel[Received[MessageT]] = Channel(self, most=None)
        self._closing_channels: list[Channel[None]] = []
        self._replies: dict[int, _Asked] = {}
        """By sequence number, the requests that wait for an answer."""
        self._lost: frozenset[str] = frozenset()
        self._outbox = _Outbox()
        self.coroutines = AgentCoroutines()
        """The agent's coroutines. Used by this class, its channels and its host; subclasses call methods instead."""

    @property
    def rng(self) -> Random:
        """The agent's random generator, seeded by (run seed, agent id); made when it is first used, as most never are.

        Each takes 2.5 kB.
        """
        if self._rng is None:
            digest = hashlib.sha256(f"{self._run_seed}/{self.id}".encode()).digest()
            self._rng = Random(int.from_bytes(digest))
        return self._rng

    @property
    def next_seq(self) -> int:
        """Sequence number of the next message that is sent."""
        return self._seq

    @property
    def timers_until_s(self) -> int | None:
        """The run does not continue for the agent's timers after this time, UNIX seconds; None: for all of them."""
        return self.coroutines.timers_until_s

    @timers_until_s.setter
    def timers_until_s(self, until_s: int | None) -> None:
        self.coroutines.timers_until_s = until_s

    @property
    def step(self) -> int:
        """The step of the round that runs."""
        return self.coroutines.step

    async def run(self) -> None:
        """Act until the run is over; may return early."""

    def on_lost(self, agents: frozenset[str]) -> None:
        """Called when other agents are lost; a subclass that interacts with them overrides this."""

    # For subclasses.

    def send(self, to: str, message: MessageT, *, re: int | None = None) -> int:
        """Send a message, which is delivered in the next round. Messages to lost agents are discarded.

        Args:
            to: Id of the receiving agent.
            message: The message.
            re: Sequence number of the message that this one answers; None: it is not an answer.

        Returns:
            The message's sequence number.

        Raises:
            TypeError: An agent of another package sends something else; here, because the error then names its code.
        """
        given: tuple[object, object] = (to, message)
        if not (isinstance(given[0], str) and isinstance(given[1], BaseModel)):
            raise TypeError(f"send({to!r:.40}, {message!r:.40}): expected an agent's id and a message")
        seq = self._seq
        self._seq += 1
        if to not in self._lost:
            self._outbox.messages.append(Outgoing(seq, to, message, re))
        return seq

    def reply(self, received: Received[MessageT], message: MessageT) -> None:
        """Send a message as the answer to another one, whose sender may wait for it."""
        self.send(received.sender, message, re=received.seq)

    def reject(self, sender: str, why: str) -> None:
        """Refuse a message: the host counts it against the sender and logs it. Lies of other agents raise no exception.

        Args:
            sender: The agent that sent it.
            why: What the sender did, and what was expected instead.
        """
        self._outbox.rejections.append(MessageRejection(self.id, sender, why))

    async def ask(self, to: str, message: MessageT) -> MessageT:
        """Send a message and return the answer, which takes no virtual time.

        A request lapses when no message that could answer it is in flight in the whole neighbourhood. So an agent that
        does not answer cannot keep others waiting.

        Args:
            to: Id of the receiving agent.
            message: The message.

        Raises:
            AskLapsedError: The other agent has not answered although it could have.
            AgentLostError: The other agent is permanently gone.
        """
        if to in self._lost:
            raise AgentLostError(f"agent {to!r} is lost")
        seq = self.send(to, message)
        future: asyncio.Future[Received[MessageT]] = new_future()
        self._replies[seq] = _Asked(to, future)
        try:
            return (await self.coroutines.block(future)).message
        finally:
            del self._replies[seq]

    async def ask_all(self, questions: Sequence[tuple[str, MessageT]]) -> list[MessageT | AgentLostError]:
        """Ask several agents in the same round, and return all answers.

        Args:
            questions: Ids of agents, each with the message for it.

        Returns:
            For each question its answer, or the error that `ask` would raise.
        """
        group = _Group(new_future())
        asked: list[tuple[int, _Asked]] = []
        for to, message in questions:
            seq = self.send(to, message)
            asked.append((seq, _Asked(to, new_future(), group)))
            group.unanswered += 1
        for seq, one in asked:
            if one.to in self._lost:
                self._answer(one, AgentLostError(f"agent {one.to!r} is lost"))
            else:
                self._replies[seq] = one
        try:
            if asked:
                # The agent wakes up once, when the last answer has come: one that waits on is no activity.
                await self.coroutines.block(group.all_answered)
        finally:
            for seq, _ in asked:
                self._replies.pop(seq, None)
        return [_answer_of(one.reply) for _, one in asked]

    async def receive(self) -> Received[MessageT]:
        """Return the next message that does not answer an `ask`."""
        received = await self._inbox.get()
        if isinstance(received, TimedOut):
            raise SsmicError("receiving without a time limit timed out")
        return received

    async def receive_round(self, until_s: int | None = None) -> list[Received[MessageT]]:
        """Return all messages of the next round that contains any.

        Args:
            until_s: Stop waiting at this virtual time, UNIX seconds; None: never.

        Returns:
            The messages; empty if `until_s` was reached first.
        """
        first = await self._inbox.get(until_s)
        if isinstance(first, TimedOut):
            return []
        return [first, *self._inbox.take_all()]

    async def until(self, time_s: int) -> None:
        """Wait until a virtual time, UNIX seconds; return at once if it has passed."""
        if self.now_s < time_s:
            future: asyncio.Future[None] = new_future()
            self.coroutines.set_timer(time_s, future)
            await self.coroutines.block(future)

    async def pass_rounds(self, count: int) -> None:
        """Wait until a number of rounds of the present second have passed, whether or not any agent acts in them.

        Rounds in which no agent acts are only counted, not run, so skipping them takes no time.

        Args:
            count: How many rounds; with 1, the coroutine continues in the next one.
        """
        if count > 0:
            await self.coroutines.pass_rounds(count)

    async def compute(self, function: Callable[..., ResultT], *args: object) -> ResultT:
        """Run a long pure function in a thread while virtual time stands still.

        Results are returned in the order of the calls, and only when the agent's other coroutines are blocked, so that
        the speed of a thread cannot affect what the agent does.

        Args:
            function: Must not depend on anything but its arguments.
            args: Its arguments.

        Returns:
            The function's result.
        """
        return await self.coroutines.compute(function, args, f"{self.id}.compute")

    def publish(self, name: str, content: BaseModel, subject: Subject = "ledger") -> None:
        """Publish something to everyone, retained until it is published again under the same subject and name.

        Args:
            name: Last level of the topic: a contract's or a producer's id.
            content: The content to publish.
            subject: Determines the topic.

        Raises:
            TypeError: An agent of another package publishes something else.
        """
        given: tuple[object, object] = (name, content)
        if not (isinstance(given[0], str) and isinstance(given[1], BaseModel)):
            raise TypeError(f"publish({name!r:.40}, {content!r:.40}): expected a name and a message")
        self._outbox.publications.append(RetainedPublication(name, content, subject))

    def instruct(self, content: BaseModel) -> None:
        """Send an instruction to the world outside the run; see `broker.hosts.external_port`."""
        self._outbox.instructions.append(Instruction(self.id, content))

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Start another coroutine of this agent. It ends with the agent, and its exception is the agent's.

        Args:
            coroutine: The coroutine.
            name: Identifies its task in debugging output.

        Raises:
            SsmicError: The agent is not running.
            TypeError: An agent of another package starts something else.
        """
        given: object = coroutine
        if not asyncio.iscoroutine(given):
            raise TypeError(
                f"spawn({coroutine!r:.40}): expected a coroutine, as an `async def` returns when it is called"
            )
        if not self.coroutines.spawn(coroutine, f"{self.id}.{name}"):
            coroutine.close()
            raise SsmicError(f"agent {self.id!r} is not running")

    def channel(self) -> Channel[Any]:
        """Return a new channel between this agent's coroutines."""
        return Channel(self)

    async def closing(self) -> None:
        """Wait until the run's end is reached."""
        if not self.is_closing:
            channel: Channel[None] = Channel(self)
            self._closing_channels.append(channel)
            await channel.get()

    # For the host.

    def prepare(self, seed: int, now_s: int) -> None:
        """Initialise the agent before it runs; its generator is seeded by (run seed, agent id).

        Args:
            seed: The run's seed.
            now_s: Virtual time, UNIX seconds.
        """
        self.coroutines.prepare()
        self.now_s = now_s
        self._run_seed = seed

    def live(self) -> Coroutine[Any, Any, None]:
        """Return what runs all of the agent's coroutines; `run` runs in the task that the host has made."""
        return self.coroutines.live(self.run())

    def deliver(self, received: Received[MessageT], re: int | None) -> None:
        """Deliver a message.

        Args:
            received: The message.
            re: Sequence number of the message that it answers; None: it is not an answer.
        """
        asked = self._replies.get(re) if re is not None else None
        if asked is not None and asked.to == received.sender and not asked.reply.done():
            self._answer(asked, received)
        else:
            self._inbox.put(received)

    def advance(self, now_s: int, step: int = 0) -> None:
        """Set virtual time and wake the coroutines whose timers are due, in the order in which they were set.

        Once the run's end is reached, timers no longer fire.

        Args:
            now_s: Virtual time, UNIX seconds.
            step: The step of the round; coroutines that skip rounds until this step continue.

        Raises:
            SsmicError: The agent has left too many messages of earlier rounds unread, however many one round brings.
        """
        if self._inbox.waiting > MAX_WAITING_MESSAGES:
            raise SsmicError(f"agent {self.id!r} does not read its messages: {self._inbox.waiting} are waiting")
        self.now_s = now_s
        self.coroutines.begin_round(step, None if self.is_closing else now_s)

    def close(self) -> None:
        """Inform the agent that the run's end is reached; repeated calls have no effect."""
        if not self.is_closing:
            self.is_closing = True
            for channel in self._closing_channels:
                channel.put(None)

    def mark_lost(self, agents: Collection[str]) -> None:
        """Inform the agent that others are permanently gone: its pending requests to them fail, then `on_lost` runs."""
        self._lost = self._lost.union(agents)
        for asked in self._replies.values():
            if asked.to in self._lost:
                self._answer(asked, AgentLostError(f"agent {asked.to!r} is lost"))
        try:
            self.on_lost(frozenset(agents))
        except Exception as error:  # noqa: BLE001 - reported to the clock, as what its coroutines raise is
            self.coroutines.fail_with(error)

    @property
    def is_asking(self) -> bool:
        """Whether a request of the agent is unanswered."""
        return bool(self._replies) and any(not asked.reply.done() for asked in self._replies.values())

    def lapse(self, seqs: Collection[int] | None = None) -> None:
        """Let unanswered requests lapse, in the order in which they were made.

        Args:
            seqs: Their sequence numbers; None: all.
        """
        for seq, asked in self._replies.items():
            if seqs is None or seq in seqs:
                self._answer(asked, AskLapsedError(f"agent {asked.to!r} has not answered"))

    def collect(self) -> tuple[list[Outgoing], list[RetainedPublication]]:
        """Remove and return the messages and publications since the last call."""
        outbox = self._outbox
        messages, publications = outbox.messages, outbox.publications
        if messages:
            outbox.messages = []
        if publications:
            outbox.publications = []
        return messages, publications

    def take_rejections(self) -> list[MessageRejection]:
        """Remove and return the messages that the agent refused since the last call."""
        rejections = self._outbox.rejections
        if rejections:
            self._outbox.rejections = []
        return rejections

    def take_instructions(self) -> list[Instruction]:
        """Remove and return the instructions since the last call."""
        instructions = self._outbox.instructions
        if instructions:
            self._outbox.instructions = []
        return instructions

    def describe_failure(self, error: BaseException) -> str:
        """Return what is reported of an exception that ends the run: the traceback, or the message of a plug-in's."""
        return str(error) if isinstance(error, PluginError) else "".join(traceback.format_exception(error))

    def _answer(self, asked: _Asked, answer: Received[MessageT] | AgentLostError) -> None:
        """Resolve a request with its answer, or with the reason why there is none."""
        if asked.group is None:
            if isinstance(answer, AgentLostError):
                self.coroutines.fail(asked.reply, answer)
            else:
                self.coroutines.wake(asked.reply, answer)
        elif not asked.reply.done():
            # No coroutine waits for a single answer of a group.
            if isinstance(answer, AgentLostError):
                asked.reply.set_exception(answer)
            else:
                asked.reply.set_result(answer)
            asked.group.unanswered -= 1
            if not asked.group.unanswered:
                self.coroutines.wake(asked.group.all_answered)
