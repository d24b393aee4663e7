"""The exchanges of `messages.py` with other programs: mango-agents, HELICS and mosaik.

    python -m benchmarks.peers PEER EXCHANGE --hosts N --count N [--sends] [--url mqtt://127.0.0.1:1883]

Prints how many a second. `messages.py` runs each in a process of its own, beside our own measurements. Install them
with `pip install 'ssmic[bench]'`; one that is not installed is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import logging
import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from broker.servers.own_broker import free_port
from broker.transport import BrokerUrl, parse_url

Exchange = Literal["messages", "steps"]
PACKAGES = {"mango-agents": "mango", "HELICS": "helics", "mosaik": "mosaik"}
"""Module by peer."""
ASKERS = 50
"""Requests under way at once."""
SECONDS_APART = 60
"""Of virtual time, between two steps."""
WARM_UP = 20
"""Steps that are not measured."""
PATIENCE_S = 600
"""How long a busy machine may take to start all hosts of a peer."""


@dataclass(frozen=True, slots=True)
class PeerTask:
    """What is measured."""

    peer: str
    exchange: Exchange
    hosts: int
    count: int
    """Requests, or steps."""
    sends: bool
    """Whether each host sends a message to the next one in each step."""
    url: str
    """The MQTT broker, for peers that use one."""


class PeerError(Exception):
    """A peer that is installed did not do what was asked."""


def missing_peers() -> dict[str, str]:
    """Return one sentence for each peer that is not installed."""
    return {
        peer: f"{peer} is not installed and was left out: pip install 'ssmic[bench]'"
        for peer, module in PACKAGES.items()
        if importlib.util.find_spec(module) is None
    }


async def rate_of(asked: PeerTask) -> float:
    """Measure in a process of its own; return how many a second.

    Raises:
        PeerError: The peer failed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.peers", asked.peer, asked.exchange),
        *("--hosts", str(asked.hosts), "--count", str(asked.count), "--url", asked.url),
        *(("--sends",) if asked.sends else ()),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode:
        raise PeerError(f"{asked.peer} failed and was left out: {err.decode().rstrip().rpartition(chr(10))[2]}")
    return float(json.loads(out.splitlines()[-1]))


@contextmanager
def _hosts(target: Any, arguments: list[tuple[Any, ...]]) -> Iterator[None]:  # a module's function
    """Run each host in a process of its own."""
    spawning = multiprocessing.get_context("spawn")
    processes = [spawning.Process(target=target, args=some, daemon=True) for some in arguments]
    for process in processes:
        process.start()
    try:
        yield
        for process in processes:
            process.join(PATIENCE_S)
    finally:
        for process in processes:
            process.kill()


# mango-agents: agents in containers that are connected by MQTT; its distributed clock asks all of them for their next
# event in each step. Messages are not counted: a step may begin before the messages of the last one have arrived.


def _without_delay(container: Any) -> None:  # mango's
    """Have the kernel send each packet at once: with Nagle's algorithm, mango would wait for acknowledgements."""
    container.mqtt_client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _mango_messages(url: BrokerUrl, count: int) -> float:
    from mango import Agent, activate, create_mqtt_container, sender_addr  # may not be installed

    each = count // ASKERS
    left = ASKERS
    ended = asyncio.Event()

    class Echo(Agent):
        def handle_message(self, content: Any, meta: dict[str, Any]) -> None:
            self.schedule_instant_message(content, sender_addr(meta))

    class Asker(Agent):
        def __init__(self, echo: Any) -> None:
            super().__init__()
            self.echo = echo

        def ask(self, number: int) -> None:
            self.schedule_instant_message({"kind": "Ping", "n": number}, self.echo)

        def handle_message(self, content: Any, meta: dict[str, Any]) -> None:
            nonlocal left
            if content["n"] + 1 < each:
                self.ask(content["n"] + 1)
                return
            left -= 1
            if not left:
                ended.set()

    near = create_mqtt_container((url.host, url.port), client_id="mango-near")
    far = create_mqtt_container((url.host, url.port), client_id="mango-far")
    echoes = [far.register(Echo()) for _ in range(ASKERS)]
    askers = [near.register(Asker(echo.addr)) for echo in echoes]
    async with activate(near, far):
        _without_delay(near)
        _without_delay(far)
        began_wall_s = time.perf_counter()
        for asker in askers:
            asker.ask(0)
        await ended.wait()
        return each * ASKERS / (time.perf_counter() - began_wall_s)


