"""The time zone that is assumed for a place."""

from __future__ import annotations

from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from scenarios.generate.solar import Site

_GERMANY = (47.0, 55.2, 5.5, 15.2)
"""Latitudes and longitudes between which German time is assumed."""


def usual_zone(site: Site) -> tzinfo:
    """Return German time in and around Germany, otherwise the whole hour nearest to solar time."""
    south, north, west, east = _GERMANY
    if south <= site.latitude_deg <= north and west <= site.longitude_deg <= east:
        return ZoneInfo("Europe/Berlin")
    return timezone(timedelta(hours=round(site.longitude_deg / 15)))
