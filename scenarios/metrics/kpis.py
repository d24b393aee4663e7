"""Key performance indicators of one run: every figure that is a single number, as in tables and JSON.

For screens, tables and reports each has a label, a unit and a note. Mean powers and their peaks are those of any load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from agents import GRID, FloatArray, LedgerEntry
from broker import SsmicError
from scenarios.device_overlaps import overlapping
from scenarios.metrics.billing import Bill, bills_of
from scenarios.metrics.possible_supply import possible_supply_wh
from scenarios.metrics.settlement import MINUTE_S, Settlement, rest_wh
from scenarios.scenario import Scenario

HOUR_S = 3600
Unit = Literal["wh", "share", "w", "ratio", "count", "s", "eur", "kg"]


class IntervalError(SsmicError):
    """The interval is not a positive number of whole minutes."""


def mean_power_w(energy_wh: FloatArray, interval_s: int) -> FloatArray:
    """Return the mean power over each interval, W, shape (ceil(minutes / minutes per interval),).

    Args:
        energy_wh: Energy of each minute, Wh, shape (minutes,).
        interval_s: Length of an interval, seconds, whole minutes. Intervals count from the first minute; the last one
            is padded with zeros, because a settlement ends with the last job.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    if interval_s <= 0 or interval_s % MINUTE_S:
        raise IntervalError(f"an interval is a positive number of whole minutes (60 s, 900 s, ...), not {interval_s} s")
    width = interval_s // MINUTE_S
    intervals = -(-len(energy_wh) // width)
    padded_wh = np.zeros(intervals * width)
    padded_wh[: len(energy_wh)] = energy_wh
    summed_wh: FloatArray = padded_wh.reshape(intervals, width).sum(axis=1)
    return summed_wh * (HOUR_S / interval_s)


def peak_to_average(energy_wh: FloatArray, interval_s: int) -> float | None:
    """Return the peak-to-average ratio of mean powers.

    Args:
        energy_wh: Energy of each minute, Wh, shape (minutes,).
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Returns:
        The highest mean power of an interval divided by the mean of all intervals; None if there is no energy.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    power_w = mean_power_w(energy_wh, interval_s)
    mean_w = float(power_w.mean()) if len(power_w) else 0.0
    return float(power_w.max()) / mean_w if mean_w > 0 else None


def load_factor(energy_wh: FloatArray, interval_s: int) -> float | None:
    """Return the load factor: average over peak of the mean powers, 1 for a flat load.

    Args:
        energy_wh: Energy of each minute, Wh, shape (minutes,).
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Returns:
        The load factor, 0 to 1; None if there is no energy.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    ratio = peak_to_average(energy_wh, interval_s)
    return None if ratio is None else 1.0 / ratio


def count_jobs(
    scenario: Scenario, entries: Iterable[LedgerEntry], end_s: int, not_registered: int = 0
) -> dict[str, Any]:
    """Return the figures of `Kpis` that count the outcomes of a run's jobs, by name.

    Args:
        scenario: The scenario, which knows the jobs.
        entries: The complete ledger, including cancelled contracts.
        end_s: End of the run, UNIX seconds.
        not_registered: Number of jobs for which the run ended too early.
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
    return {
        "jobs": len(standing),
        "jobs_on_grid": sum(entry.contract.producer == GRID for entry in standing.values()),
        "jobs_late": sum(delay_s > 0 for delay_s in delays_s),
        "mean_delay_s": sum(delays_s) / len(delays_s) if delays_s else None,
        "jobs_waited": sum(agreed_s > known_s[job_id] for job_id, agreed_s in first_agreed_s.items()),
        "jobs_moved": _with_event(ledger, "amended"),
        "jobs_cancelled": _with_event(ledger, "cancelled"),
        "jobs_renegotiated": sum(contracts_of[job_id] > 1 for job_id in standing),
        "jobs_lost": len({entry.contract.job_id for entry in ledger if entry.state == "lost"} - standing.keys()),
        "jobs_overlapping": len(overlapping(jobs, (entry.contract for entry in standing.values()))),
        "jobs_unfinished": sum(
            entry.contract.start_s + jobs[job_id].duration_s > end_s for job_id, entry in standing.items()
        ),
        "jobs_not_registered": not_registered,
    }


def _with_event(ledger: Iterable[LedgerEntry], what: str) -> int:
    return len({entry.contract.job_id for entry in ledger if any(event.what == what for event in entry.history)})


DEFAULT_INTERVAL_S = 900


@dataclass(frozen=True, slots=True)
class Kpis:
    """Energies in Wh over the run's horizon; a ratio is None if its denominator is zero.

    *By contract*, a panel serves only the jobs that it has a contract with. *Pooled*, the whole neighbourhood is behind
    one meter: the power of all panels serves all jobs that draw in the same minute, regardless of contracts.
    """

    consumed_wh: float
    """Energy that all jobs and base loads drew; a job with a standing contract counts in full."""
    contracted_wh: float
    """Energy promised by producers."""
    delivered_wh: float
    """The part of it that their panels covered, minute by minute, each for its own jobs."""
    shortfall_wh: float
    """Promised but not delivered; supplied by the grid."""
    base_load_wh: float
    """The part of the consumption that is base load."""
    base_load_local_wh: float
    """The part of the base load that producers served: the own roof first, then what neighbours had left."""
    local_wh: float
    """Consumption that producers served: delivered by contract, and base load."""
    grid_wh: float
    """Grid import: consumed less local."""
    produced_wh: float
    """Actual production of all panels."""
    export_wh: float
    """Surplus: produced less local."""
    possible_wh: float | None = field(default=None, kw_only=True)
    """An upper bound on `delivered_wh`: what production and the windows of all jobs allow, under either rule of supply.
    None in figures that an earlier version stored, as is `share_of_possible`."""
    share_of_possible: float | None = field(default=None, kw_only=True)
    """Delivered over possible."""
    self_consumption: float | None
    """Local over produced."""
    self_sufficiency: float | None
    """Local over consumed."""
    pooled_covered_wh: float
    """The consumption that all panels together covered in the same minute."""
    pooled_grid_wh: float
    """Import at the neighbourhood's single meter."""
    pooled_export_wh: float
    """Export at the neighbourhood's single meter."""
    pooled_self_consumption: float | None
    """Pooled covered over produced."""
    pooled_self_sufficiency: float | None
    """Pooled covered over consumed."""
    interval_s: int
    """Interval over which the powers below are averaged."""
    peak_consumption_w: float
    """Highest mean power of an interval: of all jobs and base loads together."""
    peak_production_w: float
    """The same for all panels together."""
    peak_import_w: float
    """At the neighbourhood's single meter: netted minute by minute, then averaged over the interval."""
    peak_export_w: float
    """Export at that meter, averaged as the import."""
    consumption_peak_to_average: float | None
    """Peak over average of the means of all intervals."""
    production_peak_to_average: float | None
    """The same for the production."""
    load_factor: float | None
    """Load factor of the consumption: average over peak."""
    jobs: int
    """Jobs with a standing contract."""
    jobs_on_grid: int
    """Jobs whose standing contract is with the grid."""
    jobs_late: int
    """Jobs that started later than possible: after earliest start, registration and the start of the run."""
    mean_delay_s: float | None
    """Mean delay of all starts after that moment, seconds; None if there are no jobs."""
    jobs_waited: int
    """Jobs whose first contract was agreed later than they asked for it."""
    jobs_moved: int
    """Jobs with at least one amended contract."""
    jobs_cancelled: int
    """Jobs with at least one cancelled contract."""
    jobs_renegotiated: int
    """Jobs that lost a contract and got another, from a producer or the grid."""
    jobs_lost: int
    """Jobs without a standing contract because their household stayed offline."""
    jobs_overlapping: int
    """Jobs that started while another job of their device ran, because their windows left no alternative."""
    jobs_unfinished: int
    """Jobs still running or not yet started when the run ended."""
    jobs_not_registered: int
    """Jobs that would have been registered only after the end of the run."""
    bill_eur: float | None
    """Sum of all houses' bills; None without a tariff, as are the next three."""
    bill_without_eur: float | None
    """The same without the neighbourhood."""
    kg_co2: float | None
    """Emissions of the grid power that all houses buy."""
    kg_co2_without: float | None
    """The same without the neighbourhood."""

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
    optional: Collection[str] = (),
    interval_s: int = DEFAULT_INTERVAL_S,
    bills: Mapping[str, Bill] | None = None,
) -> Kpis:
    """Return a run's key performance indicators.

    Args:
        scenario: Houses, jobs and tariff.
        settlement: The run's settled energy.
        entries: The complete ledger, including cancelled contracts.
        end_s: End of the run, UNIX seconds.
        not_registered: Number of jobs for which the run ended too early.
        optional: Ids of jobs that need not have run: they were withdrawn, or their devices were not there.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.
        bills: What `bills_of` returns for the run, if it has been computed.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    consumption_wh, production_wh = settlement.consumed_wh, settlement.produced_wh.sum(axis=0)
    consumed_wh, produced_wh = float(consumption_wh.sum()), float(production_wh.sum())
    contracted_wh, delivered_wh = float(settlement.drawn_wh.sum()), float(settlement.delivered_wh.sum())
    base = settlement.base_load
    base_load_wh = 0.0 if base is None else float(base.consumed_wh.sum())
    base_local_wh = float(settlement.base_load_supplied_wh.sum())
    local_wh = delivered_wh + base_local_wh
    # Sums in another order may differ in the last digits.
    possible_wh = max(possible_supply_wh(scenario, settlement, end_s, optional), delivered_wh)
    covered_wh = float(np.minimum(consumption_wh, production_wh).sum())
    billed = None
    if scenario.tariff:
        billed = (bills or bills_of(scenario, settlement, producer_houses(scenario))).values()
    return Kpis(
        consumed_wh=consumed_wh,
        contracted_wh=contracted_wh,
        delivered_wh=delivered_wh,
        shortfall_wh=rest_wh(contracted_wh, delivered_wh),
        base_load_wh=base_load_wh,
        base_load_local_wh=base_local_wh,
        local_wh=local_wh,
        grid_wh=rest_wh(consumed_wh, local_wh),
        produced_wh=produced_wh,
        export_wh=rest_wh(produced_wh, local_wh),
        possible_wh=possible_wh,
        share_of_possible=_ratio(delivered_wh, possible_wh),
        self_consumption=_ratio(local_wh, produced_wh),
        self_sufficiency=_ratio(local_wh, consumed_wh),
        pooled_covered_wh=covered_wh,
        pooled_grid_wh=rest_wh(consumed_wh, covered_wh),
        pooled_export_wh=rest_wh(produced_wh, covered_wh),
        pooled_self_consumption=_ratio(covered_wh, produced_wh),
        pooled_self_sufficiency=_ratio(covered_wh, consumed_wh),
        **_powers(consumption_wh, production_wh, interval_s),
        **count_jobs(scenario, entries, end_s, not_registered),
        # Amounts in cents give an amount in cents.
        bill_eur=None if billed is None else round(sum(bill.with_eur for bill in billed), 9),
        bill_without_eur=None if billed is None else round(sum(bill.without_eur for bill in billed), 9),
        kg_co2=None if billed is None else sum(bill.with_kg_co2 for bill in billed),
        kg_co2_without=None if billed is None else sum(bill.without_kg_co2 for bill in billed),
    )


def averaged_over(figures: Kpis, consumption_wh: FloatArray, production_wh: FloatArray, interval_s: int) -> Kpis:
    """Return figures with powers averaged over another interval.

    Args:
        figures: The run's figures.
        consumption_wh: Consumption of each minute, Wh, shape (M,).
        production_wh: Production of each minute, Wh, shape (M,).
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    return replace(figures, **_powers(consumption_wh, production_wh, interval_s))


