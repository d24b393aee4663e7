"""What every house pays with and without the neighbourhood, and the emissions of its grid power.

With the neighbourhood, energy from a house's own panels is free; energy from a neighbour's panel costs the price among
neighbours, which that neighbour earns. Behind its own meter, a house then covers what it still lacks in a minute by
what its panels have left in that minute. Whatever is still lacking is bought from the grid; whatever is left is fed in.

Without the neighbourhood, the house's jobs run at the very same times, but only its own panels serve them; the rest is
bought, the surplus fed in. The difference is thus the value of contracts, not the value of shifting jobs in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents import FloatArray
from scenarios.metrics.settlement import Settlement
from scenarios.scenario import Tariff

WH_PER_KWH = 1000.0


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill of one house; negative amounts are paid to the house."""

    with_eur: float
    """Cost with the neighbourhood."""
    without_eur: float
    """Cost of the same jobs at the same times, with the house's own panels and the grid only."""
    with_kg_co2: float
    """Emissions of the grid power that it buys, with the neighbourhood."""
    without_kg_co2: float
    bought_from_grid_wh: float
    bought_from_neighbours_wh: float
    sold_to_neighbours_wh: float
    fed_in_wh: float

    @property
    def saving_eur(self) -> float:
        """What the house saves by the neighbourhood; negative if it pays more."""
        return self.without_eur - self.with_eur


def bills(settlement: Settlement, producer_house: Mapping[str, str], tariff: Tariff) -> dict[str, Bill]:
    """Return every house's bill, by house id.

    Args:
        settlement: The run's settled energy.
        producer_house: The house of each producer, by producer id.
        tariff: Prices and emissions.
    """
    index = {house: i for i, house in enumerate(settlement.houses)}
    roof_wh = np.zeros_like(settlement.house_consumed_wh)
    left_wh = np.zeros_like(settlement.house_consumed_wh)
    for i, producer in enumerate(settlement.producers):
        roof_wh[index[producer_house[producer]]] += settlement.produced_wh[i]
        left_wh[index[producer_house[producer]]] += settlement.export_wh[i]
    lacking_wh = settlement.house_consumed_wh - settlement.house_delivered_wh
    own_use_wh = np.minimum(left_wh, lacking_wh)
    bought_wh, sold_wh = _among_neighbours(settlement, producer_house, index)

    with_import_wh = (lacking_wh - own_use_wh).sum(axis=1)
    with_feed_in_wh = (left_wh - own_use_wh).sum(axis=1)
    alone_wh = np.minimum(roof_wh, settlement.house_consumed_wh)
    without_import_wh = (settlement.house_consumed_wh - alone_wh).sum(axis=1)
    without_feed_in_wh = (roof_wh - alone_wh).sum(axis=1)

    grid, feed_in = tariff.import_eur_per_kwh / WH_PER_KWH, tariff.feed_in_eur_per_kwh / WH_PER_KWH
    neighbour, kg = tariff.neighbour_eur_per_kwh / WH_PER_KWH, tariff.grid_kg_co2_per_kwh / WH_PER_KWH
    with_eur = grid * with_import_wh - feed_in * with_feed_in_wh + neighbour * (bought_wh - sold_wh)
    without_eur = grid * without_import_wh - feed_in * without_feed_in_wh
    return {
        house: Bill(
            with_eur=float(with_eur[i]),
            without_eur=float(without_eur[i]),
            with_kg_co2=float(kg * with_import_wh[i]),
            without_kg_co2=float(kg * without_import_wh[i]),
            bought_from_grid_wh=float(with_import_wh[i]),
            bought_from_neighbours_wh=float(bought_wh[i]),
            sold_to_neighbours_wh=float(sold_wh[i]),
            fed_in_wh=float(with_feed_in_wh[i]),
        )
        for house, i in index.items()
    }


def _among_neighbours(
    settlement: Settlement, producer_house: Mapping[str, str], index: Mapping[str, int]
) -> tuple[FloatArray, FloatArray]:
    """Return the energy that each house bought from and sold to other houses, Wh, shape (H,) each."""
    bought_wh, sold_wh = np.zeros(len(index)), np.zeros(len(index))
    for job, contract, delivered_wh in zip(
        settlement.jobs, settlement.contracts, settlement.job_delivered_wh, strict=True
    ):
        seller = producer_house.get(contract.producer)
        if seller is not None and seller != job.house:
            bought_wh[index[job.house]] += delivered_wh
            sold_wh[index[seller]] += delivered_wh
    return bought_wh, sold_wh
