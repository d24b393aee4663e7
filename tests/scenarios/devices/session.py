"""A session with real devices: a run at some pace on a private Mosquitto, and devices on plain paho-mqtt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from broker.clock.pacing import Pace
from broker.protocol.wire import Control
from broker.transport import BrokerUrl
from scenarios.files.scenario_from_text import load_text
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.plan import Plan
from scenarios.simulation.simulation import open_simulation
from tests.patience import PATIENCE_WALL_S

RUN = "r"
STREET = """\
version: 1
name: real
start: 2026-06-21T06:00:00+00:00
seed: 1
load_profiles:
  eco40: {step_s: 600, power_w: [100, 2000, 150]}
houses:
  - id: adler
    guests: 1
    devices:
      - id: washer
        type: consumer
        load_profile: eco40
        gateway: {answer_s: 3600}
      - id: pv
        type: producer
        predictions:
          - {issued: "00:00", points: [["00:00", 0], ["200:00", 2000000]]}
  - id: brandt
    devices:
      - {id: dryer, type: consumer, load_profile: eco40}
jobs:
  - {house: brandt, device: dryer, registered: "00:00", earliest_start: "00:00", latest_start: "100:00"}
tariff: {import_eur_per_kwh: 0.3, feed_in_eur_per_kwh: 0.08, neighbour_eur_per_kwh: 0.15, grid_kg_co2_per_kwh: 0.4}
"""


@dataclass
class Device:
    """A device on plain paho-mqtt: its received messages, and a way to wait for more."""

    client: mqtt.Client
    loop: asyncio.AbstractEventLoop
    heard: list[tuple[str, str, bool]] = field(default_factory=list)
    """Topic, payload, and whether it was retained."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    answers: list[Callable[[str, str], None]] = field(default_factory=list)

    def say(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        """Publish text, bytes, or what becomes JSON."""
        text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        self.client.publish(topic, text, qos=1, retain=retain)

    def take(self, topic: str, payload: str, *, retained: bool) -> None:
        self.heard.append((topic, payload, retained))
        for answer in self.answers:
            answer(topic, payload)
        self.changed.set()

    def on(self, part: str) -> list[dict[str, Any]]:
        """Return the messages received on a topic, by its last level, as JSON."""
        return [json.loads(payload) for topic, payload, _ in self.heard if topic.endswith(f"/{part}") and payload]

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition on the received messages holds; return its value.

        A condition on the last message (`[-1]`) does not hold before the first one has arrived.
        """
        async with asyncio.timeout(PATIENCE_WALL_S):
            while True:
                with suppress(IndexError):
                    if found := condition():
                        return found
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Session:
    """A run, and its broker with its login."""

    broker: BrokerUrl
    outcome: asyncio.Future[list[RunOutcome]]
    results: Path
    run_id: str = RUN

    @asynccontextmanager
    async def device(self, *filters: str, will: tuple[str, str] | None = None) -> AsyncIterator[Device]:
        """Have a client at the broker that reads these topics."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if self.broker.user is not None:
            client.username_pw_set(self.broker.user, self.broker.password)
        device = Device(client, asyncio.get_running_loop())
        ready = asyncio.Event()
        if will is not None:
            client.will_set(*will, qos=1, retain=True)

        def subscribed(*_: Any) -> None:
            device.loop.call_soon_threadsafe(ready.set)

        def came(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
            text = message.payload.decode(errors="replace")
            device.loop.call_soon_threadsafe(lambda: device.take(message.topic, text, retained=message.retain))

        def connected(*_: Any) -> None:
            client.subscribe([(topic, 1) for topic in filters])

        client.on_connect = connected
        client.on_subscribe = subscribed
        client.on_message = came
        client.connect(self.broker.host, self.broker.port)
        client.loop_start()
        try:
            async with asyncio.timeout(PATIENCE_WALL_S):
                await ready.wait()
            yield device
        finally:
            client.disconnect()
            client.loop_stop()

    async def stop(self) -> RunOutcome:
        """End the run, as an operator does."""
        async with self.device(f"ssmic/{self.run_id}/time") as operator, asyncio.timeout(PATIENCE_WALL_S):
            # A clock that has not subscribed yet does not hear it: devices may be shown before.
            while not self.outcome.done():
                operator.say(f"ssmic/{self.run_id}/control", Control(command="stop", by="test").encoded())
                await asyncio.wait({self.outcome}, timeout=1)
            return (await self.outcome)[0]


@asynccontextmanager
async def session(
    folder: Path,
    text: str = STREET,
    pace: float | None = 600.0,
    days: int | None = None,
    broker: BrokerUrl | None = None,
    *,
    home_assistant: bool = False,
    run_id: str = RUN,
) -> AsyncIterator[Session]:
    """Have a run of a scenario under way.

    Args:
        folder: Where its results go.
        text: The scenario.
        pace: Virtual seconds in a second.
        days: How long it is; None: until it is stopped.
        broker: The broker; None: a private Mosquitto, with a login.
        home_assistant: Whether to publish the run to Home Assistant.
        run_id: The run's id.
    """
    login = "" if broker is None or broker.user is None else f"{broker.user}:{broker.password}@"
    scenario = load_text(text, "test", None)
    results = folder / "session.sqlite"
    plan = Plan(
        scenario=scenario,
        seeds=(1,),
        broker="mosquitto" if broker is None else f"mqtt://{login}{broker.host}:{broker.port}",
        pace=Pace(pace),
        run_id=run_id,
        home_assistant=home_assistant,
        days=days,
        start_scores={},
        out=results,
    )
    async with open_simulation(plan) as simulation:
        url = broker or simulation.broker.url
        assert url is not None
        outcome = asyncio.create_task(simulation.run())
        under_way = Session(url, outcome, results, run_id)
        try:
            async with under_way.device(f"ssmic/{run_id}/devices/+/state") as watcher:
                await watcher.until(lambda: watcher.on("state"))  # from now on the run hears its devices
            yield under_way
        finally:
            outcome.cancel()
            await asyncio.wait([outcome])
