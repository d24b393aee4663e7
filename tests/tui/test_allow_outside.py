"""`ssmic tui --allow-outside`: a scenario may name files outside its folder, wherever the application reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static
from typer.testing import CliRunner

from scenarios.sweep import SweepRequest
from tests.tui.cli.conftest import SMALL
from tests.tui.driving import until
from tui.cli.app import app
from tui.run.screen import RunScreen
from tui.run.sweep_dialog import arguments
from tui.shell.navigation import EditScenario, RunScenario

Opened = Any
ways = pytest.mark.parametrize(
    "is_allowed", [pytest.param(False, marks=pytest.mark.long, id="refused"), pytest.param(True, id="allowed")]
)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A scenario whose forecast is in the folder above its own."""
    (tmp_path / "sun.csv").write_text("1782021600 0\n1782064800 6000\n")
    folder = tmp_path / "scenario"
    folder.mkdir()
    file = folder / "s.yaml"
    file.write_text(SMALL.replace('points: [["06:00", 0], ["18:00", 6000]]', "file: ../sun.csv"))
    return file


@ways
async def test_the_editor_checks_and_draws_what_it_may_read(opened: Opened, outside: Path, *, is_allowed: bool) -> None:
    """The problem says how to allow it; allowed, the forecast is drawn."""
    options = {"allow_outside": True} if is_allowed else {}
    async with opened(first_area="neighbourhoods", first_intent=EditScenario(str(outside)), **options) as pilot:
        screen: Any = pilot.app.screen
        await until(pilot, lambda: screen.work is not None and screen.session.is_checked)
        problems = [problem.what for problem in screen.work.problems]
        assert problems == [] if is_allowed else "give --allow-outside" in " ".join(problems)
        screen.session.select(("houses", 0, "devices", 1))
        await until(pilot, lambda: screen.workspace.preview.drawn == ("houses", 0, "devices", 1))
        assert screen.workspace.preview.has_class("some") == is_allowed


@pytest.mark.long
@ways
async def test_a_run_and_a_sweep_read_what_they_may(opened: Opened, outside: Path, *, is_allowed: bool) -> None:
    """The form of *Run* loads it; the command of a sweep has the option."""
    options = {"allow_outside": True} if is_allowed else {}
    async with opened(first_area="run", first_intent=RunScenario(str(outside)), **options) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        about = screen.query_one(".about", Static)
        await until(pilot, lambda: str(about.content) not in {"", "loading ..."})
        assert (screen.scenario is not None) == is_allowed
    request = SweepRequest("s.yaml", ("days=1,2",), allow_outside=is_allowed)
    assert ("--allow-outside" in arguments(request)) == is_allowed


def test_the_command_has_the_option() -> None:
    """The help lists it; without a terminal, nothing else can be tested here."""
    ended = CliRunner().invoke(app, ["tui", "--help"])
    assert "--allow-outside" in ended.stdout
