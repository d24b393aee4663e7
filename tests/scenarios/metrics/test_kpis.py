"""The figures say what they promise to say; by hand on small cases, by properties on any."""

from __future__ import annotations

import math
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.model import GRID, Contract
from scenarios.metrics.billing import bills
from scenarios.metrics.energy_breakdown import break_down_energy
from scenarios.metrics.kpis import (
    IntervalError,
    compute_kpis,
    count_jobs,
    load_factor,
    mean_power_w,
    peak_to_average,
    producer_houses,
)
from scenarios.metrics.settlement import settle
from scenarios.metrics.statistics import sample_statistics, statistics_by_figure, t_quantile
from scenarios.prices import Tariff
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
    settled_runs,
    sun,
)

energies = st.lists(st.just(0.0) | st.floats(1e-3, 1e5), min_size=1, max_size=200).map(np.array)
EXACT_WH = 1e-6


def test_peaks_are_mean_powers_over_the_interval() -> None:
    """60 Wh in one minute of an hour: 3600 W over a minute, 240 W over a quarter, 60 W over the hour."""
    hour_wh = np.zeros(60)
    hour_wh[7] = 60

    assert [mean_power_w(hour_wh, s).max() for s in (60, 900, 3600)] == [3600, 240, 60]
    assert [peak_to_average(hour_wh, s) for s in (60, 900, 3600)] == [60, 4, 1]
    assert load_factor(hour_wh, 900) == 0.25


def test_an_interval_that_does_not_fit_is_filled_up_with_nothing() -> None:
    """20 minutes of 1 Wh in quarters: 60 W, then 5 of 15 minutes: 20 W."""
    assert mean_power_w(np.ones(20), 900).tolist() == [60, 20]
    assert mean_power_w(np.ones(10), 7200).tolist() == [5]


@pytest.mark.parametrize("interval_s", [0, -60, 59, 90])
def test_an_interval_is_whole_minutes(interval_s: int) -> None:
    """Data have no finer resolution."""
    with pytest.raises(IntervalError, match=f"whole minutes.*not {interval_s} s"):
        mean_power_w(np.ones(10), interval_s)


@given(energies, st.integers(1, 300))
def test_powers_hold_the_energy_and_the_peak_is_above_the_mean(energy_wh: np.ndarray, width: int) -> None:
    """Over any interval."""
    power_w = mean_power_w(energy_wh, width * 60)
    ratio = peak_to_average(energy_wh, width * 60)

    assert power_w.sum() * width / 60 == pytest.approx(energy_wh.sum())
    assert ratio is None or ratio >= 1 - 1e-9
    assert (ratio is None) == (energy_wh.sum() == 0)


def test_shares_by_contract_and_pooled_over_the_neighbourhood() -> None:
    """A grid job under a neighbour's idle roof: nothing by contract, all of it behind one meter."""
    mine, other = job("mine", "a", load((0, 0), (60, 10))), job("other", "b", load((0, 0), (60, 10)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (60, 40)))}, "b": {}}, [mine, other])
    contracts = [contract(mine, "pv", 0), contract(other, GRID, 0)]

    figures = compute_kpis(scenario, settle(scenario, contracts, START_S, START_S), map(agreed, contracts), START_S)

    assert (figures.consumed_wh, figures.contracted_wh, figures.delivered_wh) == (20, 10, 10)
    assert (figures.produced_wh, figures.shortfall_wh) == (40, 0)
    assert (figures.grid_wh, figures.export_wh) == (10, 30)
    assert (figures.self_consumption, figures.self_sufficiency) == (0.25, 0.5)
    assert (figures.pooled_self_consumption, figures.pooled_self_sufficiency) == (0.5, 1.0)
    assert (figures.pooled_grid_wh, figures.pooled_export_wh) == (0, 20)
    assert (figures.jobs, figures.jobs_on_grid) == (2, 1)


def test_a_ratio_with_denominator_zero_is_none() -> None:
    """Without jobs or production there is no ratio, instead of 0 or an error."""
    scenario = neighbourhood({"a": {}}, [])

    figures = compute_kpis(scenario, settle(scenario, [], START_S, START_S + 600), [], START_S + 600)

    assert figures.self_consumption is None
    assert figures.self_sufficiency is None
    assert figures.pooled_self_consumption is None
    assert figures.pooled_self_sufficiency is None
    assert figures.consumption_peak_to_average is None
    assert figures.production_peak_to_average is None
    assert figures.load_factor is None
    assert figures.mean_delay_s is None
    assert figures.bill_eur is None
    assert figures.peak_consumption_w == 0


