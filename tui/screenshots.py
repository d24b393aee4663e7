"""Screenshots for the README, of a real run: `python -m tui.screenshots [FOLDER]`, or `make screenshots`."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, Select

from tui.app import SsmicApp
from tui.shell import REFRESH_WALL_S, EditScenario

SIZE = (120, 36)
SCENARIO = "street"
PAUSE_AFTER_S = 13 * 3600
"""Virtual time at which the run is paused for screenshots."""
PATIENCE_WALL_S = 120.0


class Album:
    """Takes screenshots of an application."""

    def __init__(self, pilot: Pilot[Any], folder: Path) -> None:
        self._pilot = pilot
        self._folder = folder

    async def take(self, name: str) -> None:
        """Take a screenshot once the screen is stable."""
        before = ""
        async with asyncio.timeout(PATIENCE_WALL_S):
            while (now := self._pilot.app.export_screenshot(title="ssmic")) != before:
                before = now
                await self._pilot.pause(2 * REFRESH_WALL_S)
        (self._folder / f"{name}.svg").write_text(before, encoding="utf-8")
        sys.stderr.write(f"{self._folder / name}.svg\n")

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(PATIENCE_WALL_S):
            while not holds():
                await self._pilot.pause(0.02)


async def take_pictures(folder: Path) -> None:
    """Take a screenshot of editing, running, watching and reading, in full colours whatever this terminal has."""
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    app = SsmicApp(first_area="neighbourhoods", remember=False)
    app.animation_level = "none"
    async with app.run_test(size=SIZE, notifications=False) as pilot:
        album = Album(pilot, folder)
        app.post_message(EditScenario(SCENARIO))
        desk: Any = app.screen_stack[0]
        await album.until(lambda: desk.work is not None and desk.is_settled)
        await album.take("neighbourhoods")

        await pilot.press("f3")
        form: Any = app.screen_stack[0]
        app.screen.query_one("#bus", Select).value = "memory"
        app.screen.query_one("#pace", Input).value = "3600x"
        app.screen.query_one("#source", Input).value = SCENARIO
        await album.until(lambda: form.scenario is not None and form.scenario.name == SCENARIO)
        await pilot.press("ctrl+r")
        monitored_run = app.monitored_run
        await album.until(lambda: monitored_run.state == "running" and _seconds_in(app) > PAUSE_AFTER_S)
        await pilot.press("space")
        await album.until(lambda: monitored_run.state == "paused")
        await pilot.press("3")
        for key, name in (("M", "messages"), ("J", "jobs"), ("P", "producers")):
            await pilot.press(key)
            if name == "jobs":
                await pilot.press("end", "up")
            await album.take(name)

        await pilot.press("2", "space", *[">"] * 3)
        await album.until(lambda: monitored_run.state == "ended")
        await album.until(lambda: not form.is_busy)
        await album.take("run")
        await pilot.press("r")
        await album.until(lambda: getattr(app.screen_stack[0], "AREA", "") == "results")
        results: Any = app.screen_stack[0]
        await album.until(lambda: results.place == "simulation" and results.simulation.sheet_pane.sheet is not None)
        await album.take("results")


def _seconds_in(app: SsmicApp) -> int:
    feed = app.monitored_run.feed
    if feed is None or feed.watched.time is None or feed.watched.scenario_context.start_s is None:
        return 0
    return feed.watched.time.time - feed.watched.scenario_context.start_s


def main() -> None:
    """Take all screenshots."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        asyncio.run(take_pictures(folder))


if __name__ == "__main__":
    main()
