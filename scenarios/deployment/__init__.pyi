from .compose import (
    ComposePlan as ComposePlan,
    certificate_lacks_name as certificate_lacks_name,
    compose_text as compose_text,
    missing_secrets as missing_secrets,
    place_of as place_of,
)
from .household_file import (
    household_text as household_text,
    write_household_files as write_household_files,
)
from .household_scenario import (
    UnknownHouseError as UnknownHouseError,
    load_part as load_part,
)
from .results_file import (
    open_record as open_record,
)

__all__ = [
    "ComposePlan",
    "UnknownHouseError",
    "certificate_lacks_name",
    "compose_text",
    "household_text",
    "load_part",
    "missing_secrets",
    "open_record",
    "place_of",
    "write_household_files",
]
