"""Settles a run's energy minute by minute, from its contracts and the actual production.

A job is supplied by one producer, or by several together, each with its share of the job's draw in a minute.

Energy is settled in bins of 60 s on whole UNIX minutes. In each minute a producer delivers the lesser of its production
and the draw of the jobs that it has contracts with; the rest of its promises is grid power. Delivered energy is shared
among a producer's jobs in proportion to their draw in that minute. What a real device draws beyond its promise, or at
other times, comes after all that was promised, so that it takes nothing from others. Two identities hold to the last
Wh: contracted = delivered + shortfall, and consumed = delivered + base load supplied + grid.

A house's base load comes first: in each minute its own producers serve it before anything else, in proportion to their
production, because that energy never leaves the house. Contracts get the remaining production, so a promise that the
roof cannot keep after its own house's base load is grid power. Base loads that are still unserved share the production
that remains after all contracts, in proportion to their demand; the rest is grid power.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np

from agents import SHARED, Contract, FloatArray, Job, LoadProfile, Prediction, load_mwh, unpacked
from scenarios.metrics.base_load_supply import BaseLoadEnergy, BaseLoadSupply, RoofProduction, share_of
from scenarios.metrics.minute_table import IntArray, MinuteTable, blocks_of
from scenarios.scenario import ProducerSeries, Scenario

MINUTE_S = 60


def real_production_wh(producer: ProducerSeries, edges_s: FloatArray, known_until_s: int | None = None) -> FloatArray:
    """Return a producer's actual production between neighbouring edges, the figure that is called *produced*.

    Without actual production in the scenario, the newest prediction for each moment replaces it; production is zero
    before the first and after the last point. Every screen that shows production uses this function.

    Args:
        producer: The producer's predictions and actual production.
        edges_s: Edges of the bins, UNIX seconds, rising, shape (bins + 1,).
        known_until_s: Predictions issued later do not count, UNIX seconds; None: all count.

    Returns:
        Energy of each bin, Wh, shape (bins,).
    """
    if producer.actual is not None:
        return producer.actual.energy_per_bin_wh(edges_s)
    issued = [p for p in producer.predictions if known_until_s is None or p.issued_s <= known_until_s]
    if not issued:
        return np.zeros(len(edges_s) - 1)
    times_s, cumulative_wh = _spliced(issued)
    return np.diff(np.interp(edges_s, times_s, cumulative_wh))


def _spliced(predictions: Sequence[Prediction]) -> tuple[FloatArray, FloatArray]:
    """Splice predictions in the order of issue: each replaces the earlier ones from its first point on.

    `agents.energy.Outlook` does the same one prediction at a time. Here every point is copied only once, as a year of
    forecasts has a million: pieces are kept apart, each with its cumulative energy before it and the number of its
    points that later predictions have left.
    """
    pieces: list[tuple[FloatArray, FloatArray]] = []
    for production in (prediction.production for prediction in predictions):
        replaced: tuple[FloatArray, FloatArray] | None = None
        while pieces and pieces[-1][0][0] >= production.start_s:
            replaced = pieces.pop()
        before_wh = 0.0
        if pieces:
            times_s, cumulative_wh = pieces.pop()
            kept = int(np.searchsorted(times_s, production.start_s, side="left"))
            if replaced is not None:  # the last piece extended into it
                around_s = np.append(times_s[-1:], replaced[0][:1])
                around_wh = np.append(cumulative_wh[-1:], replaced[1][:1])
            if replaced is None or kept < len(times_s):
                around_s, around_wh = times_s, cumulative_wh
            before_wh = float(np.interp(production.start_s, around_s, around_wh))
            pieces.append((times_s[:kept], cumulative_wh[:kept]))
        pieces.append((production.times_array, production.cumulative_array + before_wh))
    return np.concatenate([piece[0] for piece in pieces]), np.concatenate([piece[1] for piece in pieces])


@overload
def rest_wh(whole_wh: float, part_wh: float) -> float: ...


@overload
def rest_wh(whole_wh: FloatArray, part_wh: FloatArray) -> FloatArray: ...


def rest_wh(whole_wh: FloatArray | float, part_wh: FloatArray | float) -> FloatArray | float:
    """Return what is left of energies without a part of them, and 0 where it is only a rounding error of sums."""
    left_wh = whole_wh - part_wh
    is_rounding = np.abs(left_wh) <= np.maximum(1e-12 * np.abs(whole_wh), 1e-9)
    if isinstance(left_wh, float):
        return 0.0 if is_rounding else left_wh
    return np.where(is_rounding, 0.0, left_wh)


class PromisedLoad(NamedTuple):
    """What a producer promised to a job that really drew something else, or at another time."""

    start_s: int
    """Start of the contract, UNIX seconds."""
    load_profile: LoadProfile
    """The load for which it was made."""


@dataclass(frozen=True, slots=True)
class JobMinutes:
    """Energy of every job in every minute in which it runs, in sparse form, job by job."""

    job: IntArray
    """Index of the job, shape (entries,); non-decreasing."""
    minute: IntArray
    """Index of the minute, shape (entries,)."""
    consumed_wh: FloatArray
    """Energy that the job drew, shape (entries,)."""
    delivered_wh: FloatArray
    """The part of it that its producers delivered, shape (entries,)."""


@dataclass(frozen=True, slots=True)
class ShareMinutes:
    """The energy that each producer supplied to each job in every minute, in sparse form, by job, then by producer."""

    job: IntArray
    """Index of the job, shape (entries,); non-decreasing."""
    producer: IntArray
    """Index of the producer, shape (entries,)."""
    minute: IntArray
    """Index of the minute, shape (entries,)."""
    contracted_wh: FloatArray
    """Energy that the producer was to give by the contract, shape (entries,)."""
    delivered_wh: FloatArray
    """The part of it that its production covered, shape (entries,)."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A run's settled energy. P producers, H houses, J jobs, M minutes."""

    start_s: int
    """Beginning of minute 0, UNIX seconds."""
    producers: tuple[str, ...]
    """Producer ids, in the order of the houses' devices."""
    houses: tuple[str, ...]
    """House ids, in the scenario's order."""
    jobs: tuple[Job, ...]
    """Jobs with a standing contract, in the order of the contracts."""
    contracts: tuple[Contract, ...]
    """The standing contracts, in the same order as the jobs."""
    produced_wh: FloatArray
    """Actual production, shape (P, M)."""
    drawn_wh: FloatArray
    """Draw of the jobs that each producer has a contract with, shape (P, M)."""
    delivered_wh: FloatArray
    """The part of it that production covered, shape (P, M)."""
    house_consumed_wh: MinuteTable
    """Draw of each house's jobs and base load, shape (H, M)."""
    house_delivered_wh: MinuteTable
    """The part of it that any producer served, shape (H, M)."""
    base_load_supplied_wh: MinuteTable
    """Energy that each producer supplied to base loads in each minute, Wh, shape (P, M)."""
    export_wh: MinuteTable
    """Surplus: production of each producer beyond its own contracts and base loads, shape (P, M)."""
    house_produced_wh: MinuteTable
    """Production of each house's own producers, shape (H, M)."""
    owner: IntArray
    """Index of the house of each producer, shape (P,); non-decreasing."""
    job_minutes: JobMinutes
    """Draw and delivery of each job in each minute."""
    share_minutes: ShareMinutes
    """Delivery of each producer to each job in each minute."""
    base_load: BaseLoadEnergy | None = None
    """None: no house has a base load."""

    @property
    def minutes(self) -> int:
        """Number of minutes that the settlement covers."""
        return int(self.produced_wh.shape[1])

    @property
    def end_s(self) -> int:
        """End of the last minute, UNIX seconds."""
        return self.start_s + self.minutes * MINUTE_S

    @property
    def times_s(self) -> IntArray:
        """Beginning of each minute, UNIX seconds, shape (M,)."""
        return self.start_s + MINUTE_S * np.arange(self.minutes, dtype=np.int64)

    @property
    def consumed_wh(self) -> FloatArray:
        """Draw of all jobs and base loads in each minute, Wh, shape (M,)."""
        return np.asarray(self.house_consumed_wh.sum(axis=0), dtype=np.float64)

    @property
    def local_wh(self) -> FloatArray:
        """Consumption served by producers, under contracts and of base loads, in each minute, Wh, shape (M,)."""
        delivered_wh = np.asarray(self.delivered_wh.sum(axis=0), dtype=np.float64)
        if self.base_load is None:
            return delivered_wh
        return np.asarray(delivered_wh + self.base_load_supplied_wh.sum(axis=0), dtype=np.float64)

    @property
    def grid_wh(self) -> FloatArray:
        """Grid import: consumption that no producer served, in each minute, Wh, shape (M,)."""
        return rest_wh(self.consumed_wh, self.local_wh)

    def producers_of(self, begin: int, end: int) -> slice:
        """Return the producers of the houses from `begin` up to `end`, which is excluded."""
        first, last = np.searchsorted(self.owner, [begin, end])
        return slice(int(first), int(last))

    @property
    def job_consumed_wh(self) -> FloatArray:
        """Total energy that each job drew, Wh, shape (J,), in the order of `jobs`."""
        return self._per_job(self.job_minutes.consumed_wh)

    @property
    def job_delivered_wh(self) -> FloatArray:
        """Total energy delivered to each job under contracts, Wh, shape (J,), in the order of `jobs`."""
        return self._per_job(self.job_minutes.delivered_wh)

    def _per_job(self, values_wh: FloatArray) -> FloatArray:
        return np.bincount(self.job_minutes.job, weights=values_wh, minlength=len(self.jobs)).astype(np.float64)


