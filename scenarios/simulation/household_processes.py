"""The households of one run on several processes: this one runs the clock, the manager and its share of the hosts.

Each other process is spawned with its share of the households, takes part over the broker like any deployed household,
and ends with the run. It also ends when it is terminated, and when its parent ends, which closes the pipe.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from agents import MANAGER
from broker import RunFailedError, RunSuspendedError, SsmicError
from scenarios.scenario import Scenario
from scenarios.simulation.agents import houses_by_host
from scenarios.simulation.brokers import OpenBroker
from scenarios.simulation.run import run_hosts
from scenarios.simulation.settings import RunSettings
from scenarios.simulation.worker_processes import SpawnedProcess, WorkerError, picklable_error, run_spawned

ProcessShare = Mapping[str, tuple[str, ...]]
"""By host id, the houses that live on it."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: SsmicError


def process_shares(scenario: Scenario, hosts: int | None, processes: int) -> list[ProcessShare]:
    """Return which hosts each process runs: the first one has the manager's.

    Args:
        scenario: The neighbourhood.
        hosts: As in `agents_by_host`.
        processes: At least 1; some remain without a host if there are fewer hosts.
    """
    with_devices = {house.id for house in scenario.houses if house.devices}
    shares: list[dict[str, tuple[str, ...]]] = [{} for _ in range(processes)]
    places = {
        host: tuple(place for place in shared if place == MANAGER or place in with_devices)
        for host, shared in houses_by_host(scenario, hosts).items()
    }
    for index, (host, shared) in enumerate((host, shared) for host, shared in places.items() if shared):
        shares[index % processes][host] = tuple(place for place in shared if place != MANAGER)
    return list(shares)


@asynccontextmanager
async def household_processes(
    scenario: Scenario,
    settings: RunSettings,
    broker: OpenBroker,
    shares: Sequence[ProcessShare],
    in_worker: Callable[[], None] | None,
) -> AsyncIterator[None]:
    """Run the hosts of a run's other processes for the duration of the context, in which the clock runs to its end.

    Args:
        scenario: The scenario.
        settings: How; the same as the clock's.
        broker: Where the hosts connect to.
        shares: The hosts of each further process; empty ones get none.
        in_worker: Called in every process when it starts, for example to set up its logs.

    Raises:
        SsmicError: The hosts of a process failed, or the process ended before the run did.
    """
    processes = [_Process(scenario, settings, broker, share, in_worker) for share in shares if share]
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for mypy: this is a coroutine of a task
    failures: list[SsmicError] = []

    async def watch(process: _Process) -> None:
        error = await process.ended()
        # If the clock ended the run because of a failure, it reports the reason itself, in more detail.
        if error is not None and not isinstance(error, RunFailedError | RunSuspendedError):
            failures.append(error)
            if len(failures) == 1:  # another cancellation would interrupt the end of the run, and be taken for Ctrl-C
                task.cancel(str(error))

    for process in processes:
        process.start()
    watching = [asyncio.create_task(watch(process), name="households") for process in processes]
    try:
        yield
        await asyncio.wait(watching) if watching else None  # they end with the run, after their last words
    except asyncio.CancelledError:
        if failures and task.uncancel() == 0:
            raise failures[0] from None
        raise
    finally:
        for watch_task in watching:
            watch_task.cancel()
        await asyncio.shield(asyncio.to_thread(_stop, processes))


class _Process:
    """A process of households as its parent sees it."""

    def __init__(
        self,
        scenario: Scenario,
        settings: RunSettings,
        broker: OpenBroker,
        share: ProcessShare,
        in_worker: Callable[[], None] | None,
    ) -> None:
        part = scenario.part_of([house for houses in share.values() for house in houses])
        self._names = ", ".join(share)
        self._process = SpawnedProcess(
            "ssmic-households", _live, part, settings, replace(broker, restart=None), share, in_worker
        )

    def start(self) -> None:
        """Start the process; it connects to the broker and waits for the clock."""
        self._process.start()

    async def ended(self) -> SsmicError | None:
        """Wait until its hosts have left; return why, if the run has not ended for them."""
        try:
            answer: _Failed | None = await self._process.receive(f"the process of {self._names}")
        except WorkerError as error:
            return error
        return None if answer is None else answer.error

    def stop(self) -> None:
        """Stop it, if it has not ended yet."""
        self._process.pipe.close()
        self._process.join()


def _stop(processes: Sequence[_Process]) -> None:
    for process in processes:
        process.stop()


# From here on: in the other process.


def _live(
    pipe: Connection,
    scenario: Scenario,
    settings: RunSettings,
    broker: OpenBroker,
    share: ProcessShare,
    in_worker: Callable[[], None] | None,
) -> None:
    run_spawned(in_worker, _run(pipe, scenario, settings, broker, share))


async def _run(
    pipe: Connection, scenario: Scenario, settings: RunSettings, broker: OpenBroker, share: ProcessShare
) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - as above
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    loop.add_reader(pipe.fileno(), task.cancel)  # the parent sends nothing: a readable pipe means that it has ended
    answer: _Failed | None = None
    try:
        await run_hosts(scenario, settings, broker.for_run(len(share)), share)
    except asyncio.CancelledError:
        return
    except Exception as error:  # noqa: BLE001 - its parent raises it
        answer = _Failed(picklable_error(error))
    finally:
        loop.remove_reader(pipe.fileno())
    pipe.send(answer)
