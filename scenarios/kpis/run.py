"""All figures of one run that are a single number, as they stand in tables and in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from agents.ledger import LedgerEntry
from scenarios.accounting import Account
from scenarios.kpis.bills import bills
from scenarios.kpis.counts import count_jobs
from scenarios.kpis.shape import load_factor, mean_power_w, peak_to_average
from scenarios.scenario import Scenario

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


def kpis(
    scenario: Scenario,
    account: Account,
    entries: Iterable[LedgerEntry],
    end_s: int,
    *,
    not_registered: int = 0,
    interval_s: int = DEFAULT_INTERVAL_S,
) -> Kpis:
    """Return a run's figures.

    Args:
        scenario: The houses, the jobs, the tariff.
        account: The run's account.
        entries: The run's whole ledger, cancelled contracts too.
        end_s: Where the run ended, UNIX seconds.
        not_registered: How many jobs the run ended too early for.
        interval_s: Over which powers are averaged; whole minutes.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    consumption_wh, production_wh = account.consumed_wh, account.produced_wh.sum(axis=0)
    consumed_wh, produced_wh = float(consumption_wh.sum()), float(production_wh.sum())
    contracted_wh, delivered_wh = float(account.drawn_wh.sum()), float(account.delivered_wh.sum())
    covered_wh = float(np.minimum(consumption_wh, production_wh).sum())
    net_wh = consumption_wh - production_wh
    counts = count_jobs(scenario, entries, end_s, not_registered)
    billed = bills(account, producer_houses(scenario), scenario.tariff).values() if scenario.tariff else None
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
