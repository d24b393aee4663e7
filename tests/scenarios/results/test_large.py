"""Files of large runs keep an overview in place of minutes, and readers show the same with it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents import GRID, SHARED, LedgerEntry, LedgerEvent, Share
from scenarios.metrics import billing, settle
from scenarios.prices import Community
from scenarios.results import (
    RecordedEnd,
    ResultsReader,
    RunWriter,
    SimulationSpec,
    create_results,
    reader,
    simulation_json,
    view_house,
    view_overview,
)
from scenarios.results.comparison import compare_simulations
from scenarios.results.export import tables
from scenarios.results.power_profiles import average_power_profile
from scenarios.results.reader import MOST_NAMED
from scenarios.results.report import large_runs
from scenarios.results.report.page import build_page, report_contents
from scenarios.results.views import view_runs
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import (
    START_S,
    TARIFF,
    agreed,
    amended,
    cancelled,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    sun,
)


def _scenario() -> Scenario:
    jobs = [
        job("wash", "a", load((0, 0), (1800, 300), (3600, 500)), (0, 14400)),
        job("cook", "b", load((0, 0), (3600, 200)), (3600, 10800)),
        job("dry", "b", load((0, 0), (1800, 900)), (0, 7200)),
    ]
    houses = {"a": {"pv": forecast(sun((0, 0), (18000, 2500)))}, "b": {}}
    base_loads = {"b": sun((0, 0), (18000, 900))}
    return replace(neighbourhood(houses, jobs, tariff=TARIFF), base_loads=base_loads, community=Community())


def _write(path: Path, scenario: Scenario, most_minute_rows: int) -> Path:
    wash, cook, dry = scenario.jobs
    create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=path)
    with RunWriter(
        path, scenario, run=1, run_id="r", seed=1, start_s=START_S, most_minute_rows=most_minute_rows
    ) as writer:
        for entry in (
            amended(contract(wash, "pv", 0), 60, 3600),
            agreed(contract(cook, "pv", 3600)),
            cancelled(contract(dry, "pv", 7200), 1800),
            agreed(contract(dry, GRID, 7200, n=2, agreed_s=1800)),
        ):
            writer.entry(entry)
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=4, wall_s=0.5))
    return path


def _scenario_of_two_roofs() -> Scenario:
    houses = {
        "a": {"pv": forecast(sun((0, 0), (18000, 2500)))},
        "b": {},
        "c": {"pv-2": forecast(sun((0, 0), (18000, 1500)))},
    }
    scenario = _scenario()
    return replace(neighbourhood(houses, list(scenario.jobs), tariff=TARIFF), base_loads=scenario.base_loads)


def _write_shared(path: Path, scenario: Scenario, most_minute_rows: int) -> Path:
    """Write a run in which two houses' panels supply one job together, and one of them another job alone."""
    wash, cook, _ = scenario.jobs
    with_pv_2 = Share(producer="pv-2", minutes_mwh=((30, 4_000),))
    both = (Share(producer="pv", minutes_mwh=((30, 5_000), (30, 3_000))), with_pv_2)
    contracts = [
        contract(wash, "pv", 0).model_copy(update={"producer": SHARED, "shares": both}),
        contract(cook, "pv", 3600).model_copy(
            update={"producer": SHARED, "shares": (Share(producer="pv", minutes_mwh=((60, 2_000),)),)}
        ),
    ]
    create_results(SimulationSpec(scenario, "insertion", (1,), "memory", settings={"supply": "shared"}), out=path)
    with RunWriter(
        path, scenario, run=1, run_id="r", seed=1, start_s=START_S, most_minute_rows=most_minute_rows
    ) as writer:
        for one in contracts:
            event = LedgerEvent(at_s=one.agreed_s, what="agreed", start_s=one.start_s, shares=one.shares)
            writer.entry(LedgerEntry(contract=one, state="standing", history=(event,)))
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=4, wall_s=0.5))
    return path


