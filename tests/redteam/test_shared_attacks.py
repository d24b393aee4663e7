"""Attacks on shared supply; all but the longest over the guarded broker, by plain MQTT with a household's login.

The run is done, no other household ends or is quarantined, and each of their jobs has a contract that is signed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agents.model import GRID, MANAGER, SHARED
from scenarios.scenario import Scenario
from scenarios.simulation.agent_limits import most_messages, most_rounds_a_second
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import Attacked, attack_guarded, attack_in_memory, unsigned
from tests.redteam.attacks import MEMBER, job
from tests.redteam.member import Attack, Member, Turn

NEIGHBOUR = "pv-adler"
LAST = 3
"""The round in which the manager's message about a reservation in the first one is on its way."""


def invented(turn: Turn, job_id: str) -> dict[str, Any]:
    """Return a reservation for a job that the member invents, of half an hour."""
    house, device = turn.member.agents[0].split("/")
    now_s = turn.grant.time
    times = {"registered_s": now_s, "earliest_start_s": now_s, "latest_start_s": now_s + 86_400}
    load = {"times_s": [0, 1_800], "cumulative_wh": [0.0, 30.0]}
    of = job(job_id=job_id, house=house, device=device, load_profile=load, **times)
    start_s = now_s // 60 * 60 + 60
    share = {"start_s": start_s, "minutes_mwh": [[30, 1_000]], "keeps_earlier": False}
    return {"kind": "Reserve", "job_id": job_id, "job": of, **share}


def refuses_a_thousand_times(street: Scenario) -> Attack:
    """Attack 95: its panel refuses a job of another household, which has not asked it, 1,500 times in a round."""
    of = next(job for job in street.jobs if job.house != MEMBER)

    def attack(turn: Turn) -> None:
        if turn.is_first_of_run:
            for _ in range(1_500):
                body = {"kind": "ShareDeclined", "job_id": of.job_id, "consumer": of.agent, "reason": "x"}
                turn.say(MANAGER, body, sender=f"pv-{MEMBER}")

    return attack


def invents_jobs_until_it_is_out(street: Scenario) -> Attack:
    """Attack 96: reservations for invented jobs; when the manager says so, their household has been quarantined."""
    (most, _) = most_messages(street, {MEMBER: (MEMBER,)})[MEMBER]

    def attack(turn: Turn) -> None:
        if turn.grant.phase != "run" or turn.member.runs > LAST:
            return
        turn.done["resume"] = turn.grant.step + 1
        is_last = turn.member.runs == LAST
        for n in range(most + 1 if is_last else 10):
            turn.say(NEIGHBOUR, invented(turn, f"x{turn.member.runs}-{n}"))

    return attack


def makes_a_panel_answer(street: Scenario) -> Attack:
    """Attack 97: so many reservations in a round that the panel's answers are more than its household may send."""
    (most, _) = most_messages(street, {"celik": ("celik",)})["celik"]

    def attack(turn: Turn) -> None:
        if turn.is_first_of_run:
            for n in range(most + 1):
                turn.say("pv-celik", invented(turn, f"y{n}"))

    return attack


def keeps_a_panel_busy(street: Scenario) -> Attack:
    """Attack 98: a reservation in each round of a second, which its panel answers, as if it kept the second going."""
    own = next(job for job in street.jobs if job.house == MEMBER)
    share = {"start_s": own.earliest_start_s, "minutes_mwh": [[1, 10**12]], "keeps_earlier": False}
    reserve = {"kind": "Reserve", "job_id": own.job_id, "job": own.as_sent.model_dump(mode="json"), **share}

    def attack(turn: Turn) -> None:
        if turn.grant.phase == "run":
            answers = sum(envelope.body.get("kind") == "SharesAnswered" for envelope in turn.delivered)
            for _ in range(3 if turn.is_first_of_run else answers):
                turn.say(NEIGHBOUR, reserve, sender=own.agent)

    return attack


ATTACKS: dict[str, Callable[[Scenario], Attack]] = {
    "95 a thousand refusals": refuses_a_thousand_times,
    "96 invented jobs": invents_jobs_until_it_is_out,
    "97 answers of a panel": makes_a_panel_answer,
}


