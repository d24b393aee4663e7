"""The cost of energy for a house by the scenario's tariff and community, as consumers with shared supply compare it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.sharing import EnergyPrices, PricesOfMinutes
from scenarios.prices import prices_at
from scenarios.scenario import Community, Scenario, VatItem


def supply_prices(scenario: Scenario) -> PricesOfMinutes | None:
    """Return what a house pays, with the community's grid fees and value added tax; None: there is no tariff.

    For energy from its own roof, it forgoes the feed-in price.
    """
    given, zone, community = scenario.tariff, scenario.zone, scenario.community or Community()
    if given is None:
        return None
    local_fee = community.local_grid_fee_eur_per_kwh
    local_fee = community.grid_fee_eur_per_kwh if local_fee is None else local_fee

    def with_vat(item: VatItem) -> float:
        return 1 + community.vat_percent / 100 if item in community.vat_on else 1.0

    def prices(times_s: npt.NDArray[np.int64], replaced: Mapping[str, float]) -> EnergyPrices:
        changes: dict[str, Any] = dict(replaced)
        tariff = replace(given, **changes)
        return EnergyPrices(
            own=prices_at(tariff.feed_in_eur_per_kwh, times_s, zone),
            neighbour=prices_at(tariff.neighbour_eur_per_kwh, times_s, zone) * with_vat("local")
            + prices_at(local_fee, times_s, zone) * with_vat("grid_fee"),
            grid=prices_at(tariff.import_eur_per_kwh, times_s, zone) * with_vat("import")
            + prices_at(community.grid_fee_eur_per_kwh, times_s, zone) * with_vat("grid_fee"),
        )

    return prices


def price_settings(scenario: Scenario) -> dict[str, Any] | None:
    """Return all that `supply_prices` depends on, fit for JSON; None: there is no tariff."""
    if scenario.tariff is None:
        return None
    community = scenario.community or Community()
    kept = ("grid_fee_eur_per_kwh", "local_grid_fee_eur_per_kwh", "vat_percent", "vat_on")
    fees = {name: value for name, value in asdict(community).items() if name in kept}
    return {"tariff": asdict(scenario.tariff), "fees": fees, "zone": asdict(scenario.zone)}
