"""A day's weather over a neighbourhood: haze, passing clouds, and forecasts of them.

Clear and cloudy spells alternate with exponential durations, and each cloud has its own transmittance. A forecaster
knows how cloudy an hour will be but not when a cloud comes, and errs by a sum of four parts, one for every six hours of
lead time. Each newer forecast drops one part, and so is closer to the actual production (on average, not always).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from scenarios.generate.rng import Rng
from scenarios.generate.solar import ClearSkyPower

MINUTES = 24 * 60
FORECAST_STEP_MIN = 15
LEAD_H = 6
"""Lead time to which each part of a forecast's error applies, hours."""
_LEADS = 4
_CLOUDS_KNOWN_WITHIN_MIN = 30
_SCATTERED = 0.3
"""Share of the beam blocked by a cloud that returns as diffuse irradiance."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Statistics of a kind of day."""

    haze: tuple[float, float]
    """Transmittance of the day's air, lower and upper limit."""
    clear_min: float
    """Mean time between two clouds, minutes."""
    cloud_min: float
    """Mean time that a cloud covers the sun, minutes."""
    beam_through: tuple[float, float]
    """Transmittance of a cloud for the beam, lower and upper limit."""
    forecast_error: float
    """Standard deviation of a day-ahead forecast, relative to the actual value."""


WEATHERS: Mapping[str, Weather] = MappingProxyType(
    {
        "clear": Weather((0.94, 1.0), 600.0, 3.0, (0.75, 0.95), 0.06),
        "fair": Weather((0.92, 1.0), 75.0, 5.0, (0.5, 0.9), 0.12),
        "changeable": Weather((0.85, 0.98), 25.0, 9.0, (0.2, 0.8), 0.2),
    }
)
"""By name: hardly any clouds; some passing clouds; as much cloud as sunshine."""


@dataclass(frozen=True, slots=True)
class CloudCover:
    """One day's weather, minute by minute, shared by all roofs of a neighbourhood."""

    haze: float
    """Transmittance of the day's air, 0 to 1."""
    beam_through: tuple[float, ...]
    """Transmittance of the clouds for the beam in each minute of the day, at the roof that they reach first."""
    errors: tuple[tuple[float, ...], ...]
    """Logarithm of the forecast's error factor, by part (nearest lead time first) and forecast step of the day."""

    def power_w(self, clear_sky: ClearSkyPower, minute: int) -> float:
        """Return the power that remains under haze and clouds in a minute of the day, W per kWp."""
        through = self.beam_through[minute % MINUTES]
        scattered_w = _SCATTERED * (1 - through) * clear_sky.horizontal_beam_w
        return self.haze * (clear_sky.beam_w * through + clear_sky.diffuse_w + scattered_w)

    def cloudiness(self, minute: int) -> float:
        """Return the mean transmittance for the beam around a minute, which a forecaster knows."""
        around = range(max(0, minute - _CLOUDS_KNOWN_WITHIN_MIN), min(MINUTES, minute + _CLOUDS_KNOWN_WITHIN_MIN))
        return math.fsum(self.beam_through[m] for m in around) / len(around)

    def forecast_w(self, clear_sky: ClearSkyPower, minute: int, issued_minute: int) -> float:
        """Return the power that a forecast expects, W per kWp; never more than that of a clear sky.

        Args:
            clear_sky: Power under a clear sky in that minute.
            minute: Minute of the day that the forecast is for.
            issued_minute: Minute of the day at which it is issued.
        """
        through = self.cloudiness(minute)
        scattered_w = _SCATTERED * (1 - through) * clear_sky.horizontal_beam_w
        expected_w = self.haze * (clear_sky.beam_w * through + clear_sky.diffuse_w + scattered_w)
        parts_left = min(_LEADS, max(0, minute - issued_minute) // (LEAD_H * 60) + 1)
        error = math.fsum(part[minute // FORECAST_STEP_MIN % len(part)] for part in self.errors[:parts_left])
        return min(expected_w * math.exp(error), clear_sky.clear_w)


def draw_cloud_cover(seed: int, weather: Weather) -> CloudCover:
    """Return a random day of a kind of weather."""
    clouds = Rng(seed, "clouds")
    through: list[float] = []
    while len(through) < MINUTES:
        through += [1.0] * round(clouds.exponential(weather.clear_min))
        through += [clouds.uniform(*weather.beam_through)] * max(1, round(clouds.exponential(weather.cloud_min)))
    return CloudCover(
        haze=Rng(seed, "haze").uniform(*weather.haze),
        beam_through=tuple(through[:MINUTES]),
        errors=tuple(_error_part(Rng(seed, f"forecast {n}"), weather.forecast_error) for n in range(_LEADS)),
    )


def _error_part(rng: Rng, day_ahead: float) -> tuple[float, ...]:
    """Return one part of the error, a first-order autoregressive series over quarter-hours."""
    keeps = math.exp(-FORECAST_STEP_MIN / 120)
    deviation = day_ahead / math.sqrt(_LEADS)
    value = rng.normal()
    series: list[float] = []
    for _ in range(MINUTES // FORECAST_STEP_MIN):
        series.append(deviation * value)
        value = keeps * value + math.sqrt(1 - keeps * keeps) * rng.normal()
    return tuple(series)
