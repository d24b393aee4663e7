from .device_rules import (
    DEVICE_RULES as DEVICE_RULES,
)
from .gateway_consumer import (
    MAX_OPEN_JOBS as MAX_OPEN_JOBS,
    GatewayConsumer as GatewayConsumer,
)
from .gateway_producer import (
    GatewayProducer as GatewayProducer,
)
from .gateway_settings import (
    GatewaySettings as GatewaySettings,
    Prices as Prices,
    PricesAt as PricesAt,
)
from .published_jobs import (
    SharedTerms as SharedTerms,
)
from .waiting_appliance import (
    WaitingDetection as WaitingDetection,
)

__all__ = [
    "DEVICE_RULES",
    "MAX_OPEN_JOBS",
    "GatewayConsumer",
    "GatewayProducer",
    "GatewaySettings",
    "Prices",
    "PricesAt",
    "SharedTerms",
    "WaitingDetection",
]
