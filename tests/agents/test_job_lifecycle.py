"""A job from its registration to its end, which is the same with whole and with shared supply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from agents.consumer import Consumer, MakeConsumerSupply
from agents.job_lifecycle import WITHDRAWN
from agents.messages import (
    AnyMessage,
    ContractAgreed,
    ContractCancelled,
    ContractVoid,
    DropJob,
    Join,
    Leave,
    Offered,
    Producers,
    ProducersFor,
    Withdraw,
)
from agents.model import GRID, MANAGER, TIMELINE
from agents.sharing import SharedConsumerSupply, SupplySettings
from agents.whole_supply import WholeConsumerSupply
from broker.hosts.agent import Outgoing
from tests.agents.stage import Stage, on_stage, to
from tests.scenarios.neighbourhoods import START_S, job, load

HOUR_S = 3_600
REGISTERED_S = START_S + HOUR_S
EARLIEST_S, LATEST_S = START_S + 2 * HOUR_S, START_S + 4 * HOUR_S
WASH = job("wash", "a", load((0, 0.0), (HOUR_S, 600.0)), (2 * HOUR_S, 4 * HOUR_S)).model_copy(
    update={"registered_s": REGISTERED_S}
)
SUPPLIES = [
    pytest.param(WholeConsumerSupply, id="whole"),
    pytest.param(partial(SharedConsumerSupply, settings=SupplySettings("shared")), id="shared"),
]
supplies = pytest.mark.parametrize("supply", SUPPLIES)


@contextmanager
def machine(supply: MakeConsumerSupply, *, patient: bool = False, is_there: bool = True) -> Iterator[Stage]:
    """Put a machine on stage whose job is registered after an hour."""
    with on_stage(Consumer(WASH.agent, [WASH], patient=patient, is_there=is_there, supply=supply), START_S) as stage:
        yield stage


def refused(stage: Stage, sent: list[Outgoing]) -> list[Outgoing]:
    """Answer the job's question: no producer has anything for it; return what is sent then."""
    question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
    assert isinstance(stage.agent, Consumer)
    nothing: AnyMessage = Producers(job_id="wash", producers=())
    if not stage.agent.supply.follows_strategy:
        nothing = Offered(job_id="wash", first_minute=START_S // 60, offers=())
    return stage.say((MANAGER, nothing), re=question)


def agreed(sent: list[Outgoing]) -> list[tuple[str, str, int]]:
    """Return number, producer and start of each contract that is reported."""
    contracts = [message.contract for message in to(MANAGER, sent) if isinstance(message, ContractAgreed)]
    return [(contract.contract_id, contract.producer, contract.start_s) for contract in contracts]


def asks(sent: list[Outgoing]) -> bool:
    """Return whether the job asks for producers, and sends nothing else."""
    return [type(outgoing.message) for outgoing in sent] == [ProducersFor]


@supplies
def test_a_job_looks_for_a_supplier_when_it_is_registered(supply: MakeConsumerSupply) -> None:
    """Not before, although its consumer has known it from the beginning."""
    with machine(supply) as stage:
        assert stage.first == []
        sent = stage.wait_until(REGISTERED_S)
        assert asks(sent)
        assert agreed(refused(stage, sent)) == [("wash/1", GRID, EARLIEST_S)]


@supplies
def test_a_job_that_loses_its_contract_begins_again(supply: MakeConsumerSupply) -> None:
    """Here because its device was away for a while; the next contract has the next number."""
    with machine(supply) as stage:
        refused(stage, stage.wait_until(REGISTERED_S))
        sent = stage.say((TIMELINE, Leave(reason="holiday", is_gone=True)))
        assert to(MANAGER, sent) == [ContractCancelled(contract_id="wash/1", reason="holiday")]
        sent = stage.say((TIMELINE, Join()))
        assert asks(sent)
        assert agreed(refused(stage, sent)) == [("wash/2", GRID, EARLIEST_S)]


@supplies
def test_a_job_whose_device_leaves_while_it_looks_for_a_supplier_has_no_contract(supply: MakeConsumerSupply) -> None:
    """Its household knows what becomes of the question only when the answers come, in later rounds of that second."""
    with machine(supply) as stage:
        sent = stage.wait_until(REGISTERED_S)
        assert stage.say((TIMELINE, Leave(reason="holiday", is_gone=True))) == []
        sent = refused(stage, sent)
        assert agreed(sent) == [("wash/1", GRID, EARLIEST_S)]
        assert to(MANAGER, sent)[-1] == ContractCancelled(contract_id="wash/1", reason="holiday")
        sent = stage.say((TIMELINE, Join()))
        assert agreed(refused(stage, sent)) == [("wash/2", GRID, EARLIEST_S)]


@supplies
def test_a_job_of_an_absent_device_waits_until_it_comes(supply: MakeConsumerSupply) -> None:
    """It looks for a supplier then."""
    with machine(supply, is_there=False) as stage:
        assert stage.wait_until(REGISTERED_S) == []
        assert stage.wait_until(REGISTERED_S + HOUR_S) == []
        assert asks(stage.say((TIMELINE, Join())))


@supplies
def test_a_job_of_an_offline_device_takes_grid_power_at_its_latest_start(supply: MakeConsumerSupply) -> None:
    """Its household is there, but no message can leave it before."""
    with machine(supply) as stage:
        stage.say((TIMELINE, Leave(reason="offline", is_gone=False)))
        assert stage.wait_until(REGISTERED_S) == []
        assert agreed(stage.wait_until(LATEST_S)) == [("wash/1", GRID, LATEST_S)]


@supplies
def test_a_job_of_a_device_that_does_not_come_is_not_run(supply: MakeConsumerSupply) -> None:
    """Its latest start passes; only those who knew of the job learn of that."""
    with machine(supply, is_there=False) as stage:
        stage.wait_until(REGISTERED_S)
        sent = stage.wait_until(LATEST_S)
        assert {type(outgoing.message) for outgoing in sent} <= {Withdraw}
        assert agreed(stage.say((TIMELINE, Join()))) == []


@supplies
def test_a_job_that_loses_its_contract_after_the_end_of_the_run_waits_for_nothing(supply: MakeConsumerSupply) -> None:
    """A whole job was waiting for an opening when the run ended, and forgot that there is no more time to wait for."""
    with machine(supply, patient=True) as stage:
        refused(stage, stage.wait_until(REGISTERED_S))
        stage.close()
        sent = stage.say((TIMELINE, Leave(reason="holiday", is_gone=True)))
        assert to(MANAGER, sent)[:2] == [
            ContractCancelled(contract_id="wash/1", reason="holiday"),
            Withdraw(job_id="wash"),
        ]


@supplies
def test_a_job_that_is_dropped_ends_with_its_contract(supply: MakeConsumerSupply) -> None:
    """And it does not look for another one."""
    with machine(supply) as stage:
        refused(stage, stage.wait_until(REGISTERED_S))
        sent = stage.say((TIMELINE, DropJob(job_id="wash")))
        assert to(MANAGER, sent)[0] == ContractCancelled(contract_id="wash/1", reason=WITHDRAWN)
        assert {type(message) for message in to(MANAGER, sent)[1:]} <= {Withdraw}
        assert stage.wait_until(EARLIEST_S) == []
        assert isinstance(stage.agent, Consumer)
        assert stage.agent.contracts == {}


@supplies
def test_a_job_that_has_started_is_not_dropped(supply: MakeConsumerSupply) -> None:
    """Its contract stays as it was carried out."""
    with machine(supply) as stage:
        refused(stage, stage.wait_until(REGISTERED_S))
        stage.wait_until(EARLIEST_S)
        assert stage.say((TIMELINE, DropJob(job_id="wash"))) == []
        assert isinstance(stage.agent, Consumer)
        assert list(stage.agent.contracts) == ["wash"]


@supplies
def test_only_the_manager_may_say_that_a_contract_is_void(supply: MakeConsumerSupply) -> None:
    """Whatever others say, the contract stands."""
    with machine(supply) as stage:
        refused(stage, stage.wait_until(REGISTERED_S))
        void = ContractVoid(job_id="wash", contract_id="wash/1", contracts=1, reason="because")
        assert stage.say(("roof", void)) == []
        assert [rejection.sender for rejection in stage.agent.take_rejections()] == ["roof"]