def _mango_host(url: BrokerUrl, number: int, hosts: int, sends: bool) -> None:  # noqa: FBT001 - of a process
    from mango import Agent, AgentAddress, activate, create_mqtt_container  # may not be installed
    from mango.util.clock import ExternalClock
    from mango.util.distributed_clock import DistributedClockAgent

    logging.disable(logging.CRITICAL)
    neighbour = AgentAddress(f"mango-{(number + 1) % hosts}", "walker")

    class Walker(Agent):
        def on_ready(self) -> None:
            self.schedule_periodic_task(self.act, SECONDS_APART)

        async def act(self) -> None:
            if sends:
                await self.send_message(number, neighbour)

        def handle_message(self, content: Any, meta: dict[str, Any]) -> None:
            pass

    async def walk() -> None:
        container = create_mqtt_container((url.host, url.port), client_id=f"mango-{number}", clock=ExternalClock())
        clock = container.register(DistributedClockAgent(), suggested_aid="clock")
        container.register(Walker(), suggested_aid="walker")
        async with activate(container):
            _without_delay(container)
            await clock.stopped

    asyncio.run(walk())


async def _mango_steps(url: BrokerUrl, asked: PeerTask) -> float:
    from mango import AgentAddress, activate, create_mqtt_container  # may not be installed
    from mango.util.clock import ExternalClock
    from mango.util.distributed_clock import DistributedClockManager

    with _hosts(_mango_host, [(url, number, asked.hosts, asked.sends) for number in range(asked.hosts)]):
        clock = ExternalClock()
        container = create_mqtt_container((url.host, url.port), client_id="mango-clock", clock=clock)
        manager = container.register(
            DistributedClockManager([AgentAddress(f"mango-{number}", "clock") for number in range(asked.hosts)]),
            suggested_aid="manager",
        )
        async with activate(container):
            _without_delay(container)
            await manager.wait_all_online()
            began_wall_s, began_s = 0.0, 0
            for step in range(WARM_UP + asked.count):
                if step == WARM_UP:
                    began_wall_s, began_s = time.perf_counter(), clock.time
                # Time stands still if a host answers before it has heard the time that was sent before the question.
                clock.set_time(await manager.distribute_time())
            took_wall_s = time.perf_counter() - began_wall_s
    return float(clock.time - began_s) / SECONDS_APART / took_wall_s


# HELICS: federates of a ZeroMQ broker, written in C++ and called from Python.


def _helics_host(number: int, hosts: int, count: int, sends: bool, port: int, results: Any) -> None:  # noqa: FBT001 - of a process
    import helics  # may not be installed

    info = helics.helicsCreateFederateInfo()
    helics.helicsFederateInfoSetCoreName(info, f"core-{port}-{number}")
    helics.helicsFederateInfoSetCoreTypeFromString(info, "zmq")
    helics.helicsFederateInfoSetCoreInitString(
        info, f"--federates=1 --broker_address=tcp://127.0.0.1 --brokerport={port} --loglevel=no_print"
    )
    helics.helicsFederateInfoSetTimeProperty(info, helics.HELICS_PROPERTY_TIME_DELTA, 1.0)
    federate = helics.helicsCreateValueFederate(f"host-{number}", info)
    # Federates that nothing connects would each run on by itself, not in lockstep.
    mine = helics.helicsFederateRegisterGlobalPublication(federate, f"n{number}", helics.HELICS_DATA_TYPE_INT, "")
    read = helics.helicsFederateRegisterSubscription(federate, f"n{(number - 1) % hosts}", "")
    helics.helicsFederateEnterExecutingMode(federate)
    began_wall_s = 0.0
    for step in range(1, WARM_UP + count + 1):
        if step == WARM_UP + 1:
            began_wall_s = time.perf_counter()
        if sends:
            helics.helicsPublicationPublishInteger(mine, step)
        helics.helicsFederateRequestTime(federate, float(step))
        if sends:
            helics.helicsInputGetInteger(read)
    results.put(count / (time.perf_counter() - began_wall_s))
    helics.helicsFederateDisconnect(federate)
    helics.helicsFederateFree(federate)
    helics.helicsCloseLibrary()


