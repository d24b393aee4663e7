"""`ssmic generate` as a user meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.load import load
from tests.ended import Ssmic


def _generate(folder: Path, *options: str, to: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tui", "generate", *options]
    if to is None:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    with (folder / to).open("w", encoding="utf-8") as file:
        return subprocess.run(command, cwd=folder, stdout=file, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.long
def test_only_the_number_of_houses_is_needed_and_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    """Standard output is the scenario, and nothing else."""
    first, again = (_generate(tmp_path, "--houses", "8") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    (tmp_path / "eight.yaml").write_text(first.stdout, encoding="utf-8")
    assert len(load(tmp_path / "eight.yaml").scenario.houses) == 8


@pytest.mark.long
def test_many_series_are_in_tables_next_to_the_file_that_the_shell_writes(tmp_path: Path) -> None:
    """`> FILE` determines the folder."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the system does not say where standard output goes; --out does")
    ended = _generate(tmp_path, "--houses", "70", "--roofs", "1", to="seventy.yaml")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "seventy.actual.csv").is_file()
    loaded = load(tmp_path / "seventy.yaml")
    assert len(loaded.scenario.producers) == 70
    assert loaded.notes == ()


def test_wrong_usage_is_one_clear_error(ssmic: Ssmic) -> None:
    """Exit code 2, no file."""
    for options, said in (
        (("--houses", "3", "--place", "north"), "two numbers are expected"),
        (("--houses", "3", "--place", "nan,8.7"), "two numbers are expected"),
        (("--houses", "3", "--zone", "Europe/Berln"), "did you mean 'Europe/Berlin'?"),
        (("--houses", "3", "--zone", "+24:00"), "there is no time zone '+24:00'"),
        (("--houses", "3", "--zone", "+02:60"), "there is no time zone '+02:60'"),
        (("--houses", "3", "--seed", "9223372036854775808"), "from 0 to 2^63 - 1, not 9223372036854775808"),
        (("--houses", "20000"), "from 1 to 10,000"),
        (("--houses", "3", "--series", "csv"), "add --out FILE"),
        (("--houses", "3", "--zone", "Pacific/Apia", "--date", "2011-12-30"), "not 2011-12-30, which its clocks skip"),
    ):
        ended = ssmic("generate", *options)
        assert ended.code == 2, ended
        assert said in " ".join(ended.err.split()).replace("│ ", "").replace(" │", ""), ended.err
        assert ended.out == ""


def test_tables_that_exist_are_kept(ssmic: Ssmic, tmp_path: Path) -> None:
    """The file was protected, and a table of the user's that has the name of one of its tables was not."""
    table = tmp_path / "three.base-load.csv"
    table.write_text("measured", encoding="utf-8")
    options = ("generate", "--houses", "3", "--series", "csv", "--out", tmp_path / "three.yaml")

    ended = ssmic(*options)

    assert ended.code == 2
    assert "three.base-load.csv: exists already; use --force" in " ".join(ended.err.split())
    assert [path.name for path in tmp_path.iterdir()] == [table.name]
    assert table.read_text(encoding="utf-8") == "measured"
    assert ssmic(*options, "--force").code == 0
    assert table.read_text(encoding="utf-8") != "measured"


def test_the_tables_are_named_and_counted(ssmic: Ssmic, tmp_path: Path) -> None:
    """One was called `1 tables`, with dots after it."""
    options = ("generate", "--houses", "1", "--series", "csv", "--out", tmp_path / "one.yaml")
    ended = ssmic(*options, "--roofs", "0")
    assert "".join(ended.err.split()).endswith(f"Series:{tmp_path}/one.base-load.csv")
    ended = ssmic(*options, "--roofs", "1", "--force")
    assert "and 5 other tables" in " ".join(ended.err.split())


@pytest.mark.long
def test_a_thousand_houses_load_and_run(tmp_path: Path) -> None:
    """A large neighbourhood is a scenario like any other."""
    ended = _generate(tmp_path, "--houses", "1000", "--out", "large.yaml")
    assert ended.returncode == 0, ended.stderr
    assert len(load(tmp_path / "large.yaml").scenario.houses) == 1000
