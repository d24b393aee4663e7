"""Which starts leave room for a device's other jobs, compared with every order and every second."""

from collections.abc import Sequence
from itertools import combinations, pairwise, product

import pytest
from hypothesis import given, settings, strategies as st

from agents import job_sequencing
from agents.job_sequencing import (
    Busy,
    PendingRun,
    can_run_in_sequence,
    divide_time,
    free_starts,
    largest_sequence,
    latest_starts_s,
    open_starts,
    overlap,
)
from agents.model import covers

HOUR_S = 3600


@st.composite
def runs(draw: st.DrawFn, name: str = "job") -> PendingRun:
    """A job of a few seconds in a window of a few seconds."""
    earliest_s, width_s = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    return PendingRun(name, earliest_s, earliest_s + width_s, draw(st.integers(1, 4)))


@st.composite
def devices(draw: st.DrawFn, most: int = 4) -> tuple[list[PendingRun], list[tuple[int, int]]]:
    """A device with jobs and times at which it runs anyway."""
    jobs = [draw(runs(f"j{i}")) for i in range(draw(st.integers(1, most)))]
    begins = draw(st.lists(st.tuples(st.integers(-2, 16), st.integers(1, 3)), max_size=2))
    return jobs, [(begin_s, begin_s + length_s) for begin_s, length_s in begins]


def by_brute_force(jobs: Sequence[PendingRun], busy: Busy) -> list[tuple[int, ...]]:
    """Return every combination of starts with which no two jobs meet, and none what takes the device."""
    windows = [range(run.earliest_start_s, run.latest_start_s + 1) for run in jobs]
    found = []
    for starts_s in product(*windows):
        spans = [*busy, *((s, s + run.duration_s) for s, run in zip(starts_s, jobs, strict=True))]
        fixed = len(busy)
        if all(a[1] <= b[0] or b[1] <= a[0] for i, a in enumerate(spans) for b in spans[max(i + 1, fixed) :]):
            found.append(starts_s)
    return found


def seconds(starts: Sequence[tuple[int, int]]) -> list[int]:
    """Return all starts one by one."""
    return [s for first_s, last_s in starts for s in range(first_s, last_s + 1)]


def test_three_jobs_of_two_hours_in_a_window_of_four_have_two_hours_between_starts() -> None:
    """Windows that leave room for 06, 08 and 10 only."""
    jobs = [PendingRun(name, 6 * HOUR_S, 10 * HOUR_S, 2 * HOUR_S) for name in "abc"]
    assert open_starts(jobs[0], jobs[1:]) == tuple((h * HOUR_S, h * HOUR_S) for h in (6, 8, 10))
    assert open_starts(jobs[1], jobs[2:], [(8 * HOUR_S, 10 * HOUR_S)]) == tuple(
        (h * HOUR_S, h * HOUR_S) for h in (6, 10)
    )


def test_a_job_may_begin_in_the_second_in_which_another_ends() -> None:
    """It begins neither earlier, nor so late that the next job has to wait."""
    assert free_starts(PendingRun("j", 0, 100, 10), [(20, 30), (50, 55)]) == ((0, 10), (30, 40), (55, 100))


@settings(max_examples=300, deadline=None)
@given(devices())
def test_open_starts_are_those_after_which_every_other_job_finds_room(
    device: tuple[list[PendingRun], list[tuple[int, int]]],
) -> None:
    """The result contains all such starts, and no others."""
    jobs, busy = device
    if not all(run.earliest_start_s >= 0 for run in jobs):
        return
    group = next(group for group in job_sequencing._groups(jobs) if jobs[0] in group)
    expected = sorted(
        {starts_s[0] for starts_s in by_brute_force([jobs[0], *(j for j in group if j != jobs[0])], busy)}
    )
    found = open_starts(jobs[0], jobs[1:], busy)
    assert seconds(found) == expected
    assert all(a[1] + 1 < b[0] for a, b in pairwise(found))


