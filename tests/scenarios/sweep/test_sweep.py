"""A sweep's results: the same however they came about, and the same as those of single runs."""

from __future__ import annotations

import asyncio
import csv
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import ssmic
from agents.errors import SettingsError
from scenarios.results import ResultsError, ResultsExistError, ResultsLockedError, ResultsReader
from scenarios.scenario import Scenario
from scenarios.simulation import Plan, RunSettings, open_simulation
from scenarios.sweep import (
    SweepPlan,
    SweepProgress,
    SweepRequest,
    compared_points,
    export_sweep,
    plan_sweep,
    read_sweep,
    write_sweep_report,
)
from scenarios.sweep.export import tables as export_tables
from scenarios.sweep.one_run import FIGURES, SweepRow, perform
from scenarios.sweep.results_file import open_sweep
from tests.scenarios.files.series.test_coverage_notes import TEXT
from tests.scenarios.sweep.small_sweep import REQUEST, content, sweep
from tests.scenarios.timeline.two_roofs import TWO_ROOFS


class StopNowError(Exception):
    """Stops a sweep, as Ctrl-C would."""


@pytest.mark.long
def test_a_sweep_that_was_stopped_and_resumed_has_the_same_content(
    plan: SweepPlan, undisturbed: Path, tmp_path: Path
) -> None:
    """A sweep that was stopped and resumed has the same content."""
    path = tmp_path / "resumed.sqlite"

    def stop_after_one(now: SweepProgress) -> None:
        if now.done > now.before:
            raise StopNowError

    kept = 0
    while kept < plan.count - 1:
        with pytest.raises(StopNowError):
            sweep(plan, path, workers=2, on_progress=stop_after_one)
        results = read_sweep(path)
        assert len(results.rows) == kept + 1
        assert not results.is_complete
        kept = len(results.rows)
    reported: list[SweepProgress] = []
    sweep(plan, path, workers=2, on_progress=reported.append)
    assert reported[0] == SweepProgress(plan.count - 1, plan.count, plan.count - 1)
    assert reported[-1].done == plan.count
    assert content(path) == content(undisturbed)
    assert sweep(plan, path).sha256 == read_sweep(undisturbed).info.sha256, "a complete sweep has nothing left to do"


def test_the_same_command_runs_what_failed_again(plan: SweepPlan, undisturbed: Path, tmp_path: Path) -> None:
    """A run may have failed for want of memory or disk space: its row then states the error, and no figures."""
    path = tmp_path / "failed.sqlite"
    path.write_bytes(undisturbed.read_bytes())
    unknown = ", ".join(f'"{name}" = NULL' for name in FIGURES)
    with closing(sqlite3.connect(path)) as connection, connection:
        failed = f"state = 'failed', error = 'disk full', ledger_sha256 = NULL, {unknown}"
        connection.execute(f"UPDATE runs SET {failed} WHERE run = 2")  # noqa: S608 - our own names
        connection.execute("UPDATE meta SET value = 'null' WHERE key = 'sha256'")
    assert [row.error for row in read_sweep(path).rows] == ["", "disk full", "", ""]
    reported: list[SweepProgress] = []
    outcome = sweep(plan, path, workers=1, on_progress=reported.append)
    assert reported[0] == SweepProgress(plan.count - 1, plan.count, plan.count - 1)
    assert not outcome.failed
    assert content(path) == content(undisturbed)


def assert_is_simulated(row: SweepRow, settings: RunSettings, scenario: Scenario, out: Path) -> None:
    """Check that a simulation of a run comes to the same ledger and figures as the sweep."""

    async def simulated() -> Path:
        plan = Plan(
            scenario, (settings.seed,), settings.algorithm, "memory", days=settings.days, start_scores={}, out=out
        )
        async with open_simulation(plan) as simulation:
            await simulation.run()
            return simulation.results_file

    with ResultsReader(asyncio.run(simulated())) as reader:
        run = reader.runs()[0]
        assert run.ledger_sha256 == row.ledger_sha256
        kpis = reader.kpis(1).as_dict()
    assert row.figures == {
        **{k: kpis[k] for k in row.figures if k in kpis},
        "negotiations": run.negotiations,
        "messages": run.messages,
    }


