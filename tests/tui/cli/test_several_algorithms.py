"""`ssmic run` with several algorithms: equal conditions for each, one comparison, separate files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scenarios.results.reader import ResultsReader
from tests.ended import Ended, Ssmic

THREE = "fifty_fifty,insertion,SLSQP"


def run(ssmic: Ssmic, scenario: Path | str, *options: str) -> Ended:
    """Run in this process."""
    return ssmic("run", scenario, "--bus", "memory", "--workers", "1", *options)


def hashes(simulation: dict[str, Any]) -> list[str]:
    """Return the hashes of a simulation's ledgers."""
    return [one["ledger_sha256"] for one in simulation["runs"]]


def test_several_algorithms_run_on_the_same_seeds_and_are_compared(ssmic: Ssmic, small: Path) -> None:
    """A results file each, one table, and the files that are asked for; all of it within 80 columns."""
    ended = run(ssmic, small, "--algorithm", THREE, "--runs", "3", "--to", "table.tex", "--to", "figure.svg")
    assert ended.code == 0, ended.err
    assert "fifty_fifty (3)" in ended.out
    assert "Difference from fifty_fifty on the same seeds" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines() if not line.startswith(("Note", "Results")))
    assert "each run begins with fresh scores" in " ".join(ended.err.split())
    assert "insertion" in Path("table.tex").read_text(encoding="utf-8")
    assert Path("figure.svg").read_text(encoding="utf-8").startswith("<?xml")
    files = sorted(Path("results").glob("*.sqlite"))
    assert len(files) == 3
    for file in files:
        with ResultsReader(file) as results:
            assert results.info.seeds == (3, 4, 5)


def test_of_several_runs_only_the_expectations_that_fail_are_listed(ssmic: Ssmic, small: Path) -> None:
    """Those of twenty seeds would hide the comparison; those of a single run are all listed."""
    small.write_text(small.read_text() + "expect: [jobs == 3, jobs < 3]\n")
    for options in (("--runs", "2"), ("--algorithm", "insertion,fifty_fifty")):
        ended = run(ssmic, small, *options)
        assert ended.code == 5
        assert "All expectations hold in 0 of 2 runs" in ended.out
        assert ended.out.count("FAILS  jobs < 3  (jobs = 3)") == 2
        assert "holds  " not in ended.out

    small.write_text(small.read_text().replace(", jobs < 3", ""))
    assert run(ssmic, small, "--runs", "2").out.splitlines()[-1] == "All expectations hold in all 2 runs"
    assert "holds  jobs == 3" in run(ssmic, small).out


@pytest.mark.long
def test_each_algorithm_gets_the_same_ledger_as_alone_from_fresh_scores(ssmic: Ssmic, tmp_path: Path) -> None:
    """Ledgers are equal to the byte, in any order, regardless of earlier scores."""
    alone = {}
    for algorithm in ("insertion", "SLSQP", "fifty_fifty"):
        ended = run(ssmic, "street", "--algorithm", algorithm, "--runs", "2", "--reset-scores", "--json")
        alone[algorithm] = hashes(ended.json)
    kept = tmp_path / "results" / "street.scores.json"
    before = kept.read_text(encoding="utf-8")
    for names in ("insertion,SLSQP,fifty_fifty", "FIFTY_FIFTY, slsqp ,insertion"):
        content = run(ssmic, "street", "--algorithm", names, "--runs", "2", "--json").json
        assert content.keys() == {"scenario", "simulations", "comparison"}
        assert {one["algorithm"]: hashes(one) for one in content["simulations"]} == alone
        assert [one["label"] for one in content["comparison"]["simulations"]] == [
            one["algorithm"] for one in content["simulations"]
        ]
        assert all("scores" not in one["settings"] for one in content["simulations"])
    assert kept.read_text(encoding="utf-8") == before


@pytest.mark.long
def test_a_scores_file_gives_all_algorithms_the_same_beginning(ssmic: Ssmic, small: Path) -> None:
    """The file is not changed; without one, --reset-scores discards saved scores."""
    mine = Path("mine.json")
    run(ssmic, small, "--scores", str(mine))
    before = mine.read_text(encoding="utf-8")
    content = run(ssmic, small, "--algorithm", THREE, "--scores", str(mine), "--json").json
    scores = json.loads(before)["scores"]
    assert [one["settings"]["scores"] for one in content["simulations"]] == [{"3": scores}] * 3
    assert mine.read_text(encoding="utf-8") == before
    run(ssmic, small)
    assert run(ssmic, small, "--algorithm", THREE, "--reset-scores").code == 0
    assert json.loads(Path("results/small.scores.json").read_text(encoding="utf-8"))["scores"] == {}


