from . import (
    results as results,
)
from .arguments import (
    EmulationError as EmulationError,
)
from .emulation import (
    Emulation as Emulation,
    Run as Run,
)
from .errors import (
    ScenarioError as ScenarioError,
    SettingsError as SettingsError,
    SsmicError as SsmicError,
)
from .handles import (
    HouseHandle as HouseHandle,
    JobHandle as JobHandle,
    ProducerHandle as ProducerHandle,
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
    "ScenarioError",
    "SettingsError",
    "SsmicError",
    "load_scenario",
    "results",
    "run",
    "sweep",
]