def _all_of(value: Any) -> Any:
    """Return a view as plain values that compare; what is kept of a household's minutes has seven digits."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: _all_of(getattr(value, name)) for name in value.__dataclass_fields__ if name != "written_utc"}
    if isinstance(value, np.ndarray):
        return pytest.approx(value, rel=1e-6, abs=1e-3)
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-6)
    if isinstance(value, tuple):
        return [_all_of(one) for one in value]
    return value


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__ if name != "written_utc"}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def test_a_large_run_shows_what_a_small_one_shows_without_reading_its_scenario(tmp_path: Path) -> None:
    """Figures, households, contracts, charts and bills are the same; only rows of minutes are left out."""
    scenario = _scenario()
    small = _write(tmp_path / "small.sqlite", scenario, 10_000)
    large = _write(tmp_path / "large.sqlite", scenario, 10)
    with ResultsReader(small) as one, ResultsReader(large) as other:
        for interval_s in (900, 3600):
            assert _plain(view_overview(other, 1, interval_s)) == _all_of(view_overview(one, 1, interval_s))
            for house in ("a", "b"):
                assert _plain(view_house(other, 1, house, interval_s)) == _all_of(view_house(one, 1, house, interval_s))
            whole, again = average_power_profile(other, interval_s), average_power_profile(one, interval_s)
            assert _plain(whole) == _all_of(again)
            assert _plain(view_runs(other, interval_s).runs[0][1]) == _all_of(view_runs(one, interval_s).runs[0][1])
        assert other.bills(1) == one.bills(1)
        assert other.zone == scenario.zone
        assert [house for house, _ in other.houses] == ["a", "b"]
        assert other.run_events(1) == ()
        assert other.parsed_scenario is None
        # Exports settle the run again, so they have every minute.
        rows = {table.name: list(table.rows()) for table in tables(other)}
        assert rows == {table.name: list(table.rows()) for table in tables(one)}
    with closing(sqlite3.connect(large)) as connection, connection:
        for table in ("production", "consumption", "base_loads"):
            assert connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)  # noqa: S608 - our own names
    connection.close()


def test_what_a_file_keeps_of_a_household_has_the_names_of_its_format(tmp_path: Path) -> None:
    """They do not change with those in the code: files of the same format would count as damaged."""
    path = _write(tmp_path / "large.sqlite", _scenario(), 10)
    with closing(sqlite3.connect(path)) as connection:
        row, member = map(
            json.loads, connection.execute("SELECT row_json, member_json FROM house_overviews").fetchone()
        )
    assert " ".join(row) == "house split produced_wh sold_wh bill"
    assert " ".join(row["split"]) == "consumed_wh own_wh neighbours_wh grid_wh jobs base_load_wh"
    assert " ".join(row["bill"]) == (
        "with_eur without_eur with_kg_co2 without_kg_co2 bought_from_grid_wh bought_from_neighbours_wh "
        "sold_to_neighbours_wh fed_in_wh"
    )
    assert " ".join(member) == (
        "consumed_wh produced_wh own_wh bought_wh sold_wh imported_wh fed_in_wh with_community without_community "
        "imported_without_wh"
    )
    assert " ".join(member["with_community"]) == (
        "import_cents feed_in_cents local_bought_cents local_sold_cents grid_fee_cents local_grid_fee_cents "
        "fixed_cents vat_cents"
    )


def test_a_large_run_with_shared_supply_shows_what_a_small_one_shows(tmp_path: Path) -> None:
    """Also what each panel gave to a job that several supplied, which the panels' households sold."""
    scenario = _scenario_of_two_roofs()
    small = _write_shared(tmp_path / "small.sqlite", scenario, 10_000)
    large = _write_shared(tmp_path / "large.sqlite", scenario, 10)
    with ResultsReader(small) as one, ResultsReader(large) as other:
        assert other.is_large(1)
        assert not one.is_large(1)
        whole = view_overview(other, 1)
        assert _plain(whole) == _all_of(view_overview(one, 1))
        assert [share.producer for share in whole.contracts[0].shares] == ["pv", "pv-2"]
        for house in ("a", "b", "c"):
            assert _plain(view_house(other, 1, house)) == _all_of(view_house(one, 1, house))
        seller = view_house(other, 1, "c")
        assert [row.job_id for row in seller.supplied] == ["wash"]
        bill = seller.bill
        assert bill is not None
        assert seller.sold_wh == pytest.approx(bill.sold_to_neighbours_wh)
        assert seller.sold_wh > 0
        page = report_contents(other)
        assert page["runs"][0]["contracts"][0][-1] or page["runs"][0]["contracts"][1][-1]
        assert "</html>" in build_page(page)


def _kept_shares(path: Path) -> int:
    """Return how many shares a file keeps."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM share_deliveries").fetchone()[0])


def test_a_resumed_run_keeps_no_share_of_a_contract_that_was_cancelled(tmp_path: Path) -> None:
    """The overview of the time before it was resumed is removed as a whole."""
    scenario = _scenario_of_two_roofs()
    path = _write_shared(tmp_path / "large.sqlite", scenario, 10)
    assert _kept_shares(path) > 0
    with (
        RunWriter(
            path, scenario, run=1, run_id="r", seed=1, start_s=START_S, resume=True, most_minute_rows=10
        ) as writer,
        ResultsReader(path) as results,
    ):
        for entry in results.ledger(1):
            writer.entry(entry.model_copy(update={"state": "cancelled"}))
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=4, wall_s=0.5))
    with ResultsReader(path) as results:
        assert results.kept_contracts(1) == ()
    assert _kept_shares(path) == 0


def test_bills_are_the_same_however_many_houses_are_settled_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All minutes of 10,000 houses at once would take gigabytes."""
    scenario = replace(_scenario(), community=None)
    with ResultsReader(_write(tmp_path / "r.sqlite", scenario, 10_000)) as results:
        whole = results.bills(1)
        monkeypatch.setattr(billing, "HOUSES_AT_ONCE", 1)
        assert results.bills(1) == whole
        assert whole[0].sold_wh > 0


