"""The clock, which alone advances virtual time, and only when message counts show that nothing is left to do.

It grants a round to the hosts that have messages or timers due, waits for their answers, and learns from the message
counts in them which hosts are addressed in the next round. If none are, time advances to the earliest timer. Every
grant is journaled before it is published, so a clock that crashed resumes and grants the same round again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import structlog
from pydantic import ValidationError

from broker.clock.barrier import RoundBarrier, check_senders
from broker.clock.journal import ClockJournal
from broker.clock.membership import Admission, Membership, missing_error
from broker.clock.pacing import Moment, Pace, PaceError, RunControl
from broker.clock.schedule import ScheduledRound, first_round, next_round
from broker.clock.time_report import CHECK_INTERVAL_WALL_S, Awaited, Reported, Reporter
from broker.errors import AgentFailedError, HostsMissingError, ProtocolError
from broker.protocol import (
    Announcement,
    Control,
    Done,
    Envelope,
    Grant,
    RejectedMessages,
    ResendRequest,
    Timeouts,
    Wake,
    topics,
)
from broker.transport import Broker, Bus, Delivery, leave_gracefully

log = structlog.get_logger(__name__)

OnLoss = Literal["wait", "drop", "fail"]


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Settings of a run's clock."""

    run: str
    hosts: Mapping[str, tuple[str, ...]]
    """By host id, the agents that live there; the run starts when all hosts are present."""
    start_s: int
    end_s: int | None = None
    """End of the run, UNIX seconds, exclusive; None: the run ends when no timer is left."""
    is_open: bool = False
    """Whether something may come from outside the run at any time: then the run goes on to its end although no timer is
    left, at its pace; without an end, until it is stopped."""
    stop_after_s: int | None = None
    """Last second of which timers fire, UNIX seconds: what a run that was stopped there did; None: none."""
    pace: Pace = field(default_factory=Pace)
    timeouts: Timeouts = field(default_factory=Timeouts)
    on_loss: OnLoss = "wait"
    """What to do about a lost host: `wait` until the time limit, then fail; `drop` it at the limit and continue without
    it; `fail` at once.
    """
    indispensable: frozenset[str] = frozenset()
    """Hosts that are never dropped."""
    setups: Mapping[str, str] = field(default_factory=dict)
    """By host, the fingerprint of the settings that it must have been started with; hosts not listed may have any."""
    utc_offset_s: int = 0
    """Offset from UTC at which the run's times are displayed. The clock only passes it on."""
    keep: bool = False
    """Whether retained messages stay at the broker after the run, for later inspection."""


