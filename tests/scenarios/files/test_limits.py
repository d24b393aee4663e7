"""A stranger's file costs little time and memory, names no file outside its folder, and is never a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.errors import ScenarioError
from scenarios.files.problems import MOST_PROBLEMS
from scenarios.importers.pyssmic_folder import import_folder
from scenarios.load import load_scenario
from tests.scenarios.problems import problems_of

HEAD = "version: 1\nname: x\nstart: 2026-06-21T00:00:00Z\nseed: 1\n"
HOUSES = 'houses:\n  - {id: "1", devices: [{id: d, type: consumer, load_profile: a}]}\n'
JOBS = 'jobs:\n  - {house: "1", device: d, registered: "01:00", earliest_start: "02:00", latest_start: "03:00"}\n'
SECRET = "root:$6$hush-hush:19000:0:99999:7:::\n"  # noqa: S105 - nobody's

MEASURED = """
import json, resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "tui", "check", sys.argv[1]]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime, used.ru_maxrss]))
"""
"""Checks a file and prints the resources used: a separate process, since a child inherits the memory count of its
parent."""

MANY = 20_000
LONG = {
    "unknown keys at the top": HEAD + HOUSES + "".join(f"k{i}: 1\n" for i in range(MANY)),
    "unknown keys of a job": HEAD + HOUSES + "jobs:\n  - {" + ", ".join(f"k{i}: 1" for i in range(MANY)) + "}\n",
    "load profiles": HEAD + HOUSES + "load_profiles:\n" + "".join(f"  k{i}: 1\n" for i in range(MANY)),
    "jobs": HEAD + HOUSES + "jobs:\n" + "".join(f"  - {{x: {i}}}\n" for i in range(MANY)),
    "late jobs": HEAD + HOUSES + "load_profiles: {a: {points: [[0, 0], [60, 1]]}}\n" + JOBS * 1 + "  - {x: 1}\n" * MANY,
    "houses": HEAD + "houses:\n" + "".join(f"  - {i}\n" for i in range(MANY)),
    "devices": HEAD + "houses:\n  - id: a\n    devices:\n" + "      - 1\n" * MANY,
    "points": HEAD + HOUSES + "load_profiles: {a: {points: [" + "[x, y], " * MANY + "]}}\n",
    "keys twice": HEAD + HOUSES + "seed: 1\n" * MANY,
    "tags": HEAD + HOUSES + "jobs:\n" + "  - !x 1\n" * MANY,
    "ids twice": HEAD + "houses:\n" + '  - {id: "1", devices: []}\n' * MANY,
}


@pytest.mark.parametrize("name", LONG)
def test_a_file_with_very_many_problems_is_refused_with_the_first_of_them(tmp_path: Path, name: str) -> None:
    """Attack 67 and similar: the list is short enough to read, and says why it ends."""
    file = tmp_path / "s.yaml"
    file.write_text(LONG[name])
    problems = problems_of(file)
    assert 1 <= len(problems) <= MOST_PROBLEMS
    assert "more than " in "".join(problem.what for problem in problems)
    assert all(len(str(problem)) < 400 for problem in problems)


@pytest.mark.long
@pytest.mark.parametrize("count", [300_000])
def test_three_hundred_thousand_unknown_keys_cost_little(tmp_path: Path, count: int) -> None:
    """They take little processor time and memory; formerly 19 s and 617 MB."""
    file = tmp_path / "s.yaml"
    file.write_text(HEAD + HOUSES + "".join(f"k{i}: 1\n" for i in range(count)))
    ended = subprocess.run([sys.executable, "-c", MEASURED, str(file)], capture_output=True, text=True, check=False)
    code, user_s, most_kib = json.loads(ended.stdout.splitlines()[-1])
    assert code == 3
    assert "more than 1,000 keys" in ended.stderr
    assert user_s < 10
    assert most_kib < 200_000


def test_a_long_file_with_a_few_problems_has_all_of_them_listed(tmp_path: Path) -> None:
    """Wherever they are."""
    jobs = JOBS + JOBS.partition("\n")[2] * 3_000 + "  - {x: 1}\n"
    file = tmp_path / "s.yaml"
    file.write_text(HEAD + HOUSES + "load_profiles: {a: {points: [[0, 0], [60, 1]]}}\nsurprise: 1\n" + jobs)
    problems = [str(problem) for problem in problems_of(file)]
    assert any("surprise: unknown key" in problem for problem in problems)
    assert any("jobs[3001].x: unknown key" in problem for problem in problems)
    assert len(problems) == 7


def scenario(folder: Path, name: str) -> Path:
    """Write a scenario whose load profile is in a file."""
    folder.mkdir(exist_ok=True)
    file = folder / "s.yaml"
    file.write_text(f"{HEAD}load_profiles: {{a: {{file: {name!r}}}}}\n{HOUSES}{JOBS}")
    return file


def refusal(file: Path, *, allow_outside: bool = False) -> str:
    """Return the error message about an invalid scenario."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file, allow_outside=allow_outside)
    return str(caught.value)


