"""Producers learn at the end of the second that a contract goes on without their shares."""

from __future__ import annotations

from agents.job_register import JobRegister, digest_of
from agents.manager import Manager
from agents.messages import ContractAgreed, ProducerJoined, SharePromised, SharesAmended, ShareVoid
from agents.model import SHARED, Contract
from agents.shares import Share
from agents.sharing import SharedManagerSupply
from tests.agents.stage import on_stage
from tests.scenarios.neighbourhoods import START_S, job, load

WASH = job("wash", "a", load((0, 0.0), (3600, 400.0)), (0, 7200))
ROOFS = tuple(f"roof-{number}" for number in range(9))


def contract_with(*roofs: str) -> Contract:
    """Return a contract in which each of these roofs gives the same."""
    return Contract(
        contract_id="wash/1",
        job_id="wash",
        producer=SHARED,
        start_s=START_S + 3600,
        agreed_s=START_S,
        energy_wh=400.0,
        shares=tuple(Share(producer=roof, minutes_mwh=((1, 10),)) for roof in roofs),
    )


def test_dropped_producers_are_informed_in_the_order_of_their_shares() -> None:
    """Whatever the hash seed of the process: a manager that is started again repeats its messages to the byte."""
    manager = Manager(JobRegister([WASH], list(ROOFS)), supply=SharedManagerSupply)
    promise = SharePromised(
        job_id="wash",
        consumer=WASH.agent,
        start_s=START_S + 3600,
        minutes_mwh=((1, 10),),
        digest=digest_of(WASH.as_sent),
    )
    with on_stage(manager, START_S) as stage:
        stage.say(*((roof, ProducerJoined(producer=roof)) for roof in ROOFS))
        stage.say(*((roof, promise) for roof in ROOFS))
        stage.say((WASH.agent, ContractAgreed(contract=contract_with(*ROOFS))))
        stage.say((WASH.agent, SharesAmended(contract=contract_with(ROOFS[0], ROOFS[1]), reason="cheaper")))
        assert manager.ledger["wash/1"].contract.producers == ROOFS[:2]

        sent = stage.wait_until(START_S + 1)

        assert [outgoing.to for outgoing in sent if isinstance(outgoing.message, ShareVoid)] == list(ROOFS[2:])
