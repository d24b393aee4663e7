"""How fast the terminal application answers a key while the 100-house scenario runs at full pace beside it.

    python benchmarks/tui_keys.py [SCENARIO] [--messages 300000]

The run is a process of its own, over a broker, as the application starts it, and is watched live. Keys are pressed one
after the other, through all panes: the cursor, another pane, finding a text, help, the palette; measured is the time
from a key to the screen that shows its effect. Then many messages go through the live view: time for each, what a key
takes at the beginning and at the end, and how much memory they leave behind.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import resource
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import structlog
from keyboard import LIMIT_WALL_MS, Keyboard, KeyTime, ratio, said
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from broker.protocol import Envelope, Envelopes, topics
from scenarios.load import load_scenario
from scenarios.monitor.run_state import ObservedRun
from scenarios.simulation.plan import Plan
from tui.app import SsmicApp
from tui.run.simulation_client import SimulationClient
from tui.shell.help import HelpScreen
from tui.shell.idle_collector import IdleCollector
from tui.widgets.table import VirtualTable

PANES = (("M", "messages"), ("J", "jobs"), ("P", "producers"), ("L", "ledger"), ("H", "hosts"))
MOVES = ("up", "up", "down", "pageup", "up", "home", "down", "down", "end", "up")


class KeyTimings:
    """Goes through the panes, and keeps what each kind of key took."""

    def __init__(self, pilot: Pilot[Any]) -> None:
        self._pilot = pilot
        self._keyboard = Keyboard(pilot.app)  # type: ignore[arg-type]  # it is ours
        self.took: dict[str, list[KeyTime]] = {"cursor": [], "pane": [], "find": [], "help": [], "palette": []}

    async def go_through(self, key: str, pane: str) -> None:
        """Open a pane and use it."""
        app = self._pilot.app
        table = app.screen.query_one(f"#{pane}", VirtualTable)
        self.took["pane"].append(await self._keyboard.press(key, lambda: app.focused is table))
        for move in MOVES:
            if len(table.rows) > 1:
                key = "down" if table.cursor == 0 else "up" if table.cursor == len(table.rows) - 1 else move
                self.took["cursor"].append(await self._keyboard.move(table, key))
            await asyncio.sleep(0.05)
        if pane == "messages":
            field = app.screen.query_one("#text", Input)
            self.took["find"].append(await self._keyboard.press("slash", lambda: app.focused is field))
            for number, letter in enumerate("pv-1", 1):
                self.took["find"].append(await self._keyboard.press(letter, lambda n=number: len(field.value) == n))
                await asyncio.sleep(0.05)
            self.took["find"].append(await self._keyboard.press("escape", lambda: not field.value))
            for kind, opens, screen in (("help", "question_mark", HelpScreen), ("palette", "ctrl+p", CommandPalette)):
                self.took[kind].append(await self._keyboard.press(opens, lambda wanted=screen: self._is_drawn(wanted)))
                await asyncio.sleep(0.1)
                await self._keyboard.press("escape", lambda wanted=screen: not isinstance(app.screen, wanted))
                await asyncio.sleep(0.1)

    def _is_drawn(self, wanted: type[Screen[Any]]) -> bool:
        """Whether a screen is there, laid out, with the focus where it takes keys."""
        screen = self._pilot.app.screen
        return isinstance(screen, wanted) and screen.focused is not None and bool(screen.focused.size.area)

    @property
    def all(self) -> list[KeyTime]:
        """Whatever the key."""
        return [one for kind in self.took.values() for one in kind]


async def keys_while_running(scenario: str) -> None:
    """Press keys until the run is over, and then as many more; print how long they took."""
    app = SsmicApp(first_area="negotiations", remember=False, collector=IdleCollector())
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        running = SimulationClient(Plan(load_scenario(scenario), (1,)), lambda: None)
        task = asyncio.create_task(running.run(lambda started: app.monitored_run.begin(started.feeds[0])))
        while app.monitored_run.state != "running" or not len(app.screen.query_one("#messages", VirtualTable).rows):
            await pilot.pause(0.05)
        busy, idle = KeyTimings(pilot), KeyTimings(pilot)
        panes = cycle(PANES)
        while not task.done():
            await busy.go_through(*next(panes))
        await task
        app.monitored_run.rest()
        await pilot.pause(1)
        for key, pane in PANES * 2:
            await idle.go_through(key, pane)
        if running.ended is None or not running.ended.runs:
            raise SystemExit(f"the run did not end: {running.problem}")
        summary, watched = running.ended.runs[0], running.feeds[0].watched
        print(f"{scenario}: {summary.messages:,} messages in {summary.wall_s:.1f} s, {watched.lines.total:,} seen live")
        for kind in busy.took:
            print(f"{kind:7} while it runs: {said(busy.took[kind])}")
            print(f"{kind:7} afterwards   : {said(idle.took[kind])}")
        most_wall_ms = max(one.wall_ms for one in busy.all)
        print(f"ratio of medians: {ratio(busy.all, idle.all):.1f}; the most {most_wall_ms:.0f} of {LIMIT_WALL_MS} ms")


async def many_messages(count: int) -> None:
    """Send many messages through the live view."""
    app = SsmicApp(first_area="negotiations", remember=False, collector=IdleCollector())
    async with app.run_test(size=(140, 45)) as pilot:
        watched = ObservedRun("r", from_the_start=True)
        app.monitored_run.begin(_Idle(watched))
        await pilot.pause(0.5)
        timings: list[KeyTimings] = []
        topic = topics.inbox("r", "manager", "1")
        took, marks = [], []
        for begin in range(0, count, count // 10):
            payloads = [_payload(seq) for seq in range(begin, begin + count // 10)]
            began_cpu_s = time.process_time()
            for payload in payloads:
                watched.take(topic, payload)
            took.append(1e6 * (time.process_time() - began_cpu_s) / len(payloads))
            del payloads
            await pilot.pause(0.3)
            timings.append(KeyTimings(pilot))
            await timings[-1].go_through(*PANES[0])
            gc.collect()
            marks.append(_resident_mb())
        print(f"{count:,} messages, {len(watched.lines):,} of them at hand")
        print(f"microseconds of the processor each, by tenths: {' '.join(f'{one:.0f}' for one in took)}")
        print(f"resident MB, by tenths                       : {' '.join(f'{one:.0f}' for one in marks)}")
        print(f"keys after the first tenth: {said(timings[0].all)}")
        print(f"keys after the last       : {said(timings[-1].all)}")
        print(
            f"ratios, last tenth to first: messages {took[-1] / took[0]:.2f}, memory {marks[-1] / marks[0]:.2f}, "
            f"keys {ratio(timings[-1].all, timings[0].all):.2f}"
        )


def _payload(seq: int) -> bytes:
    body = {"kind": "Declined", "job_id": f"job-{seq % 500}", "producer": f"pv-{seq % 40}"}
    envelope = Envelope(session="s", step=seq, time=seq, round=0, sender="1/tv", seq=seq, to="manager", body=body)
    return Envelopes([envelope]).encoded()


class _Idle:
    """A feed that others fill."""

    title, status, problem = "benchmark", "connected", ""

    def __init__(self, watched: ObservedRun) -> None:
        self.watched = watched

    async def run(self) -> None:
        """Nothing comes."""

    async def control(self, control: object) -> None:
        """There are no listeners."""


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="?", default="village")
    parser.add_argument("--messages", type=int, default=300_000)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        asyncio.run(keys_while_running(arguments.scenario))
        asyncio.run(many_messages(arguments.messages))


if __name__ == "__main__":
    main()
