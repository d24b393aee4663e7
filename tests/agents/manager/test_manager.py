"""The manager: which producers a job may ask, and what enters the ledger, which two parties confirm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agents.job_register import JobRegister, digest_of
from agents.manager import JoinedProducers
from agents.manager.ledger import MAX_CANCELLED, MAX_CHANGES, LedgerEntry, LedgerEvent
from agents.manager.manager import Manager
from agents.messages import (
    AnyMessage,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    ContractVoid,
    Declined,
    JobExecuted,
    JobsRegistered,
    Opening,
    ProducerJoined,
    Producers,
    ProducersFor,
    Promised,
    PromiseVoid,
    PromiseWithdrawn,
    Withdraw,
)
from agents.model import GRID, MANAGER, Contract
from agents.whole_supply import WholeManagerSupply
from broker.hosts.agent import Received
from tests.agents.correspondence import Correspondent, correspond
from tests.agents.stage import Stage, on_stage, to
from tests.scenarios.neighbourhoods import START_S, job, load

WASH = job("wash", "a", load((0, 0.0), (3600, 800.0)))
DRY = job("dry", "b", load((0, 0.0), (3600, 500.0)))
WASHER, DRYER = WASH.agent, DRY.agent
ROOFS = ("east", "north", "roof", "shed", "south", "west", "z roof")
NOW_S, LATER_S = START_S + 10, START_S + 500


def test_a_producer_may_announce_itself_and_nobody_else() -> None:
    """And it must belong to the neighbourhood."""
    producers = JoinedProducers({"roof", "shed"}, {})
    assert producers.may_join("roof", "roof")
    assert not producers.may_join("roof", "shed")
    assert not producers.may_join("stranger", "stranger")


def test_a_producer_is_new_once_until_it_leaves() -> None:
    """Announcing it twice introduces it to nobody twice."""
    producers = JoinedProducers({"roof"}, {})
    assert producers.add("roof")
    assert not producers.add("roof")
    producers.leave("roof")
    assert producers.add("roof")


def test_a_producer_that_has_left_is_asked_no_more_and_still_reports_on_its_promises() -> None:
    """Its score is kept for its return."""
    producers = JoinedProducers({"roof"}, {"roof": 7})
    assert "roof" not in producers
    producers.add("roof")
    producers.leave("roof")
    assert "roof" in producers
    assert producers.scores.ranking() == []
    assert producers.scores.by_producer() == {"roof": 7}


def test_a_lost_producer_reports_no_more() -> None:
    """Whatever comes from it late is not its word."""
    producers = JoinedProducers({"roof", "shed"}, {})
    for producer in ("roof", "shed"):
        producers.add(producer)
    producers.lose({"roof", "a household's machine"})
    assert "roof" not in producers
    assert producers.scores.ranking() == ["shed"]


def manager(scores: dict[str, int] | None = None) -> Manager:
    """Return the manager of a neighbourhood with a washer, a dryer, and roofs."""
    return Manager(JobRegister((WASH, DRY), ROOFS), WholeManagerSupply, scores)


def joining(producer: str, at_s: int = 0) -> Correspondent:
    """Return a producer that joins at a time."""
    return Correspondent(producer, (at_s, MANAGER, ProducerJoined(producer=producer)))


def contract(n: int = 1, producer: str = "roof", start_s: int = LATER_S, **changed: Any) -> Contract:
    """Return the nth contract of the job `wash`."""
    made = Contract(
        contract_id=f"wash/{n}", job_id="wash", producer=producer, start_s=start_s, agreed_s=NOW_S, energy_wh=800.0
    )
    return made.model_copy(update=changed)


def agreed(n: int = 1, producer: str = "roof", start_s: int = LATER_S, **changed: Any) -> ContractAgreed:
    """Return the washer's report of a contract."""
    return ContractAgreed(contract=contract(n, producer, start_s, **changed))


def promised(start_s: int = LATER_S, **changed: Any) -> Promised:
    """Return a producer's promise to the washer."""
    return Promised(job_id="wash", consumer=WASHER, start_s=start_s, energy_wh=800.0).model_copy(update=changed)


def listed(consumer: Correspondent) -> list[str]:
    """Return the producers that the manager names to a consumer, in order."""
    return [producer for m in consumer.messages() if isinstance(m, Producers) for producer in m.producers]


