"""Mean powers over the intervals of a run, and their average over several runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents import FloatArray
from scenarios.metrics import DEFAULT_INTERVAL_S, IntArray, Settlement, mean_power_w, settle
from scenarios.results.connection import ResultsError
from scenarios.results.large_run_overviews import MinuteEnergies
from scenarios.results.reader import ResultsReader
from scenarios.zone import Zone


@dataclass(frozen=True, slots=True)
class PowerProfile:
    """Mean powers over the intervals of a run, W, shape (intervals,) each."""

    interval_s: int
    """Length of an interval, seconds."""
    times_s: IntArray
    """Beginning of each interval, UNIX seconds."""
    production_w: FloatArray
    """Actual production."""
    local_w: FloatArray
    """Consumption that producers served, by contract and of base loads."""
    grid_w: FloatArray
    """Consumption supplied by the grid."""
    zone: Zone
    """By whose clocks days begin."""

    @property
    def consumption_w(self) -> FloatArray:
        """Mean consumption in each interval, local and from the grid, W, shape (intervals,)."""
        return self.local_w + self.grid_w

    @property
    def days(self) -> int:
        """Number of days to display one by one; 1 if everything is displayed together."""
        return day_count(self.times_s, self.interval_s, self.zone)

    def of_day(self, index: int) -> PowerProfile:
        """Return one of the days, 0 is the first; everything if it is displayed together."""
        part = day_slice(self.times_s, self.interval_s, self.zone, index)
        return replace(
            self,
            times_s=self.times_s[part],
            production_w=self.production_w[part],
            local_w=self.local_w[part],
            grid_w=self.grid_w[part],
        )


def day_count(times_s: IntArray, interval_s: int, zone: Zone) -> int:
    """Return the number of days to display intervals by; up to two days are displayed together, as 1.

    Args:
        times_s: Beginning of each interval, UNIX seconds.
        interval_s: Length of an interval, seconds.
        zone: By whose clocks days begin.
    """
    if not len(times_s):
        return 1
    first_s, end_s = int(times_s[0]), int(times_s[-1]) + interval_s
    return 1 if end_s <= zone.days_later_s(first_s, 2) else zone.full_days(first_s, end_s - 1) + 1


def day_slice(times_s: IntArray, interval_s: int, zone: Zone, index: int) -> slice:
    """Return the intervals of a day: those that begin between the run's time of day and that of the next day.

    Args:
        times_s: Beginning of each interval, UNIX seconds.
        interval_s: Length of an interval, seconds.
        zone: By whose clocks days begin: one on which they change has 23 or 25 hours.
        index: The day, 0 the first.
    """
    count = day_count(times_s, interval_s, zone)
    if count == 1:
        return slice(0, len(times_s))
    index = min(max(index, 0), count - 1)
    begin_s, end_s = (zone.days_later_s(int(times_s[0]), day) for day in (index, index + 1))
    return slice(*np.searchsorted(times_s, (begin_s, end_s)).tolist())


def minutes_of(settled: Settlement, house: str | None = None, producers: Collection[str] = ()) -> MinuteEnergies:
    """Return the energy of each minute of a run.

    Args:
        settled: The run's settled energy.
        house: Only the consumption of this household, and the production of its producers; None: all.
        producers: The household's producers.
    """
    if house is None:
        return MinuteEnergies(settled.start_s, settled.produced_wh.sum(axis=0), settled.consumed_wh, settled.local_wh)
    row = settled.houses.index(house)
    own = [producer in producers for producer in settled.producers]
    produced_wh = np.asarray(settled.produced_wh[own].sum(axis=0), dtype=np.float64)
    return MinuteEnergies(settled.start_s, produced_wh, settled.house_consumed_wh[row], settled.house_delivered_wh[row])


def power_profile(minutes: MinuteEnergies, interval_s: int, zone: Zone) -> PowerProfile:
    """Return the mean powers of a run over intervals.

    Args:
        minutes: The energy of each minute.
        interval_s: Length of an interval, seconds.
        zone: By whose clocks days begin.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    production_w = mean_power_w(minutes.produced_wh, interval_s)
    return PowerProfile(
        interval_s=interval_s,
        times_s=minutes.first_s + interval_s * np.arange(len(production_w), dtype=np.int64),
        production_w=production_w,
        local_w=mean_power_w(minutes.local_wh, interval_s),
        grid_w=mean_power_w(np.maximum(minutes.consumed_wh - minutes.local_wh, 0.0), interval_s),
        zone=zone,
    )


