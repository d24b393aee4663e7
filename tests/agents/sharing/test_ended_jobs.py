"""What agents still know of jobs that have ended, and what late messages about those can do: nothing."""

from __future__ import annotations

from functools import partial

from agents.consumer import Consumer
from agents.job_register import JobRegister, digest_of
from agents.manager import Manager
from agents.messages import (
    ContractAgreed,
    Offer,
    Offered,
    ProducerJoined,
    ProducersFor,
    ProductionExpected,
    Reserve,
    SharePromised,
    SharesAmended,
    SharesAnswered,
    Shrink,
    Withdraw,
)
from agents.model import MANAGER, Contract
from agents.producer import Producer
from agents.shares import load_mwh, packed
from agents.sharing import SharedConsumerSupply, SharedManagerSupply, SharedProducerSupply, SupplySettings
from broker.protocol import Envelope
from scenarios.simulation.shared_invariants import ReportedShares
from tests.agents.stage import on_stage, to
from tests.scenarios.neighbourhoods import START_S, agreed, forecast, job, load, neighbourhood, sun

DAY_S = 86_400
WASH = job("wash", "a", load((0, 0.0), (3600, 400.0)), (0, 7_200))
RUNS = packed(load_mwh(WASH.load_profile, START_S))
RESERVE = Reserve(job_id="wash", start_s=START_S, minutes_mwh=RUNS, keeps_earlier=False, job=WASH.as_sent)
PROMISED = SharePromised(
    job_id="wash", consumer=WASH.agent, start_s=START_S, minutes_mwh=RUNS, digest=digest_of(WASH.as_sent)
)
CONTRACT = Contract(
    contract_id="wash/1", job_id="wash", producer="roof", start_s=START_S, agreed_s=START_S, energy_wh=400.0
)


def days_of_sun(*days: int) -> Producer:
    """Return a roof that expects the same at the beginning of each of these days."""
    forecasts = [
        forecast(sun((day * DAY_S, 0.0), (day * DAY_S + 7_200, 900.0)), START_S + day * DAY_S).predictions
        for day in days
    ]
    return Producer("roof", [one for some in forecasts for one in some], SharedProducerSupply)


def test_a_producer_keeps_what_it_gave_and_forgets_the_jobs() -> None:
    """Late messages of the job's consumer change nothing, and are rejected."""
    roof = days_of_sun(0, 3)
    with on_stage(roof, START_S) as stage:
        stage.say((WASH.agent, RESERVE))
        supply = roof.supply
        assert isinstance(supply, SharedProducerSupply)
        given = dict(supply.shares)
        stage.wait_until(START_S + 3 * DAY_S)

        assert not supply._jobs
        late = Reserve(job_id="wash", start_s=START_S, minutes_mwh=((1, 1),), keeps_earlier=False, job=WASH.as_sent)
        for message in (Withdraw(job_id="wash"), late):
            stage.say((WASH.agent, message))
            assert [rejection.sender for rejection in roof.take_rejections()] == [WASH.agent]
    assert supply.shares == given == {"wash": (START_S, RUNS)}


def test_a_consumer_ignores_a_producer_that_gives_less_after_the_job() -> None:
    """It has no part in the job any more, so the contract stays as it was carried out."""
    shared = partial(SharedConsumerSupply, settings=SupplySettings("shared"))
    consumer = Consumer(WASH.agent, [WASH], patient=True, supply=shared)
    with on_stage(consumer, START_S) as stage:
        (question,) = (sent for sent in stage.first if isinstance(sent.message, ProducersFor))
        offered = Offered(
            job_id="wash", first_minute=START_S // 60, offers=(Offer(producer="roof", minutes_mwh=((120, 10_000),)),)
        )
        stage.say((MANAGER, offered), re=question)
        stage.say((MANAGER, SharesAnswered(job_id="wash", promised=("roof",), declined=(), first_minute=0, offers=())))
        contract = consumer.contracts["wash"]
        assert contract.producer == "roof"
        stage.wait_until(contract.start_s)
        stage.wait_until(contract.start_s + WASH.duration_s)

        assert isinstance(consumer.supply, SharedConsumerSupply)
        assert not consumer.supply._supplies
        shrink = Shrink(job_id="wash", start_s=contract.start_s, before_mwh=RUNS, minutes_mwh=(), reason="late")
        assert stage.say(("roof", shrink)) == []
        assert consumer.take_rejections() == []
    assert consumer.contracts["wash"] == contract


def test_the_manager_forgets_who_signed_and_keeps_the_contract() -> None:
    """Neither party can change a contract whose job ended days ago."""
    manager = Manager(JobRegister([WASH], ["roof"]), supply=SharedManagerSupply)
    with on_stage(manager, START_S) as stage:
        stage.say(("roof", ProducerJoined(producer="roof")), ("roof", PROMISED))
        stage.say((WASH.agent, ContractAgreed(contract=CONTRACT)))
        entry = manager.ledger["wash/1"]
        for day in range(4):
            stage.wait_until(START_S + day * DAY_S)
            now_minute = (START_S + day * DAY_S) // 60
            stage.say(("roof", ProductionExpected(first_minute=now_minute, minutes_mwh=((60, 10_000),))))

        supply = manager._supply
        assert isinstance(supply, SharedManagerSupply)
        assert supply._shares.jobs() == ()
        stage.say((WASH.agent, SharesAmended(contract=CONTRACT, reason="late")))
        stage.say(("roof", PROMISED))
        stage.wait_until(START_S + 3 * DAY_S + 1)
        assert to(WASH.agent, stage.say(("roof", PROMISED.model_copy(update={"minutes_mwh": ()})))) == []
    assert manager.ledger["wash/1"] == entry


def test_a_contract_of_an_ended_job_still_counts_as_signed() -> None:
    """A device that ran for days reports its end, which the manager enters when older statements are forgotten."""
    reported = ReportedShares(neighbourhood({"a": {"roof": forecast(sun((0, 0.0), (7_200, 900.0)))}}, [WASH]))
    amended = CONTRACT.model_copy(update={"start_s": START_S + 60})
    later = PROMISED.model_copy(update={"start_s": START_S + 60})
    for at_s, sender, message in (
        (0, "roof", PROMISED),
        (0, WASH.agent, ContractAgreed(contract=CONTRACT)),
        (0, "roof", later),
        (0, WASH.agent, SharesAmended(contract=amended, reason="better")),
        (3 * DAY_S, "roof", PROMISED.model_copy(update={"job_id": "other"})),
    ):
        reported.record(
            Envelope(
                session="s", step=0, time=START_S + at_s, round=0, sender=sender, seq=0, to=MANAGER, message=message
            )
        )

    assert reported.unsigned(agreed(amended)) == ""
    assert "not reported it so" in reported.unsigned(agreed(CONTRACT))
