"""How long each host of a step has been silent, without the times in which the clock itself could hear nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from math import inf

from broker.clock.pacing import AWAY_AFTER_WALL_S
from broker.protocol import Deadline


class HostSilence:
    """Signs of life of the hosts that the clock waits for, and what it asked them.

    All times are loop time. Hosts that have answered the step are not awaited any more; methods to which this matters
    are given the hosts that still are.
    """

    def __init__(self) -> None:
        self._begun_wall_s = 0.0
        """When the step began."""
        self._last_sign_wall_s: dict[str, float] = {}
        """By host; later than its last sign where its silence was counted from the beginning again."""
        self._excused: set[str] = set()
        """Hosts whose silence was counted from the beginning again because the clock could not hear them, or because
        they announced themselves, and that have not answered since."""
        self._busy: set[str] = set()
        """Hosts that have answered that they still run the step."""
        self._asked_wall_s: dict[str, float] = {}
        """By awaited host, when the oldest question that it has not reacted to was asked."""
        self._asked_again_wall_s: dict[str, float] = {}
        """By awaited host, when it was last asked again in the step."""
        self._away_wall_s: list[tuple[float, float]] = []
        """Times in which an awaited host was away in the step."""
        self._unreachable_in_step_wall_s = 0.0
        """For how long the clock could hear nothing in the step."""
        self._unreachable_until_wall_s = -inf
        """The end of the last time in which the clock could hear nothing."""
        self._deadline: Deadline | None = None
        """The end of a wait for anything other than answers; None: there is no such wait."""

    def begin(self, hosts: Iterable[str]) -> None:
        """Begin a step, in which these hosts are asked for an answer."""
        self._begun_wall_s = asyncio.get_running_loop().time()
        self._excused.clear()
        self._busy.clear()
        self._asked_wall_s = dict.fromkeys(hosts, self._begun_wall_s)
        self._asked_again_wall_s.clear()
        self._away_wall_s = []
        self._unreachable_in_step_wall_s = 0.0

    # What the clock asks, and what it hears.

    def note_asked_again(self, host: str) -> None:
        """Note that a host was granted the step again."""
        now_wall_s = asyncio.get_running_loop().time()
        self._asked_wall_s.setdefault(host, now_wall_s)
        self._asked_again_wall_s[host] = now_wall_s

    def note_sign(self, host: str) -> float:
        """Note a sign of life from a host; return the present time."""
        now_wall_s = asyncio.get_running_loop().time()
        asked_wall_s = self._asked_wall_s.pop(host, now_wall_s)
        if now_wall_s - asked_wall_s >= AWAY_AFTER_WALL_S:
            self._away_wall_s.append((asked_wall_s, now_wall_s))
        self._last_sign_wall_s[host] = now_wall_s
        self._excused.discard(host)
        return now_wall_s

    def note_announcement(self, host: str) -> float:
        """Note that a host has announced itself; return the present time.

        Its silence starts again, but only once until it answers: a host that is restarted again and again, or only says
        that it is there, does not keep the run waiting.
        """
        was_excused, before_wall_s = host in self._excused, self._since_wall_s(host)
        now_wall_s = self.note_sign(host)
        if was_excused:
            self._last_sign_wall_s[host] = before_wall_s
        self._excused.add(host)
        return now_wall_s

    def note_busy(self, host: str) -> None:
        """Note that a host has answered that it still runs the step."""
        self._busy.add(host)

    def note_restart(self, host: str) -> None:
        """Note that a host has restarted, so that it does not run the step any more."""
        self._busy.discard(host)

    # Times in which the clock could hear nothing.

    @contextmanager
    def limited_wait(self, limit_wall_s: float) -> Iterator[Deadline]:
        """Limit a wait for anything other than answers; times in which the clock can hear nothing are left out of it.

        Args:
            limit_wall_s: How long the wait may take, wall-clock seconds.

        Yields:
            The end of the wait.
        """
        self._deadline = deadline = Deadline(limit_wall_s)
        try:
            yield deadline
        finally:
            self._deadline = None

    def leave_out(self, hosts: Iterable[str], unreachable_wall_s: float) -> float:
        """Do not count as silence that this process could receive nothing until now; return the present time.

        The silence of a host starts again, because its connection may have broken too, but only once until it gives a
        sign of life. After that, only the time itself is left out, each moment once, even if both the process was
        suspended and its connection down; see `Deadline`.

        Args:
            hosts: The hosts.
            unreachable_wall_s: For how long this process could receive nothing, wall-clock seconds.
        """
        now_wall_s = asyncio.get_running_loop().time()
        unreachable_wall_s = now_wall_s - max(now_wall_s - unreachable_wall_s, self._unreachable_until_wall_s)
        self._unreachable_until_wall_s = now_wall_s
        for host in hosts:
            since_wall_s = self._since_wall_s(host) + unreachable_wall_s if host in self._excused else now_wall_s
            self._last_sign_wall_s[host] = min(now_wall_s, since_wall_s)
            self._excused.add(host)
        self._unreachable_in_step_wall_s += unreachable_wall_s
        if self._deadline is not None:
            self._deadline.leave_out(unreachable_wall_s)
        return now_wall_s

    # Which hosts are silent.

    def to_ask_again(self, awaited: Collection[str], for_wall_s: float) -> set[str]:
        """Return the awaited hosts that have reacted to nothing for a while, and were not asked again in that time.

        Their grant may be lost, whatever other hosts do.

        Args:
            awaited: The hosts that have not answered.
            for_wall_s: For how long at least, wall-clock seconds.
        """
        until_wall_s = asyncio.get_running_loop().time() - for_wall_s
        return {
            host
            for host, asked_wall_s in self._asked_wall_s.items()
            if host in awaited and self._asked_again_wall_s.get(host, asked_wall_s) <= until_wall_s
        }

    def timed_out(self, awaited: Collection[str], limit_wall_s: float, most_wall_s: float = inf) -> set[str]:
        """Return the awaited hosts that have kept the step waiting for too long.

        Args:
            awaited: The hosts that have not answered.
            limit_wall_s: How long a host may be silent.
            most_wall_s: How long the step may take altogether, even if hosts give signs of life.
        """
        now_wall_s = asyncio.get_running_loop().time()
        if now_wall_s - self._begun_wall_s - self._unreachable_in_step_wall_s > most_wall_s:
            return set(awaited)
        return {host for host in awaited if now_wall_s - self._since_wall_s(host) > limit_wall_s}

    def awaited_for(self, awaited: Collection[str], for_wall_s: float) -> tuple[dict[str, float], dict[str, float]]:
        """Return the hosts that have been awaited for a while: those that do not react, and those that still work.

        Args:
            awaited: The hosts that have not answered.
            for_wall_s: For how long at least, wall-clock seconds.

        Returns:
            By silent host, when it was asked what it has not reacted to; and by host that has answered that it works,
            since when it has been awaited.
        """
        until_wall_s = asyncio.get_running_loop().time() - for_wall_s
        silent = {host: at for host, at in self._asked_wall_s.items() if host in awaited and at <= until_wall_s}
        works = self._busy.intersection(awaited) - silent.keys() if self._begun_wall_s <= until_wall_s else ()
        return silent, dict.fromkeys(works, self._begun_wall_s)

    def pop_away(self, awaited: Collection[str]) -> list[tuple[float, float]]:
        """Remove and return the times in which awaited hosts were away, in order of their beginning.

        A host was away if it did not react to a question for `AWAY_AFTER_WALL_S`, or has not reacted to it yet.

        Args:
            awaited: The hosts that have not answered.
        """
        if not self._away_wall_s and not awaited:
            return []
        away, self._away_wall_s = self._away_wall_s, []
        now_wall_s = asyncio.get_running_loop().time()
        waited_wall_s = [self._asked_wall_s[host] for host in awaited if host in self._asked_wall_s]
        away += [(asked, now_wall_s) for asked in waited_wall_s if now_wall_s - asked >= AWAY_AFTER_WALL_S]
        return sorted(away)

    def _since_wall_s(self, host: str) -> float:
        """Return since when a host counts as silent in the step."""
        return max(self._begun_wall_s, self._last_sign_wall_s.get(host, 0.0))
