"""An opened simulation: its views say what the results say, and answer to keys and mouse."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.color import ColorSystem
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static, Tab

from scenarios.monitor.summaries import energy
from scenarios.results.reader import ResultsReader
from scenarios.results.views import view_house, view_neighbourhood, view_runs
from scenarios.zone import Zone
from tests.tui.driving import click, dialog, focus, until
from tests.tui.results.driving import (
    FIFTY,
    INSERTION,
    WIDE,
    cells,
    drawn,
    listed,
    opened_first,
    table,
    text,
    the_screen,
)
from tui.formatting import kwh
from tui.results.contracts import Contracts
from tui.results.energy_sheet import EnergyPart, EnergyTotal
from tui.results.energy_sheet_view import EnergyBar, SheetPane, shares
from tui.results.negotiation import NegotiationDialog

Opened = Any
CONTRACTS = "#tab-all Contracts CellTable"


async def test_all_households_says_what_the_results_say(opened: Opened, results_folder: Path) -> None:
    """Energy split, peak to average, day, households, contracts."""
    with ResultsReader(results_folder / FIFTY) as results:
        view = view_neighbourhood(results, 1)
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        sheet = await drawn(pilot, lambda sheet: sheet.house is None)
        consumed, produced = sheet.wholes
        assert consumed.wh == pytest.approx(view.kpis.consumed_wh)
        assert sum(part.wh for part in consumed.parts) == pytest.approx(consumed.wh)
        assert produced.wh == pytest.approx(view.kpis.produced_wh)
        assert sum(part.wh for part in produced.parts) == pytest.approx(produced.wh)
        bar = pilot.app.screen.query_one("#tab-all EnergyBar", EnergyBar)
        assert f"grid {view.kpis.grid_wh / 1000:.2f}" in str(bar.render())
        assert f"used {view.kpis.consumption_peak_to_average:.2f}" in text(pilot, "#tab-all .ratios")
        assert {row.contract_id for row in table(pilot, CONTRACTS).rows} == {c.contract_id for c in view.contracts}
        assert [row.house for row in table(pilot, "#tab-all #households").rows] == list(view.breakdown.by_house)


@pytest.mark.parametrize("wh", [99_999_990.0, 148_364_330.0, 12_345_678_900.0])
async def test_a_bar_of_energy_and_its_legend_fit_whatever_the_energy(opened: Opened, wh: float) -> None:
    """From 100 MWh on, the bar slipped into the line of the legend, which was lost."""
    parts = (EnergyPart("used at home", wh * 0.2, "own"), EnergyPart("surplus", wh * 0.8, "surplus"))
    async with opened(size=(80, 24)) as pilot:
        bar = EnergyBar()
        await pilot.app.screen.mount(bar)
        bar.show(EnergyTotal("Produced", wh, parts))
        await until(pilot, lambda: bar.size.width)
        first, second = bar.render().split()
        assert first.cell_len == bar.size.width
        assert first.plain.startswith(f"Produced {kwh(wh):>13} █")
        assert "surplus" in second.plain


@pytest.mark.usefixtures("results_folder")
async def test_contracts_are_sorted_found_and_copied_by_keys(opened: Opened) -> None:
    """Column by column; a part of a name; a cell, a row, all rows."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        rows = cells(pilot, CONTRACTS)
        assert rows.has_focus
        while rows.column.title != "kWh":
            await pilot.press("right")
        await pilot.press("s")
        await until(pilot, lambda: [row.energy_wh for row in rows.rows] == sorted(row.energy_wh for row in rows.rows))
        await pilot.press("s", "home")
        await until(
            pilot,
            lambda: [row.energy_wh for row in rows.rows] == sorted((row.energy_wh for row in rows.rows), reverse=True),
        )
        largest = rows.rows[0]
        await pilot.press("c")
        await until(pilot, lambda: pilot.app.clipboard == f"{largest.energy_wh / 1000:.2f}")
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard.split("\t")[:2] == [largest.job_id, largest.house])
        await pilot.press("Y")
        await until(pilot, lambda: len(pilot.app.clipboard.splitlines()) == len(rows.rows) + 1)
        every = len(rows.rows)
        await pilot.press("slash", *"ebert")
        await until(pilot, lambda: 0 < len(rows.rows) < every)
        assert {row.house for row in rows.rows} == {"ebert"}
        assert f"{len(rows.rows)} of {every} contracts" in text(pilot, "#tab-all Contracts .count")
        await pilot.press("enter")
        await until(pilot, lambda: rows.has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: len(rows.rows) == every)
        assert the_screen(pilot).place == "simulation"
        await pilot.press("escape")
        await until(pilot, lambda: the_screen(pilot).place == "list")


