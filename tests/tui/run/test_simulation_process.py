"""The process of a simulation, where the application is slow to listen."""

from __future__ import annotations

import asyncio
import os
from asyncio.streams import FlowControlMixin
from pathlib import Path

import pytest

import ssmic
from tui.child_process import frame, read_frame_blocking
from tui.run.simulation_messages import BusMessages, SimulationEnded
from tui.run.simulation_process import _Parent, summaries


async def test_the_end_of_a_run_arrives_though_nothing_was_read_before() -> None:
    """The messages exceed the pipe's buffer: the process waits until the application has read them all."""
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(FlowControlMixin, os.fdopen(writing, "wb", buffering=0))
    parent = _Parent(asyncio.StreamReader(), asyncio.StreamWriter(transport, protocol, None, loop))
    heard, ended = BusMessages((("topic", bytes(100_000)),)), SimulationEnded((), "", interrupted=False)
    parent.tell(heard)
    parent.tell(ended)
    assert transport.get_write_buffer_size() > len(frame(ended))
    leaving = asyncio.create_task(parent.leave())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not leaving.done()
    with os.fdopen(reading, "rb") as pipe:
        first = await asyncio.to_thread(read_frame_blocking, pipe)
        second = await asyncio.to_thread(read_frame_blocking, pipe)
        await leaving
        assert transport.get_write_buffer_size() == 0
        assert (first, second) == (heard, ended)
        transport.abort()


@pytest.mark.long
async def test_a_run_has_the_share_of_the_best_plan_of_its_own_rule(tmp_path: Path) -> None:
    """Under shared supply, too: the column *of best* was empty."""
    file = tmp_path / "shared.sqlite"
    outcome = await asyncio.to_thread(
        lambda: ssmic.run("scarce", supply="shared", compare=True, time_limit_wall_s=0.5, out=file)
    )
    (run,) = summaries(file)
    assert outcome.optimum is not None
    assert run.share_of_best == outcome.optimum["shared_optimum"]["share"]
    assert run.share_of_best is not None
    assert run.share_of_best > 0
