"""What messages and rounds cost: between agents in memory and through Mosquitto, against bare aiomqtt; lockstep rounds.

    python -m benchmarks.messages [--quick] [--json]

Needs Mosquitto. All measurements alternate in one run, and the ratios count. See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from benchmarks.round_trips import bare
from broker.clock import Clock, ClockSettings
from broker.hosts import Agent, Host
from broker.servers.mosquitto import managed_mosquitto
from broker.transport import Broker, MemoryBroker, MqttBroker
from tui.logs import configure_logs

WINDOW = 50
"""Requests under way at once."""
SECONDS_APART = 60
"""Of virtual time, between two steps of the lockstep."""


class Ping(BaseModel):
    """A request, or its answer."""

    kind: Literal["Ping"] = "Ping"
    n: int


MESSAGES: TypeAdapter[Ping] = TypeAdapter(Ping)


class Echo(Agent[Ping]):
    """Answers every request."""

    async def run(self) -> None:
        """Answer until the end."""
        while True:
            received = await self.receive()
            self.reply(received, received.message)


class Asker(Agent[Ping]):
    """Asks its echo, one request after the other."""

    def __init__(self, agent_id: str, echo: str, count: int) -> None:
        super().__init__(agent_id)
        self._echo = echo
        self._count = count

    async def run(self) -> None:
        """Ask, then end."""
        for n in range(self._count):
            await self.ask(self._echo, Ping(n=n))


class Walker(Agent[Ping]):
    """Acts in every step of the lockstep, and may send a message to its neighbour in each."""

    def __init__(self, agent_id: str, neighbour: str | None, steps: int) -> None:
        super().__init__(agent_id)
        self._neighbour = neighbour
        self._steps = steps

    async def run(self) -> None:
        """Act, step by step, and then wait for the end."""
        for n in range(1, self._steps + 1):
            await self.until(SECONDS_APART * n)
            if self._neighbour is not None:
                self.send(self._neighbour, Ping(n=n))


async def messages_a_second(broker: Broker, count: int, *, hosts: int) -> float:
    """Return how many messages agents exchange a second: `WINDOW` pairs ask and answer.

    Args:
        broker: Where the hosts meet.
        count: Requests in all.
        hosts: 1: all agents on one host; 2: askers on one, echoes on the other.
    """
    run = f"bench-{secrets.token_hex(4)}"
    askers = [Asker(f"asker-{n}", f"echo-{n}", count // WINDOW) for n in range(WINDOW)]
    echoes = [Echo(f"echo-{n}") for n in range(WINDOW)]
    homes: dict[str, list[Agent[Ping]]] = {"a": [*askers, *echoes]} if hosts == 1 else {"a": [*askers], "b": [*echoes]}
    clock = Clock(
        ClockSettings(run, {host: tuple(agent.id for agent in agents) for host, agents in homes.items()}, 0),
    )
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(clock.run(broker))
        for host, agents in homes.items():
            tasks.create_task(Host(host, run, agents, MESSAGES, seed=1).run(broker))
    return 2 * count / (time.perf_counter() - began)


def _walk(url: str, run: str, host: str, agent: Walker) -> None:
    configure_logs("error")
    asyncio.run(Host(host, run, [agent], MESSAGES, seed=1).run(MqttBroker(url)))


@asynccontextmanager
async def _processes(url: str, run: str, walkers: Mapping[str, Walker]) -> AsyncIterator[None]:
    spawning = multiprocessing.get_context("spawn")
    processes: list[BaseProcess] = [
        spawning.Process(target=_walk, args=(url, run, host, agent), daemon=True) for host, agent in walkers.items()
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            await asyncio.to_thread(process.join, 10)
            process.kill()


async def steps_a_second(url: str, steps: int, *, hosts: int, active: int, sends: bool) -> float:
    """Return how many steps of virtual time a second pass, each host in a process of its own.

    Args:
        url: The broker.
        steps: How many.
        hosts: How many take part.
        active: How many of them act in each step.
        sends: Whether each of those sends a message to another one in each step.
    """
    run = f"bench-{secrets.token_hex(4)}"
    walkers = {
        f"h{n}": Walker(f"w{n}", f"w{(n + 1) % active}" if sends else None, steps if n < active else 0)
        for n in range(hosts)
    }
    began_wall_s = 0.0

    def note(moment: Any) -> None:  # noqa: ANN401 - a moment of the clock
        nonlocal began_wall_s
        if moment.step == 1:  # all are there, and have started
            began_wall_s = time.perf_counter()

    clock = Clock(ClockSettings(run, {host: (agent.id,) for host, agent in walkers.items()}, 0), note)
    async with _processes(url, run, walkers):
        await clock.run(MqttBroker(url))
        took_wall_s = time.perf_counter() - began_wall_s
    return steps / took_wall_s


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    requests: int
    steps: int
    repeats: int
    hosts: tuple[tuple[int, int], ...]
    """Numbers of hosts, and how many of them are active."""


FULL = Size(requests=20_000, steps=2_000, repeats=3, hosts=((2, 2), (10, 10), (50, 50), (50, 2)))
QUICK = Size(requests=5_000, steps=200, repeats=1, hosts=((2, 2), (10, 10), (10, 2)))


async def measure(size: Size) -> dict[str, float]:
    """Return what was measured, by name: rates a second, medians of alternating runs."""
    async with managed_mosquitto() as running:
        url = str(running.url)
        measured: dict[str, Callable[[], Awaitable[float]]] = {
            "agent messages, memory, one host": lambda: messages_a_second(MemoryBroker(), size.requests, hosts=1),
            "agent messages, memory, two hosts": lambda: messages_a_second(MemoryBroker(), size.requests, hosts=2),
            "agent messages, Mosquitto, one host": lambda: messages_a_second(
                MqttBroker(running.url), size.requests, hosts=1
            ),
            "agent messages, Mosquitto, two hosts": lambda: messages_a_second(
                MqttBroker(running.url), size.requests, hosts=2
            ),
            "round trips, bare aiomqtt": lambda: _bare(running.url, size.requests // 2),
        }
        for hosts, active in size.hosts:
            for sends in (False, True):
                name = f"steps, {hosts} hosts, {active} active{', a message from each' if sends else ''}"
                measured[name] = lambda hosts=hosts, active=active, sends=sends: steps_a_second(  # type: ignore[misc]
                    url, size.steps, hosts=hosts, active=active, sends=sends
                )
        rates: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(size.repeats):
            for name, rate in measured.items():
                rates[name].append(await rate())
    return {name: statistics.median(found) for name, found in rates.items()}


async def _bare(url: Any, count: int) -> float:  # noqa: ANN401 - a broker's URL
    return count / await bare(url, count, WINDOW)


def ratios_of(rates: Mapping[str, float]) -> dict[str, float]:
    """Return the ratios that count, by name."""
    trips = rates["round trips, bare aiomqtt"]
    found = {
        "agent messages to bare round trips, two hosts": rates["agent messages, Mosquitto, two hosts"] / trips,
        "agent messages to bare round trips, one host": rates["agent messages, Mosquitto, one host"] / trips,
    }
    for hosts in (10, 50):
        if (name := f"steps, {hosts} hosts, 2 active") in rates:
            found[f"steps, {hosts} hosts of which 2 are active, to 2 hosts"] = (
                rates[name] / rates["steps, 2 hosts, 2 active"]
            )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer messages, steps and repetitions")
    parser.add_argument("--json", action="store_true", help="print a single JSON object")
    chosen = parser.parse_args(arguments)
    configure_logs("error")
    rates = asyncio.run(measure(QUICK if chosen.quick else FULL))
    ratios = ratios_of(rates)
    if chosen.json:
        print(json.dumps({"a_second": rates, "ratios": ratios}))
        return
    for name, rate in rates.items():
        print(f"{name:55} {rate:10,.0f} a second")
    for name, ratio in ratios.items():
        print(f"{name:55} {ratio:10.2f}")


if __name__ == "__main__":
    main()
