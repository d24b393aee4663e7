"""Every error that a user can meet, split by whose fault it is; the command line turns each into an exit code."""

from __future__ import annotations


class SsmicError(Exception):
    """The root: whatever is raised on purpose derives from it and carries a message fit to be shown."""


class BrokerUrlError(SsmicError):
    """What was given as a broker's URL is none; wrong usage."""


class BrokerUnreachableError(SsmicError):
    """No connection to the broker could be made: no broker runs there, or the login was refused."""


class BrokerAwayError(BrokerUnreachableError):
    """No connection for a reason that may pass: the broker starts, is full, or its link is down."""


class BrokerLostError(SsmicError):
    """The broker went away during the run and did not come back within the limit."""


class GuardError(SsmicError):
    """What a guarded broker needs cannot be written, or what is there does not fit together."""


class ProtocolError(SsmicError):
    """A message that does not follow `docs/protocol.md`. The receiver logs, counts and drops it."""


class HostsMissingError(SsmicError):
    """The clock waited longer than its wall-clock limit for hosts; the message names them."""


class HostRefusedError(SsmicError):
    """The clock does not let this host take part; the message says why."""


class RunFailedError(SsmicError):
    """The clock gave the run up; the message says why."""


class AgentFailedError(SsmicError):
    """An agent raised: our own broken invariant, which ends the run."""

    def __init__(self, agent: str, host: str, traceback: str) -> None:
        super().__init__(f"agent {agent!r} on host {host!r} failed:\n{traceback.rstrip()}")
        self.agent = agent
        self.host = host
        self.traceback = traceback
