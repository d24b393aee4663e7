"""The coroutines of one agent: which of them are active, and what wakes the blocked ones.

A host has to know when an agent has nothing left to do at the present moment. So every coroutine of an agent waits
through `block`, and is counted as active from the moment it is woken, not from when it resumes.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from broker.errors import CoroutineCancelledError, SsmicError, UnknownCoroutineError

if TYPE_CHECKING:
    from broker.hosts.agent import Agent

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

MAX_WAITING_MESSAGES = 100_000
"""More unread messages than this mean that the agent does not read its inbox, which is an error."""


def new_future() -> asyncio.Future[Any]:
    """Return a future of the running event loop, for `AgentCoroutines.block`."""
    return asyncio.get_running_loop().create_future()


class AgentCoroutines:
    """The coroutines of one agent, with the timers that they have set.

    A plug-in may also have asyncio make tasks. They are not coroutines of the agent, and nothing waits for them; but
    they end with the agent, and what one of them raises is the agent's failure, unless the agent has caught it by the
    end of the round.
    """

    __slots__ = (
        "_all_blocked",
        "_busy",
        "_computing",
        "_is_spawning",
        "_order",
        "_resumptions",
        "_tasks",
        "_tasks_of_asyncio",
        "_timers",
        "failure",
        "step",
        "timers_until_s",
    )

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        """What one of the coroutines raised; None: no failure."""
        self.step = 0
        """The step of the round that runs."""
        self.timers_until_s: int | None = None
        """See `Agent.timers_until_s`."""
        self._busy = 0
        """How many coroutines are active."""
        self._all_blocked: asyncio.Future[None] | None = None
        """Done once all coroutines are blocked, or one has failed; None: the host does not wait for it."""
        self._tasks: asyncio.TaskGroup | None = None
        """None: the agent is not running."""
        self._is_spawning = False
        """Whether the task that is being made is one of the agent's coroutines."""
        self._tasks_of_asyncio: list[asyncio.Task[Any]] = []
        """Made by the agent without `spawn`, in this order."""
        self._order = 0
        """Counts timers and skipped rounds, so that those of the same moment fire in the order in which they were set.
        """
        self._timers: list[tuple[int, int, asyncio.Future[Any]]] = []
        """A heap: when each is due, UNIX seconds, order, future."""
        self._resumptions: list[tuple[int, int, asyncio.Future[None]]] = []
        """A heap of coroutines that skip rounds: the step in which each continues, order, future."""
        self._computing: list[tuple[asyncio.Task[Any], asyncio.Future[None]]] = []
        """Functions in threads, in the order of the calls; each with the future that lets its caller continue."""

    # Running.

    def prepare(self) -> None:
        """Count the first coroutine as active before its task exists."""
        self._busy = 1
        self.failure = None

    async def live(self, first: Coroutine[Any, Any, None]) -> None:
        """Run all coroutines, the first one in the present task."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await self._guard(first)
        except asyncio.CancelledError as cancelled:
            if cancelled is not self.failure:
                # It refers to frames that refer to it: they would stay in memory until they are collected.
                cancelled.__traceback__ = None
            raise
        finally:
            self._tasks = None
            for task in self._tasks_of_asyncio:
                task.cancel()
            self._tasks_of_asyncio.clear()

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> bool:
        """Start another coroutine; return False if the agent is not running.

        Args:
            coroutine: The coroutine.
            name: Name of its task.
        """
        if self._tasks is None:
            return False
        self._busy += 1
        self._is_spawning = True
        self._tasks.create_task(self._guard(coroutine), name=name)
        self._is_spawning = False
        return True

    def add_task_of_asyncio(self, task: asyncio.Task[Any]) -> None:
        """Note a task that a coroutine of the agent has made, unless `spawn` makes it."""
        if not self._is_spawning:
            self._tasks_of_asyncio.append(task)

    async def compute(self, function: Callable[..., ResultT], args: tuple[object, ...], name: str) -> ResultT:
        """See `Agent.compute` for `function` and `args`; `name` is that of the task."""
        task = asyncio.create_task(asyncio.to_thread(function, *args), name=name)
        turn: asyncio.Future[None] = new_future()
        self._computing.append((task, turn))
        try:
            await self.block(turn)
            return await task
        finally:
            task.cancel()

    async def wait_all_blocked(self) -> None:
        """Wait until all coroutines are blocked, or one has failed."""
        while True:
            while self._busy and self.failure is None:
                self._all_blocked = new_future()
                await self._all_blocked
            if self.failure is not None or not self._computing:
                self._note_failed_tasks()
                return
            task, turn = self._computing.pop(0)
            await asyncio.wait([task])
            self.wake(turn)

    async def _guard(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if _acting.get() is not self:
            _acting.set(self)
        try:
            await coroutine
        except asyncio.CancelledError as error:
            # If a plug-in has cancelled it, not the host, what other coroutines wait for would never come.
            self.fail_with(CoroutineCancelledError() if _is_cancelling() else error)
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - every failure is reported to the clock, which ends the run
            self.fail_with(error)
        finally:
            self._mark_blocked()

    def fail_with(self, error: BaseException) -> None:
        """Keep an error as the agent's failure, unless it has failed already: the others follow from the first."""
        if self.failure is None:
            self.failure = error
        self._note_blocked()

    def _note_failed_tasks(self) -> None:
        """Keep an error that a task of asyncio has raised, and nobody has caught by now, as the agent's failure."""
        if not self._tasks_of_asyncio:
            return
        ended = [task for task in self._tasks_of_asyncio if task.done()]
        self._tasks_of_asyncio = [task for task in self._tasks_of_asyncio if not task.done()]
        for task in ended:
            # Otherwise asyncio would log it once the task is deleted, in a round that depends on who refers to it.
            if task._log_traceback and self.failure is None:  # noqa: SLF001 - nothing else says that it was not caught
                self.failure = task.exception()

    # Blocking and waking.

    async def block(self, future: asyncio.Future[ResultT]) -> ResultT:
        """Let the calling coroutine wait for a future, which `wake` resolves.

        Raises:
            UnknownCoroutineError: More coroutines wait than the agent has started, so that the host would wait forever.
        """
        self._mark_blocked()
        if self._busy < 0:
            self._busy += 1
            self.failure = UnknownCoroutineError()
            self._note_blocked()
            raise self.failure
        return await future

    def wake(self, future: asyncio.Future[Any], result: object = None) -> None:
        """Resolve a future, unless it is resolved, and count the coroutine that waits for it as active.

        Args:
            future: One that a coroutine waits for in `block`.
            result: Its result.
        """
        # Counted here and not when the coroutine resumes, or the agent would seem blocked in between.
        if not future.done():
            self._busy += 1
            future.set_result(result)

    def fail(self, future: asyncio.Future[Any], error: Exception) -> None:
        """Wake the coroutine that waits for a future, as `wake` does, and raise an error in it."""
        if not future.done():
            self._busy += 1
            future.set_exception(error)

    def _mark_blocked(self) -> None:
        self._busy -= 1
        if self._busy == 0:
            self._note_blocked()

    def _note_blocked(self) -> None:
        if self._all_blocked is not None and not self._all_blocked.done():
            self._all_blocked.set_result(None)

    # Timers.

    def set_timer(self, time_s: int, future: asyncio.Future[Any]) -> None:
        """Wake the coroutine that waits for a future at a virtual time, UNIX seconds."""
        self._order += 1
        heapq.heappush(self._timers, (time_s, self._order, future))

    async def pass_rounds(self, count: int) -> None:
        """Block the calling coroutine until `count` rounds have passed, at least one."""
        future: asyncio.Future[None] = new_future()
        self._order += 1
        heapq.heappush(self._resumptions, (self.step + count, self._order, future))
        await self.block(future)

    def begin_round(self, step: int, due_s: int | None) -> None:
        """Wake the coroutines that skip rounds until a step, and those whose timers are due, in the order of setting.

        Args:
            step: The step of the round that begins.
            due_s: Virtual time up to which timers are due, UNIX seconds; None: no timer fires any more.
        """
        self.step = step
        while self._resumptions and self._resumptions[0][0] <= step:
            self.wake(heapq.heappop(self._resumptions)[2])
        while due_s is not None and self._timers and self._timers[0][0] <= due_s:
            self.wake(heapq.heappop(self._timers)[2])

    @property
    def next_timer_s(self) -> int | None:
        """When the earliest timer is due, UNIX seconds; None: no timer, or none that counts."""
        while self._timers and self._timers[0][2].done():
            heapq.heappop(self._timers)
        if not self._timers or (self.timers_until_s is not None and self._timers[0][0] > self.timers_until_s):
            return None
        return self._timers[0][0]

    @property
    def next_step(self) -> int | None:
        """The earliest step in which a coroutine that skips rounds continues; None: there is none."""
        return self._resumptions[0][0] if self._resumptions else None


