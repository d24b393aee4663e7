"""A watcher's view of a run is correct on any network."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from agents.energy import CumulativeSeries, Prediction, Production
from agents.manager.ledger import LedgerEntry, canonical_bytes
from agents.messages import AnyMessage
from agents.model import GRID, TIMELINE
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes, envelopes_of
from broker.protocol.wire import Batch, Control, Roster, RunPhase, TimeReport
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from broker.transport.memory import MemoryBroker
from scenarios.events import Note, TimelineEvent
from scenarios.load import load_scenario
from scenarios.monitor.devices import KEPT_DEVICE_MESSAGES
from scenarios.monitor.feed import BusFeed, RunFinder
from scenarios.monitor.negotiations import KEPT_JOBS
from scenarios.monitor.run_state import ObservedRun, context_of_scenario
from scenarios.monitor.run_status import RunStatus, status_of_run
from scenarios.monitor.summaries import KINDS
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.neighbourhoods import (
    START_S,
    agreed,
    cancelled,
    contract,
    forecast,
    job as job_of,
    load,
    neighbourhood,
    sun,
)

RUN = "street-1"


@pytest.fixture(scope="module")
def street() -> Scenario:
    """The bundled one."""
    return load_scenario("street")


@pytest.fixture(scope="module")
def recorded(street: Scenario) -> tuple[RunOutcome, list[Delivery]]:
    """All that went over the broker in one run of the street."""

    async def run() -> tuple[RunOutcome, list[Delivery]]:
        broker = MemoryBroker()
        heard: list[Delivery] = []
        async with broker.connect("ear") as bus:
            await bus.subscribe(*topics.watched(RUN))
            outcome = await run_scenario(street, RunSettings(seed=1, run_id=RUN), broker)
            await bus.publish(topics.control(RUN), b"end")
            async for item in bus.messages():
                assert isinstance(item, Delivery)
                if item.payload == b"end":
                    break
                heard.append(item)
        return outcome, heard

    return asyncio.run(run())


async def until(holds: Callable[[], object]) -> None:
    """Let others run until something holds."""
    async with asyncio.timeout(PATIENCE_WALL_S):
        while not holds():
            await asyncio.sleep(0)


def watched(deliveries: list[Delivery], *, from_the_start: bool = False) -> ObservedRun:
    """Return the state of a watcher that received these messages."""
    state = ObservedRun(RUN, from_the_start=from_the_start)
    for delivery in deliveries:
        state.take(delivery.topic, delivery.payload)
    return state


def test_all_messages_and_the_whole_ledger_are_seen(recorded: tuple[RunOutcome, list[Delivery]]) -> None:
    """None is rejected or missing, and every kind has a summary."""
    outcome, heard = recorded

    state = watched(heard, from_the_start=True)

    assert (state.refused, state.missing) == (0, 0)
    assert state.lines.total == outcome.messages
    assert canonical_bytes(state.ledger.values()) == canonical_bytes(outcome.ledger)
    assert state.time is not None
    assert state.time.state == "ended"


def test_scores_are_those_of_the_manager(recorded: tuple[RunOutcome, list[Delivery]]) -> None:
    """They are computed from the messages."""
    outcome, heard = recorded

    state = watched(heard, from_the_start=True)

    assert {p.id: p.score for p in state.producers.values()} == dict(outcome.scores)
    assert all(p.is_score_known for p in state.producers.values())


def test_duplicates_count_once(recorded: tuple[RunOutcome, list[Delivery]]) -> None:
    """This also holds in another order."""
    outcome, heard = recorded
    dice = random.Random(1)
    doubled = [copy for delivery in heard for copy in [delivery] * dice.choice((1, 1, 2))]
    for i in range(len(doubled) - 1):  # neighbours overtake each other
        if dice.random() < 0.3:
            doubled[i], doubled[i + 1] = doubled[i + 1], doubled[i]

    state = watched(doubled, from_the_start=True)

    assert state.lines.total == outcome.messages
    assert len(doubled) > len(heard)
    assert {p.id: p.score for p in state.producers.values()} == dict(outcome.scores)
    assert all(p.is_score_known for p in state.producers.values())


def test_a_gap_is_counted(recorded: tuple[RunOutcome, list[Delivery]]) -> None:
    """Ten messages of one sender that sends on."""
    outcome, heard = recorded
    by_sender: Counter[str] = Counter()
    kept = []
    for delivery in heard:
        address = topics.parse(delivery.topic)
        if address is None or address.kind not in {"inbox", "local"}:
            kept.append(delivery)
            continue
        envelopes = []
        for envelope in envelopes_of(Batch.model_validate_json(delivery.payload)):
            by_sender[envelope.sender] += 1
            if envelope.sender != "manager" or not 5 <= by_sender["manager"] < 15:
                envelopes.append(envelope)
        if envelopes:
            kept.append(Delivery(delivery.topic, Envelopes(envelopes), delivery.retain))
    assert by_sender["manager"] > 15

    state = watched(kept, from_the_start=True)

    assert state.missing == 10
    assert state.lines.total == outcome.messages - 10


def test_a_late_watcher_gets_all_retained_information(recorded: tuple[RunOutcome, list[Delivery]]) -> None:
    """The broker retains the ledger and the forecasts; earlier messages are not counted as missing."""
    outcome, heard = recorded
    half = len(heard) // 2
    for joined in range(half, half + 15):  # also between two messages of a round
        retained = {d.topic: d for d in heard[:joined] if not {"inbox", "local"} & set(d.topic.split("/"))}

        state = watched([*retained.values(), *heard[joined:]])

        assert canonical_bytes(state.ledger.values()) == canonical_bytes(outcome.ledger)
        assert state.missing == 0
        assert all(producer.forecast is not None for producer in state.producers.values())


def test_a_job_can_be_followed_from_request_to_contract(
    recorded: tuple[RunOutcome, list[Delivery]], street: Scenario
) -> None:
    """Each request is shown with its result."""
    outcome, heard = recorded

    state = watched(heard, from_the_start=True)

    standing = {e.contract.job_id: e.contract for e in outcome.ledger if e.state == "standing"}
    assert {n.job_id for n in state.negotiations()} == {job.job_id for job in street.jobs}
    for job in street.jobs:
        negotiation = state.jobs.get(job.job_id)
        assert negotiation is not None
        steps = state.steps(negotiation)
        assert len(steps) == negotiation.steps
        assert steps[0].kind == "ProducersFor"
        assert (negotiation.house, negotiation.device) == (job.house, job.device)
        assert (negotiation.earliest_start_s, negotiation.latest_start_s) == (job.earliest_start_s, job.latest_start_s)
        contract = standing[job.job_id]
        assert (negotiation.producer, negotiation.start_s) == (contract.producer, contract.start_s)
        assert (negotiation.state == "grid") == (contract.producer == GRID)
        assert negotiation.declines == sum(step.kind == "Decline" for step in steps)


def test_a_day_of_a_producer_adds_up(recorded: tuple[RunOutcome, list[Delivery]], street: Scenario) -> None:
    """Committed energy is that of its contracts, and nothing is promised that is not expected."""
    outcome, heard = recorded
    state = watched(heard, from_the_start=True)
    start_s, end_s = street.start_s, street.start_s + 2 * 86_400

    for producer in state.producers.values():
        day = state.day_of(producer, start_s, end_s, 2 * 1440)
        contracts = [e.contract for e in outcome.ledger if e.state == "standing" and e.contract.producer == producer.id]
        assert day.unknown == 0
        assert day.committed_wh.sum() == pytest.approx(sum(c.energy_wh for c in contracts))
        last = street.producers[producer.id].predictions[-1]
        assert day.forecast_wh.sum() >= last.production.energy_wh - 1e-6
        assert (day.remaining_wh >= 0).all()


def test_foreign_and_broken_messages_change_nothing(recorded: tuple[RunOutcome, list[Delivery]]) -> None:
    """They are counted."""
    outcome, heard = recorded
    state = watched(heard, from_the_start=True)
    inbox = topics.inbox(RUN, "manager", "1")

    def batch(**fields: Any) -> bytes:
        said = {"sender": "x", "seq": 0, "to": "manager", "re": None} | fields
        round_ = {"step": 1, "time": 0, "round": 0, "messages": [said]}
        return json.dumps({"v": 6, "session": "s", "rounds": [round_]}).encode()

    for payload in (
        b"\xff\xfe",
        b"[]",
        batch(body={}),
        batch(body={"kind": "Unheard"}),
        batch(body={"kind": "Accept", "job_id": "j", "start_s": 10**30}),
        batch(body={"kind": "Request", "job": "no"}),
        batch(sender="manager", body={"kind": "Opening", "job_id": "j"}),
    ):
        state.take(inbox, payload)
    for topic in ("time", "roster", "ledger/x", "hosts/x", "forecast/a/b", "control"):
        state.take(f"ssmic/{RUN}/{topic}", b"{}")

    assert state.refused == 13
    assert state.lines.total == outcome.messages
    assert canonical_bytes(state.ledger.values()) == canonical_bytes(outcome.ledger)


def test_memory_has_a_bound() -> None:
    """The oldest lines go and are counted; the newest stay."""
    state = ObservedRun(RUN, kept_lines=100)
    topic = topics.inbox(RUN, "manager", "1")
    for seq in range(1000):
        body = {"kind": "Declined", "job_id": f"job-{seq}", "producer": "pv"}
        envelope = Envelope(session="s", step=seq, time=seq, round=0, sender="1/tv", seq=seq, to="manager", body=body)
        state.take(topic, Envelopes([envelope]).encoded())

    assert (state.lines.total, len(state.lines), state.lines.dropped) == (1000, 100, 900)
    assert [line.number for line in state.lines.since(995)] == [995, 996, 997, 998, 999]
    assert [line.number for line in state.lines.since(0)][:2] == [900, 901]


def test_a_producer_does_not_keep_a_job_whose_contract_ended_long_after_its_negotiation() -> None:
    """In a large run, jobs that were forgotten meanwhile stayed committed, at two producers if they had a new one."""
    state = ObservedRun(RUN)

    def publish(entry: LedgerEntry) -> None:
        state.take(topics.ledger(RUN, entry.contract.contract_id), entry.model_dump_json().encode())

    def forget_jobs() -> None:
        other = agreed(contract(job_of("other", "b", load((0, 0), (60, 9))), GRID, 0)).model_dump_json()
        for number in range(KEPT_JOBS):
            state.take(topics.ledger(RUN, f"o-{number}/1"), other.replace("other", f"o-{number}").encode())

    def committed() -> dict[str, list[str]]:
        return {producer.id: list(producer.contracts) for producer in state.producers.values()}

    wash = job_of("wash", "a", load((0, 0), (3600, 500)))
    first, second = contract(wash, "pv-1", 7200), contract(wash, "pv-2", 9000, n=2)
    publish(agreed(first))
    forget_jobs()
    publish(cancelled(first, 60))
    assert committed() == {"pv-1": []}
    publish(agreed(second))
    forget_jobs()
    publish(agreed(first))  # once more, and late
    assert committed() == {"pv-1": [], "pv-2": ["wash"]}
    publish(agreed(contract(wash, "pv-1", 7200, n=3)))
    assert committed() == {"pv-1": ["wash"], "pv-2": []}


def test_topics_and_devices_that_are_invented_take_little_memory() -> None:
    """Attacks 86 and 121: topics of 60 kB stayed in memory, and 200 messages of each of 2,000 devices."""
    state = ObservedRun(RUN)
    for number in range(50):
        state.take(topics.inbox(RUN, "x", "1").replace("/x/", f"/{number}{'x' * 60_000}/"), b"{}")
    assert not state._addresses._known
    for number in range(KEPT_DEVICE_MESSAGES + 1_000):
        state.take(topics.device(RUN, f"d{number % 1_000}", "report"), b"%d" % number)
    kept = [message.text for device in state.devices.values() for message in device.messages]
    assert len(kept) <= KEPT_DEVICE_MESSAGES
    assert str(KEPT_DEVICE_MESSAGES + 999) in kept


def shown(state: ObservedRun) -> dict[str, tuple[int, object]]:
    """Return score and forecast of each producer."""
    return {
        producer.id: (producer.score, None if producer.forecast is None else producer.forecast.cumulative_wh.tolist())
        for producer in state.producers.values()
    }


def test_a_member_is_shown_with_what_it_says_of_itself_only(
    recorded: tuple[RunOutcome, list[Delivery]],
) -> None:
    """Attack 120: forecasts, refusals and contracts in a competitor's name, and invented events of the timeline."""
    outcome, heard = recorded
    agent_of = watched(heard)._host_of
    liar = next(agent for agent in agent_of if "/" in agent)
    victim = next(p for p in outcome.scores if agent_of[p] != agent_of[liar])
    contract = {"contract_id": "x/9", "job_id": "x", "producer": victim, "start_s": 9, "agreed_s": 9, "energy_wh": 1.0}
    event = {"do": "offline", "house": agent_of[victim], "duration_s": None}
    bodies: list[dict[str, Any]] = [
        *[{"kind": "Declined", "job_id": "x", "producer": victim}] * 9,
        {"kind": "ContractAgreed", "contract": contract, "reason": ""},
        {"kind": "Happened", "n": 1, "event": event},
    ]
    lies = [
        Envelope(session="s", step=1, time=9, round=0, sender=liar, seq=10**6 + n, to="manager", body=body)
        for n, body in enumerate(bodies)
    ]
    nothing = Prediction(issued_s=9, production=Production(times_s=(9, 99), cumulative_wh=(0.0, 9e6)))
    topic = topics.inbox(RUN, "manager", agent_of[liar])
    state, quiet = watched(heard, from_the_start=True), watched(heard, from_the_start=True)
    state.take(topic, Envelopes(lies).encoded())
    state.take(topics.forecast(RUN, agent_of[liar], victim), nothing.model_dump_json().encode())
    assert state.lines.total == quiet.lines.total + len(lies)
    assert shown(state) == shown(quiet)
    assert list(state.events) == list(quiet.events)


