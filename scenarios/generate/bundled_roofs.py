"""Production of the roofs of bundled scenarios: even steps, whole watts, as in files.

Everything else uses the model in `scenarios.generate.solar`. This older model stays because the files `street`,
`scarce` and `village`, and the seeded neighbourhoods of the benchmarks, are generated with it: another model would
change these neighbourhoods, their ledgers and their figures. It gives 18 to 20 % more than pvlib in June, and 6 to 16 %
less in December. Clear sky: beam irradiance by Meinel and Meinel, *Applied Solar Energy* (1976), with the air mass of
Kasten and Young (Applied Optics 28 (1989) 4735); diffuse irradiance as a tenth of the beam, isotropic. Tilted plane:
Liu and Jordan (Solar Energy 7 (1963) 53).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from agents import Prediction, Production
from scenarios.appliances import steps_wh
from scenarios.generate.solar import ClearSkyPower, Roof, Site
from scenarios.generate.weather import FORECAST_STEP_MIN, MINUTES, CloudCover
from scenarios.prices import Tariff
from scenarios.scenario import ProducerSeries

_EXTRATERRESTRIAL_W_PER_M2 = 1361.0
_GROUND_REFLECTS = 0.2
_PERFORMANCE = 0.85
"""Performance ratio: the share of the rated power after losses by heat, wiring, soiling and inverter."""

DARK = ClearSkyPower(beam_w=0.0, diffuse_w=0.0, horizontal_beam_w=0.0)
SITE = Site(latitude_deg=50.1, longitude_deg=8.7)
TARIFF = Tariff(import_eur_per_kwh=0.35, feed_in_eur_per_kwh=0.08, neighbour_eur_per_kwh=0.2, grid_kg_co2_per_kwh=0.38)
"""Typical of a German household in the mid-2020s."""
_SUMMER_TIME_MONTHS = range(4, 11)


def _sun_position(site: Site, time_s: int) -> tuple[float, float]:
    """Return the sun's zenith angle and azimuth (clockwise from north), radians, at a UNIX second."""
    moment = datetime.fromtimestamp(time_s, tz=UTC)
    day = moment.timetuple().tm_yday
    hour_utc = moment.hour + moment.minute / 60 + moment.second / 3600
    year_angle = 2 * math.pi * (day - 1 + hour_utc / 24) / 365
    declination = (
        0.006918
        - 0.399912 * math.cos(year_angle)
        + 0.070257 * math.sin(year_angle)
        - 0.006758 * math.cos(2 * year_angle)
        + 0.000907 * math.sin(2 * year_angle)
        - 0.002697 * math.cos(3 * year_angle)
        + 0.00148 * math.sin(3 * year_angle)
    )
    equation_of_time_min = 229.18 * (
        0.000075
        + 0.001868 * math.cos(year_angle)
        - 0.032077 * math.sin(year_angle)
        - 0.014615 * math.cos(2 * year_angle)
        - 0.04089 * math.sin(2 * year_angle)
    )
    solar_hour = hour_utc + equation_of_time_min / 60 + site.longitude_deg / 15
    hour_angle = math.radians(15 * (solar_hour - 12))
    latitude = math.radians(site.latitude_deg)
    up = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.cos(latitude) * math.sin(declination) - math.sin(latitude) * math.cos(declination) * math.cos(
        hour_angle
    )
    return math.acos(max(-1.0, min(1.0, up))), math.atan2(east, north) % (2 * math.pi)


def _clear_sky_power(site: Site, roof: Roof, time_s: int) -> ClearSkyPower:
    """Return what a roof produces under a clear sky; see the module for the sources of the formulas.

    Args:
        site: Latitude and longitude.
        roof: Tilt and azimuth; its rated power does not matter.
        time_s: The moment, UNIX seconds.

    Returns:
        Power per kWp, W; zero while the sun is below the horizon.
    """
    zenith, azimuth = _sun_position(site, time_s)
    height = math.cos(zenith)
    if height <= 0:
        return DARK
    air_mass = 1 / (height + 0.50572 * (96.07995 - math.degrees(zenith)) ** -1.6364)
    beam_w_per_m2 = _EXTRATERRESTRIAL_W_PER_M2 * 0.7 ** (air_mass**0.678)
    diffuse_w_per_m2 = 0.1 * beam_w_per_m2
    tilt = math.radians(roof.tilt_deg)
    facing = height * math.cos(tilt) + math.sin(zenith) * math.sin(tilt) * math.cos(
        azimuth - math.radians(roof.azimuth_deg)
    )
    from_ground = (beam_w_per_m2 * height + diffuse_w_per_m2) * _GROUND_REFLECTS * (1 - math.cos(tilt)) / 2
    return ClearSkyPower(
        # Rated power refers to 1000 W/m2, so 1 W/m2 on the plane gives 1 W per kWp, minus losses.
        beam_w=_PERFORMANCE * beam_w_per_m2 * max(0.0, facing),
        diffuse_w=_PERFORMANCE * (diffuse_w_per_m2 * (1 + math.cos(tilt)) / 2 + from_ground),
        horizontal_beam_w=_PERFORMANCE * beam_w_per_m2 * height,
    )


