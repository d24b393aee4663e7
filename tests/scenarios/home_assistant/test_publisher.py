"""The entities of a run in Home Assistant, over a real Mosquitto."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.clock import Pace
from broker.protocol import topics
from broker.protocol.rejections import LOGGED_AT_ONCE
from broker.servers import find_mosquitto, managed_mosquitto
from broker.transport import Broker, Bus, Delivery, MemoryBroker, MqttBroker
from scenarios.devices.notices import DeviceState
from scenarios.files import load_text
from scenarios.home_assistant import RunSnapshot, shown_in_home_assistant
from scenarios.home_assistant.entities import STATES, devices_of, object_id, real_consumer, states_at
from scenarios.load import load
from scenarios.simulation import RunOutcome, RunSettings, run_scenario
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.devices.session import STREET
from tests.scenarios.lab.neighbourhood import lane

RUN = "monday"


@dataclass
class Reader:
    """What is retained at the broker, and what was published first and how often on each topic."""

    bus: Bus
    first: dict[str, bytes] = field(default_factory=dict)
    retained: dict[str, Any] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Read until cancelled."""
        async for event in self.bus.messages():
            if isinstance(event, Delivery):
                self.first.setdefault(event.topic, event.payload)
                self.times[event.topic] = self.times.get(event.topic, 0) + 1
                if event.payload:
                    text = event.payload.decode()
                    self.retained[event.topic] = json.loads(text) if text.startswith("{") else text
                else:
                    self.retained.pop(event.topic, None)
                self.changed.set()

    async def until(self, holds: Any) -> None:
        """Wait for something to be so."""
        async with asyncio.timeout(PATIENCE_WALL_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


def _is_ours(topic: str) -> bool:
    """Return whether the run has published it for Home Assistant."""
    return topic.startswith("homeassistant/device/") or ("/ha/" in topic and not topic.endswith("/set"))


@asynccontextmanager
async def reading(broker: Broker) -> AsyncIterator[Reader]:
    """Read what Home Assistant would."""
    async with broker.connect("reader") as bus:
        await bus.subscribe("homeassistant/#", "ssmic/+/ha/#", "ssmic/+/devices/#", qos=1)
        reader = Reader(bus)
        task = asyncio.create_task(reader.read())
        try:
            yield reader
        finally:
            task.cancel()


def test_every_device_of_the_discovery_has_what_home_assistant_requires() -> None:
    """An origin, identifiers, a platform and a unique id for each component, and energy that its dashboard accepts."""
    shown = devices_of(lane(), RUN, ["adler/washer"])
    assert [one.key for one in shown] == ["", "adler/washer", "adler/fridge", "pv", "berg/dryer"]
    unique = [c["uniq_id"] for one in shown for c in one.config["cmps"].values()]
    assert len(set(unique)) == len(unique)
    for one in shown:
        assert one.config["o"]["name"] == "ssmic"
        assert one.config["dev"]["ids"]
        for component in one.config["cmps"].values():
            if component.get("dev_cla") == "energy":
                assert component["unit_of_meas"] == "kWh"
                assert component["stat_cla"] in {"total_increasing", "total"}
    washer, dryer = shown[1].config, shown[4].config
    assert washer["dev"]["via_device"] == shown[0].config["dev"]["ids"][0]
    assert {"ready_by", "start", "withdraw"} <= washer["cmps"].keys()
    assert not {"ready_by", "start", "withdraw"} & dryer["cmps"].keys()
    assert washer["cmps"]["state"]["ops"] == list(STATES)
    assert shown[3].config["cmps"]["delivered"]["stat_cla"] == "total_increasing"


def test_a_meter_never_falls_by_rounding() -> None:
    """After sunset, the production of a day was 51.1682 and 51.1683 kWh by turns; Home Assistant warns of each fall."""
    scenario = load("scarce").scenario
    meters = [
        (device.key, name)
        for device in devices_of(scenario, RUN, ())
        for name, entity in device.config["cmps"].items()
        if entity.get("stat_cla") == "total_increasing"
    ]
    last_kwh = dict.fromkeys(meters, 0.0)
    for now_s in range(scenario.start_s, scenario.start_s + 86_400, 600):
        states = states_at(scenario, RunSnapshot(now_s, (), {}))
        for agent, name in meters:
            kwh = states[agent][name]
            assert kwh >= last_kwh[agent, name], (agent, name, now_s - scenario.start_s)
            last_kwh[agent, name] = kwh
    assert last_kwh["", "produced"] == pytest.approx(51.168, abs=0.001)


def test_object_ids_have_only_the_characters_that_home_assistant_allows() -> None:
    """Different agents have different ids."""
    assert object_id("ssmic", "monday") == "ssmic_monday"
    assert object_id("ssmic", "a/b") != object_id("ssmic", "a b")
    assert object_id("ssmic", "müller/wäsche").isascii()


def test_states_follow_the_ledger() -> None:
    """Before, during and after a job."""
    outcome = asyncio.run(run_scenario(lane(), RunSettings(seed=1, run_id=RUN), MemoryBroker()))
    start_s = {e.contract.job_id: e.contract.start_s for e in outcome.ledger}["wash-1"]

    def washer(now_s: int) -> dict[str, Any]:
        return states_at(lane(), RunSnapshot(now_s, outcome.ledger, outcome.scores))["adler/washer"]

    assert washer(start_s - 60)["state"] == "SCHEDULED"
    assert washer(start_s - 60)["next_start"].endswith("+02:00")
    assert (washer(start_s + 700)["state"], washer(start_s + 700)["power"]) == ("EXECUTING", 2000.0)
    done = states_at(lane(), RunSnapshot(start_s + 9000, outcome.ledger, outcome.scores))
    assert (done["adler/washer"]["state"], done["adler/washer"]["energy"]) == ("FINISHED", 0.375)
    assert done["pv"]["delivered"] == pytest.approx(done[""]["delivered"])
    assert done["pv"]["score"] == outcome.scores["pv"]


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_an_offline_device_has_the_energy_that_it_has_metered_and_no_power() -> None:
    """Without a reading, it would have what its plan says instead, and its energy would go back."""
    offline = DeviceState(type="consumer", available=False, power_w=None, energy_wh=1_500.0)
    shown = real_consumer(load_text(STREET, "test", None), offline)
    assert (shown["power"], shown["energy"]) == (None, 1.5)


def test_a_device_that_reports_only_its_counter_has_the_energy_that_it_has_metered() -> None:
    """Home Assistant showed the energy of its plan, whatever the counter said."""
    counting = DeviceState(type="consumer", available=True, power_w=None, energy_wh=1_500.0)
    assert real_consumer(load_text(STREET, "test", None), counting) == {"next_start": None, "energy": 1.5}
    silent = DeviceState(type="consumer", available=True, power_w=None, energy_wh=0.0)
    assert "energy" not in real_consumer(load_text(STREET, "test", None), silent)


async def test_a_run_reappears_after_a_birth_message_and_disappears_at_its_end() -> None:
    """Its ledger is the same as without Home Assistant; an invented device makes no emulated one a real one."""
    async with managed_mosquitto() as running:
        broker = MqttBroker(running.url)
        async with reading(broker) as reader:
            settings = RunSettings(seed=1, run_id=RUN, pace=Pace(60.0), days=1, home_assistant=True)
            run = asyncio.create_task(run_scenario(lane(), settings, broker))
            config = "homeassistant/device/ssmic_monday_pv/config"
            await reader.until(lambda: f"ssmic/{RUN}/ha/pv/state" in reader.retained and config in reader.retained)
            assert reader.retained[f"ssmic/{RUN}/ha/status"] == "online"
            assert reader.retained[f"ssmic/{RUN}/ha/pv/state"]["forecast"] == 1000.0
            invented = {"type": "consumer", "agent": "adler/washer", "job": "wash-9", "state": "SCHEDULED"}
            topic = f"ssmic/{RUN}/devices/washer/state"
            await reader.bus.publish(topic, json.dumps(invented).encode(), qos=1, retain=True)
            before = reader.times[config]
            await reader.bus.publish("homeassistant/status", b"online", qos=1)
            await reader.until(lambda: reader.times[config] > before)
            washer = next(t for t, c in reader.retained.items() if t.endswith("/config") and "washer" in t)
            assert "start" not in reader.retained[washer]["cmps"]
            await reader.bus.publish(f"ssmic/{RUN}/control", b'{"v": 2, "command": "pace", "pace": "max"}', qos=1)
            outcome: RunOutcome = await run
            await reader.until(lambda: not [topic for topic in reader.retained if _is_ours(topic)])
    plain = await run_scenario(lane(), RunSettings(seed=1, run_id="x", days=1), MemoryBroker())
    assert outcome.ledger_sha256 == plain.ledger_sha256


@pytest.mark.looptime
async def test_a_flood_of_invented_messages_is_logged_a_few_times_and_counted() -> None:
    """At a broker without logins, anyone can write them, and each was logged."""
    sent = {
        topics.device(RUN, "washer", "job"): b"{",
        topics.device(RUN, "washer", "state"): b"[]",
        f"ssmic/{RUN}/ha/nobody/start/set": b"PRESS",
    }
    broker = MemoryBroker()
    snapshot = RunSnapshot(lane().start_s, (), {})
    with capture_logs() as logs:
        async with broker.connect("mallory") as mallory, shown_in_home_assistant(broker, lane(), RUN, lambda: snapshot):
            await asyncio.sleep(1)
            for _ in range(500):
                for topic, payload in sent.items():
                    await mallory.publish(topic, payload)
            await asyncio.sleep(5)
    for topic in sent:
        told = [entry for entry in logs if entry.get("topic") == topic]
        assert len(told) <= LOGGED_AT_ONCE + 2, topic
        assert sum(1 + entry.get("more", 0) for entry in told) == 500, topic


async def test_a_run_that_is_interrupted_while_it_leaves_home_assistant_ends() -> None:
    """Its entities are removed all the same."""
    broker, is_ending = MemoryBroker(), False

    def snapshot() -> RunSnapshot:
        if is_ending:
            run.cancel()
        return RunSnapshot(lane().start_s, (), {})

    async def show() -> None:
        nonlocal is_ending
        async with shown_in_home_assistant(broker, lane(), RUN, snapshot):
            await reader.until(lambda: f"ssmic/{RUN}/ha/pv/state" in reader.retained)
            is_ending = True

    async with reading(broker) as reader:
        run = asyncio.create_task(show())
        with pytest.raises(asyncio.CancelledError):
            await run
    assert not broker._retained


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_a_real_device_is_discovered_at_once_with_what_a_job_is_requested_by() -> None:
    """Home Assistant passes over entities that are added to a device while it still sets up the first ones."""
    async with managed_mosquitto() as running, reading(MqttBroker(running.url)) as reader:
        settings = RunSettings(seed=1, run_id=RUN, pace=Pace(60.0), home_assistant=True)
        run = asyncio.create_task(run_scenario(load_text(STREET, "real.yaml", None), settings, MqttBroker(running.url)))
        await reader.bus.subscribe(time := topics.time(RUN), qos=1)
        # A clock that has published the time takes commands.
        await reader.until(lambda: time in reader.first and f"ssmic/{RUN}/ha/pv/state" in reader.retained)
        configs = [json.loads(payload) for topic, payload in reader.first.items() if topic.endswith("/config")]
        (washer,) = [config for config in configs if config["dev"]["name"] == "adler washer"]
        assert {"ready_by", "start", "withdraw"} <= washer["cmps"].keys()
        await reader.bus.publish(f"ssmic/{RUN}/control", b'{"v": 2, "command": "stop"}', qos=1)
        await run
