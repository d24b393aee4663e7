"""The list of simulations: complete, in order, honest about what cannot be read, and up to date."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from scenarios.load import load_scenario
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.run_end import RecordedEnd
from scenarios.results.writer import RunWriter
from scenarios.simulation.plan import Plan
from scenarios.simulation.simulation import Simulation, open_simulation
from tests.tui.driving import click, dialog, notices, until
from tests.tui.results.driving import FIFTY, INSERTION, listed, opened_first, table, text, the_screen
from tui.results.energy_sheet_view import SheetPane
from tui.results.simulation_states import entry_of
from tui.shell.dialogs import PickPath
from tui.shell.navigation import CompareResults, OpenResults

Opened = Any


def old(path: Path) -> None:
    """Let a file have been written long ago."""
    os.utime(path, (1_780_000_000, 1_780_000_000))


def announced(pilot: Pilot[Any], part: str) -> bool:
    """Return whether something was announced."""
    return any(part in message for _, message in notices(pilot))


def explained(pilot: Pilot[Any], part: str) -> bool:
    """Return whether the words about the chosen file have something in them."""
    return part in text(pilot, "#about")


def sheet_of(pilot: Pilot[Any]) -> object:
    """Return what is drawn of all households."""
    return the_screen(pilot).query_one("#tab-all SheetPane", SheetPane).sheet


async def test_without_results_the_list_says_what_to_do(opened: Opened) -> None:
    """Its button leads to *Run*."""
    async with opened(first_area="results") as pilot:
        await until(pilot, lambda: the_screen(pilot).query_one("#nothing").display)
        assert "ssmic run street" in text(pilot, "#nothing .empty-hint")
        await until(pilot, lambda: the_screen(pilot).focused is not None)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.AREA == "run")


async def test_the_first_results_can_be_opened_by_enter(opened: Opened, results_folder: Path) -> None:
    """They appear while another screen is open; the button of the empty list has had the focus."""
    elsewhere = results_folder.rename(results_folder.with_name("elsewhere"))
    async with opened(first_area="results") as pilot:
        await until(pilot, lambda: the_screen(pilot).query_one("#nothing").display)
        await until(pilot, lambda: the_screen(pilot).focused is not None)
        await pilot.press("0")
        await until(pilot, lambda: pilot.app.screen.AREA == "start")
        elsewhere.rename(results_folder)
        await pilot.press("4")
        await listed(pilot)
        await opened_first(pilot)


@pytest.mark.usefixtures("results_folder")
async def test_simulations_are_listed_newest_first(opened: Opened) -> None:
    """Each has its scenario and settings."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        rows = table(pilot, "#entries").rows
        assert [row.path.name for row in rows] == [FIFTY, INSERTION]
        assert [row.state for row in rows] == ["done", "done"]
        assert [row.listed.algorithm for row in rows] == ["fifty_fifty", "insertion"]
        about = text(pilot, "#about")
        assert about


async def test_files_that_cannot_be_read_are_listed_with_the_reason(opened: Opened, results_folder: Path) -> None:
    """A newer version, a truncated file, another type; opening one repeats the reason and stays here."""
    newer, broken, other = (results_folder / f"{name}.sqlite" for name in ("newer", "broken", "other"))
    shutil.copy(results_folder / FIFTY, newer)
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    broken.write_bytes((results_folder / FIFTY).read_bytes()[:9000])
    other.write_text("no results", encoding="utf-8")
    for path in (newer, broken, other):
        old(path)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 5)
        problems = {row.path: row.listed.problem for row in table(pilot, "#entries").rows if row.state == "broken"}
        assert "newer ssmic" in problems[newer.relative_to(Path.cwd())]
        assert "truncated after 9000" in problems[broken.relative_to(Path.cwd())]
        assert "not an SQLite file" in problems[other.relative_to(Path.cwd())]
        for path, problem in problems.items():
            table(pilot, "#entries").go_to(path)
            await until(pilot, partial(explained, pilot, problem))
            await pilot.press("enter")
            await until(pilot, partial(announced, pilot, problem))
            assert the_screen(pilot).place == "list"
        await pilot.press("e")
        await until(pilot, lambda: notices(pilot)[-1][0] == "error")


