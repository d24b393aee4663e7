"""Executes the missing runs of a sweep, and stores each as soon as it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scenarios.simulation import cores
from scenarios.sweep.one_run import Submit, SweepRow, SweepRun
from scenarios.sweep.plan import SweepPlan
from scenarios.sweep.results_file import SweepFile, open_sweep
from scenarios.sweep.workers import dask_workers, process_workers


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """The outcome of a completed sweep."""

    sha256: str | None
    """Of the results; None: runs failed."""
    failed: tuple[SweepRow, ...]
    """Runs that failed, in the order of their numbers."""


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """How far a sweep is, for displays; counts are runs."""

    done: int
    """Runs that are in the file."""
    planned: int
    """Runs of the whole sweep."""
    before: int
    """Runs that were in the file when this execution began."""
    without_workers: bool = False
    """Whether the sweep waits because a cluster has no workers (any more)."""


async def run_sweep(
    plan: SweepPlan,
    path: Path,
    *,
    workers: int | None = None,
    dask: str | None = None,
    on_progress: Callable[[SweepProgress], None] | None = None,
) -> SweepOutcome:
    """Perform the runs that are not in the results file yet; a repeated call continues an interrupted sweep.

    Args:
        plan: The sweep.
        path: Its results file, which need not exist.
        workers: Number of processes; None: one a core. A cluster elsewhere has its own number.
        dask: `local` or the URL of a Dask scheduler; None: processes of this machine.
        on_progress: Called at the beginning, after each run, and when a cluster loses its last worker or gets its
            first one.

    Raises:
        ResultsExistError: The file holds something else, or another process is doing this sweep.
        ResultsWriteError: The file cannot be written.
        SweepWorkerError: A worker was lost.
        DaskError: The cluster cannot be used.
        asyncio.CancelledError: Stopped; the runs that were done are in the file.
    """
    with open_sweep(path, plan) as file:
        done = file.done()
        missing = [order for order in plan.runs() if order.run not in done]
        failed: list[SweepRow] = []

        before = len(done)
        without_workers = False

        def tell() -> None:
            if on_progress is not None:
                on_progress(SweepProgress(len(done), plan.count, before, without_workers))

        def keep(row: SweepRow) -> None:
            nonlocal without_workers
            file.add(row)
            done.add(row.run)
            if row.state == "failed":
                failed.append(row)
            without_workers = False
            tell()

        def note_workers(number: int) -> None:
            nonlocal without_workers
            if without_workers != (number == 0):
                without_workers = number == 0
                tell()

        tell()
        if missing:
            count = min(workers or cores(), len(missing))
            if dask is None:
                provided = process_workers(plan.variants, count)
            else:
                provided = dask_workers(dask, plan.variants, count, note_workers)
            async with provided as submit:
                await _carry_out(missing, submit, keep)
        return _completed(file, failed)


def _completed(file: SweepFile, failed: list[SweepRow]) -> SweepOutcome:
    rows = tuple(sorted(failed, key=lambda row: row.run))
    return SweepOutcome(None if rows else file.complete(), rows)


async def _carry_out(orders: list[SweepRun], submit: Submit, keep: Callable[[SweepRow], None]) -> None:
    pending = [asyncio.ensure_future(submit(order)) for order in orders]
    try:
        for future in asyncio.as_completed(pending):
            keep(await future)
    finally:
        for other in pending:
            other.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
