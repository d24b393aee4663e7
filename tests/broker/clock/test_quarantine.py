"""A host that breaks the protocol is quarantined; the others finish the run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from broker.clock.clock import Clock
from broker.clock.journal import ClockJournal
from broker.clock.next_round import ScheduledRound
from broker.clock.pacing import Moment
from broker.clock.quarantine import ALLOWED
from broker.clock.settings import ClockSettings, OnLoss
from broker.errors import AgentFailedError, HostRefusedError, HostsMissingError
from broker.hosts.agent import Agent, AskLapsedError
from broker.hosts.host import Host
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes
from broker.protocol.retry_timeouts import Timeouts
from broker.protocol.wire import Announcement, Done, Grant, Roster, Wake
from broker.transport.base import MAX_PAYLOAD_BYTES, Bus, Delivery
from broker.transport.memory import MemoryBroker
from tests.broker.clock.test_clock import MESSAGES, Echo, Ping
from tests.broker.hosts.test_sessions import quickly

RUN = "r"
LIMIT_WALL_S = 20.0
TIMEOUTS = Timeouts(resend_wall_s=0.5, resend_most_wall_s=5, limit_wall_s=LIMIT_WALL_S)


class Asker(Agent[Ping]):
    """Asks another agent at second 5 and an echo at second 9, and records the answers."""

    def __init__(self, agent_id: str, first: str) -> None:
        super().__init__(agent_id)
        self.first = first
        self.notes: list[tuple[int, str]] = []

    async def run(self) -> None:
        for time_s, to in ((5, self.first), (9, "echo")):
            await self.until(time_s)
            try:
                answer = await self.ask(to, Ping(n=time_s))
            except AskLapsedError:
                self.notes.append((self.now_s, f"{to} lapsed"))
            else:
                self.notes.append((self.now_s, f"{to} {answer.n}"))


class StepRecorder:
    """Sees each step as the clock reads it."""

    def __init__(self) -> None:
        self.sent: list[Envelope] = []

    def step_ran(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        self.sent += [envelope for envelope in sent if envelope.step == moment.step]

    def keep(self) -> bool:
        return True


class Member:
    """Host `b` with the agent `bee`: answers grants truthfully, except for what a test changes."""

    def __init__(self, bus: Bus, lie: Callable[[Member, Grant], Awaitable[dict[str, Any] | None]]) -> None:
        self.bus = bus
        self.lie = lie
        self.seq = 0
        self.last: tuple[int, bytes] | None = None
        self.sessions: dict[str, str] = {}

    async def live(self) -> None:
        await self.bus.subscribe(topics.grants(RUN), topics.grant(RUN, "b"), topics.roster(RUN))
        await self.announce()
        async for event in self.bus.messages():
            if isinstance(event, Delivery) and event.topic == topics.roster(RUN) and event.payload:
                roster = Roster.model_validate_json(event.payload)
                self.sessions = {host: member.session for host, member in roster.hosts.items()}
                if self.last is not None and self.sessions.get("b") == "":
                    await self.announce()  # to a clock that was restarted
            if isinstance(event, Delivery) and event.topic in {topics.grants(RUN), topics.grant(RUN, "b")}:
                grant = Grant.model_validate_json(event.payload)
                if "b" not in grant.expected:
                    continue
                if self.last is None or self.last[0] != grant.step:
                    changes = await self.lie(self, grant)
                    if changes is None:
                        continue
                    self.last = (grant.step, self.answer(grant, **changes))
                await self.bus.publish(topics.done(RUN, "b"), self.last[1])

    async def announce(self) -> None:
        ran = -1 if self.last is None else self.last[0]
        there = Announcement(host="b", session="b's", agents=("bee",), ran=ran, state="there")
        await self.bus.publish(topics.host(RUN, "b"), there.encoded(), retain=True)

    def answer(self, grant: Grant, **changes: object) -> bytes:
        done = Done(session="b's", step=grant.step, time=grant.time, round=grant.round, sent={}, next=None)
        return json.dumps(json.loads(done.encoded()) | changes).encode()

    def message(self, grant: Grant, to: str = "asker", **changes: object) -> bytes:
        self.seq += 1
        envelope = Envelope(
            session="b's",
            step=grant.step,
            time=grant.time,
            round=grant.round,
            sender="bee",
            seq=self.seq,
            to=to,
            body=Ping(n=1).model_dump(),
        )
        batch = json.loads(Envelopes([envelope]).encoded())
        round_ = batch["rounds"][0]
        for holder in (batch, round_, round_["messages"][0]):
            holder.update((key, value) for key, value in changes.items() if key in holder)
        return json.dumps(batch).encode()

    async def send(self, to_host: str, payload: bytes) -> None:
        topic = topics.local(RUN, "b") if to_host == "b" else topics.inbox(RUN, to_host, "b")
        await self.bus.publish(topic, payload)


class Outcome:
    """The outcome of a run in which `b` lied."""

    def __init__(self, clock: Clock, asker: Asker, wire: StepRecorder, moments: list[Moment]) -> None:
        self.clock = clock
        self.asker = asker
        self.wire = wire
        self.moments = moments
        self.rosters: list[Roster] = []
        self.wall_s = 0.0

    @property
    def without(self) -> dict[str, str]:
        return self.clock.membership.reasons


def run_with(
    lie: Callable[[Member, Grant], Awaitable[dict[str, Any] | None]],
    *,
    on_loss: OnLoss = "drop",
    first: str = "echo",
    journal: ClockJournal | None = None,
    **limits: Any,
) -> Outcome:
    """Run the hosts `a` (an asker) and `c` (an echo) with a lying host `b`; return the outcome."""
    asker, wire = Asker("asker", first), StepRecorder()
    members = {"a": ("asker",), "b": ("bee",), "c": ("echo",)}
    settings = ClockSettings(
        RUN,
        members,
        0,
        timeouts=TIMEOUTS,
        on_loss=on_loss,
        latest_s=100,
        indispensable=frozenset({"c"}),
        most_rounds_a_second=50,
        **limits,
    )
    moments: list[Moment] = []
    clock = Clock(settings, moments.append, observer=wire, journal=journal, messages=MESSAGES)
    outcome = Outcome(clock, asker, wire, moments)

    async def watch(bus: Bus) -> None:
        await bus.subscribe(topics.roster(RUN))
        async for event in bus.messages():
            if isinstance(event, Delivery) and event.payload:
                outcome.rosters.append(Roster.model_validate_json(event.payload))

    async def main() -> None:
        broker = MemoryBroker()
        started_wall_s = asyncio.get_running_loop().time()
        async with broker.connect("b") as bus, broker.connect("watcher") as watcher:
            background = [asyncio.create_task(Member(bus, lie).live()), asyncio.create_task(watch(watcher))]
            try:
                async with asyncio.TaskGroup() as tasks:
                    for host, agent in (("a", asker), ("c", Echo("echo"))):
                        tasks.create_task(Host(host, RUN, [agent], MESSAGES, seed=1, timeouts=TIMEOUTS).run(broker))
                    tasks.create_task(outcome.clock.run(broker))
            finally:
                outcome.wall_s = asyncio.get_running_loop().time() - started_wall_s
                for task in background:
                    task.cancel()

    quickly(main())
    return outcome


def once(step: int, what: Callable[[Member, Grant], Awaitable[dict[str, Any]]]) -> Any:
    """Lie in one step only."""

    async def lie(member: Member, grant: Grant) -> dict[str, Any]:
        return await what(member, grant) if grant.step == step else {"next": 50} if grant.step < step else {}

    return lie


def lying_answer(**changes: object) -> Any:
    """Lie in the answer to the first step."""

    async def what(_member: Member, _grant: Grant) -> dict[str, Any]:
        return changes

    return once(0, what)


HONEST = [(5, "echo 6"), (9, "echo 10")]


def test_an_honest_member_is_not_quarantined() -> None:
    """The run lasts until the last timer, with all hosts."""
    outcome = run_with(lying_answer(next=50))
    assert outcome.asker.notes == HONEST
    assert outcome.without == {}
    assert outcome.moments[-1].time_s == 50
    assert not any(roster.quarantined for roster in outcome.rosters)


@pytest.mark.parametrize(
    "changes",
    [
        {"next": -(10**30)},
        {"next": 10**30},
        {"next": 2**63},
        {"next": 101},
        {"next": -1},
        {"next": "soon"},
        {"sent": {"nobody": 1}},
        {"sent": {"a": 200_000}},
        {"sent": {"a": -1}},
        {"sent": {"b": 1}},
        {"local": 200_000},
        {"pending": True},
        {"more": 1},
        {"failure": {"agent": "asker", "traceback": "blames another"}},
        {"failure": {"agent": "bee", "traceback": "x" * 30_000}},
        {"step": 7},
        {"unknown": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("on_loss", ["drop", "wait"])
def test_a_malformed_answer_puts_its_sender_out(changes: dict[str, object], on_loss: OnLoss) -> None:
    """The others finish the run as if it were not there, long before the limit; the roster says who and why."""
    outcome = run_with(lying_answer(**changes), on_loss=on_loss)
    assert outcome.asker.notes == HONEST
    assert set(outcome.without) == {"b"}
    assert set(outcome.rosters[-2].quarantined) == {"b"}
    assert "break the protocol" in outcome.without["b"]
    assert outcome.wall_s < LIMIT_WALL_S
    assert [moment.time_s for moment in outcome.moments] == sorted(moment.time_s for moment in outcome.moments)


def test_a_malformed_answer_fails_the_run_that_is_to_fail_at_once() -> None:
    """The error names the host and says what was wrong."""
    with pytest.raises(ExceptionGroup) as caught:
        run_with(lying_answer(next=10**30), on_loss="fail")
    assert caught.group_contains(HostsMissingError, match=r"host 'b' is lost: .*break the protocol")


BODIES = [{}, {"kind": []}, {"kind": {}}, {"kind": "Ping", "n": 2**70}, {"kind": "Ping", "n": float("nan")}]


@pytest.mark.parametrize(
    "changes",
    [*({"body": body} for body in BODIES), {"seq": 2**63}, {"time": 2**70}, {"time": 4}, {"sender": "echo"}],
    ids=str,
)
def test_a_malformed_message_that_is_counted_quarantines_its_sender(changes: dict[str, object]) -> None:
    """It never counts as arrived, and when asked again its sender repeats it."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        payload = member.message(grant, "asker", **changes)
        for _ in range(2):
            await member.send("a", payload)
        return {"sent": {"a": 1}}

    outcome = run_with(once(0, what), on_loss="wait")
    assert outcome.asker.notes == HONEST
    assert set(outcome.without) == {"b"}
    assert outcome.wall_s < LIMIT_WALL_S


