"""Notes on parts of a scenario that cannot meet in time; following a note helps."""

# ruff: noqa: E501 - a message stands in one line, as users see it

from __future__ import annotations

from dataclasses import replace

import pytest

from scenarios.files.scenario_from_text import load_text
from scenarios.files.series.coverage_notes import MoveStart, RunDays, ShiftForecasts, coverage_notes
from scenarios.load import bundled_names, load_scenario

TEXT = """\
version: 1
name: apart
start: 2026-06-21T00:00:00+02:00
seed: 1
load_profiles: {wash: {step_s: 1800, power_w: [2000, 400]}}
houses:
  - id: a
    devices:
      - {id: w, type: consumer, load_profile: wash}
      - id: pv
        type: producer
        predictions: [{issued: "00:00", start: "2026-06-21T06:00:00+02:00", step_s: 3600, power_w: [500, 3000, 3000, 500]}]
jobs:
  - {house: a, device: w, registered: "05:00", earliest_start: "06:00", latest_start: "12:00"}
"""
SUN = '{issued: "00:00", start: "2026-06-21T06:00:00+02:00", step_s: 3600, power_w: [500, 3000, 3000, 500]}'
MORE = """\
      - id: pv-2
        type: producer
        predictions: [{issued: "00:00", start: "06:00", step_s: 3600, power_w: [500, 3000, 3000, 500]}]
jobs:
"""
A_JOB = '  - {house: a, device: w, registered: "05:00", earliest_start: "06:00", latest_start: "12:00"}\n'


def notes_on(text: str, days: int | None = None) -> list[str]:
    """Return the notes on a text."""
    return [note.what for note in coverage_notes(load_text(text, "s.yaml", None), days)]


def test_parts_that_meet_in_time_are_not_noted() -> None:
    """This includes a job's window at night, next to a day's forecast."""
    assert notes_on(TEXT) == []
    assert notes_on(TEXT.replace('"06:00", latest_start: "12:00"', '"20:00", latest_start: "23:00"')) == []


@pytest.mark.parametrize("name", bundled_names())
def test_bundled_scenarios_have_no_notes(name: str) -> None:
    """They are as intended."""
    assert coverage_notes(load_scenario(name)) == ()


@pytest.mark.parametrize(("year", "days"), [("2027", -365), ("2016", 3652), ("1970", 20_454)])
def test_forecasts_outside_the_run_are_noted_with_both_remedies(year: str, days: int) -> None:
    """The note states both periods; each remedy helps."""
    text = TEXT.replace("2026-06-21T06", f"{year}-06-21T06")
    notes = coverage_notes(load_text(text, "s.yaml", None))
    assert [note.what for note in notes] == [
        (
            "no forecast reaches into the run: the run is from 2026-06-21 00:00 to 13:00 (+02:00), "
            f"the forecasts are from {year}-06-21 06:00 to 10:00 (+02:00); move the start to {year}-06-21T00:00:00+02:00 "
            f"(times written as HH:MM move with it), or shift the forecasts of pv by {days:+} days"
        )
    ]
    move, shift = notes[0].remedies
    assert isinstance(move, MoveStart)
    assert shift == ShiftForecasts(("pv",), days)
    assert notes[0].path == ("houses", 0, "devices", 1)
    assert all("forecast" not in note for note in notes_on(text.replace("2026-06-21T00", f"{year}-06-21T00")))


def test_one_producer_of_several_is_named() -> None:
    """The others' forecasts reach into the run."""
    text = TEXT.replace("2026-06-21T06", "2027-06-21T06").replace("jobs:\n", MORE)
    assert notes_on(text) == [
        (
            "no forecast of pv reaches into the run: the run is from 2026-06-21 00:00 to 13:00 (+02:00), "
            "the forecasts are from 2027-06-21 06:00 to 10:00 (+02:00); shift the forecasts of pv by -365 days"
        )
    ]


def test_a_forecast_issued_after_the_run_is_noted() -> None:
    """It is issued when the run is over."""
    assert notes_on(TEXT.replace('issued: "00:00"', 'issued: "30:00"')) == [
        (
            "no forecast reaches into the run: the run is from 2026-06-21 00:00 to 13:00 (+02:00), the forecasts are issued "
            "after its end, or are for before and after it (from 2026-06-21 06:00 to 10:00 (+02:00))"
        )
    ]


def test_actual_production_outside_the_run_is_noted() -> None:
    """It is a year of meter data, but of another year."""
    actual = f'predictions: [{SUN}]\n        actual: {{start: "2025-06-21T06:00:00+02:00", step_s: 3600, power_w: [500, 3000]}}'
    assert notes_on(TEXT.replace(f"predictions: [{SUN}]", actual)) == [
        (
            "the actual production of pv is from 2025-06-21 06:00 to 08:00 (+02:00), "
            "and the run is from 2026-06-21 00:00 to 13:00 (+02:00): it counts as 0"
        )
    ]


def test_jobs_after_the_end_are_noted() -> None:
    """The note states the number of days that the run would need."""
    late = A_JOB.replace('"05:00"', '"29:00"').replace('"06:00"', '"30:00"').replace('"12:00"', '"47:00"')
    text = TEXT + late
    assert notes_on(text, days=1) == [
        "1 of 2 jobs (a/w#2) can run only when the run is over: the run is from 2026-06-21 00:00 to 2026-06-22 00:00 (+02:00); run 2 days",
        "1 of 2 jobs (a/w#2) can run only on days without a forecast, so on grid power: forecasts are from 2026-06-21 00:00 to 23:59 (+02:00)",
    ]
    notes = coverage_notes(replace(load_text(text, "s.yaml", None), days=1))
    assert notes[0].remedies == (RunDays(2),)
    assert notes_on(text, days=2) == [notes_on(text, days=1)[1]]