def settle(
    scenario: Scenario,
    contracts: Sequence[Contract],
    start_s: int,
    end_s: int,
    promises: Mapping[str, PromisedLoad] | None = None,
) -> Settlement:
    """Settle a run's energy.

    Args:
        scenario: Houses, base loads, jobs and production.
        contracts: The standing contracts, one per job.
        start_s: Start of the run, UNIX seconds.
        end_s: End of the run, UNIX seconds. Forecasts issued later do not count.
        promises: By job id, what was promised to jobs that drew something else; others drew what was promised to them.

    Returns:
        The settlement from the minute in which the run starts to the one in which the run and its last job have ended.

    Raises:
        ValueError: A contract names a job or a producer that the scenario does not have.
    """
    jobs = _jobs_of(scenario, contracts)
    houses = tuple(house.id for house in scenario.houses)
    producers = tuple(d.id for house in scenario.houses for d in house.devices if d.type == "producer")
    first_s, edges_s = _horizon(jobs, contracts, start_s, end_s)
    minutes = len(edges_s) - 1
    produced_wh = _produced(scenario, producers, edges_s, end_s)
    house_of = {house: i for i, house in enumerate(houses)}
    owner = np.array([house_of[h.id] for h in scenario.houses for d in h.devices if d.type == "producer"], np.int64)
    roofs = RoofProduction(produced_wh, owner, len(houses))
    base = None if not scenario.base_loads else BaseLoadSupply(scenario, houses, roofs, edges_s)

    job, minute, consumed_wh = _stretches(jobs, contracts, first_s)
    row_of = {producer: i for i, producer in enumerate(producers)}
    entry, supplier, contracted_wh = _split(jobs, contracts, row_of, job, consumed_wh)
    drawn_wh = _summed(supplier, minute[entry], contracted_wh, (len(producers), minutes))
    delivered_wh = _delivered(produced_wh, drawn_wh, base)
    place = supplier, minute[entry]
    if promises:
        promised_wh = np.minimum(contracted_wh, _promised(jobs, promises, job, minute, consumed_wh, first_s)[entry])
        given_wh = _given(contracted_wh, promised_wh, delivered_wh, drawn_wh, place)
    else:
        given_wh = contracted_wh * share_of(delivered_wh[place], drawn_wh[place])
    covered_wh = np.bincount(entry, weights=given_wh, minlength=len(job)).astype(np.float64, copy=False)

    shape = (len(houses), minutes)
    at_house = np.array([house_of[j.house] for j in jobs], dtype=np.int64)[job]
    consumed_by_jobs = _Scattered(at_house, minute, consumed_wh, shape)
    covered_of_jobs = _Scattered(at_house, minute, covered_wh, shape, consumed_by_jobs.order)
    house_consumed: Rows = consumed_by_jobs.rows
    house_delivered: Rows = covered_of_jobs.rows
    base_load = None
    if base is not None:
        base.share_surplus(delivered_wh)
        base_load = base.energy()
        house_consumed = _added(house_consumed, base.consumed)
        house_delivered = _added(house_delivered, base.served)

    def supplied(begin: int, end: int) -> FloatArray:
        return np.zeros((end - begin, minutes)) if base is None else base.given(begin, end) + base.sold(begin, end)

    def export(begin: int, end: int) -> FloatArray:
        left_wh = rest_wh(produced_wh[begin:end], delivered_wh[begin:end])
        return left_wh if base is None else rest_wh(left_wh, supplied(begin, end))

    return Settlement(
        start_s=first_s,
        producers=producers,
        houses=houses,
        jobs=jobs,
        contracts=tuple(contracts),
        produced_wh=produced_wh,
        drawn_wh=drawn_wh,
        delivered_wh=delivered_wh,
        house_consumed_wh=MinuteTable(shape, house_consumed),
        house_delivered_wh=MinuteTable(shape, house_delivered),
        base_load_supplied_wh=MinuteTable(drawn_wh.shape, supplied),
        export_wh=MinuteTable(drawn_wh.shape, export),
        house_produced_wh=MinuteTable(shape, roofs.rows),
        owner=owner,
        job_minutes=JobMinutes(job, minute, consumed_wh, covered_wh),
        share_minutes=ShareMinutes(job[entry], supplier, minute[entry], contracted_wh, given_wh),
        base_load=base_load,
    )


