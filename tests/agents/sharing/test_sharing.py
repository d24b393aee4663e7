"""Composing a job's supply from offers, and shares in whole mWh."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from agents.energy import LoadProfile, Production
from agents.errors import SettingsError
from agents.messages import Conclude, Reserve, RoomNeeded, RoomWanted, SharePromised
from agents.model import MANAGER, SHARED, Contract, Job
from agents.producer import Producer
from agents.scheduling import AlgorithmSettings, ProducerState, Schedule, Task, scheduler_for
from agents.shares import Share, giving_periods_s, load_mwh, packed, unpacked
from agents.sharing import (
    PREFERENCES,
    EnergyPrices,
    Offers,
    Preference,
    SupplySettings,
    compose,
    cost_of,
    start_on_grid,
)
from agents.sharing.shared_producer_supply import SharedProducerSupply
from tests.agents.stage import on_stage, to
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, sun

MINUTES = 12
LOAD = LoadProfile(times_s=(0, 120, 240), cumulative_wh=(0.0, 60.0, 90.0))
"""1.8 kW for two minutes, then 0.9 kW for two."""
FREE = st.lists(st.integers(0, 40_000), min_size=MINUTES, max_size=MINUTES)
OFFERS = st.lists(FREE, min_size=1, max_size=4).map(
    lambda rows: Offers(0, tuple(f"roof-{i}" for i in range(len(rows))), np.array(rows, dtype=np.int64))
)
STARTS = ((0, 60 * (MINUTES - 4)),)


def offers(**free: list[int]) -> Offers:
    """Return offers from minute 0 on."""
    return Offers(0, tuple(sorted(free)), np.array([free[name] for name in sorted(free)], dtype=np.int64))


@settings(max_examples=60, deadline=None)
@given(OFFERS)
def test_shares_are_within_the_offers_and_the_draw_and_nothing_better_is_possible(offered: Offers) -> None:
    """This holds for any offers."""
    found = compose(LOAD, STARTS, offered, PREFERENCES)
    drawn, begin = load_mwh(LOAD, found.start_s), found.start_s // 60
    total = np.zeros(len(drawn), dtype=np.int64)
    for producer, share in found.minutes_mwh.items():
        row = offered.free_mwh[offered.producers.index(producer), begin : begin + len(drawn)]
        assert (share <= row[: len(share)]).all()
        total += share
    assert (total <= drawn).all()
    assert total.sum() == found.covered_mwh
    pooled = offered.free_mwh.sum(axis=0)
    best = max(int(np.minimum(pooled[i : i + 4], drawn[:4]).sum()) for i in range(MINUTES - 3))
    assert found.covered_mwh == best


@settings(max_examples=60, deadline=None)
@given(OFFERS, st.integers(0, 3), FREE)
def test_more_on_offer_never_covers_less(offered: Offers, row: int, more: list[int]) -> None:
    """So composing again with the job's own shares among the offers never reduces its coverage."""
    before = compose(LOAD, STARTS, offered, PREFERENCES)
    free = offered.free_mwh.copy()
    free[row % len(free)] += np.array(more, dtype=np.int64)
    assert compose(LOAD, STARTS, Offers(0, offered.producers, free), PREFERENCES).covered_mwh >= before.covered_mwh


@settings(max_examples=60, deadline=None)
@given(free=st.lists(st.sampled_from([10_000, 20_000, 40_000]), min_size=MINUTES, max_size=MINUTES))
def test_one_panel_and_a_job_that_fits_give_the_start_of_the_whole_job_rule(free: list[int]) -> None:
    """Any production by the minute; where the whole-job rule rejects the job, sharing covers a part of it."""
    minutes_s = tuple(range(0, 60 * MINUTES + 1, 60))
    produced_wh = tuple(np.concatenate([[0.0], np.cumsum(free) / 1_000]).tolist())
    state = ProducerState(Production(times_s=minutes_s, cumulative_wh=produced_wh), (), 0)
    whole = scheduler_for(AlgorithmSettings()).place(state, Task.among(STARTS, "wash", LOAD), Random(1))
    found = compose(LOAD, STARTS, offers(roof=free), PREFERENCES)
    if isinstance(whole, Schedule):
        assert (found.start_s, found.covered_mwh) == (whole.starts_s["wash"], 90_000)
        assert found.minutes_mwh.keys() == {"roof"}
    else:
        assert found.covered_mwh < 90_000