def test_jobs_are_counted_by_their_events() -> None:
    """Late, waited, moved, cancelled, renegotiated, unfinished: each job counts once for each."""
    profile = load((0, 0), (600, 10))
    ontime, late, moved, again, gone = (
        job(name, "a", profile) for name in ("ontime", "late", "moved", "again", "gone")
    )
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (60, 40)))}}, [ontime, late, moved, again, gone])
    lost = agreed(contract(gone, "pv", 0)).model_copy(update={"state": "lost"})
    ledger = [
        agreed(contract(ontime, "pv", 0)),
        agreed(contract(late, "pv", 1200, agreed_s=60)),
        amended(contract(moved, "pv", 0), 30, 600),
        cancelled(contract(again, "pv", 0), 10),
        cancelled(contract(again, "pv", 0, n=2, agreed_s=10), 20),
        agreed(contract(again, GRID, 20, n=3, agreed_s=20)),
        lost,
    ]

    counts = count_jobs(scenario, ledger, START_S + 1200, not_registered=2)

    assert counts == {
        "jobs": 4,
        "jobs_on_grid": 1,
        "jobs_late": 3,
        "mean_delay_s": (0 + 1200 + 600 + 20) / 4,
        "jobs_waited": 1,
        "jobs_moved": 1,
        "jobs_cancelled": 1,
        "jobs_renegotiated": 1,
        "jobs_lost": 1,
        "jobs_overlapping": 2,  # `again` starts while `ontime` runs, `moved` while `again` does
        "jobs_unfinished": 1,
        "jobs_not_registered": 2,
    }


def test_a_job_registered_after_its_earliest_start_is_late_only_from_then_on() -> None:
    """It could not have started earlier."""
    of = job("j", "a", load((0, 0), (60, 1))).model_copy(update={"registered_s": START_S + 500})
    scenario = neighbourhood({"a": {}}, [of])

    counts = count_jobs(scenario, [agreed(contract(of, GRID, 500, agreed_s=500))], START_S + 600)

    assert (counts["jobs_late"], counts["jobs_waited"], counts["mean_delay_s"]) == (0, 0, 0)


def test_a_job_registered_before_the_run_did_not_wait_for_it() -> None:
    """No agent could be asked before."""
    of = job("j", "a", load((0, 0), (60, 1)), (-900, 900)).model_copy(update={"registered_s": START_S - 600})

    counts = count_jobs(neighbourhood({"a": {}}, [of]), [agreed(contract(of, GRID, 0))], START_S + 600)

    assert (counts["jobs_late"], counts["jobs_waited"], counts["mean_delay_s"]) == (0, 0, 0)


def test_a_job_that_got_another_contract_is_not_lost() -> None:
    """Its household came back before its latest start."""
    of = job("j", "a", load((0, 0), (60, 1)))
    lost = cancelled(contract(of, GRID, 0), 60).model_copy(update={"state": "lost"})

    counts = count_jobs(neighbourhood({"a": {}}, [of]), [lost, agreed(contract(of, GRID, 600, n=2))], START_S + 900)

    assert (counts["jobs"], counts["jobs_lost"], counts["jobs_renegotiated"]) == (1, 0, 1)


def test_energy_is_split_by_house_device_producer_and_hour() -> None:
    """Own roof, a neighbour's roof, the grid; an hour that begins in the middle of the run."""
    mine, other = job("mine", "a", load((0, 0), (3600, 60))), job("other", "b", load((0, 0), (3600, 60)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (7200, 120)))}, "b": {}}, [mine, other])
    contracts = [contract(mine, "pv", 0), contract(other, "pv", 1800)]

    split = break_down_energy(settle(scenario, contracts, START_S, START_S), producer_houses(scenario))

    assert {
        h: [round(x, 6) for x in (s.consumed_wh, s.own_wh, s.neighbours_wh, s.grid_wh)]
        for h, s in split.by_house.items()
    } == {
        "a": [60, 45, 0, 15],
        "b": [60, 0, 45, 15],
    }
    assert list(split.by_device) == [("a", "machine"), ("b", "machine")]
    assert split.by_producer["pv"].contracted_wh == pytest.approx(120)
    assert split.by_producer["pv"].delivered_wh == pytest.approx(90)
    assert split.by_producer["pv"].jobs == 2
    assert [hour.start_s for hour in split.by_hour] == [START_S, START_S + 3600]
    assert [round(hour.consumed_wh, 6) for hour in split.by_hour] == [90, 30]
    assert [round(hour.grid_wh, 6) for hour in split.by_hour] == [30, 0]


