"""Builds prices, tariff and energy community from the file model, and writes them as file entries."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from scenarios.files.entries import ColumnsEntry
from scenarios.files.model import BandEntry, CommunityEntry, PriceEntry, TariffEntry, VaryingPriceEntry
from scenarios.files.problems import KeyPath, ProblemCollector
from scenarios.files.series import SeriesReader
from scenarios.files.times import format_after_start, format_iso
from scenarios.mistyped_names import suggest
from scenarios.prices import DAY_MIN, WEEKDAYS, Community, Price, PriceBand, PriceSeries, Tariff, TimeOfUse
from scenarios.scenario import MAX_SUM_OF_SHARES

_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
_FORMS = ("time_of_use", "points", "file", "eur_per_kwh")


def build_tariff(entry: TariffEntry | None, series: SeriesReader) -> Tariff | None:
    """Return the tariff; None if there is none, or after reporting its problems."""
    if entry is None:
        return None
    bought = build_price(entry.import_eur_per_kwh, ("tariff", "import_eur_per_kwh"), series)
    fed_in = build_price(entry.feed_in_eur_per_kwh, ("tariff", "feed_in_eur_per_kwh"), series)
    local = build_price(entry.neighbour_eur_per_kwh, ("tariff", "neighbour_eur_per_kwh"), series)
    if bought is None or fed_in is None or local is None:
        return None
    return Tariff(bought, fed_in, local, entry.grid_kg_co2_per_kwh)


def build_community(
    entry: CommunityEntry | None, series: SeriesReader, houses: Collection[str], *, has_tariff: bool, complete: bool
) -> Community | None:
    """Return the energy community; None if there is none, or after reporting its problems.

    Args:
        entry: Its part of the file.
        series: Reads prices.
        houses: Ids of the houses.
        has_tariff: Whether the file has a tariff.
        complete: Whether all houses could be read; if not, unknown ones are not a problem.
    """
    if entry is None:
        return None
    collector, path = series.collector, ("community",)
    if not has_tariff and not any(problem.path[:1] == ("tariff",) for problem in collector.problems):
        collector.at(path, "needs the prices of a 'tariff', which is missing")
    _check_coefficients(entry, houses, collector, complete=complete)
    fee = build_price(entry.grid_fee_eur_per_kwh, (*path, "grid_fee_eur_per_kwh"), series)
    local = entry.local_grid_fee_eur_per_kwh
    local_fee = None if local is None else build_price(local, (*path, "local_grid_fee_eur_per_kwh"), series)
    return Community(
        key=entry.key,
        interval_s=entry.interval_s,
        coefficients=entry.coefficients,
        grid_fee_eur_per_kwh=0.0 if fee is None else fee,
        local_grid_fee_eur_per_kwh=local_fee,
        supplier_fee_eur_per_year=entry.supplier_fee_eur_per_year,
        community_fee_eur_per_year=entry.community_fee_eur_per_year,
        vat_percent=entry.vat_percent,
        vat_on=tuple(entry.vat_on),
    )


def _check_coefficients(
    entry: CommunityEntry, houses: Collection[str], collector: ProblemCollector, *, complete: bool
) -> None:
    if entry.coefficients is None:
        return
    path: KeyPath = ("community", "coefficients")
    if entry.key != "static":
        collector.at(path, f"belong to the key 'static'; the key is {entry.key!r}")
    for house in entry.coefficients:
        if house not in houses and complete:
            collector.at((*path, house), f"there is no house {house!r}{suggest(house, houses)}")
    total = math.fsum(entry.coefficients.values())
    if total > MAX_SUM_OF_SHARES:
        collector.at(path, f"at most 1 is expected for all houses together, not {total:g}")


def build_price(entry: PriceEntry, path: KeyPath, series: SeriesReader) -> Price | None:
    """Return the price of `entry` at the key `path`; `series` reads tables. None after reporting its problems."""
    if not isinstance(entry, VaryingPriceEntry):
        return entry
    match _form(entry, path, series.collector):
        case "time_of_use":
            return _table(entry.time_of_use or [], (*path, "time_of_use"), series.collector)
        case "points":
            return _from_points(entry, (*path, "points"), series)
        case "file":
            return _from_file(entry, path, series)
        case "eur_per_kwh":
            return _from_steps(entry, path, series)
    return None


def _form(entry: VaryingPriceEntry, path: KeyPath, collector: ProblemCollector) -> str | None:
    """Return the form of a price that varies; None after reporting that it is not exactly one."""
    forms = [form for form in _FORMS if getattr(entry, form) is not None]
    if len(forms) != 1:
        found = " and ".join(map(repr, forms)) or "none"
        choice = "'time_of_use', 'points', 'file', or 'eur_per_kwh' with 'start' and 'step_s'"
        collector.at(path, f"exactly one of {choice} is expected; found {found}")
        return None
    for form, keys in (("file", ("columns", "unit", "zone", "labels")), ("eur_per_kwh", ("start", "step_s"))):
        for key in keys:
            if getattr(entry, key) is not None and form != forms[0]:
                collector.at((*path, key), f"is only valid with {form!r}")
    return forms[0]


def _from_points(entry: VaryingPriceEntry, path: KeyPath, series: SeriesReader) -> PriceSeries | None:
    points = entry.points or []
    times = [series.time((*path, i, 0), time) for i, (time, _) in enumerate(points)]
    return _series(times, [price for _, price in points], path, series, is_list=True)


def _from_steps(entry: VaryingPriceEntry, path: KeyPath, series: SeriesReader) -> PriceSeries | None:
    if entry.start is None or entry.step_s is None or entry.eur_per_kwh is None:
        missing = [repr(key) for key in ("start", "step_s") if getattr(entry, key) is None]
        is_or_are = "is" if len(missing) == 1 else "are"
        what = f"'start', 'step_s' and 'eur_per_kwh' go together; {' and '.join(missing)} {is_or_are} missing"
        series.collector.at(path, what)
        return None
    start_s = series.time((*path, "start"), entry.start)
    if start_s is None:
        return None
    steps = [start_s + entry.step_s * i for i in range(len(entry.eur_per_kwh))]
    return _series(steps, entry.eur_per_kwh, (*path, "start"), series)


def _series(
    times_s: Sequence[int | None],
    prices: Sequence[float],
    path: KeyPath,
    series: SeriesReader,
    *,
    is_list: bool = False,
) -> PriceSeries | None:
    collector, known = series.collector, [time_s for time_s in times_s if time_s is not None]
    if len(known) < len(times_s):
        return None
    for i in range(1, len(known)):
        if known[i] <= known[i - 1]:
            what = f"{format_iso(known[i])} is not after {format_iso(known[i - 1])}; times must increase"
            collector.at((*path, i) if is_list else path, what)
            return None
    if series.start_s is not None and known[0] > series.start_s:
        what = f"the first price holds from {format_iso(known[0])} on, after the run starts"
        collector.at((*path, 0) if is_list else path, f"{what} ({format_iso(series.start_s)})")
        return None
    return PriceSeries(tuple(known), tuple(prices))


def _table(entries: list[BandEntry], path: KeyPath, collector: ProblemCollector) -> TimeOfUse | None:
    bands = []
    for i, entry in enumerate(entries):
        begin_min = _minutes(entry.begin, (*path, i, "begin"), collector, latest=DAY_MIN - 1)
        end_min = _minutes(entry.end, (*path, i, "end"), collector, latest=DAY_MIN)
        if begin_min is not None and end_min is not None:
            days = tuple(WEEKDAYS.index(day) for day in entry.days or WEEKDAYS)
            bands.append(PriceBand(days, begin_min, end_min or DAY_MIN, entry.eur_per_kwh))
    if len(bands) < len(entries):
        return None
    table = TimeOfUse(tuple(bands))
    missing = np.flatnonzero(np.isnan(table.week()))
    if len(missing):
        day, minute = divmod(int(missing[0]), DAY_MIN)
        at = f"{WEEKDAYS[day]} {minute // 60:02}:{minute % 60:02}"
        collector.at(path, f"has no price at {at}; an entry without days, begin and end covers the rest")
        return None
    return table


def _minutes(text: str, path: KeyPath, collector: ProblemCollector, latest: int) -> int | None:
    found = _CLOCK.fullmatch(text)
    minutes = latest + 1 if found is None else 60 * int(found[1]) + int(found[2])
    if minutes <= latest:
        return minutes
    collector.at(path, f'a clock time from "00:00" to "{latest // 60:02}:{latest % 60:02}" is expected, not {text!r}')
    return None


def _from_file(entry: VaryingPriceEntry, path: KeyPath, series: SeriesReader) -> PriceSeries | None:
    columns = entry.columns or ColumnsEntry()
    found = series.prices(entry.file or "", columns, entry.unit, entry.zone, entry.labels, path)
    return None if found is None else _series(found.times_s, found.eur_per_kwh, (*path, "file"), series)


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
