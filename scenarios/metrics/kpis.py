"""All figures of one run that are a single number, as they stand in tables and in JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from agents import GRID, LedgerEntry
from scenarios.device_overlaps import overlapping
from scenarios.metrics.billing import bills
from scenarios.metrics.energy import load_factor, mean_power_w, peak_to_average
from scenarios.metrics.settlement import Settlement
from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Numbers of jobs, if nothing else is said."""

    jobs: int
    """With a standing contract."""
    jobs_on_grid: int
    """Whose standing contract is with the grid."""
    jobs_late: int
    """Started after the earliest moment that was left to them: earliest start, registration, or the run's start."""
    mean_delay_s: float | None
    """Of all jobs' starts after that moment; None where there are no jobs."""
    jobs_waited: int
    """Got their first contract later than they asked for it."""
    jobs_moved: int
    """Had a contract amended, at least once."""
    jobs_cancelled: int
    """Had a contract cancelled, at least once."""
    jobs_renegotiated: int
    """Lost a contract and got another, from a producer or the grid."""
    jobs_lost: int
    """Whose household stayed away, so that they have no standing contract."""
    jobs_overlapping: int
    """Started while another job of their device ran, because their windows left no other way."""
    jobs_unfinished: int
    """Still ran, or had not started, when the run ended."""
    jobs_not_registered: int
    """Would have been registered only after the run's end."""


def count_jobs(scenario: Scenario, entries: Iterable[LedgerEntry], end_s: int, not_registered: int = 0) -> JobCounts:
    """Count how the jobs fared.

    Args:
        scenario: Knows the jobs.
        entries: The whole ledger, cancelled contracts too.
        end_s: Where the run ended, UNIX seconds.
        not_registered: How many jobs the run ended too early for.
    """
    jobs = {job.job_id: job for job in scenario.jobs}
    ledger = [entry for entry in entries if entry.contract.job_id in jobs]
    standing = {entry.contract.job_id: entry for entry in ledger if entry.state == "standing"}
    first_agreed_s: dict[str, int] = {}
    for entry in ledger:
        job_id = entry.contract.job_id
        first_agreed_s[job_id] = min(entry.contract.agreed_s, first_agreed_s.get(job_id, entry.contract.agreed_s))
    contracts_of = Counter(entry.contract.job_id for entry in ledger)
    known_s = {job_id: max(job.registered_s, scenario.start_s) for job_id, job in jobs.items()}
    delays_s = [
        max(0, entry.contract.start_s - max(jobs[job_id].earliest_start_s, known_s[job_id]))
        for job_id, entry in standing.items()
    ]
    return JobCounts(
        jobs=len(standing),
        jobs_on_grid=sum(entry.contract.producer == GRID for entry in standing.values()),
        jobs_late=sum(delay_s > 0 for delay_s in delays_s),
        mean_delay_s=sum(delays_s) / len(delays_s) if delays_s else None,
        jobs_waited=sum(agreed_s > known_s[job_id] for job_id, agreed_s in first_agreed_s.items()),
        jobs_moved=_with_event(ledger, "amended"),
        jobs_cancelled=_with_event(ledger, "cancelled"),
        jobs_renegotiated=sum(contracts_of[job_id] > 1 for job_id in standing),
        jobs_lost=len({entry.contract.job_id for entry in ledger if entry.state == "lost"} - standing.keys()),
        jobs_overlapping=len(overlapping(jobs, (entry.contract for entry in standing.values()))),
        jobs_unfinished=sum(
            entry.contract.start_s + jobs[job_id].duration_s > end_s for job_id, entry in standing.items()
        ),
        jobs_not_registered=not_registered,
    )


def _with_event(ledger: Iterable[LedgerEntry], what: str) -> int:
    return len({entry.contract.job_id for entry in ledger if any(event.what == what for event in entry.history)})


DEFAULT_INTERVAL_S = 900