@pytest.mark.long
async def test_a_run_in_progress_is_followed(
    opened: Opened, results_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It updates in the list and when opened; a new file appears automatically."""
    monkeypatch.setattr(
        "tui.results.simulation_states.FRESH_WALL_S", 3600
    )  # a busy machine may be slower than a run that is dead
    scenario = load_scenario("street")
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        plan = SimulationSpec(scenario=scenario, algorithm="exact", seeds=(1,), broker="memory")
        path = create_results(plan, results_folder / "now.sqlite")
        await until(pilot, lambda: len(table(pilot, "#entries").rows) == 3)
        row = table(pilot, "#entries").rows[0]
        assert (row.path.name, row.state) == ("now.sqlite", "beginning")
        await pilot.press("home", "enter")
        await until(pilot, lambda: the_screen(pilot).place == "simulation")
        await until(pilot, lambda: "No run has started yet" in text(pilot, "SimulationPane .problem"))
        with RunWriter(path, scenario, run=1, run_id="r", seed=1, start_s=scenario.start_s) as writer:
            writer.commit()
            await until(pilot, lambda: sheet_of(pilot) is not None)
            assert not the_screen(pilot).simulation.has_class("troubled")
            await pilot.press("escape")
            await until(pilot, lambda: table(pilot, "#entries").rows[0].state == "running")
            writer.finish(RecordedEnd("done", scenario.start_s + 3600, negotiations=0, wall_s=0.1))
        await until(pilot, lambda: table(pilot, "#entries").rows[0].state == "done")


@pytest.mark.long
async def test_results_that_replace_opened_ones_are_shown_instead(
    opened: Opened, results_folder: Path, tmp_path: Path
) -> None:
    """A run with `--out` and the same name writes another scenario's results there, with other runs and households."""
    later = tmp_path / "later.sqlite"
    plan = Plan(load_scenario("sunny"), (1,), bus="memory", workers=1, out=later, folder=tmp_path)
    async with open_simulation(plan) as simulation:
        await simulation.run()
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        table(pilot, "#entries").go_to((results_folder / INSERTION).relative_to(Path.cwd()))
        await pilot.press("enter")
        await until(pilot, lambda: sheet_of(pilot) is not None)
        shown = the_screen(pilot).simulation
        shown.show_run(2)
        shown.show_house("fuchs")
        await until(pilot, lambda: (shown.run, shown.house) == (2, "fuchs"))
        later.replace(results_folder / INSERTION)
        await until(pilot, lambda: shown.opened is not None and shown.opened.info.scenario == "sunny")
        await until(pilot, lambda: (shown.run, shown.house) == (1, "adler"))
        await until(pilot, lambda: "sunny" in text(pilot, "SimulationPane .title"))
        assert not [notice for notice in notices(pilot) if notice[0] == "error"]


async def test_a_killed_run_is_distinguished_from_one_in_progress(opened: Opened, results_folder: Path) -> None:
    """Its file has not been written for a long time."""
    path = results_folder / FIFTY
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET state = 'running'")
    connection.close()
    old(path)
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        assert table(pilot, "#entries").rows[0].state == "stale"
        await until(pilot, partial(explained, pilot, "1 not ended of 1"))
        await pilot.press("0")
        await until(pilot, lambda: any("1 run: 1 not ended" in entry.details for entry in pilot.app.screen.entries))


def silent_run(folder: Path) -> tuple[Path, RunWriter]:
    """Begin a run of this process that has written nothing for a long time; return its file and what writes it."""
    scenario = load_scenario("street")
    path = create_results(SimulationSpec(scenario, "exact", (1,), "memory"), folder / "now.sqlite")
    writer = RunWriter(path, scenario, run=1, run_id="r", seed=1, start_s=scenario.start_s)
    for part in folder.glob("now.sqlite*"):
        old(part)
    return path, writer


async def test_a_run_that_has_written_nothing_for_long_is_in_progress_while_its_process_is_alive(
    opened: Opened, results_folder: Path
) -> None:
    """It is paused, or makes a slow decision."""
    path, writer = silent_run(results_folder)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 3)
        table(pilot, "#entries").go_to(path.relative_to(Path.cwd()))
        await until(pilot, partial(explained, pilot, "In progress"))
        writer.close()  # it was written a moment ago
        await until(pilot, partial(explained, pilot, "The run was killed"))


