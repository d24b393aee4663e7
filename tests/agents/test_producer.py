"""A producer, message by message: it starts and moves jobs only where their consumers let it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random

import pytest

from agents.energy import Prediction
from agents.job_register import digest_of
from agents.messages import (
    Accept,
    Amend,
    Cancel,
    Decline,
    Declined,
    Hold,
    JobsRegistered,
    Join,
    Leave,
    Opening,
    ProducerJoined,
    ProducerLeft,
    ProductionChanged,
    Promised,
    PromiseVoid,
    PromiseWithdrawn,
    Release,
    Request,
    Withdraw,
)
from agents.model import MANAGER, TIMELINE, Job, Starts
from agents.producer import Producer
from agents.scheduling.algorithms import scheduler_for
from agents.scheduling.problem import ProducerState, Rejection, Replanning, Schedule, Task
from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings
from agents.whole_supply import WholeProducerSupply
from tests.agents.stage import Stage, on_stage, to
from tests.scenarios.neighbourhoods import START_S, job, load, sun

HOUR_S = 3600
WASH = load((0, 0.0), (HOUR_S, 900.0))
"""900 W for an hour."""
ONE_KW = ((6 * HOUR_S, 0.0), (14 * HOUR_S, 8000.0))
"""From six to two o'clock."""
NAMES = ("mine", "theirs", "first", "second", "may", "may-not", "waits", "elsewhere")
"""Of registered jobs, besides `j0` to `k7`."""


def at(hour: float) -> int:
    """Return a time some hours after the start."""
    return START_S + round(hour * HOUR_S)


def hours(*stretches: tuple[float, float]) -> Starts:
    """Return starts between hours after the start."""
    return tuple((at(first), at(last)) for first, last in stretches)


@contextmanager
def panel(*forecasts: tuple[float, tuple[tuple[int, float], ...]], algorithm: str = "insertion") -> Iterator[Stage]:
    """Put a panel with forecasts, each with its hour of issue, on stage."""
    predictions = [Prediction(issued_s=at(hour), production=sun(*points)) for hour, points in forecasts]
    scheduler = scheduler_for(AlgorithmSettings(algorithm))
    with on_stage(Producer("pv", predictions, partial(WholeProducerSupply, scheduler=scheduler)), START_S) as stage:
        assert to(MANAGER, stage.first) == [ProducerJoined(producer="pv")]
        names = (*(f"{letter}{n}" for letter in "jk" for n in range(8)), *NAMES)
        digests = tuple(digest_of(wash(house, name)) for house in "cde" for name in names)
        assert stage.say((MANAGER, JobsRegistered(digests=digests))) == []
        yield stage


def promised_s(stage: Stage) -> Mapping[str, int]:
    """Return the starts that the producer has promised."""
    assert isinstance(stage.agent, Producer)
    return stage.agent.promised_s


def wash(house: str, job_id: str) -> Job:
    """Return a wash of a house with a window of the day."""
    return job(job_id, house, WASH, (0, 23 * HOUR_S))


def wanted(house: str, job_id: str, starts: Starts, *, held: bool = False) -> Request:
    """Return a request for a wash."""
    of = wash(house, job_id)
    return Request(job=of, patient=True, starts=starts, held=held)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_job_starts_only_when_its_device_is_free(algorithm: str) -> None:
    """There is production from six to two; the device is free at seven, and from half past eleven to twelve."""
    with panel((0, ONE_KW), algorithm=algorithm) as stage:
        starts = hours((7, 7), (11.5, 12))
        for attempt in range(8):
            (answer,) = to("c/machine", stage.say(("c/machine", wanted("c", f"j{attempt}", starts))))
            if isinstance(answer, Accept):
                break
        assert isinstance(answer, Accept)
        assert any(first_s <= answer.start_s <= last_s for first_s, last_s in starts)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_job_that_is_held_is_not_moved_for_another(algorithm: str) -> None:
    """The other one can start at the same hour only: moving the first would make room for it."""
    with panel((0, ONE_KW), algorithm=algorithm) as stage:
        for attempt in range(8):
            (answer,) = to(
                "c/machine", stage.say(("c/machine", wanted("c", f"j{attempt}", hours((7, 7), (12, 12)), held=True)))
            )
            if isinstance(answer, Accept):
                break
        assert isinstance(answer, Accept)
        for attempt in range(3):
            sent = stage.say(("d/machine", wanted("d", f"k{attempt}", ((answer.start_s, answer.start_s),))))
            assert not to("c/machine", sent)
            assert isinstance(to("d/machine", sent)[0], Decline)


