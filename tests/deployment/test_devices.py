"""Real devices of households in separate processes, each with its own login at a guarded broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents.model import MANAGER
from broker.clock.pacing import Pace
from broker.protocol.retry_timeouts import Timeouts
from broker.protocol.wire import Control
from broker.security.acl import DeviceAccess
from broker.servers.mosquitto import find_mosquitto
from broker.transport.base import Bus, Delivery
from scenarios.devices import device_access_of
from scenarios.files.scenario_from_text import load_text
from scenarios.simulation.run import run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.deployment.guarded import GuardedBroker, guarded_mosquitto
from tests.patience import PATIENCE_WALL_S

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

RUN = "lane"
START_S = 1782021600
"""06:00, when the session begins."""
WASHER = f"ssmic/{RUN}/devices/washer"
KETTLE = f"ssmic/{RUN}/devices/kettle"
LANE = """\
version: 1
name: lane
start: 2026-06-21T06:00:00+00:00
seed: 1
load_profiles:
  eco40: {step_s: 600, power_w: [100, 2000, 150]}
houses:
  - id: adler
    devices:
      - {id: washer, type: consumer, load_profile: eco40, gateway: {answer_s: 3600}}
      - {id: pv, type: producer, predictions: [{issued: "00:00", points: [["00:00", 0], ["200:00", 2000000]]}]}
  - id: brandt
    guests: 1
    devices:
      - {id: dryer, type: consumer, load_profile: eco40}
jobs:
  - {house: brandt, device: dryer, registered: "00:00", earliest_start: "00:00", latest_start: "100:00"}
