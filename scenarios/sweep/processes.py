"""Runs of a sweep on the cores of this machine: worker processes that end when this process does."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection

from broker import collecting_seldom
from scenarios.scenario import Scenario
from scenarios.sweep.one_run import SweepRow, SweepRun
from scenarios.sweep.workers import Submit, perform_in_worker

_spawning = multiprocessing.get_context("spawn")


@contextmanager
def process_workers(variants: Sequence[Scenario], count: int) -> Iterator[Submit]:
    """Have worker processes for the time of the context; leaving it ends them at once, also in the middle of a run.

    Args:
        variants: The scenarios of the sweep.
        count: Number of processes.
    """
    lifeline, ours = _spawning.Pipe(duplex=False)
    pool = ProcessPoolExecutor(count, _spawning, _begin, (lifeline, tuple(variants)))

    def submit(order: SweepRun) -> Future[SweepRow]:
        # A process starts here. Ctrl-C in a terminal reaches all processes: blocked from the first moment on, it is
        # left to this one.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return pool.submit(_perform, order)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

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
    with collecting_seldom():
        return perform_in_worker(_variants[order.variant], order)
