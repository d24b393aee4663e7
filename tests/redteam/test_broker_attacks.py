"""Attacks on the broker's own rules, with the login of a household: reading, writing, wills, sessions, MQTT 5."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.protocol import topics
from broker.security.provision import login_folder
from tests.deployment.guarded import GuardedBroker
from tests.patience import PATIENCE_WALL_S
from tests.redteam.plain_client import PlainClient

RUN = "probe"
MEMBER, VICTIM, OTHER = "brandt", "adler", "celik"
END = b"this is the last message"
SECRETS = {
    "clock": [topics.grant(RUN, VICTIM), topics.inbox(RUN, VICTIM, "manager")],
    VICTIM: [topics.host(RUN, VICTIM), topics.done(RUN, VICTIM), topics.resend(RUN, OTHER, VICTIM)],
    OTHER: [topics.inbox(RUN, VICTIM, OTHER), topics.local(RUN, OTHER), topics.forecast(RUN, OTHER, "pv-celik")],
}
"""Messages of others that the member must not receive, by login."""


@asynccontextmanager
async def client(guarded: GuardedBroker, login: str, **options: Any) -> AsyncIterator[PlainClient]:
    """Connect with a login, by MQTT 5 unless `options` say otherwise."""
    own = login_folder(guarded.folder, login)
    chosen: dict[str, Any] = {"protocol": aiomqtt.ProtocolVersion.V5, "identifier": f"{login}-{secrets.token_hex(4)}"}
    chosen |= options
    async with PlainClient(
        "localhost",
        guarded.port,
        username=topics.encode(login),
        password=(own / "password").read_text(encoding="utf-8").strip(),
        tls_context=ssl.create_default_context(cafile=own / "ca.crt"),
        **chosen,
    ) as connected:
        yield connected


async def heard(by: PlainClient) -> dict[str, bytes]:
    """Return what a client receives until the last message, by topic."""
    found: dict[str, bytes] = {}
    async with asyncio.timeout(PATIENCE_WALL_S):
        async for message in by.messages:
            if message.payload == END:
                break
            found[str(message.topic)] = bytes(message.payload)
    return found


async def say_the_end(guarded: GuardedBroker) -> None:
    """Publish the last message, to the watcher and to the member."""
    async with client(guarded, "clock") as clock:
        await clock.publish(topics.time(RUN), END, qos=1)
        await clock.publish(topics.grant(RUN, MEMBER), END, qos=1)


async def accepted(guarded: GuardedBroker, attacked: Iterable[str]) -> dict[str, bytes]:
    """Let the member publish on topics, each over a separate connection; return what a watcher receives."""
    async with client(guarded, "watcher") as watcher:
        await watcher.subscribe("ssmic/#", qos=1)
        for topic in attacked:
            with suppress(aiomqtt.MqttError, ValueError):  # refused, cut off, or not even encodable
                async with client(guarded, MEMBER) as member:
                    said = asyncio.create_task(member.publish(topic, b"trick", qos=1))
                    # A disconnected client never gets an acknowledgement.
                    await asyncio.wait({said, member._disconnected}, return_when=asyncio.FIRST_COMPLETED)
                    said.cancel()
        await say_the_end(guarded)
        return {topic: payload for topic, payload in (await heard(watcher)).items() if payload == b"trick"}


async def test_43_a_member_receives_only_its_own_messages(guarded: GuardedBroker) -> None:
    """It tries wildcards, shared subscriptions, the broker's own topics and other spellings."""
    inboxes = topics.inboxes(RUN, VICTIM)
    spied = ["#", "+/#", "ssmic/#", inboxes, inboxes.replace(RUN, "+"), topics.grant(RUN, "+"), topics.done(RUN, "+")]
    spied += ["$SYS/#", "$CONTROL/#", "$share/g/#", "$share/g/ssmic/#", f"$share/h/{inboxes}", "SSMIC/#", "/ssmic/#"]
    async with client(guarded, MEMBER) as member:
        for topic_filter in spied:
            await member.subscribe(topic_filter, qos=1)
        for login, published in SECRETS.items():
            async with client(guarded, login) as other:
                for topic in published:
                    await other.publish(topic, b"secret", qos=1)
        await say_the_end(guarded)
        assert b"secret" not in (await heard(member)).values()


