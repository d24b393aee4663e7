"""Views of results, as screens show them: a neighbourhood, a household, and all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from agents import LedgerEntry
from scenarios.metrics import (
    DEFAULT_INTERVAL_S,
    Bill,
    ConsumptionBreakdown,
    EnergyBreakdown,
    Kpis,
    MemberBill,
    SampleStatistics,
    Settlement,
    account_of,
    bills_of,
    break_down_energy,
    compute_kpis,
    load_factor,
    peak_to_average,
    producer_houses,
    statistics_by_figure,
)
from scenarios.prices import TariffChange
from scenarios.results.contract_rows import ContractRow, contract_rows
from scenarios.results.large_run_overviews import HouseholdRow, MinuteEnergies
from scenarios.results.power_profiles import PowerProfile, minutes_of, power_profile
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import RunInfo


@dataclass(frozen=True, slots=True)
class NeighbourhoodView:
    """All households in one run."""

    run: RunInfo
    covered_share: float
    """Share of the planned time that the figures cover; 1 for a completed run."""
    kpis: Kpis
    breakdown: EnergyBreakdown
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
    breakdown: ConsumptionBreakdown
    """Sources of the energy of its jobs and base load."""
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
    """The runs that have begun, in the order of their numbers."""
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
    breakdown: EnergyBreakdown
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
        breakdown=break_down_energy(settled, houses),
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
    loaded, realised = load_run(results, run), results.realised(run)
    scenario, settled = realised.scenario, loaded.settlement
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
            optional=realised.optional,
            interval_s=interval_s,
            bills=bills,
        ),
        breakdown=loaded.breakdown,
        contracts=loaded.contracts,
        day=power_profile(minutes_of(settled), interval_s, results.zone),
        bills=bills,
    )


def household_rows(view: NeighbourhoodView) -> tuple[HouseholdRow, ...]:
    """Return the households side by side, in the scenario's order."""
    return households_of(view.breakdown, view.contracts, view.bills)


def households_of(
    energy: EnergyBreakdown, contracts: Sequence[ContractRow], bills: Mapping[str, Bill]
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
        HouseholdRow(house, breakdown, produced_wh[house], sold_wh[house], bills.get(house))
        for house, breakdown in energy.by_house.items()
    )


def household_total(title: str, rows: Sequence[HouseholdRow]) -> HouseholdRow:
    """Return the sum of households as a row.

    Args:
        title: Stands in place of the house.
        rows: At least one.
    """
    first = rows[0].breakdown
    breakdown = type(first)(**{f.name: sum(getattr(row.breakdown, f.name) for row in rows) for f in fields(first)})
    bills = [row.bill for row in rows if row.bill is not None]
    bill = sum(bills[1:], start=bills[0]) if bills else None
    produced_wh, sold_wh = sum(row.produced_wh for row in rows), sum(row.sold_wh for row in rows)
    return HouseholdRow(title, breakdown, produced_wh, sold_wh, bill)


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
        contracts=results.kept_contracts(run),
        day=power_profile(minutes, interval_s, results.zone),
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
    info = results.run(run)
    if (minutes := results.minutes(run, house)) is not None:
        row, member = results.household(run, house)
        contracts = results.kept_contracts(run, house)
        return _house_view(results, info, row, contracts, minutes, member, interval_s)
    loaded = load_run(results, run)
    scenario, settled = results.scenario_of(run), loaded.settlement
    minutes = minutes_of(settled, house, results.producers_of(house))
    contracts = tuple(c for c in loaded.contracts if c.house == house or any(s.house == house for s in c.shares))
    by_shares_wh = sum(s.delivered_wh for c in contracts if c.house != house for s in c.shares if s.house == house)
    of_house = (energy for energy in loaded.breakdown.by_producer.values() if energy.house == house)
    account = account_of(scenario, settled, loaded.producer_houses)
    row = HouseholdRow(
        house,
        loaded.breakdown.by_house[house],
        produced_wh=float(minutes.produced_wh.sum()),
        sold_wh=by_shares_wh + sum(energy.base_load_sold_wh for energy in of_house),
        bill=bills_of(scenario, settled, loaded.producer_houses, account).get(house),
    )
    member = None if account is None else account.members[house]
    return _house_view(results, info, row, contracts, minutes, member, interval_s)


def _house_view(
    results: ResultsReader,
    info: RunInfo,
    row: HouseholdRow,
    contracts: Sequence[ContractRow],
    minutes: MinuteEnergies,
    member: MemberBill | None,
    interval_s: int,
) -> HouseView:
    """Return the view of one household of a run.

    Args:
        results: The results file.
        info: The run.
        row: The household's figures.
        contracts: Those of its jobs and with its producers.
        minutes: Its energy.
        member: The lines of its bill; None without an energy community.
        interval_s: See `view_house`.
    """
    energy = row.breakdown
    return HouseView(
        run=info,
        covered_share=results.covered_share(info),
        house=row.house,
        name=dict(results.houses)[row.house],
        breakdown=energy,
        produced_wh=row.produced_wh,
        sold_wh=row.sold_wh,
        self_sufficiency=(energy.own_wh + energy.neighbours_wh) / energy.consumed_wh
        if energy.consumed_wh > 0
        else None,
        consumption_peak_to_average=peak_to_average(minutes.consumed_wh, interval_s),
        production_peak_to_average=peak_to_average(minutes.produced_wh, interval_s),
        load_factor=load_factor(minutes.consumed_wh, interval_s),
        contracts=tuple(one for one in contracts if one.house == row.house),
        supplied=tuple(one for one in contracts if one.house != row.house),
        day=power_profile(minutes, interval_s, results.zone),
        bill=row.bill,
        member=member,
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