@pytest.mark.parametrize("way", ["../secret.txt", "absolute", "link", "folder/../../secret.txt", "linked/secret.txt"])
def test_a_file_outside_the_folder_is_not_read(tmp_path: Path, way: str) -> None:
    """Attack 64: by a path, absolute or not, and by a symbolic link; with the option it is, and is not quoted."""
    (tmp_path / "secret.txt").write_text(SECRET)
    folder = tmp_path / "scenario"
    file = scenario(folder, str(tmp_path / "secret.txt") if way == "absolute" else way)
    (folder / "folder").mkdir()
    (folder / "link").symlink_to(tmp_path / "secret.txt")
    (folder / "linked").symlink_to(tmp_path)
    refused = refusal(file)
    assert "lies outside the scenario's folder: move it there, or give --allow-outside" in refused
    allowed = refusal(file, allow_outside=True)
    assert "two columns are expected" in allowed
    assert "hush" not in refused + allowed
    (tmp_path / "secret.txt").write_text("0 0\n60 1\n")
    assert load_scenario(file, allow_outside=True).jobs


def test_a_file_inside_the_folder_is_read_and_quoted(tmp_path: Path) -> None:
    """This includes links that stay inside, and a folder that is itself a link."""
    folder = tmp_path / "scenario"
    file = scenario(folder, "link.csv")
    (folder / "a.csv").write_text("0 0\n60 1\n")
    (folder / "link.csv").symlink_to("a.csv")
    assert load_scenario(file).jobs
    (tmp_path / "elsewhere").symlink_to(folder)
    assert load_scenario(tmp_path / "elsewhere" / "s.yaml").jobs
    (folder / "a.csv").write_text("0 zero\n60 1\n")
    assert "a number is expected, not 'zero'" in refusal(file)


@pytest.mark.parametrize("name", ["secret.csv", "secret"])
def test_a_table_of_measurements_outside_the_folder_is_not_read(tmp_path: Path, name: str) -> None:
    """It is recognized by its name or by the keys next to it; if allowed, it is not quoted."""
    (tmp_path / name).write_text(SECRET * 3)
    folder = tmp_path / "scenario"
    folder.mkdir()
    file = folder / "s.yaml"
    table = f"file: ../{name}" + (", unit: W, zone: UTC" if name == "secret" else "")
    producer = f"{{id: pv, type: producer, predictions: [{{issued: 0, {table}}}]}}"
    file.write_text(f'{HEAD}houses:\n  - {{id: "1", devices: [{producer}]}}\n')
    refused = refusal(file)
    assert "lies outside the scenario's folder: move it there, or give --allow-outside" in refused
    allowed = refusal(file, allow_outside=True)
    assert "the content of a file outside the scenario's folder is not shown" in allowed
    assert "hush" not in refused + allowed


@pytest.mark.parametrize("outside", [False, True])
def test_a_pipe_or_a_device_is_not_read_as_a_series(tmp_path: Path, *, outside: bool) -> None:
    """Attack 65: the command does not hang, even with `--allow-outside`."""
    folder = tmp_path / "scenario"
    file = scenario(folder, "/dev/zero" if outside else "pipe")
    if not outside:
        os.mkfifo(folder / "pipe")
    assert "is a pipe, a device or a socket; a file is expected" in refusal(file, allow_outside=True)


def test_an_input_folder_with_links_and_pipes(tmp_path: Path) -> None:
    """PySSMic's folders refer to files, too."""
    (tmp_path / "secret.txt").write_text(SECRET)
    folder = tmp_path / "input"
    (folder / "loads").mkdir(parents=True)
    (folder / "predictions").mkdir()
    (folder / "consumer_event.csv").write_text("0;0;0;[1]:[1];a.csv\n0;0;0;[1]:[2];b.csv\n")
    (folder / "producer_event.csv").symlink_to(tmp_path / "secret.txt")
    (folder / "loads" / "a.csv").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(folder / "loads" / "b.csv")
    with pytest.raises(ScenarioError) as caught:
        import_folder(folder)
    assert "hush" not in str(caught.value)
    assert "lies outside the scenario's folder" in str(caught.value)
    assert "is a pipe, a device or a socket" in str(caught.value)


def test_a_scenario_from_a_pipe_that_the_user_names(tmp_path: Path) -> None:
    """A shell's process substitution provides one."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    text = f"{HEAD}load_profiles: {{a: {{points: [[0, 0], [60, 1]]}}}}\n{HOUSES}{JOBS}"
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').write({text!r})"])
    try:
        assert load_scenario(pipe).jobs
    finally:
        writer.wait()