def test_oversized_messages_quarantine_their_sender() -> None:
    """The receive queue drops them, but they are counted."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        payload = member.message(grant, "asker", body={"kind": "Ping", "n": 1, "x": "x" * MAX_PAYLOAD_BYTES})
        for _ in range(2):
            await member.send("a", payload)
        return {"sent": {"a": 1}}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST
    assert "too large" in outcome.without["b"]


def test_a_body_that_no_agent_understands_delays_no_host() -> None:
    """The message counts as arrived, and its receiver drops it."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        await member.send("a", member.message(grant, "asker", body={"kind": "Nonsense"}))
        return {"sent": {"a": 1}}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST
    assert outcome.without == {}
    assert all(envelope.body["kind"] == "Ping" for envelope in outcome.wire.sent)


def test_bodies_that_no_agent_understands_count_against_their_sender() -> None:
    """Ten of them are enough; none is recorded."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        for _ in range(10):
            await member.send("a", member.message(grant, body={"kind": "Nonsense"}))
        return {"sent": {"a": 10}, "next": 50}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST
    assert set(outcome.without) == {"b"}
    assert all(envelope.body["kind"] == "Ping" for envelope in outcome.wire.sent)


def test_promised_messages_that_never_arrive_get_their_sender_dropped() -> None:
    """At the time limit the sender is dropped, not the host that waits, even if the sender gives signs of life."""
    outcome = run_with(lying_answer(sent={"a": 5}))
    assert outcome.asker.notes == HONEST
    assert set(outcome.without) == {"b"}
    assert LIMIT_WALL_S <= outcome.wall_s <= 2 * LIMIT_WALL_S


def test_messages_to_another_host_than_reported_quarantine_their_sender_at_once() -> None:
    """The clock waits for none of those that are reported."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        await member.send("c", member.message(grant, "echo"))
        return {"sent": {"a": 1}}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST
    assert "more messages" in outcome.without["b"]
    assert outcome.wall_s < LIMIT_WALL_S


