"""An energy community's settlement: allocation keys by the interval, and bills to the cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import CumulativeSeries
from agents.model import GRID, Contract
from scenarios.metrics.billing import account_of, bills, bills_of
from scenarios.metrics.community_allocation import ALLOCATION_KEYS, LocalSupply, allocate, apportion
from scenarios.metrics.community_bills import divide_to_cents, round_to_cents
from scenarios.metrics.kpis import producer_houses
from scenarios.metrics.settlement import Settlement, settle
from scenarios.prices import (
    DAY_MIN,
    AllocationKey,
    Community,
    PriceBand,
    PriceSeries,
    Tariff,
    TariffChange,
    TimeOfUse,
    prices_at,
)
from scenarios.scenario import Scenario
from scenarios.zone import Zone
from tests.scenarios.neighbourhoods import (
    START_S,
    TARIFF,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    series_points,
    settled_runs,
    sun,
)


def community_of_three() -> tuple[Scenario, Settlement]:
    """For an hour, A produces 2000 Wh and draws 500, B produces 400 and draws 1000, C draws 3000 from the grid.

    B's job has a contract with A; the other jobs have none.
    """
    jobs = [
        job("a-job", "a", load((0, 0), (3600, 500))),
        job("b-job", "b", load((0, 0), (3600, 1000))),
        job("c-job", "c", load((0, 0), (3600, 3000))),
    ]
    roofs = {"a": {"pv-a": forecast(sun((0, 0), (3600, 2000)))}, "b": {"pv-b": forecast(sun((0, 0), (3600, 400)))}}
    scenario = neighbourhood({**roofs, "c": {}}, jobs, tariff=TARIFF)
    contracts = [contract(jobs[0], GRID, 0), contract(jobs[1], "pv-a", 0), contract(jobs[2], GRID, 0)]
    return scenario, settle(scenario, contracts, START_S, START_S + 3600)


@pytest.mark.parametrize(
    ("key", "own_wh", "bought_wh", "sold_wh"),
    [
        # 2400 Wh for 4500: each draws 8/15 from the pool, of which A gave 5/6 and B 1/6.
        ("proportional", [2000 / 9, 800 / 9, 0], [400 / 9, 4000 / 9, 1600], [16000 / 9, 2800 / 9, 0]),
        # A and B use their own roofs; A's rest of 1500 Wh is shared by B, who lacks 600, and C, who lacks 3000.
        ("hierarchical", [500, 400, 0], [0, 250, 1250], [1500, 0, 0]),
        # B gets 1000 Wh of A by contract; A uses 500 of the rest. Nothing else was agreed.
        ("negotiated", [500, 0, 0], [0, 1000, 0], [1000, 0, 0]),
    ],
)
def test_each_key_allocates_an_hour(
    key: AllocationKey, own_wh: list[float], bought_wh: list[float], sold_wh: list[float]
) -> None:
    """Static shares are below."""
    scenario, settled = community_of_three()

    energy = allocate(settled, producer_houses(scenario), key, 900)

    assert energy.own_milliwh.sum(axis=1) == pytest.approx(np.array(own_wh) * 1000, abs=4)
    assert energy.bought_milliwh.sum(axis=1) == pytest.approx(np.array(bought_wh) * 1000, abs=4)
    assert energy.sold_milliwh.sum(axis=1) == pytest.approx(np.array(sold_wh) * 1000, abs=4)


def test_a_static_share_that_its_owner_does_not_use_is_fed_in() -> None:
    """A has half of 2400 Wh and uses 500; B has a quarter, and uses 600; C has a quarter too."""
    scenario, settled = community_of_three()

    energy = allocate(settled, producer_houses(scenario), "static", 900, coefficients={"a": 0.5, "b": 0.25, "c": 0.25})

    used = energy.own_milliwh + energy.bought_milliwh
    assert used.sum(axis=1).tolist() == [500_000, 600_000, 600_000]
    assert energy.fed_in_milliwh.sum() == 700_000
    assert energy.imported_milliwh.sum(axis=1).tolist() == [0, 400_000, 2_400_000]


def test_intervals_begin_at_quarters_of_an_hour_whenever_the_run_starts() -> None:
    """The run starts at five past; its first interval has ten minutes."""
    scenario, _ = community_of_three()
    first, *_ = scenario.jobs
    settled = settle(
        replace(scenario, start_s=START_S + 300), [contract(first, GRID, 300)], START_S + 300, START_S + 300
    )

    energy = allocate(settled, producer_houses(scenario), "hierarchical", 900)

    assert energy.times_s.tolist() == [START_S + s for s in (300, 900, 1800, 2700, 3600)]
    assert energy.consumed_milliwh[0].sum() == 500_000
    assert energy.consumed_milliwh[0, 0] == pytest.approx(500_000 / 6, abs=1)


def test_what_does_not_divide_goes_to_the_largest_remainders() -> None:
    """Of ten: 5.5, 2.8 and 1.7. Of eleven: 6.05, 3.08 and 1.87, but at most five for the first."""
    weights = np.array([[55], [28], [17]])

    assert apportion(weights, np.array([10]), np.array([[10], [10], [10]]))[:, 0].tolist() == [5, 3, 2]
    assert apportion(weights, np.array([11]), np.array([[5], [10], [10]]))[:, 0].tolist() == [5, 4, 2]


def test_rounding_lets_no_member_buy_more_than_its_meter_counts() -> None:
    """B draws 100.6 mWh in five minutes, all of it by contract: its meter counts 101, 100, ... mWh, 1,207 in all."""
    scenario, _ = community_of_three()
    tiny = job("b-job", "b", load((0, 0), (3600, 1.2072)))
    settled = settle(replace(scenario, jobs=(tiny,)), [contract(tiny, "pv-a", 0)], START_S, START_S + 3600)

    energy = allocate(settled, producer_houses(scenario), "negotiated", 300)

    assert energy.bought_milliwh[1].tolist() == energy.consumed_milliwh[1].tolist()
    assert set(energy.bought_milliwh[1].tolist()) == {100, 101}
    assert energy.bought_milliwh[1].sum() == energy.sold_milliwh[0].sum() == 1207
    assert (energy.own_milliwh >= 0).all()
    assert (energy.imported_milliwh >= 0).all()


def test_several_suppliers_of_one_job_are_settled_as_they_supplied() -> None:
    """Shares: C's job gets 1200 Wh from A and 300 Wh from B in the first minutes of the hour."""
    scenario, settled = community_of_three()
    supply = LocalSupply(
        minute=np.array([0, 0, 1]),
        consumer=np.array([2, 2, 2]),
        producer=np.array([0, 1, 0]),
        energy_wh=np.array([30.0, 6.0, 20.0]),
    )

    energy = allocate(settled, producer_houses(scenario), "negotiated", 900, supply=supply)

    assert energy.bought_milliwh[2].tolist() == [56_000, 0, 0, 0]
    assert energy.sold_milliwh[:, 0].tolist() == [50_000, 6_000, 0]
    assert energy.own_milliwh.sum(axis=1).tolist() == [500_000, 394_000, 0]


