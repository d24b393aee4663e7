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


def _tell_blocked_signals(pipe: Connection) -> None:
    pipe.send(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def spawn_two_and_tell() -> None:
    """Run in a process of its own, whose first processes these are."""
    for _ in range(2):
        spawned = SpawnedProcess("ssmic-tells", _tell_blocked_signals)
        spawned.start()
        sys.stdout.write(f"{signal.SIGINT in spawned.pipe.recv()}\n")
        spawned.join()
    sys.stdout.write(f"{signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())}\n")


@pytest.mark.long
def test_ctrl_c_is_left_to_the_process_that_spawns() -> None:
    """Also by the first one, with which Python starts its resource tracker."""
    code = f"from {__name__} import spawn_two_and_tell; spawn_two_and_tell()"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "True", "False"]


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