def midnight_s(day: date) -> int:
    """Return local midnight of a day, UNIX seconds.

    Summer time is by whole months, which is close enough for synthetic days.
    """
    offset = timedelta(hours=2 if day.month in _SUMMER_TIME_MONTHS else 1)
    return int((datetime(day.year, day.month, day.day, tzinfo=UTC) - offset).timestamp())


def utc_offset_s(midnight_s: int) -> int:
    """Return the offset from UTC at which this moment is midnight, seconds."""
    past_s = midnight_s % 86400
    return -past_s if past_s < 43200 else 86400 - past_s


ACTUAL_STEP_MIN = 5
ISSUE_HOURS = (0, 6, 12, 18)


@dataclass(frozen=True, slots=True)
class WeatherDay:
    """A day at a site, with its weather."""

    site: Site
    start_s: int
    """Local midnight, UNIX seconds."""
    cloud_cover: CloudCover

    @property
    def end_s(self) -> int:
        """The next midnight, UNIX seconds."""
        return self.start_s + MINUTES * 60


def producer_of(day: WeatherDay, roof: Roof, *, delay_min: int) -> ProducerSeries:
    """Return a roof's production on a day and its forecasts, issued at `ISSUE_HOURS`.

    Args:
        day: Site, date and weather.
        roof: Tilt, azimuth and rated power.
        delay_min: Minutes by which each cloud reaches this roof later than the first one.
    """
    clear_sky = _clear_day(day.site, roof.tilt_deg, roof.azimuth_deg, day.start_s)
    predictions = []
    for hour in ISSUE_HOURS:
        expected_w = [0.0] * MINUTES
        for minute in range(hour * 60, MINUTES, FORECAST_STEP_MIN):
            middle = minute + FORECAST_STEP_MIN // 2
            step_w = roof.peak_kw * day.cloud_cover.forecast_w(clear_sky[middle], middle, hour * 60)
            expected_w[minute : minute + FORECAST_STEP_MIN] = [step_w] * FORECAST_STEP_MIN
        production = _production(day, expected_w, FORECAST_STEP_MIN, clear_sky, first_minute=hour * 60)
        predictions.append(Prediction(issued_s=day.start_s + hour * 3600, production=production))
    return ProducerSeries(predictions=tuple(predictions), actual=actual_of(day, roof, delay_min=delay_min))


def actual_of(day: WeatherDay, roof: Roof, *, delay_min: int) -> Production:
    """Return a roof's actual production on a day.

    Args:
        day: Site, date and weather.
        roof: Tilt, azimuth and rated power.
        delay_min: Minutes by which each cloud reaches this roof later than the first one.
    """
    clear_sky = _clear_day(day.site, roof.tilt_deg, roof.azimuth_deg, day.start_s)
    minutes_w = [
        roof.peak_kw * day.cloud_cover.power_w(clear_sky[minute], minute - delay_min) for minute in range(MINUTES)
    ]
    return _production(day, minutes_w, ACTUAL_STEP_MIN, clear_sky, first_minute=0)


@lru_cache(maxsize=128)
def _clear_day(site: Site, tilt_deg: float, azimuth_deg: float, start_s: int) -> tuple[ClearSkyPower, ...]:
    """Clear-sky power in the middle of each minute of the day, W per kWp."""
    plane = Roof(tilt_deg, azimuth_deg, peak_kw=1)
    return tuple(_clear_sky_power(site, plane, start_s + minute * 60 + 30) for minute in range(MINUTES))


def _production(
    day: WeatherDay, minutes_w: Sequence[float], step_min: int, clear_sky: Sequence[ClearSkyPower], *, first_minute: int
) -> Production:
    """Average the power over steps, in whole watts, from the first hour with light (or that counts) to the last."""
    lit = [minute for minute in range(MINUTES) if clear_sky[minute].clear_w > 0]
    start = max(first_minute, lit[0] // 60 * 60)
    end = max(start + step_min, -(-(lit[-1] + 1) // 60) * 60)
    power_w = [
        round(math.fsum(minutes_w[minute : minute + step_min]) / step_min) for minute in range(start, end, step_min)
    ]
    return production_of_steps(day.start_s + start * 60, power_w, step_min * 60)


def production_of_steps(start_s: int, power_w: Sequence[float], step_s: int) -> Production:
    """Return the production with given average powers.

    Args:
        start_s: Beginning of the first step, UNIX seconds.
        power_w: Average power of each step, W.
        step_s: Length of a step, seconds.
    """
    return Production(
        times_s=tuple(start_s + i * step_s for i in range(len(power_w) + 1)), cumulative_wh=steps_wh(power_w, step_s)
    )
