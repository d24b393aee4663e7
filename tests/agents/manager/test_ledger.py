"""The ledger by itself: which contracts it takes, what becomes of them, and who is told."""

from __future__ import annotations

import pytest

from agents.job_register import JobRegister
from agents.manager import Ledger, LedgerEntry, LedgerEvent
from agents.manager.ledger import MAX_CANCELLED, MAX_EXECUTIONS
from agents.messages import AnyMessage, ContractVoid, Followed, JobExecuted
from agents.model import GRID, MANAGER, SHARED, TIMELINE, Contract
from agents.shares import Share
from broker.hosts import Agent
from tests.scenarios.neighbourhoods import START_S, job, load

WASH = job("wash", "a", load((0, 0.0), (3600, 800.0)))
DRY = job("dry", "b", load((0, 0.0), (3600, 500.0)))
REGISTER = JobRegister((WASH, DRY))
NOW_S, LATER_S = START_S + 10, START_S + 500


def contract(n: int = 1, producer: str = "roof", start_s: int = LATER_S) -> Contract:
    """Return the nth contract of the job `wash`."""
    return Contract(
        contract_id=f"wash/{n}", job_id="wash", producer=producer, start_s=start_s, agreed_s=NOW_S, energy_wh=800.0
    )


def shared(*roofs: str) -> Contract:
    """Return the first contract of the job `wash`, shared by these roofs."""
    shares = tuple(Share(producer=roof, minutes_mwh=((1, 10),)) for roof in roofs)
    return Contract.model_validate({**contract().model_dump(), "producer": SHARED, "shares": shares})


@pytest.fixture
def manager() -> Agent[AnyMessage]:
    """An agent that does nothing but send and publish for the ledger."""
    agent: Agent[AnyMessage] = Agent(MANAGER)
    agent.prepare(seed=1, now_s=NOW_S)
    return agent


@pytest.fixture
def ledger(manager: Agent[AnyMessage]) -> Ledger:
    """A ledger without contracts."""
    return Ledger(manager, REGISTER)


def only(ledger: Ledger) -> LedgerEntry:
    """Return the ledger's only entry."""
    (entry,) = ledger.entries.values()
    return entry


def rejected(manager: Agent[AnyMessage]) -> list[str]:
    """Return the senders of rejected messages."""
    return [rejection.sender for rejection in manager.take_rejections()]


# Which contracts it takes.


def test_the_contracts_of_a_job_are_numbered_and_one_stands(ledger: Ledger) -> None:
    """The next one has its turn when the one before has ended."""
    wash = REGISTER.get("wash")
    assert wash is not None
    assert ledger.standing("wash") is None
    assert ledger.problem_with(contract(1), wash) == ""
    assert "number 1" in ledger.problem_with(contract(2), wash)
    ledger.agree(contract(1), "")
    assert "second contract" in ledger.problem_with(contract(2), wash)
    ledger.end(only(ledger), "clouds")
    assert ledger.standing("wash") is None
    assert ledger.problem_with(contract(2), wash) == ""
    ledger.agree(contract(2), "")
    standing = ledger.standing("wash")
    assert standing is not None
    assert standing.contract == contract(2)
    assert list(ledger.entries) == ["wash/1", "wash/2"]


def test_each_change_is_published_and_the_latest_one_counts(ledger: Ledger, manager: Agent[AnyMessage]) -> None:
    """So a client that only listens has the ledger too."""
    ledger.agree(contract(), "")
    ledger.amend(only(ledger), contract(start_s=LATER_S + 60), "clouds")
    ledger.end(only(ledger), "rain")
    messages, publications = manager.collect()
    assert messages == []
    assert [(one.name, one.content.state) for one in publications if isinstance(one.content, LedgerEntry)] == [
        ("wash/1", "standing"),
        ("wash/1", "standing"),
        ("wash/1", "cancelled"),
    ]
    assert publications[-1].content == only(ledger)
    assert [event.what for event in only(ledger).history] == ["agreed", "amended", "cancelled"]


def test_the_timeline_is_told_of_the_jobs_that_events_wait_for(ledger: Ledger, manager: Agent[AnyMessage]) -> None:
    """From then on; of no other jobs."""
    ledger.agree(contract(), "")
    assert manager.collect()[0] == []
    ledger.follow(["wash"])
    ledger.end(only(ledger), "rain")
    assert [(sent.to, sent.message) for sent in manager.collect()[0]] == [
        (TIMELINE, Followed(job_id="wash", state="cancelled", start_s=LATER_S))
    ]


# What becomes of them.


def test_a_move_keeps_the_supplier_unsaid(ledger: Ledger) -> None:
    """An event names its supplier only in a contract whose supplier has changed."""
    ledger.agree(contract(), "")
    ledger.amend(only(ledger), contract(start_s=LATER_S + 60), "clouds")
    assert only(ledger).history == (
        LedgerEvent(at_s=NOW_S, what="agreed", start_s=LATER_S),
        LedgerEvent(at_s=NOW_S, what="amended", start_s=LATER_S + 60, reason="clouds"),
    )