def test_an_event_of_every_second_has_as_many_marks_as_a_chart_has_steps(street: Scenario) -> None:
    """All 86,400 were returned, and drawn, at each refresh of the screen; none is counted twice as it takes place."""
    start_s = street.start_s
    day = range(start_s, start_s + 86_400)
    note = Note(text="Tick")
    scenario = replace(street, timeline=tuple(TimelineEvent(at_s=at_s, action=note) for at_s in day))
    state = ObservedRun(RUN, context_of_scenario(scenario), from_the_start=True)
    counts = []
    for seq in range(0, 900, 450):
        assert len(state.events_between(start_s, start_s + 86_400)) == 288
        counts.append(sum(mark.count for mark in state.events_between(start_s, start_s + 86_400)))
        for n in range(seq, seq + 450):
            body = {"kind": "Happened", "n": n + 1, "event": {"do": "note", "text": "Tick"}}
            told = Envelope(
                session="s", step=n, time=start_s + n, round=0, sender=TIMELINE, seq=n, to="manager", body=body
            )
            state.take(topics.inbox(RUN, "manager", "clock"), Envelopes([told]).encoded())
    assert counts == [86_400, 86_400]


def test_each_refusal_of_a_round_counts_for_the_score_that_is_shown() -> None:
    """One message reports them all; a malformed list counts nothing."""
    state = ObservedRun(RUN)
    topic = topics.inbox(RUN, "manager", "1")
    for seq, others in enumerate((["b", "c"], [""])):
        body = {"kind": "Declined", "job_id": "a", "producer": "pv", "others": others}
        envelope = Envelope(session="s", step=seq, time=seq, round=0, sender="pv", seq=seq, to="manager", body=body)
        state.take(topic, Envelopes([envelope]).encoded())
    assert state.producers["pv"].declined == 3
    assert next(line.text for line in state.lines.since(0)) == "pv declined; also b, c"


