"""Workers for the runs of a sweep: processes on this machine, or a Dask cluster, here or elsewhere.

Worker processes end when this process does. Each has a pipe of its own, so that one that is killed while it answers
leaves neither the others nor this process waiting for the rest of its answer.

Workers of a Dask cluster may come and go during a sweep, as the jobs of a batch system do. A run whose worker is lost
is done again by another one, and without any worker the sweep waits.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from broker import SsmicError, end_with_parent
from scenarios.results import versions
from scenarios.scenario import Scenario
from scenarios.simulation import SpawnedProcess, WorkerError, interrupts_blocked_in_children, picklable_error
from scenarios.sweep.one_run import CONTINUES, Submit, SweepRow, SweepRun, SweepWorkerError, perform_in_worker

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
CONNECT_WALL_S = 30
"""How long a scheduler may take to answer."""
_LOOK_EVERY_WALL_S = 1.0
"""How often the workers of the cluster are counted."""
_RETRIES = 2
"""How often a run is repeated that failed for a reason outside itself, such as a worker without memory."""


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


# In a worker process.


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


class DaskError(SsmicError):
    """A Dask cluster cannot be used; the message says why."""


@asynccontextmanager
async def dask_workers(
    address: str, variants: Sequence[Scenario], count: int, on_workers: Callable[[int], None]
) -> AsyncIterator[Submit]:
    """Provide the workers of a Dask cluster for the duration of the context.

    Args:
        address: `local` for worker processes of this machine, or the URL of a scheduler.
        variants: The scenarios of the sweep.
        count: Number of workers, for `local`.
        on_workers: Called with the number of workers every second.

    Raises:
        DaskError: Dask is not installed, the scheduler does not answer or is lost, or a worker has other versions of
            what results depend on.
    """
    try:
        import distributed  # noqa: PLC0415 - an extra
    except ImportError:
        raise DaskError("--dask needs Dask: pip install 'ssmic[dask]'") from None
    async with AsyncExitStack() as stack:
        client = await _connected(distributed, address, count, stack)
        if address != LOCAL:
            await _check_workers(client, address)
        # Unlike scattered data, the result of a task can be computed again if the workers that hold it are lost.
        scenarios = [client.submit(_itself, variant, pure=False) for variant in variants]
        ours = versions()

        async def submit(order: SweepRun) -> SweepRow:
            future = client.submit(
                _perform, ours, scenarios[order.variant], order, pure=False, retries=_RETRIES, priority=-order.run
            )
            try:
                done: SweepRow | _OtherVersions = await future
            except distributed.CancelledError:
                raise DaskError(f"{address}: the connection to the scheduler was lost; {CONTINUES}") from None
            except distributed.KilledWorker:
                raise SweepWorkerError(
                    f"{address}: run {order.run} ended each worker that tried it (out of memory?); {CONTINUES}"
                ) from None
            except Exception as error:  # any failure in a worker
                raise _unable(address, error) from error
            if isinstance(done, _OtherVersions):
                raise _other_versions(address, done.worker, done.found, ours)
            return done

        watch = asyncio.create_task(_watch_workers(client, on_workers))
        try:
            yield submit
        finally:
            watch.cancel()
            await asyncio.wait([watch])
            if not watch.cancelled():
                watch.result()


async def _connected(
    distributed: Any,  # noqa: ANN401 - an extra's module
    address: str,
    count: int,
    stack: AsyncExitStack,
) -> Client:
    """Connect to a scheduler until the stack is closed.

    Raises:
        DaskError: It does not answer.
    """
    if address == LOCAL:
        with interrupts_blocked_in_children():
            cluster = await stack.enter_async_context(
                distributed.LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",  # a free port, so that two sweeps do not share one
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                    asynchronous=True,
                )
            )
        return await stack.enter_async_context(distributed.Client(cluster, asynchronous=True))
    try:
        with warnings.catch_warnings():
            # All versions that matter are checked, and a difference is an error.
            warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)
            client = distributed.Client(address, timeout=CONNECT_WALL_S, asynchronous=True)
            return await stack.enter_async_context(client)
    except ValueError as error:
        expected = "expected local or the address of a Dask scheduler, such as tcp://host:8786"
        raise DaskError(f"{address}: {expected} ({error})") from None
    except (OSError, TimeoutError) as error:
        raise DaskError(f"{address}: there is no Dask scheduler: {error}") from None


async def _watch_workers(client: Client, on_workers: Callable[[int], None]) -> None:
    """Report how many workers the cluster has."""
    while True:
        await asyncio.sleep(_LOOK_EVERY_WALL_S)
        try:
            count = len(await client.nthreads())
        except OSError:
            return  # the runs that are awaited say that the scheduler is lost
        on_workers(count)


async def _check_workers(client: Client, address: str) -> None:
    """Check that the workers that are there compute what this process would compute, before anything runs.

    There may be none yet: an adaptive cluster starts workers when it is given work. Each worker checks itself, too.

    Raises:
        DaskError: A worker cannot run ssmic, or has other versions.
    """
    ours = versions()
    try:
        theirs = await client.run(versions)
    except Exception as error:  # any failure in a worker
        raise _unable(address, error) from error
    for worker, found in theirs.items():
        if found != ours:
            raise _other_versions(address, worker, found, ours)


def _unable(address: str, error: Exception) -> DaskError:
    return DaskError(f"{address}: a worker cannot run ssmic: {error}; install the same ssmic there")


def _other_versions(address: str, worker: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> DaskError:
    other = [f"{name} {theirs.get(name)} there, {ours[name]} here" for name in ours if theirs.get(name) != ours[name]]
    return DaskError(f"{address}: worker {worker} has other versions, so results would differ: {'; '.join(other)}")


# In a Dask worker.


@dataclass(frozen=True, slots=True)
class _OtherVersions:
    """What a worker returns instead of a row if its results would differ."""

    worker: str
    """Its address."""
    found: Mapping[str, str]
    """Its versions."""


def _itself(scenario: Scenario) -> Scenario:
    return scenario


def _perform(expected: Mapping[str, str], scenario: Scenario, order: SweepRun) -> SweepRow | _OtherVersions:
    """Do a run if this worker, which may have come after the sweep had begun, has the versions of the sweep."""
    import distributed  # noqa: PLC0415 - an extra

    found = versions()
    if found != expected:
        return _OtherVersions(distributed.get_worker().address, found)
    return perform_in_worker(scenario, order)
