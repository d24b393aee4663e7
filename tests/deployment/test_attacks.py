"""Attacks on a running street, against a real Mosquitto with the configuration that `ssmic broker init` writes.

Nothing gets in, the ledger is that of an undisturbed run, and what was refused is logged with who tried it: by the
broker what it denied, by us what it had to let pass and we dropped.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broker.errors import BrokerUnreachableError, SsmicError
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes
from broker.protocol.wire import Announcement, Done, Grant, Roster, TimeReport
from broker.security.acl import rights_of
from broker.security.certificates import new_client, new_server, read_credential
from broker.security.provision import Guard, write_guard
from broker.servers.mosquitto import find_mosquitto
from broker.transport.base import Delivery, Will
from broker.transport.filters import matches
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.deployment.attacked import RUN, heard, intruder, run_attacked
from tests.deployment.guarded import GuardedBroker, guarded_mosquitto
from tests.patience import PATIENCE_WALL_S

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

STREET = load_scenario("street")
HOUSES = tuple(house.id for house in STREET.houses)
VICTIM, INTRUDER = "adler", "brandt"
BATCH = 600
"""Messages that a flood sends at once, twenty times a second."""
FLOODED = 30_000
"""Messages in all: a machine that has other things to do takes them more slowly than they come, but takes them."""
ANONYMOUS = {"SSMIC_USER": "", "SSMIC_PASSWORD_FILE": ""}


@pytest.fixture
def street() -> Scenario:
    """The bundled street."""
    return STREET


@pytest.fixture(scope="module")
def ledger() -> str:
    """The outcome of the undisturbed street."""
    return asyncio.run(run_scenario(STREET, RunSettings(seed=1, run_id=RUN), MemoryBroker())).ledger_sha256


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[GuardedBroker]:
    """A guarded broker with a login for each house of the street."""
    async with guarded_mosquitto(tmp_path / "guard", HOUSES) as running:
        yield running


def denied(guarded: GuardedBroker, client_id: str) -> set[str]:
    """Return the topics on which a client was denied to publish."""
    return set(re.findall(rf"Denied PUBLISH from {client_id}\S* \(d0, q\d, r\d, m\d+, '([^']*)'", guarded.log))


def login_of(guarded: GuardedBroker, client_id: str) -> set[str]:
    """Return the logins with which a client connected, by the broker's log."""
    return set(re.findall(rf"New client connected from 127\.0\.0\.1:\d+ as {client_id}\S* .*u'([^']*)'", guarded.log))


async def is_refused(guarded: GuardedBroker, **changed: str) -> None:
    """Assert that a client with these variables cannot connect."""
    with pytest.raises(BrokerUnreachableError):
        async with guarded.of(INTRUDER, **changed).connect("stranger"):
            pytest.fail("got in")


# Who comes without being known.


async def test_no_client_connects_without_a_login(street: Scenario, guarded: GuardedBroker, ledger: str) -> None:
    """The broker refuses anonymous clients, wrong passwords, passwords of other logins, and unknown logins."""
    others = guarded.folder / "logins" / VICTIM / "password"

    async def attack(guarded: GuardedBroker) -> None:
        await is_refused(guarded, **ANONYMOUS)
        await is_refused(guarded, SSMIC_PASSWORD_FILE="", SSMIC_PASSWORD="guess")  # noqa: S106 - the attack
        await is_refused(guarded, SSMIC_PASSWORD_FILE=str(others))
        await is_refused(guarded, SSMIC_USER="nobody")

    attacked = await run_attacked(street, guarded, attack)
    assert attacked.outcome.ledger_sha256 == ledger
    assert guarded.log.count("disconnected, not authorised") >= 4
    assert re.search(
        r"New connection from 127\.0\.0\.1:\d+ .*\n.*Sending CONNACK to 127\.0\.0\.1 \(0, 5\)", guarded.log
    )


