"""`ssmic --help` answers at once because nothing heavy is imported for it, and a run needs no Textual."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.conftest import PROJECT, environment
from tests.patience import PATIENCE_WALL_S

HEAVY = {"pydantic", "numpy", "scipy", "pandas", "aiomqtt", "paho", "amqtt", "structlog", "textual", "rich", "yaml"}

SHOW_IMPORTED = """
import sys
from tui.cli.app import app
app(sys.argv[1:], standalone_mode=False, prog_name="ssmic")
print("IMPORTED", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def imported_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a command has imported when it ends, in a separate interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW_IMPORTED, *arguments],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_WALL_S,
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["results", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """It does not import what the commands need; only Typer imports pydantic for a command's parameters."""
    allowed = {"pydantic"} if len(arguments) > 1 else set()
    assert not imported_by(*arguments) & HEAVY - allowed


def test_checking_imports_no_broker_and_no_solver() -> None:
    """So checking does not wait for them."""
    assert not imported_by("check", "street") & {"scipy", "pandas", "aiomqtt", "amqtt", "textual"}


def test_a_run_in_memory_needs_neither_textual_nor_scipy_nor_a_second_broker(tmp_path: object) -> None:
    """`insertion` is NumPy only; amqtt takes half a second to import."""
    out = f"{tmp_path}/run.sqlite"
    imported = imported_by("run", "street", "--bus", "memory", "--out", out)
    assert not imported & {"textual", "scipy", "pandas", "amqtt"}


def test_screens_import_nothing_that_only_runs_need() -> None:
    """They show verdicts on runs, and the runs are done by other processes."""
    shows = "import sys, tui.app, tui.run.screen; print('IMPORTED', *sys.modules)"
    command = [sys.executable, "-c", shows]
    done = subprocess.run(command, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"cryptography", "multiprocessing", "scenarios.simulation.simulation"}


@pytest.mark.long
def test_a_worker_of_a_sweep_imports_nothing_that_reads_scenarios() -> None:
    """A run of the street takes less time than a worker's start; workers receive checked scenarios."""
    shows = "import sys, scenarios.sweep.workers; print('IMPORTED', *sys.modules)"
    command = [sys.executable, "-c", shows]
    done = subprocess.run(command, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "scenarios.simulation.run" in imported
    assert not imported & {"yaml", "defusedxml", "jinja2", "scenarios.load", "scenarios.files.scenario_from_text"}
