"""What a job needs of a producer in each slot, and which producers have it."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import LoadProfile
from agents.job_needs import MARGIN_WH, JobNeeds, may_run
from agents.scheduling import BIN_S
from tests.agents.tasks import HOUR_S, NOW_S, need_of, random_task


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
        need = JobNeeds(begin_s, end_s, load.energy_wh, load.least_peak_wh, load)
        from_s, nothing_wh = np.array([NOW_S]), np.zeros_like(there_wh)
        alone = may_run(need, from_s, BIN_S, there_wh[np.newaxis])
        among = may_run(need, np.repeat(from_s, 2), BIN_S, np.stack([there_wh, nothing_wh]))
        assert alone.tolist() == among[:1].tolist()
        found += alone.tolist()
    assert len(found) == 30
