"""Bills of an energy community in the results file, the JSON object, exports, frames and the report."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agents.manager.ledger import LedgerEntry
from scenarios.prices import Community
from scenarios.results.bill_rows import LINES, community_with_key, total_row
from scenarios.results.export import export_results
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.frames import load_frames
from scenarios.results.reader import ResultsReader
from scenarios.results.report.page import report_contents
from scenarios.results.run_end import RecordedEnd
from scenarios.results.summary import simulation_json
from scenarios.results.views import view_house
from scenarios.results.writer import RunWriter
from tests.scenarios.neighbourhoods import START_S

COMMUNITY = Community(
    key="proportional",
    grid_fee_eur_per_kwh=0.08,
    local_grid_fee_eur_per_kwh=0.03,
    supplier_fee_eur_per_year=1000.0,
    vat_percent=19.0,
)


@pytest.fixture
def community_file(tmp_path: Path, simulation: SimulationSpec, ledger: tuple[LedgerEntry, ...]) -> Path:
    """One finished run of a scenario with a community."""
    scenario = replace(simulation.scenario, community=COMMUNITY)
    path = create_results(replace(simulation, scenario=scenario, seeds=(1,)), folder=tmp_path / "results")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        for entry in ledger:
            writer.entry(entry)
        writer.finish(RecordedEnd("done", START_S + 10800))
    return path


def test_the_same_bills_are_everywhere(community_file: Path, tmp_path: Path) -> None:
    """SQL, JSON, CSV, frame, report and figures agree to the cent."""
    with ResultsReader(community_file) as results:
        rows = results.bills(1)
        kpis = results.kpis(1)
        (run,) = simulation_json(results)["runs"]
        page = report_contents(results)
        one = view_house(results, 1, "b")
        export_results(results, "csv", tmp_path / "tables")
    with closing(sqlite3.connect(community_file)) as connection, connection:
        query = "SELECT house, with_eur, vat_eur, saving_eur FROM bills JOIN houses ON id = house_id WHERE run = 1"
        stored = connection.execute(query).fetchall()
    connection.close()
    frame = load_frames(community_file).bills

    assert sorted(stored) == [(row.house, row.with_eur, row.vat_eur, row.saving_eur) for row in rows]
    assert [run["community"]["members"][row.house]["with_eur"] for row in rows] == [row.with_eur for row in rows]
    assert [run["bills"][row.house]["with_eur"] for row in rows] == [row.with_eur for row in rows]
    assert run["community"]["outside"]["total_eur"] == kpis.bill_eur == total_row(rows).with_eur
    assert run["community"]["bill_without_eur"] == kpis.bill_without_eur == total_row(rows).without_eur
    assert one.member is not None
    assert sum(eur for _, eur in one.member.named_lines()) == pytest.approx(rows[1].with_eur)
    assert frame.with_eur.tolist() == [row.with_eur for row in rows]
    assert frame.allocation_key.tolist() == ["proportional"] * len(rows)
    assert [house[5] for house in page["runs"][0]["houses"]] == [row.with_eur for row in rows]
    assert page["community"] == {"key": "proportional", "minutes": 15}
    header, *lines = (tmp_path / "tables" / "bills.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",")[-3:] == ["with_eur", "without_eur", "saving_eur"]
    assert len(lines) == len(rows)


def test_a_run_can_be_settled_by_another_key(community_file: Path) -> None:
    """No new run is needed; fees are unchanged."""
    with ResultsReader(community_file) as results:
        negotiated = results.bills(1, community_with_key(results.scenario, "negotiated"))
        own = results.bills(1)

    assert {row.allocation_key for row in negotiated} == {"negotiated"}
    assert sum(row.bought_wh for row in negotiated) != sum(row.bought_wh for row in own)
    assert [row.fixed_eur for row in negotiated] == [row.fixed_eur for row in own]


def test_without_a_community_the_lines_of_a_bill_are_not_known(results_file: Path) -> None:
    """The tariff alone gives energies and the bill with and without the neighbourhood."""
    with ResultsReader(results_file) as results:
        rows = results.bills(1)
        figures = results.kpis(1)

    assert all(getattr(row, name) is None for row in rows for name in LINES[:-3])
    assert sum(row.with_eur for row in rows) == pytest.approx(figures.bill_eur)
    assert sum(row.consumed_wh for row in rows) == pytest.approx(figures.consumed_wh)
    assert all(
        row.own_wh + row.bought_wh + row.imported_wh == pytest.approx(row.consumed_wh)
        and row.own_wh + row.sold_wh + row.fed_in_wh == pytest.approx(row.produced_wh)
        for row in rows
    )