class StepObserver(Protocol):
    """Called with every step's complete, ordered messages before the next step is granted."""

    def step_ran(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """Observe a step. After a restart of the clock the last step may be reported again.

        Args:
            moment: The step's virtual time, round and number.
            sent: Its messages, sorted by (sender, sequence number).
        """
        ...


class Clock:
    """Coordinates the rounds of one run."""

    def __init__(
        self,
        settings: ClockSettings,
        on_moment: Callable[[Moment], None] | None = None,
        *,
        on_missing: Callable[[tuple[str, ...]], None] | None = None,
        on_report: Callable[[Reported], None] | None = None,
        observer: StepObserver | None = None,
        journal: ClockJournal | None = None,
    ) -> None:
        """Create a clock.

        Args:
            settings: The run.
            on_moment: Called with each step as it is granted.
            on_missing: Called with the ids of missing hosts whenever they change before the run starts.
            on_report: Called with the run's status whenever it is published, and while it cannot be published.
            observer: Receives all messages between agents, as read from the broker.
            journal: Stores each grant; if it contains one, the clock resumes from it.
        """
        self.settings = settings
        self.membership = Membership(settings.hosts, settings.setups, utc_offset_s=settings.utc_offset_s)
        self._on_moment = on_moment
        self._observer = observer
        self._journal = journal
        resumed = journal.load_round() if journal is not None else None
        self._step = resumed or first_round(settings.start_s, tuple(settings.hosts))
        for host in self._step.dropped:
            self.membership.drop(host)
        self._known_hosts = dict(self.membership.expected) | self.membership.dropped
        self.rejected = RejectedMessages(topics.CLOCK)
        """Messages that violated the protocol."""
        self._barrier = RoundBarrier()
        self._admission = Admission(
            settings.run,
            self.membership,
            self._barrier,
            settings.timeouts,
            ran=self._possible_last_steps,
            on_missing=on_missing,
            keep=settings.keep,
        )
        self._on_report = on_report
        self._run_control: RunControl | None = None
        self._reporter: Reporter
        self._waiting_since_wall_s: float | None = None
        """Since when the clock has been waiting for hosts before the run, loop time; None: it is not."""
        self._missing_since_wall_s: float | None = None
        """Since when it has been waiting for messages that the observer must receive, loop time; None: it is not."""
        self._taking: dict[str, int] = {}
        """By host, the last step in which it takes what comes from outside the run."""
        self._woken: set[str] = set()
        """Hosts that hold something from outside the run and have not been granted a first round of a second since."""

    @property
    def now(self) -> Moment:
        """The current virtual time, round and step."""
        return self._step.moment

    @property
    def acted_until_s(self) -> int:
        """Latest virtual time up to which timers have fired, UNIX seconds; the run's end may be later."""
        return self._step.acted_until_s

    @property
    def is_stopped(self) -> bool:
        """Whether someone asked to end the run early."""
        return self._run_control is not None and self._run_control.is_stopped

    async def run(self, broker: Broker) -> None:
        """Run until the end.

        The clock's retained messages are removed from the broker when the run ends, fails or is interrupted. Only a
        roster that says `ended` stays while a host is away and may come back.

        Args:
            broker: Where clock and hosts meet.

        Raises:
            BrokerUnreachableError: See `broker.transport.base`.
            BrokerLostError: See `broker.transport.base`.
            HostsMissingError: Hosts were silent for longer than the limit; the message names them.
            AgentFailedError: An agent raised an exception.
        """
        run = self.settings.run
        # The client id must stay secret, as a host's: a broker ends a client's connection when another one takes its
        # id.
        async with broker.connect(f"{run}-clock-{secrets.token_hex(8)}") as bus:
            try:
                await self._run(bus)
            except BaseException:
                await leave_gracefully(self._clear_retained(bus, with_roster=True))
                raise
            has_all = self._check_all_left()
            await self._clear_retained(bus, with_roster=has_all)

    async def _run(self, bus: Bus) -> None:
        run = self.settings.run
        run_control = self._run_control = RunControl(self.settings.pace, self._step.time_s)
        reporter = self._reporter = Reporter(run, lambda: self.now, self._awaited, run_control, self._on_report)
        await bus.subscribe(topics.hosts(run), topics.control(run), qos=topics.QOS_AT_LEAST_ONCE)
        await bus.subscribe(topics.dones(run), topics.wakes(run))
        if self._observer is not None:
            await bus.subscribe(topics.all_inboxes(run))
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self._read(bus, run_control), name="clock.read"),
                tasks.create_task(self._admission.keep_publishing(bus), name="clock.tell"),
                tasks.create_task(reporter.keep_reporting(bus), name="clock.report"),
            ]
            try:
                if self._step.phase != "end":
                    self._waiting_since_wall_s = asyncio.get_running_loop().time()
                    await reporter.report(bus, "waiting")
                    await self._admission.wait_for_hosts(bus)
                    self._waiting_since_wall_s = None
                self._admission.open()
                await self._run_steps(bus, run_control)
            except (AgentFailedError, HostsMissingError) as error:
                await reporter.report(bus, "failed")
                await self._admission.publish(bus, failed=str(error).partition("\n")[0])
                raise
            await reporter.report(bus, "ended")
            await self._admission.publish(bus, ended=True)
            self._admission.close()
            for task in background:
                task.cancel()
            self.rejected.log_suppressed()

    def _check_all_left(self) -> bool:
        """Return whether all hosts have left in good order, and journal it for a clock that is restarted.

        Such a host has journaled the last step, so it need not be informed of the run's end.
        """
        if not self._step.all_left:
            late = self.membership.expected.keys() - self._barrier.dones.keys()
            if not late and not self.membership.dropped:
                self._step = self._step.model_copy(update={"all_left": True})
                if self._journal is not None:
                    self._journal.save_round(self._step)
        return self._step.all_left

    async def _clear_retained(self, bus: Bus, *, with_roster: bool) -> None:
        """Remove the clock's retained messages from the broker."""
        if self.settings.keep:
            return
        run = self.settings.run
        for topic in (topics.time(run), topics.roster(run)) if with_roster else (topics.time(run),):
            await bus.publish(topic, b"", qos=topics.QOS_AT_LEAST_ONCE, retain=True)
        await bus.flush()

    def _possible_last_steps(self, host: str) -> frozenset[int]:
        """Return which steps may be the last one that a host ran, if its journal is complete."""
        step = self._step
        before = {step.ran.get(host, -1)}
        if host in self._barrier.dones:
            return frozenset({step.step})
        return frozenset(before | {step.step} if host in step.counts else before)

    # Messages to the clock.

    async def _read(self, bus: Bus, run_control: RunControl) -> None:
        """Dispatch incoming messages until cancelled."""
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=topics.CLOCK)
                self._admission.republish()
                continue
            try:
                self._dispatch(event, run_control)
            except (ProtocolError, ValidationError, PaceError) as error:
                self.rejected.reject(event.topic, error)

    def _dispatch(self, delivery: Delivery, run_control: RunControl) -> None:
        """Hand a message to the component that it concerns.

        Raises:
            ProtocolError, ValidationError, PaceError: The message violates the protocol.
        """
        address = topics.parse(delivery.topic)
        if address is None or address.run != self.settings.run:
            raise ProtocolError("not a topic of this run")
        if delivery.retain and address.kind not in topics.RETAINED:
            raise ProtocolError("retained message on a topic that must not be retained")
        match address.kind, address.ids:
            case "hosts", (host,):
                self._take_announcement(host, delivery)
            case "done", (host,):
                done = Done.model_validate_json(delivery.payload)
                check_senders(done, host, self.membership.expected, self._known_hosts)
                self.membership.check_session(host, done.session)
                self._barrier.record_answer(host, done)
            case "inbox", (_, agent, from_host):
                envelope = Envelope.model_validate_json(delivery.payload)
                if agent != envelope.to or envelope.sender not in self._known_hosts.get(from_host, ()):
                    raise ProtocolError(f"agent {envelope.sender!r} does not live on host {from_host!r}")
                self.membership.check_session(from_host, envelope.session)
                self._barrier.add_message(from_host, envelope)
            case "wake", (host,):
                wake = Wake.model_validate_json(delivery.payload)
                self.membership.check_session(host, wake.session)
                if self._taking.get(host, -1) <= wake.taken:
                    self._woken.add(host)
                    run_control.interrupt()
            case "control", ():
                control = Control.model_validate_json(delivery.payload)
                run_control.apply(control, self.now)
                log.info(
                    "command received", command=control.command, pace=control.pace, until=control.until, by=control.by
                )
            case _:
                raise ProtocolError("the clock does not read this topic")

    def _take_announcement(self, host: str, delivery: Delivery) -> None:
        if delivery.payload:
            announcement = Announcement.model_validate_json(delivery.payload)
            self._admission.handle_announcement(host, announcement, is_stored=delivery.retain)
        elif self._step.phase == "end":
            # A host that has left cannot repeat its last answer; its departure counts as the answer.
            self._barrier.record_departure(host)

    # Rounds.

    async def _run_steps(self, bus: Bus, run_control: RunControl) -> None:
        while True:
            lost = await self._grant(bus)
            timers_s = {h: t for h, t in self._step.timers_s.items() if h in self.membership.expected}
            timers_s |= {host: done.next for host, done in self._barrier.dones.items()}
            following = None
            while following is None or not await self._wait_until_allowed(bus, run_control, following):
                following = next_round(
                    self._step,
                    self._barrier.addressed(self.membership.expected),
                    {**timers_s, **self._wakes_s(timers_s, run_control)},
                    hosts=tuple(self.membership.expected),
                    end_s=self.settings.end_s,
                    is_stopped=run_control.is_stopped,
                    stop_after_s=self.settings.stop_after_s,
                    lost=lost,
                )
                if following is None:
                    return
            self._step = following.model_copy(update={"dropped": tuple(sorted(self.membership.dropped))})

    def _wakes_s(self, timers_s: Mapping[str, int | None], run_control: RunControl) -> dict[str, int]:
        """Return when the hosts that asked for a round get one, UNIX seconds: now, but in a second of its own.

        So what comes from outside acts on a run like a timer, and a replay needs to know the second only.
        """
        now_s = max(self._step.time_s + 1, run_control.paced_time_s(self._step.time_s))
        earliest_s = {host: timers_s.get(host) for host in self._woken & self.membership.expected.keys()}
        return {host: now_s if timer_s is None else min(timer_s, now_s) for host, timer_s in earliest_s.items()}

    async def _wait_until_allowed(self, bus: Bus, run_control: RunControl, step: ScheduledRound) -> bool:
        """Wait until a round may run; return False if a command arrived in the meantime."""
        is_closing = step.phase == "closing" and self._step.phase not in {"closing", "end"}
        if run_control.is_stopped or (step.phase != "run" and not (is_closing and self.settings.is_open)):
            return True
        if is_closing and self.settings.end_s is None:
            await run_control.wait_changed()
            return False
        if not run_control.permits(step.moment, self.now):
            await self._reporter.report(bus, "paused")
            await run_control.wait_changed()
            return False
        if not run_control.is_due(step.moment):
            await run_control.wait_due(step.moment)
            return run_control.is_due(step.moment)
        return True

    async def _grant(self, bus: Bus) -> tuple[str, ...]:
        """Grant the step's round and wait for the answers; return the agents of hosts that were dropped."""
        step = self._step
        if self._journal is not None:
            self._journal.save_round(step)
        if self._on_moment is not None:
            self._on_moment(step.moment)
        if step.round == 0 and step.phase == "run":
            self._woken -= step.counts.keys()  # they take what waits there in this round
            self._taking |= dict.fromkeys(step.counts, step.step)
        self._barrier.begin(step.step, step.counts.keys() & self.membership.expected.keys())
        for host in sorted(self._barrier.awaited):
            await self._publish_grant(bus, host)
        await self._reporter.report(bus, "running")
        lost = await self._wait_for_answers(bus)
        for host, done in self._barrier.dones.items():
            if done.failure is not None:
                raise AgentFailedError(done.failure.agent, host, done.failure.traceback)
        if self._observer is not None:
            await self._wait_for_messages(bus)
            self._observer.step_ran(step.moment, self._barrier.pop_messages())
        return lost

    async def _publish_grant(self, bus: Bus, host: str) -> None:
        step = self._step
        expected = {sender: n for sender, n in step.counts[host].items() if sender in self.membership.expected}
        grant = Grant(
            step=step.step, time=step.time_s, round=step.round, expected=expected, phase=step.phase, lost=step.lost
        )
        await bus.publish(topics.grant(self.settings.run, host), grant.encoded(), qos=topics.QOS_AT_MOST_ONCE)

    async def _wait_for_answers(self, bus: Bus) -> tuple[str, ...]:
        barrier, backoff = self._barrier, self.settings.timeouts.backoff()
        lost: list[str] = []
        while barrier.awaited:
            if await backoff.wait(barrier.activity):
                again = barrier.pop_returned()
            else:
                if self._step.phase == "end":  # an absent host has left; nothing more can come from it
                    barrier.awaited -= set(self.membership.missing)
                again = barrier.awaited
                log.info("waiting for hosts", hosts=sorted(again), step=self._step.step)
            lost += self._handle_timed_out()
            for host in sorted(again & barrier.awaited):
                barrier.mark_asked_again(host)
                await self._publish_grant(bus, host)
        return tuple(lost)

    def _handle_timed_out(self) -> list[str]:
        """Fail, or drop hosts, if hosts were silent for too long; return the agents of dropped hosts."""
        if self.settings.on_loss == "fail" and (gone := self._barrier.awaited & self.membership.gone):
            raise HostsMissingError(f"hosts are gone: {', '.join(repr(host) for host in sorted(gone))}")
        timed_out = self._barrier.timed_out(self.settings.timeouts.limit_wall_s)
        if timed_out and (self.settings.on_loss != "drop" or timed_out & self.settings.indispensable):
            raise missing_error(timed_out, self.settings.timeouts)
        self._barrier.awaited -= timed_out
        return [agent for host in sorted(timed_out) for agent in self.membership.drop(host)]

    async def _wait_for_messages(self, bus: Bus) -> None:
        """Wait until all messages of the step have arrived, for the observer."""
        backoff = self.settings.timeouts.backoff()
        request = ResendRequest(step=self._step.step).encoded()
        self._missing_since_wall_s = asyncio.get_running_loop().time()
        while senders := self._barrier.missing_senders():
            if not await backoff.wait(self._barrier.activity):
                for host in senders:
                    topic = topics.resend(self.settings.run, host, topics.CLOCK)
                    await bus.publish(topic, request, qos=topics.QOS_AT_MOST_ONCE)
        self._missing_since_wall_s = None

    def _awaited(self) -> Awaited:
        """Return which hosts the clock is waiting for."""
        if self._waiting_since_wall_s is not None:
            return Awaited(self.membership.missing, self._waiting_since_wall_s)
        if self._barrier.awaited:
            return Awaited(*self._barrier.unanswered(CHECK_INTERVAL_WALL_S))
        loop = asyncio.get_running_loop()
        if self._missing_since_wall_s is not None and loop.time() - self._missing_since_wall_s >= CHECK_INTERVAL_WALL_S:
            return Awaited(tuple(sorted(self._barrier.missing_senders())), self._missing_since_wall_s)
        return Awaited()