@pytest.mark.long
@pytest.mark.usefixtures("results_folder")
async def test_contracts_answer_to_the_mouse(opened: Opened) -> None:
    """A title sorts, a second click turns it round; a click chooses the cell; the way back is clicked."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await click(pilot, table(pilot, "#entries"), offset=(5, 1), times=2)
        await until(pilot, lambda: the_screen(pilot).place == "simulation")
        await drawn(pilot, lambda sheet: sheet.contracts)
        rows = table(pilot, CONTRACTS)
        await click(pilot, table(pilot, CONTRACTS), offset=(2, 0))
        await until(pilot, lambda: [row.job_id for row in rows.rows] == sorted(row.job_id for row in rows.rows))
        await click(pilot, table(pilot, CONTRACTS), offset=(2, 0))
        await until(
            pilot, lambda: [row.job_id for row in rows.rows] == sorted((row.job_id for row in rows.rows), reverse=True)
        )
        await click(pilot, table(pilot, CONTRACTS), offset=(2, 3))
        await pilot.press("c")
        await until(pilot, lambda: pilot.app.clipboard == rows.rows[int(rows.scroll_offset.y) + 2].job_id)
        await click(pilot, pilot.app.screen.query_one("#simulation BackLink"))
        await until(pilot, lambda: the_screen(pilot).place == "list")


@pytest.mark.long
async def test_the_interval_of_peaks_is_an_input(opened: Opened, results_folder: Path) -> None:
    """A new one is applied immediately in every view; an invalid one shows a problem next to it."""
    with ResultsReader(results_folder / FIFTY) as results:
        hourly = view_neighbourhood(results, 1, 3600)
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        await pilot.press("k")
        field = pilot.app.screen.focused
        assert isinstance(field, Input)
        await pilot.press("end", "backspace", "backspace")
        await until(pilot, lambda: "whole minutes" in text(pilot, "#tab-all .ratios"))
        pilot.app.screen.query_one("#tab-all SheetPane", SheetPane).show_interval(15)  # a refresh while the run goes on
        assert not field.value, "what is typed was replaced"
        await pilot.press("6", "0", "enter")
        await drawn(pilot, lambda sheet: sheet.day.interval_s == 3600)
        assert f"used {hourly.kpis.consumption_peak_to_average:.2f}" in text(pilot, "#tab-all .ratios")
        assert table(pilot, CONTRACTS).has_focus
        await pilot.press("O")
        await drawn(pilot, lambda sheet: sheet.house is not None and sheet.day.interval_s == 3600)
        assert pilot.app.screen.query_one("#tab-house .peaks Input", Input).value == "60"


@pytest.mark.long
async def test_one_household_is_chosen_by_keys_and_by_mouse(opened: Opened, results_folder: Path) -> None:
    """It is chosen in the table of households, by the keys for the next one, and from the list."""
    with ResultsReader(results_folder / FIFTY) as results:
        view = view_house(results, 1, "brandt")
        houses = [house.id for house in results.scenario.houses]
    async with opened(first_area="results", size=WIDE) as pilot:
        await listed(pilot)
        await opened_first(pilot)
        await click(pilot, table(pilot, "#tab-all #households"), offset=(2, 1 + houses.index("brandt")))
        await click(pilot, table(pilot, "#tab-all #households"), offset=(2, 1 + houses.index("brandt")), times=2)
        sheet = await drawn(pilot, lambda sheet: sheet.house == "brandt")
        assert sheet.wholes[0].wh == pytest.approx(view.breakdown.consumed_wh)
        assert {c.contract_id for c in sheet.contracts} == {c.contract_id for c in (*view.contracts, *view.supplied)}
        await pilot.press("right_parenthesis")
        await drawn(pilot, lambda sheet: sheet.house == houses[houses.index("brandt") + 1])
        await pilot.press("left_parenthesis")
        await drawn(pilot, lambda sheet: sheet.house == "brandt")
        await pilot.press("u", "home", "enter")
        await drawn(pilot, lambda sheet: sheet.house == houses[0])


@pytest.mark.long
@pytest.mark.usefixtures("results_folder")
async def test_another_run_is_chosen(opened: Opened) -> None:
    """It is chosen by the keys for the next one, from the list, and from all runs."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await pilot.press("end")
        await opened_first(pilot)
        assert "insertion" in text(pilot, "SimulationPane .title")
        await pilot.press("full_stop")
        await drawn(pilot, lambda sheet: sheet.run.run == 2)
        await pilot.press("comma")
        await drawn(pilot, lambda sheet: sheet.run.run == 1)
        await pilot.press("g", "end", "enter")
        await drawn(pilot, lambda sheet: sheet.run.run == 2)
        assert pilot.app.screen.query_one("#run-choice", Select).value == 2
        await pilot.press("U")
        await until(pilot, lambda: table(pilot, "#runs").has_focus and len(table(pilot, "#runs").rows) == 4)
        await pilot.press("home", "enter")
        await drawn(pilot, lambda sheet: sheet.run.run == 1)


