"""A run of several days in *Results*: one day is drawn, and keys go to others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.model import GRID
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.run_end import RecordedEnd
from scenarios.results.writer import RunWriter
from tests.scenarios.neighbourhoods import START_S, agreed, contract, forecast, job, load, neighbourhood, sun
from tests.tui.driving import until
from tests.tui.results.driving import WIDE, listed, opened_first, text, the_screen

DAY_S = 86_400
TITLE = "#tab-all .day-title"


def four_days(folder: Path) -> None:
    """Write a run of four days with a job on each."""
    jobs = [job(f"wash-{d}", "a", load((0, 0), (3600, 500)), (d * DAY_S, d * DAY_S + 7200)) for d in range(4)]
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (4 * DAY_S, 96_000)))}}, jobs)
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), folder=folder)
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        for d, of in enumerate(jobs):
            writer.entry(agreed(contract(of, GRID, d * DAY_S)))
        writer.finish(RecordedEnd("done", START_S + 4 * DAY_S))


async def test_keys_go_from_day_to_day(opened: Any, tmp_path: Path) -> None:
    """They lead to the next and previous day, and to any by its number; the other views show the same day."""
    four_days(tmp_path / "results")
    async with opened(first_area="results", size=WIDE) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        assert "day 1 of 4" in text(pilot, TITLE)
        await pilot.press("right_curly_bracket")
        assert "day 2 of 4" in text(pilot, TITLE)
        await pilot.press("left_curly_bracket", "left_curly_bracket")
        assert "day 1 of 4" in text(pilot, TITLE)
        await pilot.press("G", "backspace", "4", "enter")
        await until(pilot, lambda: "day 4 of 4" in text(pilot, TITLE))
        await pilot.press("U")
        await until(pilot, lambda: the_screen(pilot).simulation.day_pane.day_index == 3)
        await until(pilot, lambda: the_screen(pilot).simulation.day_pane.days is not None)


@pytest.mark.long
async def test_two_jobs_in_the_hour_that_occurs_twice_are_told_apart(opened: Any, tmp_path: Path) -> None:
    """Both were said to start at 02:30; the columns have the same width."""
    clocks_back_s = 1_792_890_000  # 2026-10-25 03:00 in Berlin, which becomes 02:00
    before_s = clocks_back_s - START_S - 1800
    jobs = [job(f"wash-{n}", "a", load((0, 0), (3600, 500)), (before_s, before_s + 7200)) for n in range(2)]
    scenario = replace(neighbourhood({"a": {}}, jobs), utc_offset_s=7200, zone_name="Europe/Berlin")
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), folder=tmp_path / "results")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        for n, of in enumerate(jobs):
            writer.entry(agreed(contract(of, GRID, before_s + 3600 * n)))
        writer.finish(RecordedEnd("done", START_S + before_s + DAY_S))
    async with opened(first_area="results", size=WIDE) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("z")
        await until(pilot, lambda: "2A:30" in (picture := pilot.app.export_screenshot()) and "2B:30" in picture)
