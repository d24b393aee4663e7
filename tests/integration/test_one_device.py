"""One device runs one job at a time: with every algorithm, any forecasts, and any suppliers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import product
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agents import job_sequencing
from agents.model import GRID, TOGETHER, Contract, Job
from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings
from broker.transport.memory import MemoryBroker
from scenarios.device_overlaps import overlapping
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.integration.test_lifecycle import panel, registered, shine
from tests.scenarios.neighbourhoods import START_S, job, load, neighbourhood
from tests.virtual_time import new_virtual_loop

HOUR_S = 3600
STEP_S = 1800
"""All times of the drawn scenarios are so long, so that every sequence can be tried."""


def play(
    scenario: Scenario, algorithm: str = "insertion", *, patient: bool = True, hosts: int | None = None, seed: int = 1
) -> RunOutcome:
    """Run in memory; what consumers, producers and the ledger hold is compared at the end."""
    chosen = RunSettings(seed, "run", AlgorithmSettings(algorithm), hosts=hosts, patient=patient)
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(run_scenario(scenario, chosen, MemoryBroker()))


def standing(outcome: RunOutcome) -> dict[str, Contract]:
    """Return the standing contract of each job."""
    return {entry.contract.job_id: entry.contract for entry in outcome.ledger if entry.state == "standing"}


def starts_h(outcome: RunOutcome) -> dict[str, tuple[str, float]]:
    """Return by job id who supplies it, and the hours from the run's start to its own."""
    return {job_id: (c.producer, (c.start_s - START_S) / HOUR_S) for job_id, c in standing(outcome).items()}


def reasons(outcome: RunOutcome) -> set[str]:
    """Return what the ledger says why contracts were agreed or amended as they were."""
    return {event.reason for entry in outcome.ledger for event in entry.history if event.what in ("agreed", "amended")}


def machine(job_id: str, hours: float, window_h: tuple[float, float], kwh: float = 1.0) -> Job:
    """Return a job of the one machine of house a."""
    duration_s = round(hours * HOUR_S)
    window_s = (round(window_h[0] * HOUR_S), round(window_h[1] * HOUR_S))
    return job(job_id, "a", load((0, 0.0), (duration_s, kwh * 1000.0)), window_s)


def alone(jobs: Sequence[Job], producers: Mapping[str, ProducerSeries] | None = None) -> Scenario:
    """Return a neighbourhood of one house with one machine, and with these producers."""
    return neighbourhood({"a": producers or {}}, jobs)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("patient", [True, False])
def test_three_jobs_run_one_after_the_other_where_their_windows_leave_room_for_just_that(
    algorithm: str, *, patient: bool
) -> None:
    """One machine, windows that leave only 6, 8 and 10 o'clock, production for all three at once."""
    jobs = [machine(name, 2, (6, 10)) for name in ("j1", "j2", "j3")]
    plenty = tuple((s, 20.0 * wh) for s, wh in shine(*range(6, 13)))
    outcome = play(alone(jobs, {"pv": panel((0, plenty))}), algorithm, patient=patient)
    assert sorted(start for _, start in starts_h(outcome).values()) == [6, 8, 10]
    assert reasons(outcome) == {""}


@pytest.mark.parametrize("patient", [True, False])
def test_jobs_on_grid_power_follow_one_another_too(*, patient: bool) -> None:
    """Without production, the grid could serve all at once, but the machine cannot."""
    jobs = [machine(name, 2, (6, 10)) for name in ("j1", "j2", "j3")]
    outcome = play(alone(jobs), patient=patient)
    assert {producer for producer, _ in starts_h(outcome).values()} == {GRID}
    assert sorted(start for _, start in starts_h(outcome).values()) == [6, 8, 10]


def test_patient_jobs_wait_as_long_as_all_of_them_still_find_room() -> None:
    """The first goes at 8 o'clock, when the last could not be over in time otherwise; sun that comes at 9 serves it."""
    jobs = [machine(name, 2, (6, 10)) for name in ("j1", "j2")]
    outcome = play(alone(jobs, {"pv": panel((0, shine()), (9 * HOUR_S, shine(*range(9, 13))))}))
    assert sorted(starts_h(outcome).values()) == [(GRID, 8), ("pv", 10)]


