"""The manager: whom a job may ask, and what enters the ledger."""

from __future__ import annotations

from agents.ledger import LedgerEvent
from agents.manager import Manager
from agents.messages import (
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    Declined,
    Opening,
    ProducerJoined,
    Producers,
    ProducersFor,
    Withdraw,
)
from agents.model import GRID, MANAGER, Contract
from tests.agents.correspondence import Correspondent, correspond


def joining(producer: str, at_s: int = 0) -> Correspondent:
    """Return a producer that joins at a time."""
    return Correspondent(producer, (at_s, MANAGER, ProducerJoined(producer=producer)))


def contract(n: int = 1, producer: str = "roof", start_s: int = 500) -> Contract:
    """Return the nth contract of the job `wash`."""
    return Contract(
        contract_id=f"wash/{n}", job_id="wash", producer=producer, start_s=start_s, agreed_s=10, energy_wh=800.0
    )


async def test_producers_are_listed_lowest_score_first_and_equals_by_id() -> None:
    """Earlier scores count from the first question on."""
    consumer = Correspondent("washer", (5, MANAGER, ProducersFor(job_id="wash")))
    manager = Manager({"north": 12, "south": 8})
    await correspond([manager, consumer, joining("north"), joining("south"), joining("west"), joining("east")])
    assert consumer.messages() == [Producers(job_id="wash", producers=("south", "east", "west", "north"))]


async def test_producers_that_a_job_has_asked_are_left_out() -> None:
    """A job goes through the list once."""
    consumer = Correspondent("washer", (5, MANAGER, ProducersFor(job_id="wash", asked=("north",))))
    await correspond([Manager(), consumer, joining("north"), joining("south")])
    assert consumer.messages() == [Producers(job_id="wash", producers=("south",))]


async def test_producers_that_join_in_a_round_can_be_asked_in_that_round() -> None:
    """The order of messages within a round does not decide who is known."""
    consumer = Correspondent("a washer", (0, MANAGER, ProducersFor(job_id="wash")))
    await correspond([Manager(), consumer, joining("z roof")])
    assert consumer.messages() == [Producers(job_id="wash", producers=("z roof",))]


async def test_a_waiting_job_hears_of_each_producer_that_joins_later() -> None:
    """It is answered with an empty list first."""
    consumer = Correspondent("washer", (5, MANAGER, ProducersFor(job_id="wash")))
    await correspond([Manager(), consumer, joining("north", 60), joining("south", 120)])
    assert [(time_s, message) for time_s, _, message in consumer.received] == [
        (5, Producers(job_id="wash", producers=())),
        (60, Producers(job_id="wash", producers=("north",))),
        (120, Producers(job_id="wash", producers=("south",))),
    ]


async def test_a_job_that_withdraws_hears_of_no_more_producers() -> None:
    """Nor does one that has found a supplier."""
    withdrawn = Correspondent(
        "washer", (5, MANAGER, ProducersFor(job_id="wash")), (30, MANAGER, Withdraw(job_id="wash"))
    )
    await correspond([Manager(), withdrawn, joining("north", 60)])
    assert withdrawn.messages() == [Producers(job_id="wash", producers=())]


async def test_only_a_producer_itself_can_join() -> None:
    """An agent cannot announce another one."""
    impostor = Correspondent("impostor", (0, MANAGER, ProducerJoined(producer="roof")))
    consumer = Correspondent("washer", (5, MANAGER, ProducersFor(job_id="wash")))
    await correspond([Manager(), impostor, consumer])
    assert consumer.messages() == [Producers(job_id="wash", producers=())]


async def test_an_agreement_lowers_a_score_and_a_refusal_raises_it() -> None:
    """As in PySSMic; the grid has no score."""
    manager = Manager({"roof": 10, "shed": 10})
    consumer = Correspondent(
        "washer",
        (10, MANAGER, ContractAgreed(contract=contract())),
        (20, MANAGER, Declined(job_id="wash", producer="shed")),
        (30, MANAGER, ContractAgreed(contract=contract(2, GRID))),
    )
    await correspond([manager, consumer, joining("roof"), joining("shed")])
    assert manager.scores.by_producer() == {"roof": 9, "shed": 11}


async def test_the_ledger_keeps_a_contracts_whole_history() -> None:
    """Agreed, amended, cancelled, with times and the reason."""
    manager = Manager()
    consumer = Correspondent(
        "washer",
        (10, MANAGER, ContractAgreed(contract=contract())),
        (20, MANAGER, ContractAmended(contract_id="wash/1", start_s=700)),
        (30, MANAGER, ContractCancelled(contract_id="wash/1", reason="clouds")),
    )
    await correspond([manager, consumer, joining("roof")])
    entry = manager.ledger["wash/1"]
    assert (entry.state, entry.contract.start_s) == ("cancelled", 700)
    assert entry.history == (
        LedgerEvent(at_s=10, what="agreed", start_s=500),
        LedgerEvent(at_s=20, what="amended", start_s=700),
        LedgerEvent(at_s=30, what="cancelled", start_s=700, reason="clouds"),
    )


async def test_only_the_agent_that_reported_a_contract_can_change_it() -> None:
    """Anybody else's report is dropped."""
    manager = Manager()
    consumer = Correspondent("washer", (10, MANAGER, ContractAgreed(contract=contract())))
    other = Correspondent(
        "other",
        (20, MANAGER, ContractAmended(contract_id="wash/1", start_s=700)),
        (30, MANAGER, ContractCancelled(contract_id="wash/1", reason="spite")),
    )
    await correspond([manager, consumer, other, joining("roof")])
    entry = manager.ledger["wash/1"]
    assert (entry.state, entry.contract.start_s, len(entry.history)) == ("standing", 500, 1)


async def test_a_contract_id_is_agreed_once() -> None:
    """A second agreement under the same id changes nothing."""
    manager = Manager()
    consumer = Correspondent(
        "washer",
        (10, MANAGER, ContractAgreed(contract=contract())),
        (20, MANAGER, ContractAgreed(contract=contract(start_s=900))),
    )
    await correspond([manager, consumer, joining("roof")])
    assert manager.ledger["wash/1"].contract.start_s == 500
    assert manager.scores.by_producer() == {"roof": 9}


async def test_a_change_of_an_unknown_contract_is_dropped() -> None:
    """As is a message that is not for the manager."""
    manager = Manager()
    consumer = Correspondent(
        "washer",
        (10, MANAGER, ContractAmended(contract_id="wash/1", start_s=700)),
        (20, MANAGER, ContractCancelled(contract_id="wash/1", reason="clouds")),
        (30, MANAGER, Opening(job_id="wash")),
    )
    await correspond([manager, consumer])
    assert manager.ledger == {}
