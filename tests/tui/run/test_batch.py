"""From *Run* to a comparison by keys: algorithms on several seeds, each as if run alone from fresh scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, Select, Static

from agents.scheduling.settings import ALGORITHMS
from broker.clock.status_reports import ClockReport
from broker.protocol import TimeReport
from scenarios import planned_end_s
from scenarios.load import load_scenario
from scenarios.results.reader import ResultsReader
from scenarios.simulation.plan import Plan
from scenarios.simulation.simulation import open_simulation
from tests.tui.driving import at_once, click, dialog, until
from tui.results.screen import ResultsScreen
from tui.run.algorithms_dialog import SENTENCES, AlgorithmsDialog
from tui.run.form import FormValues, plans_of
from tui.run.form_view import RunForm
from tui.run.progress_panel import ProgressPanel, RunProgress, _state, columns_for, rows_of
from tui.run.screen import RunScreen
from tui.run.simulation_client import SimulationBatch
from tui.run.simulation_messages import ClockReported, Progress
from tui.shell.dialogs import AskText, Confirm
from tui.widgets.fields import SignCheckbox
from tui.widgets.table import VirtualTable

Opened = Any


async def ready(pilot: Pilot[Any]) -> RunScreen:
    """Wait until the scenario is loaded; runs talk in memory."""
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    screen.query_one("#bus", Select).value = "memory"
    await until(pilot, lambda: screen.scenario is not None)
    return screen


async def hashes_alone(folder: Path, algorithm: str, seeds: tuple[int, ...]) -> list[str]:
    """Return the ledgers' hashes of an algorithm run alone from fresh scores."""
    plan = plans_of(FormValues(algorithm=algorithm, bus="memory"), load_scenario("street"), {})[0][0]
    plan = Plan(plan.scenario, seeds, plan.algorithm, "memory", folder=folder, workers=1)
    async with open_simulation(plan) as simulation:
        return [outcome.ledger_sha256 for outcome in await simulation.run()]


@pytest.mark.long
async def test_ten_keys_lead_from_run_to_a_table_with_intervals_and_a_figure(opened: Opened, tmp_path: Path) -> None:
    """Three algorithms on twenty seeds: choose, start, compare, save; the ledgers are those of each algorithm alone."""
    async with opened(first_area="negotiations") as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        screen = await ready(pilot)
        await pilot.press("m")
        ask = await dialog(pilot, AlgorithmsDialog)
        assert ask.query_one("#seeds", Input).value == "20"
        ask.query_one("#seeds", Input).value = "2"  # as with 20, in a tenth of the time
        at_once(pilot, "1", "4", "enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        await until(
            pilot, lambda: "insertion, fifty_fifty, SLSQP" in str(screen.query_one(".compared", Static).content)
        )
        assert screen.query_one("#runs", Input).value == "2"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._batch is not None and screen._batch.is_over)
        assert screen._batch is not None
        assert [one.state for one in screen._batch.simulations] == ["done"] * 3
        await pilot.press("r")
        await until(pilot, lambda: getattr(pilot.app.screen, "place", "") == "comparison")
        results = pilot.app.screen
        assert isinstance(results, ResultsScreen)
        comparison = results.comparison.comparison
        assert comparison is not None
        assert [side.compared.info.algorithm for side in comparison.sides] == ["insertion", "fifty_fifty", "SLSQP"]
        (delivered,) = [row for row in comparison.figures if row.figure.name == "delivered_wh"]
        assert all(spread.runs == 2 and spread.high_95 is not None for spread in delivered.spreads)
        await pilot.press("e")
        await dialog(pilot, AskText)
        await pilot.press("enter")
        saved = [tmp_path / "results" / f"street{ending}" for ending in (".tex", ".svg")]
        await until(pilot, lambda: all(path.exists() for path in saved))
        files = [side.compared.path for side in comparison.sides]
    assert "insertion (2) & fifty\\_fifty (2) & SLSQP (2)" in saved[0].read_text(encoding="utf-8")
    for file in files:
        with ResultsReader(file) as reader:
            assert "scores" not in reader.info.settings
            alone = await hashes_alone(tmp_path / "alone" / reader.info.algorithm, reader.info.algorithm, (1, 2))
            assert [run.ledger_sha256 for run in reader.runs()] == alone
    assert not (tmp_path / "results" / "street.scores.json").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("supply", "title", "optimum"), [("whole", "of best", "optimum"), ("shared", "of shared", "shared_optimum")]
)
async def test_the_optimum_is_sought_and_shown(opened: Opened, supply: str, title: str, optimum: str) -> None:
    """The screen shows the search, then the share of each run, of the best plan under its own rule of supply."""
    async with opened(first_area="run", size=(140, 45)) as pilot:
        screen = await ready(pilot)
        screen.query_one("#supply", Select).value = supply
        screen.query_one("#optimum", SignCheckbox).value = True
        await until(pilot, lambda: screen.query_one("#optimum_s").display)
        screen.query_one("#optimum_s", Input).value = "0"
        await until(pilot, lambda: "seconds" in str(screen.query_one("#problem-optima", Static).content))
        screen.query_one("#optimum_s", Input).value = "2"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._batch is not None and screen._batch.is_over)
        assert screen._batch is not None
        assert (screen._batch.current.state, screen._batch.current.problem) == ("done", "")
        assert [of for column in columns_for(screen._batch) if (of := column.title).startswith("of ")] == [title]
        await until(pilot, lambda: rows(screen)[0].summary is not None)
        summary = rows(screen)[0].summary
        assert summary is not None
        assert summary.share_of_best is not None
        assert 0.5 < summary.share_of_best <= 1
        with ResultsReader(screen._batch.results[0]) as results:
            assert results.runs()[0].comparison[optimum]["share"] == summary.share_of_best


