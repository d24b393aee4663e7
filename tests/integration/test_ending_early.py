"""A simulation that ends before its time: what was agreed is kept, and nothing is left running."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from agents.manager.ledger import LedgerEntry
from scenarios.results.connection import ResultsError
from scenarios.results.reader import ResultsReader
from tests.ended import Ssmic
from tests.integration.conftest import environment
from tests.patience import PATIENCE_WALL_S

PACED = ("run", "slow.yaml", "--pace", "60x", "--out", "slow.sqlite")


class Begun:
    """A simulation running in a separate process."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.file = folder / "slow.sqlite"
        self.known: dict[int, tuple[LedgerEntry, ...]] = {}
        """By run, the contracts that were in the file when `wait_for_contracts` returned."""
        self.children: list[psutil.Process] = []

    def wait_for_contracts(self, runs: int = 1) -> None:
        """Wait until a number of runs have contracts, and remember them."""
        until(lambda: len(self._read()) >= runs, f"contracts of {runs} runs")
        self.known = self._read()
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals, *, everybody: bool = False) -> tuple[int, str, str]:
        """Send a signal, to its workers too or not; return exit code, standard output and standard error."""
        if everybody:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_WALL_S)
        return self.process.returncode, out, err

    def assert_nothing_is_left(self) -> None:
        """Assert that none of its child processes is running."""
        _, alive = psutil.wait_procs(self.children, timeout=PATIENCE_WALL_S)
        assert not alive

    def assert_contracts_kept(self, state: str) -> None:
        """What was in the file is in it still, and the runs say how they ended."""
        with ResultsReader(self.file) as results:
            for run, entries in self.known.items():
                kept = {entry.contract.contract_id for entry in results.ledger(run)}
                assert {entry.contract.contract_id for entry in entries} <= kept
                assert results.run(run).state == state

    def _read(self) -> dict[int, tuple[LedgerEntry, ...]]:
        try:
            with ResultsReader(self.file) as results:
                ledgers = {run.run: results.ledger(run.run) for run in results.runs()}
        except ResultsError:
            return {}  # not there yet
        return {run: entries for run, entries in ledgers.items() if entries}


def interrupted_seeds(out: str) -> list[str]:
    """Return the seeds of which a printed table says that they were interrupted, and that their figures are partial."""
    remark = r"\* seed (\d+): interrupted at \d+ %; its figures cover that part only and are excluded from means"
    return re.findall(remark, " ".join(out.split()))


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    deadline_wall_s = time.monotonic() + PATIENCE_WALL_S
    while not condition():
        assert time.monotonic() < deadline_wall_s, f"waited in vain for {what}"
        time.sleep(0.02)


