"""Attacks on jobs that ask several producers at once, and on promises that become firm late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.ranking import NegotiationSettings
from scenarios.generate.one_day_neighbourhood import scarce
from scenarios.scenario import Scenario
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import attack_guarded, attack_in_memory, unsigned
from tests.redteam.member import Attack, Member, Turn, fields_of

AT_ONCE = NegotiationSettings(ask_at_once=4)


def answers_twice(turn: Turn) -> None:
    """Attack 90: a producer accepts each request twice, the second time at another start."""
    for message in list(turn.sent):
        body = message.body
        if body.get("kind") in {"Accept", "AcceptProvisionally"}:
            fields = fields_of(message.payload)
            for change_s in (0, 60):
                later = body | {"start_s": body["start_s"] + change_s}
                turn.say(message.to, later, sender=fields["sender"], re=fields["re"])


class AnswersLate:
    """Attack 91: a producer answers each request a round, or ten rounds, after it was asked."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, str, dict[str, object]]] = []

    def __call__(self, turn: Turn) -> None:
        """Keep answers back, and send those whose time has come."""
        for message in list(turn.sent):
            fields = fields_of(message.payload)
            if fields["body"].get("kind") in {"Accept", "AcceptProvisionally", "Decline"}:
                turn.sent.remove(message)
                for rounds in (1, 10):
                    self._kept.append((turn.grant.step + rounds, message.to, fields))
        for item in [item for item in self._kept if item[0] <= turn.grant.step]:
            self._kept.remove(item)
            _, to, fields = item
            turn.say(to, fields["body"], sender=str(fields["sender"]), re=fields["re"])  # type: ignore[arg-type]  # fields that no agent would send


def answers_requests_to_others(turn: Turn) -> None:
    """Attack 92: accept, decline and push out in each round every job that exists, as a producer and as a consumer."""
    if turn.grant.phase != "run" or turn.grant.round % 3:
        return
    for agent in turn.member.everybody:
        if "/" in agent and turn.member.home_of(agent) != turn.member.house:
            for kind in ("Accept", "Decline", "PushOut", "Cancel", "Amend"):
                body = {"kind": kind, "job_id": agent.replace("/", "-"), "start_s": turn.grant.time + 60, "reason": "x"}
                wanted = {"Accept": "start_s", "Amend": "start_s"}.get(kind, "reason")
                turn.say(agent, {key: body[key] for key in ("kind", "job_id", wanted)}, sender=turn.member.agents[-1])


def never_lets_go(turn: Turn) -> None:
    """Attack 93: a consumer asks, and neither confirms, withdraws nor releases anything."""
    turn.keep_silent("Release", "Withdraw", "ContractAgreed", "ContractCancelled", "Cancel", "Declined")


def pushes_out_what_it_promised(turn: Turn) -> None:
    """Attack 94: a producer pushes every job out a round after it has accepted it, as long as the run lasts."""
    for message in list(turn.sent):
        body, fields = message.body, fields_of(message.payload)
        if body.get("kind") == "AcceptProvisionally":
            turn.say(message.to, {"kind": "PushOut", "job_id": body["job_id"], "reason": "x"}, sender=fields["sender"])


ATTACKS = [
    ("90 answers twice", lambda: answers_twice),
    ("91 answers late", AnswersLate),
    ("92 answers what others were asked", lambda: answers_requests_to_others),
    ("93 never lets go", lambda: never_lets_go),
    ("94 pushes out what it promised", lambda: pushes_out_what_it_promised),
]


def neighbourhoods(street: Scenario) -> list[tuple[Scenario, str]]:
    """Return neighbourhoods with early and late promises, and of each a household with panels, which lies."""
    pressed = replace(scarce(6), promise="late")
    roofs = [house.id for house in pressed.houses if any(device.type == "producer" for device in house.devices)]
    return [(street, "celik"), (replace(street, promise="late"), "celik"), (pressed, roofs[0])]


async def harmed(scenario: Scenario, house: str, attack: Attack, guarded: GuardedBroker | None = None) -> list[str]:
    """Run a neighbourhood with a liar; return what it has done to others."""
    member = Member(scenario, house, f"ask-{scenario.promise}", attack, negotiating=AT_ONCE)
    options: dict[str, Any] = {"on_loss": "drop", "limit_wall_s": 20.0}
    if guarded is None:
        attacked = await attack_in_memory(scenario, member, **options)
    else:
        attacked = await attack_guarded(scenario, member, guarded, **options)
    outcome = attacked.done
    own = scenario.part_of([house])
    names = {job.job_id for job in own.jobs} | set(own.producers)
    standing = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    return [
        *(f"{contract_id} is unsigned" for contract_id in unsigned(scenario, attacked)),
        *(
            f"{job.job_id} has no contract"
            for job in scenario.jobs
            if not names & {job.job_id} and job.job_id not in standing
        ),
        *(text for text in outcome.disputes if not any(repr(name) in text for name in names)),
        *(f"{dropped.host} is missing" for dropped in outcome.without if dropped.host != house),
    ]


@pytest.mark.long
@pytest.mark.looptime
@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in ATTACKS])
async def test_an_attack_on_the_negotiation_costs_no_other_member_a_contract(
    street: Scenario, make: type[AnswersLate]
) -> None:
    """With promises that are firm at once, or late, and with scarce production."""
    for scenario, house in neighbourhoods(street):
        attack: Attack = make()
        assert await harmed(scenario, house, attack) == []


@pytest.mark.long
@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in ATTACKS])
async def test_such_attacks_over_the_broker(street: Scenario, guarded: GuardedBroker, make: type[AnswersLate]) -> None:
    """With the household's login."""
    attack: Attack = make()
    assert await harmed(replace(street, promise="late"), "celik", attack, guarded) == []