async def test_certificates_that_are_foreign_or_have_ended_are_refused(
    street: Scenario, tmp_path: Path, ledger: str
) -> None:
    """With certificates as logins, it refuses foreign and expired ones, the broker's own, and none."""
    foreign = tmp_path / "foreign"
    write_guard(foreign, Guard(HOUSES, ("manager",)))
    async with guarded_mosquitto(tmp_path / "guard", HOUSES, by_certificate=True) as guarded:
        files = guarded.folder / "authority"
        authority = read_credential((files / "ca.crt").read_bytes(), (files / "ca.key").read_bytes())
        made = {"ended": new_client(authority, VICTIM, -0.01), "server": new_server(authority, ["localhost"], 1)}
        for name, credential in made.items():
            (tmp_path / f"{name}.crt").write_bytes(credential.certificate_pem)
            (tmp_path / f"{name}.key").write_bytes(credential.key_pem)
        theirs = foreign / "logins" / VICTIM / "client"
        tried = [("", "")] + [(f"{file}.crt", f"{file}.key") for file in (theirs, *(tmp_path / name for name in made))]

        async def attack(guarded: GuardedBroker) -> None:
            for cert, key in tried:
                await is_refused(guarded, SSMIC_CERT_FILE=cert, SSMIC_KEY_FILE=key)

        attacked = await run_attacked(street, guarded, attack)
        assert attacked.outcome.ledger_sha256 == ledger
        for why in ("did not return a certificate", "certificate verify failed"):
            assert why in guarded.log


async def test_a_client_sends_no_password_to_a_false_broker(tmp_path: Path) -> None:
    """It refuses a broker with a certificate of another authority, or with that of a household."""
    write_guard(tmp_path / "true", Guard(HOUSES, ("manager",)))
    async with guarded_mosquitto(tmp_path / "false", HOUSES) as false:
        ours = tmp_path / "true" / "logins" / VICTIM / "ca.crt"
        with pytest.raises(BrokerUnreachableError, match="not trusted"):
            async with false.of(VICTIM, SSMIC_CA_FILE=str(ours)).connect("client"):
                pytest.fail("connected")
        assert "New client connected" not in false.log


# Who has a login and wants more.


async def test_a_household_reads_nothing_of_another(street: Scenario, guarded: GuardedBroker, ledger: str) -> None:
    """Whatever it subscribes to, it receives only its own messages; forbidden subscriptions are logged."""
    own = rights_of(INTRUDER, HOUSES, ("manager",)).read
    wanted = ("#", "ssmic/#", topics.inboxes(RUN, VICTIM), topics.grant(RUN, "+"), f"ssmic/{RUN}/ledger/+", "$SYS/#")
    found: list[Delivery] = []
    async with intruder(guarded, INTRUDER, "eavesdropper") as bus:
        await bus.subscribe(*wanted)
        attacked = await run_attacked(street, guarded)
        found = await heard(bus, at_least=2)
    assert attacked.outcome.ledger_sha256 == ledger
    assert {topics.grants(RUN), topics.roster(RUN)} <= {delivery.topic for delivery in found}
    assert not [d.topic for d in found if not any(matches(topic_filter, d.topic) for topic_filter in own)]
    asked = guarded.log.partition("Received SUBSCRIBE from eavesdropper")[2].splitlines()[1 : 1 + len(wanted)]
    assert topics.inboxes(RUN, VICTIM) in "\n".join(asked)
    assert login_of(guarded, "eavesdropper") == {INTRUDER}


