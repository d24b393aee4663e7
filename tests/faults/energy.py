"""A run's energy and bills computed a second time, minute by minute, without the code that settles runs.

From the scenario as the run realised it, its standing contracts and what it says of itself (`ssmic run --json`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agents import GRID, SHARED, Contract
from scenarios.scenario import ProducerSeries, Scenario

FloatArray = npt.NDArray[np.float64]
MINUTE_S = 60
CLOSE_WH = 1e-5


def energy_problems(scenario: Scenario, contracts: Sequence[Contract], run: Mapping[str, Any]) -> list[str]:
    """Return in which figures a run differs from what its contracts and its production give; empty: in none.

    Args:
        scenario: As the run realised it, without real devices.
        contracts: The standing contracts.
        run: The run, as `ssmic run --json` prints it.
    """
    return [*_Recomputed(scenario, contracts, run).problems()]


class _Recomputed:
    """The energies of a run in each of its minutes, Wh, shape (M,) each."""

    def __init__(self, scenario: Scenario, contracts: Sequence[Contract], run: Mapping[str, Any]) -> None:
        self._run = run
        jobs = {job.job_id: job for job in scenario.jobs}
        ends_s = [c.start_s + jobs[c.job_id].duration_s for c in contracts]
        edges_s = np.arange(run["start"] // MINUTE_S, -(-max([run["end"], *ends_s]) // MINUTE_S) + 1) * float(MINUTE_S)
        self.nothing = np.zeros(len(edges_s) - 1)
        self.houses = [house.id for house in scenario.houses]
        self.owner = {d.id: house.id for house in scenario.houses for d in house.devices if d.type == "producer"}
        self.produced = {p: _produced(scenario.producers[p], edges_s, run["end"]) for p in self.owner}
        self.roof = {h: self._sum(self.produced[p] for p in self.owner if self.owner[p] == h) for h in self.houses}
        base = {h: scenario.base_loads[h].energy_per_bin_wh(edges_s) for h in scenario.base_loads}
        self.consumed = {h: base.get(h, self.nothing).copy() for h in self.houses}
        self.local = {h: np.minimum(self.consumed[h], self.roof[h]) for h in self.houses}
        self.bought = {h: self.nothing.copy() for h in self.houses}
        self.sold = {h: self.nothing.copy() for h in self.houses}
        lacking = {h: self.consumed[h] - self.local[h] for h in self.houses}
        left = {p: self.produced[p] * (1 - _part(self.local[h], self.roof[h])) for p, h in self.owner.items()}
        wanted: dict[str, list[tuple[str, FloatArray]]] = {p: [] for p in self.owner}
        self.over: list[str] = []
        for contract in contracts:
            job = jobs[contract.job_id]
            drawn = job.load_profile.energy_per_bin_wh(edges_s - contract.start_s)
            self.consumed[job.house] += drawn
            for producer, share in self._shares(contract, drawn, int(edges_s[0]) // MINUTE_S):
                wanted[producer].append((job.house, share))
        self.contracted = self._sum(share for of in wanted.values() for _, share in of)
        self.delivered = {p: np.minimum(self._sum(share for _, share in wanted[p]), left[p]) for p in self.owner}
        for producer, of in wanted.items():
            kept = _part(self.delivered[producer], self._sum(share for _, share in of))
            for house, share in of:
                self._give(self.owner[producer], house, share * kept)
        self.export = {p: left[p] - self.delivered[p] for p in self.owner}
        lack, rest = self._sum(lacking.values()), self._sum(self.export.values())
        traded = np.minimum(lack, rest)
        for house in self.houses:
            bought = lacking[house] * _part(traded, lack)
            self.local[house] += bought
            self.bought[house] += bought
        for producer, house in self.owner.items():
            sold = self.export[producer] * _part(traded, rest)
            self.sold[house] += sold
            self.export[producer] -= sold

    def _sum(self, series: Iterable[FloatArray]) -> FloatArray:
        return np.asarray(sum(series, start=self.nothing), dtype=np.float64)

    def _give(self, seller: str, buyer: str, energy_wh: FloatArray) -> None:
        self.local[buyer] += energy_wh
        if seller != buyer:
            self.bought[buyer] += energy_wh
            self.sold[seller] += energy_wh

    def _shares(self, contract: Contract, drawn: FloatArray, first_minute: int) -> Iterator[tuple[str, FloatArray]]:
        """Yield what each producer is to give to a job."""
        if contract.producer == GRID:
            return
        if contract.producer != SHARED:
            yield contract.producer, drawn
            return
        rounded_mwh, given_mwh = np.rint(drawn * 1000), self.nothing.copy()
        for share in contract.shares:
            series_mwh, at = self.nothing.copy(), contract.start_s // MINUTE_S - first_minute
            for count, mwh in share.minutes_mwh:
                series_mwh[at : at + count] = mwh
                at += count
            given_mwh += series_mwh
            yield share.producer, drawn * _part(series_mwh, rounded_mwh)
        if (given_mwh > rounded_mwh).any():
            self.over.append(f"{contract.contract_id}: its shares are more than it draws")

    # Comparing.

    def problems(self) -> Iterator[str]:
        """Yield in which figures the run differs."""
        yield from self.over
        yield from self._of_the_whole()
        for producer in self.owner:
            said = self._run["by_producer"][producer]
            yield from _differs(f"produced by {producer}", said["produced_wh"], self.produced[producer])
            yield from _differs(f"delivered by {producer}", said["delivered_wh"], self.delivered[producer])
        for house in self.houses:
            said, grid = self._run["by_house"][house], self.consumed[house] - self.local[house]
            yield from _differs(f"consumed by {house}", said["consumed_wh"], self.consumed[house])
            yield from _differs(f"bought by {house}", said["neighbours_wh"], self.bought[house])
            yield from _differs(f"grid power of {house}", said["grid_wh"], grid)
        yield from self._of_bills()

    def _of_the_whole(self) -> Iterator[str]:
        figures = self._run["kpis"]
        consumed, produced = self._sum(self.consumed.values()), self._sum(self.produced.values())
        local, pooled = self._sum(self.local.values()), np.minimum(consumed, produced)
        expected = {
            "consumed_wh": consumed,
            "produced_wh": produced,
            "contracted_wh": self.contracted,
            "delivered_wh": self._sum(self.delivered.values()),
            "shortfall_wh": self.contracted - self._sum(self.delivered.values()),
            "local_wh": local,
            "grid_wh": consumed - local,
            "export_wh": produced - local,
            "pooled_covered_wh": pooled,
        }
        for name, series in expected.items():
            yield from _differs(name, figures[name], series)
            if name in self._run["by_hour"][0]:
                yield from _differs(f"{name} by the hour", sum(hour[name] for hour in self._run["by_hour"]), series)
        for prefix, part in (("", local), ("pooled_", pooled)):
            for name, whole in (("self_consumption", produced), ("self_sufficiency", consumed)):
                share = float(part.sum() / whole.sum()) if whole.sum() > 0 else None
                said = figures[prefix + name]
                if (said is None) != (share is None) or (share is not None and abs(said - share) > 1e-9):
                    yield f"{prefix}{name}: {said} instead of {share}"

    def _of_bills(self) -> Iterator[str]:
        community = self._run["community"]
        if community is None:
            for house, bill in self._run["bills"].items():
                yield from _differs(
                    f"bought in the bill of {house}", bill["bought_from_neighbours_wh"], self.bought[house]
                )
                yield from _differs(f"sold in the bill of {house}", bill["sold_to_neighbours_wh"], self.sold[house])
            return
        members, outside = community["members"], community["outside"]
        for name in members[self.houses[0]]:
            if name.endswith("_eur") and name in outside:
                cents = [round(member[name] * 100) for member in members.values()]
                if sum(cents) != round(outside[name] * 100):
                    yield f"{name}: members pay {sum(cents)} cents, {outside[name]} EUR go outside"
        if sum(round(member["with_eur"] * 100) for member in members.values()) != round(outside["total_eur"] * 100):
            yield f"the bills differ from the {outside['total_eur']} EUR that the community pays"
        rounding_wh = 0.00051  # meters count whole mWh
        for house, member in members.items():
            used = member["own_wh"] + member["bought_wh"] + member["imported_wh"]
            given = member["own_wh"] + member["sold_wh"] + member["fed_in_wh"]
            yield from _differs(f"consumed in the bill of {house}", used, self.consumed[house], rounding_wh)
            yield from _differs(f"produced in the bill of {house}", given, self.roof[house], rounding_wh)


def _part(of: FloatArray, whole: FloatArray) -> FloatArray:
    """Return a part as a share of the whole; 0 of nothing."""
    return np.divide(of, whole, out=np.zeros_like(whole), where=whole > 0)


def _produced(series: ProducerSeries, edges_s: FloatArray, end_s: int) -> FloatArray:
    """Return what a roof really produced: the newest forecast for each moment, if the scenario does not say it."""
    if series.actual is not None:
        return series.actual.energy_per_bin_wh(edges_s)
    known = [prediction.production for prediction in series.predictions if prediction.issued_s <= end_s]
    bounds_s = sorted({production.start_s for production in known})
    cumulative_wh = np.zeros(len(edges_s))
    for begin_s, next_s in zip(bounds_s, [*bounds_s[1:], edges_s[-1] + 1e9], strict=True):
        newest = [production for production in known if production.start_s <= begin_s][-1]
        until_wh = newest.energy_until_wh(np.clip(edges_s, begin_s, next_s))
        cumulative_wh += until_wh - newest.energy_until_wh([begin_s])
    return np.diff(cumulative_wh)


def _differs(what: str, said: float, series: FloatArray, tolerance_wh: float = CLOSE_WH) -> Iterator[str]:
    """Yield a line if a figure is not the sum of a series."""
    computed = float(series.sum())
    if abs(said - computed) > tolerance_wh + 1e-9 * abs(computed):
        yield f"{what}: {said} instead of {computed}"
