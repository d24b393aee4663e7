"""Attacks by amount: more than a message, a round or a ledger can hold, each message of it in order.

Over the guarded broker, by plain MQTT with the household's login. No other member is quarantined, and the run is done.
"""

from __future__ import annotations

import pytest

from agents.manager import MAX_CANCELLED
from agents.model import GRID, MANAGER
from scenarios.scenario import Scenario
from scenarios.simulation.agent_limits import most_messages
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import attack_guarded
from tests.redteam.attacks import MEMBER, agreed
from tests.redteam.member import Attack, Member, Turn

ROUNDS = 12
"""Rounds of a second in which the member continues."""


def grows_an_entry(street: Scenario) -> Attack:
    """Attack 75: its consumer and its producer move a contract to and fro, with long reasons: the entry grows."""
    job = next(job for job in street.jobs if job.house == MEMBER)

    def attack(turn: Turn) -> None:
        if turn.grant.phase != "run" or turn.member.runs > ROUNDS:
            return
        if turn.member.runs < ROUNDS:
            turn.done["resume"] = turn.grant.step + 1
        for n in range(90):
            start_s = job.latest_start_s - 60 * (n % 2)
            promised = {"kind": "Promised", "job_id": job.job_id, "consumer": job.agent, "start_s": start_s}
            turn.say(MANAGER, promised | {"energy_wh": job.as_sent.energy_wh}, sender="pv-brandt")
            moved = {"contract_id": f"{job.job_id}/1", "start_s": start_s, "reason": "x" * 1_000}
            report = {"kind": "ContractAmended", **moved}
            if (turn.member.runs, n) == (1, 0):
                terms = {"agreed_s": turn.grant.time, "energy_wh": job.energy_wh}
                report = agreed(f"{job.job_id}/1", job.job_id, "pv-brandt", start_s, **terms)
            turn.say(MANAGER, report, sender=job.agent)

    return attack


def fills_the_ledger(street: Scenario) -> Attack:
    """Attack 76: a contract with the grid, agreed and cancelled again and again; each is an entry."""
    job = next(job for job in street.jobs if job.house == MEMBER)

    def attack(turn: Turn) -> None:
        if not turn.is_first_of_run:
            return
        terms = {"agreed_s": turn.grant.time, "energy_wh": job.energy_wh}
        for n in range(1, 2 * MAX_CANCELLED):
            contract_id = f"{job.job_id}/{n}"
            turn.say(MANAGER, agreed(contract_id, job.job_id, GRID, job.latest_start_s, **terms), sender=job.agent)
            cancelled = {"kind": "ContractCancelled", "contract_id": contract_id, "reason": "x" * 1_000}
            turn.say(MANAGER, cancelled, sender=job.agent)

    return attack


def talks_too_much(street: Scenario) -> Attack:
    """Attack 77: more messages in a round than its agents can need, none of them malformed."""
    job = next(job for job in street.jobs if job.house == MEMBER)
    (most, _) = most_messages(street, {MEMBER: (MEMBER,)})[MEMBER]

    def attack(turn: Turn) -> None:
        if turn.is_first_of_run:
            for _ in range(most + 1):
                turn.say(MANAGER, {"kind": "ProducersFor", "job_id": job.job_id}, sender=job.agent)

    return attack


@pytest.mark.long
async def test_an_entry_that_grows_does_not_cut_the_clock_off(street: Scenario, guarded: GuardedBroker) -> None:
    """The broker would disconnect a client that publishes an oversized message, again after each reconnection."""
    attacked = await attack_guarded(street, Member(street, MEMBER, "grows", grows_an_entry(street)), guarded)
    outcome = attacked.done
    grown = max(outcome.ledger, key=lambda entry: len(entry.history))
    assert len(grown.history) > 1_000
    assert len(grown.model_dump_json()) > 1_000_000
    others = {job.job_id for job in street.jobs if job.house != MEMBER}
    assert others <= {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}


@pytest.mark.long
async def test_a_job_does_not_fill_the_ledger(street: Scenario, guarded: GuardedBroker) -> None:
    """It does not fill the broker's memory either, which holds each entry."""
    attacked = await attack_guarded(street, Member(street, MEMBER, "fills", fills_the_ledger(street)), guarded)
    outcome = attacked.done
    job_id = next(job.job_id for job in street.jobs if job.house == MEMBER)
    assert len([entry for entry in outcome.ledger if entry.contract.job_id == job_id]) == MAX_CANCELLED + 1
    others = {job.job_id for job in street.jobs if job.job_id != job_id}
    assert others <= {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}


@pytest.mark.long
async def test_a_member_that_sends_too_many_messages_is_quarantined(street: Scenario, guarded: GuardedBroker) -> None:
    """In the round in which it does so."""
    attacked = await attack_guarded(street, Member(street, MEMBER, "talks", talks_too_much(street)), guarded)
    (dropped,) = attacked.done.without
    assert (dropped.host, dropped.is_quarantined) == (MEMBER, True)
    assert "messages in one round" in dropped.why
