"""No input from outside raises an exception in a process: clock, host, watcher, devices, Home Assistant, and agents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, RootModel
from s2python.generated.gen_s2 import ControlType, RoleType
from structlog.testing import capture_logs

from agents import DeviceSaid
from agents.gateway.gateway_consumer import GatewayConsumer
from agents.gateway.gateway_settings import GatewaySettings
from agents.manager.ledger import LedgerEntry
from agents.messages import MESSAGES
from broker import ProtocolError
from broker.hosts import Received
from broker.hosts.host import Host
from broker.protocol import envelopes_of, topics
from broker.protocol.wire import (
    Announcement,
    Batch,
    Control,
    Done,
    Grant,
    Member as RosterMember,
    ResendRequest,
    Roster,
    RoundMessages,
    SentMessage,
    TimeReport,
)
from broker.transport.base import Delivery
from broker.transport.memory import MemoryBroker
from scenarios.devices.adapters import adapters_of
from scenarios.devices.link import DeviceLink
from scenarios.devices.notices import DeviceState
from scenarios.files.scenario_from_text import load_text
from scenarios.home_assistant.entities import RunSnapshot
from scenarios.home_assistant.publisher import _Publisher
from scenarios.load import load_scenario
from scenarios.monitor.run_state import ObservedRun, context_of_scenario
from scenarios.zone import Zone
from tests.broker.clock.test_clock import MESSAGES as PINGS, Echo, Ping
from tests.broker.clock.test_quarantine import HONEST, RUN, TIMEOUTS, Member, once, run_with
from tests.broker.hosts.test_sessions import heard, quickly
from tests.scenarios.devices.session import STREET as STREET_WITH_DEVICES
from tests.scenarios.devices.test_s2 import definition, details, element, sequence, wrapped
from tui.monitor.real_devices import _columns, _readable

EXTREMES: list[Any] = [
    None, True, -1, 0, 2**31, 2**53, 2**63, -(2**70), 10**400, 0.5, 1e308, float("nan"), float("inf"), "", "\0",
    "9" * 5_000,
    "\x1b]0;title\x07", "\u202e", "a/b", "#", "pv-adler", "x" * 100_000, [], {}, [[[]]], {"kind": []}, {"": {"": None}},
]  # fmt: skip
ANY = st.sampled_from(EXTREMES)
NESTED = [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 1_500 + b"]" * 1_500]
HALF = b'"\\ud800"'
"""Half of a surrogate pair, which JSON can express and UTF-8 cannot."""


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in a JSON value."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path, *(inner for key, child in items for inner in places_in(child, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """Return a JSON value with a change at a path."""
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], change)
    return copy


def mutations_of(model: BaseModel) -> st.SearchStrategy[bytes]:
    """Return payloads that are almost those of a model: one to three values are replaced, removed or added."""
    value = json.loads(model.model_dump_json())

    @st.composite
    def mutated(draw: st.DrawFn) -> bytes:
        result = value
        for _ in range(draw(st.integers(1, 3))):
            path = draw(st.sampled_from(places_in(result)))
            extreme = draw(ANY)
            how = draw(st.sampled_from(["replace", "remove", "add"]))

            def change(old: Any, how: str = how, extreme: Any = extreme) -> Any:
                if how == "replace" or not isinstance(old, dict) or not old:
                    return extreme
                if how == "remove":
                    return dict(list(old.items())[1:])
                return {**old, "added": extreme}

            result = changed(result, path, change)
        return json.dumps(result).encode()

    return mutated()


def payloads(*models: BaseModel) -> st.SearchStrategy[bytes]:
    """Return anything from random bytes to models with a few wrong values."""
    known = [model.model_dump_json().encode() for model in models]
    halves = [payload.replace(b'"x"', HALF) for payload in known if b'"x"' in payload]
    raw = st.one_of(st.binary(max_size=60), st.sampled_from([*NESTED, HALF, *halves]))
    return st.one_of(raw, *(mutations_of(model) for model in models))


def batch_of(to: str, body: dict[str, Any]) -> Batch:
    """Return a message of the member as it is sent."""
    message = SentMessage(sender="bee", seq=1, to=to, re=3, body=body)
    return Batch(session="b's", rounds=[RoundMessages(step=0, time=0, round=0, messages=[message])])


BATCH = batch_of("asker", Ping(n=1).model_dump())
DONE = Done(session="b's", step=0, time=0, round=0, sent={"a": 1}, next=3)
THERE = Announcement(host="b", session="b's", agents=("bee",), state="there")
CONTROL = Control(command="pace", pace="60x", by="anna")
AT_THE_CLOCK = st.one_of(
    st.tuples(st.just(topics.done(RUN, "b")), payloads(DONE)),
    st.tuples(st.just(topics.inbox(RUN, "a", "b")), payloads(BATCH)),
    st.tuples(st.just(topics.local(RUN, "b")), payloads(BATCH)),
    st.tuples(st.just(topics.host(RUN, "b")), payloads(THERE)),
    st.tuples(st.just(topics.control(RUN)), payloads(CONTROL).filter(lambda payload: b'"p' not in payload[:40])),
)


@settings(max_examples=25)
@given(st.lists(AT_THE_CLOCK, min_size=1, max_size=12))
def test_nothing_that_a_member_sends_ends_a_run(sent: list[tuple[str, bytes]]) -> None:
    """The clock and the other hosts do all that they were to do, with or without that member."""

    async def what(member: Member, _grant: Grant) -> dict[str, Any]:
        for topic, payload in sent:
            await member.bus.publish(topic, payload)
        return {"next": 50}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST


MEMBERS = {"b": RosterMember(session="b's", agents=("bee",)), "a": RosterMember(session="", agents=("echo",))}
TO_ECHO = batch_of("echo", Ping(n=1).model_dump())
AT_A_HOST = st.one_of(
    st.tuples(st.just(topics.inbox(RUN, "a", "b")), payloads(TO_ECHO)),
    st.tuples(st.just(topics.resend(RUN, "a", "b")), payloads(ResendRequest(step=3))),
    st.tuples(st.just(topics.roster(RUN)), st.binary(min_size=1, max_size=60)),
    st.tuples(st.just(topics.grant(RUN, "a")), st.binary(max_size=60)),
)


@settings(max_examples=25)
@given(st.lists(AT_A_HOST, min_size=1, max_size=12))
def test_nothing_that_a_member_sends_ends_another_host(sent: list[tuple[str, bytes]]) -> None:
    """It answers the next grants normally."""

    async def main() -> list[int]:
        broker = MemoryBroker()
        host = Host("a", RUN, [Echo("echo")], PINGS, seed=1, timeouts=TIMEOUTS)
        async with broker.connect("rest") as bus, asyncio.TaskGroup() as tasks:
            await bus.subscribe(topics.done(RUN, "a"))
            life = tasks.create_task(host.run(broker))
            present = RosterMember(session=host.session, agents=("echo",))
            await bus.publish(topics.roster(RUN), Roster(hosts=MEMBERS | {"a": present}).encoded(), retain=True)
            await heard(bus)
            start = Grant(step=0, time=0, round=0, expected={"a": {}}, phase="start")
            await bus.publish(topics.grant(RUN, "a"), start.encoded())
            for topic, payload in sent:
                await bus.publish(topic, payload)
            await heard(bus)
            await bus.publish(topics.grant(RUN, "a"), Grant(step=1, time=1, round=0, expected={"a": {}}).encoded())
            answers = [Done.model_validate_json(delivery.payload) for delivery in await heard(bus)]
            life.cancel()
            return [done.step for done in answers]

    assert quickly(main())[-1] == 1


STREET = load_scenario("street")
CONTRACT = {"contract_id": "j/1", "job_id": "j", "producer": "pv", "start_s": 1, "agreed_s": 1, "energy_wh": 1.0}
EVENT = {"at_s": 1, "what": "agreed", "start_s": 1, "reason": ""}
ENTRY = LedgerEntry.model_validate({"contract": CONTRACT, "state": "standing", "history": [EVENT]})
PREDICTION = next(iter(STREET.producers.values())).predictions[0]
REPORT = TimeReport(time=1, round=0, step=1, pace="max", lag_wall_s=0.0, state="running")
ROSTER = Roster(hosts=MEMBERS, refused={"s": {"b": "why"}}, quarantined={"c": "why"})
JOB = STREET.jobs[0].model_dump(mode="json")
STARTS = [[JOB["earliest_start_s"], JOB["latest_start_s"]]]
BODIES: list[dict[str, Any]] = [
    {"kind": "ProducersFor", "job_id": "j", "asked": ["pv"]},
    {"kind": "Producers", "job_id": "j", "producers": ["pv"]},
    {"kind": "Request", "job": JOB, "patient": True, "starts": STARTS, "held": False},
    {"kind": "ContractAgreed", "contract": CONTRACT, "reason": ""},
    {"kind": "ContractAmended", "contract_id": "j/1", "start_s": 5, "reason": ""},
    {"kind": "Declined", "job_id": "j", "producer": "pv"},
]
SAID = [batch_of("asker", body) for body in BODIES]
STATE = DeviceState(
    device="washer",
    agent="adler/washer",
    house="adler",
    type="consumer",
    name="x",
    available=True,
    state="SCHEDULED",
    job="x",
    next_start=1_782_030_000,
    supplier="x",
    power_w=5.0,
    energy_wh=7.0,
    last_heard=1_782_030_000,
    commands_sent=1,
)
REPORTED = RootModel[dict[str, Any]]({"id": "x", "state": "EXECUTING", "power_w": 1987.0, "energy_wh": 5.0, "time": 5})
AT_A_WATCHER = st.one_of(
    st.tuples(st.just(topics.inbox(RUN, "a", "b")), payloads(*SAID)),
    st.tuples(st.just(topics.host(RUN, "b")), payloads(THERE)),
    st.tuples(st.just(topics.ledger(RUN, "j/1")), payloads(ENTRY)),
    st.tuples(st.just(topics.forecast(RUN, "b", "pv")), payloads(PREDICTION)),
    st.tuples(st.just(topics.time(RUN)), payloads(REPORT)),
    st.tuples(st.just(topics.roster(RUN)), payloads(ROSTER)),
    st.tuples(st.just(topics.control(RUN)), payloads(CONTROL)),
    st.tuples(st.just(topics.device(RUN, "washer", "state")), payloads(STATE)),
    st.tuples(st.just(topics.device(RUN, "washer", "report")), payloads(REPORTED)),
    st.tuples(st.text(max_size=30), st.binary(max_size=20)),
)


@settings(max_examples=60)
@given(st.lists(AT_A_WATCHER, min_size=1, max_size=8))
def test_nothing_that_arrives_ends_a_watcher(sent: list[tuple[str, bytes]]) -> None:
    """All displayed values can be computed from the accepted messages."""
    watched = ObservedRun(RUN, context_of_scenario(STREET))
    for topic, payload in sent:
        watched.take(topic, payload)
    watched.share_done()
    watched.houses()
    watched.ends_of_plans()
    for negotiation in watched.negotiations():
        watched.steps(negotiation)
    for producer in list(watched.producers.values()):
        watched.day_of(producer, STREET.start_s, STREET.start_s + 86_400, 24)
    for device in watched.devices.values():
        for column in _columns(Zone()):
            column.cell(device)
        for message in device.messages:
            _readable(message.text)


@settings(max_examples=60)
@given(st.one_of([mutations_of(batch) for batch in SAID]))
def test_the_body_of_a_message_is_understood_or_refused(payload: bytes) -> None:
    """A job that is understood can be calculated with: it is within the limits of scenarios."""
    try:
        message = MESSAGES.validate_python(envelopes_of(Batch.model_validate_json(payload))[0].body)
    except ValueError:
        return
    if message.kind == "Request":
        assert message.job.load_profile.per_minute_wh(0).sum() == pytest.approx(message.job.energy_wh)


NOW_S = 1_782_021_600
NEIGHBOURHOOD = load_text(STREET_WITH_DEVICES, "test", None)
PROFILES = {"eco40": {"step_s": 600, "power_w": [100, 2000]}, "x": {"energy_wh": 800, "duration_s": 3600}}
SAID_BY_DEVICES: list[tuple[str, dict[str, Any]]] = [
    ("announce", {"type": "consumer", "house": "adler", "name": "x", "profiles": PROFILES}),
    ("announce", wrapped(details(RoleType.ENERGY_CONSUMER, ControlType.POWER_PROFILE_BASED_CONTROL))),
    ("request", {"id": "x", "profile": "eco40", "ready_by": "in 8 h"}),
    ("request", {"id": "x", "points": [[0, 0], [600, 17], [1200, 350]], "earliest_start": 5, "latest_start": "10:00"}),
    ("request", wrapped(definition(NOW_S, NOW_S + 90_000, [sequence(element(600, 2_000))]))),
    ("withdraw", {"id": "x"}),
    ("report", REPORTED.root),
    ("forecast", {"start": "2026-06-21T06:00:00Z", "step_s": 900, "power_w": [0, 120]}),
]
FROM_A_DEVICE = st.one_of(
    [
        st.tuples(st.sampled_from(["washer", "guest"]), st.just(part), payloads(RootModel[dict[str, Any]](said)))
        for part, said in SAID_BY_DEVICES
    ]
)


@settings(max_examples=80)
@given(st.lists(FROM_A_DEVICE, min_size=1, max_size=8))
def test_nothing_that_a_device_sends_ends_its_household(sent: list[tuple[str, str, bytes]]) -> None:
    """What the household's agents read of it is understood or refused, in the device's own form and in S2."""
    places = [place for place in NEIGHBOURHOOD.gateways.values() if place.type == "consumer"]
    link = DeviceLink(RUN, MemoryBroker(), {"adler": places}, adapters_of(places), Zone(0))
    port = link.port("adler")
    assert port is not None
    agents = {
        place.agent: GatewayConsumer(
            place.agent, (), patient=True, gateway=GatewaySettings(id=place.id, house="adler", device=place.device)
        )
        for place in places
    }
    with capture_logs() as logs:
        for device, part, payload in sent:
            link._take(Delivery(topics.device(RUN, device, part), payload, retain=False))
        for incoming in port.take(NOW_S):
            message = incoming.message
            assert isinstance(message, DeviceSaid)
            agent = agents[incoming.agent]
            agent.take_other(Received(agent.id, 1, DeviceSaid.model_validate_json(message.model_dump_json())))
            link.carry_out(agent.take_instructions(), NOW_S)
    assert [entry["event"] for entry in logs if "exc_info" in entry] == []


@settings(max_examples=60)
@given(st.lists(payloads(STATE), min_size=1, max_size=4))
def test_nothing_that_a_household_says_of_its_devices_ends_the_display_in_home_assistant(sent: list[bytes]) -> None:
    """The clock's process shows them; what it publishes of them is JSON, whatever they are."""
    snapshot = RunSnapshot(NOW_S + 3_600, (), {})
    publisher = _Publisher(NEIGHBOURHOOD, RUN, lambda: snapshot, keep=False)

    async def main() -> None:
        broker = MemoryBroker()
        async with broker.connect("publisher") as bus:
            await publisher._discover(bus)
            for payload in sent:
                with suppress(ProtocolError):  # rejected, and counted
                    await publisher._take(bus, Delivery(topics.device(RUN, "washer", "state"), payload, retain=False))
                await publisher._publish_states(bus)

    asyncio.run(main())
