"""The average course of power over all runs of a simulation, with how far runs stray from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.energy import FloatArray
from scenarios.accounting import Account, IntArray, account
from scenarios.kpis.run import DEFAULT_INTERVAL_S
from scenarios.kpis.shape import mean_power_w
from scenarios.results.errors import ResultsError
from scenarios.results.reader import ResultsReader
from scenarios.results.views import day_count, day_slice


@dataclass(frozen=True, slots=True)
class Course:
    """A power over the intervals of the runs, W, shape (intervals,) each."""

    mean_w: FloatArray
    deviation_w: FloatArray
    """Sample standard deviation over the runs; zero for one run."""


@dataclass(frozen=True, slots=True)
class AverageDay:
    """All complete runs at once, over the time that any of them covers."""

    runs: int
    interval_s: int
    times_s: IntArray
    """Where each interval begins, UNIX seconds."""
    production: Course
    local: Course
    """Consumption that contracts' panels covered."""
    grid: Course
    """Consumption that they did not cover."""

    @property
    def days(self) -> int:
        """How many days there are to look at one by one, see `scenarios.results.views.Day`."""
        return day_count(len(self.times_s), self.interval_s)

    def of_day(self, index: int) -> AverageDay:
        """Return one of the days, 0 the first."""
        part = day_slice(len(self.times_s), self.interval_s, index)
        courses = (Course(of.mean_w[part], of.deviation_w[part]) for of in (self.production, self.local, self.grid))
        return AverageDay(self.runs, self.interval_s, self.times_s[part], *courses)


def average_day(results: ResultsReader, interval_s: int = DEFAULT_INTERVAL_S, house: str | None = None) -> AverageDay:
    """Return the average over all runs that came to their end; of the first one while there is none.

    Args:
        results: An open results file.
        interval_s: Over which powers are averaged; whole minutes.
        house: Of this household only; None: of all.

    Raises:
        ResultsError: There is no run, or the file is damaged.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    begun = results.runs()
    if not begun:
        raise ResultsError(f"{results.path}: has no run yet")
    runs = [run for run in begun if run.is_complete] or begun[:1]
    own = None if house is None else results.producers_of(house)
    spans = [(one.start_s, one.end_s) for one in (results.account(run.run) for run in runs)]
    # Settled anew over the time that any run covers: the sun shines on after a run's last job.
    start_s, end_s = min(start for start, _ in spans), max(end for _, end in spans)
    powers_w = []
    for run in runs:
        standing = [entry.contract for entry in results.ledger(run.run) if entry.state == "standing"]
        settled = account(results.scenario, standing, start_s, end_s)
        powers_w.append([mean_power_w(column_wh, interval_s) for column_wh in _columns_wh(settled, house, own)])
    production, local, grid = (_course(np.stack([power_w[i] for power_w in powers_w])) for i in range(3))
    times_s = start_s + interval_s * np.arange(len(production.mean_w), dtype=np.int64)
    return AverageDay(len(runs), interval_s, times_s, production, local, grid)


def _columns_wh(settled: Account, house: str | None, own: set[str] | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return production, local and grid consumption of each minute, Wh, shape (M,) each."""
    if house is None or own is None:
        return settled.produced_wh.sum(axis=0), settled.delivered_wh.sum(axis=0), np.maximum(settled.grid_wh, 0.0)
    row = settled.houses.index(house)
    delivered_wh = settled.house_delivered_wh[row]
    produced_wh = settled.produced_wh[[producer in own for producer in settled.producers]].sum(axis=0)
    return produced_wh, delivered_wh, np.maximum(settled.house_consumed_wh[row] - delivered_wh, 0.0)


def _course(runs_w: FloatArray) -> Course:
    deviation_w = runs_w.std(axis=0, ddof=1) if len(runs_w) > 1 else np.zeros(runs_w.shape[1])
    return Course(mean_w=runs_w.mean(axis=0), deviation_w=deviation_w)
