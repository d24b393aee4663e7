"""Times as people read and write them: in the hour that occurs twice, and with an offset from UTC."""

from __future__ import annotations

from datetime import datetime

import pytest

from scenarios.devices.device_times import moment_of
from scenarios.files.series.table_times import moment
from scenarios.zone import Zone, iso_datetime


@pytest.mark.parametrize(
    ("zone", "moment", "narrow", "exact"),
    [
        ("Europe/Berlin", "2026-10-25T01:59:00+02:00", "25 Oct 01:59", "25 Oct 01:59"),
        ("Europe/Berlin", "2026-10-25T02:30:00+02:00", "25 Oct 2A:30", "25 Oct 02:30+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30:00+01:00", "25 Oct 2B:30", "25 Oct 02:30+01:00"),
        ("Europe/Berlin", "2026-10-25T02:59:59+01:00", "25 Oct 2B:59:59", "25 Oct 02:59:59+01:00"),
        ("Europe/Berlin", "2026-10-25T03:00:00+01:00", "25 Oct 03:00", "25 Oct 03:00"),
        ("Australia/Lord_Howe", "2026-04-05T01:45:00+10:30", "05 Apr 1B:45", "05 Apr 01:45+10:30"),
        ("America/Santiago", "2026-04-04T23:15:00-04:00", "04 Apr 23B15", "04 Apr 23:15-04:00"),
        ("America/Santiago", "2026-04-04T23:15:30-03:00", "04 Apr 23A15:30", "04 Apr 23:15:30-03:00"),
        ("America/Havana", "2026-11-01T00:15:00-05:00", "01 Nov 0B:15", "01 Nov 00:15-05:00"),
        ("", "2026-10-25T01:30:00+00:00", "25 Oct 01:30", "25 Oct 01:30"),
    ],
)
def test_times_that_occur_twice_are_told_apart(zone: str, moment: str, narrow: str, exact: str) -> None:
    """With the offset, or in no more room than others."""
    time_s = datetime.fromisoformat(moment).timestamp()
    assert Zone(key=zone).narrow_moment(time_s) == narrow
    assert len(narrow) == len(Zone(key=zone).narrow_moment(time_s + 2 * 86_400))
    assert Zone(key=zone).exact_moment(time_s) == exact


@pytest.mark.parametrize(
    "text",
    ["2026-07-01T00:00+02:60", "20260701T0000-0299", "2026-07-01T00:00:00+02:00:60", "2026-07-01T00:00:00+02:00:00.5"],
)
def test_an_offset_of_sixty_minutes_is_none(text: str) -> None:
    """In a file, in a device's message and in a meter's table; `+02:60` was taken for three hours."""
    with pytest.raises(ValueError, match="has no valid offset from UTC"):
        iso_datetime(text)
    with pytest.raises(ValueError, match="is not a time"):
        moment_of(text, 1_782_000_000, Zone())
    assert moment(text) is None
    assert moment("01.07.2026 00:00 +0260") is None


@pytest.mark.parametrize("offset", ["Z", "+02", "+0200", "-03:30", "+00:53:28", "-235959", ""])
def test_an_offset_may_be_written_shortly(offset: str) -> None:
    """All forms of ISO 8601, and none at all."""
    written = f"2026-07-01T00:00:00{offset}"
    assert iso_datetime(written) == datetime.fromisoformat(written)


def test_a_zone_knows_when_its_offset_changes() -> None:
    """The change is at the whole hour; a zone with a fixed offset has none."""
    midnight_s = 1_792_879_200  # 2026-10-25T00:00:00+02:00
    berlin = Zone(7200, "Europe/Berlin")
    assert berlin.utc_offsets(midnight_s, midnight_s + 90_000) == [(midnight_s, 7200), (midnight_s + 10_800, 3600)]
    assert Zone(20_700).utc_offsets(midnight_s, midnight_s + 90_000) == [(midnight_s, 20_700)]


def test_days_are_counted_by_the_clocks_of_the_zone() -> None:
    """From the noon before the clocks go back until the next noon, one day passes, of 25 hours."""
    zone = Zone(7200, "Europe/Berlin")
    noon_s = int(datetime(2026, 10, 24, 12, tzinfo=zone.tzinfo).timestamp())
    hours = {24: 0, 25: 1, 48: 1, 49: 2, -23: -1, -24: -1, -25: -2, 0: 0, -1: -1}
    assert {after: zone.full_days(noon_s, noon_s + 3600 * after) for after in hours} == hours
    spring_s = int(datetime(2026, 3, 28, 12, tzinfo=zone.tzinfo).timestamp())
    shorter = {22: 0, 23: 1, 46: 1, 47: 2, -24: -1}
    assert {after: zone.full_days(spring_s, spring_s + 3600 * after) for after in shorter} == shorter
    assert {after: Zone().full_days(0, 3600 * after) for after in (23, 24, 47, 48)} == {23: 0, 24: 1, 47: 1, 48: 2}


@pytest.mark.parametrize(("day", "hours"), [(24, 12.0), (25, 13.0), (26, 12.0)])
def test_a_day_begins_at_midnight_by_the_clocks_of_the_zone(day: int, hours: float) -> None:
    """To the second, also where the clocks go back between midnight and the time asked for."""
    zone = Zone(7200, "Europe/Berlin")
    noon_s = int(datetime(2026, 10, day, 12, tzinfo=zone.tzinfo).timestamp())
    assert zone.midnight_s(noon_s + 59) == noon_s - hours * 3600
    assert zone.iso(zone.midnight_s(noon_s)).startswith(f"2026-10-{day}T00:00:00+0")
