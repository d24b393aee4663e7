"""Who breaks the protocol: counts the malformed messages of each host, and says who is put out of the run for them.

Only messages for which the sender alone can be at fault count (`MalformedError`); what the network or a restart can
cause does not. The clock judges by what it has received itself, never by what a host reports about another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from broker.protocol import Envelope

ALLOWED = 10
"""A host that has sent so many malformed messages is put out of the run."""
ALLOWED_WHILE_OWING = 2
"""Likewise within one step, if the step waits for this host: it has been asked again, and sent the same again."""


class Counted(BaseModel):
    """What hosts have done so far, by host; a clock that is restarted goes on counting from there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    malformed: dict[str, int] = {}
    """Malformed messages."""
    last_malformed: dict[str, str] = {}
    """What was wrong with the last one."""
    timers: dict[str, int] = {}
    initiatives: dict[str, int] = {}
    """Timers, messages that are no answers, and rounds after rounds that it let pass."""
    messages: dict[str, int] = {}
    rounds: int = 0
    """How many rounds have been run."""


class Conduct:
    """The malformed messages of each host."""

    def __init__(self, counted: Counted | None = None) -> None:
        """Create it.

        Args:
            counted: What earlier processes of this clock counted; None: nothing.
        """
        counted = counted or Counted()
        self._total: Counter[str] = Counter(counted.malformed)
        self._in_step: Counter[str] = Counter()
        self._last: dict[str, str] = dict(counted.last_malformed)
        self._condemned: dict[str, str] = {}

    @property
    def has_suspects(self) -> bool:
        """Whether any host has sent a malformed message or is to be put out: with honest hosts, none has."""
        return bool(self._total or self._condemned)

    @property
    def malformed(self) -> Mapping[str, int]:
        """By host, how many malformed messages it has sent."""
        return self._total

    @property
    def last_malformed(self) -> Mapping[str, str]:
        """By host, what was wrong with the last one."""
        return self._last

    def begin_step(self) -> None:
        """Start counting the messages of a new step."""
        self._in_step.clear()

    def record(self, host: str, why: str) -> None:
        """Count a malformed message of a host.

        Args:
            host: The sender, from the topic.
            why: What is wrong with it.
        """
        self._total[host] += 1
        self._in_step[host] += 1
        self._last[host] = why

    def condemn(self, host: str, why: str) -> None:
        """Have a host put out of the run, whatever it has sent.

        Args:
            host: The host.
            why: The reason, for people.
        """
        self._condemned.setdefault(host, why)

    def offenders(self, hosts: Collection[str], owing: Collection[str]) -> dict[str, str]:
        """Return the hosts that are to be put out of the run, sorted, with the reason.

        Args:
            hosts: Hosts that may be put out.
            owing: Hosts whose answer or messages the current step waits for.
        """
        found = {
            host
            for host, count in self._total.items()
            if count >= ALLOWED or (host in owing and self._in_step[host] >= ALLOWED_WHILE_OWING)
        }
        reasons = {
            host: f"it sent {_messages(self._total[host])} that break the protocol, the last: {self._last[host]}"
            for host in found
        } | self._condemned
        return {host: reasons[host] for host in sorted(reasons.keys() & set(hosts))}


class Initiatives:
    """Who has had rounds run: the messages by who took the initiative, in one second of virtual time and in all.

    An honest exchange ends: agents answer requests, and take a bounded number of steps of their own. Two that keep
    talking hold time up, and the one that is not merely answering is at fault. Likewise an honest agent sets a bounded
    number of timers, each of which takes a round.
    """

    def __init__(self, counted: Counted | None = None) -> None:
        """Create it.

        Args:
            counted: What earlier processes of this clock counted; None: nothing.
        """
        counted = counted or Counted()
        self._time_s = 0
        self._initiatives: Counter[str] = Counter()
        self._in_all: Counter[str] = Counter()
        self._timers: Counter[str] = Counter(counted.timers)
        self._messages: Counter[str] = Counter(counted.messages)
        self._by_host: Counter[str] = Counter(counted.initiatives)
        """Timers, rounds after rounds that it let pass, and whatever earlier processes of this clock counted."""
        self.rounds = counted.rounds
        """How many rounds have been run."""
        self._passed: Counter[str] = Counter()
        self._questions: set[tuple[str, int, str]] = set()

    def counted(self, hosts: Mapping[str, Collection[str]], conduct: Conduct) -> Counted:
        """Return what the clock's journal stores.

        Args:
            hosts: By host, its agents.
            conduct: Who has broken the protocol.
        """
        in_all = {host: self._by_host[host] + sum(self._in_all[agent] for agent in of) for host, of in hosts.items()}
        return Counted(
            malformed=dict(conduct.malformed),
            last_malformed=dict(conduct.last_malformed),
            timers=dict(self._timers),
            messages=dict(self._messages),
            initiatives={host: count for host, count in in_all.items() if count},
            rounds=self.rounds,
        )

    def hear(self, time_s: int, sent: Iterable[Envelope]) -> None:
        """Take note of the messages of a round.

        Args:
            time_s: Virtual time, UNIX seconds.
            sent: All messages between agents.
        """
        self.rounds += 1
        if time_s != self._time_s:
            self._time_s = time_s
            self._initiatives.clear()
            self._passed.clear()
            self._questions.clear()
        for envelope in sent:
            # An answer to an answer is none.
            question = None if envelope.re is None else (envelope.to, envelope.re, envelope.sender)
            if question in self._questions:
                self._questions.discard(question)
                continue
            self._initiatives[envelope.sender] += 1
            self._in_all[envelope.sender] += 1
            self._questions.add((envelope.sender, envelope.seq, envelope.to))

    def count_message(self, host: str) -> int:
        """Take note that a message of a host has arrived; return how many have.

        Args:
            host: The host.
        """
        self._messages[host] += 1
        return self._messages[host]

    def let_pass(self, host: str, rounds: int) -> None:
        """Take note of rounds that a host lets pass: each is an initiative of its own.

        Args:
            host: The host.
            rounds: How many.
        """
        self._passed[host] += rounds
        self._by_host[host] += 1

    def fire(self, host: str) -> int:
        """Take note that a host's timer has fired; return how many have.

        Args:
            host: The host.
        """
        self._timers[host] += 1
        self._by_host[host] += 1
        return self._timers[host]

    def most_active(self, hosts: Mapping[str, Collection[str]], *, in_all: bool = False) -> str | None:
        """Return the host whose agents have taken the initiative most often; None if none of them has.

        Args:
            hosts: By host that may be named, its agents.
            in_all: Whether in all seconds, timers included, and not in the present one.
        """
        by_agent, by_host = (self._in_all, self._by_host) if in_all else (self._initiatives, self._passed)
        counts = {
            host: sum(by_agent[agent] for agent in agents) + by_host[host] for host, agents in sorted(hosts.items())
        }
        busiest = max(counts, key=lambda host: counts[host], default=None)
        return busiest if busiest is not None and counts[busiest] else None


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
