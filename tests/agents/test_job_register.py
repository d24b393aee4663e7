"""The register of jobs: digests by which producers know genuine jobs, and how much a real device may add."""

from __future__ import annotations

import pytest

from agents.energy import LoadProfile
from agents.job_register import JobRegister, digest_of
from agents.model import TIMELINE, Job


def job(latest_start_s: int) -> Job:
    """Return a job that may start until some time."""
    return Job(
        job_id="c/wash",
        source_id="wash",
        house="c",
        device="washer",
        profile="wash",
        load_profile=LoadProfile(times_s=(0, 3600), cumulative_wh=(0.0, 1000.0)),
        registered_s=0,
        earliest_start_s=0,
        latest_start_s=latest_start_s,
    )


def test_a_digest_covers_what_a_job_is_now() -> None:
    """A job keeps its digest, but not for what is made of it."""
    original = job(600)
    digest = digest_of(original)
    assert digest_of(original) == digest == digest_of(job(600))
    changed = original.model_copy(update={"latest_start_s": 1200})
    assert digest_of(changed) == digest_of(job(1200)) != digest


def test_a_digest_is_of_the_job_that_exists_when_many_others_came_and_went() -> None:
    """Objects take the place in memory of others that no longer exist."""
    digests = {digest_of(job(60 * n)) for n in range(5_000)}
    assert len(digests) == 5_000


def added(number: int, load: LoadProfile, now_s: int) -> Job:
    """Return another job of a real device, which becomes known now."""
    times = {"registered_s": now_s, "earliest_start_s": now_s, "latest_start_s": now_s + 600}
    return job(600).model_copy(update={"job_id": f"c/{number}", "load_profile": load, **times})


POINTS = LoadProfile(times_s=tuple(range(10_000)), cumulative_wh=tuple(map(float, range(10_000))))
MONTH = LoadProfile(times_s=(0, 31 * 86_400), cumulative_wh=(0.0, 1000.0))


@pytest.mark.parametrize(
    ("load", "at_once", "a_day_later", "refusal"),
    [
        (POINTS, 25, 2, "adds jobs with 260000 points in total, more than 250000"),
        (MONTH, 12, 1, "adds jobs of 34819200 s in total, more than 400 days"),
    ],
)
def test_what_a_real_device_adds_is_bounded_and_the_bound_rises_by_the_day(
    load: LoadProfile, at_once: int, a_day_later: int, refusal: str
) -> None:
    """The clock keeps every job: a few thousand long ones of a member filled its memory. A script may add any."""
    register = JobRegister(gateways=["c/washer"])
    answers = [register.add("c/washer", added(n, load, 0), 0) for n in range(40)]
    assert answers == [""] * at_once + [refusal] * (40 - at_once)
    later = [register.add("c/washer", added(100 + n, load, 86_400), 86_400) for n in range(10)]
    assert later.count("") == a_day_later
    assert register.add(TIMELINE, added(200, load, 86_400), 86_400) == ""
