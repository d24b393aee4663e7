"""Attacks beside the rounds: what a member leaves at the broker, and packets that no host of ours sends."""

from __future__ import annotations

import asyncio
import json
import secrets

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.protocol import topics
from broker.protocol.wire import Announcement, ResendRequest
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import attack_guarded
from tests.redteam.member import Member, Turn, batch_with
from tests.redteam.test_broker_attacks import client

MEMBER, OTHER = "brandt", "adler"
WITHDRAW = {"kind": "Withdraw", "job_id": "x"}


def own_topics(run: str) -> list[str]:
    """Return all topics of a run on which the member's login may publish."""
    return [
        topics.host(run, MEMBER),
        topics.done(run, MEMBER),
        topics.local(run, MEMBER),
        topics.wake(run, MEMBER),
        topics.forecast(run, MEMBER, "pv-brandt"),
        *(topics.inbox(run, host, MEMBER) for host in (OTHER, "manager")),
        *(topics.resend(run, host, MEMBER) for host in (OTHER, "manager")),
    ]


async def plant(guarded: GuardedBroker, run: str, setup: str, agents: tuple[str, ...]) -> None:
    """Leave rubbish on all topics of the member, and the announcement of a process that does not exist."""
    ghost = Announcement(host=MEMBER, session="ghost", agents=agents, setup=setup, ran=7, state="there")
    async with client(guarded, MEMBER) as sender:
        for topic in own_topics(run):
            for payload in (b"[" * 10_000, b'{"v": NaN}', b"rubbish"):
                await sender.publish(topic, payload, qos=1, retain=True)
        await sender.publish(topics.host(run, MEMBER), ghost.encoded(), qos=1, retain=True)


@pytest.mark.long
async def test_88_what_a_member_leaves_at_the_broker_harms_no_run(
    street: Scenario, guarded: GuardedBroker, calm: RunOutcome
) -> None:
    """Neither the run that follows, nor the next one with the same name: both have the ledger of an undisturbed run."""
    for _ in range(2):
        member = Member(street, MEMBER, "planted")
        await plant(guarded, "planted", member.setup, member.agents)
        outcome = (await attack_guarded(street, member, guarded)).done
        assert outcome.without == ()
        assert outcome.ledger == calm.ledger
    async with client(guarded, MEMBER) as cleaner:
        for topic in own_topics("planted"):
            await cleaner.publish(topic, b"", qos=1, retain=True)


def odd_properties() -> list[Properties]:
    """Return properties of PUBLISH packets that no client of ours sets."""
    made = []
    for values in (
        {"UserProperty": ("a", "b" * 50_000)},
        {"ResponseTopic": "ssmic/x/control", "CorrelationData": b"\0" * 1_000},
        {"PayloadFormatIndicator": 1, "ContentType": "\u202e"},
        {"MessageExpiryInterval": 1},
        {"TopicAlias": 1},
    ):
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
        for name, value in values.items():
            setattr(properties, name, value)
        made.append(properties)
    return made


def of_another_process(turn: Turn) -> dict[str, bytes]:
    """Return valid payloads of a process that does not take part, by topic."""
    run, grant = turn.member.run, turn.grant
    moment = {"v": 6, "session": secrets.token_hex(8), "step": grant.step, "time": grant.time, "round": grant.round}
    made = {
        topics.done(run, MEMBER): json.dumps(moment | {"sent": {}, "next": None}).encode(),
        topics.wake(run, MEMBER): json.dumps({"v": 6, "session": "another", "taken": grant.step}).encode(),
        topics.forecast(run, MEMBER, "pv-brandt"): b"{}",
        topics.host(run, MEMBER): b"",
    }
    for host in (OTHER, "manager"):
        message = {"sender": turn.member.agents[0], "seq": 1, "to": host, "re": None, "body": WITHDRAW}
        made[topics.inbox(run, host, MEMBER)] = batch_with(moment | message)
        made[topics.resend(run, host, MEMBER)] = ResendRequest(step=grant.step).encoded()
    return made


@pytest.mark.long
async def test_89_odd_packets_change_no_contract(street: Scenario, guarded: GuardedBroker, calm: RunOutcome) -> None:
    """A second connection of the same login sends them through the run, with each QoS, retained or not."""
    turns: asyncio.Queue[Turn | None] = asyncio.Queue()
    member = Member(street, MEMBER, "odd", turns.put_nowait)
    sent = 0

    async def disturb(sender: aiomqtt.Client) -> None:
        nonlocal sent
        while (turn := await turns.get()) is not None:
            packets = [
                sender.publish(topic, payload, qos=number % 3, retain=number % 2 == 1, properties=properties)
                for topic, payload in of_another_process(turn).items()
                for number, properties in enumerate(odd_properties())
            ]
            await asyncio.gather(*packets)
            sent += len(packets)

    async with client(guarded, MEMBER) as sender, asyncio.TaskGroup() as tasks:
        tasks.create_task(disturb(sender))
        outcome = (await attack_guarded(street, member, guarded)).done
        while not turns.empty():  # what is sent after the end disturbs nothing
            turns.get_nowait()
        turns.put_nowait(None)  # a cancelled publication may continue
    assert sent
    assert outcome.without == ()
    assert outcome.ledger == calm.ledger
