"""Tables that are too large to keep: the same figures as of kept ones, and little more memory than a block takes."""

from __future__ import annotations

import tracemalloc
from dataclasses import asdict, replace

import numpy as np
import pytest

from agents import GRID
from scenarios.metrics import (
    Settlement,
    billing,
    bills_of,
    break_down_energy,
    community_account,
    compute_kpis,
    minute_table,
    producer_houses,
    settle,
)
from scenarios.metrics.minute_table import MinuteTable
from scenarios.prices import Community
from scenarios.scenario import Scenario
from scenarios.zone import Zone
from tests.scenarios.neighbourhoods import (
    START_S,
    TARIFF,
    agreed,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    sun,
)


@pytest.fixture
def keeps_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every table as too large to keep."""
    monkeypatch.setattr(minute_table, "MOST_KEPT_CELLS", 0)
    monkeypatch.setattr(minute_table, "BLOCK_CELLS", 1_000)


def _scenario() -> Scenario:
    """Return houses with a base load, every second one with a panel, every third one with two."""
    houses = 7
    jobs = [job(f"wash-{i}", f"h{i}", load((0, 0), (1800, 300), (3600, 500)), (0, 14400)) for i in range(houses)]
    roofs = {
        f"h{i}": {
            f"pv-{i}-{n}": forecast(sun((0, 0), (18000, 1500 + 100 * i))) for n in range(1 + (i % 3 == 0)) if i % 2 == 0
        }
        for i in range(houses)
    }
    base_loads = {f"h{i}": sun((0, 0), (18000, 200 + 50 * i)) for i in range(houses)}
    return replace(neighbourhood(roofs, jobs, tariff=TARIFF), base_loads=base_loads)


def _settled(scenario: Scenario) -> Settlement:
    producers = list(scenario.producers)
    contracts = [
        contract(one, producers[i % len(producers)] if i % 4 else GRID, 60 * i) for i, one in enumerate(scenario.jobs)
    ]
    return settle(scenario, contracts, START_S, START_S + 18000)


def _figures(scenario: Scenario, settled: Settlement) -> list[object]:
    houses = producer_houses(scenario)
    assert scenario.tariff is not None
    account = community_account(settled, houses, scenario.tariff, Community(key="negotiated"), Zone())
    entries = [agreed(one) for one in settled.contracts]
    return [
        asdict(compute_kpis(scenario, settled, entries, START_S + 18000)),
        bills_of(scenario, settled, houses),
        break_down_energy(settled, houses),
        account.as_dict(),
    ]


@pytest.mark.usefixtures("keeps_no_table")
def test_a_large_table_reads_like_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, minutes, sums and arithmetic are those of the array."""
    monkeypatch.setattr(minute_table, "BLOCK_CELLS", 8)
    values = np.arange(28, dtype=np.float64).reshape(7, 4)
    table = MinuteTable((7, 4), lambda begin, end: values[begin:end].copy())

    assert not table.is_kept
    assert [begin for begin, _ in table.blocks()] == [0, 2, 4, 6]
    assert table[-1].tolist() == values[-1].tolist()
    assert table[1:3, 2:].tolist() == values[1:3, 2:].tolist()
    assert table[5, :2].tolist() == values[5, :2].tolist()
    assert table[[0, 2]].tolist() == values[[0, 2]].tolist()
    assert table.sum() == values.sum()
    assert table.sum(axis=0).tolist() == values.sum(axis=0).tolist()
    assert table.sum(axis=1).tolist() == values.sum(axis=1).tolist()
    assert table.count_nonzero() == 27
    assert (2 * table + table).tolist() == (3 * values).tolist()


def test_figures_are_the_same_whether_or_not_tables_are_kept(request: pytest.FixtureRequest) -> None:
    """Bills, splits and the community's account are equal; sums over everything up to rounding."""
    scenario = _scenario()
    kept = _figures(scenario, _settled(scenario))
    request.getfixturevalue("keeps_no_table")
    computed = _figures(scenario, _settled(scenario))
    assert computed[1:] == kept[1:]
    assert computed[0] == pytest.approx(kept[0], rel=1e-12)


@pytest.mark.usefixtures("keeps_no_table")
def test_settling_never_has_all_minutes_of_all_houses(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 houses for three days took 2.6 GB: nine tables of their minutes, and copies."""
    monkeypatch.setattr(minute_table, "BLOCK_CELLS", 20_000)
    monkeypatch.setattr(billing, "HOUSES_AT_ONCE", 10)
    houses, minutes = 120, 2 * 1440
    base_loads = {f"h{i}": sun((0, 0), (60 * minutes, 200 + 50 * i)) for i in range(houses)}
    roofs = {f"h{i}": {"pv": forecast(sun((0, 0), (18000, 1500)))} if i == 7 else {} for i in range(houses)}
    scenario = replace(neighbourhood(roofs, [], tariff=TARIFF), base_loads=base_loads)
    tracemalloc.start()
    settled = settle(scenario, [], START_S, START_S + 60 * minutes)
    compute_kpis(scenario, settled, [], START_S + 60 * minutes)
    break_down_energy(settled, producer_houses(scenario))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 8 * houses * minutes
