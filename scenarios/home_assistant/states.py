"""The states of a run's entities in Home Assistant, computed from the ledger and the scenario; pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents import GRID, SHARED, Contract, FloatArray, Job, LedgerEntry
from scenarios.devices import DeviceState
from scenarios.metrics import MINUTE_S, PromisedLoad, Settlement, real_production_wh, settle
from scenarios.realised_scenario import RealisedScenario
from scenarios.scenario import ProducerSeries, Scenario


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
        "": _neighbourhood(scenario, settled, until, contracts, now_s),
        **_producers(scenario, settled, until, contracts, snapshot),
        **_consumers(scenario, contracts, now_s),
    }


def _kwh(energy_wh: float | np.floating[Any]) -> float:
    return round(float(energy_wh) / 1000, 4)


def _percent(part_wh: float, whole_wh: float) -> float | None:
    return round(100 * part_wh / whole_wh, 2) if whole_wh > 0 else None


def _neighbourhood(
    scenario: Scenario, settled: Settlement, until: int, contracts: Iterable[Contract], now_s: int
) -> dict[str, Any]:
    produced_wh = float(settled.produced_wh[:, :until].sum())
    delivered_wh = float(settled.delivered_wh[:, :until].sum())
    local_wh = float(settled.local_wh[:until].sum())
    consumed_wh = float(settled.consumed_wh[:until].sum())
    suppliers = [contract.producer for contract in contracts]
    return {
        "time": _iso(scenario, now_s),
        "produced": _kwh(produced_wh),
        "consumed": _kwh(consumed_wh),
        "delivered": _kwh(delivered_wh),
        "grid": _kwh(consumed_wh - local_wh),
        "export": _kwh(produced_wh - local_wh),
        "self_sufficiency": _percent(local_wh, consumed_wh),
        "self_consumption": _percent(local_wh, produced_wh),
        "jobs": len(suppliers),
        "jobs_on_grid": suppliers.count(GRID),
    }


def _producers(
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
            "produced": _kwh(settled.produced_wh[row, :until].sum()),
            "committed": _kwh(committed_wh[producer]),
            "delivered": _kwh(settled.delivered_wh[row, :until].sum()),
            "score": snapshot.scores.get(producer),
        }
    return found


def _consumers(scenario: Scenario, contracts: Iterable[Contract], now_s: int) -> dict[str, dict[str, Any]]:
    by_job = {contract.job_id: contract for contract in contracts}
    jobs: dict[str, list[Job]] = defaultdict(list)
    for job in scenario.jobs:
        jobs[job.agent].append(job)
    return {
        device.agent: _consumer(scenario, jobs[device.agent], by_job, now_s)
        for house in scenario.houses
        for device in house.devices
        if device.type == "consumer"
    }


def _consumer(scenario: Scenario, jobs: Iterable[Job], by_job: Mapping[str, Contract], now_s: int) -> dict[str, Any]:
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
