"""Detects hosts that break the protocol: counts what each of them does, and decides which ones to quarantine.

Only errors that the sender must have caused count (`MalformedError`), not those that the network or a restart can
cause. The clock judges by messages that it has received itself, never by what one host reports about another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from broker.clock.barrier import RoundBarrier
from broker.clock.membership import Membership
from broker.clock.next_round import ScheduledRound
from broker.clock.pacing import Moment
from broker.clock.settings import ClockSettings
from broker.errors import ContradictionError, MalformedError
from broker.protocol import Envelope, first_problem

ALLOWED = 10
"""Number of malformed messages after which a host is quarantined."""
ALLOWED_WHILE_OWING = 2
"""The same limit within one step that waits for this host, which was asked again and sent the same message again."""


class ConductCounters(BaseModel):
    """Counters of each host's actions so far, from which a restarted clock continues."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    malformed: dict[str, int] = {}
    """Malformed messages."""
    last_malformed: dict[str, str] = {}
    """Problem of the last one."""
    timers: dict[str, int] = {}
    initiatives: dict[str, int] = {}
    """Timers, messages other than answers, and continuations after skipped rounds."""
    messages: dict[str, int] = {}
    rounds: int = 0
    """How many rounds have been run."""


class Violations:
    """The malformed messages of each host."""

    def __init__(self, counted: ConductCounters | None) -> None:
        """Create it.

        Args:
            counted: What earlier processes of this clock counted; None: nothing.
        """
        counted = counted or ConductCounters()
        self._total: Counter[str] = Counter(counted.malformed)
        self.in_step: Counter[str] = Counter()
        """Malformed messages of the present step, by host; cleared when a step begins."""
        self._last: dict[str, str] = dict(counted.last_malformed)
        self.condemned: dict[str, str] = {}
        """Hosts that are quarantined regardless of their malformed messages, with the reason."""
        self.has_suspects = bool(self._total)
        """Whether any host has sent a malformed message or is condemned; never with honest hosts."""

    @property
    def malformed(self) -> Mapping[str, int]:
        """By host, how many malformed messages it has sent."""
        return self._total

    @property
    def last_malformed(self) -> Mapping[str, str]:
        """By host, what was wrong with the last one."""
        return self._last

    def record(self, host: str, why: str) -> None:
        """Count a malformed message of a host.

        Args:
            host: The sender, from the topic.
            why: The problem.
        """
        self._total[host] += 1
        self.in_step[host] += 1
        self._last[host] = why
        self.has_suspects = True

    def condemn(self, host: str, why: str) -> None:
        """Condemn a host: it is quarantined regardless of its malformed messages.

        Args:
            host: The host.
            why: The reason, for display.
        """
        self.condemned.setdefault(host, why)
        self.has_suspects = True

    def offenders(self, hosts: Collection[str], owing: Collection[str]) -> dict[str, str]:
        """Return the hosts to quarantine, sorted, with the reason.

        Args:
            hosts: Hosts that may be quarantined.
            owing: Hosts whose answer or messages the current step waits for.
        """
        found = {
            host
            for host, count in self._total.items()
            if count >= ALLOWED or (host in owing and self.in_step[host] >= ALLOWED_WHILE_OWING)
        }
        reasons = {
            host: f"it sent {_messages(self._total[host])} that break the protocol, the last: {self._last[host]}"
            for host in found
        } | self.condemned
        return {host: reasons[host] for host in sorted(reasons.keys() & set(hosts))}


MOST_CAUSED = 5
"""How many messages a message from another household can cause at most: a producer that refuses a request, for example,
informs the consumer and the manager."""
MOST_PASSED_ON = 3
"""The origin of a message is traced back over this many agents: a producer answers, the manager passes the answer
on."""


class _Cause:
    """What an agent reacts to in a round."""

    __slots__ = ("counted", "depth", "left", "root")

    def __init__(self, root: str, depth: int) -> None:
        self.root = root
        """The agent with which it began."""
        self.depth = depth
        self.left = self.counted = MOST_CAUSED
        """How many messages it may still cause: as initiatives and as messages are counted."""