def forgeries(as_host: str) -> dict[str, bytes]:
    """Return messages that `as_host`, the clock and the manager could send, by topic."""
    gone = Announcement(host=as_host, session="x", agents=(), state="gone")
    done = Done(session="x", step=3, time=0, round=0, sent={INTRUDER: 1000}, next=None)
    grant = Grant(step=1, time=STREET.start_s, round=1, expected={}, phase="end")
    agent = next(house for house in STREET.houses if house.id == as_host).devices[0].agent
    said = Envelope(
        session="x", step=1, time=0, round=0, sender=agent, seq=1, to="manager", body={"kind": "ProducersFor"}
    )
    forged = {
        topics.host(RUN, as_host): gone.encoded(),
        topics.done(RUN, as_host): done.encoded(),
        topics.inbox(RUN, "manager", as_host): Envelopes([said]).encoded(),
        topics.resend(RUN, "manager", as_host): b'{"v":6,"step":1}',
        topics.forecast(RUN, as_host, "pv-adler"): b"{}",
        topics.ledger(RUN, "adler-car"): b"{}",
        topics.roster(RUN): Roster(hosts={}).encoded(),
        topics.time(RUN): TimeReport(time=0, round=0, step=0, pace="max", lag_wall_s=0, state="ended").encoded(),
        topics.control(RUN): b'{"v":6,"command":"stop"}',
    }
    return forged | {topics.grant(RUN, host): grant.encoded() for host in (*HOUSES, "manager")}


@pytest.mark.parametrize(
    "retain", [pytest.param(False, id="sent", marks=pytest.mark.long), pytest.param(True, id="planted")]
)
@pytest.mark.parametrize("login", [INTRUDER, pytest.param("watcher", marks=pytest.mark.long)])
async def test_no_client_writes_in_the_name_of_another(
    street: Scenario, guarded: GuardedBroker, ledger: str, login: str, *, retain: bool
) -> None:
    """It cannot write announcements, answers or messages of others, nor grants, time, roster, contracts or control."""
    forged = forgeries(VICTIM)

    async def attack(guarded: GuardedBroker) -> None:
        async with intruder(guarded, login, "forger") as bus:
            for topic, payload in forged.items():
                await bus.publish(topic, payload, qos=1, retain=retain)
                await bus.publish(topic, b"\xff" * 100, qos=0, retain=retain)

    attacked = await run_attacked(street, guarded, attack, before=attack)
    assert attacked.outcome.ledger_sha256 == ledger
    assert attacked.outcome.state == "done"
    assert denied(guarded, "forger") == set(forged)
    assert login_of(guarded, "forger") == {login}
    async with intruder(guarded, "watcher", "auditor") as bus, intruder(guarded, "clock", "last") as clock:
        await bus.subscribe("ssmic/#")
        # The broker sends what it has kept before what is published later.
        await clock.publish(topics.time(RUN), b"last", qos=1)
        kept = {delivery.topic: delivery.payload for delivery in await heard(bus, until=b"last")}
    assert not {topic for topic, payload in forged.items() if kept.get(topic) in {payload, b"\xff" * 100}}


@pytest.mark.long
async def test_a_last_will_writes_no_more_than_its_client_may(
    street: Scenario, guarded: GuardedBroker, ledger: str
) -> None:
    """The broker publishes a will, but checks it against its client's permissions."""
    topic, payload = next(iter(forgeries(VICTIM).items()))
    async with intruder(guarded, "watcher", "auditor") as auditor:
        await auditor.subscribe(topic)

        async def attack(guarded: GuardedBroker) -> None:
            with suppress(ZeroDivisionError):
                async with intruder(guarded, INTRUDER, "testator", Will(topic, payload)):
                    raise ZeroDivisionError

        attacked = await run_attacked(street, guarded, attack)
        assert payload not in [delivery.payload for delivery in await heard(auditor)]
    assert attacked.outcome.ledger_sha256 == ledger
    assert login_of(guarded, "testator") == {INTRUDER}


@pytest.mark.long
async def test_no_client_takes_the_connection_of_another(street: Scenario, guarded: GuardedBroker, ledger: str) -> None:
    """A broker ends a connection when another client uses its id, so client ids are secret."""
    sessions = [f"{RUN}-clock", f"{RUN}-manager", *(f"{RUN}-{house}" for house in HOUSES)]

    async def attack(guarded: GuardedBroker) -> None:
        async with intruder(guarded, INTRUDER, "reader") as bus:
            await bus.subscribe(topics.roster(RUN))
            for delivery in await heard(bus, wall_s=0.02):
                members = Roster.model_validate_json(delivery.payload).hosts
                sessions.extend(f"{RUN}-{host}-{member.session}" for host, member in members.items())
        for client_id in dict.fromkeys(sessions):
            seize(guarded, INTRUDER, client_id)

    attacked = await run_attacked(street, guarded, attack)
    assert attacked.outcome.ledger_sha256 == ledger
    assert "already connected, closing old connection" not in re.sub(r".*u'brandt'.*", "", guarded.log)


