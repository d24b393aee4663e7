"""A producer that supplies shares, message by message: what it gives, what it refuses, and what it offers meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agents.messages import (
    AnyMessage,
    Hold,
    JobsRegistered,
    Join,
    Leave,
    ProductionExpected,
    PromiseVoid,
    Release,
    Request,
    Reserve,
    RoomNeeded,
    RoomWanted,
    ShareDeclined,
    SharePromised,
    ShareVoid,
    Shrink,
    Withdraw,
)
from agents.model import MANAGER, TIMELINE, Job
from agents.producer import Producer
from agents.shares import Share
from agents.sharing import SharedProducerSupply
from broker.hosts.agent import Outgoing
from tests.agents.stage import Stage, on_stage, to
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, sun

START_MINUTE = START_S // 60
HOUR = load((0, 0.0), (3_600, 600.0))
"""10,000 mWh in each of 60 minutes."""
WASH = job("wash", "a", HOUR, (0, 7_200))
DRY = job("dry", "b", HOUR, (0, 7_200))


@pytest.fixture
def roof() -> Iterator[Stage]:
    """Return a roof with 10,000 mWh in each minute of three hours."""
    predictions = forecast(sun((0, 0.0), (10_800, 1_800.0))).predictions
    with on_stage(Producer("roof", predictions, SharedProducerSupply), START_S) as stage:
        yield stage


def reserve(stage: Stage, of: Job, start_s: int, *runs: tuple[int, int]) -> list[Outgoing]:
    """Have a job's consumer reserve a share; return what the roof sends."""
    wanted = Reserve(job_id=of.job_id, start_s=start_s, minutes_mwh=runs, keeps_earlier=False, job=of.as_sent)
    return stage.say((of.agent, wanted))


def expected(sent: list[Outgoing]) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    """Return first minute and energies of what the manager is told to expect."""
    return [
        (message.first_minute, message.minutes_mwh)
        for message in to(MANAGER, sent)
        if isinstance(message, ProductionExpected)
    ]


def offered(sent: list[Outgoing], of: Job) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    """Return first minute and energies of what a job is offered when it is asked for room."""
    return [
        (message.first_minute, message.minutes_mwh) for message in to(of.agent, sent) if isinstance(message, RoomNeeded)
    ]


def test_a_producer_that_returns_promises_the_board_only_the_minutes_to_come(roof: Stage) -> None:
    """Minutes that pass while it is away are no longer offered; the present one still is."""
    assert expected(roof.first) == [(START_MINUTE, ((180, 10_000),))]
    roof.say((TIMELINE, Leave(reason="repairs", is_gone=False)))
    roof.wait_until(START_S + 10 * 60 + 59)
    assert expected(roof.say((TIMELINE, Join()))) == [(START_MINUTE + 10, ((170, 10_000),))]


@pytest.mark.parametrize(("after_s", "passed"), [(59, 0), (60, 1), (179, 2)])
def test_what_a_job_is_offered_for_room_begins_with_the_present_minute(
    roof: Stage, *, after_s: int, passed: int
) -> None:
    """Its window has begun; the minute that passes meanwhile cannot be given any more."""
    start_s = START_S + 3_600
    reserve(roof, DRY, start_s, (60, 10_000))
    roof.wait_until(START_S + after_s)
    wish = RoomWanted(job_id="wash", start_s=start_s, shares=(Share(producer="roof", minutes_mwh=((60, 10_000),)),))
    assert offered(roof.say((WASH.agent, wish)), DRY) == [(START_MINUTE + passed, ((180 - passed, 10_000),))]


@pytest.mark.parametrize(
    ("runs", "is_promised"),
    [(((2, 0), (58, 10_000)), True), (((1, 0), (59, 10_000)), False), (((60, 10_000),), False)],
)
def test_a_job_whose_start_has_passed_can_only_have_the_minutes_to_come(
    roof: Stage, runs: tuple[tuple[int, int], ...], *, is_promised: bool
) -> None:
    """Two minutes after its start, it is given nothing for them, however much the roof had left there."""
    roof.wait_until(START_S + 2 * 60)
    (answer,) = to(MANAGER, reserve(roof, WASH, START_S, *runs))
    assert isinstance(answer, SharePromised if is_promised else ShareDeclined)
    refused = f"reserves for a start of job 'wash' at {START_S}, outside its window"
    assert [rejection.why for rejection in roof.agent.take_rejections()] == ([] if is_promised else [refused])


@pytest.mark.parametrize(("after_s", "is_promised"), [(59, False), (60, True), (7_200, True), (7_201, False)])
def test_a_start_outside_the_window_of_a_job_is_refused(roof: Stage, after_s: int, *, is_promised: bool) -> None:
    """A second too early, or too late."""
    late = job("late", "c", HOUR, (60, 7_200))
    (answer,) = to(MANAGER, reserve(roof, late, START_S + after_s, (10, 100)))
    assert isinstance(answer, SharePromised if is_promised else ShareDeclined)
    assert bool(roof.agent.take_rejections()) is not is_promised


