"""Results on the command line: listed newest first, named by `latest`, compared with each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.results.connection import ResultsError
from tests.ended import Ssmic
from tui.cli.commands.tui import first_intent
from tui.shell.navigation import EditScenario, OpenResults


def run_with(ssmic: Ssmic, scenario: str | Path, algorithm: str, *options: str) -> Path:
    """Run a scenario with an algorithm; return the results file."""
    ended = ssmic("run", scenario, "--bus", "memory", "--workers", "1", "--json", "--algorithm", algorithm, *options)
    assert ended.code == 0, ended.err
    return Path(ended.json["results_file"])


@pytest.fixture
def two(ssmic: Ssmic, small: Path) -> tuple[Path, Path]:
    """Two simulations of the small scenario, the second newer than the first."""
    return run_with(ssmic, small, "fifty_fifty", "--runs", "2"), run_with(ssmic, small, "SLSQP", "--runs", "2")


def test_the_list_says_scenario_algorithm_state_and_date_newest_first(ssmic: Ssmic, two: tuple[Path, Path]) -> None:
    """It is a table of at most 80 columns, with the names that other commands accept."""
    Path("results/broken.sqlite").write_text("nothing", encoding="utf-8")
    ended = ssmic("results", "list")
    lines = ended.out.splitlines()
    assert lines[0].split() == ["date", "(UTC)", "scenario", "algorithm", "runs", "state", "self-suff."]
    rows = [line.split() for line in lines[1:]]
    newest = next(i for i, row in enumerate(rows) if row[0] == "latest")
    older = next(i for i, row in enumerate(rows) if row[0] == "latest~1")
    assert newest < older
    assert rows[newest][3:7] == ["small", "SLSQP", "2", "done"]
    assert rows[older][3:7] == ["small", "fifty_fifty", "2", "done"]
    assert rows[newest + 1] == [str(two[1])]
    assert "unreadable" in ended.out
    listed = ssmic("results", "list", "--json").json["results"]
    readable = [one for one in listed if "problem" not in one]
    assert [(one["file"], one["algorithm"], one["state"]) for one in readable] == [
        (str(two[1]), "SLSQP", "done"),
        (str(two[0]), "fifty_fifty", "done"),
    ]


def test_results_of_another_folder_have_no_name_that_would_open_others(ssmic: Ssmic, two: tuple[Path, Path]) -> None:
    """`latest` is always of `results/`; its own path is the same folder."""
    Path("others").mkdir()
    two[0].rename(Path("others") / two[0].name)
    assert "latest" not in ssmic("results", "list", "--folder", "others").out
    assert "latest" in ssmic("results", "list", "--folder", Path("results").absolute()).out


def test_latest_names_the_newest_results_wherever_a_file_is_expected(
    ssmic: Ssmic, two: tuple[Path, Path], tmp_path: Path
) -> None:
    """`latest~1` is the one before; a file of that name comes first."""
    assert ssmic("results", "show", "latest", "--json").json["results_file"] == str(two[1])
    assert ssmic("results", "show", "latest~1", "--json").json["algorithm"] == "fifty_fifty"
    assert ssmic("results", "report", "latest", "--to", "page.html").code == 0
    assert ssmic("results", "export", "latest~1", "--to", "tables").code == 0
    assert '"fifty_fifty"' in Path("tables/simulation.json").read_text(encoding="utf-8")
    compared = ssmic("results", "compare", "latest~1", "latest", "--json").json
    assert [one["file"] for one in compared["simulations"]] == [str(path) for path in two]
    missing = ssmic("results", "show", "latest~2")
    assert (missing.code, missing.err) == (3, "ssmic: latest~2: there are only 2 simulations in results\n")
    Path("latest").write_text("not a results file", encoding="utf-8")
    assert "latest: is not an ssmic results file" in ssmic("results", "show", "latest").err
    Path("latest").unlink()
    for file in (tmp_path / "results").glob("*.sqlite"):
        file.unlink()
    assert "the folder results contains no results" in ssmic("results", "show", "latest").err


def test_the_terminal_application_opens_results_by_name(two: tuple[Path, Path]) -> None:
    """A results file, or `latest`; everything else is a scenario."""
    for named, path in (("latest", two[1]), ("latest~1", two[0]), (str(two[0]), two[0])):
        intent = first_intent(named)
        assert isinstance(intent, OpenResults)
        assert intent.path == path
    assert isinstance(first_intent("street"), EditScenario)
    with pytest.raises(ResultsError, match="there are only 2 simulations"):
        first_intent("latest~2")


def test_simulations_are_compared_as_tables_and_files(ssmic: Ssmic, two: tuple[Path, Path]) -> None:
    """The output is within 80 columns on the terminal, in all named files, or one JSON object."""
    ended = ssmic("results", "compare", *two, "--to", "new/table.csv", "--to", "table.tex", "--to", "figure.svg")
    assert ended.code == 0, ended.err
    assert "fifty_fifty (2)" in ended.out
    assert "Difference from fifty_fifty on the same seeds" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines() if not line.startswith("Note"))
    assert all(Path(path).stat().st_size for path in ("new/table.csv", "table.tex", "figure.svg"))
    again = ssmic("results", "compare", *two, "--to", "table.tex")
    assert (again.code, again.err) == (2, "ssmic: table.tex: exists already; use --force to overwrite it\n")
    assert ssmic("results", "compare", *two, "--to", "table.tex", "--force").code == 0
    content = ssmic("results", "compare", *two, "--json").json
    assert [one["seeds"] for one in content["simulations"]] == [[3, 4], [3, 4]]
    assert content["differences"][0]["seeds"] == [3, 4]
    spread = content["simulations"][0]["statistics"]["delivered_wh"]
    assert spread.keys() == {"runs", "mean", "standard_deviation", "low_95", "high_95", "minimum", "maximum"}


def test_both_rules_of_supply_stand_side_by_side_in_80_columns(ssmic: Ssmic, small: Path) -> None:
    """Each had a table of its own, because its name with its settings took the space of both."""
    files = [run_with(ssmic, small, "SLSQP", "--supply", supply, "--runs", "2") for supply in ("whole", "shared")]
    lines = ssmic("results", "compare", *files).out.splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["SLSQP", "SLSQP"],
        ["(supply", "whole)", "(2)", "(supply", "shared)", "(2)"],
    ]
    assert all(len(line) <= 80 for line in lines if not line.startswith("Note"))
    rows = ssmic("results", "list").out.splitlines()[1:]
    assert ["SLSQP, shared" in row for row in rows if "SLSQP" in row and "sqlite" not in row] == [True, False]
    assert [one["supply"] for one in ssmic("results", "list", "--json").json["results"]] == ["shared", "whole"]


def test_what_cannot_be_compared_is_one_clear_error(ssmic: Ssmic, two: tuple[Path, Path]) -> None:
    """A simulation with itself, a single one, an unknown ending, a file that is not there."""
    for files in ((two[0], two[0]), ("latest", two[1]), (two[0], f"./{two[0]}")):
        itself = ssmic("results", "compare", *files)
        assert itself.code == 2
        assert "a simulation cannot be compared with itself" in itself.err
        assert len(itself.err.splitlines()) == 1
    alone = ssmic("results", "compare", two[0])
    assert alone.code == 2
    assert "name two or more simulations" in alone.err
    assert ssmic("results", "compare", *two, "--to", "table.pdf").code == 2
    assert ssmic("results", "compare", two[0], "nowhere.sqlite").code == 3


def test_a_figure_of_different_scenarios_is_drawn_with_the_warning_that_a_comparison_gives(
    ssmic: Ssmic, two: tuple[Path, Path], small: Path
) -> None:
    """The warning was only at the bottom of the picture, which may be opened much later, or by others."""
    pytest.importorskip("matplotlib", reason="matplotlib is an extra: pip install 'ssmic[figures]'")
    other = small.with_name("other.yaml")
    other.write_text(small.read_text(encoding="utf-8").replace("name: small", "name: other"), encoding="utf-8")
    files = two[0], run_with(ssmic, other, "SLSQP", "--runs", "2")

    ended = ssmic("results", "figure", *files, "--to", "comparison.svg")

    compared = ssmic("results", "compare", *files, "--json").json["warnings"]
    assert (ended.code, ended.out) == (0, "comparison.svg\n")
    assert ended.err.splitlines() == [f"ssmic: note: {warning}" for warning in compared]
    assert "The scenarios differ (small, other): compare shares and ratios only" in ended.err
    assert "scenarios differ" not in ssmic("results", "figure", *two, "--to", "alike.svg").err
    assert ssmic("results", "figure", two[0], "--to", "day.svg").err == ""


@pytest.mark.long
def test_many_simulations_are_shown_in_blocks_that_fit(ssmic: Ssmic, small: Path) -> None:
    """No column is truncated, for any number of simulations."""
    algorithms = ("fifty_fifty", "insertion", "L-BFGS-B", "SLSQP", "TNC", "exact")
    files = [run_with(ssmic, small, algorithm, "--runs", "2") for algorithm in algorithms]
    ended = ssmic("results", "compare", *files)
    assert all(len(line) <= 80 for line in ended.out.splitlines() if not line.startswith("Note"))
    assert all(f"{algorithm} (2)" in ended.out for algorithm in algorithms)
