"""Bounds proven by prices, compared with plans, and prices of production that does not occur."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import Prediction
from scenarios.optimum.instance import instance_of
from scenarios.optimum.lagrangian import DualPrices, LagrangianBound
from scenarios.scenario import ProducerSeries, Scenario
from tests.scenarios.neighbourhoods import START_S, job, load, sun
from tests.scenarios.optimum.tiny import best_by_force, every_second, street, tiny

HOUR_S = 3600


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
