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
    Waiting as Waiting,
)
from .shared_gateway_consumer import (
    SharedGatewayConsumer as SharedGatewayConsumer,
)
from .shared_gateway_producer import (
    SharedGatewayProducer as SharedGatewayProducer,
)

__all__ = [
    "MAX_OPEN_JOBS",
    "GatewayConsumer",
    "GatewayProducer",
    "GatewaySettings",
    "Prices",
    "PricesAt",
    "SharedGatewayConsumer",
    "SharedGatewayProducer",
    "Waiting",
]
