"""Energy and bills, computed a second time in plain Python, from the contracts and the scenario alone.

With all that may matter at once: contracts with one producer, the grid or several, base loads, forecasts that replace
each other, prices that vary by the clock of a zone or in time, and changes of the tariff.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import CumulativeSeries, Production
from agents.model import GRID, SHARED, Contract, Job
from agents.shares import load_mwh, shares_of
from scenarios.metrics import bills, producer_houses, settle
from scenarios.prices import Price, PriceBand, PriceSeries, Tariff, TariffChange, TimeOfUse
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.zone import Zone
from tests.scenarios.neighbourhoods import START_S, load, series_points, settled_runs

MINUTE_S = 60
ZONES = ("Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago", "UTC")
CLOSE = 1e-6


@st.composite
def bands(draw: st.DrawFn) -> TimeOfUse:
    """Draw a table that covers the whole week; earlier bands come first."""
    some = draw(
        st.lists(
            st.tuples(st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1439), st.integers(1, 1440)), max_size=3
        )
    )
    prices = [PriceBand(tuple(sorted(days)), begin, end, 0.1 * n + 0.05) for n, (days, begin, end) in enumerate(some)]
    return TimeOfUse((*prices, PriceBand(tuple(range(7)), 0, 1440, 0.5)))


PRICES = st.one_of(
    st.sampled_from([0.3, 0.0, -0.1]),
    bands(),
    st.lists(st.floats(-0.3, 1), min_size=1, max_size=4).map(
        lambda eur: PriceSeries(tuple(START_S + 700 * i - 300 for i in range(len(eur))), tuple(eur))
    ),
)
TARIFFS = st.builds(Tariff, PRICES, PRICES, PRICES, st.just(0.4))


@dataclass
class Case:
    """A run to be settled."""

    scenario: Scenario
    contracts: list[Contract]
    end_s: int
    changes: list[TariffChange]
    zone: Zone


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a run with everything in it."""
    scenario, contracts, end_s = draw(settled_runs())
    jobs = {job.job_id: job for job in scenario.jobs}
    loads = {house.id: load(*draw(series_points(st.just(0)))) for house in scenario.houses if draw(st.booleans())}
    at_start = {
        house: CumulativeSeries(times_s=tuple(START_S + t for t in of.times_s), cumulative_wh=of.cumulative_wh)
        for house, of in loads.items()
    }
    shared = [_shared(draw, jobs[c.job_id], c, sorted(scenario.producers)) for c in contracts]
    later = sorted(draw(st.lists(st.integers(-100, 5_000), max_size=2)))
    changes = [TariffChange(START_S + at_s, draw(TARIFFS)) for at_s in later]
    key = draw(st.sampled_from(ZONES))
    tariff = draw(TARIFFS)
    return Case(replace(scenario, base_loads=at_start, tariff=tariff), shared, end_s, changes, Zone(0, key))


def _shared(draw: st.DrawFn, job: Job, contract: Contract, producers: list[str]) -> Contract:
    """Return a contract, or one of the same job in which several producers have shares."""
    if not producers or draw(st.booleans()):
        return contract
    left_mwh = load_mwh(job.as_sent.load_profile, contract.start_s)
    given = {}
    for producer in producers:
        factor = draw(st.sampled_from([0.0, 0.3, 0.5, 1.0]))
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(left_mwh))] * 2)))
        part = left_mwh * 0
        part[begin:end] = (left_mwh[begin:end] * factor).astype(int)
        given[producer] = part
        left_mwh = left_mwh - part
    shares = shares_of(given)
    return contract.model_copy(update={"producer": SHARED, "shares": shares}) if shares else contract


