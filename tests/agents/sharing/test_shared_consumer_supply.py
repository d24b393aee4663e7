"""A consumer with shared supply, message by message: what changes the shares of its job, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agents.device_events import DeviceEvent, JobAsked
from agents.energy import LoadProfile
from agents.gateway import GatewaySettings, SharedGatewayConsumer
from agents.messages import ContractAgreed, ContractVoid, DeviceSaid, Offer, Offered, ProducersFor, SharesAnswered
from agents.model import GRID, MANAGER, SHARED, Contract
from agents.sharing import SupplySettings
from broker.hosts.agent import Outgoing
from tests.agents.stage import Stage, on_stage, to
from tests.scenarios.neighbourhoods import START_S

MINUTE_S = 60
HOUR_S = 3_600
BEGINS_S = START_S + 2 * HOUR_S
AGENT = "adler/washer"
ECO = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 600.0))
GATEWAY = GatewaySettings(id="w", house="adler", device="washer", profile="eco", profiles={"eco": ECO})


@contextmanager
def washer() -> Iterator[Stage]:
    """Put a real washing machine on stage whose job two roofs supply together."""
    machine = SharedGatewayConsumer(AGENT, (), patient=False, gateway=GATEWAY, supply=SupplySettings("shared"))
    with on_stage(machine, START_S) as stage:
        sent = report(stage, JobAsked(id="wash", earliest_start_s=BEGINS_S - HOUR_S, latest_start_s=BEGINS_S))
        question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
        later = Offer(producer="roof", minutes_mwh=((120, 0), (600, 6_000)))
        offers = (later, later.model_copy(update={"producer": "shed"}))
        first_minute = START_S // MINUTE_S
        stage.say((MANAGER, Offered(job_id="adler/w/wash", first_minute=first_minute, offers=offers)), re=question)
        stage.say((MANAGER, SharesAnswered(job_id="adler/w/wash", promised=("roof", "shed"))))
        yield stage


def report(stage: Stage, *said: DeviceEvent) -> list[Outgoing]:
    """Have the device say something; return what its agent sends."""
    return stage.say(*[(AGENT, DeviceSaid(device="w", said=event)) for event in said])


def test_a_device_that_runs_on_a_void_contract_gets_a_valid_one_with_the_grid() -> None:
    """The shares of the void contract went into the new one: an invalid message, which ended the household."""
    with washer() as stage:
        assert isinstance(stage.agent, SharedGatewayConsumer)
        (contract,) = stage.agent.contracts.values()
        assert (contract.producer, contract.start_s) == (SHARED, BEGINS_S)
        stage.wait_until(BEGINS_S)
        void = ContractVoid(
            job_id=contract.job_id, contract_id=contract.contract_id, contracts=0, reason="not promised"
        )
        (agreed,) = (m for m in to(MANAGER, stage.say((MANAGER, void))) if isinstance(m, ContractAgreed))
        assert (agreed.contract.producer, agreed.contract.start_s) == (GRID, BEGINS_S)
        assert Contract.model_validate_json(agreed.contract.model_dump_json()) == agreed.contract