def test_every_kind_of_message_has_words() -> None:
    """A new one cannot be forgotten."""
    kinds = {member.model_fields["kind"].default for member in get_args(get_args(AnyMessage)[0])}

    assert kinds == set(KINDS)


async def test_a_watcher_controls_a_run_and_changes_no_contract(street: Scenario) -> None:
    """It pauses and resumes the run over the bus; the ledger is that of an unwatched run."""
    alone = await run_scenario(street, RunSettings(seed=3, run_id="alone"), MemoryBroker())
    broker = MemoryBroker()
    feed = BusFeed(broker, ObservedRun("w", context_of_scenario(street), from_the_start=True), "memory")
    listening = asyncio.create_task(feed.run())
    await until(lambda: feed.status == "connected")

    running = asyncio.create_task(run_scenario(street, RunSettings(seed=3, run_id="w"), broker))
    await until(lambda: feed.watched.lines.total >= 20)
    await feed.control(Control(command="pause"))
    await until(lambda: feed.watched.time and feed.watched.time.state == "paused")
    await feed.control(Control(command="resume"))
    outcome = await running

    assert outcome.ledger_sha256 == alone.ledger_sha256
    listening.cancel()


async def test_a_watcher_sees_that_a_run_was_interrupted(street: Scenario) -> None:
    """Its broker may end with it: that the connection is lost says nothing then. A later process of the run is seen."""
    broker = MemoryBroker()
    feed = BusFeed(broker, ObservedRun("w"), "memory")
    listening = asyncio.create_task(feed.run())
    await until(lambda: feed.status == "connected")

    def status() -> RunStatus:
        seen = feed.watched
        return status_of_run(seen.time, link="unreachable", has_clock_left=seen.has_clock_left)

    running = asyncio.create_task(run_scenario(street, RunSettings(seed=3, run_id="w"), broker))
    await until(lambda: feed.watched.lines.total >= 20)
    assert status().kind == "disconnected"
    running.cancel()
    await until(lambda: status().is_over)
    assert status().words == "interrupted, the clock has left"
    with pytest.raises(asyncio.CancelledError):
        await running

    async with broker.connect("later") as bus:
        report = TimeReport(time=START_S, round=1, step=1, pace="max", lag_wall_s=0.0, state="running")
        await bus.publish(topics.time("w"), report.encoded(), retain=True)
        await until(lambda: not status().is_over)
    listening.cancel()


