"""What messages and rounds cost: of agents, in memory and through Mosquitto, and in lockstep, beside other programs.

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
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter

from benchmarks.peers import PeerError, PeerTask, missing_peers, rate_of
from benchmarks.round_trips import bare
from broker import new_loop
from broker.clock import Clock, ClockSettings
from broker.hosts import Agent, Host
from broker.protocol import Timeouts
from broker.servers.mosquitto import managed_mosquitto
from broker.transport import Broker, MemoryBroker, MqttBroker
from tui.logs import configure_logs

ResultT = TypeVar("ResultT")

WINDOW = 50
"""Requests under way at once."""
SECONDS_APART = 60
"""Of virtual time, between two steps of the lockstep."""
PATIENT = Timeouts(limit_wall_s=600.0)
"""A busy machine takes its time to start fifty processes."""


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
        count: Total number of requests.
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


def run_in(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Return what `work` returns, run in an event loop as the program uses it."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


def _walk(url: str, run: str, walkers: Mapping[str, Walker]) -> None:
    configure_logs("error")

    async def walk() -> None:
        async with asyncio.TaskGroup() as tasks:
            for host, agent in walkers.items():
                tasks.create_task(Host(host, run, [agent], MESSAGES, seed=1, timeouts=PATIENT).run(MqttBroker(url)))

    run_in(walk())


@asynccontextmanager
async def _processes(url: str, run: str, homes: Sequence[Mapping[str, Walker]]) -> AsyncIterator[None]:
    """Run hosts in processes: those of each mapping in one."""
    spawning = multiprocessing.get_context("spawn")
    processes: list[BaseProcess] = [
        spawning.Process(target=_walk, args=(url, run, walkers), daemon=True) for walkers in homes
    ]
    for process in processes:
        process.start()
    try:
        yield
        for process in processes:
            await asyncio.to_thread(process.join)
    finally:
        for process in processes:
            process.kill()


async def steps_a_second(url: str, steps: int, *, hosts: int, active: int, sends: bool) -> float:
    """Return how many steps of virtual time a second pass, each host that is active in a process of its own.

    The others share one: they do nothing, but each has its own connection. What precedes the first step and follows the
    last one is not counted: to start and to end a run takes about a millisecond per host, however many steps it has.

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
    began_wall_s = ended_wall_s = 0.0
    closing = 1 + steps * (2 if sends else 1)  # what is sent in a round is delivered in another one

    def note(moment: Any) -> None:  # noqa: ANN401 - a moment of the clock
        nonlocal began_wall_s, ended_wall_s
        if moment.step == 1:  # all are there, and have started
            began_wall_s = time.perf_counter()
        elif moment.step == closing:  # none acts any more
            ended_wall_s = time.perf_counter()

    acting, idle = dict(list(walkers.items())[:active]), dict(list(walkers.items())[active:])
    homes = [{host: agent} for host, agent in acting.items()] + ([idle] if idle else [])
    clock = Clock(ClockSettings(run, {host: (agent.id,) for host, agent in walkers.items()}, 0, timeouts=PATIENT), note)
    async with _processes(url, run, homes):
        await clock.run(MqttBroker(url))
    return steps / (ended_wall_s - began_wall_s)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    requests: int
    steps: int
    repeats: int
    hosts: tuple[tuple[int, int], ...]
    """Numbers of hosts, and how many of them are active."""

    peers: tuple[tuple[int, int], ...]
    """Likewise, for other programs: those in which all hosts act in each step have none that do not."""


FULL = Size(
    requests=20_000,
    steps=2_000,
    repeats=3,
    hosts=((2, 2), (10, 10), (50, 50), (50, 2)),
    peers=((2, 2), (10, 10), (50, 50)),
)
QUICK = Size(requests=5_000, steps=500, repeats=1, hosts=((2, 2), (10, 10), (50, 2)), peers=((2, 2), (10, 10)))
OF_PEERS = ("mango-agents", "HELICS", "mosaik")
PEERS_TRIPS = "round trips, mango-agents"
OUR_TRIPS = "agent messages, Mosquitto, two hosts"
"""Messages, of which two are a round trip."""