def _powers(consumption_wh: FloatArray, production_wh: FloatArray, interval_s: int) -> dict[str, Any]:
    """Return the figures that are averaged over an interval, by name."""
    net_wh = consumption_wh - production_wh
    return {
        "interval_s": interval_s,
        "peak_consumption_w": float(mean_power_w(consumption_wh, interval_s).max()),
        "peak_production_w": float(mean_power_w(production_wh, interval_s).max()),
        "peak_import_w": float(mean_power_w(np.maximum(net_wh, 0.0), interval_s).max()),
        "peak_export_w": float(mean_power_w(np.maximum(-net_wh, 0.0), interval_s).max()),
        "consumption_peak_to_average": peak_to_average(consumption_wh, interval_s),
        "production_peak_to_average": peak_to_average(production_wh, interval_s),
        "load_factor": load_factor(consumption_wh, interval_s),
    }


def producer_houses(scenario: Scenario) -> dict[str, str]:
    """Return the house of each producer, by producer id."""
    return {d.id: house.id for house in scenario.houses for d in house.devices if d.type == "producer"}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


@dataclass(frozen=True, slots=True)
class Figure:
    """The presentation of a figure of `scenarios.metrics.Kpis`."""

    name: str
    """The name of the field in `Kpis`."""
    label: str
    """The name for users."""
    unit: Unit
    note: str = ""
    """Its definition in one sentence; `{interval}` stands for the averaging interval."""


