"""The weather over a neighbourhood: haze, passing clouds, the production of roofs under them, and forecasts of it.

Clear and cloudy spells alternate with exponential durations, and each cloud has its own transmittance; all roofs see
the same clouds, each a few minutes after its upwind neighbour. The weather of a day depends on that of the previous
day. A forecaster knows how cloudy an hour will be but not when a cloud comes, and errs by a sum of four parts, one for
every six hours of lead time. Each newer forecast drops one part, and so is closer to the actual production (on average,
not always).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from agents import FloatArray
from scenarios.generate.rng import Rng
from scenarios.generate.solar import ClearSkyPower, Irradiance, Site, ambient_c, clear_irradiance, power_of

MINUTES = 24 * 60
ACTUAL_STEP_MIN = 15
FORECAST_STEP_MIN = 15
ISSUE_HOURS = (0, 6, 12, 18)
MOST_DELAY_MIN = 30
"""How long a cloud takes over the whole neighbourhood."""
_LEAD_MIN = 6 * 60
"""Lead time to which each part of a forecast's error applies, minutes."""
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
_CHANGES: dict[str, tuple[tuple[str, float], ...]] = {
    "clear": (("clear", 0.6), ("fair", 0.3), ("changeable", 0.1)),
    "fair": (("clear", 0.25), ("fair", 0.45), ("changeable", 0.3)),
    "changeable": (("clear", 0.15), ("fair", 0.35), ("changeable", 0.5)),
}
"""By weather, that of the next day and its probability."""
Sun = Callable[[Site, float, float, FloatArray], Irradiance]
"""Computes the clear sky's irradiance on a plane: as `scenarios.generate.solar.clear_irradiance`."""


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
        parts_left = min(_LEADS, max(0, minute - issued_minute) // _LEAD_MIN + 1)
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


@dataclass(frozen=True, slots=True)
class Sky:
    """The weather over a neighbourhood for some days."""

    site: Site
    start_s: int
    """Midnight of the first day, UNIX seconds."""
    days: tuple[CloudCover, ...]
    """The weather of each day, in order."""

    @property
    def through(self) -> FloatArray:
        """Transmittance of the clouds for the beam in each minute, where they arrive first."""
        return np.concatenate([np.array(day.beam_through) for day in self.days])


def draw_sky(site: Site, start_s: int, days: int, seed: int, weather: str) -> Sky:
    """Return the weather of some days.

    Args:
        site: The place of the neighbourhood.
        start_s: Midnight of the first day, UNIX seconds.
        days: Number of days.
        seed: The same seed gives the same clouds.
        weather: One of `WEATHERS` for all days, or `mixed`: it changes from day to day.
    """
    rng = Rng(seed, "weather")
    kind = rng.pick(tuple(WEATHERS)) if weather == "mixed" else weather
    covers = []
    for n in range(days):
        covers.append(draw_cloud_cover(seed * 4001 + n, WEATHERS[kind]))
        if weather == "mixed":
            changes = _CHANGES[kind]
            kind = rng.pick([name for name, _ in changes], [weight for _, weight in changes])
    return Sky(site, start_s, tuple(covers))


class Roofs:
    """Production and forecasts of the planes under a sky, W per kWp; each plane is computed once."""

    def __init__(self, sky: Sky, sun: Sun = clear_irradiance) -> None:
        self.sky = sky
        minutes = np.arange(len(sky.days) * MINUTES, dtype=np.float64)
        self._minutes_s: FloatArray = np.asarray(sky.start_s + 60.0 * minutes + 30.0, dtype=np.float64)
        self._ambient = ambient_c(sky.site, self._minutes_s)
        self._through = sky.through
        self._haze = np.repeat([day.haze for day in sky.days], MINUTES)
        self._around = _moving_mean(self._through, 60)
        self._sun = sun
        self._clear = cache(self._clear_plane)
        self.actual_w = cache(self._actual_w)
        self.forecast_w = cache(self._forecast_w)

    def _clear_plane(self, tilt_deg: float, azimuth_deg: float) -> Irradiance:
        return self._sun(self.sky.site, tilt_deg, azimuth_deg, self._minutes_s)

    def _power_w(self, clear: Irradiance, through: FloatArray) -> FloatArray:
        scattered = _SCATTERED * (1 - through) * clear.horizontal_beam
        return power_of(self._haze * (clear.beam * through + clear.diffuse + scattered), self._ambient)

    def _actual_w(self, tilt_deg: float, azimuth_deg: float, delay_min: int) -> FloatArray:
        """Return the mean power of each step of `ACTUAL_STEP_MIN`, under clouds delayed by some minutes."""
        late = np.concatenate([np.full(delay_min, self._through[0]), self._through[: len(self._through) - delay_min]])
        return _steps(self._power_w(self._clear(tilt_deg, azimuth_deg), late), ACTUAL_STEP_MIN)

    def _forecast_w(self, tilt_deg: float, azimuth_deg: float, day: int, hour: int) -> FloatArray:
        """Return the forecast issued at an hour of a day: from then on to the end of the next day, at most of the run.

        Returns:
            Mean power of each step of `FORECAST_STEP_MIN`; never more than under a clear sky.
        """
        begin, end = (day * 24 + hour) * 60, min((day + 2), len(self.sky.days)) * MINUTES
        clear = self._clear(tilt_deg, azimuth_deg)
        expected = _steps(self._power_w(clear, self._around)[begin:end], FORECAST_STEP_MIN)
        most = _steps(power_of(clear.beam + clear.diffuse, self._ambient)[begin:end], FORECAST_STEP_MIN)
        return np.minimum(expected * np.exp(self._errors(begin, end)), most)

    def _errors(self, begin: int, end: int) -> FloatArray:
        """Return the logarithm of the forecast's error by step; its deviation grows with the lead."""
        minutes = np.arange(begin, end, FORECAST_STEP_MIN)
        lead = (minutes - begin) / _LEAD_MIN
        total = np.zeros(len(minutes))
        for part in range(4):
            series = np.concatenate([np.array(day.errors[part]) for day in self.sky.days])
            total += series[minutes // FORECAST_STEP_MIN] * np.clip(lead - part + 0.25, 0.0, 1.0)
        return total


def _steps(minutes_w: FloatArray, step_min: int) -> FloatArray:
    return np.asarray(minutes_w.reshape(-1, step_min).mean(axis=1), dtype=np.float64)


def _moving_mean(values: FloatArray, width: int) -> FloatArray:
    padded = np.concatenate([np.full(width // 2, values[0]), values, np.full(width - width // 2, values[-1])])
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    return np.asarray((sums[width : width + len(values)] - sums[: len(values)]) / width, dtype=np.float64)


def pvlib_irradiance(site: Site, tilt_deg: float, azimuth_deg: float, times_s: FloatArray) -> Irradiance:
    """Return pvlib's clear-sky irradiance on a plane, with the models of `scenarios.generate.solar`.

    The plane at `site` has the tilt `tilt_deg` and the azimuth `azimuth_deg` (clockwise from north); `times_s` are UNIX
    seconds, shape (times,). Irradiance is in W/m2, shape (times,).

    Raises:
        ImportError: pvlib is not installed.
    """
    import pandas as pd  # noqa: PLC0415 - heavy, and pvlib's own
    import pvlib  # noqa: PLC0415 - an extra

    times = pd.to_datetime(times_s, unit="s", utc=True)
    location = pvlib.location.Location(site.latitude_deg, site.longitude_deg)
    sun = location.get_solarposition(times)
    sky = location.get_clearsky(times, model="simplified_solis")
    on_plane = pvlib.irradiance.get_total_irradiance(
        tilt_deg,
        azimuth_deg,
        sun.apparent_zenith,
        sun.azimuth,
        sky.dni,
        sky.ghi,
        sky.dhi,
        dni_extra=pvlib.irradiance.get_extra_radiation(times),
        model="haydavies",
        albedo=0.2,
    )
    angle = pvlib.irradiance.aoi(tilt_deg, azimuth_deg, sun.apparent_zenith, sun.azimuth)
    beam = on_plane.poa_direct * pvlib.iam.ashrae(angle)
    diffuse = on_plane.poa_diffuse * pvlib.iam.ashrae(59)
    level = sky.dni * np.cos(np.radians(sun.apparent_zenith)).clip(lower=0)
    return Irradiance(*(part.fillna(0.0).to_numpy(dtype=np.float64) for part in (beam, diffuse, level)))


def cloud_delay_min(place: int, count: int) -> int:
    """Return how many minutes after the first house clouds reach the house at a place; neighbours see the same ones."""
    return math.floor(place * min(MOST_DELAY_MIN, max(1, count // 3)) / max(1, count))
