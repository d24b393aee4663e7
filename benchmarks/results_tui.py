"""The results screens on a large file: opening it, against merely reading it; and how soon keys are answered.

    python benchmarks/results_tui.py [--messages 100000] [--contracts 5000] [--houses 10000 --days 3]

See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from keyboard import Keyboard, KeyTime, ratio, said
from textual.widgets import Input

from agents.manager.ledger import LedgerEntry, LedgerEvent
from results import any_contracts, message_rows
from scenarios.load import load_scenario
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.run_end import RecordedEnd
from scenarios.results.views import view_overview
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from tui.app import SsmicApp
from tui.results.screen import ResultsScreen
from tui.shell.idle_collector import IdleCollector
from tui.widgets.table import CellTable

REPEATS = 3
LIMIT_S = 2.0
SIZE = (140, 45)


def enlarged(scenario: Scenario, jobs: int) -> Scenario:
    """Return a scenario with so many jobs: its own, again and again."""
    own = scenario.jobs
    copies = [
        own[i % len(own)].model_copy(update={"job_id": f"{own[i % len(own)].job_id}-{i // len(own)}"})
        for i in range(jobs)
    ]
    return replace(scenario, jobs=tuple(copies))


def generated(houses: int, days: int) -> Scenario:
    """Return a generated neighbourhood."""
    command = [sys.executable, "-m", "tui", "generate", "--houses", str(houses), "--days", str(days)]
    subprocess.run([*command, "--out", "generated.yaml"], check=True, stdout=subprocess.DEVNULL)
    return load_scenario(Path("generated.yaml"))


def write(path: Path, scenario: Scenario, messages: int) -> None:
    """Write a run in which every job has a contract."""
    create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=path)
    with RunWriter(path, scenario, run=1, run_id="large", seed=1, start_s=scenario.start_s) as writer:
        for seq, sender, recipient, body in message_rows(messages):
            writer.message(scenario.start_s + seq, 0, sender, seq, recipient, "Decline", body)
        for contract in any_contracts(scenario):
            event = LedgerEvent(at_s=contract.agreed_s, what="agreed", start_s=contract.start_s)
            writer.entry(LedgerEntry(contract=contract, state="standing", history=(event,)))
        end_s = max(job.latest_start_s + job.duration_s for job in scenario.jobs)
        writer.finish(RecordedEnd("done", end_s, negotiations=len(scenario.jobs), wall_s=1.0))


async def until(holds: Callable[[], object]) -> None:
    """Let the application go on until something holds."""
    while not holds():  # noqa: ASYNC110 - a picture has no event
        await asyncio.sleep(0.002)


async def opened() -> tuple[KeyTime, dict[str, list[KeyTime]]]:
    """Open the only file there is by a key; return what that took until it is drawn, and what keys take then."""
    app = SsmicApp(first_area="results", remember=False, collector=IdleCollector())
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: isinstance(app.screen, ResultsScreen) and app.screen.simulation_list.table.has_focus)
        await pilot.pause(0.5)
        screen = app.screen
        if not isinstance(screen, ResultsScreen):
            raise SystemExit("this is not the screen of results")
        keyboard = Keyboard(app)
        took = await keyboard.press(
            "enter", lambda: screen.place == "simulation" and isinstance(app.focused, CellTable) and app.focused.rows
        )
        table = app.focused
        if not isinstance(table, CellTable):
            raise SystemExit("the contracts are not in sight")
        keys: dict[str, list[KeyTime]] = {}
        for name, key in (("down", "down"), ("page down", "pagedown"), ("to the end", "end"), ("up", "up")):
            keys[name] = []
            for _ in range(5 if key != "end" else 1):
                keys[name].append(await keyboard.move(table, key))
                await asyncio.sleep(0.05)
        keys["sort"] = []
        for _ in range(4):
            order = table.sorted_by, table.is_reversed
            keys["sort"].append(
                await keyboard.press("s", lambda before=order: (table.sorted_by, table.is_reversed) != before)
            )
            await asyncio.sleep(0.05)
        field = screen.query_one("Contracts Input", Input)
        keys["find"] = [await keyboard.press("slash", lambda: app.focused is field)]
        for number, letter in enumerate("car-1", 1):
            keys["find"].append(await keyboard.press(letter, lambda n=number: len(field.value) == n))
            await asyncio.sleep(0.05)
    return took, keys


def main() -> None:
    """Write a large file, then read and open it by turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--contracts", type=int, default=5_000, help="of the bundled village")
    parser.add_argument("--houses", type=int, help="of a generated neighbourhood instead of the village, no messages")
    parser.add_argument("--days", type=int, default=3, help="with --houses")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        path = Path("results") / "large.sqlite"
        path.parent.mkdir()
        is_generated = arguments.houses is not None
        if is_generated:
            scenario, messages = generated(arguments.houses, arguments.days), 0
        else:
            scenario, messages = enlarged(load_scenario("village"), arguments.contracts), arguments.messages
        began_cpu_s = time.process_time()
        write(path, scenario, messages)
        print(
            f"{len(scenario.houses)} houses, {messages} messages, {len(scenario.jobs)} contracts, "
            f"{path.stat().st_size / 1e6:.0f} MB, written in {time.process_time() - began_cpu_s:.1f} s of the processor"
        )
        del scenario
        reading: list[KeyTime] = []
        opening: list[KeyTime] = []
        keys: dict[str, list[KeyTime]] = {}
        for _ in range(REPEATS):
            began_wall_s, began_cpu_s = time.perf_counter(), time.process_time()
            with ResultsReader(path) as results:
                view_overview(results, 1)
            reading.append(
                KeyTime(1000 * (time.perf_counter() - began_wall_s), 1000 * (time.process_time() - began_cpu_s))
            )
            took, answers = asyncio.run(opened())
            opening.append(took)
            for name, found in answers.items():
                keys.setdefault(name, []).extend(found)
        for name, found in {"reading and settling": reading, "opening, until drawn": opening}.items():
            print(f"  {name:22} {said(found)}")
        for name, found in keys.items():
            print(f"  key: {name:17} {said(found)}")
        print(f"  opening to reading     {ratio(opening, reading):.2f}")
        if min(took.cpu_ms for took in opening) > 1000 * LIMIT_S:
            raise SystemExit(f"opening took more than {LIMIT_S:g} s of the processor")


if __name__ == "__main__":
    main()