TRICKS = [
    topics.done(RUN, VICTIM),
    *(topics.done(RUN, MEMBER).replace(MEMBER, name) for name in ("%61dler", "adler/", "brandt/../adler", "adler%00")),
    *(topics.done(RUN, MEMBER).replace(MEMBER, name) for name in ("Adler", "ADLER", "\x1b[31m", "\x9b", "\ufffe")),
    topics.inbox(RUN, VICTIM, MEMBER) + "/x",
    topics.inbox(RUN, VICTIM, MEMBER).replace(VICTIM, ""),
    topics.inbox(RUN, VICTIM, MEMBER).replace(VICTIM, "\x1b[31m"),
    topics.inbox("%70robe", VICTIM, MEMBER).replace("%25", "%"),
    topics.local(RUN, VICTIM),
    topics.done("z" * 65_000, MEMBER),
    topics.roster(RUN),
    topics.control(RUN),
    topics.grant(RUN, MEMBER),
    topics.ledger(RUN, "brandt-whites"),
    "$SYS/x",
    "$CONTROL/dynamic-security/v1",
]


async def test_44_to_46_no_spelling_of_a_topic_writes_as_another_member(guarded: GuardedBroker) -> None:
    """Topics that the broker lets through are not ours, or name the member as their sender."""
    let_through = await accepted(guarded, [*TRICKS, topics.done(RUN, MEMBER)])
    assert topics.done(RUN, MEMBER) in let_through
    for topic in let_through:
        address = topics.parse(topic)
        assert address is None or address.ids[-1] == MEMBER, ascii(topic)


def properties(**values: object) -> Properties:
    """Return properties of a PUBLISH packet."""
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
    for name, value in values.items():
        setattr(made, name, value)
    return made


async def test_47_an_alias_or_a_response_topic_gains_nothing(guarded: GuardedBroker) -> None:
    """A topic alias that stood for an own topic is pointed at another one; a response is asked for elsewhere."""
    own, forbidden = topics.done(RUN, MEMBER), topics.done(RUN, VICTIM)
    async with client(guarded, "watcher") as watcher:
        await watcher.subscribe("ssmic/#", qos=1)
        async with client(guarded, MEMBER) as member:
            alias = properties(TopicAlias=1)
            await member.publish(own, b"own", qos=1, properties=alias)
            with suppress(aiomqtt.MqttError):
                await member.publish(forbidden, b"trick", qos=1, properties=alias)
        async with client(guarded, MEMBER) as member:
            asked = properties(ResponseTopic=topics.roster(RUN), UserProperty=("a", "b" * 1000))
            await member.publish(own, b"answer elsewhere", qos=1, properties=asked)
        await say_the_end(guarded)
        assert await heard(watcher) == {own: b"answer elsewhere"}


@pytest.mark.parametrize("retain", [False, True], ids=["sent", "kept"])
async def test_48_49_wills_and_kept_messages_reach_no_more_topics(guarded: GuardedBroker, *, retain: bool) -> None:
    """A will is published on the member's own topics only."""
    own, forbidden = topics.host(RUN, MEMBER), [topics.host(RUN, VICTIM), topics.roster(RUN), topics.control(RUN)]
    async with client(guarded, "watcher") as watcher:
        await watcher.subscribe("ssmic/#", qos=1)
        for topic in [own, *forbidden]:
            will = aiomqtt.Will(topic, f"will of {retain}".encode(), qos=1, retain=retain)
            identifier = f"{MEMBER}-{secrets.token_hex(4)}"
            with suppress(aiomqtt.MqttError):
                async with client(guarded, MEMBER, will=will, identifier=identifier) as member:
                    sock: Any = member._client.socket()
                    sock.shutdown(socket.SHUT_RDWR)  # no DISCONNECT: the broker publishes the will
            # Mosquitto handles a will together with the lost connection, before any later message.
            await guarded.logged(f"Client {identifier} ")
        await say_the_end(guarded)
        wills = {topic for topic, payload in (await heard(watcher)).items() if payload == f"will of {retain}".encode()}
    assert wills == {own}
    async with client(guarded, "clock") as clock:
        await clock.publish(own, b"", qos=1, retain=True)


@pytest.mark.parametrize("version", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5], ids=["3.1.1", "5"])
async def test_50_a_stolen_session_reveals_nothing(guarded: GuardedBroker, version: aiomqtt.ProtocolVersion) -> None:
    """It uses the victim's client id, with its stored subscription and its queued messages."""
    lasting: dict[str, Any] = {"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": False}
    taken = lasting if version is aiomqtt.ProtocolVersion.V311 else {"clean_start": False}
    identifier = f"fixed-{secrets.token_hex(4)}"
    inbox = topics.inbox(RUN, VICTIM, "manager")
    async with client(guarded, VICTIM, identifier=identifier, **lasting) as victim:
        await victim.subscribe(topics.inboxes(RUN, VICTIM), qos=1)
    async with client(guarded, "clock") as clock:
        await clock.publish(inbox, b"queued", qos=1)
        async with client(guarded, MEMBER, identifier=identifier, **taken) as member:
            await member.subscribe(topics.grant(RUN, MEMBER), qos=1)
            await clock.publish(inbox, b"later", qos=1)
            await say_the_end(guarded)
            assert await heard(member) == {}
