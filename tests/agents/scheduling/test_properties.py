"""Properties of every schedule of every algorithm, in any producer state."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agents.energy import LoadProfile, Production
from agents.scheduling.algorithms import scheduler_for
from agents.scheduling.problem import Commitment, ProducerState, Schedule, Task
from agents.scheduling.rescheduling import replan
from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings

DAY_S = 86_400
NOON_S = 1_782_043_200
CHEAP = ("fifty_fifty", "insertion")


@st.composite
def loads(draw: st.DrawFn) -> LoadProfile:
    """Loads of a few seconds or hours, with bends at any second and pauses between; some just too strong."""
    steps = draw(
        st.lists(
            st.tuples(st.integers(1, 2000), st.sampled_from([0, 0, 5, 60, 100.06, 500, 700.06])), min_size=1, max_size=6
        )
    )
    times_s, cumulative_wh = [0], [0.0]
    for duration_s, power_w in steps:
        times_s.append(times_s[-1] + duration_s)
        cumulative_wh.append(cumulative_wh[-1] + power_w * duration_s / 3600)
    return LoadProfile(times_s=tuple(times_s), cumulative_wh=tuple(cumulative_wh))


@st.composite
def productions(draw: st.DrawFn) -> Production:
    """An uneven forecast around noon."""
    times_s = sorted(draw(st.sets(st.integers(NOON_S - 20_000, NOON_S + 20_000), min_size=2, max_size=8)))
    powers_w = draw(
        st.lists(st.sampled_from([0, 100, 700, 1500]), min_size=len(times_s) - 1, max_size=len(times_s) - 1)
    )
    steps_s = np.diff(times_s)
    cumulative_wh = np.concatenate(([0.0], np.cumsum(np.array(powers_w) * steps_s / 3600)))
    return Production(times_s=tuple(times_s), cumulative_wh=tuple(cumulative_wh.tolist()))


@st.composite
def tasks(draw: st.DrawFn, job_id: str) -> Task:
    """Windows of 0, 1, 20 seconds or hours, beginning at any second; in some the device is busy now and then."""
    earliest_s = NOON_S + draw(st.integers(-12_000, 12_000))
    width_s = draw(st.sampled_from([0, 1, 20, 61, 3601, 14_000]))
    free = [(earliest_s, earliest_s + width_s)]
    for busy_s, length_s in draw(st.lists(st.tuples(st.integers(0, 14_000), st.integers(1, 6_000)), max_size=2)):
        begin_s, end_s = earliest_s + busy_s, earliest_s + busy_s + length_s
        free = [
            part
            for first_s, last_s in free
            for part in ((first_s, min(last_s, begin_s - 1)), (max(first_s, end_s), last_s))
            if part[0] <= part[1]
        ] or free
    return Task.among(tuple(free), job_id, draw(loads()))


@st.composite
def days(draw: st.DrawFn) -> tuple[Production, list[tuple[int, Task]]]:
    """A forecast and tasks, each with the moment at which it is asked for."""
    asked = [draw(tasks(f"j{i}")) for i in range(draw(st.integers(1, 7)))]
    moments = sorted(NOON_S + draw(st.integers(-15_000, 12_000)) for _ in asked)
    return draw(productions()), list(zip(moments, asked, strict=True))


def drawn_wh(commitments: Sequence[Commitment]) -> np.ndarray:
    """Return what the commitments draw in each minute of the day around noon, by the definition."""
    edges_s = np.arange(NOON_S - DAY_S, NOON_S + DAY_S + 1, 60, dtype=np.float64)
    total_wh = np.zeros(len(edges_s) - 1)
    for c in commitments:
        total_wh += c.task.load.energy_per_bin_wh(edges_s - c.start_s)
    return total_wh


def produced_wh(production: Production) -> np.ndarray:
    """Return what the panel gives in each of those minutes."""
    return production.energy_per_bin_wh(np.arange(NOON_S - DAY_S, NOON_S + DAY_S + 1, 60, dtype=np.float64))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_plan_keeps_every_promise(name: str) -> None:
    """Through a day: no minute overdrawn, windows kept, nothing before now, running tasks stay, none lost."""
    scheduler = scheduler_for(AlgorithmSettings(name))

    @settings(max_examples=60 if name in CHEAP else 20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(days())
    def check(day: tuple[Production, list[tuple[int, Task]]]) -> None:
        production, asked = day
        committed: list[Commitment] = []
        for now_s, task in asked:
            state = ProducerState(production, tuple(committed), now_s)
            answer = scheduler.place(state, task, Random(1))
            assert answer == scheduler.place(state, task, Random(1))
            if not isinstance(answer, Schedule):
                assert answer.reason
                continue
            assert set(answer.starts_s) == {c.task.job_id for c in committed} | {task.job_id}
            for c in committed:
                if c.start_s <= now_s:
                    assert answer.starts_s[c.task.job_id] == c.start_s
                else:
                    assert answer.starts_s[c.task.job_id] >= now_s
            assert answer.starts_s[task.job_id] >= now_s
            committed = [Commitment(t, answer.starts_s[t.job_id]) for t in [*(c.task for c in committed), task]]
            assert all(c.task.can_start_at(c.start_s) for c in committed)
            assert (drawn_wh(committed) <= produced_wh(production) + 1e-6).all()

    check()


@settings(max_examples=40, deadline=None)
@given(days())
def test_a_trial_says_of_all_waiting_tasks_what_planning_each_would_say(
    day: tuple[Production, list[tuple[int, Task]]],
) -> None:
    """Whatever is committed already, and however many are tried at once."""
    production, asked = day
    scheduler = scheduler_for(AlgorithmSettings("insertion"))
    committed: list[Commitment] = []
    for number, (now_s, task) in enumerate(asked):
        state = ProducerState(production, tuple(committed), now_s)
        waiting = [other for _, other in asked[number:]]
        would_fit = [isinstance(scheduler.place(state, other, Random(1)), Schedule) for other in waiting]
        assert scheduler.have_room(state, waiting) == would_fit
        answer = scheduler.place(state, task, Random(1))
        if isinstance(answer, Schedule):
            committed = [Commitment(t, answer.starts_s[t.job_id]) for t in [*(c.task for c in committed), task]]


@settings(max_examples=60, deadline=None)
@given(days(), productions(), st.sampled_from(CHEAP))
def test_a_new_forecast_is_kept_to(
    day: tuple[Production, list[tuple[int, Task]]], newer: Production, name: str
) -> None:
    """Equal forecasts change nothing; after any other, unstarted tasks fit, in their windows, and running ones stay."""
    production, asked = day
    # `insertion` starts all as soon as it can, `fifty_fifty` anywhere: there is room to move where nothing has to.
    scheduler = scheduler_for(AlgorithmSettings(name))
    chance = Random(1)
    committed: list[Commitment] = []
    now_s = asked[0][0]
    for _, task in asked:
        answer = scheduler.place(ProducerState(production, tuple(committed), now_s), task, chance)
        if isinstance(answer, Schedule):
            committed = [Commitment(t, answer.starts_s[t.job_id]) for t in [*(c.task for c in committed), task]]
    now_s += 3000
    same = replan(ProducerState(production, tuple(committed), now_s))
    assert dict(same.starts_s) == {c.task.job_id: c.start_s for c in committed}
    assert not same.cancelled
    changed = replan(ProducerState(newer, tuple(committed), now_s))
    assert changed == replan(ProducerState(newer, tuple(committed), now_s))
    assert changed.starts_s.keys() | changed.cancelled.keys() == {c.task.job_id for c in committed}
    assert not changed.starts_s.keys() & changed.cancelled.keys()
    running = [c for c in committed if c.start_s <= now_s]
    assert all(changed.starts_s[c.task.job_id] == c.start_s for c in running)
    stands = [
        Commitment(c.task, changed.starts_s[c.task.job_id]) for c in committed if c.task.job_id in changed.starts_s
    ]
    moved = [c for c in stands if c not in committed]
    assert all(c.start_s >= now_s and c.task.can_start_at(c.start_s) for c in moved)
    free_wh = np.maximum(produced_wh(newer) - drawn_wh(running), 0.0)
    # Minutes that are over are past mending.
    to_come = np.arange(NOON_S - DAY_S, NOON_S + DAY_S, 60) >= now_s - now_s % 60
    assert (drawn_wh([c for c in stands if c.start_s > now_s]) <= free_wh + 1e-6)[to_come].all()
