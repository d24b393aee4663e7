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
from scenarios.metrics.settlement import MINUTE_S, Account, IntArray, account, real_production_wh
from scenarios.metrics.statistics import Spread, spread, spread_of

__all__ = [
    "DEFAULT_INTERVAL_S",
    "FIGURES",
    "MINUTE_S",
    "Account",
    "Bill",
    "EnergySplit",
    "Figure",
    "IntArray",
    "IntervalError",
    "Kpis",
    "Split",
    "Spread",
    "Unit",
    "account",
    "bills",
    "compute_kpis",
    "figures_json",
    "load_factor",
    "mean_power_w",
    "peak_to_average",
    "producer_houses",
    "real_production_wh",
    "split_energy",
    "spread",
    "spread_of",
]
