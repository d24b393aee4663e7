"""Several simulations compared: the statistics, and the tables and figures that are made of them."""

from scenarios.results.compared.comparison import (
    COMPARED_FIGURES,
    OF_BEST,
    Compared,
    Comparison,
    Difference,
    compare_simulations,
    comparison_json,
)
from scenarios.results.compared.figure import drawn_figures
from scenarios.results.compared.files import ENDINGS, check_files, write_comparison
from scenarios.results.compared.tables import Table, blocks, mean_text, scaled, tables_of, unit_of

__all__ = [
    "COMPARED_FIGURES",
    "ENDINGS",
    "OF_BEST",
    "Compared",
    "Comparison",
    "Difference",
    "Table",
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
