"""The clock: the time authority. It alone moves virtual time, and only when counting shows that nothing is left.

It grants a round to the hosts that have messages or timers due, waits for their answers, and from the counts in them
knows who is addressed in the next round. When nobody is, time goes to the earliest timer. What it grants it writes
into its journal first, so it comes back after a crash and grants the same again.
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
from broker.clock.membership import Admission, Membership, missing_error
from broker.clock.pacing import Moment, Pace, PaceError, RunControl
from broker.clock.schedule import ScheduledRound, first_round, next_round
from broker.clock.time_report import LOOK_WALL_S, Awaited, Reported, Reporter
from broker.errors import AgentFailedError, HostsMissingError, ProtocolError
from broker.hosts import Journal
from broker.protocol import (
    Announcement,
    Control,
    Done,
    Envelope,
    Grant,
    RejectedMessages,
    ResendRequest,
    Timeouts,
    topics,
)
from broker.transport import Broker, Bus, Delivery, say_and_leave

log = structlog.get_logger(__name__)

OnLoss = Literal["wait", "drop", "fail"]


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """What a run's clock is told."""

    run: str
    hosts: Mapping[str, tuple[str, ...]]
    """Which agents live on which host; the run starts when all are there."""
    start_s: int
    end_s: int | None = None
    """Nothing happens at or after it; None: the run ends when no timer is left."""
    pace: Pace = field(default_factory=Pace)
    patience: Timeouts = field(default_factory=Timeouts)
    on_loss: OnLoss = "wait"
    """What to do about a host that is gone: wait up to the limit, then fail; go on without it after the limit; fail
    at once."""
    indispensable: frozenset[str] = frozenset()
    """Hosts that no run goes on without."""
    setups: Mapping[str, str] = field(default_factory=dict)
    """By host, the fingerprint of what it must have been started with; none: any will do."""
    utc_offset_s: int = 0
    """Offset from UTC at which people are shown the run's times; the clock only passes it on."""
    keep: bool = False
    """Whether all that is retained stays at the broker when the run has ended, for whoever looks at it later."""


