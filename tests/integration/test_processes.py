"""`ssmic run --processes`: the households of a run on several processes, over one broker."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from scenarios.load import load_scenario
from scenarios.simulation.household_processes import process_shares
from tests.ended import Ssmic
from tests.integration.conftest import environment
from tests.patience import PATIENCE_WALL_S

STREET = load_scenario("street")


def test_each_household_is_in_one_process_and_the_manager_in_the_first() -> None:
    """This holds for any number of hosts and processes; no household is missing."""
    houses = sorted(house.id for house in STREET.houses)
    for hosts, processes in ((1, 1), (2, 2), (5, 2), (None, 3), (3, 5)):
        shares = process_shares(STREET, hosts, processes)
        assert sorted(house for share in shares for places in share.values() for house in places) == houses
        assert next(iter(shares[0])) == ("manager" if hosts is None else "host-1")
        assert len(shares) == processes


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--bus", "memory", "--processes", "2"), "goes with --bus mqtt only"),
        (("--hosts", "2", "--processes", "3"), "more than the 2 hosts of --hosts"),
        (("--hosts", "none"), "'none' is neither a whole number from 1 to 100000 nor 'houses'"),
    ],
)
@pytest.mark.long
def test_runs_that_cannot_be_spread_are_refused_before_the_start(
    ssmic: Ssmic, arguments: tuple[str, ...], why: str
) -> None:
    """The error of wrong usage states the alternative."""
    ended = ssmic("run", "street", *arguments)
    assert ended.code == 2
    assert why in " ".join(ended.err.replace("│", " ").split())


def messages_of(path: Path) -> set[tuple[object, ...]]:
    """Return the recorded messages of a results file."""
    with closing(sqlite3.connect(path)) as connection:
        columns = "time_s, round, sender, seq, recipient, kind, job_id, body_json"
        return set(connection.execute(f"SELECT {columns} FROM messages").fetchall())  # noqa: S608 - constant


@pytest.mark.long
def test_a_run_on_several_processes_is_the_run_of_one(ssmic: Ssmic, tmp_path: Path) -> None:
    """The same ledger, the same recorded messages, and the same figures."""
    found = []
    for number, spread in enumerate([(), ("--processes", "2"), ("--processes", "3", "--hosts", "houses")]):
        out = tmp_path / f"{number}.sqlite"
        ended = ssmic("run", "street", "--seed", "1", *spread, "--out", out, "--json")
        assert ended.code == 0, ended.err
        run = ended.json["runs"][0]
        found.append((run["ledger_sha256"], run["kpis"], messages_of(out)))
    assert found[0] == found[1] == found[2]


def children_of(process: int) -> list[int]:
    """Return the household processes that a run has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            is_ours = b"spawn_main" in status.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if parent == process and is_ours:
            found.append(int(status.parent.name))
    return found


def _is_present(host: str, log: Path) -> bool:
    return any("host present" in line and f'"{host}"' in line for line in log.read_text().splitlines())


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("processes", [2, 3])
def test_a_run_fails_at_once_if_its_other_processes_are_killed(tmp_path: Path, processes: int) -> None:
    """The error names the hosts of one process and the signal; no process remains."""
    command = [sys.executable, "-m", "tui", "run", "street", "--processes", str(processes), "--pace", "60x"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        deadline_wall_s = time.monotonic() + PATIENCE_WALL_S
        log = tmp_path / "results"
        others = [f"host-{number}" for number in range(2, processes + 1)]
        while not any(all(_is_present(host, file) for host in others) for file in log.glob("*.log.jsonl")):
            assert time.monotonic() < deadline_wall_s
            assert running.poll() is None
            time.sleep(0.05)
        children = children_of(running.pid)
        for child in children:
            os.kill(child, signal.SIGKILL)
        _, errors = running.communicate(timeout=PATIENCE_WALL_S)
    assert running.returncode == 1
    assert any(f"the process of {host} ended by signal 9 before the run did" in errors for host in others)
    assert "Traceback" not in errors
    assert len(children) == len(others)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
