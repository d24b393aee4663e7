"""What an agent that does nothing takes: 10,000 houses have 45,000 of them."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
import weakref
from random import Random

import pytest
from pydantic import BaseModel

from broker.hosts import Agent
from broker.hosts.coroutines import noting_tasks


def test_an_idle_agent_takes_little_memory() -> None:
    """Random generators, queues and events that were never used took 6 kB each."""
    tracemalloc.start()
    agents = [Agent[BaseModel](f"agent-{n}") for n in range(500)]
    for agent in agents:
        agent.prepare(1, 0)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken / len(agents) < 2_500


def test_a_random_generator_depends_on_the_run_and_the_agent_only() -> None:
    """However late it is first used."""

    def drawn(agent_id: str, seed: int) -> list[float]:
        agent = Agent[BaseModel](agent_id)
        agent.prepare(seed, 0)
        rng: Random = agent.rng
        return [rng.random(), agent.rng.random()]

    assert drawn("a", 1) == drawn("a", 1)
    assert drawn("a", 1)[0] != drawn("a", 1)[1]
    assert drawn("a", 1) != drawn("b", 1)
    assert drawn("a", 1) != drawn("a", 2)


async def test_an_agent_that_is_stopped_leaves_its_coroutines_to_nobody() -> None:
    """What 45,000 of them held would stay in memory until it is collected."""

    class Held:
        """Something in a coroutine's memory."""

    held: list[weakref.ref[Held]] = []

    class Waits(Agent[BaseModel]):
        async def run(self) -> None:
            self.spawn(self.wait(), "other")
            await self.wait()

        async def wait(self) -> None:
            something = Held()
            held.append(weakref.ref(something))
            await self.receive()

    agent = Waits("agent")
    gc.disable()
    try:
        agent.prepare(1, 0)
        life = asyncio.create_task(agent.live())
        await agent.coroutines.wait_all_blocked()
        assert [reference() is None for reference in held] == [False, False]
        life.cancel()
        with pytest.raises(asyncio.CancelledError):
            await life
        del life
        assert [reference() is None for reference in held] == [True, True]
    finally:
        gc.enable()


async def test_tasks_that_an_agent_has_asyncio_make_end_with_it() -> None:
    """In a script's event loop, they would go on after the run."""

    class Makes(Agent[BaseModel]):
        async def run(self) -> None:
            self.made = asyncio.create_task(asyncio.Event().wait())
            await self.receive()

    agent = Makes("agent")
    with noting_tasks():
        agent.prepare(1, 0)
        life = asyncio.create_task(agent.live())
        await agent.coroutines.wait_all_blocked()
        life.cancel()
        with pytest.raises(asyncio.CancelledError):
            await life
    with pytest.raises(asyncio.CancelledError):
        await agent.made
