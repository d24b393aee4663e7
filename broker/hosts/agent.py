"""An agent: coroutines over a few verbs, and nothing else of the world.

An agent sees virtual time, its messages and a generator of its own. All that it awaits goes through the verbs here,
so its host knows at every moment whether the agent still acts or waits; what an agent awaits in any other way counts
as acting, and time stands still for it. What one agent does depends on its own messages and timers alone, in their
order, never on how the agents of a host take turns: that is what makes a run repeat on any number of hosts.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import traceback
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel

from broker.errors import SsmicError

MessageT = TypeVar("MessageT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Received(Generic[MessageT]):
    """A message as an agent gets it."""

    sender: str
    seq: int
    message: MessageT


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as an agent leaves it to its host."""

    seq: int
    to: str
    message: BaseModel
    re: int | None


FactSubject = Literal["ledger", "forecast"]


@dataclass(frozen=True, slots=True)
class RetainedPublication:
    """Something an agent tells everybody, kept at the broker until it changes."""

    name: str
    content: BaseModel
    subject: FactSubject = "ledger"
    """Decides on the topic; see `broker.protocol.topics`."""


ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

MAX_WAITING_MESSAGES = 100_000
"""An inbox that holds more is not read by its agent: an error, not a reason to slow down."""


class AgentLostError(SsmicError):
    """The agent that was asked is gone for good, with its household."""


class TimeUp:
    """What waiting with `until_s` returns when the time has come first."""


TIME_UP: Final = TimeUp()


