"""Home Assistant's device-based MQTT discovery: which entities each agent of a run has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from agents import House
from broker.protocol.topics import encode
from scenarios.devices import GUEST
from scenarios.scenario import Scenario

PREFIX = "homeassistant"
"""Home Assistant's discovery prefix, unless its owner changed it."""
STATES = ("NOT_SCHEDULED", "SCHEDULED", "EXECUTING", "INTERRUPTED", "FINISHED", "ABORTED")
"""States of a consumer, as S2 (EN 50491-12-2) names them."""


@dataclass(frozen=True, slots=True)
class HomeAssistantDevice:
    """A device, as it is announced to Home Assistant."""

    key: str
    """Agent id; empty: the run itself."""
    config_topic: str
    """Topic of the discovery message."""
    state_topic: str
    """Topic of its states."""
    config: Mapping[str, Any]
    """The discovery message, fit for JSON."""


def base_topic(run: str) -> str:
    """Return the topic below which a run's states for Home Assistant are."""
    return f"ssmic/{encode(run)}/ha"


def status_topic(run: str) -> str:
    """Return the topic that says whether a run is online: `online` or `offline`."""
    return f"{base_topic(run)}/status"


def devices_of(
    scenario: Scenario, run: str, on_request: Iterable[str], guests: Mapping[str, str] | None = None
) -> list[HomeAssistantDevice]:
    """Return what Home Assistant is to show of a run.

    Args:
        scenario: The neighbourhood.
        run: Id of the run.
        on_request: Agent ids of consumers from which a job can be requested.
        guests: Names of the guests that have joined, by agent id; places without a guest are not shown.
    """
    asked, names = set(on_request), guests or {}
    run_id = object_id("ssmic", run)
    shown = [_shown(run, "", run_id, {"name": f"ssmic {run}", "mdl": "neighbourhood"}, _neighbourhood())]
    for house in scenario.houses:
        for device in house.devices:
            if device.template == GUEST and device.agent not in names:
                continue
            name = _name(house, names.get(device.agent) or device.name or device.id)
            about = {"name": name, "mdl": device.type, "sa": house.name or house.id, "via_device": run_id}
            if device.type == "producer":
                components = _producer()
            else:
                components = _consumer() | (_requests(run, device.agent) if device.agent in asked else {})
            shown.append(_shown(run, device.agent, object_id("ssmic", run, device.agent), about, components))
    return shown


def object_id(*parts: str) -> str:
    """Return an id of the characters that Home Assistant allows, different for different parts."""
    text = "_".join(parts)
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", text)
    return plain if plain == text else f"{plain}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def command_topic(run: str, agent: str, command: str) -> str:
    """Return the topic on which Home Assistant publishes a `command` for an `agent` of a `run`."""
    return f"{base_topic(run)}/{encode(agent)}/{command}/set"


def _name(house: House, device: str) -> str:
    return f"{house.name or house.id} {device}"


def _shown(
    run: str, key: str, found_id: str, about: Mapping[str, Any], components: dict[str, dict[str, Any]]
) -> HomeAssistantDevice:
    state_topic = f"{base_topic(run)}/{encode(key)}/state" if key else f"{base_topic(run)}/state"
    config = {
        "dev": {"ids": [found_id], "mf": "ssmic", "sw": _version(), **about},
        "o": {"name": "ssmic", "sw": _version()},
        "avty": [{"t": status_topic(run)}],
        "stat_t": state_topic,
        "qos": 1,
        "cmps": {
            name: {"uniq_id": f"{found_id}_{name}", **component}
            if component["p"] == "button"
            else {"uniq_id": f"{found_id}_{name}", "val_tpl": f"{{{{ value_json.{name} }}}}", **component}
            for name, component in components.items()
        },
    }
    return HomeAssistantDevice(key, f"{PREFIX}/device/{found_id}/config", state_topic, config)


def _version() -> str:
    try:
        return metadata.version("ssmic")
    except metadata.PackageNotFoundError:
        return "0"


def _energy(name: str, state_class: str = "total_increasing") -> dict[str, Any]:
    return {
        "p": "sensor",
        "name": name,
        "dev_cla": "energy",
        "unit_of_meas": "kWh",
        "stat_cla": state_class,
        "sug_dsp_prc": 3,
    }


def _power(name: str) -> dict[str, Any]:
    return {"p": "sensor", "name": name, "dev_cla": "power", "unit_of_meas": "W", "stat_cla": "measurement"}


def _count(name: str) -> dict[str, Any]:
    return {"p": "sensor", "name": name, "stat_cla": "measurement"}


def _share(name: str) -> dict[str, Any]:
    return {"p": "sensor", "name": name, "unit_of_meas": "%", "stat_cla": "measurement", "sug_dsp_prc": 1}


def _neighbourhood() -> dict[str, dict[str, Any]]:
    return {
        "time": {"p": "sensor", "name": "Virtual time", "dev_cla": "timestamp"},
        "produced": _energy("Produced"),
        "consumed": _energy("Consumed"),
        "delivered": _energy("Delivered"),
        "grid": _energy("From the grid"),
        "export": _energy("To the grid"),
        "self_sufficiency": _share("Self-sufficiency"),
        "self_consumption": _share("Self-consumption"),
        "jobs": _count("Jobs with a contract"),
        "jobs_on_grid": _count("Jobs on the grid"),
    }


def _producer() -> dict[str, dict[str, Any]]:
    return {
        "forecast": _power("Forecast"),
        "produced": _energy("Produced"),
        "committed": _energy("Committed", "total"),
        "delivered": _energy("Delivered"),
        "score": _count("Score"),
    }


def _consumer() -> dict[str, dict[str, Any]]:
    return {
        "state": {"p": "sensor", "name": "State", "dev_cla": "enum", "ops": list(STATES)},
        "next_start": {"p": "sensor", "name": "Next start", "dev_cla": "timestamp"},
        "supplier": {"p": "sensor", "name": "Supplier"},
        "energy": _energy("Energy"),
        "power": _power("Power"),
    }


def _requests(run: str, agent: str) -> dict[str, dict[str, Any]]:
    def topic(command: str) -> str:
        return command_topic(run, agent, command)

    return {
        "ready_by": {"p": "text", "name": "Ready by", "cmd_t": topic("ready_by"), "max": 40, "ic": "mdi:clock-end"},
        "start": {"p": "button", "name": "Request a job", "cmd_t": topic("start"), "ic": "mdi:play"},
        "withdraw": {"p": "button", "name": "Withdraw the job", "cmd_t": topic("withdraw"), "ic": "mdi:stop"},
    }
