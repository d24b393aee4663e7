"""What every house pays with and without the neighbourhood, and the emissions of its grid power.

With the neighbourhood, energy from a house's own panels is free; energy from a neighbour's panel costs the price among
neighbours, which that neighbour earns. Behind its own meter, a house then covers what it still lacks in a minute by
what its panels have left in that minute. Whatever is still lacking is bought from the grid; whatever is left is fed in.

Without the neighbourhood, the house's jobs run at the very same times, but only its own panels serve them; the rest is
bought, the surplus fed in. The difference is thus the value of contracts, not the value of shifting jobs in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from agents import FloatArray
from scenarios.metrics.settlement import MINUTE_S, Settlement
from scenarios.scenario import Tariff, TariffChange

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

    def __add__(self, other: Bill) -> Bill:
        return Bill(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})


def bills(
    settlement: Settlement, producer_house: Mapping[str, str], tariff: Tariff, changes: Sequence[TariffChange] = ()
) -> dict[str, Bill]:
    """Return every house's bill, by house id.

    Args:
        settlement: The run's settled energy.
        producer_house: The house of each producer, by producer id.
        tariff: Prices and emissions.
        changes: Tariffs that hold from later times on, in order; each holds from the next whole minute.
    """
    parts = [Part(settlement, 0, settlement.minutes)]
    if changes:
        firsts = [max(0, -(-(change.at_s - settlement.start_s) // MINUTE_S)) for change in changes]
        bounds = [0, *(min(first, settlement.minutes) for first in firsts), settlement.minutes]
        parts = [Part(settlement, begin, max(begin, end)) for begin, end in pairwise(bounds)]
    tariffs = [tariff, *(change.tariff for change in changes)]
    billed = [_bills(part, producer_house, of) for part, of in zip(parts, tariffs, strict=True)]
    return {house: sum((one[house] for one in billed[1:]), start=first) for house, first in billed[0].items()}


@dataclass(frozen=True, slots=True)
class Part:
    """Some minutes of a settlement."""

    settlement: Settlement
    begin: int
    end: int

    @property
    def whole(self) -> bool:
        """Whether it is all of them."""
        return self.begin == 0 and self.end == self.settlement.minutes

    @property
    def minutes(self) -> slice:
        """Which ones."""
        return slice(self.begin, self.end)

    @property
    def job_delivered_wh(self) -> FloatArray:
        """Energy delivered to each job in these minutes, shape (J,)."""
        if self.whole:
            return self.settlement.job_delivered_wh
        of = self.settlement.job_minutes
        inside = (of.minute >= self.begin) & (of.minute < self.end)
        weights = of.delivered_wh[inside]
        return np.bincount(of.job[inside], weights=weights, minlength=len(self.settlement.jobs)).astype(np.float64)


def _bills(part: Part, producer_house: Mapping[str, str], tariff: Tariff) -> dict[str, Bill]:
    """Return every house's bill for some minutes."""
    settlement, minutes = part.settlement, part.minutes
    consumed_wh = settlement.house_consumed_wh[:, minutes]
    index = {house: i for i, house in enumerate(settlement.houses)}
    roof_wh = np.zeros_like(consumed_wh)
    left_wh = np.zeros_like(consumed_wh)
    for i, producer in enumerate(settlement.producers):
        roof_wh[index[producer_house[producer]]] += settlement.produced_wh[i, minutes]
        left_wh[index[producer_house[producer]]] += settlement.export_wh[i, minutes]
    lacking_wh = consumed_wh - settlement.house_delivered_wh[:, minutes]
    own_use_wh = np.minimum(left_wh, lacking_wh)
    bought_wh, sold_wh = _among_neighbours(part, producer_house, index)

    with_import_wh = (lacking_wh - own_use_wh).sum(axis=1)
    with_feed_in_wh = (left_wh - own_use_wh).sum(axis=1)
    alone_wh = np.minimum(roof_wh, consumed_wh)
    without_import_wh = (consumed_wh - alone_wh).sum(axis=1)
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
    part: Part, producer_house: Mapping[str, str], index: Mapping[str, int]
) -> tuple[FloatArray, FloatArray]:
    """Return the energy that each house bought from and sold to other houses, Wh, shape (H,) each."""
    bought_wh, sold_wh = np.zeros(len(index)), np.zeros(len(index))
    settlement, given = part.settlement, part.settlement.share_minutes
    seller = np.array([index[producer_house[producer]] for producer in settlement.producers], dtype=np.int64)
    buyer = np.array([index[job.house] for job in settlement.jobs], dtype=np.int64)
    sellers, buyers = seller[given.producer], buyer[given.job]
    inside = (given.minute >= part.begin) & (given.minute < part.end) & (sellers != buyers)
    delivered_wh = given.delivered_wh[inside]
    bought_wh += np.bincount(buyers[inside], weights=delivered_wh, minlength=len(index))
    sold_wh += np.bincount(sellers[inside], weights=delivered_wh, minlength=len(index))
    return bought_wh, sold_wh
