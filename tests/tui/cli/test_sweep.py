"""`ssmic sweep` as a user meets it: killed, resumed, read."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ended import Ssmic
from tests.patience import PATIENCE_WALL_S

# So many runs that it is not over before a test on a busy machine has looked at it.
OPTIONS = ("street", "--vary", "algorithm=insertion,fifty_fifty", "--set", "days=1", "--seeds", "20")


def _started(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tui", "sweep", *OPTIONS, *more]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _done(path: Path) -> int:
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return 0
    try:
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


def _wait_for_runs(process: subprocess.Popen[str], path: Path, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_WALL_S
    while _done(path) < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)  # a process elsewhere: there is nothing to wait on but its file


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_sweep_keeps_its_runs_and_the_same_command_resumes(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """A stopped sweep keeps its runs and the same command resumes."""
    path = tmp_path / "sweep.sqlite"
    process = _started(tmp_path, "--out", "sweep.sqlite")
    _wait_for_runs(process, path, 1)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=PATIENCE_WALL_S)
    assert process.returncode == code, said
    kept = _done(path)
    assert 1 <= kept < 40
    assert f"{kept} of 40 runs are kept in sweep.sqlite; the same command continues from there" in said
    again = _started(tmp_path, "--out", "sweep.sqlite", "--json")
    out, said = again.communicate(timeout=PATIENCE_WALL_S)
    assert again.returncode == 0, said
    assert f"{kept} of 40 runs are done already" in said
    found = json.loads(out)
    assert found["complete"]
    assert found["done_runs"] == 40


@pytest.mark.long
def test_a_killed_sweep_resumes_to_the_same_results(tmp_path: Path) -> None:
    """Its results equal those of an uninterrupted sweep."""
    hashes = []
    for name in ("killed.sqlite", "undisturbed.sqlite"):
        if name == "killed.sqlite":
            for count in (1, 4):
                process = _started(tmp_path, "--out", name)
                _wait_for_runs(process, tmp_path / name, count)
                process.kill()
                process.communicate(timeout=PATIENCE_WALL_S)
        process = _started(tmp_path, "--out", name, "--json")
        out, said = process.communicate(timeout=PATIENCE_WALL_S)
        assert process.returncode == 0, said
        hashes.append(json.loads(out)["sha256"])
    assert hashes[0] == hashes[1]


@pytest.mark.long
def test_the_results_commands_read_a_sweep(tmp_path: Path) -> None:
    """The results commands read a sweep."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tui", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    made = run("sweep", "street", "--vary", "penalty=1,2", "--set", "days=1", "--seeds", "1", "--workers", "1")
    assert made.returncode == 0, made.stderr
    assert "note: penalty belongs to L-BFGS-B" in made.stderr
    (path,) = (tmp_path / "results").glob("sweep_street_*.sqlite")
    listed = json.loads(run("results", "list", "--json").stdout)
    assert [one["done_runs"] for one in listed["sweeps"]] == [2]
    assert listed["results"] == []
    assert "penalty=2" in run("results", "show", str(path)).stdout
    assert run("results", "report", str(path), "--to", "page.html").returncode == 0
    assert "Pairwise comparison" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert run("results", "export", str(path), "--to", "tables").returncode == 0
    assert {file.name for file in (tmp_path / "tables").iterdir()} == {"runs.csv", "summary.csv", "pairwise.csv"}
    assert run("sweep", "street", "--vary", "penality=1").returncode == 2


@pytest.mark.long
def test_points_that_no_seed_changes_are_counted(ssmic: Ssmic, small: Path) -> None:
    """An interval of 0 is no proof of certainty where no random number is drawn."""
    of_both = ("--vary", "algorithm=insertion,fifty_fifty", "--seeds", "4", "--workers", "1")
    assert (
        "All seeds gave the same figures at 1 of 2 points: the seed made no difference"
        in ssmic("sweep", small, *of_both, "--out", "a.sqlite").out
    )

    of_one = ("--vary", "ranking=scores,own-roof", "--seeds", "2", "--workers", "1")
    assert (
        "All seeds gave the same figures: the seed made no difference"
        in ssmic("sweep", small, *of_one, "--out", "b.sqlite").out
    )


@pytest.mark.long
def test_a_sweep_over_prices_shows_bills(
    ssmic: Ssmic, tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It showed energies only, which are the same at all prices. Without a tariff, there are no bills."""
    monkeypatch.chdir(tmp_path)
    once = ("--seeds", "1", "--workers", "1")
    of_prices = ssmic("sweep", "night", "--vary", "tariff.import_eur_per_kwh=0.3,0.4", *once).out
    assert "Total bill" in of_prices
    assert "+0.51" in of_prices  # EUR: the jobs of the night need 5.1 kWh of grid power
    assert "bill" not in ssmic("sweep", small, "--vary", "algorithm=insertion,fifty_fifty", *once).out


@pytest.mark.long
def test_an_option_that_changes_nothing_about_a_sweep_is_refused(
    ssmic: Ssmic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peaks were those over 15 minutes, whatever interval was asked for."""
    monkeypatch.chdir(tmp_path)
    assert ssmic("sweep", "night", "--seeds", "1", "--workers", "1", "--out", "s.sqlite").code == 0
    for options, said in (
        (("show", "s.sqlite", "--interval", "30"), "whose peaks are always means over 15 minutes"),
        (("show", "s.sqlite", "--utc"), "which shows no times"),
        (("report", "s.sqlite", "--to", "s.html", "--interval", "30"), "whose peaks are always means over 15 minutes"),
        (("figure", "s.sqlite", "--run", "2", "--to", "s.pdf"), "a comparison shows all runs"),
        (("figure", "s.sqlite", "--day", "2", "--to", "s.pdf"), "a comparison shows all runs"),
    ):
        ended = ssmic("results", *options)
        assert (ended.code, ended.out) == (2, "")
        assert said in " ".join(ended.err.split())
    assert not list(tmp_path.glob("s.[hp]*"))