@dataclass(frozen=True, slots=True)
class PowerStatistics:
    """Statistics of a power over runs, W, shape (intervals,) each."""

    mean_w: FloatArray
    deviation_w: FloatArray
    """Sample standard deviation over the runs; zero for a single run."""


@dataclass(frozen=True, slots=True)
class AveragePowerProfile:
    """Average of all completed runs, over the time that any of them covers."""

    runs: int
    """How many completed runs it averages."""
    interval_s: int
    """Length of an interval, seconds."""
    times_s: IntArray
    """Beginning of each interval, UNIX seconds."""
    production: PowerStatistics
    """Actual production."""
    local: PowerStatistics
    """Consumption that producers served, by contract and of base loads."""
    grid: PowerStatistics
    """Consumption supplied by the grid."""
    zone: Zone
    """By whose clocks days begin."""

    @property
    def days(self) -> int:
        """Number of days to be shown one by one; see `PowerProfile.days`."""
        return day_count(self.times_s, self.interval_s, self.zone)

    def of_day(self, index: int) -> AveragePowerProfile:
        """Return one of the days, 0 the first."""
        part = day_slice(self.times_s, self.interval_s, self.zone, index)
        production, local, grid = (
            PowerStatistics(of.mean_w[part], of.deviation_w[part]) for of in (self.production, self.local, self.grid)
        )
        return replace(self, times_s=self.times_s[part], production=production, local=local, grid=grid)


def average_power_profile(results: ResultsReader, interval_s: int = DEFAULT_INTERVAL_S) -> AveragePowerProfile:
    """Return the average over all completed runs; only the first run while none has completed.

    Args:
        results: An open results file.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Raises:
        ResultsError: There is no run, or the file is damaged.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    begun = results.runs()
    if not begun:
        raise ResultsError(f"{results.path}: has no run yet")
    runs = [run for run in begun if run.is_complete] or begun[:1]
    if len(runs) == 1 and (minutes := results.minutes(runs[0].run)) is not None:
        return _average([power_profile(minutes, interval_s, results.zone)])
    spans = [(one.start_s, one.end_s) for one in (results.settlement(run.run) for run in runs)]
    # Settled over the time that any run covers: production continues after the last job of a run.
    start_s, end_s = min(start for start, _ in spans), max(end for _, end in spans)
    profiles = []
    for run in runs:
        standing = [entry.contract for entry in results.ledger(run.run) if entry.state == "standing"]
        realised = results.realised(run.run)
        contracts, promises = realised.settled(standing), realised.promises(standing)
        settled = settle(realised.scenario, contracts, start_s, end_s, promises)
        profiles.append(power_profile(minutes_of(settled), interval_s, results.zone))
    return _average(profiles)


def _average(profiles: Sequence[PowerProfile]) -> AveragePowerProfile:
    """Return the average of profiles over the same intervals."""
    return AveragePowerProfile(
        len(profiles),
        profiles[0].interval_s,
        profiles[0].times_s,
        production=_statistics([profile.production_w for profile in profiles]),
        local=_statistics([profile.local_w for profile in profiles]),
        grid=_statistics([profile.grid_w for profile in profiles]),
        zone=profiles[0].zone,
    )


def _statistics(runs_w: Sequence[FloatArray]) -> PowerStatistics:
    powers_w = np.stack(runs_w)
    deviation_w = powers_w.std(axis=0, ddof=1) if len(powers_w) > 1 else np.zeros(powers_w.shape[1])
    return PowerStatistics(mean_w=powers_w.mean(axis=0), deviation_w=deviation_w)