@pytest.mark.parametrize(("zone", "winter"), [("Europe/Berlin", "13:00"), ("Europe/Atlantis", "14:00"), ("", "14:00")])
def test_a_watcher_shows_the_clock_of_the_runs_zone(zone: str, winter: str) -> None:
    """A run that began in summer is watched in winter; a zone that is not known here keeps the offset of the start."""
    watched = ObservedRun("w")
    watched.take(topics.roster("w"), Roster(hosts={}, utc_offset_s=7200, zone=zone).encoded())
    assert watched.zone.hours(datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp()) == winter


@pytest.mark.parametrize(
    ("state", "stopped_by", "share"), [("running", "", 0.25), ("ended", "anna", 0.25), ("ended", "", 1.0)]
)
def test_a_run_that_ended_before_its_latest_end_is_done(state: RunPhase, stopped_by: str, share: float) -> None:
    """Its last job ran early, and nothing is left to do; a run that was stopped is not done."""
    scenario = neighbourhood({"a": {}}, [job_of("wash", "a", load((0, 0.0), (600, 50.0)))])
    watched = ObservedRun("w", context_of_scenario(scenario, START_S + 4000))
    report = TimeReport(
        time=START_S + 1000, round=0, step=9, pace="max", lag_wall_s=0.0, state=state, stopped_by=stopped_by
    )
    watched.take(topics.time("w"), report.encoded())
    assert watched.share_done() == share