class StepObserver(Protocol):
    """Is shown all messages of every step, complete and in order, before the next one is granted."""

    def step_ran(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """Take note of a step; after a restart of the clock the last one may come again."""
        ...


class Clock:
    """Runs the rounds of one run."""

    def __init__(
        self,
        settings: ClockSettings,
        on_moment: Callable[[Moment], None] | None = None,
        *,
        on_missing: Callable[[tuple[str, ...]], None] | None = None,
        on_report: Callable[[Reported], None] | None = None,
        observer: StepObserver | None = None,
        journal: Journal | None = None,
    ) -> None:
        """Make a clock.

        Args:
            settings: The run.
            on_moment: Is told of every step as it is granted.
            on_missing: Is told which hosts are not there yet, whenever that changes before the run starts.
            on_report: Is told where the run stands whenever that is published, and while it cannot be.
            observer: Is shown what all agents say, as read from the wire.
            journal: Keeps what is granted; one with a step in it is gone on from.
        """
        self.settings = settings
        self.members = Membership(settings.hosts, settings.setups, utc_offset_s=settings.utc_offset_s)
        self._on_moment = on_moment
        self._observer = observer
        self._journal = journal
        state = journal.load_state() if journal is not None else None
        self._step = first_round(settings.start_s, tuple(settings.hosts))
        if state is not None:
            self._step = ScheduledRound.model_validate_json(state)
            for host in self._step.dropped:
                self.members.drop(host)
        self._tally = RoundBarrier()
        self._reception = Admission(
            settings.run,
            self.members,
            self._tally,
            settings.patience,
            ran=self._may_have_run,
            on_missing=on_missing,
            keep=settings.keep,
        )
        self._on_report = on_report
        self._gate: RunControl | None = None
        self._reporter: Reporter
        self._gathering_wall_s: float | None = None
        """Since when the clock waits for the hosts before the run."""
        self._unseen_wall_s: float | None = None
        """Since when it waits for messages that the observer has to see."""

    @property
    def now(self) -> Moment:
        """Where the run stands."""
        return self._step.moment

    @property
    def acted_until_s(self) -> int:
        """Timers up to here have fired; the run's end may lie later."""
        return self._step.acted_until_s

    @property
    def is_stopped(self) -> bool:
        """Whether somebody asked to end the run before its time."""
        return self._gate is not None and self._gate.is_stopped

    async def run(self, broker: Broker) -> None:
        """Run to the end.

        What the clock told goes from the broker with it, whether the run has ended, failed or is interrupted. A roster
        that says "ended" stays where a host is away and may come back.

        Raises:
            BrokerUnreachableError, BrokerLostError: see `broker.transport.base`.
            HostsMissingError: hosts stayed away longer than the limit; it names them.
            AgentFailedError: an agent raised.
        """
        run = self.settings.run
        # As with a host, nobody shall know the client id, or could end the connection.
        async with broker.connect(f"{run}-clock-{secrets.token_hex(8)}") as bus:
            try:
                await self._run(bus)
            except BaseException:
                await say_and_leave(self._clear(bus, with_roster=True))
                raise
            has_all = self._note_who_left()
            await self._clear(bus, with_roster=has_all)

    async def _run(self, bus: Bus) -> None:
        run = self.settings.run
        gate = self._gate = RunControl(self.settings.pace, self._step.time_s)
        reporter = self._reporter = Reporter(run, lambda: self.now, self._awaited, gate, self._on_report)
        hearing = Hearing(run, self._step_now, self.members, self._tally, self._reception, gate)
        await bus.subscribe(topics.hosts(run), topics.control(run), qos=topics.QOS_FACTS)
        await bus.subscribe(topics.dones(run))
        if self._observer is not None:
            await bus.subscribe(topics.all_inboxes(run))
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(hearing.read(bus), name="clock.read"),
                tasks.create_task(self._reception.tell(bus), name="clock.tell"),
                tasks.create_task(reporter.keep_reporting(bus), name="clock.report"),
            ]
            try:
                if self._step.phase != "end":
                    self._gathering_wall_s = asyncio.get_running_loop().time()
                    await reporter.report(bus, "waiting")
                    await self._reception.gather(bus)
                    self._gathering_wall_s = None
                self._reception.open()
                await self._run_steps(bus, gate)
            except (AgentFailedError, HostsMissingError) as error:
                await reporter.report(bus, "failed")
                await self._reception.publish(bus, failed=str(error).partition("\n")[0])
                raise
            await reporter.report(bus, "ended")
            await self._reception.publish(bus, ended=True)
            self._reception.close()
            for task in background:
                task.cancel()
            hearing.refusals.tell_rest()

    def _note_who_left(self) -> bool:
        """Return whether all hosts have left in good order, and keep that for a clock that is started again.

        Such a host has the last step in its journal, so it does not have to be told that the run has ended.
        """
        if not self._step.all_left:
            late = self.members.expected.keys() - self._tally.dones.keys()
            if not late and not self.members.dropped:
                self._step = self._step.model_copy(update={"all_left": True})
                if self._journal is not None:
                    self._journal.save_state(self._step.model_dump_json())
        return self._step.all_left

    async def _clear(self, bus: Bus, *, with_roster: bool) -> None:
        """Remove what the clock told from the broker."""
        if self.settings.keep:
            return
        run = self.settings.run
        for topic in (topics.time(run), topics.roster(run)) if with_roster else (topics.time(run),):
            await bus.publish(topic, b"", qos=topics.QOS_FACTS, retain=True)
        await bus.flush()

    def _step_now(self) -> ScheduledRound:
        return self._step

    def _may_have_run(self, host: str) -> frozenset[int]:
        """Return which steps may be the last one that a host ran, if it forgot nothing."""
        step = self._step
        before = {step.ran.get(host, -1)}
        if host in self._tally.dones:
            return frozenset({step.step})
        return frozenset(before | {step.step} if host in step.counts else before)

    # Steps.

    async def _run_steps(self, bus: Bus, gate: RunControl) -> None:
        while True:
            lost = await self._grant(bus)
            timers_s = {h: t for h, t in self._step.timers_s.items() if h in self.members.expected}
            timers_s |= {host: done.next for host, done in self._tally.dones.items()}
            following = None
            while following is None or not await self._may_pass(bus, gate, following):
                following = next_round(
                    self._step,
                    self._tally.addressed(self.members.expected),
                    timers_s,
                    hosts=tuple(self.members.expected),
                    end_s=self.settings.end_s,
                    is_stopped=gate.is_stopped,
                    lost=lost,
                )
                if following is None:
                    return
            self._step = following.model_copy(update={"dropped": tuple(sorted(self.members.dropped))})

    async def _may_pass(self, bus: Bus, gate: RunControl, step: ScheduledRound) -> bool:
        """Wait until a step is due; return False when somebody asked for something meanwhile."""
        if step.phase != "run" or gate.is_stopped:
            return True
        if not gate.is_open(step.moment, self.now):
            await self._reporter.report(bus, "paused")
            await gate.wait_changed()
            return False
        if not gate.is_due(step.moment):
            await gate.wait_due(step.moment)
            return gate.is_due(step.moment)
        return True

    async def _grant(self, bus: Bus) -> tuple[str, ...]:
        """Let hosts run the step's round; return the agents of hosts that the run goes on without."""
        step = self._step
        if self._journal is not None:
            self._journal.save_state(step.model_dump_json())
        if self._on_moment is not None:
            self._on_moment(step.moment)
        self._tally.begin(step.step, step.counts.keys() & self.members.expected.keys())
        for host in sorted(self._tally.awaited):
            await self._publish_grant(bus, host)
        await self._reporter.report(bus, "running")
        lost = await self._wait_done(bus)
        for host, done in self._tally.dones.items():
            if done.failure is not None:
                raise AgentFailedError(done.failure.agent, host, done.failure.traceback)
        if self._observer is not None:
            await self._wait_messages(bus)
            self._observer.step_ran(step.moment, self._tally.take_messages())
        return lost

    async def _publish_grant(self, bus: Bus, host: str) -> None:
        step = self._step
        expected = {sender: n for sender, n in step.counts[host].items() if sender in self.members.expected}
        grant = Grant(
            step=step.step, time=step.time_s, round=step.round, expected=expected, phase=step.phase, lost=step.lost
        )
        await bus.publish(topics.grant(self.settings.run, host), grant.encoded(), qos=topics.QOS_ROUNDS)

    async def _wait_done(self, bus: Bus) -> tuple[str, ...]:
        tally, patience = self._tally, self.settings.patience
        loop = asyncio.get_running_loop()
        pause_wall_s = patience.resend_wall_s
        lost: list[str] = []
        while tally.awaited:
            if await tally.wait(loop.time() + pause_wall_s):
                again = tally.take_returned()
            else:
                if self._step.phase == "end":  # who is not there has left; nothing can come from it any more
                    tally.awaited -= set(self.members.missing)
                again = tally.awaited
                pause_wall_s = min(2 * pause_wall_s, patience.resend_most_wall_s)
                log.info("waiting for hosts", hosts=sorted(again), step=self._step.step)
            lost += self._give_up()
            for host in sorted(again & tally.awaited):
                tally.ask_again(host)
                await self._publish_grant(bus, host)
        return tuple(lost)

    def _give_up(self) -> list[str]:
        """Fail, or drop hosts, if they stayed away too long; return the agents of those dropped."""
        if self.settings.on_loss == "fail" and (gone := self._tally.awaited & self.members.gone):
            raise HostsMissingError(f"hosts are gone: {', '.join(repr(host) for host in sorted(gone))}")
        silent = self._tally.silent(self.settings.patience.limit_wall_s)
        if silent and (self.settings.on_loss != "drop" or silent & self.settings.indispensable):
            raise missing_error(silent, self.settings.patience)
        self._tally.awaited -= silent
        return [agent for host in sorted(silent) for agent in self.members.drop(host)]

    async def _wait_messages(self, bus: Bus) -> None:
        """Wait until all that was sent in this step is here too, for the observer."""
        loop = asyncio.get_running_loop()
        pause_wall_s = self.settings.patience.resend_wall_s
        request = ResendRequest(step=self._step.step).encoded()
        self._unseen_wall_s = loop.time()
        while unseen := self._tally.unseen():
            if not await self._tally.wait(loop.time() + pause_wall_s):
                for host in unseen:
                    topic = topics.resend(self.settings.run, host, topics.CLOCK)
                    await bus.publish(topic, request, qos=topics.QOS_ROUNDS)
                pause_wall_s = min(2 * pause_wall_s, self.settings.patience.resend_most_wall_s)
        self._unseen_wall_s = None

    def _awaited(self) -> Awaited:
        """Return for whom the clock waits now."""
        if self._gathering_wall_s is not None:
            return Awaited(self.members.missing, self._gathering_wall_s)
        if self._tally.awaited:
            return Awaited(*self._tally.unanswered(LOOK_WALL_S))
        loop = asyncio.get_running_loop()
        if self._unseen_wall_s is not None and loop.time() - self._unseen_wall_s >= LOOK_WALL_S:
            return Awaited(tuple(sorted(self._tally.unseen())), self._unseen_wall_s)
        return Awaited()


