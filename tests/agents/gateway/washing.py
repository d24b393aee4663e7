"""The job of the tests: a washing machine washes for an hour, as soon as the job is registered."""

from __future__ import annotations

from agents.energy import LoadProfile
from agents.model import Job

START_S, HOUR_S = 1_782_021_600, 3600


def wash(*, energy_wh: float = 400.0, latest_start_s: int = START_S) -> Job:
    """Return the job, which draws constant power.

    Args:
        energy_wh: What it draws, Wh.
        latest_start_s: UNIX seconds.
    """
    return Job(
        job_id="adler/washer/wash-1",
        source_id="wash-1",
        house="adler",
        device="washer",
        profile="eco",
        load_profile=LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, energy_wh)),
        registered_s=START_S,
        earliest_start_s=START_S,
        latest_start_s=latest_start_s,
    )
