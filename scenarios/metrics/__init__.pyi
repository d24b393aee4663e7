from .billing import (
    Bill as Bill,
    bills as bills,
)
from .energy import (
    EnergySplit as EnergySplit,
    IntervalError as IntervalError,
    Split as Split,
    load_factor as load_factor,
    mean_power_w as mean_power_w,
    peak_to_average as peak_to_average,
    split_energy as split_energy,
)
from .kpis import (
    DEFAULT_INTERVAL_S as DEFAULT_INTERVAL_S,
    Kpis as Kpis,
    compute_kpis as compute_kpis,
    producer_houses as producer_houses,
)
from .labels import (
    FIGURES as FIGURES,
    Figure as Figure,
    Unit as Unit,
    figures_json as figures_json,
)
from .settlement import (
    MINUTE_S as MINUTE_S,
    IntArray as IntArray,
    Settlement as Settlement,
    ShareMinutes as ShareMinutes,
    fractions_of as fractions_of,
    real_production_wh as real_production_wh,
    settle as settle,
)
from .statistics import (
    SampleStatistics as SampleStatistics,
    sample_statistics as sample_statistics,
    statistics_by_figure as statistics_by_figure,
)

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
    "ShareMinutes",
    "Split",
    "Unit",
    "bills",
    "compute_kpis",
    "figures_json",
    "fractions_of",
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