def test_two_producers_do_not_start_the_same_machine_at_the_same_time() -> None:
    """Each has production for one job, both at 6 o'clock."""
    jobs = [machine(name, 2, (6, 9), kwh=1.9) for name in ("j1", "j2")]
    outcome = play(alone(jobs, {"pv-1": panel((0, shine(6, 7))), "pv-2": panel((0, shine(6, 7, 8, 9)))}))
    by_start = sorted(starts_h(outcome).values(), key=lambda place: place[1])
    assert by_start == [("pv-1", 6), ("pv-2", 8)]


def test_a_job_that_occupies_the_only_time_of_a_later_one_gives_way() -> None:
    """The first could run at any time and took the morning; what is registered later can run then only."""
    early = machine("early", 2, (6, 12))
    only = registered(machine("only", 2, (6, 6)), 5 * HOUR_S)
    outcome = play(alone([early, only], {"pv": panel((0, shine(*range(6, 15))))}))
    assert starts_h(outcome) == {"early": ("pv", 8), "only": ("pv", 6)}
    assert [
        (entry.contract.job_id, entry.state, entry.history[-1].reason)
        for entry in outcome.ledger
        if entry.state == "cancelled"
    ] == [("early", "cancelled", "its device needs the time for another job")]


def test_a_move_does_not_take_the_time_of_the_machines_other_job() -> None:
    """At noon the forecast moves production an hour later: a job may move only within its own share of the time."""
    jobs = [machine("j1", 1, (8, 14), kwh=0.9), machine("j2", 1, (8, 14), kwh=0.9)]
    late = panel((0, shine(8, 9, 10, 11, 12, 13)), (7 * HOUR_S, shine(10, 11, 12, 13)))
    outcome = play(alone(jobs, {"pv": late}))
    starts = sorted(start for _, start in starts_h(outcome).values())
    assert starts[1] - starts[0] >= 1
    assert starts[0] >= 10


def test_jobs_whose_windows_leave_no_way_run_together_and_the_ledger_says_so() -> None:
    """Both can start at 6 o'clock only."""
    jobs = [machine(name, 2, (6, 6)) for name in ("j1", "j2")]
    outcome = play(alone(jobs))
    assert starts_h(outcome) == {"j1": (GRID, 6), "j2": (GRID, 6)}
    assert reasons(outcome) == {"", TOGETHER}


def test_only_those_run_together_that_must() -> None:
    """Two that can start at 6 o'clock only, and one that has the day."""
    jobs = [machine("free", 2, (6, 20)), machine("j1", 2, (6, 6)), machine("j2", 2, (6, 6))]
    outcome = play(alone(jobs))
    held = standing(outcome)
    meeting = overlapping({job.job_id: job for job in jobs}, held.values())
    assert [{a.job_id, b.job_id} for a, b in meeting] == [{"j1", "j2"}]


@st.composite
def panels(draw: st.DrawFn) -> ProducerSeries:
    """A panel with up to three forecasts of some hours of sun each."""
    hours = st.sets(st.integers(0, 9), max_size=8).map(lambda some: shine(*some))
    issued = sorted({0, *draw(st.lists(st.integers(0, 12), max_size=2))})
    return panel(*((step * STEP_S, draw(hours)) for step in issued))


@st.composite
def busy_machines(draw: st.DrawFn, *, known: bool) -> Scenario:
    """One machine with two to four jobs, two panels; all jobs are known at the start, or registered at any time."""
    jobs = []
    for i in range(draw(st.integers(2, 4))):
        first, width = draw(st.integers(0, 8)), draw(st.integers(0, 8))
        hours, kwh = draw(st.integers(1, 4)) / 2, draw(st.sampled_from([0.2, 0.4, 0.9]))
        of = machine(f"j{i}", hours, (first / 2, (first + width) / 2), kwh)
        jobs.append(of if known else registered(of, draw(st.integers(0, first + width)) * STEP_S))
    jobs.sort(key=lambda job: (job.registered_s, job.job_id))
    return alone(jobs, {"pv-1": draw(panels()), "pv-2": draw(panels())})


