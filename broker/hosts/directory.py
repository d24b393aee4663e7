"""A host's copy of the roster: where each agent lives, and which process represents which host."""

from __future__ import annotations

from broker.errors import ProtocolError
from broker.protocol import Envelope, Roster


class Directory:
    """Looks up hosts and sessions in the most recent roster."""

    def __init__(self, host_id: str, session: str) -> None:
        """Create an empty directory.

        Args:
            host_id: The host that it belongs to.
            session: Session of this process, which represents the host regardless of the roster.
        """
        self.host_by_agent: dict[str, str] = {}
        """By agent id, the host that it lives on."""
        self._host_id = host_id
        self._session = session
        self._sessions: dict[str, str] = {}

    def update(self, roster: Roster) -> None:
        """Adopt a new roster. An absent host keeps its last session, so its earlier messages remain valid."""
        self.host_by_agent = {agent: host for host, member in roster.hosts.items() for agent in member.agents}
        present = {host: member.session for host, member in roster.hosts.items() if member.session}
        self._sessions = {**self._sessions, **present, self._host_id: self._session}

    def check(self, envelope: Envelope, from_host: str) -> None:
        """Reject a message that does not come from the host of its sender.

        Args:
            envelope: The message.
            from_host: The sending host, from the topic.

        Raises:
            ProtocolError: The sender lives on another host, or the message is from another process of the host.
        """
        if self.host_by_agent.get(envelope.sender) != from_host:
            raise ProtocolError(f"agent {envelope.sender!r} does not live on host {from_host!r}")
        check_session(from_host, envelope.session, self._sessions.get(from_host))


def check_session(host: str, session: str, present: str | None) -> None:
    """Reject a message from a process that does not, or no longer, represent its host.

    Args:
        host: The host.
        session: The session in the message.
        present: The host's current session; None: it has none.

    Raises:
        ProtocolError: The sessions differ.
    """
    if session != present:
        raise ProtocolError(f"session {session!r} does not speak for host {host!r}: it is of another process or run")
