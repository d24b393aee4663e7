"""`ssmic asyncapi`: what AsyncAPI's own parser says of it, and whether real payloads fit it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from broker.clock import Pace
from broker.protocol import topics
from broker.servers.mosquitto import find_mosquitto
from broker.transport import Delivery, MemoryBroker
from scenarios import asyncapi_document
from scenarios.load import load_scenario
from scenarios.simulation import RunSettings, run_scenario
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.devices.session import RUN, session

FOLDER = Path(__file__).resolve().parent
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document."""
    return asyncapi_document()


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.skipif(not (FOLDER / "node_modules").is_dir(), reason="AsyncAPI's parser is not installed: make asyncapi")
def test_asyncapis_own_parser_accepts_the_document(document: dict[str, Any]) -> None:
    """It reports no error, and finds every topic."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(FOLDER / "check.js")],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        timeout=PATIENCE_WALL_S,
        check=False,
    )
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert {"ssmic/{run}/roster", "ssmic/{run}/inbox/{host}/{fromHost}"} <= set(found["channels"])


def test_the_document_has_every_kind_of_topic_and_every_message_of_agents(document: dict[str, Any]) -> None:
    """The list of topics that the protocol's own module has."""
    kinds = {channel["address"].split("/")[2] for channel in document["channels"].values()}
    assert set(topics._LEVELS) <= kinds
    assert {"Request", "Accept", "Decline", "ContractAgreed"} <= set(document["components"]["schemas"])


@dataclass
class TrafficCheck:
    """What goes over a wire, compared with the document."""

    document: dict[str, Any]
    checked: set[str] = field(default_factory=set)
    """Names of the channels."""
    problems: list[str] = field(default_factory=list)

    def take(self, topic: str, payload: bytes | str) -> None:
        """Compare a message with the schema of its topic; an empty one removes a retained one."""
        if not payload:
            return
        names = [name for name, channel in self.document["channels"].items() if _is_at(channel["address"], topic)]
        if len(names) != 1:
            self.problems.append(f"{topic}: channels {names}")
            return
        self.checked.add(names[0])
        message = self.document["components"]["messages"][names[0]]
        content = payload if message["contentType"] == "text/plain" else json.loads(payload)
        schema = Draft7Validator({**message["payload"], "components": self.document["components"]})
        self.problems.extend(f"{topic}: {error.message[:200]}" for error in schema.iter_errors(content))


def _is_at(address: str, topic: str) -> bool:
    pattern = "/".join("[^/]+" if level.startswith("{") else re.escape(level) for level in address.split("/"))
    return re.fullmatch(pattern, topic) is not None


async def test_what_a_run_publishes_fits_the_document(document: dict[str, Any]) -> None:
    """Every payload of a real run, by the schema of its topic."""
    broker, wire = MemoryBroker(), TrafficCheck(document)
    async with broker.connect("reader") as bus:
        await bus.subscribe("ssmic/#", qos=1)

        async def read() -> None:
            async for event in bus.messages():
                if isinstance(event, Delivery):
                    wire.take(event.topic, event.payload)

        reading = asyncio.create_task(read())
        await run_scenario(load_scenario("late-joiner"), RunSettings(seed=1, run_id="x", pace=Pace()), broker)
        await asyncio.sleep(0)
        reading.cancel()
    assert wire.problems == []
    assert {"roster", "time", "announcement", "grant", "done", "batch", "ledgerEntry", "forecast"} <= wire.checked


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_what_devices_and_home_assistant_exchange_fits_the_document(
    document: dict[str, Any], tmp_path: Path
) -> None:
    """Whoever writes a device from it writes what a gateway accepts, and finds what a gateway says."""
    wire, washer, command = TrafficCheck(document), f"ssmic/{RUN}/devices/washer", f"ssmic/{RUN}/ha/adler%2Fwasher"
    async with session(tmp_path, home_assistant=True) as run, run.device("ssmic/#", "homeassistant/#") as device:
        device.say(f"{washer}/availability", "online", retain=True)
        short = {"energy_wh": 800, "duration_s": 3600}
        announcement = {"type": "consumer", "house": "adler", "profiles": {"short": short}}
        device.say(f"{washer}/announce", announcement, retain=True)
        device.say(f"{washer}/request", {"id": "later", "profile": "short", "ready_by": "in 30 h"})
        device.say(f"{washer}/withdraw", {"id": "later"})
        device.say(f"{washer}/withdraw", {"id": "never requested"})
        device.say(f"{command}/ready_by/set", "in 20 h")
        device.say(f"{command}/start/set", "PRESS")
        job = (await device.until(lambda: device.on("devices/washer/set")))[0]["id"]
        device.say(f"{washer}/report", {"id": job, "state": "EXECUTING", "power_w": 2000, "energy_wh": 1000})
        await device.until(lambda: device.on("job")[-1]["state"] == "EXECUTING")
        device.say(f"{washer}/report", {"id": job, "state": "FINISHED", "power_w": 0, "energy_wh": 1400})
        await device.until(lambda: device.on("job")[-1]["state"] == "FINISHED")
        await run.stop()
    for topic, payload, _ in device.heard:
        wire.take(topic, payload)
    assert wire.problems == []
    parts = {"Announce", "Availability", "Request", "Withdraw", "Report", "Job", "Set", "Error", "State"}
    assert {f"device{part}" for part in parts} <= wire.checked
    assert {"haConfig", "haStatus", "haRun", "haAgent", "haCommand"} <= wire.checked


def test_the_document_refuses_what_a_gateway_refuses(document: dict[str, Any]) -> None:
    """Unknown keys, and numbers beyond their limits; a message of S2 is accepted in its wrapper."""
    wire = TrafficCheck(document)
    wire.take("ssmic/r/devices/d/request", '{"message": {"message_type": "PPBC.PowerProfileDefinition"}}')
    assert wire.problems == []
    for refused in ('{"energy_kwh": 1}', '{"step_s": 0, "power_w": [1]}', '{"step_s": 60, "power_w": [-1]}'):
        wire.take("ssmic/r/devices/d/request", refused)
        assert wire.problems
        wire.problems.clear()
