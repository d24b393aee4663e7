"""Notes above the views: hosts that a run ended without, and its disputes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import TabbedContent

from scenarios.load import load_scenario
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.rows import DroppedHost
from scenarios.results.run_end import RecordedEnd
from scenarios.results.writer import RunWriter
from tests.tui.driving import until
from tests.tui.results.driving import listed, opened_first, text, the_screen
from tui.results.runs import RunsPane

Opened = Any
OUT = (DroppedHost("brandt", "its messages break the protocol", is_quarantined=True),)


@pytest.fixture
def disputed_runs(tmp_path: Path) -> Path:
    """A calm run, and one that ended without a household and with four disputes."""
    folder = tmp_path / "results"
    folder.mkdir()
    scenario = load_scenario("street")
    path = create_results(SimulationSpec(scenario, "insertion", (1, 2), "memory"), out=folder / "r.sqlite")
    for run in (1, 2):
        with RunWriter(path, scenario, run=run, run_id=f"r{run}", seed=run, start_s=scenario.start_s) as writer:
            disputes = [f"job 'j{n}': it lies" for n in range(4)] if run == 2 else []
            writer.finish(RecordedEnd("done", scenario.start_s, without=OUT if run == 2 else (), disputes=disputes))
    return path


@pytest.mark.usefixtures("disputed_runs")
async def test_the_displayed_run_names_quarantined_hosts_and_disputes(opened: Opened) -> None:
    """An undisturbed run has no notes; hidden ones are counted; in the view of all runs, notes name their run."""
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        assert not the_screen(pilot).simulation.query_one(".notes").display
        the_screen(pilot).simulation.show_run(2)
        await until(pilot, lambda: the_screen(pilot).simulation.query_one(".notes").display)
        assert text(pilot, "#simulation .notes").splitlines() == [
            "brandt was quarantined: its messages break the protocol.",
            "4 disputes; the ledger stands: job 'j0': it lies",
            "and 3 more: ssmic results show r.sqlite",
        ]
        the_screen(pilot).simulation.show_run(1)
        the_screen(pilot).simulation.show_tab("runs")
        await until(pilot, lambda: text(pilot, "#simulation .notes").startswith("Run 2: brandt was quarantined"))


@pytest.mark.usefixtures("disputed_runs")
async def test_a_view_that_is_left_while_it_is_read_is_read_when_it_is_opened_again(opened: Opened) -> None:
    """It stayed empty, and said that no run had begun, for as long as the file did not change."""
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        simulation = the_screen(pilot).simulation
        views, runs = simulation.query_one("#views", TabbedContent), simulation.query_one(RunsPane)
        for tab in ("runs", "bills"):
            views.active = f"tab-{tab}"
            simulation.draw()
        await until(pilot, lambda: not simulation.is_reading("sheet"))
        assert runs.sheet is None
        views.active = "tab-runs"
        await until(pilot, lambda: runs.sheet is not None)
        assert "reading" not in text(pilot, "#simulation .title")


@pytest.mark.usefixtures("disputed_runs")
async def test_a_run_that_is_chosen_again_while_another_is_read_stays_displayed(opened: Opened) -> None:
    """The other one took its place, below the name of the first."""
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        simulation = the_screen(pilot).simulation
        for run in (2, 1):
            simulation.run = run
            simulation.draw()
        assert simulation.is_reading("sheet")
        await until(pilot, lambda: not simulation.is_reading("sheet"))
        pane = simulation.sheet_pane
        assert pane is not None
        assert pane.sheet is not None
        assert pane.sheet.run.run == 1