def test_a_job_moves_for_another_once_it_is_released_and_only_where_it_may() -> None:
    """Held at seven, it may later move to between nine and ten; the waiting job is informed."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 7), (9, 10)), held=True)))
        assert isinstance(
            to("d/machine", stage.say(("d/machine", wanted("d", "theirs", hours((7, 7)))))[:1])[0], Decline
        )
        released = stage.say(("c/machine", Release(job_id="mine", starts=hours((7, 7), (9, 10)))))
        assert to("d/machine", released) == [Opening(job_id="theirs")]
        sent = stage.say(("d/machine", wanted("d", "theirs", hours((7, 7)))))
        assert to("d/machine", sent) == [Accept(job_id="theirs", start_s=at(7))]
        assert to("c/machine", sent) == [Amend(job_id="mine", start_s=at(9))]


def test_a_job_declined_despite_an_opening_does_not_get_the_same_opening_again() -> None:
    """Both jobs belong to one device, which holds one while the other asks, so moving it makes no room."""
    with panel((0, ONE_KW)) as stage:
        starts = hours((7, 7), (9, 10))
        stage.say(("c/machine", wanted("c", "first", starts, held=True)))
        stage.say(("c/machine", wanted("c", "second", hours((7, 7)))))
        assert to("c/machine", stage.say(("c/machine", Release(job_id="first", starts=starts)))) == [
            Opening(job_id="second")
        ]
        stage.say(("c/machine", Hold(job_id="first")))
        assert isinstance(to("c/machine", stage.say(("c/machine", wanted("c", "second", hours((7, 7))))))[0], Decline)
        assert to("c/machine", stage.say(("c/machine", Release(job_id="first", starts=starts)))) == []
        assert to("c/machine", stage.say(("c/machine", Withdraw(job_id="first")))) == [Opening(job_id="second")]


def test_hold_is_answered_with_the_start_that_the_job_has_now() -> None:
    """The job was moved after its acceptance."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 12)))))
        stage.say(("d/machine", wanted("d", "theirs", hours((7, 7)))))
        assert to("c/machine", stage.say(("c/machine", Hold(job_id="mine")))) == [Accept(job_id="mine", start_s=at(8))]


def test_hold_is_declined_for_a_job_that_runs_or_is_not_supplied_or_is_another_consumers() -> None:
    """Nothing else changes."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 12)))))
        assert isinstance(to("c/machine", stage.say(("c/machine", Hold(job_id="other"))))[0], Decline)
        assert isinstance(to("d/machine", stage.say(("d/machine", Hold(job_id="mine"))))[0], Decline)
        stage.wait_until(at(7))
        assert isinstance(to("c/machine", stage.say(("c/machine", Hold(job_id="mine"))))[0], Decline)


def test_a_release_that_leaves_out_the_jobs_own_start_is_refused() -> None:
    """The job stays held, because the consumer must have assumed another start."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 7), (9, 10)), held=True)))
        assert stage.say(("c/machine", Release(job_id="mine", starts=hours((9, 10))))) == []
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == ["c/machine"]
        sent = stage.say(("d/machine", wanted("d", "theirs", hours((7, 7)))))
        assert isinstance(to("d/machine", sent)[0], Decline)


def test_a_new_forecast_moves_jobs_only_where_they_may_go() -> None:
    """Without production in the morning, one job may start at twelve; the other may not, and is cancelled."""
    dark = ((6 * HOUR_S, 0.0), (10 * HOUR_S, 0.0), (14 * HOUR_S, 4000.0))
    with panel((0, ONE_KW), (1, dark)) as stage:
        stage.say(("c/machine", wanted("c", "may", hours((7, 7), (12, 12)))))
        stage.say(("d/machine", wanted("d", "may-not", hours((8, 8)))))
        sent = stage.wait_until(at(1))
        assert to("c/machine", sent) == [Amend(job_id="may", start_s=at(12))]
        (cancelled,) = to("d/machine", sent)
        assert isinstance(cancelled, Cancel)


