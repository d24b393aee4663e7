from .comparison import (
    compare as compare,
    optimum_json as optimum_json,
)
from .optimum import (
    Optimum as Optimum,
    clairvoyant_optimum as clairvoyant_optimum,
)

__all__ = [
    "Optimum",
    "clairvoyant_optimum",
    "compare",
    "optimum_json",
]
