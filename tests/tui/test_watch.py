"""Watching a neighbourhood that runs elsewhere: over a real broker that comes and goes, and in a real terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from broker.access import Access
from broker.memory import MemoryBroker
from broker.mosquitto import find_mosquitto, managed_mosquitto
from broker.mqtt import MqttBroker
from broker.pace import Pace
from broker.running import free_port
from broker.tls import Tls
from scenarios.files import load_scenario
from scenarios.runner import RunSettings, run_once
from tui.live.joining import RunChooser
from tui.shell.intents import WatchBroker
from tui.widgets.table import VirtualTable

Opened = Any
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


async def until(pilot: Pilot[Any], holds: Callable[[], object], wall_s: float = 60) -> None:
    """Let the application go on until something holds."""
    async with asyncio.timeout(wall_s):
        while not holds():
            await pilot.pause(0.02)


@needs_mosquitto
async def test_a_run_is_joined_left_and_found_again(opened: Opened) -> None:
    """Watched from the middle on, by choosing it; the ledger is that of a run nobody watched."""
    street = load_scenario("street")
    alone = await run_once(street, RunSettings(seed=2, run_id="alone"), MemoryBroker())
    async with managed_mosquitto() as running, opened(first_area="negotiations") as pilot:
        settings = RunSettings(seed=2, run_id="elsewhere", pace=Pace(20_000))
        run = asyncio.create_task(run_once(street, settings, MqttBroker(running.url)))
        await pilot.press("b")
        await pilot.pause()
        pilot.app.screen.query_one(Input).value = str(running.url)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunChooser))
        await until(pilot, lambda: pilot.app.screen.query_one(VirtualTable).rows)
        await pilot.press("enter")
        watching: Any = pilot.app.watching
        await until(pilot, lambda: watching.feed is not None and len(watching.feed.watched.ledger) > 1)

        pilot.app.screen.action_leave()
        await until(pilot, lambda: pilot.app.screen.query_one("#nothing").display)
        pilot.app.post_message(WatchBroker(Access(running.url, Tls()), "elsewhere"))
        outcome = await run
        await until(pilot, lambda: watching.state == "ended")
        ledger = watching.feed.watched.ledger
        await until(pilot, lambda: len(ledger) == len(outcome.ledger))
        assert outcome.ledger_sha256 == alone.ledger_sha256


@needs_mosquitto
async def test_a_broker_that_goes_away_is_waited_for(opened: Opened) -> None:
    """A message while it is gone, and on it goes when it is back; what was seen stays."""
    street = load_scenario("street")
    port = free_port()
    async with AsyncExitStack() as first, opened(first_area="negotiations", size=(140, 45)) as pilot:
        running = await first.enter_async_context(managed_mosquitto(port=port))
        run = asyncio.create_task(run_once(street, RunSettings(seed=2, run_id="r"), MqttBroker(running.url)))
        pilot.app.post_message(WatchBroker(Access(running.url, Tls()), "r"))
        watching: Any = pilot.app.watching
        await until(pilot, lambda: watching.state == "ended")
        await run
        seen = len(watching.feed.watched.ledger)
        assert seen > 10

        await first.aclose()
        await until(pilot, lambda: watching.feed.status == "reconnecting")
        async with managed_mosquitto(port=port) as again:
            await until(pilot, lambda: watching.feed.status == "connected")
            assert len(watching.feed.watched.ledger) == seen
            await run_once(street, RunSettings(seed=3, run_id="r", days=1), MqttBroker(again.url))
            await until(pilot, lambda: watching.feed.watched.ledger)


async def test_a_broker_that_is_not_there_is_said(opened: Opened) -> None:
    """In the list of runs, which goes on trying."""
    async with opened(first_area="negotiations") as pilot:
        await pilot.press("b")
        await pilot.pause()
        pilot.app.screen.query_one(Input).value = "mqtt://127.0.0.1:9"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunChooser))
        told = pilot.app.screen.query_one(".told", Static)
        await until(pilot, lambda: "nobody listens there; trying again" in str(told.content))
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, RunChooser)


class Terminal:
    """A real terminal, 80 by 24, in which a command runs."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ("tmux", "-S", str(folder / "tmux"))
        self._folder = folder

    def open(self, command: str) -> None:
        """Run a command, and then say with which code it ended."""
        line = f"{command}; echo ended with $?; exec cat"
        self._do("new-session", "-d", "-x", "80", "-y", "24", "-c", str(self._folder), "sh", "-c", line)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._do("send-keys", *keys)

    def picture(self) -> str:
        """Return what is on the screen."""
        return self._do("capture-pane", "-p")

    def wait_for(self, text: str, wall_s: float = 60) -> str:
        """Wait until a text is on the screen; return the whole."""
        deadline_wall_s = time.monotonic() + wall_s
        while text not in (picture := self.picture()):
            if time.monotonic() > deadline_wall_s:
                raise AssertionError(f"never on the screen: {text}\n{picture}")
            time.sleep(0.1)
        return picture

    def close(self) -> None:
        """End it."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)  # noqa: S603 - tmux

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - tmux
            [*self._tmux, *arguments], check=True, capture_output=True, text=True, env=ENVIRONMENT
        )
        return done.stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal that is closed at the end."""
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


@needs_tmux
def test_from_start_to_exit_in_a_real_terminal(terminal: Terminal, tmp_path: Path) -> None:
    """A bare `ssmic` opens it; a scenario is run and watched; it leaves the terminal as it found it."""
    terminal.open(f"{sys.executable} -m tui")
    terminal.wait_for("1 Neighbourhoods")
    terminal.press("F3")
    terminal.wait_for("6 houses, 4 producers")
    terminal.press("C-r")
    terminal.wait_for("✓ done")
    terminal.press("3")
    terminal.wait_for("■ ended")
    assert "ContractAgr" in terminal.wait_for("what it says")
    terminal.press("?")
    terminal.wait_for("Help: Negotiations")
    terminal.press("Escape")
    terminal.press("C-q")
    picture = terminal.wait_for("ended with 0")
    assert "Traceback" not in picture
    assert "ssmic" not in picture
    assert len(list((tmp_path / "results").glob("*.sqlite"))) == 1


@needs_tmux
def test_a_defect_leaves_the_terminal_whole(terminal: Terminal, tmp_path: Path) -> None:
    """One line says what happened and where the details are."""
    (tmp_path / "broken.py").write_text(
        "from tui.app import SsmicApp, run_app\n"
        "from textual.widgets import Static\n"
        "def render(self):\n    raise ZeroDivisionError('a defect')\n"
        "import tui.shell.bar\n"
        "tui.shell.bar.AreaTab.render = render\n"
        "raise SystemExit(run_app())\n"
    )
    terminal.open(f"{sys.executable} broken.py")
    picture = terminal.wait_for("ended with 1")
    assert "ZeroDivisionError: a defect" in picture
    assert "Details:" in picture
    assert "Traceback" not in picture
