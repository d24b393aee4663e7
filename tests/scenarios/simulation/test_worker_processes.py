"""A spawned process ends with the one that spawned it, whatever either of them does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from scenarios.simulation.worker_processes import SpawnedProcess, run_spawned
from tests.patience import PATIENCE_WALL_S

ROOT = Path(__file__).parents[3]


async def _decide_for_ever(pipe: Connection) -> None:
    """Never return to the event loop, as a plug-in may."""
    pipe.send(os.getpid())
    while True:
        pass


def _work(pipe: Connection) -> None:
    run_spawned(None, _decide_for_ever(pipe))


def spawn_and_be_killed() -> None:
    """Run in a process of its own: spawn one that loops, and be killed."""
    spawned = SpawnedProcess("ssmic-loops", _work)
    spawned.start()
    sys.stdout.write(f"{spawned.pipe.recv()}\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.long
def test_a_process_that_loops_ends_when_the_one_that_spawned_it_is_killed() -> None:
    """Both hold the same output, which is at its end only when the last of them has ended."""
    code = f"from {__name__} import spawn_and_be_killed; spawn_and_be_killed()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        spawned = int(process.stdout.readline())
        try:
            out, _ = process.communicate(timeout=PATIENCE_WALL_S)
        except subprocess.TimeoutExpired:
            os.kill(spawned, signal.SIGKILL)
            raise
    assert (out, process.returncode) == ("", -signal.SIGKILL)