def test_fewest_suppliers_count_more_than_an_earlier_start_in_the_whole_window() -> None:
    """Two roofs together cover the job at once; one of them alone, two hours later."""
    hours = {"east": [20_000] * 240, "south": [20_000] * 120 + [40_000] * 120}
    found = compose(LOAD, ((0, 60 * 230),), offers(**hours), PREFERENCES)
    assert (found.start_s, set(found.minutes_mwh)) == (120 * 60, {"south"})
    earliest = compose(LOAD, ((0, 60 * 230),), offers(**hours), ("covered", "earliest", "fewest"))
    assert (earliest.start_s, len(earliest.minutes_mwh)) == (0, 2)


HEAT = LoadProfile(times_s=(0, 600, 1200, 1800), cumulative_wh=(0.0, 250.0, 500.0, 700.0))
"""Its 700 Wh round to 699.999, 700.000 or 700.001 Wh, by the second of its start."""


@pytest.mark.parametrize(("evens_rounding", "start_s"), [(True, 1), (False, 24_008)])
def test_a_job_that_is_covered_at_any_time_starts_at_once_however_its_minutes_round(
    *, evens_rounding: bool, start_s: int
) -> None:
    """It waited for hours, because its 700 Wh round to 700.001 Wh at the second of its latest start."""
    always = offers(roof=[60_000] * 600)
    assert compose(HEAT, ((1, 24_008),), always, PREFERENCES, evens_rounding=evens_rounding).start_s == start_s


def test_preferences_decide_in_their_order_among_equals() -> None:
    """Both roofs cover the whole job at any time, the own roof only later."""
    own_later = offers(mine=[0] * 5 + [40_000] * 7, theirs=[40_000] * MINUTES)
    assert compose(LOAD, STARTS, own_later, PREFERENCES, own={"mine"}).start_s == 300
    assert compose(LOAD, STARTS, own_later, ("covered", "earliest"), own={"mine"}).start_s == 0
    halves = offers(a=[15_000] * MINUTES, b=[15_000] * MINUTES, c=[0] * 6 + [40_000] * 6)
    assert compose(LOAD, STARTS, halves, ("covered", "fewest", "earliest")).start_s == 360
    assert compose(LOAD, STARTS, halves, ("covered", "earliest")).start_s == 0


@pytest.mark.parametrize(("evens_rounding", "start_s"), [(True, 8), (False, 1_081)])
@pytest.mark.parametrize("free_mwh", [[60_000] * 60, [0] * 60, [0] * 20 + [9_000] * 5 + [0] * 35])
def test_a_job_that_costs_the_same_at_any_time_starts_at_once_however_its_minutes_round(
    *, free_mwh: list[int], evens_rounding: bool, start_s: int
) -> None:
    """Supplied by a roof, by the grid, or by a sunny spell that every start includes and the grid."""
    flat = EnergyPrices(*(np.full(60, price) for price in (0.08, 0.12, 0.3)))
    starts, offered = ((8, 1_081),), offers(roof=free_mwh)
    found = compose(HEAT, starts, offered, ("cheapest",), prices=flat, evens_rounding=evens_rounding)
    assert found.start_s == start_s


@pytest.mark.parametrize(("evens_rounding", "start_s"), [(True, 8), (False, 1_081)])
@pytest.mark.parametrize("prefer", [PREFERENCES, ("cheapest",)])
def test_without_prices_a_job_that_is_covered_alike_at_any_time_starts_at_once_however_its_minutes_round(
    *, prefer: tuple[Preference, ...], evens_rounding: bool, start_s: int
) -> None:
    """A sunny spell that every start includes covers the same part: the grid gave 1 mWh less at the latest start."""
    spell = offers(roof=[0] * 20 + [9_000] * 5 + [0] * 35)
    assert compose(HEAT, ((8, 1_081),), spell, prefer, evens_rounding=evens_rounding).start_s == start_s


