from .compared import (
    compared_points as compared_points,
)
from .dask_workers import (
    DaskError as DaskError,
)
from .execute import (
    SweepOutcome as SweepOutcome,
    SweepProgress as SweepProgress,
    SweepWorkerError as SweepWorkerError,
    run_sweep as run_sweep,
)
from .export import (
    export_sweep as export_sweep,
    sweep_json as sweep_json,
)
from .file import (
    SweepInfo as SweepInfo,
    SweepResults as SweepResults,
    read_sweep as read_sweep,
    rows_sha256 as rows_sha256,
)
from .one_run import (
    SweepRow as SweepRow,
)
from .page import (
    write_sweep_report as write_sweep_report,
)
from .parameters import (
    RUN_SETTINGS as RUN_SETTINGS,
)
from .plan import (
    Point as Point,
    SweepPlan as SweepPlan,
    SweepRequest as SweepRequest,
    default_file as default_file,
    plan_sweep as plan_sweep,
    shown as shown,
)

__all__ = [
    "RUN_SETTINGS",
    "DaskError",
    "Point",
    "SweepInfo",
    "SweepOutcome",
    "SweepPlan",
    "SweepProgress",
    "SweepRequest",
    "SweepResults",
    "SweepRow",
    "SweepWorkerError",
    "compared_points",
    "default_file",
    "export_sweep",
    "plan_sweep",
    "read_sweep",
    "rows_sha256",
    "run_sweep",
    "shown",
    "sweep_json",
    "write_sweep_report",
]