@pytest.fixture
def stage() -> Any:
    """The manager, ten seconds after the start, with the producers `roof` and `shed`."""
    with on_stage(manager(), START_S) as on:
        on.say(("roof", ProducerJoined(producer="roof")), ("shed", ProducerJoined(producer="shed")))
        on.wait_until(NOW_S)
        yield on


def ledger(stage: Stage) -> Mapping[str, LedgerEntry]:
    """Return the manager's ledger."""
    assert isinstance(stage.agent, Manager)
    return stage.agent.ledger


def rejected(stage: Stage) -> list[str]:
    """Return the senders of the messages that were refused."""
    return [rejection.sender for rejection in stage.agent.take_rejections()]


# Whom a job may ask.


async def test_producers_are_listed_lowest_score_first_and_equals_by_id() -> None:
    """Earlier scores apply from the first question on. A job receives the list in portions, on request."""
    more = ProducersFor(job_id="wash", asked=("south", "east"), part="next")
    consumer = Correspondent(WASHER, (5, MANAGER, ProducersFor(job_id="wash")), (5, MANAGER, more))
    keeper = manager({"north": 12, "south": 8})
    await correspond([keeper, consumer, joining("north"), joining("south"), joining("west"), joining("east")])
    assert listed(consumer) == ["south", "east", "west", "north"]


async def test_producers_that_a_job_has_asked_are_left_out() -> None:
    """A job goes through the list once."""
    consumer = Correspondent(WASHER, (5, MANAGER, ProducersFor(job_id="wash", asked=("north",))))
    await correspond([manager(), consumer, joining("north"), joining("south")])
    assert listed(consumer) == ["south"]


async def test_producers_that_join_in_a_round_can_be_asked_in_that_round() -> None:
    """The order of messages within a round does not decide who is known."""
    consumer = Correspondent(WASHER, (0, MANAGER, ProducersFor(job_id="wash")))
    await correspond([manager(), consumer, joining("z roof")])
    assert listed(consumer) == ["z roof"]


async def test_a_waiting_job_is_informed_of_each_producer_that_joins_later() -> None:
    """The manager first answers with an empty list."""
    consumer = Correspondent(WASHER, (5, MANAGER, ProducersFor(job_id="wash")))
    await correspond([manager(), consumer, joining("north", 60), joining("south", 120)])
    assert [(time_s, message) for time_s, _, message in consumer.received] == [
        (5, Producers(job_id="wash", producers=())),
        (60, Producers(job_id="wash", producers=("north",))),
        (120, Producers(job_id="wash", producers=("south",))),
    ]


async def test_a_withdrawn_job_is_not_informed_of_producers() -> None:
    """The same applies to a job that has found a supplier."""
    withdrawn = Correspondent(WASHER, (5, MANAGER, ProducersFor(job_id="wash")), (30, MANAGER, Withdraw(job_id="wash")))
    await correspond([manager(), withdrawn, joining("north", 60)])
    assert withdrawn.messages() == [Producers(job_id="wash", producers=())]


async def test_only_a_producer_of_the_neighbourhood_can_join_and_only_itself() -> None:
    """An agent cannot announce another one, and a consumer is not a producer."""
    impostor = Correspondent(DRYER, (0, MANAGER, ProducerJoined(producer="roof")))
    pretender = Correspondent(WASHER, (0, MANAGER, ProducerJoined(producer=WASHER)))
    keeper = manager()
    await correspond([keeper, impostor, pretender])
    assert keeper.scores.ranking() == []


async def test_only_producers_named_to_a_job_can_recognise_it() -> None:
    """They recognize it by its digest, which reveals nothing; later producers get the digests of waiting jobs."""
    roof, shed, late = joining("roof"), joining("shed"), joining("z roof", 60)
    washer = Correspondent(WASHER, (5, MANAGER, ProducersFor(job_id="wash", asked=("shed",))))
    dryer = Correspondent(DRYER, (5, MANAGER, ProducersFor(job_id="dry", asked=("roof", "shed"))))
    await correspond([manager(), roof, shed, late, washer, dryer])
    assert roof.messages() == [JobsRegistered(digests=(digest_of(WASH),))]
    assert shed.messages() == []
    assert late.messages() == [JobsRegistered(digests=(digest_of(DRY),))]


