"""A job of a real device that is requested in Home Assistant, by the topics that discovery names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker.servers.mosquitto import find_mosquitto
from tests.scenarios.devices.session import RUN, Device, session
from tests.scenarios.devices.test_gateway import WASHER

pytestmark = [
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
    pytest.mark.long,
]


def washer_config(device: Device) -> dict[str, Any] | None:
    """Return the washer's discovery, once a job can be requested by it."""
    configs = [json.loads(text) for topic, text, _ in device.heard if topic.startswith("homeassistant/") and text]
    return next((config for config in configs if "start" in config["cmps"]), None)


async def test_a_job_that_is_requested_there_is_negotiated_executed_and_shown(tmp_path: Path) -> None:
    """Ready by a time, the button, and the states that come of it."""
    topics = (f"{WASHER}/#", "homeassistant/device/+/config", f"ssmic/{RUN}/ha/#")
    async with session(tmp_path, home_assistant=True) as run, run.device(*topics) as device:
        config = await device.until(lambda: washer_config(device))
        parts, state_topic = config["cmps"], config["state_topic" if "state_topic" in config else "stat_t"]

        def shown() -> dict[str, Any]:
            states = [json.loads(text) for topic, text, _ in device.heard if topic == state_topic and text]
            return dict(states[-1]) if states else {}

        device.say(parts["ready_by"]["cmd_t"], "in 20 h")
        await device.until(lambda: shown().get("ready_by") == "in 20 h")
        device.say(parts["start"]["cmd_t"], "PRESS")
        command = await device.until(lambda: [text for topic, text, _ in device.heard if topic == f"{WASHER}/set"])
        job = json.loads(command[0])["id"]
        device.say(f"{WASHER}/report", {"id": job, "state": "EXECUTING", "power_w": 2000, "energy_wh": 1000})
        await device.until(lambda: (shown().get("state"), shown().get("power")) == ("EXECUTING", 2000.0))
        assert shown()["supplier"] == "pv"
        device.say(f"{WASHER}/report", {"id": job, "state": "FINISHED", "power_w": 0, "energy_wh": 1400})
        await device.until(lambda: (shown().get("state"), shown().get("energy")) == ("FINISHED", 0.4))
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == f"adler/washer/{job}")
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]
