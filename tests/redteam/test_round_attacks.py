"""Attacks on what the clock and the receiving household take of a round: they must take the same."""

from __future__ import annotations

import pytest

from broker.clock.quarantine import ALLOWED
from broker.protocol import topics
from broker.protocol.wire import Announcement, Roster
from broker.transport.base import Bus
from scenarios.scenario import Scenario
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import Attacked, attack_guarded, unsigned
from tests.redteam.member import Attack, Member, MemberConnection, Sent, Turn, batch_with, fields_of

MEMBER, OTHER = "brandt", "adler"
LIMIT_WALL_S = 10.0
"""Less than the default, since the clock waits for the liar as long as this."""
WITHDRAW = {"kind": "Withdraw", "job_id": "x"}


def reports_contracts_in_another_round(turn: Turn) -> None:
    """Attack 82: report each contract as of another round, and something else that satisfies the count."""
    for i, message in enumerate(list(turn.sent)):
        if message.body.get("kind") == "ContractAgreed":
            wrong = fields_of(message.payload) | {"round": turn.grant.round + 1}
            turn.sent[i] = Sent(message.home, message.to, batch_with(wrong), is_counted=False)
            turn.say("manager", WITHDRAW)


def speaks_as_a_process_that_is_not_known_yet(turn: Turn) -> None:
    """Attack 83: leave, come back as another process, and send a counted message before others know that process."""
    if not turn.is_first_of_run:
        return
    member = turn.member
    gone = Announcement(host=MEMBER, session=member.session, agents=(), state="gone")
    there = Announcement(
        host=MEMBER, session="new", agents=member.agents, setup=member.setup, ran=member.granted[-2].step, state="there"
    )
    turn.raw += [(topics.host(member.run, MEMBER), announced.encoded()) for announced in (gone, there)]
    turn.say(f"pv-{OTHER}", WITHDRAW, session="new")
    turn.raw.append((topics.inbox(member.run, OTHER, MEMBER), turn.sent.pop().payload))
    turn.done |= {"session": "new", "sent": {OTHER: 1}}


def sends_nonsense_after_its_answer(turn: Turn) -> None:
    """Attack 81: a message that no agent understands, after the answer, which does not report it."""
    if turn.is_first_of_run:
        turn.say(f"pv-{OTHER}", {"kind": "Nonsense"}, is_counted=False)
        turn.later.append(turn.sent.pop())


def speaks_for_a_round_to_come(turn: Turn) -> None:
    """Attack 85: a message as of the next round, which its receiver could take for one of that round."""
    if turn.is_first_of_run:
        turn.say(f"pv-{OTHER}", WITHDRAW, is_counted=False, step=turn.grant.step + 1, round=turn.grant.round + 1)


def uses_a_number_twice(turn: Turn) -> None:
    """Attack 100: a message to a household and, under the same number, one of its reports to the manager."""
    for i, message in enumerate(list(turn.sent)):
        if message.body.get("kind") == "ContractAgreed":
            number = fields_of(message.payload)["seq"]
            turn.say(f"pv-{OTHER}", WITHDRAW, seq=number, sender=fields_of(message.payload)["sender"])
            turn.sent[: len(turn.sent)] = [turn.sent[-1], *turn.sent[:-1]]
            turn.sent[i + 1] = Sent(message.home, message.to, message.payload, is_counted=False)
            turn.say("manager", WITHDRAW)
            return


def sends_one_more_than_it_reports(turn: Turn) -> None:
    """Attack 101: a surplus message, which its receiver would take instead of one that it has missed."""
    if turn.is_first_of_run:
        turn.say(f"pv-{OTHER}", WITHDRAW)
        turn.say(f"pv-{OTHER}", WITHDRAW, is_counted=False)


def alternates_two_processes(turn: Turn) -> None:
    """Attack 102: a thousand announcements of two processes that take turns; each changes the roster."""
    if not turn.is_first_of_run:
        return
    member = turn.member
    there = {"state": "there", "agents": member.agents, "setup": member.setup, "ran": member.granted[-2].step}
    gone = {"state": "gone", "agents": ()}
    for n in range(250):
        for session, state in ((member.session, gone), (f"{n}", there), (f"{n}", gone), (member.session, there)):
            announced = Announcement(host=MEMBER, session=session, **state)
            turn.raw.append((topics.host(member.run, MEMBER), announced.encoded()))


