"""Bills of an energy community, to the cent: payments of each member with and without it, and payments to outsiders.

All amounts are exact until they are rounded to cents, line by line: a line (such as grid fees) is rounded for the
community as a whole, and its cents are divided among the members by the method of the largest remainder. So each line
adds up over the members, each bill adds up over its lines, and all bills together are what the community pays to
suppliers, the grid operator, the tax office and its own operator, less what it gets for energy fed in. What one member
pays another is on two bills with opposite signs and cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from math import floor

import numpy as np

from agents import FloatArray
from scenarios.metrics.community_allocation import MILLI, Allocation, allocate
from scenarios.metrics.minute_table import IntArray
from scenarios.metrics.settlement import MINUTE_S, Settlement
from scenarios.prices import Community, Tariff, TariffChange, VatItem, price_over_time, prices_at
from scenarios.zone import Zone

YEAR_S = 365 * 86_400
"""Fixed fees a year are divided by this many seconds."""
_MICRO = 1_000_000
"""Prices are exact to a millionth of a EUR/kWh."""
_PER_CENT = 10**10
"""A thousandth of a Wh at a millionth of a EUR/kWh is 1e-12 EUR."""
_EXACT_BELOW = 2**62


LINE_TITLES = {
    "import_eur": "grid energy",
    "feed_in_eur": "fed in",
    "local_bought_eur": "bought from members",
    "local_sold_eur": "sold to members",
    "grid_fee_eur": "grid fee",
    "local_grid_fee_eur": "grid fee, local energy",
    "fixed_eur": "fixed fees",
    "vat_eur": "VAT",
}
"""Display names of the lines of a bill."""


@dataclass(frozen=True, slots=True)
class BillLines:
    """The lines of a bill, whole cents. Every line is an expense; earnings are negative."""

    import_cents: int
    """Energy from the grid."""
    feed_in_cents: int
    """Energy fed in; negative at a positive price."""
    local_bought_cents: int
    """Paid to other members."""
    local_sold_cents: int
    """Received from other members; negative at a positive price."""
    grid_fee_cents: int
    """Grid fees of energy from the grid."""
    local_grid_fee_cents: int
    """Grid fees of energy from other members."""
    fixed_cents: int
    """Fixed fees."""
    vat_cents: int
    """Value added tax."""

    @property
    def total_cents(self) -> int:
        """The amount of the bill."""
        return sum(getattr(self, field.name) for field in fields(self))

    def __add__(self, other: BillLines) -> BillLines:
        return BillLines(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def eur(self) -> dict[str, float]:
        """Return the lines in EUR, by name."""
        return {field.name.removesuffix("_cents") + "_eur": getattr(self, field.name) / 100 for field in fields(self)}


@dataclass(frozen=True, slots=True)
class MemberBill:
    """A member's energy over the run and its bill."""

    consumed_wh: float
    """By jobs and base load."""
    produced_wh: float
    """By its own producers."""
    own_wh: float
    """Consumed from its own producers."""
    bought_wh: float
    """From other members."""
    sold_wh: float
    """To other members."""
    imported_wh: float
    """From the grid."""
    fed_in_wh: float
    """To the grid."""
    with_community: BillLines
    """Its bill as a member."""
    without_community: BillLines
    """The same consumption and production, with its own producers and the grid only."""
    imported_without_wh: float
    """From the grid, if it had its own producers and the grid only."""

    @property
    def saving_cents(self) -> int:
        """The member's saving through the community; negative if it pays more."""
        return self.without_community.total_cents - self.with_community.total_cents

    def named_lines(self) -> list[tuple[str, float]]:
        """Return the lines of the bill that are not zero, EUR, with their display names."""
        eur = self.with_community.eur()
        return [(title, eur[name]) for name, title in LINE_TITLES.items() if eur[name]]

    def as_dict(self) -> dict[str, float]:
        """Return energies and amounts by name, in EUR."""
        energies = {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith("_wh")}
        energies.pop("imported_without_wh")
        return {
            **energies,
            **self.with_community.eur(),
            "with_eur": self.with_community.total_cents / 100,
            "without_eur": self.without_community.total_cents / 100,
            "saving_eur": self.saving_cents / 100,
        }


