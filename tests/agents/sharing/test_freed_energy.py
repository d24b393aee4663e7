"""Energy that a job does not use after all is offered to other jobs, and wishes for room are bounded."""

from __future__ import annotations

import pytest

from agents.job_register import JobRegister, digest_of
from agents.manager import Manager
from agents.messages import (
    ContractAgreed,
    Offered,
    ProducerJoined,
    ProducersFor,
    ProductionExpected,
    Reserve,
    RoomNeeded,
    RoomWanted,
    SharePromised,
    SharesAmended,
    Withdraw,
)
from agents.model import MANAGER, SHARED, Contract
from agents.producer import Producer
from agents.shares import Share, load_mwh, packed
from agents.sharing import SharedManagerSupply
from agents.sharing.shared_producer_supply import SharedProducerSupply
from tests.agents.stage import on_stage, to
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, sun

WASH, DRY = (job(name, house, load((0, 0.0), (3600, 400.0))) for name, house in (("wash", "a"), ("dry", "b")))
START_LATER_S = START_S + 1_800
SHARE = Share(producer="roof", minutes_mwh=packed(load_mwh(WASH.load_profile, START_LATER_S)))


@pytest.mark.parametrize("how", ["its household is lost", "it is not confirmed"])
def test_energy_of_a_share_that_ends_is_offered_to_another_job(how: str) -> None:
    """The roof gives just enough for one of the jobs."""
    manager = Manager(JobRegister([WASH, DRY], ["roof"]), supply=SharedManagerSupply)
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
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, SharedProducerSupply)
    wish = (WASH.agent, RoomWanted(job_id="wash", start_s=START_LATER_S, shares=(SHARE,)))
    with on_stage(roof, START_S) as stage:
        stage.say(*[wish] * 1_000)
        assert {rejection.sender for rejection in stage.agent.take_rejections()} == {WASH.agent}
        stage.wait_until(START_S + 1)
        stage.say(wish)
        assert stage.agent.take_rejections() == []


def test_an_honest_consumer_may_reserve_and_wish_often_in_one_second() -> None:
    """Its job composes again when others were faster; only far more than that is an offence."""
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, SharedProducerSupply)
    reserve = Reserve(
        job_id="wash", start_s=START_LATER_S, minutes_mwh=((60, 6_000),), keeps_earlier=False, job=WASH.as_sent
    )
    wish = RoomWanted(job_id="wash", start_s=START_LATER_S, shares=(SHARE,))
    for message in (reserve, wish):
        with on_stage(roof, START_S) as stage:
            for _ in range(20):
                stage.say((WASH.agent, message))
            assert stage.agent.take_rejections() == []


def test_the_four_jobs_with_the_most_of_what_is_lacking_are_asked_for_room() -> None:
    """Neither those that have less, nor one that starts now; and none if enough is free anyway."""
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 400.0))).predictions, SharedProducerSupply)
    later_s = START_S + 60
    shares = {f"job-{n}": ((10, 100 * n),) for n in range(1, 7)} | {"elsewhere": ((10, 0), (10, 3_333))}
    jobs = {name: job(name, name, load((0, 0.0), (3600, 400.0))) for name in (*shares, "running")}
    with on_stage(roof, START_S) as stage:

        def reserve(name: str, start_s: int, runs: tuple[tuple[int, int], ...]) -> None:
            described = jobs[name].as_sent
            message = Reserve(job_id=name, start_s=start_s, minutes_mwh=runs, keeps_earlier=False, job=described)
            stage.say((jobs[name].agent, message))

        reserve("running", START_S, ((11, 1_000),))
        for name, runs in shares.items():
            reserve(name, later_s, runs)
        # 3,333 mWh a minute are produced, and 3,100 of them taken in the ten minutes from then on.

        def asked_for(mwh: int) -> set[str]:
            wish = Share(producer="roof", minutes_mwh=((10, mwh),))
            sent = stage.say((WASH.agent, RoomWanted(job_id="wash", start_s=later_s, shares=(wish,))))
            messages = [message for name in jobs for message in to(jobs[name].agent, sent)]
            return {message.job_id for message in messages if isinstance(message, RoomNeeded)}

        assert asked_for(233) == set()
        assert asked_for(3_333) == {"job-6", "job-5", "job-4", "job-3"}


