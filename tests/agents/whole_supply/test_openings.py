"""Which of the jobs that a producer has declined are told that they would be accepted now."""

from __future__ import annotations

from agents.energy import LoadProfile, Production
from agents.scheduling import AlgorithmSettings, Commitment, ProducerState, Task, scheduler_for
from agents.whole_supply.openings import DeclinedJob, DeclinedJobs
from agents.whole_supply.provisional_promises import OPENINGS_SENT, Provisional

HOUR_S = 3_600
NOW_S = 1_782_021_600
INSERTION = scheduler_for(AlgorithmSettings())
ENOUGH = Production(times_s=(NOW_S, NOW_S + 4 * HOUR_S), cumulative_wh=(0.0, 4_000.0))
"""1 kW for four hours."""
NOTHING = Production(times_s=(NOW_S, NOW_S + 4 * HOUR_S), cumulative_wh=(0.0, 0.0))


def task(name: str, first: float = 1, last: float = 1) -> Task:
    """Return a job that draws 900 W for an hour, and may start between two hours from now."""
    load = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 900.0))
    return Task(name, load, NOW_S + round(first * HOUR_S), NOW_S + round(last * HOUR_S))


def declined(*tasks: Task) -> DeclinedJobs:
    """Return jobs that wait, each of a consumer with its name."""
    jobs = DeclinedJobs()
    for one in tasks:
        jobs.add(f"{one.job_id}/machine", one)
    return jobs


def told(
    jobs: DeclinedJobs, state: ProducerState, forecasts: int = 1, provisional: Provisional | None = None
) -> list[str]:
    """Return the consumers of the jobs that receive an opening."""
    return [job.consumer for job in jobs.take_openings(state, forecasts, INSERTION, provisional)]


def state(production: Production, *committed: Task) -> ProducerState:
    """Return a producer that has promised jobs at their earliest starts."""
    return ProducerState(production, tuple(Commitment(one, one.earliest_start_s) for one in committed), NOW_S)


def test_jobs_that_would_be_accepted_are_told_in_the_order_in_which_they_were_declined() -> None:
    """Each as if it were the only one: the first to ask again gets the energy."""
    assert told(declined(task("b"), task("a")), state(ENOUGH)) == ["b/machine", "a/machine"]
    assert told(declined(task("b"), task("a")), state(NOTHING)) == []


def test_a_job_is_told_once_under_the_same_conditions() -> None:
    """Another forecast, or another promise, changes the conditions."""
    jobs = declined(task("a"))
    assert told(jobs, state(ENOUGH)) == ["a/machine"]
    assert told(jobs, state(ENOUGH)) == []
    assert told(jobs, state(ENOUGH), forecasts=2) == ["a/machine"]
    assert told(jobs, state(ENOUGH, task("other", 3, 3)), forecasts=2) == ["a/machine"]


def test_a_job_that_is_declined_again_counts_as_told_unless_its_device_has_other_times() -> None:
    """Otherwise its consumer would ask, and be declined, for ever."""
    jobs = declined(task("a"))
    told(jobs, state(ENOUGH))
    jobs.add("a/machine", task("a"))
    assert told(jobs, state(ENOUGH)) == []
    jobs.add("a/machine", task("a", 1, 2))
    assert told(jobs, state(ENOUGH)) == ["a/machine"]


def test_a_job_that_is_accepted_or_withdrawn_or_lost_waits_no_more() -> None:
    """Only its own consumer withdraws it."""
    jobs = declined(task("accepted"), task("withdrawn"), task("lost"), task("waits"))
    jobs.remove("accepted")
    jobs.withdraw("withdrawn/machine", "withdrawn")
    jobs.withdraw("accepted/machine", "waits")
    jobs.forget_consumers({"lost/machine"})
    assert told(jobs, state(ENOUGH)) == ["waits/machine"]
    jobs.clear()
    assert jobs.tasks == ()


def test_a_job_waits_until_its_latest_start() -> None:
    """In that very second it can still start."""
    jobs = declined(task("a", 1, 2))
    jobs.forget_late(NOW_S + 2 * HOUR_S)
    assert [one.job_id for one in jobs.tasks] == ["a"]
    jobs.forget_late(NOW_S + 2 * HOUR_S + 1)
    assert jobs.tasks == ()


def test_a_job_was_told_if_it_waits_and_has_received_an_opening() -> None:
    """With late promises, others may then be pushed out for it."""
    jobs = declined(task("a"))
    assert not jobs.was_told("a")
    told(jobs, state(ENOUGH))
    assert jobs.was_told("a")
    assert not jobs.was_told("unknown")


def test_with_late_promises_a_job_is_told_a_bounded_number_of_times_in_one_second() -> None:
    """What was not sent counts as not told."""
    jobs, provisional = declined(task("a")), Provisional()
    sent = [told(jobs, state(ENOUGH), forecasts, provisional) for forecasts in range(OPENINGS_SENT + 3)]
    assert sent == [["a/machine"]] * OPENINGS_SENT + [[]] * 3
    (job,) = jobs.take_openings(state(ENOUGH), 0, INSERTION, None)
    assert isinstance(job, DeclinedJob)
    assert job.task == task("a")
