from .comparison import (
    SupplyRules as SupplyRules,
    compare as compare,
    optimum_json as optimum_json,
)
from .optimum import (
    Optimum as Optimum,
    clairvoyant_optimum as clairvoyant_optimum,
)
from .shared_optimum import (
    SharedOptimum as SharedOptimum,
    shared_optimum_of as shared_optimum_of,
)

__all__ = [
    "Optimum",
    "SharedOptimum",
    "SupplyRules",
    "clairvoyant_optimum",
    "compare",
    "optimum_json",
    "shared_optimum_of",
]
