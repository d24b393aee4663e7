from .comparison import (
    Compared as Compared,
    SimulationComparison as SimulationComparison,
    compare_simulations as compare_simulations,
    comparison_json as comparison_json,
)
from .figure import (
    drawn_figures as drawn_figures,
)
from .files import (
    ENDINGS as ENDINGS,
    check_files as check_files,
    write_comparison as write_comparison,
)
from .tables import (
    blocks as blocks,
    mean_text as mean_text,
    scaled as scaled,
    tables_of as tables_of,
    unit_of as unit_of,
)

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
