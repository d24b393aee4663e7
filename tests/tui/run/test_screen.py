"""*Run*: simulations started by keys in a separate process, controlled and ended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Checkbox, Input, Select, Static

from broker.servers.mosquitto import find_mosquitto
from scenarios.load import bundled_text, load_scenario
from scenarios.results.reader import ResultsReader
from tests.scenarios.files.series.test_coverage_notes import TEXT
from tests.tui.driving import dialog, notices, steps, the_app, until
from tests.tui.terminal import environment
from tui.run.form import FormValues, about, plan_of
from tui.run.form_view import RunForm
from tui.run.preview import PREVIEW_LINES, Preview, first_day
from tui.run.progress_panel import ProgressPanel, RunProgress, _state
from tui.run.screen import RunScreen
from tui.shell.dialogs import AskText, Confirm, PickPath
from tui.shell.navigation import RunScenario
from tui.shell.run_controls import neighbour_pace
from tui.widgets import Chart, FieldHelp
from tui.widgets.table import VirtualTable
from tui.widgets.table_rendering import placed

Opened = Any


def the_screen(pilot: Pilot[Any]) -> RunScreen:
    """Return the screen."""
    screen = next(s for s in pilot.app.screen_stack if isinstance(s, RunScreen))
    assert isinstance(screen, RunScreen)
    return screen


async def ready(pilot: Pilot[Any], **values: str) -> RunScreen:
    """Wait until the scenario is loaded; put values into fields."""
    screen = the_screen(pilot)
    for name, value in values.items():
        if name in {"bus", "algorithm"}:
            screen.query_one(f"#{name}", Select).value = value
        else:
            screen.query_one(f"#{name}", Input).value = value
    await until(pilot, lambda: screen._scenario is not None)
    return screen


def command_line_ledger(*arguments: str) -> str:
    """Return the ledger's hash of the first run of `ssmic run`."""
    done = subprocess.run(
        [sys.executable, "-m", "tui", "run", *arguments, "--json"],
        env=environment(),
        capture_output=True,
        check=True,
    )
    ledger: str = json.loads(done.stdout)["runs"][0]["ledger_sha256"]
    return ledger


SHARED = "supply: shared\nprefer: [own-roof, covered]\n"


async def test_supply_settings_and_promise_are_those_of_the_scenario_until_changed(
    opened: Opened, tmp_path: Path
) -> None:
    """The plan has what the fields show; late promises with shared supply are a problem of their field."""
    file = tmp_path / "shared.yaml"
    file.write_text(f"{SHARED}{TEXT}", encoding="utf-8")
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, source=str(file))
        form = screen.query_one(RunForm)
        await until(pilot, lambda: screen.scenario is not None and screen.scenario.supply == "shared")
        assert form.query_one("#prefer-row").display
        assert (form.form.supply, form.form.prefer, form.form.promise) == ("shared", "own-roof, covered", "early")
        assert form.query_one("#forecast-row").display
        assert form.form.forecast == "corrected"
        form.query_one("#forecast", Select).value = "issued"
        assert screen.scenario is not None
        issued, _ = plan_of(form.form, screen.scenario, {})
        assert issued is not None
        assert not issued.supply_settings.corrects_forecasts
        form.query_one("#prefer").focus()
        await until(pilot, lambda: screen.query_one(FieldHelp).content == about("prefer"))
        form.query_one("#promise", Select).value = "late"
        problem = form.query_one("#problem-supplies", Static)
        await until(pilot, lambda: "promise: 'early' is expected" in str(problem.content))
        form.query_one("#supply", Select).value = "whole"
        await until(pilot, lambda: not problem.display and not form.query_one("#prefer-row").display)
        assert screen.scenario is not None
        plan, _ = plan_of(form.form, screen.scenario, {})
        assert plan is not None
        assert (plan.supply_settings.rule, plan.scenario.promise) == ("whole", "late")