def test_a_job_that_is_withdrawn_makes_room_for_one_that_waits() -> None:
    """The waiting job gets an opening if its device is free then."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 7)))))
        stage.say(
            ("d/machine", wanted("d", "waits", hours((7, 7)))), ("e/machine", wanted("e", "elsewhere", hours((17, 18))))
        )
        sent = stage.say(("c/machine", Withdraw(job_id="mine")))
        assert to("d/machine", sent) == [Opening(job_id="waits")]
        assert to("e/machine", sent) == []


@pytest.mark.parametrize(
    "starts",
    [(), ((10, 5),), ((5, 10), (10, 12)), ((50, 60), (5, 10))],
)
def test_starts_that_are_out_of_order_are_refused_where_they_come_in(starts: Starts) -> None:
    """Empty, reversed, touching and descending intervals are rejected on receipt."""
    with pytest.raises(ValueError, match="starts"):
        Release(job_id="j", starts=starts)


def test_starts_outside_the_window_are_refused_where_they_come_in() -> None:
    """A device cannot be free for a job when its window is over."""
    with pytest.raises(ValueError, match="outside its window"):
        wanted("c", "j", hours((22, 24)))


# What others may say.


def test_the_manager_receives_the_same_reports_as_the_consumer() -> None:
    """Promises, moves and refusals are reported with the job's energy."""
    with panel((0, ONE_KW)) as stage:
        sent = stage.say(("c/machine", wanted("c", "mine", hours((7, 12)))))
        promised = Promised(job_id="mine", consumer="c/machine", start_s=at(7), energy_wh=900.0)
        assert to(MANAGER, sent) == [promised]
        sent = stage.say(("d/machine", wanted("d", "theirs", hours((7, 7)))))
        assert promised.model_copy(update={"start_s": at(8)}) in to(MANAGER, sent)
        sent = stage.say(("e/machine", wanted("e", "elsewhere", hours((17, 18)))))
        assert to(MANAGER, sent) == [Declined(job_id="elsewhere", producer="pv")]
        sent = stage.say(("d/machine", Withdraw(job_id="theirs")))
        assert [type(message) for message in to(MANAGER, sent)] == [PromiseWithdrawn]


def test_the_refusals_of_a_round_are_one_message_to_the_manager() -> None:
    """In a large neighbourhood many jobs ask the same panel in the same round; it answers each of them."""
    with panel((0, ONE_KW)) as stage:
        sent = stage.say(
            *((f"{house}/machine", wanted(house, f"j{n}", hours((17, 18)))) for n, house in enumerate("cde"))
        )
        assert to(MANAGER, sent) == [Declined(job_id="j0", producer="pv", others=("j1", "j2"))]
        assert all(isinstance(answer, Decline) for house in "cde" for answer in to(f"{house}/machine", sent))
        sent = stage.say(("c/machine", wanted("c", "j3", hours((17, 18)))))
        assert to(MANAGER, sent) == [Declined(job_id="j3", producer="pv")]


@pytest.mark.parametrize(
    ("sender", "change"),
    [
        ("d/machine", {}),
        ("c/machine", {"job_id": "invented"}),
        ("c/machine", {"latest_start_s": at(23) + 10**9}),
        ("c/machine", {"load_profile": load((0, 0.0), (2 * 10**9, 900.0))}),
        ("c/machine", {"load_profile": load((0, 0.0), (HOUR_S, 0.0))}),
        ("c/machine", {"house": "d"}),
    ],
    ids=["another consumer's", "invented", "longer window", "endless", "other load", "under another name"],
)
def test_a_request_is_considered_only_if_it_is_for_a_registered_job_of_its_sender(
    sender: str, change: dict[str, object]
) -> None:
    """The job must match exactly, so no agent can make a producer schedule a job that is not in the scenario."""
    with panel((0, ONE_KW)) as stage:
        honest = wanted("c", "mine", hours((7, 12)))
        forged = honest.model_copy(update={"job": honest.job.model_copy(update=change)})
        sent = stage.say((sender, forged))
        assert [type(message) for message in to(sender, sent)] == [Decline]
        assert to(MANAGER, sent) == []
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == [sender]
        assert to("c/machine", stage.say(("c/machine", honest))) == [Accept(job_id="mine", start_s=at(7))]


def test_a_consumer_requests_one_job_at_a_time() -> None:
    """Further requests of a round are declined unread."""
    with panel((0, ONE_KW)) as stage:
        requests = [("c/machine", wanted("c", name, hours((7, 12)))) for name in ("first", "second")]
        accepted, declined = to("c/machine", stage.say(*requests))
        assert isinstance(accepted, Accept)
        assert isinstance(declined, Decline)
        assert len(stage.agent.take_rejections()) == 1