def test_bills_have_reduced_grid_fees_fixed_fees_and_vat() -> None:
    """C buys 1.25 kWh from A and 1.75 kWh from the grid."""
    scenario, settled = community_of_three()
    community = Community(
        key="hierarchical",
        grid_fee_eur_per_kwh=0.08,
        local_grid_fee_eur_per_kwh=0.04,
        supplier_fee_eur_per_year=876.0,  # 10 ct an hour
        community_fee_eur_per_year=87.6,
        vat_percent=20.0,
    )

    account = account_of(replace(scenario, community=community), settled, producer_houses(scenario))

    assert account is not None
    c = account.members["c"].with_community
    assert (c.import_cents, c.local_bought_cents, c.grid_fee_cents, c.local_grid_fee_cents) == (70, 25, 14, 5)
    assert (c.fixed_cents, c.vat_cents) == (11, 20)  # 20 % of 70 + 14 + 5 + 11, not of the 25 for A
    assert account.members["a"].with_community.local_sold_cents == -30
    alone = account.members["c"].without_community
    assert (alone.import_cents, alone.grid_fee_cents, alone.fixed_cents, alone.vat_cents) == (120, 24, 10, 31)
    assert account.members["c"].saving_cents == 185 - 145
    assert account.total_cents == account.outside.total_cents


def test_fixed_fees_are_those_of_a_year_of_365_days() -> None:
    """8760 hours at 10 EUR."""
    scenario, settled = community_of_three()

    account = account_of(scenario, settled, producer_houses(scenario), Community(supplier_fee_eur_per_year=87_600.0))

    assert account is not None
    assert account.members["c"].with_community.fixed_cents == 1000


def test_without_a_reduced_grid_fee_energy_of_members_costs_the_full_one() -> None:
    """C buys 1.25 kWh from A."""
    scenario, settled = community_of_three()

    account = account_of(scenario, settled, producer_houses(scenario), Community(grid_fee_eur_per_kwh=0.08))

    assert account is not None
    assert account.members["c"].with_community.local_grid_fee_cents == 10


def test_value_added_tax_on_local_energy_is_paid_by_those_who_buy_it() -> None:
    """C buys 1.25 kWh for 25 ct; A, who sells it, pays none."""
    scenario, settled = community_of_three()
    community = Community(vat_percent=20.0, vat_on=("local",))

    account = account_of(scenario, settled, producer_houses(scenario), community)

    assert account is not None
    assert [account.members[house].with_community.vat_cents for house in "abc"] == [0, 1, 5]


