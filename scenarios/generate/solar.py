"""Places and their sun: its position, and a roof's production under a clear sky, within 5 % of pvlib's daily energy.

Position: the *Astronomical Almanac*'s formulas of low precision, within 0.01 degrees (Michalsky, Solar Energy 40 (1988)
227), as an error of 0.1 degrees is a third of a day's energy where the sun hardly rises; refraction after Reda and
Andreas (NREL 2008). Clear sky: the simplified Solis model (Ineichen, Solar Energy 82 (2008) 758) for an aerosol optical
depth of 0.1 and 1 cm of water. Tilted plane: Hay and Davies (1980), ground albedo 0.2, losses by reflection at the
glass after ASHRAE. Cells: SAPM's temperature of panels close to a roof (King et al., Sandia 2004) and -0.4 % per
kelvin. System losses: PVWatts version 5 (Dobos, NREL 2014), 14.1 %, and an inverter of 96 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np

from agents import FloatArray

_J2000_S = 946_728_000
"""Noon of 1 January 2000, from which almanacs count, UNIX seconds."""
_SOLAR_CONSTANT_W_PER_M2 = 1366.1
_GROUND_REFLECTS = 0.2
_SYSTEM = (1 - 0.140757) * 0.96
"""Efficiency after soiling, shading, wiring and similar losses, and the inverter."""
_PER_KELVIN = -0.004
_HEATS = math.exp(-2.98 - 0.0471)
"""Module above ambient temperature, K per W/m2, at a wind of 1 m/s."""
_GLASS = 0.05
"""ASHRAE's coefficient of the incidence angle."""
_LEAST_COSINE = 0.01745
_GERMANY = (47.0, 55.2, 5.5, 15.2)
"""Latitudes and longitudes between which German time is assumed."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place on Earth, degrees; north and east are positive."""

    latitude_deg: float
    longitude_deg: float

    @classmethod
    def parse(cls, text: str) -> Site:
        """Return the place that a text such as `50.1,8.7` names: latitude and longitude.

        Raises:
            ValueError: The text is not two finite numbers.
        """
        latitude_deg, longitude_deg = (float(part) for part in text.split(","))
        if not math.isfinite(latitude_deg + longitude_deg):
            raise ValueError(f"{text!r} is not a place")
        return cls(latitude_deg, longitude_deg)


@dataclass(frozen=True, slots=True)
class Roof:
    """PV panels on one plane."""

    tilt_deg: float
    """0 is horizontal."""
    azimuth_deg: float
    """Orientation, clockwise from north: 90 east, 180 south, 270 west."""
    peak_kw: float
    """Rated power under standard test conditions, kWp."""


@dataclass(frozen=True, slots=True)
class ClearSkyPower:
    """Irradiance on a roof under a clear sky, as the power that the panels produce from it, W per kWp."""

    beam_w: float
    """From direct irradiance."""
    diffuse_w: float
    """From the blue sky and the ground."""
    horizontal_beam_w: float
    """From the direct irradiance on level ground, part of which clouds scatter."""

    @property
    def clear_w(self) -> float:
        """Beam and diffuse power together, W."""
        return self.beam_w + self.diffuse_w


@dataclass(frozen=True, slots=True)
class Irradiance:
    """Irradiance on a plane under a clear sky at several times, W/m2, shape (times,)."""

    beam: FloatArray
    """Direct irradiance, including circumsolar, behind the glass."""
    diffuse: FloatArray
    """From the rest of the sky and the ground, after the glass."""
    horizontal_beam: FloatArray
    """Direct, on level ground."""


