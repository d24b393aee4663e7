"""The process that runs a simulation for the application: `python -m tui.run.simulation_process`.

It receives tasks over its standard input, and reports over its standard output. It ends its runs, and keeps all
contracts, on request and when its standard input ends, so it never outlives the application. It judges expectations
during a run, as soon as the run has passed their time.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from broker import SsmicError, new_loop
from broker.protocol import Control, topics
from broker.transport import Broker, Delivery, MemoryBroker, ReceiveQueue
from scenarios import Scenario
from scenarios.expectations import Verdict, judge_simulation, judge_so_far
from scenarios.results import ResultsReader, simulation_json
from scenarios.simulation import OpenBroker, Simulation, open_simulation
from tui.child_process import frame, lower_priority, read_frame
from tui.logs import configure_logs, log_file_of, logs_in_workers
from tui.run.simulation_messages import (
    BusMessages,
    ClockReported,
    ExpectationsJudged,
    Go,
    Interrupt,
    OptimumSearch,
    Progress,
    RunSummary,
    SimulationBegan,
    SimulationEnded,
    SimulationEvent,
    SimulationTask,
)

_MOST_AT_ONCE = 500
"""Messages in one frame."""
_PIPE_LIMIT_BYTES = 64 * 1024 * 1024


class Judging:
    """Reports the verdicts on expectations with a time."""

    def __init__(self, scenario: Scenario, results_file: Path, tell: Callable[[ExpectationsJudged], None]) -> None:
        """Begin, before the runs do.

        Args:
            scenario: The scenario.
            results_file: The results file of the runs.
            tell: Called with the verdicts on a run whenever further ones are due.
        """
        self._due_s = sorted(one.at_s for one in scenario.expectations if one.at_s is not None)
        self._file = results_file
        self._tell = tell
        self._judged: dict[int, int] = {}
        """By run, how many expectations with a time it has passed."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    def reached(self, run: int, time_s: int) -> None:
        """Note that a run has reached a time, and judge what is due."""
        passed = bisect_left(self._due_s, time_s)
        if passed > self._judged.get(run, 0):
            self._judged[run] = passed
            task = asyncio.create_task(self._judge(run, time_s), name=f"judge run {run}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _judge(self, run: int, now_s: int) -> None:
        async with self._one_at_a_time:
            with suppress(
                SsmicError
            ):  # the run itself says what is wrong with its file; all are judged again at the end
                self._tell(ExpectationsJudged(run, await asyncio.to_thread(_judged, self._file, run, now_s)))

    async def finish(self) -> None:
        """Wait for the verdicts that are being made."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _judged(results_file: Path, run: int, now_s: int) -> tuple[Verdict | None, ...]:
    with ResultsReader(results_file) as results:
        return judge_so_far(results, run, now_s)


@dataclass(frozen=True)
class _Shared(OpenBroker):
    """A broker in memory that a watcher is connected to as well."""

    memory: MemoryBroker = field(default_factory=MemoryBroker)

    def for_run(self, connections: int = 1) -> Broker:  # noqa: ARG002 - it is in memory
        """Return the one broker."""
        return self.memory


class _Parent:
    """The application, as its child sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def tell(self, event: SimulationEvent) -> None:
        """Send an event to the application; ignored if that has ended."""
        with suppress(ConnectionError):
            self._writer.write(frame(event))

    async def settle(self) -> None:
        """Wait until there is room for more."""
        with suppress(ConnectionError):
            await self._writer.drain()

    async def leave(self) -> None:
        """Wait until all is written: what still stands in the buffer when the process ends never arrives."""
        self._writer.transport.set_write_buffer_limits(0)
        await self.settle()


def main() -> None:
    """Run one simulation to its end."""
    lower_priority()
    configure_logs(None)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_main())


async def _main() -> None:
    parent = await _parent()
    wanted: SimulationTask | None = await read_frame(parent.reader)
    if wanted is not None:
        await _simulate(wanted, parent)
        await parent.leave()


async def _simulate(wanted: SimulationTask, parent: _Parent) -> None:
    results: Simulation | None = None
    problem, interrupted = "", False
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for mypy: this is a coroutine of a task
    go = asyncio.Event()
    controls: asyncio.Queue[Control] = asyncio.Queue()
    listening = asyncio.create_task(_listen(parent, task, go, controls), name="parent")
    try:
        async with open_simulation(wanted.plan) as simulation:
            results = simulation
            log_file = log_file_of(simulation.results_file)
            configure_logs(None, log_file)
            async with _watched(simulation, parent, controls):
                parent.tell(_began(simulation))
                await go.wait()
                judging = Judging(wanted.plan.scenario, simulation.results_file, parent.tell)

                def reached(run: int, time_s: int) -> None:
                    parent.tell(Progress(run, time_s))
                    judging.reached(run, time_s)

                outcomes = await simulation.run(
                    reached,
                    logs_in_workers(None, log_file),
                    lambda run, reported: parent.tell(ClockReported(run, reported)),
                )
                await judging.finish()
            interrupted = any(outcome.state == "interrupted" for outcome in outcomes)
        if wanted.optimum_wall_s is not None and not interrupted:
            await _seek(simulation.results_file, wanted.optimum_wall_s, parent)
        if not interrupted and wanted.plan.scenario.expectations:
            await asyncio.to_thread(judge_simulation, simulation.results_file)
    except asyncio.CancelledError:
        task.uncancel()
        interrupted = True
    except SsmicError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - the application says it; the log has the traceback
        problem = f"{type(error).__name__}: {error}"
    finally:
        listening.cancel()
    parent.tell(SimulationEnded(() if results is None else summaries(results.results_file), problem, interrupted))


