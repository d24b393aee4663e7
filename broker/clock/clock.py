"""The clock: advances virtual time, but only when message counts show that no work is left at the present moment.

The clock grants a round to the hosts that have messages or timers due, and waits for their answers. The message counts
in the answers say which hosts receive messages in the next round. If no host does, time advances to the earliest timer.
Every grant is journaled before it is published, so a clock that crashed resumes and grants the same round again.

A grant for many hosts is published once for all of them. A host that is granted a round alone may run further rounds
while its agents send messages only to each other.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from pydantic import TypeAdapter

from broker.clock.barrier import RoundBarrier, check_answer, check_message
from broker.clock.journal import ClockJournal, ClockProgress
from broker.clock.membership import Admission, Membership, missing_error
from broker.clock.next_round import ScheduledRound, first_round, next_round
from broker.clock.other_clock import check_alone
from broker.clock.pacing import AWAY_AFTER_WALL_S, LOOK_EVERY_WALL_S, Moment, PaceError, RunControl
from broker.clock.quarantine import Initiatives, Violations
from broker.clock.settings import ClockSettings, StepKeeper, StepObserver
from broker.clock.status_reports import CHECK_INTERVAL_WALL_S, Awaited, Reported, Reporter, last_will
from broker.clock.unread import SENT_BY_HOSTS, UnreadPackets
from broker.errors import (
    AgentFailedError,
    ContradictionError,
    HostsGoneError,
    HostsMissingError,
    MalformedError,
    ProtocolError,
)
from broker.journal_file import JournalError
from broker.protocol import (
    MOST_ROUNDS_A_GRANT,
    VERSION,
    Announcement,
    Control,
    Done,
    Envelope,
    FollowedGrant,
    Grant,
    RejectedMessages,
    ResendRequest,
    Roster,
    Wake,
    first_problem,
    shown,
    too_large,
    topics,
    weight_bytes,
)
from broker.transport import Broker, Bus, Delivery, leave_gracefully

log = structlog.get_logger(__name__)

KEEP_AGAIN_WALL_S = 0.5
"""How often to try to store observed messages while another process has locked the record."""
MOST_HOSTS_OF_A_COMMON_GRANT = 100
"""A grant to more hosts than this is published to each of them separately, because otherwise each would have to read
through the part of all others."""
RECORD = "the results file"
"""What a report names as awaited while another process has locked the record of the run."""
MOST_LIMITS = 10
"""After this many time limits, the clock gives up on a host that gives signs of life but does not answer."""


class Clock:
    """Coordinates the rounds of one run."""

    _reporter: Reporter

    def __init__(
        self,
        settings: ClockSettings,
        on_moment: Callable[[Moment], None] | None = None,
        *,
        on_missing: Callable[[tuple[str, ...]], None] | None = None,
        on_report: Callable[[Reported], None] | None = None,
        observer: StepObserver | None = None,
        journal: ClockJournal | None = None,
        messages: TypeAdapter[Any] | None = None,
    ) -> None:
        """Create a clock.

        Args:
            settings: The run.
            on_moment: Called with each step as it is granted.
            on_missing: Called with the ids of missing hosts whenever they change before the run starts.
            on_report: Called with the run's status whenever it is published, and while it cannot be published.
            observer: Receives all messages between agents, as read from the broker.
            journal: Stores each grant, the commands and the virtual time reached; if it contains a grant, the clock
                resumes from it.
            messages: Validates the messages between agents. Invalid ones are counted against their sender, and not
                passed to the observer. None: all messages are valid.
        """
        self.settings = settings
        self.membership = Membership(
            settings.hosts, settings.setups, utc_offset_s=settings.utc_offset_s, zone=settings.zone
        )
        self._on_moment = on_moment
        self._observer = observer
        self._messages = messages
        self._void: set[tuple[str, int]] = set()
        """Messages of the step that have arrived but that no agent understands, by sender and sequence number."""
        self._journal = journal
        resumed = journal.load_round() if journal is not None else None
        self._step = resumed or first_round(settings.start_s, tuple(settings.hosts))
        self._earlier = journal.load_progress() if journal is not None else None
        """The progress stored by earlier processes of this clock."""
        self._begun_wall_s = 0.0
        """When `run` was called, loop time."""
        self._stored_wall_s = 0.0
        """When progress was stored last, loop time."""
        for host in self._step.dropped:
            reason = {"why": self._step.reasons[host]} if host in self._step.reasons else {}
            self.membership.drop(host, **reason, is_quarantined=host in self._step.quarantined)
        self._known_hosts = dict(self.membership.expected) | self.membership.dropped
        self.rejected = RejectedMessages(topics.CLOCK)
        """Messages that violated the protocol."""
        self._barrier = RoundBarrier(self._known_hosts)
        self._is_alone = False
        """Whether the step is granted to a single host, which may run further rounds without a grant."""
        counted = None if self._earlier is None else self._earlier.counted
        self._violations = Violations(counted)
        self._initiatives = Initiatives(counted, self._known_hosts)
        self._unread = UnreadPackets(settings.hosts, settings.hosts.keys() - settings.indispensable)
        self._rounds_checked = (0, 0)
        """Second and round of the last check that time advances."""
        self._lost_before_the_step: list[str] = []
        """Agents of hosts that were removed from the run before its next step."""
        for host, timer_s in self._step.timers_s.items():
            if timer_s is not None and not self._step.time_s <= timer_s <= settings.latest_s:
                self._violations.condemn(host, f"its timer in the journal, {timer_s}, is not within the run")
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
        self._waiting_since_wall_s: float | None = None
        """When the clock began to wait for hosts before the run, loop time; None: it is not waiting."""
        self._missing_since_wall_s: float | None = None
        """When it began to wait for messages that the observer must receive, loop time; None: it is not waiting."""
        self._unkept_since_wall_s: float | None = None
        """When it began to wait for the observer to store a step, loop time; None: it is not waiting."""
        self._begun_waiting_wall_s = 0.0
        """When that wait began, or when the clock reconnected, since a lost connection also delays messages."""
        self._taking: dict[str, int] = {}
        """By host, the last step in which it takes input from outside the run."""
        self._woken: set[str] = set()
        """Hosts that have input from outside the run and have not been granted a first round of a second since."""

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

    def command(self, control: Control) -> None:
        """Carry out a command from this process, like one that arrives over the broker.

        Raises:
            PaceError: It contains an invalid pace.
        """
        if self._run_control is not None:
            self._run_control.apply(control, self.now)

    @property
    def earlier_wall_s(self) -> float:
        """How long the run took in earlier processes of its clock, wall-clock seconds."""
        return 0.0 if self._earlier is None else self._earlier.wall_s

    async def run(self, broker: Broker) -> None:
        """Run until the end.

        The clock's retained messages are removed from the broker when the run ends, fails or is interrupted. Only a
        roster that says `ended` stays while a host is away and may come back.

        Args:
            broker: The broker of the run.

        Raises:
            BrokerUnreachableError: See `broker.transport.base`.
            BrokerLostError: See `broker.transport.base`.
            HostsMissingError: Hosts were silent for longer than the limit; the message names them.
            ClockTakenError: Another clock runs this run.
            AgentFailedError: An agent raised an exception.
        """
        run = self.settings.run
        # The client id must stay secret, as a host's: a broker ends a client's connection when another one takes its
        # id.
        if self._journal is not None:
            await check_alone(broker, self.settings.run)
        self._begun_wall_s = asyncio.get_running_loop().time()
        failure: BaseException | None = None
        async with broker.connect(f"{run}-clock-{secrets.token_hex(8)}", last_will(run, self.now)) as bus:
            try:
                await self._run(bus)
            except BaseException as error:
                self._store_progress(is_final=True)
                if not await leave_gracefully(self._clear_retained(bus, with_roster=True)):
                    raise  # so that the broker publishes the will
                failure = error
            else:
                has_all = self._check_all_left()
                await self._clear_retained(bus, with_roster=has_all)
        if failure is not None:
            raise failure

    async def _run(self, bus: Bus) -> None:
        run = self.settings.run
        bus.on_oversized = lambda topic, size_bytes: self._reject(topic, too_large(size_bytes))
        run_control = self._run_control = RunControl(
            self.settings.pace,
            self._step.time_s,
            catch_up=self.settings.catch_up,
            state=None if self._earlier is None else self._earlier.control,
            on_look=self._store_progress,
        )
        run_control.stand()
        reporter = self._reporter = Reporter(run, lambda: self.now, self._awaited, run_control, self._on_report)
        await bus.subscribe(topics.hosts(run), topics.control(run), topics.roster(run), qos=topics.QOS_AT_LEAST_ONCE)
        await bus.subscribe(topics.dones(run), topics.wakes(run))
        if self._observer is not None:
            await bus.subscribe(topics.all_inboxes(run), topics.all_local(run))
        if self._unread.foreign:
            await bus.subscribe(topics.all_resends(run))
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self._read(bus, run_control), name="clock.read"),
                tasks.create_task(self._admission.keep_publishing(bus), name="clock.tell"),
                tasks.create_task(reporter.keep_reporting(bus), name="clock.report"),
                tasks.create_task(self._unread.keep_echoing(bus, run), name="clock.echo"),
            ]
            try:
                if self._step.phase != "end":
                    self._waiting_since_wall_s = asyncio.get_running_loop().time()
                    await reporter.report(bus, "waiting")
                    await self._admission.wait_for_hosts(bus, self._put_out_before_the_step, self._drop_missing)
                    self._waiting_since_wall_s = None
                self._admission.open()
                run_control.start()
                await self._run_steps(bus, run_control)
            except (AgentFailedError, HostsMissingError) as error:
                await reporter.report(bus, "failed")
                may_resume = isinstance(error, HostsMissingError) and not isinstance(error, HostsGoneError)
                why = str(error).partition("\n")[0]
                await self._admission.publish(bus, failed=why, may_resume=may_resume)
                raise
            await reporter.report(bus, "ended")
            await self._admission.publish(bus, ended=True)
            self._admission.close()
            for task in background:
                task.cancel()
            self._barrier.stop()
            self.rejected.log_suppressed()

    def _check_all_left(self) -> bool:
        """Return whether all hosts have left in good order, and journal it for a clock that is restarted.

        Such a host has journaled the last step, so it need not be informed of the run's end.
        """
        if not self._step.all_left:
            late = self.membership.expected.keys() - self._barrier.dones.keys()
            if not late and not self.membership.dropped:
                self._step = replace(self._step, all_left=True)
                if self._journal is not None:
                    self._journal.save_round(self._step)
        return self._step.all_left

    def _store_progress(self, *, is_final: bool = False) -> None:
        """Journal the commands and how far the run has come; if that fails, it is logged, and the next step fails.

        Args:
            is_final: Whether it must survive a power cut; if not, it is stored every half second at most.
        """
        now_wall_s = asyncio.get_running_loop().time()
        if self._journal is None or self._run_control is None:
            return
        if not is_final and now_wall_s - self._stored_wall_s < LOOK_EVERY_WALL_S * 0.9:
            return
        self._stored_wall_s = now_wall_s
        self._leave_out_absence()
        wall_s = self.earlier_wall_s + now_wall_s - self._begun_wall_s
        counted = self._initiatives.counted(self._known_hosts, self._violations)
        progress = ClockProgress(control=self._run_control.state, wall_s=wall_s, counted=counted)
        try:
            self._journal.save_progress(progress, is_final=is_final)
        except JournalError as error:
            log.warning("progress not stored", why=str(error))

    def _leave_out_absence(self) -> None:
        """Exclude the time spent waiting for absent hosts from the pace."""
        if self._run_control is not None:
            for since_wall_s, until_wall_s in self._barrier.pop_away():
                self._run_control.leave_out(since_wall_s, until_wall_s)

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
            return frozenset({self._barrier.dones[host].last_step})
        if host not in step.counts:
            return frozenset(before)
        # A host that was granted a round alone may have run further rounds without a sign of it.
        more = MOST_ROUNDS_A_GRANT if len(step.counts) == 1 else 1
        return frozenset(before | set(range(step.step, step.step + more)))

    # Messages to the clock.

    async def _read(self, bus: Bus, run_control: RunControl) -> None:
        """Dispatch incoming messages until cancelled: most as they arrive, without waking this task."""

        def take(delivery: Delivery) -> bool:
            try:
                self._dispatch(delivery, run_control)
            except (ProtocolError, PaceError) as error:
                self._reject(delivery.topic, error, is_stored=delivery.retain)
            return True

        bus.on_delivery = take
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=topics.CLOCK)
                self._begun_waiting_wall_s = asyncio.get_running_loop().time()
                self._admission.republish()
            else:
                take(event)

    def _reject(self, topic: str, error: Exception, *, is_stored: bool = False) -> None:
        """Drop a message, and count it against its sender if only the sender can be at fault.

        Args:
            topic: The message's topic.
            error: Why it is dropped.
            is_stored: Whether the broker had retained it, perhaps since an earlier run.
        """
        self.rejected.reject(topic, error)
        address = topics.parse(topic)
        if address is None or address.kind not in {"hosts", "done", "inbox", "local", "wake"} or is_stored:
            return
        host = address.ids[-1]
        if isinstance(error, MalformedError) and host in self._removable:
            self._violations.record(host, first_problem(error))
            if isinstance(error, ContradictionError):
                self._violations.condemn(host, first_problem(error))
            if self._violations.offenders([host], self._owing):
                self._barrier.alert()

    def _dispatch(self, delivery: Delivery, run_control: RunControl) -> None:  # noqa: C901, PLR0912 - one for each topic
        """Hand a message to the component that it concerns.

        Raises:
            ProtocolError, PaceError: The message violates the protocol.
        """
        address = topics.parse(delivery.topic)
        if address is None or address.run != self.settings.run:
            raise ProtocolError("not a topic of this run")
        if delivery.retain and address.kind not in topics.RETAINED:
            raise ProtocolError("retained message on a topic that must not be retained")
        if address.kind in SENT_BY_HOSTS and (host := address.ids[-1]) in self._unread.foreign:
            why = self._unread.count(address, delivery.size_bytes)
            if why is not None or host in self._violations.condemned or host in self.membership.quarantined:
                self._refuse(host, why)
        if address.kind == "done":  # most are
            self._take_answer(address.ids[0], delivery.read(Done))
            return
        match address.kind, address.ids:
            case "hosts", (host,):
                self._take_announcement(host, delivery)
            case "inbox" | "local", (to_host, *_):  # `local` names one host, which is sender and receiver
                self._take_batch(to_host, address.ids[-1], delivery)
            case "roster", ():
                if not delivery.retain and not delivery.is_empty:
                    self.membership.note_published(delivery.read(Roster))
            case "wake", (host,):
                self._take_wake(host, delivery.read(Wake), run_control)
            case "resend", ids:
                if ids == (topics.CLOCK, topics.CLOCK):
                    self._unread.take_echo(delivery.read(ResendRequest))
            case "control", ():
                control = delivery.read(Control)
                self._leave_out_absence()
                run_control.apply(control, self.now)
                self._store_progress(is_final=True)
                log.info(
                    "command received", command=control.command, pace=control.pace, until=control.until, by=control.by
                )
            case _:
                raise ProtocolError("the clock does not read this topic")

    def _refuse(self, host: str, why: str | None) -> None:
        """Refuse a message of a host that was removed from the run, or whose packets may have filled a queue.

        Args:
            host: The host.
            why: Why the host is condemned now; None: it was removed from the run earlier.

        Raises:
            ProtocolError: Always.
        """
        if why is None:
            raise ProtocolError(f"host {host!r} was removed from the run")
        self._violations.condemn(host, why)
        self._barrier.alert()
        raise ProtocolError(why)

    def _take_answer(self, host: str, done: Done) -> None:
        if host not in self.membership.expected:
            raise ProtocolError(f"host {host!r} is not expected in this run")
        self.membership.check_session(host, done.session)
        latest_s = self.settings.latest_s
        check_answer(done, host, self._step, self._known_hosts, latest_s, is_alone=self._is_alone)
        if self._barrier.record_answer(host, done):
            self._unread.clear(host)

    def _take_batch(self, to_host: str, from_host: str, delivery: Delivery) -> None:
        """Record messages between agents; each message that violates the protocol is rejected individually."""
        envelopes = delivery.envelopes
        if from_host not in self._known_hosts:
            raise ProtocolError(f"host {from_host!r} is not expected in this run")
        self.membership.check_session(from_host, envelopes[0].session)
        size_bytes = weight_bytes(delivery.payload) // len(envelopes) if delivery.size_bytes else 0
        for envelope in envelopes:
            try:
                self._take_message(to_host, from_host, envelope, size_bytes)
            except ProtocolError as error:
                self._reject(delivery.topic, error)

    def _take_message(self, to_host: str, from_host: str, envelope: Envelope, size_bytes: int) -> None:
        check_message(envelope, from_host, to_host, self._step, self._known_hosts)
        if self._barrier.add_message(from_host, to_host, envelope, size_bytes):
            self._check_amount(from_host, envelope.sender, envelope.step - self._step.step + 1)
            self._check_understood(envelope)

    def _check_amount(self, host: str, sender: str, rounds: int) -> None:
        """Condemn a host that sends more messages than its agents can need.

        Args:
            host: The host, a message of which has arrived.
            sender: Its agent that sent it.
            rounds: How many rounds the messages of the step are of so far.
        """
        in_step, in_all = self._initiatives.count_message(sender)
        most = self.settings.most_messages.get(host)
        if most is None or host not in self._removable:
            return
        most_in_round, most_in_all = most
        if in_step > most_in_round * rounds:
            self._violations.condemn(host, f"it has sent more than {most_in_round:,} messages in one round")
        elif in_all > most_in_all:
            self._violations.condemn(host, f"it has sent more than {most_in_all:,} messages")
        else:
            return
        self._barrier.activity.set()

    def _check_understood(self, envelope: Envelope) -> None:
        """Reject a message that no agent understands. It still counts as arrived, so the clock does not wait for it.

        Raises:
            MalformedError: No agent understands it.
        """
        if self._messages is None or envelope.message is not None:
            return
        try:
            self._messages.validate_python(envelope.body)
        except Exception as error:  # noqa: BLE001 - parsing has no effects: whatever it raises is due to the message
            self._void.add((envelope.sender, envelope.seq))
            raise MalformedError(first_problem(error)) from None

    def _take_wake(self, host: str, wake: Wake, run_control: RunControl) -> None:
        if host not in self.membership.expected:
            raise ProtocolError(f"host {host!r} is not expected in this run")
        self.membership.check_session(host, wake.session)
        if self._taking.get(host, -1) <= wake.taken:
            self._woken.add(host)
            run_control.interrupt()

    def _take_announcement(self, host: str, delivery: Delivery) -> None:
        if not delivery.is_empty:
            announcement = delivery.read(Announcement)
            self._admission.handle_announcement(host, announcement, is_stored=delivery.retain)
        elif self._step.phase == "end":
            # A host that has left cannot repeat its last answer; its departure counts as the answer.
            self._barrier.record_departure(host)

    # Rounds.

    async def _run_steps(self, bus: Bus, run_control: RunControl) -> None:
        while True:
            lost = await self._grant(bus)
            dones, expected = self._barrier.dones, self.membership.expected
            timers_s = self._step.timers_s | {host: done.next for host, done in dones.items()}
            if self.membership.dropped:
                timers_s = {host: time_s for host, time_s in timers_s.items() if host in expected}
            asking = {host for host in self._step.asking if host in expected and host not in dones}
            asking |= {host for host, done in dones.items() if done.asking}
            resumes = {h: s for h, s in self._step.resumes.items() if h in expected and h not in dones}
            resumes |= {h: done.resume for h, done in dones.items() if done.resume is not None}
            following = await self._next_allowed(bus, run_control, timers_s, lost, tuple(sorted(asking)), resumes)
            if following is None:
                return
            self._step = replace(following, **self._dropped) if self.membership.dropped else following

    @property
    def _dropped(self) -> dict[str, Any]:
        """The hosts that the run continues without, as a step stores them."""
        members = self.membership
        return {
            "dropped": tuple(sorted(members.dropped)),
            "reasons": dict(sorted(members.reasons.items())),
            "quarantined": tuple(sorted(members.quarantined)),
        }

    async def _next_allowed(
        self,
        bus: Bus,
        run_control: RunControl,
        timers_s: dict[str, int | None],
        lost: tuple[str, ...],
        asking: tuple[str, ...],
        resumes: Mapping[str, int],
    ) -> ScheduledRound | None:
        """Wait until the next round may run and return it; None if the run is over."""
        while True:
            run_control.look()
            following = next_round(
                self._step,
                self._barrier.addressed(self.membership.expected),
                {**timers_s, **self._wakes_s(timers_s, run_control)} if self._woken else timers_s,
                hosts=tuple(self.membership.expected),
                end_s=self.settings.end_s,
                is_stopped=run_control.is_stopped,
                stopped_at_s=run_control.stopped_at_s,
                stop_after_s=self.settings.stop_after_s,
                lost=lost,
                asking=asking,
                resumes=resumes,
            )
            if following is None or await self._wait_until_allowed(bus, run_control, following):
                return following

    def _wakes_s(self, timers_s: Mapping[str, int | None], run_control: RunControl) -> dict[str, int]:
        """Return when the hosts that asked for a round get one, UNIX seconds: at once, but never in this second.

        So input from outside acts like a timer, and a replay needs to know only the second.
        """
        now_s = max(self._step.time_s + 1, run_control.paced_time_s(self._step.time_s))
        earliest_s = {host: timers_s.get(host) for host in self._woken & self.membership.expected.keys()}
        return {host: now_s if timer_s is None else min(timer_s, now_s) for host, timer_s in earliest_s.items()}

    async def _wait_until_allowed(self, bus: Bus, run_control: RunControl, step: ScheduledRound) -> bool:
        """Return whether a round may run now; if not, wait until that may have changed, and return False."""
        is_closing = step.phase == "closing" and self._step.phase not in {"closing", "end"}
        waits_for_others = is_closing and self.settings.is_open and not run_control.is_stopped
        if step.phase != "run" and not waits_for_others:
            return True
        if waits_for_others and self.settings.end_s is None:
            await self._reporter.report(bus, "paused" if run_control.is_paused else "running")
            await run_control.wait_for_others()
            return False
        if not run_control.permits(step.moment, self.now):
            await self._reporter.report(bus, "paused")
            await run_control.wait_changed()
            return False
        if not run_control.is_due(step.moment):
            await self._reporter.report(bus, "running")
            await run_control.wait_due(step.moment)
            return False
        return True

    async def _grant(self, bus: Bus) -> tuple[str, ...]:
        """Grant the step's round and wait for the answers; return the agents of hosts that were dropped."""
        step = self._step
        if self._run_control is not None:
            self._run_control.ran(step.moment)
        if self._journal is not None:
            self._journal.save_round(step)
            self._store_progress()
        if self._on_moment is not None:
            self._on_moment(step.moment)
        if step.round == 0 and step.phase == "run":
            self._woken -= step.counts.keys()  # they take the waiting input in this round
            self._taking |= dict.fromkeys(step.counts, step.step)
            self._count_timers(step)
        hosts = step.counts.keys() & self.membership.expected.keys()
        self._is_alone = len(step.counts) == len(hosts) == 1 and step.phase != "end" and not step.resumes.keys() - hosts
        self._barrier.begin(step.step, hosts, is_alone=self._is_alone)
        self._violations.begin_step()
        self._initiatives.begin_step()
        await self._publish_grants(bus, hosts)
        await self._reporter.report(bus, "running")
        lost, self._lost_before_the_step = self._lost_before_the_step, []
        lost += await self._wait_for_answers(bus)
        self._leave_out_absence()
        lost += self._handle_failures()
        if self._observer is not None:
            lost += await self._wait_for_messages(bus)
        lost += self._put_out_offenders()  # before messages are delivered that they should not have sent
        before = step.time_s, step.round
        if more := max((done.more for done in self._barrier.dones.values()), default=0):  # it was alone
            self._step = replace(step, step=step.step + more, round=step.round + more)
        if self._observer is not None:
            for number, sent in enumerate(self._barrier.pop_messages(*before)):
                moment = Moment(step.time_s, step.round + number, step.step + number)
                self._check_that_time_moves(moment, sent)
                self._observer.step_ran(moment, tuple(e for e in sent if (e.sender, e.seq) not in self._void))
            self._void.clear()
            if isinstance(self._observer, StepKeeper):
                await self._wait_until_kept(self._observer)
        return tuple(lost)

    async def _wait_until_kept(self, observer: StepKeeper) -> None:
        """Wait until the observer has stored the step: the record may be locked by another process."""
        loop = asyncio.get_running_loop()
        since_wall_s = loop.time()
        while not observer.keep():
            self._unkept_since_wall_s = since_wall_s
            await asyncio.sleep(KEEP_AGAIN_WALL_S)
        if self._unkept_since_wall_s is not None and self._run_control is not None:
            self._run_control.leave_out(since_wall_s, loop.time())
        self._unkept_since_wall_s = None

    async def _publish_grants(self, bus: Bus, hosts: Collection[str]) -> None:
        """Publish the step's grant to these hosts: once for all if they are many, else to each."""
        run, order = self.settings.run, sorted(hosts)
        members = len(self.membership.expected)
        if len(order) > 1 and len(order) * 2 >= members and members <= MOST_HOSTS_OF_A_COMMON_GRANT:
            await bus.publish(topics.grants(run), self._grant_of(order), qos=topics.QOS_AT_MOST_ONCE)
            return
        for host in order[:-1]:
            grant = self._grant_of([host], FollowedGrant)
            await bus.publish(topics.grant(run, host), grant, qos=topics.QOS_AT_MOST_ONCE)
        for host in order[-1:]:
            await bus.publish(topics.grant(run, host), self._grant_of([host]), qos=topics.QOS_AT_MOST_ONCE)

    def _grant_of(self, hosts: Sequence[str], kind: type[Grant] = Grant) -> Grant:
        step, members, counts = self._step, self.membership.expected, self._step.counts
        if self.membership.dropped:
            counts = {host: {sender: n for sender, n in counts[host].items() if sender in members} for host in hosts}
        # A paused run continues round by round, because a user who steps through it wants to see each round.
        is_paused = self._run_control is not None and self._run_control.is_paused
        return kind.of_own(
            {
                "v": VERSION,
                "step": step.step,
                "time": step.time_s,
                "round": step.round,
                "expected": {host: counts[host] for host in hosts},
                "lost": step.lost,
                "phase": step.phase,
                "lapse": step.lapse,
                "alone": self._is_alone and not is_paused,
            }
        )

    async def _wait_for_answers(self, bus: Bus) -> list[str]:
        """Wait for the answers to the step; return the agents of hosts that were dropped."""
        barrier, backoff = self._barrier, self.settings.timeouts.backoff()
        lost: list[str] = []
        loop = asyncio.get_running_loop()
        while barrier.awaited:
            wake_wall_s = loop.time() + backoff.pause_wall_s
            has_sign = await barrier.wait_for_answers(backoff.pause_wall_s)
            if loop.time() - wake_wall_s > AWAY_AFTER_WALL_S:
                barrier.mark_all_alive(barrier.awaited)  # this process was suspended, and received nothing
            if has_sign:
                again = barrier.pop_returned()
            else:
                backoff.double()
                if self._step.phase == "end":  # an absent host has left; nothing more can come from it
                    barrier.awaited -= set(self.membership.missing)
                again = barrier.awaited
                log.info("waiting for hosts", hosts=sorted(again), step=self._step.step)
            lost += self._put_out_offenders()
            if barrier.awaited:
                lost += self._handle_timed_out()
            if asked_again := again & barrier.awaited:
                for host in asked_again:
                    barrier.mark_asked_again(host)
                await self._publish_grants(bus, asked_again)
        return lost

    def _handle_timed_out(self) -> list[str]:
        """If hosts were silent for too long, fail or drop them; return the agents of dropped hosts."""
        if self.settings.on_loss == "fail" and (gone := self._barrier.awaited & self.membership.gone):
            raise HostsGoneError(f"hosts are gone: {', '.join(repr(host) for host in sorted(gone))}")
        limit_wall_s = self.settings.timeouts.limit_wall_s
        timed_out = self._barrier.timed_out(limit_wall_s)
        if busy := self._barrier.timed_out(limit_wall_s, MOST_LIMITS * limit_wall_s) - timed_out:
            timed_out |= busy & self._removable
        if timed_out and (self.settings.on_loss != "drop" or timed_out & self.settings.indispensable):
            raise missing_error(timed_out, self.settings.timeouts)
        return [agent for host in sorted(timed_out) for agent in self._drop(host)]

    def _drop_missing(self, missing: tuple[str, ...]) -> bool:
        """Drop hosts that never joined the run; return False if the run must not start without them."""
        if self.settings.on_loss != "drop" or self.settings.indispensable.intersection(missing):
            return False
        self._lost_before_the_step += [agent for host in missing for agent in self._drop(host)]
        return True

    async def _wait_for_messages(self, bus: Bus) -> list[str]:
        """Wait until all messages of the step have arrived, for the observer.

        The clock gives up at the time limit on a host that has reported messages that never arrive, even if it gives
        signs of life: otherwise all others would wait forever.

        Returns:
            The agents of hosts that were dropped.

        Raises:
            HostsMissingError: Such hosts are not to be dropped.
        """
        lost: list[str] = []
        backoff = self.settings.timeouts.backoff()
        request = ResendRequest(step=self._step.step)
        loop = asyncio.get_running_loop()
        self._missing_since_wall_s = self._begun_waiting_wall_s = loop.time()
        while senders := self._barrier.missing_senders():
            if not await backoff.wait(self._barrier.activity):
                for host in senders:
                    topic = topics.resend(self.settings.run, host, topics.CLOCK)
                    await bus.publish(topic, request, qos=topics.QOS_AT_MOST_ONCE)
            lost += self._put_out_offenders()
            if loop.time() - self._begun_waiting_wall_s > self.settings.timeouts.limit_wall_s:
                lost += self._give_up_on_messages()
        now_wall_s = loop.time()
        if self._run_control is not None and now_wall_s - self._missing_since_wall_s >= AWAY_AFTER_WALL_S:
            self._run_control.leave_out(self._missing_since_wall_s, now_wall_s)
        self._missing_since_wall_s = None
        return lost

    def _give_up_on_messages(self) -> list[str]:
        """Drop the hosts whose messages have not arrived; return their agents."""
        senders = set(self._barrier.missing_senders())
        if senders and (self.settings.on_loss != "drop" or senders & self.settings.indispensable):
            raise missing_error(senders, self.settings.timeouts, what="messages that they reported")
        why = f"messages that it reported in step {self._step.step} never arrived"
        return [agent for host in sorted(senders) for agent in self._drop(host, why)]

    # Hosts that break the protocol.

    @property
    def _removable(self) -> set[str]:
        return self.membership.expected.keys() - self.settings.indispensable

    @property
    def _owing(self) -> set[str]:
        """Hosts whose answer or messages the current step waits for."""
        senders = self._barrier.missing_senders() if self._observer is not None else ()
        return self._barrier.awaited | set(senders)

    def _drop(self, host: str, *why: str, is_quarantined: bool = False) -> tuple[str, ...]:
        self._barrier.forget(host)
        agents = self.membership.drop(host, *why, is_quarantined=is_quarantined)
        self._admission.changed()
        return agents

    def _put_out_offenders(self) -> list[str]:
        """Quarantine the hosts that break the protocol; return their agents.

        Raises:
            HostsMissingError: The run is to fail at once when a host is lost.
        """
        if not self._violations.has_suspects:
            return []
        offenders = self._violations.offenders(self._removable, self._owing)
        if offenders and self.settings.on_loss == "fail":
            raise HostsMissingError("; ".join(f"host {host!r} is lost: {why}" for host, why in offenders.items()))
        return [agent for host, why in offenders.items() for agent in self._drop(host, why, is_quarantined=True)]

    def _put_out_before_the_step(self) -> None:
        # Other hosts are informed after the step: some may have run it already, before this clock was restarted.
        self._lost_before_the_step += self._put_out_offenders()

    def _count_timers(self, step: ScheduledRound) -> None:
        """Condemn hosts that set more timers, or request more rounds, than their agents can need."""
        members, indispensable = self.membership.expected, self.settings.indispensable
        for host in sorted(step.counts):
            if step.timers_s.get(host) == step.time_s and host in members and host not in indispensable:
                fired, most = self._initiatives.fire(host), self.settings.most_timers.get(host)
                if most is not None and fired > most:
                    self._violations.condemn(host, f"it has set more than {most:,} timers")

    def _check_that_time_moves(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """Condemn a host that keeps a second of virtual time, or the run, from ending."""
        most, most_in_all = self.settings.most_rounds_a_second, self.settings.most_rounds
        self._initiatives.hear(moment.time_s, sent)
        for host, done in self._barrier.dones.items():
            if done.resume is not None and moment.step == done.last_step:
                self._initiatives.let_pass(host, done.resume - done.last_step)
        before, self._rounds_checked = self._rounds_checked, (moment.time_s, moment.round)
        if moment.round // most > (before[1] // most if before[0] == moment.time_s else 0):
            busiest = self._initiatives.most_active(self._known_removable)
            if busiest is not None:
                self._violations.condemn(busiest, f"it has kept a second of virtual time going for {most} rounds")
        if most_in_all is not None and self._initiatives.rounds % most_in_all == 0:
            busiest = self._initiatives.most_active(self._known_removable, in_all=True)
            if busiest is not None:
                self._violations.condemn(busiest, f"it has kept the run going for {most_in_all} rounds")

    @property
    def _known_removable(self) -> dict[str, tuple[str, ...]]:
        return {host: self._known_hosts[host] for host in self._removable}

    def _handle_failures(self) -> list[str]:
        """Continue without the hosts whose agents failed, if lost hosts are dropped; return their agents.

        Raises:
            AgentFailedError: Lost hosts are not dropped, or a host of this process failed.
        """
        lost: list[str] = []
        failures = {host: done.failure for host, done in self._barrier.dones.items() if done.failure is not None}
        for host, failure in sorted(failures.items()):
            if self.settings.on_loss != "drop" or host not in self._removable:
                raise AgentFailedError(failure.agent, host, failure.traceback)
            why = f"its agent {failure.agent!r} failed: {shown(failure.traceback.rstrip().rpartition(chr(10))[2])}"
            lost += self._drop(host, why, is_quarantined=True)
        return lost

    def _awaited(self) -> Awaited:
        """Return which hosts the clock is waiting for."""
        if self._waiting_since_wall_s is not None:
            return Awaited(dict.fromkeys(self.membership.missing, self._waiting_since_wall_s))
        if self._barrier.awaited:
            return Awaited(*self._barrier.awaited_for(CHECK_INTERVAL_WALL_S))
        loop = asyncio.get_running_loop()
        if self._missing_since_wall_s is not None and loop.time() - self._missing_since_wall_s >= CHECK_INTERVAL_WALL_S:
            return Awaited(dict.fromkeys(self._barrier.missing_senders(), self._missing_since_wall_s))
        if self._unkept_since_wall_s is not None and loop.time() - self._unkept_since_wall_s >= CHECK_INTERVAL_WALL_S:
            return Awaited({RECORD: self._unkept_since_wall_s})
        return Awaited()