@pytest.mark.parametrize(("evens_rounding", "first_s", "last_s"), [(True, 8, 24_008), (False, 24_001, 1)])
def test_starts_without_sun_that_cost_the_same_are_equal_however_their_minutes_round(
    *, evens_rounding: bool, first_s: int, last_s: int
) -> None:
    """The impatient job waited for hours; the patient one waited for no sun at all."""
    flat = EnergyPrices(*(np.full(600, price) for price in (0.08, 0.12, 0.3)))
    early = start_on_grid(HEAT, ((8, 24_001),), 0, flat, late=False, evens_rounding=evens_rounding)
    late = start_on_grid(HEAT, ((1, 24_008),), 0, flat, late=True, evens_rounding=evens_rounding)
    assert (early, late) == (first_s, last_s)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 59),
    st.integers(0, 59),
    st.lists(st.tuples(*[st.integers(-5, 40)] * 2), min_size=60, max_size=60),
    st.lists(st.integers(0, 30_000), min_size=60, max_size=60),
)
def test_the_cheapest_start_costs_at_most_a_few_mwh_more_than_the_one_that_rounding_makes_cheapest(
    first_s: int, second_s: int, cents: list[tuple[int, int]], free_mwh: list[int]
) -> None:
    """Whatever the prices and offers: only differences that come from rounding are passed over."""
    neighbour, grid = (np.array(some) / 100 for some in zip(*cents, strict=True))
    varying = EnergyPrices(np.zeros(60), neighbour, grid)
    starts, offered = ((first_s, 1_200 + second_s),), offers(roof=free_mwh)
    evened, exact = (
        compose(HEAT, starts, offered, ("cheapest",), prices=varying, evens_rounding=evens) for evens in (True, False)
    )
    costs = [cost_of(HEAT, found.start_s, found.minutes_mwh, (), 0, varying) for found in (evened, exact)]
    assert costs[0] - costs[1] <= 2 * 2 * 400_000  # two starts, each 2 mWh from another at most, 0.40 EUR/kWh


def prices(grid: list[float], neighbour: list[float] | float = 0.12, own: list[float] | float = 0.08) -> EnergyPrices:
    """Return prices of each minute, EUR/kWh."""
    return EnergyPrices(*(np.broadcast_to(np.array(some, dtype=float), MINUTES) for some in (own, neighbour, grid)))


def test_the_cheapest_start_leaves_the_grid_what_costs_least() -> None:
    """Half of each start is covered; the grid is cheap late."""
    varying = prices([0.4] * 6 + [0.15] * 6)
    half = offers(roof=[7_500] * MINUTES)
    assert compose(LOAD, STARTS, half, ("cheapest", "earliest"), prices=varying).start_s == 360
    assert compose(LOAD, STARTS, half, ("covered", "cheapest", "earliest"), prices=varying).start_s == 360
    assert compose(LOAD, STARTS, half, ("covered", "earliest"), prices=varying).start_s == 0


def test_cost_before_coverage_leaves_dear_energy_of_neighbours_to_others() -> None:
    """Late in the day the grid is cheaper than the neighbour; a job that prefers coverage pays more."""
    varying = prices([0.4] * 6 + [0.05] * 6)
    late_sun = offers(roof=[0] * 6 + [40_000] * 6)
    cheap = compose(LOAD, STARTS, late_sun, ("cheapest", "covered"), prices=varying)
    assert (cheap.start_s, cheap.covered_mwh) == (360, 0)
    assert compose(LOAD, STARTS, late_sun, ("covered", "cheapest"), prices=varying).covered_mwh == 90_000