class InitiativeCounter:
    """Counts the messages that each agent sent on its own initiative, in the present second and in the whole run.

    An honest exchange ends, because agents react to messages, and take the initiative only a bounded number of times.
    If time cannot advance, the agent that takes the initiative is at fault. So messages that others send in reaction to
    its messages, up to a bounded number for each, count as its own. An honest agent also sets a bounded number of
    timers, each of which takes a round.
    """

    def __init__(self, counted: ConductCounters | None, hosts: Mapping[str, Collection[str]] | None) -> None:
        """Create it.

        Args:
            counted: What earlier processes of this clock counted; None: nothing.
            hosts: By host, its agents; None: no messages are counted.
        """
        counted = counted or ConductCounters()
        self._host_of = {agent: host for host, agents in (hosts or {}).items() for agent in agents}
        self._time_s = 0
        self._initiatives: Counter[str] = Counter()
        self._in_all: Counter[str] = Counter()
        self._timers: Counter[str] = Counter(counted.timers)
        self._messages: Counter[str] = Counter(counted.messages)
        self.in_step: Counter[str] = Counter()
        """By host, messages of the present step that no other household has caused; cleared when one begins."""
        self._by_host: Counter[str] = Counter(counted.initiatives)
        """By host, continuations after skipped rounds, and what earlier processes of this clock counted."""
        self.rounds = counted.rounds
        """How many rounds have been run."""
        self._passed: Counter[str] = Counter()
        self._causes: dict[str, _Cause] = {}
        """By agent, what it reacts to in the present round."""

    def counted(self, hosts: Mapping[str, Collection[str]], violations: Violations) -> ConductCounters:
        """Return what the clock's journal stores.

        Args:
            hosts: By host, its agents.
            violations: Who has broken the protocol.
        """
        in_all = {host: self._by_host[host] + sum(self._in_all[agent] for agent in of) for host, of in hosts.items()}
        return ConductCounters(
            malformed=dict(violations.malformed),
            last_malformed=dict(violations.last_malformed),
            timers=dict(self._timers),
            messages=dict(self._messages),
            initiatives={host: count for host, count in in_all.items() if count},
            rounds=self.rounds,
        )

    def count_messages(self, time_s: int, sent: Iterable[Envelope]) -> None:
        """Count the messages of a round, and what each agent reacts to in the next one.

        Args:
            time_s: Virtual time, UNIX seconds.
            sent: All messages between agents.
        """
        self.rounds += 1
        if time_s != self._time_s:
            self._time_s = time_s
            self._initiatives.clear()
            self._passed.clear()
            self._causes = {}
        causes, following = self._causes, dict[str, _Cause]()
        initiatives, in_all = self._initiatives, self._in_all
        for envelope in sent:
            root, depth, to = envelope.sender, 0, envelope.to
            cause = causes.get(root)
            if cause is not None and cause.left:
                cause.left -= 1
                root, depth = cause.root, cause.depth
            initiatives[root] += 1
            in_all[root] += 1
            if root == to or depth == MOST_PASSED_ON:
                continue
            known = following.get(to)
            if known is None:
                following[to] = _Cause(root, depth + 1)
                continue
            known.left += MOST_CAUSED
            known.counted += MOST_CAUSED
            if root != known.root and initiatives[root] > initiatives[known.root]:
                known.root, known.depth = root, depth + 1
        self._causes = following

    def count_message(self, sender: str) -> tuple[int, int]:
        """Record that a message has arrived; return its host's number of messages in the step, and in all.

        Messages that another household has caused do not count.

        Args:
            sender: The agent that sent it.
        """
        host = self._host_of[sender]
        cause = self._causes.get(sender)
        if cause is not None and cause.counted and self._host_of.get(cause.root) != host:
            cause.counted -= 1
        else:
            self._messages[host] += 1
            self.in_step[host] += 1
        return self.in_step[host], self._messages[host]

    def count_skipped_rounds(self, host: str, rounds: int) -> None:
        """Record rounds that a host skips: each counts as an initiative.

        Args:
            host: The host.
            rounds: How many.
        """
        self._passed[host] += rounds
        self._by_host[host] += 1

    def count_timer(self, host: str) -> int:
        """Record that a host's timer has fired; return how many have fired.

        Args:
            host: The host.
        """
        self._timers[host] += 1
        self._by_host[host] += 1
        return self._timers[host]

    def most_active(self, hosts: Mapping[str, Collection[str]], *, in_all: bool) -> str | None:
        """Return the host whose agents have taken the initiative most often; None if none of them has.

        Args:
            hosts: The hosts to consider, with their agents.
            in_all: Whether to count the whole run, including timers, instead of the present second.
        """
        by_agent, by_host = (self._in_all, self._by_host) if in_all else (self._initiatives, self._passed)
        counts = {
            host: sum(by_agent[agent] for agent in agents) + by_host[host] for host, agents in sorted(hosts.items())
        }
        busiest = max(counts, key=lambda host: counts[host], default=None)
        return busiest if busiest is not None and counts[busiest] else None