@pytest.mark.long
@pytest.mark.usefixtures("results_folder")
async def test_households_are_those_of_the_results_in_sight(opened: Opened) -> None:
    """They changed while another view was in sight; then those of the results before were drawn."""
    async with opened(first_area="results", size=(200, 50)) as pilot:
        for key in ("home", "end"):
            await listed(pilot)
            await pilot.press(key)
            await opened_first(pilot)
            await pilot.press("A")
            households = table(pilot, "#tab-all #households")
            await until(pilot, lambda: table(pilot, "#tab-all #households").size)
            await pilot.pause()
            lines = [strip.text.split() for strip in pilot.app.screen._compositor.render_strips()]
            for y in range(1, len(households.rows) + 1):
                row = households.render_line(y).text.split()
                assert any(line[: len(row)] == row for line in lines)
            await pilot.press("O")
            await until(pilot, lambda: not table(pilot, "#tab-all #households").size)
            await pilot.press("escape")


@pytest.mark.usefixtures("results_folder")
async def test_the_detail_of_a_contract_is_of_the_run_in_sight(opened: Opened) -> None:
    """Another run has contracts of the same names; the start of the first one's stayed below the table."""
    async with opened(first_area="results", size=WIDE) as pilot:
        await listed(pilot)
        await pilot.press("end")
        await opened_first(pilot)
        contracts = pilot.app.screen.query_one("#tab-all Contracts", Contracts)
        rows = [replace(contracts.table.rows[0], start_s=contracts.table.rows[0].start_s + shift) for shift in (0, 600)]
        for row in rows:
            contracts.show([row], Zone(), [row.job_id])
            await pilot.pause()
            assert f"runs {Zone().exact_moment(row.start_s)}" in text(pilot, "#tab-all .detail")