def test_the_cheaper_of_own_roof_and_neighbours_supplies_each_minute_first() -> None:
    """Both could supply everything; feed-in pays well in the second half, so the own roof's energy is sold then."""
    both = offers(mine=[40_000] * MINUTES, theirs=[40_000] * MINUTES)
    varying = prices([0.4] * MINUTES, own=[0.02] * 6 + [0.3] * 6)
    at_middle = ((240, 240),)
    found = compose(LOAD, at_middle, both, ("covered", "cheapest"), own={"mine"}, prices=varying)
    assert found.minutes_mwh["mine"].tolist() == [30_000, 30_000, 0, 0]
    assert found.minutes_mwh["theirs"].tolist() == [0, 0, 15_000, 15_000]
    own_first = compose(LOAD, at_middle, both, ("covered", "own-roof", "cheapest"), own={"mine"}, prices=varying)
    assert own_first.minutes_mwh.keys() == {"mine"}


@settings(max_examples=40, deadline=None)
@given(OFFERS, st.lists(st.tuples(*[st.integers(-5, 40)] * 3), min_size=MINUTES, max_size=MINUTES))
def test_no_start_and_no_shares_cost_less_than_the_cheapest(offered: Offers, cents: list[tuple[int, ...]]) -> None:
    """Against every start with the cheapest source of each minute first."""
    own, neighbour, grid = (np.array(some) / 100 for some in zip(*cents, strict=True))
    varying = EnergyPrices(own, neighbour, grid)
    found = compose(LOAD, STARTS, offered, ("cheapest",), own={"roof-0"}, prices=varying)
    drawn = load_mwh(LOAD, 0)
    costs = []
    for first in range(MINUTES - 3):
        cost = 0
        for minute, mwh in enumerate(drawn[:4].tolist(), start=first):
            left = mwh
            own_mwh, others_mwh = int(offered.free_mwh[0, minute]), int(offered.free_mwh[1:, minute].sum())
            of_own, of_others, of_grid = cents[minute]
            for price, most in sorted([(of_own, own_mwh), (of_others, others_mwh), (of_grid, left)]):
                taken = min(left, most)
                cost, left = cost + price * 10_000 * taken, left - taken
        costs.append(cost)
    assert cost_of(LOAD, found.start_s, found.minutes_mwh, {"roof-0"}, 0, varying) == min(costs)


def test_without_sun_a_job_starts_when_the_grid_is_cheapest() -> None:
    """The last of equal starts if it may still find sun until then."""
    varying = prices([0.4] * 3 + [0.1] * 6 + [0.4] * 3)
    assert start_on_grid(LOAD, STARTS, 0, varying, late=False) == 180
    assert start_on_grid(LOAD, STARTS, 0, varying, late=True) == 300


