"""Results of many households: no list of all, but streets and a search."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.widgets import Input

from agents import Contract, LedgerEntry
from agents.manager.ledger import LedgerEvent
from scenarios.results import RecordedEnd, RunWriter, SimulationSpec, create_results
from scenarios.scenario import ProducerSeries, Scenario
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun
from tests.tui.driving import dialog, until
from tests.tui.results.driving import Opened, cells, drawn, listed, opened_first, table, text, the_screen
from tui.results.households import Households
from tui.shell import ChooseOne
from tui.street_groups import MOST_LISTED

COUNT = MOST_LISTED + 41
CONTRACTS = "#tab-all Contracts CellTable"


def _scenario() -> Scenario:
    houses: dict[str, dict[str, ProducerSeries]] = {
        f"{street}-{i}": {} for street, count in (("elm", 41), ("oak", MOST_LISTED)) for i in range(1, count + 1)
    }
    roofs = {"elm-1": {"pv-elm": forecast(sun((0, 0), (18000, 9000)))}}
    jobs = [job(f"wash-{house}", house, load((0, 0), (3600, 400)), (0, 14400)) for house in list(houses)[::4]]
    return neighbourhood({**houses, **roofs}, jobs)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A large run: 241 households in two streets, 61 contracts."""
    scenario = _scenario()
    path = tmp_path / "results" / "many.sqlite"
    create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=path)
    with RunWriter(path, scenario, run=1, run_id="r", seed=1, start_s=START_S, most_minute_rows=10) as writer:
        for one in scenario.jobs:
            agreed = LedgerEvent(at_s=START_S, what="agreed", start_s=START_S)
            contract = Contract(
                contract_id=f"{one.job_id}/1",
                job_id=one.job_id,
                producer="pv-elm",
                start_s=START_S,
                agreed_s=START_S,
                energy_wh=one.energy_wh,
            )
            writer.entry(LedgerEntry(contract=contract, state="standing", history=(agreed,)))
        writer.finish(RecordedEnd("done", START_S + 14400))
    return path


@pytest.mark.long
@pytest.mark.usefixtures("many")
async def test_streets_are_opened_households_found_and_contracts_narrowed(opened: Opened) -> None:
    """The scenario is read by no view of it."""
    async with opened(first_area="results", size=(140, 45)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        simulation = the_screen(pilot).simulation
        part = simulation.query_one("#tab-all Households", Households)
        assert [row.house for row in part.table.rows] == ["▸ House elm", "▸ House oak"]
        assert [row.breakdown.jobs for row in part.table.rows] == [11, 50]
        assert len(cells(pilot, CONTRACTS).rows) == 61

        await until(pilot, lambda: cells(pilot, CONTRACTS).has_focus)
        part.table.focus()
        await until(pilot, lambda: part.table.has_focus)
        await pilot.press("enter")
        await until(pilot, lambda: len(cells(pilot, CONTRACTS).rows) == 61 and len(part.table.rows) == 42)
        assert part.table.rows[1].house == "elm-1"
        await pilot.press("escape")
        await until(pilot, lambda: len(part.table.rows) == 2)
        await pilot.press("down", "enter")
        await until(pilot, lambda: len(cells(pilot, CONTRACTS).rows) == 50)
        assert "50 of 61 contracts, House oak" in text(pilot, "#tab-all Contracts .count")

        part.query_one(Input).focus()
        await until(pilot, lambda: part.query_one(Input).has_focus)
        await pilot.press(*"elm-41")
        await until(pilot, lambda: [row.house for row in part.table.rows] == ["elm-41"])
        await pilot.press("enter")
        await until(pilot, lambda: part.table.has_focus)
        await pilot.press("enter")
        sheet = await drawn(pilot, lambda sheet: sheet.house == "elm-41")
        assert [row.job_id for row in sheet.contracts] == ["wash-elm-41"]
        assert simulation.opened is not None
        assert simulation.opened.memory.scenario is None


@pytest.mark.long
@pytest.mark.usefixtures("many")
async def test_one_of_many_households_is_chosen_by_a_search(opened: Opened) -> None:
    """The field above the views offers the household in sight and the search; keys go to the next."""
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("O")
        await drawn(pilot, lambda sheet: sheet.house == "elm-1")
        await pilot.press("u")
        await dialog(pilot, ChooseOne)
        await pilot.press(*"oak-17")
        await until(pilot, lambda: len(table(pilot, "VirtualTable").rows) == 11)
        await pilot.press("enter")
        await drawn(pilot, lambda sheet: sheet.house == "oak-17")
        await pilot.press("right_parenthesis")
        await drawn(pilot, lambda sheet: sheet.house == "oak-18")
        for tab in ("dollar_sign", "S", "E", "U"):
            await pilot.press(tab)
            await until(pilot, lambda: not the_screen(pilot).simulation.is_reading("sheet"))
        simulation = the_screen(pilot).simulation
        assert simulation.opened is not None
        assert simulation.opened.memory.scenario is None


@pytest.mark.long
async def test_a_run_in_progress_is_read_less_often_where_reading_takes_long(opened: Opened, many: Path) -> None:
    """It is up to date again once five times that time have passed."""
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        simulation = the_screen(pilot).simulation
        await until(pilot, lambda: not any(simulation.is_reading(group) for group in ("open", "sheet")))
        before = simulation.opened
        simulation.read_wall_s = 1e9
        await asyncio.to_thread(many.touch)
        simulation.follow()
        assert simulation.opened is before
        assert not simulation.is_reading("open")
        simulation.read_wall_s = 0.0
        await until(pilot, lambda: simulation.opened is not before)
