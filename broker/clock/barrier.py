"""The barrier at the end of a round: which hosts have answered, which are awaited, and which messages have arrived."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from broker.clock.host_silence import HostSilence
from broker.clock.next_round import Counts, ScheduledRound
from broker.clock.pacing import AWAY_AFTER_WALL_S
from broker.errors import ContradictionError, MalformedError
from broker.protocol import (
    MAX_PASSED_ROUNDS,
    MOST_ROUNDS_A_GRANT,
    Done,
    Envelope,
    ReorderBuffer,
    SendingMoment,
    in_order,
    most_buffered,
)

_DEPARTED = "departed"
"""The session of an answer that stands for a host's departure; no process has it."""


class Alarm:
    """Wakes up one waiting coroutine when it is rung, or at a deadline."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[bool] | None = None
        self._until_wall_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        """Goes off at the deadline of this wait, or of an earlier one."""

    def ring(self) -> None:
        """Wake the waiter, if there is one."""
        self._wake(is_due=False)

    async def wait(self, until_wall_s: float) -> bool:
        """Wait until it is rung, at most until a deadline.

        Args:
            until_wall_s: The deadline, loop time in seconds.

        Returns:
            Whether the deadline was reached.
        """
        loop = asyncio.get_running_loop()
        self._until_wall_s = until_wall_s
        if self._timer is None or self._timer.when() > until_wall_s:
            self.stop()
            self._timer = loop.call_at(until_wall_s, self._go_off, until_wall_s)
        self._waiter = loop.create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def stop(self) -> None:
        """Cancel the deadline, if one is set."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_off(self, at_wall_s: float) -> None:
        self._timer = None
        if at_wall_s >= self._until_wall_s:
            self._wake(is_due=True)
        elif self._waiter is not None:
            self._timer = asyncio.get_running_loop().call_at(self._until_wall_s, self._go_off, self._until_wall_s)

    def _wake(self, *, is_due: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(is_due)


class RoundBarrier:
    """Collects the answers to the grants of one step."""

    def __init__(self, agents: Mapping[str, Collection[str]] | None = None) -> None:
        """Create it.

        Args:
            agents: By host, its agents: the more there are, the more messages are kept. None: few on every host.
        """
        self.step = -1
        self.dones: dict[str, Done] = {}
        """The answers that have arrived, by host."""
        self.awaited: set[str] = set()
        """Hosts that have not answered yet."""
        self._returned: set[str] = set()
        self._buffer = ReorderBuffer(
            most_of={host: most_buffered(len(living)) for host, living in (agents or {}).items()}
        )
        self._local: Counter[str] = Counter()
        """By host, how many messages between its own agents have arrived, in all rounds of the step."""
        self._arrived: dict[str, dict[tuple[str, int], int]] = {}
        """By sending host, by receiving host and round's step: how many messages to other hosts have arrived."""
        self._is_over = False
        """Whether the messages of the step have been taken: what arrives after that are duplicates."""
        self.is_alone = False
        """Whether the step is granted to a single host, which may run further rounds without a grant."""
        self._alone: str | None = None
        """The host that may run further rounds of this step without a grant; None: there is none."""
        self.activity = asyncio.Event()
        """Set whenever an awaited host gives a sign of life or a message of the step arrives."""
        self._alarm = Alarm()
        self._is_alerted = False
        """Whether a host requires action before all hosts have answered."""
        self._sign_wall_s = 0.0
        """When there was activity last, loop time."""
        self._quiet_since_wall_s: float | None = None
        """The time of the sign of life that the present wait for answers is counted from, loop time; None: the wait has
        just begun."""
        self.silence = HostSilence()
        """For how long each host has been silent."""

    def begin(self, step: int, hosts: Collection[str], *, is_alone: bool = False) -> None:
        """Reset for a new step.

        Args:
            step: The step's number.
            hosts: The hosts that are granted a round in it.
            is_alone: Whether there is only one such host, which may run further rounds without a grant.
        """
        self.step = step
        self._is_over = False
        self.is_alone, self._alone = is_alone, next(iter(hosts)) if is_alone else None
        self.dones, self.awaited = {}, set(hosts)
        self._local.clear()
        self._arrived = {host: {} for host in hosts}
        self._returned.clear()
        self._is_alerted, self._quiet_since_wall_s = False, None
        self.silence.begin(hosts)

    def record_answer(self, host: str, done: Done) -> bool:
        """Record a host's answer; answers to another step and repeated answers are ignored.

        Returns:
            Whether it is the host's answer to the step, and new.

        Raises:
            MalformedError: The host has answered the step differently before.
            ContradictionError: It has sent messages in rounds that it has not run, or more messages than it reports.
        """
        if done.step != self.step or done.busy:
            if done.step == self.step and host in self.awaited:
                self.silence.note_busy(host)
                self.mark_alive(host)
            return False
        if host in self.dones:
            if self.dones[host].session == _DEPARTED:
                return False  # it overtook the answer, which has another topic
            if self.dones[host].model_copy(update={"session": done.session}) != done:
                raise MalformedError(f"a second answer to step {self.step} differs from the first one")
            return False
        if host not in self.awaited:
            return False
        self.awaited.discard(host)
        self.dones[host] = done
        self.mark_alive(host)
        arrived = self._arrived[host]
        if arrived or self._local:
            if any(step > done.last_step for _, step in arrived):
                raise ContradictionError(f"messages were sent after step {done.last_step}, the last one that was run")
            # A host that runs alone stops in the round in which it sends to another host.
            reported = {(to, done.last_step): count for to, count in done.sent.items()}
            if self._local[host] > done.local or any(reported.get(of, 0) < n for of, n in arrived.items()):
                raise ContradictionError(f"more messages were sent in step {self.step} than the answer reports")
        return True

    def _check_surplus(self, from_host: str, to_host: str, step: int) -> None:
        """Reject a message that arrives after its host's answer, which does not report it."""
        done = self.dones.get(from_host)
        if done is None:
            return
        if step > done.last_step:
            raise ContradictionError(f"a message was sent after step {done.last_step}, the last one that was run")
        if to_host == from_host:
            is_reported = self._local[from_host] < done.local
        else:
            is_last = step == done.last_step
            is_reported = is_last and self._arrived[from_host].get((to_host, step), 0) < done.sent.get(to_host, 0)
        if not is_reported:
            raise ContradictionError(f"more messages were sent in step {self.step} than the answer reports")

    def record_departure(self, host: str) -> None:
        """Count a host's departure as its answer: it cannot answer again, and has nothing to report."""
        if host in self.awaited:
            self.record_answer(host, Done(session=_DEPARTED, step=self.step, time=0, round=0, sent={}, next=None))

    def forget(self, host: str) -> None:
        """Continue without a host: its answer and its messages of the step do not count."""
        self.awaited.discard(host)
        self.dones.pop(host, None)
        self.alert()

    def record_return(self, host: str) -> None:
        """Record that a host has restarted and may have missed its grant."""
        self._returned.add(host)
        self.silence.note_restart(host)
        self.mark_alive(host, is_announcement=True)
        self.alert()

    def add_message(self, from_host: str, to_host: str, envelope: Envelope, size_bytes: int) -> bool:
        """Buffer a message of the current step; those of earlier steps are ignored.

        Args:
            from_host: The sending host, from the topic.
            to_host: The receiving host, from the topic.
            envelope: The message.
            size_bytes: Size of its payload.

        Returns:
            Whether it is new.

        Raises:
            ContradictionError: The message contradicts what its sender has sent or reported before, or was sent in a
                round that its sender has not been granted. The receiving host does not know that, and may take it.
            ProtocolError: Too many messages of the host are buffered.
        """
        if envelope.step < self.step or self.step < 0:
            return False
        most = MOST_ROUNDS_A_GRANT - 1 if from_host == self._alone else 0
        if envelope.step > self.step + most or from_host not in self._arrived:
            raise ContradictionError(f"host {from_host!r} sends in step {envelope.step}, which it has not been granted")
        if self._is_over or self._buffer.has(envelope):
            return False
        self._check_surplus(from_host, to_host, envelope.step)
        self._buffer.add(from_host, envelope, size_bytes, to_host=to_host)
        if to_host == from_host:
            self._local[from_host] += 1
        else:
            arrived, of = self._arrived[from_host], (to_host, envelope.step)
            arrived[of] = arrived.get(of, 0) + 1
        self._sign_wall_s = asyncio.get_running_loop().time()
        self.activity.set()
        return True

    def mark_alive(self, host: str, *, is_announcement: bool = False) -> None:
        """Record a sign of life from a host.

        Args:
            host: The host.
            is_announcement: Whether it only says that it is there.
        """
        silence = self.silence
        self._sign_wall_s = silence.note_announcement(host) if is_announcement else silence.note_sign(host)
        if not self.activity.is_set():
            self.activity.set()
        if not self.awaited:
            self._alarm.ring()

    def leave_out_suspension(self, hosts: Iterable[str], wake_wall_s: float) -> bool:
        """Return whether this process was suspended while it waited, and received nothing; if so, leave that time out.

        Args:
            hosts: The hosts whose silence it is not.
            wake_wall_s: When the wait should have been over at the latest, loop time.
        """
        late_wall_s = asyncio.get_running_loop().time() - wake_wall_s
        if late_wall_s <= AWAY_AFTER_WALL_S:
            return False
        self.leave_out(hosts, late_wall_s)
        return True

    def leave_out(self, hosts: Iterable[str], unreachable_wall_s: float) -> None:
        """Leave out a time in which this process could receive nothing; see `HostSilence.leave_out`."""
        self._sign_wall_s = self.silence.leave_out(hosts, unreachable_wall_s)
        self.activity.set()

    async def wait(self, until_wall_s: float) -> bool:
        """Wait for activity on the part of any host.

        Args:
            until_wall_s: Deadline, loop time in seconds.

        Returns:
            Whether there was any before the deadline.
        """
        self.activity.clear()
        try:
            async with asyncio.timeout_at(until_wall_s):
                await self.activity.wait()
        except TimeoutError:
            return False
        return True

    def alert(self) -> None:
        """Wake the waiting clock before all answers have arrived, because a host requires action."""
        self._is_alerted = True
        self.activity.set()
        self._alarm.ring()

    async def wait_for_answers(self, pause_wall_s: float) -> bool:
        """Wait until all hosts have answered, a host requires action, or a pause is over.

        A single answer does not end the wait: with many hosts, checking all of them for each answer would cost too
        much.

        Args:
            pause_wall_s: How long the hosts may be silent, wall-clock seconds.

        Returns:
            False: no host gave a sign of life during the pause, and it is time to ask again.
        """
        loop = asyncio.get_running_loop()
        quiet_since_wall_s = loop.time() if self._quiet_since_wall_s is None else self._quiet_since_wall_s
        due_wall_s = quiet_since_wall_s + pause_wall_s
        while self.awaited and not self._is_alerted:
            if await self._alarm.wait(due_wall_s):
                has_sign = self._sign_wall_s > quiet_since_wall_s
                self._quiet_since_wall_s = self._sign_wall_s if has_sign else None
                return has_sign
        self._is_alerted = False
        return True

    def stop(self) -> None:
        """Stop waiting for any host."""
        self._alarm.stop()

    def pop_returned(self) -> set[str]:
        """Return the awaited hosts that have restarted since the last call."""
        returned = self._returned & self.awaited
        self._returned.clear()
        return returned

    @property
    def more(self) -> int:
        """How many further rounds of the step the hosts have run without a grant: only one that is alone runs any."""
        return max([done.more for done in self.dones.values()], default=0) if self.is_alone else 0

    def addressed(self, hosts: Collection[str]) -> Counts:
        """Return which of these hosts were sent messages in the step, with the count by sending host."""
        addressed: Counts = {}
        for sender, done in self.dones.items():
            for receiver, count in done.sent.items():
                if count and receiver in hosts:
                    addressed.setdefault(receiver, {})[sender] = count
            if done.pending and sender in hosts:
                addressed.setdefault(sender, {})
        return addressed

    def missing_senders(self) -> list[str]:
        """Return the hosts whose messages of the step have not all arrived."""
        return [
            host
            for host, done in self.dones.items()
            if self._local[host] < done.local
            or any(self._arrived[host].get((to, done.last_step), 0) < count for to, count in done.sent.items())
        ]

    def pop_messages(self, time_s: int, round_: int) -> list[tuple[Envelope, ...]]:
        """Remove and return the messages of each round of the step, sorted by (sender, sequence number).

        Messages that their host has not reported are left out, as the receiving host leaves them out.

        Args:
            time_s: Virtual time of the step, UNIX seconds.
            round_: Its number within this second.
        """
        self._is_over = True
        more = self.more
        left = {
            (host, done.last_step, to): count for host, done in self.dones.items() for to, count in done.sent.items()
        }
        left_local = {host: done.local for host, done in self.dones.items()}
        rounds = []
        for number in range(more + 1):
            step = self.step + number
            sent = []
            for message in self._buffer.take(SendingMoment(step, time_s, round_ + number)):
                host = message.from_host
                if message.to_host == host:
                    is_reported = left_local.get(host, 0) > 0
                    left_local[host] = left_local.get(host, 0) - 1
                else:
                    of = (host, step, message.to_host)
                    is_reported = left.get(of, 0) > 0
                    left[of] = left.get(of, 0) - 1
                if is_reported:
                    sent.append(message.envelope)
            rounds.append(in_order(sent))
        return rounds


def check_answer(  # noqa: C901 - one case for each contradiction
    done: Done,
    host: str,
    step: ScheduledRound,
    known: Mapping[str, Collection[str]],
    latest_s: int,
    *,
    is_alone: bool = False,
) -> None:
    """Reject an answer that contradicts the step, or that no honest host can give.

    Args:
        done: The answer.
        host: The host that sent it, from the topic.
        step: The current step.
        known: By host that takes part or took part, its agents.
        latest_s: Latest time at which anything happens in the run, UNIX seconds.
        is_alone: Whether the host may run further rounds of this step without a grant.

    Raises:
        MalformedError: The answer is rejected.
    """
    if done.step > step.step:
        raise MalformedError(f"an answer to step {done.step}, which has not been granted")
    if done.busy or done.step < step.step:
        return
    if done.more and not is_alone:
        raise MalformedError(f"host {host!r} has run {done.more} rounds that it has not been granted")
    if done.pending and not done.local:
        raise MalformedError(f"host {host!r} has pending messages, but its agents have sent each other none")
    if done.sent:
        if done.sent.keys() - known.keys():
            raise MalformedError(f"host {host!r} sends to hosts that are not in this run")
        if host in done.sent:
            raise MalformedError(f"host {host!r} counts messages to itself in `sent` instead of `local`")
    if done.sent or done.local:
        count, most = sum(done.sent.values()) + done.local, most_buffered(len(known[host]))
        if count > most:
            raise MalformedError(f"host {host!r} sends {count} messages in one step: at most {most}")
    # Input from outside is not delivered before the first round of the phase `run`, so it may be due at the start.
    earliest_s = step.time_s if step.phase == "start" else step.time_s + 1
    if done.next is not None and step.phase in {"start", "run"} and not earliest_s <= done.next <= latest_s:
        raise MalformedError(
            f"the earliest timer of host {host!r} is at {done.next}: expected between {earliest_s} and {latest_s}"
        )
    if done.resume is not None and not done.last_step < done.resume <= done.last_step + MAX_PASSED_ROUNDS:
        raise MalformedError(
            f"host {host!r} continues in step {done.resume}: expected between {done.last_step + 1} and "
            f"{done.last_step + MAX_PASSED_ROUNDS}"
        )
    if done.failure is not None and done.failure.agent not in known[host]:
        raise MalformedError(f"host {host!r} reports a failure of {done.failure.agent!r}, which does not live there")


def check_message(
    envelope: Envelope, from_host: str, to_host: str, step: ScheduledRound, known: Mapping[str, Collection[str]]
) -> None:
    """Reject a message between agents whose sender, recipient or time contradicts its topic or step.

    Args:
        envelope: The message.
        from_host: The sending host, from the topic.
        to_host: The receiving host, from the topic.
        step: The current step.
        known: By host that takes part or took part, its agents.

    Raises:
        MalformedError: The message is rejected.
    """
    for agent, host in ((envelope.sender, from_host), (envelope.to, to_host)):
        if agent not in known.get(host, ()):
            raise MalformedError(f"agent {agent!r} does not live on host {host!r}")
    # Rounds that a host runs alone follow the granted one within the same second.
    round_ = step.round + envelope.step - step.step
    if envelope.step >= step.step and (envelope.time, envelope.round) != (step.time_s, round_):
        raise MalformedError(
            f"step {envelope.step} is round {round_} at {step.time_s}, not round {envelope.round} at {envelope.time}"
        )
