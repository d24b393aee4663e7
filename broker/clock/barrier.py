"""What the clock has heard in a step: who is done, who is still awaited, and which messages have been seen."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from broker.clock.schedule import Counts
from broker.errors import ProtocolError
from broker.protocol import Done, Envelope, ReorderBuffer


class RoundBarrier:
    """The answers to one step's grants."""

    def __init__(self) -> None:
        self.step = -1
        self.dones: dict[str, Done] = {}
        """By host, the answers that are in."""
        self.awaited: set[str] = set()
        """Hosts whose answer is missing."""
        self._returned: set[str] = set()
        self._stash = ReorderBuffer()
        self._heard = asyncio.Event()
        self._heard_wall_s: dict[str, float] = {}
        self._asked_wall_s: dict[str, float] = {}
        """By awaited host, when it was asked first of what it has not answered."""
        self._begun_wall_s = 0.0

    def begin(self, step: int, hosts: Collection[str]) -> None:
        """Start anew for a step in which these hosts are granted a round."""
        self.step = step
        self.dones, self.awaited = {}, set(hosts)
        self._returned.clear()
        self._begun_wall_s = asyncio.get_running_loop().time()
        self._asked_wall_s = dict.fromkeys(hosts, self._begun_wall_s)

    def ask_again(self, host: str) -> None:
        """Note that a host is granted the step once more."""
        self._asked_wall_s.setdefault(host, asyncio.get_running_loop().time())

    def take_done(self, host: str, done: Done) -> None:
        """Take a host's answer; one to another step, or a second one, is void."""
        if done.step == self.step and host in self.awaited:
            if not done.busy:
                self.awaited.discard(host)
                self.dones[host] = done
            self.hear(host)

    def take_leave(self, host: str) -> None:
        """Take it for an answer that a host has left: it cannot answer again, and there is nothing to say."""
        self.take_done(host, Done(session="", step=self.step, time=0, round=0, sent={}, next=None))

    def take_return(self, host: str) -> None:
        """Note that a host is there anew, and may have missed its grant."""
        self._returned.add(host)
        self.hear(host)

    def take_envelope(self, from_host: str, envelope: Envelope) -> None:
        """Keep a message of this step; nobody has been granted a later one.

        Raises:
            ProtocolError: too many wait.
        """
        if envelope.step == self.step:
            self._stash.add(from_host, envelope)
            self._heard.set()

    def hear(self, host: str) -> None:
        """Note a sign of life."""
        self._asked_wall_s.pop(host, None)
        self._heard_wall_s[host] = asyncio.get_running_loop().time()
        self._heard.set()

    def hear_all(self, hosts: Iterable[str]) -> None:
        """Begin to count silence anew: nobody could be heard until now."""
        now_wall_s = asyncio.get_running_loop().time()
        self._heard_wall_s.update(dict.fromkeys(hosts, now_wall_s))
        self._heard.set()

    async def wait(self, until_wall_s: float) -> bool:
        """Wait for a sign of anybody; return False if there is none until then, by the loop's time."""
        self._heard.clear()
        try:
            async with asyncio.timeout_at(until_wall_s):
                await self._heard.wait()
        except TimeoutError:
            return False
        return True

    def take_returned(self) -> set[str]:
        """Return the awaited hosts that are there anew since the last call."""
        returned = self._returned & self.awaited
        self._returned.clear()
        return returned

    def silent(self, limit_wall_s: float) -> set[str]:
        """Return the awaited hosts that gave no sign for so long."""
        now_wall_s = asyncio.get_running_loop().time()
        return {
            host
            for host in self.awaited
            if now_wall_s - max(self._begun_wall_s, self._heard_wall_s.get(host, 0.0)) > limit_wall_s
        }

    def unanswered(self, for_wall_s: float) -> tuple[tuple[str, ...], float]:
        """Return the awaited hosts that have left a question unanswered for so long, and since when, loop's time."""
        until_wall_s = asyncio.get_running_loop().time() - for_wall_s
        asked = {host: at for host, at in self._asked_wall_s.items() if host in self.awaited and at <= until_wall_s}
        return tuple(sorted(asked)), min(asked.values(), default=0.0)

    def addressed(self, hosts: Collection[str]) -> Counts:
        """Return which of these hosts were sent messages in the step, and by whom."""
        addressed: Counts = {}
        for sender, done in self.dones.items():
            for receiver, count in done.sent.items():
                if count and receiver in hosts:
                    addressed.setdefault(receiver, {})[sender] = count
        return addressed

    def unseen(self) -> list[str]:
        """Return the hosts that sent more messages in the step than are here."""
        return self._stash.missing(self.step, {host: sum(done.sent.values()) for host, done in self.dones.items()})

    def take_messages(self) -> tuple[Envelope, ...]:
        """Return the step's messages, sorted by (sender, sequence number)."""
        return self._stash.take(self.step, self.dones)


def check_senders(done: Done, host: str, expected: Collection[str], known: Collection[str]) -> None:
    """Refuse an answer of a host that nobody expects, or that says it sent to hosts that nobody knows.

    Raises:
        ProtocolError: it is one.
    """
    if host not in expected:
        raise ProtocolError(f"host {host!r} is not expected in this run")
    if done.sent.keys() - set(known):
        raise ProtocolError(f"host {host!r} sends to hosts that are not in this run")
