"""Errors that a user can encounter, grouped by cause; the command line maps each to an exit code."""

from __future__ import annotations


class SsmicError(Exception):
    """Base of all errors that are raised deliberately; the message is fit for users."""


class BrokerUrlError(SsmicError):
    """The broker URL is malformed, or the login and certificate options contradict it."""


class BrokerUnreachableError(SsmicError):
    """No connection to the broker could be made: connection refused, login refused, not trusted."""


class BrokerRefusedError(BrokerUnreachableError):
    """A connection failed for a permanent reason: the broker refuses this client, or this client cannot trust it."""


class BrokerAwayError(BrokerUnreachableError):
    """No connection for a reason that may be temporary: the broker is starting, is full, or its link is down."""


class BrokerLostError(SsmicError):
    """The broker disappeared during the run and did not return within the time limit."""


class GuardError(SsmicError):
    """The files of a guarded broker cannot be written, or existing ones are inconsistent."""


class ProtocolError(SsmicError):
    """A message violates `docs/protocol.md`. The receiver counts, logs and drops it."""


class UnlistedError(ProtocolError):
    """A message is of a process that no roster names yet, as after a restart of its reader: no fault of its sender."""


class MalformedError(ProtocolError):
    """A faulty message that the network cannot have caused; counted against its sender.

    It cannot be parsed, a value is out of range, it is too large, or it contradicts what the sender has said before.
    """


class ContradictionError(MalformedError):
    """A message that its receiver may accept although the clock does not. The sender is quarantined at once.

    The message belongs to a round that its sender cannot have run, has a number that its sender has used before, or
    exceeds the number of messages that its sender reports. A receiver that lacks the other messages, or gets them
    later, does not notice.
    """


class HostsMissingError(SsmicError):
    """Hosts were silent for longer than the clock's wall-clock limit; the message names them."""


class HostsGoneError(HostsMissingError):
    """Hosts have left a run that is to fail if one does; the message names them."""


class ClockMissingError(SsmicError):
    """The clock was silent for longer than a host's wall-clock limit."""


class ClockTakenError(SsmicError):
    """Another clock already runs this run."""


class HostRefusedError(SsmicError):
    """The clock does not let this host take part; the message says why."""


class ClockBehindError(HostRefusedError):
    """The clock does not know the last step that this host ran: its journal is missing or older than the host's."""


class RunFailedError(SsmicError):
    """The clock ended the run because of a failure; the message says why."""


class RunSuspendedError(RunFailedError):
    """The clock suspended the run; a clock that is started again resumes it."""


class PluginError(SsmicError):
    """A plug-in run by an agent failed or returned something invalid; the message names it, and is one line."""


class UnknownCoroutineError(SsmicError):
    """An asyncio task waits as if it were a coroutine of an agent, but the agent did not start it."""

    def __init__(self) -> None:
        super().__init__(
            "a coroutine is waiting that the agent did not start: start it with `self.spawn`, not with asyncio "
            "(`create_task`, `gather`)"
        )


class CoroutineCancelledError(SsmicError):
    """A coroutine of an agent was cancelled, but not by its host."""

    def __init__(self) -> None:
        super().__init__("one of its coroutines was cancelled while the run goes on")


class AgentFailedError(SsmicError):
    """A host reports that one of its agents raised an exception, which ends the run: a bug, of ours or of a plug-in."""

    def __init__(self, agent: str, host: str, traceback: str) -> None:
        """Create the error.

        Args:
            agent: Id of the agent that failed.
            host: Id of its host.
            traceback: As Python formats it; of a plug-in's failure, the message only, which is one line.
        """
        what = traceback.rstrip()
        separator = "\n" if "\n" in what else " "
        super().__init__(f"agent {agent!r} on host {host!r} failed:{separator}{what}")
        self.agent = agent
        self.host = host
        self.traceback = traceback