def test_only_its_own_consumer_withdraws_a_job() -> None:
    """This holds for supplied jobs and for waiting ones."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 7)))), ("d/machine", wanted("d", "waits", hours((7, 7)))))
        assert stage.say(("e/machine", Withdraw(job_id="mine")), ("e/machine", Withdraw(job_id="waits"))) == []
        assert {rejection.sender for rejection in stage.agent.take_rejections()} == {"e/machine"}
        assert to("d/machine", stage.say(("c/machine", Withdraw(job_id="mine")))) == [Opening(job_id="waits")]


def test_a_promise_that_the_manager_declares_void_frees_the_energy() -> None:
    """Only the manager can void a promise, and only the one that it names."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 7)))), ("d/machine", wanted("d", "waits", hours((7, 7)))))
        void = PromiseVoid(job_id="mine", start_s=at(7), reason="not confirmed")
        assert stage.say(("e/machine", void)) == []
        assert stage.say((MANAGER, void.model_copy(update={"start_s": at(8)})), sent_in=1) == []
        assert to("d/machine", stage.say((MANAGER, void), sent_in=1)) == [Opening(job_id="waits")]


def test_a_void_that_was_sent_before_the_manager_read_a_new_promise_does_not_mean_it() -> None:
    """A consumer that withdraws and asks anew at that moment would have a contract that its producer does not know."""
    with panel((0, ONE_KW)) as stage:
        asks = ("c/machine", wanted("c", "mine", hours((7, 7))))
        stage.say(asks)
        void = PromiseVoid(job_id="mine", start_s=at(7), reason="not confirmed")
        for sent_in in (4, 5):
            stage.wait_until(START_S, step=5)
            again = stage.say(("c/machine", Withdraw(job_id="mine")), asks, sent_in=4)
            assert [type(message) for message in to(MANAGER, again)] == [PromiseWithdrawn, Promised]
            stage.say((MANAGER, void), sent_in=sent_in)
            assert promised_s(stage) == {"mine": at(7)}
        stage.wait_until(START_S, step=7)
        stage.say((MANAGER, void), sent_in=6)
        assert promised_s(stage) == {}


