"""The manager's board with shared supply: what is left for each job, and which jobs are informed when there is more."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given, settings, strategies as st

from agents.energy import Outlook, Production
from agents.job_needs import JobNeeds
from agents.shares import packed, unpacked
from agents.sharing import EnergyBoard, UndersuppliedJobs
from agents.sharing.board import most_mwh
from agents.sharing.booking import MinuteBookings
from tests.scenarios.neighbourhoods import job, load

HOUR = 60
ABUNDANT = 10**9


def board(**hours: tuple[int, int, int]) -> EnergyBoard:
    """Return a board of producers 0, 1, ...: from an hour on, for some hours, some mWh a minute."""
    made = EnergyBoard()
    for number, (first, count, mwh) in enumerate(hours.values()):
        made.expect(number, first * HOUR, [(count * HOUR, mwh)])
    return made


def need(first_hour: int, end_hour: int, energy_wh: float = 1_000.0) -> JobNeeds:
    """Return what a job needs that could run in these hours."""
    return JobNeeds(first_hour * 3_600, end_hour * 3_600, energy_wh, 10.0)


def left(of: EnergyBoard, number: int, job_id: str, first: int, minutes: int) -> list[int]:
    """Return what a producer has left for a job, by the minute."""
    runs, _ = of.offer(number, job_id, first, minutes, ABUNDANT, None)
    return [int(mwh) for mwh in unpacked(runs, minutes)]


def test_producers_come_by_what_they_have_left_in_the_window_and_those_without_any_not_at_all() -> None:
    """The own household's come first, even if others have more."""
    some = board(a=(10, 2, 8_000), b=(9, 3, 15_000), c=(14, 1, 80_000))
    assert some.ranked([0, 1, 2], need(10, 12), own=()) == [1, 0]
    assert some.ranked([0, 1, 2], need(10, 12), own={0}) == [0, 1]
    assert some.ranked([0, 1, 2], need(10, 12), own=(), count=1) == [1]
    some.promise(1, "wash", 10 * 3_600 + 1_800, [(60, 15_000)])
    assert some.ranked([0, 1, 2], need(10, 12), own=()) == [0, 1]
    assert some.ranked([0, 1, 2], need(10, 12), own=(), least_wh=900.1) == [0]
    some.promise(1, "wash", 10 * 3_600, ())
    assert some.ranked([0, 1, 2], need(10, 12), own=()) == [1, 0]
    some.expect(1, 10 * HOUR, ())
    assert some.ranked([0, 1, 2], need(10, 12), own=()) == [0]
    some.forget(0)
    assert some.ranked([0, 1, 2], need(10, 12), own=()) == []


def test_the_last_hour_of_a_window_counts_even_if_it_is_not_whole() -> None:
    """The only sun comes after ten; the job may run until a quarter past."""
    some = board(a=(10, 1, 8_000))
    assert some.ranked([0], JobNeeds(8 * 3_600, 10 * 3_600 + 900, 1_000.0, 10.0), own=()) == [0]
    assert some.ranked([0], JobNeeds(8 * 3_600, 10 * 3_600, 1_000.0, 10.0), own=()) == []


def test_a_producer_that_comes_back_still_owes_the_shares_of_jobs_that_run() -> None:
    """They ran on while it was away."""
    some = board(a=(10, 2, 100))
    some.promise(0, "wash", 10 * 3_600, [(60, 70)])
    some.forget(0)
    some.expect(0, 10 * HOUR + 30, [(90, 100)])
    assert left(some, 0, "dry", 10 * HOUR + 30, 60) == [30] * 30 + [100] * 30


def test_a_job_is_offered_three_times_what_it_can_use_in_a_minute() -> None:
    """So it sees who has plenty, but not how much."""
    wash = job("wash", "a", load((0, 0.0), (60, 20.0), (600, 30.0)))
    assert most_mwh(wash) == 60_000


def test_a_job_is_offered_its_own_share_too_and_what_others_could_give_up() -> None:
    """Shares of jobs that have started cannot move."""
    some = board(a=(10, 1, 100))
    some.promise(0, "wash", 10 * 3_600, [(2, 100)])
    some.promise(0, "dry", 10 * 3_600 + 120, [(2, 70)])
    assert left(some, 0, "wash", 10 * HOUR, 5) == [100, 100, 30, 30, 100]
    assert left(some, 0, "dry", 10 * HOUR, 5) == [0, 0, 100, 100, 100]
    assert some.offer(0, "iron", 10 * HOUR, 5, 80, 10 * 3_600 - 1) == (
        ((2, 0), (2, 30), (1, 80)),
        ((2, 80), (2, 70)),
    )
    assert some.offer(0, "iron", 10 * HOUR, 5, 80, 10 * 3_600)[1] == ((2, 0), (2, 70))


