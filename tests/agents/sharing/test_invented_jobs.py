"""With shared supply a consumer describes its job to producers; the manager knows what was registered."""

from __future__ import annotations

import pytest

from agents.job_register import JobRegister, digest_of
from agents.manager import Manager
from agents.messages import (
    NOT_REGISTERED,
    ContractAgreed,
    Offered,
    ProducerJoined,
    ProducersFor,
    ProductionExpected,
    Reserve,
    ShareDeclined,
    SharePromised,
    SharesAnswered,
    ShareVoid,
)
from agents.model import MANAGER, SHARED, Contract
from agents.producer import Producer
from agents.shares import Share, load_mwh, packed
from agents.sharing import SharedManagerSupply
from agents.sharing.shared_producer_supply import SharedProducerSupply
from broker.protocol import MAX_PAYLOAD_BYTES
from tests.agents.stage import on_stage, to
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, sun

WASH = job("wash", "a", load((0, 0.0), (3600, 400.0)))


def reserve(of: str = "a") -> Reserve:
    """Return a reservation for the washing, as a household describes it."""
    sent = WASH.as_sent.model_copy(update={"house": of})
    some = packed(load_mwh(WASH.load_profile, START_S + 60))
    return Reserve(
        job_id="wash",
        start_s=START_S + 60,
        minutes_mwh=some,
        keeps_earlier=False,
        job=sent,
    )


def test_a_job_that_another_household_invents_costs_its_owner_one_refusal_and_the_inventor_a_rejection() -> None:
    """The producer promises, the manager does not know such a job, and the energy is free again."""
    liar = WASH.model_copy(update={"house": "b"}).agent
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, SharedProducerSupply)
    with on_stage(roof, START_S) as stage:
        (promised,) = to(MANAGER, stage.say((liar, reserve("b"))))
        assert isinstance(promised, SharePromised)
        assert promised.digest != digest_of(WASH.as_sent)
        (refused,) = to(MANAGER, stage.say((WASH.agent, reserve())))
        assert isinstance(refused, ShareDeclined)
        assert stage.agent.take_rejections() == []
        manager = Manager(JobRegister([WASH], ["roof"]), supply=SharedManagerSupply)
        with on_stage(manager, START_S) as other:
            other.say(("roof", ProducerJoined(producer="roof")))
            (void,) = to("roof", other.say(("roof", promised)))
            assert other.agent.take_rejections() == []
        assert isinstance(void, ShareVoid)
        stage.say((MANAGER, void), sent_in=1)
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == [liar]
        (once_more,) = to(MANAGER, stage.say((liar, reserve("b"))))
        assert isinstance(once_more, ShareDeclined)
        (again,) = to(MANAGER, stage.say((WASH.agent, reserve())))
        assert isinstance(again, SharePromised)
        assert again.digest == digest_of(WASH.as_sent)


def test_a_household_is_not_taken_for_the_inventor_who_described_its_job_before() -> None:
    """The inventor reserves twice: the second `ShareVoid` arrives in the round in which the owner describes the job."""
    liar = WASH.model_copy(update={"house": "b"}).agent
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, SharedProducerSupply)
    void = ShareVoid(job_id="wash", reason=NOT_REGISTERED)
    with on_stage(roof, START_S) as stage:
        stage.wait_until(START_S, step=1)
        stage.say((liar, reserve("b")), sent_in=0)
        stage.wait_until(START_S, step=2)
        stage.say((liar, reserve("b")), sent_in=1)
        stage.wait_until(START_S, step=3)
        stage.say((MANAGER, void), sent_in=2)
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == [liar]
        stage.wait_until(START_S, step=4)
        (promised,) = to(MANAGER, stage.say((WASH.agent, reserve()), (MANAGER, void), sent_in=3))
        assert isinstance(promised, SharePromised)
        assert stage.agent.take_rejections() == []
        assert list(roof.promised_s) == ["wash"]