def test_time_passes_between_events_at_a_pace() -> None:
    """A run at the pace of real devices may have no event for hours; where it stands is what the clock reports."""
    scenario = neighbourhood({"a": {}}, [job_of("wash", "a", load((0, 0.0), (600, 50.0)))])
    watched = ObservedRun("w", context_of_scenario(scenario, START_S + 4000))
    event = TimeReport(time=START_S + 1000, round=0, step=9, pace="1x", lag_wall_s=0.0, state="running")
    for report, share in ((event, 0.25), (event.model_copy(update={"reached": START_S + 2000}), 0.5)):
        watched.take(topics.time("w"), report.encoded())
        assert watched.share_done() == share
        assert watched.time is not None
        assert watched.time.now_s == START_S + 4000 * share


@pytest.mark.parametrize("knows_the_scenario", [False, True])
async def test_what_a_house_takes_itself_is_neither_offered_nor_free(*, knows_the_scenario: bool) -> None:
    """A roof of 1 kW, a base load of 200 W: a watcher sees 800 W, whether it has the scenario or not."""
    roof = forecast(sun((0, 0.0), (7200, 2000.0)))
    house = neighbourhood({"a": {"pv": roof}}, [job_of("wash", "a", load((0, 0.0), (600, 50.0)), (0, 3000))])
    base_load = CumulativeSeries(times_s=(START_S, START_S + 7200), cumulative_wh=(0.0, 400.0))
    scenario = replace(house, base_loads={"a": base_load})
    broker = MemoryBroker()
    context = context_of_scenario(scenario) if knows_the_scenario else None
    feed = BusFeed(broker, ObservedRun("w", context, from_the_start=True), "memory")
    listening = asyncio.create_task(feed.run())
    await until(lambda: feed.status == "connected")
    await run_scenario(scenario, RunSettings(seed=3, run_id="w"), broker)
    await until(lambda: feed.watched.time and feed.watched.time.state == "ended")
    day = feed.watched.day_of(feed.watched.producers["pv"], START_S, START_S + 7200, 2)
    assert day.forecast_wh == pytest.approx([800, 800])
    assert day.remaining_wh.sum() == pytest.approx(1600 - 50)
    listening.cancel()