@pytest.mark.parametrize(("start_s", "is_freed"), [(START_S, False), (START_LATER_S, True)])
def test_a_job_whose_household_is_lost_frees_its_energy_unless_it_runs(start_s: int, *, is_freed: bool) -> None:
    """A running machine does not stop because its reports are lost."""
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, SharedProducerSupply)
    share = {"minutes_mwh": ((60, 6_000),), "keeps_earlier": False}
    with on_stage(roof, START_S) as stage:
        stage.say((WASH.agent, Reserve(job_id="wash", start_s=start_s, job=WASH.as_sent, **share)))
        stage.wait_until(START_S + 60)
        stage.lose(WASH.agent)
        dry = Reserve(job_id="dry", start_s=START_LATER_S, job=DRY.as_sent, **share)
        (answer,) = to(MANAGER, stage.say((DRY.agent, dry)))
    assert isinstance(answer, SharePromised) is is_freed


def test_a_job_that_ends_early_keeps_the_minutes_that_have_passed_and_frees_the_present_one() -> None:
    """What it has had is settled; from the present minute on, another job can have the energy."""
    roof = Producer("roof", forecast(sun((0, 0.0), (7200, 900.0))).predictions, SharedProducerSupply)
    with on_stage(roof, START_S) as stage:
        share = Reserve(
            job_id="wash", start_s=START_S, minutes_mwh=((60, 6_000),), keeps_earlier=False, job=WASH.as_sent
        )
        stage.say((WASH.agent, share))
        stage.wait_until(START_S + 2 * 60 + 30)
        (left,) = to(MANAGER, stage.say((WASH.agent, Withdraw(job_id="wash"))))
    assert isinstance(left, SharePromised)
    assert left.minutes_mwh == ((2, 6_000),)


def promise(minutes_mwh: tuple[tuple[int, int], ...]) -> SharePromised:
    """Return the roof's promise of a share of the washing, which starts at once."""
    of = {"job_id": "wash", "consumer": WASH.agent, "digest": digest_of(WASH.as_sent)}
    return SharePromised(start_s=START_S, minutes_mwh=minutes_mwh, **of)


def shared(minutes_mwh: tuple[tuple[int, int], ...]) -> Contract:
    """Return a contract of the washing with a share of the roof."""
    return Contract(
        contract_id="wash/1",
        job_id="wash",
        producer=SHARED,
        start_s=START_S,
        agreed_s=START_S,
        energy_wh=400.0,
        shares=(Share(producer="roof", minutes_mwh=minutes_mwh),),
    )


def test_a_share_that_lasts_longer_than_its_job_makes_a_contract_void() -> None:
    """A household and a roof could agree on it, and take energy that nobody draws."""
    for minutes in (60, 61):
        manager = Manager(JobRegister([WASH], ["roof"]), supply=SharedManagerSupply)
        with on_stage(manager, START_S) as stage:
            runs = ((minutes, 1_000),)
            stage.say(("roof", ProducerJoined(producer="roof")), ("roof", promise(runs)))
            stage.say((WASH.agent, ContractAgreed(contract=shared(runs))))
            assert ("wash/1" in manager.ledger) is (minutes == 60)


def test_the_minutes_of_a_share_that_have_passed_stay_as_they_were() -> None:
    """In the fourth minute of a running job, the third one is settled, and the fourth may still change."""
    for changed_minute in (2, 3):
        manager = Manager(JobRegister([WASH], ["roof"]), supply=SharedManagerSupply)
        with on_stage(manager, START_S) as stage:
            before, after = ((60, 1_000),), ((changed_minute, 1_000), (60 - changed_minute, 900))
            stage.say(("roof", ProducerJoined(producer="roof")), ("roof", promise(before)))
            stage.say((WASH.agent, ContractAgreed(contract=shared(before))))
            stage.wait_until(START_S + 3 * 60)
            report = SharesAmended(contract=shared(after), reason="clouds")
            stage.say(("roof", promise(after)), (WASH.agent, report))
            assert (manager.ledger["wash/1"].contract == shared(after)) is (changed_minute == 3)
