"""Prices that a gateway reports to its device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, LoadProfile
from agents.gateway.gateway_settings import GatewaySettings, PriceChange, Prices
from agents.model import GRID

EVENING_S = 64_800


def _dear_in_the_evening(times_s: npt.NDArray[np.int64]) -> FloatArray:
    return np.where(times_s >= EVENING_S, 0.4, 0.2)


def test_a_job_costs_what_energy_costs_while_it_runs() -> None:
    """A kilowatt for two hours, half of it before the price rises; energy from own panels is free."""
    settings = GatewaySettings(
        "washer",
        "adler",
        "washer",
        prices=Prices(_dear_in_the_evening, lambda times_s: np.full(len(times_s), 0.1)),
        producer_houses={"roof": "adler", "barn": "brandt"},
    )
    load = LoadProfile(times_s=(0, 7200), cumulative_wh=(0.0, 2000.0))
    changed = [PriceChange(EVENING_S - 1800, 0.6, None), PriceChange(EVENING_S + 1800, 1.0, 0.3)]
    dearer = {name: settings.price_eur(name, load, EVENING_S - 3600, changed) for name in (GRID, "barn", "roof")}
    assert {name: round(cost or 0.0, 9) for name, cost in dearer.items()} == {GRID: 1.2, "barn": 0.3, "roof": 0.0}
    costs = {name: settings.price_eur(name, load, EVENING_S - 3600) for name in (GRID, "barn", "roof")}
    assert {name: round(cost or 0.0, 9) for name, cost in costs.items()} == {GRID: 0.6, "barn": 0.2, "roof": 0.0}
