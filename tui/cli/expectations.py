"""The expectations of a scenario on the command line: judged after the runs, printed, and written as JUnit XML."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from agents.scheduling import AlgorithmSettings
from broker import atomic_write, new_loop
from scenarios.expectations import Verdict, judge, junit_xml, verdict_json
from scenarios.optimum import compare
from scenarios.results import ResultsReader, ResultsWriteError, record_verdicts, seal
from scenarios.simulation import Plan, open_simulation
from tui.console import notes, output

WIDTH = 80
"""Longer lines are broken."""
OPTIMUM_WALL_S = 20.0
"""How long the optimum is sought where an expectation asks for it and it has not been computed, real seconds."""


def judge_simulation(results_file: Path) -> None:
    """Judge the completed runs of a simulation by the scenario's expectations, and keep the verdicts in its file.

    An expectation that compares with another algorithm has it run on the same seed in memory; one that compares with
    the optimum has it computed.

    Raises:
        ResultsError: The file cannot be read or written.
    """
    with ResultsReader(results_file) as results:
        if not results.scenario.expectations:
            return
        numbers = [run.run for run in results.runs() if run.is_complete]
    for run in numbers:
        with ResultsReader(results_file) as results:
            verdicts = judge(results, run, cache(lambda name, run=run: _figures(results_file, run, name)))
        record_verdicts(results_file, run, [verdict_json(verdict) for verdict in verdicts])
    seal(results_file)


def _figures(results_file: Path, run: int, name: str) -> dict[str, float | None]:
    """Return what an algorithm, or `optimum`, comes to with the scenario and the seed of a run."""
    if name == "optimum":
        with ResultsReader(results_file) as results:
            found = results.run(run).comparison
        if "optimum" not in found:
            compare(results_file, OPTIMUM_WALL_S)
            with ResultsReader(results_file) as results:
                found = results.run(run).comparison
        return dict(found["optimum"])
    with ResultsReader(results_file) as results:
        info, settings = results.run(run), results.info.settings
        scenario = results.scenario
    with TemporaryDirectory(prefix="ssmic-expect-") as folder:
        plan = Plan(
            scenario=scenario,
            seeds=(info.seed,),
            algorithm=AlgorithmSettings(name),
            bus="memory",
            days=settings.get("days"),
            patient=settings.get("patient", True),
            start_scores=settings.get("scores", {}).get(str(info.seed), {}),
            folder=Path(folder),
        )
        with asyncio.Runner(loop_factory=new_loop) as runner:
            file = runner.run(_run(plan))
        with ResultsReader(file) as results:
            return results.kpis(1).as_dict()


async def _run(plan: Plan) -> Path:
    async with open_simulation(plan) as simulation:
        await simulation.run()
        return simulation.results_file


def report_verdicts(scenario: str, files: Sequence[Path], junit: Path | None, wall_s: float, *, is_quiet: bool) -> bool:
    """Print and write the verdicts on a scenario's expectations; return whether all hold.

    Args:
        scenario: Name of the scenario.
        files: Results files.
        junit: Where to write JUnit XML; None: nowhere.
        wall_s: How long all took, wall-clock seconds.
        is_quiet: Whether nothing is printed.

    Raises:
        ResultsError: A file cannot be read or written.
    """
    verdicts = verdicts_of(files)
    if junit is not None:
        write_junit(junit, scenario, verdicts, wall_s)
    if not is_quiet:
        show_verdicts(verdicts)
    return all(verdict.holds for of in verdicts.values() for verdict in of)


def verdicts_of(files: Sequence[Path]) -> dict[str, tuple[Verdict, ...]]:
    """Return the verdicts in results files, by algorithm and run; only of runs that were judged."""
    found: dict[str, tuple[Verdict, ...]] = {}
    for file in files:
        with ResultsReader(file) as results:
            for run in results.runs():
                verdicts = tuple(Verdict(**verdict) for verdict in results.verdicts(run.run))
                if verdicts:
                    found[f"{results.info.algorithm} seed {run.seed}"] = verdicts
    return found


def show_verdicts(verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    """Print each expectation with its value."""
    console = output()
    for run, of in verdicts.items():
        held = sum(verdict.holds for verdict in of)
        console.print(f"Expectations, {run}: {held} of {len(of)} hold", soft_wrap=True, markup=False, highlight=False)
        for verdict in of:
            line = f"  {verdict}"
            if len(line) <= WIDTH:
                lines = [line]
            else:
                mark = "holds" if verdict.holds else "FAILS"
                why = [verdict.error] if verdict.error else verdict.values.split(", ")
                lines = [f"  {mark}  {verdict.title}", *(f"         {value}" for value in why)]
            console.print("\n".join(lines), soft_wrap=True, markup=False, highlight=False)


def write_junit(path: Path, scenario: str, verdicts: Mapping[str, Sequence[Verdict]], wall_s: float) -> None:
    """Write verdicts as JUnit XML.

    Raises:
        ResultsWriteError: The file cannot be written.
    """
    try:
        with atomic_write(path) as draft:
            draft.write_bytes(junit_xml(scenario, verdicts, wall_s))
    except OSError as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error.strerror}") from error
    notes().print(f"Written: {path}", soft_wrap=True)