def test_percentages_and_prices_are_as_exact_as_they_are_written() -> None:
    """Neither 8.1 % nor 0.000249 EUR is a binary fraction."""
    scenario, settled = community_of_three()
    fees = Community(supplier_fee_eur_per_year=43_800.0, vat_percent=8.1, vat_on=("fixed_fee",))
    account = account_of(scenario, settled, producer_houses(scenario), fees)
    assert account is not None
    assert account.members["c"].without_community.vat_cents == 41  # of 40.5

    fees = Community(grid_fee_eur_per_kwh=0.000249)
    smelter = job("c-job", "c", load((0, 0), (3600, 1e7)))
    much = replace(scenario, jobs=(smelter,))
    settled = settle(much, [contract(smelter, GRID, 0)], START_S, START_S + 3600)
    account = account_of(much, settled, producer_houses(much), fees)
    assert account is not None
    assert account.members["c"].without_community.grid_fee_cents == 249  # of 10 MWh


def test_an_account_shows_only_the_lines_that_there_are() -> None:
    """Trade among members is no payment to outsiders."""
    scenario, settled = community_of_three()

    account = account_of(scenario, settled, producer_houses(scenario), Community(supplier_fee_eur_per_year=8760.0))

    assert account is not None
    assert account.members["a"].named_lines() == [("sold to members", -0.3), ("fixed fees", 1.0)]
    outside = account.as_dict()["outside"]
    assert isinstance(outside, dict)
    assert outside.keys().isdisjoint({"local_bought_eur", "local_sold_eur"})
    assert outside["total_eur"] == pytest.approx(3.0 + 0.35 * 0.4 + 1.75 * 0.4)


def test_emissions_and_savings_compare_a_member_with_itself_alone() -> None:
    """Alone, B buys 600 Wh from the grid; as a member, 350 Wh, and 250 Wh from A."""
    scenario, settled = community_of_three()

    b = bills_of(replace(scenario, community=Community()), settled, producer_houses(scenario))["b"]

    assert (b.with_kg_co2, b.without_kg_co2) == pytest.approx((0.175, 0.3))
    assert (b.with_eur, b.without_eur, b.saving_eur) == (0.19, 0.24, 0.05)


@st.composite
def coefficients(draw: st.DrawFn) -> dict[str, float]:
    """Draw the shares of some houses, which need not divide all production."""
    weights = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4))
    return {
        f"h{i}": round(weight / (sum(weights) + draw(st.integers(0, 3)) or 1), 6) for i, weight in enumerate(weights)
    }


@st.composite
def communities(draw: st.DrawFn) -> Community:
    """Draw any key, fees, value added tax."""
    eur = st.floats(-0.5, 2, allow_nan=False).map(lambda value: round(value, 4))
    return Community(
        key=draw(st.sampled_from(ALLOCATION_KEYS)),
        interval_s=draw(st.sampled_from([300, 900, 3600])),
        coefficients=draw(st.none() | coefficients()),
        grid_fee_eur_per_kwh=draw(eur),
        local_grid_fee_eur_per_kwh=draw(st.none() | eur),
        supplier_fee_eur_per_year=draw(st.floats(0, 500)),
        community_fee_eur_per_year=draw(st.floats(0, 500)),
        vat_percent=draw(st.sampled_from([0.0, 7.7, 19.0, 25.5])),
        vat_on=draw(st.sampled_from([("import", "grid_fee", "fixed_fee"), ("local",), ()])),
    )


@settings(max_examples=25)
@given(
    settled_runs(), communities(), st.lists(st.floats(-0.3, 1), min_size=1, max_size=3), series_points(st.just(START_S))
)
def test_all_bills_together_are_what_the_community_pays_outside(
    run: tuple[Scenario, list[Contract], int],
    community: Community,
    prices: list[float],
    base_load: list[tuple[int, float]],
) -> None:
    """They match to the cent, line by line, and energy is conserved in every interval, as meters count it."""
    scenario, contracts, end_s = run
    times_s, cumulative_wh = zip(*base_load, strict=True)
    base_loads = {"h0": CumulativeSeries(times_s=times_s, cumulative_wh=cumulative_wh)}
    series = PriceSeries(tuple(START_S + 1000 * i for i in range(len(prices))), tuple(prices))
    tariff = replace(TARIFF, import_eur_per_kwh=series)
    scenario = replace(scenario, community=community, tariff=tariff, base_loads=base_loads)
    settled = settle(scenario, contracts, START_S, end_s)

    account = account_of(scenario, settled, producer_houses(scenario))
    energy = allocate(
        settled,
        producer_houses(scenario),
        community.key,
        community.interval_s,
        coefficients=community.coefficients,
    )

    assert account is not None
    members = account.members.values()
    lines = [sum(getattr(m.with_community, name) for m in members) for name in account.outside.__dataclass_fields__]
    assert lines == [getattr(account.outside, name) for name in account.outside.__dataclass_fields__]
    assert account.total_cents == account.outside.total_cents
    assert account.outside.local_bought_cents + account.outside.local_sold_cents == 0
    for part in (energy.own_milliwh, energy.bought_milliwh, energy.sold_milliwh):
        assert (part >= 0).all()
    assert (energy.imported_milliwh >= 0).all()
    assert (energy.fed_in_milliwh >= 0).all()
    assert (energy.bought_milliwh.sum(axis=0) == energy.sold_milliwh.sum(axis=0)).all()
    counted_wh = np.array([(m.consumed_wh, m.produced_wh) for m in members]).T
    metered_wh = [settled.house_consumed_wh.sum(axis=1), settled.house_produced_wh.sum(axis=1)]
    assert np.abs(counted_wh - metered_wh).max() < 0.00051
    balance_wh = sum(m.imported_wh - m.fed_in_wh for m in members)
    assert balance_wh == pytest.approx(counted_wh[0].sum() - counted_wh[1].sum(), abs=1e-6)