async def test_all_runs_with_mean_and_deviation(opened: Opened, results_folder: Path) -> None:
    """These rows stay below the runs in any order."""
    with ResultsReader(results_folder / INSERTION) as results:
        view = view_runs(results)
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await pilot.press("end")
        await opened_first(pilot)
        await pilot.press("right_square_bracket", "right_square_bracket")
        runs = table(pilot, "#runs")
        await until(pilot, lambda: runs.has_focus and len(runs.rows) == 4)
        assert [row.title for row in runs.rows] == ["1", "2", "mean", "± sd"]
        mean, deviation = runs.rows[2].figures, runs.rows[3].figures
        assert mean["delivered_wh"] == view.statistics["delivered_wh"].mean
        assert deviation["delivered_wh"] == view.statistics["delivered_wh"].standard_deviation
        assert mean["messages"] == sum(run.messages for run, _ in view.runs) / 2
        await pilot.press("s", "s")
        await until(pilot, lambda: [row.title for row in runs.rows] == ["2", "1", "mean", "± sd"])
        assert "Average of 2 runs" in text(pilot, "RunsPane .detail")


def shows_the_share(pilot: Pilot[Any], *, is_shown: bool) -> bool:
    """Return whether the table of runs shows the column of the share exactly if `is_shown` says so."""
    return ("of best" in [column.title for column in table(pilot, "#runs").columns]) == is_shown


@pytest.mark.long
async def test_the_share_of_the_best_is_shown_if_runs_were_compared(opened: Opened, results_folder: Path) -> None:
    """Otherwise the column is hidden."""
    with closing(sqlite3.connect(results_folder / FIFTY)) as connection, connection:
        connection.execute(
            "UPDATE runs SET comparison_json = ?", ('{"optimum": {"best_wh": 1, "bound_wh": 1, "share": 0.875}}',)
        )
    connection.close()
    async with opened(first_area="results", size=WIDE) as pilot:
        await listed(pilot)
        for keys, is_shown in ((("home",), True), (("end",), False)):
            await pilot.press(*keys)
            await opened_first(pilot)
            await pilot.press("U")
            await until(pilot, lambda: table(pilot, "#runs").has_focus and table(pilot, "#runs").rows)
            # Until the simulation is read, the table shows the one before.
            await until(pilot, partial(shows_the_share, pilot, is_shown=is_shown))
            await pilot.press("Y")
            await until(pilot, partial(copied, pilot, "87.5", is_there=is_shown))
            await pilot.press("escape")
            await listed(pilot)  # only then does the list take keys


def copied(pilot: Pilot[Any], text: str, *, is_there: bool) -> bool:
    """Return whether all rows were copied, with a text in them or without."""
    return pilot.app.clipboard.startswith("run\t") and (text in pilot.app.clipboard) == is_there


async def test_a_contract_shows_its_negotiation(opened: Opened, results_folder: Path) -> None:
    """All messages about its job are shown in order."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        chosen = table(pilot, CONTRACTS).rows[0]
        await pilot.press("enter")
        await dialog(pilot, NegotiationDialog)
        await until(pilot, lambda: bool(pilot.app.screen.query("NegotiationDialog VirtualTable")))
        await until(pilot, lambda: bool(table(pilot, "NegotiationDialog VirtualTable").rows))
        lines = table(pilot, "NegotiationDialog VirtualTable").rows
        with ResultsReader(results_folder / FIFTY) as results:
            recorded = list(results.messages(1, job_id=chosen.job_id))
        assert [message for message, _ in lines] == recorded
        assert recorded
        said = {message.kind: words for message, words in lines}
        assert f"{energy(chosen.energy_wh)}, start " in said["Request"]
        assert f"from {chosen.producer} at" in said["ContractAgreed"]
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is the_screen(pilot))


@pytest.mark.long
@pytest.mark.usefixtures("results_folder")
async def test_zoom_gives_the_room_to_one_part(opened: Opened) -> None:
    """Contracts, households, the day, and back to all of them; every one reachable in a small terminal."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        rows, households = table(pilot, CONTRACTS), table(pilot, "#tab-all #households")
        small = rows.size.height
        await pilot.press("z")
        await until(pilot, lambda: rows.size.height > small + 5)
        await pilot.press("z")
        await until(pilot, lambda: households.has_focus)
        assert households.size.height > 10
        await pilot.press("z")
        chart = pilot.app.screen.query_one("#tab-all DayChart")
        await until(pilot, lambda: chart.has_focus and chart.size.height > 15)
        await pilot.press("z")
        await until(pilot, lambda: rows.has_focus and rows.size.height == small)


