"""Content of a report of large runs: figures, the day, all households, and the contracts that took most grid power.

It is read from the overview that a large run keeps (`scenarios.results.large_run_overviews`), without the scenario and
without settling the run again. Its size is bounded: the contracts are the first of a ranking, and what agents said is
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from scenarios.metrics import figures_json, mean_power_w, peak_to_average, statistics_by_figure
from scenarios.results.contract_rows import ContractRow
from scenarios.results.large_run_overviews import MINUTE_S, MinuteEnergies
from scenarios.results.reader import ResultsReader
from scenarios.results.report.contents import bill_row, job_row, page_header, run_header
from scenarios.results.rows import RunInfo
from scenarios.results.views import Overview, view_overview

MOST_CONTRACTS: Final = 2_000
"""Contracts that a report of large runs lists, of all runs together."""


def is_of_large_runs(results: ResultsReader, infos: Sequence[RunInfo]) -> bool:
    """Return whether the file has an overview of each of these runs."""
    return bool(infos) and results.about is not None and all(results.is_large(info.run) for info in infos)


def large_contents(
    results: ResultsReader,
    infos: Sequence[RunInfo],
    interval_s: int,
    peak_intervals_s: Sequence[int],
    *,
    utc: bool,
) -> dict[str, Any]:
    """Return the content of a report; see `report_contents`.

    Args:
        results: An open results file.
        infos: Its runs, all of them large.
        interval_s: Interval over which powers are averaged, seconds.
        peak_intervals_s: Intervals for which peaks are listed, seconds.
        utc: Whether times are in UTC at first.
    """
    about = results.about or {}
    views = {info.run: view_overview(results, info.run, interval_s) for info in infos}
    minutes = {info.run: minutes for info in infos if (minutes := results.minutes(info.run)) is not None}
    start_s = min(of.first_s for of in minutes.values())
    end_s = max(of.first_s + MINUTE_S * len(of.produced_wh) for of in minutes.values())
    houses = {house: i for i, (house, _) in enumerate(results.houses)}
    roofs: dict[str, list[str]] = {}
    for producer, house in results.producers:
        roofs.setdefault(house, []).append(producer)
    page = _Page(start_s, interval_s, houses, {house: i for i, house in enumerate(roofs)})
    each = MOST_CONTRACTS // len(infos)
    runs = [
        page.run(results, info, views[info.run], minutes[info.run], peak_intervals_s, list(roofs), each)
        for info in infos
    ]
    figures = [views[info.run].kpis.as_dict() for info in infos]
    spread = statistics_by_figure(figures, [info.is_complete for info in infos])
    header = page_header(
        results, about["description"], about["jobs"], results.zone, (start_s, end_s), interval_s, utc=utc
    )
    return {
        **header,
        "houses": [list(house) for house in results.houses],
        "producers": [[" + ".join(names), houses[house], []] for house, names in roofs.items()],
        "production_step": 1,
        "jobs": page.jobs,
        "figures": figures_json(interval_s),
        "spread": {name: asdict(of) for name, of in spread.items()},
        "tariff": about["tariff"],
        "community": about["community"],
        "runs": runs,
        "texts": list(page.texts),
        "large": True,
    }


class _Page:
    """Collects runs and their common data."""

    def __init__(self, start_s: int, interval_s: int, houses: dict[str, int], roofs: dict[str, int]) -> None:
        self._start_s, self._interval_s = start_s, interval_s
        self._houses, self._roofs = houses, roofs
        self.jobs: list[list[Any]] = []
        self.texts: dict[str, int] = {}

    def run(
        self,
        results: ResultsReader,
        info: RunInfo,
        view: Overview,
        minutes: MinuteEnergies,
        peak_intervals_s: Sequence[int],
        roofs: Sequence[str],
        most_contracts: int,
    ) -> dict[str, Any]:
        """Return the part of the page about one run, as JSON values."""
        rows = {row.house: row for row in view.households}
        bills = {row.house: row for row in results.bills(info.run)}
        listed = sorted(view.contracts, key=lambda row: (row.delivered_wh - row.energy_wh, row.contract_id))
        grid_wh = np.maximum(minutes.consumed_wh - minutes.local_wh, 0.0)
        columns = {"sun": minutes.produced_wh, "local": minutes.local_wh, "grid": grid_wh}
        return {
            **run_header(info, self._start_s, view.covered_share, view.kpis),
            "houses": [
                [
                    *(round(wh, 3) for wh in (of.consumed_wh, of.own_wh, of.neighbours_wh, of.grid_wh)),
                    of.jobs,
                    *(bill_row(bills[house]) if house in bills else ()),
                ]
                for house, of in ((house, row.breakdown) for house, row in rows.items())
            ],
            "sold": [round(row.sold_wh, 3) for row in rows.values()],
            "produced": [round(rows[house].produced_wh, 3) for house in roofs],
            "peaks": [_peaks(minutes, one_s) for one_s in peak_intervals_s],
            "base": None,
            "given": None,
            "first": (minutes.first_s - self._start_s) // self._interval_s,
            "course": {
                name: np.rint(mean_power_w(column_wh, self._interval_s)).astype(int).tolist()
                for name, column_wh in columns.items()
            },
            "contract_count": len(view.contracts),
            "contracts": [self._contract(row) for row in listed[:most_contracts]],
            "history": [],
            "said": None,
            "more_was_said": False,
        }

    def _contract(self, row: ContractRow) -> list[Any]:
        self.jobs.append(job_row(row, row.end_s - row.start_s, self._start_s, self._houses, self._text))
        roof = -1 if row.producer_house is None else self._roofs[row.producer_house]
        delivered_wh = round(row.delivered_wh, 3)
        given: dict[int, tuple[float, float]] = {}  # a house's producers are one roof here
        for share in row.shares:
            promised_wh, got_wh = given.get(self._roofs[share.house], (0.0, 0.0))
            given[self._roofs[share.house]] = promised_wh + share.contracted_wh, got_wh + share.delivered_wh
        shares = [[place, round(promised_wh, 3), round(got_wh, 3)] for place, (promised_wh, got_wh) in given.items()]
        start_s, agreed_s = row.start_s - self._start_s, row.agreed_s - self._start_s
        changes = row.amended, row.cancelled_before
        return [row.contract_id, len(self.jobs) - 1, roof, start_s, agreed_s, delivered_wh, *changes, 0, [], [], shares]

    def _text(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))


def _peaks(minutes: MinuteEnergies, interval_s: int) -> list[float | None]:
    row: list[float | None] = [interval_s]
    for energy_wh in (minutes.consumed_wh, minutes.produced_wh):
        ratio = peak_to_average(energy_wh, interval_s)
        row += [round(float(mean_power_w(energy_wh, interval_s).max()), 1), None if ratio is None else round(ratio, 4)]
    return row
