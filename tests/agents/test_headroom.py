"""A producer's published headroom is never below what a scheduler can still supply."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import LoadProfile, Production
from agents.headroom import PublishedHeadroom, View, uncommitted_of
from agents.job_needs import JobNeeds
from agents.ranking.headroom_board import HeadroomBoard
from agents.scheduling import AlgorithmSettings, Commitment, ProducerState, Schedule, Task, scheduler_for
from tests.agents.tasks import HOUR_S, NOW_S, need_of, random_task


def random_state(random: Random) -> ProducerState:
    """Return a producer that has promised as much as its scheduler found room for."""
    cumulative_wh = np.cumsum([0.0, *(random.choice([0.0, 30.0, 400.0]) for _ in range(23))])
    times_s = tuple(NOW_S - HOUR_S + i * HOUR_S // 2 for i in range(24))
    production = Production(times_s=times_s, cumulative_wh=tuple(cumulative_wh.tolist()))
    state = ProducerState(production, (), NOW_S)
    for number in range(random.randrange(8)):
        task = random_task(random, number, NOW_S)
        decision = scheduler_for(AlgorithmSettings()).place(state, task, random)
        if isinstance(decision, Schedule):
            tasks = [*(c.task for c in state.committed), task]
            committed = tuple(Commitment(t, decision.starts_s[t.job_id]) for t in tasks)
            state = ProducerState(production, committed, NOW_S)
    return state


@settings(max_examples=40, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_task_is_left_out_that_would_be_accepted(seed: int) -> None:
    """This holds immediately and later, until a new view is published."""
    random = Random(seed)
    state = random_state(random)
    shown = [uncommitted_of(state), uncommitted_of(state, is_fine=True)]
    views = [left.view() for left in shown]
    board = HeadroomBoard()
    for producer, view in enumerate(views):
        board.put(producer, view)
    later = ProducerState(state.production, state.committed, NOW_S + random.randrange(3 * HOUR_S))
    for now in (state, later):
        for number in range(6):
            task = random_task(random, 100 + number, now.now_s)
            if isinstance(scheduler_for(AlgorithmSettings()).place(now, task, random), Schedule):
                assert all(view.bounds.may_serve(need_of(task, now.now_s)) for view in views)
                assert all(left.may_serve(need_of(task, now.now_s)) for left in shown)
                assert board.may_serve(need_of(task, now.now_s), np.array([0, 1])).all()
                assert board.may_run(need_of(task, now.now_s), np.array([0, 1])).all()


@settings(max_examples=20, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_one_job_is_judged_as_by_the_bounds_of_all_stretches(seed: int) -> None:
    """What a producer compares without publishing it must rule out the same jobs as the view that it would publish."""
    random = Random(seed)
    state = random_state(random)
    for left in (uncommitted_of(state), uncommitted_of(state, is_fine=True)):
        bounds = left.view().bounds
        for number in range(30):
            need = need_of(random_task(random, number, NOW_S - random.choice([0, 4, 12]) * HOUR_S), NOW_S)
            assert left.may_serve(need) == bounds.may_serve(need)


@pytest.mark.parametrize(
    ("free_wh", "promised", "needed_wh", "peak_wh"),
    [
        pytest.param((0.0, 0.0, 900.0), (), 10.0, 0.1, id="dark in its window"),
        pytest.param((500.0, 500.0, 900.0), ((0, 2, 950.0),), 100.0, 1.0, id="full"),
        pytest.param((500.0, 500.0, 900.0), (), 100.0, 20.0, id="too weak"),
    ],
)
def test_a_producer_that_cannot_serve_a_job_is_left_out(
    free_wh: tuple[float, ...], promised: tuple[tuple[int, int, float], ...], needed_wh: float, peak_wh: float
) -> None:
    """The job may run in the first two hours; the third would do."""
    peaks = tuple(wh / 60 for wh in free_wh)
    bounds = View(from_s=0, block_s=HOUR_S, free_wh=free_wh, peak_wh=peaks, promised=promised).bounds
    assert not bounds.may_serve(JobNeeds(0, 2 * HOUR_S, needed_wh, peak_wh))
    assert bounds.may_serve(JobNeeds(0, 3 * HOUR_S, needed_wh, 1.0))


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_a_producer_with_enough_energy_but_not_in_one_block_is_left_out(slots: int) -> None:
    """Two sunny blocks with a dark one between; the job draws 500 Wh in 70 minutes without a break."""
    load = LoadProfile(times_s=(0, 4200), cumulative_wh=(0.0, 500.0))
    peaks = tuple(wh for block_wh in (10.0, 0.0, 10.0) for wh in [block_wh] * slots)
    bounds = View(from_s=0, block_s=HOUR_S, free_wh=(400.0, 0.0, 400.0), peak_wh=peaks).bounds
    assert bounds.may_serve(JobNeeds(0, 3 * HOUR_S, load.energy_wh, load.least_peak_wh))
    assert not bounds.may_serve(JobNeeds(0, 3 * HOUR_S, load.energy_wh, load.least_peak_wh, load))
    short = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 400.0))
    assert bounds.may_serve(JobNeeds(0, 3 * HOUR_S, short.energy_wh, short.least_peak_wh, short))


def test_a_fine_view_leaves_out_a_producer_that_has_promised_the_only_suitable_minutes() -> None:
    """A promised job may start within half an hour, so it draws between in any case: no other fits around that."""
    production = Production(times_s=(NOW_S, NOW_S + 5400), cumulative_wh=(0.0, 1800.0))
    wash = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 900.0))
    promised = Commitment(Task("promised", wash, NOW_S, NOW_S + 4 * HOUR_S), NOW_S + 60)
    state = ProducerState(production, (promised,), NOW_S)
    another = Task("another", wash, NOW_S, NOW_S + 4 * HOUR_S)
    assert not isinstance(scheduler_for(AlgorithmSettings()).place(state, another, Random(1)), Schedule)
    need, board = need_of(another, NOW_S), HeadroomBoard()
    board.put(0, uncommitted_of(state).view())
    board.put(1, uncommitted_of(state, is_fine=True).view())
    assert board.may_serve(need, np.array([0, 1])).all()
    assert board.may_run(need, np.array([0, 1])).tolist() == [True, False]
    assert not uncommitted_of(state, is_fine=True).may_serve(need)


def test_a_view_is_newer_only_if_more_is_left_somewhere() -> None:
    """A fall, and the passing of time, publish nothing."""
    before = View(from_s=0, block_s=HOUR_S, free_wh=(500.0, 500.0), peak_wh=(9.0, 9.0)).bounds
    after = View(from_s=HOUR_S, block_s=HOUR_S, free_wh=(500.0,), peak_wh=(9.0,)).bounds
    risen = View(from_s=HOUR_S, block_s=HOUR_S, free_wh=(500.0, 1.0), peak_wh=(9.0, 1.0)).bounds
    moved = View(from_s=0, block_s=HOUR_S, free_wh=(500.0, 500.0), peak_wh=(9.0, 9.0, 9.0, 10.0)).bounds
    assert not after.exceeds(before)
    assert risen.exceeds(before)
    assert moved.exceeds(before)
    assert before.exceeds(View(from_s=0, block_s=HOUR_S, free_wh=(500.0,) * 2, peak_wh=(9.0, 8.0, 9.0, 9.0)).bounds)


# What of it is published.

FULL_SUN = Production(times_s=(NOW_S, NOW_S + 4 * HOUR_S), cumulative_wh=(0.0, 4_000.0))
PATCHY = Production(
    times_s=(NOW_S, *(NOW_S + HOUR_S + 60 * minute for minute in range(61))),
    cumulative_wh=(0.0, *(float(20 * (minute // 2)) for minute in range(61))),
)
"""20 Wh in every second minute of an hour, and nothing in the others."""
STEADY = Task("steady", LoadProfile(times_s=(0, 600), cumulative_wh=(0.0, 100.0)), NOW_S + HOUR_S, NOW_S + 5_400)
"""10 Wh in each of ten minutes."""


def promised(production: Production, *tasks: Task, now_s: int = NOW_S) -> ProducerState:
    """Return a producer that has promised tasks at their earliest starts."""
    return ProducerState(production, tuple(Commitment(task, task.earliest_start_s) for task in tasks), now_s)


def test_the_manager_gets_a_view_at_first_and_then_only_when_more_is_left_than_it_knows_of() -> None:
    """A view is an upper bound: it still holds when a job has been promised."""
    published = PublishedHeadroom()
    free, taken = promised(FULL_SUN), promised(FULL_SUN, STEADY)
    first = published.renew(taken)
    assert first == published.view == uncommitted_of(taken).view()
    assert published.renew(taken) is None
    assert published.renew(free) == uncommitted_of(free).view() != first
    assert published.renew(taken) is None
    published.retract()
    assert published.renew(taken) == first


def test_a_refusal_that_the_view_does_not_explain_is_explained_by_a_fine_view_once() -> None:
    """Minute by minute, the job fits nowhere; the best minutes of quarter hours do not show that."""
    published = PublishedHeadroom()
    state = promised(PATCHY)
    assert published.explain_refusal(state, STEADY) is None  # the manager has no view that misleads
    published.renew(state)
    fine = published.explain_refusal(state, STEADY)
    assert fine is not None
    assert fine.is_fine
    assert published.explain_refusal(state, STEADY) is None
    published.begin_round()
    assert published.explain_refusal(state, STEADY) is None


def test_a_refusal_for_another_reason_than_production_is_not_explained() -> None:
    """The production suffices: it was the scheduler, or the device's other jobs."""
    published = PublishedHeadroom()
    state = promised(FULL_SUN)
    published.renew(state)
    assert published.explain_refusal(state, STEADY) is None


def test_a_producer_whose_view_was_refined_publishes_fine_views_from_then_on() -> None:
    """Also when more is left again."""
    published = PublishedHeadroom()
    published.renew(promised(PATCHY))
    published.explain_refusal(promised(PATCHY), STEADY)
    risen = published.renew(promised(FULL_SUN))
    assert risen is not None
    assert risen.is_fine