@settings(max_examples=50)
@given(st.lists(st.fractions(-1000, 1000), max_size=12))
def test_cents_are_divided_by_the_largest_remainder(amounts: list[Fraction]) -> None:
    """Each amount is rounded down or up, and the sum is kept."""
    cents = divide_to_cents(amounts)

    assert sum(cents) == round_to_cents(sum(amounts, start=Fraction(0)))
    assert all(abs(part - amount) < 1 for part, amount in zip(cents, amounts, strict=True))


def test_equal_amounts_that_do_not_divide_are_rounded_up_in_order() -> None:
    """Three times 3.33 cents are 10 cents."""
    assert divide_to_cents([Fraction(10, 3)] * 3) == [4, 3, 3]


def test_a_time_of_use_table_follows_the_clock_of_the_zone() -> None:
    """Day and night rates on weekdays, one rate at weekends, across the end of summer time."""
    weekdays, weekend = (0, 1, 2, 3, 4), (5, 6)
    table = TimeOfUse(
        (
            PriceBand(weekdays, 6 * 60, 22 * 60, 0.36),
            PriceBand(weekend, 0, DAY_MIN, 0.2),
            PriceBand((*weekdays, *weekend), 0, DAY_MIN, 0.24),
        )
    )
    berlin = Zone(7200, "Europe/Berlin")
    moments = [(10, 23, 3, 59), (10, 23, 4, 0), (10, 24, 21, 59), (10, 25, 23, 0), (10, 26, 4, 59), (10, 26, 5, 0)]
    times_s = np.array([int(datetime(2026, *at, tzinfo=UTC).timestamp()) for at in moments])

    assert prices_at(table, times_s, berlin).tolist() == [0.24, 0.36, 0.2, 0.24, 0.24, 0.36]


def test_prices_of_the_tariff_may_vary_without_a_community_too() -> None:
    """From half past on, import costs twice as much; a change of the timeline replaces the series."""
    scenario, settled = community_of_three()
    series = PriceSeries((START_S, START_S + 1800), (0.4, 0.8))
    tariff = replace(TARIFF, import_eur_per_kwh=series, neighbour_eur_per_kwh=series)

    c = bills(settled, producer_houses(scenario), tariff)["c"]
    b = bills(settled, producer_houses(scenario), tariff)["b"]
    changed = replace(
        scenario, tariff=tariff, tariff_changes=(TariffChange(START_S + 1800, Tariff(0.1, 0.1, 0.2, 0.9)),)
    )

    assert c.with_eur == pytest.approx(1.5 * 0.4 + 1.5 * 0.8)
    assert b.with_eur == pytest.approx(0.5 * 0.4 + 0.5 * 0.8 - 0.4 * 0.1)
    billed = bills_of(changed, settled, producer_houses(scenario))
    assert billed["c"].with_eur == pytest.approx(1.5 * 0.4 + 1.5 * 0.1)
    assert billed["b"].bought_from_neighbours_wh == pytest.approx(1000)
    assert billed["b"].with_eur == pytest.approx(0.5 * 0.4 + 0.5 * 0.2 - 0.4 * 0.1)
    account = account_of(changed, settled, producer_houses(scenario), Community(key="negotiated"))
    assert account is not None
    assert account.members["c"].with_community.total_cents == 75
    for of in (changed, replace(changed, community=Community(key="negotiated"))):
        emitted = bills_of(of, settled, producer_houses(scenario))["c"]
        kg = 1.5 * TARIFF.grid_kg_co2_per_kwh + 1.5 * 0.9
        assert (emitted.with_kg_co2, emitted.without_kg_co2) == pytest.approx((kg, kg))
