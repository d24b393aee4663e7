"""What the roster tells a host: where every agent lives, and which process speaks for which host."""

from __future__ import annotations

from broker.errors import ProtocolError
from broker.protocol import Envelope, Roster


class Directory:
    """A host's copy of the roster."""

    def __init__(self, host_id: str, session: str) -> None:
        """Make an empty one.

        Args:
            host_id: Whose it is.
            session: Of its own process, which speaks for it whatever is in the roster.
        """
        self.homes: dict[str, str] = {}
        """By agent id, the host that it lives on."""
        self._host_id = host_id
        self._session = session
        self._sessions: dict[str, str] = {}

    def take(self, roster: Roster) -> None:
        """Take a new roster's word for it.

        A host that is away for now keeps its last session: what it said before it went still counts.
        """
        self.homes = {agent: host for host, member in roster.hosts.items() for agent in member.agents}
        present = {host: member.session for host, member in roster.hosts.items() if member.session}
        self._sessions = {**self._sessions, **present, self._host_id: self._session}

    def check(self, envelope: Envelope, from_host: str) -> None:
        """Refuse what does not come from where its sender lives now.

        Raises:
            ProtocolError: the sender lives elsewhere, or another process said it once in the host's name.
        """
        if self.homes.get(envelope.sender) != from_host:
            raise ProtocolError(f"agent {envelope.sender!r} does not live on host {from_host!r}")
        check_session(from_host, envelope.session, self._sessions.get(from_host))


def check_session(host: str, session: str, present: str | None) -> None:
    """Refuse what a process said that does not speak for its host, or not any more.

    Raises:
        ProtocolError: it is such a process.
    """
    if session != present:
        raise ProtocolError(f"session {session!r} does not speak for host {host!r}: it is of another process or run")