class Plain:
    """The same as found by plain loops."""

    def __init__(self, case: Case, first_minute: int, minutes: int) -> None:
        """Settle minute after minute."""
        self._case = case
        self._jobs = {job.job_id: job for job in case.scenario.jobs}
        self._house_of = producer_houses(case.scenario)
        self.produced_wh: dict[str, float] = defaultdict(float)
        self.delivered_wh: dict[str, float] = defaultdict(float)
        self.job_wh: dict[str, float] = defaultdict(float)
        self.local_wh = self.consumed_wh = self.export_wh = 0.0
        self.eur: dict[str, float] = defaultdict(float)
        self.alone_eur: dict[str, float] = defaultdict(float)
        self.imported_wh: dict[str, float] = defaultdict(float)
        self.bought_wh: dict[str, float] = defaultdict(float)
        for minute in range(first_minute, first_minute + minutes):
            self._begin_s, self._end_s = minute * MINUTE_S, (minute + 1) * MINUTE_S
            self._price = _prices(case, self._begin_s)
            producers = case.scenario.producers
            self._produced = {p: _produced_wh(producers[p], self._begin_s, self._end_s, case.end_s) for p in producers}
            self._left = dict(self._produced)
            self._local: dict[str, float] = defaultdict(float)
            self._consumed: dict[str, float] = defaultdict(float)
            lacking = self._serve_own_base_loads()
            self._serve_jobs(minute)
            self._share_surplus(lacking)
            self._bill()

    def _serve_own_base_loads(self) -> dict[str, float]:
        """Return what the base loads of houses lack after that."""
        lacking: dict[str, float] = {}
        for house, base_load in self._case.scenario.base_loads.items():
            wh = _between_wh(base_load, self._begin_s, self._end_s)
            roof = self._of_house(house, self._produced)
            own = min(wh, roof)
            for p, house_of in self._house_of.items():
                if house_of == house and roof:
                    self._left[p] -= self._produced[p] * own / roof
            self._local[house] += own
            self._consumed[house] += wh
            lacking[house] = wh - own
        return lacking

    def _serve_jobs(self, minute: int) -> None:
        wanted: dict[tuple[str, str], float] = {}
        for contract in self._case.contracts:
            job = self._jobs[contract.job_id]
            drawn = _between_wh(job.load_profile, self._begin_s - contract.start_s, self._end_s - contract.start_s)
            self._consumed[job.house] += drawn
            for p, part in _parts(contract, job, minute).items():
                wanted[job.job_id, p] = drawn * part
        available = {p: max(wh, 0.0) for p, wh in self._left.items()}
        for (job_id, p), wh in wanted.items():
            asked = sum(other for (_, q), other in wanted.items() if q == p)
            got = wh * min(1.0, available[p] / asked) if asked else 0.0
            self._left[p] -= got
            self._local[self._jobs[job_id].house] += got
            self.delivered_wh[p] += got
            self.job_wh[job_id] += got
            if self._jobs[job_id].house != self._house_of[p]:
                self._buy(self._jobs[job_id].house, got)
                self._sell(self._house_of[p], got)

    def _share_surplus(self, lacking: dict[str, float]) -> None:
        surplus, need = sum(self._left.values()), sum(lacking.values())
        traded = min(surplus, need)
        for house, wh in lacking.items():
            got = wh * traded / need if need else 0.0
            self._local[house] += got
            self._buy(house, got)
        for p, house in self._house_of.items():
            sold = self._left[p] * traded / surplus if surplus > 0 else 0.0
            self._left[p] -= sold
            self._sell(house, sold)

    def _bill(self) -> None:
        for house in (house.id for house in self._case.scenario.houses):
            export, roof = self._of_house(house, self._left), self._of_house(house, self._produced)
            consumed, local = self._consumed[house], self._local[house]
            behind_meter = min(export, consumed - local)
            bought, fed_in = consumed - local - behind_meter, export - behind_meter
            self.export_wh += export
            self.imported_wh[house] += bought
            self.eur[house] += (bought * self._price["import"] - fed_in * self._price["feed_in"]) / 1_000
            alone = (
                max(0.0, consumed - roof) * self._price["import"] - max(0.0, roof - consumed) * self._price["feed_in"]
            )
            self.alone_eur[house] += alone / 1_000
        self.local_wh += sum(self._local.values())
        self.consumed_wh += sum(self._consumed.values())
        for p, wh in self._produced.items():
            self.produced_wh[p] += wh

    def _of_house(self, house: str, energy_wh: dict[str, float]) -> float:
        return sum(wh for p, wh in energy_wh.items() if self._house_of[p] == house)

    def _buy(self, house: str, wh: float) -> None:
        self.bought_wh[house] += wh
        self.eur[house] += wh / 1_000 * self._price["neighbour"]

    def _sell(self, house: str, wh: float) -> None:
        self.eur[house] -= wh / 1_000 * self._price["neighbour"]


