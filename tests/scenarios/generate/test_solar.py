"""The sun over Germany: known positions, known yields, dark nights."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents import FloatArray
from scenarios.generate.solar import Roof, Site, ambient_c, clear_irradiance, power_of, sun_positions

FRANKFURT = Site(latitude_deg=50.1, longitude_deg=8.7)


def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("site", "moment", "elevation_deg", "azimuth_deg"),
    [
        # Solar noon: 90 degrees less the latitude, plus or less the declination.
        (FRANKFURT, "2026-06-21T13:27:00+02:00", 63.3, 180),
        (FRANKFURT, "2026-12-21T12:23:00+01:00", 16.5, 180),
        # Equinox: on the equator the sun passes overhead and rises in the east.
        (Site(0.0, 0.0), "2026-03-20T06:37:00+00:00", 7.5, 90),
        # The worked example of Reda and Andreas, Solar Energy 76 (2004): Colorado, zenith 50.11, azimuth 194.34.
        (Site(39.742476, -105.1786), "2003-10-17T12:30:30-07:00", 39.89, 194.34),
    ],
)
def test_position_is_the_one_that_almanacs_give(
    site: Site, moment: str, elevation_deg: float, azimuth_deg: float
) -> None:
    """Within half a degree of height."""
    (zenith,), (azimuth,), _ = sun_positions(site, np.array([_second(moment)], dtype=np.float64))

    assert 90 - math.degrees(zenith) == pytest.approx(elevation_deg, abs=0.5)
    assert math.degrees(azimuth) == pytest.approx(azimuth_deg, abs=1)


def _clear_w(roof: Roof, *moments_s: int) -> FloatArray:
    """Return the power of a roof in Frankfurt under a clear sky at some moments, W per kWp."""
    times_s = np.array(moments_s, dtype=np.float64)
    light = clear_irradiance(FRANKFURT, roof.tilt_deg, roof.azimuth_deg, times_s)
    return power_of(light.beam + light.diffuse, ambient_c(FRANKFURT, times_s))


def _kwh_of_day(roof: Roof, day: str) -> float:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    seconds = [int((start + timedelta(minutes=minute)).timestamp()) for minute in range(0, 24 * 60, 5)]
    return float(_clear_w(roof, *seconds).sum()) / 12 / 1000


def test_a_clear_june_day_gives_what_german_roofs_give() -> None:
    """KWh per kWp, by season."""
    south = Roof(tilt_deg=30, azimuth_deg=180, peak_kw=1)

    assert 5.4 <= _kwh_of_day(south, "2026-06-21") <= 7
    assert 4.5 <= _kwh_of_day(south, "2026-03-20") <= 6
    assert 1.5 <= _kwh_of_day(south, "2026-12-21") <= 3


def test_east_has_the_morning_and_west_the_evening() -> None:
    """Over the day both produce the same."""
    east, west = (Roof(tilt_deg=40, azimuth_deg=azimuth, peak_kw=1) for azimuth in (90, 270))

    day = _second("2026-06-21T09:00:00+02:00"), _second("2026-06-21T18:00:00+02:00")
    (east_morning, east_evening), (west_morning, west_evening) = _clear_w(east, *day), _clear_w(west, *day)
    assert east_morning > 2 * west_morning
    assert west_evening > 2 * east_evening
    assert _kwh_of_day(east, "2026-06-21") == pytest.approx(_kwh_of_day(west, "2026-06-21"), rel=0.02)


def test_nights_are_dark() -> None:
    """Production is zero between dusk and dawn."""
    roof = Roof(tilt_deg=30, azimuth_deg=180, peak_kw=1)

    for hour in (0, 2, 4, 23):
        assert _clear_w(roof, _second(f"2026-06-21T{hour:02}:00:00+02:00")) == 0
