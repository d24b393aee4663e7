"""Pictures of each screen at both sizes.

After a change: `pytest tests/tui --snapshot-update`, and inspect them.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.image import SVGImageSnapshotExtension
from textual.widgets import TabbedContent

from scenarios.monitor.run_state import ObservedRun, ScenarioContext
from tests.tui.driving import dialog, still, until
from tui.shell.help import HelpScreen
from tui.widgets.table import VirtualTable

Opened = Any
SIZES = [pytest.param((80, 24), id="80x24"), pytest.param((140, 45), id="140x45", marks=pytest.mark.long)]
PANES = {"M": "messages", "J": "jobs", "P": "producers", "L": "ledger", "H": "hosts"}

SCENARIO = """\
version: 1
name: two
description: Two houses and a roof.
start: 2026-06-21T00:00:00Z
days: 1
seed: 1
load_profiles:
  dish: {step_s: 1800, power_w: [1800, 300, 300]}
houses:
  - id: ash
    devices:
      - {id: dishwasher, type: consumer, load_profile: dish}
      - id: pv-ash
        type: producer
        predictions:
          - {issued: "00:00", start: "05:00", step_s: 3600, power_w: [200, 900, 1900, 2800, 3400, 3600, 2900, 900]}
  - id: birch
    devices:
      - {id: washer, type: consumer, load_profile: dish}
jobs:
  - {house: ash, device: dishwasher, registered: "06:00", earliest_start: "07:00", latest_start: "12:00"}
  - {house: birch, device: washer, registered: "06:00", earliest_start: "08:30", latest_start: "15:00"}
"""


class Told:
    """A feed of a story that is over."""

    title, status, problem = "mqtt://broker:1883", "connected", ""

    def __init__(self, watched: ObservedRun) -> None:
        self.watched = watched

    async def run(self) -> None:
        """Nothing more comes."""

    async def control(self, control: object) -> None:
        """Discard commands."""


@pytest.fixture(scope="module")
def storybook() -> Iterator[ModuleType]:
    """Return the module of the story, from this folder, which is not a package."""
    spec = importlib.util.spec_from_file_location("story", Path(__file__).with_name("story.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("story", None)


@pytest.fixture
def picture(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compares a picture with the one that was approved."""
    return snapshot.use_extension(SVGImageSnapshotExtension)


def shown(screen: Any, name: str) -> bool:
    """Return whether a pane is in sight and its table takes keys."""
    pane = screen.query_one(TabbedContent).active_pane
    return pane is not None and pane.id == f"{name}-tab" and screen.focused is pane.query(VirtualTable).first()


@pytest.mark.long
@pytest.mark.parametrize("size", SIZES)
async def test_the_live_view(
    opened: Opened, picture: SnapshotAssertion, storybook: ModuleType, size: tuple[int, int]
) -> None:
    """Empty, and each pane of the story."""
    async with opened(first_area="negotiations", size=size) as pilot:
        screen = pilot.app.screen
        assert await still(pilot) == picture(name="nothing")
        watched = ObservedRun(
            storybook.RUN, ScenarioContext("story", storybook.DAY_S, storybook.at(24)), from_the_start=True
        )
        for topic, payload in storybook.story():
            watched.take(topic, payload)
        assert (watched.refused, watched.missing) == (0, 0)
        pilot.app.monitored_run.begin(Told(watched))
        for key, name in PANES.items():
            await pilot.press(key)
            await until(pilot, partial(shown, screen, name))
            if name == "jobs":
                await until(pilot, lambda: screen.query_one("#jobs").rows)
                await pilot.press("home", "down")
            assert await still(pilot) == picture(name=name)
        await pilot.press("question_mark")
        await dialog(pilot, HelpScreen)
        assert await still(pilot) == picture(name="help")


@pytest.mark.long
@pytest.mark.parametrize("size", SIZES)
async def test_the_run_screen(
    opened: Opened, picture: SnapshotAssertion, tmp_path: Path, size: tuple[int, int]
) -> None:
    """With a scenario, with problems, in the light theme, and with the palette above it."""
    (tmp_path / "two.yaml").write_text(SCENARIO)
    async with opened(first_area="run", size=size) as pilot:
        screen = pilot.app.screen
        screen.query_one("#source").value = "two.yaml"
        await until(pilot, lambda: screen._scenario is not None and screen._scenario.name == "two")
        screen.set_focus(None)
        assert await still(pilot) == picture(name="run")
        screen.query_one("#days").value = "-1"
        screen.query_one("#algorithm").value = "SLSQP"
        screen.query_one("#tolerance").value = "none"
        await pilot.press("ctrl+t")
        await until(pilot, lambda: not pilot.app.current_theme.dark)
        await until(pilot, lambda: "tolerance" in str(screen.query_one("#problem-algorithms").content))
        assert await still(pilot) == picture(name="mistakes, light")
