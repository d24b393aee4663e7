from .billing import (
    Bill as Bill,
    account_of as account_of,
    bills as bills,
    bills_of as bills_of,
)
from .community_allocation import (
    ALLOCATION_KEYS as ALLOCATION_KEYS,
    allocate as allocate,
)
from .community_bills import (
    CommunityAccount as CommunityAccount,
    MemberBill as MemberBill,
    community_account as community_account,
)
from .energy_breakdown import (
    ConsumptionBreakdown as ConsumptionBreakdown,
    EnergyBreakdown as EnergyBreakdown,
    break_down_energy as break_down_energy,
)
from .kpis import (
    DEFAULT_INTERVAL_S as DEFAULT_INTERVAL_S,
    FIGURES as FIGURES,
    Figure as Figure,
    IntervalError as IntervalError,
    Kpis as Kpis,
    Unit as Unit,
    averaged_over as averaged_over,
    compute_kpis as compute_kpis,
    figures_json as figures_json,
    load_factor as load_factor,
    mean_power_w as mean_power_w,
    peak_to_average as peak_to_average,
    producer_houses as producer_houses,
)
from .minute_table import IntArray as IntArray
from .possible_supply import most_supplied_wh as most_supplied_wh
from .settlement import (
    MINUTE_S as MINUTE_S,
    PromisedLoad as PromisedLoad,
    Settlement as Settlement,
    fractions_of as fractions_of,
    real_production_wh as real_production_wh,
    rest_wh as rest_wh,
    settle as settle,
)
from .statistics import (
    SampleStatistics as SampleStatistics,
    paired_differences as paired_differences,
    sample_statistics as sample_statistics,
    statistics_by_figure as statistics_by_figure,
)

__all__ = [
    "ALLOCATION_KEYS",
    "DEFAULT_INTERVAL_S",
    "FIGURES",
    "MINUTE_S",
    "Bill",
    "CommunityAccount",
    "ConsumptionBreakdown",
    "EnergyBreakdown",
    "Figure",
    "IntArray",
    "IntervalError",
    "Kpis",
    "MemberBill",
    "SampleStatistics",
    "Settlement",
    "Unit",
    "account_of",
    "allocate",
    "averaged_over",
    "bills",
    "bills_of",
    "break_down_energy",
    "community_account",
    "compute_kpis",
    "figures_json",
    "fractions_of",
    "load_factor",
    "mean_power_w",
    "most_supplied_wh",
    "paired_differences",
    "peak_to_average",
    "producer_houses",
    "real_production_wh",
    "rest_wh",
    "sample_statistics",
    "settle",
    "statistics_by_figure",
]