def test_a_start_long_before_all_events_is_noted() -> None:
    """Nothing happens for a week."""
    text = TEXT.replace("start: 2026-06-21T00", "start: 2026-06-14T00")
    for time in ("05:00", "06:00", "12:00"):
        text = text.replace(f'"{time}"', f'"2026-06-21T{time}:00+02:00"')
    assert notes_on(text) == [
        (
            "the run starts at 2026-06-14 00:00 (+02:00), 7 days before its first job or forecast (2026-06-21 05:00 (+02:00)); "
            "move the start to 2026-06-21T00:00:00+02:00 (times written as HH:MM move with it)"
        )
    ]


def test_jobs_in_1970_are_noted() -> None:
    """Their times are seconds of a day, not UNIX seconds."""
    text = TEXT.replace("2026-06-21T00:00:00+02:00", "0").replace("2026-06-21T06:00:00+02:00", "06:00")
    assert notes_on(text) == [
        (
            "the run starts at 1970-01-01 00:00 (UTC): were seconds of a day meant as UNIX seconds? "
            "Times are expected in seconds since 1970, or as dates"
        )
    ]


def test_forecasts_are_brought_to_the_jobs_and_not_to_an_empty_first_day() -> None:
    """The only job is on the third day, production a week later."""
    late = A_JOB.replace('"05:00"', '"53:00"').replace('"06:00"', '"54:00"').replace('"12:00"', '"60:00"')
    text = TEXT.replace(A_JOB, late).replace("2026-06-21T06", "2026-06-30T06")
    (note,) = (note for note in coverage_notes(load_text(text, "s.yaml", None)) if "forecast reaches" in note.what)
    assert note.remedies == (
        MoveStart(load_text(text, "s.yaml", None).start_s + 7 * 86_400),
        ShiftForecasts(("pv",), -7),
    )
    shifted = notes_on(text.replace("2026-06-30T06", "2026-06-23T06"))
    assert not [what for what in shifted if "no forecast" in what or "without a forecast" in what]


def test_a_run_of_local_days_long_enough_is_proposed_where_clocks_change() -> None:
    """The first day has 23 hours, and the job ends 24 hours after its start."""
    text = TEXT.replace("start: 2026-06-21T00:00:00+02:00\n", "start: 2026-03-29T00:00:00+01:00\nzone: Europe/Berlin\n")
    text = text.replace("2026-06-21T06", "2026-03-29T06").replace(
        'registered: "05:00", earliest_start: "06:00", latest_start: "12:00"',
        'registered: "05:00", earliest_start: "2026-03-30T00:00+02:00", latest_start: "2026-03-30T00:00+02:00"',
    )
    (note,) = (note for note in coverage_notes(load_text(text, "s.yaml", None), 1) if "is over" in note.what)
    assert note.remedies == (RunDays(2),)


def test_the_night_after_a_forecast_ends_at_local_midnight_after_a_change_of_the_clocks() -> None:
    """The run starts in summer time; a job before midnight of the next day is not on a day without a forecast."""
    text = TEXT.replace("start: 2026-06-21T00:00:00+02:00\n", "start: 2026-10-25T00:00:00+02:00\nzone: Europe/Berlin\n")
    text = text.replace("2026-06-21T06:00:00+02:00", "2026-10-26T06:00:00+01:00").replace(
        'registered: "05:00", earliest_start: "06:00", latest_start: "12:00"',
        'registered: "05:00", earliest_start: "2026-10-26T23:15+01:00", latest_start: "2026-10-26T23:30+01:00"',
    )
    assert notes_on(text, 2) == []
    later = text.replace("2026-10-26T23:15", "2026-10-27T00:15").replace("2026-10-26T23:30", "2026-10-27T00:30")
    assert any("only on days without a forecast" in note for note in notes_on(later, 3))


def test_the_hour_that_occurs_twice_is_noted_with_its_offset() -> None:
    """02:30 is one of two times on the day on which the clocks go back."""
    text = TEXT.replace("start: 2026-06-21T00:00:00+02:00\n", "start: 2026-10-25T02:30+01:00\nzone: Europe/Berlin\n")
    text = text.replace("2026-06-21T06:00:00+02:00", "2026-10-27T06:00:00+01:00").replace(
        'registered: "05:00", earliest_start: "06:00", latest_start: "12:00"',
        'registered: "00:00", earliest_start: "00:00", latest_start: "02:00"',
    )
    (missing,) = (what for what in notes_on(text) if "forecast reaches" in what)
    assert "the run is from 2026-10-25 02:30+01:00 to 05:30 (Europe/Berlin)" in missing
    assert "the forecasts are from 2026-10-27 06:00 to 10:00 (Europe/Berlin)" in missing
    summer = text.replace("2026-10-25T02:30+01:00", "2026-10-25T02:30+02:00")
    assert any("the run is from 2026-10-25 02:30+02:00 to 05:30 (Europe/Berlin)" in what for what in notes_on(summer))
