"""The commands to a device: their content, its own timer, and how many there were."""

from __future__ import annotations

import pytest

from agents.gateway.device_commands import DeviceCommands
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.job_course import JobCourse
from broker.hosts import Agent
from broker.hosts.coroutines import Channel
from tests.agents.gateway.washing import HOUR_S, START_S, wash

WASH = wash(latest_start_s=START_S + HOUR_S)
TIMER_S = 2 * (HOUR_S + 900)
"""Twice the hour and its grace of a quarter."""


def commands(longest_timer_s: int | None = None) -> DeviceCommands:
    """Return the commands to a washing machine."""
    return DeviceCommands(GatewaySettings(id="w", house="adler", device="washer", longest_timer_s=longest_timer_s))


def washing(device: str = "w") -> JobCourse:
    """Return the course of a wash that has not started."""
    return JobCourse(WASH, "wash-1", device, Channel(Agent("adler/washer")), reference="ref")


def test_a_command_to_start_names_the_job_and_how_long_the_device_may_run() -> None:
    """The job counts as commanded."""
    course = washing()
    command = commands().start(course, "w", START_S, 2)
    assert (command.command, command.device, command.job, command.reference) == ("start", "w", "wash-1", "ref")
    assert (command.time_s, command.attempt, command.run_s) == (START_S, 2, TIMER_S)
    assert course.is_commanded


def test_only_commands_to_start_are_counted_and_not_for_another_device() -> None:
    """Repetitions count; a guest that takes the place begins with none."""
    sent, course = commands(), washing()
    for attempt in (1, 2):
        sent.start(course, "w", START_S, attempt)
    course.state = "EXECUTING"
    sent.renew(course, "w", START_S)
    sent.stop("w", START_S)
    assert sent.sent == 2
    sent.answered = 1
    sent.restart_counts()
    assert (sent.sent, sent.answered) == (0, 0)


@pytest.mark.parametrize(
    ("longest_timer_s", "renewed_after_s"), [(None, None), (HOUR_S, HOUR_S // 2), (10**6, TIMER_S // 2)]
)
def test_a_device_with_a_timer_of_its_own_is_commanded_again_when_half_of_it_has_passed(
    longest_timer_s: int | None, renewed_after_s: int | None
) -> None:
    """The timer is set to what the device can, or to what the job needs."""
    course = washing()
    commands(longest_timer_s).start(course, "w", START_S, 1)
    assert course.renew_timer_s == (None if renewed_after_s is None else START_S + renewed_after_s)


def test_a_timer_is_renewed_only_while_the_job_runs() -> None:
    """The timer of an interrupted job may run out."""
    sent, course = commands(HOUR_S), washing()
    course.state, course.renew_timer_s = "INTERRUPTED", START_S
    assert sent.renew(course, "w", START_S) is None
    assert course.renew_timer_s is None
    course.state = "EXECUTING"
    command = sent.renew(course, "w", START_S)
    assert command is not None
    assert (command.command, command.run_s) == ("renew", TIMER_S)
    assert course.renew_timer_s == START_S + HOUR_S // 2


def test_a_job_of_a_guest_that_has_left_is_still_addressed_to_that_guest() -> None:
    """Its place may have another device by now; a job of the timeline is for whoever has it."""
    assert commands().start(washing("guest"), "next", START_S, 1).device == "guest"
    assert commands().start(washing(""), "next", START_S, 1).device == "next"
