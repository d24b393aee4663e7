"""The supply of one job, as its consumer knows it: offers and shares, what they are worth, and the best that they make.

What a start and its shares are worth is the energy that they cover, or their cost, if the consumer puts that first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from agents.energy import IntArray
from agents.messages import Offer
from agents.model import GRID, SHARED, Job, Starts
from agents.shares import MINUTE_S, Share, add_at, is_same, load_mwh, packed, shares_of, unpacked
from agents.sharing.composing import Composition, Offers, compose, cost_of, start_on_grid
from agents.sharing.energy_prices import EnergyPrices, PriceView
from agents.sharing.supply_settings import SupplySettings, comes_first

LEAST_GAIN = 0.02
"""A job moves only if this covers at least this additional share of its energy, or lowers its cost by at least this
share of the cost of its energy at the highest price."""
NEARLY_COVERED = 0.99
"""A job of which this share is covered learns of no additional energy and does not move."""
MAX_WISHES = 3
"""How often a job asks for room, each time for another start."""
MAX_IN_VAIN = 12
"""Number of failed reservations after which a job no longer moves for others, or for unsolicited offers.

With few roofs, a job has fewer. If many roofs share their supply, a move needs many reservations, and most fail."""
NOTHING_MWH: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class KnownOffer:
    """An offer, in a form fit for calculations."""

    first_minute: int
    free_mwh: IntArray
    movable_mwh: IntArray

    @classmethod
    def of(cls, first_minute: int, offer: Offer) -> KnownOffer:
        """Return an offer that begins with some UNIX minute."""
        return cls(first_minute, unpacked(offer.minutes_mwh), unpacked(offer.movable_mwh))

    def without(self, first_minute: int, taken_mwh: IntArray) -> KnownOffer:
        """Return the offer without what is taken of it from some minute on."""
        free_mwh = self.free_mwh.copy()
        add_at(free_mwh, -taken_mwh, first_minute - self.first_minute)
        return replace(self, free_mwh=np.maximum(free_mwh, 0))

    def covers(self, first_minute: int, wanted_mwh: IntArray) -> bool:
        """Return whether all of what is wanted from some minute on is offered."""
        begin = first_minute - self.first_minute
        if begin < 0 or begin + len(wanted_mwh) > len(self.free_mwh):
            return False
        return bool((self.free_mwh[begin : begin + len(wanted_mwh)] >= wanted_mwh).all())


@dataclass(frozen=True, slots=True)
class SupplyCriteria:
    """By what a consumer compares starts and shares."""

    settings: SupplySettings
    own: frozenset[str]
    """Producers of the same house."""
    prices: PriceView
    evens_rounding: bool = True
    """See `compose`."""

    @property
    def puts_cost_first(self) -> bool:
        """Whether the cost of a job counts more than its coverage."""
        return self.settings.puts_cost_first and self.prices.are_known


class JobSupply:
    """What a consumer knows of the supply of one of its jobs."""

    def __init__(self, job: Job, criteria: SupplyCriteria) -> None:
        self._criteria = criteria
        self._load = job.as_sent.load_profile
        self._energy_mwh = int(load_mwh(self._load, 0).sum())
        self.offers: dict[str, KnownOffer] = {}
        """By producer, its newest offer."""
        self._contradictions: Counter[str] = Counter()
        """By producer, how often it still offered what it had refused."""
        self.described: set[str] = set()
        """Producers that know the job."""
        self.pending: dict[str, int] = {}
        """By producer that has not answered a reservation yet, the sequence number of that."""
        self.held: dict[str, IntArray] = {}
        """By producer, the shares of the contract: mWh in each minute from the one in which the job starts."""
        self.start_s = 0
        """The start for which the shares are held, UNIX seconds."""
        self.reserved: dict[str, tuple[int, IntArray]] = {}
        """By producer, start and energy of the reservations that are being made for a new contract or version of it."""
        self.wishes: list[int] = []
        """The starts for which the job has asked for room, UNIX seconds."""
        self.next_wish_s: int | None = None
        """When it asks next, UNIX seconds."""
        self.in_vain = 0
        """Reservations of moves that came to nothing."""

    # What is held.

    def take_refusal(self, producer: str, start_s: int, refused_mwh: IntArray) -> None:
        """Pass over the offer of a producer that still offers what it has refused, for the second time.

        Once can be a matter of order. A producer that says it has more than it has would use up all rounds of the job.

        Args:
            producer: Who refused.
            start_s: The job's start, UNIX seconds.
            refused_mwh: What it refused, by the minute from then on.
        """
        offer = self.offers.get(producer)
        if offer is not None and offer.covers(start_s // MINUTE_S, refused_mwh):
            self._contradictions[producer] += 1
            if self._contradictions[producer] > 1:
                del self.offers[producer]

    def is_held(self, producer: str, start_s: int, series: IntArray) -> bool:
        """Return whether a producer has reserved exactly this, for the contract or for its new version.

        Args:
            producer: The producer.
            start_s: The start of the job, UNIX seconds.
            series: mWh in each minute from the one in which the job starts, shape (M,).
        """
        known = self.reserved.get(producer)
        if known is None and producer in self.held:
            known = (self.start_s, self.held[producer])
        return known is not None and known[0] == start_s and is_same(known[1], series)

    def reserved_by(self, producer: str) -> IntArray:
        """Return what a producer has reserved, which may be less than was asked by now."""
        if producer in self.reserved:
            return self.reserved[producer][1]
        return self.held.get(producer, NOTHING_MWH)

    def is_as_before(self, start_s: int, held: Mapping[str, IntArray]) -> bool:
        """Return whether the contract has this start and these shares."""
        return start_s == self.start_s and shares_of(held) == shares_of(self.held)

    def lacks(self, start_s: int, share: Share) -> bool:
        """Return whether a producer has less than a share by what is known of it, so that it must make room for it."""
        offered, wanted_mwh = self.offers[share.producer], share.minutes()
        free_mwh = np.zeros(len(wanted_mwh), dtype=np.int64)
        add_at(free_mwh, offered.free_mwh, offered.first_minute - start_s // MINUTE_S)
        return bool((wanted_mwh > free_mwh).any())

    @property
    def has_given_up(self) -> bool:
        """Whether moves have come to nothing too often, so that the job only makes up for what it loses."""
        return self.in_vain >= MAX_IN_VAIN

    @property
    def may_wish(self) -> bool:
        """Whether the job may ask other jobs for room once more, and any of them could move."""
        can_move = any(len(offered.movable_mwh) for offered in self.offers.values())
        return len(self.wishes) < MAX_WISHES and not self.has_given_up and can_move

    # What can be had.

    def compose(self, starts: Starts, now_s: int, *, with_movable: bool = False) -> Composition:
        """Return the best start and shares by what is known of the producers.

        Args:
            starts: The starts at which the device is free, or the job's own if it runs.
            now_s: The present, UNIX seconds.
            with_movable: As if other jobs gave up what they could give up.
        """
        now = now_s // MINUTE_S
        first, minutes = self._minutes(starts)
        producers = sorted(self.offers.keys() | self.held.keys() if first < now else self.offers.keys())
        free_mwh = np.zeros((len(producers), minutes), dtype=np.int64)
        for row, producer in enumerate(producers):
            offered = self.offers.get(producer)
            if offered is not None:
                add_at(free_mwh[row], offered.free_mwh, offered.first_minute - first)
                if with_movable:
                    movable_mwh = np.zeros(minutes, dtype=np.int64)
                    add_at(movable_mwh, offered.movable_mwh, offered.first_minute - first)
                    for wish_s in self.wishes:  # these jobs have been asked
                        begin = max(0, wish_s // MINUTE_S - first)
                        movable_mwh[begin : begin + len(load_mwh(self._load, wish_s))] = 0
                    free_mwh[row] += movable_mwh
            passed = max(0, now - first)
            free_mwh[row, :passed] = 0
            if passed and producer in self.held:
                add_at(free_mwh[row, :passed], self.held[producer], 0)
        offers = Offers(first, tuple(producers), free_mwh)
        return self._composed(starts, offers)

    def _composed(self, starts: Starts, offers: Offers) -> Composition:
        prefer = self._criteria.settings.prefer
        prices = self._prices(offers.first_minute, offers.free_mwh.shape[1]) if "cheapest" in prefer else None
        if prices is not None and prices.are_constant and not comes_first("cheapest", "own-roof", prefer):
            prices = prices if self._criteria.puts_cost_first else None  # starts that tie on both cost the same
        criteria = self._criteria
        evens_rounding = criteria.evens_rounding
        return compose(self._load, starts, offers, prefer, criteria.own, prices, evens_rounding=evens_rounding)

    def start_on_grid(self, starts: Starts, *, late: bool) -> int:
        """Return when the job starts if the grid gives all: when that is cheapest, UNIX seconds.

        Args:
            starts: The starts at which the device is free.
            late: Whether it starts as late as possible if all of them cost the same.
        """
        prices = self._prices(*self._minutes(starts)) if "cheapest" in self._criteria.settings.prefer else None
        if prices is None:
            return starts[-1][1] if late else starts[0][0]
        first_minute, _ = self._minutes(starts)
        evens_rounding = self._criteria.evens_rounding
        return start_on_grid(self._load, starts, first_minute, prices, late=late, evens_rounding=evens_rounding)

    def _minutes(self, starts: Starts) -> tuple[int, int]:
        """Return the first UNIX minute in which the job could run, and how many there are."""
        first = starts[0][0] // MINUTE_S
        return first, starts[-1][1] // MINUTE_S - first + len(load_mwh(self._load, starts[-1][1])) + 1

    def _prices(self, first_minute: int, minutes: int) -> EnergyPrices | None:
        return self._criteria.prices.of_minutes(first_minute, minutes)

    # What it is worth.

    def worth(self, start_s: int, held: Mapping[str, IntArray]) -> float:
        """Return how good a start with these shares is: the more, the better."""
        if not self._criteria.puts_cost_first:
            return float(self._evened_mwh(start_s, sum(int(series.sum()) for series in held.values())))
        first, minutes = self._minutes(((start_s, start_s),))
        prices = self._prices(first, minutes)
        assert prices is not None  # noqa: S101 - cost comes first only where there is a tariff
        return -self._cost(start_s, held, first, prices)

    def _cost(self, start_s: int, held: Mapping[str, IntArray], first_minute: int, prices: EnergyPrices) -> float:
        energy_mwh = self._energy_mwh if self._criteria.evens_rounding else None
        return cost_of(self._load, start_s, held, self._criteria.own, first_minute, prices, energy_mwh)

    def _evened_mwh(self, start_s: int, given_mwh: int) -> int:
        """Return energy that counts as given: all of the job is the same at any start, however its minutes round."""
        if not self._criteria.evens_rounding:
            return given_mwh
        is_all = given_mwh >= int(load_mwh(self._load, start_s).sum())
        return self._energy_mwh if is_all else min(given_mwh, self._energy_mwh)

    @property
    def worth_now(self) -> float:
        """The value of the present contract."""
        return self.worth(self.start_s, self.held)

    def least_gain(self, starts: Starts) -> float:
        """Return by how much a move must increase the value of the present contract."""
        if not self._criteria.puts_cost_first:
            return float(max(1, int(LEAST_GAIN * self._energy_mwh)))
        prices = self._prices(*self._minutes(starts))
        assert prices is not None  # noqa: S101 - as above
        micro = prices.rounded()
        dearest = max(float(np.abs(price).max()) for price in (micro.own, micro.neighbour, micro.grid))
        return max(1.0, LEAST_GAIN * self._energy_mwh * dearest)

    def costs_no_more(self, start_s: int, held: Mapping[str, IntArray]) -> bool:
        """Return whether the household would get no less from its own roof, and pay no more, than by the contract.

        Only its preferences count: a household that prefers neither its own roof nor low cost loses nothing by giving
        them up.
        """
        own, prefer = self._criteria.own, self._criteria.settings.prefer
        if "own-roof" in prefer:
            of_own, of_own_now = (
                self._evened_mwh(s, _of_own(given, own)) for s, given in ((start_s, held), (self.start_s, self.held))
            )
            if of_own < of_own_now:
                return False
        first, minutes = self._minutes(tuple(sorted(((start_s, start_s), (self.start_s, self.start_s)))))
        prices = self._prices(first, minutes) if "cheapest" in prefer else None
        if prices is None:
            return True
        return self._cost(start_s, held, first, prices) <= self._cost(self.start_s, self.held, first, prices)

    @property
    def is_nearly_covered(self) -> bool:
        """Whether hardly any of the job is grid power."""
        covered_mwh = sum(int(series.sum()) for series in self.held.values())
        return covered_mwh >= NEARLY_COVERED * self._energy_mwh

    def is_content(self, starts: Starts) -> bool:
        """Return whether other producers could hardly make a contract worth more than the present one."""
        if not self._criteria.puts_cost_first:
            return self.worth_now >= NEARLY_COVERED * self._energy_mwh
        first, minutes = self._minutes(starts)
        plenty = np.full((1, minutes), self._energy_mwh, dtype=np.int64)
        own = {producer: offer for producer, offer in self.offers.items() if producer in self._criteria.own}
        free_mwh = np.zeros((len(own), minutes), dtype=np.int64)
        for row, offer in enumerate(own.values()):
            add_at(free_mwh[row], offer.free_mwh, offer.first_minute - first)
        ideal = self._composed(starts, Offers(first, ("", *own), np.concatenate([plenty, free_mwh])))
        return self.worth_now >= self.worth(ideal.start_s, ideal.minutes_mwh) - self.least_gain(starts)


def supplier_of(job: Job, start_s: int, held: Mapping[str, IntArray]) -> tuple[str, tuple[Share, ...]]:
    """Return the producer and shares of a contract of `job` that starts at `start_s` with the reservations `held`.

    There are no shares if one producer, or the grid, supplies everything.
    """
    shares = shares_of(held)
    if not shares:
        return GRID, ()
    if len(shares) == 1 and shares[0].minutes_mwh == packed(load_mwh(job.as_sent.load_profile, start_s)):
        return shares[0].producer, ()
    return SHARED, shares


def _of_own(held: Mapping[str, IntArray], own: Collection[str]) -> int:
    """Return how much energy comes from producers of the household, mWh."""
    return sum(int(series.sum()) for producer, series in held.items() if producer in own)