async def test_runs_on_a_broker_are_found(street: Scenario) -> None:
    """This includes finished runs with `--keep`."""
    broker = MemoryBroker()
    await run_scenario(street, RunSettings(seed=3, run_id="gone"), broker)
    await run_scenario(street, RunSettings(seed=3, run_id="a b/c", keep=True), broker)
    finder = RunFinder(broker, "memory")
    listening = asyncio.create_task(finder.run())
    await until(lambda: finder.runs)

    assert list(finder.runs) == ["a b/c"]
    assert finder.runs["a b/c"].is_over
    listening.cancel()


def test_a_run_whose_clock_is_gone_is_listed_with_the_time_that_it_has_reached() -> None:
    """While its broker restarted, the list said that it was at its start, with no pace."""
    finder = RunFinder(MemoryBroker(), "memory")
    before = TimeReport(time=START_S + 3600, round=1, step=7, pace="60x", lag_wall_s=0.0, state="running")
    last_will = TimeReport(time=START_S, round=0, step=0, pace="", lag_wall_s=0.0, state="gone")
    for report in (before, last_will):
        finder.take(Delivery(topics.time("r"), report.encoded(), retain=False))
    assert finder.runs["r"].report == before.model_copy(update={"state": "gone"})


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_a_watcher_whose_login_is_refused_gives_up(tmp_path: Path) -> None:
    """It does not retry forever, and reports the reason."""
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    async with managed_mosquitto(extra_configuration=f"allow_anonymous false\npassword_file {passwords}\n") as running:
        finder = RunFinder(MqttBroker(running.url, is_patient=False), "guarded")
        async with asyncio.timeout(PATIENCE_WALL_S):
            await finder.run()
    assert finder.status == "refused"
    assert "refused the login (no user given)" in finder.problem


def test_a_producer_has_committed_only_its_shares(street: Scenario) -> None:
    """Half of the job comes from another roof; it counted whole at both."""
    share = {"producer": "pv-a", "minutes_mwh": [[30, 5_000], [30, 15_000]]}
    terms = {"job_id": "wash", "producer": "shared", "start_s": START_S, "agreed_s": START_S, "energy_wh": 1_200.0}
    contract = {
        "contract_id": "wash/1",
        **terms,
        "shares": [share, {"producer": "pv-b", "minutes_mwh": [[60, 10_000]]}],
    }
    event = {"at_s": START_S, "what": "agreed", "start_s": START_S, "reason": "", "shares": contract["shares"]}
    entry = LedgerEntry.model_validate_json(json.dumps({"contract": contract, "state": "standing", "history": [event]}))
    run = ObservedRun("run", context_of_scenario(street))
    run._entry(entry)  # as it comes from the broker
    day = run.day_of(run.producers["pv-a"], START_S, START_S + 7_200, 4)
    assert day.committed_wh.tolist() == pytest.approx([150.0, 450.0, 0.0, 0.0])
    assert day.unknown == 0
