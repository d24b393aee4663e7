"""Worker processes on this machine for the runs of a sweep; they end when this process does."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

from scenarios.scenario import Scenario
from scenarios.simulation import interrupts_blocked_in_children
from scenarios.sweep.one_run import CONTINUES, Submit, SweepRow, SweepRun, SweepWorkerError, perform_in_worker

_spawning = multiprocessing.get_context("spawn")


@asynccontextmanager
async def process_workers(variants: Sequence[Scenario], count: int) -> AsyncIterator[Submit]:
    """Provide worker processes for the duration of the context; leaving it ends them at once, even during a run.

    Args:
        variants: The scenarios of the sweep.
        count: Number of processes.
    """
    lifeline, ours = _spawning.Pipe(duplex=False)
    pool = ProcessPoolExecutor(count, _spawning, _begin, (lifeline, tuple(variants)))

    async def submit(order: SweepRun) -> SweepRow:
        try:
            with interrupts_blocked_in_children():  # a process may start here
                future = pool.submit(_perform, order)
            return await asyncio.wrap_future(future)
        except BrokenExecutor:
            raise SweepWorkerError(
                f"a worker process ended before its run did (killed, or out of memory?); {CONTINUES}"
            ) from None

    try:
        yield submit
    finally:
        # A worker that still imports modules would notice only afterwards that the pipe is closed: on a busy machine,
        # seconds later.
        for worker in list(pool._processes.values()):  # noqa: SLF001 - `kill_workers` exists since Python 3.14
            worker.kill()
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