class Channel(Generic[ItemT]):
    """Where one coroutine of an agent leaves something for another one."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        self._items: deque[ItemT] = deque()
        self._reader: asyncio.Future[None] | None = None

    def put(self, item: ItemT) -> None:
        """Leave an item and wake the reader."""
        if len(self._items) >= MAX_WAITING_MESSAGES:
            raise SsmicError(f"agent {self._agent.id!r} does not read its messages: {len(self._items)} wait")
        self._items.append(item)
        if self._reader is not None:
            self._agent._wake(self._reader)  # noqa: SLF001 - a box is part of its agent

    async def get(self, until_s: int | None = None) -> ItemT | TimeUp:
        """Return the next item, or `TIME_UP` when virtual time reaches `until_s` first."""
        while not self._items:
            if until_s is not None and self._agent.now_s >= until_s:
                return TIME_UP
            self._reader = self._agent._future()  # noqa: SLF001
            if until_s is not None:
                self._agent._set_timer(until_s, self._reader)  # noqa: SLF001
            try:
                await self._agent._park(self._reader)  # noqa: SLF001
            finally:
                self._reader = None
        return self._items.popleft()

    def take_all(self) -> list[ItemT]:
        """Return what is there, without waiting."""
        items = list(self._items)
        self._items.clear()
        return items


class Agent(Generic[MessageT]):
    """Base of all agents; a subclass writes `run`.

    The verbs are `ask`, `send`, `reply`, `receive`, `receive_round`, `until`, `compute`, `tell` and `spawn`; `closing`
    opens when the run's end is reached.
    """

    def __init__(self, agent_id: str) -> None:
        self.id = agent_id
        self.now_s = 0
        """Virtual time, UNIX seconds."""
        self.rng = Random(0)
        self.is_closing = False
        """True once the run's end is reached: settle what is open, start nothing new."""
        self._seq = 0
        self._inbox: Channel[Received[MessageT]] = Channel(self)
        self._closing_boxes: list[Channel[None]] = []
        self._replies: dict[int, tuple[str, asyncio.Future[Received[MessageT]]]] = {}
        self._lost: set[str] = set()
        self._timers: list[tuple[int, int, asyncio.Future[Any]]] = []
        self._timer_count = 0
        self._busy = 0
        self._quiet: asyncio.Event = asyncio.Event()
        self._computing: deque[tuple[asyncio.Task[Any], asyncio.Future[None]]] = deque()
        self._tasks: asyncio.TaskGroup | None = None
        self._outgoing: list[Outgoing] = []
        self._facts: list[RetainedPublication] = []
        self._failure: str | None = None

    async def run(self) -> None:
        """Act until the run is over; returning early is fine."""

    def lost(self, agents: frozenset[str]) -> None:
        """Act on the loss of other agents; a subclass that had to do with them overrides this."""

    # The verbs.

    def send(self, to: str, message: MessageT, *, re: int | None = None) -> int:
        """Send a message; it is delivered in the next round. Returns its sequence number.

        What is sent to an agent that is lost goes nowhere.
        """
        seq = self._seq
        self._seq += 1
        if to not in self._lost:
            self._outgoing.append(Outgoing(seq, to, message, re))
        return seq

    def reply(self, received: Received[MessageT], message: MessageT) -> None:
        """Answer a message, asked or not."""
        self.send(received.sender, message, re=received.seq)

    async def ask(self, to: str, message: MessageT) -> MessageT:
        """Send a message and return the answer to it; no virtual time passes unless the other side lets it.

        Raises:
            AgentLostError: the other side is gone for good.
        """
        if to in self._lost:
            raise AgentLostError(f"agent {to!r} is lost")
        seq = self.send(to, message)
        future: asyncio.Future[Received[MessageT]] = self._future()
        self._replies[seq] = (to, future)
        try:
            return (await self._park(future)).message
        finally:
            del self._replies[seq]

    async def receive(self) -> Received[MessageT]:
        """Return the next message that is no answer to an `ask`."""
        received = await self._inbox.get()
        if isinstance(received, TimeUp):
            raise SsmicError("an inbox without a time limit ran out of time")
        return received

    async def receive_round(self, until_s: int | None = None) -> list[Received[MessageT]]:
        """Return all messages of the next round that brings any; none when virtual time reaches `until_s` first."""
        first = await self._inbox.get(until_s)
        if isinstance(first, TimeUp):
            return []
        return [first, *self._inbox.take_all()]

    async def until(self, time_s: int) -> None:
        """Wait until virtual time is `time_s`; return at once if it is, or is past."""
        if self.now_s < time_s:
            future: asyncio.Future[None] = self._future()
            self._set_timer(time_s, future)
            await self._park(future)

    async def compute(self, function: Callable[..., ResultT], *args: object) -> ResultT:
        """Run a long pure function in a thread; time stands still meanwhile.

        Results come back in the order in which they were asked for, each when the agent's other coroutines wait, so
        that no thread's speed can change what the agent does.
        """
        task = asyncio.create_task(asyncio.to_thread(function, *args), name=f"{self.id}.compute")
        turn: asyncio.Future[None] = self._future()
        self._computing.append((task, turn))
        try:
            await self._park(turn)
            return await task
        finally:
            task.cancel()

    def tell(self, name: str, content: BaseModel, subject: FactSubject = "ledger") -> None:
        """Publish a fact for everybody, retained under its subject and name; a later one replaces it."""
        self._facts.append(RetainedPublication(name, content, subject))

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Let another coroutine act for this agent; it ends with the agent, and its error is the agent's."""
        if self._tasks is None:
            coroutine.close()
            raise SsmicError(f"agent {self.id!r} does not run")
        self._busy += 1
        self._tasks.create_task(self._guard(coroutine), name=f"{self.id}.{name}")

    def box(self) -> Channel[Any]:
        """Return a new box between this agent's coroutines."""
        return Channel(self)

    async def closing(self) -> None:
        """Wait until the run's end is reached."""
        if not self.is_closing:
            box: Channel[None] = Channel(self)
            self._closing_boxes.append(box)
            await box.get()

    # What the host uses.

    def prepare(self, seed: int, now_s: int) -> None:
        """Get ready to live: set the clock and seed the generator by (run seed, agent id)."""
        self._busy = 1  # `run`, from the moment on when its task exists
        self.now_s = now_s
        digest = hashlib.sha256(f"{seed}/{self.id}".encode()).digest()
        self.rng = Random(int.from_bytes(digest))

    async def live(self) -> None:
        """Run all of the agent's coroutines; the host owns the task that this runs in."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._guard(self.run()), name=f"{self.id}.run")

    def deliver(self, received: Received[MessageT], re: int | None) -> None:
        """Hand over a message."""
        asked, reply = self._replies.get(re, (None, None)) if re is not None else (None, None)
        if reply is not None and asked == received.sender and not reply.done():
            self._wake(reply, received)
        else:
            self._inbox.put(received)

    def advance(self, now_s: int) -> None:
        """Set virtual time and wake those whose timer is due, in the order in which the timers were set.

        Once the run's end is reached, no timer is due any more.
        """
        self.now_s = now_s
        while not self.is_closing and self._timers and self._timers[0][0] <= now_s:
            future = heapq.heappop(self._timers)[2]
            if not future.done():
                self._wake(future)

    def close(self) -> None:
        """Tell the agent that the run's end is reached; once is enough."""
        if not self.is_closing:
            self.is_closing = True
            for box in self._closing_boxes:
                box.put(None)

    def lose(self, agents: Collection[str]) -> None:
        """Tell the agent that others are gone for good; what it asked them fails, then `lost` acts."""
        self._lost.update(agents)
        for asked, reply in self._replies.values():
            if asked in self._lost and not reply.done():
                self._busy += 1
                reply.set_exception(AgentLostError(f"agent {asked!r} is lost"))
        self.lost(frozenset(agents))

    async def settle(self) -> None:
        """Wait until all of the agent's coroutines wait, or one has failed."""
        while True:
            while self._busy and not self._failure:
                self._quiet.clear()
                await self._quiet.wait()
            if self._failure or not self._computing:
                return
            task, turn = self._computing.popleft()
            await asyncio.wait([task])
            self._wake(turn)

    def collect(self) -> tuple[list[Outgoing], list[RetainedPublication]]:
        """Return what was sent and told since the last call."""
        outgoing, self._outgoing = self._outgoing, []
        facts, self._facts = self._facts, []
        return outgoing, facts

    @property
    def next_timer_s(self) -> int | None:
        """When the agent's earliest timer is due."""
        while self._timers and self._timers[0][2].done():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    @property
    def failure(self) -> str | None:
        """The traceback of what one of its coroutines raised."""
        return self._failure

    # The accounts of who waits.

    def _future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def _set_timer(self, time_s: int, future: asyncio.Future[Any]) -> None:
        self._timer_count += 1
        heapq.heappush(self._timers, (time_s, self._timer_count, future))

    def _wake(self, future: asyncio.Future[Any], result: object = None) -> None:
        # Counted here and not when the coroutine goes on, or the agent would look quiet in between.
        if not future.done():
            self._busy += 1
            future.set_result(result)

    async def _park(self, future: asyncio.Future[ResultT]) -> ResultT:
        self._rest()
        return await future

    def _rest(self) -> None:
        self._busy -= 1
        if self._busy == 0:
            self._quiet.set()

    async def _guard(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except Exception:  # noqa: BLE001 - whatever an agent raises is reported to the clock, which ends the run
            self._failure = traceback.format_exc()
            self._quiet.set()
        finally:
            self._rest()
