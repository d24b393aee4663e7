"""Base loads: the own roof first, then what neighbours have left, then the grid; contracts get what the roof leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import CumulativeSeries
from agents.model import Contract
from scenarios.base_load import net_of_base_loads, own_uses
from scenarios.metrics.billing import account_of, bills
from scenarios.metrics.community_allocation import allocate
from scenarios.metrics.energy_breakdown import BASE_LOAD, break_down_energy
from scenarios.metrics.kpis import compute_kpis, producer_houses
from scenarios.metrics.settlement import settle
from scenarios.prices import Community
from scenarios.scenario import ProducerSeries, Scenario
from tests.scenarios.neighbourhoods import (
    START_S,
    TARIFF,
    agreed,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    producers,
    series_points,
    settled_runs,
    sun,
)

EXACT_WH = 1e-6


def draw(*points: tuple[int, float]) -> CumulativeSeries:
    """Return a base load through (seconds since START_S, Wh) points."""
    return CumulativeSeries(times_s=tuple(START_S + t for t, _ in points), cumulative_wh=tuple(wh for _, wh in points))


def street() -> tuple[Scenario, list[Contract]]:
    """For an hour: A produces 1000 Wh and always draws 300; B has no roof and always draws 600; B's job is with A."""
    other = job("other", "b", load((0, 0), (1800, 400)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (3600, 1000)))}, "b": {}}, [other], tariff=TARIFF)
    base_loads = {"a": draw((0, 0), (3600, 300)), "b": draw((0, 0), (3600, 600))}
    return replace(scenario, base_loads=base_loads), [contract(other, "pv", 0)]


def test_the_own_roof_comes_first_then_contracts_then_neighbours() -> None:
    """In the first half, A's roof has 350 Wh for the job of 400; in the second, B's base load takes 300 of 350."""
    scenario, contracts = street()
    settled = settle(scenario, contracts, START_S, START_S + 3600)
    base = settled.base_load

    assert base is not None
    assert base.own_wh.sum(axis=1) == pytest.approx([300, 0])
    assert settled.delivered_wh.sum() == pytest.approx(350)
    assert base.bought_wh.sum(axis=1) == pytest.approx([0, 300])
    assert base.bought_wh[1, :30].sum() == pytest.approx(0, abs=EXACT_WH)
    assert settled.grid_wh.sum() == pytest.approx(50 + 300)
    assert settled.export_wh.sum() == pytest.approx(50)

    figures = compute_kpis(scenario, settled, [agreed(contracts[0])], START_S + 3600)
    assert (figures.consumed_wh, figures.base_load_wh) == pytest.approx((1300, 900))
    assert (figures.delivered_wh, figures.shortfall_wh, figures.base_load_local_wh) == pytest.approx((350, 50, 600))
    assert figures.self_sufficiency == pytest.approx(950 / 1300)
    assert figures.self_consumption == pytest.approx(0.95)
    split = break_down_energy(settled, producer_houses(scenario))
    assert split.by_device["b", BASE_LOAD].neighbours_wh == pytest.approx(300)
    assert split.by_house["b"].grid_wh == pytest.approx(350)
    assert [(hour.delivered_wh, hour.local_wh) for hour in split.by_hour] == [pytest.approx((350, 950))]


def test_base_loads_are_billed_like_jobs() -> None:
    """B pays A for 650 Wh, by the tariff and by the negotiated key alike, and buys 350 Wh from the grid."""
    scenario, contracts = street()
    settled = settle(scenario, contracts, START_S, START_S + 3600)

    bill = bills(settled, producer_houses(scenario), TARIFF)["b"]
    account = account_of(scenario, settled, producer_houses(scenario), Community(key="negotiated"))

    assert bill.bought_from_neighbours_wh == pytest.approx(650)
    assert bill.with_eur == pytest.approx(0.65 * 0.2 + 0.35 * 0.4)
    assert account is not None
    assert account.members["b"].bought_wh == pytest.approx(650, abs=0.01)
    assert account.members["b"].with_community.total_cents == 27
    assert account.members["a"].own_wh == pytest.approx(300, abs=0.01)


def test_a_house_with_two_roofs_divides_its_base_load_by_what_they_give() -> None:
    """East gives in the first half of the hour, west in the second; each expects to serve its half."""
    roofs = {"east": forecast(sun((0, 0), (1800, 500))), "west": forecast(sun((1800, 0), (3600, 500)))}
    scenario = replace(neighbourhood({"a": roofs}, []), base_loads={"a": draw((0, 0), (3600, 200))})

    parts = own_uses(scenario)
    settled = settle(scenario, [], START_S, START_S + 3600)

    assert parts["east"].energy_until_wh([START_S + 1800, START_S + 3600]).tolist() == [100, 100]
    assert parts["west"].energy_until_wh([START_S + 1800, START_S + 3600]).tolist() == [0, 100]
    assert settled.base_load is not None
    assert settled.base_load.given_wh.sum(axis=1) == pytest.approx([100, 100])


def test_a_house_with_two_roofs_is_paid_for_what_both_give_to_neighbours() -> None:
    """B's base load takes 600 of the 800 Wh that A's roofs give together."""
    roofs = {"east": forecast(sun((0, 0), (3600, 500))), "west": forecast(sun((0, 0), (3600, 300)))}
    scenario = replace(
        neighbourhood({"a": roofs, "b": {}}, [], tariff=TARIFF), base_loads={"b": draw((0, 0), (3600, 600))}
    )
    settled = settle(scenario, [], START_S, START_S + 3600)

    account = account_of(scenario, settled, producer_houses(scenario), Community(key="negotiated"))

    assert account is not None
    assert account.members["a"].sold_wh == pytest.approx(600, abs=0.01)
    assert account.members["a"].fed_in_wh == pytest.approx(200, abs=0.01)


