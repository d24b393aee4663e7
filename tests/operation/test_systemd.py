"""The systemd units of docs/systemd, as far as they can be tried where systemd does not run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path

import pytest

from tests.operation.supervisor import PASSES
from tests.patience import PATIENCE_WALL_S
from tui import exit_codes

FOLDER = Path(__file__).parents[2] / "docs" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
STOPPING = b"STOPPING=1\nEXTEND_TIMEOUT_USEC=300000000"
"""With time for the clock to print the results of a large run, for which TimeoutStopSec was too short."""


def service(unit: Path) -> dict[str, str]:
    """Return the settings of a unit's service."""
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as the standard library documents it
    parser.read(unit)
    return dict(parser["Service"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    """Every setting is known to it."""
    text = unit.read_text().replace("/usr/local/bin/ssmic", sys.executable).replace("User=ssmic", "User=root")
    copy = tmp_path / unit.name
    copy.write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_a_household_may_have_an_id_that_is_no_instance_of_a_unit() -> None:
    """Its file sets SSMIC_HOUSE, which an option would override; of `Haus 1`, systemd would pass on an escape."""
    unit = service(FOLDER / "ssmic-host@.service")
    assert "--house" not in unit["ExecStart"]
    assert "SSMIC_HOUSE=%i" in unit["Environment"].split()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_restarts_after_temporary_failures(unit: Path) -> None:
    """It restarts after all other exit codes; the supervisor of `make operate` does the same."""
    never = {int(code) for code in service(unit)["RestartPreventExitStatus"].split()}
    assert never == {exit_codes.FAILED, exit_codes.USAGE, exit_codes.INVALID, exit_codes.REFUSED}
    assert not never & PASSES
    assert service(unit)["SuccessExitStatus"] == str(128 + signal.SIGTERM)
    assert int(service(unit)["WatchdogSec"]) >= 3 * 5


@pytest.mark.parametrize(
    "unit", [UNITS[0], *(pytest.param(unit, marks=pytest.mark.long) for unit in UNITS[1:])], ids=lambda unit: unit.name
)
def test_what_a_unit_runs_is_ready_until_it_ends(unit: Path, tmp_path: Path) -> None:
    """A moment after its start, the clock reported that it was stopping; systemd killed it 15 s later, every time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(0.1)
        with started(unit, tmp_path, SSMIC_LIMIT="0.5") as process:
            assert process.wait(PATIENCE_WALL_S) == exit_codes.BROKER
        told = []
        with suppress(TimeoutError):
            while True:
                told.append(systemd.recv(100))
    assert told[-1:] == [STOPPING]
    assert set(told[:-1]) == {b"READY=1\nWATCHDOG=1"}


def test_what_a_unit_runs_is_ready_shows_life_and_stops_when_asked(tmp_path: Path) -> None:
    """Started as systemd starts it, with its socket; SIGTERM ends it with the code that counts as success."""
    unit = FOLDER / "ssmic-host@.service"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_WALL_S)
        with started(unit, tmp_path) as process:
            assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_WALL_S) == int(service(unit)["SuccessExitStatus"])
            assert systemd.recv(100) == STOPPING


def started(unit: Path, folder: Path, **more: str) -> subprocess.Popen[bytes]:
    """Start what a unit runs, without a broker; its files, and systemd's socket `notify`, are in a folder."""
    settings = service(unit)
    arguments = [a.replace("/etc/ssmic/scenario.yaml", "street") for a in settings["ExecStart"].split()[1:]]
    variables = settings["Environment"].replace("%i", "adler").replace("/var/lib/ssmic", str(folder))
    environment = {
        **os.environ,
        **dict(variable.split("=", 1) for variable in variables.split()),
        "SSMIC_BROKER": "mqtt://127.0.0.1:1",
        "NOTIFY_SOCKET": str(folder / "notify"),
        **more,
    }
    return subprocess.Popen([sys.executable, "-m", "tui", *arguments], env=environment, stderr=subprocess.PIPE)
