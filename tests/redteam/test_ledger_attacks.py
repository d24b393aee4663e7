"""Attacks on the ledger, the scores and the negotiations by a member of the neighbourhood, in its own name.

Whatever it says, no other process ends, no contract between two others changes, no entry of the ledger names a party
that did not agree, and the run is done.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from agents.model import GRID
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import Attacked, attack_guarded, attack_in_memory, supplied_by, unsigned
from tests.redteam.attacks import (
    COST_THE_MEMBER_ITS_PLACE,
    LEAVE_NO_TRACE,
    MEMBER,
    WithdrawsAtTheProducerOnly,
    accepts_and_cancels,
    forges_own_contracts,
    forges_own_suppliers,
    keeps_silent_as_a_producer,
    takes_shares_back,
)
from tests.redteam.member import Attack, Member

QUICK = (
    "19 a load of 10^12 s",
    "22 withdrawals of others' jobs",
    "25 refusals of a competitor",
    "31 openings from a consumer",
)
"""Attacks that are made in memory too, so that `make test` has one of each kind."""


def run_id(name: str) -> str:
    """Return the id of an attack's own run."""
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def is_unharmed(calm: RunOutcome, outcome: RunOutcome) -> bool:
    """Return whether ledger and scores are those of the undisturbed run."""
    return (outcome.ledger_sha256, outcome.scores) == (calm.ledger_sha256, calm.scores)


async def test_a_member_that_only_does_what_it_should_changes_nothing(street: Scenario, calm: RunOutcome) -> None:
    """This checks the harness: the member follows the protocol like a host."""
    attacked = await attack_in_memory(street, Member(street, MEMBER, "honest"))
    assert is_unharmed(calm, attacked.done)
    assert (attacked.member, attacked.done.disputes) == ("left", ())


@pytest.mark.parametrize("name", QUICK)
async def test_an_attack_leaves_no_trace_in_memory(street: Scenario, calm: RunOutcome, name: str) -> None:
    """Neither the ledger nor the scores change."""
    attacked = await attack_in_memory(street, Member(street, MEMBER, "memory", LEAVE_NO_TRACE[name]))
    assert is_unharmed(calm, attacked.done)


@pytest.mark.long
@pytest.mark.parametrize("name", LEAVE_NO_TRACE)
async def test_an_attack_leaves_no_trace(street: Scenario, calm: RunOutcome, guarded: GuardedBroker, name: str) -> None:
    """Over the guarded broker, by a client that has no more than the household's login."""
    attacked = await attack_guarded(street, Member(street, MEMBER, run_id(name), LEAVE_NO_TRACE[name]), guarded)
    assert is_unharmed(calm, attacked.done)
    assert attacked.done.disputes == ()


@pytest.mark.long
@pytest.mark.parametrize("name", COST_THE_MEMBER_ITS_PLACE)
async def test_values_out_of_all_bounds_cost_the_member_its_place(
    street: Scenario, guarded: GuardedBroker, name: str
) -> None:
    """The run is done without it, and says why; the others' jobs all have their contracts."""
    member = Member(street, MEMBER, run_id(name), COST_THE_MEMBER_ITS_PLACE[name])
    outcome = (await attack_guarded(street, member, guarded)).done
    assert [(host.host, host.is_quarantined) for host in outcome.without] == [(MEMBER, True)]
    others = {job.job_id for job in street.jobs if job.house != MEMBER}
    standing = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    assert others <= standing


