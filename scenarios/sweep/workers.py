"""Workers that do the runs of a sweep: processes of this machine, or a Dask cluster.

Processes run on the cores of this machine and end when this process does. Dask workers are those of this machine
(`local`), or those of a scheduler with a URL.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from broker import SsmicError
from scenarios.results import versions
from scenarios.scenario import Scenario
from scenarios.simulation import interrupts_left_to_this_process
from scenarios.sweep.one_run import Submit, SweepRow, SweepRun, perform_in_worker

if TYPE_CHECKING:
    from distributed import Client


_spawning = multiprocessing.get_context("spawn")


@contextmanager
def process_workers(variants: Sequence[Scenario], count: int) -> Iterator[Submit]:
    """Provide worker processes for the duration of the context; leaving it ends them at once, even during a run.

    Args:
        variants: The scenarios of the sweep.
        count: Number of processes.
    """
    lifeline, ours = _spawning.Pipe(duplex=False)
    pool = ProcessPoolExecutor(count, _spawning, _begin, (lifeline, tuple(variants)))

    def submit(order: SweepRun) -> Future[SweepRow]:
        with interrupts_left_to_this_process():  # a process may start here
            return pool.submit(_perform, order)

    try:
        yield submit
    finally:
        ours.close()
        lifeline.close()
        pool.shutdown(wait=True, cancel_futures=True)


# From here on: in the worker.

_variants: tuple[Scenario, ...] = ()


def _begin(lifeline: Connection, variants: tuple[Scenario, ...]) -> None:
    global _variants  # noqa: PLW0603 - how a pool's workers keep what all their tasks need
    _variants = variants
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    """End this process when the other end of the pipe is closed: the parent has stopped, or died."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(0)


def _perform(order: SweepRun) -> SweepRow:
    return perform_in_worker(_variants[order.variant], order)


LOCAL = "local"
CONNECT_WALL_S = 30
"""How long a scheduler may take to answer, and its first worker to appear."""


class DaskError(SsmicError):
    """A Dask cluster cannot be used; the message says why."""


@contextmanager
def dask_workers(address: str, variants: Sequence[Scenario], count: int) -> Iterator[Submit]:
    """Provide the workers of a Dask cluster for the duration of the context.

    Args:
        address: `local` for worker processes of this machine, or the URL of a scheduler.
        variants: The scenarios of the sweep.
        count: Number of workers, for `local`.

    Raises:
        DaskError: Dask is not installed, the scheduler does not answer, it has no worker, or a worker has other
            versions of what results depend on.
    """
    try:
        import distributed  # noqa: PLC0415 - an extra
    except ImportError:
        raise DaskError("--dask needs Dask: pip install 'ssmic[dask]'") from None
    with interrupts_left_to_this_process():
        cluster, client = _connected(distributed, address, count)
    try:
        if cluster is None:
            _check_workers(client, address)
        scenarios = client.scatter(list(variants), broadcast=True)
        executor = client.get_executor(pure=False, retries=2)

        def submit(order: SweepRun) -> Future[SweepRow]:
            future: Future[SweepRow] = executor.submit(perform_in_worker, scenarios[order.variant], order)
            return future

        yield submit
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def _connected(distributed: Any, address: str, count: int) -> tuple[Any, Client]:  # noqa: ANN401 - an extra's module
    if address == LOCAL:
        cluster = distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        return cluster, distributed.Client(cluster)
    try:
        return None, distributed.Client(address, timeout=CONNECT_WALL_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise DaskError(f"{address}: there is no Dask scheduler: {error}") from None


def _check_workers(client: Client, address: str) -> None:
    """Check that there are workers, and that they compute what this process would compute."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_WALL_S)
    except TimeoutError:
        raise DaskError(f"{address}: the scheduler has no workers") from None
    ours = versions()
    try:
        theirs = client.run(versions)
    except Exception as error:  # any failure in a worker
        raise DaskError(f"{address}: a worker cannot run ssmic: {error}; install the same ssmic there") from error
    for worker, found in theirs.items():
        other = [f"{name} {found[name]} there, {ours[name]} here" for name in ours if found.get(name) != ours[name]]
        if other:
            raise DaskError(
                f"{address}: worker {worker} has other versions, so results would differ: {'; '.join(other)}"
            )
