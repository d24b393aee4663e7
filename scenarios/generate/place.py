"""Where the neighbourhoods of our own making lie: in the middle of Germany, with its hours and prices."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from scenarios.generate.sun import Site
from scenarios.scenario import Tariff

SITE = Site(latitude_deg=50.1, longitude_deg=8.7)
TARIFF = Tariff(import_eur_per_kwh=0.35, feed_in_eur_per_kwh=0.08, neighbour_eur_per_kwh=0.2, grid_kg_co2_per_kwh=0.38)
"""About what a household pays and gets in the middle of the 2020s."""
_SUMMER_TIME_MONTHS = range(4, 11)


def midnight_s(day: date) -> int:
    """Return the day's first UNIX second there; summer time by whole months, near enough for days that are made up."""
    offset = timedelta(hours=2 if day.month in _SUMMER_TIME_MONTHS else 1)
    return int((datetime(day.year, day.month, day.day, tzinfo=UTC) - offset).timestamp())


def utc_offset_s(midnight_s: int) -> int:
    """Return the offset from Greenwich at which it is midnight then."""
    past_s = midnight_s % 86400
    return -past_s if past_s < 43200 else 86400 - past_s
