"""Validation of messages between agents on receipt."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from agents.device_events import Reported
from agents.energy import LoadProfile, Production
from agents.headroom import View
from agents.job_register import digest_of
from agents.messages import (
    MESSAGES,
    Accept,
    AcceptProvisionally,
    AddJob,
    Amend,
    AnyMessage,
    Cancel,
    ChangeAlgorithm,
    ChangePatience,
    ChangePrices,
    ChangeStrategy,
    Conclude,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    ContractVoid,
    Decline,
    Declined,
    DeviceSaid,
    DropJob,
    Follow,
    Followed,
    Happened,
    Headroom,
    Hold,
    JobExecuted,
    JobsRegistered,
    JobWithdrawn,
    Join,
    Leave,
    Message,
    NewForecast,
    Offer,
    Offered,
    Opening,
    ProducerJoined,
    ProducerLeft,
    Producers,
    ProducersFor,
    ProductionChanged,
    ProductionExpected,
    ProductionMeasured,
    Promised,
    PromiseVoid,
    PromiseWithdrawn,
    PushOut,
    Release,
    Request,
    Reserve,
    RoomNeeded,
    RoomWanted,
    Scored,
    ShareDeclined,
    SharePromised,
    SharesAmended,
    SharesAnswered,
    ShareVoid,
    Shrink,
    Withdraw,
)
from agents.model import SHARED, Contract, Device, Job
from agents.scheduling import AlgorithmSettings
from agents.shares import Share
from broker.identifiers import MAX_CHARACTERS

JOB = Job(
    job_id="wash",
    source_id="wash",
    house="1",
    device="washer",
    profile="cotton",
    load_profile=LoadProfile(times_s=(0, 3600), cumulative_wh=(0.0, 800.0)),
    registered_s=0,
    earliest_start_s=60,
    latest_start_s=7200,
)
CONTRACT = Contract(contract_id="wash/1", job_id="wash", producer="roof", start_s=60, agreed_s=0, energy_wh=800.0)
SHARED_CONTRACT = Contract(
    contract_id="wash/1",
    job_id="wash",
    producer=SHARED,
    start_s=60,
    agreed_s=0,
    energy_wh=800.0,
    shares=(Share(producer="roof", minutes_mwh=((30, 13_333), (30, 0), (1, 5))),),
)
OFFER = Offer(producer="barn", minutes_mwh=((60, 13_333),), movable_mwh=((10, 5),))
EXAMPLES: list[Message] = [
    ProducerJoined(producer="roof"),
    ProducersFor(job_id="wash", asked=("roof",)),
    Producers(job_id="wash", producers=("roof", "shed"), left_out=(0, 3)),
    Headroom(view=View(from_s=0, block_s=3600, free_wh=(5.0,), peak_wh=(0.5,), promised=((0, 1, 2.0),))),
    Request(job=JOB, patient=True, starts=((60, 7200),), held=False),
    Hold(job_id="wash"),
    Release(job_id="wash", starts=((60, 600), (900, 7200))),
    Accept(job_id="wash", start_s=60),
    Decline(job_id="wash", reason="too little sun"),
    Withdraw(job_id="wash"),
    Opening(job_id="wash"),
    AcceptProvisionally(job_id="wash", start_s=120),
    PushOut(job_id="wash", reason="others"),
    Amend(job_id="wash", start_s=120),
    Cancel(job_id="wash", reason="clouds"),
    ContractAgreed(contract=CONTRACT),
    ContractAmended(contract_id="wash/1", start_s=120),
    ContractCancelled(contract_id="wash/1", reason="clouds"),
    ContractVoid(job_id="wash", contract_id="wash/1", contracts=0, reason="not promised"),
    Promised(job_id="wash", consumer="1/washer", start_s=60, energy_wh=800.0),
    PromiseWithdrawn(job_id="wash", reason="clouds"),
    PromiseVoid(job_id="wash", start_s=60, reason="not confirmed"),
    Scored(left_out={"roof": 2}),
    JobsRegistered(digests=(digest_of(JOB),)),
    Declined(job_id="wash", producer="roof"),
    Declined(job_id="wash", producer="roof", others=("dry", "charge")),
    DeviceSaid(device="washer", said=Reported(power_w=5.0)),
    JobWithdrawn(job_id="wash"),
    JobExecuted(contract_id="wash/1", job_id="wash", state="FINISHED", outcome="on_time", started_s=60),
    ProductionMeasured(producer="roof", production=Production(times_s=(0, 60), cumulative_wh=(0.0, 5.0))),
    ProducerLeft(producer="roof"),
    Happened(n=1, event={"do": "note", "text": "noon"}),
    Follow(job_ids=("wash",)),
    Followed(job_id="wash", state="standing", start_s=60),
    NewForecast(production=Production(times_s=(0, 60), cumulative_wh=(0.0, 1.0))),
    ProductionChanged(event={"do": "cloud", "factor": 0.2}),
    Leave(reason="it leaves", is_gone=True),
    Join(),
    ChangeAlgorithm(algorithm=AlgorithmSettings("exact")),
    ChangePatience(patient=False),
    ChangeStrategy(strategy="own-house-first"),
    ChangePrices(import_eur_per_kwh=0.3),
    AddJob(job=JOB),
    DropJob(job_id="wash"),
    ProductionExpected(first_minute=1, minutes_mwh=((60, 13_333),)),
    Offered(job_id="wash", first_minute=1, offers=(OFFER,)),
    Reserve(job_id="wash", start_s=60, minutes_mwh=((60, 13_333),), keeps_earlier=False, job=JOB),
    Conclude(job_id="wash", is_agreed=True),
    Shrink(job_id="wash", start_s=60, before_mwh=((60, 13_333),), minutes_mwh=((60, 9),), reason="clouds"),
    SharePromised(
        job_id="wash",
        consumer="1/washer",
        start_s=60,
        minutes_mwh=((60, 13_333),),
        digest=digest_of(JOB),
        is_answer=True,
    ),
    ShareDeclined(job_id="wash", consumer="1/washer", reason="less is left"),
    SharesAnswered(job_id="wash", promised=("roof",), declined=("barn",), first_minute=1, offers=(OFFER,)),
    SharesAmended(contract=SHARED_CONTRACT, reason="more of it is covered"),
    ShareVoid(job_id="wash", reason="not confirmed"),
    RoomWanted(job_id="wash", start_s=60, shares=SHARED_CONTRACT.shares),
    RoomNeeded(job_id="wash", first_minute=1, minutes_mwh=((60, 13_333),), start_s=60, shares=SHARED_CONTRACT.shares),
]


def test_every_kind_of_message_has_an_example_here() -> None:
    """A new kind needs one too."""
    kinds = get_args(get_args(AnyMessage)[0])
    assert {type(example) for example in EXAMPLES} == set(kinds)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_reads_back_as_it_was_written(message: Message) -> None:
    """Its kind decides on its type."""
    assert MESSAGES.validate_json(message.model_dump_json()) == message


@pytest.mark.parametrize(
    "payload",
    [
        '{"kind": "Bribe", "job_id": "wash"}',
        '{"job_id": "wash"}',
        '{"kind": "Opening"}',
        '{"kind": "Opening", "job_id": "wash", "bribe": 5}',
        '{"kind": "Accept", "job_id": "wash", "start_s": "at noon"}',
        '{"kind": "Accept", "job_id": "wash", "start_s": 60.5}',
        "[]",
        "",
    ],
)
def test_other_content_than_messages_is_refused(payload: str) -> None:
    """Unknown kinds, missing, additional and mistyped fields."""
    with pytest.raises(ValidationError):
        MESSAGES.validate_json(payload)


def load(duration_s: int, energy_wh: float = 1.0) -> dict[str, object]:
    """A load profile of two points, as JSON values."""
    return {"times_s": [0, duration_s], "cumulative_wh": [0.0, energy_wh]}


@pytest.mark.parametrize(
    "change",
    [
        {"load_profile": load(367 * 86_400)},
        {"load_profile": load(10**12)},
        {"load_profile": load(2**70)},
        {"load_profile": load(60, 1e13)},
        {"load_profile": {"times_s": list(range(10_001)), "cumulative_wh": [0.0] * 10_001}},
        {"latest_start_s": 10**13},
        {"earliest_start_s": -(2**70), "latest_start_s": 2**70},
        {"registered_s": -1},
        {"profile": "x" * 540_000},
        {"house": "x" * 5_000},
    ],
    ids=lambda change: str(change)[:60],
)
def test_a_job_beyond_the_limits_of_scenarios_is_refused(change: dict[str, object]) -> None:
    """A producer calculates with every minute of it."""
    request = Request(job=JOB, patient=True, starts=((60, 7200),), held=False).model_dump(mode="json")
    MESSAGES.validate_python(request)
    with pytest.raises(ValidationError):
        MESSAGES.validate_python(request | {"job": request["job"] | change})


@pytest.mark.parametrize("measured", [load(367 * 86_400), load(10**12), load(60, 1e13)], ids=str)
def test_what_a_device_measured_beyond_the_limits_of_scenarios_is_refused(measured: dict[str, object]) -> None:
    """The results are settled with every minute of it."""
    executed = JobExecuted(contract_id="wash/1", job_id="wash", state="FINISHED", outcome="on_time", started_s=60)
    said = executed.model_dump(mode="json")
    MESSAGES.validate_python(said | {"measured": load(60)})
    with pytest.raises(ValidationError):
        MESSAGES.validate_python(said | {"measured": measured})
    production = ProductionMeasured(producer="roof", production=Production(times_s=(0, 60), cumulative_wh=(0.0, 5.0)))
    with pytest.raises(ValidationError):
        MESSAGES.validate_python(production.model_dump(mode="json") | {"production": load(60, 1e13)})


@pytest.mark.parametrize("character", ["x", "\N{HOUSE BUILDING}"])
def test_the_longest_ids_of_house_and_device_fit_into_messages(character: str) -> None:
    """An agent's id has both percent-encoded, up to twelve characters for each of theirs."""
    longest = character * MAX_CHARACTERS
    consumer = Device(id=longest, house=longest, type="consumer").agent
    promised = Promised(job_id=longest, consumer=consumer, start_s=0, energy_wh=1.0)
    assert MESSAGES.validate_json(promised.model_dump_json()) == promised