async def test_a_producer_named_to_several_jobs_in_a_round_receives_one_message() -> None:
    """In a large neighbourhood many jobs become known at once and get the same list."""
    roof = joining("roof")
    dryer = Correspondent(DRYER, (5, MANAGER, ProducersFor(job_id="dry")))
    washer = Correspondent(WASHER, (5, MANAGER, ProducersFor(job_id="wash")))
    await correspond([manager(), roof, dryer, washer])
    assert [len(m.digests) for m in roof.messages() if isinstance(m, JobsRegistered)] == [2]
    assert {d for m in roof.messages() if isinstance(m, JobsRegistered) for d in m.digests} == {
        digest_of(WASH),
        digest_of(DRY),
    }


def test_no_consumer_asks_or_withdraws_for_a_job_of_another(stage: Stage) -> None:
    """The manager answers only the job's own consumer."""
    stage.say((WASHER, ProducersFor(job_id="wash", asked=("roof", "shed"))))
    foreign: tuple[AnyMessage, ...] = (
        ProducersFor(job_id="wash"),
        Withdraw(job_id="wash"),
        ProducersFor(job_id="ghost"),
    )
    assert stage.say(*((DRYER, message) for message in foreign)) == []
    assert rejected(stage) == [DRYER] * 3
    joined = stage.say(("north", ProducerJoined(producer="north")))
    assert to(WASHER, joined) == [Producers(job_id="wash", producers=("north",))]


# What enters the ledger.


def test_a_contract_stands_when_both_have_reported_the_same(stage: Stage) -> None:
    """The producer reports first; the ledger contains the contract once the consumer has confirmed it."""
    stage.say(("roof", promised()))
    assert ledger(stage) == {}
    stage.say((WASHER, agreed()))
    entry = ledger(stage)["wash/1"]
    assert (entry.state, entry.contract) == ("standing", contract())
    assert entry.history == (LedgerEvent(at_s=NOW_S, what="agreed", start_s=LATER_S),)


@pytest.mark.parametrize(
    "report",
    [
        agreed(),
        agreed(producer="shed"),
        agreed(start_s=LATER_S + 1),
        agreed(producer="ghost"),
    ],
    ids=["nothing promised", "by another producer", "for another start", "no producer"],
)
def test_a_contract_that_its_producer_has_not_promised_does_not_stand(stage: Stage, report: ContractAgreed) -> None:
    """The manager informs the consumer, which is not at fault: the producer may have told it otherwise."""
    if report != agreed():
        stage.say(("roof", promised()))
    (void,) = to(WASHER, stage.say((WASHER, report)))
    assert isinstance(void, ContractVoid)
    assert (void.contract_id, void.contracts) == ("wash/1", 0)
    assert ledger(stage) == {}
    assert rejected(stage) == []


@pytest.mark.parametrize(
    "report",
    [
        agreed(producer=GRID, energy_wh=-5.0),
        agreed(producer=GRID, energy_wh=float("nan")),
        agreed(producer=GRID, agreed_s=5),
        agreed(producer=GRID, start_s=START_S),
        agreed(producer=GRID, start_s=START_S + 10**9),
        agreed(2, GRID),
        agreed(producer=GRID, contract_id="x" * 300),
        agreed(producer=GRID, contract_id=""),
    ],
    ids=["energy", "no number", "agreed then", "in the past", "out of the window", "number", "long id", "no id"],
)
def test_a_contract_with_other_terms_than_its_job_is_rejected(stage: Stage, report: ContractAgreed) -> None:
    """This holds for every supplier."""
    assert [type(message) for message in to(WASHER, stage.say((WASHER, report)))] == [ContractVoid]
    assert ledger(stage) == {}
    assert rejected(stage) == [WASHER]


def test_a_consumer_that_ends_a_contract_before_it_learns_of_its_refusal_is_not_blamed(stage: Stage) -> None:
    """Its producer was lost after it had accepted: the consumer ends the contract in the round of the refusal."""
    stage.say(("roof", promised()))
    stage.lose("roof")
    (void,) = to(WASHER, stage.say((WASHER, agreed())))
    assert isinstance(void, ContractVoid)
    cancelled = ContractCancelled(contract_id="wash/1", reason="its household is lost")
    assert stage.say((WASHER, cancelled)) == []
    assert rejected(stage) == []
    stage.say((DRYER, cancelled))
    assert rejected(stage) == [DRYER]
    stage.say(("shed", promised()), (WASHER, agreed(producer="shed")))
    assert ledger(stage)["wash/1"].state == "standing"


