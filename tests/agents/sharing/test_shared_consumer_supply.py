"""A consumer with shared supply, message by message: what changes the shares of its job, and what does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from agents.consumer import MAX_OPENINGS, Consumer
from agents.device_events import DeviceEvent, JobAsked, Reported
from agents.energy import IntArray, LoadProfile
from agents.gateway import GatewayConsumer, GatewaySettings
from agents.messages import (
    Accept,
    Amend,
    AnyMessage,
    Cancel,
    ChangePrices,
    ChangeStrategy,
    ContractAgreed,
    ContractCancelled,
    ContractVoid,
    DeviceSaid,
    DropJob,
    Leave,
    Offer,
    Offered,
    Opening,
    Producers,
    ProducersFor,
    PushOut,
    Reserve,
    RoomNeeded,
    SharesAmended,
    SharesAnswered,
    Shrink,
    Withdraw,
)
from agents.model import GRID, MANAGER, SHARED, TIMELINE, Contract
from agents.shares import Share
from agents.sharing import EnergyPrices, Preference, SharedConsumerSupply, SupplySettings
from broker.hosts.agent import Outgoing
from tests.agents.stage import Stage, on_stage, only, to
from tests.scenarios.neighbourhoods import START_S, job, load

MINUTE_S = 60
HOUR_S = 3_600
WASH = job("wash", "a", load((0, 0.0), (HOUR_S, 600.0)), (2 * HOUR_S, 4 * HOUR_S))
"""An hour of 600 W, which is 10,000 mWh in each minute."""
BEGINS_S = START_S + 2 * HOUR_S
"""When it starts: as early as it can."""
ROOFS = ("roof", "shed")
HOUR_OF = {"roof": ((60, 6_000),), "shed": ((60, 4_000),)}
"""What each roof gives in the hour of the job, as runs of mWh."""
SHARES = tuple(Share(producer=producer, minutes_mwh=runs) for producer, runs in HOUR_OF.items())


def shared(*prefer: Preference, tariff: bool = False) -> partial[SharedConsumerSupply]:
    """Return what makes the supply, with some preferences and perhaps a tariff."""
    settings = SupplySettings("shared", prefer) if prefer else SupplySettings("shared")
    return partial(SharedConsumerSupply, settings=settings, prices=flat_prices if tariff else None)


def flat_prices(times_s: IntArray, replaced: Mapping[str, float]) -> EnergyPrices:
    """Return a tariff without changes, except of the neighbours' price."""
    neighbour = replaced.get("neighbour_eur_per_kwh", 0.2)
    return EnergyPrices(*(np.full(len(times_s), price) for price in (0.1, neighbour, 0.4)))


@contextmanager
def asking(supply: partial[SharedConsumerSupply] | None = None) -> Iterator[Stage]:
    """Put a machine on stage whose job has just asked for offers."""
    with on_stage(Consumer(WASH.agent, [WASH], patient=False, supply=supply or shared()), START_S) as stage:
        yield stage


@contextmanager
def supplied(supply: partial[SharedConsumerSupply] | None = None) -> Iterator[Stage]:
    """Put a machine on stage whose job two roofs supply together, without the grid."""
    with asking(supply) as stage:
        answer(stage, stage.first, 6_000, 4_000)
        yield stage


