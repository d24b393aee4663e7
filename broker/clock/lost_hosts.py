"""The hosts that the run continues without: when a host counts as lost, and what becomes of the run then."""

from __future__ import annotations

from broker.clock.barrier import RoundBarrier
from broker.clock.membership import Admission, Membership
from broker.clock.missing_hosts_error import Owed, missing_error
from broker.clock.quarantine import Quarantine
from broker.clock.settings import ClockSettings
from broker.errors import AgentFailedError, HostsGoneError, HostsMissingError
from broker.protocol import Failure, shortened

MOST_LIMITS = 10
"""After this many time limits, the clock gives up on a host that gives signs of life but does not answer."""


class LostHosts:
    """Removes hosts that are silent, fail or break the protocol from the run, or ends the run because of them."""

    def __init__(
        self,
        settings: ClockSettings,
        members: Membership,
        barrier: RoundBarrier,
        admission: Admission,
        quarantine: Quarantine,
    ) -> None:
        """Create it.

        Args:
            settings: Whether hosts that are lost are waited for or dropped, and which are indispensable.
            members: The hosts of the run.
            barrier: Knows from which of them an answer is missing.
            admission: Publishes who takes part.
            quarantine: Judges the hosts that break the protocol.
        """
        self._settings = settings
        self._members = members
        self._barrier = barrier
        self._admission = admission
        self._quarantine = quarantine
        self._before_the_step: list[str] = []
        """Agents of hosts that were removed from the run before its next step."""

    def pop_before_the_step(self) -> list[str]:
        """Return the agents of hosts that were removed before the step that begins, and forget them."""
        lost, self._before_the_step = self._before_the_step, []
        return lost

    def _drop(self, host: str, *why: str, is_quarantined: bool = False) -> tuple[str, ...]:
        self._barrier.forget(host)
        agents = self._members.drop(host, *why, is_quarantined=is_quarantined)
        self._admission.changed()
        return agents

    def quarantine_offenders(self) -> list[str]:
        """Quarantine the hosts that break the protocol; return their agents.

        Raises:
            HostsMissingError: The run is to fail at once when a host is lost.
        """
        if not self._quarantine.violations.has_suspects:
            return []
        offenders = self._quarantine.offenders()
        if offenders and self._settings.on_loss == "fail":
            raise HostsMissingError("; ".join(f"host {host!r} is lost: {why}" for host, why in offenders.items()))
        return [agent for host, why in offenders.items() for agent in self._drop(host, why, is_quarantined=True)]

    def quarantine_before_the_step(self) -> None:
        """Quarantine the hosts that break the protocol before the run, or a restarted clock, begins its step."""
        # Other hosts are informed after the step: some may have run it already, before this clock was restarted.
        self._before_the_step += self.quarantine_offenders()

    def drop_missing(self, missing: tuple[str, ...]) -> bool:
        """Drop hosts that never joined the run; return False if the run must not start without them."""
        if self._settings.on_loss != "drop" or self._settings.indispensable.intersection(missing):
            return False
        self._before_the_step += [agent for host in missing for agent in self._drop(host)]
        return True

    def drop_timed_out(self) -> list[str]:
        """If hosts were silent for too long, fail or drop them; return the agents of dropped hosts.

        Raises:
            HostsMissingError: The run must not continue without them.
        """
        if self._settings.on_loss == "fail" and (gone := self._barrier.awaited & self._members.gone):
            raise HostsGoneError(f"hosts are gone: {', '.join(repr(host) for host in sorted(gone))}")
        limit_wall_s = self._settings.timeouts.limit_wall_s
        timed_out = self._barrier.timed_out(limit_wall_s)
        if busy := self._barrier.timed_out(limit_wall_s, MOST_LIMITS * limit_wall_s) - timed_out:
            timed_out |= busy & self._quarantine.removable
        if timed_out and (self._settings.on_loss != "drop" or timed_out & self._settings.indispensable):
            raise self._missing_error(timed_out, "answer")
        return [agent for host in sorted(timed_out) for agent in self._drop(host)]

    def drop_those_without_messages(self, step: int) -> list[str]:
        """Drop the hosts whose messages of a step have not arrived; return their agents.

        Raises:
            HostsMissingError: The run must not continue without them.
        """
        senders = set(self._barrier.missing_senders())
        if senders and (self._settings.on_loss != "drop" or senders & self._settings.indispensable):
            raise self._missing_error(senders, "messages")
        why = f"messages that it reported in step {step} never arrived"
        return [agent for host in sorted(senders) for agent in self._drop(host, why)]

    def _missing_error(self, hosts: set[str], owed: Owed) -> HostsMissingError:
        settings = self._settings
        limit_wall_s = settings.timeouts.limit_wall_s
        gone = self._members.gone
        return missing_error(settings.run, hosts, limit_wall_s, owed, own=settings.indispensable, gone=gone)

    def drop_failed(self) -> list[str]:
        """Continue without the hosts whose agents failed, if lost hosts are dropped; return their agents.

        Raises:
            AgentFailedError: Lost hosts are not dropped, or a host of this process failed.
        """
        lost: list[str] = []
        failures: dict[str, Failure] = {}
        for host, done in self._barrier.dones.items():
            if done.failure is not None:
                failures[host] = done.failure
        for host, failure in sorted(failures.items()):
            if self._settings.on_loss != "drop" or not self._quarantine.is_removable(host):
                raise AgentFailedError(failure.agent, host, failure.traceback)
            why = f"its agent {failure.agent!r} failed: {shortened(failure.traceback.rstrip().rpartition(chr(10))[2])}"
            lost += self._drop(host, why, is_quarantined=True)
        return lost