def test_messages_in_an_earlier_round_than_reported_get_their_sender_dropped() -> None:
    """A host that runs alone sends to others only in its last round; no host may wait for messages of another one."""

    async def lie(member: Member, grant: Grant) -> dict[str, Any]:
        if not grant.alone or grant.time != 7:
            return {"next": 7} if grant.time < 7 else {}
        await member.send("a", member.message(grant))
        return {"sent": {"a": 1}, "more": 1}

    outcome = run_with(lie)
    assert outcome.asker.notes == HONEST
    assert set(outcome.without) == {"b"}


def test_promised_messages_that_never_arrive_fail_a_run_that_may_lose_no_host() -> None:
    """The run fails at the time limit, and the error names the sender."""
    with pytest.raises(ExceptionGroup) as caught:
        run_with(lying_answer(sent={"a": 5}), on_loss="wait")
    assert caught.group_contains(HostsMissingError, match="no messages that they reported from hosts within 20 s: 'b'")


def test_the_clock_gives_up_on_a_host_that_stays_busy() -> None:
    """Signs of life help for ten limits."""

    async def lie(member: Member, grant: Grant) -> dict[str, Any] | None:
        await member.bus.publish(topics.done(RUN, "b"), member.answer(grant, busy=True))
        return None

    outcome = run_with(lie)
    assert outcome.asker.notes == HONEST
    assert set(outcome.without) == {"b"}
    assert 10 * LIMIT_WALL_S <= outcome.wall_s <= 11 * LIMIT_WALL_S


