"""Attacks by amount: more than a message, a round or a ledger can hold, each message of it in order.

Over the guarded broker, by plain MQTT with the household's login. No other member is quarantined, and the run is done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from agents.energy import LoadProfile
from agents.manager.ledger import MAX_CANCELLED
from agents.model import GRID, MANAGER
from agents.ranking import NegotiationSettings
from broker.protocol import topics
from broker.protocol.wire import Grant, ResendRequest
from broker.transport.base import Bus
from scenarios.scenario import Scenario
from scenarios.simulation.agent_limits import most_messages
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import attack_guarded
from tests.redteam.attacks import MEMBER, agreed
from tests.redteam.flood import flood
from tests.redteam.member import Attack, Member, MemberConnection, Turn, batch_with, fields_of

NEIGHBOUR = "adler"
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


FLOOD = 250_000
"""Packets that no reader has room for: its queue at the broker holds 100,000, and the sockets about as many."""


def junk_of(turn: Turn) -> bytes:
    """Return a batch that is dropped without counting against its sender."""
    return batch_with(fields_of(turn.sent[0].payload) | {"session": "x", "body": {"kind": "Withdraw"}})


def hides_contracts_from_the_clock(guarded: GuardedBroker) -> Attack:
    """Attack 105: flood a topic that only the clock reads, so that the broker drops the clock's copy of a report."""
    flooded: list[int] = []

    def attack(turn: Turn) -> None:
        member = turn.member
        if flooded or not any(message.body.get("kind") == "ContractAgreed" for message in turn.sent):
            return
        flooded.append(turn.grant.step)
        with flood(guarded, MEMBER) as flooding:
            flooding.publish(topics.local(member.run, MEMBER), junk_of(turn), FLOOD)
            for i, message in enumerate(list(turn.sent)):
                if message.body.get("kind") == "ContractAgreed":
                    flooding.publish(topics.inbox(member.run, message.home, MEMBER), message.payload)
                    turn.say(MANAGER, {"kind": "Withdraw", "job_id": "x"})
                    turn.sent[i] = turn.sent.pop()

    return attack


def hides_a_message_from_its_receiver(guarded: GuardedBroker) -> Attack:
    """Attack 106: flood a topic that only one household reads, and do not repeat the message that it misses."""

    def attack(turn: Turn) -> None:
        if not turn.is_first_of_run:
            return
        member, counted = turn.member, Counter(message.home for message in turn.sent)
        turn.say(f"pv-{NEIGHBOUR}", {"kind": "Withdraw", "job_id": "x"})
        missed = turn.sent.pop()
        with flood(guarded, MEMBER) as flooding:
            flooding.publish(topics.resend(member.run, NEIGHBOUR, MEMBER), b'{"v":6,"step":999}', FLOOD)
            flooding.publish(topics.inbox(member.run, NEIGHBOUR, MEMBER), missed.payload)
        turn.done["sent"] = counted + Counter({NEIGHBOUR: 1})

    return attack


FLOODS: dict[str, Callable[[GuardedBroker], Attack]] = {
    "105 a report hidden from the clock": hides_contracts_from_the_clock,
    "106 a message hidden from its receiver": hides_a_message_from_its_receiver,
}


@pytest.mark.long
@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_hides_no_message_from_one_reader(street: Scenario, guarded: GuardedBroker, name: str) -> None:
    """The clock would fail for a contract of which it has read no report, or wait for the neighbour too long."""
    member = Member(street, MEMBER, name.replace(" ", "-"), FLOODS[name](guarded))
    outcome = (await attack_guarded(street, member, guarded, on_loss="drop")).done
    (dropped,) = outcome.without
    assert (dropped.host, dropped.is_quarantined) == (MEMBER, True)
    assert "packets that were not read yet" in dropped.why
    others = {job.job_id for job in street.jobs if job.house != MEMBER}
    assert others <= {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}


LONG = LoadProfile(times_s=tuple(range(9_999)), cumulative_wh=tuple(n * 0.0123456789 for n in range(9_999)))
"""A load that makes a request of 200 kB."""
REPEATS = 2_000
"""So many copies of such a request are more than a household may send at once."""
IGNORED_GRANTS = 5


class AsksAgainAndAgain(Member):
    """Attack 112: ask a neighbour for a long message again and again, and answer the clock only after that."""

    ignored = 0

    async def _run_round(self, wire: MemberConnection | Bus, grant: Grant, tasks: asyncio.TaskGroup) -> None:
        sizes = [len(envelope.encoded()) for _, envelope in self._held.get(grant.step - 1, {}).values()]
        if self.ignored < IGNORED_GRANTS and (self.ignored or max(sizes, default=0) > 100_000):
            request = ResendRequest(step=grant.step - 1).encoded()
            for _ in range(0 if self.ignored else REPEATS):
                await wire.publish(topics.resend(self.run, NEIGHBOUR, self.house), request)
            self.ignored += 1
        else:
            await super()._run_round(wire, grant, tasks)


@pytest.mark.long
async def test_a_neighbour_that_is_asked_for_its_messages_without_end_stays(
    street: Scenario, guarded: GuardedBroker
) -> None:
    """The clock counted what the neighbour repeated as a flood, and quarantined the neighbour."""
    jobs = tuple(
        job.model_copy(update={"load_profile": LONG}) if job.house == NEIGHBOUR else job for job in street.jobs
    )
    scenario = replace(street, jobs=jobs)
    at_once = NegotiationSettings(ask_at_once=4)
    member = AsksAgainAndAgain(scenario, MEMBER, "asks-again", negotiating=at_once)
    outcome = (await attack_guarded(scenario, member, guarded, on_loss="drop")).done
    assert member.ignored == IGNORED_GRANTS
    assert outcome.without == ()
    assert {job.job_id for job in jobs} <= {e.contract.job_id for e in outcome.ledger if e.state == "standing"}


def invents_long_topics(turn: Turn) -> None:
    """Attack 86: messages to hosts with ids of 60 kB that do not exist, each on a topic of its own."""
    if turn.is_first_of_run:
        turn.say(MANAGER, {"kind": "Withdraw", "job_id": "x"}, session="x")
        junk = turn.sent.pop().payload
        for n in range(LONG_TOPICS):
            topic = topics.inbox(turn.member.run, "x", MEMBER).replace("/x/", f"/{n}{'x' * 60_000}/")
            turn.raw.append((topic, junk))


LONG_TOPICS = 300


@pytest.mark.long
async def test_long_topics_do_not_stay_in_the_clocks_memory(street: Scenario, guarded: GuardedBroker) -> None:
    """It keeps the topics that it reads often, of which a run has few, and they are short."""
    before = topics._parse_cached.cache_info().currsize
    quiet = await attack_guarded(street, Member(street, MEMBER, "short-topics"), guarded)
    usual = topics._parse_cached.cache_info().currsize - before
    member = Member(street, MEMBER, "long-topics", invents_long_topics)
    outcome = (await attack_guarded(street, member, guarded)).done
    assert (outcome.without, outcome.ledger_sha256) == ((), quiet.done.ledger_sha256)
    assert topics._parse_cached.cache_info().currsize - before - usual <= usual
