"""The real Zigbee2MQTT on a stand-in for its radio: our adapter drives it, and it says what our emulated bridge says.

`make lab-test`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from broker.servers import find_mosquitto
from broker.servers.own_broker import free_port
from broker.transport import BrokerUrl
from scenarios.lab import DeviceKinds, EmulatedDevices
from scenarios.lab.zigbee2mqtt import Zigbee2MqttBridge
from tests.real_programs.home_assistant import until
from tests.scenarios.devices.session import STREET, session
from tests.scenarios.devices.test_gateway import WASHER, job_state
from tests.scenarios.lab.neighbourhood import START_S, lane

HERE = Path(__file__).resolve().parent
PROGRAMS = Path(os.environ.get("REAL_PROGRAMS", "") or "/nowhere")
NAME = "zigbee2mqtt/adler washer"

pytestmark = [
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(
        not (PROGRAMS / "zigbee2mqtt" / ".installed").exists(),
        reason="Zigbee2MQTT is not installed: make lab-test does it",
    ),
]


class Heard:
    """What was published, newest last."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages: list[tuple[str, str]] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _client, _data, m: self.messages.append((m.topic, m.payload.decode()))
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("zigbee2mqtt/#", 1)
        self.client.loop_start()

    def last(self, topic: str) -> Any:
        """Return the newest content of a topic; fails if there is none."""
        text = [payload for heard, payload in self.messages if heard == topic][-1]
        return json.loads(text)

    def say(self, topic: str, content: object) -> None:
        """Publish a command."""
        self.client.publish(topic, json.dumps(content), qos=1).wait_for_publish(60)


@contextmanager
def real_bridge(folder: Path) -> Iterator[tuple[Heard, Path]]:
    """Run the real bridge; yield what it says, and the file that makes its plug dead while it is there."""
    port = free_port()
    configuration = (HERE / "zigbee2mqtt_configuration.yaml").read_text().replace("PORT", str(port))
    (folder / "configuration.yaml").write_text(configuration)
    shutil.copy(HERE / "zigbee2mqtt_database.jsonl", folder / "database.db")
    dead = folder / "dead"
    environment = {
        **os.environ,
        "ZIGBEE2MQTT_DATA": str(folder),
        "PLUG_DEAD": str(dead),
        "PLUG_METER": str(folder / "meter"),
        "NODE_PATH": str(PROGRAMS / "zigbee2mqtt" / "node_modules"),
    }
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    broker = subprocess.Popen([str(find_mosquitto()), "-p", str(port)], **quiet)
    try:
        heard = until(lambda: Heard(port), "Mosquitto")
        stand_in = shutil.copy(HERE / "zigbee2mqtt_stand_in.cjs", folder)
        node = subprocess.Popen(
            [str(shutil.which("node")), str(stand_in)], env=environment, start_new_session=True, **quiet
        )
        try:
            until(lambda: heard.last("zigbee2mqtt/bridge/state") == {"state": "online"}, "the bridge")
            yield heard, dead
        finally:
            with suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.wait()
            heard.client.loop_stop()
            heard.client.disconnect()
    finally:
        broker.terminate()
        broker.wait()


def emulated(topic: str, *received: tuple[str, object]) -> Any:
    """Return what our bridge says on a topic, after commands."""
    street = EmulatedDevices(lane(), DeviceKinds.parse(["zigbee2mqtt"]), START_S + 7200)
    bridge = next(d for d in street.devices if isinstance(d, Zigbee2MqttBridge))
    said = list(bridge.subscribed(START_S))
    for to, content in received:
        said += bridge.received(to, json.dumps(content).encode(), START_S)
    return json.loads([one.payload for one in said if one.topic == topic][-1])


