"""Jobs of one device that run at the same time."""

from __future__ import annotations

from agents.model import GRID
from scenarios.device_overlaps import overlapping
from tests.scenarios.neighbourhoods import contract, job, load

HOUR_S = 3600


def test_each_job_overlaps_the_one_that_runs_longest() -> None:
    """A short job in between does not hide a long one that is still running; jobs that only touch do not overlap."""
    long = job("long", "a", load((0, 0), (3 * HOUR_S, 1)))
    short = [job(name, "a", load((0, 0), (HOUR_S // 2, 1))) for name in ("first", "second", "after")]
    elsewhere = job("elsewhere", "b", load((0, 0), (HOUR_S, 1)))
    starts_s = {"long": 0, "first": HOUR_S, "second": 2 * HOUR_S, "after": 3 * HOUR_S, "elsewhere": HOUR_S}
    jobs = {of.job_id: of for of in (long, *short, elsewhere)}
    contracts = [contract(jobs[job_id], GRID, start_s) for job_id, start_s in starts_s.items()]

    found = overlapping(jobs, contracts)

    assert [(one.job_id, other.job_id) for one, other in found] == [("long", "first"), ("long", "second")]