@settings(max_examples=60, deadline=None)
@given(cases())
def test_energy_and_bills_are_what_plain_loops_find(case: Case) -> None:
    """Each figure, for each producer, job and house."""
    scenario = case.scenario
    assert scenario.tariff is not None
    settled = settle(scenario, case.contracts, START_S, case.end_s)
    billed = bills(settled, producer_houses(scenario), scenario.tariff, case.changes, case.zone)
    plain = Plain(case, settled.start_s // MINUTE_S, settled.minutes)

    for i, producer in enumerate(settled.producers):
        assert settled.produced_wh[i].sum() == pytest.approx(plain.produced_wh[producer], abs=CLOSE)
        assert settled.delivered_wh[i].sum() == pytest.approx(plain.delivered_wh[producer], abs=CLOSE)
    for contract, wh in zip(settled.contracts, settled.job_delivered_wh.tolist(), strict=True):
        assert wh == pytest.approx(plain.job_wh[contract.job_id], abs=CLOSE)
    assert settled.consumed_wh.sum() == pytest.approx(plain.consumed_wh, abs=CLOSE)
    assert settled.local_wh.sum() == pytest.approx(plain.local_wh, abs=CLOSE)
    assert settled.export_wh.sum() == pytest.approx(plain.export_wh, abs=CLOSE)
    for house in settled.houses:
        assert billed[house].bought_from_grid_wh == pytest.approx(plain.imported_wh[house], abs=CLOSE)
        assert billed[house].bought_from_neighbours_wh == pytest.approx(plain.bought_wh[house], abs=CLOSE)
        assert billed[house].with_eur == pytest.approx(plain.eur[house], abs=CLOSE)
        assert billed[house].without_eur == pytest.approx(plain.alone_eur[house], abs=CLOSE)


def _parts(contract: Contract, job: Job, minute: int) -> dict[str, float]:
    """Return which part of a job's draw in a minute each producer is to give."""
    if contract.producer == GRID:
        return {}
    if contract.producer != SHARED:
        return {contract.producer: 1.0}
    place = minute - contract.start_s // MINUTE_S
    drawn_mwh = load_mwh(job.as_sent.load_profile, contract.start_s).tolist()
    if not 0 <= place < len(drawn_mwh) or not drawn_mwh[place]:
        return {}
    parts = {}
    for share in contract.shares:
        each = [mwh for count, mwh in share.minutes_mwh for _ in range(count)]
        parts[share.producer] = each[place] / drawn_mwh[place] if place < len(each) else 0.0
    return parts


def _produced_wh(series: ProducerSeries, begin_s: int, end_s: int, known_until_s: int) -> float:
    if series.actual is not None:
        return _between_wh(series.actual, begin_s, end_s)
    known: Production | None = None
    for prediction in series.predictions:
        if prediction.issued_s <= known_until_s:
            known = prediction.production if known is None else known.continued_by(prediction.production)
    return 0.0 if known is None else _between_wh(known, begin_s, end_s)


def _between_wh(series: CumulativeSeries, begin_s: int, end_s: int) -> float:
    return _until_wh(series, end_s) - _until_wh(series, begin_s)


def _until_wh(series: CumulativeSeries, time_s: int) -> float:
    """Return the energy up to a time, on straight lines between the points."""
    points = list(zip(series.times_s, series.cumulative_wh, strict=True))
    if time_s <= points[0][0]:
        return points[0][1]
    for (t0, wh0), (t1, wh1) in pairwise(points):
        if time_s <= t1:
            return wh0 + (wh1 - wh0) * (time_s - t0) / (t1 - t0)
    return points[-1][1]


def _prices(case: Case, time_s: int) -> dict[str, float]:
    """Return the prices of the minute that begins at a time."""
    tariff = case.scenario.tariff
    assert tariff is not None
    for change in case.changes:
        if change.at_s <= time_s:
            tariff = change.tariff
    return {
        "import": _price(tariff.import_eur_per_kwh, time_s, case.zone),
        "feed_in": _price(tariff.feed_in_eur_per_kwh, time_s, case.zone),
        "neighbour": _price(tariff.neighbour_eur_per_kwh, time_s, case.zone),
    }


def _price(price: Price, time_s: int, zone: Zone) -> float:
    if isinstance(price, TimeOfUse):
        at = Zone().at(time_s).astimezone(ZoneInfo(zone.key))
        minute = at.hour * 60 + at.minute
        for band in price.bands:
            whole_day = band.begin_min < band.end_min
            today = at.weekday() in band.days and band.begin_min <= minute and (minute < band.end_min or not whole_day)
            yesterday = not whole_day and (at.weekday() - 1) % 7 in band.days and minute < band.end_min
            if today or yesterday:
                return band.eur_per_kwh
    if isinstance(price, PriceSeries):
        return next(
            (eur for at_s, eur in zip(price.times_s[::-1], price.eur_per_kwh[::-1], strict=True) if at_s <= time_s),
            price.eur_per_kwh[0],
        )
    assert isinstance(price, float | int)
    return float(price)
