"""The results screens on a large file: opening it, against merely reading it; and how soon keys are answered.

    python benchmarks/results_tui.py [--messages 100000] [--contracts 5000]

See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from results import any_contracts, told
from textual.pilot import Pilot

from agents.ledger import LedgerEntry, LedgerEvent
from scenarios.files import load_scenario
from scenarios.results.creation import Simulation, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.views import view_neighbourhood
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from tui.app import SsmicApp
from tui.results.celltable import CellTable
from tui.results.screen import ResultsScreen

REPEATS = 3
LIMIT_WALL_S = 2.0
SIZE = (140, 45)


Took = tuple[float, float]
"""Seconds on the wall, seconds of the processor: they part where the machine has other work to do."""


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def took(self) -> Took:
        """Return what has passed."""
        return time.perf_counter() - self._began[0], time.process_time() - self._began[1]


def medians(all_took: list[Took]) -> Took:
    """Return the median of each."""
    return statistics.median(wall_s for wall_s, _ in all_took), statistics.median(cpu_s for _, cpu_s in all_took)


def enlarged(scenario: Scenario, jobs: int) -> Scenario:
    """Return a scenario with so many jobs: its own, again and again."""
    own = scenario.jobs
    copies = [
        own[i % len(own)].model_copy(update={"job_id": f"{own[i % len(own)].job_id}-{i // len(own)}"})
        for i in range(jobs)
    ]
    return replace(scenario, jobs=tuple(copies))


def write(path: Path, scenario: Scenario, messages: int) -> None:
    """Write a run in which every job has a contract."""
    create_results(Simulation(scenario, "insertion", (1,), "memory"), out=path)
    with RunWriter(path, scenario, run=1, run_id="large", seed=1, start_s=scenario.start_s) as writer:
        for seq, sender, recipient, body in told(messages):
            writer.message(scenario.start_s + seq, 0, sender, seq, recipient, "Decline", body)
        for contract in any_contracts(scenario):
            event = LedgerEvent(at_s=contract.agreed_s, what="agreed", start_s=contract.start_s)
            writer.entry(LedgerEntry(contract=contract, state="standing", history=(event,)))
        end_s = max(job.latest_start_s + job.duration_s for job in scenario.jobs)
        writer.finish("done", end_s, negotiations=len(scenario.jobs), wall_s=1.0)


async def until(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Let the application go on until something holds and is drawn."""
    while not holds():
        await pilot.pause(0.002)
    await pilot.pause()


async def opened() -> tuple[Took, dict[str, Took]]:
    """Open the only file there is by a key; return what that took until it is drawn, and what keys take then."""
    app = SsmicApp(first_area="results", remember=False)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen) and app.screen.catalogue.table.has_focus)
        screen = app.screen
        if not isinstance(screen, ResultsScreen):
            raise SystemExit("this is not the screen of results")
        watch = Stopwatch()
        await pilot.press("enter")
        await until(
            pilot, lambda: screen.place == "simulation" and getattr(screen.simulation.sheet_pane, "sheet", None)
        )
        took = watch.took()
        await until(pilot, lambda: isinstance(app.focused, CellTable))
        keys = {}
        for name, key in (("down", "down"), ("page down", "pagedown"), ("sort", "s"), ("to the end", "end")):
            keys[name] = await answered(pilot, key)
        await pilot.press("slash")
        keys["find: a letter"] = await answered(pilot, "a")
    return took, keys


async def answered(pilot: Pilot[Any], key: str) -> Took:
    """Return what it takes from a key until all that follows from it is drawn."""
    watch = Stopwatch()
    await pilot.press(key)
    await pilot.pause()
    return watch.took()


def main() -> None:
    """Write a large file, then read and open it by turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--contracts", type=int, default=5_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        path = Path("results") / "large.sqlite"
        path.parent.mkdir()
        write(path, enlarged(load_scenario("village"), arguments.contracts), arguments.messages)
        print(f"{arguments.messages} messages, {arguments.contracts} contracts, {path.stat().st_size / 1e6:.0f} MB")
        reading: list[Took] = []
        opening: list[Took] = []
        keys: list[dict[str, Took]] = []
        for _ in range(REPEATS):
            watch = Stopwatch()
            with ResultsReader(path) as results:
                view_neighbourhood(results, 1)
            reading.append(watch.took())
            took, answers = asyncio.run(opened())
            opening.append(took)
            keys.append(answers)
        lines = {"reading and settling": medians(reading), "opening, until drawn": medians(opening)}
        lines |= {f"key: {name}": medians([answer[name] for answer in keys]) for name in keys[0]}
        for name, (wall_s, cpu_s) in lines.items():
            print(f"  {name:22} {1000 * wall_s:7.0f} ms, of the processor {1000 * cpu_s:6.0f} ms")
        open_wall_s, open_cpu_s = lines["opening, until drawn"]
        print(f"  opening to reading     {open_cpu_s / lines['reading and settling'][1]:7.2f}")
        if open_wall_s > LIMIT_WALL_S:
            raise SystemExit(f"opening took more than {LIMIT_WALL_S:g} s")


if __name__ == "__main__":
    main()
