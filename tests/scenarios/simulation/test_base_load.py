"""Runs with base loads: producers promise what their own house leaves, wherever agents live."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agents.energy import CumulativeSeries
from agents.model import GRID
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.metrics.settlement import settle
from scenarios.optimum.baselines import baselines
from scenarios.optimum.optimum import clairvoyant_optimum
from scenarios.optimum.shared_optimum import shared_optimum_of
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.virtual_time import new_virtual_loop


def run(scenario: Scenario, hosts: int | None) -> RunOutcome:
    """Run it in memory."""
    settings = RunSettings(seed=1, run_id="run", hosts=hosts)
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(run_scenario(scenario, settings, MemoryBroker()))


@pytest.fixture(scope="module")
def sunny() -> Scenario:
    """A bundled day, whose forecasts hold; its largest roof has a house that always draws 2 kW."""
    scenario = load_scenario("sunny")
    roof = max(
        scenario.producers, key=lambda producer: scenario.producers[producer].predictions[0].production.energy_wh
    )
    house = next(house.id for house in scenario.houses for device in house.devices if device.id == roof)
    times_s = (scenario.start_s, scenario.start_s + 10 * 86_400)
    base_load = CumulativeSeries(times_s=times_s, cumulative_wh=(0.0, 2000.0 * 240))
    return replace(scenario, base_loads={house: base_load})


def test_promises_leave_production_for_the_own_base_load(sunny: Scenario) -> None:
    """Without the rule, the roof promises too much beside its house's base load; with it, nothing is short."""
    beside, ignorant = run(sunny, 1), run(replace(sunny, base_loads={}), 1)

    def shortfall_wh(outcome: RunOutcome) -> float:
        standing = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
        settled = settle(sunny, standing, sunny.start_s, outcome.end_s)
        return float((settled.drawn_wh - settled.delivered_wh).sum())

    assert shortfall_wh(ignorant) > 100
    assert shortfall_wh(beside) < 1
    assert run(sunny, None).ledger_sha256 == beside.ledger_sha256 != ignorant.ledger_sha256


def test_the_optimum_and_the_baselines_leave_it_too(sunny: Scenario) -> None:
    """Their delivery is comparable with a run's settlement of contracts."""
    outcome = run(sunny, 1)
    standing = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
    delivered_wh = settle(sunny, standing, sunny.start_s, outcome.end_s).delivered_wh.sum()
    plan = {c.job_id: (c.producer, c.start_s) for c in standing if c.producer != GRID}

    best = clairvoyant_optimum(sunny, plan, 1.0)
    shared = shared_optimum_of(sunny, [{job: start_s for job, (_, start_s) in plan.items()}], 1.0)
    free = clairvoyant_optimum(replace(sunny, base_loads={}), {}, 1.0)

    assert delivered_wh - 1 <= best.best_wh <= best.bound_wh + 1
    assert best.bound_wh <= free.bound_wh + 1
    production_wh = sum(series.predictions[0].production.energy_wh for series in sunny.producers.values())
    assert best.best_wh - 1 <= shared.best_wh <= shared.bound_wh + 1 <= production_wh
    assert all(one.delivered_wh <= best.bound_wh + 1 for one in baselines(sunny, draws=1))