FAILURE = {"failure": {"agent": "bee", "traceback": "Traceback ...\nZeroDivisionError: \x1b]0;title\x07"}}


def test_a_failure_gets_the_host_that_reports_it_dropped() -> None:
    """If lost hosts are dropped, the host is dropped with a reason that is safe to display."""
    outcome = run_with(lying_answer(**FAILURE))
    assert outcome.asker.notes == HONEST
    assert outcome.without["b"].startswith("its agent 'bee' failed: ZeroDivisionError: ")
    assert outcome.without["b"].isprintable()


def test_a_failure_ends_a_run_that_may_lose_no_host() -> None:
    """The error names the host that reports it."""
    with pytest.raises(ExceptionGroup) as caught:
        run_with(lying_answer(**FAILURE), on_loss="wait")
    assert caught.group_contains(AgentFailedError, match="agent 'bee' on host 'b' failed")


def test_a_request_without_an_answer_lapses_before_time_moves() -> None:
    """The agent that asked continues in the same second, and the silent one is not dropped."""
    outcome = run_with(lying_answer(next=50), first="bee")
    assert outcome.asker.notes == [(5, "bee lapsed"), (9, "echo 10")]
    assert outcome.without == {}


def test_a_request_to_an_agent_that_does_not_exist_lapses_at_once() -> None:
    """The id came from someone else, so the agent that asks is not at fault."""
    outcome = run_with(lying_answer(next=50), first="ghost")
    assert outcome.asker.notes == [(5, "ghost lapsed"), (9, "echo 10")]
    assert [moment.round for moment in outcome.moments if moment.time_s == 5] == [0]


def test_a_host_that_always_claims_to_be_asking_does_not_stop_time() -> None:
    """Its requests lapse once in a second."""

    async def lie(_member: Member, grant: Grant) -> dict[str, Any]:
        return {"asking": True, "next": 50 if grant.time < 50 else None}

    outcome = run_with(lie)
    assert outcome.asker.notes == HONEST
    assert outcome.moments[-1].time_s == 50


@pytest.mark.parametrize("rounds", [1, 1000])
def test_a_host_that_skips_rounds_forever_is_quarantined(rounds: int) -> None:
    """Each skipped round counts as an initiative, even if no agent acts in it."""

    async def lie(_member: Member, grant: Grant) -> dict[str, Any]:
        return {"resume": grant.step + rounds, "next": None}

    outcome = run_with(lie)
    assert outcome.asker.notes == HONEST
    assert outcome.without == {"b": "it has kept a second of virtual time going for 50 rounds"}


async def _timer_every_second(_member: Member, grant: Grant) -> dict[str, Any]:
    return {"next": grant.time + 1}


async def _round_every_second(member: Member, grant: Grant) -> dict[str, Any]:
    await member.bus.publish(topics.wake(RUN, "b"), Wake(session="b's", taken=grant.step).encoded())
    return {}


@pytest.mark.parametrize("lie", [_timer_every_second, _round_every_second])
def test_a_host_that_causes_a_round_every_second_is_quarantined(lie: Any) -> None:
    """It does so by timers, or by requests as for input from outside; the others finish normally."""
    outcome = run_with(lie, most_timers={"b": 20})
    assert outcome.asker.notes == HONEST
    assert outcome.without == {"b": "it has set more than 20 timers"}
    assert 15 <= max(moment.time_s for moment in outcome.moments) <= 25


