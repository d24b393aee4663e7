"""Times in fields: a date and a time of day, written back in the form that the file has."""

from __future__ import annotations

import pytest

from tui.editor.forms.time_fields import RunStart, in_words, join, offset_name, shifted, split

RUN_START = RunStart.of("2026-06-21T00:00:00+02:00")


@pytest.mark.parametrize(
    ("value", "date", "clock"),
    [
        ("08:00", "2026-06-21", "08:00"),
        ("25:30", "2026-06-22", "01:30"),
        ("08:00:05", "2026-06-21", "08:00:05"),
        ("2026-06-22T01:30:00+02:00", "2026-06-22", "01:30"),
        (1782000000, "2026-06-21", "02:00"),
        ("8 o'clock", "", "8 o'clock"),
        (None, "", ""),
    ],
)
def test_a_time_is_shown_as_date_and_time_of_day(value: object, date: str, clock: str) -> None:
    """It is at the offset of the start; an invalid time is shown unchanged."""
    assert split(value, RUN_START) == (date, clock)


@pytest.mark.parametrize(
    ("date", "clock", "old", "new"),
    [
        ("2026-06-21", "09:15", "08:00", "09:15"),
        ("2026-06-21", "9:15", "08:00", "09:15"),
        ("2026-06-22", "01:30", "08:00", "25:30"),
        ("2026-06-22", "01:30", None, "25:30"),
        ("2026-06-22", "01:30", "2026-06-21T00:00:00+02:00", "2026-06-22T01:30+02:00"),
        ("2026-06-21", "02:00", 5, 1782000000),
        ("2026-06-20", "23:00", "08:00", "2026-06-20T23:00+02:00"),
        ("2026-06-2", "09:15", "08:00", "2026-06-2T09:15+02:00"),
        ("2026-06-21", "9", "08:00", "09:00"),
        ("2026-06-21", "9:1", "08:00", "2026-06-21T9:1+02:00"),
        ("", "30:00", "08:00", "30:00"),
    ],
)
def test_a_time_is_written_in_the_form_of_the_old_one(date: str, clock: str, old: object, new: object) -> None:
    """Invalid input is written as typed, and the check reports it."""
    assert join(date, clock, RUN_START, old) == new


def test_up_and_down_go_to_whole_quarters_and_days() -> None:
    """The form of the time is kept; an invalid time is unchanged."""
    assert shifted("08:07", 900, RUN_START) == "08:15"
    assert shifted("08:07", -900, RUN_START) == "08:00"
    assert shifted("08:07", 86_400, RUN_START) == "32:07"
    assert shifted("soon", 900, RUN_START) is None


@pytest.mark.parametrize(
    ("value", "by_s", "new"),
    [
        ("2026-10-24T12:00", 86_400, "2026-10-25T12:00:00"),
        ("2026-10-25T12:00:00", -86_400, "2026-10-24T12:00:00"),
        ("2026-10-24T12:00:00+02:00", 86_400, "2026-10-25T12:00:00+01:00"),
        ("12:00", 86_400, "36:00"),
        ("36:00", -86_400, "12:00"),
        ("2026-10-25T02:50:00+02:00", 900, "2026-10-25T02:00:00+01:00"),
        ("2026-10-24T02:30", 86_400, "2026-10-25T02:30:00+02:00"),
    ],
)
def test_a_day_later_it_is_the_same_time_of_day(value: str, by_s: int, new: str) -> None:
    """Also where clocks change; a time without an offset gets one only where clocks show it twice."""
    assert shifted(value, by_s, RunStart.of("2026-10-24T00:00", "Europe/Berlin")) == new


def test_a_list_says_the_day_where_it_is_another() -> None:
    """Short, for the tree."""
    assert [in_words(value, RUN_START) for value in ("08:00", "25:30", "soon", None)] == [
        "08:00",
        "01:30 +1d",
        "soon",
        "?",
    ]


def test_the_zone_beside_a_time_has_room() -> None:
    """Its abbreviation at that time, which also tells the two half past twos apart."""
    run_start = RunStart.of("2026-10-25T00:00:00", "Europe/Berlin")
    assert offset_name("2026-10-25T02:30:00+02:00", run_start) == "CEST"
    assert offset_name("2026-10-25T02:30:00+01:00", run_start) == "CET"
    assert offset_name("soon", run_start) == "Europe/Berlin"


def test_a_list_tells_the_two_hours_of_the_same_name_apart() -> None:
    """As narrowly as other times."""
    run_start = RunStart.of("2026-10-25T00:00:00", "Europe/Berlin")
    assert [in_words(value, run_start) for value in ("+2h30m", "+3h30m", "+4h30m")] == ["2A:30", "2B:30", "03:30"]
