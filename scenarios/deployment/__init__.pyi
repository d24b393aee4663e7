from .clock import (
    run_clock as run_clock,
)
from .compose import (
    ComposePlan as ComposePlan,
    compose_text as compose_text,
    place_of as place_of,
)
from .household import (
    UnknownHouseError as UnknownHouseError,
    load_part as load_part,
    run_households as run_households,
)
from .record import (
    open_record as open_record,
)
from .settings import (
    DeploymentSettings as DeploymentSettings,
)

__all__ = [
    "ComposePlan",
    "DeploymentSettings",
    "UnknownHouseError",
    "compose_text",
    "load_part",
    "open_record",
    "place_of",
    "run_clock",
    "run_households",
]