@pytest.mark.parametrize(("fixed", "is_warned"), [((), True), (("days=1",), False)])
def test_points_whose_runs_end_at_other_times_are_warned_of(
    fixed: tuple[str, ...],
    is_warned: bool,  # noqa: FBT001 - drawn
    tmp_path: Path,
) -> None:
    """Without `days`, a run ends with its last job, so a later one adds production and base load."""
    file = tmp_path / "late.yaml"
    text = TWO_ROOFS.replace("days: 1\n", "").replace(
        'registered: "06:00", earliest_start: "11:00"', 'registered: "${at}", earliest_start: "${at}"'
    )
    file.write_text(f'vars: {{at: "11:00"}}\n{text}', encoding="utf-8")
    request = SweepRequest(str(file), ("at=11:00,11:30,15:00",), ("patient=false", *fixed), seeds=1)
    path = tmp_path / "late.sqlite"
    assert not sweep(plan_sweep(request), path, workers=1).failed
    said = [warning for warning in compared_points(read_sweep(path)).warnings if "ended at other times" in warning]
    what = "Runs of at=11:30 and 1 other point ended at other times than those of at=11:00, so their production"
    assert len(said) == is_warned
    assert all(one.startswith(what) and "--set days=N" in one for one in said)


def test_a_row_is_what_a_simulation_of_that_run_says(undisturbed: Path, tmp_path: Path) -> None:
    """A row is what a simulation of that run says."""
    results = read_sweep(undisturbed)
    row = next(row for row in results.rows if results.point_of(row) == 2 and results.seed_of(row) == 2)
    point = plan_sweep(REQUEST)
    settings = next(run for run in point.runs() if run.run == row.run).settings
    assert_is_simulated(row, settings, point.variants[0], tmp_path / "one.sqlite")


def test_figures_take_the_events_of_the_timeline_into_account(tmp_path: Path) -> None:
    """Clouds change the production, jobs are added, and prices change during the run."""
    text = """\
timeline:
  - {at: "10:00", do: cloud, factor: 0.2, ramp: 10m, duration: 3h}
  - {at: "11:00", do: add_job, house: b, device: washer, earliest_start: "13:00", latest_start: "16:00"}
  - {at: "12:00", do: tariff, import_eur_per_kwh: 0.8}
"""
    file = tmp_path / "two.yaml"
    file.write_text(TWO_ROOFS + text, encoding="utf-8")
    plan = plan_sweep(SweepRequest(str(file), seeds=1))
    (order,) = plan.runs()
    row = perform(plan.variants[0], order)
    assert row.state == "done"
    assert row.figures["jobs"] == 3
    assert_is_simulated(row, order.settings, plan.variants[0], tmp_path / "one.sqlite")


@pytest.mark.long
def test_a_variable_may_have_the_name_of_a_column(tmp_path: Path) -> None:
    """Its column is then named as on the command line, with `vars.` before it."""
    text = TWO_ROOFS.replace("power_w: [1000, 500]", "power_w: ['${jobs}', '${Mean}']")
    file = tmp_path / "two.yaml"
    file.write_text(f"{text}vars: {{jobs: 1000, Mean: 500}}\n", encoding="utf-8")
    request = SweepRequest(str(file), ("jobs=1000,2000", "vars.Mean=500"), seeds=1)
    plan = plan_sweep(request)
    assert plan.keys == ("vars.jobs", "vars.Mean")
    sweep(plan, tmp_path / "sweep.sqlite", workers=1)
    results = read_sweep(tmp_path / "sweep.sqlite")
    (first, second) = export_tables(results)["runs"][1]
    assert results.info.points == ("vars.jobs=1000, vars.Mean=500", "vars.jobs=2000, vars.Mean=500")
    assert [row.figures["jobs"] for row in results.rows] == [2, 2]
    assert (first[2:4], second[2:4]) == ((1000, 500), (2000, 500))


def test_a_column_of_numbers_and_texts_is_text_in_parquet(tmp_path: Path) -> None:
    """A price can be a number in one point, and depend on the time in another one."""
    by_time = "{time_of_use: [{begin: 00:00, end: 24:00, eur_per_kwh: 0.2}]}"
    plan = plan_sweep(SweepRequest("street", (f"tariff.import_eur_per_kwh=0.3,{by_time}",), seeds=1))
    with open_sweep(tmp_path / "sweep.sqlite", plan) as file:
        for run in (1, 2):
            file.add(SweepRow(run, "failed", {}, None, "disk full", 0.1))
    runs, *_ = export_sweep(read_sweep(tmp_path / "sweep.sqlite"), "parquet", tmp_path)
    assert pd.read_parquet(runs)["tariff.import_eur_per_kwh"].tolist() == ["0.3", by_time]


def test_the_file_has_a_tidy_table_a_summary_and_pairs(undisturbed: Path) -> None:
    """The file has a tidy table a summary and pairs."""
    connection = sqlite3.connect(undisturbed)
    try:
        tidy = connection.execute("SELECT algorithm, seed, state FROM runs").fetchall()
        summary = connection.execute(
            "SELECT point, runs FROM summary WHERE figure = 'self_sufficiency' AND low_95 <= mean AND mean <= high_95"
        ).fetchall()
        pairs = connection.execute(
            "SELECT reference, p.point, seeds, p.mean - (b.mean - a.mean) FROM pairwise p"
            " JOIN summary a ON a.point = reference AND a.figure = p.figure"
            " JOIN summary b ON b.point = p.point AND b.figure = p.figure WHERE p.figure = 'delivered_wh'"
        ).fetchall()
    finally:
        connection.close()
    assert tidy == [(name, seed, "done") for name in ("insertion", "fifty_fifty") for seed in (1, 2)]
    assert summary == [(1, 2), (2, 2)]
    assert [pair[:3] for pair in pairs] == [(1, 2, 2)]
    assert pairs[0][3] == pytest.approx(0, abs=1e-6)


