"""Two simulations side by side: figures, days and jobs are those of the results."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.widget import Widget
from textual.widgets import Static

from scenarios.results.reader import ResultsReader
from scenarios.results.views import view_runs
from tests.tui.driving import click, dialog, notices, until
from tests.tui.results.driving import FIFTY, INSERTION, WIDE, listed, opened_first, table, text, the_screen
from tui.results.comparison import OtherChooser
from tui.results.comparison.comparison_view import ComparisonPane, DayOfSide
from tui.shell import CompareResults
from tui.widgets.chart import Chart

Opened = Any


async def test_two_marked_ones_are_compared(opened: Opened, results_folder: Path) -> None:
    """Means over their runs, and what the second has more; escape leads back to the list."""
    spreads = []
    for name in (FIFTY, INSERTION):
        with ResultsReader(results_folder / name) as results:
            spreads.append(view_runs(results).statistics)
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await pilot.press("space", "down", "space", "v")
        await until(pilot, lambda: the_screen(pilot).place == "comparison")
        assert "fifty_fifty, 1 run" in text(pilot, "#comparison .title")
        assert "insertion, 2 runs" in text(pilot, "#comparison .title")
        rows = {row.figure.name: row for row in table(pilot, "#figures-rows").rows}
        for name in ("delivered_wh", "grid_wh", "self_sufficiency", "jobs"):
            assert tuple(spread.mean for spread in rows[name].spreads) == (spreads[0][name].mean, spreads[1][name].mean)
        difference = rows["delivered_wh"].differences[1].mean
        means = [spread["delivered_wh"].mean or 0.0 for spread in spreads]
        assert difference == pytest.approx(means[1] - means[0])
        assert means[1] > means[0] > 0
        # Where labels are cut, letters still tell the columns apart.
        titles = [column.title for column in table(pilot, "#differences-rows").columns]
        assert titles == ["paired by seed", "B \N{MINUS SIGN} A insertion"]
        await pilot.press("escape")
        await until(pilot, lambda: the_screen(pilot).place == "list")


@pytest.mark.long
async def test_the_open_one_is_compared_with_another(opened: Opened, results_folder: Path) -> None:
    """Chosen from those that can be read; jobs that became different come first; escape leads back to it."""
    (results_folder / "broken.sqlite").write_text("no results", encoding="utf-8")
    starts = {}
    for name in (FIFTY, INSERTION):
        with ResultsReader(results_folder / name) as results:
            starts[name] = {
                entry.contract.job_id: (entry.contract.producer, entry.contract.start_s)
                for entry in results.ledger(1)
                if entry.state == "standing"
            }
    async with opened(first_area="results") as pilot:
        await listed(pilot, 3)
        table(pilot, "#entries").go_to(Path("results") / FIFTY)
        await opened_first(pilot)
        await pilot.press("v")
        await dialog(pilot, OtherChooser)
        assert [row.path.name for row in pilot.app.screen.query_one("VirtualTable").rows] == [INSERTION]
        await pilot.press("enter")
        await until(pilot, lambda: getattr(pilot.app.screen, "place", "") == "comparison")
        await pilot.press("J")
        jobs = table(pilot, "#job-rows")
        await until(pilot, lambda: jobs.has_focus)
        same = {job for job in starts[FIFTY] if starts[FIFTY][job] == starts[INSERTION].get(job)}
        assert {row.job_id for row in jobs.rows if row.is_same} == same
        assert [row.is_same for row in jobs.rows] == sorted(row.is_same for row in jobs.rows)
        for row in jobs.rows:
            second = row.contracts[1]
            assert second is None or (second.producer, second.start_s) == starts[INSERTION][row.job_id]
        await pilot.press("T", "K")
        await until(pilot, lambda: table(pilot, "#figures-rows").has_focus)
        await click(pilot, pilot.app.screen.query_one("#comparison BackLink"))
        await until(pilot, lambda: the_screen(pilot).place == "simulation")


@pytest.mark.long
@pytest.mark.usefixtures("results_folder")
async def test_two_days_share_a_scale(opened: Opened) -> None:
    """Otherwise the smaller one would look as large as the other."""
    async with opened(first_area="results", size=WIDE) as pilot:
        await listed(pilot)
        await pilot.press("space", "down", "space", "v")
        await until(pilot, lambda: the_screen(pilot).place == "comparison")
        pane = the_screen(pilot).comparison
        await pilot.press("T")
        await until(pilot, lambda: pane.tab == "days")
        comparison = pane.comparison
        assert comparison is not None
        first_side, second_side = comparison.sides
        day = second_side.day
        dark = replace(day, production=replace(day.production, mean_w=day.production.mean_w * 0.1))
        pane._show(replace(comparison, sides=(first_side, replace(second_side, day=dark))))
        await pilot.pause()
        first, second = (chart.reach for chart in pane.query(Chart))
        assert first == second > 10_000


async def test_one_without_a_run_cannot_be_compared(opened: Opened, results_folder: Path) -> None:
    """A notice says so, and the list stays."""
    with closing(sqlite3.connect(results_folder / INSERTION)) as connection, connection:
        connection.executescript(
            "DELETE FROM consumption; DELETE FROM production; DELETE FROM messages; DELETE FROM history;"
            "DELETE FROM contracts; DELETE FROM runs"
        )
    connection.close()
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await pilot.press("space", "down", "v")
        await until(pilot, lambda: any("has no run yet" in message for _, message in notices(pilot)))
        assert the_screen(pilot).place == "list"


async def test_three_can_be_told_apart_in_a_small_terminal(opened: Opened, results_folder: Path) -> None:
    """Titles begin with what differs, columns have it; the focus shows each chart of an average day with its name."""
    late = results_folder / "late.sqlite"
    shutil.copy(results_folder / INSERTION, late)
    with closing(sqlite3.connect(late)) as connection, connection:
        connection.execute(
            "UPDATE simulation SET settings_json = json_set(settings_json, '$.promise', 'late'),"
            " created_utc = '2026-01-01T00:00:00+00:00'"
        )
    connection.close()
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 3)
        pilot.app.post_message(CompareResults((results_folder / INSERTION, late, results_folder / FIFTY)))
        await until(pilot, lambda: the_screen(pilot).place == "comparison")
        lines = text(pilot, "#comparison .title").splitlines()
        assert [line.partition(",")[0] for line in lines] == [
            "A  insertion (promise early)",
            "B  insertion (promise late)",
            "C  fifty_fifty (promise early)",
        ]
        titles = [column.title for column in table(pilot, "#figures-rows").columns]
        assert titles[1:] == ["A insertion, promise early", "B insertion, promise late", "C fifty_fifty, promise early"]

        def header() -> list[str]:
            words = "".join(segment.text for segment in table(pilot, "#figures-rows").render_line(0)).split()
            return [word for word in words if word in {"A", "B", "C", "early", "late"}]

        await until(pilot, lambda: header() == ["A", "early", "B", "late", "C", "early"])
        await pilot.press("T")
        days = pilot.app.screen.query_one("#days")
        for day in days.query(DayOfSide):
            chart, name = day.query_one(Chart), day.query_one(Static)
            await until(pilot, partial(is_read, days, chart, name))
            await pilot.press("tab")
        the_screen(pilot).query_one(ComparisonPane).show_tab("jobs")
        await until(pilot, lambda: text(pilot, "#compare-jobs .detail").endswith("C: in a wider terminal."))
        await pilot.resize_terminal(130, 24)
        await until(pilot, lambda: "wider terminal" not in text(pilot, "#compare-jobs .detail"))


def is_read(days: Widget, chart: Chart, name: Static) -> bool:
    """Return whether a chart has the focus, and its name is in sight."""
    return chart.has_focus and days.region.contains_region(name.region)
