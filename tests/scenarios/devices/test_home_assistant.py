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
        device.say(parts["ready_by"]["cmd_t"], " ")
        await device.until(lambda: shown().get("ready_by") == "in 8 h")  # a field that is cleared; a job was refused
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


async def test_a_guest_is_shown_by_its_name_once_it_has_joined(tmp_path: Path) -> None:
    """Places without a guest were devices in Home Assistant, named after the place."""
    guest = f"ssmic/{RUN}/devices/heater"
    async with session(tmp_path, home_assistant=True) as run, run.device("homeassistant/device/+/config") as device:

        def names() -> list[str]:
            return [json.loads(text)["dev"]["name"] for _, text, _ in device.heard if text]

        await device.until(lambda: "adler pv" in names() and "adler washer" in names())
        assert not [name for name in names() if "guest" in name]
        device.say(f"{guest}/announce", {"type": "consumer", "house": "adler", "name": "Heater"}, retain=True)
        await device.until(lambda: "adler Heater" in names())
        config = next(json.loads(text) for _, text, _ in device.heard if '"adler Heater"' in text)
        assert "start" in config["cmps"]
        await run.stop()
        await device.until(lambda: len([text for _, text, _ in device.heard if not text]) >= len(set(names())))


async def test_a_job_can_be_withdrawn_there_while_another_one_runs(tmp_path: Path) -> None:
    """The one that was requested last; the button did nothing until the running one had ended."""
    topics = (f"{WASHER}/#", "homeassistant/device/+/config")
    async with session(tmp_path, home_assistant=True) as run, run.device(*topics) as device:
        config = await device.until(lambda: washer_config(device))
        start, withdraw = (config["cmps"][name]["cmd_t"] for name in ("start", "withdraw"))
        device.say(start, "PRESS")
        await device.until(lambda: device.on("set"))
        job = device.on("set")[0]["id"]
        device.say(f"{WASHER}/report", {"id": job, "state": "EXECUTING", "power_w": 2000})
        await device.until(lambda: device.on("job")[-1]["state"] == "EXECUTING")
        device.say(start, "PRESS")
        later = (await device.until(lambda: [one for one in device.on("job") if one["id"] != job]))[0]["id"]
        device.say(withdraw, "PRESS")
        await device.until(lambda: device.on("withdraw"))
        assert device.on("withdraw") == [{"id": later}]
        await device.until(lambda: device.on("job")[-1]["state"] == "ABORTED")
        await run.stop()