@given(st.lists(st.integers(0, 3), max_size=40))
def test_runs_read_back_as_the_minutes_that_they_stand_for(minutes: list[int]) -> None:
    """Zeros at the end are implied."""
    series = np.array(minutes, dtype=np.int64)
    assert (unpacked(packed(series), len(series)) == series).all()


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(0, 600))
def test_periods_are_the_minutes_in_which_a_share_gives_something(minutes: list[int], start_s: int) -> None:
    """Between two periods there is a gap."""
    periods = giving_periods_s(packed(np.array(minutes, dtype=np.int64)), start_s)
    given_s = {start_s // 60 * 60 + 60 * n for n, mwh in enumerate(minutes) if mwh}
    assert {at_s for begin_s, end_s in periods for at_s in range(begin_s, end_s, 60)} == given_s
    assert all(before[1] < after[0] for before, after in pairwise(periods))


@pytest.mark.parametrize(
    "runs", [(), ((2, 0),), ((1, 5), (1, 5)), ((0, 5),), ((1, -5),), ((1, 5), (3, 0)), ((500_000, 5), (500_000, 6))]
)
def test_a_share_is_written_in_one_way_only(runs: tuple[tuple[int, int], ...]) -> None:
    """Otherwise two households could sign the same share with different texts."""
    with pytest.raises(ValidationError):
        Share(producer="roof", minutes_mwh=runs)


def test_a_contract_has_shares_if_several_supply_it_and_is_written_without_them_otherwise() -> None:
    """So ledgers of whole jobs do not change by a byte."""
    share = Share(producer="roof", minutes_mwh=((4, 100),))
    whole = Contract(contract_id="wash/1", job_id="wash", producer="roof", start_s=0, agreed_s=0, energy_wh=90.0)
    assert "shares" not in whole.model_dump()
    with pytest.raises(ValidationError, match="has shares if its producer is 'shared'"):
        Contract(**whole.model_dump(), shares=(share,))
    shared = Contract(**{**whole.model_dump(), "producer": SHARED}, shares=(share,))
    assert Contract.model_validate_json(shared.model_dump_json()) == shared


def test_all_problems_of_settings_are_reported_at_once() -> None:
    """Settings of algorithms behave the same way."""
    with pytest.raises(SettingsError) as error:
        SupplySettings("half", ("covered", "covered", "sunny"))  # type: ignore[arg-type]  # what users may write
    assert error.value.problems == (
        "unknown supply 'half': expected one of whole, shared",
        "unknown preference 'sunny': expected one of covered, own-roof, cheapest, fewest, earliest",
        "preference 'covered' is given twice",
    )


def test_a_wish_for_room_that_would_not_fit_into_a_message_is_not_passed_on() -> None:
    """The producer would be blamed for an oversized message."""
    wash, dry = (job(name, house, load((0, 0.0), (3600, 800.0))) for name, house in (("wash", "a"), ("dry", "b")))
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, SharedProducerSupply)
    with on_stage(roof, START_S) as stage:
        for each, part in ((dry, 2), (wash, 100)):
            some = packed(load_mwh(each.load_profile, START_S + 60) // part)
            reserve = Reserve(
                job_id=each.job_id,
                start_s=START_S + 60,
                minutes_mwh=some,
                keeps_earlier=False,
                job=each.as_sent,
            )
            stage.say((each.agent, reserve))
        share = Share(producer="roof", minutes_mwh=packed(load_mwh(wash.load_profile, START_S + 60)))
        others = [share.model_copy(update={"producer": f"r{n}".ljust(4_000, "x")}) for n in range(60)]
        passed_on = [
            [m for m in to(dry.agent, stage.say((wash.agent, wish))) if isinstance(m, RoomNeeded)]
            for wish in (
                RoomWanted(job_id="wash", start_s=START_S + 60, shares=(share, *others)),
                RoomWanted(job_id="wash", start_s=START_S + 60, shares=(share,)),
            )
        ]
    assert [len(needed) for needed in passed_on] == [0, 1]


def test_two_reservations_of_a_job_take_no_more_than_the_larger_one() -> None:
    """Until its consumer says which of the two remains, another job can have the rest."""
    wash, dry = (job(name, name, load((0, 0.0), (3600, 400.0)), (0, 7_200)) for name in ("wash", "dry"))
    roof = Producer("roof", forecast(sun((0, 0.0), (10_800, 1_800.0))).predictions, SharedProducerSupply)
    with on_stage(roof, START_S) as stage:

        def is_promised(of: Job, mwh: int, *, keeps_earlier: bool = False) -> bool:
            reserve = Reserve(
                job_id=of.job_id,
                start_s=START_S + 3_600,
                minutes_mwh=((10, mwh),),
                keeps_earlier=keeps_earlier,
                job=of.as_sent,
            )
            (answer,) = to(MANAGER, stage.say((of.agent, reserve)))
            return isinstance(answer, SharePromised)

        assert is_promised(wash, 6_000)
        assert is_promised(wash, 5_000, keeps_earlier=True)
        assert not is_promised(dry, 4_001)
        assert is_promised(dry, 4_000)
        stage.say((wash.agent, Conclude(job_id="wash", is_agreed=True)))
        assert is_promised(dry, 5_000)
