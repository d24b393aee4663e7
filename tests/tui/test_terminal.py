"""From start to exit in a real terminal: however the application ends, the terminal is restored."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE_WALL_S
from tests.tui.terminal import Terminal

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
SSMIC = f"{sys.executable} -m tui"
OURS = """\
# Our street.
version: 1
name: ours
start: 2026-06-21T00:00:00+02:00
seed: 1
houses:
  - id: "1"
    devices: []
jobs: []
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal that is closed at the end."""
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def ended(terminal: Terminal, code: int, folder: Path) -> str:
    """Wait until the application has ended with a code, and return what it left; the terminal is as it was."""
    picture = terminal.wait_for(f"ended with {code}")
    assert "Traceback" not in picture
    assert terminal.is_restored()
    terminal.wait_for_file(folder / "after")
    assert (folder / "after").read_text() == (folder / "before").read_text()
    return picture


def test_from_start_to_exit_in_a_real_terminal(terminal: Terminal, tmp_path: Path) -> None:
    """A bare `ssmic` opens it; a scenario is run and watched; it leaves the terminal as it found it."""
    terminal.open(SSMIC)
    terminal.wait_for("1 Neighbourhoods")
    terminal.press("F3")
    terminal.wait_for("6 houses, 4 producers")
    terminal.press("C-r")
    terminal.wait_for("✓ done")
    terminal.press("3")
    terminal.wait_for("■ ended")
    assert "§ Contract" in terminal.wait_for("what it says")
    terminal.press("?")
    terminal.wait_for("Help: Negotiations")
    terminal.press("Escape")
    terminal.press("C-q")
    assert "ssmic" not in ended(terminal, 0, tmp_path)
    assert len(list((tmp_path / "results").glob("*.sqlite"))) == 1


def test_a_defect_leaves_the_terminal_whole(terminal: Terminal, tmp_path: Path) -> None:
    """One line states the error and the file with the details."""
    (tmp_path / "broken.py").write_text(
        "from tui.app import SsmicApp, run_app\n"
        "from textual.widgets import Static\n"
        "def render(self):\n    raise ZeroDivisionError('a defect')\n"
        "import tui.shell.header\n"
        "tui.shell.header.AreaTab.render = render\n"
        "raise SystemExit(run_app())\n"
    )
    terminal.open(f"{sys.executable} broken.py")
    picture = ended(terminal, 1, tmp_path)
    assert "ZeroDivisionError: a defect" in picture
    assert "Details:" in picture


@pytest.mark.parametrize(
    "number",
    [*(pytest.param(number, marks=pytest.mark.long) for number in (signal.SIGTERM, signal.SIGINT)), signal.SIGHUP],
)
def test_a_signal_leaves_the_terminal_whole_and_loses_nothing(
    terminal: Terminal, tmp_path: Path, number: signal.Signals
) -> None:
    """The user cannot be asked, so unsaved changes are kept next to the file, and a line says so."""
    (tmp_path / "ours.yaml").write_text(OURS)
    terminal.open(f"sh -c 'echo $$ > pid; exec {SSMIC} tui ours.yaml'")
    terminal.wait_for("ours.yaml")
    terminal.press("h")
    terminal.wait_for("not saved")
    os.kill(int((tmp_path / "pid").read_text()), number)
    picture = ended(terminal, 128 + number, tmp_path)
    assert f"ended by {number.name}" in picture
    assert "ours.rescued.yaml" in picture.replace("\n", "")
    assert (tmp_path / "ours.yaml").read_text() == OURS
    kept = (tmp_path / "ours.rescued.yaml").read_text()
    assert kept.startswith("# Our street.")
    assert "House 2" in kept


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the system cannot tell when another's process has ended")
def test_a_run_ends_with_the_terminal_it_was_started_from(terminal: Terminal, tmp_path: Path) -> None:
    """Its process notices, and keeps what was agreed."""
    terminal.open(f"sh -c 'echo $$ > pid; exec {SSMIC}'")
    terminal.wait_for("1 Neighbourhoods")
    terminal.press("F3")
    terminal.wait_for("6 houses, 4 producers")
    terminal.press("C-r")
    terminal.wait_for("▶ running")
    process = os.pidfd_open(int((tmp_path / "pid").read_text()))
    terminal.close()
    assert select.select([process], [], [], PATIENCE_WALL_S)[0], "the application outlived its terminal"
    os.close(process)
    (results,) = (tmp_path / "results").glob("*.sqlite")
    assert results.stat().st_size > 0
