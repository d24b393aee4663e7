from .comparison import (
    compared_points as compared_points,
)
from .execute import (
    SweepOutcome as SweepOutcome,
    SweepProgress as SweepProgress,
    run_sweep as run_sweep,
)
from .export import (
    export_sweep as export_sweep,
    sweep_json as sweep_json,
)
from .frames import (
    SweepFrames as SweepFrames,
    load_sweep as load_sweep,
)
from .plan import (
    SweepPlan as SweepPlan,
    SweepRequest as SweepRequest,
    default_file as default_file,
    plan_sweep as plan_sweep,
)
from .report import (
    write_sweep_report as write_sweep_report,
)
from .results_file import (
    SweepResults as SweepResults,
    read_sweep as read_sweep,
)

__all__ = [
    "SweepFrames",
    "SweepOutcome",
    "SweepPlan",
    "SweepProgress",
    "SweepRequest",
    "SweepResults",
    "compared_points",
    "default_file",
    "export_sweep",
    "load_sweep",
    "plan_sweep",
    "read_sweep",
    "run_sweep",
    "sweep_json",
    "write_sweep_report",
]