def _helics_steps(asked: PeerTask) -> float:
    import helics  # may not be installed

    port = free_port()
    helics.helicsCreateBroker("zmq", f"broker-{port}", f"-f {asked.hosts} --port={port} --loglevel=no_print")
    results: Any = multiprocessing.get_context("spawn").Queue()
    arguments = [(number, asked.hosts, asked.count, asked.sends, port, results) for number in range(asked.hosts)]
    with _hosts(_helics_host, arguments):
        return min(results.get(timeout=PATIENCE_S) for _ in arguments)


# mosaik: simulators that its scheduler steps over TCP, without a broker.


def _mosaik_steps(asked: PeerTask) -> float:
    import mosaik  # may not be installed

    command = f"{sys.executable} -m benchmarks.peers mosaik host --url %(addr)s"
    with contextlib.redirect_stdout(sys.stderr):
        world = mosaik.World(
            {"Host": {"cmd": command}}, {"start_timeout": PATIENCE_S}, skip_greetings=True, configure_logging=False
        )
        hosts = [world.start("Host").Host() for _ in range(asked.hosts)]
        if asked.sends:
            for host, following in zip(hosts, [*hosts[1:], hosts[0]], strict=True):
                world.connect(host, following, "n", time_shifted=True, initial_data={"n": 0})
        began_wall_s = time.perf_counter()
        world.run(until=SECONDS_APART * asked.count, print_progress=False)
        return asked.count / (time.perf_counter() - began_wall_s)


def _mosaik_host() -> None:
    import mosaik_api_v3  # may not be installed

    class Host(mosaik_api_v3.Simulator):
        def __init__(self) -> None:
            model = {"public": True, "params": [], "attrs": ["n"]}
            super().__init__({"type": "time-based", "models": {"Host": model}})

        def create(self, num: int, model: str, **_: Any) -> list[Any]:
            return [{"eid": f"host-{number}", "type": model} for number in range(num)]

        def step(self, at_s: int, inputs: Any, max_advance: int) -> int:
            return at_s + SECONDS_APART

        def get_data(self, outputs: Any) -> Any:
            return {entity: dict.fromkeys(attributes, 1) for entity, attributes in outputs.items()}

    sys.argv = [sys.argv[0], sys.argv[-1]]
    mosaik_api_v3.start_simulation(Host())


def _measure(asked: PeerTask) -> float:
    match asked.peer, asked.exchange:
        case "mango-agents", "messages":
            return asyncio.run(_mango_messages(parse_url(asked.url), asked.count))
        case "mango-agents", "steps":
            return asyncio.run(_mango_steps(parse_url(asked.url), asked))
        case "HELICS", "steps":
            return _helics_steps(asked)
        case "mosaik", "steps":
            return _mosaik_steps(asked)
    raise SystemExit(f"{asked.peer} is not measured by {asked.exchange}")


def main() -> None:
    """Measure one peer, and print the rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=sorted(PACKAGES))
    parser.add_argument("exchange", choices=("messages", "steps", "host"))
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--sends", action="store_true")
    parser.add_argument("--url", default="mqtt://127.0.0.1:1883")
    chosen = parser.parse_args()
    if chosen.exchange == "host":
        _mosaik_host()
        return
    logging.disable(logging.CRITICAL)
    asked = PeerTask(chosen.peer, chosen.exchange, chosen.hosts, chosen.count, chosen.sends, chosen.url)
    print(json.dumps(_measure(asked)))


if __name__ == "__main__":
    main()