def test_each_algorithm_takes_the_settings_that_are_its_own(ssmic: Ssmic, small: Path) -> None:
    """The others keep their defaults."""
    options = ("--algorithm", "SLSQP,exact", "--penalty", "50", "--node-limit", "7", "--json")
    slsqp, exact = (one["settings"] for one in run(ssmic, small, *options).json["simulations"])
    assert (slsqp["penalty"], slsqp["node_limit"]) == (50, 20)
    assert (exact["penalty"], exact["node_limit"]) == (100, 7)


@pytest.mark.parametrize(
    ("supply", "figure", "label"),
    [
        ("whole", "share_of_best", "Share of the best plan"),
        ("shared", "share_of_shared_best", "Share of the shared optimum"),
    ],
)
def test_the_comparison_includes_the_optimum(ssmic: Ssmic, small: Path, supply: str, figure: str, label: str) -> None:
    """It is shown and drawn as the share of the best plan under the runs' own rule of supply, for each simulation."""
    options = ("--algorithm", "insertion,fifty_fifty", "--days", "1", "--compare", "--time-limit", "2")
    ended = run(ssmic, small, *options, "--runs", "2", "--supply", supply, "--to", "drawn.svg")
    assert f"{label} (%)" in ended.out
    assert f">{label}, %<" in Path("drawn.svg").read_text(encoding="utf-8")
    content = ssmic("results", "compare", "latest~1", "latest", "--json").json
    shares = [one["statistics"][figure]["mean"] for one in content["simulations"]]
    assert shares[0] == pytest.approx(1)
    assert 0 <= shares[1] <= 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--algorithm", "insertion,insertion"), "is given twice"),
        (("--algorithm", "SLSQP,slsqp"), "is given twice"),
        (("--algorithm", "insertion,,SLSQP"), "a name is missing"),
        (("--algorithm", "insertion,simplex"), "unknown algorithm 'simplex'"),
        (("--algorithm", THREE, "--out", "one.sqlite"), "omit it"),
        (("--algorithm", THREE, "--to", "table.pdf"), "expected one of these extensions"),
        (("--algorithm", THREE, "--to", "there.md"), "exists already"),
    ],
)
def test_wrong_usage_is_reported_before_any_run(ssmic: Ssmic, small: Path, options: tuple[str, ...], says: str) -> None:
    """The exit code is 2, and there are no results."""
    Path("there.md").write_text("mine", encoding="utf-8")
    ended = run(ssmic, small, *options)
    assert ended.code == 2
    assert says in " ".join(ended.err.replace("│", " ").split())
    assert not Path("results").exists()


def test_one_algorithm_keeps_its_output_and_can_write_a_table(ssmic: Ssmic, small: Path) -> None:
    """JSON is one object, as before; a table of its means is written on request."""
    ended = run(ssmic, small, "--runs", "3", "--algorithm", "fifty_fifty", "--to", "table.csv", "--json")
    assert ended.json["algorithm"] == "fifty_fifty"
    assert len(ended.json["runs"]) == 3
    assert "delivered_wh,Delivered,wh,fifty_fifty,small,fifty_fifty,3," in Path("table.csv").read_text(encoding="utf-8")


def test_help_says_that_scores_are_fresh(ssmic: Ssmic) -> None:
    """The explanation of several algorithms says so."""
    assert "each from fresh producer scores" in " ".join(ssmic("run", "--help").out.split())


@pytest.mark.long
def test_an_interrupted_comparison_shows_finished_algorithms_and_writes_no_file(small: Path, tmp_path: Path) -> None:
    """The algorithm in progress is kept but not compared; the next one does not begin."""
    command = [sys.executable, "-m", "tui", "run", str(small), "--bus", "memory", "--workers", "1"]
    command += ["--algorithm", "insertion,fifty_fifty,SLSQP", "--to", "table.csv", "--days", "1", "--pace", "7200x"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Algorithm 2" in line:
                break
        next(line for line in process.stderr if line.startswith("Scores"))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert process.returncode in {130, 143}
    assert "insertion (1)" in out
    assert "fifty_fifty_1.sqlite (no finished run, so it is not compared)" in out
    assert "not written, because not all runs ended: table.csv" in err
    assert not (tmp_path / "table.csv").exists()
    assert len(list((tmp_path / "results").glob("*.sqlite"))) == 2
