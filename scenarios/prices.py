"""Prices of energy: the tariff, the fees of an energy community, and those that vary in time, as tables and series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from agents import FloatArray
from agents.sharing import EnergyPrices, PricesOfMinutes
from broker.protocol import MAX_TIME_S
from scenarios.zone import Zone

DAY_MIN = 24 * 60
MAX_EUR_PER_KWH = 1e6
"""Largest price, positive or negative: far more than any energy costs, and small enough for exact bills."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE_S = 60
_QUARTER_S = 900
"""Clocks change by whole quarters of an hour, at whole quarters of an hour."""


@dataclass(frozen=True, slots=True)
class PriceBand:
    """A price at certain times of the clock."""

    days: tuple[int, ...]
    """Days of the week on which the band begins, 0 is Monday."""
    begin_min: int
    """First minute after local midnight, 0 to 1439."""
    end_min: int
    """First minute that no longer belongs to it, 1 to 1440; at or before `begin_min`: on the next day."""
    eur_per_kwh: float


@dataclass(frozen=True, slots=True)
class TimeOfUse:
    """A table of prices by day of the week and time of the clock in the scenario's zone."""

    bands: tuple[PriceBand, ...]
    """The first one that a time belongs to holds; together they cover the whole week."""

    def week(self) -> FloatArray:
        """Return the price of each minute of a week from Monday on, EUR/kWh, shape (10080,); NaN: no price."""
        prices = np.full(7 * DAY_MIN, np.nan)
        for band in reversed(self.bands):
            length = band.end_min - band.begin_min + (DAY_MIN if band.end_min <= band.begin_min else 0)
            for day in band.days:
                minutes = (day * DAY_MIN + band.begin_min + np.arange(length)) % (7 * DAY_MIN)
                prices[minutes] = band.eur_per_kwh
        return prices


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Prices that each hold from a time until the next one; the last one holds from then on."""

    times_s: tuple[int, ...]
    """UNIX seconds, strictly ascending, at least one."""
    eur_per_kwh: tuple[float, ...]
    """The price from each of these times on, shape as `times_s`."""


Price: TypeAlias = int | float | TimeOfUse | PriceSeries


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices and emissions of energy."""

    import_eur_per_kwh: Price
    """Bought from the grid."""
    feed_in_eur_per_kwh: Price
    """Sold to the grid."""
    neighbour_eur_per_kwh: Price
    """Paid by one house to another."""
    grid_kg_co2_per_kwh: float
    """Emissions of energy from the grid."""

    @property
    def varies(self) -> bool:
        """Whether a price changes over time."""
        prices = (self.import_eur_per_kwh, self.feed_in_eur_per_kwh, self.neighbour_eur_per_kwh)
        return not all(isinstance(price, int | float) for price in prices)


@dataclass(frozen=True, slots=True)
class TariffChange:
    """A tariff that holds from some time on."""

    at_s: int
    """UNIX seconds."""
    tariff: Tariff


AllocationKey = Literal["static", "proportional", "hierarchical", "negotiated"]
VatItem = Literal["import", "grid_fee", "fixed_fee", "local"]


@dataclass(frozen=True, slots=True)
class Community:
    """How an energy community settles: its allocation key, and fees in addition to the tariff's prices."""

    key: AllocationKey = "hierarchical"
    """See `scenarios.metrics.allocate`."""
    interval_s: int = 900
    """Length of a settlement interval, seconds, whole minutes."""
    coefficients: Mapping[str, float] | None = None
    """Key `static`: each house's share of all production, 0 to 1, at most 1 together; None: equal shares."""
    grid_fee_eur_per_kwh: Price = 0.0
    """Paid to the grid operator for energy from the grid, on top of the import price."""
    local_grid_fee_eur_per_kwh: Price | None = None
    """Paid to the grid operator for energy from other houses; None: no reduction."""
    supplier_fee_eur_per_year: float = 0.0
    """Fixed fee of each house, with and without the community."""
    community_fee_eur_per_year: float = 0.0
    """Fixed fee of each house for the operation of the community."""
    vat_percent: float = 0.0
    """Value added tax, per cent of the amounts that `vat_on` names."""
    vat_on: tuple[VatItem, ...] = ("import", "grid_fee", "fixed_fee")
    """What value added tax is paid on; `local` is the price among neighbours."""


def prices_at(price: Price, times_s: npt.NDArray[np.int64], zone: Zone) -> FloatArray:
    """Return a price at certain times.

    Args:
        price: A constant, a time-of-use table or a series. Before the first price of a series that one holds.
        times_s: UNIX seconds, shape (times,).
        zone: The scenario's zone, which a time-of-use table refers to.

    Returns:
        EUR/kWh, shape (times,).
    """
    if isinstance(price, TimeOfUse):
        return price.week()[_minute_of_week(times_s, zone)]
    if isinstance(price, PriceSeries):
        place = np.searchsorted(np.asarray(price.times_s, dtype=np.int64), times_s, side="right") - 1
        return np.asarray(price.eur_per_kwh, dtype=np.float64)[np.maximum(place, 0)]
    return np.full(len(times_s), float(price))


