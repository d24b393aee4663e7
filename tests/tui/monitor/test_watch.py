"""Watching a neighbourhood that runs elsewhere: over a real broker that comes and goes, and in a real terminal."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Static

from broker.clock.pacing import Pace
from broker.protocol import TimeReport, topics
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.servers.own_broker import free_port
from broker.transport import MqttBroker
from broker.transport.endpoint import Access, Tls
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.integration.conftest import SLOW
from tests.tui.driving import dialog, notices, steps, until
from tests.tui.terminal import environment
from tui.monitor.join_dialog import RunChooser, url_problem
from tui.monitor.screen import NegotiationsScreen
from tui.shell.dialogs import AskText, Confirm
from tui.shell.header import StatusLine
from tui.shell.navigation import WatchBroker
from tui.widgets.table import VirtualTable

Opened = Any
needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


async def take_control(pilot: Any) -> None:
    """Press the key that asks, and answer."""
    await pilot.press("C")
    await dialog(pilot, Confirm)
    await pilot.press("right", "enter")
    await until(pilot, lambda: pilot.app.monitored_run.may_control)


@pytest.mark.long
@needs_mosquitto
async def test_a_run_is_joined_left_and_found_again(opened: Opened) -> None:
    """It is watched from the middle on, read-only until control is taken; the ledger is that of an unwatched run."""
    street = load_scenario("street")
    alone = await run_scenario(street, RunSettings(seed=2, run_id="alone"), MemoryBroker())
    async with managed_mosquitto() as running, opened(first_area="negotiations") as pilot:
        settings = RunSettings(seed=2, run_id="elsewhere", pace=Pace(600))
        run = asyncio.create_task(run_scenario(street, settings, MqttBroker(running.url)))
        await pilot.press("w")
        (await dialog(pilot, AskText)).query_one(Input).value = str(running.url)
        await pilot.press("enter")
        await dialog(pilot, RunChooser)
        await until(pilot, lambda: pilot.app.screen.query_one(VirtualTable).rows)
        await pilot.press("enter")
        monitored_run: Any = pilot.app.monitored_run
        await until(pilot, lambda: monitored_run.state == "running")
        for key in ("space", "n", "e", "h", "<", ">", "p", "x"):
            await pilot.press(key)
        await until(pilot, lambda: any("read-only" in text for _, text in notices(pilot)))
        assert isinstance(pilot.app.screen, NegotiationsScreen)
        reports = monitored_run.feed.watched.time_reports
        await until(pilot, lambda: monitored_run.feed.watched.time_reports > reports)
        assert (monitored_run.state, monitored_run.feed.watched.time.pace) == ("running", "600x")
        await take_control(pilot)
        await pilot.press("space")
        await until(pilot, lambda: monitored_run.state == "paused")
        assert monitored_run.standing.words == "paused by you"
        await steps(pilot, lambda: len(monitored_run.feed.watched.ledger) > 1)

        await pilot.press("q")
        await until(pilot, lambda: pilot.app.screen.query_one("#nothing").display)
        await pilot.press("w")
        asked = await dialog(pilot, AskText)
        assert asked.query_one(Input).value == str(running.url)
        await pilot.press("enter")
        await dialog(pilot, RunChooser)
        await until(pilot, lambda: pilot.app.screen.query_one(VirtualTable).rows)
        await pilot.press("enter")
        await until(pilot, lambda: monitored_run.state == "paused" and monitored_run.feed.watched.ledger)
        pilot.app.clear_notifications()
        await pilot.press("space")
        await until(pilot, lambda: any("read-only" in text for _, text in notices(pilot)))
        assert monitored_run.state == "paused"
        await take_control(pilot)
        await pilot.press(*[">"] * 3)
        await until(pilot, lambda: monitored_run.feed.watched.time.pace == "max")
        await pilot.press("space")
        outcome = await run
        await until(pilot, lambda: monitored_run.state == "ended")
        ledger = monitored_run.feed.watched.ledger
        await until(pilot, lambda: len(ledger) == len(outcome.ledger))
        assert outcome.ledger_sha256 == alone.ledger_sha256


@pytest.mark.long
@needs_mosquitto
async def test_the_monitor_waits_for_a_broker_that_goes_away(opened: Opened) -> None:
    """A message is shown until it returns, then the view continues; its content is kept."""
    street = load_scenario("street")
    port = free_port()
    async with AsyncExitStack() as first, opened(first_area="negotiations", size=(140, 45)) as pilot:
        running = await first.enter_async_context(managed_mosquitto(port=port))
        run = asyncio.create_task(run_scenario(street, RunSettings(seed=2, run_id="r"), MqttBroker(running.url)))
        pilot.app.post_message(WatchBroker(Access(running.url, Tls()), "r"))
        monitored_run: Any = pilot.app.monitored_run
        await until(pilot, lambda: monitored_run.state == "ended")
        await run
        seen = len(monitored_run.feed.watched.ledger)
        assert seen > 10

        await first.aclose()
        await until(pilot, lambda: monitored_run.feed.status == "reconnecting")
        async with managed_mosquitto(port=port) as again:
            await until(pilot, lambda: monitored_run.feed.status == "connected")
            assert len(monitored_run.feed.watched.ledger) == seen
            await run_scenario(street, RunSettings(seed=3, run_id="r", days=1), MqttBroker(again.url))
            await until(pilot, lambda: monitored_run.feed.watched.ledger)


async def test_an_unreachable_broker_is_reported(opened: Opened) -> None:
    """The list of runs shows it, and retries."""
    async with opened(first_area="negotiations") as pilot:
        await pilot.press("w")
        asked = (await dialog(pilot, AskText)).query_one(Input)
        assert url_problem(asked.value) is None
        asked.value = "mqtt://127.0.0.1:9"
        await pilot.press("enter")
        await dialog(pilot, RunChooser)
        note = pilot.app.screen.query_one(".note", Static)
        await until(pilot, lambda: "connection refused: no broker at 127.0.0.1:9; trying again" in str(note.content))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, RunChooser))


@needs_mosquitto
async def test_the_list_of_runs_says_in_80_columns_why_a_run_stands_still(opened: Opened) -> None:
    """It said `! stalled for 4 s, the clock is g…`, and of another run not even that."""
    gone = TimeReport(time=0, round=0, step=3, lag_wall_s=0, pace="3600x", state="gone", every_wall_s=2)
    stuck = gone.model_copy(update={"state": "running", "waiting_for": ("adler",), "waiting_wall_s": 754.0})
    async with managed_mosquitto() as running, opened(first_area="negotiations", size=(80, 24)) as pilot:
        async with MqttBroker(running.url).connect("clocks") as bus:
            for run, report in (("summer-month-2026", gone), ("stuck", stuck)):
                await bus.publish(topics.time(run), report, qos=1, retain=True)
            await bus.flush()
        pilot.app.post_message(WatchBroker(Access(running.url, Tls()), None))
        chooser = await dialog(pilot, RunChooser)
        table = chooser.query_one(VirtualTable)
        await until(pilot, lambda: len(table.rows) == 2)
        lines = [table.render_line(y).text for y in range(table.size.height)]
        assert any("summer-month-2026" in line and "! stalled, the clock is gone" in line for line in lines)
        assert any("stuck" in line and "! stalled, waiting for adler" in line for line in lines)


def kill(process: asyncio.subprocess.Process) -> None:
    """End a process that has not ended."""
    if process.returncode is None:
        process.kill()


@pytest.mark.long
@needs_mosquitto
async def test_a_household_that_dies_is_shown_until_it_returns(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a run of processes, the status line and a notice name it; then the run continues."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.yaml").write_text(SLOW)
    async with (
        managed_mosquitto() as running,
        AsyncExitStack() as processes,
        opened(first_area="negotiations") as pilot,
    ):

        async def begin(*arguments: str) -> asyncio.subprocess.Process:
            command = (sys.executable, "-m", "tui", *arguments, "--broker", str(running.url), "--run", "r")
            quiet = asyncio.subprocess.DEVNULL
            process = await asyncio.create_subprocess_exec(*command, env=environment(), stdout=quiet, stderr=quiet)
            processes.push_async_callback(process.wait)
            processes.callback(kill, process)
            return process

        clock = await begin("clock", "slow.yaml", "--pace", "60x")
        one = await begin("host", "slow.yaml", "--house", "1")
        pilot.app.post_message(WatchBroker(Access(running.url, Tls()), "r", control=True))
        monitored_run: Any = pilot.app.monitored_run
        await until(pilot, lambda: monitored_run.state == "waiting" and "waiting" in monitored_run.standing.words)
        await until(pilot, lambda: monitored_run.standing.awaited == ("2",))
        two = await begin("host", "slow.yaml", "--house", "2")
        await until(pilot, lambda: monitored_run.state == "running" and monitored_run.feed.watched.ledger)
        two.kill()
        await two.wait()
        await pilot.press("space")
        await until(pilot, lambda: monitored_run.state == "paused")
        await pilot.press("p")
        (await dialog(pilot, AskText)).query_one(Input).value = "max"
        await pilot.press("enter")
        await until(pilot, lambda: monitored_run.feed.watched.time.pace == "max")
        await pilot.press("space")
        await until(pilot, lambda: monitored_run.state == "stalled")
        assert monitored_run.standing.words.startswith("stalled, waiting for 2 (")
        line = pilot.app.screen.query_one(StatusLine)
        await until(pilot, lambda: "! stalled, waiting for 2" in line.render().plain)
        await until(pilot, lambda: any("waiting for 2" in text for _, text in notices(pilot)))
        await begin("host", "slow.yaml", "--house", "2")
        await until(pilot, lambda: monitored_run.state == "ended")
        assert (await clock.wait(), await one.wait()) == (0, 0)