class Quarantine:
    """Judges the conduct of a run's hosts by the limits of its settings. The clock carries out the verdicts."""

    def __init__(
        self,
        settings: ClockSettings,
        members: Membership,
        barrier: RoundBarrier,
        counted: ConductCounters | None,
        *,
        is_observed: bool,
    ) -> None:
        """Create it.

        Args:
            settings: The limits, and the hosts that are never quarantined.
            members: The register of hosts; those dropped so far are in it.
            barrier: Knows what the current step waits for.
            counted: What earlier processes of this clock counted; None: nothing.
            is_observed: Whether a step also waits for the messages between agents.
        """
        self._settings = settings
        self._members = members
        self._barrier = barrier
        self._is_observed = is_observed
        self.known_hosts: Mapping[str, tuple[str, ...]] = members.expected | members.dropped
        """By host that takes part or took part, its agents."""
        self.violations = Violations(counted)
        """What hosts have done; it has no suspects as long as all are honest."""
        self.condemned: Mapping[str, str] = self.violations.condemned
        """Hosts that are to be quarantined, or were, regardless of their malformed messages, with the reason."""
        self._initiatives = InitiativeCounter(counted, self.known_hosts)
        self._rounds_checked = (0, 0)
        """Second and round of the last check that time advances."""

    @property
    def counted(self) -> ConductCounters:
        """What the clock's journal stores."""
        return self._initiatives.counted(self.known_hosts, self.violations)

    @property
    def removable(self) -> set[str]:
        """Hosts that take part and can be removed from the run."""
        return self._members.expected.keys() - self._settings.indispensable

    def is_removable(self, host: str) -> bool:
        """Return whether a host takes part and can be removed from the run."""
        return host in self._members.expected and host not in self._settings.indispensable

    def begin_step(self) -> None:
        """Start counting the messages of a new step."""
        self.violations.in_step.clear()
        self._initiatives.in_step.clear()

    def record(self, host: str, error: MalformedError) -> None:
        """Count a malformed message; a contradiction condemns its host at once.

        Args:
            host: The sender, from the topic.
            error: What is wrong with the message.
        """
        if self.is_removable(host):
            self.violations.record(host, first_problem(error))
            if isinstance(error, ContradictionError):
                self.violations.condemn(host, first_problem(error))
            if self.violations.offenders([host], self._owing):
                self._barrier.alert()

    def condemn(self, host: str, why: str) -> None:
        """Condemn a host: it is quarantined regardless of its malformed messages.

        Args:
            host: The host.
            why: The reason, for display.
        """
        self.violations.condemn(host, why)

    def offenders(self) -> dict[str, str]:
        """Return the hosts to quarantine now, sorted, with the reason."""
        return self.violations.offenders(self.removable, self._owing)

    @property
    def _owing(self) -> set[str]:
        """Hosts whose answer or messages the current step waits for."""
        senders = self._barrier.missing_senders() if self._is_observed else ()
        return self._barrier.awaited | set(senders)

    def check_journaled_timers(self, step: ScheduledRound) -> None:
        """Condemn hosts whose timers in the clock's journal are not within the run.

        Args:
            step: The step that the clock resumes from.
        """
        for host, timer_s in step.timers_s.items():
            if timer_s is not None and not step.time_s <= timer_s <= self._settings.latest_s:
                self.condemn(host, f"its timer in the journal, {timer_s}, is not within the run")

    def count_timers(self, step: ScheduledRound) -> None:
        """Condemn hosts that set more timers, or request more rounds, than their agents can need.

        Args:
            step: The step that is granted, the first round of its second.
        """
        members, indispensable = self._members.expected, self._settings.indispensable
        for host in sorted(step.counts):
            if step.timers_s.get(host) == step.time_s and host in members and host not in indispensable:
                fired, most = self._initiatives.count_timer(host), self._settings.most_timers.get(host)
                if most is not None and fired > most:
                    self.condemn(host, f"it has set more than {most:,} timers")

    def check_amount(self, host: str, sender: str, rounds: int) -> None:
        """Condemn a host that sends more messages than its agents can need.

        Args:
            host: The host, a message of which has arrived.
            sender: Its agent that sent it.
            rounds: How many rounds the messages of the step are of so far.
        """
        in_step, in_all = self._initiatives.count_message(sender)
        most = self._settings.most_messages.get(host)
        if most is None or not self.is_removable(host):
            return
        most_in_round, most_in_all = most
        if in_step > most_in_round * rounds:
            self.condemn(host, f"it has sent more than {most_in_round:,} messages in one round")
        elif in_all > most_in_all:
            self.condemn(host, f"it has sent more than {most_in_all:,} messages")
        else:
            return
        self._barrier.activity.set()

    def check_that_time_moves(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """Condemn a host that keeps a second of virtual time, or the run, from ending.

        Args:
            moment: A round that has run.
            sent: Its messages.
        """
        most, most_in_all = self._settings.most_rounds_a_second, self._settings.most_rounds
        self._initiatives.count_messages(moment.time_s, sent)
        for host, done in self._barrier.dones.items():
            if done.resume is not None and moment.step == done.last_step:
                self._initiatives.count_skipped_rounds(host, done.resume - done.last_step)
        before, self._rounds_checked = self._rounds_checked, (moment.time_s, moment.round)
        if moment.round // most > (before[1] // most if before[0] == moment.time_s else 0):
            self._condemn_busiest(f"it has kept a second of virtual time going for {most} rounds", in_all=False)
        if most_in_all is not None and self._initiatives.rounds % most_in_all == 0:
            self._condemn_busiest(f"it has kept the run going for {most_in_all} rounds", in_all=True)

    def _condemn_busiest(self, why: str, *, in_all: bool) -> None:
        candidates = {host: self.known_hosts[host] for host in self.removable}
        busiest = self._initiatives.most_active(candidates, in_all=in_all)
        if busiest is not None:
            self.condemn(busiest, why)


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
