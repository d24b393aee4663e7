"""The bills of all households in *Results*, settled as the scenario says and by another key."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Select

from scenarios.results.reader import ResultsReader
from tests.tui.driving import until
from tests.tui.results.driving import Opened, listed, opened_first, table, text


async def test_bills_are_shown_with_their_sum_and_by_another_key(opened: Opened, newest: Path) -> None:
    """The sum comes first; the line below states the saving, and the community's payments to outsiders."""
    with ResultsReader(newest) as results:
        bills = {row.house: row.with_eur for row in results.bills(1)}
        figures = results.kpis(1)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("$")
        await until(pilot, lambda: table(pilot, "#bill-rows").rows)
        total, *rows = table(pilot, "#bill-rows").rows
        assert {row.house: row.with_eur for row in rows} == bills
        assert abs(total.with_eur - (figures.bill_eur or 0.0)) < 1e-5
        said = text(pilot, "#tab-bills .detail")
        assert said.startswith(
            "Settlement by contract and minute, then from a house's own surplus (All households: by contract only); "
            "kWh and EUR. Total -7.80, without neighbourhood -5.94: saved 1.86"
        )

        pilot.app.screen.query_one("#allocation-key", Select).value = "hierarchical"
        await until(pilot, lambda: table(pilot, "#bill-rows").rows[0].allocation_key == "hierarchical")
        said = text(pilot, "#tab-bills .detail")
        assert "own roof first, then neighbours, every 15 min" in said
        assert "Paid to outsiders: grid 0.44, fed in -8.24, grid fees 0.00" in said
