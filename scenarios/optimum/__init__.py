"""The clairvoyant optimum: best known plan and proven bound."""

from scenarios.optimum.comparison import compare, optimum_json
from scenarios.optimum.optimum import Optimum, clairvoyant_optimum

__all__ = [
    "Optimum",
    "clairvoyant_optimum",
    "compare",
    "optimum_json",
]