async def test_a_simulation_is_in_progress_between_two_of_its_runs_until_its_process_has_ended(tmp_path: Path) -> None:
    """After 20 s between two runs it was said to have been killed, and for 20 s after it was killed, to be running."""
    plan = Plan(load_scenario("night"), (1, 2), bus="memory", workers=1, folder=tmp_path)
    async with open_simulation(plan) as simulation:
        path = simulation.results_file
        assert entry_of(path).state == "beginning"
        first = Simulation(plan, simulation.broker, path, simulation.planned_runs[:1])
        await first.run()
        for part in path.parent.glob(f"{path.name}*"):
            old(part)
        assert (entry_of(path).state, entry_of(path).states) == ("running", "1 done")
    path.touch()
    assert entry_of(path).state == "stale"


async def test_an_opened_simulation_whose_process_is_killed_is_not_running_any_more(
    opened: Opened, results_folder: Path
) -> None:
    """Its file stays as it was, so that nothing but the process says so."""
    path, writer = silent_run(results_folder)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 3)
        table(pilot, "#entries").go_to(path.relative_to(Path.cwd()))
        await opened_first(pilot)
        await until(pilot, lambda: "running" in text(pilot, "#run-choice SelectCurrent #label"))
        the_screen(pilot).simulation.show_tab("runs")
        runs = table(pilot, "#runs")
        await until(pilot, lambda: [row.state for row in runs.rows] == ["running"])
        writer.close()

        await until(pilot, lambda: [row.state for row in runs.rows] == ["stale"])
        await until(pilot, lambda: "not ended" in text(pilot, "#run-choice SelectCurrent #label"))


@pytest.mark.long
@pytest.mark.usefixtures("results_folder")
async def test_the_list_is_searched_and_sorted(opened: Opened) -> None:
    """It is searched by a part of a name, and sorted by a column, with the mouse."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await pilot.press("slash", *"INSERT")
        await until(pilot, lambda: [row.path.name for row in table(pilot, "#entries").rows] == [INSERTION])
        assert "1 of 2 simulations" in text(pilot, "#listing .count")
        await pilot.press("escape")
        await until(pilot, lambda: len(table(pilot, "#entries").rows) == 2)
        assert pilot.app.screen.query_one("#listing Input", Input).value == ""
        await click(pilot, table(pilot, "#entries"), offset=(3, 0))
        await until(pilot, lambda: [row.path.name for row in table(pilot, "#entries").rows] == [INSERTION, FIFTY])


@pytest.mark.long
async def test_a_file_and_a_folder_elsewhere_are_opened(opened: Opened, results_folder: Path) -> None:
    """Both are opened by their path."""
    elsewhere = results_folder.parent / "elsewhere"
    shutil.move(results_folder, elsewhere)
    async with opened(first_area="results") as pilot:
        await until(pilot, lambda: the_screen(pilot).query_one("#nothing").display)
        await pilot.press("D")
        (await dialog(pilot, PickPath)).query_one(Input).value = str(elsewhere)
        await pilot.press("ctrl+s")
        await listed(pilot)
        await pilot.press("ctrl+o")
        (await dialog(pilot, PickPath)).query_one(Input).value = str(elsewhere / INSERTION)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: the_screen(pilot).place == "simulation")
        assert "insertion" in text(pilot, "SimulationPane .title")


@pytest.mark.long
async def test_another_area_opens_results(opened: Opened, results_folder: Path) -> None:
    """*Run* does so when a run is over; a missing file is reported."""
    async with opened(first_area="run") as pilot:
        pilot.app.post_message(OpenResults(results_folder / INSERTION))
        await until(pilot, lambda: getattr(pilot.app.screen, "place", "") == "simulation")
        pilot.app.post_message(OpenResults(results_folder / "gone.sqlite"))
        await until(pilot, lambda: announced(pilot, "there is no such file"))


@pytest.mark.long
async def test_the_content_of_a_deleted_file_stays_displayed(opened: Opened, results_folder: Path) -> None:
    """A notice reports the deletion."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        (results_folder / FIFTY).unlink()
        await until(pilot, lambda: "Showing what was read before" in text(pilot, "SimulationPane .problem"))
        assert table(pilot, "#tab-all Contracts CellTable").rows


async def test_a_simulation_that_is_open_already_is_shown(opened: Opened, results_folder: Path) -> None:
    """Asked for by another area, it stayed behind the comparison."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        screen, path = the_screen(pilot), results_folder / INSERTION
        screen.receive(OpenResults(path))
        await until(pilot, lambda: screen.place == "simulation")
        screen.receive(CompareResults((path, results_folder / FIFTY)))
        await until(pilot, lambda: screen.place == "comparison")
        screen.receive(OpenResults(path))
        await until(pilot, lambda: screen.place == "simulation")
        assert text(pilot, ".finding .count") == "2 simulations"