def test_a_resumed_large_run_drops_its_overview(tmp_path: Path) -> None:
    """A clock that was shut down properly has finished the run too early."""
    scenario = _scenario()
    path = _write(tmp_path / "large.sqlite", scenario, 10)
    with RunWriter(
        path, scenario, run=1, run_id="r", seed=1, start_s=START_S, resume=True, most_minute_rows=10
    ) as writer:
        with ResultsReader(path) as results:
            assert results.minutes(1) is None
            assert view_overview(results, 1).kpis.jobs == 3
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=4, wall_s=0.5))
    with ResultsReader(path) as results:
        assert results.minutes(1) is not None


def test_an_unknown_house_of_many_is_answered_with_the_nearest(tmp_path: Path) -> None:
    """An error does not list ten thousand names."""
    houses: dict[str, dict[str, Any]] = {f"h{i:04}": {} for i in range(MOST_NAMED + 1)}
    path = create_results(
        SimulationSpec(neighbourhood(houses, []), "insertion", (1,), "memory"), out=tmp_path / "r.sqlite"
    )
    with ResultsReader(path) as results, pytest.raises(Exception, match="there are 31; did you mean 'h0007'") as raised:
        results.check_house("h0007x")
    assert len(str(raised.value)) < 300


def test_a_brief_summary_of_a_large_run_has_the_same_figures(tmp_path: Path) -> None:
    """That of a small one is complete."""
    small = _write(tmp_path / "small.sqlite", _scenario(), 10_000)
    large = _write(tmp_path / "large.sqlite", _scenario(), 10)
    with ResultsReader(small) as one, ResultsReader(large) as other:
        whole, brief = simulation_json(one, brief=True)["runs"][0], simulation_json(other, brief=True)["runs"][0]
        assert other.parsed_scenario is None
        assert brief["kpis"] == whole["kpis"]
        assert brief["contract_count"] == len(whole["contracts"]) == 3
        supplied_wh = sum(of["delivered_wh"] + of["base_load_wh"] for of in whole["by_producer"].values())
        assert sum(brief["by_producer"]["panels"].values()) == pytest.approx(supplied_wh)
        assert len(simulation_json(other)["runs"][0]["contracts"]) == 3


def test_a_report_of_a_large_run_has_its_figures_and_the_contracts_that_took_most_from_the_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures, households, panels and peaks are those of any report; what is left out is counted."""
    small = _write(tmp_path / "small.sqlite", _scenario(), 10_000)
    large = _write(tmp_path / "large.sqlite", _scenario(), 10)
    monkeypatch.setattr(large_runs, "MOST_CONTRACTS", 2)
    with ResultsReader(small) as one, ResultsReader(large) as other:
        whole, page = report_contents(one), report_contents(other)
        assert other.parsed_scenario is None
    whole_run, run = whole["runs"][0], page["runs"][0]
    same = ("scenario", "description", "offsets", "zone", "start", "job_count", "intervals", "houses", "tariff")
    assert [page[name] for name in (*same, "community")] == [whole[name] for name in (*same, "community")]
    for name in ("kpis", "houses", "produced", "peaks", "state", "sha"):
        assert run[name] == whole_run[name]
    assert run["contract_count"] == 3
    jobs = {page["jobs"][row[1]][0]: row for row in run["contracts"]}
    assert list(jobs) == ["dry", "wash"]  # of wash, the roof covered less than of cook
    assert jobs["dry"][2] == -1
    base, spent = whole_run["base"]["all"][1], [0.0] * page["intervals"]
    for row in whole_run["contracts"]:
        for i, power_w in enumerate(row[10]):
            spent[row[8] + i] += power_w
    assert run["course"]["grid"] == pytest.approx([a + b for a, b in zip(base, spent, strict=True)], abs=3)
    assert "</script>" in build_page(page)


def test_an_export_settles_a_run_that_is_over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of its tables need the minutes; settling 10,000 houses takes a while."""
    settled = 0

    def counted(*arguments: Any) -> Any:
        nonlocal settled
        settled += 1
        return settle(*arguments)

    monkeypatch.setattr(reader, "settle", counted)
    with ResultsReader(_write(tmp_path / "large.sqlite", _scenario(), 10)) as results:
        written = {table.name: len(list(table.rows())) for table in tables(results)}
    assert written["minutes"] > 0
    assert written["contracts"] > 0
    assert settled == 1


def test_comparing_large_runs_reads_no_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenario of 10,000 houses is 0.3 GB of text, and its figures are in the file."""
    scenario = _scenario()
    brighter = replace(scenario, producers={"pv": forecast(sun((0, 0), (18000, 9000)))})
    first = _write(tmp_path / "first.sqlite", scenario, 10)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "scenario_of", lambda _text: pytest.fail("the scenario was read"))
        compared = compare_simulations([first, _write(tmp_path / "same.sqlite", replace(scenario, seed=7), 10)])
    assert compared.is_same_scenario
    assert compared.difference(0, 1) is not None
    changed = compare_simulations([first, _write(tmp_path / "brighter.sqlite", brighter, 10)])
    assert not changed.is_same_scenario
    assert changed.difference(0, 1) is None
