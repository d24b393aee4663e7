"""Worker processes, which carry out the runs of a simulation in parallel.

Each worker is a process (spawned, since nothing is shared) that takes tasks over a pipe and answers with progress and
outcomes. `SpawnedProcess` is also how the households of one run, and the runs of a sweep, get processes of their own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Self

from broker import SsmicError, end_with_parent, new_loop
from broker.clock import ClockReport
from scenarios.scenario import Scenario
from scenarios.simulation.brokers import OpenBroker
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.recording import PlannedRun, record_run
from scenarios.simulation.run import RunCallbacks, RunEnvironment, run_scenario

STOP_WALL_S = 3.0
"""How long a worker may take to write down what it has and to end; then it is killed."""

_spawning = multiprocessing.get_context("spawn")


def cores() -> int:
    """Return how many cores this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class WorkerError(SsmicError):
    """A worker failed with an unexpected error."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback
        """Traceback of the error in the worker, for debugging."""


@contextmanager
def interrupts_blocked_in_children() -> Iterator[None]:
    """Start processes in which Ctrl-C is blocked from their first moment on.

    In a terminal it reaches all processes; this one decides what happens.
    """
    # Starts with the first process otherwise, and in doing so ends the blocking.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class SpawnedProcess:
    """A process with a pipe between it and this one.

    It ends on request, when it is terminated, and when this process has ended, which closes the pipe.
    """

    def __init__(self, name: str, target: Callable[..., None], *args: object, may_have_children: bool = False) -> None:
        """Prepare a process.

        Args:
            name: Its name, for lists of processes.
            target: Runs in it, with the far end of the pipe and `args`.
            args: What travels to it.
            may_have_children: Whether it may start processes itself. Python does not end such a process when this one
                ends, but waits for it, so its caller has to end it in any case.
        """
        self.pipe, self._far_pipe = _spawning.Pipe()
        self._process: SpawnProcess = _spawning.Process(
            target=target, args=(self._far_pipe, *args), name=name, daemon=not may_have_children
        )

    def start(self) -> None:
        """Start it, so that a Ctrl-C in the terminal is left to this process."""
        with interrupts_blocked_in_children():
            self._process.start()
        self._far_pipe.close()

    async def receive(self, what: str) -> Any:  # noqa: ANN401 - any of our classes
        """Return the next object from it.

        Args:
            what: What it does, for the error: `run 2: its process`.

        Raises:
            WorkerError: It has ended.
        """
        await wait_readable(self.pipe.fileno())
        try:
            return self.pipe.recv()
        except (EOFError, OSError):  # OSError also in the middle of an object
            await asyncio.to_thread(self._process.join, STOP_WALL_S)
            code = self._process.exitcode
            how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
            raise WorkerError(f"{what} ended {how} before the run did") from None

    def terminate(self) -> None:
        """Ask it to end, also in the middle of its work."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def join(self) -> None:
        """Wait until it has ended; if that takes too long, end it."""
        self._process.join(STOP_WALL_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def run_spawned(in_worker: Callable[[], None] | None, main: Coroutine[Any, Any, None]) -> None:
    """Do the work of a spawned process, in it: `in_worker` first, then `main` in an event loop."""
    end_with_parent(STOP_WALL_S)  # also if a plug-in never returns to the event loop, which ends when the pipe closes
    if in_worker is not None:
        in_worker()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main)


@dataclass(frozen=True, slots=True)
class _Progress:
    time_s: int