def test_no_consumer_reports_a_contract_for_a_job_of_another(stage: Stage) -> None:
    """Reports for unknown jobs are rejected too; the owner's own report is accepted afterwards."""
    stage.say(("roof", promised()))
    ghost = agreed(job_id="ghost", contract_id="ghost/1")
    assert stage.say((DRYER, agreed()), (DRYER, agreed(producer=GRID)), (DRYER, ghost)) == []
    assert rejected(stage) == [DRYER] * 3
    stage.say((WASHER, agreed()))
    assert ledger(stage)["wash/1"].contract.producer == "roof"


def test_a_job_has_one_standing_contract(stage: Stage) -> None:
    """A second one is rejected, under its own number and under the first one's."""
    stage.say((WASHER, agreed(producer=GRID)))
    stage.say((WASHER, agreed(2, GRID)), (WASHER, agreed(producer=GRID, start_s=LATER_S + 60)))
    assert rejected(stage) == [WASHER] * 2
    assert [entry.contract for entry in ledger(stage).values()] == [contract(producer=GRID)]


def test_a_consumer_cancels_a_bounded_number_of_contracts(stage: Stage) -> None:
    """Each is kept and published: one that agrees with the grid and cancels again fills no ledger."""
    for n in range(1, MAX_CANCELLED + 10):
        stage.say((WASHER, agreed(n, GRID)), (WASHER, ContractCancelled(contract_id=f"wash/{n}", reason="no")))
    assert len(ledger(stage)) == MAX_CANCELLED + 1
    assert [entry.state for entry in ledger(stage).values()][-2:] == ["cancelled", "standing"]


def test_a_producer_that_cancels_again_and_again_takes_no_contract_from_its_consumer(stage: Stage) -> None:
    """The consumer has cancelled nothing on its own initiative; the grid supplies it in the end."""
    for n in range(1, MAX_CANCELLED + 10):
        stage.say(("roof", promised()), (WASHER, agreed(n)))
        stage.say(
            ("roof", PromiseWithdrawn(job_id="wash", reason="rain")),
            (WASHER, ContractCancelled(contract_id=f"wash/{n}", reason="rain")),
        )
    stage.say((WASHER, agreed(n + 1, GRID)))
    assert ledger(stage)[f"wash/{n + 1}"].state == "standing"


def test_the_history_of_a_contract_is_bounded(stage: Stage) -> None:
    """A contract that is moved back and forth stands where it was moved last; its first moves are left out."""
    stage.say(("roof", promised()), (WASHER, agreed()))
    for n in range(MAX_CHANGES + 5):
        start_s = LATER_S + 60 * (n + 1)
        stage.say(("roof", promised(start_s)), (WASHER, ContractAmended(contract_id="wash/1", start_s=start_s)))
    (entry,) = ledger(stage).values()
    assert (entry.state, entry.contract.start_s, len(entry.history)) == ("standing", start_s, MAX_CHANGES + 1)
    assert (entry.history[0].what, entry.history[1].start_s) == ("agreed", LATER_S + 60 * 6)


def test_a_move_counts_when_both_have_reported_it(stage: Stage) -> None:
    """The ledger shows the old start until then."""
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed()), ("roof", promised(LATER_S + 60)))
    assert ledger(stage)["wash/1"].contract.start_s == LATER_S
    stage.say((WASHER, ContractAmended(contract_id="wash/1", start_s=LATER_S + 60)))
    entry = ledger(stage)["wash/1"]
    assert entry.contract.start_s == LATER_S + 60
    assert [event.what for event in entry.history] == ["agreed", "amended"]


def test_a_move_that_only_the_consumer_reports_ends_the_contract(stage: Stage) -> None:
    """Both parties are informed, so that neither relies on it."""
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed()))
    sent = stage.say((WASHER, ContractAmended(contract_id="wash/1", start_s=LATER_S + 60)))
    assert [type(message) for message in to(WASHER, sent)] == [ContractVoid]
    assert [type(message) for message in to("roof", sent)] == [PromiseVoid]
    assert ledger(stage)["wash/1"].state == "cancelled"


def test_a_move_that_only_the_producer_reports_ends_the_contract_with_the_second(stage: Stage) -> None:
    """Until then the consumer may confirm it."""
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed()), ("roof", promised(LATER_S + 60)))
    assert ledger(stage)["wash/1"].state == "standing"
    sent = stage.wait_until(NOW_S + 1)
    assert [(type(outgoing.message), outgoing.to) for outgoing in sent] == [
        (ContractVoid, WASHER),
        (PromiseVoid, "roof"),
    ]
    assert ledger(stage)["wash/1"].state == "cancelled"


