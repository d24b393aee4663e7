"""One SIGINT or SIGTERM ends a command with 130 or 143, at any moment."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from broker.protocol import topics
from broker.protocol.wire import Control, TimeReport
from broker.servers.mosquitto import find_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from scenarios.results.connection import ResultsError
from scenarios.results.reader import ResultsReader
from tests.integration.conftest import environment
from tests.integration.test_brokers import running as also_running, url_of
from tests.integration.test_ending_early import until
from tests.patience import PATIENCE_WALL_S

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
both_signals = pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="SIGINT"),
        pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.long),  # taken as SIGINT is, by the same handler
    ],
)


class Command:
    """A command that runs in a separate process group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said = b""

    def wait_for(self, text: str) -> None:
        """Wait until it says something on standard error."""
        assert self.process.stderr is not None
        descriptor = self.process.stderr.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while text.encode() not in self.said:
                assert selector.select(PATIENCE_WALL_S), f"waited in vain for {text!r}: {self.said.decode()}"
                more = os.read(descriptor, 65_536)
                assert more, f"ended without {text!r}: {self.said.decode()}"
                self.said += more

    def end(self, number: signal.Signals) -> None:
        """Send one signal to the process only; it ends with the signal's code, without a traceback or a child."""
        assert self.process.poll() is None, "it has ended already"
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=PATIENCE_WALL_S)
        assert self.process.returncode == 128 + number
        assert b"Traceback" not in self.said + err, (self.said + err).decode()
        _, alive = psutil.wait_procs(children, timeout=PATIENCE_WALL_S)
        assert not alive


