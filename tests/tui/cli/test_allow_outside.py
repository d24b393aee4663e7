"""`--allow-outside`: each command that reads a scenario lets it name files outside its folder, if it is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ended import Ssmic
from tests.tui.cli.conftest import SMALL

SWEEP = ("--vary", "penalty=1,2", "--set", "algorithm=SLSQP", "--seeds", "1", "--workers", "1")
COMMANDS = {
    "check": ("check", "FILE"),
    "sweep": ("sweep", "FILE", *SWEEP),
    "sweep of a key of the file": ("sweep", "FILE", "--vary", "jobs[noon].latest_start=13:00,14:00", "--seeds", "1"),
    "broker init": ("broker", "init", "guard", "FILE"),
    "optimum": ("optimum", "FILE"),
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A scenario with a load profile in the folder above its own."""
    (tmp_path / "wash.csv").write_text("0 0\n3600 500\n")
    folder = tmp_path / "scenario"
    folder.mkdir()
    file = folder / "s.yaml"
    file.write_text(SMALL.replace("{points: [[0, 0], [3600, 500]]}", "{file: ../wash.csv}"))
    return file


FAST = {"check", "broker init"}


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.long) for name in COMMANDS]
)
def test_a_file_outside_the_folder_is_read_if_it_is_allowed(ssmic: Ssmic, outside: Path, name: str) -> None:
    """Without the option, the error says how to allow it."""
    arguments = [str(outside) if word == "FILE" else word for word in COMMANDS[name]]
    refused = ssmic(*arguments)
    assert refused.code == 3
    assert "move it there, or give --allow-outside" in refused.err
    assert ssmic(*arguments, "--allow-outside").code == 0


def test_the_environment_can_allow_outside_files(ssmic: Ssmic, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SSMIC_ALLOW_OUTSIDE`, for a command that has no other reason to be long."""
    monkeypatch.setenv("SSMIC_ALLOW_OUTSIDE", "1")
    assert ssmic("check", outside).code == 0
