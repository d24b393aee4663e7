"""The log of a run, and producer scores before and after it, in *Results*."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from scenarios.results.reader import ResultsReader
from scenarios.results.rows import record_comparison
from scenarios.simulation.scores_file import ScoresFile
from tests.tui.driving import dialog, until
from tests.tui.results.driving import FIFTY, INSERTION, listed, opened_first, table, text, the_screen
from tui.results.pane_parts import Figures
from tui.shell.dialogs import Confirm

Opened = Any


@pytest.mark.long
async def test_the_log_shows_records_and_contracts_in_virtual_time(opened: Opened, newest: Path) -> None:
    """They belong to the chosen run; lines that are not records are skipped."""
    with ResultsReader(newest) as results:
        run = results.runs()[0]
        events = sum(len(entry.history) for entry in results.ledger(1))
    records = [
        {"event": "run begins", "level": "info", "run": 1, "seed": 1, "now_s": run.start_s},
        {"event": "host lost", "level": "warning", "run": 1, "host": "adler", "now_s": run.start_s + 3600},
        {"event": "run begins", "level": "info", "run": 2, "seed": 2, "now_s": run.start_s},
    ]
    lines = [*map(json.dumps, records), '{"event": "half a li']
    newest.with_suffix(".log.jsonl").write_text("\n".join(lines), encoding="utf-8")
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("E")
        await until(pilot, lambda: table(pilot, "#log-rows").rows)
        rows = list(table(pilot, "#log-rows").rows)
        assert rows[0].event == "run begins"
        assert "seed 1" in rows[0].details
        assert [(row.event, row.details) for row in rows if row.level == "warning"] == [("host lost", "host adler")]
        assert sum(row.level == "contract" for row in rows) == events > 0
        times = [row.time_s for row in rows if row.time_s is not None]
        assert times == sorted(times)
        assert "2 records" in text(pilot, "#tab-log .detail")
        await pilot.press("full_stop")
        await until(pilot, lambda: "1 record," in text(pilot, "#tab-log .detail"))


@pytest.mark.long
async def test_the_record_under_the_cursor_is_shown_in_full(opened: Opened, newest: Path) -> None:
    """At 80 columns "event of the timeline" was cut, and nothing showed long records to the end."""
    with ResultsReader(newest) as results:
        start_s = results.runs()[0].start_s
    why = "the broker did not answer for a long time, and the limit of this run has passed by now"
    records = [
        {"event": "event of the timeline", "level": "info", "run": 1, "now_s": start_s - 2, "n": 1},
        {
            "event": "waiting for the results file: locked by another process",
            "run": 1,
            "now_s": start_s - 1,
            "why": why,
        },
    ]
    newest.with_suffix(".log.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("E")
        await until(pilot, lambda: text(pilot, "#tab-log .record") == "event of the timeline: n 1")
        log = table(pilot, "#log-rows")
        assert "event of the timeline" in log.render_line(1).text
        await pilot.press("down")
        await until(pilot, lambda: text(pilot, "#tab-log .record").endswith(f"another process: why {why}"))


@pytest.mark.long
@pytest.mark.usefixtures("newest")
async def test_a_missing_log_is_reported(opened: Opened) -> None:
    """The history of contracts is in the results themselves."""
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("E")
        await until(pilot, lambda: table(pilot, "#log-rows").rows)
        assert "No log file insertion.log.jsonl beside the results" in text(pilot, "#tab-log .detail")


async def test_scores_before_and_after_are_shown_and_can_be_reset(opened: Opened, newest: Path) -> None:
    """The reset asks first; it affects the next run, not the results."""
    kept = ScoresFile.beside(newest, "street")
    await kept.learn({}, {"pv-adler": 3})
    with ResultsReader(newest) as results:
        scores = results.scores(1)
    assert set(scores) == {"pv-adler", "pv-brandt", "pv-celik", "pv-fuchs"}
    assert all(before == 10 for before, _ in scores.values())
    assert any(after != 10 for _, after in scores.values())
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("S")
        await until(pilot, lambda: table(pilot, "#score-rows").rows)
        rows = list(table(pilot, "#score-rows").rows)
        assert {row.producer: (row.before, row.after) for row in rows} == scores
        assert [row.after for row in rows] == sorted(row.after for row in rows)
        assert {row.producer: row.kept for row in rows if row.kept is not None} == {"pv-adler": 3}
        await until(pilot, lambda: table(pilot, "#score-rows").has_focus)
        for answer in (("escape",), ("right", "enter")):
            assert kept.scores() == {"pv-adler": 3}
            await pilot.press("X")
            await dialog(pilot, Confirm)
            await pilot.press(*answer)
            await until(pilot, lambda: pilot.app.screen is the_screen(pilot))
        await until(pilot, lambda: all(row.kept is None for row in table(pilot, "#score-rows").rows))
        assert kept.scores() == {}
        assert {row.producer: row.after for row in table(pilot, "#score-rows").rows} == {
            producer: after for producer, (_, after) in scores.items()
        }


@pytest.mark.long
async def test_the_share_of_the_optimum_is_in_sight_in_a_small_terminal(opened: Opened, newest: Path) -> None:
    """It is shown for each run, with its mean below, and among the figures of one run."""
    for run, share in ((1, 0.75), (2, 0.85)):
        record_comparison(newest, run, {"optimum": {"best_wh": 1.0, "bound_wh": 1.0, "share": share}, "baselines": []})
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        assert ("Share of the best plan", "75.0 %") in pilot.app.screen.query_one("#tab-all Figures", Figures).figures[
            :3
        ]
        await pilot.press("U")
        runs = table(pilot, "#runs")
        await until(pilot, lambda: len(runs.rows) == 4)
        (of_best,) = [i for i, column in enumerate(runs.columns) if column.title == "of best"]
        assert of_best in runs.columns_shown()
        assert [runs.columns[of_best].text(row) for row in runs.rows][:3] == ["75.0 %", "85.0 %", "80.0 %"]


async def test_the_share_of_the_shared_optimum_has_a_column_of_its_own(opened: Opened, newest: Path) -> None:
    """Shared supply may exceed the best plan of whole jobs: 131 % of the best alone was no help."""
    best = {"best_wh": 1.0, "bound_wh": 1.0}
    comparison = {"optimum": {**best, "share": 1.314}, "shared_optimum": {**best, "share": 0.912}, "baselines": []}
    record_comparison(newest, 1, comparison)
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("U")
        runs = table(pilot, "#runs")
        await until(pilot, lambda: len(runs.rows) == 4)
        shown = {runs.columns[i].title: runs.columns[i].text(runs.rows[0]) for i in runs.columns_shown()}
        assert (shown["of best"], shown["of shared"]) == ("131.4 %", "91.2 %")


def _log_is_of(pilot: Pilot[Any], name: str) -> bool:
    return name in text(pilot, "#tab-log .detail")


@pytest.mark.usefixtures("results_folder")
async def test_the_record_in_full_is_of_the_results_in_sight(opened: Opened) -> None:
    """Records of all results are numbered alike; the one of the results before stayed."""
    async with opened(first_area="results", size=(80, 24)) as pilot:
        for key in ("home", "end"):
            await listed(pilot)
            await pilot.press(key)
            await opened_first(pilot)
            await pilot.press("E")
            log = table(pilot, "#log-rows")
            name = Path(INSERTION if key == "end" else FIFTY).stem
            await until(pilot, partial(_log_is_of, pilot, name))
            assert log.row is not None
            assert text(pilot, "#tab-log .record") == f"{log.row.event}: {log.row.details}"
            await pilot.press("escape")


async def test_a_file_without_scores_is_read(opened: Opened, newest: Path) -> None:
    """It has no such table, and a notice says so."""
    with closing(sqlite3.connect(newest)) as connection, connection:
        connection.execute("DROP TABLE scores")
    connection.close()
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("S")
        await until(pilot, lambda: table(pilot, "#score-rows").rows)
        assert "This run has no scores" in text(pilot, "#tab-scores .detail")
        assert the_screen(pilot).simulation.tab == "scores"


@pytest.mark.parametrize(
    ("key", "rows"),
    [("dollar_sign", "#bill-rows"), pytest.param("S", "#score-rows", marks=pytest.mark.long)],
)
async def test_a_file_that_vanished_says_nothing_of_its_scenario(
    opened: Opened, newest: Path, key: str, rows: str
) -> None:
    """Another terminal moved it: the view said that the scenario had no tariff, or no producer."""
    async with opened(first_area="results", size=(100, 30)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        newest.unlink()
        await pilot.press(key)
        await until(pilot, lambda: "there is no such file" in text(pilot, "SimulationPane .problem"))
        await until(pilot, lambda: table(pilot, rows).size.height > 2)
        shown = "".join(table(pilot, rows).render_line(y).text for y in range(table(pilot, rows).size.height))
        assert "Could not be read" in shown
        assert "scenario" not in shown