FIGURES = (
    Figure("consumed_wh", "Consumed", "wh", "What all jobs and base loads drew."),
    Figure("contracted_wh", "Contracted", "wh", "Promised by producers."),
    Figure("delivered_wh", "Delivered", "wh", "What panels covered of their own contracts, minute by minute."),
    Figure("shortfall_wh", "Shortfall", "wh", "Promised by panels but not delivered; the grid supplied it."),
    Figure("base_load_wh", "Base load", "wh", "What houses drew apart from their jobs."),
    Figure("base_load_local_wh", "Base load from panels", "wh", "The own roof first, then what neighbours had left."),
    Figure("local_wh", "From panels", "wh", "Delivered by contract, and base load from panels."),
    Figure("grid_wh", "From the grid", "wh", "Energy that no panel served."),
    Figure("produced_wh", "Produced", "wh", "What all panels gave."),
    Figure("export_wh", "Surplus", "wh", "What no house used."),
    Figure(
        "possible_wh",
        "Possible given production and windows",
        "wh",
        "Upper bound on delivered energy, for any plan under either rule of supply.",
    ),
    Figure("share_of_possible", "Share of the possible", "share", "Delivered divided by the upper bound."),
    Figure(
        "self_sufficiency",
        "Self-sufficiency",
        "share",
        "Energy served by panels (by contract, and base loads) divided by consumed.",
    ),
    Figure(
        "self_consumption",
        "Self-consumption",
        "share",
        "Energy served by panels (by contract, and base loads) divided by produced.",
    ),
    Figure("pooled_self_sufficiency", "Self-sufficiency, pooled", "share", "As if all houses shared one meter."),
    Figure("pooled_self_consumption", "Self-consumption, pooled", "share", "As if all houses shared one meter."),
    Figure("pooled_grid_wh", "Grid import, pooled", "wh", "At the neighbourhood's one meter."),
    Figure("pooled_export_wh", "Grid export, pooled", "wh", "At the neighbourhood's one meter."),
    Figure("peak_consumption_w", "Peak consumption", "w", "Highest mean over {interval}."),
    Figure("peak_production_w", "Peak production", "w", "Highest mean over {interval}."),
    Figure("peak_import_w", "Peak import, pooled", "w", "Highest mean over {interval}."),
    Figure("peak_export_w", "Peak export, pooled", "w", "Highest mean over {interval}."),
    Figure("consumption_peak_to_average", "Peak to average, consumption", "ratio", "Peak over mean."),
    Figure("production_peak_to_average", "Peak to average, production", "ratio", "Peak over mean."),
    Figure("load_factor", "Load factor", "ratio", "Mean over peak of consumption: 1 is flat."),
    Figure("jobs", "Jobs", "count", "With a standing contract."),
    Figure("jobs_on_grid", "Jobs on the grid", "count", "Supplied by the grid alone."),
    Figure(
        "jobs_late",
        "Jobs started after their earliest time",
        "count",
        "Later than they could have: they were moved to more production, or waited for it.",
    ),
    Figure("mean_delay_s", "Mean delay", "s", "After the earliest start that was still possible."),
    Figure("jobs_waited", "Jobs that waited for a contract", "count"),
    Figure("jobs_moved", "Jobs moved", "count", "Their contract was amended."),
    Figure("jobs_cancelled", "Jobs cancelled", "count", "At least one of their contracts was cancelled."),
    Figure("jobs_renegotiated", "Jobs renegotiated", "count", "They found another producer, or the grid."),
    Figure("jobs_lost", "Jobs lost", "count", "Their household went offline for good."),
    Figure(
        "jobs_overlapping",
        "Jobs overlapping on their device",
        "count",
        "They started while another job of their device ran: their windows left no alternative.",
    ),
    Figure("jobs_unfinished", "Jobs unfinished", "count", "Still running when the run ended."),
    Figure("jobs_not_registered", "Jobs not registered", "count", "The run ended before they became known."),
    Figure("bill_eur", "Total bill", "eur", "Sum of all houses; negative: income."),
    Figure(
        "bill_without_eur",
        "Total bill without neighbourhood",
        "eur",
        "Same jobs at the same times, each house alone.",
    ),
    Figure("kg_co2", "Grid CO2", "kg", "Emissions of the energy that houses buy from the grid."),
    Figure(
        "kg_co2_without", "Grid CO2 without the neighbourhood", "kg", "Same jobs at the same times, each house alone."
    ),
)


def figures_json(interval_s: int) -> list[dict[str, str]]:
    """Return the figures as JSON in display order; their notes name the interval."""
    interval = f"{interval_s // 60} min"
    return [asdict(replace(figure, note=figure.note.format(interval=interval))) for figure in FIGURES]
