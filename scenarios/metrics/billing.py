"""The bill of every house with and without the neighbourhood, and the emissions of its grid power.

A scenario with a `community` settles by its allocation key instead (`scenarios.metrics.community_bills`).

With the neighbourhood, energy from a house's own panels is free. Energy from a neighbour's panel costs the neighbour
price, which that neighbour earns. Behind its own meter, a house then covers its remaining demand in each minute with
the surplus of its panels in that minute. It buys the rest from the grid, and feeds in the remaining surplus.

Without the neighbourhood, the house's jobs run at the same times, but only its own panels serve them; the rest is
bought, and the surplus is fed in. So the difference is the value of contracts, not the value of shifting jobs in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from agents import FloatArray
from scenarios.metrics.base_load_supply import BaseLoadEnergy
from scenarios.metrics.community_bills import CommunityAccount, community_account
from scenarios.metrics.minute_table import IntArray, blocks_of
from scenarios.metrics.settlement import MINUTE_S, Settlement, rest_wh
from scenarios.prices import Community, Price, Tariff, TariffChange, prices_at
from scenarios.scenario import Scenario
from scenarios.zone import Zone

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
    """Emissions without the neighbourhood, kg."""
    bought_from_grid_wh: float
    bought_from_neighbours_wh: float
    sold_to_neighbours_wh: float
    fed_in_wh: float
    """Sold to the grid."""

    @property
    def saving_eur(self) -> float:
        """The house's saving through the neighbourhood; negative if it pays more."""
        return round(self.without_eur - self.with_eur, 9)  # amounts in cents give an amount in cents

    def __add__(self, other: Bill) -> Bill:
        return Bill(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})


def bills_of(
    scenario: Scenario,
    settlement: Settlement,
    producer_house: Mapping[str, str],
    account: CommunityAccount | None = None,
) -> dict[str, Bill]:
    """Return every house's bill as the scenario settles it, by house id; empty if it has no tariff.

    Args:
        scenario: The scenario as the run observed it, with its tariff changes.
        settlement: The run's settled energy.
        producer_house: The house of each producer, by producer id.
        account: What `account_of` returns for the scenario, if it has been computed.
    """
    tariff = scenario.tariff
    if tariff is None:
        return {}
    account = account or account_of(scenario, settlement, producer_house)
    if account is None:
        return bills(settlement, producer_house, tariff, scenario.tariff_changes, scenario.zone)
    return {
        house: Bill(
            with_eur=member.with_community.total_cents / 100,
            without_eur=member.without_community.total_cents / 100,
            with_kg_co2=account.emissions_kg_co2[house][0],
            without_kg_co2=account.emissions_kg_co2[house][1],
            bought_from_grid_wh=member.imported_wh,
            bought_from_neighbours_wh=member.bought_wh,
            sold_to_neighbours_wh=member.sold_wh,
            fed_in_wh=member.fed_in_wh,
        )
        for house, member in account.members.items()
    }


def account_of(
    scenario: Scenario, settlement: Settlement, producer_house: Mapping[str, str], community: Community | None = None
) -> CommunityAccount | None:
    """Return the account of the scenario's energy community; None if it has none, or no tariff.

    Args:
        scenario: See `bills_of`.
        settlement: The run's settled energy.
        producer_house: The house of each producer, by producer id.
        community: Settle in this way instead of the scenario's.
    """
    chosen = community or scenario.community
    if chosen is None or scenario.tariff is None:
        return None
    changes = scenario.tariff_changes
    return community_account(settlement, producer_house, scenario.tariff, chosen, scenario.zone, changes=changes)


