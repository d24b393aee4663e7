"""What a producer has reserved: of two reservations of a job, either may remain, and what has been given stays."""

from __future__ import annotations

import numpy as np
import pytest

from agents.energy import IntArray, LoadProfile, Outlook, Production
from agents.model import Job
from agents.shares import MINUTE_S
from agents.sharing.reservations import Reservation, Reservations

START_S = 1_782_021_600
FIRST_MINUTE = START_S // MINUTE_S
MINUTES = 10
WASH = Job(
    job_id="wash",
    source_id="wash",
    house="adler",
    device="washer",
    profile="eco",
    load_profile=LoadProfile(times_s=(0, 3 * MINUTE_S), cumulative_wh=(0.0, 3.0)),
    registered_s=START_S,
    earliest_start_s=START_S,
    latest_start_s=START_S,
)


def mwh(*minutes: int) -> IntArray:
    """Return energy by the minute."""
    return np.array(minutes, dtype=np.int64)


def forecast(per_minute_mwh: int) -> Outlook:
    """Return a forecast of the same production in each of ten minutes."""
    end_s, energy_wh = START_S + MINUTES * MINUTE_S, per_minute_mwh * MINUTES / 1_000
    return Outlook.of(Production(times_s=(START_S, end_s), cumulative_wh=(0.0, energy_wh)))


@pytest.fixture
def reservations() -> Reservations:
    """Return those of a producer that expects 100 mWh in each of ten minutes; two jobs have three minutes each."""
    made = Reservations()
    made.adopt(forecast(100), FIRST_MINUTE)
    made.add("wash", Reservation.of(START_S, mwh(60, 60, 60)), keeps_earlier=False)
    made.add("dry", Reservation.of(START_S + MINUTE_S, mwh(30, 30, 30)), keeps_earlier=False)
    return made


def left(reservations: Reservations, job_id: str = "another") -> list[int]:
    """Return what a job could have in the first five minutes."""
    return [int(minute_mwh) for minute_mwh in reservations.left_mwh(job_id, FIRST_MINUTE, 5)]


def test_a_jobs_own_share_counts_as_left_for_it(reservations: Reservations) -> None:
    """It may change its reservation."""
    assert left(reservations) == [40, 10, 10, 70, 100]
    assert left(reservations, "wash") == [100, 70, 70, 70, 100]


@pytest.mark.parametrize(
    ("takes_newer", "start_s", "free"),
    [(True, START_S + 2 * MINUTE_S, [100, 70, 10, 10, 40]), (False, START_S, [40, 10, 10, 70, 100])],
)
def test_of_two_reservations_what_either_needs_is_booked_until_one_remains(
    reservations: Reservations, *, takes_newer: bool, start_s: int, free: list[int]
) -> None:
    """So no other job can take what the consumer may still conclude."""
    newer = Reservation.of(START_S + 2 * MINUTE_S, mwh(60, 60, 60))
    reservations.add("wash", newer, keeps_earlier=True)
    assert (reservations["wash"].start_s, reservations.has_newer("wash")) == (START_S, True)
    assert left(reservations) == [40, 10, 10, 10, 40]
    reservations.conclude("wash", takes_newer=takes_newer)
    assert (reservations["wash"].start_s, reservations.has_newer("wash")) == (start_s, False)
    assert left(reservations) == free


def test_a_job_that_had_nothing_has_no_earlier_reservation_to_keep(reservations: Reservations) -> None:
    """Its reservation counts at once, and one of nothing ends it."""
    reservations.add("cook", Reservation.of(START_S, mwh(10)), keeps_earlier=True)
    assert (reservations.has("cook"), reservations.has_newer("cook")) == (True, False)
    reservations.add("cook", Reservation.of(START_S, mwh()), keeps_earlier=False)
    assert not reservations.has("cook")


def test_a_lower_forecast_leaves_the_earlier_reservation_more(reservations: Reservations) -> None:
    """What was reserved first is kept first."""
    reservations.adopt(forecast(70), FIRST_MINUTE)
    kept = {job_id: minutes_mwh.tolist() for job_id, minutes_mwh in reservations.kept(START_S, is_there=True)}
    assert kept == {"wash": [60, 60, 60], "dry": [10, 10, 30]}


def test_a_producer_that_is_away_keeps_only_what_running_jobs_have(reservations: Reservations) -> None:
    """They go on, as nobody can take the energy from them."""
    kept = {job_id: minutes_mwh.tolist() for job_id, minutes_mwh in reservations.kept(START_S, is_there=False)}
    assert kept == {"wash": [60, 60, 60], "dry": [0, 0, 0]}


def test_a_job_that_gives_up_keeps_what_it_has_had(reservations: Reservations) -> None:
    """What has not started is free; a job without a reservation has nothing to give up."""
    now_s = START_S + MINUTE_S
    had = reservations.give_up("wash", now_s)
    assert had is not None
    assert had.minutes_mwh.tolist() == [60, 0, 0]
    unstarted = reservations.give_up("dry", START_S)
    assert unstarted is not None
    assert unstarted.runs == ()
    assert reservations.give_up("cook", now_s) is None
    assert [job_id for job_id, _ in reservations.items()] == ["wash"]


def test_a_lost_consumers_running_job_keeps_its_share(reservations: Reservations) -> None:
    """Its device draws the energy, although nobody answers for it."""
    for job_id in ("wash", "dry"):
        reservations.lose(job_id, START_S)
    assert [job_id for job_id, _ in reservations.items()] == ["wash"]
    assert left(reservations) == [40, 40, 40, 100, 100]


def test_what_a_job_that_has_run_was_given_remains_among_the_shares(reservations: Reservations) -> None:
    """The ledger is compared with it at the run's end."""
    before = reservations.shares
    reservations.remove("dry")
    reservations.close_ended(START_S + WASH.duration_s, {"wash": WASH})
    assert not reservations.has("wash")
    assert reservations.shares == {"wash": before["wash"]} == {"wash": (START_S, ((3, 60),))}
