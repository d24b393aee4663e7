"""Runs that are interrupted: how far they came."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker.clock import Pace
from broker.transport import MemoryBroker
from scenarios.load import load_scenario
from scenarios.results import ResultsReader, RunWriter, SimulationSpec, create_results
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.virtual_time import new_virtual_loop

PACE = 600


@pytest.mark.parametrize("after_wall_s", [3, 12, 60])
def test_an_interrupted_run_has_come_as_far_as_its_pace(tmp_path: Path, after_wall_s: int) -> None:
    """Also where nothing has happened for a long time: the energy until then is settled, as after a `stop`."""
    scenario = load_scenario("sunny")
    settings = RunSettings(seed=1, run_id="run", pace=Pace(float(PACE)))
    file = create_results(
        SimulationSpec(scenario, scenario.algorithm, (1,), "memory", None, {}), tmp_path / "interrupted.sqlite"
    )

    async def interrupt() -> None:
        with RunWriter(file, scenario, run=1, run_id="run", seed=1, start_s=scenario.start_s) as writer:
            running = asyncio.create_task(run_scenario(scenario, settings, MemoryBroker(), recorder=writer))
            await asyncio.sleep(after_wall_s)
            running.cancel()
            await running

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner, pytest.raises(asyncio.CancelledError):
        runner.run(interrupt())
    with ResultsReader(file) as results:
        run = results.run(1)
    assert run.state == "interrupted"
    assert run.end_s - scenario.start_s == pytest.approx(after_wall_s * PACE, abs=PACE)
