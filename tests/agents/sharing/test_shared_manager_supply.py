"""In which messages whole and shared supply differ; what both have is the manager's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agents.job_register import JobRegister, digest_of
from agents.manager import Manager
from agents.messages import (
    AnyMessage,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    ContractVoid,
    Declined,
    Offered,
    ProducerJoined,
    ProducerLeft,
    ProducersFor,
    ProductionExpected,
    Promised,
    PromiseWithdrawn,
    SharePromised,
    SharesAmended,
    ShareVoid,
)
from agents.model import GRID, SHARED, Contract
from agents.shares import Share
from agents.sharing import SharedManagerSupply
from agents.whole_supply import WholeManagerSupply
from tests.agents.stage import Stage, on_stage, to
from tests.scenarios.neighbourhoods import START_S, job, load

WASH = job("wash", "a", load((0, 0.0), (3600, 400.0)))
LATER_S = START_S + 1_800
SOME = ((60, 1_000),)
OF_WASH = {"job_id": "wash", "start_s": LATER_S, "consumer": WASH.agent}


def promise(runs: tuple[tuple[int, int], ...] = SOME) -> SharePromised:
    """Return a producer's promise of a share."""
    return SharePromised(minutes_mwh=runs, digest=digest_of(WASH.as_sent), **OF_WASH)


def contract(*roofs: str, runs: tuple[tuple[int, int], ...] = SOME) -> Contract:
    """Return the washing's contract with these roofs, which give the same; without any: with the grid."""
    shares = tuple(Share(producer=roof, minutes_mwh=runs) for roof in roofs)
    terms = {"contract_id": "wash/1", "job_id": "wash", "start_s": LATER_S, "agreed_s": START_S, "energy_wh": 400.0}
    return Contract(producer=SHARED if roofs else GRID, shares=shares, **terms)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """The manager, with the roofs `roof` and `shed`."""
    with on_stage(Manager(JobRegister([WASH], ["roof", "shed"]), supply=SharedManagerSupply), START_S) as on:
        on.say(*((roof, ProducerJoined(producer=roof)) for roof in ("roof", "shed")))
        yield on


def ledger_state(stage: Stage) -> str:
    """Return the state of the only contract."""
    assert isinstance(stage.agent, Manager)
    return stage.agent.ledger["wash/1"].state


def rejected(stage: Stage) -> list[str]:
    """Return the senders of rejected messages."""
    return [rejection.sender for rejection in stage.agent.take_rejections()]


@pytest.mark.parametrize(
    "message",
    [
        Promised(energy_wh=400.0, **OF_WASH),
        PromiseWithdrawn(job_id="wash", reason="clouds"),
        Declined(job_id="wash", producer="roof"),
        ContractAmended(contract_id="wash/1", start_s=LATER_S),
    ],
    ids=lambda message: message.kind,
)
def test_messages_of_whole_supply_are_rejected_and_change_nothing(stage: Stage, message: AnyMessage) -> None:
    """No agent of this neighbourhood sends them. A refusal, in particular, changes no score."""
    assert stage.say(("roof", message)) == []
    assert rejected(stage) == ["roof"]
    assert isinstance(stage.agent, Manager)
    assert stage.agent.scores.by_producer() == {"roof": 10, "shed": 10}


@pytest.mark.parametrize("message", [promise(), SharesAmended(contract=contract("roof"), reason="sun")], ids=str)
def test_messages_of_shared_supply_are_rejected_with_whole_supply(message: AnyMessage) -> None:
    """The manager tells the two apart by its supply only."""
    with on_stage(Manager(JobRegister([WASH], ["roof"]), WholeManagerSupply), START_S) as stage:
        stage.say(("roof", ProducerJoined(producer="roof")))
        assert stage.say(("roof", message)) == []
        assert rejected(stage) == ["roof"]


