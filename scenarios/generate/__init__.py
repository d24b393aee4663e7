"""Generates neighbourhoods: solar production, weather, roofs and habits."""

from scenarios.generate.solar import Roof, Site, clear_light

__all__ = [
    "Roof",
    "Site",
    "clear_light",
]