def price_problem(price: Price) -> str | None:
    """Return why a price from JSON cannot be used, although its types are right; None: it can."""
    values: tuple[float, ...]
    match price:
        case TimeOfUse(bands=bands):
            values = tuple(band.eur_per_kwh for band in bands)
            are_clocks = all(0 <= band.begin_min < DAY_MIN and 1 <= band.end_min <= DAY_MIN for band in bands)
            if not (are_clocks and all(0 <= day < len(WEEKDAYS) for band in bands for day in band.days)):
                return "time_of_use: minutes of a day, and days from 0 to 6, are expected"
            if np.isnan(price.week()).any():
                return "time_of_use: a price at each time of the week is expected"
        case PriceSeries(times_s=times_s, eur_per_kwh=values):
            if any(abs(time_s) > MAX_TIME_S for time_s in times_s):
                return f"prices: times up to {MAX_TIME_S:,} are expected"
            if not times_s or len(times_s) != len(values) or any(b <= a for a, b in pairwise(times_s)):
                return "prices: ascending times, each with a price, are expected"
        case _:
            values = (price,)
    wrong = next((value for value in values if not abs(value) <= MAX_EUR_PER_KWH), None)
    limits = f"from {-MAX_EUR_PER_KWH:,.0f} to {MAX_EUR_PER_KWH:,.0f}"
    return None if wrong is None else f"a price of {wrong:g} EUR/kWh; {limits} is expected"


def price_over_time(
    name: str, tariff: Tariff, changes: Iterable[TariffChange], times_s: npt.NDArray[np.int64], zone: Zone
) -> FloatArray:
    """Return a price of a tariff that changes, at certain times; see `prices_at`.

    Args:
        name: Name of the price, a field of `Tariff`.
        tariff: The tariff at first.
        changes: Tariffs that hold from later times on, in order.
        times_s: UNIX seconds, shape (times,).
        zone: See `prices_at`.
    """
    eur_per_kwh = prices_at(getattr(tariff, name), times_s, zone)
    for change in changes:
        later = prices_at(getattr(change.tariff, name), times_s, zone)
        eur_per_kwh = np.where(times_s >= change.at_s, later, eur_per_kwh)
    return eur_per_kwh


def prices_in_words(
    tariff: Tariff, periods: Iterable[tuple[int, int, Sequence[TariffChange]]], zone: Zone
) -> dict[str, str]:
    """Return the prices that hold in certain periods, in ct/kWh: `30.0`, or `24.0 to 36.0` if a price varies.

    Args:
        tariff: The tariff at first.
        periods: Beginning and end of each, UNIX seconds, whole minutes, and its changes, see `price_over_time`.
        zone: See `prices_at`.

    Returns:
        The price of energy from the grid (`import`), from neighbours (`neighbour`), and fed in (`feed_in`).
    """
    known = list(periods)
    words = {}
    for name in ("import", "neighbour", "feed_in"):
        held = [
            price_over_time(f"{name}_eur_per_kwh", tariff, changes, np.arange(begin_s, end_s, MINUTE_S), zone)
            for begin_s, end_s, changes in known
        ]
        low, high = (f"{100 * float(price):z.1f}" for price in (min(p.min() for p in held), max(p.max() for p in held)))
        words[name] = low if low == high else f"{low} to {high}"
    return words


def _minute_of_week(times_s: npt.NDArray[np.int64], zone: Zone) -> npt.NDArray[np.int64]:
    """Return the minute of the local week, from Monday 00:00, at each time."""
    quarters, place = np.unique(times_s // _QUARTER_S, return_inverse=True)
    starts = [zone.at(quarter * _QUARTER_S) for quarter in quarters.tolist()]
    local_min = np.asarray([(at.weekday() * 24 + at.hour) * 60 + at.minute for at in starts], dtype=np.int64)
    return (local_min[place] + times_s % _QUARTER_S // 60) % (7 * DAY_MIN)


def supply_prices(tariff: Tariff | None, community: Community | None, zone: Zone) -> PricesOfMinutes | None:
    """Return what energy costs a house, with grid fees and value added tax, as shared supply compares it.

    For energy from its own roof, a house forgoes the feed-in price.

    Args:
        tariff: The tariff.
        community: The energy community; None: one without fees.
        zone: The scenario's time zone.

    Returns:
        None: there is no tariff.
    """
    if tariff is None:
        return None
    given, fees = tariff, community or Community()
    local_fee = fees.local_grid_fee_eur_per_kwh
    local_fee = fees.grid_fee_eur_per_kwh if local_fee is None else local_fee

    def with_vat(item: VatItem) -> float:
        return 1 + fees.vat_percent / 100 if item in fees.vat_on else 1.0

    def prices(times_s: npt.NDArray[np.int64], replaced: Mapping[str, float]) -> EnergyPrices:
        changes: dict[str, Any] = dict(replaced)
        now = replace(given, **changes)
        return EnergyPrices(
            own=prices_at(now.feed_in_eur_per_kwh, times_s, zone),
            neighbour=prices_at(now.neighbour_eur_per_kwh, times_s, zone) * with_vat("local")
            + prices_at(local_fee, times_s, zone) * with_vat("grid_fee"),
            grid=prices_at(now.import_eur_per_kwh, times_s, zone) * with_vat("import")
            + prices_at(fees.grid_fee_eur_per_kwh, times_s, zone) * with_vat("grid_fee"),
        )

    return prices


def price_settings(tariff: Tariff | None, community: Community | None, zone: Zone) -> dict[str, Any] | None:
    """Return all that `supply_prices` depends on, fit for JSON; None: there is no tariff.

    Args:
        tariff: See `supply_prices`.
        community: See `supply_prices`.
        zone: See `supply_prices`.
    """
    if tariff is None:
        return None
    kept = ("grid_fee_eur_per_kwh", "local_grid_fee_eur_per_kwh", "vat_percent", "vat_on")
    fees = {name: value for name, value in asdict(community or Community()).items() if name in kept}
    return {"tariff": asdict(tariff), "fees": fees, "zone": asdict(zone)}
