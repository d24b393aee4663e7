"""The workers of a sweep: processes, and a Dask cluster, with the same results whichever workers come and go."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest

from broker import SsmicError
from scenarios.results import versions
from scenarios.scenario import Scenario
from scenarios.sweep import SweepPlan, SweepProgress, read_sweep
from scenarios.sweep.one_run import SweepWorkerError
from scenarios.sweep.workers import process_workers
from tests.scenarios.sweep.small_sweep import content, sweep

STARTING_WALL_S = 20.0
pytest.importorskip("distributed", reason="Dask is an extra: pip install 'ssmic[dask]'")
pytestmark = pytest.mark.long


class LongToRead:
    """Takes its reader long, as importing a library does on a busy machine."""

    def __reduce__(self) -> tuple[Callable[[float], None], tuple[float]]:
        return time.sleep, (STARTING_WALL_S,)


async def test_workers_that_are_still_starting_end_at_once(plan: SweepPlan) -> None:
    """An interrupted command has only a few seconds until it is ended, with a warning of what it leaves behind."""
    loop = asyncio.get_running_loop()
    variants: Any = (LongToRead(),)
    async with process_workers(cast("tuple[Scenario, ...]", variants), 2) as submit:
        pending = [asyncio.ensure_future(submit(run)) for run in [*plan.runs()][:2]]
        await asyncio.sleep(0)
        for run in pending:
            run.cancel()
        began_s = loop.time()
    assert loop.time() - began_s < STARTING_WALL_S / 2
    await asyncio.gather(*pending, return_exceptions=True)


class KilledWhileItAnswers:
    """A scenario whose run fails in a worker that is then killed in the middle of writing why."""

    @property
    def timeline(self) -> NoReturn:
        """Fail, with more to write than the worker gets to."""

        def write_a_part(connection: Connection, data: bytes) -> None:
            os.write(connection.fileno(), memoryview(data)[:100])
            os.kill(os.getpid(), signal.SIGKILL)

        cast("Any", Connection)._send = write_a_part
        raise SsmicError("a long explanation " * 20)


@pytest.mark.long
async def test_a_worker_killed_while_it_answers_ends_the_sweep_with_an_error(plan: SweepPlan) -> None:
    """Nobody waits for the rest of the answer, neither another worker nor this process."""
    variants: Any = (KilledWhileItAnswers(),)
    async with process_workers(cast("tuple[Scenario, ...]", variants), 2) as submit:
        with pytest.raises(SweepWorkerError, match=r"lost: .*signal 9 .*the same command continues"):
            await asyncio.gather(*(submit(run) for run in [*plan.runs()][:2]))


@dataclass
class Cluster:
    """A scheduler and workers, as started by `dask scheduler` and `dask worker`."""

    address: str
    scheduler: subprocess.Popen[str]
    begin: Callable[..., subprocess.Popen[str]]
    """Starts `dask` with these arguments, and this environment besides its own."""

    def worker(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a worker, which takes some seconds to be there."""
        return self.begin("worker", self.address, "--nthreads", "1", *arguments, **environment)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Start a scheduler without workers."""
    with ExitStack() as processes:

        def begin(*arguments: str, **environment: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
            process = subprocess.Popen(
                command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        scheduler = begin("scheduler", "--host", "127.0.0.1", "--port", "0")
        assert scheduler.stderr is not None
        address = next(found[0] for line in scheduler.stderr if (found := re.search(r"tcp://127\S+", line)))
        yield Cluster(address, scheduler, begin)


def test_local_workers_give_the_same_content(plan: SweepPlan, undisturbed: Path, tmp_path: Path) -> None:
    """`--dask local` starts worker processes of this machine."""
    path = tmp_path / "dask.sqlite"
    sweep(plan, path, workers=1, dask="local")
    assert content(path) == content(undisturbed)


def test_a_scheduler_and_workers_elsewhere_give_the_same_content(
    plan: SweepPlan, undisturbed: Path, tmp_path: Path, cluster: Cluster
) -> None:
    """A scheduler and workers elsewhere give the same content."""
    cluster.worker("--nworkers", "2")
    path = tmp_path / "dask.sqlite"
    sweep(plan, path, dask=cluster.address)
    assert content(path) == content(undisturbed)


def test_a_sweep_waits_for_workers_at_first_and_when_all_are_lost(
    plan: SweepPlan, undisturbed: Path, tmp_path: Path, cluster: Cluster
) -> None:
    """As with a batch system: its jobs wait in a queue, and end before the sweep does."""
    told: list[SweepProgress] = []
    workers: list[subprocess.Popen[str]] = []

    def follow(now: SweepProgress) -> None:
        lost = now.without_workers and told and not told[-1].without_workers
        if lost:
            workers.append(cluster.worker("--no-nanny"))
        elif now.done == 1 and told[-1].done == 0:
            workers[0].kill()
        told.append(now)

    path = tmp_path / "dask.sqlite"
    sweep(plan, path, dask=cluster.address, on_progress=follow)
    changes = [
        now.without_workers for k, now in enumerate(told) if k and now.without_workers != told[k - 1].without_workers
    ]
    assert changes == [True, False, True, False]
    assert content(path) == content(undisturbed)


def test_a_lost_scheduler_ends_the_sweep_and_keeps_what_is_done(
    plan: SweepPlan, undisturbed: Path, tmp_path: Path, cluster: Cluster
) -> None:
    """A lost scheduler ends the sweep and keeps what is done."""
    cluster.worker("--no-nanny")

    def lose(now: SweepProgress) -> None:
        if now.done == 1:
            cluster.scheduler.kill()

    path = tmp_path / "dask.sqlite"
    with pytest.raises(SsmicError, match=r"the connection to the scheduler was lost; finished runs are kept"):
        sweep(plan, path, dask=cluster.address, on_progress=lose)
    assert len(read_sweep(path).rows) >= 1
    sweep(plan, path, workers=1)
    assert content(path) == content(undisturbed)


def other_numpy(folder: Path) -> str:
    """Make an environment that says it has another version of NumPy; return its folder."""
    about = folder / "numpy-0.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n")
    return str(folder)


def test_workers_with_other_versions_are_refused_before_and_during_the_sweep(
    plan: SweepPlan, tmp_path: Path, cluster: Cluster
) -> None:
    """Their results would differ: none of them is kept."""
    other = other_numpy(tmp_path / "other")
    message = rf"has other versions, so results would differ: numpy 0.1 there, {versions()['numpy']} here"
    right = cluster.worker("--no-nanny")

    def exchange(now: SweepProgress) -> None:
        if now.done == 1:
            cluster.worker("--no-nanny", PYTHONPATH=other)
            right.kill()

    path = tmp_path / "dask.sqlite"
    with pytest.raises(SsmicError, match=message):
        sweep(plan, path, dask=cluster.address, on_progress=exchange)
    done = len(read_sweep(path).rows)
    assert done < plan.count
    with pytest.raises(SsmicError, match=message):
        sweep(plan, path, dask=cluster.address)
    assert len(read_sweep(path).rows) == done