Rows = Callable[[int, int], FloatArray]
"""Computes the rows of a table from a first one up to another, which is excluded."""


def _added(one: Rows, other: Rows) -> Rows:
    return lambda begin, end: one(begin, end) + other(begin, end)


class _Scattered:
    """Energies of single minutes as a table of houses."""

    def __init__(
        self,
        house: IntArray,
        minute: IntArray,
        energy_wh: FloatArray,
        shape: tuple[int, int],
        order: IntArray | None = None,
    ) -> None:
        """Sort them.

        Args:
            house: Index of the house, shape (entries,).
            minute: Index of the minute, shape (entries,).
            energy_wh: Shape (entries,).
            shape: Houses and minutes.
            order: The entries in the order of the houses; None: not known yet.
        """
        self.order = np.argsort(house, kind="stable") if order is None else order
        self._begins = np.searchsorted(house, np.arange(shape[0] + 1), sorter=self.order)
        self._house, self._minute, self._energy_wh, self._minutes = house, minute, energy_wh, shape[1]

    def rows(self, begin: int, end: int) -> FloatArray:
        """Return the energies of some houses, Wh, shape (end - begin, M)."""
        some = self.order[self._begins[begin] : self._begins[end]]
        shape = (end - begin, self._minutes)
        return _summed(self._house[some] - begin, self._minute[some], self._energy_wh[some], shape)