def test_a_job_that_is_declined_is_forgotten_so_that_its_id_stays_free_for_its_owner() -> None:
    """The manager compares only what a producer promises, so nothing else would ever free the id, or the memory."""
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 100.0))).predictions, SharedProducerSupply)
    with on_stage(roof, START_S) as stage:
        liar = WASH.model_copy(update={"house": "b"}).agent
        too_much = reserve("b").model_copy(update={"minutes_mwh": ((1, 10**6),)})
        for claim in (reserve("b"), too_much):
            (refused,) = to(MANAGER, stage.say((liar, claim)))
            assert isinstance(refused, ShareDeclined)
            little = reserve().model_copy(update={"minutes_mwh": ((1, 1),)})
            (promised,) = to(MANAGER, stage.say((WASH.agent, little)))
            assert isinstance(promised, SharePromised)
            stage.say((MANAGER, ShareVoid(job_id="wash", reason="the next claim comes first")), sent_in=1)


def test_a_job_that_asks_again_before_its_turn_is_rejected_and_delays_no_other() -> None:
    """Each question takes three rounds; a household with one job has one turn."""
    dry = job("dry", "b", load((0, 0.0), (3600, 400.0)))
    manager = Manager(JobRegister([WASH, dry], ["roof"]), supply=SharedManagerSupply)
    with on_stage(manager, START_S) as stage:
        sun_from_now = ProductionExpected(first_minute=START_S // 60, minutes_mwh=((120, 9_000),))
        stage.say(("roof", ProducerJoined(producer="roof")), ("roof", sun_from_now))
        asks = (WASH.agent, ProducersFor(job_id="wash"))
        first = stage.say(asks, asks, asks, (dry.agent, ProducersFor(job_id="dry")))
        assert [type(message) for message in to(WASH.agent, first)] == [Offered]
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == [WASH.agent, WASH.agent]


@pytest.mark.long
def test_a_job_with_very_many_suppliers_is_offered_what_fits_into_a_message() -> None:
    """A household may reserve a little with each of a hundred roofs, whose forecasts differ in every minute."""
    long = job("long", "a", load((0, 0.0), (7200, 400.0)), (0, 2 * 86_400))
    roofs = [f"roof-{number}" for number in range(105)]
    manager = Manager(JobRegister([long], roofs), supply=SharedManagerSupply)
    bumpy = tuple((1, 1_000_000 + minute % 2) for minute in range(2_100))
    minute = START_S // 60
    with on_stage(manager, START_S) as stage:
        stage.say(*((roof, ProducerJoined(producer=roof)) for roof in roofs))
        stage.say(*((roof, ProductionExpected(first_minute=minute, minutes_mwh=bumpy)) for roof in roofs))
        terms = {"job_id": "long", "start_s": START_S, "minutes_mwh": ((1, 1),), "is_answer": True}
        promise = SharePromised(consumer=long.agent, digest=digest_of(long.as_sent), **terms)
        stage.say(*((roof, promise) for roof in roofs))
        shares = tuple(Share(producer=roof, minutes_mwh=((1, 1),)) for roof in sorted(roofs))
        terms = {"job_id": "long", "producer": SHARED, "start_s": START_S, "agreed_s": START_S, "energy_wh": 400.0}
        contract = Contract(contract_id="long/1", shares=shares, **terms)
        stage.say((long.agent, ContractAgreed(contract=contract)))
        assert manager.ledger["long/1"].state == "standing"
        stage.agent.advance(START_S, step=100)
        declined = ShareDeclined(job_id="long", consumer=long.agent, reason="x")
        for question in ((long.agent, ProducersFor(job_id="long")), ("roof-0", declined)):
            (answer,) = to(long.agent, stage.say(question))
            assert isinstance(answer, Offered | SharesAnswered)
            assert 12 < len(answer.offers) <= 100
            assert len(answer.model_dump_json()) < MAX_PAYLOAD_BYTES - 10_000


def test_a_producer_that_answers_a_thousand_times_is_named_once() -> None:
    """Its other answers of the round do not count; the job's consumer finds out whether it asked at all."""
    manager = Manager(JobRegister([WASH], ["roof", "other"]), supply=SharedManagerSupply)
    with on_stage(manager, START_S) as stage:
        stage.say(("roof", ProducerJoined(producer="roof")), ("other", ProducerJoined(producer="other")))
        declined = ShareDeclined(job_id="wash", consumer=WASH.agent, reason="x")
        (answer,) = to(WASH.agent, stage.say(*[("roof", declined)] * 1_500, ("other", declined)))
        assert isinstance(answer, SharesAnswered)
        assert answer.declined == ("roof", "other")
