"""Standard output is one JSON object, even if a library below Python writes to its file descriptor."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOISY = """
import ctypes, os, scenarios.optimum
from agents.scheduling import algorithms
from scenarios.optimum import comparison
from scenarios.optimum import optimum as solve

quiet_optimum = solve.clairvoyant_optimum

def noise():
    os.write(1, b"written past Python\\n")
    ctypes.CDLL(None).printf(b"left in the buffer of C\\n")

class NoisyInsertion(algorithms.Insertion):
    def place(self, *arguments):
        noise()
        return super().place(*arguments)

def clairvoyant_optimum(*arguments, **options):
    noise()
    return quiet_optimum(*arguments, **options)

algorithms.Insertion = NoisyInsertion
comparison.clairvoyant_optimum = scenarios.optimum.clairvoyant_optimum = clairvoyant_optimum

if __name__ == "__main__":
    from tui.__main__ import main
    main()
"""
"""The program with a solver that prints; worker processes import it too."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "street", "--bus", "memory", "--json", "--compare", "--time-limit", "1"],
        pytest.param(
            ["run", "street", "--bus", "memory", "--json", "--runs", "2", "--workers", "2"], marks=pytest.mark.long
        ),
        pytest.param(["optimum", "street", "--time-limit", "1", "--json"], marks=pytest.mark.long),
    ],
)
def test_nothing_else_is_on_standard_output(tmp_path: Path, arguments: list[str]) -> None:
    """The noise is on standard error, all of it; the object is whole."""
    program = tmp_path / "noisy.py"
    program.write_text(NOISY)
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, program, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
    )
    assert isinstance(json.loads(ended.stdout), dict)
    assert b"written past Python" in ended.stderr
    assert b"left in the buffer of C" in ended.stderr


@pytest.mark.long
def test_a_table_is_on_standard_output(tmp_path: Path) -> None:
    """The command's own output is unaffected."""
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-m", "tui", "optimum", "street", "--time-limit", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
    )
    assert b"Jobs supplied by panels" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [
        ("check night", ">&-", 0),
        ("check night", "2>&-", 0),
        ("check nofile", "2>&-", 3),
        ("scenarios show night", "<&- >&- 2>&-", 0),
        pytest.param("run night --bus memory --json", ">&-", 0, marks=pytest.mark.long),
        pytest.param("generate --houses 2", ">&-", 0, marks=pytest.mark.long),
    ],
)
def test_a_stream_that_the_caller_has_closed_is_the_null_device(
    tmp_path: Path, arguments: str, closed: str, code: int
) -> None:
    """Each command ended with a traceback or with exit code 1."""
    ended = subprocess.run(
        ["/bin/sh", "-c", f'exec "{sys.executable}" -m tui {arguments} {closed}'],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, b"Traceback" in ended.stderr) == (code, False), ended.stderr.decode()