def seize(guarded: GuardedBroker, login: str, client_id: str) -> None:
    """Connect under a client id to the letter, and leave again."""
    password = (guarded.folder / "logins" / login / "password").read_bytes().strip()
    with connection(guarded) as sock:
        sock.sendall(connect_packet(client_id.encode(), login.encode(), password))
        assert sock.recv(4)[3:4] == b"\0"


async def test_a_household_is_let_in_and_shut_out_while_the_broker_runs(guarded: GuardedBroker) -> None:
    """The broker reloads logins and permissions on a signal; other clients are unaffected."""
    guard = Guard(("gerber",), ("manager",))
    async with intruder(guarded, VICTIM, "resident") as resident:
        await resident.subscribe(topics.roster(RUN))
        write_guard(guarded.folder, guard)
        await is_refused(guarded, SSMIC_USER="gerber", SSMIC_PASSWORD_FILE=password_file(guarded, "gerber"))
        await guarded.read_again()
        async with intruder(guarded, "gerber", "newcomer") as newcomer, intruder(guarded, "clock", "clock") as clock:
            await newcomer.subscribe(topics.grant(RUN, "gerber"))
            await clock.publish(topics.grant(RUN, "gerber"), b"granted")
            assert [delivery.payload for delivery in await heard(newcomer, at_least=1)] == [b"granted"]
            await clock.publish(topics.roster(RUN), b"roster")
            assert [delivery.payload for delivery in await heard(resident, at_least=1)] == [b"roster"]
        shutil.rmtree(guarded.folder / "logins" / "gerber")
        write_guard(guarded.folder, Guard((), ("manager",)))
        await guarded.read_again()
        await is_refused(guarded, SSMIC_USER="gerber", SSMIC_PASSWORD_FILE="", SSMIC_PASSWORD="any")  # noqa: S106 - a wrong one


def password_file(guarded: GuardedBroker, login: str) -> str:
    """Return where a login's password is."""
    return str(guarded.folder / "logins" / login / "password")


# Replays.


@pytest.mark.long
async def test_replayed_messages_of_an_earlier_run_are_dropped(
    street: Scenario, guarded: GuardedBroker, ledger: str
) -> None:
    """A watcher and a household replay messages literally, and adapted to the new run.

    The earlier run was of the same street, so its messages fit the new one and are wrong in it.
    """
    async with intruder(guarded, "watcher", "recorder") as recorder:
        await recorder.subscribe(topics.everything("old"))
        await run_attacked(street, guarded, run="old", seed=2)
        said = await heard(recorder, at_least=500)
    assert len(said) > 500

    async def attack(guarded: GuardedBroker) -> None:
        for login in (INTRUDER, "watcher"):
            async with intruder(guarded, login, "parrot") as bus:
                for delivery in said:
                    for topic in (delivery.topic, delivery.topic.replace("ssmic/old/", f"ssmic/{RUN}/", 1)):
                        await bus.publish(topic, delivery.payload)

    with capture_logs() as logs:
        attacked = await run_attacked(street, guarded, attack)
    assert attacked.outcome.ledger_sha256 == ledger
    assert len(denied(guarded, "parrot")) > 100
    void = [entry["topic"] for entry in logs if "does not speak for host" in entry.get("reason", "")]
    assert {topics.parse(topic).ids[-1] for topic in void} == {INTRUDER}  # type: ignore[union-attr]  # hosts publish on known topics only
    assert {topics.parse(topic).kind for topic in void} <= {"done", "inbox", "local"}  # type: ignore[union-attr]  # as above


