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
    Account as Account,
    IntArray as IntArray,
    account as account,
    real_production_wh as real_production_wh,
)
from .statistics import (
    Spread as Spread,
    spread as spread,
    spread_of as spread_of,
)

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
