"""Generates neighbourhoods: solar production, weather, roofs and habits."""

from scenarios.generate.solar import Roof, Site, clear_sky_power

__all__ = [
    "Roof",
    "Site",
    "clear_sky_power",
]
