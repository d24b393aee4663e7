"""The production that a real roof can promise: its forecast, lowered while its meter shows less.

A roof that has produced 40 % of its forecast in the last quarter of an hour is expected to produce 40 % of it now, and
to be back at its forecast in two hours; in between, the difference shrinks linearly. Clouds persist for about that
long, and after that a forecast is more reliable than the meter. The forecast is never raised, because production that
was not forecast cannot be relied on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from agents.energy import FloatArray, Outlook, Production

WINDOW_S = 900
"""How long measurements are compared with the forecast for, seconds."""
MAX_WINDOW_S = 3600
"""Readings further apart are not compared: clouds have changed in between."""
FADE_S = 7200
"""Time after a measurement at which the forecast applies in full again, seconds."""
EVERY_S = 300
"""Shortest interval between two corrections, seconds; each one is a new forecast for the neighbourhood."""
LEAST_CHANGE = 0.05
"""Change of the share of the forecast that is worth a correction."""
LEAST_SHARE = 0.1
"""Nothing is concluded from less than this share of what is forecast for the hours that a correction affects: at dawn
the difference is small, and says little about noon."""
_STEP_S = 300
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class _Reading:
    """What had been metered at a time."""

    at_s: int
    metered_wh: float
    """By the meter: from its counter, where it has one."""
    integrated_wh: float
    """The power readings over time."""

    def since_wh(self, earlier: _Reading) -> float:
        """Return the energy since another reading, Wh: the greater figure, as a counter may have coarse steps."""
        return max(self.metered_wh - earlier.metered_wh, self.integrated_wh - earlier.integrated_wh)


@dataclass(slots=True)
class MeasuredOutlook:
    """The forecasts of one roof, corrected by its meter."""

    share: float = 1.0
    """Share of its forecast that the roof produced when last corrected; 1: it is not corrected."""
    corrected_s: int = 0
    """When that was, UNIX seconds."""
    _forecast: Outlook | None = None
    """What was forecast; before the newest forecast, in its proportion to the ones before."""
    _readings: deque[_Reading] = field(default_factory=deque)
    _power_w: float | None = None
    _compared_s: int | None = None

    def take_forecast(self, now_s: int, production: Production) -> Production:
        """Take a new forecast; return what can be promised by it.

        What was measured still counts, in proportion to the new forecast: one that foresees the present clouds is not
        lowered any further, and one that repeats the error of the last one is lowered at once.
        """
        if self._forecast is None:
            self._forecast = Outlook.of(production)
            return production
        scale = self._scale_to(production, now_s)
        promised = self._share_at(now_s)
        self._forecast = Outlook(self._forecast.times_s, self._forecast.cumulative_wh * scale)
        self._forecast = self._forecast.continued_by(production).since(now_s - MAX_WINDOW_S)
        if production.start_s <= now_s:
            measured = self._measured_share(now_s)
            if measured is None and promised < 1.0:
                measured = _rounded(promised / scale)
            self.share = 1.0 if measured is None or measured > 1.0 - LEAST_CHANGE else measured
            self.corrected_s = now_s
        return self._promisable(production, now_s)

    def take_reading(self, now_s: int, power_w: float | None, metered_wh: float) -> Production | None:
        """Take a reading of the meter; return what can be promised from now on, None: as before.

        Args:
            now_s: Virtual time, UNIX seconds.
            power_w: Power, W; None: not read.
            metered_wh: Energy so far, Wh, without jumps at counter resets.
        """
        last = self._readings[-1] if self._readings else _Reading(now_s, metered_wh, 0.0)
        integrated_wh = last.integrated_wh + (self._power_w or 0.0) * (now_s - last.at_s) / _HOUR_S
        self._power_w = self._power_w if power_w is None else power_w
        self._readings.append(_Reading(now_s, metered_wh, integrated_wh))
        while len(self._readings) > 1 and self._readings[1].at_s <= now_s - WINDOW_S:
            self._readings.popleft()
        if self._compared_s is not None and now_s - self._compared_s < EVERY_S:
            return None
        share = self._measured_share(now_s)
        if share is None:
            return None
        self._compared_s = now_s
        if abs(share - self._share_at(now_s)) < LEAST_CHANGE:
            return None
        self.share, self.corrected_s = share, now_s
        return self._rest_from(now_s)

    def stop_metering(self) -> None:
        """Conclude nothing from the readings so far, nor from the time until the next one."""
        self._readings.clear()
        self._power_w = None

    def _scale_to(self, production: Production, now_s: int) -> float:
        """Return the proportion of a new forecast to the last one, now; 1 if they cannot be compared."""
        if self._forecast is None or production.start_s > now_s:
            return 1.0
        ahead_s = [now_s, now_s + WINDOW_S]
        before_wh = float(self._forecast.energy_per_bin_wh(ahead_s)[0])
        after_wh = float(production.energy_per_bin_wh(ahead_s)[0])
        if before_wh <= LEAST_SHARE * after_wh or not after_wh:
            self._readings.clear()
            self.share = 1.0
            return 1.0
        return after_wh / before_wh

    def _share_at(self, now_s: int) -> float:
        """Return the share of the forecast that is promised at a time."""
        return float(self._shares_at(np.asarray([now_s], dtype=np.float64))[0])

    def _shares_at(self, times_s: FloatArray) -> FloatArray:
        """Return the share of the forecast that is promised at each time, shape (times,)."""
        left = np.clip(1.0 - (times_s - self.corrected_s) / FADE_S, 0.0, 1.0)
        return np.asarray(1.0 - (1.0 - self.share) * left, dtype=np.float64)

    def _measured_share(self, now_s: int) -> float | None:
        """Return the share of its forecast that the roof has produced lately, at most 1; None: that is not known."""
        if self._forecast is None or not self._readings:
            return None
        first, last = self._readings[0], self._readings[-1]
        span_s = last.at_s - first.at_s
        is_recent = last.at_s >= now_s - WINDOW_S and first.at_s >= self._forecast.start_s
        if not is_recent or not WINDOW_S <= span_s <= MAX_WINDOW_S:
            return None
        expected_wh = float(self._forecast.energy_per_bin_wh([first.at_s, last.at_s])[0])
        ahead_wh = self._forecast.energy_per_bin_wh(np.arange(now_s, now_s + FADE_S + 1, WINDOW_S, dtype=np.float64))
        most_wh = float(ahead_wh.max()) * span_s / WINDOW_S
        if most_wh <= 0 or expected_wh <= LEAST_SHARE * most_wh:
            return None
        return _rounded(last.since_wh(first) / expected_wh)

    def _rest_from(self, now_s: int) -> Production | None:
        """Return what can be promised from now on; None: the forecast has ended."""
        if self._forecast is None or self._forecast.end_s <= now_s:
            return None
        times_s = self._forecast.times_s
        ahead_s = np.concatenate([[now_s], times_s[times_s > now_s]])
        energies_wh = np.interp(ahead_s, times_s, self._forecast.cumulative_wh)
        return self._promisable(_production(ahead_s, energies_wh), now_s)

    def _promisable(self, production: Production, now_s: int) -> Production:
        """Return a forecast, lowered from now on by what the meter showed."""
        end_s = self.corrected_s + FADE_S
        if self.share >= 1.0 or end_s <= production.start_s or production.end_s <= now_s:
            return production
        times_s = production.times_array
        grid_s = np.arange(now_s, end_s + 1, _STEP_S, dtype=np.float64)
        times_s = np.union1d(times_s, grid_s[(grid_s > times_s[0]) & (grid_s < times_s[-1])])
        shares = np.where(times_s[:-1] >= now_s, self._shares_at((times_s[:-1] + times_s[1:]) / 2), 1.0)
        lowered_wh = np.diff(production.energy_until_wh(times_s)) * shares
        return _production(times_s, np.concatenate([[0.0], np.cumsum(lowered_wh)]))


def _production(times_s: FloatArray, cumulative_wh: FloatArray) -> Production:
    return Production(
        times_s=tuple(times_s.astype(np.int64).tolist()),
        cumulative_wh=tuple(np.maximum.accumulate(cumulative_wh).tolist()),
    )


def _rounded(share: float) -> float:
    """Return a share between 0 and 1, in whole percents."""
    return round(min(1.0, max(0.0, share)), 2)
