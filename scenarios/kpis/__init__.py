"""What a run comes to: energy, shares, peaks, counts, bills; for one run and over several."""

from scenarios.kpis.bills import Bill, bills
from scenarios.kpis.counts import JobCounts, count_jobs
from scenarios.kpis.ensemble import Spread, spread, spread_of
from scenarios.kpis.run import DEFAULT_INTERVAL_S, Kpis, kpis, producer_houses
from scenarios.kpis.shape import IntervalError, load_factor, mean_power_w, peak_to_average
from scenarios.kpis.split import EnergySplit, HourEnergy, ProducerEnergy, Split, split_energy

__all__ = [
    "DEFAULT_INTERVAL_S",
    "Bill",
    "EnergySplit",
    "HourEnergy",
    "IntervalError",
    "JobCounts",
    "Kpis",
    "ProducerEnergy",
    "Split",
    "Spread",
    "bills",
    "count_jobs",
    "kpis",
    "load_factor",
    "mean_power_w",
    "peak_to_average",
    "producer_houses",
    "split_energy",
    "spread",
    "spread_of",
]
