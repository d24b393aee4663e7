from .solar import (
    Roof as Roof,
    Site as Site,
    clear_light as clear_light,
)

__all__ = [
    "Roof",
    "Site",
    "clear_light",
]
