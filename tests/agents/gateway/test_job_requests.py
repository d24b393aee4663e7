"""A device's requests for jobs: which load they name, and which of them no job can stand for."""

from __future__ import annotations

import pytest

from agents.device_events import JobAsked
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.job_requests import MAX_PROFILES, DeviceProfiles, RequestError, requested_job
from agents.model import Job
from broker.protocol import MAX_TIME_S
from tests.scenarios.neighbourhoods import START_S, load

WASH, DRY = load((0, 0.0), (3600, 1000.0)), load((0, 0.0), (1800, 500.0))
PLACE = GatewaySettings(id="w1", house="a", device="washer")


def requested(profiles: DeviceProfiles, **asked: str | int) -> Job:
    """Return the job that the device asks for."""
    return requested_job(JobAsked.model_validate(asked), "job-1", profiles, PLACE, "w1", START_S).job


def test_a_request_without_a_profile_has_the_only_one_that_the_device_has_announced() -> None:
    """The first announcement of a single profile decides; the next one does not."""
    profiles = DeviceProfiles({})
    assert profiles.take({"wash": WASH})
    assert profiles.take({"dry": DRY})

    job = requested(profiles, latest_start_s=START_S + 60)

    assert (job.profile, job.load_profile) == ("wash", WASH)


def test_what_a_job_has_drawn_is_what_its_profile_is_from_then_on() -> None:
    """A device without any profile learns its own."""
    known, unknown = DeviceProfiles({"wash": WASH}), DeviceProfiles({})
    known.learn("wash", DRY)
    unknown.learn("job-1", DRY)

    assert known.load_of(JobAsked(profile="wash")) == ("wash", DRY)
    assert unknown.load_of(JobAsked()) == ("learned", DRY)


def test_too_many_profiles_are_refused_together() -> None:
    """None of an announcement is taken if it makes too many; those that are known already do not count twice."""
    profiles = DeviceProfiles({str(number): WASH for number in range(MAX_PROFILES)})

    assert not profiles.take({"0": DRY, "new": DRY})
    assert profiles.load_of(JobAsked(profile="0")) == ("0", WASH)
    assert profiles.take({"0": DRY})


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"profile": "dry"}, "profile 'dry' is not known"),
        ({"profile": "wash"}, "the latest start is missing"),
        ({"profile": "wash", "ready_by_s": START_S + 3599}, "there is no start in time: the job takes 3600 s"),
        ({"profile": "wash", "latest_start_s": START_S - 1}, "there is no start in time: latest_start"),
        ({"profile": "wash", "latest_start_s": MAX_TIME_S}, "job: Value error, the times of the job are not within"),
        ({"profile": "wash", "latest_start_s": START_S + 367 * 86_400}, "the job lasts 3600 s, and starts within 317"),
    ],
)
def test_a_request_that_no_job_can_stand_for_says_why(asked: dict[str, str | int], problem: str) -> None:
    """The device is told what is expected instead."""
    with pytest.raises(RequestError) as refused:
        requested(DeviceProfiles({"wash": WASH}), **asked)

    assert refused.value.problem.startswith(problem)
    assert refused.value.expected