def reports_its_job_under_ids_of_others(street: Scenario) -> Attack:
    """Attack 104: its own job, with its own panel, under the ids that contracts of other households will have."""
    own = next(job for job in street.jobs if job.house == MEMBER)

    def attack(turn: Turn) -> None:
        if not turn.is_first_of_run:
            return
        terms = {"job_id": own.job_id, "start_s": own.latest_start_s, "energy_wh": own.as_sent.energy_wh}
        turn.say("manager", {"kind": "Promised", "consumer": own.agent} | terms, sender=f"pv-{MEMBER}")
        for job in street.jobs:
            if job.house != MEMBER:
                contract = terms | {"contract_id": f"{job.job_id}/1", "producer": f"pv-{MEMBER}"}
                contract["agreed_s"] = turn.grant.time
                turn.say("manager", {"kind": "ContractAgreed", "contract": contract}, sender=own.agent)

    return attack


def check(scenario: Scenario, attacked: Attacked, *, without: set[str] | None) -> None:
    """No other process ended, both parties signed each contract, and all jobs of others have one.

    Args:
        scenario: What was run.
        attacked: Its outcome.
        without: Who was quarantined; None: the liar, if anyone.
    """
    outcome = attacked.done
    put_out = {dropped.host for dropped in outcome.without}
    assert put_out == (put_out & {MEMBER} if without is None else without)
    assert unsigned(scenario, attacked) == []
    standing = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    assert {job.job_id for job in scenario.jobs if job.house != MEMBER} <= standing


ATTACKS: list[tuple[str, Attack, set[str] | None]] = [
    # If it is the last one to answer, the clock may have ended the step before the message comes.
    ("81 nonsense after its answer", sends_nonsense_after_its_answer, None),
    ("82 contracts of another round", reports_contracts_in_another_round, set()),
    ("83 a process that is not known yet", speaks_as_a_process_that_is_not_known_yet, {MEMBER}),
    ("85 a message of a round to come", speaks_for_a_round_to_come, {MEMBER}),
    ("100 a number that is used twice", uses_a_number_twice, {MEMBER}),
    ("101 one message more than it reports", sends_one_more_than_it_reports, {MEMBER}),
]


@pytest.mark.long
@pytest.mark.parametrize(("attack", "without"), [pytest.param(*case, id=name) for name, *case in ATTACKS])
async def test_the_clock_and_the_receiver_take_the_same_messages(
    street: Scenario, guarded: GuardedBroker, attack: Attack, without: set[str] | None
) -> None:
    """Over the guarded broker; no other household is dropped in the liar's place, and the clock continues."""
    member = Member(street, MEMBER, f"rounds-{attack.__name__.replace('_', '-')}", attack)
    attacked = await attack_guarded(street, member, guarded, on_loss="drop", limit_wall_s=LIMIT_WALL_S)
    check(street, attacked, without=without)


class _NeverJoins(Member):
    async def take_part(self, wire: MemberConnection | Bus) -> None:
        """Send only what no process could have sent."""
        for _ in range(ALLOWED):
            await wire.publish(topics.done(self.run, MEMBER), b"{}")


@pytest.mark.long
async def test_a_member_that_only_breaks_the_protocol_is_not_waited_for(
    street: Scenario, guarded: GuardedBroker
) -> None:
    """Attack 80: the others begin without it, long before the time limit for those that have not come."""
    member = _NeverJoins(street, MEMBER, "never-joins")
    attacked = await attack_guarded(street, member, guarded, limit_wall_s=LIMIT_WALL_S)
    check(street, attacked, without={MEMBER})
    assert [dropped.is_quarantined for dropped in attacked.done.without] == [True]


class _ReadsRosters(Member):
    rosters = 0

    async def _read_roster(self, wire: MemberConnection | Bus, roster: Roster, *, is_stored: bool) -> None:
        self.rosters += 1
        await super()._read_roster(wire, roster, is_stored=is_stored)


@pytest.mark.long
async def test_two_processes_that_take_turns_change_few_rosters(street: Scenario, guarded: GuardedBroker) -> None:
    """Attack 102: each roster is read by all households."""
    member = _ReadsRosters(street, MEMBER, "alternates", alternates_two_processes)
    attacked = await attack_guarded(street, member, guarded, on_loss="drop", limit_wall_s=LIMIT_WALL_S)
    check(street, attacked, without=None)
    assert member.rosters < 60


@pytest.mark.long
async def test_the_ids_of_others_contracts_are_of_no_use(street: Scenario, guarded: GuardedBroker) -> None:
    """Attack 104: others' contracts enter the ledger under their ids, and are moved, as ever."""
    member = Member(street, MEMBER, "ids", reports_its_job_under_ids_of_others(street))
    attacked = await attack_guarded(street, member, guarded, on_loss="drop", limit_wall_s=LIMIT_WALL_S)
    check(street, attacked, without=set())
    owners = {job.job_id: job.house for job in street.jobs}
    for entry in attacked.done.ledger:
        of = entry.contract
        assert (of.contract_id.rpartition("/")[0] == of.job_id) or owners[of.job_id] == MEMBER
