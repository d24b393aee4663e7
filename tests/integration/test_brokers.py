"""`ssmic broker`, and runs against a broker by URL: one that fails and returns, one with a password."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from broker.errors import BrokerLostError, BrokerUnreachableError
from broker.protocol import topics
from broker.protocol.wire import Control, TimeReport
from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import free_port, with_own_login
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from broker.transport.endpoint import Access, BrokerUrl, Tls, parse_url
from scenarios.results.connection import ResultsError
from scenarios.results.reader import ResultsReader
from tests.ended import Ssmic
from tests.integration.conftest import environment
from tests.integration.test_ending_early import until
from tests.patience import PATIENCE_WALL_S

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
ENGINES = [pytest.param("mosquitto", marks=[needs_mosquitto, pytest.mark.long]), "embedded"]


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `ssmic` with arguments in the background; it is stopped afterwards."""
    with subprocess.Popen(
        [sys.executable, "-m", "tui", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    """Return what `ssmic broker` prints when it accepts connections."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
def test_a_broker_runs_until_it_is_interrupted(ssmic: Ssmic, tmp_path: Path, engine: str) -> None:
    """Meanwhile others run over it; no password that they give is kept anywhere."""
    with running(tmp_path, "broker", "--engine", engine) as broker:
        url = url_of(broker)
        assert url.startswith("mqtt://127.0.0.1:")
        login = url.replace("mqtt://", "mqtt://ann:hush-hush@")
        ended = ssmic("run", "street", "--json", "--log-level", "debug", "--out", "out.sqlite", SSMIC_BROKER=login)
        assert ended.code == 0, ended.err
        assert ended.json["broker"] == url
        for text in (ended.out, ended.err, *(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())):
            assert "hush-hush" not in text
        broker.send_signal(signal.SIGINT)
        _, err = broker.communicate(timeout=PATIENCE_WALL_S)
        assert broker.returncode == 0
        assert "Traceback" not in err
    assert ssmic("run", "street", "--broker", url, "--limit", "1").code == 4


@pytest.mark.long
@needs_mosquitto
def test_a_run_continues_when_its_broker_returns(ssmic: Ssmic, slow: Path) -> None:
    """The broker is killed in the middle and restarted without its state: the ledger is the same."""
    folder, file, port = slow.parent, slow.with_suffix(".sqlite"), str(free_port())
    undisturbed = ssmic("run", slow, "--bus", "memory", "--json").json["runs"][0]["ledger_sha256"]

    def has_contracts() -> bool:
        try:
            with ResultsReader(file) as results:
                return bool(results.ledger(1))
        except ResultsError:
            return False

    with running(folder, "broker", "--engine", "mosquitto", "--port", port) as broker:
        url = url_of(broker)
        with running(folder, "run", str(slow), "--broker", url, "--pace", "60x", "--out", str(file)) as simulation:
            until(has_contracts, "contracts")
            broker.kill()
            broker.wait(PATIENCE_WALL_S)
            with running(folder, "broker", "--engine", "mosquitto", "--port", port) as again:
                assert url_of(again) == url
                with ResultsReader(file) as results, asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                    runner.run(hurry_up(url, results.run(1).run_id))
                _, err = simulation.communicate(timeout=PATIENCE_WALL_S)
                assert simulation.returncode == 0, err
                assert "connection broke" in err
    with ResultsReader(file) as results:
        assert results.run(1).ledger_sha256 == undisturbed


@needs_mosquitto
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="one run", marks=pytest.mark.long),
        pytest.param(("--runs", "2", "--workers", "2"), id="on other processes", marks=pytest.mark.long),
    ],
)
def test_a_broker_that_is_lost_for_good_is_4(slow: Path, options: tuple[str, ...]) -> None:
    """After the limit that the user set, which the message names; what was agreed until then is kept and printed."""
    folder, file = slow.parent, slow.with_suffix(".sqlite")

    def is_agreed() -> bool:
        try:
            with ResultsReader(file) as results:
                return len(results.runs()) == (2 if options else 1) and all(
                    results.ledger(run.run) for run in results.runs()
                )
        except ResultsError:
            return False

    with running(folder, "broker", "--engine", "mosquitto") as broker:
        url = url_of(broker)
        paced = ("run", str(slow), "--broker", url, "--pace", "60x", "--limit", "10", "--out", str(file), "--json")
        with running(folder, *paced, *options) as simulation:
            until(is_agreed, "contracts")
            broker.kill()
            out, err = simulation.communicate(timeout=PATIENCE_WALL_S)
    assert simulation.returncode == 4, err
    assert (
        f"ssmic: no connection for 10 s to {url} ({url}: connection refused: no broker at {url.removeprefix('mqtt://')})"
        in err
    )
    assert "Traceback" not in err
    runs = json.loads(out)["runs"]
    assert "failed" in {run["state"] for run in runs}
    assert all(run["contracts"] for run in runs)


async def hurry_up(url: str | BrokerUrl, run_id: str) -> None:
    """Set a run's pace to `max`, once its clock receives commands."""
    async with asyncio.timeout(PATIENCE_WALL_S), MqttBroker(url).connect("tester") as bus:
        await bus.subscribe(topics.time(run_id))
        async for delivery in bus.messages():
            if not isinstance(delivery, Delivery):
                continue
            if delivery.is_empty or delivery.read(TimeReport).pace == "max":
                return  # it has ended, or the clock has heard it
            await bus.publish(topics.control(run_id), Control(command="pace", pace="max").encoded(), qos=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_port_that_is_taken_is_4(ssmic: Ssmic, tmp_path: Path, engine: str) -> None:
    """The error states the remedy."""
    with running(tmp_path, "broker", "--engine", "embedded") as broker:
        port = url_of(broker).rpartition(":")[2]
        ended = ssmic("broker", "--engine", engine, "--port", port)
        assert ended.code == 4
        assert f"port {port} is taken" in ended.err


def test_a_reader_that_goes_away_gets_no_traceback(tmp_path: Path) -> None:
    """This is the case of `ssmic ... | head`."""
    with running(tmp_path, "run", "street", "--bus", "memory", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(PATIENCE_WALL_S) != 0
        assert "Error" not in err
        assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that takes nothing is needed")
@pytest.mark.parametrize(
    "command",
    [
        ["run", "street", "--bus", "memory"],
        ["--help"],
        ["--version"],
        pytest.param(["scenarios"], marks=pytest.mark.long),
    ],
)
def test_output_that_cannot_be_written_is_1(tmp_path: Path, command: list[str]) -> None:
    """The error is a single line."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "tui", *command],
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_WALL_S,
            check=False,
        )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1] == "ssmic: standard output cannot be written: No space left on device"


def mosquitto_of(process: subprocess.Popen[str]) -> psutil.Process | None:
    """Return the private Mosquitto of a run, None if none is running."""
    children = psutil.Process(process.pid).children()
    return next((child for child in children if _is_mosquitto(child)), None)


def _is_mosquitto(process: psutil.Process) -> bool:
    try:
        return process.name() == "mosquitto" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_the_broker(simulation: subprocess.Popen[str]) -> int:
    """Kill the private Mosquitto of a run once it listens, and wait for its end; return its port."""
    until(lambda: port_of(mosquitto_of(simulation)) is not None, "a broker that listens")
    broker = mosquitto_of(simulation)
    port = port_of(broker)
    assert broker is not None
    assert port is not None
    broker.kill()
    until(lambda: not _is_mosquitto(broker), "the broker's end")
    return port


def port_of(broker: psutil.Process | None) -> int | None:
    """Return where a broker listens, None where it does not listen yet."""
    try:
        listening = [] if broker is None else broker.net_connections("inet")
    except psutil.NoSuchProcess:
        return None
    return next((found.laddr.port for found in listening if found.status == psutil.CONN_LISTEN), None)


def has_contracts(file: Path) -> bool:
    """Whether the first run of a results file has contracts."""
    try:
        with ResultsReader(file) as results:
            return bool(results.ledger(1))
    except ResultsError:
        return False


@needs_mosquitto
@pytest.mark.long
def test_a_private_mosquitto_that_dies_is_started_again(ssmic: Ssmic, slow: Path) -> None:
    """It is restarted on the same port, three times; the run reaches the same ledger, and logs the failures."""
    file = slow.with_suffix(".sqlite")
    undisturbed = ssmic("run", slow, "--bus", "memory", "--json").json["runs"][0]["ledger_sha256"]
    with running(slow.parent, "run", str(slow), "--pace", "60x", "--out", str(file)) as simulation:
        until(lambda: has_contracts(file), "contracts")
        ports = {kill_the_broker(simulation) for _ in range(3)}
        assert len(ports) == 1
        (port,) = ports
        with ResultsReader(file) as results, asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(hurry_up_when_there(f"mqtt://127.0.0.1:{port}", results.run(1).run_id))
        _, err = simulation.communicate(timeout=PATIENCE_WALL_S)
        assert simulation.returncode == 0, err
        assert "private mosquitto died" in err
        assert "private mosquitto restarted" in err
    with ResultsReader(file) as results:
        assert results.run(1).ledger_sha256 == undisturbed


@pytest.mark.long
@needs_mosquitto
def test_a_private_mosquitto_that_cannot_run_ends_the_run(slow: Path) -> None:
    """The run exits with 4 and the reason, and keeps its contracts."""
    file = slow.with_suffix(".sqlite")
    with running(slow.parent, "run", str(slow), "--pace", "60x", "--out", str(file)) as simulation:
        until(lambda: has_contracts(file), "contracts")

        def is_over() -> bool:
            broker = mosquitto_of(simulation)
            if broker is not None:
                broker.kill()
            return simulation.poll() is not None

        until(is_over, "the end of the run")
        _, err = simulation.communicate(timeout=PATIENCE_WALL_S)
    assert simulation.returncode == 4, err
    assert "died 5 times in a row: it " in err
    assert "killed by signal 9" in err
    assert "Traceback" not in err
    assert has_contracts(file)


async def hurry_up_when_there(url: str, run_id: str) -> None:
    """As `hurry_up`, at a run's own broker that may just be starting."""
    while True:
        access = with_own_login(Access(parse_url(url), Tls()))
        try:
            await hurry_up(access.url, run_id)
        except (BrokerUnreachableError, BrokerLostError):
            await asyncio.sleep(0.05)
        else:
            return
