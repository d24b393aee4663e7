"""A day's weather over a neighbourhood: haze, clouds that pass, and what the forecasters know of them beforehand.

Clouds come and go by waiting times: so long clear, so long a cloud, each cloud of its own thickness. A forecaster
sees how cloudy an hour will be, not when a cloud comes; and is wrong by an error made of four parts, one for each six
hours ahead. Each newer forecast is rid of one part, so it is closer to what happens (not always, but on the whole).
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
"""Each part of a forecast's error stands for so many hours between issue and sun."""
_LEADS = 4
_CLOUDS_KNOWN_WITHIN_MIN = 30
_SCATTERED = 0.3
"""So much of the beam that a cloud takes comes back as diffuse light."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What kind of day it is."""

    haze: tuple[float, float]
    """The day's air lets so much of the light through, from, to."""
    clear_min: float
    """Average time between two clouds, minutes."""
    cloud_min: float
    """Average time that a cloud stands before the sun, minutes."""
    beam_through: tuple[float, float]
    """A cloud lets so much of the beam through, from, to."""
    forecast_error: float
    """Standard deviation of the forecast for a day ahead, as a share of what comes."""


WEATHERS: Mapping[str, Weather] = MappingProxyType(
    {
        "clear": Weather((0.94, 1.0), 600.0, 3.0, (0.75, 0.95), 0.06),
        "fair": Weather((0.92, 1.0), 75.0, 5.0, (0.5, 0.9), 0.12),
        "changeable": Weather((0.85, 0.98), 25.0, 9.0, (0.2, 0.8), 0.2),
    }
)
"""By name: hardly a cloud; some that pass; as many clouds as sun."""


@dataclass(frozen=True, slots=True)
class CloudCover:
    """One day's weather, minute by minute; all roofs of a neighbourhood lie under it."""

    haze: float
    beam_through: tuple[float, ...]
    """Share of the beam that the clouds let through, for each minute of the day, at the first roof they reach."""
    errors: tuple[tuple[float, ...], ...]
    """For each part of the forecasts' error (nearest first) and each forecast step of the day: a factor's logarithm."""

    def power_w(self, clear_sky: ClearSkyPower, minute: int) -> float:
        """Return what comes through haze and clouds in this minute of the day, W per kWp."""
        through = self.beam_through[minute % MINUTES]
        scattered_w = _SCATTERED * (1 - through) * clear_sky.horizontal_beam_w
        return self.haze * (clear_sky.beam_w * through + clear_sky.diffuse_w + scattered_w)

    def cloudiness(self, minute: int) -> float:
        """Return the share of the beam that comes through around this minute, as a forecaster sees it."""
        around = range(max(0, minute - _CLOUDS_KNOWN_WITHIN_MIN), min(MINUTES, minute + _CLOUDS_KNOWN_WITHIN_MIN))
        return math.fsum(self.beam_through[m] for m in around) / len(around)

    def forecast_w(self, clear_sky: ClearSkyPower, minute: int, issued_minute: int) -> float:
        """Return what a forecast issued at one minute of the day expects for another, W per kWp.

        Forecasters know the clear sky: none expects more than that.
        """
        through = self.cloudiness(minute)
        scattered_w = _SCATTERED * (1 - through) * clear_sky.horizontal_beam_w
        expected_w = self.haze * (clear_sky.beam_w * through + clear_sky.diffuse_w + scattered_w)
        parts_left = min(_LEADS, max(0, minute - issued_minute) // (LEAD_H * 60) + 1)
        error = math.fsum(part[minute // FORECAST_STEP_MIN % len(part)] for part in self.errors[:parts_left])
        return min(expected_w * math.exp(error), clear_sky.clear_w)


def draw_cloud_cover(seed: int, weather: Weather) -> CloudCover:
    """Return a day of such weather."""
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
    """One part of the error: neighbouring quarters of an hour err alike (an autoregressive series of first order)."""
    keeps = math.exp(-FORECAST_STEP_MIN / 120)
    spread = day_ahead / math.sqrt(_LEADS)
    value = rng.normal()
    series: list[float] = []
    for _ in range(MINUTES // FORECAST_STEP_MIN):
        series.append(spread * value)
        value = keeps * value + math.sqrt(1 - keeps * keeps) * rng.normal()
    return tuple(series)