@pytest.mark.long
async def test_retained_messages_under_ones_own_name_are_dropped_and_logged(
    street: Scenario, guarded: GuardedBroker, ledger: str
) -> None:
    """Messages that only count when they are sent are never retained, so an old message is none."""
    agent = next(house for house in STREET.houses if house.id == INTRUDER).devices[0].agent
    to = next(house for house in STREET.houses if house.id == VICTIM).devices[0].agent
    said = Envelope(session="x", step=1, time=0, round=0, sender=agent, seq=0, to=to, body={"kind": "Request"})
    done = Done(session="x", step=1, time=STREET.start_s, round=0, sent={VICTIM: 1}, next=None)
    planted = {
        topics.inbox(RUN, VICTIM, INTRUDER): Envelopes([said]).encoded(),
        topics.resend(RUN, VICTIM, INTRUDER): b'{"v":6,"step":1}',
        topics.done(RUN, INTRUDER): done.encoded(),
    }

    async def plant(guarded: GuardedBroker) -> None:
        async with intruder(guarded, INTRUDER, "planter") as bus:
            for topic, payload in planted.items():
                await bus.publish(topic, payload, qos=1, retain=True)

    with capture_logs() as logs:
        attacked = await run_attacked(street, guarded, before=plant)
    assert attacked.outcome.ledger_sha256 == ledger
    assert set(planted) <= {entry["topic"] for entry in logs if entry["event"] == "dropped"}


# Who has no arguments and shouts.


async def test_oversized_and_malformed_messages_are_dropped(street: Scenario, guarded: GuardedBroker) -> None:
    """1 MB closes the connection unread; smaller malformed messages are dropped, and their sender is quarantined."""
    topic = topics.inbox(RUN, VICTIM, INTRUDER)

    async def attack(guarded: GuardedBroker) -> None:
        async with intruder(guarded, INTRUDER, "shouter") as bus:
            await bus.publish(topic, b"{" * 500_000)
            await bus.publish(topic, b'{"v":6,"step":' + b"9" * 5000 + b"}")
            await bus.publish(topic, b"[" * 100_000)
            await bus.publish(topics.done(RUN, INTRUDER), b"null")
            await bus.publish(topics.host(RUN, INTRUDER), b"\0" * 1000)
        with suppress(SsmicError):
            async with intruder(guarded, INTRUDER, "giant") as bus:
                await bus.publish(topic, b"x" * 1_000_000)

    with capture_logs() as logs:
        attacked = await run_attacked(street, guarded, attack, put_out=INTRUDER)
    assert attacked.outcome.ledger
    dropped = {entry["topic"] for entry in logs if entry["event"] == "dropped"}
    assert {topic, topics.done(RUN, INTRUDER), topics.host(RUN, INTRUDER)} <= dropped
    assert "Client giant" in await guarded.logged("disconnected due to oversize packet")


def own_noise() -> tuple[tuple[str, bytes], ...]:
    """What a household may write that is of no use to anybody: no messages, and messages of another session."""
    to = next(house for house in STREET.houses if house.id == VICTIM).devices[0].agent
    sender = next(house for house in STREET.houses if house.id == INTRUDER).devices[0].agent
    said = Envelope(session="x", step=10**6, time=0, round=0, sender=sender, seq=0, to=to, body={"kind": "Request"})
    done = Done(session="x", step=10**6, time=0, round=0, sent={}, next=None)
    gone = Announcement(host=INTRUDER, session="x", agents=(), state="gone")
    inbox = topics.inbox(RUN, VICTIM, INTRUDER)
    return (
        (topics.done(RUN, INTRUDER), b"x"),
        (topics.done(RUN, INTRUDER), done.encoded()),
        (inbox, b"x"),
        (inbox, Envelopes([said]).encoded()),
        (topics.host(RUN, INTRUDER), gone.encoded()),
        (topics.resend(RUN, VICTIM, INTRUDER), b'{"v":6,"step":1000000}'),
    )


