from . import (
    results as results,
)
from .emulation import (
    Emulation as Emulation,
    EmulationError as EmulationError,
    HouseHandle as HouseHandle,
    JobHandle as JobHandle,
    ProducerHandle as ProducerHandle,
    Run as Run,
)
from .options import (
    RunOptions as RunOptions,
)
from .running import (
    Outcome as Outcome,
    load_scenario as load_scenario,
    run as run,
    sweep as sweep,
)

__all__ = [
    "Emulation",
    "EmulationError",
    "HouseHandle",
    "JobHandle",
    "Outcome",
    "ProducerHandle",
    "Run",
    "RunOptions",
    "load_scenario",
    "results",
    "run",
    "sweep",
]
