"""Writes prices, tariff and energy community as file entries; the inverse of `scenarios.files.prices.price_build`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from scenarios.files.times import format_after_start
from scenarios.prices import DAY_MIN, WEEKDAYS, Price, PriceSeries, TimeOfUse
from scenarios.scenario import Community, Tariff


def tariff_entry(tariff: Tariff, start_s: int, zone: ZoneInfo | None) -> dict[str, Any]:
    """Return a tariff as a file entry.

    Args:
        tariff: Prices and emissions.
        start_s: Start of the run, UNIX seconds; times are written relative to it.
        zone: The scenario's IANA time zone; None: it has none.
    """
    return {
        "import_eur_per_kwh": price_entry(tariff.import_eur_per_kwh, start_s, zone),
        "feed_in_eur_per_kwh": price_entry(tariff.feed_in_eur_per_kwh, start_s, zone),
        "neighbour_eur_per_kwh": price_entry(tariff.neighbour_eur_per_kwh, start_s, zone),
        "grid_kg_co2_per_kwh": tariff.grid_kg_co2_per_kwh,
    }


def community_entry(community: Community, start_s: int, zone: ZoneInfo | None) -> dict[str, Any]:
    """Return an energy community as a file entry; see `tariff_entry` for `start_s` and `zone`."""
    local_fee = community.local_grid_fee_eur_per_kwh
    return {
        **asdict(community),
        "grid_fee_eur_per_kwh": price_entry(community.grid_fee_eur_per_kwh, start_s, zone),
        "local_grid_fee_eur_per_kwh": None if local_fee is None else price_entry(local_fee, start_s, zone),
        "vat_on": list(community.vat_on),
    }


def price_entry(price: Price, start_s: int, zone: ZoneInfo | None) -> float | dict[str, Any]:
    """Return a price as a file entry; see `tariff_entry` for `start_s` and `zone`."""
    if isinstance(price, PriceSeries):
        times = (format_after_start(time_s, start_s, zone) for time_s in price.times_s)
        return {"points": list(zip(times, price.eur_per_kwh, strict=True))}
    if isinstance(price, TimeOfUse):
        return {
            "time_of_use": [
                {
                    "days": None if len(band.days) == len(WEEKDAYS) else [WEEKDAYS[day] for day in band.days],
                    "begin": _clock(band.begin_min),
                    "end": _clock(band.end_min),
                    "eur_per_kwh": band.eur_per_kwh,
                }
                for band in price.bands
            ]
        }
    return price


def _clock(minute: int) -> str:
    return "24:00" if minute == DAY_MIN else f"{minute // 60:02}:{minute % 60:02}"
