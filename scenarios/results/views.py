"""Views of results, as screens show them: neighbourhood, household, all runs, and average power over runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from agents import GRID, FloatArray, LedgerEntry
from scenarios.metrics import (
    DEFAULT_INTERVAL_S,
    MINUTE_S,
    Bill,
    EnergySplit,
    IntArray,
    Kpis,
    MemberBill,
    SampleStatistics,
    Settlement,
    Split,
    account_of,
    bills_of,
    compute_kpis,
    load_factor,
    mean_power_w,
    peak_to_average,
    producer_houses,
    settle,
    split_energy,
    statistics_by_figure,
)
from scenarios.results.connection import ResultsError
from scenarios.results.overviews import HouseholdRow, Minutes
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import RunInfo
from scenarios.scenario import TariffChange

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A standing contract with its job and its delivered energy. Times are UNIX seconds."""

    contract_id: str
    job_id: str
    source_id: str
    """The job's id in the input that its scenario was made from."""
    house: str
    device: str
    producer: str
    """`GRID`, `SHARED` or a producer id."""
    producer_house: str | None
    """None for the grid and for several producers."""
    registered_s: int
    """When the job becomes known."""
    earliest_start_s: int
    latest_start_s: int
    start_s: int
    """Start by the contract."""
    end_s: int
    """When the job has run."""
    agreed_s: int
    """When the contract was made."""
    energy_wh: float
    """By the contract; for a job of a real device, as measured."""
    delivered_wh: float
    """Energy that the producer delivered."""
    profile: str
    """Name of the job's load profile."""
    amended: int
    """How often its start was moved."""
    cancelled_before: int
    """Number of cancelled contracts of the same job."""

    shares: tuple[SupplierShare, ...]
    """What each producer gives, in the order of the settlement's producers; the rest is grid power."""

    @property
    def suppliers(self) -> str:
        """The producers that supply it, and the grid if it gives a part: `pv-1 + pv-2 + grid`."""
        return " + ".join(name for name, _ in self.energy_by_supplier)

    @property
    def energy_by_supplier(self) -> tuple[tuple[str, float], ...]:
        """What each producer gives by the contract, Wh, and last what the grid gives, if anything."""
        given = tuple((share.producer, share.contracted_wh) for share in self.shares)
        promised_wh = sum(wh for _, wh in given)
        is_grid_needed = not given or promised_wh <= self.energy_wh * (1 - 1e-9)
        return (*given, (GRID, self.energy_wh - promised_wh)) if is_grid_needed else given


@dataclass(frozen=True, slots=True)
class SupplierShare:
    """One producer's part of a job's supply."""

    producer: str
    """Its id."""
    house: str
    """The producer's house."""
    contracted_wh: float
    """Energy that it was to give by the contract."""
    delivered_wh: float
    """The part of it that its production covered."""
    first_s: int
    """Beginning of the first minute in which it gives something, UNIX seconds."""
    last_s: int
    """End of the last one."""


@dataclass(frozen=True, slots=True)
class PowerProfile:
    """Mean powers over the intervals of a run, W, shape (intervals,) each."""

    interval_s: int
    """Length of an interval, seconds."""
    times_s: IntArray
    """Beginning of each interval, UNIX seconds."""
    production_w: FloatArray
    """Actual production."""
    local_w: FloatArray
    """Consumption that producers served, by contract and of base loads."""
    grid_w: FloatArray
    """Consumption supplied by the grid."""

    @property
    def consumption_w(self) -> FloatArray:
        """Mean consumption in each interval, local and from the grid, W, shape (intervals,)."""
        return self.local_w + self.grid_w

    @property
    def days(self) -> int:
        """Number of days to display one by one; 1 if everything is displayed together."""
        return day_count(len(self.times_s), self.interval_s)

    def of_day(self, index: int) -> PowerProfile:
        """Return one of the days, 0 is the first; everything if it is displayed together."""
        part = day_slice(len(self.times_s), self.interval_s, index)
        return replace(
            self,
            times_s=self.times_s[part],
            production_w=self.production_w[part],
            local_w=self.local_w[part],
            grid_w=self.grid_w[part],
        )