def test_a_preference_that_does_not_exist_is_a_problem_of_its_field() -> None:
    """It is a problem only with shared supply."""
    street = load_scenario("street")
    plan, problems = plan_of(FormValues(supply="shared", prefer="covered,sunny"), street, {})
    assert plan is None
    assert problems.keys() == {"prefer"}
    assert "unknown preference 'sunny'" in problems["prefer"]
    plan, _ = plan_of(FormValues(supply="shared", prefer="cheapest, covered"), street, {})
    assert plan is not None
    assert plan.supply_settings.prefer == ("cheapest", "covered")
    assert not plan_of(FormValues(supply="whole", prefer="sunny"), street, {})[1]


@pytest.mark.long
@pytest.mark.parametrize("bus", ["memory", pytest.param("auto", id="mqtt")])
async def test_a_run_has_the_ledger_of_the_command_line(opened: Opened, bus: str) -> None:
    """This holds on both buses; all messages are shown live, and the results are in the file."""
    if bus == "auto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed; the embedded broker is tested with the command line")
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, bus=bus, seed="4")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._simulation is not None and screen._simulation.is_over)
        simulation = screen._simulation
        assert simulation is not None
        assert (simulation.state, simulation.problem) == ("done", "")
        assert simulation.ended is not None
        assert simulation.began is not None
        (summary,) = simulation.ended.runs
        watched = simulation.feeds[0].watched
        await until(pilot, lambda: watched.lines.total == summary.messages)
        assert (watched.missing, watched.refused) == (0, 0)
        with ResultsReader(simulation.began.results_file) as results:
            assert [run.ledger_sha256 for run in results.runs()] == [summary.ledger_sha256]
        assert not screen.query_one("#results", Button).disabled
        await pilot.press("r")
        await until(pilot, lambda: getattr(pilot.app.screen, "AREA", "") == "results")
    assert summary.ledger_sha256 == command_line_ledger("street", "--seed", "4", "--bus", "memory")


@pytest.mark.long
async def test_a_scenario_that_is_still_being_loaded_is_run_once_it_is(opened: Opened) -> None:
    """`Ctrl+R` right after typing its name: nothing is wrong, and the scenario of before is not run."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, bus="memory")
        screen.query_one("#source").focus()
        screen.query_one("#source", Input).value = "night"
        await until(pilot, lambda: screen._source == "night")
        assert screen.scenario is None
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._simulation is not None and screen._simulation.is_over)
        assert not any("problems" in message for _, message in notices(pilot))
        assert screen._simulation is not None
        assert screen._simulation.began is not None
        with ResultsReader(screen._simulation.began.results_file) as results:
            assert results.scenario.name == "night"


@pytest.mark.long
async def test_several_runs_show_their_figures(opened: Opened) -> None:
    """Each run has a line."""
    async with opened(first_area="run", size=(140, 45)) as pilot:
        screen = await ready(pilot, bus="memory", runs="2", workers="1", algorithm="fifty_fifty")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._simulation is not None and screen._simulation.state == "done")
        await until(pilot, lambda: "Results:" in str(screen.query_one(".note", Static).content))
        rows: list[Any] = list(screen.query_one("#runs-table", VirtualTable).rows)
        assert [(row.seed, row.state) for row in rows] == [(1, "done"), (2, "done")]
        assert all(0 < (row.kpi("self_sufficiency") or 0) <= 1 for row in rows)


@pytest.mark.long
async def test_the_progress_of_many_runs_stays_in_sight_at_every_height(opened: Opened, tmp_path: Path) -> None:
    """With 34 lines or a few more, the form and the day pushed the table of runs out of the screen."""
    scenario = tmp_path / "expecting.yaml"
    expectations = "\n".join(f'  - "jobs_lost <= {number}"' for number in range(6))
    scenario.write_text(f"{TEXT}expect:\n{expectations}\n", encoding="utf-8")
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, bus="memory", runs="12", source=str(scenario))
        await until(pilot, lambda: screen._scenario is not None and screen._scenario.expectations)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._batch is not None and screen._batch.is_over)
        split, panel, form = (screen.query_one(kind) for kind in ("#split", ProgressPanel, RunForm))
        day = screen.query_one(Preview)
        for height in (24, 34, 36, 44, 60):
            await pilot.resize_terminal(120, height)
            await until(
                pilot,
                lambda: split.region.contains_region(panel.region) and split.size.height == screen.size.height - 2,
            )
            # The screen shares the lines out again at its next look at the run.
            await until(
                pilot,
                lambda: (
                    form.size.height >= 1
                    and (not day.display or (day.size.height >= PREVIEW_LINES and form.max_scroll_y == 0))
                ),
            )


async def test_no_run_goes_on_after_the_process_that_runs_them_was_killed(opened: Opened) -> None:
    """The simulation had failed, and its runs were running and waiting for ever."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, bus="memory", pace="600x", runs="2", workers="1")
        await pilot.press("ctrl+r")
        table: VirtualTable[RunProgress] = screen.query_one("#runs-table", VirtualTable)
        await until(pilot, lambda: [_state(row)[0] for row in table.rows] == ["▶ running", "· waiting"])
        simulation = screen._simulation
        assert simulation is not None
        assert simulation._process is not None
        simulation._process.kill()
        await until(pilot, lambda: simulation.state == "failed")
        await until(pilot, lambda: [_state(row)[0] for row in table.rows] == ["✗ failed", "· not run"])