def test_a_change_of_suppliers_names_them_in_all_events_of_the_contract(ledger: Ledger) -> None:
    """Also when the first supplier is the last one again."""
    ledger.agree(contract(), "")
    ledger.amend(only(ledger), shared("roof", "shed"), "clouds")
    ledger.amend(only(ledger), contract(), "sun")
    assert [event.producer for event in only(ledger).history] == ["roof", SHARED, "roof"]
    assert [len(event.shares) for event in only(ledger).history] == [0, 2, 0]


def test_a_shared_contract_has_its_shares_in_its_first_event(ledger: Ledger) -> None:
    """Later ones change in the contract itself."""
    ledger.agree(shared("roof", "shed"), "")
    ledger.amend(only(ledger), shared("roof"), "clouds")
    assert [[share.producer for share in event.shares] for event in only(ledger).history] == [
        ["roof", "shed"],
        ["roof"],
    ]


def test_contracts_of_lost_consumers_are_lost_unless_their_jobs_have_started(
    ledger: Ledger, manager: Agent[AnyMessage]
) -> None:
    """A machine that runs goes on."""
    ledger.agree(contract(), "")
    assert ledger.lose({DRY.agent}) == []
    assert ledger.lose({WASH.agent}) == [contract()]
    assert (only(ledger).state, only(ledger).history[-1].what) == ("lost", "lost")
    ledger.agree(contract(2), "")
    manager.advance(LATER_S)
    assert ledger.lose({WASH.agent}) == []
    assert ledger.standing("wash") is not None


# Who may change them.


def test_a_consumer_changes_its_own_contract_before_the_job_starts(ledger: Ledger, manager: Agent[AnyMessage]) -> None:
    """Every other attempt is rejected; not one on a contract that a producer has just ended."""
    ledger.agree(contract(), "")
    assert ledger.changeable_of(WASH.agent, "wash/1") == only(ledger)
    assert ledger.changeable_of(DRY.agent, "wash/1") is None
    assert ledger.changeable_of(WASH.agent, "wash/2") is None
    assert rejected(manager) == [DRY.agent, WASH.agent]
    manager.advance(LATER_S)
    assert ledger.changeable_of(WASH.agent, "wash/1") is None
    assert ledger.standing_of(WASH.agent, "wash/1") == only(ledger)
    assert rejected(manager) == [WASH.agent]
    ledger.end(only(ledger), "rain")
    assert ledger.changeable_of(WASH.agent, "wash/1") is None
    assert rejected(manager) == []


def test_a_consumer_may_cancel_a_bounded_number_of_contracts(ledger: Ledger, manager: Agent[AnyMessage]) -> None:
    """Beyond that, each attempt is rejected."""
    assert all(ledger.may_cancel(contract(n + 1)) for n in range(MAX_CANCELLED))
    assert rejected(manager) == []
    assert not ledger.may_cancel(contract(MAX_CANCELLED + 1))
    assert rejected(manager) == [WASH.agent]


def test_a_consumer_learns_how_many_contracts_of_its_job_the_ledger_has(
    ledger: Ledger, manager: Agent[AnyMessage]
) -> None:
    """So it numbers the next one as the ledger does."""
    ledger.tell_void(contract(), "not promised")
    ledger.agree(contract(producer=GRID), "")
    ledger.tell_void(contract(2), "one stands")
    void = [sent.message for sent in manager.collect()[0] if sent.to == WASH.agent]
    assert [(one.contract_id, one.contracts) for one in void if isinstance(one, ContractVoid)] == [
        ("wash/1", 0),
        ("wash/2", 1),
    ]


# What devices did.


def test_what_a_device_did_is_in_the_history_and_the_contract_stands(
    ledger: Ledger, manager: Agent[AnyMessage]
) -> None:
    """A plug that is switched again and again does not fill the ledger."""

    def executed(state: str) -> JobExecuted:
        return JobExecuted.model_validate(
            {"contract_id": "wash/1", "job_id": "wash", "state": state, "outcome": "on_time", "started_s": NOW_S}
        )

    ledger.agree(contract(), "")
    ledger.record_execution(WASH.agent, executed("EXECUTING"))
    ledger.record_execution(WASH.agent, executed("FINISHED"))
    assert [event.what for event in only(ledger).history] == ["agreed", "started", "finished"]
    assert only(ledger).state == "standing"
    for _ in range(MAX_EXECUTIONS):
        ledger.record_execution(WASH.agent, executed("INTERRUPTED"))
    assert len(only(ledger).history) == 1 + MAX_EXECUTIONS
    assert rejected(manager) == [WASH.agent] * 2
