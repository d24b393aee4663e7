"""Digests of jobs, by which producers distinguish registered jobs from invented ones."""

from __future__ import annotations

from agents.energy import LoadProfile
from agents.job_register import digest_of
from agents.model import Job


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
