"""Settlement and key figures."""

from scenarios.metrics.billing import Bill, bills
from scenarios.metrics.energy import (
    EnergySplit,
    IntervalError,
    Split,
    load_factor,
    mean_power_w,
    peak_to_average,
    split_energy,
)
from scenarios.metrics.kpis import DEFAULT_INTERVAL_S, Kpis, compute_kpis, producer_houses
from scenarios.metrics.labels import FIGURES, Figure, Unit, figures_json
from scenarios.metrics.settlement import MINUTE_S, IntArray, Settlement, real_production_wh, settle
from scenarios.metrics.statistics import SampleStatistics, sample_statistics, statistics_by_figure

__all__ = [
    "DEFAULT_INTERVAL_S",
    "FIGURES",
    "MINUTE_S",
    "Bill",
    "EnergySplit",
    "Figure",
    "IntArray",
    "IntervalError",
    "Kpis",
    "SampleStatistics",
    "Settlement",
    "Split",
    "Unit",
    "bills",
    "compute_kpis",
    "figures_json",
    "load_factor",
    "mean_power_w",
    "peak_to_average",
    "producer_houses",
    "real_production_wh",
    "sample_statistics",
    "settle",
    "split_energy",
    "statistics_by_figure",
]