def can_all_follow(jobs: Sequence[Job], taken: Sequence[tuple[int, int]], now_s: int) -> bool:
    """Try every start of every job; all times are multiples of `STEP_S` after the run's start, `now_s` too."""
    windows = [range(max(job.earliest_start_s, now_s), job.latest_start_s + 1, STEP_S) for job in jobs]
    for starts_s in product(*windows):
        spans = [*taken, *((s, s + job.duration_s) for s, job in zip(starts_s, jobs, strict=True))]
        if all(a[1] <= b[0] or b[1] <= a[0] for i, a in enumerate(spans) for b in spans[max(i + 1, len(taken)) :]):
            return True
    return False


CHEAP = ("insertion", "fifty_fifty")


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_two_jobs_of_a_machine_meet_where_any_sequence_keeps_all_windows(algorithm: str) -> None:
    """Found by trying all starts, where all jobs are known at once."""

    @settings(max_examples=40 if algorithm in CHEAP else 12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(scenario=busy_machines(known=True), patient=st.booleans(), hosts=st.sampled_from([1, 3, None]))
    def check(scenario: Scenario, *, patient: bool, hosts: int | None) -> None:
        outcome = play(scenario, algorithm, patient=patient)
        meeting = overlapping({job.job_id: job for job in scenario.jobs}, standing(outcome).values())
        assert bool(meeting) <= (not can_all_follow(scenario.jobs, [], START_S))
        assert (TOGETHER in reasons(outcome)) >= bool(meeting)
        assert play(scenario, algorithm, patient=patient, hosts=hosts).ledger_sha256 == outcome.ledger_sha256

    check()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(scenario=busy_machines(known=False), patient=st.booleans(), algorithm=st.sampled_from(CHEAP))
@pytest.mark.long
def test_jobs_registered_later_meet_others_only_if_there_was_no_way_left(
    scenario: Scenario, *, patient: bool, algorithm: str
) -> None:
    """Running jobs stay, and all unstarted ones are moved if that helps."""
    outcome = play(scenario, algorithm, patient=patient)
    jobs = {job.job_id: job for job in scenario.jobs}
    held = standing(outcome)
    if not overlapping(jobs, held.values()):
        return
    now_s = min(event.at_s for entry in outcome.ledger for event in entry.history if event.reason == TOGETHER)
    settled_s = {e.contract.job_id: e.history[-1].at_s for e in outcome.ledger if e.state == "standing"}
    started = {c.job_id for c in held.values() if c.start_s < now_s or c.start_s == now_s > settled_s[c.job_id]}
    running = [(held[job_id].start_s, held[job_id].start_s + jobs[job_id].duration_s) for job_id in started]
    to_come = [job for job in scenario.jobs if job.registered_s <= now_s and job.job_id not in started]
    step_s = START_S + -(-(now_s - START_S) // STEP_S) * STEP_S
    assert not can_all_follow(to_come, running, step_s)


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("most_sets", [2_000, 20])
def test_many_jobs_of_mixed_lengths_follow_one_another(
    monkeypatch: pytest.MonkeyPatch, *, patient: bool, most_sets: int
) -> None:
    """Twenty that could all meet: with all orders tried, and where that takes too much effort."""
    monkeypatch.setattr(job_sequencing, "MAX_SETS", most_sets)
    dice = Random(20)
    jobs = []
    for i in range(20):
        hours, first = dice.choice([0.25, 0.4, 0.5, 0.6]), dice.randrange(0, 8)
        jobs.append(machine(f"j{i:02}", hours, (first, first + dice.randrange(2, 12)), kwh=0.3))
    sun = {"pv-1": panel((0, shine(8, 9, 10))), "pv-2": panel((0, shine(9, 10)), (6 * HOUR_S, shine(9, 10, 11)))}
    outcome = play(alone(jobs, sun), patient=patient)
    assert overlapping({job.job_id: job for job in jobs}, standing(outcome).values()) == []
    assert reasons(outcome) == {""}


def test_jobs_registered_long_before_do_not_hold_each_other() -> None:
    """All washes of a week are known on Monday: those of other days cost no message."""
    week = [machine(f"day-{day}", 2, (24 * day + 8, 24 * day + 18)) for day in range(7)]
    messages = [play(alone(week[:days])).messages for days in (1, 7)]
    assert messages[1] == 7 * messages[0]