@dataclass(frozen=True, slots=True)
class CommunityAccount:
    """The bills of all members and what the community pays outside."""

    community: Community
    """The rules by which it was settled."""
    members: dict[str, MemberBill]
    """By house id."""
    outside: BillLines
    """Payments of the whole community to and from outsiders; trade among members is not included."""
    emissions_kg_co2: dict[str, tuple[float, float]]
    """Emissions of what each member imports, and of what it would import if it had its own producers and the grid only,
    by house id."""

    @property
    def total_cents(self) -> int:
        """Sum of all bills with the community."""
        return sum(member.with_community.total_cents for member in self.members.values())

    @property
    def total_without_cents(self) -> int:
        """Sum of all bills without the community."""
        return sum(member.without_community.total_cents for member in self.members.values())

    def as_dict(self) -> dict[str, object]:
        """Return the account as JSON; amounts in EUR."""
        outside = self.outside.eur()
        del outside["local_bought_eur"], outside["local_sold_eur"]
        return {
            "key": self.community.key,
            "interval_s": self.community.interval_s,
            "bill_eur": self.total_cents / 100,
            "bill_without_eur": self.total_without_cents / 100,
            "saving_eur": (self.total_without_cents - self.total_cents) / 100,
            "outside": {**outside, "total_eur": self.outside.total_cents / 100},
            "members": {house: member.as_dict() for house, member in self.members.items()},
        }


def community_account(
    settlement: Settlement,
    producer_house: Mapping[str, str],
    tariff: Tariff,
    community: Community,
    zone: Zone,
    *,
    changes: Sequence[TariffChange] = (),
) -> CommunityAccount:
    """Return every member's bill with and without the community.

    In an interval, prices and emissions are those at its first minute.

    Args:
        settlement: The run's settled energy; all its houses are members.
        producer_house: The house of each producer, by producer id.
        tariff: Prices for import, feed-in and energy among members, and emissions of energy from the grid.
        community: Allocation key, fees and value added tax.
        zone: Zone of time-of-use tables.
        changes: Tariffs that hold from later times on, in order.
    """
    allocation = allocate(
        settlement,
        producer_house,
        community.key,
        community.interval_s,
        coefficients=community.coefficients,
    )
    alone_milliwh = np.minimum(allocation.consumed_milliwh, allocation.produced_milliwh)
    nothing = np.zeros_like(alone_milliwh)
    alone = Allocation(
        allocation.times_s,
        allocation.consumed_milliwh,
        allocation.produced_milliwh,
        alone_milliwh,
        nothing,
        nothing,
    )
    prices = _Prices.of(tariff, community, zone, changes, allocation.times_s)
    years = Fraction(settlement.minutes * MINUTE_S, YEAR_S)
    with_lines = _amounts(allocation, prices, community, years, is_member=True)
    cents = [divide_to_cents(amounts) for amounts in with_lines]
    without_lines = _amounts(alone, prices, community, years, is_member=False)
    alone_cents = [[round_to_cents(amount) for amount in amounts] for amounts in without_lines]
    kg_per_kwh = np.full(len(allocation.times_s), tariff.grid_kg_co2_per_kwh)
    for change in changes:
        kg_per_kwh[allocation.times_s >= change.at_s] = change.tariff.grid_kg_co2_per_kwh
    emitted = _emissions_kg(allocation.imported_milliwh, kg_per_kwh)
    emitted_alone = _emissions_kg(alone.imported_milliwh, kg_per_kwh)
    members = {}
    for i, house in enumerate(settlement.houses):
        members[house] = MemberBill(
            consumed_wh=_total_wh(allocation.consumed_milliwh, i),
            produced_wh=_total_wh(allocation.produced_milliwh, i),
            own_wh=_total_wh(allocation.own_milliwh, i),
            bought_wh=_total_wh(allocation.bought_milliwh, i),
            sold_wh=_total_wh(allocation.sold_milliwh, i),
            imported_wh=_total_wh(allocation.imported_milliwh, i),
            fed_in_wh=_total_wh(allocation.fed_in_milliwh, i),
            with_community=BillLines(*(line[i] for line in cents)),
            without_community=BillLines(*(line[i] for line in alone_cents)),
            imported_without_wh=_total_wh(alone.imported_milliwh, i),
        )
    outside = BillLines(*(_rounded_sum(line) for line in with_lines))
    emissions = dict(zip(settlement.houses, zip(emitted, emitted_alone, strict=True), strict=True))
    return CommunityAccount(community, members, outside, emissions)


def _total_wh(energy_milliwh: IntArray, house: int) -> float:
    return int(energy_milliwh[house].sum()) / MILLI


def _emissions_kg(imported_milliwh: IntArray, kg_per_kwh: FloatArray) -> list[float]:
    """Return the emissions of each house's energy from the grid, kg, shape (houses,).

    Args:
        imported_milliwh: Energy from the grid, shape (houses, T).
        kg_per_kwh: Emissions of a kWh in each interval, shape (T,).
    """
    emitted_kg = np.zeros(len(imported_milliwh))
    for kg in np.unique(kg_per_kwh).tolist():
        emitted_kg += kg / 1000 * (imported_milliwh[:, kg_per_kwh == kg].sum(axis=1) / MILLI)
    return emitted_kg.tolist()