def test_energy_that_was_given_away_and_comes_back_is_news() -> None:
    """Jobs knew of it before, but composed their supply without it since."""
    some = board(a=(10, 1, 100))
    some.end_news()
    some.promise(0, "wash", 10 * 3_600 + 60, [(3, 70)])
    assert len(some.news()[1]) == 0
    some.promise(0, "wash", 10 * 3_600 + 60, [(3, 30)])
    first_minute, more_mwh = some.news()
    assert (first_minute, more_mwh.tolist()) == (10 * HOUR + 1, [40, 40, 40])


def test_a_long_offer_in_many_steps_shows_what_is_there_for_sure() -> None:
    """It would not fit into a message minute by minute."""
    many = np.arange(20_000) % 7 + 1
    some = EnergyBoard()
    some.expect(0, 6_000, packed(many))
    offered = some.offer(0, "car", 6_000, len(many), ABUNDANT, None)[0]
    assert len(offered) <= 2_000
    assert (unpacked(offered, len(many)) <= many).all()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(0, 90_000), st.integers(0, 200)), max_size=12
    ),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1_400), st.integers(0, 300)), max_size=3),
)
def test_the_board_has_production_less_shares_in_any_order_of_messages(
    shares: list[tuple[int, str, int, int]], forecasts: list[tuple[int, int, int]]
) -> None:
    """Later forecasts replace earlier ones from their first minute on."""
    some = EnergyBoard()
    newest: dict[tuple[int, str], tuple[int, int]] = {}
    expected = np.zeros((4, 3_000), dtype=np.int64)

    def forecast(number: int, first: int, minutes: int) -> None:
        expected[number, first:] = 0
        expected[number, first : first + minutes] = 9
        some.expect(number, first, [(minutes, 9)] if minutes else [])

    for number in range(4):
        forecast(number, 60 * number, 1_000)
    for number, job_id, start_s, minutes in shares:
        newest[number, job_id] = (start_s // 60, minutes)
        some.promise(number, job_id, start_s, [(minutes, 5)] if minutes else [])
    for number, first, minutes in forecasts:
        forecast(number, first, minutes)
    for (number, _), (first, minutes) in newest.items():
        expected[number, first : first + minutes] -= 5
    for number in range(4):
        begin = 60 * number  # what lies before the first forecast is not known
        assert (
            left(some, number, "new", begin, 2_000) == np.maximum(expected[number, begin : begin + 2_000], 0).tolist()
        )
    total = sum(np.maximum(expected[n], 0)[240:2_000].sum() for n in range(4))
    first, more = some.news()
    assert more[max(0, 240 - first) : 2_000 - first].sum() <= total


def test_jobs_are_informed_of_more_energy_one_by_one_until_enough_could_use_it() -> None:
    """Those that lack most come first; those that could use hardly any of it are not informed."""
    jobs = UndersuppliedJobs()
    for job_id, first, end, wh in (("car", 10, 14, 9_000.0), ("wash", 10, 12, 1_000.0), ("night", 20, 24, 500.0)):
        jobs.add(job_id, f"{job_id}/consumer", need(first, end, wh))
    more = np.full(HOUR, 10_000)  # 600 Wh from 11 o'clock on
    assert jobs.next_to_inform(11 * HOUR, more, 0.01) == ("car", "car/consumer")
    assert jobs.next_to_inform(11 * HOUR, more, 0.01) == ("wash", "wash/consumer")
    assert jobs.next_to_inform(11 * HOUR, more, 0.01) is None
    jobs.covered("car", 8_995_000)
    jobs.covered("wash", 900_000)
    assert jobs.next_to_inform(11 * HOUR, more, 0.01) == ("wash", "wash/consumer")
    jobs.remove("wash")
    assert jobs.next_to_inform(11 * HOUR, more, 0.01) is None
    assert list(jobs) == ["car", "night"]


def test_jobs_that_can_no_longer_run_wait_no_longer() -> None:
    """Wherever they stand among the others."""
    jobs = UndersuppliedJobs()
    for job_id, end in (("early", 11), ("late", 14), ("earlier", 10), ("later", 15), ("earliest", 9)):
        jobs.add(job_id, f"{job_id}/consumer", need(8, end))
    jobs.remove_ended(11 * HOUR)
    assert sorted(jobs) == ["late", "later"]
    assert "early" not in jobs


def test_jobs_are_informed_until_together_they_could_use_twice_the_energy() -> None:
    """Each could use all of it."""
    jobs = UndersuppliedJobs()
    for job_id in "abcd":
        jobs.add(job_id, job_id, need(10, 12, 5_000.0))
    more = np.full(HOUR, 10_000)
    assert [jobs.next_to_inform(11 * HOUR, more, 0.01) for _ in range(3)] == [("a", "a"), ("b", "b"), None]


def test_a_job_is_informed_ten_times_at_most_between_two_forecasts() -> None:
    """It competes with others each time."""
    jobs = UndersuppliedJobs()
    jobs.add("car", "car", need(10, 12, 5_000.0))
    more = np.full(HOUR, 10_000)

    def times() -> int:
        told = 0
        for _ in range(30):
            told += jobs.next_to_inform(11 * HOUR, more, 0.01) is not None
            jobs.inform_again()
        return told

    assert times() == 10
    jobs.forget_news()
    assert times() == 10


def test_equal_jobs_are_informed_in_the_order_of_their_ids() -> None:
    """The order in which they came to wait, or in which others stopped, does not count."""
    waiting = UndersuppliedJobs()
    for job_id in ("gone", "c", "a", "b"):
        waiting.add(job_id, f"{job_id}/machine", need(10, 12))
    waiting.remove("gone")
    more_mwh = np.full(2 * HOUR, 100_000, dtype=np.int64)
    told = [waiting.next_to_inform(10 * HOUR, more_mwh, 0.01) for _ in range(4)]
    assert told == [("a", "a/machine"), ("b", "b/machine"), ("c", "c/machine"), None]


DAY = 24 * HOUR


def test_a_board_forgets_energy_and_shares_of_more_than_two_days_ago() -> None:
    """Otherwise the last day of a year would take longer than the first, and more memory."""
    some, sizes = EnergyBoard(), []
    for day in range(30):
        some.forget_past(day * DAY)
        some.expect(0, day * DAY, [(2 * DAY, 100)])
        for n in range(3):
            some.promise(0, f"{day}/{n}", (day * DAY + (10 + n) * HOUR) * 60, [(HOUR, 30)])
        sizes.append(len(pickle.dumps(some)))
    assert max(sizes[5:]) < max(sizes[:5]) + 1_000
    assert left(some, 0, "wash", 29 * DAY + 9 * HOUR, 5 * HOUR) == [100] * HOUR + [70] * 3 * HOUR + [100] * HOUR


HOURS = st.integers(0, 30)
SAID = st.one_of(
    st.tuples(st.just("expects"), st.integers(0, 2), HOURS, st.lists(st.tuples(HOURS.map(lambda n: n + 1), HOURS))),
    st.tuples(st.just("promises"), st.integers(0, 2), st.sampled_from("abc"), st.integers(-30, 30), HOURS),
    st.tuples(st.just("waits"), st.integers(1, 3 * DAY)),
    st.tuples(st.just("is informed")),
)


@settings(max_examples=60, deadline=None)
@given(said=st.lists(SAID, max_size=30))
def test_what_a_board_shows_from_now_on_does_not_depend_on_what_it_has_forgotten(
    said: list[tuple[object, ...]],
) -> None:
    """It forgets only what no job can use any more."""
    now, forgetful, whole = 100 * DAY, EnergyBoard(), EnergyBoard()
    for what, *details in said:
        for some in (forgetful, whole):
            match what, details:
                case "expects", [int(number), int(later), list(runs)]:
                    some.expect(number, now + later * HOUR, [(count * HOUR, mwh) for count, mwh in runs])
                case "promises", [int(number), str(job_id), int(later), int(hours)]:
                    some.promise(number, job_id, (now + later * HOUR) * 60, [(hours * HOUR, 7)] if hours else [])
                case "is informed", []:
                    some.end_news()
        if what == "waits":
            now += int(str(details[0]))
        forgetful.forget_past(now)
        assert _from_now_on(forgetful, now) == _from_now_on(whole, now)


def _from_now_on(some: EnergyBoard, now: int) -> list[object]:
    """Return what a board says of the present and the future."""
    first, more_mwh = some.news()
    window = JobNeeds(now * 60, (now + 2 * DAY) * 60, 1_000.0, 10.0)
    offers = [
        some.offer(number, job_id, now, 3 * DAY, ABUNDANT, (now - HOUR) * 60)
        for number in range(3)
        for job_id in "abcd"
        if some.knows(number)
    ]
    news = {first + i: mwh for i, mwh in enumerate(more_mwh.tolist()) if mwh and first + i >= now}
    return [news, some.ranked(range(3), window, own=()), offers]


def test_a_book_starts_with_the_present_whatever_was_booked_before() -> None:
    """Of a share that began earlier, only the minutes from now on count; the last minute of a forecast does."""
    book = MinuteBookings()
    book.adopt(Outlook.of(Production(times_s=(0, 630), cumulative_wh=(0.0, 10.5))), 5)
    book.take(3, np.array([100, 200, 300, 400]))
    assert book.left_mwh(5, 7).tolist() == [700, 600, 1_000, 1_000, 1_000, 500, 0]