@settings(max_examples=300, deadline=None)
@given(devices())
def test_jobs_follow_one_another_exactly_if_any_order_lets_them(
    device: tuple[list[PendingRun], list[tuple[int, int]]],
) -> None:
    """The latest starts are such a sequence, whose first job could not start later."""
    jobs, busy = device
    possible = by_brute_force(jobs, busy)
    assert can_run_in_sequence(jobs, busy) == bool(possible)
    starts_s = latest_starts_s(jobs, busy)
    assert (starts_s is None) == (not possible)
    if starts_s is not None:
        assert tuple(starts_s[run.job_id] for run in jobs) in possible


@settings(max_examples=200, deadline=None)
@given(devices())
def test_as_many_jobs_as_can_follow_one_another(device: tuple[list[PendingRun], list[tuple[int, int]]]) -> None:
    """Never one less than is possible."""
    jobs, busy = device
    most = max(len(some) for n in range(len(jobs) + 1) for some in combinations(jobs, n) if by_brute_force(some, busy))
    kept = largest_sequence(jobs, busy)
    assert len(kept) == most
    assert by_brute_force([run for run in jobs if run.job_id in kept], busy)


@settings(max_examples=200, deadline=None)
@given(devices(), st.data())
def test_shares_are_apart_and_leave_room_for_jobs_that_wait(
    device: tuple[list[PendingRun], list[tuple[int, int]]], data: st.DataObject
) -> None:
    """Jobs that move within their shares never overlap."""
    jobs, busy = device
    placed = data.draw(st.integers(0, len(jobs)))
    possible = by_brute_force(jobs, busy)
    if not possible:
        return
    starts_s = data.draw(st.sampled_from(possible))
    standing = list(zip(jobs[:placed], starts_s[:placed], strict=True))
    given_ = divide_time(standing, jobs[placed:], busy)
    assert set(given_) == {run.job_id for run, _ in standing}
    hulls = list(busy)
    for run, start_s in standing:
        ((first_s, last_s),) = given_[run.job_id]
        assert run.earliest_start_s <= first_s <= start_s <= last_s <= run.latest_start_s
        span = (first_s, last_s + run.duration_s)
        assert all(span[1] <= begin_s or end_s <= span[0] for begin_s, end_s in hulls)
        hulls.append(span)
    assert can_run_in_sequence(jobs[placed:], hulls)


@settings(max_examples=100, deadline=None)
@given(devices())
def test_results_with_limited_effort_are_still_valid(
    device: tuple[list[PendingRun], list[tuple[int, int]]],
) -> None:
    """Limited effort may miss starts, but never returns a wrong one."""
    jobs, busy = device
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_sequencing, "MAX_SETS", 0)
        group = next(group for group in job_sequencing._groups(jobs) if jobs[0] in group)
        possible = by_brute_force([jobs[0], *(j for j in group if j != jobs[0])], busy)
        assert set(seconds(open_starts(jobs[0], jobs[1:], busy))) <= {starts_s[0] for starts_s in possible}
        latest_s = latest_starts_s(jobs, busy)
        assert latest_s is None or tuple(latest_s[run.job_id] for run in jobs) in by_brute_force(jobs, busy)
        kept = [run for run in jobs if run.job_id in largest_sequence(jobs, busy)]
        assert by_brute_force(kept, busy)


def test_a_hundred_identical_jobs_take_little_effort() -> None:
    """Identical jobs keep their order: there is one set of each size."""
    jobs = [PendingRun(f"j{i}", 0, 99 * HOUR_S, HOUR_S) for i in range(100)]
    assert open_starts(jobs[0], jobs[1:]) == tuple((h * HOUR_S, h * HOUR_S) for h in range(100))
    assert can_run_in_sequence(jobs)
    assert not can_run_in_sequence([*jobs, PendingRun("more", 0, 99 * HOUR_S, HOUR_S)])


def test_jobs_that_touch_do_not_overlap() -> None:
    """A job ends before its last second, in which the next one may begin."""
    between = [(100, 200)]
    assert not overlap(40, 100, between)
    assert not overlap(200, 260, between)
    assert overlap(40, 101, between)
    assert overlap(199, 260, between)


def test_a_start_is_covered_only_by_its_interval() -> None:
    """Both ends belong to the interval."""
    assert [covers(((2, 4), (8, 8)), s) for s in (1, 2, 4, 5, 8)] == [False, True, True, False, True]
