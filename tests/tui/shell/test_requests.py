"""Requests to the watched run: sent in the order of the keys, while the screen goes on obeying others."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.pilot import Pilot

from broker.protocol import Control, TimeReport, topics
from scenarios.monitor import ObservedRun
from tests.tui.conftest import Opened
from tests.tui.driving import at_once, dialog, notices, the_app, until
from tui.monitor.real_devices import JobAskedFor
from tui.shell import HelpScreen


class Slow:
    """A feed whose broker does not answer until it is told to."""

    title, status, problem = "mqtt://broker:1883", "connected", ""

    def __init__(self) -> None:
        self.watched = ObservedRun("r")
        report = TimeReport(state="running", time=1_782_012_600, step=1, round=0, pace="60x", lag_wall_s=0)
        self.watched.take(topics.time("r"), report.encoded())
        assert self.watched.time is not None
        self.answers = asyncio.Event()
        self.asked: list[str] = []

    async def run(self) -> None:
        """Nothing more comes."""

    async def control(self, control: Control) -> None:
        """Wait for the broker."""
        await self.answers.wait()
        self.asked.append(control.pace or control.until or control.command)

    async def ask_for_job(self, device: str, request: bytes) -> None:
        """Wait for the broker."""
        await self.answers.wait()
        self.asked.append(f"{device} {request.decode()}")


async def watched(pilot: Pilot[Any]) -> Slow:
    """Watch the run, and wait until keys control it."""
    feed = Slow()
    the_app(pilot).monitored_run.begin(feed)
    await until(pilot, lambda: pilot.app.screen.query_one("#something").display)
    return feed


async def test_a_broker_that_does_not_answer_holds_up_no_key(opened: Opened) -> None:
    """The help opens at once; what was asked is sent later, in the order of the keys."""
    async with opened(first_area="negotiations") as pilot:
        feed = await watched(pilot)
        at_once(pilot, "space", "n", "t", "greater_than_sign")
        pilot.app.screen.post_message(JobAskedFor("washer", "18:30"))
        at_once(pilot, "f1")
        await dialog(pilot, HelpScreen)
        assert feed.asked == []
        feed.answers.set()
        await until(pilot, lambda: len(feed.asked) == 5)
        assert [asked for asked in feed.asked if "washer" not in asked] == ["pause", "round", "hour", "300x"]


async def test_what_was_asked_of_a_run_that_was_left_is_not_sent(opened: Opened) -> None:
    """The next run does not wait for the broker of the one before."""
    async with opened(first_area="negotiations") as pilot:
        before = await watched(pilot)
        at_once(pilot, "space", "n")
        await until(pilot, lambda: [worker.group for worker in pilot.app.workers].count("requests") == 2)
        after = await watched(pilot)
        after.answers.set()
        at_once(pilot, "t")
        await until(pilot, lambda: after.asked == ["hour"])
        before.answers.set()
        await pilot.pause()
        assert before.asked in ([], ["pause"])
        the_app(pilot).monitored_run.end()
        pilot.app.screen.post_message(JobAskedFor("washer", "18:30"))
        await until(pilot, lambda: any("no run is watched" in said for _, said in notices(pilot)))