def _produced(scenario: Scenario, producers: Sequence[str], edges_s: FloatArray, end_s: int) -> FloatArray:
    """Return what each producer produced in each minute, Wh, shape (P, M)."""
    produced_wh = np.zeros((len(producers), len(edges_s) - 1))
    for i, producer in enumerate(producers):
        produced_wh[i] = real_production_wh(scenario.producers[producer], edges_s, end_s)
    return produced_wh


def _delivered(produced_wh: FloatArray, drawn_wh: FloatArray, base: BaseLoadSupply | None) -> FloatArray:
    """Return what each producer delivers to its jobs in each minute, Wh, shape (P, M).

    Args:
        produced_wh: What it produces, Wh, shape (P, M).
        drawn_wh: What its jobs draw under their contracts, Wh, shape (P, M).
        base: What its own house takes first; None: there are no base loads.
    """
    delivered_wh = np.empty_like(drawn_wh)
    for begin, end in blocks_of(drawn_wh.shape):
        available_wh = produced_wh[begin:end]
        if base is not None:
            available_wh = np.maximum(available_wh - base.given(begin, end), 0.0)
        np.minimum(available_wh, drawn_wh[begin:end], out=delivered_wh[begin:end])
    return delivered_wh


def _jobs_of(scenario: Scenario, contracts: Sequence[Contract]) -> tuple[Job, ...]:
    by_id: Mapping[str, Job] = {job.job_id: job for job in scenario.jobs}
    unknown = [contract.contract_id for contract in contracts if contract.job_id not in by_id]
    if unknown:
        raise ValueError(f"contracts of jobs that scenario {scenario.name!r} does not have: {', '.join(unknown)}")
    return tuple(by_id[contract.job_id] for contract in contracts)


