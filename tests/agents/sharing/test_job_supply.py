"""A job's supply as its consumer knows it: what can be had, what it is worth, and when the job is content."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from agents.energy import FloatArray, IntArray
from agents.messages import Offer
from agents.shares import Share, packed
from agents.sharing import EnergyPrices, PriceView, SupplySettings
from agents.sharing.job_supply import MAX_IN_VAIN, MAX_WISHES, JobSupply, KnownOffer, SupplyCriteria
from tests.scenarios.neighbourhoods import START_S, job, load

MINUTE = START_S // 60
WASH = job("wash", "a", load((0, 0.0), (600, 10.0)), (0, 3600))
"""Ten minutes of a watt-hour each."""
FULL_MWH = 1_000
ANYWHERE = ((START_S, START_S + 3600),)
AT_ONCE = ((START_S, START_S),)


def minutes(mwh: int, count: int = 10) -> IntArray:
    """Return the same energy in each minute."""
    return np.full(count, mwh, dtype=np.int64)


def offer(producer: str, mwh: int, count: int = 10, *, movable_mwh: int = 0) -> KnownOffer:
    """Return an offer that begins at the start of the window."""
    movable = packed(minutes(movable_mwh, count)) if movable_mwh else ()
    return KnownOffer.of(MINUTE, Offer(producer=producer, minutes_mwh=packed(minutes(mwh, count)), movable_mwh=movable))


def supply(settings: SupplySettings | None = None, *, grid: FloatArray | None = None) -> JobSupply:
    """Return the supply of the wash; with a tariff if the grid has prices, EUR/kWh in each minute from the start."""

    def prices(times_s: IntArray, _replaced: Mapping[str, float]) -> EnergyPrices:
        assert grid is not None
        at = grid[np.minimum(times_s // 60 - MINUTE, len(grid) - 1)]
        return EnergyPrices(np.full(len(at), 0.08), np.full(len(at), 0.12), at)

    view = PriceView(None if grid is None else prices)
    return JobSupply(WASH, SupplyCriteria(settings or SupplySettings("shared"), frozenset({"own"}), view))


def test_a_running_job_keeps_the_minutes_that_have_passed() -> None:
    """What is free now cannot replace them, and what was held in them stays."""
    known = supply()
    known.start_s, known.held = START_S, {"own": minutes(FULL_MWH, 4)}
    known.offers = {"own": offer("own", FULL_MWH), "neighbour": offer("neighbour", FULL_MWH)}

    composed = known.compose(AT_ONCE, START_S + 6 * 60)

    total = np.zeros(10, dtype=np.int64)
    for series in composed.minutes_mwh.values():
        total[: len(series)] += series
    assert total.tolist() == [FULL_MWH] * 4 + [0, 0] + [FULL_MWH] * 4


def test_what_others_could_give_up_counts_only_in_a_wish_and_for_each_start_once() -> None:
    """Jobs that were asked to make room for a start are not asked for it again."""
    known = supply()
    known.offers = {"neighbour": offer("neighbour", 0, movable_mwh=FULL_MWH)}

    assert known.compose(AT_ONCE, START_S).covered_mwh == 0
    assert known.compose(AT_ONCE, START_S, with_movable=True).covered_mwh == 10 * FULL_MWH
    known.wishes.append(START_S)
    assert known.compose(AT_ONCE, START_S, with_movable=True).covered_mwh == 0


def test_a_job_is_worth_the_energy_that_it_is_covered_by_and_content_when_that_is_nearly_all() -> None:
    """A gain of less than two percent is not worth a move."""
    known = supply()
    known.held = {"own": minutes(500), "neighbour": minutes(400)}
    assert known.worth_now == 9_000
    assert known.least_gain(ANYWHERE) == 200
    assert not known.is_content(ANYWHERE)
    known.held = {"own": minutes(FULL_MWH)}
    assert known.is_nearly_covered
    assert known.is_content(ANYWHERE)


def test_where_cost_comes_first_a_covered_job_is_not_content_while_cheaper_energy_could_come() -> None:
    """Energy of a neighbour costs more than the cheap grid at night."""
    cheap_later = np.array([0.30] * 20 + [0.02] * 60)
    known = supply(SupplySettings("shared", prefer=("cheapest", "covered")), grid=cheap_later)
    known.start_s, known.held = START_S, {"neighbour": minutes(FULL_MWH)}

    assert known.worth_now < known.worth(START_S + 30 * 60, {})
    assert not known.is_content(ANYWHERE)


@pytest.mark.parametrize(("held", "costs_no_more"), [({"own": 1_000}, True), ({"neighbour": 1_000}, False)])
def test_a_move_for_others_takes_nothing_of_the_own_roof(held: dict[str, int], *, costs_no_more: bool) -> None:
    """By default, a household prefers its own roof."""
    known = supply()
    known.start_s, known.held = START_S, {"own": minutes(FULL_MWH)}

    moved = {producer: minutes(mwh) for producer, mwh in held.items()}

    assert known.costs_no_more(START_S + 60, moved) == costs_no_more


def test_a_move_for_others_must_not_cost_the_household_more() -> None:
    """The same share covers half of the job, but the grid's rest is dearer half an hour later."""
    dearer_later = np.array([0.30] * 20 + [0.40] * 60)
    known = supply(SupplySettings("shared", prefer=("covered", "cheapest")), grid=dearer_later)
    half = {"neighbour": minutes(FULL_MWH // 2)}
    known.start_s, known.held = START_S, half

    assert known.costs_no_more(START_S + 60, half)
    assert not known.costs_no_more(START_S + 30 * 60, half)


def test_a_job_with_one_percent_of_grid_power_is_as_good_as_covered() -> None:
    """It asks for no room, and moves for nothing."""
    known = supply()
    known.held = {"own": minutes(FULL_MWH - 10)}
    assert known.is_nearly_covered
    known.held = {"own": minutes(FULL_MWH - 11)}
    assert not known.is_nearly_covered


def test_a_reservation_is_held_for_one_start_and_one_series_only() -> None:
    """One that is being made counts instead of the one that stands."""
    known = supply()
    known.start_s, known.held = START_S, {"own": minutes(500)}
    assert known.is_held("own", START_S, minutes(500))
    assert not known.is_held("own", START_S + 60, minutes(500))
    known.reserved = {"own": (START_S, minutes(700))}
    assert not known.is_held("own", START_S, minutes(500))
    assert known.reserved_by("own").tolist() == minutes(700).tolist()


def test_a_producer_lacks_a_share_if_any_minute_of_it_is_not_free() -> None:
    """It must make room for that minute."""
    known = supply()
    known.offers = {"own": offer("own", 500, 5)}

    assert not known.lacks(START_S, Share(producer="own", minutes_mwh=((5, 500),)))
    assert known.lacks(START_S, Share(producer="own", minutes_mwh=((6, 500),)))


def test_a_job_stops_wishing_for_room() -> None:
    """After so many wishes, or reservations in vain, or if no other job could move."""
    known = supply()
    assert not known.may_wish
    known.offers = {"own": offer("own", 0, movable_mwh=10)}
    assert known.may_wish
    known.wishes = [START_S + 60 * wish for wish in range(MAX_WISHES)]
    assert not known.may_wish
    known.wishes, known.in_vain = [], MAX_IN_VAIN
    assert known.has_given_up
    assert not known.may_wish
