"""Expectations and events while a simulation runs: not yet, then held or failed; marked on the monitor's chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select, Static

from scenarios.files import load_text
from scenarios.load import bundled_text
from scenarios.simulation import Plan
from tests.tui.driving import steps, until
from tui.monitor.producers import ProducersPane
from tui.run.preview import first_day
from tui.run.progress_panel import ExpectationsPanel, expectation_lines
from tui.run.screen import RunScreen
from tui.run.simulation_client import SimulationClient
from tui.shell.navigation import RunScenario
from tui.widgets import Chart

TIMED = """\
  - {that: jobs_on_grid == 0, at: "08:00", name: nothing on the grid before eight}
  - {that: events == 5, at: "11:00"}
  - {that: 'self_sufficiency >= algorithm("fifty_fifty").self_sufficiency', at: "11:00"}
"""


def _front() -> str:
    return bundled_text("cloud-front").rstrip() + "\n" + TIMED


async def test_expectations_with_a_time_are_judged_during_the_run(tmp_path: Path) -> None:
    """The others, and comparisons with other algorithms, wait for the end, which confirms the timed ones."""
    scenario = load_text(_front(), "front", None)
    client = SimulationClient(Plan(scenario, (1,), bus="memory", folder=tmp_path), lambda: None)
    before = [(line.state, line.details) for line in expectation_lines(scenario, 1, {})]
    assert before[0] == ("not yet", "at the end")
    assert before[4] == ("not yet", "at 08:00")
    stopped = expectation_lines(scenario, 1, {}, is_over=True)
    assert {(line.state, line.details) for line in stopped} == {("not judged", "the run did not get that far")}

    await client.run()

    assert client.problem == ""
    during = client.judged[1]
    assert [None if one is None else one.holds for one in during] == [None, None, None, None, True, False, None]
    assert during[4:6] == client.verdicts[1][4:6]
    lines = expectation_lines(scenario, 1, client.verdicts)
    assert lines[5].state == "failed"
    assert lines[5].details == "events = 4"
    assert {line.state for line in lines[:5]} == {"held"}
    watched = client.feeds[0].watched
    marked = [mark.text for mark in watched.events_between(scenario.start_s, scenario.start_s + 86_400)]
    expected = [text for text in marked if text.startswith("expected: ")]
    assert [text for text in marked if text not in expected][:2] == [
        "Clouds from the west",
        "clouds over pv-adler, pv-dorn: 85 % less sun for 3 h",
    ]
    assert len(expected) == 3
    assert set(expected) <= {mark.text for mark in first_day(scenario).events}


@pytest.mark.long
async def test_the_run_screen_and_the_monitor_show_them_live(opened: Any, tmp_path: Path) -> None:
    """Before the run the chart has the events; while it stands at ten, what was due at eight has held."""
    file = tmp_path / "front.yaml"
    file.write_text(_front())
    async with opened(first_area="run", first_intent=RunScenario(str(file)), size=(140, 45)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        screen.query_one("#bus", Select).value = "memory"
        screen.query_one("#pace", Input).value = "60x"
        await until(pilot, lambda: screen.scenario is not None)
        await until(pilot, lambda: "Clouds from the west" in str(screen.query_one(Chart)._marks))
        await pilot.press("ctrl+r")
        panel = screen.query_one(ExpectationsPanel)
        await until(pilot, lambda: "7 not yet" in str(panel.query_one(Static).content))
        await until(pilot, lambda: pilot.app.monitored_run.state == "running")
        await pilot.press("space")
        await until(pilot, lambda: pilot.app.monitored_run.state == "paused")
        await steps(pilot, lambda: "nothing on the grid" in str(panel.query_one(Static).content) and _is_ten(pilot))
        await until(pilot, lambda: "1 held, 6 not yet" in str(panel.query_one(Static).content))
        await pilot.press("3", "P")
        chart = pilot.app.screen.query_one(ProducersPane).query_one(Chart)
        await until(pilot, lambda: "Clouds from the west" in str(chart._marks))
        batch = screen._batch
        assert batch is not None
        await batch.interrupt()
        await until(pilot, lambda: batch.is_over)


def _is_ten(pilot: Any) -> bool:
    watched = pilot.app.monitored_run.feed.watched
    return bool(watched.time.time >= watched.scenario_context.start_s + 10 * 3600)