def sun_positions(site: Site, times_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return where the sun stands, and how strong it is outside the atmosphere.

    Args:
        site: The place.
        times_s: The moments, UNIX seconds, shape (times,).

    Returns:
        Zenith angles and azimuths (clockwise from north), radians, and irradiance, W/m2; shape (times,) each.
    """
    days = (times_s - _J2000_S) / 86_400
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 0.0000004 * days)
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    sidereal = np.radians(280.46061837 + 360.98564736629 * days)
    hour_angle = sidereal + math.radians(site.longitude_deg) - right_ascension
    distance_au = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    latitude = math.radians(site.latitude_deg)
    up = math.sin(latitude) * np.sin(declination) + math.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    east = -np.cos(declination) * np.sin(hour_angle)
    north = math.cos(latitude) * np.sin(declination) - math.sin(latitude) * np.cos(declination) * np.cos(hour_angle)
    extra = _SOLAR_CONSTANT_W_PER_M2 / distance_au**2
    return np.arccos(np.clip(up, -1.0, 1.0)), np.arctan2(east, north) % (2 * np.pi), extra


def _refracted(zenith: FloatArray) -> FloatArray:
    """Return where the sun is seen, radians: the air lifts a low one, which matters in northern winters."""
    elevation = np.maximum(90.0 - np.degrees(zenith), -0.8333)
    lifted = 1.02 * (101_325 / 101_000) * (283 / 285) / (60 * np.tan(np.radians(elevation + 10.3 / (elevation + 5.11))))
    is_seen = 90.0 - np.degrees(zenith) >= elevation
    return np.where(is_seen, zenith - np.radians(lifted), zenith)


def ambient_c(site: Site, times_s: FloatArray) -> FloatArray:
    """Return typical central European temperatures of sunny hours at `times_s`, UNIX seconds, by season.

    The temperatures at `site` are in degrees Celsius, of the same shape as `times_s`.
    """
    share_of_year = (times_s / 86_400 / 365.2425) % 1.0
    season = np.cos(2 * np.pi * (share_of_year - 20 / 365)) * (1 if site.latitude_deg >= 0 else -1)
    return np.asarray(14.0 - 7.0 * season, dtype=np.float64)


def clear_irradiance(site: Site, tilt_deg: float, azimuth_deg: float, times_s: FloatArray) -> Irradiance:
    """Return the irradiance on a plane under a clear sky; zero while the sun is below the horizon.

    Args:
        site: Latitude and longitude.
        tilt_deg: 0 is horizontal.
        azimuth_deg: Clockwise from north.
        times_s: UNIX seconds, shape (times,).
    """
    zenith, azimuth, extra = sun_positions(site, times_s)
    zenith = _refracted(zenith)
    height = np.cos(zenith)
    is_up = height > 0
    sine = np.where(is_up, np.maximum(height, 1e-4), 1.0)
    top = extra * 1.1782
    normal = np.where(is_up, top * np.exp(-0.512 / sine**0.498705), 0.0)
    total = np.where(is_up, top * np.exp(-0.394 / sine**0.405181) * sine, 0.0)
    diffuse = np.where(is_up, top * np.exp(-2.514609 / sine**0.17563), 0.0)
    tilt = math.radians(tilt_deg)
    towards = azimuth - math.radians(azimuth_deg)
    facing = np.clip(height * math.cos(tilt) + np.sin(zenith) * math.sin(tilt) * np.cos(towards), 0.0, 1.0)
    through = np.clip(1 - _GLASS * (1 / np.maximum(facing, 1e-3) - 1), 0.0, 1.0)
    around_sun = normal / extra
    scattered = 1 - _GLASS * (1 / math.cos(math.radians(59)) - 1)
    halo = diffuse * around_sun / np.maximum(height, _LEAST_COSINE) * facing * scattered
    beam = normal * facing * through + halo
    from_sky = diffuse * (1 - around_sun) * (1 + math.cos(tilt)) / 2
    from_ground = total * _GROUND_REFLECTS * (1 - math.cos(tilt)) / 2
    return Irradiance(
        beam=np.where(is_up, beam, 0.0),
        diffuse=np.where(is_up, (from_sky + from_ground) * scattered, 0.0),
        horizontal_beam=np.where(is_up, normal * height, 0.0),
    )


def power_of(irradiance: FloatArray, ambient: FloatArray) -> FloatArray:
    """Return what panels produce, W per kWp.

    Args:
        irradiance: In the plane of the panels, after the glass, W/m2.
        ambient: Temperature of the air, degrees Celsius, of the same shape.
    """
    cell_c = ambient + irradiance * (_HEATS + 1 / 1000)
    return np.asarray(_SYSTEM * irradiance * (1 + _PER_KELVIN * (cell_c - 25)), dtype=np.float64)


def clear_sky_w(site: Site, roof: Roof, times_s: FloatArray) -> FloatArray:
    """Return what a roof produces under a clear sky, W, shape (times,).

    Args:
        site: Latitude and longitude.
        roof: Tilt, azimuth and rated power.
        times_s: The moments, UNIX seconds, shape (times,).
    """
    light = clear_irradiance(site, roof.tilt_deg, roof.azimuth_deg, times_s)
    return roof.peak_kw * power_of(light.beam + light.diffuse, ambient_c(site, times_s))


def usual_zone(site: Site) -> tzinfo:
    """Return German time in and around Germany, otherwise the whole hour nearest to solar time."""
    south, north, west, east = _GERMANY
    if south <= site.latitude_deg <= north and west <= site.longitude_deg <= east:
        return ZoneInfo("Europe/Berlin")
    return timezone(timedelta(hours=round(site.longitude_deg / 15)))
