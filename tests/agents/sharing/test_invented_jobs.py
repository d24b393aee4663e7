"""With shared supply a consumer describes its job to producers; the manager knows what was registered."""

from __future__ import annotations

from agents.job_register import JobRegister, digest_of
from agents.messages import (
    Offered,
    ProducerJoined,
    ProducersFor,
    ProductionExpected,
    Reserve,
    ShareDeclined,
    SharePromised,
    ShareVoid,
)
from agents.model import MANAGER
from agents.scheduling import AlgorithmSettings, scheduler_for
from agents.shares import load_mwh, packed
from agents.sharing import SharedManager, SharedProducer
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
    roof = SharedProducer(
        "roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, scheduler_for(AlgorithmSettings())
    )
    with on_stage(roof, START_S) as stage:
        (promised,) = to(MANAGER, stage.say((liar, reserve("b"))))
        assert isinstance(promised, SharePromised)
        assert promised.digest != digest_of(WASH.as_sent)
        (refused,) = to(MANAGER, stage.say((WASH.agent, reserve())))
        assert isinstance(refused, ShareDeclined)
        assert stage.agent.take_rejections() == []
        manager = SharedManager(JobRegister([WASH], ["roof"]))
        with on_stage(manager, START_S) as other:
            other.say(("roof", ProducerJoined(producer="roof")))
            (void,) = to("roof", other.say(("roof", promised)))
            assert other.agent.take_rejections() == []
        assert isinstance(void, ShareVoid)
        stage.say((MANAGER, void))
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == [liar]
        (again,) = to(MANAGER, stage.say((WASH.agent, reserve())))
        assert isinstance(again, SharePromised)
        assert again.digest == digest_of(WASH.as_sent)


def test_a_job_that_asks_again_before_its_turn_is_rejected_and_delays_nobody() -> None:
    """Each question takes three rounds; a household with one job has one turn."""
    dry = job("dry", "b", load((0, 0.0), (3600, 400.0)))
    manager = SharedManager(JobRegister([WASH, dry], ["roof"]))
    with on_stage(manager, START_S) as stage:
        sun_from_now = ProductionExpected(first_minute=START_S // 60, minutes_mwh=((120, 9_000),))
        stage.say(("roof", ProducerJoined(producer="roof")), ("roof", sun_from_now))
        asks = (WASH.agent, ProducersFor(job_id="wash"))
        first = stage.say(asks, asks, asks, (dry.agent, ProducersFor(job_id="dry")))
        assert [type(message) for message in to(WASH.agent, first)] == [Offered]
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == [WASH.agent, WASH.agent]