def test_a_contract_stands_when_each_producer_has_promised_its_share(stage: Stage) -> None:
    """And each gains by it in the ranking, once for a job."""
    stage.say(("roof", promise()))
    (void,) = to(WASH.agent, stage.say((WASH.agent, ContractAgreed(contract=contract("roof", "shed")))))
    assert isinstance(void, ContractVoid)
    stage.say(("shed", promise()), (WASH.agent, ContractAgreed(contract=contract("roof", "shed"))))
    assert ledger_state(stage) == "standing"
    assert isinstance(stage.agent, Manager)
    assert stage.agent.scores.by_producer() == {"roof": 9, "shed": 9}


def test_a_share_that_only_its_producer_changes_ends_the_contract_with_the_second(stage: Stage) -> None:
    """All parties are informed, so that the job looks for others."""
    stage.say(*((roof, promise()) for roof in ("roof", "shed")))
    stage.say((WASH.agent, ContractAgreed(contract=contract("roof", "shed"))), ("shed", promise(((60, 500),))))
    assert ledger_state(stage) == "standing"
    sent = stage.wait_until(START_S + 1)
    assert [(type(one.message), one.to) for one in sent] == [
        (ContractVoid, WASH.agent),
        (ShareVoid, "roof"),
        (ShareVoid, "shed"),
    ]
    assert ledger_state(stage) == "cancelled"


def test_an_amendment_that_a_producer_has_not_promised_ends_the_contract_at_once(stage: Stage) -> None:
    """Unless its job runs: then it stands as it was."""
    stage.say(("roof", promise()), (WASH.agent, ContractAgreed(contract=contract("roof"))))
    more = SharesAmended(contract=contract("roof", "shed"), reason="sun")
    sent = stage.say((WASH.agent, more))
    assert [(type(one.message), one.to) for one in sent] == [(ContractVoid, WASH.agent), (ShareVoid, "roof")]
    assert ledger_state(stage) == "cancelled"


def test_an_amendment_of_a_running_job_that_a_producer_has_not_promised_changes_nothing(stage: Stage) -> None:
    """The machine runs, whoever supplies it."""
    stage.say(("roof", promise()), (WASH.agent, ContractAgreed(contract=contract("roof"))))
    stage.wait_until(LATER_S)
    assert stage.say((WASH.agent, SharesAmended(contract=contract("roof", "shed"), reason="sun"))) == []
    assert ledger_state(stage) == "standing"
    assert rejected(stage) == []


def test_a_consumer_that_ends_its_contract_leaves_it_to_the_end_of_the_second_to_tell_the_producers(
    stage: Stage,
) -> None:
    """They may have reported by then that they give nothing."""
    stage.say(*((roof, promise()) for roof in ("roof", "shed")))
    stage.say((WASH.agent, ContractAgreed(contract=contract("roof", "shed"))))
    assert stage.say((WASH.agent, ContractCancelled(contract_id="wash/1", reason="no"))) == []
    assert ledger_state(stage) == "cancelled"
    stage.say(("roof", promise(())))
    assert [(type(one.message), one.to) for one in stage.wait_until(START_S + 1)] == [(ShareVoid, "shed")]


def test_a_producer_that_has_left_offers_nothing_until_it_is_back_with_a_forecast(stage: Stage) -> None:
    """Its energy is gone from the board, not only its name from the list."""
    sun = ProductionExpected(first_minute=START_S // 60, minutes_mwh=((120, 9_000),))

    steps = iter(range(1, 1_000))

    def offered_after(message: AnyMessage) -> list[str]:
        """Return what the job is offered when it asks some rounds after the roof's message."""
        stage.say(("roof", message))
        for _ in range(20):
            stage.wait_until(START_S, next(steps))
        (answer,) = to(WASH.agent, stage.say((WASH.agent, ProducersFor(job_id="wash"))))
        assert isinstance(answer, Offered)
        return [offer.producer for offer in answer.offers]

    assert offered_after(sun) == ["roof"]
    assert offered_after(ProducerLeft(producer="roof")) == []
    assert offered_after(ProducerJoined(producer="roof")) == []
    assert offered_after(sun) == ["roof"]