@dataclass(frozen=True, slots=True)
class Kpis:
    """Energy in Wh over the run's horizon; a ratio is None where its denominator is zero.

    *By contract* a panel serves the jobs that it has a contract with, and no others. *Pooled*, the neighbourhood stands
    behind one meter: all panels' power serves all jobs that draw in the same minute, whatever was agreed.
    """

    consumed_wh: float
    """What all jobs drew; jobs with a standing contract count whole."""
    contracted_wh: float
    """Promised by producers."""
    delivered_wh: float
    """What their panels covered of it, minute by minute, each its own jobs."""
    shortfall_wh: float
    """Promised but not covered; grid power."""
    grid_wh: float
    """Import by contract: consumed less delivered."""
    produced_wh: float
    export_wh: float
    """By contract: produced less delivered."""
    self_consumption: float | None
    """Delivered over produced, by contract."""
    self_sufficiency: float | None
    """Delivered over consumed, by contract."""
    pooled_covered_wh: float
    """What all panels together covered of what all jobs drew in the same minute."""
    pooled_grid_wh: float
    """Import at the neighbourhood's one meter."""
    pooled_export_wh: float
    """Export at the neighbourhood's one meter."""
    pooled_self_consumption: float | None
    pooled_self_sufficiency: float | None
    interval_s: int
    """Over which the powers below are averaged."""
    peak_consumption_w: float
    peak_production_w: float
    peak_import_w: float
    """At the neighbourhood's one meter, minute by minute netted, then averaged over the interval."""
    peak_export_w: float
    consumption_peak_to_average: float | None
    production_peak_to_average: float | None
    load_factor: float | None
    """Of consumption: mean over peak."""
    jobs: int
    jobs_on_grid: int
    jobs_late: int
    mean_delay_s: float | None
    jobs_waited: int
    jobs_moved: int
    jobs_cancelled: int
    jobs_renegotiated: int
    jobs_lost: int
    jobs_overlapping: int
    jobs_unfinished: int
    jobs_not_registered: int
    bill_eur: float | None
    """All houses' bills together; None without a tariff, as the next three."""
    bill_without_eur: float | None
    """The same without the neighbourhood."""
    kg_co2: float | None
    kg_co2_without: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Return the figures by name, in this order."""
        return asdict(self)


def compute_kpis(
    scenario: Scenario,
    settlement: Settlement,
    entries: Iterable[LedgerEntry],
    end_s: int,
    *,
    not_registered: int = 0,
    interval_s: int = DEFAULT_INTERVAL_S,
) -> Kpis:
    """Return a run's figures.

    Args:
        scenario: The houses, the jobs, the tariff.
        settlement: The run's settled energy.
        entries: The run's whole ledger, cancelled contracts too.
        end_s: Where the run ended, UNIX seconds.
        not_registered: How many jobs the run ended too early for.
        interval_s: Over which powers are averaged; whole minutes.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    consumption_wh, production_wh = settlement.consumed_wh, settlement.produced_wh.sum(axis=0)
    consumed_wh, produced_wh = float(consumption_wh.sum()), float(production_wh.sum())
    contracted_wh, delivered_wh = float(settlement.drawn_wh.sum()), float(settlement.delivered_wh.sum())
    covered_wh = float(np.minimum(consumption_wh, production_wh).sum())
    net_wh = consumption_wh - production_wh
    counts = count_jobs(scenario, entries, end_s, not_registered)
    billed = bills(settlement, producer_houses(scenario), scenario.tariff).values() if scenario.tariff else None
    return Kpis(
        consumed_wh=consumed_wh,
        contracted_wh=contracted_wh,
        delivered_wh=delivered_wh,
        shortfall_wh=_rest(contracted_wh, delivered_wh),
        grid_wh=_rest(consumed_wh, delivered_wh),
        produced_wh=produced_wh,
        export_wh=_rest(produced_wh, delivered_wh),
        self_consumption=_ratio(delivered_wh, produced_wh),
        self_sufficiency=_ratio(delivered_wh, consumed_wh),
        pooled_covered_wh=covered_wh,
        pooled_grid_wh=_rest(consumed_wh, covered_wh),
        pooled_export_wh=_rest(produced_wh, covered_wh),
        pooled_self_consumption=_ratio(covered_wh, produced_wh),
        pooled_self_sufficiency=_ratio(covered_wh, consumed_wh),
        interval_s=interval_s,
        peak_consumption_w=float(mean_power_w(consumption_wh, interval_s).max()),
        peak_production_w=float(mean_power_w(production_wh, interval_s).max()),
        peak_import_w=float(mean_power_w(np.maximum(net_wh, 0.0), interval_s).max()),
        peak_export_w=float(mean_power_w(np.maximum(-net_wh, 0.0), interval_s).max()),
        consumption_peak_to_average=peak_to_average(consumption_wh, interval_s),
        production_peak_to_average=peak_to_average(production_wh, interval_s),
        load_factor=load_factor(consumption_wh, interval_s),
        **asdict(counts),
        bill_eur=None if billed is None else sum(bill.with_eur for bill in billed),
        bill_without_eur=None if billed is None else sum(bill.without_eur for bill in billed),
        kg_co2=None if billed is None else sum(bill.with_kg_co2 for bill in billed),
        kg_co2_without=None if billed is None else sum(bill.without_kg_co2 for bill in billed),
    )


def producer_houses(scenario: Scenario) -> dict[str, str]:
    """Return where each producer stands, by its id."""
    return {d.id: house.id for house in scenario.houses for d in house.devices if d.type == "producer"}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _rest(whole_wh: float, part_wh: float) -> float:
    """Return what is left; what is only the rounding of long sums is nothing."""
    rest_wh = whole_wh - part_wh
    return 0.0 if abs(rest_wh) <= 1e-12 * whole_wh else rest_wh