def test_a_promise_that_is_not_confirmed_lapses_with_the_second(stage: Stage) -> None:
    """The producer is informed, and a later report of the consumer is rejected."""
    stage.say(("roof", promised()))
    (void,) = to("roof", stage.wait_until(NOW_S + 1))
    assert isinstance(void, PromiseVoid)
    assert void.start_s == LATER_S
    stage.say((WASHER, agreed(agreed_s=NOW_S + 1)))
    assert ledger(stage) == {}


def test_a_promise_that_is_not_confirmed_lapses_at_the_end_of_the_run(stage: Stage) -> None:
    """No timer fires at the end of the run."""
    stage.say(("roof", promised()))
    assert [type(message) for message in to("roof", stage.close())] == [PromiseVoid]


@pytest.mark.parametrize(
    "promise",
    [
        promised(consumer=DRYER),
        promised(energy_wh=1.0),
        promised(START_S + 10**9),
        promised(START_S),
        promised(job_id="ghost"),
        promised(consumer="x" * 4000),
    ],
    ids=["consumer", "energy", "window", "past", "job", "long id"],
)
def test_a_promise_with_other_terms_than_its_job_is_rejected(stage: Stage, promise: Promised) -> None:
    """The producer may promise only what the job is."""
    stage.say(("roof", promise))
    assert rejected(stage) == ["roof"]
    stage.say((WASHER, agreed()))
    assert ledger(stage) == {}


def test_only_producers_that_have_joined_promise(stage: Stage) -> None:
    """Promises of a consumer, or of a producer without a forecast, are rejected."""
    stage.say((DRYER, promised()), ("north", promised()))
    assert rejected(stage) == [DRYER, "north"]
    stage.say((WASHER, agreed(producer=DRYER)))
    assert ledger(stage) == {}


def test_either_side_cancels_a_contract_before_its_job_starts(stage: Stage) -> None:
    """A consumer cancels immediately, a producer with the end of the second; the other party is informed."""
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed()))
    sent = stage.say((WASHER, ContractCancelled(contract_id="wash/1", reason="later")))
    assert [(type(outgoing.message), outgoing.to) for outgoing in sent] == [(PromiseVoid, "roof")]
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed(2)))
    assert stage.say(("roof", PromiseWithdrawn(job_id="wash", reason="clouds"))) == []
    assert ledger(stage)["wash/2"].state == "standing"
    sent = stage.wait_until(NOW_S + 1)
    assert [(type(outgoing.message), outgoing.to) for outgoing in sent] == [(ContractVoid, WASHER)]
    assert [entry.state for entry in ledger(stage).values()] == ["cancelled", "cancelled"]
    assert ledger(stage)["wash/2"].history[-1].reason == "clouds"


def test_a_cancellation_that_both_report_is_one(stage: Stage) -> None:
    """It has the consumer's reason, and no party needs to be informed."""
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed()), ("roof", PromiseWithdrawn(job_id="wash", reason="clouds")))
    assert stage.say((WASHER, ContractCancelled(contract_id="wash/1", reason="clouds"))) == []
    assert stage.wait_until(NOW_S + 1) == []
    assert [event.what for event in ledger(stage)["wash/1"].history] == ["agreed", "cancelled"]


def test_a_contract_whose_job_has_started_is_not_changed(stage: Stage) -> None:
    """Neither party can move or cancel it."""
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed()))
    stage.wait_until(LATER_S)
    stage.say(
        ("roof", PromiseWithdrawn(job_id="wash", reason="late")),
        (WASHER, ContractCancelled(contract_id="wash/1", reason="late")),
        (WASHER, ContractAmended(contract_id="wash/1", start_s=LATER_S + 60)),
    )
    stage.wait_until(LATER_S + 1)
    assert ledger(stage)["wash/1"].state == "standing"
    assert rejected(stage) == [WASHER] * 2


def test_only_its_own_parties_can_change_a_contract(stage: Stage) -> None:
    """Anybody else's report is rejected."""
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed()))
    stage.say(
        (DRYER, ContractAmended(contract_id="wash/1", start_s=LATER_S + 60)),
        (DRYER, ContractCancelled(contract_id="wash/1", reason="spite")),
        ("shed", PromiseWithdrawn(job_id="wash", reason="spite")),
        ("shed", promised(LATER_S + 60)),
    )
    assert rejected(stage) == [DRYER] * 2
    stage.wait_until(NOW_S + 1)
    assert (ledger(stage)["wash/1"].state, ledger(stage)["wash/1"].contract.start_s) == ("standing", LATER_S)