@pytest.mark.long
async def test_a_paced_run_is_stopped_and_keeps_what_was_agreed(opened: Opened) -> None:
    """The screen asks first; quitting would ask as well."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, bus="memory", pace="600x")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: pilot.app.monitored_run.state == "running")
        watched = pilot.app.monitored_run.feed.watched
        await until(pilot, lambda: "start" not in {active.binding.action for active in screen.active_bindings.values()})
        await pilot.press("space")
        await until(pilot, lambda: pilot.app.monitored_run.state == "paused")
        await steps(pilot, lambda: len(watched.ledger) >= 2)
        await pilot.press("ctrl+q")
        await dialog(pilot, Confirm)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("p")
        (await dialog(pilot, AskText)).query_one(Input).value = "300x"
        await pilot.press("enter")
        await until(pilot, lambda: watched.time.pace == "300x")
        await pilot.press("x")
        await dialog(pilot, Confirm)
        await pilot.press("right", "enter")
        simulation = screen._simulation
        assert simulation is not None
        await until(pilot, lambda: simulation.is_over)
        assert simulation.state == "interrupted"
        assert simulation.began is not None
        with ResultsReader(simulation.began.results_file) as results:
            (run,) = results.runs()
            assert run.state == "interrupted"
            assert len(list(results.ledger(run.run))) >= 2


@pytest.mark.long
async def test_an_unreachable_broker_is_reported(opened: Opened) -> None:
    """Another run can be started."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, bus="url", broker="mqtt://127.0.0.1:9")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._simulation is not None and screen._simulation.is_over)
        assert screen._simulation is not None
        assert screen._simulation.state == "failed"
        assert "connection refused: no broker at 127.0.0.1:9" in screen._simulation.problem
        assert not screen.query_one("#start", Button).disabled


async def test_problems_are_shown_at_the_field(opened: Opened, tmp_path: Path) -> None:
    """They are shown while typing, and no run starts."""
    (tmp_path / "broken.yaml").write_text("version: 1\nname: x\n")
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, days="0", pace="fast")
        await until(pilot, lambda: "days: a whole number from 1 to 3660" in text(screen, "#problem-amounts"))
        assert text(screen, "#problem-times").startswith("✗ pace 'fast': expected")
        screen.query_one("#days", Input).value = "1"
        screen.query_one("#optimum", Checkbox).value = True
        screen.query_one("#pace", Input).value = "max"
        screen.query_one("#optimum_s", Input).value = "0"
        await pilot.press("ctrl+r")
        await until(
            pilot, lambda: any(said.startswith("seconds to search: a number of at least") for _, said in notices(pilot))
        )
        assert screen._simulation is None
        screen.query_one("#source", Input).value = "broken.yaml"
        await until(pilot, lambda: "start" in text(screen, ".about") and "✗" in text(screen, ".about"))
        screen.query_one("#source", Input).value = "streat"
        await until(pilot, lambda: "street" in text(screen, ".about"))


