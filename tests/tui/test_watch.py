"""Watching a neighbourhood that runs elsewhere: over a real broker that comes and goes, and in a real terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest
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
from tests.tui.driving import dialog, steps, until
from tui.live.joining import RunChooser
from tui.shell.dialogs import AskText
from tui.shell.intents import WatchBroker
from tui.widgets.table import VirtualTable

Opened = Any
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@needs_mosquitto
async def test_a_run_is_joined_left_and_found_again(opened: Opened) -> None:
    """Watched from the middle on, by choosing it; the ledger is that of a run nobody watched."""
    street = load_scenario("street")
    alone = await run_once(street, RunSettings(seed=2, run_id="alone"), MemoryBroker())
    async with managed_mosquitto() as running, opened(first_area="negotiations") as pilot:
        settings = RunSettings(seed=2, run_id="elsewhere", pace=Pace(600))
        run = asyncio.create_task(run_once(street, settings, MqttBroker(running.url)))
        await pilot.press("w")
        (await dialog(pilot, AskText)).query_one(Input).value = str(running.url)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunChooser))
        await until(pilot, lambda: pilot.app.screen.query_one(VirtualTable).rows)
        await pilot.press("enter")
        watching: Any = pilot.app.watching
        await until(pilot, lambda: watching.state == "running")
        await pilot.press("space")
        await until(pilot, lambda: watching.state == "paused")
        await steps(pilot, lambda: len(watching.feed.watched.ledger) > 1)

        await pilot.press("q")
        await until(pilot, lambda: pilot.app.screen.query_one("#nothing").display)
        await pilot.press("w")
        asked = await dialog(pilot, AskText)
        assert asked.query_one(Input).value == str(running.url)
        await pilot.press("enter")
        await dialog(pilot, RunChooser)
        await until(pilot, lambda: pilot.app.screen.query_one(VirtualTable).rows)
        await pilot.press("enter")
        await until(pilot, lambda: watching.state == "paused" and watching.feed.watched.ledger)
        await pilot.press(*[">"] * 3)
        await until(pilot, lambda: watching.feed.watched.time.pace == "max")
        await pilot.press("space")
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
        await pilot.press("w")
        (await dialog(pilot, AskText)).query_one(Input).value = "mqtt://127.0.0.1:9"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunChooser))
        told = pilot.app.screen.query_one(".told", Static)
        await until(pilot, lambda: "nobody listens there; trying again" in str(told.content))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, RunChooser))
