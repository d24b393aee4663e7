"""The households of one run on several processes: this one runs the clock, the manager and its share of the hosts.

Each other process is spawned with its share of the households, takes part over the broker as any deployed household
does, and ends with the run. It also ends when it is terminated, and when its parent has ended, which closes its pipe.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from agents import MANAGER
from broker import RunFailedError, RunSuspendedError, SsmicError, new_loop
from scenarios.scenario import Scenario
from scenarios.simulation.agents import places_of
from scenarios.simulation.brokers import OpenBroker
from scenarios.simulation.run import run_hosts
from scenarios.simulation.settings import RunSettings
from scenarios.simulation.workers import STOP_WALL_S, WorkerError, fit_to_travel, wait_readable

Share = Mapping[str, tuple[str, ...]]
"""By host id, the houses that live on it."""

_spawning = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class _Failed:
    error: SsmicError


def shares_of(scenario: Scenario, hosts: int | None, processes: int) -> list[Share]:
    """Return which hosts each process runs: the first one has the manager's.

    Args:
        scenario: The neighbourhood.
        hosts: As in `homes_of`.
        processes: At least 1; some remain without a host if there are fewer hosts.
    """
    with_devices = {house.id for house in scenario.houses if house.devices}
    shares: list[dict[str, tuple[str, ...]]] = [{} for _ in range(processes)]
    places = {
        host: tuple(place for place in shared if place == MANAGER or place in with_devices)
        for host, shared in places_of(scenario, hosts).items()
    }
    for index, (host, shared) in enumerate((host, shared) for host, shared in places.items() if shared):
        shares[index % processes][host] = tuple(place for place in shared if place != MANAGER)
    return list(shares)


@asynccontextmanager
async def household_processes(
    scenario: Scenario,
    settings: RunSettings,
    broker: OpenBroker,
    shares: Sequence[Share],
    in_worker: Callable[[], None] | None = None,
) -> AsyncIterator[None]:
    """Have the hosts of a run's other processes for the time of the context; in it, the clock runs to its end.

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
        share: Share,
        in_worker: Callable[[], None] | None,
    ) -> None:
        self._pipe, self._far_pipe = _spawning.Pipe()
        part = scenario.part_of([house for houses in share.values() for house in houses])
        self._names = ", ".join(share)
        self._process: SpawnProcess = _spawning.Process(
            target=_live,
            args=(self._far_pipe, part, settings, replace(broker, restart=None), share, in_worker),
            name="ssmic-households",
            daemon=True,
        )

    def start(self) -> None:
        # Ctrl-C in a terminal reaches all processes. Blocked from its first moment on, this one leaves it to us.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self._far_pipe.close()

    async def ended(self) -> SsmicError | None:
        """Wait until its hosts have left; return why, if the run has not ended for them."""
        await wait_readable(self._pipe.fileno())
        try:
            answer: _Failed | None = self._pipe.recv()
        except (EOFError, ConnectionError):
            await asyncio.to_thread(self._process.join, STOP_WALL_S)
            code = self._process.exitcode
            how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
            return WorkerError(f"the process of {self._names} ended {how} before the run did")
        return None if answer is None else answer.error

    def stop(self) -> None:
        """Stop it, if it has not ended yet."""
        self._pipe.close()
        self._process.join(STOP_WALL_S)
        if self._process.is_alive():
            self._process.kill()
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
    share: Share,
    in_worker: Callable[[], None] | None,
) -> None:
    if in_worker is not None:
        in_worker()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_run(pipe, scenario, settings, broker, share))


async def _run(pipe: Connection, scenario: Scenario, settings: RunSettings, broker: OpenBroker, share: Share) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - as above
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    loop.add_reader(pipe.fileno(), task.cancel)  # the parent sends nothing: a readable pipe means that it has ended
    answer: _Failed | None = None
    try:
        await run_hosts(scenario, settings, broker.for_run(len(share)), share)
    except SsmicError as error:
        answer = _Failed(fit_to_travel(error))
    except asyncio.CancelledError:
        return
    except Exception as error:  # noqa: BLE001 - its parent raises it
        what = f"{type(error).__name__}: {error}"
        answer = _Failed(WorkerError(what, "".join(traceback.format_exception(error))))
    finally:
        loop.remove_reader(pipe.fileno())
    pipe.send(answer)
