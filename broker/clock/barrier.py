"""The barrier at the end of a round: which hosts have answered, which are awaited, and which messages have arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from broker.clock.pacing import AWAY_AFTER_WALL_S
from broker.clock.schedule import Counts
from broker.errors import ProtocolError
from broker.protocol import Done, Envelope, ReorderBuffer


class RoundBarrier:
    """Collects the answers to the grants of one step."""

    def __init__(self) -> None:
        self.step = -1
        self.dones: dict[str, Done] = {}
        """The answers that have arrived, by host."""
        self.awaited: set[str] = set()
        """Hosts that have not answered yet."""
        self._returned: set[str] = set()
        self._buffer = ReorderBuffer()
        self.activity = asyncio.Event()
        """Set whenever an awaited host gives a sign of life or a message of the step arrives."""
        self._last_sign_wall_s: dict[str, float] = {}
        self._asked_wall_s: dict[str, float] = {}
        """By awaited host, when the oldest question that it has not reacted to was asked, loop time."""
        self._begun_wall_s = 0.0
        self._away_wall_s: list[tuple[float, float]] = []
        """Times in which an awaited host was away in the step, loop time."""

    def begin(self, step: int, hosts: Collection[str]) -> None:
        """Reset for a new step.

        Args:
            step: The step's number.
            hosts: The hosts that are granted a round in it.
        """
        self.step = step
        self.dones, self.awaited = {}, set(hosts)
        self._returned.clear()
        self._away_wall_s = []
        self._begun_wall_s = asyncio.get_running_loop().time()
        self._asked_wall_s = dict.fromkeys(hosts, self._begun_wall_s)

    def mark_asked_again(self, host: str) -> None:
        """Record that a host was granted the step again."""
        self._asked_wall_s.setdefault(host, asyncio.get_running_loop().time())

    def record_answer(self, host: str, done: Done) -> None:
        """Record a host's answer; answers to another step and second answers are ignored."""
        if done.step == self.step and host in self.awaited:
            if not done.busy:
                self.awaited.discard(host)
                self.dones[host] = done
            self.mark_alive(host)

    def record_departure(self, host: str) -> None:
        """Count a host's departure as its answer: it cannot answer again, and has nothing to report."""
        self.record_answer(host, Done(session="", step=self.step, time=0, round=0, sent={}, next=None))

    def record_return(self, host: str) -> None:
        """Record that a host has restarted and may have missed its grant."""
        self._returned.add(host)
        self.mark_alive(host)

    def add_message(self, from_host: str, envelope: Envelope) -> None:
        """Buffer a message of the current step; others are ignored, since no later step has been granted.

        Raises:
            ProtocolError: Too many messages of the host are buffered.
        """
        if envelope.step == self.step:
            self._buffer.add(from_host, envelope)
            self.activity.set()

    def mark_alive(self, host: str) -> None:
        """Record a sign of life from a host."""
        now_wall_s = asyncio.get_running_loop().time()
        asked_wall_s = self._asked_wall_s.pop(host, now_wall_s)
        if now_wall_s - asked_wall_s >= AWAY_AFTER_WALL_S:
            self._away_wall_s.append((asked_wall_s, now_wall_s))
        self._last_sign_wall_s[host] = now_wall_s
        self.activity.set()

    def mark_all_alive(self, hosts: Iterable[str]) -> None:
        """Restart the silence timers of these hosts, because none of them could be heard until now."""
        now_wall_s = asyncio.get_running_loop().time()
        self._last_sign_wall_s.update(dict.fromkeys(hosts, now_wall_s))
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

    def pop_returned(self) -> set[str]:
        """Return the awaited hosts that have restarted since the last call."""
        returned = self._returned & self.awaited
        self._returned.clear()
        return returned

    def timed_out(self, limit_wall_s: float) -> set[str]:
        """Return the awaited hosts that have been silent for longer than the limit."""
        now_wall_s = asyncio.get_running_loop().time()
        return {
            host
            for host in self.awaited
            if now_wall_s - max(self._begun_wall_s, self._last_sign_wall_s.get(host, 0.0)) > limit_wall_s
        }

    def unanswered(self, for_wall_s: float) -> tuple[tuple[str, ...], float]:
        """Return the awaited hosts that have not reacted to a question for a while.

        Args:
            for_wall_s: For how long at least, wall-clock seconds.

        Returns:
            The hosts, sorted, and when the first of them was asked (loop time; 0 if there is none).
        """
        until_wall_s = asyncio.get_running_loop().time() - for_wall_s
        asked = {host: at for host, at in self._asked_wall_s.items() if host in self.awaited and at <= until_wall_s}
        return tuple(sorted(asked)), min(asked.values(), default=0.0)

    def pop_away(self) -> list[tuple[float, float]]:
        """Remove and return the times in which awaited hosts were away, loop time, in order of their beginning.

        A host was away if it did not react to a question for `AWAY_AFTER_WALL_S`, or has not reacted to it yet.
        """
        away, self._away_wall_s = self._away_wall_s, []
        now_wall_s = asyncio.get_running_loop().time()
        waited_wall_s = [self._asked_wall_s[host] for host in self.awaited if host in self._asked_wall_s]
        away += [(asked, now_wall_s) for asked in waited_wall_s if now_wall_s - asked >= AWAY_AFTER_WALL_S]
        return sorted(away)

    def addressed(self, hosts: Collection[str]) -> Counts:
        """Return which of these hosts were sent messages in the step, with the count by sending host."""
        addressed: Counts = {}
        for sender, done in self.dones.items():
            for receiver, count in done.sent.items():
                if count and receiver in hosts:
                    addressed.setdefault(receiver, {})[sender] = count
        return addressed

    def missing_senders(self) -> list[str]:
        """Return the hosts whose messages of the step have not all arrived."""
        return self._buffer.missing(self.step, {host: sum(done.sent.values()) for host, done in self.dones.items()})

    def pop_messages(self) -> tuple[Envelope, ...]:
        """Remove and return the step's messages, sorted by (sender, sequence number)."""
        return self._buffer.pop(self.step, self.dones)


def check_senders(done: Done, host: str, expected: Collection[str], known: Collection[str]) -> None:
    """Reject an answer of an unexpected host, or one that claims to have sent messages to unknown hosts.

    Args:
        done: The answer.
        host: The host that sent it, from the topic.
        expected: Hosts that take part.
        known: Hosts that take part or took part.

    Raises:
        ProtocolError: The answer is rejected.
    """
    if host not in expected:
        raise ProtocolError(f"host {host!r} is not expected in this run")
    if done.sent.keys() - set(known):
        raise ProtocolError(f"host {host!r} sends to hosts that are not in this run")
