"""The most that panels can supply to the jobs of a run: an upper bound, computed in milliseconds for every run.

Suppose that jobs could draw their energy in any minutes of their windows, with interruptions, from all panels together.
Then the panels supply most if they always serve the jobs whose windows end first (earliest deadline first). Real jobs
cannot be interrupted, so no run supplies more, under either rule of supply. In neighbourhoods with too little
production, the bound is 1 to 13 % above the best plans known for shared supply; `scenarios.optimum` finds these plans
and proves tighter bounds, but takes seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from agents import FloatArray, LoadProfile
from scenarios.device_overlaps import pending_run_of
from scenarios.metrics.settlement import MINUTE_S, Settlement, real_production_wh
from scenarios.scenario import ProducerSeries, Scenario


class Demand(NamedTuple):
    """What a job can draw from panels, and in which minutes."""

    first: int
    """The first minute in which it can run."""
    end: int
    """The minute after the last one in which it can run."""
    energy_wh: float
    """The most that panels can supply to it if there is no other job, Wh."""


def possible_supply_wh(scenario: Scenario, settlement: Settlement, end_s: int, optional: Collection[str] = ()) -> float:
    """Return an upper bound on the energy that panels can deliver to the jobs of a run, Wh.

    Panels supply what the base loads of their own houses leave. A job that ran outside of its window, as a real device
    may, can also run when it did. Other plans may end later than the run, so windows count to their ends.

    Args:
        scenario: The jobs.
        settlement: The run's settled energy.
        end_s: End of the run, UNIX seconds; jobs that are registered and forecasts that are issued later are left out.
        optional: Ids of jobs that need not have run; they are left out unless they have a contract.
    """
    started_s = {contract.job_id: contract.start_s for contract in settlement.contracts}
    windows: list[tuple[int, int, LoadProfile]] = []
    """First minute in which a job can run, the minute after the last one, and its load."""
    for job in scenario.jobs:
        if (job.registered_s > end_s or job.job_id in optional) and job.job_id not in started_s:
            continue
        window = pending_run_of(job, scenario.start_s)
        starts_s = window.earliest_start_s, window.latest_start_s, started_s.get(job.job_id, window.earliest_start_s)
        first = max(0, (min(starts_s) - settlement.start_s) // MINUTE_S)
        end = -(-(max(starts_s) + job.duration_s - settlement.start_s) // MINUTE_S)
        if first < end:
            windows.append((first, end, job.load_profile))
    available_wh = _available_wh(scenario, settlement, end_s, max((end for _, end, _ in windows), default=0))
    return most_supplied_wh(available_wh, windows)


def most_supplied_wh(available_wh: FloatArray, windows: Iterable[tuple[int, int, LoadProfile]]) -> float:
    """Return an upper bound on the energy that jobs can draw in their windows, Wh.

    Args:
        available_wh: What panels have for jobs in each minute, Wh, shape (minutes,).
        windows: Of each job, the first minute in which it can run, the minute after the last one, and its load.
    """
    demands = []
    for first, end, load in windows:
        inside_wh = available_wh[first:end]
        if len(inside_wh):
            demands.append(Demand(first, end, _most_drawn_wh(load, float(inside_wh.max()))))
    return most_served_wh(available_wh, demands)


def _available_wh(scenario: Scenario, settlement: Settlement, end_s: int, minutes: int) -> FloatArray:
    """Return what all panels have for jobs in each minute of the settlement, and after it as long as they produce, Wh.

    Args:
        scenario: Producers and base loads.
        settlement: See `possible_supply_wh`.
        end_s: See `possible_supply_wh`.
        minutes: How many minutes matter.
    """
    available_wh: FloatArray = settlement.produced_wh.sum(axis=0)
    if settlement.base_load is not None:
        available_wh = np.maximum(available_wh - settlement.base_load.given_wh.sum(axis=0), 0.0)
    producing_until_s = {producer: _producing_until_s(of) for producer, of in scenario.producers.items()}
    last_s = max(producing_until_s.values(), default=0)
    minutes = min(minutes, -(-(last_s - settlement.start_s) // MINUTE_S))
    if minutes <= settlement.minutes:
        return available_wh
    edges_s = settlement.start_s + MINUTE_S * np.arange(settlement.minutes, minutes + 1, dtype=np.float64)
    later_wh = np.zeros(minutes - settlement.minutes)
    for house in scenario.houses:
        of_house = (device.id for device in house.devices if device.type == "producer")
        producers = [producer for producer in of_house if producing_until_s[producer] > settlement.end_s]
        if not producers:
            continue
        roofs_wh = sum(real_production_wh(scenario.producers[producer], edges_s, end_s) for producer in producers)
        base_load = scenario.base_loads.get(house.id)
        used_wh = 0.0 if base_load is None else base_load.energy_per_bin_wh(edges_s)
        later_wh += np.maximum(roofs_wh - used_wh, 0.0)
    return np.concatenate([available_wh, later_wh])


def _producing_until_s(series: ProducerSeries) -> int:
    if series.actual is not None:
        return series.actual.end_s
    return max((prediction.production.end_s for prediction in series.predictions), default=0)


def _most_drawn_wh(load: LoadProfile, most_wh: float) -> float:
    """Return a bound on what a run draws if no minute supplies more than `most_wh`, for starts at any second, Wh."""
    if load.energy_wh <= most_wh:  # as of most jobs in large neighbourhoods
        return load.energy_wh
    times_s, cumulative_wh = load.times_array, load.cumulative_array
    above = np.diff(cumulative_wh) * MINUTE_S > most_wh * np.diff(times_s)
    if not above.any():
        return load.energy_wh
    # A stretch above the limit touches at most one minute more than it is long.
    edges = np.flatnonzero(np.diff(above, prepend=False, append=False))
    begins, ends = edges[::2], edges[1::2]
    drawn_wh = cumulative_wh[ends] - cumulative_wh[begins]
    minutes = np.ceil((times_s[ends] - times_s[begins]) / MINUTE_S) + 1
    return float(load.energy_wh - np.maximum(drawn_wh - minutes * most_wh, 0.0).sum())


def most_served_wh(available_wh: FloatArray, demands: Iterable[Demand]) -> float:
    """Return the most energy that demands can draw if they may draw it in any minutes of their windows, Wh.

    Args:
        available_wh: What there is in each minute, Wh, shape (minutes,).
        demands: The demands, in any order.
    """
    coming = sorted((of for of in demands if of.energy_wh > 0), key=lambda of: of.first, reverse=True)
    waiting: list[tuple[int, float]] = []
    """End of the window, and energy still lacking, Wh."""
    served_wh = 0.0
    for minute in np.flatnonzero(available_wh > 0).tolist():
        while coming and coming[-1].first <= minute:
            demand = coming.pop()
            heappush(waiting, (demand.end, demand.energy_wh))
        left_wh = float(available_wh[minute])
        while waiting and left_wh > 0:
            end, lacking_wh = heappop(waiting)
            if end <= minute:
                continue
            given_wh = min(left_wh, lacking_wh)
            left_wh -= given_wh
            served_wh += given_wh
            if lacking_wh > given_wh:
                heappush(waiting, (end, lacking_wh - given_wh))
    return served_wh