@settings(max_examples=40)
@given(settled_runs())
def test_every_split_adds_up_to_the_whole(run: tuple[Scenario, list[Contract], int]) -> None:
    """The splits are by house, device, producer and hour."""
    scenario, contracts, end_s = run
    settled = settle(scenario, contracts, START_S, end_s)
    figures = compute_kpis(scenario, settled, map(agreed, contracts), end_s)
    split = break_down_energy(settled, producer_houses(scenario))

    for parts in (split.by_house.values(), split.by_device.values(), split.by_hour):
        assert sum(part.consumed_wh for part in parts) == pytest.approx(figures.consumed_wh, abs=EXACT_WH)
        assert sum(part.grid_wh for part in parts) == pytest.approx(figures.grid_wh, abs=EXACT_WH)
    assert sum(p.delivered_wh for p in split.by_producer.values()) == pytest.approx(figures.delivered_wh, abs=EXACT_WH)
    assert sum(p.produced_wh for p in split.by_producer.values()) == pytest.approx(figures.produced_wh, abs=EXACT_WH)
    assert all(before.start_s + 3600 == after.start_s for before, after in pairwise(split.by_hour))
    assert figures.contracted_wh == pytest.approx(figures.delivered_wh + figures.shortfall_wh, abs=EXACT_WH)
    assert figures.consumed_wh == pytest.approx(figures.delivered_wh + figures.grid_wh, abs=EXACT_WH)
    assert figures.pooled_covered_wh >= figures.delivered_wh - EXACT_WH
    for share in (figures.self_consumption, figures.self_sufficiency, figures.pooled_self_consumption):
        assert share is None or -EXACT_WH <= share <= 1 + EXACT_WH


def test_bills_with_and_without_the_neighbourhood() -> None:
    """A sells B 1 kWh for 20 ct that it would have fed in for 10, and that B would have bought for 40."""
    other = job("other", "b", load((0, 0), (3600, 1500)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (3600, 1000)))}, "b": {}}, [other], tariff=TARIFF)
    settled = settle(scenario, [contract(other, "pv", 0)], START_S, START_S)

    billed = bills(settled, producer_houses(scenario), TARIFF)

    assert billed["a"].with_eur == pytest.approx(-0.2)
    assert billed["a"].without_eur == pytest.approx(-0.1)
    assert billed["b"].with_eur == pytest.approx(0.2 + 0.5 * 0.4)
    assert billed["b"].without_eur == pytest.approx(1.5 * 0.4)
    assert billed["a"].saving_eur == pytest.approx(0.1)
    assert (billed["b"].with_kg_co2, billed["b"].without_kg_co2) == pytest.approx((0.25, 0.75))


def test_a_house_uses_its_own_surplus_before_it_buys() -> None:
    """A grid job below the house's own idle roof costs nothing: it is behind the same meter."""
    mine = job("mine", "a", load((0, 0), (3600, 500)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (3600, 700)))}}, [mine], tariff=TARIFF)
    settled = settle(scenario, [contract(mine, GRID, 0)], START_S, START_S)

    bill = bills(settled, producer_houses(scenario), TARIFF)["a"]

    assert bill.with_eur == pytest.approx(-0.2 * 0.1)
    assert bill.with_eur == pytest.approx(bill.without_eur)


@settings(max_examples=40)
@given(settled_runs())
def test_money_and_energy_on_the_bills_add_up(run: tuple[Scenario, list[Contract], int]) -> None:
    """Payments between houses cancel out; bought, fed-in and drawn energy balances production."""
    scenario, contracts, end_s = run
    settled = settle(scenario, contracts, START_S, end_s)
    billed = bills(settled, producer_houses(scenario), TARIFF).values()
    free = bills(settled, producer_houses(scenario), Tariff(0.4, 0.1, 0.0, 0.5)).values()

    imported_wh, fed_in_wh = sum(b.bought_from_grid_wh for b in billed), sum(b.fed_in_wh for b in billed)
    balance_wh = settled.consumed_wh.sum() - settled.produced_wh.sum()
    assert imported_wh - fed_in_wh == pytest.approx(balance_wh, abs=EXACT_WH)
    assert sum(b.with_eur for b in billed) == pytest.approx(sum(b.with_eur for b in free), abs=1e-9)
    assert sum(b.saving_eur for b in billed) >= -1e-9
    assert sum(b.with_kg_co2 for b in billed) <= sum(b.without_kg_co2 for b in billed) + 1e-9


def test_spread_over_runs() -> None:
    """Mean 2, sample deviation 1, and t(2) = 4.3027 standard errors to either side."""
    of = sample_statistics([1.0, 2.0, 3.0, None])

    assert (of.runs, of.mean, of.standard_deviation, of.minimum, of.maximum) == (3, 2, 1, 1, 3)
    assert of.high_95 == pytest.approx(2 + 4.302653 / math.sqrt(3))
    assert of.low_95 == pytest.approx(2 - 4.302653 / math.sqrt(3))
    assert t_quantile(1) == pytest.approx(12.7062, abs=1e-4)


def test_spread_of_few_runs_claims_nothing() -> None:
    """One run has a mean and no deviation; no run has neither."""
    assert asdict(sample_statistics([5.0])) == {
        "runs": 1,
        "mean": 5,
        "standard_deviation": None,
        "low_95": None,
        "high_95": None,
        "minimum": 5,
        "maximum": 5,
    }
    assert sample_statistics([None]).mean is None
    assert list(statistics_by_figure([{"a": 1.0, "b": None}, {"a": 2.0, "b": 4.0}])) == ["a", "b"]
