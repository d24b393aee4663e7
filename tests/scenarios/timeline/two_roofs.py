"""A small neighbourhood as YAML, for scripts: two houses, each with a roof and a washing machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from agents.ranking import NegotiationSettings
from agents.scheduling import AlgorithmSettings
from broker.protocol import Timeouts
from broker.transport import Broker, MemoryBroker
from scenarios.events import RunEvent
from scenarios.files import load_text
from scenarios.scenario import Scenario
from scenarios.simulation import RunCallbacks, RunOutcome, RunSettings, run_scenario
from tests.virtual_time import new_virtual_loop

SUN = "start: '06:00', step_s: 3600, power_w: [500, 1000, 1500, 2000, 2500, 3000, 3000, 2500, 2000, 1500, 1000, 500]"
TWO_ROOFS = f"""\
version: 1
name: two-roofs
start: 2026-06-21T00:00:00+02:00
days: 1
seed: 1
tariff: {{import_eur_per_kwh: 0.4, feed_in_eur_per_kwh: 0.1, neighbour_eur_per_kwh: 0.2, grid_kg_co2_per_kwh: 0.4}}
load_profiles:
  wash: {{step_s: 3600, power_w: [1000, 500]}}
houses:
  - id: a
    devices:
      - {{id: washer, type: consumer, load_profile: wash}}
      - {{id: pv-a, type: producer, predictions: [{{issued: "00:00", {SUN}}}]}}
  - id: b
    devices:
      - {{id: washer, type: consumer, load_profile: wash}}
      - {{id: pv-b, type: producer, predictions: [{{issued: "00:00", {SUN}}}]}}
jobs:
  - {{house: a, device: washer, id: wash-a, registered: "06:00", earliest_start: "10:00", latest_start: "14:00"}}
  - {{house: b, device: washer, id: wash-b, registered: "06:00", earliest_start: "11:00", latest_start: "15:00"}}
"""


def scripted(timeline: str = "", more: str = "", text: str = TWO_ROOFS) -> Scenario:
    """Return the neighbourhood with the lines of a timeline and further keys."""
    script = "".join(f"  - {line.strip()}\n" for line in timeline.strip().splitlines())
    return load_text(text + (f"timeline:\n{script}" if script else "") + more, "two.yaml", Path())


def run(
    scenario: Scenario,
    broker: Broker | None = None,
    *,
    hosts: int | None = None,
    algorithm: str = "insertion",
    negotiating: NegotiationSettings | None = None,
    days: int | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
) -> RunOutcome:
    """Run it in an event loop whose wall clock jumps when nothing happens."""
    settings = RunSettings(
        seed=1,
        run_id="r",
        hosts=hosts,
        algorithm=AlgorithmSettings(algorithm),
        negotiating=negotiating or NegotiationSettings(),
        days=days,
        patience=Timeouts(limit_wall_s=1e6),
    )
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(
            run_scenario(scenario, settings, broker or MemoryBroker(), callbacks=RunCallbacks(on_event=on_event))
        )


def suppliers(outcome: RunOutcome) -> dict[str, str]:
    """Return the supplier of each job with a standing contract."""
    return {e.contract.job_id: e.contract.producer for e in outcome.ledger if e.state == "standing"}


def starts_h(outcome: RunOutcome) -> dict[str, float]:
    """Return the start of each job with a standing contract, hours after midnight."""
    return {
        e.contract.job_id: (e.contract.start_s - outcome.start_s) / 3600
        for e in outcome.ledger
        if e.state == "standing"
    }