@contextmanager
def begun(
    folder: Path, *arguments: str | Path, python: tuple[str, ...] = ("-m", "tui"), **more: str
) -> Iterator[Command]:
    """Begin a command; it is stopped afterwards."""
    with subprocess.Popen(
        [sys.executable, *python, *map(str, arguments)],
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield Command(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def is_agreed(file: Path, runs: int = 1) -> bool:
    """Whether all runs of a results file have contracts."""
    try:
        with ResultsReader(file) as results:
            return sum(bool(results.ledger(run.run)) for run in results.runs()) == runs
    except ResultsError:
        return False


def states(file: Path) -> set[str]:
    """Return how the runs of a results file ended."""
    with ResultsReader(file) as results:
        return {run.state for run in results.runs()}


@contextmanager
def silent_server() -> Iterator[tuple[int, threading.Event]]:
    """Run a server that never answers; yield the port, and an event that is set on a connection."""
    connected = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as connections:

        def accept() -> None:
            try:
                while True:
                    connections.enter_context(server.accept()[0])
                    connected.set()
            except OSError:
                return  # closed

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], connected
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@both_signals
@pytest.mark.parametrize(
    "module", ["pydantic", *(pytest.param(name, marks=pytest.mark.long) for name in ("typer", "numpy"))]
)
def test_while_modules_are_imported(slow: Path, number: signal.Signals, module: str) -> None:
    """Before there is anything to stop."""
    with begun(slow.parent, "run", slow, python=("-X", "importtime", "-m", "tui")) as command:
        command.wait_for(f" {module}\n")
        command.end(number)


SIGNAL_IN_A_CALLBACK = """
import os, sys, weakref

class Dropped:
    def __del__(self):
        if {where!r} == "__del__":
            os.kill(os.getpid(), {number})

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            sys.meta_path.remove(self)
            dropped = Dropped()
            if {where!r} == "weak reference":
                self.reference = weakref.ref(dropped, lambda _: os.kill(os.getpid(), {number}))
            if {where!r} == "__set_name__":
                type("Named", (), dict(attribute=Attribute()))
            if {where!r} == "replaced without a trace":
                try:
                    os.kill(os.getpid(), {number})
                except KeyboardInterrupt:
                    pass
                raise ImportError("half imported")

class Attribute:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), {number})

if __name__ == "__main__":
    sys.meta_path.insert(0, Finder())
    from tui.__main__ import main
    if {where!r} == "parsed options":
        from tui.cli.app import Commands
        Commands.parse_args = lambda *_: os.kill(os.getpid(), {number})
    main()
"""


@both_signals
@pytest.mark.parametrize(
    "where", ["weak reference", "__del__", "__set_name__", "replaced without a trace", "parsed options"]
)
def test_where_python_ignores_or_replaces_exceptions(slow: Path, number: signal.Signals, where: str) -> None:
    """An ignored interrupt is repeated until the command meets it, well before the command would be left behind."""
    program = slow.parent / "program.py"
    program.write_text(SIGNAL_IN_A_CALLBACK.format(where=where, number=int(number)))
    with begun(slow.parent, "run", slow, "--bus", "memory", "--pace", "60x", python=(str(program),)) as command:
        _, err = command.process.communicate(timeout=PATIENCE_WALL_S)
        assert (command.process.returncode, err) == (128 + number, b"ssmic: interrupted\n")


@both_signals
def test_while_a_broker_starts(slow: Path, number: signal.Signals) -> None:
    """The broker never becomes ready; it is stopped too."""
    program = slow.parent / "bin" / "mosquitto"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {slow.parent}/started\nexec sleep 1000\n")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    with begun(slow.parent, "run", slow, PATH=path) as command:
        until((slow.parent / "started").exists, "the broker's start")
        command.end(number)


@both_signals
@pytest.mark.parametrize(
    "what",
    [
        pytest.param(("run",), id="run"),
        pytest.param(("clock",), id="clock", marks=pytest.mark.long),
        pytest.param(("host", "--house", "1"), id="host", marks=pytest.mark.long),
    ],
)
def test_while_it_connects(slow: Path, number: signal.Signals, what: tuple[str, ...]) -> None:
    """The server accepts the connection and is silent."""
    with silent_server() as (port, connected):
        arguments = (what[0], str(slow), *what[1:], "--broker", f"mqtt://127.0.0.1:{port}")
        with begun(slow.parent, *arguments) as command:
            assert connected.wait(PATIENCE_WALL_S)
            command.end(number)


@pytest.mark.long
@needs_mosquitto
@both_signals
def test_while_the_clock_waits_for_hosts(slow: Path, number: signal.Signals) -> None:
    """No host joins."""
    with also_running(slow.parent, "broker") as broker:
        with begun(slow.parent, "clock", slow, "--broker", url_of(broker), "--out", "c.sqlite") as command:
            command.wait_for("Waiting for")
            command.end(number)
        assert states(slow.parent / "c.sqlite") == {"interrupted"}


@needs_mosquitto
@both_signals
def test_while_a_household_waits_for_the_clock(slow: Path, number: signal.Signals) -> None:
    """The household has announced itself."""
    with also_running(slow.parent, "broker") as broker:
        url = url_of(broker)
        with begun(slow.parent, "host", slow, "--house", "1", "--run", "r", "--broker", url) as command:
            wait_for(url, topics.host("r", "1"), lambda _: True)
            command.end(number)


@both_signals
def test_while_a_household_reads_its_scenario(tmp_path: Path, number: signal.Signals) -> None:
    """It is read in a process of its own, here from a pipe that nobody fills; only the command gets the signal."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    with begun(tmp_path, "host", pipe, "--house", "1", "--broker", "mqtt://127.0.0.1:9") as command:
        readers: list[psutil.Process] = []

        def has_begun() -> bool:
            readers[:] = psutil.Process(command.process.pid).children()
            return bool(readers)

        until(has_begun, "the process that reads")
        readers[0].suspend()
        command.process.send_signal(number)
        try:
            code = command.process.wait(PATIENCE_WALL_S)
        finally:
            readers[0].resume()
        _, err = command.process.communicate(timeout=PATIENCE_WALL_S)
        assert code == 128 + number
        assert err.decode().splitlines()[-1] == "ssmic: interrupted"
        _, alive = psutil.wait_procs(readers, timeout=PATIENCE_WALL_S)
        assert not alive


@pytest.mark.long
@needs_mosquitto
@both_signals
def test_while_it_is_paused(slow: Path, number: signal.Signals) -> None:
    """The contracts so far are kept."""
    file = slow.with_suffix(".sqlite")
    with also_running(slow.parent, "broker") as broker:
        url = url_of(broker)
        with begun(slow.parent, "run", slow, "--pace", "60x", "--broker", url, "--out", file) as command:
            until(lambda: is_agreed(file), "contracts")
            with ResultsReader(file) as results:
                run_id = results.run(1).run_id
            ask_and_wait(url, run_id, Control(command="pause"), "paused")
            command.end(number)
        assert is_agreed(file)
        assert states(file) == {"interrupted"}


@pytest.mark.long
@needs_mosquitto
@both_signals
@pytest.mark.parametrize("runs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_while_it_reconnects(slow: Path, number: signal.Signals, runs: int) -> None:
    """The broker does not return."""
    file = slow.with_suffix(".sqlite")
    with also_running(slow.parent, "broker") as broker:
        options = ("--broker", url_of(broker), "--runs", str(runs), "--workers", str(runs), "--out", str(file))
        with begun(slow.parent, "run", slow, "--pace", "60x", *options) as command:
            until(lambda: is_agreed(file, runs), "contracts")
            broker.kill()
            command.wait_for("connection broke")
            command.end(number)
    assert is_agreed(file, runs)
    assert states(file) == {"interrupted"}


ENDLESS_SOLVER = """
import pathlib, time
from agents.scheduling import algorithms

class Endless(algorithms.BasinHopping):
    def place(self, *arguments):
        pathlib.Path("solving").touch()
        while True:
            time.sleep(1000)

algorithms.BasinHopping = Endless

if __name__ == "__main__":
    from tui.__main__ import main
    main()
"""


@both_signals
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_while_a_solver_works(slow: Path, number: signal.Signals, workers: int) -> None:
    """A process that ends does not wait for its threads."""
    program, file = slow.parent / "endless.py", slow.with_suffix(".sqlite")
    program.write_text(ENDLESS_SOLVER)
    options = ("--bus", "memory", "--algorithm", "SLSQP", "--runs", str(workers), "--workers", str(workers))
    with begun(slow.parent, "run", slow, *options, "--out", file, python=(str(program),)) as command:
        until((slow.parent / "solving").exists, "the solver")
        command.end(number)
    assert states(file) == {"interrupted"}


@pytest.mark.long
@both_signals
def test_while_worker_processes_start(slow: Path, number: signal.Signals) -> None:
    """The workers end with the command."""
    with begun(slow.parent, "run", slow, "--bus", "memory", "--runs", "2", "--workers", "2") as command:
        process = psutil.Process(command.process.pid)
        until(lambda: any("spawn_main" in " ".join(child.cmdline()) for child in process.children()), "workers")
        command.end(number)


@pytest.mark.long
@both_signals
def test_while_the_optimum_is_sought(slow: Path, number: signal.Signals) -> None:
    """The run is over, and stays recorded as it was."""
    file = slow.with_suffix(".sqlite")
    options = ("--bus", "memory", "--compare", "--time-limit", "1000", "--out", str(file))
    with begun(slow.parent, "run", "village", *options) as command:
        until(lambda: is_agreed(file) and states(file) == {"done"}, "the end of the run")
        command.end(number)
    assert states(file) == {"done"}


SIGNALS_DURING_WORK = """
import asyncio, signal
from tui import signals

async def main():
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(0)
        print("kept")

async def interrupted():
    signals.SAME_WALL_S = {same_wall_s}
    for number in {numbers}:
        asyncio.get_running_loop().call_soon(signal.raise_signal, number)
    await main()

try:
    signals.run_until_interrupted(interrupted())
except KeyboardInterrupt:
    print("ended")
"""


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM)])
def test_a_signal_that_is_passed_on_counts_once(numbers: tuple[signal.Signals, ...]) -> None:
    """`timeout` sends its signal to the process and to its group, a closed terminal is told by kernel and shell."""
    sent = tuple(map(int, numbers))

    def ended(same_wall_s: float) -> tuple[int, str]:
        program = SIGNALS_DURING_WORK.format(same_wall_s=same_wall_s, numbers=sent)
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_WALL_S,
        )
        return done.returncode, done.stdout

    assert ended(same_wall_s=PATIENCE_WALL_S) == (0, "kept\nended\n")
    assert ended(same_wall_s=0) == (128 + sent[0], ""), "a later signal ends the process immediately"


def wait_for(url: str, topic: str, is_it: Callable[[Delivery], bool]) -> None:
    """Wait until something is said at a broker."""

    async def listen() -> None:
        async with asyncio.timeout(PATIENCE_WALL_S), MqttBroker(url).connect("tester") as bus:
            await bus.subscribe(topic)
            async for item in bus.messages():
                if isinstance(item, Delivery) and is_it(item):
                    return

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(listen())


def ask_and_wait(url: str, run_id: str, control: Control, state: str) -> None:
    """Ask something of a clock, and wait until it reports a state."""

    async def ask() -> None:
        async with asyncio.timeout(PATIENCE_WALL_S), MqttBroker(url).connect("asker") as bus:
            await bus.publish(topics.control(run_id), control.encoded(), qos=topics.QOS_AT_LEAST_ONCE)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(ask())
    wait_for(url, topics.time(run_id), lambda item: TimeReport.model_validate_json(item.payload).state == state)


WRITING_AT_THE_END = """
import signal, sys, threading
from contextlib import closing
from pathlib import Path
import sqlite3
from broker import atomic_write
from tui import __main__ as command, signals

begun = threading.Event()
signals.SAME_WALL_S = 0

def write():
    with atomic_write(Path("report.sqlite")) as draft, closing(sqlite3.connect(draft)) as copy:
        copy.execute("CREATE TABLE half (one)")
        copy.execute("BEGIN")
        copy.execute("INSERT INTO half VALUES (1)")
        begun.set()
        threading.Event().wait()

threading.Thread(target=write, daemon=True).start()
begun.wait()
with signals.stopping_on_signals(lambda: None):
    {end}
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("sys.argv = ['ssmic', '--version']; command.main()", 0),
        ("signal.raise_signal(2); signal.raise_signal(2)", 130),
    ],
    ids=["user quits anyway", "second signal"],
)
def test_a_file_that_is_being_written_when_the_process_ends_leaves_no_draft(
    tmp_path: Path, end: str, code: int
) -> None:
    """Hidden drafts of exports stayed in the folder for ever."""
    (tmp_path / "report.sqlite").write_text("earlier")
    program = WRITING_AT_THE_END.format(end=end)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), check=False, timeout=PATIENCE_WALL_S
    )
    assert done.returncode == code
    assert [path.name for path in tmp_path.iterdir()] == ["report.sqlite"]
    assert (tmp_path / "report.sqlite").read_text() == "earlier"
