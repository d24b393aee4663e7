"""The entities of a run's agents in Home Assistant: how MQTT discovery announces them, and their states.

States are computed from the ledger and the scenario. Pure functions; `publisher` publishes both.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from agents import GRID, SHARED, Contract, FloatArray, House, Job, LedgerEntry
from broker.protocol.topics import encode
from scenarios.devices import GUEST, DeviceState
from scenarios.metrics import MINUTE_S, PromisedLoad, Settlement, real_production_wh, settle
from scenarios.realised_scenario import RealisedScenario
from scenarios.scenario import ProducerSeries, Scenario

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
    shown = [_shown(run, "", run_id, {"name": f"ssmic {run}", "mdl": "neighbourhood"}, _neighbourhood_entities())]
    for house in scenario.houses:
        for device in house.devices:
            if device.template == GUEST and device.agent not in names:
                continue
            name = _name(house, names.get(device.agent) or device.name or device.id)
            about = {"name": name, "mdl": device.type, "sa": house.name or house.id, "via_device": run_id}
            if device.type == "producer":
                components = _producer_entities()
            else:
                components = _consumer_entities() | (_requests(run, device.agent) if device.agent in asked else {})
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


def _neighbourhood_entities() -> dict[str, dict[str, Any]]:
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


def _producer_entities() -> dict[str, dict[str, Any]]:
    return {
        "forecast": _power("Forecast"),
        "produced": _energy("Produced"),
        "committed": _energy("Committed", "total"),
        "delivered": _energy("Delivered"),
        "score": _count("Score"),
    }


def _consumer_entities() -> dict[str, dict[str, Any]]:
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


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """The state of a run at a moment."""

    now_s: int
    """Virtual time, UNIX seconds."""
    ledger: tuple[LedgerEntry, ...]
    """All contracts, including cancelled ones."""
    scores: Mapping[str, int]
    """By producer."""
    realised: RealisedScenario | None = None
    """The scenario as realised so far; None: as in its file."""


def states_at(scenario: Scenario, snapshot: RunSnapshot) -> dict[str, dict[str, Any]]:
    """Return the state of every agent, by id; that of the run has the empty one. Energies are in kWh until now.

    Args:
        scenario: As it was written.
        snapshot: The state of its run.
    """
    now_s = snapshot.now_s
    contracts = [entry.contract for entry in snapshot.ledger if entry.state == "standing"]
    promises: Mapping[str, PromisedLoad] = {}
    if snapshot.realised is not None:
        promises = snapshot.realised.promises(contracts)
        scenario, contracts = snapshot.realised.scenario, snapshot.realised.settled(contracts)
    begun = [contract for contract in contracts if contract.start_s <= now_s]
    settled = settle(scenario, begun, scenario.start_s, now_s, promises)
    until = max(0, (now_s - settled.start_s) // MINUTE_S)
    return {
        "": _neighbourhood_state(scenario, settled, until, contracts, now_s),
        **_producer_states(scenario, settled, until, contracts, snapshot),
        **_consumer_states(scenario, contracts, now_s),
    }


def _kwh(energy_wh: float | np.floating[Any]) -> float:
    return round(float(energy_wh) / 1000, 4)


def _until(energy_wh: FloatArray, minutes: int) -> float:
    """Return the energy of the first minutes, which never falls as they become more, not even by rounding, Wh.

    NumPy sums up in an order that depends on how many there are. Home Assistant takes a fall for a meter's reset, or
    warns of it.

    Args:
        energy_wh: Energy of each minute, not negative, Wh, shape (M,).
        minutes: How many minutes.
    """
    return float(np.cumsum(energy_wh[:minutes])[-1]) if minutes else 0.0


def _percent(part_wh: float, whole_wh: float) -> float | None:
    return round(100 * part_wh / whole_wh, 2) if whole_wh > 0 else None


def _neighbourhood_state(
    scenario: Scenario, settled: Settlement, until: int, contracts: Iterable[Contract], now_s: int
) -> dict[str, Any]:
    produced_wh = _until(settled.produced_wh.sum(axis=0), until)
    local_wh = _until(settled.local_wh, until)
    consumed_wh = _until(settled.consumed_wh, until)
    suppliers = [contract.producer for contract in contracts]
    return {
        "time": _iso(scenario, now_s),
        "produced": _kwh(produced_wh),
        "consumed": _kwh(consumed_wh),
        "delivered": _kwh(_until(settled.delivered_wh.sum(axis=0), until)),
        "grid": _kwh(_until(settled.grid_wh, until)),
        "export": _kwh(_until(settled.export_wh.sum(axis=0), until)),
        "self_sufficiency": _percent(local_wh, consumed_wh),
        "self_consumption": _percent(local_wh, produced_wh),
        "jobs": len(suppliers),
        "jobs_on_grid": suppliers.count(GRID),
    }


def _producer_states(
    scenario: Scenario, settled: Settlement, until: int, contracts: Iterable[Contract], snapshot: RunSnapshot
) -> dict[str, dict[str, Any]]:
    committed_wh: dict[str, float] = defaultdict(float)
    for contract in contracts:
        if contract.producer != SHARED:
            committed_wh[contract.producer] += contract.energy_wh
        for share in contract.shares:
            committed_wh[share.producer] += share.energy_wh
    minute_s = snapshot.now_s // MINUTE_S * MINUTE_S
    edges_s: FloatArray = np.asarray([minute_s, minute_s + MINUTE_S], dtype=np.float64)
    found = {}
    for row, producer in enumerate(settled.producers):
        predictions = scenario.producers[producer].predictions
        expected_wh = real_production_wh(ProducerSeries(predictions), edges_s, snapshot.now_s)
        found[producer] = {
            "forecast": round(float(expected_wh[0]) * 3600 / MINUTE_S, 1),
            "produced": _kwh(_until(settled.produced_wh[row], until)),
            "committed": _kwh(committed_wh[producer]),
            "delivered": _kwh(_until(settled.delivered_wh[row], until)),
            "score": snapshot.scores.get(producer),
        }
    return found


def _consumer_states(scenario: Scenario, contracts: Iterable[Contract], now_s: int) -> dict[str, dict[str, Any]]:
    by_job = {contract.job_id: contract for contract in contracts}
    jobs: dict[str, list[Job]] = defaultdict(list)
    for job in scenario.jobs:
        jobs[job.agent].append(job)
    return {
        device.agent: _consumer_state(scenario, jobs[device.agent], by_job, now_s)
        for house in scenario.houses
        for device in house.devices
        if device.type == "consumer"
    }


def _consumer_state(
    scenario: Scenario, jobs: Iterable[Job], by_job: Mapping[str, Contract], now_s: int
) -> dict[str, Any]:
    known = [job for job in jobs if job.registered_s <= now_s]
    contracted = sorted(((by_job[j.job_id], j) for j in known if j.job_id in by_job), key=lambda one: one[0].start_s)
    running = [(c, j) for c, j in contracted if c.start_s <= now_s < c.start_s + j.duration_s]
    coming = [(c, j) for c, j in contracted if c.start_s > now_s]
    if running:
        state, shown = "EXECUTING", running[-1][0]
    elif coming:
        state, shown = "SCHEDULED", coming[0][0]
    elif len(contracted) < len(known) or not contracted:
        state, shown = "NOT_SCHEDULED", None
    else:
        state, shown = "FINISHED", contracted[-1][0]
    energy_wh = sum(float(j.load_profile.energy_until_wh([now_s - c.start_s])[0]) for c, j in contracted)
    return {
        "state": state,
        "next_start": _iso(scenario, coming[0][0].start_s) if coming else None,
        "supplier": None if shown is None else _supplier(shown),
        "energy": _kwh(energy_wh),
        "power": round(sum(_power_w(j, now_s - c.start_s) for c, j in running), 1),
    }


def _supplier(contract: Contract) -> str:
    """Return who supplies a job; of several, all of them: `pv-1 + pv-2 + grid`."""
    if contract.producer != SHARED:
        return contract.producer
    shared_wh = sum(share.energy_wh for share in contract.shares)
    rest = (GRID,) if shared_wh < contract.energy_wh * (1 - 1e-3) else ()  # shares are in whole mWh a minute
    return " + ".join((*contract.producers, *rest))


def real_consumer(scenario: Scenario, said: DeviceState) -> dict[str, Any]:
    """Return the state of a consumer that is a real device, as far as its gateway reports it.

    Args:
        scenario: The scenario.
        said: The content of its `state` topic.
    """
    known: dict[str, Any] = {"next_start": None if said.next_start is None else _iso(scenario, said.next_start)}
    if said.state is not None:
        known |= {"state": said.state, "supplier": said.supplier}
    if said.power_w is not None or said.available is False:
        power_w = None if said.power_w is None else round(said.power_w, 1)  # Home Assistant shows null as unknown
        known |= {"power": power_w, "energy": _kwh(said.energy_wh or 0.0)}
    elif said.energy_wh:
        known["energy"] = _kwh(said.energy_wh)  # by a counter alone
    return known


def _power_w(job: Job, after_s: int) -> float:
    before_wh, after_wh = job.load_profile.energy_until_wh([after_s, after_s + 1])
    return 3600 * float(after_wh - before_wh)


def _iso(scenario: Scenario, time_s: int) -> str:
    """Return ISO 8601 with an offset, which Home Assistant wants."""
    return scenario.zone.at(time_s).isoformat()
