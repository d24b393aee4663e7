"""A round costs few calls of functions: where each host is a process, they are what a round takes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal

from pydantic import BaseModel, TypeAdapter

import broker
from broker.clock import Clock, ClockSettings
from broker.hosts import Agent, Host
from broker.transport import MemoryBroker

PACKAGE = str(Path(broker.__file__).parent)
STEPS = 60
MOST_CALLS = 550
"""Of the package's own functions, coroutines that resume included, in a step of two rounds with a message from each of
two hosts: clock and hosts together."""


class Greeting(BaseModel):
    """What the agents send."""

    kind: Literal["Greeting"] = "Greeting"


class Greeter(Agent[Greeting]):
    """Sends its neighbour a message each minute."""

    def __init__(self, agent_id: str, neighbour: str) -> None:
        super().__init__(agent_id)
        self._neighbour = neighbour

    async def run(self) -> None:
        """Greet."""
        for minute in range(1, STEPS + 1):
            await self.until(60 * minute)
            self.send(self._neighbour, Greeting())


class Calls:
    """How many of the package's own functions were called."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, frame: FrameType, event: str, argument: object) -> None:
        """Count an event of the profiler if it is a call of the package's own."""
        del argument
        self.count += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)


@contextmanager
def counted_calls() -> Iterator[Calls]:
    """Count the calls in the context."""
    calls, before = Calls(), sys.getprofile()
    sys.setprofile(calls.note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


async def test_a_step_of_two_hosts_takes_few_calls() -> None:
    """The number is the same on every machine, however busy."""
    messages: TypeAdapter[Greeting] = TypeAdapter(Greeting)
    neighbours = {"a": "b", "b": "a"}
    clock = Clock(ClockSettings("run", {host: (f"of-{host}",) for host in neighbours}, 0))
    memory = MemoryBroker()
    with counted_calls() as calls:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(clock.run(memory))
            for host, neighbour in neighbours.items():
                greeter = Greeter(f"of-{host}", f"of-{neighbour}")
                tasks.create_task(Host(host, "run", [greeter], messages, seed=1).run(memory))
    assert clock.now.step > 2 * STEPS
    assert calls.count / STEPS < MOST_CALLS