@pytest.mark.parametrize(
    ("login", "noise"),
    [
        (None, ((topics.host(RUN, VICTIM), b"x"),)),
        (INTRUDER, ((topics.host(RUN, VICTIM), b"x"),)),
        pytest.param(INTRUDER, own_noise(), marks=pytest.mark.long),
    ],
    ids=["stranger", "household", "household in its own name"],
)
async def test_a_flood_of_messages_only_quarantines_its_sender(
    street: Scenario, guarded: GuardedBroker, ledger: str, login: str | None, noise: tuple[tuple[str, bytes], ...]
) -> None:
    """The flood comes without a login, with one on forbidden topics, and with one on permitted topics."""
    flood = Flood(guarded, login, noise)
    flood.start()
    try:
        attacked = await run_attacked(street, guarded, put_out=INTRUDER if noise == own_noise() else None)
    finally:
        flood.stop()
    if noise == own_noise():
        assert attacked.outcome.ledger
    else:
        assert attacked.outcome.ledger_sha256 == ledger
    assert flood.sent >= BATCH
    if login is None:
        assert "disconnected, not authorised" in guarded.log
        assert login_of(guarded, "flood") == set()
    elif noise == own_noise():
        assert denied(guarded, "flood") == set()
    else:
        assert denied(guarded, "flood") == {topics.host(RUN, VICTIM)}


class Flood(threading.Thread):
    """Sends 12,000 messages a second, if processor and broker allow, and reconnects when disconnected."""

    def __init__(self, guarded: GuardedBroker, login: str | None, noise: tuple[tuple[str, bytes], ...]) -> None:
        super().__init__(name="flood", daemon=True)
        self._guarded = guarded
        self._hello = connect_packet(b"flood")
        if login is not None:
            password = (guarded.folder / "logins" / login / "password").read_bytes().strip()
            self._hello = connect_packet(b"flood", login.encode(), password)
        self._packets = b"".join(publish_packet(topic.encode(), payload) for topic, payload in noise)
        self._packets *= BATCH // len(noise)
        self._ended = threading.Event()
        self.sent = 0
        """How many messages were handed to the network."""

    def run(self) -> None:
        """Flood until stopped."""
        while self.sent < FLOODED and not self._ended.is_set():
            with suppress(OSError), connection(self._guarded) as sock:
                sock.sendall(self._hello)
                while self.sent < FLOODED and not self._ended.is_set():
                    sock.sendall(self._packets)
                    self.sent += BATCH
                    self._ended.wait(0.05)

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        self.join()


def connection(guarded: GuardedBroker) -> ssl.SSLSocket:
    """Return a bare TLS connection."""
    context = ssl.create_default_context(cafile=guarded.folder / "authority" / "ca.crt")
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", guarded.port)), server_hostname="localhost")
    sock.settimeout(PATIENCE_WALL_S)
    return sock


def connect_packet(client_id: bytes, user: bytes | None = None, password: bytes = b"") -> bytes:
    """Return an MQTT 3.1.1 CONNECT."""

    def text(content: bytes) -> bytes:
        return len(content).to_bytes(2, "big") + content

    flags = b"\x02" if user is None else b"\xc2"
    body = text(b"MQTT") + b"\x04" + flags + b"\x00\x3c" + text(client_id)
    if user is not None:
        body += text(user) + text(password)
    return packet(b"\x10", body)


def publish_packet(topic: bytes, payload: bytes) -> bytes:
    """Return an MQTT PUBLISH at QoS 0."""
    return packet(b"\x30", len(topic).to_bytes(2, "big") + topic + payload)


def packet(kind: bytes, body: bytes) -> bytes:
    """Return an MQTT packet."""
    length = len(body)
    assert length < 16_384
    encoded = bytes([length]) if length < 128 else bytes([length % 128 | 128, length // 128])
    return kind + encoded + body
