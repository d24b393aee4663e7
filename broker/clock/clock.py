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
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import structlog
from pydantic import TypeAdapter

from broker.clock.barrier import RoundBarrier
from broker.clock.grants import grants_of
from broker.clock.incoming_messages import IncomingMessages
from broker.clock.journal import ClockJournal, ProgressKeeper
from broker.clock.lost_hosts import LostHosts
from broker.clock.membership import AWAY_TOO_LONG, Admission, Membership
from broker.clock.next_round import PendingWork, RunEnd, ScheduledRound, first_round, next_round
from broker.clock.pacing import AWAY_AFTER_WALL_S, Moment, RunControl
from broker.clock.quarantine import Quarantine
from broker.clock.settings import ClockSettings, StepKeeper, StepObserver
from broker.clock.status_reports import (
    CHECK_INTERVAL_WALL_S,
    AwaitedHosts,
    ClockReport,
    StatusReporter,
    check_alone,
    last_will,
)
from broker.errors import (
    AgentFailedError,
    HostsGoneError,
    HostsMissingError,
)
from broker.protocol import (
    MOST_ROUNDS_A_GRANT,
    Control,
    ResendRequest,
    topics,
)
from broker.transport import Broker, Bus, leave_gracefully

log = structlog.get_logger(__name__)

KEEP_AGAIN_WALL_S = 0.5
"""How often to try to store observed messages while another process has locked the record."""
RECORD = "the results file"
"""What a report names as awaited while another process has locked the record of the run."""