def test_the_emulated_bridge_says_what_the_real_one_says(tmp_path: Path) -> None:
    """Devices and what they expose, state, commands, a rename; and the silence of a dead plug."""
    with real_bridge(tmp_path) as (heard, dead):

        def plug(devices: list[dict[str, Any]]) -> dict[str, Any]:
            return next(d for d in devices if d["friendly_name"] == "adler washer")

        real = until(lambda: plug(heard.last("zigbee2mqtt/bridge/devices")), "the plug")
        ours = plug(emulated("zigbee2mqtt/bridge/devices"))
        assert ours.keys() <= real.keys()
        assert (ours["definition"]["vendor"], ours["power_source"]) == (
            real["definition"]["vendor"],
            real["power_source"],
        )
        exposed = {
            e["property"]: (e["access"], e.get("unit")) for e in real["definition"]["exposes"] if "property" in e
        }
        for entry in ours["definition"]["exposes"]:
            if entry.get("property") in {"power", "current", "voltage", "energy"}:
                assert exposed[entry["property"]] == (entry["access"], entry["unit"])
        available = until(lambda: heard.last(f"{NAME}/availability"), "its availability")
        assert available.keys() == emulated(f"{NAME}/availability").keys()
        heard.say(f"{NAME}/set", {"state": "ON"})
        until(lambda: heard.last(NAME)["state"] == "ON", "the plug to be on")
        keys = {"state", "power", "energy", "linkquality"}
        until(lambda: heard.last(NAME).get("power") and keys <= heard.last(NAME).keys(), "its power and its energy")
        assert keys <= emulated(NAME, (f"{NAME}/set", {"state": "ON"})).keys()
        request = {"from": "adler washer", "to": "wash/er", "transaction": "t1"}
        heard.say("zigbee2mqtt/bridge/request/device/rename", request)
        topic = "zigbee2mqtt/bridge/response/device/rename"
        answer = until(lambda: heard.last(topic), "the answer to the rename")
        assert emulated(topic, ("zigbee2mqtt/bridge/request/device/rename", request)) == answer
        dead.touch()
        count = len(heard.messages)
        heard.say("zigbee2mqtt/wash/er/set", {"state": "OFF"})

        def error() -> Any:
            logged = [json.loads(p) for t, p in heard.messages[count:] if t == "zigbee2mqtt/bridge/logging"]
            return next(one for one in logged if one["level"] == "error")

        said = until(error, "the error of a dead plug")
        assert "Publish 'set' 'state' to 'wash/er' failed" in said["message"]


async def test_our_adapter_drives_the_real_one_from_announcement_to_finished(tmp_path: Path) -> None:
    """The plug is dead at its first job, is renamed while its second one runs, and is switched off at the end."""
    gateway = '{adapter: zigbee2mqtt, ieee_address: "0x00158d0001a2b3c4", answer_s: 900, tries: 2}'
    text = STREET.replace("gateway: {answer_s: 3600}", f"gateway: {gateway}")
    meter = tmp_path / "meter"
    meter.write_text("2000 5000")
    with real_bridge(tmp_path) as (heard, dead):
        until(lambda: heard.last(NAME)["energy"] == 5, "its counter")
        url = BrokerUrl("127.0.0.1", heard.port)
        async with (
            session(tmp_path, text, broker=url) as run,
            run.device(f"{WASHER}/#") as device,
            run.device("zigbee2mqtt/wash/er") as renamed,
        ):
            await device.until(lambda: device.on("state") and device.on("state")[-1]["available"] is True)
            dead.touch()
            device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
            await device.until(lambda: job_state(device) == "ABORTED")
            assert device.on("job")[-1]["outcome"] == "no_answer"
            assert "to 'adler washer' failed" in device.on("error")[0]["problem"]
            dead.unlink()
            device.say(f"{WASHER}/request", {"id": "wash-2", "ready_by": "in 20 h"})
            await device.until(lambda: job_state(device) == "EXECUTING" and device.on("state")[-1]["power_w"] == 2000)
            rename = {"from": "adler washer", "to": "wash/er"}
            device.say("zigbee2mqtt/bridge/request/device/rename", rename)
            await renamed.until(lambda: renamed.on("er"))
            meter.write_text("0 5410")
            await device.until(lambda: job_state(device) == "FINISHED")
            last = device.on("job")[-1]
            assert (last["outcome"], last["measured_wh"]) == ("on_time", pytest.approx(410.0))
            await renamed.until(lambda: renamed.on("er")[-1]["state"] == "OFF")
            outcome = await run.stop()
    history = {entry.contract.job_id: [e.what for e in entry.history] for entry in outcome.ledger}
    assert history["adler/washer/wash-1"] == ["agreed", "aborted"]
    assert history["adler/washer/wash-2"] == ["agreed", "started", "finished"]
