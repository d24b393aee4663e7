from .compared_simulation import (
    COMPARED_FIGURES as COMPARED_FIGURES,
    ComparedSimulation as ComparedSimulation,
)
from .comparison import (
    Difference as Difference,
    SimulationComparison as SimulationComparison,
    compare_simulations as compare_simulations,
    comparison_json as comparison_json,
    difference_between as difference_between,
    ended_at_different_times as ended_at_different_times,
)
from .figure import (
    drawn_figures as drawn_figures,
    svg as svg,
)
from .files import (
    ENDINGS as ENDINGS,
    check_files as check_files,
    write_comparison as write_comparison,
    write_comparison_figure as write_comparison_figure,
)
from .tables import (
    blocks as blocks,
    main_figures as main_figures,
    mean_text as mean_text,
    scaled as scaled,
    tables_of as tables_of,
    unit_of as unit_of,
)

__all__ = [
    "COMPARED_FIGURES",
    "ENDINGS",
    "ComparedSimulation",
    "Difference",
    "SimulationComparison",
    "blocks",
    "check_files",
    "compare_simulations",
    "comparison_json",
    "difference_between",
    "drawn_figures",
    "ended_at_different_times",
    "main_figures",
    "mean_text",
    "scaled",
    "svg",
    "tables_of",
    "unit_of",
    "write_comparison",
    "write_comparison_figure",
]
