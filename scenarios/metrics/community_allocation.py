"""Allocates a community's production to its members by the interval, as allocation keys of energy communities do.

Energies are whole thousandths of a Wh (`_milliwh`), so that sums are exact: in each interval, what members get from
the community equals what members give to it, and each member's consumption and production are accounted for in full.
A house's energy is netted within the interval, as its meter reports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from agents import FloatArray
from scenarios.metrics.base_load_supply import BaseLoadEnergy
from scenarios.metrics.minute_table import IntArray, MinuteTable
from scenarios.metrics.settlement import Settlement
from scenarios.prices import AllocationKey

ALLOCATION_KEYS: tuple[AllocationKey, ...] = get_args(AllocationKey)
MILLI = 1000


@dataclass(frozen=True, slots=True)
class LocalSupply:
    """Energy that producers gave to consumers, as negotiated; sparse, one entry per minute, consumer and producer.

    A job with one supplier has one entry a minute, a job with several suppliers has one for each of them.
    """

    minute: IntArray
    """Index of the minute, shape (entries,)."""
    consumer: IntArray
    """Index of the house that consumes, shape (entries,)."""
    producer: IntArray
    """Index of the producer, shape (entries,)."""
    energy_wh: FloatArray
    """Energy delivered, shape (entries,)."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """A community's energy by interval; every array of energy has the shape (H, T): houses, intervals."""

    times_s: IntArray
    """First minute of each interval that is settled, UNIX seconds, shape (T,)."""
    consumed_milliwh: IntArray
    """By jobs and base loads, whole mWh, as all of these energies."""
    produced_milliwh: IntArray
    """By the house's own producers."""
    own_milliwh: IntArray
    """Consumed from the house's own producers."""
    bought_milliwh: IntArray
    """Allocated from other houses' producers."""
    sold_milliwh: IntArray
    """Allocated to other houses; in each interval, all houses together sell what all buy."""

    @property
    def imported_milliwh(self) -> IntArray:
        """Energy bought from the grid by each house in each interval, mWh, shape (H, T)."""
        return self.consumed_milliwh - self.own_milliwh - self.bought_milliwh

    @property
    def fed_in_milliwh(self) -> IntArray:
        """Energy fed into the grid by each house in each interval, mWh, shape (H, T)."""
        return self.produced_milliwh - self.own_milliwh - self.sold_milliwh


def local_supply(settlement: Settlement) -> LocalSupply:
    """Return the energy that producers delivered to jobs by contract, minute by minute."""
    given = settlement.share_minutes
    house_of = {house: i for i, house in enumerate(settlement.houses)}
    consumer = np.array([house_of[job.house] for job in settlement.jobs], dtype=np.int64)
    return LocalSupply(given.minute, consumer[given.job], given.producer, given.delivered_wh)


def allocate(
    settlement: Settlement,
    producer_house: Mapping[str, str],
    key: AllocationKey,
    interval_s: int,
    *,
    coefficients: Mapping[str, float] | None = None,
    supply: LocalSupply | None = None,
) -> Allocation:
    """Allocate a run's production to the houses, interval by interval.

    Args:
        settlement: The run's settled energy.
        producer_house: The house of each producer, by producer id.
        key: `static`: each house may use a fixed share of all production. `proportional`: each house gets all
            production in proportion to its consumption. `hierarchical`: each house uses its own production first; the
            surplus is shared in proportion to the remaining demand of the others. `negotiated`: as delivered to
            contracts and base loads minute by minute; a house's own remaining production covers its remaining demand.
            Under every key, energy that no member uses is fed in by the houses that produced it.
        interval_s: Length of an interval, seconds, whole minutes; intervals begin at whole multiples of UNIX time.
        coefficients: `static`: share of each house, by id; houses that are left out have none. None: equal shares.
        supply: `negotiated`: who supplied whom; None: what the settlement's contracts delivered.
    """
    houses = {house: i for i, house in enumerate(settlement.houses)}
    owner = np.array([houses[producer_house[producer]] for producer in settlement.producers], dtype=np.int64)
    interval = settlement.times_s // interval_s
    interval -= interval[0]
    count = int(interval[-1]) + 1
    consumed = _readings(settlement.house_consumed_wh, interval, count)
    produced = _readings(settlement.house_produced_wh, interval, count)
    own, bought, sold = np.zeros_like(consumed), np.zeros_like(consumed), np.zeros_like(consumed)
    match key:
        case "static":
            shares = dict.fromkeys(houses, 1 / len(houses)) if coefficients is None else coefficients
            weights = np.array([shares.get(house, 0.0) for house in houses])
            own, bought, sold = _pooled(_static(weights, consumed, produced), produced)
        case "proportional":
            used = apportion(consumed, np.minimum(consumed.sum(axis=0), produced.sum(axis=0)), consumed)
            own, bought, sold = _pooled(used, produced)
        case "hierarchical":
            own = np.minimum(consumed, produced)
            lacking, left = consumed - own, produced - own
            traded = np.minimum(lacking.sum(axis=0), left.sum(axis=0))
            bought, sold = apportion(lacking, traded, lacking), apportion(left, traded, left)
        case "negotiated":
            delivered = local_supply(settlement) if supply is None else supply
            own, bought, sold = _negotiated(delivered, settlement.base_load, owner, interval, consumed, produced)
            own = own + np.minimum(consumed - own - bought, produced - own - sold)
    first = np.searchsorted(interval, np.arange(count))
    return Allocation(settlement.times_s[first], consumed, produced, own, bought, sold)