def answer(stage: Stage, sent: list[Outgoing], *left_mwh: int) -> list[Outgoing]:
    """Answer the job's question with what the roofs have left each minute, and promise all that it reserves then."""
    question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
    assert isinstance(question.message, ProducersFor)
    job_id = question.message.job_id
    offers = tuple(
        Offer(producer=producer, minutes_mwh=((600, mwh),) if mwh else ())
        for producer, mwh in zip(ROOFS, left_mwh, strict=False)
    )
    sent = stage.say((MANAGER, Offered(job_id=job_id, first_minute=START_S // MINUTE_S, offers=offers)), re=question)
    reserved = [(outgoing.to, outgoing.message) for outgoing in sent if isinstance(outgoing.message, Reserve)]
    wanted = tuple(producer for producer, reserve in reserved if reserve.minutes_mwh)
    return stage.say((MANAGER, SharesAnswered(job_id=job_id, promised=wanted))) if wanted else sent


def consumer_of(stage: Stage) -> Consumer:
    """Return the consumer on stage."""
    assert isinstance(stage.agent, Consumer)
    return stage.agent


def given(contract: Contract) -> dict[str, tuple[tuple[int, int], ...]]:
    """Return the shares of a contract, by producer."""
    return {share.producer: share.minutes_mwh for share in contract.shares}


def rejected(stage: Stage) -> list[str]:
    """Return why messages were rejected since this was called last."""
    return [rejection.why for rejection in stage.agent.take_rejections()]


def void(contract: Contract, contracts: int = 0) -> tuple[str, ContractVoid]:
    """Return the manager's message that its ledger does not have a contract."""
    message = ContractVoid(
        job_id=contract.job_id, contract_id=contract.contract_id, contracts=contracts, reason="not promised"
    )
    return MANAGER, message


# The first contract.


def test_two_roofs_supply_a_job_together() -> None:
    """Each reserves its share, then the consumer reports one contract with both."""
    with asking() as stage:
        (agreed,) = to(MANAGER, answer(stage, stage.first, 6_000, 4_000))
        assert isinstance(agreed, ContractAgreed)
        contract = agreed.contract
        assert (contract.contract_id, contract.producer, contract.start_s) == ("wash/1", SHARED, BEGINS_S)
        assert given(contract) == HOUR_OF
        assert consumer_of(stage).contracts == {"wash": contract}


def test_a_job_that_no_roof_supplies_takes_grid_power() -> None:
    """Without any reservation, at its earliest start because it is impatient."""
    with asking() as stage:
        (agreed,) = to(MANAGER, answer(stage, stage.first, 0, 0))
        assert isinstance(agreed, ContractAgreed)
        assert (agreed.contract.producer, agreed.contract.shares, agreed.contract.start_s) == (GRID, (), BEGINS_S)


def test_a_share_that_the_first_contract_does_without_is_released_with_it() -> None:
    """One roof declines, and meanwhile a third one can supply everything; the other kept its share for a second."""
    with asking() as stage:
        offers = (
            Offer(producer="roof", minutes_mwh=((600, 6_000),)),
            Offer(producer="shed", minutes_mwh=((600, 4_000),)),
        )
        first_minute = START_S // MINUTE_S
        question = only([outgoing for outgoing in stage.first if isinstance(outgoing.message, ProducersFor)])
        sent = stage.say((MANAGER, Offered(job_id="wash", first_minute=first_minute, offers=offers)), re=question)
        assert [outgoing.to for outgoing in sent] == list(ROOFS)
        left = (offers[0], Offer(producer="barn", minutes_mwh=((600, 10_000),)))
        declined = SharesAnswered(
            job_id="wash", promised=("roof",), declined=("shed",), first_minute=first_minute, offers=left
        )
        assert [outgoing.to for outgoing in stage.say((MANAGER, declined))] == ["barn"]
        sent = stage.say((MANAGER, SharesAnswered(job_id="wash", promised=("barn",))))
        assert to("roof", sent) == [Reserve(job_id="wash", start_s=BEGINS_S, minutes_mwh=(), keeps_earlier=False)]
        (agreed,) = to(MANAGER, sent)
        assert isinstance(agreed, ContractAgreed)
        assert agreed.contract.producer == "barn"


# Messages of others.


@pytest.mark.parametrize(
    "message",
    [
        Accept(job_id="wash", start_s=BEGINS_S),
        Amend(job_id="wash", start_s=BEGINS_S),
        Cancel(job_id="wash", reason="rain"),
        PushOut(job_id="wash", reason="another job needs it"),
        Opening(job_id="wash"),
        Producers(job_id="wash", producers=("roof",)),
    ],
    ids=lambda message: message.kind,
)
def test_messages_about_whole_jobs_are_rejected(message: AnyMessage) -> None:
    """Even of a producer that has a share; nothing changes."""
    with supplied() as stage:
        before = consumer_of(stage).contracts["wash"]
        assert stage.say(("roof", message)) == []
        assert rejected(stage) == [f"sends {message.kind}, and this neighbourhood shares its supply"]
        assert consumer_of(stage).contracts["wash"] == before


def test_a_producer_that_was_never_asked_can_neither_give_less_nor_want_room() -> None:
    """Nor can one that speaks of a job which does not exist."""
    runs = HOUR_OF["roof"]
    with supplied() as stage:
        for job_id, producer in (("wash", "stranger"), ("nothing", "roof")):
            shrink = Shrink(job_id=job_id, start_s=BEGINS_S, before_mwh=runs, minutes_mwh=(), reason="rain")
            needed = RoomNeeded(job_id=job_id, first_minute=0, minutes_mwh=(), start_s=BEGINS_S, shares=SHARES)
            assert stage.say((producer, shrink), (producer, needed)) == []
            why = f"for job {job_id!r}, which it was never asked to supply"
            assert rejected(stage) == [f"sends Shrink {why}", f"sends RoomNeeded {why}"]


def test_requests_for_room_without_end_are_not_followed_without_end() -> None:
    """As many as a producer may send openings for a whole job."""
    needed = RoomNeeded(job_id="wash", first_minute=0, minutes_mwh=(), start_s=BEGINS_S, shares=SHARES)
    with supplied() as stage:
        stage.say(*[("roof", needed)] * (MAX_OPENINGS + 1))
        assert rejected(stage) == [f"sends more than {MAX_OPENINGS} openings for job 'wash' in one second"]


def test_no_strategy_replaces_the_consumer() -> None:
    """Jobs compose what all producers offer, so that there is no order in which to ask them."""
    with supplied() as stage:
        assert stage.say((TIMELINE, ChangeStrategy(strategy="not-installed"))) == []
        assert type(stage.agent) is Consumer


# Shares that change.


def test_a_share_that_shrinks_is_amended_and_the_rest_is_looked_for() -> None:
    """At once from the grid, and then from a producer that has room."""
    with supplied() as stage:
        shrink = Shrink(
            job_id="wash", start_s=BEGINS_S, before_mwh=HOUR_OF["roof"], minutes_mwh=((60, 1_000),), reason="rain"
        )
        sent = stage.say(("roof", shrink))
        amended, asks = to(MANAGER, sent)
        assert isinstance(amended, SharesAmended)
        assert isinstance(asks, ProducersFor)
        assert amended.reason == "roof gives less: rain"
        assert given(amended.contract) == {"roof": ((60, 1_000),), "shed": ((60, 4_000),)}
        (again,) = to(MANAGER, answer(stage, sent, 1_000, 9_000))
        assert isinstance(again, SharesAmended)
        assert given(again.contract) == {"roof": ((60, 1_000),), "shed": ((60, 9_000),)}


def test_only_the_share_that_stands_can_shrink() -> None:
    """What a producer had reserved before, or for another start, is no part of the contract."""
    with supplied() as stage:
        for start_s, before_mwh in ((BEGINS_S, ((60, 5_999),)), (BEGINS_S + MINUTE_S, HOUR_OF["roof"])):
            shrink = Shrink(job_id="wash", start_s=start_s, before_mwh=before_mwh, minutes_mwh=(), reason="rain")
            assert stage.say(("roof", shrink)) == []
        assert given(consumer_of(stage).contracts["wash"]) == HOUR_OF


def test_the_contract_of_an_offline_household_ends_with_its_last_share() -> None:
    """It cannot look for others now; it does when it is back."""
    with supplied() as stage:
        stage.say((TIMELINE, Leave(reason="offline", is_gone=False)))
        for producer, runs in HOUR_OF.items():
            shrink = Shrink(job_id="wash", start_s=BEGINS_S, before_mwh=runs, minutes_mwh=(), reason="rain")
            sent = stage.say((producer, shrink))
        assert to(MANAGER, sent) == [ContractCancelled(contract_id="wash/1", reason="shed gives less: rain")]
        assert [outgoing.to for outgoing in sent if isinstance(outgoing.message, Withdraw)] == ["shed"]


def test_a_producer_that_supplies_a_job_no_more_does_not_hear_of_its_end() -> None:
    """The device leaves after a roof has taken its share back: only the other one has to free anything."""
    with supplied() as stage:
        shrink = Shrink(job_id="wash", start_s=BEGINS_S, before_mwh=HOUR_OF["roof"], minutes_mwh=(), reason="rain")
        answer(stage, stage.say(("roof", shrink)), 0, 4_000)
        sent = stage.say((TIMELINE, Leave(reason="holiday", is_gone=True)))
        assert [outgoing.to for outgoing in sent if isinstance(outgoing.message, Withdraw)] == ["shed"]


def test_the_share_of_a_lost_producer_is_given_up() -> None:
    """The others stay, and the job asks what is left."""
    with supplied() as stage:
        amended, asks = to(MANAGER, stage.lose("roof"))
        assert isinstance(amended, SharesAmended)
        assert isinstance(asks, ProducersFor)
        assert (given(amended.contract), amended.reason) == (
            {"shed": HOUR_OF["shed"]},
            "the household of a producer is lost",
        )


def test_a_job_that_is_not_wanted_any_more_frees_its_shares_and_leaves_the_board() -> None:
    """The contract ends, and the manager offers it no more energy."""
    with supplied() as stage:
        sent = stage.say((TIMELINE, DropJob(job_id="wash")))
        assert to("roof", sent) == to("shed", sent) == [Withdraw(job_id="wash")]
        cancelled, withdrawn = to(MANAGER, sent)
        assert isinstance(cancelled, ContractCancelled)
        assert withdrawn == Withdraw(job_id="wash")
        assert consumer_of(stage).contracts == {}


# Prices.


@pytest.mark.parametrize(("prefer", "asks_again"), [(("cheapest", "covered"), True), (("covered", "cheapest"), False)])
def test_other_prices_concern_jobs_that_put_their_cost_first(
    prefer: tuple[Preference, Preference], *, asks_again: bool
) -> None:
    """They ask what is left now, since the neighbours have come to cost more than the grid; others stay."""
    with supplied(shared(*prefer, tariff=True)) as stage:
        sent = stage.say((TIMELINE, ChangePrices(neighbour_eur_per_kwh=0.9)))
        assert [type(message) for message in to(MANAGER, sent)] == [ProducersFor] * asks_again
        if asks_again:
            (amended,) = to(MANAGER, answer(stage, sent, 6_000, 4_000))
            assert isinstance(amended, SharesAmended)
            assert (amended.contract.producer, amended.reason) == (GRID, "it costs less")


# Contracts that the ledger does not have.


def test_a_void_contract_frees_its_shares_and_its_producers_are_not_asked_again() -> None:
    """They have not reported what they promised to the consumer."""
    with supplied() as stage:
        sent = stage.say(void(consumer_of(stage).contracts["wash"]))
        assert to("roof", sent) == to("shed", sent) == [Withdraw(job_id="wash")]
        (asks,) = to(MANAGER, sent)
        assert isinstance(asks, ProducersFor)
        assert asks.asked == ("roof", "shed")
        (agreed,) = to(MANAGER, answer(stage, sent, 6_000, 4_000))
        assert isinstance(agreed, ContractAgreed)
        assert (agreed.contract.contract_id, agreed.contract.producer) == ("wash/1", GRID)


def test_a_running_job_keeps_a_contract_that_is_void() -> None:
    """What it has drawn cannot be drawn from anybody else."""
    with supplied() as stage:
        contract = consumer_of(stage).contracts["wash"]
        stage.wait_until(BEGINS_S)
        stage.wait_until(BEGINS_S + 1)
        assert stage.say(void(contract)) == []
        assert consumer_of(stage).contracts == {"wash": contract}


def test_a_contract_without_shares_is_reported_again_under_the_number_that_the_manager_expects() -> None:
    """The ledger has fewer contracts of the job than its consumer has counted."""
    with asking() as stage:
        answer(stage, stage.first, 0, 0)
        contract = consumer_of(stage).contracts["wash"]
        assert stage.say(void(contract, contracts=0)) == []
        (agreed,) = to(MANAGER, stage.say(void(contract, contracts=1)))
        assert isinstance(agreed, ContractAgreed)
        assert agreed.contract == contract.model_copy(update={"contract_id": "wash/2"})


# A job that a real device runs.

AGENT = "adler/washer"
ECO = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 600.0))
GATEWAY = GatewaySettings(id="w", house="adler", device="washer", profile="eco", profiles={"eco": ECO})


@contextmanager
def washer() -> Iterator[Stage]:
    """Put a real washing machine on stage whose job `adler/w/wash` two roofs supply together."""
    machine = GatewayConsumer(AGENT, (), patient=False, gateway=GATEWAY, supply=shared())
    with on_stage(machine, START_S) as stage:
        window = {"earliest_start_s": BEGINS_S - HOUR_S, "latest_start_s": BEGINS_S}
        sent = report(stage, JobAsked(id="wash", **window))
        question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
        job_id = "adler/w/wash"
        later = Offer(producer="roof", minutes_mwh=((120, 0), (600, 6_000)))
        offered = (later, later.model_copy(update={"producer": "shed"}))
        first_minute = START_S // MINUTE_S
        stage.say((MANAGER, Offered(job_id=job_id, first_minute=first_minute, offers=offered)), re=question)
        stage.say((MANAGER, SharesAnswered(job_id=job_id, promised=ROOFS)))
        yield stage


def report(stage: Stage, *said: DeviceEvent) -> list[Outgoing]:
    """Have the device say something; return what its agent sends."""
    return stage.say(*[(AGENT, DeviceSaid(device="w", said=event)) for event in said])


def test_a_device_that_runs_on_a_void_contract_gets_a_valid_one_with_the_grid() -> None:
    """The shares of the void contract went into the new one: an invalid message, which ended the household."""
    with washer() as stage:
        (contract,) = consumer_of(stage).contracts.values()
        assert (contract.producer, contract.start_s) == (SHARED, BEGINS_S)
        stage.wait_until(BEGINS_S)
        (agreed,) = (m for m in to(MANAGER, stage.say(void(contract))) if isinstance(m, ContractAgreed))
        assert (agreed.contract.producer, agreed.contract.start_s) == (GRID, BEGINS_S)
        assert Contract.model_validate_json(agreed.contract.model_dump_json()) == agreed.contract


def test_the_contract_of_a_job_that_is_started_by_hand_moves_to_that_second() -> None:
    """With what the roofs have left from then on."""
    with washer() as stage:
        now_s = BEGINS_S - HOUR_S // 2
        stage.wait_until(now_s)
        sent = report(stage, Reported(job="wash", state="EXECUTING"))
        starts_s = {outgoing.message.start_s for outgoing in sent if isinstance(outgoing.message, Reserve)}
        assert starts_s == {now_s}
        sent = stage.say((MANAGER, SharesAnswered(job_id="adler/w/wash", promised=ROOFS)))
        (amended,) = (message for message in to(MANAGER, sent) if isinstance(message, SharesAmended))
        assert (amended.contract.start_s, amended.reason) == (now_s, "its device was started by hand")


def test_a_device_that_needs_no_more_gives_the_rest_back() -> None:
    """From the next minute on, and the contract's shares end there."""
    with washer() as stage:
        stage.wait_until(BEGINS_S)
        report(stage, Reported(job="wash", state="EXECUTING"))
        stage.wait_until(BEGINS_S + 10 * MINUTE_S)
        sent = report(stage, Reported(job="wash", state="FINISHED"))
        kept = {outgoing.to: outgoing.message for outgoing in sent if isinstance(outgoing.message, Reserve)}
        assert {producer: sum(count for count, _ in kept[producer].minutes_mwh) for producer in kept} == {
            "roof": 10,
            "shed": 10,
        }
        sent = stage.say((MANAGER, SharesAnswered(job_id="adler/w/wash", promised=ROOFS)))
        amended = only([outgoing for outgoing in sent if outgoing.to == MANAGER]).message
        assert isinstance(amended, SharesAmended)
        assert amended.reason == "its device needs no more"
