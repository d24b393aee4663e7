"""Judges a simulation's runs by the scenario's expectations, also against other algorithms and the optimum."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from agents.scheduling import AlgorithmSettings
from broker import new_loop
from scenarios.expectations import judge, verdict_json
from scenarios.results import ResultsReader, record_verdicts, seal
from scenarios.scenario import Scenario
from scenarios.simulation import Plan, open_simulation, read_recording

OPTIMUM_WALL_S = 20.0
"""How long the optimum is sought where an expectation asks for it and it has not been computed, real seconds."""


def judge_simulation(results_file: Path, scenario: Scenario | None = None) -> None:
    """Judge the completed runs of a simulation by the scenario's expectations, and keep the verdicts in its file.

    An expectation that compares with another algorithm has it run on the same seed in memory; one that compares with
    the optimum has it computed.

    Args:
        results_file: The file.
        scenario: Its scenario, if it has been read already: reading that of 10,000 houses takes half a minute.

    Raises:
        ResultsError: The file cannot be read or written.
    """
    with ResultsReader(results_file, scenario) as results:
        if not results.scenario.expectations:
            return
        numbers = [run.run for run in results.runs() if run.is_complete]
    for run in numbers:
        with ResultsReader(results_file, scenario) as results:
            verdicts = judge(results, run, cache(lambda name, run=run: _figures(results_file, run, name)))
        record_verdicts(results_file, run, [verdict_json(verdict) for verdict in verdicts])
    seal(results_file)


def _figures(results_file: Path, run: int, name: str) -> dict[str, float | None]:
    """Return what an algorithm, `optimum` or `shared_optimum`, comes to with the scenario and the seed of a run."""
    if name in ("optimum", "shared_optimum"):
        with ResultsReader(results_file) as results:
            found = results.run(run).comparison
        if name not in found:
            from scenarios.optimum import compare  # noqa: PLC0415 - heavy, and most expectations do without

            compare(results_file, OPTIMUM_WALL_S, supply="whole" if name == "optimum" else "shared")
            with ResultsReader(results_file) as results:
                found = results.run(run).comparison
        return dict(found[name])
    with TemporaryDirectory(prefix="ssmic-expect-") as folder:
        plan = replace(
            read_recording(results_file, run).plan(bus="memory", folder=Path(folder)),
            algorithm=AlgorithmSettings(name),
            replay=None,
        )
        with asyncio.Runner(loop_factory=new_loop) as runner:
            file = runner.run(_run(plan))
        with ResultsReader(file) as results:
            return results.kpis(1).as_dict()


async def _run(plan: Plan) -> Path:
    async with open_simulation(plan) as simulation:
        await simulation.run()
        return simulation.results_file
