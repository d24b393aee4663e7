"""Bills by the tariff only: prices that change during a run, and that vary."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from agents import SHARED, CumulativeSeries, load_mwh, shares_of
from agents.model import GRID
from scenarios.metrics import allocate, bills_of, break_down_energy, producer_houses, settle
from scenarios.metrics.community_bills import divide_to_cents, round_to_cents
from scenarios.prices import Community, Price, PriceSeries, TariffChange
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import START_S, TARIFF, contract, forecast, job, load, neighbourhood, sun

HOUR_S = 3600
WASH = job("wash", "b", load((0, 0), (2 * HOUR_S, 2000)))
"""1 kW for two hours, in a house without a roof."""
STREET = neighbourhood({"a": {"pv": forecast(sun((0, 0), (2 * HOUR_S, 6000)))}, "b": {}}, [WASH], tariff=TARIFF)
"""3 kW for two hours."""


def bills_eur(scenario: Scenario, supplier: str = "pv") -> dict[str, float]:
    """Return the bill of each house if one producer, or the grid, supplies the job from the start."""
    settled = settle(scenario, [contract(WASH, supplier, 0)], START_S, START_S + 2 * HOUR_S)
    return {house: bill.with_eur for house, bill in bills_of(scenario, settled, producer_houses(scenario)).items()}


@pytest.mark.parametrize("seconds", [-59, -30, 0])
def test_a_change_of_the_tariff_holds_from_the_next_whole_minute(seconds: int) -> None:
    """Energy of each hour is sold at the price of its time, once."""
    dearer = replace(TARIFF, neighbour_eur_per_kwh=0.5, import_eur_per_kwh=0.9)
    scenario = replace(STREET, tariff_changes=(TariffChange(START_S + HOUR_S + seconds, dearer),))
    assert bills_eur(scenario) == pytest.approx({"a": -0.2 - 0.5 - 4 * 0.1, "b": 0.2 + 0.5})
    assert bills_eur(scenario, GRID) == pytest.approx({"a": -6 * 0.1, "b": 0.4 + 0.9})


@pytest.mark.parametrize("price", [0.2, PriceSeries((START_S, START_S + HOUR_S), (0.1, 0.3))])
def test_base_loads_pay_neighbours_as_contracts_do(price: Price) -> None:
    """The base load of a house gets what a neighbour's roof has left, at the price of the minute."""
    base = CumulativeSeries(times_s=(START_S, START_S + 2 * HOUR_S), cumulative_wh=(0.0, 2000.0))
    scenario = replace(STREET, base_loads={"b": base}, tariff=replace(TARIFF, neighbour_eur_per_kwh=price))
    assert bills_eur(scenario) == pytest.approx({"a": -4 * 0.2 - 2 * 0.1, "b": 4 * 0.2})


def test_a_house_cannot_use_what_its_roof_gives_to_a_neighbour() -> None:
    """Its roof covers a neighbour's wash and its own; its oven takes as much as the roof has sold, from the grid."""
    own, oven = (job(name, "a", load((0, 0), (2 * HOUR_S, 2000))) for name in ("own", "oven"))
    roof = {"a": {"pv": forecast(sun((0, 0), (2 * HOUR_S, 4000)))}, "b": {}}
    scenario = neighbourhood(roof, [WASH, own, oven], tariff=TARIFF)
    contracts = [contract(WASH, "pv", 0), contract(own, "pv", 0), contract(oven, GRID, 0)]
    settled = settle(scenario, contracts, START_S, START_S + 2 * HOUR_S)
    bill = bills_of(scenario, settled, producer_houses(scenario))["a"]
    assert (bill.bought_from_grid_wh, bill.fed_in_wh) == pytest.approx((2000, 0))
    assert (bill.bought_from_neighbours_wh, bill.sold_to_neighbours_wh) == pytest.approx((0, 2000))
    assert bill.with_eur == pytest.approx(2 * 0.4 - 2 * 0.2)


def test_half_a_cent_is_rounded_away_from_zero() -> None:
    """So what one member pays another is the same amount on both bills."""
    halves = [Fraction(n, 2) for n in (-3, -1, 1, 3)]
    assert [round_to_cents(half) for half in halves] == [-2, -1, 1, 2]
    assert divide_to_cents([Fraction(-1, 4), Fraction(-1, 4)]) == [0, -1]


def test_amounts_beyond_64_bits_are_exact() -> None:
    """100 GWh at 0.40 EUR/kWh are more millionths of a EUR per thousandth of a Wh than an integer of 64 bits holds."""
    huge = job("huge", "b", load((0, 0), (HOUR_S, 1e11)))
    scenario = replace(STREET, jobs=(huge,), community=Community())
    settled = settle(scenario, [contract(huge, GRID, 0)], START_S, START_S + HOUR_S)
    bill = bills_of(scenario, settled, producer_houses(scenario))["b"]
    assert (bill.without_eur, bill.with_eur) == (40_000_000.0, 40_000_000.0 - 3 * 0.2)  # 3 kWh are a neighbour's


def test_a_meter_is_read_in_whole_thousandths_of_a_wh() -> None:
    """Readings are rounded, and an interval's energy is the difference of two readings, so nothing is lost."""
    small = job("small", "b", load((0, 0), (900, 0.0006), (1800, 0.0012), (2700, 0.0018)))
    scenario = replace(STREET, jobs=(small,))
    settled = settle(scenario, [contract(small, GRID, 0)], START_S, START_S + HOUR_S)
    allocation = allocate(settled, producer_houses(scenario), "hierarchical", 900)
    assert allocation.consumed_milliwh[1].tolist() == [1, 0, 1, 0]


def test_a_house_without_a_roof_feeds_nothing_in() -> None:
    """Three roofs supply its job together; their parts add up to what it draws but for a rounding error."""
    minutes_wh = [round(0.301 * minute, 3) for minute in range(1, 121)]
    draw = job("draw", "h", load((0, 0), *((60 * n, sum(minutes_wh[:n])) for n in range(1, 121))))
    roofs = {f"r{i}": {f"pv{i}": forecast(sun((0, 0), (2 * HOUR_S, 9000)))} for i in range(3)}
    scenario = neighbourhood({**roofs, "h": {}}, [draw], tariff=TARIFF)
    total_mwh = load_mwh(draw.load_profile, START_S)
    parts_mwh = [total_mwh // 7, total_mwh // 3]
    shares = shares_of({f"pv{i}": part for i, part in enumerate([*parts_mwh, total_mwh - sum(parts_mwh)])})
    shared = contract(draw, GRID, 0).model_copy(update={"producer": SHARED, "shares": shares})
    settled = settle(scenario, [shared], START_S, START_S + 2 * HOUR_S)

    billed = bills_of(scenario, settled, producer_houses(scenario))
    split = break_down_energy(settled, producer_houses(scenario))

    assert (billed["h"].fed_in_wh, billed["h"].bought_from_grid_wh) == (0.0, 0.0)
    assert split.by_house["h"].grid_wh == 0.0
