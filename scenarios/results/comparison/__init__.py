"""Several simulations compared: statistics over seeds, tables and figures."""

from scenarios.results.comparison.comparison import Compared, SimulationComparison, compare_simulations, comparison_json
from scenarios.results.comparison.figure import drawn_figures
from scenarios.results.comparison.files import ENDINGS, check_files, write_comparison
from scenarios.results.comparison.tables import blocks, mean_text, scaled, tables_of, unit_of

__all__ = [
    "ENDINGS",
    "Compared",
    "SimulationComparison",
    "blocks",
    "check_files",
    "compare_simulations",
    "comparison_json",
    "drawn_figures",
    "mean_text",
    "scaled",
    "tables_of",
    "unit_of",
    "write_comparison",
]
