"""A run's energy by house, device, producer and hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents import FloatArray
from scenarios.metrics.settlement import Settlement, rest_wh

HOUR_S = 3600
BASE_LOAD = "base_load"
"""Represents a house's base load among its devices."""


@dataclass(frozen=True, slots=True)
class ConsumptionBreakdown:
    """Consumption of a house or a device, and where the energy came from."""

    consumed_wh: float
    """Energy that its jobs and base load drew."""
    own_wh: float
    """Delivered by panels of the same house."""
    neighbours_wh: float
    """Delivered by panels of other houses."""
    grid_wh: float
    """Delivered by the grid."""
    jobs: int
    """How many jobs with a standing contract it has."""
    base_load_wh: float = 0.0
    """The part of the consumption that is base load."""


@dataclass(frozen=True, slots=True)
class ProducerEnergy:
    """Energy that a producer produced, promised and delivered."""

    house: str
    """The house that it belongs to."""
    produced_wh: float
    contracted_wh: float
    """Promised to jobs."""
    delivered_wh: float
    """The part of it that its production covered."""
    export_wh: float
    """Produced beyond its own contracts and base loads."""
    jobs: int
    """How many standing contracts it supplies, alone or with others."""
    base_load_wh: float = 0.0
    """Supplied to base loads, of its own house and of others."""
    base_load_sold_wh: float = 0.0
    """The part of it that other houses got."""


@dataclass(frozen=True, slots=True)
class HourEnergy:
    """The neighbourhood's energy in one hour."""

    start_s: int
    """Beginning of the hour, UNIX seconds."""
    consumed_wh: float
    """Drawn by jobs and base loads."""
    delivered_wh: float
    """Delivered by producers under contracts."""
    local_wh: float
    """Served by producers: under contracts, and of base loads."""
    grid_wh: float
    """Consumption that no producer served."""
    produced_wh: float
    """Actual production."""
    export_wh: float
    """Produced beyond contracts and base loads."""


@dataclass(frozen=True, slots=True)
class EnergyBreakdown:
    """A run's energy, split in four ways that each add up to the same total."""

    by_house: dict[str, ConsumptionBreakdown]
    """By house id, in the scenario's order."""
    by_device: dict[tuple[str, str], ConsumptionBreakdown]
    """By house and device; devices that ran, and `BASE_LOAD` of houses that have one."""
    by_producer: dict[str, ProducerEnergy]
    """By producer id, in the settlement's order."""
    by_hour: tuple[HourEnergy, ...]
    """In the order of time, without gaps."""


def break_down_energy(settlement: Settlement, producer_house: dict[str, str]) -> EnergyBreakdown:
    """Split a run's energy by house, device, producer and hour.

    Args:
        settlement: The run's settled energy.
        producer_house: The house of each producer, by producer id.
    """
    by_house = {house: _Sum() for house in settlement.houses}
    by_device: dict[tuple[str, str], _Sum] = {}
    jobs_of = dict.fromkeys(settlement.producers, 0)
    per_job = zip(
        settlement.jobs,
        settlement.contracts,
        settlement.job_consumed_wh,
        settlement.job_delivered_wh,
        _own_wh(settlement, producer_house),
        strict=True,
    )
    for job, contract, consumed_wh, delivered_wh, own_wh in per_job:
        for total in (by_house[job.house], by_device.setdefault((job.house, job.device), _Sum())):
            total.add(float(consumed_wh), float(own_wh), rest_wh(float(delivered_wh), float(own_wh)))
        for producer in contract.producers:
            jobs_of[producer] += 1
    base = settlement.base_load
    if base is not None:
        sums_wh = (of.sum(axis=1).tolist() for of in (base.consumed_wh, base.own_wh, base.bought_wh))
        for house, *energy_wh in zip(settlement.houses, *sums_wh, strict=True):
            if energy_wh[0] > 0:
                by_house[house].add_base_load(*energy_wh)
                by_device.setdefault((house, BASE_LOAD), _Sum()).add_base_load(*energy_wh)
    given_wh = settlement.base_load_supplied_wh.sum(axis=1)
    export_wh = settlement.export_wh.sum(axis=1)
    sold_wh = np.zeros(len(settlement.producers)) if base is None else base.sold_wh.sum(axis=1)
    by_producer = {
        producer: ProducerEnergy(
            house=producer_house[producer],
            produced_wh=float(settlement.produced_wh[i].sum()),
            contracted_wh=float(settlement.drawn_wh[i].sum()),
            delivered_wh=float(settlement.delivered_wh[i].sum()),
            export_wh=float(export_wh[i]),
            jobs=jobs_of[producer],
            base_load_wh=float(given_wh[i]),
            base_load_sold_wh=float(sold_wh[i]),
        )
        for i, producer in enumerate(settlement.producers)
    }
    return EnergyBreakdown(
        by_house={house: total.breakdown() for house, total in by_house.items()},
        by_device={key: total.breakdown() for key, total in sorted(by_device.items())},
        by_producer=by_producer,
        by_hour=_by_hour(settlement),
    )


@dataclass(slots=True)
class _Sum:
    consumed_wh: float = 0.0
    own_wh: float = 0.0
    neighbours_wh: float = 0.0
    base_load_wh: float = 0.0
    jobs: int = 0

    def add_base_load(self, consumed_wh: float, own_wh: float, neighbours_wh: float) -> None:
        self.consumed_wh += consumed_wh
        self.base_load_wh += consumed_wh
        self.own_wh += own_wh
        self.neighbours_wh += neighbours_wh

    def add(self, consumed_wh: float, own_wh: float, neighbours_wh: float) -> None:
        self.consumed_wh += consumed_wh
        self.jobs += 1
        self.own_wh += own_wh
        self.neighbours_wh += neighbours_wh

    def breakdown(self) -> ConsumptionBreakdown:
        grid_wh = rest_wh(self.consumed_wh, self.own_wh + self.neighbours_wh)
        return ConsumptionBreakdown(
            self.consumed_wh, self.own_wh, self.neighbours_wh, grid_wh, self.jobs, self.base_load_wh
        )


def _own_wh(settlement: Settlement, producer_house: Mapping[str, str]) -> FloatArray:
    """Return the energy that producers of its own house delivered to each job, shape (J,)."""
    given = settlement.share_minutes
    house = {name: i for i, name in enumerate(settlement.houses)}
    of_producer = np.array([house[producer_house[producer]] for producer in settlement.producers], dtype=np.int64)
    of_job = np.array([house[job.house] for job in settlement.jobs], dtype=np.int64)
    own = of_producer[given.producer] == of_job[given.job]
    weights = given.delivered_wh[own]
    return np.bincount(given.job[own], weights=weights, minlength=len(settlement.jobs)).astype(np.float64)


def _by_hour(settlement: Settlement) -> tuple[HourEnergy, ...]:
    times_s = settlement.times_s
    hours = times_s // HOUR_S
    first = int(hours[0])
    columns = (
        settlement.consumed_wh,
        settlement.delivered_wh.sum(axis=0),
        settlement.local_wh,
        settlement.grid_wh,
        settlement.produced_wh.sum(axis=0),
        settlement.export_wh.sum(axis=0),
    )
    summed = [np.bincount(hours - first, weights=column) for column in columns]
    return tuple(
        HourEnergy((first + i) * HOUR_S, *(float(column[i]) for column in summed)) for i in range(len(summed[0]))
    )
