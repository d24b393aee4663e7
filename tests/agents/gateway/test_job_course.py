"""The course of a job on a device: what counts as its end, and as what it drew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.gateway.gateway_consumer import GatewayConsumer
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.job_course import JobCourse, JobCourses, JobEnd
from agents.gateway.meter import Meter
from tests.agents.gateway.washing import HOUR_S, START_S, wash

GATEWAY = GatewaySettings(id="washer", house="adler", device="washer")


@pytest.fixture
def course() -> JobCourse:
    """Return a job of an hour that has just started."""
    agent = GatewayConsumer("adler/washer", (), patient=True, gateway=GATEWAY)
    course = JobCourse(wash(energy_wh=1000.0), "wash-1", "washer", agent.channel(), state="EXECUTING")
    course.begin(START_S, Meter())
    return course


def _end(
    course: JobCourse, after_s: int, *, is_lost: bool = False, silent_s: int = 0, power_w: float = 0
) -> JobEnd | None:
    meter = Meter(power_w=power_w)
    return course.end_at(START_S + after_s, GATEWAY, meter, is_lost=is_lost, silent_s=silent_s)


def _reads(course: JobCourse, *readings: tuple[int, float, float]) -> None:
    """Take readings: seconds since the start, W, and Wh since then."""
    for after_s, power_w, energy_wh in readings:
        course.add_reading(START_S + after_s, Meter(energy_wh=energy_wh, power_w=power_w), GATEWAY)


def test_a_pause_in_the_first_half_is_not_the_end(course: JobCourse) -> None:
    """A washing machine soaks: it draws next to nothing for longer than `idle_s`, and goes on."""
    _reads(course, (60, 2000, 30), (600, 1, 300))
    assert _end(course, 600 + GATEWAY.idle_s) is None
    assert _end(course, HOUR_S // 2) == JobEnd("FINISHED", "")


@pytest.mark.parametrize(
    ("rules", "offline_s", "is_over"), [(12, 900, True), (13, 900, False), (13, HOUR_S // 2, True)]
)
def test_a_pause_in_the_first_half_is_not_the_end_if_the_device_was_offline_afterwards(
    course: JobCourse, rules: int, offline_s: int, *, is_over: bool
) -> None:
    """The machine washed on while its plug had lost its connection, for an hour at 400 W that was in no bill."""
    gateway, at_most_idle = replace(GATEWAY, rules=rules), Meter(power_w=1.0)

    def end(after_s: int, *, is_lost: bool) -> JobEnd | None:
        return course.end_at(START_S + after_s, gateway, at_most_idle, is_lost=is_lost, silent_s=after_s - offline_s)

    course.add_reading(START_S + 60, Meter(power_w=2_000.0), gateway)
    course.add_reading(START_S + 300, at_most_idle, gateway)
    course.go_offline(START_S + offline_s, gateway)
    finished, late_s = JobEnd("FINISHED", ""), HOUR_S + course.grace_s
    for is_lost in (True, False):  # or back, and not read yet
        assert end(HOUR_S // 2, is_lost=is_lost) == (finished if is_over else None)
    vanished = JobEnd("ABORTED", "vanished", "its device is offline")
    assert end(late_s, is_lost=True) == (finished if is_over else vanished)
    course.add_reading(START_S + HOUR_S, at_most_idle, gateway)
    course.add_reading(START_S + HOUR_S + GATEWAY.idle_s, at_most_idle, gateway)
    assert end(HOUR_S + GATEWAY.idle_s, is_lost=False) == finished


@pytest.mark.parametrize(("rules", "is_over"), [(11, True), (12, False)])
def test_a_short_pause_of_a_plug_that_reports_every_five_minutes_is_not_the_end(
    course: JobCourse, *, rules: int, is_over: bool
) -> None:
    """It was switched off in mid-programme, after a single reading: the next one came a second later than it waited."""
    gateway = replace(GATEWAY, rules=rules)
    for after_s in range(300, 2_401, 300):
        course.add_reading(START_S + after_s, Meter(power_w=2_000.0 if after_s < 2_400 else 1.0), gateway)
    pause_s = START_S + 2_400
    end = course.end_at(pause_s + 300, gateway, Meter(power_w=1.0), is_lost=False, silent_s=300)
    assert (end is not None) is is_over
    course.add_reading(pause_s + 301, Meter(power_w=2_000.0), gateway)
    assert course.end_at(pause_s + 301, gateway, Meter(), is_lost=False, silent_s=0) is None


def test_a_plug_that_is_read_seldom_has_ended_its_programme_when_a_second_reading_shows_it(course: JobCourse) -> None:
    """Or when that reading is missing: many plugs report only what changes."""
    _reads(course, *((after_s, 2_000.0, 0.0) for after_s in range(300, 2_400, 300)), (2_400, 1.0, 0.0))
    assert _end(course, 2_699) is None
    look_s = course.next_look_s(START_S + 2_400, GATEWAY)
    assert look_s == START_S + 3_060
    assert _end(course, 3_060) == JobEnd("FINISHED", "")
    assert course.add_reading(START_S + 2_700, Meter(power_w=1.0), GATEWAY)
    assert _end(course, 2_700) == JobEnd("FINISHED", "")


@pytest.mark.parametrize(("rules", "is_over"), [(11, True), (12, False)])
def test_a_short_pause_of_a_programme_that_takes_longer_than_planned_is_not_its_end(
    course: JobCourse, *, rules: int, is_over: bool
) -> None:
    """It was switched off at its first reading of next to nothing."""
    gateway = replace(GATEWAY, rules=rules)
    for after_s in range(60, 2 * HOUR_S + 1, 60):
        course.add_reading(START_S + after_s, Meter(power_w=2_000.0 if after_s < 2 * HOUR_S else 1.0), gateway)

    def end(after_s: int) -> JobEnd | None:
        return course.end_at(START_S + after_s, gateway, Meter(power_w=1.0), is_lost=False, silent_s=0)

    assert (end(2 * HOUR_S) is not None) is is_over
    assert course.next_look_s(START_S + 2 * HOUR_S, gateway) <= START_S + 2 * HOUR_S + GATEWAY.idle_s
    assert end(2 * HOUR_S + GATEWAY.idle_s) == JobEnd("FINISHED", "")


def test_a_device_that_is_silent_long_after_its_time_has_vanished(course: JobCourse) -> None:
    """One on stand-by is followed for twice its duration and an hour, one that draws more at times for longer."""
    _reads(course, (60, 2000, 30), (HOUR_S, 2000, 1000))
    late_s = HOUR_S + course.grace_s
    assert _end(course, late_s, silent_s=course.grace_s + 1) == JobEnd(
        "ABORTED", "vanished", "its device sends nothing more"
    )
    assert _end(course, late_s, is_lost=True) == JobEnd("ABORTED", "vanished", "its device is offline")
    _reads(course, (2 * HOUR_S, 8, 1100))
    assert _end(course, 3 * HOUR_S - 1, power_w=8) is None
    assert _end(course, 3 * HOUR_S, power_w=8) == JobEnd("FINISHED", "", "it still draws power")
    _reads(course, (3 * HOUR_S, 30, 1110), (3 * HOUR_S + 60, 8, 1110))
    assert _end(course, 4 * HOUR_S, power_w=8) is None
    _reads(course, (26 * HOUR_S, 2000, 9000))
    assert _end(course, 27 * HOUR_S - 1, power_w=2000) is None
    assert _end(course, 27 * HOUR_S, power_w=2000) == JobEnd("FINISHED", "", "it still draws power")


def test_standby_after_the_end_does_not_count_as_drawn(course: JobCourse) -> None:
    """The measured load ends where the programme did, with the energy of before."""
    _reads(course, (600, 2000, 333), (3000, 4, 900), (3600, 4, 900.7))
    course.state = "FINISHED"
    drawn = course.drawn(Meter(power_w=4))
    assert drawn is not None
    assert drawn.times_s == (0, 600, 3000)
    assert drawn.energy_wh == pytest.approx(900, abs=0.1)


def test_a_job_is_found_by_the_id_that_its_device_knows_or_the_neighbourhoods(course: JobCourse) -> None:
    """Only the device that requested it knows it by the short one."""
    courses = JobCourses({})
    courses.add(course)

    assert courses.named("wash-1", "adler/washer") is course
    assert courses.named("adler/washer/wash-1", "brandt/dryer") is course
    assert courses.named("wash-1", "brandt/dryer") is None


def test_an_id_for_a_job_without_one_is_neither_taken_nor_given_twice(course: JobCourse) -> None:
    """The device may have named a job like one of ours."""
    courses = JobCourses({})
    courses.add(replace(course, job=course.job.model_copy(update={"job_id": "adler/washer/job-1"})))

    assert [courses.unused_id("adler/washer") for _ in range(2)] == ["job-2", "job-3"]


def test_jobs_that_have_ended_are_not_open(course: JobCourse) -> None:
    """They remain known: the last one is shown until there is another."""
    courses = JobCourses({})
    courses.add(course)
    assert courses.open == [course]

    course.state = "FINISHED"
    assert (courses.open, courses.next) == ([], course)


def test_a_job_that_starts_at_time_0_takes_as_long_as_any_other() -> None:
    """Time 0 was taken for no start at all: the job had always just begun, and never drew anything."""
    agent = GatewayConsumer("adler/washer", (), patient=True, gateway=GATEWAY)
    course = JobCourse(wash(), "wash-1", "washer", agent.channel(), state="EXECUTING")
    course.begin(0, Meter())
    course.add_reading(HOUR_S, Meter(energy_wh=400.0, power_w=0.0), GATEWAY)
    assert course.points == [(0, 0.0), (HOUR_S, 400.0)]
    assert course.is_over_when_switched_off(HOUR_S, GATEWAY.rules)
