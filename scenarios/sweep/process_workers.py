"""Worker processes on this machine for the runs of a sweep; they end when this process does.

Each has a pipe of its own, so that one that is killed while it answers leaves neither the others nor this process
waiting for the rest of its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

from broker import SsmicError, end_with_parent
from scenarios.scenario import Scenario
from scenarios.simulation import SpawnedProcess, WorkerError, picklable_error
from scenarios.sweep.one_run import CONTINUES, Submit, SweepRow, SweepRun, SweepWorkerError, perform_in_worker


@asynccontextmanager
async def process_workers(variants: Sequence[Scenario], count: int) -> AsyncIterator[Submit]:
    """Provide worker processes for the duration of the context; leaving it ends them at once, even during a run.

    Args:
        variants: The scenarios of the sweep.
        count: Number of processes.

    Raises:
        SweepWorkerError: A process cannot be started.
    """
    workers: list[SpawnedProcess] = []
    idle: asyncio.Queue[SpawnedProcess] = asyncio.Queue()

    async def submit(order: SweepRun) -> SweepRow:
        worker = await idle.get()
        try:
            worker.pipe.send(order)
            answer: SweepRow | SsmicError = await worker.receive(f"run {order.run}: its process")
        except (WorkerError, OSError) as error:
            raise _lost(error) from None
        idle.put_nowait(worker)
        if isinstance(answer, SsmicError):
            raise answer
        return answer

    try:
        for _ in range(count):
            # A plug-in may compute in processes of its own.
            try:
                worker = SpawnedProcess("ssmic-sweep", _work, tuple(variants), may_have_children=True)
                worker.start()
            except OSError as error:
                raise _lost(error) from None
            workers.append(worker)
            idle.put_nowait(worker)
        yield submit
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()
            worker.pipe.close()


def _lost(error: Exception) -> SweepWorkerError:
    return SweepWorkerError(f"a worker was lost: {error} (killed, or out of memory?); {CONTINUES}")


# From here on: in the worker.


def _work(pipe: Connection, variants: tuple[Scenario, ...]) -> None:
    end_with_parent()
    while True:
        try:
            order: SweepRun = pipe.recv()
        except (EOFError, ConnectionError):
            return
        answer: SweepRow | SsmicError
        try:
            answer = perform_in_worker(variants[order.variant], order)
        except Exception as error:  # noqa: BLE001 - its parent raises it
            answer = picklable_error(error, f"run {order.run}: ")
        pipe.send(answer)