def apportion(weights: IntArray | FloatArray, totals: IntArray, limits: IntArray) -> IntArray:
    """Divide whole numbers in proportion to weights, by the method of the largest remainder.

    Args:
        weights: Not negative, shape (H, T).
        totals: What is divided in each column, shape (T,); at most the sum of the limits, 0 if all weights are 0.
        limits: Largest part of each row, shape (H, T).

    Returns:
        Parts whose columns add up to the totals exactly, shape (H, T). Equal remainders go to the first rows.
    """
    sums = weights.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        exact = np.where(sums > 0, weights * (totals / sums), 0.0)
    parts = np.minimum(np.floor(exact).astype(np.int64), limits)
    remainders = exact - parts
    while (short := totals - parts.sum(axis=0)).any():
        room = limits - parts
        if (short < 0).any():  # a product was rounded up: take from the smallest remainders
            order = np.argsort(np.where(parts > 0, remainders, np.inf), axis=0, kind="stable")
            open_, step = parts > 0, -1
        else:
            order = np.argsort(np.where(room > 0, -remainders, np.inf), axis=0, kind="stable")
            open_, step = room > 0, 1
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.broadcast_to(np.arange(len(order))[:, None], order.shape), axis=0)
        parts += step * (open_ & (rank < step * short))
    return parts


def _readings(energy_wh: MinuteTable, interval: IntArray, count: int) -> IntArray:
    """Return the energy of each interval as a meter counts it, so that rounding does not add up, shape (H, T)."""
    last = np.searchsorted(interval, np.arange(count), side="right") - 1
    cumulative = np.zeros((len(energy_wh), count), dtype=np.int64)
    for begin, block_wh in energy_wh.blocks():
        cumulative[begin : begin + len(block_wh)] = np.rint(np.cumsum(block_wh, axis=1)[:, last] * MILLI)
    return np.diff(cumulative, axis=1, prepend=0)


def _by_interval(energy_wh: MinuteTable, start: IntArray) -> FloatArray:
    """Return the energy of each interval, which begins at the minute `start`, Wh, shape (rows, T)."""
    blocks = [np.add.reduceat(block_wh, start, axis=1) for _, block_wh in energy_wh.blocks()]
    return np.concatenate([np.zeros((0, len(start))), *blocks])


def _static(weights: FloatArray, consumed: IntArray, produced: IntArray) -> IntArray:
    """Return what each house uses of its fixed share of all production, shape (H, T)."""
    of_all = produced.sum(axis=0)
    shared = np.minimum(np.floor(weights.sum() * of_all + 1e-6).astype(np.int64), of_all)
    spread = np.broadcast_to(weights[:, None], consumed.shape)
    return np.minimum(consumed, apportion(spread, shared, np.broadcast_to(shared, consumed.shape)))


def _pooled(used: IntArray, produced: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return own, bought and sold energy where all producers feed one pool, shape (H, T) each.

    Producers contribute in proportion to their production, and each house's use is of the pool's mix: the part that
    its own producers contributed is its own.
    """
    totals = used.sum(axis=0)
    given = apportion(produced, totals, produced)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(totals > 0, given / totals, 0.0)
    own = np.minimum(np.floor(used * share).astype(np.int64), np.minimum(used, given))
    return own, used - own, given - own


def _negotiated(
    supply: LocalSupply,
    base: BaseLoadEnergy | None,
    owner: IntArray,
    interval: IntArray,
    consumed: IntArray,
    produced: IntArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """Return own, bought and sold energy as it was negotiated and as base loads took it, shape (H, T) each.

    A meter counts from its beginning, so its reading of an interval can be a thousandth of a Wh less than what was
    delivered in that interval. The reading stands: the rest is grid power, or is fed in.
    """
    shape = consumed.shape
    seller = owner[supply.producer] if len(supply.producer) else supply.producer
    at = interval[supply.minute] if len(supply.minute) else supply.minute
    is_own = seller == supply.consumer
    own_wh = _summed(supply.consumer[is_own], at[is_own], supply.energy_wh[is_own], shape)
    traded = ~is_own
    bought_wh = _summed(supply.consumer[traded], at[traded], supply.energy_wh[traded], shape)
    sold_wh = _summed(seller[traded], at[traded], supply.energy_wh[traded], shape)
    if base is not None:
        start = np.searchsorted(interval, np.arange(shape[1]))
        own_wh += _by_interval(base.own_wh, start)
        bought_wh += _by_interval(base.bought_wh, start)
        np.add.at(sold_wh, owner, _by_interval(base.sold_wh, start))
    own = np.minimum(np.floor(own_wh * MILLI + 1e-6).astype(np.int64), np.minimum(consumed, produced))
    most_bought = np.minimum(np.ceil(bought_wh * MILLI).astype(np.int64), consumed - own)
    most_sold = np.minimum(np.ceil(sold_wh * MILLI).astype(np.int64), produced - own)
    wanted = np.rint(bought_wh.sum(axis=0) * MILLI).astype(np.int64)
    totals = np.minimum(wanted, np.minimum(most_bought.sum(axis=0), most_sold.sum(axis=0)))
    return own, apportion(bought_wh, totals, most_bought), apportion(sold_wh, totals, most_sold)


def _summed(row: IntArray, column: IntArray, energy_wh: FloatArray, shape: tuple[int, int]) -> FloatArray:
    flat = np.bincount(row * shape[1] + column, weights=energy_wh, minlength=shape[0] * shape[1])
    return flat.astype(np.float64).reshape(shape)