def bills(
    settlement: Settlement,
    producer_house: Mapping[str, str],
    tariff: Tariff,
    changes: Sequence[TariffChange] = (),
    zone: Zone | None = None,
) -> dict[str, Bill]:
    """Return every house's bill by the tariff only, minute by minute as negotiated, by house id.

    Args:
        settlement: The run's settled energy.
        producer_house: The house of each producer, by producer id.
        tariff: Prices and emissions.
        changes: Tariffs that hold from later times on, in order; each holds from the next whole minute.
        zone: Zone of time-of-use tables; None: UTC.
    """
    parts = [SettlementRange(settlement, 0, settlement.minutes)]
    if changes:
        firsts = [max(0, -(-(change.at_s - settlement.start_s) // MINUTE_S)) for change in changes]
        bounds = [0, *(min(first, settlement.minutes) for first in firsts), settlement.minutes]
        parts = [SettlementRange(settlement, begin, end) for begin, end in pairwise(bounds)]
    tariffs = [tariff, *(change.tariff for change in changes)]
    at = zone or Zone()
    billed = [_bills(part, producer_house, of, at) for part, of in zip(parts, tariffs, strict=True)]
    return {house: sum((one[house] for one in billed[1:]), start=first) for house, first in billed[0].items()}


@dataclass(frozen=True, slots=True)
class SettlementRange:
    """A range of minutes of a settlement."""

    settlement: Settlement
    begin: int
    """Index of the first minute."""
    end: int
    """Index of the minute after the last one."""

    @property
    def minutes(self) -> slice:
        """Indexes of its minutes in the settlement."""
        return slice(self.begin, self.end)


def _bills(part: SettlementRange, producer_house: Mapping[str, str], tariff: Tariff, zone: Zone) -> dict[str, Bill]:
    """Return every house's bill for some minutes."""
    settlement = part.settlement
    index = {house: i for i, house in enumerate(settlement.houses)}
    bought_wh, sold_wh, traded_eur = _among_neighbours(part, producer_house, index, tariff.neighbour_eur_per_kwh, zone)
    blocks = [
        _sums(part, range(begin, min(begin + HOUSES_AT_ONCE, len(index))), tariff, zone)
        for begin in range(0, max(1, len(index)), HOUSES_AT_ONCE)
    ]
    sums = [np.concatenate(columns) for columns in zip(*blocks, strict=True)]
    with_import_wh, with_feed_in_wh, without_import_wh, grid_eur, without_eur = sums
    with_eur = grid_eur + traded_eur
    kg = tariff.grid_kg_co2_per_kwh / WH_PER_KWH
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


HOUSES_AT_ONCE = 250
"""All minutes of 10,000 houses several times over would take gigabytes."""


def _sums(part: SettlementRange, houses: range, tariff: Tariff, zone: Zone) -> tuple[FloatArray, ...]:
    """Return sums over the minutes, shape (houses,) each.

    They are what is bought from the grid and fed in, Wh, what would be bought without the neighbourhood, and what the
    grid costs with and without it, EUR.
    """
    settlement, minutes = part.settlement, part.minutes
    rows = slice(houses.start, houses.stop)
    consumed_wh = settlement.house_consumed_wh[rows, minutes]
    roof_wh = settlement.house_produced_wh[rows, minutes]
    left_wh = np.zeros_like(consumed_wh)
    producers = settlement.producers_of(houses.start, houses.stop)
    np.add.at(left_wh, settlement.owner[producers] - houses.start, settlement.export_wh[producers, minutes])
    lacking_wh = rest_wh(consumed_wh, settlement.house_delivered_wh[rows, minutes])
    own_use_wh = np.minimum(left_wh, lacking_wh)
    alone_wh = np.minimum(roof_wh, consumed_wh)
    imports_wh, feed_ins_wh = lacking_wh - own_use_wh, left_wh - own_use_wh
    alone_imports_wh, alone_feed_ins_wh = consumed_wh - alone_wh, roof_wh - alone_wh
    times_s = settlement.times_s[minutes]
    grid, feed_in = tariff.import_eur_per_kwh, tariff.feed_in_eur_per_kwh
    return (
        imports_wh.sum(axis=1),
        feed_ins_wh.sum(axis=1),
        alone_imports_wh.sum(axis=1),
        _eur(grid, imports_wh, times_s, zone) - _eur(feed_in, feed_ins_wh, times_s, zone),
        _eur(grid, alone_imports_wh, times_s, zone) - _eur(feed_in, alone_feed_ins_wh, times_s, zone),
    )


def _eur(price: Price, energy_wh: FloatArray, times_s: IntArray, zone: Zone) -> FloatArray:
    """Return the cost of each house's energy, EUR, shape (H,).

    Args:
        price: The price of a kWh.
        energy_wh: Energy of each minute, Wh, shape (H, minutes).
        times_s: The minutes, UNIX seconds, shape (minutes,).
        zone: Zone of time-of-use tables.
    """
    if isinstance(price, float | int):
        return np.asarray(price / WH_PER_KWH * energy_wh.sum(axis=1), dtype=np.float64)
    return np.asarray(energy_wh @ (prices_at(price, times_s, zone) / WH_PER_KWH), dtype=np.float64)


def _among_neighbours(
    part: SettlementRange, producer_house: Mapping[str, str], index: Mapping[str, int], price: Price, zone: Zone
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what each house bought from others and sold to them, Wh, and pays them in sum, EUR, shape (H,) each."""
    settlement, given = part.settlement, part.settlement.share_minutes
    seller = np.array([index[producer_house[producer]] for producer in settlement.producers], dtype=np.int64)
    buyer = np.array([index[job.house] for job in settlement.jobs], dtype=np.int64)
    sellers, buyers = seller[given.producer], buyer[given.job]
    traded = (given.minute >= part.begin) & (given.minute < part.end) & (sellers != buyers)

    def by_house(houses: IntArray, values: FloatArray) -> FloatArray:
        return np.bincount(houses[traded], weights=values[traded], minlength=len(index)).astype(np.float64)

    bought_wh, sold_wh = by_house(buyers, given.delivered_wh), by_house(sellers, given.delivered_wh)
    base_eur: FloatArray = np.zeros(len(index))
    base = settlement.base_load
    if base is not None:
        sums = [_base_load_traded(part, base, houses, price, zone) for houses in blocks_of(base.bought_wh.shape)]
        base_bought_wh, base_sold_wh, base_eur = (np.concatenate(columns) for columns in zip(*sums, strict=True))
        bought_wh, sold_wh = bought_wh + base_bought_wh, sold_wh + base_sold_wh
    if isinstance(price, float | int):
        return bought_wh, sold_wh, price / WH_PER_KWH * (bought_wh - sold_wh)
    worth_eur = given.delivered_wh * (prices_at(price, settlement.times_s, zone) / WH_PER_KWH)[given.minute]
    return bought_wh, sold_wh, base_eur + by_house(buyers, worth_eur) - by_house(sellers, worth_eur)


def _base_load_traded(
    part: SettlementRange, base: BaseLoadEnergy, houses: tuple[int, int], price: Price, zone: Zone
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the energy that some houses' base loads bought and their producers sold to others', shape (houses,) each.

    Args:
        part: The minutes.
        base: The base loads.
        houses: First house and the one after the last.
        price: The price among neighbours.
        zone: Zone of time-of-use tables.

    Returns:
        Bought and sold, Wh, and what that costs in sum at a price that varies, EUR; 0 at a constant one.
    """
    settlement, minutes = part.settlement, part.minutes
    bought_wh = base.bought_wh[houses[0] : houses[1], minutes]
    sold_wh = np.zeros_like(bought_wh)
    producers = settlement.producers_of(*houses)
    np.add.at(sold_wh, settlement.owner[producers] - houses[0], base.sold_wh[producers, minutes])
    varies = not isinstance(price, float | int)
    eur = _eur(price, bought_wh - sold_wh, settlement.times_s[minutes], zone) if varies else np.zeros(len(bought_wh))
    return bought_wh.sum(axis=1), sold_wh.sum(axis=1), eur
