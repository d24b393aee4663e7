"""Requests and replies through Mosquitto: our bus against bare aiomqtt, side by side in one run.

    python benchmarks/round_trips.py [--count 2000]

Needs Mosquitto. See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import time
from collections.abc import Awaitable, Callable

import aiomqtt

from broker.servers.mosquitto import managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from broker.transport.endpoint import BrokerUrl

REPEATS = 5
"""Alternating, so that a machine that becomes slower or faster does so for both."""
PAYLOAD = b'{"kind": "Request", "job_id": "1:[3]:[4]", "earliest_start": 1467324000, "latest_start": 1467352800}'
NODELAY = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)


async def bare(url: BrokerUrl, count: int, burst: int) -> float:
    """Return the wall-clock seconds that `count` round trips take with aiomqtt as it is."""
    async with (
        aiomqtt.Client(url.host, url.port, socket_options=NODELAY) as asker,
        aiomqtt.Client(url.host, url.port, socket_options=NODELAY) as echo,
        asyncio.TaskGroup() as tasks,
    ):
        await asker.subscribe("replies")
        await echo.subscribe("requests")

        async def answer() -> None:
            async for message in echo.messages:
                await echo.publish("replies", message.payload)

        answering = tasks.create_task(answer())
        replies = aiter(asker.messages)
        began = time.perf_counter()
        for _ in range(count // burst):
            for _ in range(burst):
                await asker.publish("requests", PAYLOAD)
            for _ in range(burst):
                await anext(replies)
        took_wall_s = time.perf_counter() - began
        answering.cancel()
    return took_wall_s


async def ours(url: BrokerUrl, count: int, burst: int) -> float:
    """Return the wall-clock seconds that `count` round trips take over `MqttBus`."""
    broker = MqttBroker(url)
    async with (
        broker.connect("asker") as asker,
        broker.connect("echo") as echo,
        asyncio.TaskGroup() as tasks,
    ):
        await asker.subscribe("replies")
        await echo.subscribe("requests")

        async def answer() -> None:
            async for item in echo.messages():
                if isinstance(item, Delivery):
                    await echo.publish("replies", item.payload)

        answering = tasks.create_task(answer())
        replies = aiter(asker.messages())
        began = time.perf_counter()
        for _ in range(count // burst):
            for _ in range(burst):
                await asker.publish("requests", PAYLOAD)
            for _ in range(burst):
                await anext(replies)
        took_wall_s = time.perf_counter() - began
        answering.cancel()
    return took_wall_s


async def main(count: int) -> None:
    """Measure, and print a table."""
    kinds: dict[str, Callable[[BrokerUrl, int, int], Awaitable[float]]] = {"bare aiomqtt": bare, "MqttBus": ours}
    async with managed_mosquitto() as running:
        print(f"{running.description}; {count} round trips at QoS 0, median of {REPEATS} alternating runs")
        for burst in (1, 50):
            took: dict[str, list[float]] = {kind: [] for kind in kinds}
            for _ in range(REPEATS):
                for kind, measure in kinds.items():
                    took[kind].append(await measure(running.url, count, burst))
            rates = {kind: count / statistics.median(took_wall_s) for kind, took_wall_s in took.items()}
            for kind, rate in rates.items():
                print(f"{burst:3} at a time  {kind:12}  {rate:8.0f} round trips a second")
            print(f"{burst:3} at a time  {'ratio':12}  {rates['MqttBus'] / rates['bare aiomqtt']:8.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    asyncio.run(main(parser.parse_args().count))
