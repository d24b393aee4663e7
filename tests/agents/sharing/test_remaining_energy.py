"""The manager's estimate of uncommitted production with shared supply."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from agents.headroom import Need, View
from agents.sharing import Remaining

HOUR_S = 3_600


def view(first_hour: int, *wh: float) -> View:
    """Return a forecast of these hours."""
    return View(from_s=first_hour * HOUR_S, block_s=HOUR_S, free_wh=wh, peak_wh=wh)


def need(first_hour: int, end_hour: int) -> Need:
    """Return what a job needs that could run in these hours."""
    return Need(first_hour * HOUR_S, end_hour * HOUR_S, 1_000.0, 10.0)


def test_producers_come_by_what_they_have_left_in_the_window_and_those_without_sun_in_it_not_at_all() -> None:
    """The own household's come first, even if others have more."""
    book = Remaining()
    book.forecast(0, view(10, 500, 500))
    book.forecast(1, view(9, 900, 900, 900))
    book.forecast(2, view(14, 5_000))
    assert book.ranked([0, 1, 2], need(10, 12), own=()) == [1, 0]
    assert book.ranked([0, 1, 2], need(10, 12), own={0}) == [0, 1]
    book.promise(1, "wash", 10 * HOUR_S + 1_800, [(60, 15_000)])
    assert book.ranked([0, 1, 2], need(10, 12), own=()) == [0, 1]
    book.promise(1, "wash", 10 * HOUR_S, ())
    assert book.ranked([0, 1, 2], need(10, 12), own=()) == [1, 0]
    book.forecast(1, view(10, 0, 0, 800))
    assert book.ranked([0, 1, 2], need(10, 12), own=()) == [0]


def test_producers_that_have_less_left_than_is_of_use_are_left_out() -> None:
    """A part of what they had is promised."""
    book = Remaining()
    book.forecast(0, view(10, 500, 500))
    book.forecast(1, view(10, 500))
    book.promise(1, "wash", 10 * HOUR_S, [(60, 8_000)])
    assert book.ranked([0, 1], need(10, 12), own=(), least_wh=20.0) == [0, 1]
    assert book.ranked([0, 1], need(10, 12), own=(), least_wh=20.1) == [0]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(0, 90_000), st.integers(0, 200)), max_size=12
    )
)
def test_shares_that_end_leave_what_was_before(shares: list[tuple[int, str, int, int]]) -> None:
    """The order of messages does not matter."""
    book, fresh = Remaining(), Remaining()
    for number in range(4):
        for some in (book, fresh):
            some.forecast(number, view(number, *[100.0 * (number + 1)] * 24))
    for number, job_id, start_s, minutes in shares:
        book.promise(number, job_id, start_s, [(minutes, 5)] if minutes else [])
    for number, job_id, start_s, _ in shares:
        book.promise(number, job_id, start_s, ())
    windows = [need(first, first + 3) for first in range(24)]
    assert [book.ranked(range(4), w, ()) for w in windows] == [fresh.ranked(range(4), w, ()) for w in windows]