@pytest.mark.parametrize(
    ("runs", "is_promised"),
    [(((60, 5_000),), True), (((2, 5_000), (58, 4_000)), True), (((1, 5_000), (59, 4_000)), False)],
)
def test_the_minutes_that_a_running_job_has_had_do_not_change(
    roof: Stage, runs: tuple[tuple[int, int], ...], *, is_promised: bool
) -> None:
    """What is to come may change, the present minute included."""
    reserve(roof, WASH, START_S, (60, 5_000))
    roof.wait_until(START_S + 2 * 60 + 59)
    (answer,) = to(MANAGER, reserve(roof, WASH, START_S, *runs))
    assert isinstance(answer, SharePromised if is_promised else ShareDeclined)
    changed = ["changes what job 'wash' has been given already"]
    assert [rejection.why for rejection in roof.agent.take_rejections()] == ([] if is_promised else changed)


def test_a_producer_that_leaves_takes_shares_back_unless_their_jobs_run(roof: Stage) -> None:
    """The running job is given all that it was promised."""
    reserve(roof, WASH, START_S, (60, 4_000))
    reserve(roof, DRY, START_S + 3_600, (60, 4_000))
    roof.wait_until(START_S + 60)
    sent = roof.say((TIMELINE, Leave(reason="repairs", is_gone=False)))
    assert to(WASH.agent, sent) == []
    (shrink,) = to(DRY.agent, sent)
    assert shrink == Shrink(
        job_id="dry", start_s=START_S + 3_600, before_mwh=((60, 4_000),), minutes_mwh=(), reason="repairs"
    )


@pytest.mark.parametrize("kind", ["Request", "Hold", "Release", "PromiseVoid", "JobsRegistered"])
def test_messages_about_whole_jobs_are_rejected(roof: Stage, kind: str) -> None:
    """Nobody sends them in a neighbourhood that shares its supply."""
    starts = ((START_S, START_S),)
    messages: dict[str, AnyMessage] = {
        "Request": Request(job=WASH, patient=True, starts=starts, held=False),
        "Hold": Hold(job_id="wash"),
        "Release": Release(job_id="wash", starts=starts),
        "PromiseVoid": PromiseVoid(job_id="wash", start_s=START_S, reason="x"),
        "JobsRegistered": JobsRegistered(digests=()),
    }
    assert roof.say((WASH.agent, messages[kind])) == []
    why = f"sends {kind}, and this neighbourhood shares its supply"
    assert [rejection.why for rejection in roof.agent.take_rejections()] == [why]


def test_a_void_that_was_sent_before_the_manager_read_a_new_share_does_not_mean_it(roof: Stage) -> None:
    """A consumer that reserves again at that moment would have a contract with a share that its roof does not know."""
    assert isinstance(roof.agent, Producer)
    void = ShareVoid(job_id="wash", reason="its consumer has not confirmed it")
    reserve(roof, WASH, START_S, (60, 4_000))
    for sent_in in (4, 5):
        roof.wait_until(START_S, step=5)
        (promised,) = to(MANAGER, reserve(roof, WASH, START_S, (60, 5_000)))
        assert isinstance(promised, SharePromised)
        roof.say((MANAGER, void), sent_in=sent_in)
        assert roof.agent.promised_s == {"wash": START_S}
    roof.wait_until(START_S, step=7)
    roof.say((MANAGER, void), sent_in=6)
    assert roof.agent.promised_s == {}


def test_a_withdrawal_that_crosses_a_refusal_does_not_count_against_its_consumer(roof: Stage) -> None:
    """It learns of the refusal from the manager, two rounds later. Other consumers and later messages are rejected."""
    roof.wait_until(START_S, step=10)
    reserve(roof, DRY, START_S, (60, 8_000))
    (declined,) = to(MANAGER, reserve(roof, WASH, START_S, (60, 8_000)))
    assert isinstance(declined, ShareDeclined)
    withdrawn = Withdraw(job_id="wash")
    for step, sender, rejected in ((11, WASH.agent, []), (13, WASH.agent, []), (13, DRY.agent, [DRY.agent])):
        roof.wait_until(START_S, step)
        assert roof.say((sender, withdrawn)) == []
        assert [rejection.sender for rejection in roof.agent.take_rejections()] == rejected
    roof.wait_until(START_S, step=14)
    roof.say((WASH.agent, withdrawn))
    assert [rejection.sender for rejection in roof.agent.take_rejections()] == [WASH.agent]
