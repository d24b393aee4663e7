"""A producer's published headroom is never below what a scheduler can still supply."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import LoadProfile, Production
from agents.headroom import MARGIN_WH, Need, PublishedHeadroom, View, may_run, uncommitted_of
from agents.ranking.scores import Scores
from agents.ranking.short_list import Board, Negotiation
from agents.scheduling import BIN_S, AlgorithmSettings, Commitment, ProducerState, Schedule, Task, scheduler_for

HOUR_S = 3600
NOW_S = 1_466_460_000


def random_task(random: Random, number: int, now_s: int) -> Task:
    """Return a task that may start within some hours."""
    first_s = now_s + random.randrange(6 * HOUR_S)
    between_s = random.choice([40, 300, 1700])
    times_s = (0, between_s, between_s + random.choice([77, 1800, 5400]))
    first_wh = random.choice([0.0, 20.0, 200.0])
    load = LoadProfile(times_s=times_s, cumulative_wh=(0.0, first_wh, first_wh + random.choice([10.0, 100.0, 700.0])))
    return Task(f"job-{number}", load, first_s, first_s + random.choice([0, 60, 1234, 4 * HOUR_S]))


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


def need_of(task: Task, now_s: int) -> Need:
    """Return what a task needs."""
    first_s = max(task.earliest_start_s, now_s)
    end_s = max(task.latest_start_s, now_s) + task.load.duration_s
    return Need(first_s, end_s, task.load.energy_wh, task.load.least_peak_wh, task.load)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_task_is_left_out_that_would_be_accepted(seed: int) -> None:
    """This holds immediately and later, until a new view is published."""
    random = Random(seed)
    state = random_state(random)
    shown = [uncommitted_of(state), uncommitted_of(state, is_fine=True)]
    views = [left.view() for left in shown]
    board = Board()
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
    assert not bounds.may_serve(Need(0, 2 * HOUR_S, needed_wh, peak_wh))
    assert bounds.may_serve(Need(0, 3 * HOUR_S, needed_wh, 1.0))


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_a_producer_with_enough_energy_but_not_in_one_block_is_left_out(slots: int) -> None:
    """Two sunny blocks with a dark one between; the job draws 500 Wh in 70 minutes without a break."""
    load = LoadProfile(times_s=(0, 4200), cumulative_wh=(0.0, 500.0))
    peaks = tuple(wh for block_wh in (10.0, 0.0, 10.0) for wh in [block_wh] * slots)
    bounds = View(from_s=0, block_s=HOUR_S, free_wh=(400.0, 0.0, 400.0), peak_wh=peaks).bounds
    assert bounds.may_serve(Need(0, 3 * HOUR_S, load.energy_wh, load.least_peak_wh))
    assert not bounds.may_serve(Need(0, 3 * HOUR_S, load.energy_wh, load.least_peak_wh, load))
    short = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 400.0))
    assert bounds.may_serve(Need(0, 3 * HOUR_S, short.energy_wh, short.least_peak_wh, short))


def test_a_fine_view_leaves_out_a_producer_that_has_promised_the_only_suitable_minutes() -> None:
    """A promised job may start within half an hour, so it draws between in any case: no other fits around that."""
    production = Production(times_s=(NOW_S, NOW_S + 5400), cumulative_wh=(0.0, 1800.0))
    wash = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 900.0))
    promised = Commitment(Task("promised", wash, NOW_S, NOW_S + 4 * HOUR_S), NOW_S + 60)
    state = ProducerState(production, (promised,), NOW_S)
    another = Task("another", wash, NOW_S, NOW_S + 4 * HOUR_S)
    assert not isinstance(scheduler_for(AlgorithmSettings()).place(state, another, Random(1)), Schedule)
    need, board = need_of(another, NOW_S), Board()
    board.put(0, uncommitted_of(state).view())
    board.put(1, uncommitted_of(state, is_fine=True).view())
    assert board.may_serve(need, np.array([0, 1])).all()
    assert board.may_run(need, np.array([0, 1])).tolist() == [True, False]
    assert not uncommitted_of(state, is_fine=True).may_serve(need)


@settings(max_examples=15, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_run_draws_in_each_slot_at_least_what_is_assumed(seed: int) -> None:
    """This holds for every second of the slot's minute as start."""
    random = Random(seed)
    load, slot_s = random_task(random, 0, 0).load, random.choice([300, 900])
    start_s = random.randrange(slot_s)
    least_wh = load.least_peaks_wh(slot_s)[start_s // 60]
    edges_s = np.arange(-start_s, len(least_wh) * slot_s - start_s + 1, 60, dtype=np.float64)
    drawn_wh = load.energy_per_bin_wh(edges_s).reshape(len(least_wh), -1).max(axis=1)
    assert (least_wh <= drawn_wh + 1e-9).all()
    assert edges_s[-1] >= load.duration_s


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


def test_producers_left_out_are_scored_when_the_job_would_have_received_their_refusal() -> None:
    """They are scored in the round of their place in the list, but not after the producer that accepts."""
    scores = Scores({})
    for producer in ("a", "b", "c", "d"):
        scores.add(producer)
    is_listed = np.array([False, True, False, False])
    begun = Negotiation("job", "m", 0, 10, scores.ranked(), is_listed, scores.ranked(), 2)
    assert begun.next_portion().left_out == (1, 2)
    begun.score_until(13, "z", scores)
    assert scores.by_producer()["a"] == 10
    begun.score_until(14, "z", scores)
    assert scores.by_producer() == {"a": 11, "b": 10, "c": 10, "d": 10}
    begun.score_places(begun.place_of(1), scores)
    assert scores.by_producer() == {"a": 11, "b": 10, "c": 10, "d": 10}


@settings(max_examples=25, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6), slot_s=st.sampled_from([60, 900, 3600]))
def test_a_job_may_run_exactly_where_each_slot_has_what_it_draws(seed: int, slot_s: int) -> None:
    """Checking all starts one by one finds the same producers as the comparison of arrays."""
    random = Random(seed)
    slots = random.choice([4, 40])
    slots_wh = np.array([[random.choice([0.0, 1.0, 4.0, 9.0]) for _ in range(slots)] for _ in range(6)])
    begins = random.choice([1, 3])
    from_s = np.array([NOW_S + slot_s * random.randrange(begins) for _ in range(6)])
    for number in range(8):
        task = random_task(random, number, NOW_S - 2 * HOUR_S)
        need = need_of(task, NOW_S)
        needed_wh = task.load.least_peaks_wh(slot_s) - MARGIN_WH
        expected = []
        for begin_s, there_wh in zip(from_s.tolist(), slots_wh, strict=True):
            at = {begin_s + slot_s * place: wh for place, wh in enumerate(there_wh.tolist())}
            expected.append(
                any(
                    all(
                        at.get(minute_s // slot_s * slot_s + begin_s % slot_s + slot_s * slot, 0.0) >= wh
                        for slot, wh in enumerate(needed_wh[minute_s % slot_s // 60])
                    )
                    for minute_s in (
                        s - begin_s % slot_s for s in range(need.begin_s // 60 * 60, need.last_start_s + 1, 60)
                    )
                )
            )
        assert may_run(need, from_s, slot_s, slots_wh).tolist() == expected
        alone = [may_run(need, from_s[i : i + 1], slot_s, slots_wh[i : i + 1]).tolist() for i in range(6)]
        assert alone == [[may] for may in expected]


@pytest.mark.parametrize("seed", range(40))
def test_one_producer_is_judged_as_among_others(seed: int) -> None:
    """By the minute; the only suitable start may be any of them."""
    random = Random(seed)
    minutes = [random.choice([3.0, 5.0, 8.0]) for _ in range(random.randint(2, 40))]
    until_wh = [0.0, *np.cumsum(minutes).tolist()]
    load = LoadProfile(times_s=tuple(range(0, 60 * len(until_wh), 60)), cumulative_wh=tuple(until_wh))
    needed_wh = load.least_peaks_wh(BIN_S)[0]
    found = []
    for _ in range(30):
        slots = random.randint(1, 150)
        there_wh = np.array([random.choice([needed_wh.max(), needed_wh.max(), 4.0]) for _ in range(slots)])
        if random.random() < 0.5 and slots > len(needed_wh):  # enough at one start
            begin = random.randrange(slots - len(needed_wh))
            there_wh[begin : begin + len(needed_wh)] = needed_wh
        first = random.randrange(-5, slots + 5)
        begin_s = NOW_S + BIN_S * first
        end_s = begin_s + BIN_S * random.randrange(120) + load.duration_s
        need = Need(begin_s, end_s, load.energy_wh, load.least_peak_wh, load)
        from_s, nothing_wh = np.array([NOW_S]), np.zeros_like(there_wh)
        alone = may_run(need, from_s, BIN_S, there_wh[np.newaxis])
        among = may_run(need, np.repeat(from_s, 2), BIN_S, np.stack([there_wh, nothing_wh]))
        assert alone.tolist() == among[:1].tolist()
        found += alone.tolist()
    assert len(found) == 30


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
