"""From a contract's start to the command on the wire, for many real devices at once, at the pace of the wall clock.

`python -m benchmarks.devices [DEVICES]` runs a private Mosquitto, and a client that plays all devices and answers.
It prints the delays from the second at which contracts start to the arrival of the commands at the devices, and the
processor time that passed in between, the devices' own included, which hardly depends on how busy the machine is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from broker.clock import Moment, Pace
from scenarios.files import load_text
from scenarios.simulation import Plan, RunCallbacks, open_simulation, run_scenario

START_S = 20
"""When all contracts start, seconds after the run's start."""
A_HOUSE = 10
MOST_MS = 100
"""Wanted from a contract's start to its command on the wire."""


def street(devices: int) -> str:
    """Return a scenario whose devices all start in the same second, on grid power."""
    houses, jobs = [], []
    for number in range(devices):
        house, device = f"h{number // A_HOUSE}", f"d{number}"
        if number % A_HOUSE == 0:
            houses.append(f"  - id: {house}\n    devices:\n")
        houses[-1] += f"      - {{id: {device}, type: consumer, load_profile: p, gateway: {{}}}}\n"
        times = f"registered: '00:00:00', earliest_start: '00:00:{START_S}', latest_start: '00:00:{START_S}'"
        jobs.append(f"  - {{house: {house}, device: {device}, {times}}}\n")
    head = "version: 1\nname: many\nstart: 2026-06-21T06:00:00Z\ndays: 1\nseed: 1\n"
    head += "load_profiles: {p: {points: [[0, 0], [600, 100]]}}\n"
    return f"{head}houses:\n{''.join(houses)}jobs:\n{''.join(jobs)}"


async def measured(devices: int) -> tuple[np.ndarray, float]:
    """Return the delays, shape (devices,), and the processor time until the last command has arrived, milliseconds."""
    scenario = load_text(street(devices), "many", None)
    begun_s: dict[int, tuple[float, float]] = {}
    """By virtual time, wall clock and processor time when it began."""
    arrived_s: list[float] = []
    cpu_s: list[float] = []
    all_there = asyncio.Event()
    loop = asyncio.get_running_loop()

    def moment(at: Moment) -> None:
        begun_s.setdefault(at.time_s, (time.monotonic(), time.process_time()))

    def came(client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if json.loads(message.payload)["command"] == "start":
            arrived_s.append(time.monotonic())
            cpu_s.append(time.process_time())
            client.publish(message.topic.replace("/set", "/report"), '{"state": "EXECUTING", "power_w": 100}', qos=1)
            if len(arrived_s) == devices:
                loop.call_soon_threadsafe(all_there.set)

    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(
            scenario,
            (1,),
            broker="mosquitto",
            pace=Pace(1.0),
            run_id="m",
            start_scores={},
            out=Path(folder) / "r.sqlite",
        )
        async with open_simulation(plan) as simulation:
            client = mqtt.Client(CallbackAPIVersion.VERSION2)
            client.on_message = came
            assert simulation.broker.url is not None
            client.username_pw_set(simulation.broker.url.user, simulation.broker.url.password)
            client.connect(simulation.broker.url.host, simulation.broker.url.port)
            client.subscribe("ssmic/m/devices/+/set", 1)
            client.loop_start()
            running = asyncio.create_task(
                run_scenario(
                    scenario,
                    simulation.planned_runs[0].settings,
                    simulation.broker.for_run(),
                    callbacks=RunCallbacks(on_moment=moment),
                )
            )
            await asyncio.wait([running, asyncio.create_task(all_there.wait())], return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
            await asyncio.wait([running])
            client.loop_stop()
    wall_s, before_s = begun_s[scenario.start_s + START_S]
    return 1000 * (np.array(arrived_s) - wall_s), 1000 * (cpu_s[-1] - before_s)


def main(devices: int) -> None:
    """Measure, and print the percentiles."""
    logging.basicConfig(level=logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    delays_ms, cpu_ms = asyncio.run(measured(devices))
    median, most_ms = np.percentile(delays_ms, 50), np.percentile(delays_ms, 99)
    print(
        f"{len(delays_ms)} commands: median {median:.0f} ms, 99th percentile {most_ms:.0f} ms; "
        f"processor time until the last one {cpu_ms:.0f} ms"
    )
    if cpu_ms >= MOST_MS:
        sys.exit(f"expected: less than {MOST_MS} ms of processor time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("devices", metavar="DEVICES", nargs="?", type=int, default=200, help="how many (default: 200)")
    main(parser.parse_args().devices)