def day_count(intervals: int, interval_s: int) -> int:
    """Return the number of days to display intervals by; up to two days are displayed together, as 1."""
    span_s = intervals * interval_s
    return 1 if span_s <= 2 * DAY_S else -(-span_s // DAY_S)


def day_slice(intervals: int, interval_s: int, index: int) -> slice:
    """Return the intervals of a day: those that begin within 24 hours from the run's time of day.

    Args:
        intervals: Number of intervals of the run.
        interval_s: Length of an interval, seconds.
        index: The day, 0 the first.
    """
    count = day_count(intervals, interval_s)
    if count == 1:
        return slice(0, intervals)
    index = min(max(index, 0), count - 1)
    return slice(-(-index * DAY_S // interval_s), min(intervals, -(-(index + 1) * DAY_S // interval_s)))


@dataclass(frozen=True, slots=True)
class NeighbourhoodView:
    """All households in one run."""

    run: RunInfo
    covered_share: float
    """Share of the planned time that the figures cover; 1 for a completed run."""
    kpis: Kpis
    split: EnergySplit
    contracts: tuple[ContractRow, ...]
    """Ordered by start, then contract id."""
    day: PowerProfile
    """Powers over the whole run."""
    bills: dict[str, Bill]
    """Empty without a tariff."""


@dataclass(frozen=True, slots=True)
class HouseView:
    """A household in one run."""

    run: RunInfo
    covered_share: float
    """Share of the planned time that the figures cover; 1 for a completed run."""
    house: str
    """The house's id."""
    name: str
    """The house's name for users."""
    split: Split
    """Where the energy of its jobs and base load came from."""
    produced_wh: float
    """By the house's own panels."""
    sold_wh: float
    """Energy that they delivered to other houses."""
    self_sufficiency: float | None
    """Energy delivered by any producer over consumption; None if nothing was consumed."""
    consumption_peak_to_average: float | None
    """None if nothing was consumed."""
    production_peak_to_average: float | None
    """None if nothing was produced."""
    load_factor: float | None
    """Average over peak of its consumption, 0 to 1; None if nothing was consumed."""
    contracts: tuple[ContractRow, ...]
    """Contracts of the house's jobs, ordered by start, then contract id."""
    supplied: tuple[ContractRow, ...]
    """Contracts of other houses' jobs with the house's producers."""
    day: PowerProfile
    """Powers of the house over the whole run."""
    bill: Bill | None
    """None without a tariff."""
    member: MemberBill | None = None
    """The lines of the bill; None without an energy community."""


@dataclass(frozen=True, slots=True)
class RunsView:
    """All runs of a simulation."""

    runs: tuple[tuple[RunInfo, Kpis], ...]
    """Those that have begun, in the order of their numbers."""
    statistics: dict[str, SampleStatistics]
    """By figure, over the completed runs."""


@dataclass(frozen=True, slots=True)
class RunResults:
    """A run, read and settled once, for all further views."""

    run: RunInfo
    ledger: tuple[LedgerEntry, ...]
    """All contracts, including cancelled ones."""
    settlement: Settlement
    producer_houses: dict[str, str]
    """House id, by producer id."""
    split: EnergySplit
    contracts: tuple[ContractRow, ...]
    """The standing ones."""
    tariff_changes: tuple[TariffChange, ...] = ()
    """Tariffs that the timeline put into force, in order."""


def load_run(results: ResultsReader, run: int) -> RunResults:
    """Read and settle one run.

    Raises:
        ResultsError: There is no such run, or the file is damaged.
    """
    ledger = results.ledger(run)
    settled = results.settlement(run, ledger)
    houses = producer_houses(results.scenario)
    return RunResults(
        run=results.run(run),
        ledger=ledger,
        settlement=settled,
        producer_houses=houses,
        split=split_energy(settled, houses),
        contracts=contract_rows(settled, ledger, houses),
        tariff_changes=results.scenario_of(run).tariff_changes,
    )


def view_neighbourhood(results: ResultsReader, run: int, interval_s: int = DEFAULT_INTERVAL_S) -> NeighbourhoodView:
    """Return the view of all households in one run.

    Args:
        results: An open results file.
        run: Number of the run.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Raises:
        ResultsError: There is no such run, or the file is damaged.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    loaded = load_run(results, run)
    scenario = results.scenario_of(run)
    settled = loaded.settlement
    bills = bills_of(scenario, settled, loaded.producer_houses)
    return NeighbourhoodView(
        run=loaded.run,
        covered_share=results.covered_share(loaded.run),
        kpis=compute_kpis(
            scenario,
            settled,
            loaded.ledger,
            loaded.run.end_s,
            not_registered=len(loaded.run.not_registered),
            interval_s=interval_s,
            bills=bills,
        ),
        split=loaded.split,
        contracts=loaded.contracts,
        day=_day(settled, settled.produced_wh.sum(axis=0), settled.consumed_wh, settled.local_wh, interval_s),
        bills=bills,
    )


def household_rows(view: NeighbourhoodView) -> tuple[HouseholdRow, ...]:
    """Return the households side by side, in the scenario's order."""
    return households_of(view.split, view.contracts, view.bills)


def households_of(
    energy: EnergySplit, contracts: Sequence[ContractRow], bills: Mapping[str, Bill]
) -> tuple[HouseholdRow, ...]:
    """Return the households side by side, in the scenario's order.

    Args:
        energy: The run's energy.
        contracts: Its standing contracts.
        bills: By house; empty without a tariff.
    """
    produced_wh = dict.fromkeys(energy.by_house, 0.0)
    for producer in energy.by_producer.values():
        produced_wh[producer.house] += producer.produced_wh
    sold_wh = dict.fromkeys(energy.by_house, 0.0)
    for row in contracts:
        for share in row.shares:
            if share.house != row.house:
                sold_wh[share.house] += share.delivered_wh
    for producer in energy.by_producer.values():
        sold_wh[producer.house] += producer.base_load_sold_wh
    return tuple(
        HouseholdRow(house, split, produced_wh[house], sold_wh[house], bills.get(house))
        for house, split in energy.by_house.items()
    )


def household_total(title: str, rows: Sequence[HouseholdRow]) -> HouseholdRow:
    """Return the sum of households as a row.

    Args:
        title: Stands in place of the house.
        rows: At least one.
    """
    first = rows[0].split
    split = type(first)(**{f.name: sum(getattr(row.split, f.name) for row in rows) for f in fields(first)})
    bills = [row.bill for row in rows if row.bill is not None]
    bill = sum(bills[1:], start=bills[0]) if bills else None
    produced_wh, sold_wh = sum(row.produced_wh for row in rows), sum(row.sold_wh for row in rows)
    return HouseholdRow(title, split, produced_wh, sold_wh, bill)


@dataclass(frozen=True, slots=True)
class Overview:
    """All households in one run, as far as figures and contracts go."""

    run: RunInfo
    covered_share: float
    """Share of the planned time that the figures cover; 1 for a completed run."""
    kpis: Kpis
    households: tuple[HouseholdRow, ...]
    """In the scenario's order."""
    contracts: tuple[ContractRow, ...]
    """Standing contracts, ordered by start, then contract id."""
    day: PowerProfile
    """Powers over the whole run."""


def view_overview(results: ResultsReader, run: int, interval_s: int = DEFAULT_INTERVAL_S) -> Overview:
    """Return the overview of one run; that of a large run that has ended takes neither its scenario nor settling.

    Args:
        results: An open results file.
        run: Number of the run.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Raises:
        ResultsError: There is no such run, or the file is damaged.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    minutes = results.minutes(run)
    if minutes is None:
        view = view_neighbourhood(results, run, interval_s)
        return Overview(view.run, view.covered_share, view.kpis, household_rows(view), view.contracts, view.day)
    info = results.run(run)
    return Overview(
        run=info,
        covered_share=results.covered_share(info),
        kpis=results.kpis(run, interval_s),
        households=results.households(run),
        contracts=_kept_contracts(results, run),
        day=_profile(minutes, interval_s),
    )


def _kept_contracts(results: ResultsReader, run: int, house: str | None = None) -> tuple[ContractRow, ...]:
    """Return the standing contracts of a large run, of all households or of one."""
    shares: dict[str, list[SupplierShare]] = {}
    for contract_id, *share in results.delivered_shares(run):
        shares.setdefault(contract_id, []).append(SupplierShare(*share))
    return tuple(
        ContractRow(
            contract_id=row["contract_id"],
            job_id=row["job_id"],
            source_id=row["source_id"],
            house=row["house"],
            device=row["device"],
            producer=row["producer"],
            producer_house=row["producer_house"],
            registered_s=row["registered_s"],
            earliest_start_s=row["earliest_start_s"],
            latest_start_s=row["latest_start_s"],
            start_s=row["begin_s"],
            end_s=row["begin_s"] + row["duration_s"],
            agreed_s=row["agreed_s"],
            energy_wh=row["energy_wh"],
            delivered_wh=row["delivered_wh"] or 0.0,
            profile=row["profile"],
            amended=row["amended"],
            cancelled_before=row["cancelled"],
            shares=tuple(shares[row["contract_id"]]) if row["contract_id"] in shares else _only_share(row),
        )
        for row in results.delivered_contracts(run, house)
    )


def _only_share(row: Mapping[str, Any]) -> tuple[SupplierShare, ...]:
    if row["producer_house"] is None:
        return ()
    first_s, last_s = (
        row["begin_s"] // MINUTE_S * MINUTE_S,
        -((row["begin_s"] + row["duration_s"]) // -MINUTE_S) * MINUTE_S,
    )
    energy_wh, delivered_wh = row["energy_wh"], row["delivered_wh"] or 0.0
    return (SupplierShare(row["producer"], row["producer_house"], energy_wh, delivered_wh, first_s, last_s),)


def _profile(minutes: Minutes, interval_s: int) -> PowerProfile:
    return _power_profile(minutes.first_s, minutes.produced_wh, minutes.consumed_wh, minutes.local_wh, interval_s)


def _kept_house(results: ResultsReader, run: int, house: str, minutes: Minutes, interval_s: int) -> HouseView:
    """Return the view of one household of a large run."""
    info = results.run(run)
    row, member = results.household(run, house)
    split, contracts = row.split, _kept_contracts(results, run, house)
    return HouseView(
        run=info,
        covered_share=results.covered_share(info),
        house=house,
        name=dict(results.houses)[house],
        split=split,
        produced_wh=row.produced_wh,
        sold_wh=row.sold_wh,
        self_sufficiency=(split.own_wh + split.neighbours_wh) / split.consumed_wh if split.consumed_wh > 0 else None,
        consumption_peak_to_average=peak_to_average(minutes.consumed_wh, interval_s),
        production_peak_to_average=peak_to_average(minutes.produced_wh, interval_s),
        load_factor=load_factor(minutes.consumed_wh, interval_s),
        contracts=tuple(one for one in contracts if one.house == house),
        supplied=tuple(one for one in contracts if one.house != house),
        day=_profile(minutes, interval_s),
        bill=row.bill,
        member=member,
    )


def view_house(results: ResultsReader, run: int, house: str, interval_s: int = DEFAULT_INTERVAL_S) -> HouseView:
    """Return the view of one household in one run.

    Args:
        results: An open results file.
        run: Number of the run.
        house: Id of the house.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Raises:
        ResultsError: There is no such run or house, or the file is damaged.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    results.check_house(house)
    if (minutes := results.minutes(run, house)) is not None:
        return _kept_house(results, run, house, minutes, interval_s)
    own_producers = results.producers_of(house)
    loaded = load_run(results, run)
    scenario = results.scenario_of(run)
    settled = loaded.settlement
    row = settled.houses.index(house)
    own = [producer in own_producers for producer in settled.producers]
    consumed_wh, delivered_wh = settled.house_consumed_wh[row], settled.house_delivered_wh[row]
    produced_wh = np.asarray(settled.produced_wh[own].sum(axis=0), dtype=np.float64)
    account = account_of(scenario, settled, loaded.producer_houses)
    supplied = tuple(c for c in loaded.contracts if c.house != house and any(s.house == house for s in c.shares))
    split = loaded.split.by_house[house]
    return HouseView(
        run=loaded.run,
        covered_share=results.covered_share(loaded.run),
        house=house,
        name=next(h.name for h in results.scenario.houses if h.id == house),
        split=split,
        produced_wh=float(produced_wh.sum()),
        sold_wh=sum(share.delivered_wh for c in supplied for share in c.shares if share.house == house)
        + sum(of.base_load_sold_wh for of in loaded.split.by_producer.values() if of.house == house),
        self_sufficiency=(split.own_wh + split.neighbours_wh) / split.consumed_wh if split.consumed_wh > 0 else None,
        consumption_peak_to_average=peak_to_average(consumed_wh, interval_s),
        production_peak_to_average=peak_to_average(produced_wh, interval_s),
        load_factor=load_factor(consumed_wh, interval_s),
        contracts=tuple(c for c in loaded.contracts if c.house == house),
        supplied=supplied,
        day=_day(settled, produced_wh, consumed_wh, delivered_wh, interval_s),
        bill=bills_of(scenario, settled, loaded.producer_houses, account).get(house),
        member=None if account is None else account.members[house],
    )


def view_runs(results: ResultsReader, interval_s: int = DEFAULT_INTERVAL_S) -> RunsView:
    """Return the view of all runs: the figures of each, and statistics over the completed ones.

    Raises:
        ResultsError: The file is damaged.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    runs = tuple((info, results.kpis(info.run, interval_s)) for info in results.runs())
    return RunsView(
        runs, statistics_by_figure([figures.as_dict() for _, figures in runs], [info.is_complete for info, _ in runs])
    )


def contract_rows(
    settled: Settlement, ledger: tuple[LedgerEntry, ...], producer_house: dict[str, str]
) -> tuple[ContractRow, ...]:
    """Return the standing contracts with their jobs, ordered by start, then contract id.

    Args:
        settled: The run's settled energy.
        ledger: The run's ledger, including cancelled contracts.
        producer_house: The house of each producer, by producer id.
    """
    entries = {entry.contract.contract_id: entry for entry in ledger}
    cancelled: dict[str, int] = {}
    for entry in ledger:
        if entry.state == "cancelled":
            cancelled[entry.contract.job_id] = cancelled.get(entry.contract.job_id, 0) + 1
    shares = _supplier_shares(settled, producer_house)
    rows = (
        ContractRow(
            contract_id=contract.contract_id,
            job_id=job.job_id,
            source_id=job.source_id,
            house=job.house,
            device=job.device,
            producer=contract.producer,
            producer_house=producer_house.get(contract.producer),
            registered_s=job.registered_s,
            earliest_start_s=job.earliest_start_s,
            latest_start_s=job.latest_start_s,
            start_s=contract.start_s,
            end_s=contract.start_s + job.duration_s,
            agreed_s=contract.agreed_s,
            energy_wh=job.energy_wh,
            delivered_wh=float(delivered_wh),
            profile=job.profile,
            amended=sum(event.what == "amended" for event in entries[contract.contract_id].history),
            cancelled_before=cancelled.get(job.job_id, 0),
            shares=given,
        )
        for job, contract, delivered_wh, given in zip(
            settled.jobs, settled.contracts, settled.job_delivered_wh, shares, strict=True
        )
    )
    return tuple(sorted(rows, key=lambda row: (row.start_s, row.contract_id)))


def _supplier_shares(settled: Settlement, producer_house: Mapping[str, str]) -> list[tuple[SupplierShare, ...]]:
    """Return what each producer gives to each job, in the order of the jobs; see `contract_rows`."""
    given, producers = settled.share_minutes, len(settled.producers)
    pair = given.job * max(1, producers) + given.producer
    pairs, index = np.unique(pair, return_inverse=True)
    contracted_wh = np.bincount(index, weights=given.contracted_wh, minlength=len(pairs))
    delivered_wh = np.bincount(index, weights=given.delivered_wh, minlength=len(pairs))
    first = np.full(len(pairs), settled.minutes, dtype=np.int64)
    last = np.zeros(len(pairs), dtype=np.int64)
    np.minimum.at(first, index, given.minute)
    np.maximum.at(last, index, given.minute + 1)
    shares: list[list[SupplierShare]] = [[] for _ in settled.jobs]
    for i, one in enumerate(pairs.tolist()):
        job, producer = divmod(one, max(1, producers))
        share = SupplierShare(
            settled.producers[producer],
            producer_house[settled.producers[producer]],
            float(contracted_wh[i]),
            float(delivered_wh[i]),
            settled.start_s + MINUTE_S * int(first[i]),
            settled.start_s + MINUTE_S * int(last[i]),
        )
        shares[job].append(share)
    return [tuple(of) for of in shares]


def _day(
    settled: Settlement, produced_wh: FloatArray, consumed_wh: FloatArray, delivered_wh: FloatArray, interval_s: int
) -> PowerProfile:
    return _power_profile(settled.start_s, produced_wh, consumed_wh, delivered_wh, interval_s)


def _power_profile(
    first_s: int, produced_wh: FloatArray, consumed_wh: FloatArray, delivered_wh: FloatArray, interval_s: int
) -> PowerProfile:
    production_w = mean_power_w(produced_wh, interval_s)
    return PowerProfile(
        interval_s=interval_s,
        times_s=first_s + interval_s * np.arange(len(production_w), dtype=np.int64),
        production_w=production_w,
        local_w=mean_power_w(delivered_wh, interval_s),
        grid_w=mean_power_w(np.maximum(consumed_wh - delivered_wh, 0.0), interval_s),
    )


@dataclass(frozen=True, slots=True)
class PowerStatistics:
    """Statistics of a power over runs, W, shape (intervals,) each."""

    mean_w: FloatArray
    deviation_w: FloatArray
    """Sample standard deviation over the runs; zero for a single run."""


@dataclass(frozen=True, slots=True)
class AveragePowerProfile:
    """Average of all completed runs, over the time that any of them covers."""

    runs: int
    """How many completed runs it averages."""
    interval_s: int
    """Length of an interval, seconds."""
    times_s: IntArray
    """Beginning of each interval, UNIX seconds."""
    production: PowerStatistics
    """Actual production."""
    local: PowerStatistics
    """Consumption that producers served, by contract and of base loads."""
    grid: PowerStatistics
    """Consumption supplied by the grid."""

    @property
    def days(self) -> int:
        """Number of days to be shown one by one; see `PowerProfile.days`."""
        return day_count(len(self.times_s), self.interval_s)

    def of_day(self, index: int) -> AveragePowerProfile:
        """Return one of the days, 0 the first."""
        part = day_slice(len(self.times_s), self.interval_s, index)
        courses = (
            PowerStatistics(of.mean_w[part], of.deviation_w[part]) for of in (self.production, self.local, self.grid)
        )
        return AveragePowerProfile(self.runs, self.interval_s, self.times_s[part], *courses)


def average_power_profile(
    results: ResultsReader, interval_s: int = DEFAULT_INTERVAL_S, house: str | None = None
) -> AveragePowerProfile:
    """Return the average over all completed runs; only the first run while none has completed.

    Args:
        results: An open results file.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.
        house: Id of a house, for that household only; None: all.

    Raises:
        ResultsError: There is no run, or the file is damaged.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    begun = results.runs()
    if not begun:
        raise ResultsError(f"{results.path}: has no run yet")
    runs = [run for run in begun if run.is_complete] or begun[:1]
    if len(runs) == 1 and (minutes := results.minutes(runs[0].run, house)) is not None:
        local_wh = minutes.local_wh
        columns = minutes.produced_wh, local_wh, np.maximum(minutes.consumed_wh - local_wh, 0.0)
        of = [_power_statistics(mean_power_w(column_wh, interval_s)[np.newaxis]) for column_wh in columns]
        return AveragePowerProfile(1, interval_s, _profile(minutes, interval_s).times_s, *of)
    own = None if house is None else results.producers_of(house)
    spans = [(one.start_s, one.end_s) for one in (results.settlement(run.run) for run in runs)]
    # Settled over the time that any run covers: production continues after the last job of a run.
    start_s, end_s = min(start for start, _ in spans), max(end for _, end in spans)
    powers_w = []
    for run in runs:
        standing = [entry.contract for entry in results.ledger(run.run) if entry.state == "standing"]
        realised = results.realised(run.run)
        settled = settle(realised.scenario, realised.settled(standing), start_s, end_s)
        powers_w.append([mean_power_w(column_wh, interval_s) for column_wh in _columns_wh(settled, house, own)])
    production, local, grid = (_power_statistics(np.stack([power_w[i] for power_w in powers_w])) for i in range(3))
    times_s = start_s + interval_s * np.arange(len(production.mean_w), dtype=np.int64)
    return AveragePowerProfile(len(runs), interval_s, times_s, production, local, grid)


def _columns_wh(
    settled: Settlement, house: str | None, own: set[str] | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return production, local and grid consumption of each minute, Wh, shape (M,) each."""
    if house is None or own is None:
        return settled.produced_wh.sum(axis=0), settled.local_wh, np.maximum(settled.grid_wh, 0.0)
    row = settled.houses.index(house)
    delivered_wh = settled.house_delivered_wh[row]
    produced_wh = settled.produced_wh[[producer in own for producer in settled.producers]].sum(axis=0)
    return produced_wh, delivered_wh, np.maximum(settled.house_consumed_wh[row] - delivered_wh, 0.0)


def _power_statistics(runs_w: FloatArray) -> PowerStatistics:
    deviation_w = runs_w.std(axis=0, ddof=1) if len(runs_w) > 1 else np.zeros(runs_w.shape[1])
    return PowerStatistics(mean_w=runs_w.mean(axis=0), deviation_w=deviation_w)