async def _seek(results_file: Path, time_limit_wall_s: float, parent: _Parent) -> None:
    """Seek the clairvoyant optimum in a thread; a cancelled search ends with the process."""
    from scenarios.optimum import compare  # noqa: PLC0415 - heavy, and most runs do without

    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()

    def tell(event: OptimumSearch) -> None:
        with suppress(RuntimeError):  # the loop is closed, so nothing waits for the result
            loop.call_soon_threadsafe(parent.tell, event)

    def settle(error: BaseException | None) -> None:
        if not found.done():
            found.set_result(None) if error is None else found.set_exception(error)

    def seek() -> None:
        error: BaseException | None = None
        try:
            compare(results_file, time_limit_wall_s, lambda best_wh, bound_wh: tell(OptimumSearch(best_wh, bound_wh)))
        except Exception as problem:  # noqa: BLE001 - raised where it is awaited
            error = problem
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, error)

    parent.tell(OptimumSearch())
    threading.Thread(target=seek, name="optimum", daemon=True).start()
    await found


def _began(simulation: Simulation) -> SimulationBegan:
    broker = simulation.broker
    return SimulationBegan(
        simulation.results_file.absolute(),
        broker.description,
        broker.url,
        broker.tls,
        tuple(planned.run_id for planned in simulation.planned_runs),
        tuple(planned.settings.scores for planned in simulation.planned_runs),
    )


async def _listen(
    parent: _Parent, task: asyncio.Task[None], go: asyncio.Event, controls: asyncio.Queue[Control]
) -> None:
    while True:
        match await read_frame(parent.reader):
            case Go():
                go.set()
            case Control() as control:
                controls.put_nowait(control)
            case Interrupt() | None:
                task.cancel()
                return


@asynccontextmanager
async def _watched(simulation: Simulation, parent: _Parent, controls: asyncio.Queue[Control]) -> AsyncIterator[None]:
    """Pass on what goes over the memory bus of a single run, and what is asked of its clock; a broker needs no help."""
    broker = simulation.broker
    if broker.url is not None or len(simulation.planned_runs) > 1:
        yield
        return
    shared = _Shared(broker.name, broker.description, None)
    simulation.broker = shared
    run_id = simulation.planned_runs[0].run_id
    watcher = _Watcher(shared.memory, run_id, parent)
    async with asyncio.TaskGroup() as tasks:
        passing = [
            tasks.create_task(watcher.pass_on(), name="watcher"),
            tasks.create_task(_steer(shared.memory, run_id, controls), name="steering"),
        ]
        try:
            yield
            await watcher.finish()
        finally:
            for task in passing:
                task.cancel()


class _Watcher:
    """Passes on what goes over a memory bus."""

    def __init__(self, memory: MemoryBroker, run_id: str, parent: _Parent) -> None:
        self._memory = memory
        self._run_id = run_id
        self._parent = parent
        self._inbox: ReceiveQueue | None = None

    async def pass_on(self) -> None:
        """Do so until cancelled; what is missed for reading too slowly shows in the numbering."""
        while True:
            with suppress(SsmicError):
                async with self._memory.connect(f"watch-{secrets.token_hex(4)}") as bus:
                    self._inbox = bus.receive_queue
                    await bus.subscribe(*topics.watched(self._run_id))
                    batch: list[tuple[str, bytes]] = []
                    async for item in bus.messages():
                        if isinstance(item, Delivery):
                            batch.append((item.topic, item.payload))
                        if len(batch) >= _MOST_AT_ONCE or bus.receive_queue.is_empty:
                            self._parent.tell(BusMessages(tuple(batch)))
                            batch.clear()
                            await self._parent.settle()

    async def finish(self) -> None:
        """Wait until all that was published is passed on."""
        while self._inbox is not None and not self._inbox.is_empty:  # noqa: ASYNC110 - an inbox has no event for it
            await asyncio.sleep(0)


async def _steer(memory: MemoryBroker, run_id: str, controls: asyncio.Queue[Control]) -> None:
    async with memory.connect("steering") as bus:
        while True:
            control = await controls.get()
            await bus.publish(topics.control(run_id), control.encoded(), qos=topics.QOS_AT_LEAST_ONCE)


def summaries(results_file: Path) -> tuple[RunSummary, ...]:
    """Return the runs in a results file, as the application shows them."""
    with ResultsReader(results_file) as results:
        summary = simulation_json(results)
        runs = summary["runs"]
        verdicts = {run["run"]: tuple(Verdict(**one) for one in results.verdicts(run["run"])) for run in runs}
    optimum = "shared_optimum" if summary["supply"] == "shared" else "optimum"
    return tuple(
        RunSummary(
            run["run"],
            run["seed"],
            run["state"],
            run["ledger_sha256"] or "",
            run["messages"],
            run["negotiations"],
            run["wall_s"] or 0.0,
            {name: value for name, value in run["kpis"].items() if value is None or isinstance(value, int | float)},
            run[optimum]["share"] if optimum in run else None,
            verdicts[run["run"]],
        )
        for run in runs
    )


async def _parent() -> _Parent:
    """Use standard input and output for the frames; all other output goes to standard error."""
    loop = asyncio.get_running_loop()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    reader = asyncio.StreamReader(limit=_PIPE_LIMIT_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, out)
    return _Parent(reader, asyncio.StreamWriter(transport, protocol, None, loop))


if __name__ == "__main__":
    main()