@pytest.mark.long
def test_a_sweep_is_read_as_frames(undisturbed: Path) -> None:
    """Tidy, with the values of what is varied; a simulation's loader names the one for sweeps."""
    frames = ssmic.results.load_sweep(undisturbed)
    assert list(frames.points.algorithm) == ["insertion", "fifty_fifty"]
    assert frames.runs.groupby("algorithm", sort=False).seed.count().tolist() == [2, 2]
    assert frames.runs.self_sufficiency.dtype == "Float64"
    assert {"mean", "low_95", "high_95"} <= set(frames.summary.columns)
    assert set(frames.pairwise.seeds) == {2}
    assert "4 of 4 runs" in repr(frames)
    with pytest.raises(ResultsError, match=r"ssmic\.results\.load_sweep"):
        ssmic.results.load(undisturbed)


def test_tables_and_report_of_the_same_sweep_are_the_same_bytes(undisturbed: Path, tmp_path: Path) -> None:
    """Tables and report of the same sweep are the same bytes."""
    results = read_sweep(undisturbed)
    first = export_sweep(results, "csv", tmp_path / "a")
    again = export_sweep(read_sweep(undisturbed), "csv", tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    with first[0].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["algorithm"] for row in rows] == ["insertion"] * 2 + ["fifty_fifty"] * 2
    assert float(rows[0]["self_sufficiency"]) == results.rows[0].figures["self_sufficiency"]
    write_sweep_report(results, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "algorithm=fifty_fifty" in page
    assert page.count("<svg") >= 1
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")


def test_points_are_compared_on_the_same_seeds(undisturbed: Path) -> None:
    """Points are compared on the same seeds."""
    comparison = compared_points(read_sweep(undisturbed))
    assert [one.label for one in comparison.simulations] == ["algorithm=insertion", "algorithm=fifty_fifty"]
    difference = comparison.difference(0, 1)
    assert difference is not None
    assert difference.seeds == (1, 2)


def test_another_sweep_never_overwrites_a_file(undisturbed: Path, tmp_path: Path) -> None:
    """Another sweep never overwrites a file."""
    other = plan_sweep(SweepRequest("street", REQUEST.vary, REQUEST.fixed, seeds=3))
    before = undisturbed.read_bytes()
    with pytest.raises(ResultsExistError, match=r"holds another sweep \(--seeds 2 and now 3\)"):
        sweep(other, undisturbed)
    assert undisturbed.read_bytes() == before
    foreign = tmp_path / "notes.sqlite"
    foreign.write_text("mine", encoding="utf-8")
    with pytest.raises(ResultsExistError, match="is not a sweep"):
        sweep(other, foreign)
    assert foreign.read_text(encoding="utf-8") == "mine"


def test_the_error_for_another_sweep_names_every_option_that_differs(undisturbed: Path) -> None:
    """Each option that changes a sweep's runs is named as on the command line."""
    varied = ("algorithm=insertion,fifty_fifty", "jobs[adler-car].latest_start=18:00,19:00")
    together = ("algorithm,jobs[adler-car].latest_start",)
    zipped = SweepRequest("street", varied, REQUEST.fixed, 2, 5, allow_outside=True, together=together)
    sampled = SweepRequest("scarce", REQUEST.vary, ("days=2",), 2, sample=2, sample_seed=3)
    for request, options in (
        (zipped, ["--vary", "--seed", "--zip"]),
        (sampled, ["scenario", "--set", "--sample", "--sample-seed"]),
    ):
        with pytest.raises(ResultsExistError) as refused:
            sweep(plan_sweep(request), undisturbed)
        differences = str(refused.value).partition("(")[2].rpartition(")")[0]
        assert [difference.split()[0] for difference in differences.split("; ")] == options


@pytest.mark.long
def test_the_number_of_hosts_changes_no_ledger(tmp_path: Path) -> None:
    """The number of hosts changes no ledger."""
    plan = plan_sweep(SweepRequest("street", ("hosts=1,2",), ("days=1",), seeds=1))
    outcome = sweep(plan, tmp_path / "hosts.sqlite", workers=1)
    ledgers = {row.ledger_sha256 for row in read_sweep(tmp_path / "hosts.sqlite").rows}
    assert outcome.failed == ()
    assert len(ledgers) == 1, "how agents are spread over hosts changes nothing"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("DELETE FROM meta WHERE key = 'seeds'", "seeds: Field required"),
        ("UPDATE meta SET value = '[]' WHERE key = 'seeds'", "seeds"),
        ("UPDATE meta SET value = '7' WHERE key = 'values'", "values"),
        ("UPDATE meta SET value = '{\"source\": 3}' WHERE key = 'request'", "request.source"),
        ("UPDATE meta SET value = '[' WHERE key = 'request'", "damaged"),
        ("UPDATE points SET point = 7 WHERE point = 2", "points 1 to 2"),
        ("UPDATE points SET label = x'00'", "label"),
        ("UPDATE runs SET run = 99 WHERE run = 1; UPDATE timing SET run = 99 WHERE run = 1", "expected 1 to 4"),
        ("UPDATE runs SET negotiations = 'many' WHERE run = 1", "'many' as negotiations"),
        (
            "UPDATE runs SET consumed_wh = 9e999 WHERE run = 1",
            "'inf' as consumed_wh, expected a number of at most 1e+15",
        ),
        ("UPDATE runs SET ledger_sha256 = x'00' WHERE run = 1", "run 1 has a hash"),
        ("UPDATE timing SET wall_s = 'long' WHERE run = 1", "wall time"),
        ("DROP TABLE timing; CREATE VIEW timing AS SELECT 1 AS run, 1 AS wall_s", "the view 'timing'"),
    ],
)
def test_a_damaged_file_is_one_error_with_its_name(undisturbed: Path, tmp_path: Path, change: str, named: str) -> None:
    """Whatever a stranger's file holds, reading it ends in an error that says what is wrong."""
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(undisturbed.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(change)
    with pytest.raises(ResultsError, match=re.escape(named)) as caught:
        read_sweep(path)
    assert str(caught.value).startswith(f"{path}: is damaged: ")


def test_a_sweep_of_a_newer_release_is_not_called_damaged(undisturbed: Path, tmp_path: Path) -> None:
    """Its tables may be others than those that this release reads."""
    path = tmp_path / "newer.sqlite"
    path.write_bytes(undisturbed.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("ALTER TABLE runs RENAME COLUMN delivered_wh TO delivered; PRAGMA user_version = 2")
    with pytest.raises(ResultsError, match=r"written by a newer ssmic \(format 2; this one reads up to 1\)"):
        read_sweep(path)


def test_a_state_of_a_newer_release_need_not_be_damage(undisturbed: Path, tmp_path: Path) -> None:
    """As in the results of a simulation, a new word does not change the format."""
    path = tmp_path / "newer.sqlite"
    path.write_bytes(undisturbed.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "PRAGMA ignore_check_constraints = ON; UPDATE runs SET state = 'skipped' WHERE run = 1"
        )
    newer = "is damaged, or was written by a newer ssmic: run 1 has the state 'skipped'"
    with pytest.raises(ResultsError, match=newer):
        read_sweep(path)


def test_a_locked_sweep_is_not_called_damaged(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program is writing to it, and is soon done."""
    monkeypatch.setattr("scenarios.sweep.results_file._BUSY_WALL_S", 0.01)
    path = tmp_path / "locked.sqlite"
    path.write_bytes(undisturbed.read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ResultsLockedError, match=r"locked\.sqlite: cannot be read: database is locked"):
            read_sweep(path)


def test_a_scenario_with_real_devices_is_not_swept(tmp_path: Path) -> None:
    """They would take part in none of the runs, whose figures would say nothing."""
    file = tmp_path / "plug.yaml"
    file.write_text(TEXT.replace("type: consumer", "type: consumer, gateway: {adapter: tasmota, topic: tasmota_A1}", 1))
    with pytest.raises(SettingsError, match="real devices, which take part in one run at a time, and not in a sweep"):
        plan_sweep(SweepRequest(str(file), seeds=1))


def test_a_sweep_of_an_earlier_version_is_read_without_the_figures_it_does_not_have(
    undisturbed: Path, tmp_path: Path
) -> None:
    """Before runs said what was possible, sweeps had no columns for it."""
    path = tmp_path / "earlier.sqlite"
    path.write_bytes(undisturbed.read_bytes())
    later = ("possible_wh", "share_of_possible")
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in later:
            connection.execute(f"ALTER TABLE runs DROP COLUMN {name}")
    now, before = read_sweep(undisturbed), read_sweep(path)
    assert [dict(row.figures) for row in before.rows] == [
        {name: value for name, value in row.figures.items() if name not in later} for row in now.rows
    ]
    assert write_sweep_report(before, tmp_path / "report.html") > 10_000
    export_sweep(before, "csv", tmp_path / "tables")