def rows(screen: RunScreen) -> list[RunProgress]:
    """Return the lines of the runs."""
    return list(screen.query_one(ProgressPanel).query_one("#runs-table", VirtualTable).rows)


@pytest.mark.long
async def test_a_search_for_the_optimum_can_be_stopped(opened: Opened) -> None:
    """The runs are done and kept; the simulations that were to follow do not begin."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot)
        form = screen.query_one(RunForm)
        form.choose_algorithms(("insertion", "fifty_fifty"), "1")
        screen.query_one("#optimum", SignCheckbox).value = True
        screen.query_one("#optimum_s", Input).value = "600"
        screen.query_one("#source", Input).value = "village"
        await until(pilot, lambda: screen.scenario is not None and screen.scenario.name == "village")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._simulation is not None and screen._simulation.state == "seeking")
        await pilot.press("x")
        await dialog(pilot, Confirm)
        await pilot.press("right", "enter")
        await until(pilot, lambda: screen._batch is not None and screen._batch.is_over)
        assert screen._batch is not None
        assert len(screen._batch.simulations) == 1
        assert screen._batch.current.state == "interrupted"
        with ResultsReader(screen._batch.results[0]) as results:
            assert [run.state for run in results.runs()] == ["done"]


async def test_the_dialog_shows_problems_and_explains_each_algorithm(opened: Opened) -> None:
    """A missing algorithm and a wrong number of seeds are problems; keys 1 to 6 tick; Escape changes nothing."""
    assert set(SENTENCES) == set(ALGORITHMS)
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot)
        await pilot.press("m")
        ask = await dialog(pilot, AlgorithmsDialog)
        at_once(pilot, "2", "enter")
        await until(pilot, lambda: "at least one" in str(ask.query_one(".problem", Static).content))
        await pilot.press("2")
        ask.query_one("#seeds", Input).value = "many"
        await pilot.press("enter")
        await until(pilot, lambda: "'many' is not a whole number" in str(ask.query_one(".problem", Static).content))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert screen.query_one(RunForm).form.others == ()


@pytest.mark.long
async def test_the_buttons_of_the_dialog_do_what_they_say(opened: Opened) -> None:
    """`OK` pressed itself forever, and the application hung; `Back` changes nothing."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot)
        form: Any = screen.query_one("RunForm")
        for n, others in (("back", ()), ("ok", ("exact",))):
            await pilot.press("m")
            ask = await dialog(pilot, AlgorithmsDialog)
            await pilot.press(str(list(ALGORITHMS).index("exact") + 1))
            buttons = ask.query(Button)
            await click(pilot, buttons.last() if n == "back" else buttons.first())
            await until(pilot, lambda: pilot.app.screen is screen)
            assert form.form.others == others


