"""Times as people read them: at the offset that the file's start has."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from scenarios.files.dump import to_yaml
from scenarios.files.scenario_from_text import load_text
from scenarios.files.times import MAX_TIME_S, format_after_start, parse_moment, parse_time
from scenarios.load import load_scenario
from scenarios.zone import Zone

MIDNIGHT_S = 1_781_992_800
"""2026-06-21T00:00:00+02:00."""


@pytest.mark.parametrize(
    ("offset_s", "name", "moment", "iso"),
    [
        (0, "UTC", "20 Jun 22:00", "2026-06-20T22:00:00Z"),
        (7200, "+02:00", "21 Jun 00:00", "2026-06-21T00:00:00+02:00"),
        (-12_600, "-03:30", "20 Jun 18:30", "2026-06-20T18:30:00-03:30"),
    ],
)
def test_a_time_is_written_at_the_offset(offset_s: int, name: str, moment: str, iso: str) -> None:
    """The offset has a name."""
    zone = Zone(offset_s)
    assert (zone.name, zone.exact_moment(MIDNIGHT_S), zone.iso(MIDNIGHT_S)) == (name, moment, iso)
    assert zone.clock(MIDNIGHT_S + 1).endswith(":01")


def test_the_end_of_time_is_shown_too() -> None:
    """An offset would lead beyond the calendar."""
    assert Zone(50_400).at(253_402_300_799).year == 9999


def test_the_offset_outlives_writing_and_reading() -> None:
    """It survives from file to scenario and back."""
    street = load_scenario("street")
    assert street.zone == Zone(7200)
    assert load_text(to_yaml(street), "x", None) == street


JOB = """\
version: 1
name: small
start: {start}
days: 3
seed: 1
load_profiles:
  wash: {{points: [[0, 0], [3600, 900]]}}
houses:
  - {{id: adler, devices: [{{id: washer, type: consumer, load_profile: wash}}]}}
jobs:
  - {{house: adler, device: washer, registered: "00:00", earliest_start: "{time}", latest_start: "60:00"}}
"""


def test_the_zone_of_a_run_may_show_the_year_10000_when_it_starts() -> None:
    """Clock times count from what the clocks show; the year of UTC is still 9999. The message names the time."""
    end_s, zone = 253_402_300_799, ZoneInfo("Europe/Berlin")
    with pytest.raises(ValueError, match="'12:00' is not a time between the years 1970 and 9999"):
        parse_time("12:00", end_s, zone)
    assert format_after_start(end_s, end_s, zone) == "9999-12-31T23:59:59Z"


def test_the_first_year_of_the_calendar_is_out_of_range() -> None:
    """In a zone it would begin in the year 0."""
    with pytest.raises(ValueError, match="is not a time between the years 1970 and 9999"):
        parse_time("0001-01-01T00:00:00", 0, ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize("zone", ["", "Europe/Berlin"])
@pytest.mark.parametrize("time", ["2d 12:00", "9999d 12:00", "+300d", "99999:00"])
def test_a_time_after_the_year_9999_is_out_of_range(zone: str, time: str) -> None:
    """Of a job and of an event; also where the clock of a zone shows no such time."""
    last = Zone(3600 if zone else 0, zone)
    start_s = MAX_TIME_S - 7200
    with pytest.raises(ValueError, match="is not a time between the years 1970 and 9999"):
        parse_time(time, start_s, ZoneInfo(zone) if zone else None)
    if time != "99999:00":
        with pytest.raises(ValueError, match="is not a time between the years 1970 and 9999"):
            parse_moment(time, start_s, last)
    assert last.days_later_s(start_s, 2) == start_s + 2 * 86_400


@pytest.mark.parametrize(
    ("start", "time", "iso"),
    [
        ("2026-06-21T00:00:00+02:00", "2d 12:00", "2026-06-22T12:00:00+02:00"),
        ("2026-06-21T00:00:00+02:00", "+1h30m", "2026-06-21T01:30:00+02:00"),
        # On a day of 23 hours, the clock of the second day and hours after the start differ.
        ("2026-03-29T00:00:00\nzone: Europe/Berlin", "2d 12:00", "2026-03-30T12:00:00+02:00"),
        ("2026-03-29T00:00:00\nzone: Europe/Berlin", "+36h", "2026-03-30T13:00:00+02:00"),
    ],
)
def test_a_job_takes_the_times_of_a_timeline(start: str, time: str, iso: str) -> None:
    """A time of a later day, and a time after the start."""
    scenario = load_text(JOB.format(start=start, time=time), "x", None)
    assert scenario.zone.iso(scenario.jobs[0].earliest_start_s) == iso


def test_a_time_after_a_start_in_the_repeated_hour_is_not_before_it() -> None:
    """The clock shows 02:30 twice; a run that starts at the second one was refused jobs registered at its start."""
    berlin = ZoneInfo("Europe/Berlin")
    start_s = parse_time("2026-10-25T02:30+01:00", None, berlin)
    assert [parse_time(text, start_s, berlin) - start_s for text in ("00:00", "00:20", "01:00")] == [0, 1200, 3600]
    assert parse_moment("2:45", start_s, Zone(3600, "Europe/Berlin")) == start_s + 900
    with pytest.raises(ValueError, match="in the past"):
        parse_moment("2:15", start_s, Zone(3600, "Europe/Berlin"))
