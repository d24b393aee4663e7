"""A device's calendar: what its jobs learn of each other's contracts."""

from __future__ import annotations

from agents.device_calendar import Calendar
from agents.model import Contract, Job
from tests.scenarios.neighbourhoods import START_S, job, load

HOUR_S = 3_600


def at(hour: int) -> int:
    """Return a time some hours after the start."""
    return START_S + hour * HOUR_S


def hour_long(job_id: str, first: int, last: int) -> Job:
    """Return a job of an hour that may start between two hours."""
    return job(job_id, "a", load((0, 0.0), (HOUR_S, 400.0)), (first * HOUR_S, last * HOUR_S))


def contract(job_id: str, hour: int) -> Contract:
    """Return a contract of a job that starts at some hour."""
    return Contract(
        contract_id=f"{job_id}/1", job_id=job_id, producer="roof", start_s=at(hour), agreed_s=START_S, energy_wh=400.0
    )


EARLY, LATE, TOMORROW = hour_long("early", 1, 4), hour_long("late", 3, 6), hour_long("tomorrow", 30, 40)


def test_a_change_concerns_the_jobs_that_could_overlap_with_it_and_is_reported_once() -> None:
    """Directly or through others; what happens a day later has nothing to do with it."""
    calendar = Calendar([EARLY, LATE, TOMORROW])
    calendar.affect(EARLY, START_S)
    assert calendar.take_changes() == ({"early", "late"}, False)
    assert calendar.take_changes() == (set(), False)


def test_the_end_of_a_contract_frees_time() -> None:
    """Which is reported once, too."""
    calendar = Calendar([EARLY, LATE])
    calendar.affect(EARLY, START_S)
    calendar.place(contract("early", 3), ((at(3), at(3)),))
    assert not calendar.has_more_time(LATE, ((at(4), at(6)),), START_S)
    calendar.free("early")
    assert calendar.take_changes()[1]
    assert not calendar.take_changes()[1]
    assert calendar.has_more_time(LATE, ((at(4), at(5)),), START_S)


def test_a_job_with_a_contract_may_start_wherever_no_other_one_runs() -> None:
    """To ask for that frees nothing: the contract stays in the calendar."""
    calendar = Calendar([EARLY, LATE])
    mine = contract("early", 1)
    calendar.affect(EARLY, START_S)
    calendar.place(mine, ((at(1), at(1)),))
    calendar.place(contract("late", 4), ((at(4), at(4)),))
    calendar.take_changes()
    assert calendar.starts_of(mine, START_S) == ((at(1), at(3)),)
    assert calendar.take_changes() == (set(), False)
    assert mine in calendar.unstarted(START_S)
    assert calendar.movable("early") == ((at(1), at(1)),)
