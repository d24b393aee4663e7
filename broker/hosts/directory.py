"""A host's copy of the roster: where each agent lives, and which process represents which host."""

from __future__ import annotations

from collections.abc import Mapping

from broker.errors import ProtocolError, UnlistedError
from broker.protocol import Envelope, Roster


class Directory:
    """Looks up hosts and sessions in the most recent roster."""

    def __init__(self, host_id: str, session: str) -> None:
        """Create an empty directory.

        Args:
            host_id: The host that it belongs to.
            session: Session of this process, which represents the host regardless of the roster.
        """
        self.host_by_agent: Mapping[str, str] = {}
        """By agent id, the host that it lives on; all hosts of a process share what they read in the same roster."""
        self.quarantined: Mapping[str, str] = {}
        """Hosts that were removed from the run, with the reason: what they send is void."""
        self._host_id = host_id
        self._session = session
        self._sessions: Mapping[str, str] = {}
        self._last_sessions: dict[str, str] = {}
        """The last sessions of hosts that are absent from the roster."""

    def update(self, roster: Roster) -> None:
        """Adopt a new roster. An absent host keeps its last session, so its earlier messages remain valid."""
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