async def test_choosing_one_algorithm_ends_the_comparison(opened: Opened) -> None:
    """The list of one algorithm stands for one algorithm."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot)
        form: Any = screen.query_one("RunForm")
        form.choose_algorithms(("insertion", "exact"), "5")
        await until(pilot, lambda: screen.query_one("#node_limit").display)
        await until(pilot, lambda: form.form.others == ("exact",))
        screen.query_one("#algorithm", Select).value = "TNC"
        await until(pilot, lambda: form.form.others == ())
        assert not screen.query_one(".compared").display


def test_a_form_with_several_algorithms_becomes_a_plan_for_each(tmp_path: Path) -> None:
    """They have the same seeds; the problems of each are found, and one common file is refused."""
    street = load_scenario("street")
    form = FormValues(algorithm="SLSQP", others=("exact",), runs="3", penalty="5", node_limit="9", bus="memory")
    plans, problems = plans_of(form, street, {})
    assert problems == {}
    assert [(plan.algorithm.name, plan.seeds) for plan in plans] == [("SLSQP", (1, 2, 3)), ("exact", (1, 2, 3))]
    assert (plans[0].algorithm.penalty, plans[1].algorithm.node_limit) == (5, 9)
    wrong = FormValues(algorithm="SLSQP", others=("exact",), node_limit="0", out=str(tmp_path / "one.sqlite"))
    assert plans_of(wrong, street, {})[0] == ()
    assert plans_of(wrong, street, {})[1].keys() == {"out"}
    assert plans_of(FormValues(others=("exact",), node_limit="0"), street, {})[1].keys() == {"node_limit"}


@pytest.mark.long
@pytest.mark.parametrize("kept", [True, False])
async def test_kept_scores_play_no_part_in_a_comparison(opened: Opened, tmp_path: Path, *, kept: bool) -> None:
    """Whether there are some or not, they stay as they are."""
    scores = tmp_path / "results" / "street.scores.json"
    if kept:
        scores.parent.mkdir()
        content = {"version": 1, "scenario": "street", "scores": {"pv-adler": 99}, "starts": []}
        scores.write_text(json.dumps(content), encoding="utf-8")
    before = scores.read_text(encoding="utf-8") if kept else None
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot)
        form: Any = screen.query_one("RunForm")
        form.choose_algorithms(("insertion", "fifty_fifty"), "1")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._batch is not None and screen._batch.is_over)
        assert screen._batch is not None
        assert [one.state for one in screen._batch.simulations] == ["done", "done"]
    assert (scores.read_text(encoding="utf-8") if scores.exists() else None) == before


@pytest.mark.long
async def test_scores_that_cannot_be_reset_are_reported(opened: Opened, tmp_path: Path) -> None:
    """No run of the comparison starts, and the application goes on."""
    (tmp_path / "results").touch()
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot)
        form: Any = screen.query_one("RunForm")
        form.choose_algorithms(("insertion", "fifty_fifty"), "1")
        form.query_one("#reset_scores", SignCheckbox).value = True
        await pilot.press("ctrl+r")
        await until(
            pilot,
            lambda: any("cannot be written: results is a file" in one.message for one in pilot.app._notifications),
        )
        assert screen._batch is None


async def test_the_progress_of_a_paced_run_is_that_of_its_clock_between_events_too(tmp_path: Path) -> None:
    """It stood at 0 % for the hours before the first event, next to a status line with another figure."""
    plan = Plan(load_scenario("street"), (1,), bus="memory", folder=tmp_path)
    batch = SimulationBatch((plan,), lambda: None, None)
    start_s = plan.scenario.start_s
    half_s = (planned_end_s(plan.scenario, plan.days) - start_s) // 2
    report = TimeReport(
        time=start_s, round=0, step=1, pace="60x", lag_wall_s=0, state="running", reached=start_s + half_s
    )
    await batch.current._take(ClockReported(1, ClockReport(report, is_connected=True)), lambda _: None)
    await batch.current._take(Progress(1, start_s), lambda _: None)
    assert [row.share for row in rows_of(batch)] == [batch.share_done()] == [pytest.approx(0.5, abs=0.01)]


async def test_a_run_that_was_over_when_its_simulation_failed_has_ended(tmp_path: Path) -> None:
    """The process was killed while it sought the optimum."""
    batch = SimulationBatch((Plan(load_scenario("street"), (1,), bus="memory", folder=tmp_path),), lambda: None, 1.0)
    start_s = batch.current.plan.scenario.start_s
    for phase, shown in (("running", "✗ failed"), ("ended", "■ ended")):
        report = TimeReport(time=start_s, round=0, step=1, pace="max", lag_wall_s=0, state=phase)
        await batch.current._take(ClockReported(1, ClockReport(report, is_connected=True)), lambda _: None)
        batch.current.state = "failed"
        assert [_state(row)[0] for row in rows_of(batch)] == [shown]


async def test_the_time_left_includes_the_algorithms_to_come(tmp_path: Path) -> None:
    """When the first of two had done all its runs, it said 50 %, and that no time was left."""
    plan = Plan(load_scenario("night"), (1,), bus="memory", folder=tmp_path)
    batch = SimulationBatch((plan, plan), lambda: None, None)
    await batch.current._take(Progress(1, planned_end_s(plan.scenario, plan.days)), lambda _: None)
    batch.current.state = "running"
    batch.current.started_wall_s -= 60
    assert batch.share_done() == 0.5
    assert batch.left_wall_s() == pytest.approx(60, abs=5)