class Hearing:
    """The clock's reader."""

    def __init__(
        self,
        run: str,
        step: Callable[[], ScheduledRound],
        members: Membership,
        tally: RoundBarrier,
        reception: Admission,
        gate: RunControl,
    ) -> None:
        """Make a reader.

        Args:
            run: The run's id.
            step: Returns the step that runs now.
            members: Who may say what.
            tally: Takes answers and messages.
            reception: Takes announcements.
            gate: Takes commands.
        """
        self.refusals = RejectedMessages(topics.CLOCK)
        """What did not follow the protocol."""
        self._run = run
        self._step = step
        self._members = members
        self._everybody = dict(members.expected) | members.dropped
        self._tally = tally
        self._reception = reception
        self._gate = gate

    async def read(self, bus: Bus) -> None:
        """Take what comes in, until cancelled."""
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=topics.CLOCK)
                self._reception.tell_again()
                continue
            try:
                self._take(event)
            except (ProtocolError, ValidationError, PaceError) as error:
                self.refusals.take(event.topic, error)

    def _take(self, delivery: Delivery) -> None:
        address = topics.parse(delivery.topic)
        if address is None or address.run != self._run:
            raise ProtocolError("not a topic of this run")
        if delivery.retain and address.kind not in topics.RETAINED:
            raise ProtocolError("was stored at the broker, and counts at the moment it is said only")
        match address.kind, address.ids:
            case "hosts", (host,):
                self._take_announcement(host, delivery)
            case "done", (host,):
                done = Done.model_validate_json(delivery.payload)
                check_senders(done, host, self._members.expected, self._everybody)
                self._members.check_session(host, done.session)
                self._tally.take_done(host, done)
            case "inbox", (_, agent, from_host):
                envelope = Envelope.model_validate_json(delivery.payload)
                if agent != envelope.to or envelope.sender not in self._everybody.get(from_host, ()):
                    raise ProtocolError(f"agent {envelope.sender!r} does not live on host {from_host!r}")
                self._members.check_session(from_host, envelope.session)
                self._tally.take_envelope(from_host, envelope)
            case "control", ():
                control = Control.model_validate_json(delivery.payload)
                self._gate.take(control, self._step().moment)
                log.info("asked", command=control.command, pace=control.pace, until=control.until, by=control.by)
            case _:
                raise ProtocolError("not a topic that the clock reads")

    def _take_announcement(self, host: str, delivery: Delivery) -> None:
        if delivery.payload:
            announcement = Announcement.model_validate_json(delivery.payload)
            self._reception.take(host, announcement, is_stored=delivery.retain)
        elif self._step().phase == "end":
            # A host that left cannot repeat its last answer; that it left is the answer.
            self._tally.take_leave(host)
