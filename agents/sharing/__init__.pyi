from .board import (
    EnergyBoard as EnergyBoard,
)
from .composing import (
    Offers as Offers,
    compose as compose,
    cost_of as cost_of,
    start_on_grid as start_on_grid,
)
from .energy_prices import (
    EnergyPrices as EnergyPrices,
    PricesOfMinutes as PricesOfMinutes,
    PriceView as PriceView,
)
from .past_forecasts import (
    PastForecasts as PastForecasts,
)
from .shared_consumer_supply import (
    SharedConsumerSupply as SharedConsumerSupply,
)
from .shared_manager_supply import (
    SharedManagerSupply as SharedManagerSupply,
)
from .shared_producer_supply import (
    SharedProducerSupply as SharedProducerSupply,
)
from .supply_settings import (
    ABOUT_PREFERENCE as ABOUT_PREFERENCE,
    ABOUT_SUPPLY as ABOUT_SUPPLY,
    DEFAULT_FORECAST as DEFAULT_FORECAST,
    FORECAST_USES as FORECAST_USES,
    PREFERENCES as PREFERENCES,
    SUPPLY_RULES as SUPPLY_RULES,
    ForecastUse as ForecastUse,
    Preference as Preference,
    SupplyRule as SupplyRule,
    SupplySettings as SupplySettings,
)
from .undersupplied_jobs import (
    UndersuppliedJobs as UndersuppliedJobs,
)

__all__ = [
    "ABOUT_PREFERENCE",
    "ABOUT_SUPPLY",
    "DEFAULT_FORECAST",
    "FORECAST_USES",
    "PREFERENCES",
    "SUPPLY_RULES",
    "EnergyBoard",
    "EnergyPrices",
    "ForecastUse",
    "Offers",
    "Preference",
    "PriceView",
    "PricesOfMinutes",
    "SharedConsumerSupply",
    "SharedManagerSupply",
    "SharedProducerSupply",
    "SupplyRule",
    "SupplySettings",
    "UndersuppliedJobs",
    "compose",
    "cost_of",
    "start_on_grid",
]