class Clock:
    """Coordinates the rounds of one run."""

    def __init__(
        self,
        settings: ClockSettings,
        on_moment: Callable[[Moment], None] | None = None,
        *,
        on_missing: Callable[[tuple[str, ...]], None] | None = None,
        on_report: Callable[[ClockReport], None] | None = None,
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
        self._journal = journal
        resumed = journal.load_round() if journal is not None else None
        self._step = resumed or first_round(settings.start_s, tuple(settings.hosts))
        self._progress = ProgressKeeper(journal)
        earlier = self._progress.earlier
        for host in self._step.dropped:
            why = self._step.reasons.get(host, AWAY_TOO_LONG)
            self.membership.drop(host, why, is_quarantined=host in self._step.quarantined)
        self._barrier = RoundBarrier(self.membership.expected | self.membership.dropped)
        self._quarantine = Quarantine(
            settings,
            self.membership,
            self._barrier,
            None if earlier is None else earlier.counted,
            is_observed=observer is not None,
        )
        self._quarantine.check_journaled_timers(self._step)
        self._admission = Admission(
            settings.run,
            self.membership,
            self._barrier,
            settings.timeouts,
            ran=self._possible_last_steps,
            on_missing=on_missing,
            keep=settings.keep,
        )
        self._lost_hosts = LostHosts(settings, self.membership, self._barrier, self._admission, self._quarantine)
        self._run_control = RunControl(
            settings.pace,
            self._step.time_s,
            catch_up=settings.catch_up,
            state=None if earlier is None else earlier.control,
            on_look=self._store_progress,
        )
        self._incoming = IncomingMessages(
            settings,
            self.membership,
            self._barrier,
            self._admission,
            self._quarantine,
            step=self._step,
            on_control=self._receive_command,
            on_wake=self._run_control.interrupt,
            messages=messages,
            is_observed=observer is not None,
        )
        self._is_connected = False
        """Whether the clock has connected to the broker; before that, it carries out no commands."""
        self._reporter = StatusReporter(settings.run, lambda: self.now, self._awaited, self._run_control, on_report)
        self._waiting_since_wall_s: float | None = None
        """When the clock began to wait for hosts before the run, loop time; None: it is not waiting."""
        self._missing_since_wall_s: float | None = None
        """When it began to wait for messages that the observer must receive, loop time; None: it is not waiting."""
        self._unkept_since_wall_s: float | None = None
        """When it began to wait for the observer to store a step, loop time; None: it is not waiting."""

    @property
    def now(self) -> Moment:
        """The current virtual time, round and step."""
        return self._step.moment

    @property
    def acted_until_s(self) -> int:
        """Latest virtual time up to which timers have fired, UNIX seconds; the run's end may be later."""
        return self._step.acted_until_s

    @property
    def reached_s(self) -> int:
        """Virtual time reached at the pace, between the last event and the next one, UNIX seconds."""
        if not self._is_connected:
            return self.now.time_s
        self._leave_out_absence()
        return self._run_control.reached_s(self.now)

    @property
    def is_stopped(self) -> bool:
        """Whether someone asked to end the run early."""
        return self._is_connected and self._run_control.is_stopped

    def command(self, control: Control) -> None:
        """Carry out a command from this process, like one that arrives over the broker; before the run, ignore it.

        Raises:
            PaceError: It contains an invalid pace.
        """
        if self._is_connected:
            self._run_control.apply(control, self.now)

    def _receive_command(self, control: Control) -> None:
        """Carry out a command that has arrived over the broker, and journal it.

        Raises:
            PaceError: It contains an invalid pace.
        """
        self._leave_out_absence()
        self.command(control)
        self._store_progress(is_final=True)
        log.info("command received", command=control.command, pace=control.pace, until=control.until, by=control.by)

    @property
    def earlier_wall_s(self) -> float:
        """How long the run took in earlier processes of its clock, wall-clock seconds."""
        return self._progress.earlier_wall_s

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
        self._progress.begin()
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
        reporter = self._reporter
        self._is_connected = True
        await self._incoming.subscribe(bus)
        try:
            async with asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(self._incoming.read(bus), name="clock.read"),
                    tasks.create_task(self._admission.keep_publishing(bus), name="clock.tell"),
                    tasks.create_task(reporter.keep_reporting(bus), name="clock.report"),
                    tasks.create_task(self._incoming.keep_echoing(bus), name="clock.echo"),
                ]
                await self._run_to_the_end(bus)
                for task in background:
                    task.cancel()
        finally:
            self._admission.close()
            self._barrier.stop()
            self._incoming.log_suppressed()

    async def _run_to_the_end(self, bus: Bus) -> None:
        """Run all steps, and publish how the run ended.

        Raises:
            AgentFailedError, HostsMissingError: See `run`.
        """
        reporter = self._reporter
        try:
            if self._step.phase != "end":
                self._waiting_since_wall_s = asyncio.get_running_loop().time()
                await reporter.report(bus, "waiting")
                await self._admission.wait_for_hosts(
                    bus, self._lost_hosts.quarantine_before_the_step, self._lost_hosts.drop_missing
                )
                self._waiting_since_wall_s = None
            self._admission.open()
            self._run_control.start()
            await self._run_steps(bus)
        except (AgentFailedError, HostsMissingError) as error:
            await reporter.report(bus, "failed")
            may_resume = isinstance(error, HostsMissingError) and not isinstance(error, HostsGoneError)
            why = str(error).partition("\n")[0]
            await self._admission.publish(bus, failed=why, may_resume=may_resume)
            raise
        await reporter.report(bus, "ended")
        await self._admission.publish(bus, ended=True)

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
        """Journal the commands and how far the run has come.

        Args:
            is_final: Whether it must survive a power cut; if not, it is stored every half second at most.
        """
        if self._progress.is_due(is_final=is_final):
            self._leave_out_absence()
            self._progress.store(self._run_control.state, self._quarantine.counted, is_final=is_final)

    def _leave_out_absence(self) -> None:
        """Exclude the time spent waiting for absent hosts from the pace."""
        for since_wall_s, until_wall_s in self._barrier.silence.pop_away(self._barrier.awaited):
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

    # Rounds.

    async def _run_steps(self, bus: Bus) -> None:
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
            following = await self._next_allowed(bus, PendingWork(timers_s, lost, tuple(sorted(asking)), resumes))
            if following is None:
                return
            self._step = replace(following, **self._dropped) if self.membership.dropped else following
            self._incoming.step = self._step

    @property
    def _dropped(self) -> dict[str, Any]:
        """The hosts that the run continues without, as a step stores them."""
        members = self.membership
        return {
            "dropped": tuple(sorted(members.dropped)),
            "reasons": dict(sorted(members.reasons.items())),
            "quarantined": tuple(sorted(members.quarantined)),
        }

    async def _next_allowed(self, bus: Bus, pending: PendingWork) -> ScheduledRound | None:
        """Wait until the next round may run and return it; None if the run is over."""
        while True:
            self._run_control.look()
            now_pending = pending
            if self._incoming.woken:
                now_pending = replace(pending, timers_s={**pending.timers_s, **self._wakes_s(pending.timers_s)})
            members = self.membership.expected
            end = RunEnd(self.settings.end_s, self._run_control.stopped_at_s, self.settings.stop_after_s)
            following = next_round(self._step, tuple(members), self._barrier.addressed(members), now_pending, end)
            if following is None or await self._wait_until_allowed(bus, following):
                return following

    def _wakes_s(self, timers_s: Mapping[str, int | None]) -> dict[str, int]:
        """Return when the hosts that asked for a round get one, UNIX seconds: at once, but never in this second.

        So input from outside acts like a timer, and a replay needs to know only the second.
        """
        now_s = max(self._step.time_s + 1, self._run_control.paced_time_s(self._step.time_s))
        earliest_s = {host: timers_s.get(host) for host in self._incoming.woken & self.membership.expected.keys()}
        return {host: now_s if timer_s is None else min(timer_s, now_s) for host, timer_s in earliest_s.items()}

    async def _wait_until_allowed(self, bus: Bus, step: ScheduledRound) -> bool:
        """Return whether a round may run now; if not, wait until that may have changed, and return False."""
        run_control = self._run_control
        is_closing = step.phase == "closing" and self._step.phase not in {"closing", "end"}
        waits_for_others = is_closing and self.settings.is_open and not run_control.is_stopped
        if step.phase != "run" and not waits_for_others:
            return True
        if waits_for_others and self.settings.end_s is None:
            await self._reporter.report(bus, "paused" if run_control.is_paused else "running")
            await run_control.wait_for_others()
            return False
        moment = step.moment
        if not run_control.permits(moment, self.now):
            await self._reporter.report(bus, "paused")
            await run_control.wait_changed()
            return False
        if not run_control.is_due(moment):
            await self._reporter.report(bus, "running")
            await run_control.wait_due(moment)
            return False
        return True

    async def _grant(self, bus: Bus) -> tuple[str, ...]:
        """Grant the step's round and wait for the answers; return the agents of hosts that were dropped."""
        step = self._step
        moment = step.moment
        self._run_control.ran(moment)
        if self._journal is not None:
            self._journal.save_round(step)
            self._store_progress()
        if self._on_moment is not None:
            self._on_moment(moment)
        if step.round == 0 and step.phase == "run":
            self._incoming.grant_input(step.counts.keys(), step.step)
            self._quarantine.count_timers(step)
        hosts = step.counts.keys() & self.membership.expected.keys()
        is_alone = len(step.counts) == len(hosts) == 1 and step.phase != "end" and not step.resumes.keys() - hosts
        self._barrier.begin(step.step, hosts, is_alone=is_alone)
        self._quarantine.begin_step()
        await self._publish_grants(bus, hosts)
        await self._reporter.report(bus, "running")
        lost = self._lost_hosts.pop_before_the_step()
        lost += await self._wait_for_answers(bus)
        self._leave_out_absence()
        lost += self._lost_hosts.drop_failed()
        if self._observer is not None:
            lost += await self._wait_for_messages(bus)
        lost += self._lost_hosts.quarantine_offenders()  # before messages are delivered that they should not have sent
        before = step.time_s, step.round
        if more := self._barrier.more:  # it was alone
            self._step = self._incoming.step = replace(step, step=step.step + more, round=step.round + more)
        if self._observer is not None:
            for number, sent in enumerate(self._barrier.pop_messages(*before)):
                moment = Moment(step.time_s, step.round + number, step.step + number)
                self._quarantine.check_that_time_moves(moment, sent)
                self._observer.step_ran(moment, self._incoming.understood(sent))
            self._incoming.end_step()
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
        if self._unkept_since_wall_s is not None:
            self._run_control.leave_out(since_wall_s, loop.time())
        self._unkept_since_wall_s = None

    async def _publish_grants(self, bus: Bus, hosts: Collection[str]) -> None:
        """Publish the step's grants to these hosts."""
        # A paused run continues round by round, because a user who steps through it wants to see each round.
        is_alone = self._barrier.is_alone and not self._run_control.is_paused
        members, dropped = len(self.membership.expected), self.membership.dropped
        run, step = self.settings.run, self._step
        for topic, grant in grants_of(run, step, hosts, members=members, dropped=dropped, is_alone=is_alone):
            await bus.publish(topic, grant, qos=topics.QOS_AT_MOST_ONCE)

    async def _wait_for_answers(self, bus: Bus) -> list[str]:
        """Wait for the answers to the step; return the agents of hosts that were dropped."""
        barrier, backoff = self._barrier, self.settings.timeouts.backoff()
        lost: list[str] = []
        loop = asyncio.get_running_loop()
        while barrier.awaited:
            wake_wall_s = loop.time() + backoff.pause_wall_s
            has_sign = await barrier.wait_for_answers(backoff.pause_wall_s)
            barrier.leave_out_suspension(barrier.awaited, wake_wall_s)
            if has_sign:
                again = barrier.pop_returned() | barrier.silence.to_ask_again(
                    barrier.awaited, self.settings.timeouts.resend_most_wall_s
                )
            else:
                backoff.double()
                if self._step.phase == "end":  # an absent host has left; nothing more can come from it
                    barrier.awaited -= set(self.membership.missing)
                again = barrier.awaited
                log.info("waiting for hosts", hosts=sorted(again), step=self._step.step)
            lost += self._lost_hosts.quarantine_offenders()
            if barrier.awaited:
                lost += self._lost_hosts.drop_timed_out()
            if asked_again := again & barrier.awaited:
                for host in asked_again:
                    barrier.silence.note_asked_again(host)
                await self._publish_grants(bus, asked_again)
        return lost

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
        self._missing_since_wall_s = since_wall_s = loop.time()
        with self._barrier.silence.limited_wait(self.settings.timeouts.limit_wall_s) as deadline:
            while senders := self._barrier.missing_senders():
                wake_wall_s = loop.time() + backoff.pause_wall_s
                has_sign = await backoff.wait(self._barrier.activity)
                self._barrier.leave_out_suspension((), wake_wall_s)
                if not has_sign:
                    for host in senders:
                        topic = topics.resend(self.settings.run, host, topics.CLOCK)
                        await bus.publish(topic, request, qos=topics.QOS_AT_MOST_ONCE)
                lost += self._lost_hosts.quarantine_offenders()
                if deadline.is_over:
                    lost += self._lost_hosts.drop_those_without_messages(self._step.step)
        now_wall_s = loop.time()
        if now_wall_s - since_wall_s >= AWAY_AFTER_WALL_S:
            self._run_control.leave_out(since_wall_s, now_wall_s)
        self._missing_since_wall_s = None
        return lost

    def _awaited(self) -> AwaitedHosts:
        """Return which hosts the clock is waiting for."""
        if self._waiting_since_wall_s is not None:
            return AwaitedHosts(dict.fromkeys(self.membership.missing, self._waiting_since_wall_s))
        if self._barrier.awaited:
            return AwaitedHosts(*self._barrier.silence.awaited_for(self._barrier.awaited, CHECK_INTERVAL_WALL_S))
        loop = asyncio.get_running_loop()
        if self._missing_since_wall_s is not None and loop.time() - self._missing_since_wall_s >= CHECK_INTERVAL_WALL_S:
            return AwaitedHosts(dict.fromkeys(self._barrier.missing_senders(), self._missing_since_wall_s))
        if self._unkept_since_wall_s is not None and loop.time() - self._unkept_since_wall_s >= CHECK_INTERVAL_WALL_S:
            return AwaitedHosts({RECORD: self._unkept_since_wall_s})
        return AwaitedHosts()
