"""A host's copy of the roster: where each agent lives, which process represents each host, and if this one does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping

from broker.errors import (
    ClockBehindError,
    HostRefusedError,
    ProtocolError,
    RunFailedError,
    RunSuspendedError,
    UnlistedError,
)
from broker.protocol import CLOCK_IS_BEHIND, Envelope, Roster
from broker.transport import Delivery


class Directory:
    """Looks up hosts and sessions in the most recent roster."""

    def __init__(self, host_id: str, session: str, agents: Collection[str]) -> None:
        """Create an empty directory.

        Args:
            host_id: The host that it belongs to.
            session: Session of this process, which represents the host regardless of the roster.
            agents: Ids of the host's agents.
        """
        self.has_roster = False
        """Whether a roster of this run has arrived, whether or not it lists this process."""
        self.listed = asyncio.Event()
        """Set once a roster lists this process, or says that the run has ended."""
        self.keeps_retained = False
        """Whether retained publications stay at the broker when the host leaves."""
        self.host_by_agent: Mapping[str, str] = {}
        """By agent id, the host that it lives on; all hosts of a process share what they read in the same roster."""
        self.quarantined: Mapping[str, str] = {}
        """Hosts that were removed from the run, with the reason: what they send is void."""
        self._host_id = host_id
        self._session = session
        self._agents = agents
        self._is_current_session: bool | None = None
        """Whether the latest roster that names a process for this host names this one; None: no roster yet."""
        self._sessions: Mapping[str, str] = {}
        self._last_sessions: dict[str, str] = {}
        """The last sessions of hosts that are absent from the roster."""

    @property
    def represents_host(self) -> bool:
        """Whether the host's retained messages belong to this process, not to another one of the same host."""
        return self._is_current_session is not False

    def take(self, roster: Roster, *, is_stored: bool) -> bool:
        """Adopt a new roster; return whether it lists this process, or says that the run has ended.

        Args:
            roster: The roster.
            is_stored: Whether the broker had stored it: one that says that a run has failed is then of an earlier run.

        Raises:
            HostRefusedError: The clock refuses this process, or has quarantined the host.
            ClockBehindError: The clock refuses it because of the clock's own journal.
            RunSuspendedError: The clock has suspended the run.
            RunFailedError: The run has failed.
            ProtocolError: It does not list the host with its agents.
        """
        host_id = self._host_id
        self.has_roster = True
        self.keeps_retained = roster.keep
        if (why := roster.refused.get(self._session, {}).get(host_id)) is not None:
            self._is_current_session = False
            refused = ClockBehindError if CLOCK_IS_BEHIND in why else HostRefusedError
            raise refused(f"host {host_id!r} is refused: {why}")
        if (why := roster.quarantined.get(host_id)) is not None:
            raise HostRefusedError(f"host {host_id!r} was quarantined: {why}")
        if roster.failed and roster.may_resume and not is_stored:
            raise RunSuspendedError(f"host {host_id!r} leaves, the clock suspended the run: {roster.failed}")
        if roster.failed and not is_stored:
            raise RunFailedError(f"host {host_id!r} leaves, the run has failed: {roster.failed}")
        if roster.ended:
            self.listed.set()
            return True
        mine = roster.hosts.get(host_id)
        if mine is None or set(mine.agents) != set(self._agents):
            raise ProtocolError("this host is not in the roster with its agents")
        self._update(roster)
        if mine.session:
            self._is_current_session = mine.session == self._session
        if mine.session != self._session:
            return False  # another process of this host may run its rounds, so this one must not yet
        self.listed.set()
        return True

    def _update(self, roster: Roster) -> None:
        """Take over where agents live. An absent host keeps its last session, so its earlier messages remain valid."""
        known = {**self._last_sessions, **self._sessions} if self._last_sessions else self._sessions
        self._last_sessions = {host: known[host] for host in known.keys() - roster.sessions.keys()}
        self.host_by_agent, self._sessions = roster.host_by_agent, roster.sessions
        self.quarantined = roster.quarantined

    def _session_of(self, host: str) -> str | None:
        return self._session if host == self._host_id else self._sessions.get(host) or self._last_sessions.get(host)

    def check(self, envelope: Envelope, from_host: str) -> None:
        """Reject a message that does not come from the host of its sender.

        Args:
            envelope: The message.
            from_host: The sending host, from the topic.

        Raises:
            ProtocolError: The sender lives on another host, or the message is from another process of the host.
        """
        lives_there = self.host_by_agent.get(envelope.sender) == from_host
        if lives_there and self._sessions.get(from_host) == envelope.session and from_host != self._host_id:
            return  # as nearly always
        if not lives_there:
            raise ProtocolError(f"agent {envelope.sender!r} does not live on host {from_host!r}")
        check_session(from_host, envelope.session, self._session_of(from_host))


def check_session(host: str, session: str, present: str | None) -> None:
    """Reject a message from a process that does not, or no longer, represent its host.

    Args:
        host: The host.
        session: The session in the message.
        present: The host's current session; None: it has none.

    Raises:
        UnlistedError: The host has no session yet.
        ProtocolError: The sessions differ.
    """
    if present is None:
        raise UnlistedError(f"no roster names a process of host {host!r} yet")
    if session != present:
        raise ProtocolError(f"session {session!r} does not speak for host {host!r}: it is of another process or run")


class _ReadRosters:
    """Rosters that came over a broker, which the hosts of a process read once and share.

    Each host has a connection, and some rosters to read when many hosts come at once; so several are kept. They are
    compared, which is faster than to hash them.
    """

    def __init__(self) -> None:
        self._rosters: deque[tuple[bytes, Roster]] = deque(maxlen=8)

    def read(self, delivery: Delivery) -> Roster:
        """Return the roster in a delivery.

        Raises:
            MalformedError: The payload is no roster.
        """
        if not delivery.size_bytes:
            return delivery.read(Roster)
        payload = delivery.payload
        for known, roster in self._rosters:
            if known == payload:
                return roster
        roster = delivery.read(Roster)
        self._rosters.append((payload, roster))
        return roster


read_rosters = _ReadRosters()
