"""Bounds proven by prices, compared with plans, and prices of production that does not occur."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import Prediction
from scenarios.optimum.cuts import CapacityCut, DualFeasibleFunction
from scenarios.optimum.instance import instance_of
from scenarios.optimum.lagrangian import DualPrices, LagrangianBound
from scenarios.scenario import ProducerSeries, Scenario
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun
from tests.scenarios.optimum.tiny import DAY, best_by_force, every_second, street, tiny

HOUR_S = 3600


@pytest.mark.long
@settings(max_examples=40, deadline=None, derandomize=True)
@given(tiny(window_s=12), st.lists(st.floats(0.0, 3.0), min_size=60, max_size=60))
def test_any_prices_bound_what_any_run_delivers(scenario: Scenario, prices: list[float]) -> None:
    """However silly the prices, also where a forecast promised more than there was and plans are kept in part."""
    few = street(dict(scenario.producers), *scenario.jobs[:2])
    instance = instance_of(few)
    starts_s = every_second(few.jobs)
    for limit_wh, carried in ((instance.production_wh, True), (instance.limit_wh, False)):
        pricing = LagrangianBound(instance, limit_wh)
        zero_prices = pricing.zero_prices()
        by_bin = np.resize(np.array(prices), zero_prices.by_bin.shape)
        bound_wh, _ = pricing.evaluate(DualPrices(by_bin, zero_prices.by_cut))
        assert bound_wh >= best_by_force(few, starts_s, carried=carried) - 1e-4


def test_overpromised_energy_is_priced_by_its_cost_beyond_its_worth() -> None:
    """Of 1 kWh promised, 800 Wh are produced.

    At a price of 2 per Wh none is bought; overpromised energy earns its price minus its worth.
    """
    promised = Prediction(issued_s=START_S, production=sun((0, 0.0), (HOUR_S, 1000.0), (2 * HOUR_S, 1000.0)))
    real = sun((0, 0.0), (HOUR_S, 800.0), (2 * HOUR_S, 800.0))
    wash = job("wash", "1", load((0, 0.0), (HOUR_S, 1000.0)), (0, 0))
    instance = instance_of(street({"pv": ProducerSeries((promised,), real)}, wash))
    pricing = LagrangianBound(instance, instance.limit_wh)

    def bound_at(price: float) -> float:
        return pricing.evaluate(DualPrices(np.full_like(pricing.production_wh, price), pricing.zero_prices().by_cut))[0]

    assert bound_at(0.0) == pytest.approx(1000.0)
    assert bound_at(1.0) == pytest.approx(800.0, abs=0.1)
    assert bound_at(2.0) == pytest.approx(2 * 800.0 + 200.0, abs=0.1)


def test_a_cut_holds_for_each_of_some_identical_producers() -> None:
    """Two roofs of 1 kW each take one load of 600 W, of three; they may be told apart by nothing but their names."""
    loads = [job(f"load-{i}", f"{i}", load((0, 0.0), (HOUR_S, 600.0)), (0, 0)) for i in range(3)]
    roofs = {"pv-1": forecast(DAY), "pv-2": forecast(DAY)}
    instance = instance_of(neighbourhood({"0": roofs, "1": {}, "2": {}}, loads))
    pricing = LagrangianBound(instance, instance.production_wh)
    last_minute = 59
    pricing.add_cut(CapacityCut(0, last_minute, 1000.0 / 60, DualFeasibleFunction(steps=1)))
    prices = DualPrices(np.zeros_like(pricing.production_wh), np.array([600.0]))

    bound_wh, columns = pricing.evaluate(prices)

    assert len(instance.classes) == 1
    assert bound_wh == pytest.approx(1200.0)
    assert [pricing.cost(column, prices) for column in columns] == pytest.approx([600.0] * 3)


def test_prices_between_others_are_weighted_and_cuts_found_later_are_free() -> None:
    """Half-way in the usual search, but any weight is possible."""
    one, other = DualPrices(np.array([[1.0]]), np.array([2.0])), DualPrices(np.array([[5.0]]), np.array([4.0, 8.0]))
    between = one.interpolate(other, 0.25)
    assert between.by_bin.tolist() == [[2.0]]
    assert between.by_cut.tolist() == [2.5, 2.0]
