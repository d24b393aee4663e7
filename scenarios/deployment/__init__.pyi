from .compose import (
    ComposePlan as ComposePlan,
    compose_text as compose_text,
    place_of as place_of,
)
from .household import (
    UnknownHouseError as UnknownHouseError,
    load_part as load_part,
)
from .results_file import (
    open_record as open_record,
)

__all__ = [
    "ComposePlan",
    "UnknownHouseError",
    "compose_text",
    "load_part",
    "open_record",
    "place_of",
]