@contextmanager
def begun(folder: Path, *options: str) -> Iterator[Begun]:
    """Begin a simulation of the slow scenario; it is stopped afterwards."""
    with subprocess.Popen(
        [sys.executable, "-m", "tui", *PACED, *options],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        simulation = Begun(process, folder)
        try:
            yield simulation
        finally:
            process.kill()
            for child in simulation.children:
                if child.is_running():
                    child.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_signal_ends_the_run_cleanly(slow: Path, number: signal.Signals) -> None:
    """Exit code 130 or 143, the run marked interrupted, its contracts kept and printed, no Mosquitto left."""
    with begun(slow.parent, "--json") as simulation:
        simulation.wait_for_contracts()
        code, out, err = simulation.end(number)
        assert code == 128 + number
        assert "ssmic: interrupted" in err
        assert "Traceback" not in err
        (run,) = json.loads(out)["runs"]
        assert run["state"] == "interrupted"
        assert len(run["contracts"]) >= len(simulation.known[1])
        assert run["not_registered"] == ["c", "d"]
        simulation.assert_contracts_kept("interrupted")
        simulation.assert_nothing_is_left()
        left = sorted(path.name for path in slow.parent.glob("[!.]*"))
        assert left == ["slow.log.jsonl", "slow.scores.json", "slow.sqlite", "slow.yaml"]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_runs_on_other_processes_too(slow: Path, number: signal.Signals) -> None:
    """Each records its results before its process ends; Ctrl-C in a terminal reaches all of them at once."""
    with begun(slow.parent, "--runs", "2", "--workers", "2") as simulation:
        simulation.wait_for_contracts(runs=2)
        code, out, err = simulation.end(number, everybody=number == signal.SIGINT)
        assert code == 128 + number
        assert "Traceback" not in err
        assert interrupted_seeds(out) == ["1", "2"]
        simulation.assert_contracts_kept("interrupted")
        simulation.assert_nothing_is_left()


@pytest.mark.long
def test_kill_takes_nothing_that_was_agreed_and_leaves_nothing_running(slow: Path) -> None:
    """Workers and Mosquitto find their parent gone."""
    with begun(slow.parent, "--runs", "2", "--workers", "2") as simulation:
        simulation.wait_for_contracts(runs=2)
        assert simulation.end(signal.SIGKILL)[0] == -signal.SIGKILL
        simulation.assert_nothing_is_left()
        simulation.assert_contracts_kept("interrupted")


@pytest.mark.long
def test_a_killed_run_in_the_same_process_keeps_its_contracts(slow: Path) -> None:
    """No process remains to record that it ended."""
    with begun(slow.parent, "--bus", "memory") as simulation:
        simulation.wait_for_contracts()
        simulation.end(signal.SIGKILL)
        simulation.assert_contracts_kept("running")


@pytest.mark.long
def test_a_worker_that_dies_ends_the_simulation_and_is_named(slow: Path) -> None:
    """The simulation ends like after a failed run."""
    with begun(slow.parent, "--bus", "memory", "--runs", "2", "--workers", "2") as simulation:
        simulation.wait_for_contracts(runs=2)
        worker = next(child for child in simulation.children if "spawn_main" in " ".join(child.cmdline()))
        worker.kill()
        out, err = simulation.process.communicate(timeout=PATIENCE_WALL_S)
        assert simulation.process.returncode == 1
        assert "its process ended by signal 9 before the run did" in err
        assert "Traceback" not in err
        assert interrupted_seeds(out)
        simulation.assert_nothing_is_left()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return a function that creates a folder on a disk of a given size, kB."""
    mounted: list[Path] = []

    def make(size_kb: int) -> Path:
        folder = tmp_path / f"disk-{size_kb}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no disk of a given size can be made here")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.long
@pytest.mark.parametrize(
    ("size_kb", "unbuffered"),
    [(240, "1"), *(pytest.param(*case, marks=pytest.mark.long) for case in ((240, ""), (100, ""), (100, "1")))],
)
def test_a_full_disk_leaves_no_part_of_a_generated_neighbourhood(
    small_disk: Callable[[int], Path], size_kb: int, unbuffered: str
) -> None:
    """The disk is full in the middle of the tables or of the file that the shell writes: exit code 1, no table."""
    folder = small_disk(size_kb)
    command = [sys.executable, "-m", "tui", "generate", "--houses", "80", "--days", "2"]
    env = {**environment(), "PYTHONUNBUFFERED": unbuffered}
    file = folder / "made.yaml"

    def fails(*options: str) -> None:
        with file.open("a") as out:
            ended = subprocess.run(
                [*command, *options], stdout=out, stderr=subprocess.PIPE, text=True, env=env, check=False
            )
        assert ended.returncode == 1, ended.stderr
        assert re.fullmatch(r"ssmic: .* cannot be written: No space left on device\n", ended.stderr)
        assert list(folder.iterdir()) == [file]

    fails()
    file.write_text("old", encoding="utf-8")
    fails("--out", str(file), "--force")
    assert file.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["asyncapi"], ["scenarios", "show", "street"]])
def test_output_is_never_cut_short_without_an_error(
    small_disk: Callable[[int], Path], command: list[str], unbuffered: str
) -> None:
    """The disk has room for the beginning; an unbuffered stream ignored that, and the exit code was 0."""
    with (small_disk(4) / "out").open("w") as out:
        ended = subprocess.run(
            [sys.executable, "-m", "tui", *command],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment(), "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "ssmic: standard output cannot be written: No space left on device"


@pytest.mark.parametrize("size_kb", [100, *(pytest.param(size_kb, marks=pytest.mark.long) for size_kb in (200, 340))])
def test_a_full_disk_fails_the_run_and_damages_nothing(
    ssmic: Ssmic, small_disk: Callable[[int], Path], size_kb: int
) -> None:
    """The disk is full at the beginning or in the middle: exit code 1, no traceback, and readable files."""
    folder = small_disk(size_kb)
    ended = ssmic("run", "street", "--bus", "memory", "--out", folder / "r.sqlite")
    assert ended.code == 1
    assert "r.sqlite: cannot be written: " in ended.err
    assert "Logging error" not in ended.err
    left = {path.name for path in folder.glob("*.sqlite")}
    (folder / "r.log.jsonl").unlink(missing_ok=True)
    (folder / "street.scores.json").unlink(missing_ok=True)
    if left:
        shown = ssmic("results", "show", folder / "r.sqlite")
        assert "damaged" not in shown.err
        assert (shown.code == 0) == (size_kb == 340)