def test_messages_not_meant_for_the_manager_are_rejected(stage: Stage) -> None:
    """So are changes of a contract that does not exist."""
    stage.say(
        (WASHER, ContractAmended(contract_id="wash/1", start_s=LATER_S)),
        (WASHER, ContractCancelled(contract_id="wash/1", reason="clouds")),
        (WASHER, Opening(job_id="wash")),
    )
    assert rejected(stage) == [WASHER] * 3


# Scores.


def test_a_contract_that_both_signed_lowers_a_score_and_a_producers_own_refusal_raises_it(stage: Stage) -> None:
    """The scores are those of PySSMic; the grid has none."""
    stage.say(("roof", promised()), ("shed", Declined(job_id="wash", producer="shed")))
    stage.say((WASHER, agreed()))
    assert isinstance(stage.agent, Manager)
    assert stage.agent.scores.by_producer() == {"roof": 9, "shed": 11}


def test_no_other_agent_changes_a_producers_score(stage: Stage) -> None:
    """Refusals reported by others, contracts it did not sign, and repetitions have no effect."""
    stage.say(*((WASHER, Declined(job_id="wash", producer="roof")) for _ in range(10)))
    stage.say(("shed", Declined(job_id="wash", producer="roof")), ("roof", Declined(job_id="ghost", producer="roof")))
    for n in range(1, 4):
        stage.say((WASHER, agreed(n)), (WASHER, ContractCancelled(contract_id=f"wash/{n}", reason="again")))
    assert isinstance(stage.agent, Manager)
    assert stage.agent.scores.by_producer() == {"roof": 10, "shed": 10}
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed()), (WASHER, ContractCancelled(contract_id="wash/1", reason="again")))
    stage.say(("roof", promised()))
    stage.say((WASHER, agreed(2)))
    assert stage.agent.scores.by_producer() == {"roof": 9, "shed": 10}


def test_each_job_that_a_producer_declined_in_a_round_raises_its_score(stage: Stage) -> None:
    """One message names them all; a job that does not exist is rejected, and the others count."""
    stage.say(("shed", Declined(job_id="wash", producer="shed", others=("ghost", "dry"))))
    assert rejected(stage) == ["shed"]
    stage.say((WASHER, ProducersFor(job_id="wash")))
    assert isinstance(stage.agent, Manager)
    assert stage.agent.scores.by_producer() == {"roof": 10, "shed": 12}


# The order within a step.


@pytest.mark.parametrize(("refused", "asking", "first"), [(WASHER, DRYER, "shed"), (DRYER, WASHER, "roof")])
def test_a_refusal_counts_for_the_agents_that_ask_after_its_consumer_has_received_it(
    stage: Stage, refused: str, asking: str, first: str
) -> None:
    """In the step of its arrival, an agent before the consumer in the order of messages asks by the old scores."""
    jobs = {WASHER: "wash", DRYER: "dry"}
    declined = Declined(job_id=jobs[refused], producer="roof")
    stage.agent.deliver(Received("roof", 100, declined, step=5), None)
    stage.agent.deliver(Received(asking, 101, ProducersFor(job_id=jobs[asking]), step=6), None)
    (answer,) = [message for message in to(asking, stage.say()) if isinstance(message, Producers)]
    assert answer.producers[0] == first


def executed(started_s: int) -> JobExecuted:
    """Return the report of a washing machine that runs."""
    return JobExecuted(contract_id="wash/1", job_id="wash", state="EXECUTING", outcome="on_time", started_s=started_s)


def test_a_device_cannot_have_started_later_than_now() -> None:
    """The ledger has what happened, and never what is to come."""
    with on_stage(Manager(JobRegister((WASH,), ROOFS, [WASHER]), WholeManagerSupply), START_S) as on:
        on.wait_until(NOW_S)
        on.say((WASHER, agreed(producer=GRID)))
        on.wait_until(LATER_S)
        on.say((WASHER, executed(LATER_S + 1)))
        assert rejected(on) == [WASHER]
        on.say((WASHER, executed(LATER_S)))
        assert rejected(on) == []
        assert [event.what for event in ledger(on)["wash/1"].history] == ["agreed", "started"]
