from .provisional_promises import (
    Promise as Promise,
)
from .whole_consumer_supply import (
    WholeConsumerSupply as WholeConsumerSupply,
)
from .whole_manager_supply import (
    WholeManagerSupply as WholeManagerSupply,
)
from .whole_producer_supply import (
    WholeProducerSupply as WholeProducerSupply,
)

__all__ = [
    "Promise",
    "WholeConsumerSupply",
    "WholeManagerSupply",
    "WholeProducerSupply",
]
