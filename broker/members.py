"""Who takes part in a run: the hosts that are expected, those that are there, and those that were turned away."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from broker.errors import ProtocolError
from broker.wire import Announcement, Member, Roster

log = structlog.get_logger(__name__)


class Members:
    """The clock's register of hosts."""

    def __init__(self, expected: Mapping[str, tuple[str, ...]], setups: Mapping[str, str] | None = None) -> None:
        """Make a register.

        Args:
            expected: By host id, the agents that live there.
            setups: By host id, the fingerprint of what it must have been started with; a host without one may have
                any.
        """
        self._setups = dict(setups or {})
        self.expected = dict(expected)
        self.gone: set[str] = set()
        """Hosts that were there and said, or had their last will say, that they are gone."""
        self.dropped: dict[str, tuple[str, ...]] = {}
        """Hosts that the run goes on without, with their agents."""
        self._there: dict[str, Member] = {}
        self._refused: dict[str, str] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """Hosts that are expected and not there."""
        return tuple(sorted(self.expected.keys() - self._there.keys()))

    @property
    def roster(self) -> Roster:
        """What the clock tells everybody: where each agent lives, also of hosts that are away for now.

        Hosts route by it. When a broker goes down it publishes everybody's last will first, and when it is back the
        clock may be the first to reconnect: a roster of those that are there would send messages nowhere.
        """
        absent = {host: Member(session="", agents=self.expected[host]) for host in self.missing}
        return Roster(
            hosts=dict(sorted({**absent, **self._there}.items())), refused=dict(sorted(self._refused.items()))
        )

    def take(self, host: str, announcement: Announcement) -> bool:
        """Take note of an announcement; return whether the host is there now with a session that was not before.

        Raises:
            ProtocolError: it is nobody that this run expects.
        """
        if announcement.host != host or host not in self.expected.keys() | self.dropped.keys():
            raise ProtocolError(f"host {host!r} is not expected in this run")
        if announcement.state == "gone":
            self._take_gone(host, announcement.session)
            return False
        why = self._objection(host, announcement)
        if why is not None:
            log.warning("host refused", host=host, why=why)
            self._refused[announcement.session] = why
        elif host not in self._there:
            log.info("host there", host=host)
            self._there[host] = Member(session=announcement.session, agents=self.expected[host])
            self.gone.discard(host)
            return True
        return False

    def _objection(self, host: str, announcement: Announcement) -> str | None:
        if host in self.dropped:
            return "it was away too long, and the run went on without it"
        if set(announcement.agents) != set(self.expected[host]):
            return "its scenario gives it other devices than the clock's does"
        if announcement.setup != self._setups.get(host, announcement.setup):
            return "its scenario, seed or algorithm differs from the clock's"
        member = self._there.get(host)
        if member is not None and member.session != announcement.session:
            return "it takes part already, from another process"
        return None

    def drop(self, host: str) -> tuple[str, ...]:
        """Go on without a host; return its agents."""
        log.warning("host dropped", host=host)
        agents = self.dropped[host] = self.expected.pop(host)
        self._there.pop(host, None)
        self.gone.discard(host)
        return agents

    def _take_gone(self, host: str, session: str) -> None:
        member = self._there.get(host)
        if member is not None and member.session == session:
            log.warning("host gone", host=host)
            del self._there[host]
            self.gone.add(host)