def test_a_release_beyond_the_jobs_window_is_rejected() -> None:
    """It could make the producer schedule for a year."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 7)))))
        stage.say(("c/machine", Release(job_id="mine", starts=((at(7), at(7) + 10**9),))))
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == ["c/machine"]


# Events that change its production.


@pytest.mark.parametrize("event", [{}, {"do": "cloud"}, {"do": "note", "text": "x"}])
def test_a_change_of_production_is_rejected_by_a_producer_without_a_counter(event: dict[str, object]) -> None:
    """Forecasts that are not corrected need none."""
    with panel((0, ONE_KW)) as stage:
        stage.say((TIMELINE, ProductionChanged(event=event)))
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == [TIMELINE]


# Minutes and seconds.


def test_what_a_job_drew_in_a_minute_counts_until_the_minute_is_over() -> None:
    """Promises hold minute by minute: the next job cannot have what the last one has drawn half a minute ago."""
    short, last_s = load((0, 0.0), (30, 15.0)), at(8) + 30
    both = (job("ends", "c", WASH, (0, 23 * HOUR_S)), job("begins", "d", short, (0, 23 * HOUR_S)))
    for pause_s in (0, 30):
        with panel((0, ONE_KW)) as stage:
            stage.say((MANAGER, JobsRegistered(digests=tuple(map(digest_of, both)))))
            for of, start_s in zip(both, (last_s - HOUR_S, last_s + pause_s), strict=True):
                stage.wait_until(start_s)
                wants = Request(job=of, patient=False, starts=((start_s, start_s),), held=True)
                (answer,) = to(of.agent, stage.say((of.agent, wants)))
            assert isinstance(answer, Accept if pause_s else Decline)


def test_a_waiting_job_is_informed_of_an_opening_until_its_latest_start() -> None:
    """In that very second it can still start; a second later nobody waits for it."""
    cloudy, latest = ((0, 0.0), (14 * HOUR_S, 8.0)), 8
    for too_late_s in (0, 1):
        with panel((0, cloudy), (latest + too_late_s / HOUR_S, ONE_KW)) as stage:
            stage.say(("c/machine", wanted("c", "waits", hours((7, latest)))))
            opened = to("c/machine", stage.wait_until(at(latest) + too_late_s))
            assert opened == ([] if too_late_s else [Opening(job_id="waits")])


def test_a_producer_forgets_forecasts_of_more_than_a_day_ago() -> None:
    """Otherwise the last day of a year would take longer than the first, and more memory."""
    days = [(24.0 * day, ((24 * HOUR_S * day, 0.0), (24 * HOUR_S * (day + 2), 9_000.0))) for day in range(10)]
    with panel(*days) as stage:
        for day in range(1, 10):
            stage.wait_until(at(24 * day))
        outlook = stage.agent.expects.outlook  # type: ignore[attr-defined]  # a producer
        assert outlook.start_s >= at(24 * 8) - 24 * HOUR_S
        assert outlook.end_s == at(24 * 11)


class Hasty:
    """A scheduler of another package that starts each job a minute ago."""

    is_heavy = False

    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:
        """Place it in the past, but within its window."""
        del rng
        return Schedule({task.job_id: state.now_s - 60})

    def have_room(self, state: ProducerState, tasks: Sequence[Task]) -> list[bool]:
        """Invite no job."""
        del state
        return [False for _ in tasks]

    def replan(self, state: ProducerState) -> Replanning:
        """Keep everything."""
        return Replanning({c.task.job_id: c.start_s for c in state.committed}, {})


def test_a_schedule_that_begins_in_the_past_ends_the_run() -> None:
    """The scheduler has a bug, and its promises would be worth nothing."""
    predictions = [Prediction(issued_s=at(0), production=sun(*ONE_KW))]
    with on_stage(Producer("pv", predictions, partial(WholeProducerSupply, scheduler=Hasty())), START_S) as stage:
        stage.say((MANAGER, JobsRegistered(digests=(digest_of(wash("c", "mine")),))))
        stage.wait_until(at(7))
        with pytest.raises(AssertionError, match=r"starts job 'mine' at \d+, which it may not"):
            stage.say(("c/machine", wanted("c", "mine", hours((0, 10)))))


# Leaving and coming back.


def test_a_producer_that_leaves_cancels_what_has_not_started_and_keeps_what_runs() -> None:
    """Consumers and manager are told; until it comes back it declines, which is no refusal for the scores."""
    with panel((0, ONE_KW)) as stage:
        stage.say(("c/machine", wanted("c", "mine", hours((7, 7)))))
        stage.say(("d/machine", wanted("d", "theirs", hours((8, 8)))))
        stage.wait_until(at(7))
        sent = stage.say((TIMELINE, Leave(reason="repairs", is_gone=False)))
        assert to("c/machine", sent) == []
        assert to("d/machine", sent) == [Cancel(job_id="theirs", reason="repairs")]
        assert to(MANAGER, sent) == [
            PromiseWithdrawn(job_id="theirs", reason="repairs"),
            ProducerLeft(producer="pv"),
        ]
        sent = stage.say(("e/machine", wanted("e", "elsewhere", hours((9, 9)))))
        assert to("e/machine", sent) == [Decline(job_id="elsewhere", reason="takes no part at present")]
        assert to(MANAGER, sent) == []


def test_a_producer_that_comes_back_joins_with_its_newest_forecast() -> None:
    """It decides by the forecast that was issued meanwhile; to join a second time changes nothing."""
    dark = ((6 * HOUR_S, 0.0), (14 * HOUR_S, 0.0))
    with panel((0, ONE_KW), (8, dark)) as stage:
        stage.say((TIMELINE, Leave(reason="repairs", is_gone=False)))
        assert stage.wait_until(at(8)) == []
        assert to(MANAGER, stage.say((TIMELINE, Join()))) == [ProducerJoined(producer="pv")]
        sent = stage.say(("c/machine", wanted("c", "mine", hours((9, 9)))))
        assert isinstance(to("c/machine", sent)[0], Decline)
        assert stage.say((TIMELINE, Join())) == []


def test_the_jobs_of_a_lost_consumer_make_room_unless_they_run() -> None:
    """A running machine does not stop because its reports are lost."""
    for after, is_opened in ((6, True), (7, False)):
        with panel((0, ONE_KW)) as stage:
            stage.say(("c/machine", wanted("c", "mine", hours((7, 7)))))
            stage.say(("d/machine", wanted("d", "waits", hours((7, 7.5)))))
            stage.wait_until(at(after))
            assert to("d/machine", stage.lose("c/machine")) == ([Opening(job_id="waits")] if is_opened else [])
