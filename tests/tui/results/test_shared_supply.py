"""Screens say who supplies a job that several panels supply together; they took it for grid power."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from agents import GRID, SHARED, LedgerEntry, LedgerEvent, Share
from scenarios import Zone
from scenarios.monitor import ObservedNegotiation, summarize
from scenarios.results import RecordedEnd, ResultsReader, RunWriter, SimulationSpec, create_results, view_house
from scenarios.results.large_run_overviews import MOST_MINUTE_ROWS
from tests.scenarios.neighbourhoods import START_S, contract, forecast, job, load, neighbourhood, sun
from tests.tui.driving import dialog, until
from tests.tui.results.driving import INSERTION, Opened, listed, table, text
from tui.cli.household_tables import house_json, show_house
from tui.monitor.hosts_and_devices import _consumer
from tui.results.comparison import OtherChooser, comparison_view
from tui.results.comparison.comparison_model import compare
from tui.results.energy_sheet import house_sheet, search_text
from tui.widgets import VirtualTable


def _written(path: Path, most_minute_rows: int = MOST_MINUTE_ROWS) -> Path:
    """Write a run in which two panels supply a job of a house without one, and the grid another job."""
    jobs = [job(name, "b", load((0, 0), (3600, 300)), (0, 14400)) for name in ("wash", "cook")]
    roofs = {f"pv-{house}": house for house in ("a", "c")}
    houses = {house: {producer: forecast(sun((0, 0), (18000, 2500)))} for producer, house in roofs.items()}
    scenario = neighbourhood({**houses, "b": {}}, jobs)
    shares = tuple(Share(producer=producer, minutes_mwh=((60, 2_500),)) for producer in roofs)
    create_results(SimulationSpec(scenario, "insertion", (1,), "memory", settings={"supply": "shared"}), out=path)
    with RunWriter(
        path, scenario, run=1, run_id=path.stem, seed=1, start_s=START_S, most_minute_rows=most_minute_rows
    ) as writer:
        together = contract(jobs[0], "pv-a", 0).model_copy(update={"producer": SHARED, "shares": shares})
        for one in (together, contract(jobs[1], GRID, 3600)):
            event = LedgerEvent(at_s=one.agreed_s, what="agreed", start_s=one.start_s, shares=one.shares)
            writer.entry(LedgerEntry(contract=one, state="standing", history=(event,)))
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=2, wall_s=0.5))
    return path


async def test_the_list_tells_shared_supply_from_whole_jobs(opened: Opened, results_folder: Path) -> None:
    """Both have the same algorithm; the search finds either, and the choice of one to compare with says it, too."""
    _written(results_folder / "shared.sqlite")
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot, 3)
        table(pilot, "#entries").go_to(Path("results") / INSERTION)
        await until(pilot, lambda: "insertion, supply whole;" in text(pilot, "#about"))
        await pilot.press("v")
        chooser = (await dialog(pilot, OtherChooser)).query_one(VirtualTable)
        supplies = next(column for column in chooser.columns if column.title == "supply")
        assert sorted(supplies.text(row) for row in chooser.rows) == ["shared", "whole"]
        await pilot.press("escape", "slash", *"shared")
        await until(pilot, lambda: len(table(pilot, "#entries").rows) == 1)
        await until(pilot, lambda: "insertion, supply shared;" in text(pilot, "#about"))


@pytest.mark.parametrize(("size", "shared"), [((80, 24), "insertion, sh…"), ((180, 45), "insertion, shared ")])
async def test_rows_of_shared_supply_and_of_whole_jobs_look_different(
    opened: Opened, results_folder: Path, size: tuple[int, int], shared: str
) -> None:
    """The column of the supply was hidden by the panel beside the list, and in a narrow terminal."""
    _written(results_folder / "shared.sqlite")
    async with opened(first_area="results", size=size) as pilot:
        await listed(pilot, 3)
        entries = table(pilot, "#entries")
        lines = {row.path.name: entries.render_line(n).text for n, row in enumerate(entries.rows, start=1)}
        assert shared in lines["shared.sqlite"]
        assert "insertion " in lines[INSERTION]
        assert "sh" not in lines[INSERTION]


async def test_the_heading_of_a_simulation_says_that_its_supply_is_shared(opened: Opened, results_folder: Path) -> None:
    """It named an algorithm that such a run does not use, and nothing else."""
    _written(results_folder / "shared.sqlite")
    async with opened(first_area="results", size=(140, 45)) as pilot:
        await listed(pilot, 3)
        table(pilot, "#entries").go_to(Path("results") / "shared.sqlite")
        await pilot.press("enter")
        await until(pilot, lambda: "· insertion, shared supply · 1 run" in text(pilot, ".title"))


def test_a_household_counts_only_grid_power_as_such_and_lists_what_its_panel_gives(tmp_path: Path) -> None:
    """The panel's household finds the job, also by the other panel's name."""
    with ResultsReader(_written(tmp_path / "r.sqlite")) as results:
        consumer, owner = (house_sheet(results, 1, house, 900) for house in ("b", "c"))
    assert dict(consumer.figures)["Jobs"] == "2, 1 on grid"
    assert dict(owner.figures)["Jobs of others served"] == "1"
    assert [row.job_id for row in owner.contracts] == ["wash"]
    assert "pv-a" in search_text(owner.contracts[0])


@pytest.mark.parametrize("most_minute_rows", [MOST_MINUTE_ROWS, 10])
def test_a_household_names_the_suppliers_of_its_jobs_and_what_each_gives(tmp_path: Path, most_minute_rows: int) -> None:
    """On screen and in JSON alike, the grid among them."""
    with ResultsReader(_written(tmp_path / "r.sqlite", most_minute_rows)) as results:
        view = view_house(results, 1, "b", 900)
    console = Console(width=100, record=True, file=io.StringIO())
    show_house(console, view, Zone())
    shown = [line.split() for line in console.export_text().splitlines() if "pv-" in line or "cook" in line]
    contracts = {row["job_id"]: row["suppliers"] for row in house_json(view)["contracts"]}
    assert contracts == {
        "wash": [{"producer": "pv-a", "energy_wh": 150.0}, {"producer": "pv-c", "energy_wh": 150.0}],
        "cook": [{"producer": "grid", "energy_wh": 300.0}],
    }
    assert [line[2:4] for line in shown if line[0] in contracts] == [["pv-a", "0.15"], ["grid", "0.30"]]
    assert ["pv-c", "0.15"] in shown


def test_a_message_about_a_contract_names_the_minutes_in_which_each_producer_gives() -> None:
    """A sequence of messages said only how much; a gap in a share did not show in the ledger either."""
    shares = [
        {"producer": "pv-a", "minutes_mwh": [[10, 2_500], [5, 0], [5, 2_500], [5, 1_000]]},
        {"producer": "pv-b", "minutes_mwh": [*[[1, 0], [1, 1_000]] * 4]},
    ]
    terms = {"job_id": "wash", "energy_wh": 300.0, "producer": "shared", "start_s": 36_000}
    _, said = summarize("ContractAgreed", {"contract": {**terms, "shares": shares}}, Zone())
    assert "pv-a (42 Wh 10:00-10:10, 10:15-10:25)" in said
    assert "pv-b (4 Wh 10:01-10:02, 10:03-10:04, 10:05-10:06, 1 more until 10:08)" in said


def test_the_live_view_names_the_suppliers_of_a_job_that_is_planned_or_runs() -> None:
    """The device's line said that the job ran "on shared"."""
    share = Share(producer="pv-a", minutes_mwh=((60, 2_500),))
    one = contract(job("wash", "b", load((0, 0), (3600, 300)), (0, 14400)), "pv-a", 0)
    together = one.model_copy(update={"producer": SHARED, "shares": (share,)})
    event = LedgerEvent(at_s=START_S, what="agreed", start_s=one.start_s, shares=(share,))
    negotiation = ObservedNegotiation("wash", load_profile=load((0, 0), (3600, 300)))
    negotiation.settle(LedgerEntry(contract=together, state="standing", history=(event,)))
    for now_s in (one.start_s - 60, one.start_s + 60):
        assert "on pv-a + grid" in str(_consumer("b/washer", "washer", [negotiation], now_s, Zone()))


@pytest.mark.parametrize("most_minute_rows", [MOST_MINUTE_ROWS, 10])
def test_a_comparison_names_all_suppliers_of_a_job(tmp_path: Path, most_minute_rows: int) -> None:
    """In small runs and in large ones, which are not settled again."""
    files = [_written(tmp_path / f"{name}.sqlite", most_minute_rows) for name in ("one", "other")]
    sheet = compare(files, 900)
    suppliers = {row.job_id: comparison_view._supplier(row.contracts[0]) for row in sheet.jobs}
    assert suppliers == {"wash": "pv-a + pv-c", "cook": ("⌁ grid", "warn")}
    assert all(row.is_same for row in sheet.jobs)