def round_to_cents(amount: Fraction) -> int:
    """Return an amount in cents as whole cents; half a cent is rounded away from zero."""
    cents = floor(abs(amount) + Fraction(1, 2))
    return cents if amount >= 0 else -cents


def divide_to_cents(amounts: Sequence[Fraction]) -> list[int]:
    """Round amounts in cents so that they add up to their rounded sum, by the method of the largest remainder.

    Each amount is rounded down or up to a whole cent; of equal remainders, the first are rounded up.
    """
    parts = [floor(amount) for amount in amounts]
    missing = _rounded_sum(amounts) - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda i: parts[i] - amounts[i])
    for i in by_remainder[:missing]:
        parts[i] += 1
    return parts


def _rounded_sum(amounts: Sequence[Fraction]) -> int:
    return round_to_cents(sum(amounts, start=Fraction(0)))


@dataclass(frozen=True, slots=True)
class _Prices:
    """Prices of each interval, millionths of a EUR/kWh, shape (T,) each."""

    grid: IntArray
    feed_in: IntArray
    local: IntArray
    grid_fee: IntArray
    local_grid_fee: IntArray

    @classmethod
    def of(
        cls, tariff: Tariff, community: Community, zone: Zone, changes: Sequence[TariffChange], times_s: IntArray
    ) -> _Prices:
        local_fee = community.local_grid_fee_eur_per_kwh
        fees = (community.grid_fee_eur_per_kwh, community.grid_fee_eur_per_kwh if local_fee is None else local_fee)
        names = ("import_eur_per_kwh", "feed_in_eur_per_kwh", "neighbour_eur_per_kwh")
        return cls(
            *(_millionths(price_over_time(name, tariff, changes, times_s, zone)) for name in names),
            *(_millionths(prices_at(fee, times_s, zone)) for fee in fees),
        )


def _millionths(eur_per_kwh: FloatArray) -> IntArray:
    return np.rint(eur_per_kwh * _MICRO).astype(np.int64)


def _amounts(
    energy: Allocation, prices: _Prices, community: Community, years: Fraction, *, is_member: bool
) -> list[list[Fraction]]:
    """Return the lines of the bills in the order of `BillLines`, each with an amount for every house, cents."""
    count = len(energy.consumed_milliwh)
    fixed = [community.supplier_fee_eur_per_year, community.community_fee_eur_per_year if is_member else 0.0]
    fee = sum((_exactly(eur) for eur in fixed), start=Fraction(0)) * years * 100
    bought = _cents(energy.imported_milliwh, prices.grid)
    fed_in = [-amount for amount in _cents(energy.fed_in_milliwh, prices.feed_in)]
    local_bought = _cents(energy.bought_milliwh, prices.local)
    local_sold = [-amount for amount in _cents(energy.sold_milliwh, prices.local)]
    grid_fee = _cents(energy.imported_milliwh, prices.grid_fee)
    local_fee = _cents(energy.bought_milliwh, prices.local_grid_fee)
    taxed: list[tuple[VatItem, list[Fraction]]] = [
        ("import", bought),
        ("grid_fee", grid_fee),
        ("grid_fee", local_fee),
        ("fixed_fee", [fee] * count),
        ("local", local_bought),
    ]
    rate = _exactly(community.vat_percent) / 100
    vat = [
        rate * sum((amounts[i] for item, amounts in taxed if item in community.vat_on), start=Fraction(0))
        for i in range(count)
    ]
    return [bought, fed_in, local_bought, local_sold, grid_fee, local_fee, [fee] * count, vat]


def _cents(energy_milliwh: IntArray, price: IntArray) -> list[Fraction]:
    """Return the cost of each house's energy over all intervals, exact, cents, shape (H,)."""
    largest = int(energy_milliwh.max(initial=0)) * int(np.abs(price).max(initial=0))
    if largest * max(1, len(price)) < _EXACT_BELOW:
        return [Fraction(total, _PER_CENT) for total in (energy_milliwh @ price).tolist()]
    return [
        Fraction(sum(e * p for e, p in zip(row, price.tolist(), strict=True)), _PER_CENT)
        for row in energy_milliwh.tolist()
    ]


def _exactly(value: float) -> Fraction:
    """Return a number as it is written in decimals."""
    return Fraction(Decimal(str(value)))