def _split(
    jobs: Sequence[Job],
    contracts: Sequence[Contract],
    row_of: Mapping[str, int],
    job: IntArray,
    consumed_wh: FloatArray,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Split what each job draws in each minute among its producers; the rest is grid power.

    Args:
        jobs: The jobs.
        contracts: Their contracts, in the same order.
        row_of: Index of each producer, by id.
        job: Job index of each entry of the jobs' draw, shape (entries,), job by job.
        consumed_wh: The draw, Wh, shape (entries,).

    Returns:
        For each part: index of the entry that it is part of, index of the producer, and energy in Wh.
    """
    entries, suppliers, energies = [], [], []
    begins = np.searchsorted(job, np.arange(len(jobs) + 1))
    for i, (one, contract) in enumerate(zip(jobs, contracts, strict=True)):
        own = np.arange(begins[i], begins[i + 1], dtype=np.int64)
        for producer, fraction in fractions_of(one, contract).items():
            if producer not in row_of:
                raise ValueError(f"contract {contract.contract_id!r} is with {producer!r}, which is not a producer")
            given = np.flatnonzero(fraction)
            entries.append(own[given])
            suppliers.append(np.full(len(given), row_of[producer], dtype=np.int64))
            energies.append(consumed_wh[own[given]] * fraction[given])
    none = np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([none, *entries]),
        np.concatenate([none, *suppliers]),
        np.concatenate([np.zeros(0), *energies]),
    )


def _promised(
    jobs: Sequence[Job],
    promises: Mapping[str, PromisedLoad],
    job: IntArray,
    minute: IntArray,
    consumed_wh: FloatArray,
    first_s: int,
) -> FloatArray:
    """Return what was promised for each entry of the jobs' draw, Wh, shape (entries,).

    Args:
        jobs: The jobs.
        promises: See `settle`.
        job: Job index of each entry, shape (entries,), job by job.
        minute: Minute index of each entry, shape (entries,).
        consumed_wh: The draw, Wh, shape (entries,), which was promised to jobs that are not in `promises`.
        first_s: Beginning of the minute with index 0, UNIX seconds.
    """
    promised_wh = consumed_wh.copy()
    begins = np.searchsorted(job, np.arange(len(jobs) + 1))
    for i, one in enumerate(jobs):
        if (promise := promises.get(one.job_id)) is not None and begins[i] < begins[i + 1]:
            own = slice(begins[i], begins[i + 1])
            edges = np.append(minute[own], minute[own][-1] + 1)  # a job's minutes follow one another
            edges_s = edges.astype(np.float64) * MINUTE_S + (first_s - promise.start_s)
            promised_wh[own] = promise.load_profile.energy_per_bin_wh(edges_s)
    return promised_wh


def _given(
    contracted_wh: FloatArray,
    promised_wh: FloatArray,
    delivered_wh: FloatArray,
    drawn_wh: FloatArray,
    place: tuple[IntArray, IntArray],
) -> FloatArray:
    """Return the energy that each part of the jobs' draw gets: first what was promised, then what is drawn beyond it.

    Args:
        contracted_wh: The parts, Wh, shape (parts,).
        promised_wh: What was promised of them, Wh, shape (parts,).
        delivered_wh: What each producer delivers in each minute, Wh, shape (P, M).
        drawn_wh: What its jobs draw, Wh, shape (P, M).
        place: Index of the producer and of the minute of each part.
    """
    first_wh = _summed(*place, promised_wh, (drawn_wh.shape[0], drawn_wh.shape[1]))[place]
    kept_wh = np.minimum(delivered_wh[place], first_wh)
    beyond_wh = np.maximum(contracted_wh - promised_wh, 0.0)
    rest_wh = np.maximum(delivered_wh[place] - kept_wh, 0.0)
    left_wh = np.maximum(drawn_wh[place] - first_wh, 0.0)
    return promised_wh * share_of(kept_wh, first_wh) + beyond_wh * share_of(rest_wh, left_wh)


def fractions_of(job: Job, contract: Contract) -> dict[str, FloatArray]:
    """Return which part of a job's draw each producer is to give, minute by minute from the one in which it starts.

    Args:
        job: The job.
        contract: Its contract.

    Returns:
        By producer id, values from 0 to 1, shape (minutes that the job touches,); the rest up to 1 is grid power.
    """
    minutes = -(-(contract.start_s % MINUTE_S + job.duration_s) // MINUTE_S)
    if contract.producer != SHARED:
        return {producer: np.ones(minutes) for producer in contract.producers}
    drawn_mwh = load_mwh(job.as_sent.load_profile, contract.start_s)[:minutes]
    shares_mwh = {share.producer: unpacked(share.minutes_mwh, minutes) for share in contract.shares}
    return {
        producer: np.divide(share_mwh, drawn_mwh, out=np.zeros(minutes), where=drawn_mwh > 0)
        for producer, share_mwh in shares_mwh.items()
    }


def _horizon(jobs: Sequence[Job], contracts: Sequence[Contract], start_s: int, end_s: int) -> tuple[int, FloatArray]:
    """Return the beginning of the settlement, UNIX seconds, and the edges of its minutes (at least one)."""
    ends_s = [c.start_s + job.duration_s for job, c in zip(jobs, contracts, strict=True)]
    first = min([start_s, *(contract.start_s for contract in contracts)]) // MINUTE_S
    last = max(first + 1, -(-max([end_s, *ends_s]) // MINUTE_S))
    return first * MINUTE_S, np.arange(first, last + 1, dtype=np.float64) * MINUTE_S


def _stretches(
    jobs: Sequence[Job], contracts: Sequence[Contract], first_s: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return job index, minute index and energy (Wh) of every minute in which a job runs, job by job."""
    job_parts, minute_parts, energy_parts = [], [], []
    for i, (job, contract) in enumerate(zip(jobs, contracts, strict=True)):
        begin = (contract.start_s - first_s) // MINUTE_S
        end = -(-(contract.start_s + job.duration_s - first_s) // MINUTE_S)
        minute = np.arange(begin, end, dtype=np.int64)
        edges_s = np.arange(begin, end + 1, dtype=np.float64) * MINUTE_S + (first_s - contract.start_s)
        job_parts.append(np.full(len(minute), i, dtype=np.int64))
        minute_parts.append(minute)
        energy_parts.append(job.load_profile.energy_per_bin_wh(edges_s))
    none = np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([none, *job_parts]),
        np.concatenate([none, *minute_parts]),
        np.concatenate([np.zeros(0), *energy_parts]),
    )


def _summed(row: IntArray, minute: IntArray, energy_wh: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Return a table of `shape` (rows, minutes) with the energies summed into their cells, Wh."""
    flat = np.bincount(row * shape[1] + minute, weights=energy_wh, minlength=shape[0] * shape[1])
    # Of no entries the counts are whole numbers; others are not copied, as 0.3 GB would be.
    return flat.astype(np.float64, copy=False).reshape(shape)