@st.composite
def runs_with_base_loads(draw_: st.DrawFn) -> tuple[Scenario, list[Contract], int]:
    """Draw a run in which some houses have a base load, some above their production."""
    scenario, contracts, end_s = draw_(settled_runs())
    loads = {
        house.id: draw(*draw_(series_points(st.integers(-600, 4000))))
        for house in scenario.houses
        if draw_(st.booleans())
    }
    return replace(scenario, base_loads=loads), contracts, end_s


@settings(max_examples=25)
@given(runs_with_base_loads())
def test_energy_adds_up_with_base_loads(run: tuple[Scenario, list[Contract], int]) -> None:
    """Minute by minute and house by house; the own roof serves its base load before anything leaves it."""
    scenario, contracts, end_s = run
    settled = settle(scenario, contracts, START_S, end_s)
    base = settled.base_load
    if base is None:
        return

    given_wh = settled.base_load_supplied_wh
    assert (settled.delivered_wh + given_wh <= settled.produced_wh + EXACT_WH).all()
    assert (settled.export_wh >= -EXACT_WH).all()
    assert base.own_wh.sum(axis=0) == pytest.approx(base.given_wh.sum(axis=0), abs=EXACT_WH)
    assert base.bought_wh.sum(axis=0) == pytest.approx(base.sold_wh.sum(axis=0), abs=EXACT_WH)
    assert (base.own_wh + base.bought_wh <= base.consumed_wh + EXACT_WH).all()
    assert settled.house_delivered_wh.sum(axis=0) == pytest.approx(settled.local_wh, abs=EXACT_WH)
    owner = [settled.houses.index(producer_houses(scenario)[producer]) for producer in settled.producers]
    roof_wh = np.zeros_like(base.own_wh)
    np.add.at(roof_wh, owner, settled.produced_wh)
    assert base.own_wh == pytest.approx(np.minimum(base.consumed_wh, roof_wh), abs=EXACT_WH)
    # A house that still lacks power while another one has some left would be a mistake.
    lacking_wh = (base.consumed_wh - base.own_wh - base.bought_wh).sum(axis=0)
    assert np.minimum(lacking_wh, settled.export_wh.sum(axis=0)) == pytest.approx(0, abs=EXACT_WH)
    split = break_down_energy(settled, producer_houses(scenario))
    for whole in (split.by_house, split.by_device):
        assert sum(of.consumed_wh for of in whole.values()) == pytest.approx(settled.consumed_wh.sum(), abs=EXACT_WH)
        assert sum(of.grid_wh for of in whole.values()) == pytest.approx(settled.grid_wh.sum(), abs=EXACT_WH)
    energy = allocate(settled, producer_houses(scenario), "negotiated", 900)
    assert (energy.bought_milliwh.sum(axis=0) == energy.sold_milliwh.sum(axis=0)).all()
    assert (energy.imported_milliwh >= 0).all()
    assert (energy.fed_in_milliwh >= 0).all()


@settings(max_examples=15)
@given(runs_with_base_loads())
def test_contracts_get_the_same_if_base_loads_are_taken_from_the_roofs_first(
    run: tuple[Scenario, list[Contract], int],
) -> None:
    """This is why the optimum can be sought without base loads."""
    scenario, contracts, end_s = run
    settled = settle(scenario, contracts, START_S, end_s)
    beside = settle(net_of_base_loads(scenario), contracts, START_S, end_s)

    assert beside.delivered_wh == pytest.approx(settled.delivered_wh, abs=EXACT_WH)
    assert (beside.produced_wh <= settled.produced_wh + EXACT_WH).all()


@settings(max_examples=25)
@given(st.lists(producers(), min_size=2, max_size=3), series_points(st.integers(-600, 4000)), st.integers(0, 4000))
def test_several_roofs_of_a_house_leave_the_same_for_contracts(
    roofs: list[ProducerSeries], base_points: tuple[tuple[int, float], ...], start_s: int
) -> None:
    """Some produce as forecast and others do not, at any second: what each serves depends on what all really give."""
    jobs = [job(f"j{i}", "a", load((0, 0), (1800, 1000), (3700, 1300))) for i in range(len(roofs))]
    houses = {"a": {f"pv{i}": roof for i, roof in enumerate(roofs)}}
    scenario = replace(neighbourhood(houses, jobs), base_loads={"a": draw(*base_points)})
    contracts = [contract(each, f"pv{i}", start_s) for i, each in enumerate(jobs)]
    end_s = START_S + 8000

    settled = settle(scenario, contracts, START_S, end_s)
    beside = settle(net_of_base_loads(scenario, end_s), contracts, START_S, end_s)

    assert beside.delivered_wh == pytest.approx(settled.delivered_wh, abs=EXACT_WH)


def test_what_is_only_a_rounding_error_is_no_energy() -> None:
    """Who counts the minutes with grid power, or the houses with a roof, finds none that rounding has made."""
    rates = [0.1 * n + 1 / 3 for n in range(1, 12)]
    houses = {f"r{n}": {f"pv{n}": forecast(sun((0, 0), (36_000, 1_700 / 3 + n)))} for n in range(3)}
    houses |= {f"h{n}": {} for n in range(len(rates))}
    scenario = neighbourhood(houses, [], tariff=TARIFF)
    scenario = replace(
        scenario, base_loads={f"h{n}": draw((0, 0), (36_000, 100 * rate)) for n, rate in enumerate(rates)}
    )
    settled = settle(scenario, [], START_S, START_S + 36_000)
    assert settled.grid_wh.tolist() == [0.0] * settled.minutes
    assert (settled.export_wh.sum(axis=0) > 0).all()
