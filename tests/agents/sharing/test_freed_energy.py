"""Energy that a job does not use after all is offered to other jobs, and wishes for room are bounded."""

from __future__ import annotations

import pytest

from agents.job_register import JobRegister, digest_of
from agents.messages import (
    ContractAgreed,
    Offered,
    ProducerJoined,
    ProducersFor,
    ProductionExpected,
    RoomWanted,
    SharePromised,
)
from agents.model import Contract
from agents.scheduling import AlgorithmSettings, scheduler_for
from agents.shares import Share, load_mwh, packed
from agents.sharing import SharedManager, SharedProducer
from tests.agents.stage import on_stage, to
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, sun

WASH, DRY = (job(name, house, load((0, 0.0), (3600, 400.0))) for name, house in (("wash", "a"), ("dry", "b")))
START_LATER_S = START_S + 1_800
SHARE = Share(producer="roof", minutes_mwh=packed(load_mwh(WASH.load_profile, START_LATER_S)))


@pytest.mark.parametrize("how", ["its household is lost", "it is not confirmed"])
def test_energy_of_a_share_that_ends_is_offered_to_another_job(how: str) -> None:
    """The roof gives just enough for one of the jobs."""
    manager = SharedManager(JobRegister([WASH, DRY], ["roof"]))
    promised = SharePromised(
        job_id="wash",
        consumer=WASH.agent,
        start_s=START_LATER_S,
        minutes_mwh=SHARE.minutes_mwh,
        digest=digest_of(WASH.as_sent),
        is_answer=True,
    )
    contract = Contract(
        contract_id="wash/1", job_id="wash", producer="roof", start_s=START_LATER_S, agreed_s=START_S, energy_wh=400.0
    )
    with on_stage(manager, START_S) as stage:
        production = ProductionExpected(first_minute=START_LATER_S // 60, minutes_mwh=SHARE.minutes_mwh)
        stage.say(("roof", ProducerJoined(producer="roof")), ("roof", production), ("roof", promised))
        if how == "its household is lost":
            stage.say((WASH.agent, ContractAgreed(contract=contract)))
            stage.lose(WASH.agent)
            assert manager.ledger["wash/1"].state == "lost"
        stage.wait_until(START_S + 1)
        (offered,) = to(DRY.agent, stage.say((DRY.agent, ProducersFor(job_id="dry"))))
    assert isinstance(offered, Offered)
    assert [offer.producer for offer in offered.offers] == ["roof"]
    assert sum(minutes * mwh for minutes, mwh in offered.offers[0].minutes_mwh) == pytest.approx(400_000, rel=1e-3)


def test_a_consumer_that_wants_room_a_thousand_times_in_a_second_is_rejected() -> None:
    """Each of its wishes could lead to four messages; in the next second it may want room again."""
    roof = SharedProducer(
        "roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, scheduler_for(AlgorithmSettings())
    )
    wish = (WASH.agent, RoomWanted(job_id="wash", start_s=START_LATER_S, shares=(SHARE,)))
    with on_stage(roof, START_S) as stage:
        stage.say(*[wish] * 1_000)
        assert {rejection.sender for rejection in stage.agent.take_rejections()} == {WASH.agent}
        stage.wait_until(START_S + 1)
        stage.say(wish)
        assert stage.agent.take_rejections() == []
