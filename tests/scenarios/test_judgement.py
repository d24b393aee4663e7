"""Expectations that compare a run with another one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agents.sharing import SupplySettings
from scenarios.judgement import judge_simulation
from scenarios.results import ResultsReader
from scenarios.simulation import Plan, open_simulation
from tests.scenarios.timeline.two_roofs import TWO_ROOFS, scripted


def test_a_comparison_run_has_all_other_settings_of_the_run(tmp_path: Path) -> None:
    """Half a roof supplies no whole job, but two halves would supply one together."""
    text = TWO_ROOFS.replace("[500, 1000, 1500, 2000, 2500, 3000, 3000, 2500, 2000, 1500, 1000, 500]", str([600] * 12))
    scenario = scripted(
        text=text, more="supply: shared\nexpect: [jobs_on_grid == 2, 'algorithm(\"exact\").jobs_on_grid == 2']\n"
    )
    plan = Plan(
        scenario, (1,), bus="memory", supply=SupplySettings("whole"), start_scores={}, out=tmp_path / "r.sqlite"
    )

    async def run() -> None:
        async with open_simulation(plan) as simulation:
            await simulation.run()

    asyncio.run(run())
    judge_simulation(tmp_path / "r.sqlite")
    with ResultsReader(tmp_path / "r.sqlite") as results:
        assert [(verdict["values"], verdict["error"]) for verdict in results.verdicts(1)] == [
            ("jobs_on_grid = 2", ""),
            ('algorithm("exact").jobs_on_grid = 2', ""),
        ]