@pytest.mark.parametrize(
    ("energies_wh", "cells", "given"),
    [
        ((50, 50), 10, [5, 5]),
        ((1, 999), 10, [1, 9]),
        ((0, 1000), 10, [0, 10]),
        ((334, 333, 333), 10, [4, 3, 3]),
        ((0, 0), 10, [0, 0]),
        ((0.01, 100_000), 10, [0, 10]),
    ],
)
def test_a_bar_is_filled_to_its_end(energies_wh: tuple[float, ...], cells: int, given: list[int]) -> None:
    """A small part still shows; a trace of one does not."""
    parts = tuple(EnergyPart("", wh, "primary") for wh in energies_wh)
    assert shares(EnergyTotal("", sum(energies_wh), parts), cells) == given


@pytest.mark.usefixtures("results_folder")
async def test_a_key_shows_times_in_utc(opened: Opened) -> None:
    """Pressed again, it shows them at the scenario's offset; title and table state the zone."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        titles = {column.full for column in table(pilot, CONTRACTS).columns}
        (own,) = (title for title in titles if title.startswith("start "))
        assert own != "start UTC"
        first = table(pilot, CONTRACTS).rows[0]
        await pilot.press("Z")
        await until(pilot, lambda: "start UTC" in {column.full for column in table(pilot, CONTRACTS).columns})
        (column,) = (column for column in table(pilot, CONTRACTS).columns if column.full == "start UTC")
        assert column.text(first) == Zone().exact_moment(first.start_s)
        await pilot.press("Z")
        await until(pilot, lambda: own in {column.full for column in table(pilot, CONTRACTS).columns})


@pytest.mark.long
@pytest.mark.usefixtures("results_folder")
async def test_the_views_that_are_not_shown_can_be_read_in_sixteen_colours(opened: Opened) -> None:
    """By default, in the light theme, their names are light grey on white."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        for _ in range(2):
            await pilot.press("ctrl+t")
            await pilot.pause()
            hidden = [tab for tab in pilot.app.screen.query(Tab) if not tab.has_class("-active")]
            assert hidden
            for tab in hidden:
                shown = [
                    colour.downgrade(ColorSystem.STANDARD).get_truecolor()
                    for colour in (tab.rich_style.color, tab.rich_style.bgcolor)
                    if colour is not None
                ]
                text, ground = (Color(*colour) for colour in shown)
                assert abs(ground.brightness - text.brightness) > 0.4


@pytest.mark.usefixtures("results_folder")
async def test_details_that_do_not_fit_end_with_dots(opened: Opened) -> None:
    """On 24 lines they have one line, which ended within the window; with the contracts alone, they have three."""
    async with opened(first_area="results", size=(80, 24)) as pilot:
        await listed(pilot)
        await opened_first(pilot)
        detail = pilot.app.screen.query_one("#tab-all Contracts .detail", Static)
        await focus(pilot, cells(pilot, CONTRACTS))
        await until(pilot, lambda: "window" in str(detail.content))
        await pilot.pause()
        assert [detail.render_line(y).text.rstrip()[-1:] for y in range(detail.size.height)] == ["…"]
        await pilot.press("z")
        await until(pilot, lambda: detail.size.height > 1)
        assert "…" not in "".join(detail.render_line(y).text for y in range(detail.size.height))
