"""Files that are none of what a command expects: each is refused in a sentence, whatever it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.load import bundled_text
from tests.ended import Ssmic
from tests.patience import PATIENCE_WALL_S


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "loop"),
        ("check", "including.yaml"),
        ("check", "including.yaml", "--allow-outside"),
        ("results", "show", "loop"),
        ("results", "compare", "loop", "pool"),
        ("results", "report", "loop", "--to", "page.html"),
        ("replay", "loop"),
        ("import", "loop", "out.yaml"),
        ("lab", "night", "--faults", "loop"),
        ("run", "night", "--bus", "memory", "--scores", "loop"),
    ],
)
def test_a_loop_of_symbolic_links(ssmic: Ssmic, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Comparing such a file, or including it in a scenario, was an internal error."""
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "including.yaml").write_text("include: loop\nversion: 1\n", encoding="utf-8")
    ended = ssmic(*arguments)
    assert ended.code == 3, ended.err
    assert "internal error" not in ended.err
    assert "loop: " in ended.err


def test_a_huge_file_is_no_recording(ssmic: Ssmic, tmp_path: Path) -> None:
    """It was read to its end, and memory ran out."""
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(10**12)
    ended = ssmic("replay", "huge")
    assert (ended.code, ended.err) == (
        3,
        "ssmic: huge: is not a recorded session; expected a results file, or what --record wrote\n",
    )


def test_a_file_of_faults_says_which_key_it_needs(ssmic: Ssmic, tmp_path: Path) -> None:
    """It named the keys of a scenario, and of a missing key an empty place."""
    (tmp_path / "list.yaml").write_text("- dead\n", encoding="utf-8")
    (tmp_path / "other.yaml").write_text("fault: []\n", encoding="utf-8")
    assert ssmic("lab", "night", "--faults", "list.yaml").err == "ssmic: list.yaml: keys are expected (faults)\n"
    assert ssmic("lab", "night", "--faults", "other.yaml").err.splitlines()[0] == (
        "other.yaml:1: the key 'faults' is required"
    )


def test_a_folder_is_no_certificate(ssmic: Ssmic, tmp_path: Path) -> None:
    """It was said to be missing."""
    (tmp_path / "folder").mkdir()
    ended = ssmic("run", "night", "--broker", "mqtts://127.0.0.1:1", "--ca-file", "folder")
    assert (ended.code, ended.err) == (6, "ssmic: TLS: folder: is not a file\n")


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    "arguments",
    [
        ("sweep", "pipe", "--seeds", "2"),
        ("results", "show", "pipe"),
        ("results", "report", "pipe", "--to", "page.html"),
        ("import", "pipe", "out.yaml"),
        ("run", "night", "--bus", "memory", "--scores", "pipe"),
        ("replay", "pipe"),
    ],
)
def test_a_pipe_without_a_writer_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Each waited for the writer for ever, without saying so; a sweep also read it twice."""
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "tui", *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_WALL_S, check=False)
    assert ended.returncode == 3, ended.stderr
    assert re.search("pipe: is (a pipe, a device or a socket|not a file); ", ended.stderr), ended.stderr


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_scenario_from_a_named_pipe_is_announced(tmp_path: Path) -> None:
    """The command waits for the writer, and says so."""
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "tui", "check", "pipe"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as checking:
        assert checking.stderr is not None
        said = checking.stderr.readline()
        (tmp_path / "pipe").write_text(bundled_text("night"), encoding="utf-8")
    assert said == "ssmic: note: pipe: is a named pipe; waiting for a program to write to it\n"
    assert checking.returncode == 0