def test_a_host_may_set_as_many_timers_as_it_is_allowed() -> None:
    """One of the timers is at the last second."""

    async def lie(_member: Member, grant: Grant) -> dict[str, Any]:
        return {"next": grant.time + 1 if grant.time < 20 else None}

    assert run_with(lie, most_timers={"b": 20}).without == {}


def test_a_host_that_prolongs_each_second_is_quarantined_in_the_end() -> None:
    """It stays within the limit per second, but exceeds that of the run."""

    async def lie(_member: Member, grant: Grant) -> dict[str, Any]:
        return {"resume": grant.step + 1, "next": None} if grant.round < 40 else {"next": grant.time + 1}

    outcome = run_with(lie, most_rounds=200)
    assert outcome.asker.notes == HONEST
    assert outcome.without == {"b": "it has kept the run going for 200 rounds"}


async def _malformed_every_second(member: Member, grant: Grant) -> dict[str, Any]:
    await member.bus.publish(topics.wake(RUN, "b"), b"{}")
    return {"next": grant.time + 1}


async def _lets_rounds_pass_every_second(_member: Member, grant: Grant) -> dict[str, Any]:
    return {"resume": grant.step + 1} if grant.round < 3 else {"next": grant.time + 1}


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (_timer_every_second, "it has set more than 30 timers"),
        (_malformed_every_second, "it sent 10 messages that break the protocol"),
        (_lets_rounds_pass_every_second, "it has kept the run going for 40 rounds"),
    ],
    ids=["timers", "malformed", "rounds"],
)
def test_a_restarted_clock_continues_counting(tmp_path: Path, lie: Any, why: str) -> None:
    """However often it is: no restart gives a host a fresh allowance."""
    members = {"b": ("bee",), "c": ("echo",)}
    settings = ClockSettings(
        RUN, members, 0, timeouts=TIMEOUTS, on_loss="drop", latest_s=100, indispensable=frozenset({"c"}),
        most_timers={"b": 30}, most_rounds=40,
    )  # fmt: skip

    async def run_until(restart_s: int, broker: MemoryBroker) -> Clock:
        def stop(moment: Moment) -> None:
            if moment.time_s >= restart_s:
                running.cancel()

        with ClockJournal(tmp_path / "journal", {}) as journal:
            clock = Clock(settings, stop, observer=StepRecorder(), journal=journal, messages=MESSAGES)
            running = asyncio.create_task(clock.run(broker))
            await asyncio.wait([running])
        return clock

    async def main() -> dict[str, str]:
        broker = MemoryBroker()

        async def lie_until_60(member: Member, grant: Grant) -> dict[str, Any]:
            return await lie(member, grant) if grant.time < 60 else {}

        async with asyncio.TaskGroup() as tasks, broker.connect("b") as bus:
            liar = tasks.create_task(Member(bus, lie_until_60).live())
            echo = Host("c", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=TIMEOUTS)
            tasks.create_task(echo.run(broker))
            for restart_s in (*range(3, 60, 3), 99):
                clock = await run_until(restart_s, broker)
            liar.cancel()
        return clock.membership.reasons

    assert why in quickly(main()).get("b", "")


def test_a_host_cannot_continue_in_a_step_that_is_over_or_far_ahead() -> None:
    """Such an answer is malformed."""

    async def lie(_member: Member, grant: Grant) -> dict[str, Any]:
        return {"resume": grant.step + 10**6, "next": None}

    outcome = run_with(lie)
    assert outcome.asker.notes == HONEST
    assert "continues in step" in outcome.without["b"]


@pytest.mark.parametrize("to", [("a", "asker"), ("c", "echo")], ids=str)
@pytest.mark.parametrize("re", [None, 0, 7])
def test_a_host_that_keeps_a_second_from_ending_is_quarantined(to: tuple[str, str], re: int | None) -> None:
    """This holds for any recipients and any claimed answers; an echo that answers each message is not at fault."""

    async def lie(member: Member, grant: Grant) -> dict[str, Any]:
        await member.send(to[0], member.message(grant, to[1], re=re))
        await member.send("b", member.message(grant, "bee"))
        return {"sent": {to[0]: 1}, "local": 1, "pending": True}

    outcome = run_with(lie)
    assert outcome.asker.notes == HONEST
    assert outcome.without == {"b": "it has kept a second of virtual time going for 50 rounds"}