_acting: ContextVar[AgentCoroutines | None] = ContextVar("acting", default=None)
"""Whose coroutine the present task is. Tasks inherit it."""


def _is_cancelling() -> bool:
    """Return whether somebody cancels the present task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _TaskFactory:
    """Makes the tasks of an event loop, and tells agents which of them they have made."""

    def __init__(self, previous: Callable[..., Any] | None) -> None:
        self.previous = previous
        self.users = 0

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **how: Any) -> Any:  # noqa: ANN401 - as asyncio has it
        make = self.previous
        task = asyncio.Task(coroutine, loop=loop, **how) if make is None else make(loop, coroutine, **how)
        if (coroutines := _acting.get()) is not None:
            coroutines.add_task_of_asyncio(task)
        return task


@contextmanager
def noting_tasks() -> Iterator[None]:
    """Have the running event loop tell agents which tasks they make; their host uses it while it has agents."""
    loop = asyncio.get_running_loop()
    previous: Any = loop.get_task_factory()
    factory = previous if isinstance(previous, _TaskFactory) else _TaskFactory(previous)
    if factory is not previous:
        loop.set_task_factory(factory)
    factory.users += 1
    try:
        yield
    finally:
        factory.users -= 1
        if not factory.users and loop.get_task_factory() is factory:
            loop.set_task_factory(factory.previous)


class TimedOut:
    """Returned by waiting with `until_s` if that time is reached first."""


TIMED_OUT: Final = TimedOut()


class Channel(Generic[ItemT]):
    """A queue from some coroutines of an agent to one of its coroutines."""

    def __init__(self, agent: Agent[Any], most: int | None = MAX_WAITING_MESSAGES) -> None:
        self._agent = agent
        self._most = most
        """How many items may wait; None: any number."""
        self._items: deque[ItemT] | None = None
        """None until the first item is added: most channels of a large neighbourhood stay empty, and a deque takes 600
        B."""
        self._reader: asyncio.Future[None] | None = None

    def put(self, item: ItemT) -> None:
        """Add an item and wake the reader.

        Raises:
            SsmicError: The agent does not read its items.
        """
        if self._items is None:
            self._items = deque()
        if self._most is not None and len(self._items) >= self._most:
            raise SsmicError(f"agent {self._agent.id!r} does not read its messages: {len(self._items)} are waiting")
        self._items.append(item)
        if self._reader is not None:
            self._agent.coroutines.wake(self._reader)

    async def get(self, until_s: int | None = None) -> ItemT | TimedOut:
        """Return the next item, or `TIMED_OUT` if virtual time reaches `until_s` (UNIX seconds) first."""
        while not self._items:
            if until_s is not None and self._agent.now_s >= until_s:
                return TIMED_OUT
            self._reader = new_future()
            coroutines = self._agent.coroutines
            if until_s is not None:
                coroutines.set_timer(until_s, self._reader)
            try:
                await coroutines.block(self._reader)
            finally:
                self._reader = None
        return self._items.popleft()

    @property
    def waiting(self) -> int:
        """How many items are waiting."""
        return len(self._items or ())

    def take_all(self) -> list[ItemT]:
        """Return all items that are present, without waiting."""
        if self._items is None:
            return []
        items = list(self._items)
        self._items.clear()
        return items