@pytest.mark.long
async def test_a_member_cannot_name_a_producer_at_its_own_terms(street: Scenario, guarded: GuardedBroker) -> None:
    """Attack 9: its own jobs then have no contract, no producer's score gains, and the run reports it."""
    attacked = await attack_guarded(street, Member(street, MEMBER, "own-terms", forges_own_contracts), guarded)
    outcome = attacked.done
    own = {job.job_id for job in street.jobs if job.house == MEMBER}
    others = {job.job_id for job in street.jobs} - own
    assert {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"} == others
    assert len(outcome.disputes) >= len(own)
    assert all(MEMBER in dispute for dispute in outcome.disputes)


async def test_the_results_list_what_is_in_dispute(street: Scenario, tmp_path: Path) -> None:
    """Attack 9, as a user sees it afterwards: each of the liar's jobs, in the order of the outcome."""
    path = create_results(SimulationSpec(street, "insertion", (1,), "memory"), tmp_path / "results.sqlite")
    with RunWriter(path, street, run=1, run_id="disputed", seed=1, start_s=street.start_s) as recorder:
        member = Member(street, MEMBER, "disputed", forges_own_contracts)
        outcome = (await attack_in_memory(street, member, recorder=recorder)).done
    with ResultsReader(path) as results:
        assert results.run(1).disputes == outcome.disputes != ()


@pytest.mark.long
async def test_a_member_cannot_name_a_producer_that_did_not_agree(street: Scenario, guarded: GuardedBroker) -> None:
    """Attack 9 with terms that are right but for the producer: only what that producer promised itself stands."""
    attacked = await attack_guarded(street, Member(street, MEMBER, "own-suppliers", forges_own_suppliers), guarded)
    outcome = attacked.done
    assert outcome.ledger
    assert unsigned(street, attacked) == []


@pytest.mark.long
@pytest.mark.parametrize("attack", [keeps_silent_as_a_producer, accepts_and_cancels])
async def test_a_producer_that_does_not_supply_costs_no_job_its_contract(
    street: Scenario, calm: RunOutcome, guarded: GuardedBroker, attack: Attack
) -> None:
    """Attacks 29 and 42: the jobs find other producers."""
    attacked = await attack_guarded(street, Member(street, "celik", attack.__name__, attack), guarded)
    outcome = attacked.done
    standing = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    assert standing == {job.job_id for job in street.jobs}
    assert len(supplied_by(outcome, "pv-celik")) <= len(supplied_by(calm, "pv-celik"))
    assert len(supplied_by(outcome, GRID)) <= len(supplied_by(calm, GRID)) + 4


def check_shares(scenario: Scenario, attacked: Attacked) -> None:
    """Assert that every job of the others has a contract, which all its producers have signed."""
    outcome = attacked.done
    standing = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    assert {job.job_id for job in scenario.jobs if job.house != MEMBER} <= standing
    assert unsigned(scenario, attacked) == []
    own = {job.job_id for job in scenario.jobs if job.house == MEMBER} | {f"pv-{MEMBER}"}
    assert [dispute for dispute in outcome.disputes if not any(repr(name) in dispute for name in own)] == []


@pytest.mark.long
async def test_shares_that_are_taken_back_cost_no_other_member_a_contract(street: Scenario) -> None:
    """Attack 79: a contract that the ledger never had is made again, though the grid supplies it by then."""
    scenario = replace(street, supply="shared")
    member = Member(scenario, MEMBER, "memory", takes_shares_back)
    check_shares(scenario, await attack_in_memory(scenario, member))


@pytest.mark.long
async def test_shares_that_are_taken_back_over_the_broker(street: Scenario, guarded: GuardedBroker) -> None:
    """The same with the household's login."""
    scenario = replace(street, supply="shared")
    member = Member(scenario, MEMBER, "takes-back", takes_shares_back)
    check_shares(scenario, await attack_guarded(scenario, member, guarded))


def withdrawing(street: Scenario, run: str) -> Member:
    """Return the member of attack 124, whose dishes the neighbour's panel supplies in an honest run."""
    job = next(job for job in street.jobs if job.job_id == "brandt-dishes")
    return Member(street, MEMBER, run, WithdrawsAtTheProducerOnly(job, "pv-adler"))


def check_withdrawn(attacked: Attacked) -> None:
    """Assert that the panel's last withdrawal counts, and that nobody says that the panel breaks a promise."""
    outcome = attacked.done
    assert {entry.state for entry in outcome.ledger if entry.contract.contract_id == "brandt-dishes/1"} == {"cancelled"}
    assert (outcome.disputes, outcome.without) == ((), ())


@pytest.mark.parametrize("promise", ["early", "late"])
async def test_a_producer_is_not_held_to_a_promise_that_it_withdrew(
    street: Scenario, promise: Literal["early", "late"]
) -> None:
    """Attack 124: the ledger named the producer, and the run said that it does not keep its contract."""
    scenario = replace(street, promise=promise)
    check_withdrawn(await attack_in_memory(scenario, withdrawing(scenario, "memory")))


@pytest.mark.long
async def test_a_withdrawn_promise_over_the_broker(street: Scenario, guarded: GuardedBroker) -> None:
    """The same with the household's login."""
    check_withdrawn(await attack_guarded(street, withdrawing(street, "withdraws"), guarded))