@dataclass(frozen=True, slots=True)
class _RestartBroker:
    """The timeline of a run asks for it."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: SsmicError


_Answer = _Progress | _RestartBroker | ClockReport | RunOutcome | _Failed


async def perform_all(
    scenario: Scenario,
    planned_runs: Sequence[PlannedRun],
    broker: OpenBroker,
    workers: int,
    on_progress: Callable[[int, int], None],
    in_worker: Callable[[], None] | None,
    *,
    on_report: Callable[[int, ClockReport], None],
) -> list[RunOutcome]:
    """Carry out runs on worker processes; return the outcomes in the order of `planned_runs`.

    Args:
        scenario: The scenario.
        planned_runs: How, and where to; one a run.
        broker: Where the hosts connect to.
        workers: How many processes; at least 1.
        on_progress: Called with (run, virtual time).
        in_worker: Called in every worker when it starts, for example to set up its logs.
        on_report: Called with (run, its clock's report).

    Raises:
        SsmicError: the first run that failed; the others were interrupted.
        asyncio.CancelledError: all runs were interrupted, and no worker is left.
    """
    waiting = deque(planned_runs)
    outcomes: dict[int, RunOutcome] = {}

    async def work() -> None:
        async with _Worker(scenario, broker, in_worker) as worker:
            while waiting:
                planned = waiting.popleft()
                outcomes[planned.run] = await worker.carry_out(planned, on_progress, on_report)

    try:
        async with asyncio.TaskGroup() as tasks:
            for n in range(min(workers, len(planned_runs))):
                tasks.create_task(work(), name=f"worker[{n + 1}]")
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return [outcomes[planned.run] for planned in planned_runs]


class _Worker:
    """A worker process as its parent sees it."""

    def __init__(self, scenario: Scenario, broker: OpenBroker, in_worker: Callable[[], None] | None) -> None:
        self._restart_broker = broker.restart
        self._process = SpawnedProcess("ssmic-worker", _work, scenario, replace(broker, restart=None), in_worker)

    async def __aenter__(self) -> Self:
        self._process.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._process.pipe.close()
        else:
            self._process.terminate()
        ending = asyncio.create_task(asyncio.to_thread(self._process.join), name="worker.end")
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            self._process.kill()
            await ending
            raise
        finally:
            self._process.pipe.close()

    async def carry_out(
        self,
        planned: PlannedRun,
        on_progress: Callable[[int, int], None],
        on_report: Callable[[int, ClockReport], None],
    ) -> RunOutcome:
        """Send a run to the worker, and await its outcome."""
        self._process.pipe.send(planned)
        while True:
            answer: _Answer = await self._process.receive(f"run {planned.run}: its process")
            match answer:
                case _Progress(time_s):
                    on_progress(planned.run, time_s)
                case ClockReport():
                    on_report(planned.run, answer)
                case _RestartBroker():
                    if self._restart_broker is not None:
                        self._restart_broker()
                case RunOutcome():
                    return answer
                case _Failed(error):
                    raise error


async def wait_readable(descriptor: int) -> None:
    """Wait until something can be read from a file descriptor."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


# From here on: in the worker.


def _work(pipe: Connection, scenario: Scenario, broker: OpenBroker, in_worker: Callable[[], None] | None) -> None:
    run_spawned(in_worker, _serve(pipe, scenario, broker))


async def _serve(pipe: Connection, scenario: Scenario, broker: OpenBroker) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for mypy: this is a coroutine of a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        while True:
            await wait_readable(pipe.fileno())
            planned: PlannedRun = pipe.recv()
            pipe.send(await _perform(pipe, scenario, planned, broker))
    except (EOFError, ConnectionError, asyncio.CancelledError):
        return  # no more tasks, or asked to end: work in progress has been recorded


async def _perform(
    pipe: Connection, scenario: Scenario, planned: PlannedRun, broker: OpenBroker
) -> RunOutcome | _Failed:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - as above
    loop = asyncio.get_running_loop()

    def parent_gone() -> None:
        loop.remove_reader(pipe.fileno())
        task.cancel()

    # During a run the parent sends nothing: a readable pipe means that it has ended.
    loop.add_reader(pipe.fileno(), parent_gone)
    try:
        with record_run(scenario, planned, lambda time_s: pipe.send(_Progress(time_s))) as record:
            return record.ended(
                await run_scenario(
                    scenario,
                    planned.settings,
                    broker.for_run(),
                    recorder=record.writer,
                    callbacks=RunCallbacks(on_moment=record.moment, on_report=pipe.send),
                    environment=RunEnvironment(
                        restart_broker=None if broker.url is None else lambda: pipe.send(_RestartBroker())
                    ),
                )
            )
    except Exception as error:  # noqa: BLE001 - its parent raises it
        return _Failed(picklable_error(error, f"run {planned.run}: "))
    finally:
        loop.remove_reader(pipe.fileno())


def picklable_error(error: Exception, where: str = "") -> SsmicError:
    """Return an error that arrives in another process as it is here; chained errors stay behind.

    Args:
        error: The error; an unexpected one becomes a `WorkerError` with its traceback.
        where: Begins the message of such an error.
    """
    if not isinstance(error, SsmicError):
        what = f"{where}{type(error).__name__}: {error}"
        return WorkerError(what, "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - anything can go wrong in another's `__reduce__`
        return SsmicError(str(error))
    return error
