"""How fast the terminal application answers a key while the 100-house scenario runs at full pace beside it.

    python benchmarks/tui_keys.py [SCENARIO]

The run is a process of its own, over a broker, as the application starts it, and is watched live. Keys are pressed one
after the other, through all panes; measured is the time from a key to the screen that shows its effect. Then
100,000 messages go through the live view: time for each, and how much memory they leave behind.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import statistics
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import structlog
from textual import events
from textual.pilot import Pilot

from broker import topics
from broker.wire import Envelope
from scenarios.files import load_scenario
from scenarios.simulation import Plan
from scenarios.watch import Watched
from tui.app import SsmicApp
from tui.run.running import Running
from tui.widgets.table import VirtualTable

PANES = (("m", "messages"), ("j", "jobs"), ("d", "producers"), ("l", "ledger"), ("t", "hosts"))
KEYS_A_PANE = 10
LIMIT_WALL_MS = 100
MESSAGES = 100_000


async def keys_while_running(scenario: str) -> None:
    """Press keys until the run is over, and then as many more; print how long they took."""
    app = SsmicApp(first_area="negotiations", remember=False)
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        keyboard = Keyboard(app)
        running = Running(Plan(load_scenario(scenario), (1,)), lambda: None)
        task = asyncio.create_task(running.run(lambda started: app.watching.begin(started.feeds[0])))
        panes = cycle(PANES)
        took: list[float] = []
        while not task.done():
            if app.watching.state == "running":
                key, pane = next(panes)
                await show(pilot, key, pane)
                for _ in range(KEYS_A_PANE):
                    took.append(await keyboard.press(pane))
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.02)
        await task
        app.watching.rest()
        await pilot.pause(1)
        idle = []
        for key, pane in PANES:
            await show(pilot, key, pane)
            idle += [await keyboard.press(pane) for _ in range(KEYS_A_PANE)]
        if running.ended is None or not running.ended.runs:
            raise SystemExit(f"the run did not end: {running.problem}")
        summary, watched = running.ended.runs[0], running.feeds[0].watched
        print(f"{scenario}: {summary.messages:,} messages in {summary.wall_s:.1f} s, {watched.lines.total:,} seen live")
        print(f"while it runs : {said(took)}   (limit {LIMIT_WALL_MS} ms)")
        print(f"afterwards    : {said(idle)}")
        print(f"ratio of medians: {statistics.median(took) / statistics.median(idle):.1f}")


class Keyboard:
    """Presses keys and waits until the screen shows what they do."""

    def __init__(self, app: SsmicApp) -> None:
        self._app = app
        self._drawn = 0
        draw = app._display  # noqa: SLF001 - the one place where all drawing passes

        def counted(*arguments: Any) -> None:  # noqa: ANN401 - as Textual has it
            draw(*arguments)
            self._drawn += 1

        app._display = counted  # type: ignore[method-assign]  # noqa: SLF001 - as above

    async def press(self, pane: str) -> float:
        """Move the cursor of a pane's table by a key; return the milliseconds until it is drawn there."""
        screen = self._app.screen
        table = screen.query_one(f"#{pane}", VirtualTable)
        before = table.cursor
        key = "up" if before else "down"
        began_wall_s = time.perf_counter()
        self._app.post_message(events.Key(key, None))
        while table.cursor == before and len(table.rows) > 1:  # noqa: ASYNC110 - a picture has no event
            await asyncio.sleep(0.001)
        drawn = self._drawn
        while self._drawn == drawn and len(table.rows) > 1:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        return 1000 * (time.perf_counter() - began_wall_s)


async def show(pilot: Pilot[Any], key: str, pane: str) -> None:
    """Open a pane and wait until it has rows and the focus."""
    await pilot.press(key)
    table = pilot.app.screen.query_one(f"#{pane}", VirtualTable)
    while len(table.rows) < 2 or not table.has_focus:
        await pilot.pause(0.05)


def said(took_wall_ms: list[float]) -> str:
    """Return figures as a line."""
    ordered = sorted(took_wall_ms)
    high = ordered[int(0.95 * (len(ordered) - 1))]
    median = statistics.median(ordered)
    return f"{len(ordered):4} keys, median {median:5.1f} ms, 95 % {high:5.1f} ms, most {ordered[-1]:5.1f} ms"


async def many_messages() -> None:
    """Send 100,000 messages through the live view."""
    app = SsmicApp(first_area="negotiations", remember=False)
    async with app.run_test(size=(140, 45)) as pilot:
        watched = Watched("r", from_the_start=True)
        app.watching.begin(_Idle(watched))
        await pilot.pause(0.5)
        payloads = []
        for seq in range(MESSAGES):
            body = {"kind": "Declined", "job_id": f"job-{seq % 500}", "producer": f"pv-{seq % 40}"}
            envelope = Envelope(
                session="s", step=seq, time=seq, round=0, sender="1/tv", seq=seq, to="manager", body=body
            )
            payloads.append(envelope.encoded())
        topic = topics.inbox("r", "manager", "manager", "1")
        took, marks = 0.0, []
        for begin in range(0, MESSAGES, 10_000):
            began_wall_s = time.perf_counter()
            for payload in payloads[begin : begin + 10_000]:
                watched.take(topic, payload)
            took += time.perf_counter() - began_wall_s
            await pilot.pause(0.3)
            marks.append(f"{_resident_mb():.0f}")
        key_wall_ms = await Keyboard(app).press("messages")
        cost = f"{1e6 * took / MESSAGES:.1f} us each, {len(watched.lines):,} kept"
        print(f"{MESSAGES:,} messages: {cost}; a key then: {key_wall_ms:.0f} ms")
        print(f"resident MB after each 10,000: {' '.join(marks)}")


class _Idle:
    """A feed that others fill."""

    title, status, problem = "benchmark", "connected", ""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched

    async def run(self) -> None:
        """Nothing comes."""

    async def control(self, control: object) -> None:
        """Nobody listens."""


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    """Measure both."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    scenario = sys.argv[1] if len(sys.argv) > 1 else "village"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        asyncio.run(keys_while_running(scenario))
        asyncio.run(many_messages())


if __name__ == "__main__":
    main()
