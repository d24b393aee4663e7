"""Counted rounds: what agents on hosts see of each other and of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import pytest
from pydantic import BaseModel, TypeAdapter

from broker.clock.clock import Clock
from broker.clock.pacing import Moment
from broker.clock.settings import ClockSettings
from broker.errors import AgentFailedError, HostsMissingError
from broker.hosts.agent import Agent
from broker.hosts.coroutines import TIMED_OUT
from broker.hosts.host import Host
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.base import Broker
from broker.transport.memory import MemoryBroker
from tests.patience import PATIENCE_WALL_S


class Ping(BaseModel):
    kind: Literal["Ping"] = "Ping"
    n: int


MESSAGES = TypeAdapter(Ping)
Log = list[tuple[int, str]]


class Echo(Agent[Ping]):
    """Answers every ping with the next number."""

    async def run(self) -> None:
        while True:
            received = await self.receive()
            self.reply(received, Ping(n=received.message.n + 1))


class Asker(Agent[Ping]):
    """Asks an echo at fixed times and writes down what it sees."""

    def __init__(self, agent_id: str, times_s: list[int], log: Log) -> None:
        super().__init__(agent_id)
        self.times_s = times_s
        self.log = log

    async def run(self) -> None:
        for time_s in self.times_s:
            await self.until(time_s)
            answer = await self.ask("echo", Ping(n=time_s))
            self.log.append((self.now_s, f"{self.id} {answer.n}"))


async def run(broker: Broker, hosts: dict[str, list[Agent[Ping]]], **settings: object) -> list[Moment]:
    """Run agents to the end; return the moments that the clock granted."""
    moments: list[Moment] = []
    members = {host: tuple(agent.id for agent in agents) for host, agents in hosts.items()}
    timeouts = Timeouts(resend_wall_s=0.05, limit_wall_s=PATIENCE_WALL_S)
    clock_settings = ClockSettings(run="r", hosts=members, start_s=0, timeouts=timeouts, **settings)  # type: ignore[arg-type]  # each test names the settings it varies
    async with asyncio.TaskGroup() as tasks:
        for host, agents in hosts.items():
            tasks.create_task(Host(host, "r", agents, MESSAGES, seed=1, timeouts=timeouts).run(broker))
        await Clock(clock_settings, moments.append).run(broker)
    return moments


async def test_a_reply_comes_two_rounds_after_its_request_and_takes_no_time() -> None:
    """Rounds count inside one second; time moves to the next timer only."""
    log: Log = []
    moments = await run(MemoryBroker(), {"a": [Asker("asker", [5, 70], log)], "b": [Echo("echo")]})
    assert log == [(5, "asker 6"), (70, "asker 71")]
    assert [(m.time_s, m.round) for m in moments[:7]] == [(0, 0), (5, 0), (5, 1), (5, 2), (70, 0), (70, 1), (70, 2)]


class Passer(Agent[Ping]):
    """Skips rounds at second 5, then asks an echo."""

    def __init__(self, agent_id: str, rounds: int, log: Log) -> None:
        super().__init__(agent_id)
        self.rounds = rounds
        self.log = log

    async def run(self) -> None:
        await self.until(5)
        await self.pass_rounds(self.rounds)
        answer = await self.ask("echo", Ping(n=self.rounds))
        self.log.append((self.now_s, f"{self.id} {answer.n}"))


async def test_rounds_that_an_agent_skips_are_counted_and_not_run() -> None:
    """An agent that acts in fewer rounds is received first; if no agent acts, the clock continues at once."""
    log: Log = []
    slow, quick = Passer("a slow one", 1000, log), Passer("quick", 3, log)
    moments = await run(MemoryBroker(), {"a": [slow], "b": [quick, Asker("asker", [5], log)], "c": [Echo("echo")]})
    assert log == [(5, "asker 6"), (5, "quick 4"), (5, "a slow one 1001")]
    rounds = [m.round for m in moments if m.time_s == 5]
    assert rounds[:9] == [0, 1, 2, 3, 4, 5, 1000, 1001, 1002]
    steps = {m.round: m.step for m in moments if m.time_s == 5}
    assert steps[1000] - steps[0] == 1000


async def test_the_run_stops_before_its_end() -> None:
    """A timer at the end does not fire."""
    log: Log = []
    await run(MemoryBroker(), {"a": [Asker("asker", [5, 70], log), Echo("echo")]}, end_s=70)
    assert log == [(5, "asker 6")]


async def test_an_agent_that_raises_ends_the_run_with_its_name_and_traceback() -> None:
    """No process hangs, and the traceback names the line."""

    class Broken(Agent[Ping]):
        async def run(self) -> None:
            await self.until(3)
            raise ZeroDivisionError("out of sun")

    with pytest.raises(ExceptionGroup) as caught:
        await run(MemoryBroker(), {"a": [Broken("broken")], "b": [Echo("echo")]})
    failed = caught.value.subgroup(AgentFailedError)
    assert failed is not None
    error = failed.exceptions[0]
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, AgentFailedError)
    assert error.agent == "broken"
    assert "out of sun" in str(error)
    assert "in run" in error.traceback


async def test_a_missing_host_is_named() -> None:
    """The error at the wall-clock limit names the hosts that the clock waited for."""
    clock = Clock(ClockSettings("r", {"here": ("echo",)}, 0, timeouts=Timeouts(limit_wall_s=0.05)))
    with pytest.raises(ExceptionGroup) as caught:
        await clock.run(MemoryBroker())
    assert caught.group_contains(HostsMissingError, match="'here'")


async def test_threads_return_in_the_order_asked() -> None:
    """A quick thread does not overtake a slow one that was started first."""
    log: Log = []
    slow_done = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Thinker(Agent[Ping]):
        async def run(self) -> None:
            self.spawn(self.think("slow", self.slow), "slow")
            self.spawn(self.think("quick", self.quick), "quick")

        async def think(self, name: str, function: Callable[[], None]) -> None:
            await self.compute(function)
            log.append((self.now_s, name))

        def slow(self) -> None:
            asyncio.run_coroutine_threadsafe(slow_done.wait(), loop).result()

        def quick(self) -> None:
            loop.call_soon_threadsafe(slow_done.set)

    await run(MemoryBroker(), {"a": [Thinker("thinker")]})
    assert [name for _, name in log] == ["slow", "quick"]


async def test_a_box_wakes_at_its_item_or_its_time_whichever_is_first() -> None:
    """A timer that lost the race does not keep the run alive."""
    log: Log = []

    class Waiter(Agent[Ping]):
        async def run(self) -> None:
            channel = self.channel()
            self.spawn(self.later(channel.put), "later")
            item = await channel.get(until_s=1000)
            log.append((self.now_s, str(item)))
            item = await channel.get(until_s=50)
            log.append((self.now_s, "time up" if item is TIMED_OUT else "item"))

        async def later(self, put: Callable[[str], None]) -> None:
            await self.until(10)
            put("item")

    moments = await run(MemoryBroker(), {"a": [Waiter("waiter")]})
    assert log == [(10, "item"), (50, "time up")]
    assert max(m.time_s for m in moments) == 50