async def test_a_file_can_be_chosen_whatever_has_the_focus(opened: Opened) -> None:
    """`Ctrl+O` opens a file everywhere; here it did only in a field of the form."""
    async with opened(first_area="run") as pilot:
        pilot.app.screen.set_focus(None)
        await pilot.press("ctrl+o")
        await dialog(pilot, PickPath)


async def test_settings_belong_to_their_algorithm(opened: Opened) -> None:
    """Others are not shown."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot, algorithm="exact")
        await until(pilot, lambda: screen.query_one("#node_limit").display)
        assert not screen.query_one("#penalty").display
        screen.query_one("#algorithm", Select).value = "SLSQP"
        await until(pilot, lambda: not screen.query_one("#node_limit").display)
        screen.query_one("#penalty", Input).value = "-1"
        await until(pilot, lambda: "penalty" in text(screen, "#problem-algorithms"))


async def test_a_form_that_is_removed_while_it_is_being_built_causes_no_error(opened: Opened) -> None:
    """This is the case if the application quits just after *Run* was opened."""
    async with opened(first_area="run") as pilot:
        await ready(pilot)
        form = RunForm()
        the_screen(pilot).mount(form)
        await form.remove()
        await pilot.pause()
        assert not form.is_attached
        assert notices(pilot) == []


def text(screen: RunScreen, selector: str) -> str:
    """Return what a line says."""
    return str(screen.query_one(selector, Static).content)


def test_a_form_becomes_a_plan(tmp_path: Path) -> None:
    """Each field is used, and each problem is at its own field."""
    street = load_scenario("street")
    form = FormValues(
        days="2",
        seed="7",
        runs="3",
        workers="2",
        algorithm="TNC",
        penalty="5",
        bus="memory",
        hosts="3",
        pace="60x",
        out=str(tmp_path / "new.sqlite"),
        patient=False,
        reset_scores=True,
    )
    plan, problems = plan_of(form, street, {})
    assert problems == {}
    assert plan is not None
    assert (plan.days, plan.seeds, plan.workers, plan.hosts, plan.patient) == (2, (7, 8, 9), 2, 3, False)
    assert (plan.algorithm.name, plan.algorithm.penalty, str(plan.pace), plan.bus) == ("TNC", 5.0, "60x", "memory")
    assert plan.reset_scores
    assert plan.kept_scores().path == tmp_path / "street.scores.json"

    (tmp_path / "new.sqlite").touch()
    wrong = FormValues(days="x", runs="0", bus="url", broker="http://x", algorithm="SLSQP", tolerance="0", out=form.out)
    plan, problems = plan_of(wrong, street, {})
    assert plan is None
    assert set(problems) == {"days", "runs", "broker", "tolerance", "out"}
    assert plan_of(FormValues(bus="url"), street, {})[1] == {
        "broker": "the URL of a broker, such as mqtt://broker.example"
    }


WITH_A_PLUG = TEXT.replace("type: consumer", "type: consumer, gateway: {adapter: tasmota, topic: tasmota_A1}", 1)


def test_real_devices_are_not_run_in_a_way_that_they_cannot_follow(tmp_path: Path) -> None:
    """As on the command line: they need MQTT, a pace, and a run of their own."""
    file = tmp_path / "plug.yaml"
    file.write_text(WITH_A_PLUG, encoding="utf-8")
    scenario = load_scenario(file)
    assert scenario.gateways
    plan, problems = plan_of(FormValues(bus="memory", runs="2"), scenario, {})
    assert plan is None
    assert problems == {
        "pace": "real devices need a pace, such as 1x or 60x",
        "bus": "real devices need MQTT",
        "runs": "real devices take part in one run at a time",
    }
    assert plan_of(FormValues(pace="60x"), scenario, {})[1] == {}


@pytest.mark.long
async def test_a_run_with_real_devices_has_their_pace_and_the_broker_at_which_they_were_found(
    opened: Opened, tmp_path: Path
) -> None:
    """A neighbourhood without them has neither."""
    file, simulated = tmp_path / "plug.yaml", tmp_path / "simulated.yaml"
    file.write_text(WITH_A_PLUG, encoding="utf-8")
    simulated.write_text(TEXT, encoding="utf-8")
    async with opened(first_area="run") as pilot:
        app: Any = pilot.app
        app.devices_broker = "mqtt://127.0.0.1:18830"
        screen = await ready(pilot, source=str(simulated))
        form = screen.query_one(RunForm)
        await until(pilot, lambda: screen.scenario is not None and not screen.scenario.gateways)
        assert (form.form.pace, form.form.bus) == ("max", "auto")
        form.set_source(str(file))
        await until(pilot, lambda: screen.scenario is not None and screen.scenario.gateways)
        await until(pilot, lambda: form.form.pace == "1x")
        assert (form.form.bus, form.form.broker) == ("url", "mqtt://127.0.0.1:18830")
        assert form.query_one("#broker-row").display
        form.set_source(str(simulated))
        await until(pilot, lambda: form.form.pace == "max")
        assert form.form.bus == "auto"


async def test_the_broker_of_real_devices_goes_with_them_at_any_pace_unless_the_user_named_another(
    opened: Opened, tmp_path: Path
) -> None:
    """A broker at which devices were found later is proposed, too."""
    file, simulated = tmp_path / "plug.yaml", tmp_path / "simulated.yaml"
    file.write_text(WITH_A_PLUG, encoding="utf-8")
    simulated.write_text(TEXT, encoding="utf-8")
    async with opened(first_area="run") as pilot:
        app: Any = pilot.app
        screen = await ready(pilot, source=str(simulated))
        form = screen.query_one(RunForm)

        async def load(path: Path, *, real: bool) -> tuple[str, str, str]:
            form.set_source(str(path))
            await until(pilot, lambda: screen.scenario is not None and bool(screen.scenario.gateways) is real)
            await pilot.pause()
            return form.form.pace, form.form.bus, form.form.broker

        assert await load(file, real=True) == ("1x", "auto", "")
        assert await load(simulated, real=False) == ("max", "auto", "")
        app.devices_broker = "mqtt://127.0.0.1:18830"
        assert await load(file, real=True) == ("1x", "url", "mqtt://127.0.0.1:18830")
        app.devices_broker = "mqtt://127.0.0.1:18831"
        again = tmp_path / "again.yaml"
        again.write_text(WITH_A_PLUG, encoding="utf-8")
        form.set_source(str(again))
        await until(pilot, lambda: form.form.broker == "mqtt://127.0.0.1:18831")
        form.query_one("#pace", Input).value = "60x"
        assert (await load(simulated, real=False))[:2] == ("60x", "auto")
        assert await load(file, real=True) == ("60x", "url", "mqtt://127.0.0.1:18831")
        form.query_one("#broker", Input).value = "mqtt://broker.example"
        assert await load(simulated, real=False) == ("60x", "url", "mqtt://broker.example")


async def test_an_empty_field_of_days_says_what_it_means_for_the_scenario(opened: Opened, tmp_path: Path) -> None:
    """A scenario with days of its own is not run until its last job."""
    async with opened(first_area="run") as pilot:
        screen = await ready(pilot)
        days, form = screen.query_one("#days", Input), screen.query_one(RunForm)
        assert days.placeholder == "until last job"
        file = tmp_path / "two-days.yaml"
        file.write_text(bundled_text("street") + "\ndays: 2\n", encoding="utf-8")
        form.set_source(str(file))
        await until(pilot, lambda: days.placeholder == "from scenario")
        assert "2 days" in text(screen, ".about")
        form.set_source("street")
        await until(pilot, lambda: days.placeholder == "until last job")


def test_paces_go_up_and_down() -> None:
    """They change by the usual steps, from any pace."""
    assert [neighbour_pace(pace, 1) for pace in ("1x", "42x", "3600x", "max")] == ["10x", "60x", "max", "max"]
    assert [neighbour_pace(pace, -1) for pace in ("1x", "42x", "max")] == ["1x", "10x", "3600x"]


def test_the_outlook_of_a_scenario_adds_up() -> None:
    """The street's sun, and all of its jobs' energy."""
    street = load_scenario("street")
    seen = first_day(street)
    assert seen.demand_wh.sum() == pytest.approx(sum(job.energy_wh for job in street.jobs), rel=0.05)
    assert seen.sun_wh.sum() > seen.demand_wh.sum()


async def test_base_loads_of_the_outlook_are_not_counted_as_jobs(opened: Opened, tmp_path: Path) -> None:
    """What is requested is the energy of the jobs, as everywhere else."""
    path = tmp_path / "base.yaml"
    path.write_text(TEXT.replace("    devices:", "    base_load: {constant_w: 200}\n    devices:", 1), encoding="utf-8")
    jobs_wh = sum(job.energy_wh for job in load_scenario(str(path)).jobs)
    async with opened(first_area="run", first_intent=RunScenario(str(path)), size=(140, 45)) as pilot:
        screen = await ready(pilot)
        preview = screen.query_one(Preview)
        await until(pilot, lambda: "produced" in str(preview.query_one(Static).render()))
        said = str(preview.query_one(Static).render())
        drawn = [series.name for series in preview.query_one(Chart)._series]
    assert f", {jobs_wh / 1000:.2f} kWh requested, 4.80 kWh base load." in said
    assert drawn == ["produced", "demand"]


async def test_parts_that_cannot_meet_in_time_are_noted_before_the_run(opened: Opened, tmp_path: Path) -> None:
    """The note below the scenario says that Neighbourhoods has the remedy."""
    path = tmp_path / "apart.yaml"
    path.write_text(TEXT.replace("2026-06-21T06", "2027-06-21T06"), encoding="utf-8")
    async with opened(first_area="run", first_intent=RunScenario(str(path))) as pilot:
        screen = await ready(pilot)
        about = str(screen.query_one(".about", Static).render())
        assert "! no forecast reaches into the run" in about
        assert about.endswith("Neighbourhoods offers remedies")


@pytest.mark.long
async def test_nothing_is_cut_at_the_right_edge_of_80_columns(opened: Opened) -> None:
    """This covers settings of the algorithm and columns of the runs."""
    async with opened(first_area="run", size=(80, 24)) as pilot:
        screen = await ready(pilot, bus="memory", algorithm="exact")
        form = screen.query_one(RunForm)
        limit = screen.query_one("#node_limit", Input)
        await until(pilot, lambda: limit.region.area)
        assert limit.region.right <= form.region.right
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen._simulation is not None and screen._simulation.is_over)
        table = screen.query_one("#runs-table", VirtualTable)
        await until(pilot, lambda: table.rows and table.size.width)
        widths = [width for _, width in placed(table.columns, table.size.width)]
        assert sum(widths) + len(widths) - 1 <= table.size.width


async def test_a_defect_while_a_scenario_is_loaded_leaves_no_loading(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """*Run* said "loading ..." until another scenario was chosen, and Ctrl+R that the run starts once it is loaded."""

    def fail(_: object) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr("tui.run.screen.first_day", fail)
    async with opened(first_area="run") as pilot:
        await until(pilot, lambda: the_app(pilot).unexpected)
        about = the_screen(pilot).query_one("RunForm .about", Static)
        await until(pilot, lambda: "unexpected error" in str(about.render()))
        assert not the_screen(pilot)._is_loading
        the_app(pilot).unexpected.clear()


async def test_the_words_of_the_preview_are_whole(opened: Opened) -> None:
    """On a terminal of 80 columns they ended in the middle of a sentence."""
    async with opened(first_area="run", size=(80, 45)) as pilot:
        await ready(pilot)
        words = the_screen(pilot).query_one("Preview Static", Static)
        await until(pilot, lambda: words.size.height)
        await pilot.pause()
        shown = " ".join(words.render_line(y).text.strip() for y in range(words.size.height))
        assert shown.endswith("Negotiation moves jobs into hours of solar production.")
