"""Bounds how many packets of a host may wait for a reader at the broker.

A broker drops QoS 0 packets for a reader whose queue is full. If a member could fill the queue of the clock or of
another household, it could choose which of its messages the one or the other misses, so that they accept different
messages. The clock reads everything that hosts send to it and to each other. So it counts the packets that a reader may
not have read yet, in the order in which the broker receives them. It excludes a member that floods before it reads
anything that came after the first dropped packet.

Wall-clock time plays no part. A household that answers a grant has read everything that was sent to it before the
grant. The clock publishes an echo, a message to itself: when the echo returns, the clock has read everything sent
before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from broker.protocol import MAX_BUFFERED_BYTES, ResendRequest, topics
from broker.transport import Bus

MOST_PACKETS = 10_000
"""Limit on the packets of one host that one reader may not have read yet, in a run of few hosts. (A queue at the broker
holds 100,000.)"""
MOST_PACKETS_OF_HOST = 4
"""How much each host of the run raises that limit: in a round, a host sends each other host a packet or two, and
repeats those that were lost."""
MOST_BYTES = 4 * MAX_BUFFERED_BYTES
"""Bytes of payload of one host that may be unread by all readers together: half of a broker's memory. In a round, a
host sends a quarter of it at most, which two read: the clock and the receiver."""
ECHO_EVERY = 1_000
"""The clock publishes an echo after this many packets of one host, and after `ECHO_EVERY_BYTES`."""
ECHO_EVERY_BYTES = MAX_BUFFERED_BYTES // 4
"""The same limit, in bytes of payload."""
SENT_BY_HOSTS = frozenset({"hosts", "done", "inbox", "local", "wake", "resend"})
"""Kinds of topics whose last level is the sending host. If there is a level before, it names a host that reads it."""


@dataclass(slots=True)
class _Unread:
    """Packets of one host that one reader may not have read yet."""

    packets: int = 0
    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Count one more packet, with the size of its payload."""
        self.packets += 1
        self.size_bytes += size_bytes


class UnreadPackets:
    """By reader and sending host, the packets that the reader may not have read yet."""

    def __init__(self, hosts: Collection[str], foreign: Collection[str]) -> None:
        """Create it.

        Args:
            hosts: All hosts of the run.
            foreign: Those in other processes, whose packets are counted.
        """
        self.foreign = frozenset(foreign)
        self.most_packets = MOST_PACKETS + MOST_PACKETS_OF_HOST * len(hosts)
        self._to_clock = {host: _Unread() for host in foreign}
        """By sending host, what the clock may not have read."""
        self._to_hosts: dict[str, dict[str, _Unread]] = {host: {} for host in hosts}
        """By receiving host, the same."""
        self._to_hosts_bytes = dict.fromkeys(foreign, 0)
        """By sending host, bytes of these for all receiving hosts."""
        self._echo = 0
        """Number of the last echo."""
        self._is_echo_due = asyncio.Event()
        self._hears_echo = False
        """Whether an echo has returned; the access rules of earlier versions do not let the clock read it."""

    def count(self, address: topics.Address, size_bytes: int) -> str | None:
        """Count a packet of a foreign host; return why the host is to be quarantined, or None if it is not.

        Args:
            address: Its topic, one of `SENT_BY_HOSTS`.
            size_bytes: Size of its payload.
        """
        if not self._hears_echo:
            return None
        ids = address.ids
        host = ids[-1]
        to_clock, most = self._to_clock[host], self.most_packets
        to_clock.add(size_bytes)
        if to_clock.packets % ECHO_EVERY == 0 or to_clock.size_bytes % ECHO_EVERY_BYTES < size_bytes:
            self._is_echo_due.set()
        if to_clock.packets > most:
            return f"it has sent the clock more than {most:,} packets that were not read yet"
        if len(ids) > 1 and ids[0] in self._to_hosts:
            to_host = self._to_hosts[ids[0]]
            if host not in to_host:
                to_host[host] = _Unread()
            to_host[host].add(size_bytes)
            self._to_hosts_bytes[host] += size_bytes
            if to_host[host].packets > most:
                return f"it has sent host {ids[0]!r} more than {most:,} packets that were not read yet"
        if to_clock.size_bytes + self._to_hosts_bytes[host] > MOST_BYTES:
            return f"it has sent more than {MOST_BYTES // 2**20} MiB that were not read yet"
        return None

    def clear(self, reader: str) -> None:
        """Record that a host has read what it was sent."""
        if self._to_hosts[reader]:
            for host, unread in self._to_hosts[reader].items():
                self._to_hosts_bytes[host] -= unread.size_bytes
            self._to_hosts[reader] = {}

    async def keep_echoing(self, bus: Bus, run: str) -> None:
        """Publish an echo whenever one is due, until cancelled.

        Args:
            bus: The clock's connection.
            run: The run's id.
        """
        self._is_echo_due.set()
        while self.foreign:
            await self._is_echo_due.wait()
            self._is_echo_due.clear()
            self._echo += 1
            echo = ResendRequest(step=self._echo)
            await bus.publish(topics.resend(run, topics.CLOCK, topics.CLOCK), echo, qos=topics.QOS_AT_MOST_ONCE)

    def take_echo(self, echo: ResendRequest) -> None:
        """Take an echo that has returned; only the last one counts, because more packets may wait behind others."""
        if echo.step == self._echo:
            self._to_clock = {host: _Unread() for host in self.foreign}
            self._hears_echo = True