"""


@dataclass
class Login:
    """A device that is connected with its own login."""

    bus: Bus
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Receive messages until cancelled."""
        async for event in self.bus.messages():
            if isinstance(event, Delivery) and event.payload:
                self.heard.append((event.topic, json.loads(event.payload)))
                self.changed.set()

    async def say(self, topic: str, content: dict[str, Any], *, retain: bool = False) -> None:
        """Publish JSON."""
        await self.bus.publish(topic, json.dumps(content).encode(), qos=1, retain=retain)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition on the received messages.

        A condition on the last one (`[-1]`) does not hold before the first one has arrived.
        """
        while True:
            with suppress(IndexError):
                if condition():
                    return
            self.changed.clear()
            await self.changed.wait()

    def on(self, topic: str) -> list[dict[str, Any]]:
        """Return the messages received on a topic."""
        return [content for heard, content in self.heard if heard == topic]


@asynccontextmanager
async def device(guarded: GuardedBroker, name: str, *filters: str) -> AsyncIterator[Login]:
    """Connect a device with the login that is its own."""
    async with guarded.of(f"device.{name}").connect(f"real-{name}") as bus:
        await bus.subscribe(*filters, qos=1)
        login = Login(bus)
        reading = asyncio.create_task(login.read())
        try:
            yield login
        finally:
            reading.cancel()


async def test_devices_join_at_their_households_processes_and_speak_for_themselves_only(tmp_path: Path) -> None:
    """A scenario's device runs its job; a guest is admitted only by its own house; other topics are denied.

    A guest that named no house of the run got no answer: no household knows the houses of the others. The answers of a
    household whose devices had not written yet were of 1970.
    """
    lane = load_text(LANE, "lane", None)
    accesses = (*device_access_of(lane), DeviceAccess("", "kettle"))
    settings = RunSettings(1, RUN, pace=Pace(600.0), patience=Timeouts(resend_wall_s=0.2, limit_wall_s=PATIENCE_WALL_S))
    async with (
        asyncio.timeout(PATIENCE_WALL_S),
        guarded_mosquitto(tmp_path / "guard", ("adler", "brandt"), devices=accesses) as guarded,
        device(guarded, "washer", f"{WASHER}/+", f"{KETTLE}/+") as washer,
        device(guarded, "kettle", *(f"{KETTLE}/{part}" for part in ("state", "job", "error"))) as kettle,
        asyncio.TaskGroup() as tasks,
    ):
        clock = tasks.create_task(run_scenario(lane, settings, guarded.of("clock"), [MANAGER]))
        for house in lane.houses:
            tasks.create_task(run_hosts(lane.part_of([house.id]), settings, guarded.of(house.id), [house.id]))
        await washer.until(lambda: washer.on(f"{WASHER}/state"))
        for named in ("brand", "adler", "brand"):
            await kettle.say(f"{KETTLE}/announce", {"type": "consumer", "house": named}, retain=True)
        await kettle.until(lambda: len(kettle.on(f"{KETTLE}/error")) == 2)
        await kettle.say(f"{KETTLE}/announce", {"type": "toaster", "house": "brandt"}, retain=True)
        await kettle.until(lambda: len(kettle.on(f"{KETTLE}/error")) == 3)
        await kettle.say(f"{KETTLE}/announce", {"type": "consumer", "house": "brandt"}, retain=True)
        await kettle.until(lambda: kettle.on(f"{KETTLE}/state"))
        await washer.say(f"{WASHER}/announce", {"type": "consumer", "house": "adler"}, retain=True)
        await washer.say(f"{KETTLE}/request", {"id": "false", "energy_wh": 100, "duration_s": 60, "ready_by": "in 9 h"})
        await guarded.logged("Denied PUBLISH", "real-washer", f"{KETTLE}/request")
        await washer.say(f"ssmic/{RUN}/control", {"v": 2, "command": "stop", "by": "washer"})
        await guarded.logged("Denied PUBLISH", "real-washer", "control")
        await washer.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await washer.until(lambda: washer.on(f"{WASHER}/set"))
        await washer.say(f"{WASHER}/report", {"id": "wash-1", "state": "EXECUTING", "power_w": 2000})
        await washer.until(lambda: washer.on(f"{WASHER}/job")[-1]["state"] == "EXECUTING")
        await washer.say(f"{WASHER}/report", {"id": "wash-1", "state": "FINISHED", "power_w": 0})
        await washer.until(lambda: washer.on(f"{WASHER}/job")[-1]["state"] == "FINISHED")
        async with guarded.of("operator").connect("person") as person:
            await person.publish(f"ssmic/{RUN}/control", Control(command="stop", by="person").encoded(), qos=1)
            await person.flush()
        outcome = await clock
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]
    assert not [job_id for job_id in (entry.contract.job_id for entry in outcome.ledger) if "false" in job_id]
    assert not washer.on(f"{WASHER}/error")
    assert [(error["problem"], error["expected"]) for error in kettle.on(f"{KETTLE}/error")] == [
        ("there is no house 'brand'; did you mean 'brandt'?", "one of: brandt"),
        ("house 'adler' takes no guests", "one of: brandt"),
        ("type: 'consumer' or 'producer' is expected", "a JSON object with some of: type, house, name, profiles"),
    ]
    assert all(error["time"] >= START_S for error in kettle.on(f"{KETTLE}/error"))
    assert not kettle.on(f"{KETTLE}/job")
    assert not [topic for topic, _ in washer.heard if topic.startswith(KETTLE)]


@pytest.mark.long
async def test_a_resource_manager_of_s2_joins_as_a_guest_with_its_own_login(tmp_path: Path) -> None:
    """It runs a job and speaks only for itself; what it may not do is denied, what it says wrongly is answered."""
    pytest.importorskip("s2python")
    from s2python.generated.gen_s2 import ControlType, RoleType  # noqa: PLC0415 - an extra

    from tests.scenarios.devices.test_s2 import (  # noqa: PLC0415 - the same
        definition,
        details,
        element,
        forecast,
        sequence,
        status,
        wrapped,
    )

    lane, roof = load_text(LANE, "lane", None), f"ssmic/{RUN}/devices/attic"
    accesses = (*device_access_of(lane), DeviceAccess("", "kettle"), DeviceAccess("", "attic"))
    settings = RunSettings(1, RUN, pace=Pace(600.0), patience=Timeouts(resend_wall_s=0.2, limit_wall_s=PATIENCE_WALL_S))
    parts = ("state", "job", "error", "set")
    consumer = details(RoleType.ENERGY_CONSUMER, ControlType.POWER_PROFILE_BASED_CONTROL)
    producer = details(RoleType.ENERGY_PRODUCER, ControlType.NOT_CONTROLABLE)
    house = {"metadata": {"house": "brandt"}}
    async with (
        asyncio.timeout(PATIENCE_WALL_S),
        guarded_mosquitto(tmp_path / "guard", ("adler", "brandt"), devices=accesses) as guarded,
        device(guarded, "kettle", *(f"{KETTLE}/{part}" for part in parts)) as kettle,
        device(guarded, "attic", *(f"{roof}/{part}" for part in parts)) as attic,
        asyncio.TaskGroup() as tasks,
    ):
        clock = tasks.create_task(run_scenario(lane, settings, guarded.of("clock"), [MANAGER]))
        for one in lane.houses:
            tasks.create_task(run_hosts(lane.part_of([one.id]), settings, guarded.of(one.id), [one.id]))
        await attic.say(f"{roof}/announce", wrapped(producer) | house, retain=True)
        await attic.until(lambda: attic.on(f"{roof}/state"))
        await attic.say(f"{roof}/forecast", wrapped(forecast(START_S, -3000, -3000)))
        await kettle.say(f"{KETTLE}/announce", wrapped(consumer) | house, retain=True)
        await kettle.until(lambda: kettle.on(f"{KETTLE}/state"))
        await attic.say(f"{KETTLE}/withdraw", wrapped(consumer))
        await guarded.logged("Denied PUBLISH", "real-attic", f"{KETTLE}/withdraw")
        mistaken = definition(START_S, START_S + 60, [sequence(element(3600, 1))])
        await kettle.say(f"{KETTLE}/request", wrapped(mistaken))
        await kettle.until(lambda: kettle.on(f"{KETTLE}/error"))
        assert kettle.on(f"{KETTLE}/error")[-1]["message"]["subject_message_id"] == str(mistaken.message_id)
        profile = definition(START_S, START_S + 20 * 3600, [sequence(element(600, 2000))])
        await kettle.say(f"{KETTLE}/request", wrapped(profile))
        await kettle.until(lambda: kettle.on(f"{KETTLE}/set"))
        assert kettle.on(f"{KETTLE}/set")[0]["message"]["message_type"] == "PPBC.ScheduleInstruction"
        await kettle.say(f"{KETTLE}/report", wrapped(status(profile, "EXECUTING")))
        await kettle.say(f"{KETTLE}/report", wrapped(status(profile, "FINISHED")))
        await kettle.until(lambda: kettle.on(f"{KETTLE}/job")[-1]["state"] == "FINISHED")
        async with guarded.of("operator").connect("person") as person:
            await person.publish(f"ssmic/{RUN}/control", Control(command="stop", by="person").encoded(), qos=1)
            await person.flush()
        outcome = await clock
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == f"brandt/kettle/{profile.id}")
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]
    assert not attic.on(f"{roof}/error")
