from .solar import (
    Roof as Roof,
    Site as Site,
    clear_sky_power as clear_sky_power,
)

__all__ = [
    "Roof",
    "Site",
    "clear_sky_power",
]