def test_announcing_the_session_of_another_host_harms_no_host() -> None:
    """Every member can read all sessions in the roster; a refusal applies only to the announcing host."""

    async def what(member: Member, _grant: Grant) -> dict[str, Any]:
        for host in ("a", "c"):
            session = member.sessions[host]
            stolen = Announcement(host="b", session=session, agents=("wrong",), state="there")
            await member.bus.publish(topics.host(RUN, "b"), stolen.encoded(), retain=True)
        return {"next": 50}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST
    assert outcome.without == {}
    assert {host for refused in outcome.rosters[-2].refused.values() for host in refused} == {"b"}


def test_a_member_that_alternates_two_processes_does_not_flood_the_others_with_rosters() -> None:
    """Restarts come at most one per five seconds after the first ones; the last process that came takes part."""

    async def what(member: Member, _grant: Grant) -> dict[str, Any]:
        for n in range(250):
            for session, state in (("b's", "gone"), (f"b's {n}", "there"), (f"b's {n}", "gone"), ("b's", "there")):
                agents = ("bee",) if state == "there" else ()
                announced = Announcement(host="b", session=session, agents=agents, state=state)
                await member.bus.publish(topics.host(RUN, "b"), announced.encoded(), retain=True)
            await asyncio.sleep(0.06)
        return {"next": 50}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST
    assert len(outcome.rosters) < 40


def test_a_member_cannot_fill_the_roster() -> None:
    """The roster lists only a few refused sessions per host."""

    async def what(member: Member, _grant: Grant) -> dict[str, Any]:
        for n in range(1_000):
            announcement = Announcement(host="b", session=f"{n:064}", agents=("wrong",), state="there")
            await member.bus.publish(topics.host(RUN, "b"), announcement.encoded())
        return {"next": 50}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST
    assert all(len(roster.encoded()) < 2_000 for roster in outcome.rosters)


@pytest.mark.parametrize("timer_s", [10**30, -(10**30), 2**63])
def test_a_clock_with_a_poisoned_journal_resumes(tmp_path: Path, timer_s: int) -> None:
    """The clock detects a host's timer that an earlier version accepted, and quarantines the host."""
    with ClockJournal(tmp_path / "journal", {}) as journal:
        first = ScheduledRound(
            time_s=0, round=0, step=0, phase="start", counts={"a": {}, "c": {}}, timers_s={"b": timer_s}, ran={},
            acted_until_s=0,
        )  # fmt: skip
        journal.save_round(first)
        outcome = run_with(lying_answer(), journal=journal)
        resumed = journal.load_round()
    assert outcome.asker.notes == HONEST
    assert set(outcome.without) == {"b"}
    assert resumed is not None
    assert resumed.quarantined == ("b",)


@pytest.mark.parametrize("on_loss", ["drop", "wait"])
def test_the_clock_does_not_wait_for_a_host_quarantined_before_it_joins(on_loss: OnLoss) -> None:
    """The run starts without it as soon as it is quarantined, not at the time limit."""

    async def main() -> None:
        broker = MemoryBroker()
        settings = ClockSettings(
            RUN, {"b": ("bee",), "c": ("echo",)}, 0, timeouts=TIMEOUTS, on_loss=on_loss, indispensable=frozenset({"c"})
        )
        clock = Clock(settings, messages=MESSAGES)
        async with asyncio.TaskGroup() as tasks, broker.connect("b") as bus:
            tasks.create_task(Host("c", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=TIMEOUTS).run(broker))
            running = tasks.create_task(clock.run(broker))
            for _ in range(ALLOWED):
                await asyncio.sleep(0.01)  # the clock reads each before the next one comes
                await bus.publish(topics.done(RUN, "b"), b"{}")
            async with asyncio.timeout(TIMEOUTS.limit_wall_s / 2):
                await running
        assert set(clock.membership.quarantined) == {"b"}

    quickly(main())


def test_a_quarantined_host_leaves() -> None:
    """Its process ends with the reason."""

    async def main() -> None:
        broker = MemoryBroker()
        host = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=TIMEOUTS)
        async with broker.connect("rest") as bus:
            await bus.publish(topics.roster(RUN), Roster(hosts={}, quarantined={"a": "it lied"}).encoded(), retain=True)
            with pytest.raises(ExceptionGroup) as caught:
                await host.run(broker)
        assert caught.group_contains(HostRefusedError, match="host 'a' was quarantined: it lied")

    quickly(main())