def steps_name(hosts: int, active: int, *, sends: bool) -> str:
    """Return the name of a measurement of steps."""
    return f"steps, {hosts} hosts, {active} active{', a message from each' if sends else ''}"


def peers_rates(size: Size, url: str) -> dict[str, Callable[[], Awaitable[float]]]:
    """Return what is measured with other programs, by name; programs that are not installed are left out.

    Args:
        size: How much is measured.
        url: The broker.
    """
    absent = missing_peers()
    measured: dict[str, Callable[[], Awaitable[float]]] = {}
    if "mango-agents" not in absent:
        trips = PeerTask("mango-agents", "messages", 2, size.requests // 2, sends=False, url=url)
        measured[PEERS_TRIPS] = lambda: rate_of(trips)
    for hosts, active in size.peers:
        for sends in (False, True):
            for peer in OF_PEERS:
                if peer not in absent:
                    asked = PeerTask(peer, "steps", hosts, size.steps, sends=sends, url=url)
                    name = f"{steps_name(hosts, active, sends=sends)}, {peer}"
                    measured[name] = lambda asked=asked: rate_of(asked)  # type: ignore[misc]  # mypy infers no types of a lambda's defaults
    return measured


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
                name = steps_name(hosts, active, sends=sends)
                measured[name] = lambda hosts=hosts, active=active, sends=sends: steps_a_second(  # type: ignore[misc]  # mypy infers no types of a lambda's defaults
                    url, size.steps, hosts=hosts, active=active, sends=sends
                )
        measured |= peers_rates(size, url)
        rates: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(size.repeats):
            for name, rate in measured.items():
                try:
                    rates[name].append(await rate())
                except PeerError as error:
                    print(f"{name}: {error}", file=sys.stderr)
    return {name: statistics.median(found) for name, found in rates.items() if found}


async def _bare(url: Any, count: int) -> float:  # noqa: ANN401 - a broker's URL
    return count / await bare(url, count, WINDOW)


def ratios_of(rates: Mapping[str, float]) -> dict[str, float]:
    """Return the ratios that count, by name."""
    trips = rates["round trips, bare aiomqtt"]
    found = {
        "agent messages to bare round trips, two hosts": rates["agent messages, Mosquitto, two hosts"] / trips,
        "agent messages to bare round trips, one host": rates["agent messages, Mosquitto, one host"] / trips,
    }
    for sends in (False, True):
        few, many = (steps_name(hosts, 2, sends=sends) for hosts in (2, 50))
        if many in rates:
            found[f"{many}, to 2 hosts"] = rates[many] / rates[few]
    if PEERS_TRIPS in rates:
        found["round trips of agents, two hosts, to mango-agents"] = rates[OUR_TRIPS] / 2 / rates[PEERS_TRIPS]
    for name, rate in rates.items():
        ours, _, peer = name.rpartition(", ")
        if peer in OF_PEERS and ours in rates:
            found[f"{ours}, to {peer}"] = rates[ours] / rate
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer messages, steps and repetitions")
    parser.add_argument("--json", action="store_true", help="print a single JSON object")
    chosen = parser.parse_args(arguments)
    configure_logs("error")
    rates = run_in(measure(QUICK if chosen.quick else FULL))
    ratios = ratios_of(rates)
    for why in missing_peers().values():
        print(why, file=sys.stderr)
    if chosen.json:
        print(json.dumps({"a_second": rates, "ratios": ratios}))
        return
    for name, rate in rates.items():
        print(f"{name:70} {rate:10,.0f} a second")
    for name, ratio in ratios.items():
        print(f"{name:70} {ratio:10.2f}")


if __name__ == "__main__":
    main()
