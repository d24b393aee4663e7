from .provisional_promises import (
    Promise as Promise,
)
from .whole_consumer_supply import (
    WholeConsumerSupply as WholeConsumerSupply,
)
from .whole_producer_supply import (
    WholeProducerSupply as WholeProducerSupply,
)
from .whole_supply_scheme import (
    WholeSupplyScheme as WholeSupplyScheme,
)

__all__ = [
    "Promise",
    "WholeConsumerSupply",
    "WholeProducerSupply",
    "WholeSupplyScheme",
]
