"""Attacks on the ledger, the scores and the negotiations by a member of the neighbourhood, in its own name."""

from __future__ import annotations

import pytest

from broker.transport.memory import MemoryBroker
from scenarios.scenario import Scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import attack_guarded, attack_in_memory
from tests.redteam.member import Member, Turn

MEMBER = "brandt"


def amends_and_cancels_the_contracts_of_others(turn: Turn) -> None:
    """Attack 39."""
    if turn.grant.phase != "run":
        return
    for contract_id in ("adler-car/1", "fuchs-pool/1", "fuchs-water/1", "celik-water-morning/1", "adler-fridge-1/1"):
        turn.say("manager", {"kind": "ContractAmended", "contract_id": contract_id, "start_s": 1782043300})
        turn.say("manager", {"kind": "ContractCancelled", "contract_id": contract_id, "reason": "bye"})


async def undisturbed(street: Scenario) -> str:
    """Return the ledger's hash without any attack."""
    return (await run_scenario(street, RunSettings(seed=1, run_id="r"), MemoryBroker())).ledger_sha256


async def test_a_member_that_only_does_what_it_should_changes_nothing(street: Scenario) -> None:
    """The harness itself: the member speaks the protocol as a host does."""
    attacked = await attack_in_memory(street, Member(street, MEMBER, "honest"))
    assert attacked.done.ledger_sha256 == await undisturbed(street)
    assert attacked.member == "left"


async def test_the_contracts_of_others_cannot_be_changed_in_memory(street: Scenario) -> None:
    """Attack 39 on the memory bus."""
    attacked = await attack_in_memory(
        street, Member(street, MEMBER, "memory", amends_and_cancels_the_contracts_of_others)
    )
    assert attacked.done.ledger_sha256 == await undisturbed(street)


@pytest.mark.long
async def test_the_contracts_of_others_cannot_be_changed(street: Scenario, guarded: GuardedBroker) -> None:
    """Attack 39 over the guarded broker."""
    member = Member(street, MEMBER, "amend", amends_and_cancels_the_contracts_of_others)
    attacked = await attack_guarded(street, member, guarded)
    assert attacked.done.ledger_sha256 == await undisturbed(street)