def check(scenario: Scenario, attacked: Attacked) -> None:
    """Assert that the attack harms no other household."""
    outcome = attacked.done
    assert {dropped.host for dropped in outcome.without} <= {MEMBER}
    standing = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    assert {job.job_id for job in scenario.jobs if job.house != MEMBER} <= standing
    assert unsigned(scenario, attacked) == []


@pytest.mark.long
@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_on_shared_supply_harms_no_other_household(
    street: Scenario, guarded: GuardedBroker, name: str
) -> None:
    """The manager does not fail, and no producer is quarantined for its answers."""
    scenario = replace(street, supply="shared")
    member = Member(scenario, MEMBER, name.replace(" ", "-"), ATTACKS[name](scenario))
    check(scenario, await attack_guarded(scenario, member, guarded))


def two_jobs(street: Scenario) -> Scenario:
    """Return the street with a job of the neighbour and one of the member, so that a second takes few rounds."""
    first_of = {job.house: job for job in reversed(street.jobs)}
    return replace(street, supply="shared", jobs=(first_of["adler"], first_of[MEMBER]))


def check_busy(scenario: Scenario, attacked: Attacked) -> None:
    """Assert that the member that asks is quarantined, and not the panel that answers."""
    check(scenario, attacked)
    (dropped,) = attacked.done.without
    assert dropped.why == f"it has kept a second of virtual time going for {most_rounds_a_second(scenario)} rounds"


@pytest.mark.long
async def test_a_panel_that_a_member_keeps_busy_stays(street: Scenario) -> None:
    """Attack 98: the second takes as many rounds as it may, and the member that asks is quarantined."""
    scenario = two_jobs(street)
    check_busy(
        scenario, await attack_in_memory(scenario, Member(scenario, MEMBER, "busy", keeps_a_panel_busy(scenario)))
    )


@pytest.mark.long
async def test_a_panel_that_is_kept_busy_over_the_broker_stays(street: Scenario, guarded: GuardedBroker) -> None:
    """The same by plain MQTT."""
    scenario = two_jobs(street)
    member = Member(scenario, MEMBER, "busy-guarded", keeps_a_panel_busy(scenario))
    check_busy(scenario, await attack_guarded(scenario, member, guarded))


def offers_a_hundred_times_what_it_has(turn: Turn) -> None:
    """Attack 123: its panel says that it expects so much, and then refuses what it has not got."""

    def overstate(body: dict[str, Any]) -> None:
        body["minutes_mwh"] = [[minutes, min(100 * mwh, 10**9)] for minutes, mwh in body["minutes_mwh"]]

    turn.change("ProductionExpected", overstate)


def covered_wh(scenario: Scenario, attacked: Attacked) -> dict[str, float]:
    """Return what producers supply to each job of the other households."""
    jobs = {job.job_id for job in scenario.jobs if job.house != "adler"}
    return {
        contract.job_id: sum(share.minutes().sum() for share in contract.shares) / 1000
        if contract.producer == SHARED
        else contract.energy_wh * (contract.producer != GRID)
        for contract in (entry.contract for entry in attacked.done.ledger if entry.state == "standing")
        if contract.job_id in jobs
    }


async def test_energy_that_a_panel_only_claims_to_have_costs_no_other_job_its_supply(street: Scenario) -> None:
    """Jobs pass over a panel that offers what it refuses; the grid supplied a job that other panels could supply."""
    scenario = replace(street, supply="shared")
    calm = await attack_in_memory(scenario, Member(scenario, "adler", "calm"))
    attacked = await attack_in_memory(scenario, Member(scenario, "adler", "loud", offers_a_hundred_times_what_it_has))
    expected = covered_wh(scenario, calm)
    lost = {job_id: expected[job_id] - wh for job_id, wh in covered_wh(scenario, attacked).items()}
    assert lost.keys() == expected.keys()
    assert max(lost.values()) < 20  # a job that comes second finds its minutes taken
